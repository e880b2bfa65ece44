"""VoTT: regions and tags, exports and files of assets, names of images, and damaged files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.sources import assert_balanced, faults
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry

BOX = {"left": 1, "top": 2, "width": 29, "height": 18}
POINTS = [{"x": 1, "y": 2}, {"x": 30, "y": 2}, {"x": 30, "y": 20}]


def region(
    kind: str = "RECTANGLE", box: Any = BOX, tags: Any = ("cat",), points: Any = POINTS
) -> dict[str, Any]:
    return {"id": "r", "type": kind, "tags": tags, "boundingBox": box, "points": points}


def asset(*regions: Any, **more: Any) -> dict[str, Any]:
    said = {"name": "a.jpg", "path": "file:/me/a.jpg", "size": {"width": 60, "height": 40}, "state": 2}
    return {"asset": said | more, "regions": list(regions), "version": "2.2.0"}


def write(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value))
    return path


def read(path: Path) -> Source:
    assert registry.detect(path) == "vott"
    source = registry.read(path)
    assert_balanced(source)
    return source


@pytest.mark.parametrize(
    ("item", "names", "code"),
    [
        (region(), ("cat",), ""),
        (region("SQUARE"), ("cat",), ""),
        (region("POLYGON"), ("cat",), "box-derived"),
        (region(box=None), ("cat",), ""),
        (region(tags=["cat", "dog"]), ("cat", "dog"), ""),
        (region("POLYLINE"), (), "box-missing"),
        (region("POINT"), (), "box-missing"),
        (region(tags=[]), (), "class-unknown"),
        (region(tags=None), (), "class-unknown"),
        (region(box=None, points=None), (), "annotation-unread"),
        (region(box={"left": "x"}, points=[{"x": 1}]), (), "annotation-unread"),
        (3, (), "annotation-unread"),
    ],
)
def test_a_region_is_a_box_of_each_tag_or_an_issue(tmp_path: Path, item: Any, names: Any, code: str) -> None:
    source = read(write(tmp_path / "a-asset.json", asset(item)))
    (record,) = source.records
    assert record.names == names
    assert record.boxes_xyxy.tolist() == [[1, 2, 30, 20]] * len(names)
    assert (record.width, record.height) == (60, 40)
    assert faults(source) == ([code] if code else [])
    assert all(issue.message.startswith("regions[0]: ") for issue in source.issues)


@pytest.mark.parametrize(
    ("name", "path", "filename"),
    [
        ("a%20b.jpg", "file:/me/a%20b.jpg", "a b.jpg"),
        ("a%20b.jpg", "https://host/box/a%20b.jpg?sig=x", "a b.jpg"),
        ("a%20b.jpg", "https://host/box/a%2520b.jpg?sig=x", "a%20b.jpg"),
        ("sub/a.jpg", "https://host/box/sub%2Fa.jpg?sig=x", "sub/a.jpg"),
        ("", "https://host/box/a%20b.jpg?sig=x", "a b.jpg"),
    ],
)
def test_names_of_images(tmp_path: Path, name: str, path: str, filename: str) -> None:
    source = read(write(tmp_path / "a-asset.json", asset(region(), name=name, path=path)))
    assert source.records[0].filename == filename


def test_an_export(tmp_path: Path) -> None:
    assets = {"x": asset(region()), "y": asset(state=1), "z": 3, "w": asset(region(), name="", path="")}
    tags = [{"name": "dog", "color": "#fff"}, {"name": "cat"}, 3]
    source = read(write(tmp_path / "export.json", {"name": "a", "tags": tags, "assets": assets}))
    assert source.classes == ("dog", "cat")
    assert [record.source for record in source.records] == ["export.json assets[x]", "export.json assets[y]"]
    assert sorted(faults(source)) == ["annotation-damaged", "image-unannotated", "image-unknown"]


def test_a_folder_of_assets(tmp_path: Path) -> None:
    write(tmp_path / "a-asset.json", asset(region()))
    write(tmp_path / "b-asset.json", {"other": 1})
    (tmp_path / "c-asset.json").write_text('{"asset": {"name": "c.jpg"}, "regions": [{"boundingBox": ')
    source = read(tmp_path)
    assert [record.source for record in source.records] == ["a-asset.json"]
    assert faults(source) == ["annotation-unread", "annotation-damaged"]
    assert source.account.dropped == {"annotation-damaged": 1}


def test_an_export_beside_assets_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a-asset.json", asset(region()))
    write(tmp_path / "b-export.json", {"assets": {"x": asset(region())}})
    with pytest.raises(InputError, match=r"b-export.json: is VoTT's, and so is .*a-asset.json"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ({"frames": {"a.jpg": []}, "visitedFrames": []}, "is of VoTT 1"),
        ({"assets": 3}, "has no assets"),
        ([], "has no assets"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, value: Any, line: str) -> None:
    with pytest.raises(InputError, match=line):
        registry.read(write(tmp_path / "a.json", value), "vott")
