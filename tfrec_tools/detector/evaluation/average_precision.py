"""Average precision as COCO defines it, by pycocotools, a class at a time and in groups."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tfrec_tools.detector.data import batches
from tfrec_tools.detector.data.index import IndexedExample, silent
from tfrec_tools.detector.evaluation import bootstrap
from tfrec_tools.detector.evaluation.bootstrap import Spread
from tfrec_tools.detector.evaluation.measured import Interval
from tfrec_tools.detector.evaluation.spreads import ALL_AREAS, MOST, PLACES, spreads
from tfrec_tools.detector.model.class_rows import AS_THEY_ARE, Renamed
from tfrec_tools.detector.model.detector import Detector, compiled_detect
from tfrec_tools.labels.label_map import LabelMap


@dataclass(frozen=True, slots=True, eq=False)
class ImageDetections:
    """The detections of one image, best first.

    boxes (M, 4) float32 [ymin xmin ymax xmax], normalised; scores (M,) float32; ids (M,) int32
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    ids: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class AveragePrecision:
    """COCO's AP (mean over IoU 0.5 to 0.95) and AP50, 0 to 1; `boxes` is how many were to be found.
    `spreads` of "ap" and "ap50" are there where they were asked for."""

    ap: float
    ap50: float
    boxes: int
    spreads: Mapping[str, Spread] = field(default_factory=dict, compare=False, repr=False)

    @property
    def intervals(self) -> dict[str, Interval | None]:
        """The 95 % intervals of what there are spreads of; None where there are too few images for one."""
        return {name: spread.interval for name, spread in self.spreads.items()}

    @property
    def of_nothing(self) -> AveragePrecision:
        """That of a model that finds nothing on the same images."""
        nothing = {name: spread.of_nothing for name, spread in self.spreads.items()}
        return AveragePrecision(0.0, 0.0, self.boxes, nothing)


def find(
    detector: Detector,
    examples: Sequence[IndexedExample],
    labels: LabelMap,
    progress: Callable[[int], None] = silent,
    batch_size: int = 8,
    renamed: Renamed = AS_THEY_ARE,
) -> list[ImageDetections]:
    """Returns what the detector sees in each example, in ids of `labels`, by name or as `renamed` says;
    classes that are not in it are left out."""
    ids = np.zeros(detector.config.num_classes + 1, np.int32)
    for name, base_id in detector.labels.id_by_name.items():
        ids[base_id] = labels.id_by_name.get(renamed.get(name, name) or "", 0)
    run = compiled_detect(detector)
    of_images: list[ImageDetections] = []
    for images, windows in batches.evaluation_batches(detector.config, examples, batch_size):
        detections = run(images, windows)
        for boxes, scores, base_ids in zip(
            detections.boxes.numpy(), detections.scores.numpy(), detections.ids.numpy(), strict=True
        ):
            kept = ids[base_ids] > 0
            of_images.append(ImageDetections(boxes[kept], scores[kept], ids[base_ids][kept]))
        progress(len(of_images))
    return of_images


def average_precision(
    examples: Sequence[IndexedExample],
    detections: Sequence[ImageDetections],
    labels: LabelMap,
    *,
    spread: bool = False,
) -> dict[int, AveragePrecision]:
    """Returns {id: precision} of each class that has boxes to be found, with spreads where they are asked
    for. An image that was not annotated for a class says nothing of it, so its detections of that class are
    left out."""
    evaluation = coco_evaluation(examples, detections, labels)
    precision = evaluation.eval["precision"][:, :, :, ALL_AREAS, MOST]  # (IoU, recall, class)
    boxes, at_50 = boxes_by_class(examples), PLACES["ap50"][0]
    return {
        label_id: AveragePrecision(
            float(precision[:, :, k].mean()),
            float(precision[at_50, :, k].mean()),
            boxes[label_id],
            spreads(evaluation, k, ("ap", "ap50")) if spread else {},
        )
        for k, label_id in enumerate(map(int, evaluation.params.catIds))
        if boxes.get(label_id)
    }


