"""What the base finds on records, looked for once: for a run, and for the plain fine-tuning beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tfrec_tools.detector.evaluation.average_precision import ImageDetections

Records = tuple[Path, tuple[str, ...]]  # the base's folder, and the patterns of its records


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Detections, and the seconds that it took to find them."""

    detections: Sequence[ImageDetections]
    seconds: float


class Findings:
    """What was found, by records."""

    def __init__(self) -> None:
        self._found: dict[Records, Found] = {}

    def of(self, records: Records, find: Callable[[], Sequence[ImageDetections]]) -> Found:
        """Returns what `find` gives, which is asked once for the same records."""
        if records not in self._found:
            began = time.monotonic()
            detections = find()
            self._found[records] = Found(detections, time.monotonic() - began)
        return self._found[records]
