"""The story of `tfrec compare`: two models and annotated records to what the second lost and won."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tfrec_tools.detector.data.index import IndexedExample, index_records
from tfrec_tools.detector.evaluation import operating_points
from tfrec_tools.detector.evaluation.average_precision import find
from tfrec_tools.detector.evaluation.operating_points import Needed
from tfrec_tools.detector.model.description import describe
from tfrec_tools.detector.model.detector import COMPILING, load_detector
from tfrec_tools.detector.model.zoo import model_folder
from tfrec_tools.detector.options.comparing import CompareOptions
from tfrec_tools.detector.reports.compare_page import write_page
from tfrec_tools.detector.reports.side_by_side import Compared, Side, compared
from tfrec_tools.labels.label_map import LabelMap, from_names


def compare_models(options: CompareOptions) -> tuple[Compared, int]:
    """Returns what came out, and how many images the page shows, 0 without --out. Classes are the same by
    their names. InputError where an input cannot be used."""
    page = options.page
    folders = [model_folder(model) for model, _, _ in options.models]
    own = [
        describe(folder, labels, flag).labels
        for folder, (_, labels, flag) in zip(folders, options.models, strict=True)
    ]
    labels = of_either(*own)
    reading = f"reading {' '.join(options.patterns)}"
    unknown: Counter[str] = Counter()
    examples = index_records(
        options.patterns, labels, lambda done: options.progress(reading, done, None), unknown
    )
    needed = [
        _needed(options.score, folder, of_model, labels)
        for folder, of_model in zip(folders, own, strict=True)
    ]
    first, second = (
        _side(options, place, folders[place], needed[place], examples, labels) for place in (0, 1)
    )
    options.progress("measuring", 0, None)
    result = compared(examples, first, second, labels, dict(unknown.most_common()))
    if page is None:
        return result, 0
    page.parent.mkdir(parents=True, exist_ok=True)
    return result, write_page(page, result, options.count, options.progress)


def of_either(first: LabelMap, second: LabelMap) -> LabelMap:
    """Returns the classes of two models by name: the second's, then those that the first alone has."""
    return from_names(dict.fromkeys((*second.names, *first.names)))


def _needed(score: float | None, folder: Path, own: LabelMap, labels: LabelMap) -> Needed:
    """Returns {id of either's classes: the score from which on the model's detections count}."""
    if score is not None:
        return dict.fromkeys(labels.name_by_id, score)
    scores = operating_points.read_scores(folder / operating_points.FILE, own)
    return {labels.id_by_name[own.name_by_id[own_id]]: least for own_id, least in scores.items()}


def _side(
    options: CompareOptions,
    place: int,
    folder: Path,
    needed: Needed,
    examples: Sequence[IndexedExample],
    labels: LabelMap,
) -> Side:
    """Runs a model, which is in memory no longer than that."""
    model, label_map, flag = options.models[place]
    options.progress(f"opening {'AB'[place]}", 0, None)
    detector = load_detector(folder, label_map, flag)
    step = f"detecting with {'AB'[place]}"
    options.progress(step, 0, len(examples), COMPILING)
    detections = find(
        detector,
        examples,
        labels,
        lambda done: options.progress(step, done, len(examples)),
        options.batch,
    )
    ids = frozenset(labels.id_by_name[name] for name in detector.labels.names)
    return Side(model, ids, detections, needed)
