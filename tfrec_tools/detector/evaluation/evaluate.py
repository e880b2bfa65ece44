"""The story of `tfrec evaluate`: a model folder and annotated records to numbers, curves and a table."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tfrec_tools.detector.data.index import index_records
from tfrec_tools.detector.evaluation import charts
from tfrec_tools.detector.evaluation.average_precision import find
from tfrec_tools.detector.evaluation.metrics import Metrics, measure
from tfrec_tools.detector.model.detector import load_detector
from tfrec_tools.system.atomic import published_folder, require_free

Stage = Callable[[str], AbstractContextManager[Callable[[int, int | None, str], None]]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What to measure: a model folder on patterns of record files; `min_score` is for the confusion,
    None for the best score of each class."""

    model: Path
    records: tuple[str, ...]
    out: Path | None
    batch_size: int
    min_score: float | None
    voc07: bool


def evaluate_model(plan: Evaluation, stage: Stage) -> Metrics:
    """Measures, and fills plan.out, where there is one, with metrics.json, precision_recall.png and
    confusion.png. InputError where an input cannot be used."""
    if plan.out is not None:
        require_free(plan.out)
    detector = load_detector(plan.model)
    with stage(f"reading {' '.join(plan.records)}") as show:
        examples = index_records(plan.records, detector.labels, lambda done: show(done, None, ""))
    with stage("detecting") as show:
        found = find(
            detector,
            examples,
            detector.labels,
            lambda done: show(done, len(examples), ""),
            plan.batch_size,
        )
    metrics = measure(examples, found, detector.labels, min_score=plan.min_score, voc07=plan.voc07)
    if plan.out is not None:
        _write(plan, metrics, plan.out)
    return metrics


def document(plan: Evaluation, metrics: Metrics) -> dict[str, Any]:
    """What metrics.json says: Metrics as it is, with what it is of."""
    return {
        "model": str(plan.model),
        "records": list(plan.records),
        "min_score": plan.min_score,
        **asdict(metrics),
        "confusion": metrics.confusion.tolist(),
    }


def format_document(plan: Evaluation, metrics: Metrics) -> str:
    return json.dumps(document(plan, metrics), ensure_ascii=False, indent=2) + "\n"


def _write(plan: Evaluation, metrics: Metrics, out: Path) -> None:
    with published_folder(out) as part:
        (part / "metrics.json").write_text(format_document(plan, metrics), encoding="utf-8")
        charts.save_precision_recall(metrics, part / "precision_recall.png")
        charts.save_confusion(metrics, plan.min_score, part / "confusion.png")
