"""What a run shows while it goes, in the words of Beam: counters of the namespace tfrec."""

from __future__ import annotations

from apache_beam.metrics import Metrics

_IMAGES, _BOXES, _ISSUES = (Metrics.counter("tfrec", name) for name in ("images", "boxes", "issues"))


def count(images: int, boxes: int, issues: int) -> None:
    """Images and boxes that are written, issues that were found."""
    for counter, number in ((_IMAGES, images), (_BOXES, boxes), (_ISSUES, issues)):
        counter.inc(number)
