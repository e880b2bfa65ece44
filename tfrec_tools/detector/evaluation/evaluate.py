"""The story of `tfrec evaluate`: a model folder and annotated records to numbers, curves and a table."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from tfrec_tools.detector.data.index import IndexedExample, index_records, read_example
from tfrec_tools.detector.evaluation import charts, coco_ids
from tfrec_tools.detector.evaluation.average_precision import ImageDetections, find
from tfrec_tools.detector.evaluation.measured import MetricsDocument
from tfrec_tools.detector.evaluation.metrics import Metrics, measure
from tfrec_tools.detector.model.detector import COMPILING, load_detector
from tfrec_tools.detector.model.zoo import model_folder
from tfrec_tools.detector.options.models import EvaluateOptions
from tfrec_tools.errors import InputError, counted, listed
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.system.atomic import published_folder, require_free
from tfrec_tools.system.options import as_path
from tfrec_tools.tfrecords.example import parse_example


def evaluate_model(options: EvaluateOptions, note: Callable[[str], None] = lambda _: None) -> Metrics:
    """Measures, and fills --out, where there is one, with metrics.json, precision_recall.png, f1.png and
    confusion.png, with --like also detections.json; `note` is told what that lacks, and what is not measured.
    InputError where an input cannot be used."""
    if options.folder is not None:
        require_free(options.folder)
    elif options.like is not None:
        raise InputError("--like", "its results are written into --out; give --out DIR")
    like = None if options.like is None else coco_ids.read_coco_ids(as_path(options.like))
    options.progress("opening the model", 0, None)
    detector = load_detector(model_folder(str(options.model)), options.label_map)
    reading = f"reading {' '.join(options.patterns)}"
    unknown: Counter[str] = Counter()
    examples = index_records(
        options.patterns, detector.labels, lambda done: options.progress(reading, done, None), unknown
    )
    _say_unknown(unknown, note)
    options.progress("detecting", 0, len(examples), COMPILING)
    detections = find(
        detector,
        examples,
        detector.labels,
        lambda done: options.progress("detecting", done, len(examples)),
        options.batch,
    )
    options.progress("measuring", 0, None)
    measured = measure(
        examples, detections, detector.labels, min_score=options.score, voc07=options.voc07, intervals=True
    )
    metrics = replace(measured, left_out=dict(unknown.most_common()))
    if options.folder is not None:
        options.progress("drawing curves", 0, None)
        with published_folder(options.folder) as part:
            _write(options, metrics, part)
            if like is not None:
                results, left_out = coco_ids.results(like, _named(examples, detections, detector.labels))
                coco_ids.write_results(part / "detections.json", results)
                for line in left_out.lines:
                    note(line)
    return metrics


def _say_unknown(unknown: Counter[str], note: Callable[[str], None]) -> None:
    """What a base is not measured by: it cannot know the classes that it is to learn."""
    if unknown:
        most = listed([f"{count} of {name!r}" for name, count in unknown.most_common()])
        boxes = counted(unknown.total(), "box")
        note(f"left out: {boxes} of classes that the model does not know, {most}")


def _named(
    examples: Sequence[IndexedExample], detections: Sequence[ImageDetections], labels: LabelMap
) -> Iterator[coco_ids.NamedDetection]:
    """Yields the detections by the names of their images and classes."""
    names = labels.name_by_id
    for example, found in zip(examples, detections, strict=True):
        filename = parse_example(read_example(example), example.source).record.filename
        width, height = example.width, example.height
        edges = found.boxes[:, [1, 0, 3, 2]] * [width, height, width, height]  # (M, 4) pixels
        for box, score, label_id in zip(
            edges.tolist(), found.scores.tolist(), found.ids.tolist(), strict=True
        ):
            yield coco_ids.NamedDetection(filename, (width, height), names[label_id], tuple(box), score)


def document(options: EvaluateOptions, metrics: Metrics) -> dict[str, Any]:
    """What metrics.json says: Metrics as it is, with what it is of."""
    measured = {each.name: getattr(metrics, each.name) for each in fields(metrics)}
    measured["confusion"] = tuple(map(tuple, metrics.confusion.tolist()))
    return asdict(MetricsDocument(str(options.model), options.patterns, options.score, **measured))


def format_document(options: EvaluateOptions, metrics: Metrics) -> str:
    return json.dumps(document(options, metrics), ensure_ascii=False, indent=2) + "\n"


def _write(options: EvaluateOptions, metrics: Metrics, part: Path) -> None:
    (part / "metrics.json").write_text(format_document(options, metrics), encoding="utf-8")
    charts.save_precision_recall(metrics, part / "precision_recall.png")
    charts.save_f1(metrics, part / "f1.png")
    charts.save_confusion(metrics, options.score, part / "confusion.png")
