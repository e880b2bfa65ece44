"""Images of too many pixels or bytes are judged by their headers; those just below are worked with."""

from __future__ import annotations

import json
import struct
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.helpers.contained import contained
from tests.helpers.small_sets import save_picture
from tfrec_tools.annotations.records import ByteRange
from tfrec_tools.images import loading
from tfrec_tools.images.loading import Canvas, ImageOptions

_CHANGES = [(at, flip) for at in range(0, 200, 3) for flip in (1, 255)]


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of(width: int, height: int, rows: int) -> bytes:
    """A black PNG of one bit a pixel; only so many rows of it are there."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((width + 7) // 8 + 1) * rows, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def code_of(path: Path, **rules: object) -> tuple[str, str]:
    loaded = loading.load(ByteRange(path), Canvas("s"), ImageOptions(**rules))  # type: ignore[arg-type]
    (issue,) = (issue for issue in loaded.issues if issue.code in ("image-huge", "image-damaged"))
    assert loaded.image is None
    return issue.code, issue.message


def write_coco(folder: Path, name: str, width: int, height: int) -> Path:
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [-5, 1, 2000, 2000], "area": 400, "iscrowd": 0}
    image = {"id": 1, "file_name": name, "width": width, "height": height}
    path = folder / "a.json"
    path.write_text(
        json.dumps({"images": [image], "annotations": [box], "categories": [{"id": 1, "name": "cat"}]})
    )
    return path


@pytest.mark.parametrize("verify", ["header", "decode", "off"])
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.gif", "a.bmp", "a.tif", "a.webp"])
def test_more_pixels_than_the_ceiling(tmp_path: Path, name: str, verify: str) -> None:
    path = save_picture(tmp_path / name)
    code, message = code_of(path, max_pixels=2399, verify=verify)
    assert code == "image-huge"
    assert "its 60 x 40 are 2,400 pixels, expected 2,399 at most" in message
    assert loading.load(ByteRange(path), Canvas("s"), ImageOptions(max_pixels=2400)).image is not None


def test_a_bomb_is_not_decoded(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_of(50_000, 50_000, 50))
    source = write_coco(tmp_path, "a.png", 50_000, 50_000)
    words = (
        "--images",
        tmp_path,
        "--out",
        tmp_path / "o" / "s",
        "--verify-images",
        "decode",
        "--workers",
        "1",
    )
    done = contained("convert", source, *words)
    assert done.returncode == 1
    assert "image-huge: a.png: its 50000 x 50000 are 2,500,000,000 pixels" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_image_above_pillows_own_ceiling_is_converted_and_drawn(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_of(14_000, 14_000, 14_000))
    source = write_coco(tmp_path, "a.png", 14_000, 14_000)
    out = tmp_path / "o" / "s"
    words = ("--images", tmp_path, "--out", out, "--verify-images", "decode", "--workers", "1")
    done = contained("convert", source, *words)
    assert done.returncode == 0, done.stderr
    assert "Decompression" not in done.stderr
    page = out.with_name("s.issues.html").read_text(encoding="utf-8")
    assert "box-outside" in page
    assert "data:image/jpeg" in page


@pytest.mark.parametrize(
    ("head", "size", "said"),
    [
        (b"", 4 << 30, "a.jpg: has 4,294,967,296 bytes, expected 2,147,483,647 at most"),
        (b"", 2_000_000_000, "is no image that can be read"),
        (b"\xff\xd8\xff", 2_000_000_000, "expected a JPEG marker"),
        (png_of(60, 40, 40), 2_000_000_000, "it has 2,000,000,000 bytes, expected"),
    ],
)
def test_a_large_file_is_judged_by_its_head(tmp_path: Path, head: bytes, size: int, said: str) -> None:
    path = tmp_path / "a.jpg"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
    place = ByteRange(path)
    read = 0

    class Watched(ByteRange):
        def read(self) -> bytes:
            nonlocal read
            read += 1
            return b""

    loaded = loading.load(Watched(place.path), Canvas("s"))
    (issue,) = loaded.issues
    assert issue.code == "image-damaged"
    assert said in issue.message
    assert not read


def test_a_large_bomb_is_huge(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with path.open("wb") as file:
        file.write(png_of(50_000, 50_000, 1))
        file.truncate(100_000_000)
    assert code_of(path)[0] == "image-huge"


@pytest.mark.parametrize(
    ("kind", "frames"),
    [("GIF", 1), ("GIF", 3), ("TIFF", 1), ("TIFF", 3), ("WEBP", 1), ("WEBP", 3), ("BMP", 1)],
)
def test_cut_and_damaged_files_of_several_images_are_issues(tmp_path: Path, kind: str, frames: int) -> None:
    out = BytesIO()
    images = [Image.effect_noise((30, 20), 40 + number).convert("L") for number in range(frames)]
    images[0].save(out, kind, **({"save_all": True, "append_images": images[1:]} if frames > 1 else {}))
    data = out.getvalue()
    path = tmp_path / "a.gif"
    spoilt = [data[:end] for end in range(0, len(data), 7)]
    spoilt += [
        data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :] for at in range(0, 200, 3) for flip in (1, 255)
    ]
    for one in spoilt:
        path.write_bytes(one)
        loaded = loading.load(ByteRange(path), Canvas("s"), ImageOptions(max_side=10))
        codes = [issue.code for issue in loaded.issues]
        assert (loaded.image is None) == bool({"image-damaged", "image-huge"} & set(codes))
