"""What the base finds in images, each of which is looked at once: for a run, and for the plain fine-tuning
beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tfrec_tools.annotations.records import ByteRange
from tfrec_tools.detector.data.index import IndexedExample
from tfrec_tools.detector.evaluation.average_precision import ImageDetections

Find = Callable[[str, Sequence[IndexedExample]], list[ImageDetections]]  # of a step, by its name


class Findings:
    """What was found, by image, and how long it took."""

    def __init__(self) -> None:
        self._found: dict[ByteRange | bytes, ImageDetections] = {}
        self._seconds = 0.0

    def of(self, step: str, examples: Sequence[IndexedExample], find: Find) -> list[ImageDetections]:
        """Returns what `find` gives, which is asked once for the same image."""
        unknown = [example for example in examples if _place(example) not in self._found]
        if unknown:
            began = time.monotonic()
            self._found.update(zip(map(_place, unknown), find(step, unknown), strict=True))
            self._seconds += time.monotonic() - began
        return [self._found[_place(example)] for example in examples]

    @property
    def seconds_an_image(self) -> float:
        return self._seconds / max(1, len(self._found))


def _place(example: IndexedExample) -> ByteRange | bytes:
    """Where the image is, whatever is known of it."""
    return example.image or example.example
