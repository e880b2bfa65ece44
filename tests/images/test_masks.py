"""Masks as COCO has them, drawn as PNG."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from tests.helpers.contained import contained_code
from tests.helpers.masks import SQUARE, pixels
from tfrec_tools.errors import InputError
from tfrec_tools.formats.coco_shapes import box_around
from tfrec_tools.images import clipping, masks


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


PAIRS = [[1, 1], [21, 1], [21, 11], [1, 11]]
FLAT = [value for pair in PAIRS for value in pair]


@pytest.mark.parametrize("nested", [[FLAT], FLAT, [PAIRS], PAIRS, [FLAT, [5, 5]]])
def test_polygons_are_read_however_they_are_nested(nested: object) -> None:
    """And so is the box around them."""
    np.testing.assert_array_equal(drawn(json.dumps(nested).encode()), drawn(json.dumps([FLAT]).encode()))
    assert drawn(json.dumps(nested).encode()).any()
    assert box_around(nested) == (1, 1, 20, 10)


@pytest.mark.parametrize(
    "wrong", ["[[1, 2, 3, 4, 5, 6, 7]]", "[1, 2, 3]", "[[[1, 2], [3]]]", "[{}]", "[[1, 2], 3]"]
)
def test_what_is_no_polygon_is_said_in_words_of_the_file(wrong: str) -> None:
    with pytest.raises(InputError, match="is no polygon, expected numbers x, y, x, y"):
        drawn(wrong.encode())
    assert box_around(json.loads(wrong)) is None


FAR = ["1e7", "1e8", "1e12", "1e300"]


@pytest.mark.parametrize("far", FAR)
def test_corners_far_away_are_cut_off(far: str) -> None:
    """pycocotools crashes on 1e8; so it is tried in another process."""
    code = (
        "import json; from tfrec_tools.images import clipping, masks; "
        f"png = masks.to_png(b'[[10, 5, {far}, 5, {far}, 25, 10, 25]]', 's', (60, 40), (60, 40)); "
        "print(sum(png), open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    done = contained_code(code)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[1]) < 400_000  # KiB
    np.testing.assert_array_equal(
        drawn(f"[[10, 5, {far}, 5, {far}, 25, 10, 25]]".encode()), expected(10, 5, 60, 25)
    )
    np.testing.assert_array_equal(
        drawn(f"[[-{far}, -{far}, {far}, -{far}, {far}, {far}, -{far}, {far}]]".encode()),
        expected(0, 0, 60, 40),
    )
    assert not drawn(f"[[{far}, 5, {far}, 25, {far}, 30]]".encode()).any()


def test_polygons_near_the_image_stay_as_they_are() -> None:
    polygon = [-60.0, -40.0, 120.0, -40.0, 120.0, 80.0, 3.5, 17.25]
    assert clipping.near(polygon, (60, 40)) == polygon


def test_cut_polygons_cover_the_same() -> None:
    generator = np.random.default_rng(3)
    for _ in range(200):
        corners = generator.uniform(-400, 400, (7, 2)).round(2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # pycocotools' own use of NumPy
            whole = coco_mask.decode(coco_mask.frPyObjects([corners.ravel().tolist()], 40, 60))[..., 0]
        found = drawn([corners.ravel().tolist()])
        assert np.abs(found.astype(int) - whole).mean() < 0.02  # its rounding of edges


def test_too_long_an_edge_is_refused() -> None:
    zigzag = [value for i in range(200_000) for value in (60 * (i % 2), 40 * (i % 2))]
    with pytest.raises(InputError, match=r"its edges are .* pixels long, expected 4,000,000 at most"):
        drawn([zigzag])


@pytest.mark.parametrize(
    ("size", "counts", "said"),
    [
        ([20, 60], [1200], "its size is .20, 60., expected 40 x 60 of the image"),
        ([60, 40], [2400], "expected 40 x 60 of the image"),
        ([40, 60], [1 << 40], "do not add up to 40 x 60"),
        ([40, 60], [-100, 2500], "are no run lengths"),
        ([40, 60], [(1 << 32) + 2400], "do not add up"),
        ([40, 60], [2400.0], "are no run lengths"),
        ([40, 60], "oooooooooooooooo0", "are no run lengths"),
        ([40, 60], "ooooooo0", "do not add up"),
        ([40, 60], "\u0001", "are no run lengths"),
        ([40, 60], {}, "are no run lengths"),
        ([40.0, 60.0], [2400], "expected 40 x 60"),
        (40, [2400], "expected 40 x 60"),
    ],
)
def test_run_lengths_are_judged_first(
    monkeypatch: pytest.MonkeyPatch, size: object, counts: object, said: str
) -> None:
    monkeypatch.setattr(coco_mask, "decode", lambda *_: pytest.fail("the library was called"))
    monkeypatch.setattr(coco_mask, "frPyObjects", lambda *_: pytest.fail("the library was called"))
    with pytest.raises(InputError, match=said):
        drawn({"size": size, "counts": counts})
