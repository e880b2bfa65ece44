"""The story of `tfrec detect`: pictures in, boxes drawn and listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.detector.evaluation import operating_points
from tfrec_tools.detector.evaluation.average_precision import Found
from tfrec_tools.detector.inference import result_files
from tfrec_tools.detector.inference.inputs import Given, given
from tfrec_tools.detector.inference.predictor import Finder, finder
from tfrec_tools.detector.model.detector import load_detector
from tfrec_tools.detector.reports import images
from tfrec_tools.errors import InputError
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.system.atomic import published_folder, require_free

Stage = Callable[[str], AbstractContextManager[Callable[[int, int | None, str], None]]]


@dataclass(frozen=True, slots=True)
class Detection:
    """What to do: look for objects in what the words name (see `inputs.given`), with at least `min_score`,
    or, where that is None, the score of their class in the model folder's scores.json."""

    model: Path
    words: tuple[str, ...]
    out: Path
    batch_size: int
    min_score: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What was found: pictures looked at, boxes by class, the scores from which on they count, and what was
    odd about files. Those whose issue is `image-damaged` could not be looked at."""

    pictures: int
    boxes: Counter[str]
    scores: dict[str, float]
    issues: tuple[Issue, ...]

    @property
    def damaged(self) -> tuple[Issue, ...]:
        return tuple(issue for issue in self.issues if issue.code == "image-damaged")


def detect_pictures(plan: Detection, stage: Stage) -> Summary:
    """Fills plan.out with detections.json, detections.csv and pictures/NAME.png. A damaged picture is passed
    over and told of. InputError where an input cannot be used, or no picture can be looked at."""
    require_free(plan.out)
    detector = load_detector(plan.model)
    needed = _needed(plan, detector.labels)
    rows: list[result_files.Row] = []
    issues: list[Issue] = []
    names = _Names()
    find = finder(detector)
    with published_folder(plan.out) as out, stage("detecting") as show:
        (out / "pictures").mkdir()
        for batch in _batches(_sound(given(plan.words), issues), plan.batch_size):
            for one, pixels, found in _look(find, batch, needed):
                size_wh = (pixels.shape[1], pixels.shape[0])
                rows += result_files.rows(one.image_id, one.name, size_wh, found, detector.labels)
                _save(pixels, found, detector.labels, out / "pictures" / names.unused(one))
            show(names.count, None, "")
        if not names.count:
            raise InputError(" ".join(plan.words), f"no sound picture ({_first(issues)})")
        result_files.write_coco(out / "detections.json", rows)
        result_files.write_csv(out / "detections.csv", rows)
    scores = {
        name: needed.get(label_id, operating_points.USUAL)
        for label_id, name in detector.labels.name_by_id.items()
    }
    return Summary(names.count, Counter(row.name for row in rows), scores, tuple(issues))


def _sound(pictures: Iterable[Given], issues: list[Issue]) -> Iterator[Given]:
    """Those that can be looked at; what is odd about any is added to `issues`."""
    for one in pictures:
        issues += one.issues
        if one.data:
            yield one


def _batches(pictures: Iterator[Given], size: int) -> Iterator[list[Given]]:
    while batch := list(islice(pictures, size)):
        yield batch


def _needed(plan: Detection, labels: LabelMap) -> operating_points.Needed:
    if plan.min_score is None:
        return operating_points.read_scores(plan.model / operating_points.FILE, labels)
    return dict.fromkeys(labels.name_by_id, plan.min_score)


def _look(
    find: Finder, batch: list[Given], needed: operating_points.Needed
) -> Iterator[tuple[Given, NDArray[np.uint8], Found]]:
    decoded = [_decode(one) for one in batch]
    for one, pixels, found in zip(batch, decoded, find(decoded), strict=True):
        yield one, pixels, operating_points.sure(found, needed)


def _decode(one: Given) -> NDArray[np.uint8]:
    """(H, W, 3), as the trainer decodes it."""
    try:
        image = tf.io.decode_image(one.data, channels=3, expand_animations=False)
    except tf.errors.InvalidArgumentError as fault:
        raise InputError(one.name, f"TensorFlow cannot decode it ({fault.message})") from fault
    return np.asarray(image)


def _save(pixels: NDArray[np.uint8], found: Found, labels: LabelMap, path: Path) -> None:
    picture = Image.fromarray(pixels)
    images.draw(picture, found, labels)
    picture.save(path, "PNG")


class _Names:
    """A file name for each picture, by its own name; a second of a name has its id too."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    @property
    def count(self) -> int:
        return len(self._used)

    def unused(self, one: Given) -> str:
        stem = Path(one.name.replace("\\", "/")).stem or "picture"
        for name in (f"{stem}.png", f"{stem}_{one.image_id}.png", f"{stem}_{one.image_id}_{self.count}.png"):
            if name.lower() not in self._used:
                break
        self._used.add(name.lower())
        return name


def _first(issues: list[Issue]) -> str:
    return issues[0].message if issues else "the record files hold no examples"
