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
    "voc": ("voc", "voc", ReadOptions()),
    "voc, rotated": ("voc", "voc_rotated", ReadOptions()),
    "yolo": ("yolo", "yolo", ReadOptions()),
    "yolo, rotated": ("yolo", "yolo_obb", ReadOptions(yolo="obb")),
    "yolo, darknet": ("yolo", "yolo_darknet", ReadOptions()),
    "cvat": ("cvat", "cvat/annotations.xml", ReadOptions()),
    "kitti": ("kitti", "kitti", ReadOptions()),
    "dota": ("dota", "dota", ReadOptions()),
    "cvat, its folder": ("cvat", "cvat", ReadOptions()),
    "labelme": ("labelme", "labelme", ReadOptions()),
    "labelstudio": ("labelstudio", "labelstudio/project-1-at-2026-01-05-10-11-ab12cd34.json", ReadOptions()),
    "via": ("via", "via/via_project_5Jan2026_10h11m_json.json", ReadOptions(class_attribute="fruit")),
    "via-annotations": ("via", "via/via_region_data.json", ReadOptions()),
    "vott": ("vott", "vott/stalls-export.json", ReadOptions()),
    "vott-assets": ("vott", "vott_assets", ReadOptions()),
    "createml": ("createml", "createml/_annotations.createml.json", ReadOptions()),
    "huggingface": ("huggingface", "huggingface", ReadOptions()),
    "huggingface-file": (
        "huggingface",
        "huggingface/metadata.jsonl",
        ReadOptions(class_names=("apple", "pear", "cherry", "mushroom")),
    ),
    "huggingface-csv": ("huggingface", "huggingface_csv/metadata.csv", ReadOptions()),
    "supervisely": ("supervisely", "supervisely", ReadOptions()),
    "labelstudio-min": ("labelstudio", "labelstudio/min.json", ReadOptions()),
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
COARSE: dict[str, float] = {"open images": 1e-4, "voc, rotated": 1e-4, "yolo": 1e-3, "yolo, rotated": 1e-3}


def sorted_boxes(record: ImageRecord, width: int, height: int) -> list[tuple[str, list[float]]]:
    size = np.array([width, height] * 2) if record.relative else 1.0
    return sorted(zip(record.names, (record.boxes_xyxy * size).tolist(), strict=True))


@pytest.mark.parametrize("name", SOURCES)
def test_each_format_has_the_same_boxes(name: str) -> None:
    kind, path, options = SOURCES[name]
    assert registry.detect(FORMATS / path) == kind
    source = registry.read(FORMATS / path, None, options)
    assert_balanced(source)
    coco = registry.read(FORMATS / "coco/instances.json")
    expected = {Path(record.filename).stem: record for record in coco.records}
    by_name = {Path(record.filename).stem: record for record in source.records}
    lacking = {"empty"} if name in WITHOUT_NEGATIVES else set()
    assert by_name.keys() == expected.keys() - lacking
    for stem, record in by_name.items():
        original = expected[stem]
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
    kind, path, _ = SOURCES[name]
    layout = registry.laid_out(FORMATS / path, kind)
    assert registry.images_folder(layout).resolve() == (FORMATS / "images").resolve()
