"""By how much one model is better than another on the same images, and whether that is more than chance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tfrec_tools.detector.data.index import IndexedExample
from tfrec_tools.detector.evaluation.average_precision import (
    AveragePrecision,
    ImageDetections,
    average_precision,
    mean,
)
from tfrec_tools.detector.evaluation.measured import Interval
from tfrec_tools.labels.label_map import LabelMap


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of AP50, -1 to 1, and its 95 % interval by the paired bootstrap; None where there are too
    few images for one."""

    ap50: float
    interval: Interval | None

    @property
    def within_error(self) -> bool | None:
        """Whether chance in the choice of the images may have made it: 0 lies in the interval. None without
        one."""
        return None if self.interval is None else self.interval[0] <= 0.0 <= self.interval[1]


def difference(first: AveragePrecision, second: AveragePrecision) -> Difference:
    """Returns second less first, which were measured on the same images, both with spreads or none."""
    spreads = first.spreads.get("ap50"), second.spreads.get("ap50")
    paired = spreads[1].minus(spreads[0]) if spreads[0] and spreads[1] else None
    return Difference(second.ap50 - first.ap50, paired.interval if paired else None)


def compare(
    examples: Sequence[IndexedExample],
    first: Sequence[ImageDetections],
    second: Sequence[ImageDetections],
    labels: LabelMap,
    ids: Iterable[int] | None = None,
) -> Difference | None:
    """Returns the second detections' mean AP50 over classes (`ids`, else all of `labels`) less that of the
    first; None where these classes have no boxes."""
    group = sorted(labels.name_by_id if ids is None else ids)
    means = [
        mean(average_precision(examples, detections, labels, spread=True), group)
        for detections in (first, second)
    ]
    return difference(means[0], means[1]) if means[0] and means[1] else None
