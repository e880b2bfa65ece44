"""Images known by their headers."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.helpers.small_sets import save_picture
from tfrec_tools.errors import InputError
from tfrec_tools.images import headers


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_header_cut_anywhere_is_an_input_error(tmp_path: Path, name: str) -> None:
    path = save_picture(tmp_path / name)
    data = path.read_bytes()
    length = data.index(b"IHDR") + 12 if name == "a.png" else data.index(b"\xff\xc0") + 8
    for end in range(length):
        with pytest.raises(InputError, match=name):
            headers.read_header(data[:end], path)


def test_headers_agree_with_pillow_on_real_images(shared: Path) -> None:
    paths = sorted((shared / "data/raccoon/images").glob("*.jpg"))[:60]
    for path in paths:
        header = headers.read_header(path.read_bytes(), path)
        with Image.open(path) as image:
            assert (header.width, header.height) == image.size
            assert header.orientation == image.getexif().get(0x0112, 1)
            assert not header.obstacle
