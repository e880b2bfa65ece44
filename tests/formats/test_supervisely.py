"""Supervisely: objects of every kind, folders of a project, and damaged files."""

from __future__ import annotations

import base64
import json
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.helpers.sources import assert_balanced, faults
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry


def item(kind: str | None, exterior: Any = None, **more: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"classTitle": "cat", "tags": []}
    said |= {} if kind is None else {"geometryType": kind}
    return said | ({} if exterior is None else {"points": {"exterior": exterior, "interior": []}}) | more


def write(folder: Path, *objects: Any, name: str = "ds/ann/a.jpg.json", **more: Any) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    said = {"description": "", "tags": [], "size": {"height": 40, "width": 60}, "objects": objects}
    path.write_text(json.dumps(said | more))
    return path


def read(path: Path) -> Source:
    assert registry.detect(path) == "supervisely"
    source = registry.read(path)
    assert_balanced(source)
    return source


def bitmap(data: bytes | None = None, origin: Any = (5, 6)) -> dict[str, Any]:
    out = BytesIO()
    Image.new("1", (10, 12), 1).save(out, "PNG")
    return {"data": base64.b64encode(zlib.compress(data or out.getvalue())).decode(), "origin": origin}


BOMB = zlib.compress(b"\0" * 100_000_000)
TRIANGLE = [[1, 2], [30, 5], [9, 20]]


@pytest.mark.parametrize(
    ("drawn", "box", "code"),
    [
        (item("rectangle", [[30, 20], [1, 2]]), [1, 2, 30, 20], ""),
        (item("polygon", TRIANGLE), [1, 2, 30, 20], "box-derived"),
        (item(None, TRIANGLE), [1, 2, 30, 20], "box-derived"),
        (item("bitmap", bitmap=bitmap()), [5, 6, 15, 18], "box-derived"),
        (item(None, bitmap=bitmap()), [5, 6, 15, 18], "box-derived"),
        (item("alpha_mask", alpha_mask=bitmap()), [5, 6, 15, 18], "box-derived"),
        (item("bitmap", bitmap=bitmap(BOMB)), None, "annotation-unread"),
        (item("bitmap", bitmap=bitmap(origin="x")), None, "annotation-unread"),
        (item("bitmap", bitmap={"data": "eJwD?", "origin": [1, 2]}), None, "annotation-unread"),
        (item("bitmap"), None, "annotation-unread"),
        (item("polygon", TRIANGLE[:2]), None, "box-missing"),
        (item("point", TRIANGLE[:1]), None, "box-missing"),
        (item("line", TRIANGLE), None, "box-missing"),
        (item("cuboid", TRIANGLE), None, "annotation-unread"),
        (item("rectangle", TRIANGLE), None, "annotation-unread"),
        (item("rectangle", [[1, "2"], [3, 4]]), None, "annotation-unread"),
        (item("rectangle"), None, "annotation-unread"),
        (item("rectangle", TRIANGLE[:2], classTitle=None), None, "class-unknown"),
        ("object", None, "annotation-unread"),
    ],
)
def test_an_object_is_a_box_or_an_issue(
    tmp_path: Path, drawn: Any, box: list[float] | None, code: str
) -> None:
    source = read(write(tmp_path, drawn))
    (record,) = source.records
    assert record.boxes_xyxy.tolist() == ([] if box is None else [box])
    assert (record.width, record.height) == (60, 40)
    assert faults(source) == ([code] if code else [])
    assert all(issue.message.startswith("objects[0]: ") for issue in source.issues)


def marked(
    mode: str, size: tuple[int, int] = (60, 40), box: tuple[int, int, int, int] = (10, 20, 21, 31)
) -> bytes:
    """A PNG with a box of marked pixels, in a mode; "P;" is a palette without transparency,
    "P1" one whose colour 1 is transparent."""
    mask = Image.new("L", size)
    if box[2] > box[0]:
        mask.paste(255, box)
    options: dict[str, Any] = {}
    if mode.startswith("P"):
        image = mask.point(lambda value: value > 0).convert("L")
        image.putpalette([0, 0, 0, 255, 255, 255])
        options = {"transparency": 0} if mode == "P" else {}
        if mode == "P1":
            image, options = image.point(lambda value: 1 - value), {"transparency": 1}
    elif mode in ("RGBA", "LA"):
        image = Image.new(mode.removesuffix("A"), size, "white")
        image.putalpha(mask)
    else:
        image = mask.convert(mode)
    out = BytesIO()
    image.save(out, "PNG", **options)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["bitmap", "alpha_mask", None])
