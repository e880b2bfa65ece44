"""The page of two models side by side: the table of classes, then the images, worst mistakes first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from tfrec_tools.annotations.records import image_record
from tfrec_tools.detector.data.index import IndexedExample, read_example
from tfrec_tools.detector.evaluation.fates import KINDS, MISTAKES, Fate
from tfrec_tools.detector.reports.side_by_side import Compared, numbers, summary
from tfrec_tools.drawing import gallery
from tfrec_tools.drawing.gallery import Head
from tfrec_tools.drawing.previews import Chosen, Mark, Preview
from tfrec_tools.images.loading import EncodedImage
from tfrec_tools.system.options import Progress, silent
from tfrec_tools.tfrecords.example import parse_example

FILE = "compare.html"  # in a run's folder
USUAL_COUNT = 200  # images


def write_page(out: Path, result: Compared, count: int = USUAL_COUNT, progress: Progress = silent) -> int:
    """Writes the page with at most so many images; returns how many. All of it appears, or nothing."""
    order = worst_first(result.fates)[:count]
    names = result.labels.name_by_id
    waiting = [partial(_shown, result.examples[place], result.fates[place], names) for place in order]
    chosen = Chosen(waiting, len(result.examples), result.labels.names, KINDS)
    head = Head("A and B side by side", _lead(result, len(order)), numbers=numbers(result))
    return gallery.write(out, head, chosen, progress).images


def worst_first(of_images: Sequence[Sequence[Fate]]) -> list[int]:
    """Returns the places of images: those first in which the second model's worst mistake is of the highest
    score (a lost box by the first model's, a new false alarm by its own), then those with more of them; the
    rest, as they stand, those with any change first."""

    def rank(place: int) -> tuple[float, int, bool, int]:
        of_image = of_images[place]
        mistakes = [fate.severity for fate in of_image if fate.kind in MISTAKES]
        changes = any(fate.kind in ("won", "gone false alarm") for fate in of_image)
        return -max(mistakes, default=-1.0), -len(mistakes), not changes, place

    return sorted(range(len(of_images)), key=rank)


def _lead(result: Compared, shown: int) -> str:
    of_total = (
        f"the {shown:,} worst of {len(result.examples):,} images" if shown < len(result.examples) else ""
    )
    below = (
        f"Below are {of_total or 'all images'}, B's worst mistakes first: boxes lost by A's score, new false "
    )
    return f"{summary(result)} {below}alarms by B's; both are red and dashed."


def _shown(example: IndexedExample, of_image: Sequence[Fate], names: dict[int, str]) -> Preview:
    """Returns an image with a box for each fate, what draws the eye on top; it is read here."""
    parsed = parse_example(read_example(example), example.source)
    ordered = sorted(of_image, key=lambda fate: (fate.kind in MISTAKES, fate.severity))
    width, height = example.width, example.height
    boxes = np.array([fate.box for fate in ordered], np.float64).reshape(-1, 4)
    record = image_record(
        image_id=parsed.record.image_id,
        filename=parsed.record.filename,
        source=example.source,
        width=width,
        height=height,
        boxes_xyxy=boxes[:, [1, 0, 3, 2]] * (width, height, width, height),
        names=tuple(names[fate.id] for fate in ordered),
        labeled=_labeled(example, names),
    )
    stored = parsed.image
    image = EncodedImage(stored.data, stored.format, stored.width, stored.height)
    marks = tuple(Mark(fate.kind, _note(fate), fate.kind in MISTAKES) for fate in ordered)
    return Preview(record, image, marks=marks)


def _labeled(example: IndexedExample, names: dict[int, str]) -> frozenset[str] | None:
    """Returns the classes that the image was annotated for; None where those are all."""
    if example.labeled >= names.keys():
        return None
    return frozenset(names[label_id] for label_id in example.labeled if label_id in names)


def _note(fate: Fate) -> str:
    """Returns " lost A 0.83"."""
    scores = [
        f"{letter} {score:.2f}"
        for letter, score in (("A", fate.first), ("B", fate.second))
        if score is not None
    ]
    return " ".join(("", fate.kind, *scores))
