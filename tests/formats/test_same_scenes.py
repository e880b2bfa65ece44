"""The same scenes in every format, box by box against COCO's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.places import SAMPLE
from tests.helpers.sources import assert_balanced
from tfrec_tools.annotations.records import ImageRecord
from tfrec_tools.formats import registry
from tfrec_tools.formats.options import ReadOptions

FORMATS = SAMPLE / "formats"
SOURCES: dict[str, tuple[str, str, ReadOptions]] = {  # {name: (format, source, what has to be said)}
    "coco": ("coco", "coco/instances.json", ReadOptions()),
    "csv": ("csv", "csv/tensorflow.csv", ReadOptions()),
    "csv, Roboflow's": ("csv", "csv/_annotations.csv", ReadOptions()),
    "csv, VoTT's": ("csv", "csv/stalls-export.csv", ReadOptions()),
    "csv, corner and size": ("csv", "csv/corner_and_size.csv", ReadOptions()),
    "csv, centres": ("csv", "csv/centres.csv", ReadOptions()),
    "csv, cells": ("csv", "csv/cells.csv", ReadOptions(box_format="xywh")),
    "csv, a row an image": (
        "csv",
        "csv/row_an_image.csv",
        ReadOptions(columns=(("class", "labels_string"),), box_format="xyxy"),
    ),
    "open images": ("csv", "open_images/train-annotations-bbox.csv", ReadOptions()),
    "labelstudio-csv": ("labelstudio-csv", "labelstudio_csv/project-3.csv", ReadOptions()),
    "labelstudio-csv, tabs": ("labelstudio-csv", "labelstudio_csv/project-3.tsv", ReadOptions()),
    "via-csv": ("via-csv", "via_csv/via_region_data.csv", ReadOptions()),
    "automl": ("automl", "automl/import.csv", ReadOptions()),
    "automl, lines": ("automl", "automl/import.jsonl", ReadOptions()),
}
WITHOUT_NEGATIVES: tuple[str, ...] = (
    "csv",
    "csv, Roboflow's",
    "csv, VoTT's",
    "open images",
)  # formats that cannot say that an image is empty
WITHIN = 1e-6  # pixels; more where a format writes few decimals
COARSE: dict[str, float] = {"open images": 1e-4}


def sorted_boxes(record: ImageRecord, width: int, height: int) -> list[tuple[str, list[float]]]:
    size = np.array([width, height] * 2) if record.relative else 1.0
    return sorted(zip(record.names, (record.boxes_xyxy * size).tolist(), strict=True))


@pytest.mark.parametrize("name", SOURCES)
def test_each_format_has_the_same_boxes(name: str) -> None:
    kind, path, options = SOURCES[name]
    assert registry.detect(FORMATS / path) == kind
    source = registry.read(FORMATS / path, None, options)
    assert_balanced(source)
    expected = {record.filename: record for record in registry.read(FORMATS / "coco/instances.json").records}
    whole = {Path(filename).stem: filename for filename in expected}  # some name images without suffix
    names = (Path(record.filename).name for record in source.records)
    by_name = {whole.get(name, name): record for name, record in zip(names, source.records, strict=True)}
    lacking = {"empty.jpg"} if name in WITHOUT_NEGATIVES else set()
    assert by_name.keys() == expected.keys() - lacking
    for filename, record in by_name.items():
        original = expected[filename]
        assert (record.width or original.width) == original.width
        assert (record.height or original.height) == original.height
        boxes = sorted_boxes(record, original.width, original.height)
        truth = sorted_boxes(original, original.width, original.height)
        assert [label for label, _ in boxes] == [label for label, _ in truth]
        np.testing.assert_allclose(
            [box for _, box in boxes], [box for _, box in truth], atol=COARSE.get(name, WITHIN)
        )


@pytest.mark.parametrize("name", SOURCES)
def test_its_images_are_beside_it(name: str) -> None:
    assert registry.images_folder(FORMATS / SOURCES[name][1]).resolve() == (FORMATS / "images").resolve()
