"""What the rows of a CSV file say of the images that they belong to, each row anew: size and split. The first
row that says it counts, and another one that says otherwise is an issue of the image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.formats.grouping import Column
from tfrec_tools.formats.split_names import split_called

OTHER_SIZE = "size-mismatch"  # of rows of one image, which says nothing of boxes that are fractions
OTHER_SPLIT = "split-conflict"
OF_IMAGES = (OTHER_SIZE, OTHER_SPLIT)  # codes by which no object is dropped

Said = tuple[Any, ...]  # (width, height) or (split,)
NO_SIZE: Said = (0.0, 0.0)
NO_SPLIT: Said = ("",)


@dataclass(frozen=True, slots=True)
class Statements:
    """What is said of each image, by its number: what the first row says that says something, and in which
    line (0: none does); and the images of which another row says otherwise, by the issue's code."""

    code: str
    nothing: Said
    said: list[Said] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    contested: set[int] = field(default_factory=set)

    def add_image(self) -> None:
        self.said.append(self.nothing)
        self.lines.append(0)

    def take(
        self, lines: Column, image_of: NDArray[np.int32], values: Column
    ) -> Iterator[tuple[int, int, Said]]:
        """Takes what rows say, values (rows, C), some of them in this order; yields line, image and what is
        said there, for the first row that says otherwise of each image."""
        images, first, at_image = np.unique(image_of, return_index=True, return_inverse=True)
        for image, at in zip(images.tolist(), first.tolist(), strict=True):
            if not self.lines[image]:
                self.said[image], self.lines[image] = tuple(values[at].tolist()), int(lines[at])
        counts = np.array([self.said[image] for image in images.tolist()], values.dtype)
        others = np.flatnonzero((values != counts.reshape(-1, values.shape[1])[at_image]).any(axis=1))
        for image, at in zip(*np.unique(image_of[others], return_index=True), strict=True):
            if image not in self.contested:
                self.contested.add(int(image))
                yield int(lines[others[at]]), int(image), tuple(values[others[at]].tolist())


def splits_of(texts: Column) -> Column:
    """Returns (rows,) splits of texts of the column: "val" of "Validation", "" where nothing stands."""
    called = {text: split_called(text) for text in set(texts.tolist())}
    return np.array([called[text] for text in texts], object)


def otherwise(code: str, source: str, line: int, said: Said, earlier: Said) -> Issue:
    """Returns the issue of an image of which a line says otherwise than earlier ones, of OF_IMAGES."""
    if code == OTHER_SPLIT:
        message = f"line {line} puts it into {said[0]}, an earlier one into {earlier[0]}"
        return Issue(code, source, None, message, True)
    size, before = (f"{width:g} x {height:g}" for width, height in (said, earlier))
    message = f"line {line} states {size} where earlier ones state {before}"
    return Issue(code, source, None, message, False)
