"""Images on their canvases, whatever their shape."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers.places import DATA
from tfrec_tools.detector.config.read import read_pipeline
from tfrec_tools.detector.data import resize


@pytest.mark.parametrize("family", ["faster_rcnn", "fpnlite"])
@pytest.mark.parametrize("size_wh", [(4000, 2), (2, 4000), (1, 1)])
def test_an_image_of_any_shape_has_some_pixels_on_the_canvas(family: str, size_wh: tuple[int, int]) -> None:
    config = read_pipeline(DATA / f"{family}.pipeline.config")
    canvas, window = resize.preprocess(config, np.zeros((*size_wh[::-1], 3), np.uint8))
    assert canvas.shape == (config.resizer.height_px, config.resizer.width_px, 3)
    assert np.all(window.numpy() * canvas.shape[:2] >= 0.99)
