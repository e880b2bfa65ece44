"""How a family turns bytes of an image into numbers, as two rows of constants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfrec_tools.detector.config.read import Config
from tfrec_tools.detector.data.resize import preprocess


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Normalised is (byte - mean) / std; mean and std are (3,) float32 [red green blue]."""

    mean: NDArray[np.float32]
    std: NDArray[np.float32]

    def normalised(self, values: tf.Tensor) -> tf.Tensor:
        """Normalises (..., 3) of 0..255."""
        return values * (1.0 / self.std) - self.mean / self.std

    def bytes_of(self, normalised: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the bytes, 0..255, of normalised (..., 3)."""
        return np.clip(normalised * self.std + self.mean, 0.0, 255.0)


def pixels_of(config: Config) -> Pixels:
    """Measures them by what becomes of a black and of a white image."""
    black, white = (
        preprocess(config, np.full((8, 8, 3), value, np.uint8))[0][0, 0].numpy() for value in (0, 255)
    )
    std = 255.0 / (white - black)
    return Pixels((-black * std).astype(np.float32), std.astype(np.float32))
