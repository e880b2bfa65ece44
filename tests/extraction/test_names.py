"""Names of image files, of whatever records call them."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrec_tools.extraction.names import Namer, safe
from tfrec_tools.images.stated_paths import key, leads_out
from tfrec_tools.system.litter import is_litter

JPEG, PNG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", b"\x89PNG\r\n\x1a\n\x00\x00"


@pytest.mark.parametrize(
    ("filename", "head", "expected"),
    [
        ("a.jpg", JPEG, "a.jpg"),
        ("b/c.JPEG", JPEG, "b/c.JPEG"),
        ("a.bmp", PNG, "a.png"),
        ("a", PNG, "a.png"),
        ("v1.2", JPEG, "v1.2.jpg"),
        ("../../etc/passwd", JPEG, "etc/passwd.jpg"),
        ("/top/a.jpg", JPEG, "top/a.jpg"),
        ("C:\\photos\\a.jpg", JPEG, "C_/photos/a.jpg"),
        ("..", JPEG, "00000007.jpg"),
        ("", PNG, "00000007.png"),
        ("a\n\0b\u2028.jpg", JPEG, "a__b_.jpg"),
        (" a . jpg ", JPEG, "a . jpg.jpg"),
        ("._a.jpg", JPEG, "_._a.jpg"),
        ("__MACOSX/a.jpg", JPEG, "__MACOSX_a.jpg"),
        ("nul.jpg", JPEG, "_nul.jpg"),
        ("a.xyz", b"no image", "a.xyz"),
        ("a", b"", "a.bin"),
    ],
)
def test_a_name_is_made_safe(filename: str, head: bytes, expected: str) -> None:
    assert safe(filename, 7, head) == expected


@given(st.text(max_size=300) | st.text("./\\a:~", max_size=20))
def test_no_name_leaves_the_folder(filename: str) -> None:
    name = safe(filename, 0, PNG)
    path = PurePosixPath(name)
    assert not path.is_absolute()
    assert not leads_out(name)
    assert name.isprintable() or name.encode()
    assert not is_litter(PurePosixPath(name), PurePosixPath())  # type: ignore[arg-type]
    assert all(0 < len(part.encode()) < 255 and part == part.strip() for part in path.parts)
    assert str(path) == name
    assert path.suffix.lower() in (".png", ".apng")


@given(
    st.lists(st.sampled_from(["a.jpg", "A.png", "a/b.jpg", "a.jpg/b.png", "b.jpg", "a-2.jpg"]), max_size=12)
)
def test_no_two_images_share_a_place(wanted: list[str]) -> None:
    namer = Namer()
    names = [namer.name(name, lambda each: f"images/{each}") for name in wanted]
    bare = [key(str(PurePosixPath(name).with_suffix(""))) for name in names]
    assert len(set(bare)) == len(names)
    folders = {key(str(parent)) for name in names for parent in PurePosixPath(name).parents}
    assert not folders & {key(name) for name in names}


def test_many_of_one_name_take_no_longer_each() -> None:
    namer = Namer()
    names = [namer.name("a.jpg", str) for _ in range(20_000)]
    assert names[-1] == "a-20000.jpg"
