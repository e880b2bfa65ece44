"""Images of a page that holds many itself."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfrec_tools.annotations.records import image_record
from tfrec_tools.drawing.cards import SIDE_PX, SMALL_SIDE_PX, Style, card
from tfrec_tools.drawing.previews import Preview
from tfrec_tools.images.loading import EncodedImage

WIDTH, HEIGHT = 800, 400


def preview(file: Path | None = None) -> Preview:
    """Noise, which no JPEG makes small, with a box."""
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    out = BytesIO()
    Image.fromarray(noise).save(out, "PNG")
    record = image_record(
        image_id="1",
        filename="a.png",
        source="a.json",
        width=WIDTH,
        height=HEIGHT,
        boxes_xyxy=np.array([[80.0, 40.0, 400.0, 200.0]]),
        names=("dog",),
        labeled=None,
    )
    return Preview(record, EncodedImage(out.getvalue(), "png", WIDTH, HEIGHT), file=file)


@pytest.mark.parametrize(("most_bytes", "side"), [(None, SIDE_PX), (10**6, SIDE_PX), (10_000, SMALL_SIDE_PX)])
def test_an_image_is_as_large_as_there_is_room(most_bytes: int | None, side: int) -> None:
    made = card(preview(), Style(most_bytes=most_bytes))
    assert made["thumb"] == [side, side // 2]
    assert made["boxes"][0][2:6] == [side / 10, side / 20, side * 0.4, side * 0.2]


def test_an_original_beside_the_page_is_enlarged(tmp_path: Path) -> None:
    made = card(preview(tmp_path / "images/a b.png"), Style(page=tmp_path / "page.html"))
    assert made["original"] == "images/a%20b.png"
    assert "original" not in card(preview(tmp_path / "images/a.png"), Style())
