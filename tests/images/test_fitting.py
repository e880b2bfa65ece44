"""Boxes and masks brought to the picture that is stored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.masks import SQUARE, pixels
from tests.helpers.records import cat_and_dog
from tests.helpers.small_sets import save_picture
from tests.helpers.sources import fitted
from tfrec_tools.annotations.box_checks import Checks, check
from tfrec_tools.annotations.policies import parse
from tfrec_tools.annotations.records import ByteRange, Said, image_record
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


@pytest.mark.parametrize(
    ("box", "more", "is_turned"),
    [
        ((10, 45, 30, 58), {}, True),
        ((30, 58, 10, 45), {}, True),  # inverted
        ((10, 5, 30, 38), {}, False),
        ((10, 45, 30, 58), {"width": 120, "height": 80}, False),
        ((10, 5, 30, 38), {"upright": True}, True),
        ((0.1, 0.5, 0.3, 1.0), {"relative": True}, False),
    ],
)
def test_a_photograph_on_its_side_is_turned_where_boxes_fit_it_only_so(
    tmp_path: Path, box: tuple[float, ...], more: Said, is_turned: bool
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save_picture(tmp_path / "a.jpg", 60, 40, exif=exif)
    record = image_record(image_id="a", filename="a", source="s", names=("cat",), boxes_xyxy=[box], **more)
    found = fit(record, ByteRange(path))
    assert found.pair is not None
    assert (found.pair[1].width, found.pair[1].height) == ((40, 60) if is_turned else (60, 40))


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
        assert "dog [0, 0, 60, 40] has a segmentation that is no mask ([1, 2, inf" in damaged[0].message
