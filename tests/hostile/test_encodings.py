"""Texts as Windows saves them: a byte order mark of UTF-8 is passed over, one of UTF-16 is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.small_sets import coco, save_picture, save_pictures
from tfrec_tools.errors import InputError
from tfrec_tools.formats import classes, registry
from tfrec_tools.system import toml_options

CSV = "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,60,40,cat,1,1,30,30\n"


def source(name: str, kind: str | None = None) -> Callable[[Path], object]:
    return lambda folder: registry.read(folder / name, kind)


def labels(name: str) -> Callable[[Path], object]:
    return lambda folder: classes.read_map(folder / name)


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "instances.json": ("", source("instances.json")),
    "a.csv": (CSV, source("a.csv")),
    "data.yaml": ("names: [cat]\ntrain: images\n", source("", "yolo")),
    "labels/a.txt": ("0 .5 .5 .2 .2\n", source("", "yolo")),
    "map.pbtxt": ("item { id: 1 name: 'cat' }", labels("map.pbtxt")),
    "map.txt": ("cat\n", labels("map.txt")),
    "map.json": ('{"names": ["cat"]}', labels("map.json")),
    "o.toml": ("shards = 2\n", lambda folder: toml_options.read_options(folder / "o.toml")),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_picture(tmp_path / "images/a.jpg")
    save_pictures(tmp_path / "images")
    coco(tmp_path)
    (tmp_path / "labels").mkdir()
    for name in ("labels/a.txt", "data.yaml"):
        (tmp_path / name).write_text(READERS[name][0])
    return tmp_path


@pytest.mark.parametrize("name", READERS)
def test_byte_order_marks(folder: Path, name: str) -> None:
    path, (text, read) = folder / name, READERS[name]
    text = text or path.read_text()
    path.write_text(text, encoding="utf-8")
    plain = read(folder)
    path.write_text(text, encoding="utf-8-sig")
    assert repr(read(folder)) == repr(plain)
    for encoding, kind in (("utf-16", "UTF-16"), ("utf-32", "UTF-32")):
        path.write_text(text, encoding=encoding)
        said = f"is {kind} by its byte order mark, expected UTF-8; save it as UTF-8"
        if name == "labels/a.txt":
            issues = getattr(read(folder), "issues")  # noqa: B009
            assert [issue.message for issue in issues if issue.code == "annotation-damaged"] == [said]
        else:
            with pytest.raises(InputError, match=f"{path.name}: {said}$"):
                read(folder)


@pytest.mark.parametrize(("count", "said"), [(2, "2"), (0, "0"), ("one", "'one'")])
def test_a_data_yaml_that_counts_other_classes_than_it_names(folder: Path, count: object, said: str) -> None:
    (folder / "data.yaml").write_text(f"names: [cat]\ntrain: images\nnc: {count}\n")
    with pytest.raises(InputError, match=rf"data\.yaml: nc: is {said}, but names lists 1; correct"):
        registry.read(folder, "yolo")
    (folder / "data.yaml").write_text("names: [cat]\ntrain: images\nnc: 1\n")
    registry.read(folder, "yolo")
