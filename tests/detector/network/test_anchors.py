"""The grids of anchors."""

from __future__ import annotations

import numpy as np

from tfrec_tools.detector.config.anchors import MultiscaleAnchors, SsdAnchors
from tfrec_tools.detector.network.anchors import multiscale_boxes, ssd_boxes

GRID = MultiscaleAnchors(
    min_level=3, max_level=7, anchor_scale=4.0, aspect_ratios=(1.0, 2.0), scales_per_octave=2
)


def test_every_cell_of_every_level_has_every_ratio_in_every_scale() -> None:
    assert multiscale_boxes(GRID, 320, 320).shape == ((1600 + 400 + 100 + 25 + 9) * 4, 4)


def test_the_first_cell_by_hand() -> None:
    boxes_px = multiscale_boxes(GRID, 320, 320)[:4] * 320
    base, octave, root = 32.0, 2**0.5, 2**0.5
    heights = [base, base * octave, base / root, base * octave / root]
    widths = [base, base * octave, base * root, base * octave * root]
    expected = [[4 - h / 2, 4 - w / 2, 4 + h / 2, 4 + w / 2] for h, w in zip(heights, widths, strict=True)]
    np.testing.assert_allclose(boxes_px, expected, rtol=1e-5)


def test_a_grid_is_centred_only_where_its_stride_divides_the_side() -> None:
    level_7 = multiscale_boxes(GRID, 320, 384)[-3 * 3 * 4 :] * np.array([320, 384, 320, 384])
    centre = (level_7[0, :2] + level_7[0, 2:]) / 2
    np.testing.assert_allclose(centre, [0, 64], atol=1e-3)


SSD = SsdAnchors(
    levels=6,
    min_scale=0.2,
    max_scale=0.95,
    aspect_ratios=(1.0, 4.0),
    interpolated_aspect_ratio=1.0,
    reduced_lowest=True,
)


def test_ssd_anchors_by_hand() -> None:
    boxes = ssd_boxes(SSD, 300, 300)
    assert len(boxes) == 19 * 19 * 3 + (10 * 10 + 5 * 5 + 3 * 3 + 2 * 2 + 1) * 3
    whole = [0.5 - 0.475, 0.5 - 0.475, 0.5 + 0.475, 0.5 + 0.475]
    np.testing.assert_allclose(boxes[-3], whole, atol=1e-6)
    wide = [0.5 - 0.475 / 2, 0.5 - 0.95, 0.5 + 0.475 / 2, 0.5 + 0.95]
    np.testing.assert_allclose(boxes[-2], wide, atol=1e-6)
    between = 0.95**0.5
    np.testing.assert_allclose(boxes[-1, 2:] - boxes[-1, :2], [between, between], atol=1e-6)
    np.testing.assert_allclose(boxes[0, 2:] - boxes[0, :2], [0.1, 0.1], atol=1e-6)


def test_ssd_anchors_are_square_on_a_canvas_that_is_not() -> None:
    height, width = (ssd_boxes(SSD, 300, 600)[0, 2:] - ssd_boxes(SSD, 300, 600)[0, :2]) * (300, 600)
    np.testing.assert_allclose([height, width], [30, 30], atol=1e-4)
