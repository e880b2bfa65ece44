"""Masks and boxes brought to the picture that is stored."""

from __future__ import annotations

import json
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from tests.small_sets import save_picture
from tfrec_tools.annotations.box_checks import Checks, check
from tfrec_tools.annotations.policies import parse
from tfrec_tools.annotations.records import Place, image_record, joined, subset
from tfrec_tools.errors import InputError
from tfrec_tools.images import masks
from tfrec_tools.images.fitting import fit
from tfrec_tools.images.loading import Rules

SQUARE = [[10, 5, 30, 5, 30, 25, 10, 25]]


def pixels(png):
    with Image.open(BytesIO(png)) as image:
        return np.asarray(image)


def drawn(segmentation, given_wh=(60, 40), size_wh=(60, 40), **options):
    data = segmentation if isinstance(segmentation, bytes) else json.dumps(segmentation).encode()
    return pixels(masks.to_png(data, "s", given_wh, size_wh, **options))


def expected(xmin, ymin, xmax, ymax, size_wh=(60, 40)):
    filled = np.zeros(size_wh[::-1], np.uint8)
    filled[ymin:ymax, xmin:xmax] = 1
    return filled


def test_polygons_and_both_kinds_of_run_lengths_agree():
    square = expected(10, 5, 30, 25)
    np.testing.assert_array_equal(drawn(SQUARE), square)
    packed = coco_mask.encode(np.asfortranarray(square))
    packed["counts"] = packed["counts"].decode()
    np.testing.assert_array_equal(drawn(packed), square)
    flat = square.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat, prepend=0, append=1 - flat[-1]))
    runs = np.diff(edges, prepend=0).tolist()
    np.testing.assert_array_equal(drawn({"size": [40, 60], "counts": runs}), square)
    np.testing.assert_array_equal(
        drawn([[v / s for v, s in zip(SQUARE[0], [60, 40] * 4, strict=True)]], relative=True), square
    )


def test_masks_follow_the_size_of_the_picture():
    half = expected(5, 2, 15, 12, (30, 20))
    assert np.abs(drawn(SQUARE, size_wh=(30, 20)).astype(int) - half).mean() < 0.05
    png = masks.to_png(json.dumps(SQUARE).encode(), "s", (60, 40), (60, 40))
    assert masks.to_png(png, "s", (60, 40), (60, 40)) == png
    assert drawn(png, size_wh=(30, 20)).shape == (20, 30)


@pytest.mark.parametrize("empty", [b"", b"[]", b"null", b"[[]]", b"[[1,2]]"])
def test_no_mask_is_all_zero(empty):
    np.testing.assert_array_equal(drawn(empty), np.zeros((40, 60)))


@pytest.mark.parametrize(
    "wrong",
    [
        b"{}",
        b"[1,2,3]",
        b'{"size": [4, 4], "counts": [1, 2]}',
        b'"x"',
        b"{",
        b"\x89PNG",
        b'[["a", 1, 2, 3, 4, 5]]',
    ],
)
def test_what_is_no_mask(wrong):
    with pytest.raises(InputError, match="s: segmentation: is no mask"):
        drawn(wrong)


def record_of(**options):
    return image_record(
        image_id="a",
        filename="a.jpg",
        source="s",
        names=("cat", "dog"),
        boxes_xyxy=[(10, 5, 30, 25), (0, 0, 60, 40)],
        area=[400, np.nan],
        **options,
    )


def test_boxes_area_and_masks_shrink_with_the_picture(tmp_path):
    path = save_picture(tmp_path / "a.jpg", 60, 40)
    record = record_of(width=60, height=40, masks=(json.dumps(SQUARE).encode(), b""))
    (fitted, picture), issues = (lambda found: (found.pair, found.issues))(
        fit(record, Place(path), Rules(max_side=30))
    )
    assert (picture.width, picture.height, issues) == (30, 20, ())
    assert fitted.boxes_xyxy.tolist() == [[5, 2.5, 15, 12.5], [0, 0, 30, 20]]
    np.testing.assert_array_equal(fitted.area, [100, np.nan])
    assert [pixels(mask).shape for mask in fitted.masks] == [(20, 30)] * 2


def test_fractions_become_pixels(tmp_path):
    path = save_picture(tmp_path / "a.jpg", 60, 40)
    record = image_record(
        image_id="a", filename="a", source="s", names=("cat",), boxes_xyxy=[(0.5, 0.25, 1, 1)], relative=True
    )
    fitted, _ = fit(record, Place(path)).pair
    assert (fitted.boxes_xyxy.tolist(), fitted.relative) == ([[30, 10, 60, 40]], False)


def test_a_damaged_picture_gives_no_pair(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no")
    fitted = fit(record_of(), Place(tmp_path / "a.jpg"))
    assert fitted.pair is None
    assert [issue.code for issue in fitted.issues] == ["image-damaged"]


def test_a_damaged_mask_is_an_issue_of_its_box(tmp_path):
    path = save_picture(tmp_path / "a.jpg", 60, 40)
    record = record_of(masks=(json.dumps(SQUARE).encode(), b"[[1, 2, Infinity, 4, 5, 6]]"))
    found = fit(record, Place(path))
    fitted, _ = found.pair
    assert (pixels(fitted.masks[0]).max(), pixels(fitted.masks[1]).max()) == (1, 0)
    for action, left in (("error", 2), ("keep", 2), ("drop-box", 1)):
        checks = Checks(parse("default", [f"mask-damaged={action}", "box-whole=error"]))
        checked, issues = check(fitted, 60, 40, checks, found.damaged_masks)
        masked = [issue for issue in issues if issue.code == "mask-damaged"]
        assert len(checked.masks) == left
        assert [(issue.box, issue.fixed) for issue in masked] == [(1, action == "drop-box")]
        assert "dog [0, 0, 60, 40] has a segmentation that is no mask (a coordinate" in masked[0].message


def test_a_subset_has_everything_of_its_boxes():
    record = record_of(masks=(b"1", b"2"), poses=("Left", ""), occluded=[True, False], group_of=[False, True])
    second = subset(record, [1])
    assert (second.names, second.masks, second.poses) == (("dog",), (b"2",), ("",))
    assert (second.occluded.tolist(), second.group_of.tolist()) == ([False], [True])
    assert subset(record, []).boxes_xyxy.shape == (0, 4)
    with pytest.raises(ValueError, match="masks has 1 values, expected 2 or none"):
        record_of(masks=(b"1",))


def test_joined_records_have_the_boxes_of_both():
    first = record_of(width=60, height=40, masks=(b"1", b"2"))
    second = record_of(poses=("Left", ""), occluded=[True, False])
    both = joined(first, second)
    assert both.names == ("cat", "dog") * 2
    assert both.masks == (b"1", b"2", b"", b"")
    assert both.poses == ("", "", "Left", "")
    assert both.occluded.tolist() == [False, False, True, False]
    fractions = image_record(
        image_id="a", filename="a", source="t", names=("cow",), boxes_xyxy=[(0, 0, 1, 1)], relative=True
    )
    mixed = joined(fractions, record_of(width=60, height=40))
    assert mixed.boxes_xyxy.tolist()[1] == [10 / 60, 5 / 40, 30 / 60, 25 / 40]
    for other in (record_of(), first):
        with pytest.raises(InputError, match="s: cannot be joined with fractions"):
            joined(other, fractions)
