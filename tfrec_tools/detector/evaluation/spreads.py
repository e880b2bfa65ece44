"""COCO's scores by name: where they stand in pycocotools' arrays, and how each is spread over the draws."""

from __future__ import annotations

from collections.abc import Iterable

from pycocotools.cocoeval import COCOeval

from tfrec_tools.detector.evaluation import bootstrap
from tfrec_tools.detector.evaluation.bootstrap import Spread
from tfrec_tools.detector.evaluation.matches import matches_of

ALL_AREAS, MOST = 0, -1  # places of boxes of all sizes, and of 100 detections an image
# {name: places of its IoUs, of 0.5, 0.55, ..., 0.95, and of its area}
PLACES: dict[str, tuple[slice, int]] = {
    "ap": (slice(None), ALL_AREAS),
    "ap50": (slice(0, 1), ALL_AREAS),
    "ap75": (slice(5, 6), ALL_AREAS),
    "small": (slice(None), 1),
    "medium": (slice(None), 2),
    "large": (slice(None), 3),
}


def spreads(evaluation: COCOeval, column: int, names: Iterable[str]) -> dict[str, Spread]:
    """Returns {name: its spread} of a class, by its place among the evaluation's categories; those without
    such boxes are left out."""
    wanted = {name: PLACES[name] for name in names}
    found: dict[str, Spread] = {}
    for area in sorted({area for _, area in wanted.values()}):
        matches = matches_of(evaluation, column, area)
        images = int((matches.boxes > 0).sum())
        if images:
            by_iou = bootstrap.weighted(matches, bootstrap.draws(len(matches.boxes)))
            found |= {
                name: Spread(by_iou[ious].mean(axis=0), images)
                for name, (ious, of) in wanted.items()
                if of == area
            }
    return found
