"""The story of `tfrec detect`: images in, boxes drawn and listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.detector.data.images import decode_image
from tfrec_tools.detector.data.inputs import InputImage, input_images
from tfrec_tools.detector.evaluation import coco_ids, operating_points
from tfrec_tools.detector.evaluation.average_precision import ImageDetections
from tfrec_tools.detector.inference import result_files
from tfrec_tools.detector.inference.predictor import Finder, finder
from tfrec_tools.detector.model.detector import COMPILING, load_detector
from tfrec_tools.detector.model.zoo import model_folder
from tfrec_tools.detector.options.models import DetectOptions
from tfrec_tools.detector.reports import images
from tfrec_tools.errors import InputError
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.system.atomic import published_folder, require_free
from tfrec_tools.system.options import as_path

_NOT_TAKEN = ("image-damaged", "image-huge")


@dataclass(frozen=True, slots=True)
class Summary:
    """What was found: images processed, boxes by class, the scores from which on they count, and what was odd
    about files. Those whose issue is `image-damaged` or `image-huge` were not looked at. `left_out`: a line
    for each kind of detections that the file of --like has no ids for."""

    images: int
    boxes: Counter[str]
    scores: dict[str, float]
    issues: tuple[Issue, ...]
    left_out: tuple[str, ...] = ()

    @property
    def damaged(self) -> tuple[Issue, ...]:
        return tuple(issue for issue in self.issues if issue.code in _NOT_TAKEN)


def detect_images(options: DetectOptions) -> Summary:
    """Fills --out with detections.json, detections.csv and drawn/NAME.png. A damaged image is passed over and
    named among the issues. InputError where an input cannot be used, or no image can be looked at."""
    require_free(as_path(options.out))
    like = None if options.like is None else coco_ids.read_coco_ids(as_path(options.like))
    model = model_folder(str(options.model))
    options.progress("opening the model", 0, None)
    detector = load_detector(model, options.label_map)
    needed = _needed(options.score, model, detector.labels)
    rows: list[result_files.Row] = []
    issues: list[Issue] = []
    names = _Names()
    paths: dict[int, str] = {}
    find = finder(detector)
    options.progress("detecting", 0, None, COMPILING)
    with published_folder(as_path(options.out)) as out:
        (out / "drawn").mkdir()
        for batch in _batches(_sound(input_images(options.words), issues), options.batch):
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
    scores = {
        name: needed.get(label_id, operating_points.USUAL)
        for label_id, name in detector.labels.name_by_id.items()
    }
    return Summary(names.count, Counter(row.name for row in rows), scores, tuple(issues), left_out)


def _results(
    rows: list[result_files.Row], paths: dict[int, str], like: coco_ids.CocoIds | None
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Returns COCO's results, in ids of --like where it is given; and what these left out."""
    if like is None:
        return result_files.coco_results(rows), ()
    results, left_out = coco_ids.results(like, result_files.named(rows, paths))
    return results, tuple(left_out.lines)


def _sound(candidates: Iterable[InputImage], issues: list[Issue]) -> Iterator[InputImage]:
    """Yields the images that can be decoded; their issues are added to `issues`."""
    for image in candidates:
        issues += image.issues
        if image.data:
            yield image


def _batches(sound: Iterator[InputImage], size: int) -> Iterator[list[InputImage]]:
    while batch := list(islice(sound, size)):
        yield batch


def _needed(score: float | None, model: Path, labels: LabelMap) -> operating_points.Needed:
    if score is None:
        return operating_points.read_scores(model / operating_points.FILE, labels)
    return dict.fromkeys(labels.name_by_id, score)


def _detected(
    find: Finder, batch: list[InputImage], needed: operating_points.Needed
) -> Iterator[tuple[InputImage, NDArray[np.uint8], ImageDetections]]:
    decoded = [decode_image(image.data, image.name) for image in batch]
    for image, pixels, detections in zip(batch, decoded, find(decoded), strict=True):
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
