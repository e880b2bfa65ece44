"""The multiscale grid of anchors."""

from __future__ import annotations

import numpy as np

from tfrec_tools.detector.anchors import MultiscaleAnchors, anchor_boxes, grid_shapes

GRID = MultiscaleAnchors(
    min_level=3, max_level=7, anchor_scale=4.0, aspect_ratios=(1.0, 2.0), scales_per_octave=2
)


def test_every_cell_of_every_level_has_every_ratio_in_every_scale() -> None:
    assert grid_shapes(GRID, 320, 320) == [(40, 40), (20, 20), (10, 10), (5, 5), (3, 3)]
    assert anchor_boxes(GRID, 320, 320).shape == ((1600 + 400 + 100 + 25 + 9) * 4, 4)


def test_the_first_cell_by_hand() -> None:
    boxes_px = anchor_boxes(GRID, 320, 320)[:4] * 320
    base, octave, root = 32.0, 2**0.5, 2**0.5
    heights = [base, base * octave, base / root, base * octave / root]
    widths = [base, base * octave, base * root, base * octave * root]
    expected = [[4 - h / 2, 4 - w / 2, 4 + h / 2, 4 + w / 2] for h, w in zip(heights, widths, strict=True)]
    np.testing.assert_allclose(boxes_px, expected, rtol=1e-5)


def test_a_grid_is_centred_only_where_its_stride_divides_the_side() -> None:
    level_7 = anchor_boxes(GRID, 320, 384)[-3 * 3 * 4 :] * np.array([320, 384, 320, 384])
    centre = (level_7[0, :2] + level_7[0, 2:]) / 2
    np.testing.assert_allclose(centre, [0, 64], atol=1e-3)
