"""Real data sets, with the faults that are known of each."""

from __future__ import annotations

from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.helpers.sources import fitted
from tfrec_tools.annotations import box_checks
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.images import lookup
from tfrec_tools.images.fitting import fit
from tfrec_tools.images.loading import ImageOptions

VOC_100 = "voc2012_100/data/database"


def found(
    shared: Path, path: str, images: str = "", **options: Any
) -> tuple[int, int, dict[str, int], dict[str, list[tuple[str, list[float]]]]]:
    """(images, boxes, {code: how many}, {file name: sorted (class, box in pixels)}) of a set."""
    source = registry.read(shared / "data" / path, options=ReadOptions(**options))
    layout = registry.laid_out(shared / "data" / path)
    folder = shared / "data" / images if images else registry.images_folder(layout)
    places, odd = lookup.places(source.records, folder)
    issues, boxes = [*source.issues, *odd], dict[str, list[tuple[str, list[float]]]]()
    for record, place in zip(source.records, places, strict=True):
        assert place is not None
        loaded = fit(record, place, ImageOptions(verify="header"))
        assert loaded.pair is not None
        fitting, picture = loaded.pair
        checked, faults = box_checks.check(fitting, picture.width, picture.height)
        issues += (*loaded.issues, *faults)
        assert checked is not None
        name = place.path.name if place.length is None else record.filename
        boxes[name] = sorted(zip(checked.names, checked.boxes_xyxy.tolist(), strict=True))
    codes = Counter(issue.code for issue in issues)
    return len(boxes), sum(map(len, boxes.values())), dict(codes), boxes


@pytest.mark.parametrize(
    ("path", "images", "count", "boxes", "codes"),
    [
        ("bccd/BCCD", "", 364, 4886, {"box-empty": 2}),
        ("bccd/test.csv", "bccd/BCCD/JPEGImages", 364, 4886, {"box-empty": 2}),
        ("coco_tiny_38/annotations/instances_val2017.json", "", 6, 136, {"box-whole": 1}),
        ("playing_cards/images/test", "", 67, 143, {}),
        ("playing_cards/images/test_labels.csv", "", 67, 143, {}),
        ("raccoon/data/test.record", "", 40, 44, {}),
        ("raccoon/data/test_labels.csv", "raccoon/images", 40, 44, {}),
        ("roboflow_rbc_wbc_coco/test/_annotations.coco.json", "", 10, 221, {"class-superfluous": 1}),
        (f"{VOC_100}/dets/coco_format/coco_dets.json", f"{VOC_100}/images", 98, 452, {}),
    ],
)
def test_known_faults_are_found_and_named(
    shared: Path, path: str, images: str, count: int, boxes: int, codes: dict[str, int]
) -> None:
    assert found(shared, path, images)[:3] == (count, boxes, codes)


@pytest.mark.parametrize(
    ("path", "codes", "tolerance_px"),
    [
        ("coco_format_v1/instances_default.json", {}, 1e-6),
        ("coco_format_v2/instances_v2.json", {}, 1e-6),
        ("imagenet_format", {}, 1e-6),
        ("openimages_format/all_bounding_boxes.csv", {}, 1e-3),
        ("yolo_format", {}, 1e-3),
        ("tfrecord_format", {}, 1e-3),
    ],
)
def test_seven_formats_of_one_set_agree(
    shared: Path, path: str, codes: dict[str, int], tolerance_px: float
) -> None:
    images = f"{VOC_100}/images"
    *_, expected = found(shared, f"{VOC_100}/gts/pascalvoc_format", images)
    *_, issues, boxes = found(shared, f"{VOC_100}/gts/{path}", images)
    assert issues == codes
    assert boxes.keys() == expected.keys()
    for name, things in boxes.items():
        assert [label for label, _ in things] == [label for label, _ in expected[name]]
        found_xyxy, expected_xyxy = ([box for _, box in one] for one in (things, expected[name]))
        np.testing.assert_allclose(found_xyxy, expected_xyxy, atol=tolerance_px)


def test_splits_of_bccd(shared: Path) -> None:
    source = registry.read(shared / "data/bccd/BCCD")
    assert Counter(record.split for record in source.records) == {"train": 205, "val": 87, "test": 72}


def test_detections_begin_with_a_real_class_at_id_0(shared: Path) -> None:
    source = registry.read(shared / f"data/{VOC_100}/dets/coco_format/coco_dets.json")
    assert source.classes[0] == "person"


def test_crowds_and_masks_of_coco(shared: Path) -> None:
    path = shared / "data/coco_tiny_38/annotations/instances_val2017.json"
    source = registry.read(path, options=ReadOptions(masks=True))
    assert sum(int(record.crowd.sum()) for record in source.records) == 1
    places, _ = lookup.places(source.records, registry.images_folder(registry.laid_out(path)))
    crowded = next(i for i, record in enumerate(source.records) if record.crowd.any())
    crowd, _ = fitted(source.records[crowded], places[crowded])
    assert len(crowd.masks) == len(crowd.names)


def test_the_fill_of_masks_is_cocos_area(shared: Path) -> None:
    path = shared / "data/coco_tiny_38/annotations/instances_val2017.json"
    source = registry.read(path, options=ReadOptions(masks=True))
    places, _ = lookup.places(source.records, registry.images_folder(registry.laid_out(path)))
    record, _ = fitted(source.records[0], places[0])
    for mask, area in zip(record.masks, record.area, strict=True):
        with Image.open(BytesIO(mask)) as image:
            assert abs(np.asarray(image).sum() - area) < 0.1 * area + 20


def test_what_is_not_voc_is_named(shared: Path) -> None:
    with pytest.raises(InputError, match=r"annotations.xml: its root is <annotations>, expected Pascal VOC"):
        registry.read(shared / f"data/{VOC_100}/gts/cvat_format", "voc")