def coco_evaluation(
    examples: Sequence[IndexedExample], detections: Sequence[ImageDetections], labels: LabelMap
) -> COCOeval:
    """pycocotools' evaluation, accumulated. Crowds are ignored as COCO asks; difficult objects are too: they
    are neither to be found nor, found once, a mistake."""
    truth = COCO()
    truth.dataset = _coco_dataset(examples, labels)
    results = [
        row
        for index, pair in enumerate(zip(examples, detections, strict=True))
        for row in _results(index, *pair)
    ]
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints as it goes
        truth.createIndex()
        evaluation = _Evaluation(truth, truth.loadRes(results) if results else COCO(), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


class _Evaluation(COCOeval):
    """COCOeval sets `ignore` by `iscrowd` alone, whatever an annotation says."""

    def _prepare(self) -> None:
        super()._prepare()
        for group in self._gts.values():
            for annotation in group:
                annotation["ignore"] |= annotation["difficult"]


def mean(precisions: Mapping[int, AveragePrecision], ids: Iterable[int]) -> AveragePrecision | None:
    """Returns the mean over a group of classes, with spreads where all have them; None where none of them has
    boxes."""
    group = [precisions[label_id] for label_id in ids if label_id in precisions]
    if not group:
        return None
    return AveragePrecision(
        sum(precision.ap for precision in group) / len(group),
        sum(precision.ap50 for precision in group) / len(group),
        sum(precision.boxes for precision in group),
        {
            name: bootstrap.mean([precision.spreads[name] for precision in group])
            for name in group[0].spreads
            if all(name in precision.spreads for precision in group)
        },
    )


def boxes_by_class(examples: Sequence[IndexedExample]) -> dict[int, int]:
    """Returns {id: boxes to be found}; crowds and difficult ones are not."""
    ids = np.concatenate(
        [np.zeros(0, np.int32), *(example.ids[~(example.crowd | example.difficult)] for example in examples)]
    )
    return {
        int(label_id): int(count) for label_id, count in zip(*np.unique(ids, return_counts=True), strict=True)
    }


def _coco_dataset(examples: Sequence[IndexedExample], labels: LabelMap) -> dict[str, object]:
    annotations = [row for index, example in enumerate(examples) for row in _annotations(index, example)]
    for number, row in enumerate(annotations, start=1):
        row["id"] = number
    return {
        "images": [
            {"id": index, "width": example.width, "height": example.height}
            for index, example in enumerate(examples)
        ],
        "categories": [{"id": label.id, "name": label.name} for label in labels.labels],
        "annotations": annotations,
    }


def _annotations(index: int, example: IndexedExample) -> list[dict[str, object]]:
    xywh = _xywh(example.boxes, example)
    return [
        {
            "image_id": index,
            "category_id": int(label_id),
            "bbox": box,
            "area": float(area),
            "iscrowd": int(crowd),
            "difficult": int(difficult),
        }
        for box, label_id, area, crowd, difficult in zip(
            xywh, example.ids, example.areas, example.crowd, example.difficult, strict=True
        )
    ]


def _results(index: int, example: IndexedExample, detections: ImageDetections) -> list[dict[str, object]]:
    rows = zip(_xywh(detections.boxes, example), detections.scores, detections.ids, strict=True)
    return [
        {"image_id": index, "category_id": int(label_id), "bbox": box, "score": float(score)}
        for box, score, label_id in rows
        if int(label_id) in example.labeled
    ]


def _xywh(boxes: NDArray[np.float32], example: IndexedExample) -> list[list[float]]:
    """Returns (N, 4) normalised [ymin xmin ymax xmax] as COCO's [x y width height] in pixels."""
    ymin, xmin, ymax, xmax = boxes.astype(np.float64).T
    columns = (
        xmin * example.width,
        ymin * example.height,
        (xmax - xmin) * example.width,
        (ymax - ymin) * example.height,
    )
    return np.stack(columns, axis=1).tolist()


def harmonic_mean(old: float, new: float) -> float:
    return 2.0 * old * new / (old + new) if old + new else 0.0
