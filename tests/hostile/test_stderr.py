"""Damaged images of every format: on stderr stands nothing but lines of tfrec's own, whatever Pillow and the
libraries below it have to say."""

from __future__ import annotations

import random
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, features

from tests.helpers.contained import contained
from tests.helpers.small_sets import coco
from tfrec_tools.images.opening import FORMATS

VARIANTS = [
    *[(name, "", "RGB") for name in FORMATS],
    *[("TIFF", packing, "RGB") for packing in ("tiff_lzw", "jpeg", "tiff_deflate", "packbits")],
    ("TIFF", "group4", "1"),
    ("TIFF", "group3", "1"),
]


def damaged(data: bytes, seed: int) -> bytes:
    """Cut for the first seeds, else with a few bytes that are others."""
    if seed < 2:
        return data[: len(data) // 2] if seed else data[:-9]
    chance, changed = random.Random(seed), bytearray(data)
    for _ in range(seed):
        changed[chance.randrange(8 if seed % 2 else len(data) // 2, len(data))] = chance.randrange(256)
    return bytes(changed)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    picture = Image.linear_gradient("L").resize((90, 70))
    scenes = []
    (tmp_path / "images").mkdir()
    for name, packing, mode in VARIANTS:
        if name == "AVIF" and not features.check("avif"):
            continue
        out = BytesIO()
        picture.convert(mode).save(out, name, **({"compression": packing} if packing else {}))
        for seed in range(8):
            file = f"{name}_{packing}_{seed}.{name.lower()}"
            (tmp_path / "images" / file).write_bytes(damaged(out.getvalue(), seed))
            scenes.append((file, 90, 70, [("cat", 1, 1, 30, 39)]))
    # Pillow logs the number of its samples.
    with Image.new("RGB", (4, 4)) as small:
        small.save(tmp_path / "images/samples.tiff")
    data = bytearray((tmp_path / "images/samples.tiff").read_bytes())
    at = data.index(b"\x15\x01\x03\x00")
    data[at + 8 : at + 10] = b"\x00\x9c"
    (tmp_path / "images/samples.tiff").write_bytes(data)
    scenes.append(("samples.tiff", 4, 4, [("cat", 1, 1, 3, 3)]))
    return coco(tmp_path, scenes)


def test_only_own_lines(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out/set"
    words = ("convert", source, "--workers", "1", "--max-pixels", "1000000", "--verify-images", "decode")
    done = contained(*words, "--out", out)
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert [line for line in lines if not line.startswith("tfrec: error: ")] == []
    assert len(lines) == 1
    going_on = ("--on", "image-damaged=drop-image", "--on", "image-huge=drop-image")
    done = contained(*words, "--out", out, *going_on)
    assert (done.returncode, done.stderr) == (0, "")
