"""A finished run that nobody trained: two models that find what a rule says, in as many images as a set has,
and the pages of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tfrec_tools.detector.data.index import IndexedExample, index_records
from tfrec_tools.detector.evaluation.average_precision import AveragePrecision, ImageDetections
from tfrec_tools.detector.model.class_rows import ClassRow
from tfrec_tools.detector.reports import comparison
from tfrec_tools.detector.reports.compare_page import FILE, write_page
from tfrec_tools.detector.reports.run_page import Attached, format_page
from tfrec_tools.detector.reports.side_by_side import Compared, Side, compared
from tfrec_tools.labels.label_map import from_names

_CLASSES = 200


def compared_on(records: Path, names: Sequence[str]) -> Compared:
    """Of two models on records: each misses some boxes and sees some that are not there."""
    labels = from_names(names)
    examples = index_records([str(records)], labels)
    known = frozenset(labels.name_by_id)
    first, second = (
        Side(name, known, [_found(example, i, every) for i, example in enumerate(examples)], {}, {})
        for name, every in (("base", 5), ("run/model", 7))
    )
    return compared(examples, first, second, labels)


def _found(example: IndexedExample, place: int, every: int) -> ImageDetections:
    """All boxes but the first one in each image of `every`, and one more in each of `every` others."""
    boxes, ids = example.boxes, example.ids
    if place % every == 0:
        boxes, ids = boxes[1:], ids[1:]
    if place % every == 1:
        boxes = np.concatenate([boxes, np.array([[0.8, 0.8, 1, 1]], np.float32)])
        ids = np.concatenate([ids, ids[:1]])
    scores = np.linspace(0.95, 0.55, len(ids), dtype=np.float32)
    return ImageDetections(boxes, scores, ids)


def write_report(out: Path, result: Compared) -> Path:
    """Writes the report of a run with 200 classes, and the page beside its base that it links to."""
    out.mkdir()
    write_page(out / FILE, result, len(result.examples))
    labels = from_names([f"class {i}" for i in range(_CLASSES)])
    rows = [ClassRow(i, name, i if i < _CLASSES else None) for i, name in labels.name_by_id.items()]
    before, after = (
        {i: AveragePrecision(0.5 * share, share, i) for i, share in shares.items()}
        for shares in (dict.fromkeys(range(1, _CLASSES), 0.9), dict.fromkeys(range(1, _CLASSES + 1), 0.8))
    )
    facts = comparison.Facts(
        "base", 10.0, 300, "all steps done", 300, {}, {}, {"to measure with": 5000}, ["flip"], 60.0, {}
    )
    text = format_page(
        comparison.comparison(rows, before, after),
        {},
        replace(facts, measured_with="5,000 images"),
        {"steps": 300},
        labels,
        Attached({}, FILE),
    )
    (out / "report.html").write_text(text, encoding="utf-8")
    return out / "report.html"
