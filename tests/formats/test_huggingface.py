"""Image folders of Hugging Face: lists and structs, names of numbers, splits, and damaged lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.sources import assert_balanced, faults
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry
from tfrec_tools.formats.options import ReadOptions

BOX = [1, 2, 29, 18.0]
CARD = """---
dataset_info:
- config_name: a
  features:
  - name: objects
    list:
    - name: bbox
      list: float32
    - name: category
      dtype:
        class_label:
          names: {}
  - name: label
    dtype:
      class_label:
        names: [day, night]
---
text
"""


def write(folder: Path, *lines: Any, name: str = "metadata.jsonl") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    return path


def image(objects: Any, name: Any = "a.jpg", **more: Any) -> dict[str, Any]:
    return {"file_name": name, "objects": objects} | more


def read(path: Path, **options: Any) -> Source:
    assert registry.detect(path) == "huggingface"
    source = registry.read(path, None, ReadOptions(**options))
    assert_balanced(source)
    return source


@pytest.mark.parametrize(
    "objects",
    [
        {"bbox": [BOX], "categories": ["cat"], "area": [5], "iscrowd": [1]},
        {"bbox": [BOX], "category": ["cat"], "area": [5], "iscrowd": [True]},
        {"bboxes": [BOX], "label": ["cat"], "area": [5], "iscrowd": [1]},
        [{"bbox": BOX, "category": "cat", "area": 5, "iscrowd": 1}],
        {"bbox": [BOX], "category": [2], "area": [5], "iscrowd": [1]},
    ],
)
def test_variants(tmp_path: Path, objects: Any) -> None:
    numbered = "category" in objects and objects["category"] == [2]
    names = ("dog", "cow", "cat") if numbered else None
    source = read(write(tmp_path, image(objects, width=60, height=40)), class_names=names)
    (record,) = source.records
    assert (record.names, record.width, record.height) == (("cat",), 60, 40)
    assert record.boxes_xyxy.tolist() == [[1, 2, 30, 20]]
    assert (record.crowd.tolist(), record.area.tolist()) == ([True], [5])
    assert source.classes == (names or ("cat",))


def test_numbers_of_classes_are_named_by_the_card_or_by_nobody(tmp_path: Path) -> None:
    line = image({"bbox": [BOX] * 3, "category": [1, 0, 7]})
    path = write(tmp_path, line)
    with pytest.raises(
        InputError, match=r"its classes are numbers, which no README\.md names; say --class-names"
    ):
        read(path)
    (tmp_path / "README.md").write_text(CARD.replace("{}", "{'1': cat, '0': dog}"))
    source = read(path)
    assert source.classes == ("dog", "cat")
    assert source.records[0].names == ("cat", "dog")
    assert source.issues[0].message == "objects[2]: its class 7 is none of the 2 names"
    (tmp_path / "README.md").write_text(CARD.replace("{}", "{'1': cat, '3': dog}"))
    with pytest.raises(InputError, match="its classes are numbers"):  # of which some have no name
        read(path, class_names=None)
    (tmp_path / "README.md").write_text("---\na: [\n---\n")
    with pytest.raises(InputError, match=r"README\.md"):
        read(path)


def test_the_card_lies_where_all_files_of_metadata_are(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / "top/data" / name).mkdir(parents=True)
        write(tmp_path / "top/data" / name, image({"bbox": [BOX], "category": [1]}))
    cards = [tmp_path / name / "README.md" for name in ("", "top", "top/data")]
    for card, name in zip(cards, ("cow", "hen", "cat"), strict=True):
        card.write_text(CARD.replace("{}", f"{{'0': dog, '1': {name}}}"))
        assert read(tmp_path / "top").classes == ("dog", name)
    cards[0].with_name("top").joinpath("data/train/README.md").write_text("---\na: [\n---\n")
    assert read(tmp_path / "top").classes == ("dog", "cat")


def test_which_list_is_the_class_is_not_guessed(tmp_path: Path) -> None:
    path = write(tmp_path, image({"bbox": [BOX], "category": ["cat"], "label": ["red"]}))
    with pytest.raises(InputError, match="its objects have 'category', 'label'; say by --class-attribute"):
        read(path)
    assert read(path, class_attribute="label").records[0].names == ("red",)
    with pytest.raises(
        InputError, match=r"--class-attribute: is 'x', and the objects of .* have bbox, category"
    ):
        read(path, class_attribute="x")


def test_folders_are_splits(tmp_path: Path) -> None:
    objects = {"bbox": [BOX], "category": ["cat"]}
    write(tmp_path, image(objects), name="train/metadata.jsonl")
    write(tmp_path, image(objects, "sub/b.jpg"), name="validation/metadata.jsonl")
    write(tmp_path, {"epoch": 1}, name="log.jsonl")
    source = read(tmp_path)
    assert [(record.filename, record.split) for record in source.records] == [
        ("train/a.jpg", "train"),
        ("validation/sub/b.jpg", "val"),
    ]
    assert [record.source for record in source.records] == [
        "train/metadata.jsonl line 1",
        "validation/metadata.jsonl line 1",
    ]


@pytest.mark.parametrize(
    ("line", "boxes", "code"),
    [
        (image(None), 0, "image-unannotated"),
        ({"file_name": "a.jpg"}, 0, "image-unannotated"),
        (image({"bbox": [], "category": []}), 0, ""),
        (image([]), 0, ""),
        (image("x"), 0, "annotation-unread"),
        (image({"bbox": [BOX], "category": []}), 0, "annotation-unread"),
        (image({"bbox": 3, "category": ["cat"]}), 0, "annotation-unread"),
        (image({"bbox": [[1, 2, 3]], "category": ["cat"]}), 0, "annotation-unread"),
        (image({"bbox": [["1", 2, 3, 4]], "category": ["cat"]}), 0, "annotation-unread"),
        (image({"bbox": [None], "category": ["cat"]}), 0, "box-missing"),
        (image({"bbox": [BOX], "category": [None]}), 0, "class-unknown"),
        (image({"bbox": [BOX], "category": [""]}), 0, "class-unknown"),
        (image([3]), 0, "annotation-unread"),
        (image({"bbox": [BOX], "category": ["cat"]}, None), -1, "image-unknown"),
        ("{", -1, "annotation-damaged"),
        ("[]", -1, "annotation-damaged"),
        ('{"file_name": "a.jpg", "file_name": "b.jpg"}', -1, "annotation-damaged"),
    ],
)
def test_a_line_is_an_image_or_an_issue(tmp_path: Path, line: Any, boxes: int, code: str) -> None:
    whole = image({"bbox": [BOX], "category": ["cat"]}, "w.jpg")
    source = read(write(tmp_path, whole, "", line))
    assert [len(record.names) for record in source.records] == ([1, boxes] if boxes >= 0 else [1])
    assert [(issue.code, issue.source) for issue in source.issues if code] == (
        [(code, "metadata.jsonl line 3")] if code else []
    )
    assert bool(source.issues) == bool(code)


def test_rows_of_csv(tmp_path: Path) -> None:
    lines = ["file_name,objects", 'a.jpg,"{""bbox"": [[1, 2, 29, 18]], ""category"": [""cat""]}"']
    source = read(write(tmp_path, *lines, "b.jpg,", 'c.jpg,"{"', name="metadata.csv"))
    assert [record.names for record in source.records] == [("cat",), ()]
    assert faults(source) == ["image-unannotated", "annotation-damaged"]


def test_boxes_between_0_and_1_are_not_guessed(tmp_path: Path) -> None:
    objects = {"bbox": [[0.5, 0.25, 0.5, 0.5]], "category": ["red"], "area": [0.25]}
    path = write(tmp_path, image(objects))
    with pytest.raises(InputError, match="say --coordinates fractions or pixels"):
        read(path)
    for coordinates in ("fractions", "pixels"):
        (record,) = read(path, coordinates=coordinates).records
        assert record.relative == (coordinates == "fractions")
        assert record.boxes_xyxy.tolist() == [[0.5, 0.25, 1, 0.75]]


def test_lines_for_paligemma_are_refused(tmp_path: Path) -> None:
    line = {"image": "a.jpg", "prefix": "detect cat", "suffix": "<loc0100><loc0200><loc0300><loc0400> cat"}
    with pytest.raises(InputError, match="is JSONL of PaliGemma"):
        read(write(tmp_path, line))


@pytest.mark.parametrize(("text", "line"), [("", "has no line with a file_name"), ("\n\n", "has no line")])
def test_files_that_are_refused(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "metadata.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match=line):
        registry.read(path, "huggingface")
