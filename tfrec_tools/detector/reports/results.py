"""The files of a finished run: the table, the charts, the page and the model's card."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL.Image import Image

from tfrec_tools.detector.evaluation import charts, operating_points
from tfrec_tools.detector.evaluation.metrics import Metrics, most_confused
from tfrec_tools.detector.reports import compare_page, comparison, model_card, run_page
from tfrec_tools.detector.reports.comparison import Facts, Line
from tfrec_tools.detector.reports.run_page import Attached
from tfrec_tools.detector.reports.side_by_side import Compared
from tfrec_tools.detector.training import curves
from tfrec_tools.detector.training.train_step import StepLosses
from tfrec_tools.detector.training.validation import Validation
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.system.atomic import published
from tfrec_tools.system.toml_options import Values

_IMAGES = {  # in the order of the page
    "detections.png": "Annotated, before, after",
    "loss.png": "Training",
    "precision_recall.png": "Precision and recall of the grown model",
    "f1.png": "Where to set the score: F1 of the grown model",
    "confusion.png": "What it takes for what",
}
_PSEUDO_LABELS = "pseudo_labels/preview.png"


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """What there is to show; `metrics` are the grown model's, `beside` is it beside the base, None where that
    can know none of its classes."""

    lines: Sequence[Line]
    facts: Facts
    options: Values
    labels: LabelMap
    curve: Sequence[StepLosses]
    validations: Sequence[Validation]
    detections: Image
    metrics: Metrics
    beside: Compared | None = None


def write_results(out: Path, results: Results) -> None:
    """All at once into the folder of a run that has its model, report.json last: it is there when the run
    is finished; the page beside the base before it."""
    if results.beside is not None:
        compare_page.write_page(out / compare_page.FILE, results.beside)
    scores = f"model/{operating_points.FILE}"
    names = (*_IMAGES, "metrics.csv", "model/README.md", scores, "report.html", "report.json")
    with published(*(out / name for name in names)) as parts:
        part = dict(zip(names, parts, strict=True))
        results.detections.save(part["detections.png"], "PNG", optimize=True)
        curves.save_loss_curve(results.curve, results.validations, part["loss.png"])
        charts.save_precision_recall(results.metrics, part["precision_recall.png"])
        charts.save_f1(results.metrics, part["f1.png"])
        charts.save_confusion(results.metrics, None, part["confusion.png"])
        comparison.write_metrics_csv(part["metrics.csv"], results.lines)
        best = {
            class_metrics.name: class_metrics.best
            for class_metrics in results.metrics.classes
            if class_metrics.best
        }
        part[scores].write_text(operating_points.format_scores(best), encoding="utf-8")
        card = model_card.format_card(results.lines, best, results.facts, results.options)
        part["model/README.md"].write_text(card, encoding="utf-8")
        shown = {title: _embedded(part[name]) for name, title in _IMAGES.items()}
        if (out / _PSEUDO_LABELS).is_file():
            shown["Old classes on new images, labelled by the base"] = _embedded(out / _PSEUDO_LABELS)
        attached = Attached(
            shown, compare_page.FILE if results.beside else "", most_confused(results.metrics)
        )
        page = run_page.format_page(
            results.lines, best, results.facts, results.options, results.labels, attached
        )
        part["report.html"].write_text(page, encoding="utf-8")
        comparison.write_report_json(
            part["report.json"], results.lines, results.facts, results.labels.name_by_id
        )


def _embedded(file: Path) -> str:
    """Returns a PNG as an address that holds it."""
    return f"data:image/png;base64,{b64encode(file.read_bytes()).decode()}"
