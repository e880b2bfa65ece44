"""The sample: its three formats agree, its script makes it, and its broken files do what their table says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from tests.helpers.places import SAMPLE
from tfrec_tools.annotations.issues import CODES
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.errors import TfrecError
from tfrec_tools.formats import registry
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.labels.merge import merge
from tfrec_tools.labels.pbtxt import read_label_map

SETS = {"old": 100, "new": 60, "val": 50}
OLD = {"apple", "banana", "pear"}
NEW = {"cherry", "mushroom"}
LABELLED = {"old": OLD, "new": NEW, "val": OLD | NEW}

# tests/conversion/test_sharing.py, tests/dataset/test_neighbours.py
OF_SEVERAL_SOURCES = {"image-shared", "image-id-shared", "label-ids-differ", "class-left-out"}
OF_OPTIONS = {"keypoints-left-out"}  # tests/conversion/test_keypoints.py
OF_FILE_SYSTEMS = {"filename-escaped"}  # tests/conversion/test_odd_names.py

MASKS = ReadOptions(masks=True)

Boxes = dict[str, list[tuple[str, tuple[float, ...]]]]


def read_boxes(source: Path) -> Boxes:
    """{file name: [(class, (xmin, ymin, xmax, ymax))]} as a reader of ours sees them."""
    records = registry.read(source).records
    return {
        record.filename: list(zip(record.names, map(tuple, record.boxes_xyxy.tolist()), strict=True))
        for record in records
    }


def broken_cases() -> list[tuple[str, str, str]]:
    """(file, code, error) of each row of the table in broken/README.md."""
    text = (SAMPLE / "broken" / "README.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"(?m)^\|.*$", text)]
    return [(file, code, error) for file, code, error in rows[2:]]


@pytest.mark.parametrize("name", SETS)
def test_three_formats_say_the_same(name: str) -> None:
    folder = SAMPLE / name
    boxes = read_boxes(folder / "annotations.coco.json")
    assert len(boxes) == SETS[name]
    assert boxes == read_boxes(folder / "voc") == read_boxes(folder / "annotations.csv")
    assert {label for things in boxes.values() for label, _ in things} == LABELLED[name]
    assert all(things for things in boxes.values())


@pytest.mark.parametrize("name", SETS)
def test_boxes_are_whole_pixels_inside_the_pictures(name: str) -> None:
    folder = SAMPLE / name
    boxes = read_boxes(folder / "annotations.csv")
    assert sorted(boxes) == sorted(path.name for path in (folder / "images").iterdir())
    for filename, things in boxes.items():
        with Image.open(folder / "images" / filename) as image:
            assert (image.format, image.size) == ("JPEG", (160, 160))
        for _, (xmin, ymin, xmax, ymax) in things:
            assert 0 <= xmin < xmax <= 160
            assert 0 <= ymin < ymax <= 160
            assert all(edge.is_integer() for edge in (xmin, ymin, xmax, ymax))


def test_pictures_of_the_new_set_show_old_classes_that_it_does_not_label() -> None:
    truth = read_boxes(SAMPLE / "new" / "unlabelled.csv")
    assert len(truth) == 38  # as the README says
    assert {label for things in truth.values() for label, _ in things} == OLD
    assert truth.keys() < read_boxes(SAMPLE / "new" / "annotations.csv").keys()


def test_label_maps_join_to_all_classes() -> None:
    old, new = (read_label_map(SAMPLE / "label_maps" / f"{name}.pbtxt") for name in ("old", "new"))
    merged = merge(old, new)
    assert merged.label_map.names == ("apple", "banana", "pear", "cherry", "mushroom")
    assert merged.tables == ({1: 1, 2: 2, 3: 3}, {1: 4, 2: 5})


@pytest.mark.slow
def test_the_script_makes_what_is_there(tmp_path: Path) -> None:
    """Byte for byte in the annotations; the pictures nearly, since JPEG encoders differ in rounding."""
    subprocess.run([sys.executable, "-B", SAMPLE / "make_scenes.py", tmp_path], check=True)
    made = [path.relative_to(tmp_path) for path in sorted(tmp_path.rglob("*")) if path.is_file()]
    assert len(made) == 2 * sum(SETS.values()) + 2 * len(SETS) + 1 + 2
    for file in made:
        if file.suffix == ".jpg":
            difference = np.abs(pixels(tmp_path / file) - pixels(SAMPLE / file))
            assert difference.mean() < 1, file
        else:
            assert (tmp_path / file).read_bytes() == (SAMPLE / file).read_bytes(), file


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.float64)


def test_the_broken_table_has_every_file_and_every_code() -> None:
    files, codes, _ = zip(*broken_cases(), strict=True)
    there = {path.name for path in (SAMPLE / "broken").iterdir() if path.name != "images"}
    assert {*files, "README.md"} == there
    assert set(codes) - {""} == set(CODES) - OF_SEVERAL_SOURCES - OF_OPTIONS - OF_FILE_SYSTEMS


@pytest.mark.parametrize(("file", "code", "error"), broken_cases())
def test_a_broken_file_ends_as_the_table_says(tmp_path: Path, file: str, code: str, error: str) -> None:
    source, labels = SAMPLE / "broken" / file, None
    if source.suffix == ".pbtxt":
        source, labels = SAMPLE / "val" / "annotations.csv", source
    masks: Literal["png", "none"] = "png" if "mask" in code else "none"
    options = ConvertOptions(source, tmp_path / "set", images=SAMPLE, labels=labels, workers=1, masks=masks)
    if not error:
        assert {issue.code for issue in convert(options).issues} == {code}
        return
    with pytest.raises(TfrecError, match=re.escape(error)) as caught:
        convert(options)
    assert file in str(caught.value)
    assert code in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", SETS)
def test_coco_ids_have_gaps(name: str) -> None:
    document = json.loads((SAMPLE / name / "annotations.coco.json").read_text(encoding="utf-8"))
    ids = [category["id"] for category in document["categories"]]
    assert ids != list(range(1, len(ids) + 1))
    assert sorted(ids) == ids
