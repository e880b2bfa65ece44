"""Boxes and masks brought to the picture that is stored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.helpers.masks import SQUARE, pixels
from tests.helpers.records import cat_and_dog
from tests.helpers.small_sets import save_picture
from tests.helpers.sources import fitted
from tfrec_tools.annotations.box_checks import Checks, check
from tfrec_tools.annotations.policies import parse
from tfrec_tools.annotations.records import ByteRange, image_record
from tfrec_tools.images.fitting import fit
from tfrec_tools.images.loading import ImageOptions


def test_boxes_area_and_masks_shrink_with_the_picture(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.jpg", 60, 40)
    record = cat_and_dog(width=60, height=40, masks=(json.dumps(SQUARE).encode(), b""))
    found = fit(record, ByteRange(path), ImageOptions(max_side=30))
    assert found.pair is not None
    shrunk, picture = found.pair
    assert (picture.width, picture.height, found.issues) == (30, 20, ())
    assert shrunk.boxes_xyxy.tolist() == [[5, 2.5, 15, 12.5], [0, 0, 30, 20]]
    np.testing.assert_array_equal(shrunk.area, [100, np.nan])
    assert [pixels(mask).shape for mask in shrunk.masks] == [(20, 30)] * 2


def test_fractions_become_pixels(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.jpg", 60, 40)
    record = image_record(
        image_id="a", filename="a", source="s", names=("cat",), boxes_xyxy=[(0.5, 0.25, 1, 1)], relative=True
    )
    absolute, _ = fitted(record, ByteRange(path))
    assert (absolute.boxes_xyxy.tolist(), absolute.relative) == ([[30, 10, 60, 40]], False)


def test_a_damaged_picture_gives_no_pair(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no")
    found = fit(cat_and_dog(), ByteRange(tmp_path / "a.jpg"))
    assert found.pair is None
    assert [issue.code for issue in found.issues] == ["image-damaged"]


def test_a_damaged_mask_is_an_issue_of_its_box(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.jpg", 60, 40)
    record = cat_and_dog(masks=(json.dumps(SQUARE).encode(), b"[[1, 2, Infinity, 4, 5, 6]]"))
    found = fit(record, ByteRange(path))
    assert found.pair is not None
    masked, _ = found.pair
    assert (pixels(masked.masks[0]).max(), pixels(masked.masks[1]).max()) == (1, 0)
    for action, left in (("error", 2), ("keep", 2), ("drop-box", 1)):
        checks = Checks(parse("default", [f"mask-damaged={action}", "box-whole=error"]))
        checked, issues = check(masked, 60, 40, checks, found.damaged_masks)
        damaged = [issue for issue in issues if issue.code == "mask-damaged"]
        assert checked is not None
        assert len(checked.masks) == left
        assert [(issue.box, issue.fixed) for issue in damaged] == [(1, action == "drop-box")]
        assert "dog [0, 0, 60, 40] has a segmentation that is no mask (a coordinate" in damaged[0].message
