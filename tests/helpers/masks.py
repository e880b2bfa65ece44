"""A mask as COCO has it, and what is in one that is stored."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SQUARE = [[10, 5, 30, 5, 30, 25, 10, 25]]


def pixels(png: bytes) -> NDArray[np.uint8]:
    with Image.open(BytesIO(png)) as image:
        return np.asarray(image)
