"""Annotations of one picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfrec_tools.annotations.records import ImageRecord, image_record

WIDTH, HEIGHT = 100, 50


def record_of(*boxes_xyxy: object, **options: Any) -> ImageRecord:
    names = tuple(f"class{i}" for i in range(len(boxes_xyxy)))
    options = {"image_id": "1", "filename": "a.jpg", "source": "x.json images[0]"} | options
    return image_record(boxes_xyxy=boxes_xyxy, names=names, **options)


def cat_and_dog(**options: Any) -> ImageRecord:
    return image_record(
        image_id="a",
        filename="a.jpg",
        source="s",
        names=("cat", "dog"),
        boxes_xyxy=[(10, 5, 30, 25), (0, 0, 60, 40)],
        area=[400, np.nan],
        **options,
    )
