"""Accounts of sources, against counters that know nothing of formats but a word to look for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.counting import floats_of_xmin
from tests.helpers.places import SAMPLE
from tests.helpers.sources import assert_balanced
from tfrec_tools.formats import registry
from tfrec_tools.tfrecords.framing import read

VOC_100 = "voc2012_100/data/database/gts"
REAL = [
    *("bccd/BCCD", "bccd/test.csv", "playing_cards/images/train", "playing_cards/images/test"),
    *("playing_cards/images/train_labels.csv", "playing_cards/images/test_labels.csv"),
    *("raccoon/annotations", "raccoon/data/raccoon_labels.csv", "raccoon/data/train_labels.csv"),
    *("raccoon/data/test.record", "raccoon/data/test_labels.csv"),
    *(f"roboflow_rbc_wbc_coco/{part}/_annotations.coco.json" for part in ("train", "valid", "test")),
    *(f"coco_tiny_38/annotations/instances_{part}2017.json" for part in ("train", "val")),
    *(f"{VOC_100}/{kind}_format" for kind in ("imagenet", "pascalvoc", "tfrecord")),
    f"{VOC_100}/openimages_format/all_bounding_boxes.csv",
    *(
        f"{VOC_100}/{name}.json"
        for name in ("coco_format_v1/instances_default", "coco_format_v2/instances_v2")
    ),
]


def words(path: Path) -> int:
    """How often a box is spoken of in the files of a source."""
    if path.suffix == ".csv":
        return sum(bool(line.strip()) for line in path.read_text().splitlines()[1:])
    if path.suffix == ".json":
        return path.read_text().count('"bbox"')
    if path.suffix == ".xml":
        text = path.read_text()
        parts = sum(piece.partition("</part>")[0].count("<bndbox") for piece in text.split("<part>")[1:])
        return text.count("<bndbox") - parts
    if path.is_file():
        return sum(map(floats_of_xmin, read(path)))
    files = [*path.rglob("*.xml")] or [*path.rglob("*.tfrecord")]
    return sum(map(words, files))


@pytest.mark.parametrize("path", REAL)
def test_real_sources_add_up(shared: Path, path: str) -> None:
    source = registry.read(shared / "data" / path)
    assert source.account is not None
    assert source.account.found == words(shared / "data" / path) > 0
    assert_balanced(source)


@pytest.mark.parametrize("kind", ["annotations.coco.json", "annotations.csv", "voc"])
@pytest.mark.parametrize("name", ["old", "new", "val"])
def test_the_sample_adds_up(name: str, kind: str) -> None:
    path = SAMPLE / name / kind
    source = registry.read(path)
    assert source.account is not None
    assert source.account.found == words(path) > 0
    assert_balanced(source)
