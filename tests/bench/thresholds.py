"""`python -m tests.bench.thresholds RUN RECORDS`: how well one threshold serves all classes of a grown model,
as it was trained and as it was calibrated.

RUN is the folder of a run of `tfrec finetune`, RECORDS a pattern of record files that nothing was chosen by.
As it was trained is what it finds, less the numbers that its report.json has as `calibration`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tfrec_tools.detector.data.index import IndexedExample, index_records
from tfrec_tools.detector.evaluation.average_precision import ImageDetections, coco_evaluation, find
from tfrec_tools.detector.evaluation.operating_points import USUAL
from tfrec_tools.detector.model.detector import load_detector
from tfrec_tools.labels.label_map import LabelMap

_SCORES = np.linspace(0.02, 0.98, 97)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.thresholds", description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("records")
    words = parser.parse_args()
    model = load_detector(words.run / "model")
    examples = index_records((words.records,), model.labels)
    chosen = json.loads((words.run / "report.json").read_text())["calibration"]
    added = {shift["id"]: shift["added"] for shift in chosen["shifts"] if shift["added"] is not None}
    calibrated = find(model, examples, model.labels)
    trained = [_without(found, added) for found in calibrated]
    print(f"{len(examples)} images; mean F1 of {len(model.labels)} classes, in points; {chosen['note']}")
    print(
        "| | at 0.5 | at the best score for all | each class at its own best |", "|---|---|---|---|", sep="\n"
    )
    for name, detections in (("as trained", trained), ("calibrated", calibrated)):
        of_classes = _f1(examples, detections, model.labels)  # (classes, scores)
        means = of_classes.mean(axis=0)
        best = int(means.argmax())
        usual = means[int(np.abs(_SCORES - USUAL).argmin())]
        common = f"{100 * means[best]:.1f} ({_SCORES[best]:.2f})"
        print(f"| {name} | {100 * usual:.1f} | {common} | {100 * of_classes.max(axis=1).mean():.1f} |")


def _without(found: ImageDetections, added: Mapping[int, float]) -> ImageDetections:
    scores = found.scores.astype(np.float64).clip(1e-7, 1 - 1e-7)
    logits = np.log(scores / (1 - scores)) - [added.get(label_id, 0.0) for label_id in found.ids.tolist()]
    order = np.argsort(-logits, kind="stable")
    lowered = (1 / (1 + np.exp(-logits))).astype(np.float32)
    return replace(found, boxes=found.boxes[order], scores=lowered[order], ids=found.ids[order])


def _f1(
    examples: Sequence[IndexedExample], detections: Sequence[ImageDetections], labels: LabelMap
) -> np.ndarray:
    """(classes with boxes, scores): F1 at IoU 0.5 of what has that score or more, matched as COCO does."""
    evaluation = coco_evaluation(examples, detections, labels)
    settings = evaluation.params
    per_class = len(settings.areaRng) * len(settings.imgIds)
    rows = []
    for column in range(len(settings.catIds)):
        seen = evaluation.evalImgs[column * per_class : column * per_class + len(settings.imgIds)]
        there = [of_image for of_image in seen if of_image is not None]
        boxes = sum(int((np.asarray(of_image["gtIgnore"]) == 0).sum()) for of_image in there)
        if not boxes:
            continue
        scores = np.concatenate([of_image["dtScores"] for of_image in there])
        counted = np.concatenate([~of_image["dtIgnore"][0].astype(bool) for of_image in there])
        right = np.concatenate([of_image["dtMatches"][0] > 0 for of_image in there]) & counted
        taken = scores[None] >= _SCORES[:, None]  # (scores, detections)
        rows.append(2 * (taken & right).sum(axis=1) / ((taken & counted).sum(axis=1) + boxes))
    return np.stack(rows)


if __name__ == "__main__":
    main()
