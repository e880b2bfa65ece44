"""Which detections of a class found a box, as pycocotools matched them, in arrays to be weighted by image.

pycocotools matches within an image and a class, whatever the other images are: so its matches stay true when
images are drawn again, and only sums over them have to be made anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.cocoeval import COCOeval


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """The detections of a class, best first, and the boxes to be found; T are COCO's IoUs 0.5, ..., 0.95.

    images   (D,) int, places of the detections' images
    right    (T, D) bool, which found a box
    counted  (T, D) bool, which are right or a mistake; others found what is ignored, or are of another size
    boxes    (I,) int, to be found in each image
    """

    images: NDArray[np.int64]
    right: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    boxes: NDArray[np.int64]


def matches_of(evaluation: COCOeval, column: int, area: int) -> Matches:
    """Returns the matches of a class, by its place among the evaluation's categories, and of boxes and
    detections of an area, by its place; at most as many detections an image as COCO counts."""
    settings = evaluation.params
    images = len(settings.imgIds)
    first = (column * len(settings.areaRng) + area) * images
    seen: list[dict[str, Any] | None] = evaluation.evalImgs[first : first + images]
    boxes = np.zeros(images, np.int64)
    scores, places = [np.zeros(0)], [np.zeros(0, np.int64)]
    none = np.zeros((len(settings.iouThrs), 0), bool)
    matched, ignored = [none], [none]
    for place, of_image in enumerate(seen):
        if of_image is not None:
            boxes[place] = np.count_nonzero(np.asarray(of_image["gtIgnore"]) == 0)
            scores.append(np.asarray(of_image["dtScores"], np.float64))
            places.append(np.full(len(of_image["dtScores"]), place, np.int64))
            matched.append(of_image["dtMatches"] > 0)
            ignored.append(of_image["dtIgnore"].astype(bool))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    counted = ~np.concatenate(ignored, axis=1)[:, order]
    right = np.concatenate(matched, axis=1)[:, order] & counted
    return Matches(np.concatenate(places)[order], right, counted, boxes)