@pytest.mark.parametrize("mode", ["1", "L", "P", "P;", "P1", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("origin", [(0, 0), (5, 3)])
def test_the_box_of_a_bitmap_is_around_its_marked_pixels(
    tmp_path: Path, kind: str | None, mode: str, origin: tuple[int, int]
) -> None:
    x, y = origin
    key = kind or "bitmap"
    source = read(write(tmp_path, item(kind, **{key: bitmap(marked(mode), origin)})))
    assert source.records[0].boxes_xyxy.tolist() == [[x + 10, y + 20, x + 21, y + 31]]
    assert faults(source) == ["box-derived"]
    unmarked = bitmap(marked(mode, box=(0, 0, 0, 0)), origin)
    assert faults(read(write(tmp_path, item(kind, **{key: unmarked})))) == ["box-missing"]


def chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4) + name + data + zlib.crc32(name + data).to_bytes(4)


HUGE = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", (2**20).to_bytes(4) * 2 + b"\x01\0\0\0\0")


@pytest.mark.parametrize(
    ("png", "words"),
    [
        (marked("L")[:60], "its bitmap is none"),
        (HUGE + chunk(b"IDAT", zlib.compress(bytes(2**20))), "(it has 1048576 x 1048576 pixels)"),
        (HUGE + bytes(1 << 27), "it has more than"),
        (b"\xff\xd8\xff" + bytes(100), "it is no PNG"),
    ],
)
def test_bitmaps_that_cannot_be_unpacked_are_issues(tmp_path: Path, png: bytes, words: str) -> None:
    source = read(write(tmp_path, item("bitmap", bitmap=bitmap(png))))
    (issue,) = source.issues
    assert issue.code == "annotation-unread"
    assert words in issue.message


@pytest.mark.parametrize(
    ("shape", "exterior", "box", "code"),
    [
        ("rectangle", [[30, 20], [1, 2]], [1, 2, 30, 20], ""),
        ("rectangle", TRIANGLE, [1, 2, 30, 20], "box-derived"),
        ("polygon", TRIANGLE, [1, 2, 30, 20], "box-derived"),
        ("polygon", TRIANGLE[:2], None, "box-missing"),
        ("any", TRIANGLE, [1, 2, 30, 20], "box-derived"),
        ("bitmap", TRIANGLE, [1, 2, 30, 20], "box-derived"),
        (3, TRIANGLE, [1, 2, 30, 20], "box-derived"),
        ("line", TRIANGLE, None, "box-missing"),
        ("point", TRIANGLE[:1], None, "box-missing"),
        ("rectangle", "x", None, "annotation-unread"),
    ],
)
def test_an_object_that_does_not_say_its_kind_has_the_shape_of_its_class(
    tmp_path: Path, shape: Any, exterior: Any, box: list[float] | None, code: str
) -> None:
    """Earlier exports have no geometryType."""
    path = write(tmp_path, item(None, exterior, bitmap=None))
    classes = [{"title": "dog", "shape": "polygon"}, {"title": "cat", "shape": shape}]
    (tmp_path / "meta.json").write_text(json.dumps({"classes": classes}))
    for place in (path, tmp_path / "ds", tmp_path):
        source = read(place)
        assert source.records[0].boxes_xyxy.tolist() == ([] if box is None else [box])
        assert faults(source) == ([code] if code else [])


def test_a_project(tmp_path: Path) -> None:
    rectangle = item("rectangle", TRIANGLE[:2])
    write(tmp_path, rectangle, name="train/ann/a.jpg.json")
    write(tmp_path, name="val/ann/b.jpg.json")
    write(tmp_path, name="val/img_info/b.jpg.json", objects=None)
    (tmp_path / "meta.json").write_text(json.dumps({"classes": [{"title": "dog"}, {"title": "cat"}, 3]}))
    for path in (tmp_path, tmp_path / "train", tmp_path / "train/ann/a.jpg.json"):
        assert read(path).classes == ("dog", "cat")
    source = read(tmp_path)
    assert [(record.filename, record.split) for record in source.records] == [
        ("train/img/a.jpg", "train"),
        ("val/img/b.jpg", "val"),
    ]
    assert source.issues == ()


def test_files_that_cannot_be_used_are_issues(tmp_path: Path) -> None:
    whole = write(tmp_path, item("rectangle", TRIANGLE[:2])).read_text()
    damages = {
        "cut.json": (whole[: len(whole) // 2], "annotation-damaged"),
        "foreign.json": ("{}", "annotation-unread"),
        "list.json": ("[]", "annotation-unread"),
        "objects.json": (whole.replace("[{", "{").replace("}]", "}"), "annotation-damaged"),
    }
    for name, (text, _) in damages.items():
        (tmp_path / "ds/ann" / name).write_text(text)
    source = read(tmp_path)
    assert {Path(issue.source).name: issue.code for issue in source.issues} == {
        name: code for name, (_, code) in damages.items()
    }
    for name in damages:
        with pytest.raises(InputError, match=name):
            registry.read(tmp_path / "ds/ann" / name, "supervisely")
