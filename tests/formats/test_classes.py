"""Classes wherever people keep them: each form read, written and read again, and refused with its place."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.places import SAMPLE, SCHEMAS
from tests.helpers.small_sets import voc, yolo
from tfrec_tools.errors import InputError
from tfrec_tools.formats import coco, registry
from tfrec_tools.formats.classes import read_classes, read_map
from tfrec_tools.labels.label_map import ClassList, Label, LabelMap, from_names
from tfrec_tools.labels.lists import formatted, keeps_all, names_from_zero
from tfrec_tools.labels.pbtxt import read_text

NAMES = st.text(min_size=1).filter(
    lambda name: name == name.strip() and not re.search(r"[\r\n\ufeff]|^#.|^\d+[\s:,=.)]", name)
)
SCHEMA = SCHEMAS / "label_map.schema.json"


def read(path: Path, text: str) -> ClassList:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return read_classes(path)


def ids(found: ClassList) -> list[tuple[int, str]]:
    return [(label.id, label.name) for label in found.labels]


@pytest.mark.parametrize("suffix", [".pbtxt", ".json", ".yaml", ".yml", ".txt", ".names", ""])
@given(names=st.lists(NAMES, min_size=1, unique=True, max_size=6))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, suffix: str, names: list[str]) -> None:
    label_map = from_names(names)
    path = tmp_path_factory.mktemp("m") / f"labels{suffix}"
    text = formatted(label_map, path)
    again = read(path if suffix else path.with_suffix(".pbtxt"), text)
    assert again.labels == label_map.labels


SCALARS = st.sampled_from(
    ["off", "On", "no", "y", "~", "null", "0.10", "1e3", "0x1F", "010", "1_000", "12:30", "=", ".inf", "#",
     "2001-01-01", "a b", "Plättchen"]
)  # fmt: skip


@pytest.mark.parametrize("form", ["list.yaml", "map.yml", "classes.txt", "obj.names", "commented.txt"])
@given(names=st.lists(SCALARS, min_size=1, unique=True, max_size=6))
def test_convert_and_merge_labels_read_the_same_names(
    tmp_path_factory: pytest.TempPathFactory, form: str, names: list[str]
) -> None:
    texts = [f"'{name}'" if name == "#" else name for name in names]
    written = {
        "list.yaml": "names:\n" + "".join(f"- {text}\n" for text in texts),
        "map.yml": "names:\n" + "".join(f"  {number}: {text}\n" for number, text in enumerate(texts)),
        "commented.txt": "".join(f"# {name}\n{name}\n" for name in names),
    }
    folder = tmp_path_factory.mktemp("y")
    listed = read(folder / form, written.get(form, "\r\n".join(names)))
    assert [label.name for label in listed.labels] == names
    assert names_from_zero(folder / form, read_text(folder / form)) == tuple(names)


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("classes.txt", "cat\n\ndog", "name 1 is empty"),
        ("classes.txt", "\n cat", "name 0 is empty"),
        ("obj.names", "cat\n #dog", "line 2: '#dog' may be a name or a comment"),
        (
            "classes.txt",
            "# label:color_rgb:parts:actions\nbackground:::\ncat:1,2,3::",
            "CVAT's map of colours",
        ),
        ("classes.txt", "0 cat\n1 dog", "each line begins with its number"),
        ("obj.names", "1: cat\n# two\n2: dog\n3:emu", "each line begins with its number"),
        ("classes.txt", "0 cat\n2 dog", r"its number .* names: {0: cat, \.\.\.} .* names: \['0 cat', "),
        ("classes.txt", "0 cat", "each line begins with its number"),
        ("data.yaml", "names: [cat, , dog]", "broken YAML"),
        ("data.yaml", "names:\n- cat\n-\n- dog", "name 1 is empty"),
    ],
)
def test_yolo_refuses_where_it_is_unclear_which_class_has_which_number(
    tmp_path: Path, file: str, text: str, reason: str
) -> None:
    yolo(tmp_path).unlink()
    (tmp_path / file).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=f"{file}: .*{reason}"):
        registry.read(tmp_path, "yolo")


@pytest.mark.parametrize("first", ["background", "Background", "__background__", "_background_"])
def test_a_list_that_may_count_the_background(tmp_path: Path, first: str) -> None:
    with pytest.raises(InputError, match=r"stands first, .* leave its line out"):
        read(tmp_path / "labels.txt", f"{first}\ncat\n")
    said = read(tmp_path / "labels.yaml", f"- '{first}'\n- cat\n")
    assert [label.name for label in said.labels] == [first, "cat"]


@pytest.mark.parametrize(
    "names",
    [
        ("7 up", "cola"),
        ("cola", "7 up"),
        ("2 of hearts", "3 of hearts", "10 of hearts"),
        ("1 cent", "2 cent"),
        ("3 a", "2 b"),
        ("1 a", "1 b"),
        ("0x", "1x"),
        ("0", "1"),
        ("3.5 mm", "4.5 inch"),
        ("3-way", "4-stroke"),
        ("12:30",),
        ("3,5", "4,7"),
    ],
)
def test_names_that_begin_with_numbers(tmp_path: Path, names: tuple[str, ...]) -> None:
    listed = read(tmp_path / "a.txt", formatted(from_names(names), tmp_path / "a.txt"))
    assert tuple(label.name for label in listed.labels) == names


@pytest.mark.parametrize(
    "numbers", [(0,), (1,), (7,), (0, 1, 2), (1, 2, 3), (0, 1, 2, 10, 12), (1, 2, 90), (5, 9), (100, 999)]
)
@pytest.mark.parametrize("separator", [" ", "  ", "\t", ":", ": ", ",", ", ", "=", " = ", ". ", ") "])
def test_a_list_whose_lines_begin_with_their_numbers(
    tmp_path: Path, numbers: tuple[int, ...], separator: str
) -> None:
    names = [f"{number}{separator}{word} x" for number, word in zip(numbers, "abcde", strict=False)]
    with pytest.raises(InputError, match=r"each line begins with its number .*, expected names alone; write"):
        read(tmp_path / "labels.txt", "\n".join(names))
    for suffix in (".txt", ".names"):
        with pytest.raises(InputError, match=r"begin with numbers .* choose .pbtxt or .json"):
            formatted(from_names(names), tmp_path / f"a{suffix}")
    said = read(tmp_path / "a.yaml", formatted(from_names(names), tmp_path / "a.yaml"))
    assert [label.name for label in said.labels] == names


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lists_with_any_line_ends(tmp_path: Path, end: str) -> None:
    text = end.join(("# two", "cat", "big dog", "", ""))
    (tmp_path / "a.txt").write_bytes(text.encode())
    assert [label.name for label in read_classes(tmp_path / "a.txt").labels] == ["cat", "big dog"]


def test_a_list_is_not_written_where_it_would_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"begin with numbers .* choose .pbtxt or .json"):
        formatted(from_names(["1 a", "2 b"]), tmp_path / "a.txt")
    with pytest.raises(InputError, match=r"begins with what .* choose .pbtxt or .json"):
        formatted(from_names(["background", "b"]), tmp_path / "a.txt")


def test_line_breaks_in_yaml(tmp_path: Path) -> None:
    label_map = from_names(["a\x85b", "a\nb", "a\rb", "a\u2028b", "no"])
    assert read(tmp_path / "a.yaml", formatted(label_map, tmp_path / "a.yaml")).labels == label_map.labels


def test_json_keeps_all_and_lists_say_what_they_drop(tmp_path: Path) -> None:
    label_map = LabelMap((Label(2, "/m/01g317", "person", ((1, "nose"),)), Label(7, "Plättchen")))
    assert read(tmp_path / "a.json", formatted(label_map, tmp_path / "a.json")).labels == label_map.labels
    assert keeps_all(label_map, tmp_path / "a.json")
    assert not keeps_all(label_map, tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("names", "file", "reason"),
    [
        ([Label(1, "a"), Label(3, "b")], "a.yaml", "no room for gaps"),
        ([Label(1, "a\nb")], "a.txt", "a name has a line break"),
        ([Label(1, "# a")], "a.names", "begins with #"),
        ([Label(1, "a")], "a.csv", "what to write is unclear, expected .pbtxt, .json"),
    ],
)
def test_what_a_list_cannot_say_is_not_written(names: Any, file: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        formatted(LabelMap(tuple(names)), Path(file))


def test_the_published_schema_is_what_is_written() -> None:
    written = json.loads(
        formatted(LabelMap((Label(1, "a", "A", ((1, "nose"),)), Label(2, "b"))), Path("a.json"))
    )
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    item = schema["properties"]["classes"]["items"]
    assert list(written) == schema["required"] == list(schema["properties"])
    assert list(written["classes"][0]) == list(item["properties"])
    assert list(written["classes"][1]) == item["required"]
    assert list(written["classes"][0]["keypoints"][0]) == item["properties"]["keypoints"]["items"]["required"]


FORMS = {
    "names.json": ('["cat", " dog ", 7]', [(1, "cat"), (2, "dog"), (3, "7")]),
    "by_name.json": ('{"cat": 3, "dog": 1.0}', [(3, "cat"), (1, "dog")]),
    "by_id.json": ('{"1": "cat", "12": "dog"}', [(1, "cat"), (12, "dog")]),
    "digits.json": ('{"7": 1, "8": 2}', [(1, "7"), (2, "8")]),
    "twice.json": ('{"cat": 1, "cat": 2}', [(1, "cat"), (2, "cat")]),
    "rows.json": ('[{"id": 5, "name": "cat"}]', [(5, "cat")]),
    "map.json": ('{"names": {"0": "cat", "1": "dog"}}', [(1, "cat"), (2, "dog")]),
    "map_from_1.json": ('{"names": {"1": "cat"}}', [(1, "cat")]),
    "list.yaml": ("- cat\n- no\n- 1e3\n- 'x: y'\n", [(1, "cat"), (2, "no"), (3, "1e3"), (4, "x: y")]),
    "data.yaml": ("path: x\ntrain: images\nnc: 2\nnames: [cat, 'dog']\n", [(1, "cat"), (2, "dog")]),
    "ultralytics.yaml": ("names:\n  0: cat  # it\n  1: off\n", [(1, "cat"), (2, "off")]),
    "by_id.yaml": ("1: cat\n3: dog\n", [(1, "cat"), (3, "dog")]),
    "by_name.yaml": ("cat: 1\ndog: 0\n", [(1, "cat"), (0, "dog")]),
    "twice.yaml": ("names: {0: cat, 0: dog}\n", [(1, "cat"), (1, "dog")]),
    "labels.txt": ("\ufeffcat\r\ndog \r\n\r\n", [(1, "cat"), (2, "dog")]),
    "obj.names": ("cat\n\ndog", [(1, "cat"), (2, ""), (3, "dog")]),
    "of_yes_and_no.yaml": (
        "names: {0: off, 1: on, 2: 0.10, 3: 1e3, 4: ~, 5: null}",
        [(1, "off"), (2, "on"), (3, "0.10"), (4, "1e3"), (5, "~"), (6, "null")],
    ),
    "with_classes.yaml": ("classes: [0, 2]\nnames: [a, b, c]", [(1, "a"), (2, "b"), (3, "c")]),
    "signs.txt": ("!\n#\n:\n", [(1, "!"), (2, "#"), (3, ":")]),
    "commented.txt": ("# mine\ncat\n  #\tpets\r\ndog\n# end", [(1, "cat"), (2, "dog")]),
    "labelmap.txt": (
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\na cat:0,128,0:head,tail:sit\ndog:::\n",
        [(1, "a cat"), (2, "dog")],
    ),
    "without_head.txt": ("cat:0,128,0::\r\ndog:1,2,3::\r\n", [(1, "cat"), (2, "dog")]),
    "label_map.txt": ("# mine\nitem {\n id: 4 name: 'cat' }", [(4, "cat")]),
    "manifest.json": (
        '{"format_version": 1, "classes": [{"id": 1, "name": "cat", "boxes": 3}]}',
        [(1, "cat")],
    ),
}


@pytest.mark.parametrize("file", FORMS)
def test_forms(tmp_path: Path, file: str) -> None:
    text, expected = FORMS[file]
    assert ids(read(tmp_path / file, text)) == expected


REFUSED = {
    "a.json": ('{"1": "2", "2": "3"}', "no label map; expected a list of names"),
    "b.json": ('{"path": "x", "nc": 2}', "no label map"),
    "c.json": ("[]", "has no classes"),
    "d.json": ('["a",\n', "line 2, column 1: broken JSON"),
    "e.json": ('[{"name": "a"}]', r"\[0\]: id is None, expected a whole number"),
    "f.json": ("[null]", r"\[0\]: the name is None, expected a text"),
    "g.json": ("3", "no label map"),
    "h.json": ("[" * 100_000, "broken JSON"),
    "i.json": ("[" + "1" * 5000 + "]", "broken JSON"),
    "j.json": ('[["a"]]', "the name is"),
    "a.yaml": ("names: [a, b\nx: y", "line 2: broken YAML"),
    "b.yaml": ("", "no label map"),
    "c.yaml": ("&a [*a]", ""),
    "d.yaml": ("? [a]\n: 1\n", "line 1: broken YAML: a key that is no text"),
    "e.yaml": ("a: 1\x00", "broken YAML"),
    "a.txt": ("\n", "is empty"),
    "b.txt": ("# only\n", "is empty"),
    "c.txt": ("cat\n\n#dog\n", "line 3: '#dog' may be a name or a comment"),
    "a.csv": ("a,b", "unknown suffix, expected a label map"),
}


@pytest.mark.parametrize("file", REFUSED)
def test_what_is_no_list_of_classes(tmp_path: Path, file: str) -> None:
    text, reason = REFUSED[file]
    with pytest.raises(InputError, match=f"{file}: .*{reason}") as caught:
        read(tmp_path / file, text)
    assert "\n" not in str(caught.value)


COCO: dict[str, Any] = {
    "images": [],
    "annotations": [{"id": 1, "category_id": 3, "bbox": [0, 0, float("nan"), 1]}],
    "categories": [
        {"id": 0, "name": "blood", "supercategory": "none"},
        {"id": 3, "name": "RBC", "supercategory": "blood", "keypoints": ["nose"]},
    ],
}


def test_coco_keeps_its_ids_and_leaves_out_the_root(tmp_path: Path) -> None:
    whole = COCO | {"annotations": [{"id": 1, "category_id": 3}]}
    assert ids(read(tmp_path / "a.json", json.dumps(whole))) == [(3, "RBC")]
    used = COCO | {"annotations": [{"id": 1, "category_id": 0}]}
    assert ids(read(tmp_path / "b.json", json.dumps(used))) == [(0, "blood"), (3, "RBC")]


@pytest.mark.parametrize("used", [0, 3, "0", 3.0])
@pytest.mark.parametrize("root", [0, "0", 0.0, 1])
def test_the_root_of_coco_is_left_out_as_from_its_annotations(
    tmp_path: Path, root: float | str, used: float | str
) -> None:
    parent, child = COCO["categories"]
    whole = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 9, "height": 9}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": used, "bbox": [0, 0, 9, 9]}],
        "categories": [{**parent, "id": root}, {**child, "supercategory": parent["name"]}],
    }
    path = tmp_path / "a.json"
    names = [label.name for label in read(path, json.dumps(whole)).labels]
    assert names == list(coco.read(path).classes)
    assert ("blood" in names) == (root == 1 or used in (0, "0"))


def test_an_odd_category_is_named_and_no_root(tmp_path: Path) -> None:
    odd = COCO | {"annotations": [], "categories": [{"id": 0}, {"id": 1, "name": "a", "supercategory": 7}]}
    with pytest.raises(InputError, match="the name is None, expected a text"):
        read(tmp_path / "a.json", json.dumps(odd))


def test_nan_is_no_name(tmp_path: Path) -> None:
    odd = COCO | {"annotations": [], "categories": [{"id": 1, "name": float("nan")}]}
    with pytest.raises(InputError, match="the name is nan, expected a text"):
        read(tmp_path / "a.json", json.dumps(odd))


def test_coco_with_what_json_forbids(tmp_path: Path) -> None:
    assert ids(read(tmp_path / "a.json", json.dumps(COCO))) == [(3, "RBC")]


def test_folders(tmp_path: Path) -> None:
    assert ids(read_classes(voc(tmp_path))) == [(1, "cat"), (2, "dog")]
    model = tmp_path / "model"
    read(model / "graph.pbtxt.txt", "x")
    read(model / "label_map.pbtxt", "item {id: 1 name: 'a'}")
    assert ids(read_classes(model)) == [(1, "a")]
    read(model / "other.pbtxt", "item {id: 1 name: 'b'}")
    assert ids(read_classes(model)) == [(1, "a")]
    read(tmp_path / "yolo/data.yaml", "names: [x]")
    assert ids(read_classes(tmp_path / "yolo")) == [(1, "x")]


def test_sets_of_records(tmp_path: Path) -> None:
    manifest = FORMS["manifest.json"][0]
    read(tmp_path / "records/train.manifest.json", manifest)
    assert ids(read_classes(tmp_path / "records/train")) == [(1, "cat")]
    assert ids(read_classes(tmp_path / "records")) == [(1, "cat")]
    read(tmp_path / "records/val.manifest.json", manifest)
    with pytest.raises(InputError, match=r"several label maps \(train.manifest.json, val.manifest.json\)"):
        read_classes(tmp_path / "records")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (None, "no such file or folder; expected a label map"),
        ("folder", "a folder without a label map or .xml"),
    ],
)
def test_where_nothing_is(tmp_path: Path, make: str | None, reason: str) -> None:
    if make:
        (tmp_path / "x").mkdir()
    with pytest.raises(InputError, match=reason):
        read_classes(tmp_path / "x")


def test_real_sources(shared: Path) -> None:
    data = shared / "data"
    assert ids(read_classes(data / "bccd/BCCD")) == [(1, "Platelets"), (2, "RBC"), (3, "WBC")]
    assert ids(read_classes(data / "raccoon/training")) == [(1, "raccoon")]
    roboflow = data / "roboflow_rbc_wbc_coco/train/_annotations.coco.json"
    assert ids(read_classes(roboflow)) == [(1, "rbc"), (2, "wbc")]
    coco = read_classes(data / "coco_tiny_38/annotations/instances_val2017.json")
    assert (len(coco.labels), coco.labels[-1]) == (80, Label(90, "toothbrush"))
    assert len(read_classes(data / "voc2012_100/data/database/voc.names").labels) == 20
    assert read_classes(shared / "tfod/efficientdet_d0").labels == tuple(
        Label(i, name) for i, name in enumerate(("person", "cat", "cup"), start=1)
    )


def test_labels_of_cvat() -> None:
    classes = read_map(SAMPLE / "formats/cvat/annotations.xml")
    assert classes.names == ("apple", "pear", "cherry", "mushroom")
