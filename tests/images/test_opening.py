"""Pillow opens the formats that are meant and no others, and says nothing by itself."""

from __future__ import annotations

import struct
import subprocess
import sys
import warnings
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.helpers.small_sets import save_picture
from tfrec_tools.annotations.records import ByteRange
from tfrec_tools.errors import InputError
from tfrec_tools.images import loading
from tfrec_tools.images.loading import Canvas, ImageOptions
from tfrec_tools.images.opening import FORMATS, HugeImageError, open_image

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 60 40\n%%EndComments\nshowpage\n%%EOF\n"


def test_postscript_starts_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = tmp_path / "started"
    program = tmp_path / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {marker}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    image = tmp_path / "a.jpg"
    image.write_bytes(POSTSCRIPT)
    code = (
        "from pathlib import Path; from tfrec_tools.annotations.records import ByteRange; "
        "from tfrec_tools.images import loading; "
        f"print(loading.load(ByteRange(Path({str(image)!r})), loading.Canvas('s')).issues)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=60)
    assert "image-damaged" in done.stdout, done.stderr
    assert not marker.exists()


@pytest.mark.parametrize("kind", ["EPS", "PCX", "TGA", "ICO", "SGI", "DDS", "PDF"])
def test_other_formats_are_no_images(tmp_path: Path, kind: str) -> None:
    out = BytesIO()
    try:
        Image.new("RGB", (60, 40)).save(out, kind)
    except (OSError, KeyError):
        pytest.skip(f"this Pillow writes no {kind}")
    path = tmp_path / "a.jpg"
    path.write_bytes(out.getvalue())
    (issue,) = loading.load(ByteRange(path), Canvas("s")).issues
    assert issue.code == "image-damaged"
    assert (
        "is no image that can be read (JPEG, PNG, GIF, BMP, WEBP, TIFF, PPM, JPEG2000, AVIF)" in issue.message
    )


@pytest.mark.parametrize("kind", FORMATS)
def test_the_formats_that_are_meant_are_opened(kind: str) -> None:
    out = BytesIO()
    try:
        Image.new("RGB", (60, 40)).save(out, kind)
    except (OSError, KeyError):
        pytest.skip(f"this Pillow writes no {kind}")
    image = open_image(out.getvalue(), "a")
    assert (image.format, image.size) == (kind, (60, 40))
    with pytest.raises(HugeImageError, match="a: its 60 x 40 are 2,400 pixels, expected 2,399 at most"):
        open_image(out.getvalue(), "a", 2399)


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}])
def test_a_webp_is_judged_before_its_decoder_is_made(options: dict[str, object]) -> None:
    out = BytesIO()
    Image.new("RGB", (60, 40)).save(out, "WEBP", **options)
    with pytest.raises(HugeImageError, match="60 x 40"):
        open_image(out.getvalue()[:40], "a", 2399)


def test_pillows_warnings_are_not_let_out(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.tif")
    data = bytearray(path.read_bytes())
    at = struct.unpack_from("<I", data, 4)[0]
    (entries,) = struct.unpack_from("<H", data, at)
    beyond = (270, 2, 9999, 1 << 30)  # a text far behind the end
    struct.pack_into("<HHII", data, at + 2 + 12 * (entries - 1), *beyond)
    path.write_bytes(data)
    exif = Image.Exif()
    exif[0x010E] = "x" * 40
    block = exif.tobytes()[:-30]
    jpeg = save_picture(tmp_path / "b.jpg", exif=block)
    large = tmp_path / "c.bmp"
    Image.new("1", (12_000, 9_000)).save(large)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for one in (path, jpeg, large):
            loading.load(ByteRange(one), Canvas("s"), ImageOptions(verify="decode", max_side=100))


def test_none_of_the_formats(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"it starts with b'xyz'"):
        open_image(b"xyz", tmp_path / "a")
