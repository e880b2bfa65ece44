"""The story of `tfrec detect`: images in, boxes drawn and listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.dataset import made_folder
from tfrec_tools.detector.data.images import decoded
from tfrec_tools.detector.data.inputs import InputImage, input_images
from tfrec_tools.detector.evaluation import coco_ids, operating_points
from tfrec_tools.detector.evaluation.average_precision import ImageDetections
from tfrec_tools.detector.inference import result_files
from tfrec_tools.detector.inference.predictor import Finder, finder
from tfrec_tools.detector.inference.summary import Summary, origin_of
from tfrec_tools.detector.model.detector import COMPILING, load_detector
from tfrec_tools.detector.model.standing import stands
from tfrec_tools.detector.model.zoo import model_folder
from tfrec_tools.detector.options.models import DetectOptions
from tfrec_tools.detector.reports import images
from tfrec_tools.errors import InputError
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.system.options import as_path

_Decoded = tuple[InputImage, NDArray[np.uint8]]  # an image and its pixels (H, W, 3)


def detect_images(options: DetectOptions) -> Summary:
    """Fills --out with detections.json, detections.csv and drawn/NAME.png, or finds that done. A damaged
    image is passed over and named among the issues. InputError where an input cannot be used, or no image can
    be looked at."""
    with made_folder.claimed(as_path(options.out)):
        return _detect(options, model_folder(str(options.model)))


def _detect(options: DetectOptions, model: Path) -> Summary:
    origin = origin_of(options, model)
    there = stands(options, origin, Summary)
    if there.result is not None:
        return there.result
    like = None if options.like is None else coco_ids.read_coco_ids(as_path(options.like))
    options.progress("opening the model", 0, None)
    detector = load_detector(model, options.label_map)
    needed = _needed(options.score, model, detector.labels)
    rows: list[result_files.Row] = []
    issues: list[Issue] = []
    names = _Names()
    paths: dict[int, str] = {}
    find = finder(detector)
    options.progress("detecting", 0, None, COMPILING)
    with made_folder.filled(as_path(options.out), there) as out:
        (out / "drawn").mkdir()
        for batch in _batches(decoded(input_images(options.words), issues), options.batch):
            for image, pixels, detections in _detected(find, batch, needed):
                paths[image.image_id] = image.path
                size_wh = (pixels.shape[1], pixels.shape[0])
                rows += result_files.rows(image.image_id, image.name, size_wh, detections, detector.labels)
                _save(pixels, detections, detector.labels, out / "drawn" / names.unused(image))
            options.progress("detecting", names.count, None)
        if not names.count:
            raise InputError(" ".join(options.words), f"no sound image ({_first(issues)})")
        results, left_out = _results(rows, paths, like)
        coco_ids.write_results(out / "detections.json", results)
        result_files.write_csv(out / "detections.csv", rows)
        boxes, scores = Counter(row.name for row in rows), _scores(needed, detector.labels)
        summary = Summary(names.count, dict(boxes.most_common()), scores, tuple(issues), left_out)
        made_folder.note(out, origin, summary)
    return replace(summary, outcome=there.outcome, changed=there.changed)


def _scores(needed: operating_points.Needed, labels: LabelMap) -> dict[str, float]:
    return {
        name: needed.get(label_id, operating_points.USUAL) for label_id, name in labels.name_by_id.items()
    }


def _results(
    rows: list[result_files.Row], paths: dict[int, str], like: coco_ids.CocoIds | None
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Returns COCO's results, in ids of --like where it is given; and what these left out."""
    if like is None:
        return result_files.coco_results(rows), ()
    results, left_out = coco_ids.results(like, result_files.named(rows, paths))
    return results, tuple(left_out.lines)


def _batches(sound: Iterator[_Decoded], size: int) -> Iterator[list[_Decoded]]:
    while batch := list(islice(sound, size)):
        yield batch


def _needed(score: float | None, model: Path, labels: LabelMap) -> operating_points.Needed:
    if score is None:
        return operating_points.read_scores(model / operating_points.FILE, labels)
    return dict.fromkeys(labels.name_by_id, score)


def _detected(
    find: Finder, batch: list[_Decoded], needed: operating_points.Needed
) -> Iterator[tuple[InputImage, NDArray[np.uint8], ImageDetections]]:
    found = find([pixels for _, pixels in batch])
    for (image, pixels), detections in zip(batch, found, strict=True):
        yield image, pixels, operating_points.above_threshold(detections, needed)


def _save(pixels: NDArray[np.uint8], detections: ImageDetections, labels: LabelMap, path: Path) -> None:
    image = Image.fromarray(pixels)
    images.draw(image, detections, labels)
    image.save(path, "PNG")


class _Names:
    """A file name for each image, by its own name; a second of a name has its id too."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    @property
    def count(self) -> int:
        return len(self._used)

    def unused(self, image: InputImage) -> str:
        stem = Path(image.name.replace("\\", "/")).stem or "image"
        for name in (
            f"{stem}.png",
            f"{stem}_{image.image_id}.png",
            f"{stem}_{image.image_id}_{self.count}.png",
        ):
            if name.lower() not in self._used:
                break
        self._used.add(name.lower())
        return name


def _first(issues: list[Issue]) -> str:
    return issues[0].message if issues else "the record files hold no examples"
