"""Colours as people see them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Linear sRGB as people without red (protan) and green cones (deutan) see it (Machado et al. 2009).
SIGHTS = {
    "normal": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
# Oklab (Bjoern Ottosson 2020): from linear sRGB to cones, and from their cube roots.
_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def oklab(values: NDArray[np.float64], sight: str) -> NDArray[np.float64]:
    """Returns (N, 3) sRGB values from 0 to 1 in Oklab, as somebody of that sight sees them."""
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ SIGHTS[sight].T, 0, 1)
    return np.cbrt(seen @ _TO_CONES.T) @ _TO_LAB.T
