"""Masks as COCO has them, drawn as PNG."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from tests.helpers.masks import SQUARE, pixels
from tfrec_tools.errors import InputError
from tfrec_tools.images import masks


def drawn(
    segmentation: object,
    given_wh: tuple[int, int] = (60, 40),
    size_wh: tuple[int, int] = (60, 40),
    **options: Any,
) -> NDArray[np.uint8]:
    data = segmentation if isinstance(segmentation, bytes) else json.dumps(segmentation).encode()
    return pixels(masks.to_png(data, "s", given_wh, size_wh, **options))


def expected(
    xmin: int, ymin: int, xmax: int, ymax: int, size_wh: tuple[int, int] = (60, 40)
) -> NDArray[np.uint8]:
    filled = np.zeros(size_wh[::-1], np.uint8)
    filled[ymin:ymax, xmin:xmax] = 1
    return filled


def test_polygons_and_both_kinds_of_run_lengths_agree() -> None:
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


def test_masks_follow_the_size_of_the_picture() -> None:
    half = expected(5, 2, 15, 12, (30, 20))
    assert np.abs(drawn(SQUARE, size_wh=(30, 20)).astype(int) - half).mean() < 0.05
    png = masks.to_png(json.dumps(SQUARE).encode(), "s", (60, 40), (60, 40))
    assert masks.to_png(png, "s", (60, 40), (60, 40)) == png
    assert drawn(png, size_wh=(30, 20)).shape == (20, 30)


@pytest.mark.parametrize("empty", [b"", b"[]", b"null", b"[[]]", b"[[1,2]]"])
def test_no_mask_is_all_zero(empty: bytes) -> None:
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
def test_what_is_no_mask(wrong: bytes) -> None:
    with pytest.raises(InputError, match="s: segmentation: is no mask"):
        drawn(wrong)
