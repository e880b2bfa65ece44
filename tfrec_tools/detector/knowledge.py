"""What the base knows of the images, before anything is trained: its detections, its average precision, and
the labels that it gives to old classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tfrec_tools.detector.data.index import IndexedExample
from tfrec_tools.detector.data.set_aside import without
from tfrec_tools.detector.evaluation import average_precision
from tfrec_tools.detector.evaluation.average_precision import AveragePrecision, ImageDetections
from tfrec_tools.detector.evaluation.metrics import Metrics, best_scores
from tfrec_tools.detector.materials import Materials
from tfrec_tools.detector.model.class_rows import AS_THEY_ARE, ClassRow, Renamed
from tfrec_tools.detector.model.detector import COMPILING, Detector
from tfrec_tools.detector.plan import Finetuning
from tfrec_tools.detector.reports import comparison
from tfrec_tools.detector.reports.images import labels_sheet
from tfrec_tools.detector.reports.side_by_side import Compared, Side, compared
from tfrec_tools.detector.retention import agreement, pseudo_labels, retention
from tfrec_tools.detector.retention.agreement import Watched
from tfrec_tools.detector.training.shared_file import made_once
from tfrec_tools.labels.pbtxt import format_label_map
from tfrec_tools.system.atomic import published

_LABELS = Path("pseudo_labels")


def find(
    plan: Finetuning,
    detector: Detector,
    step: str,
    examples: Sequence[IndexedExample],
    renamed: Renamed = AS_THEY_ARE,
) -> list[ImageDetections]:
    """Returns what a detector finds in each example."""
    plan.progress(step, 0, len(examples), COMPILING)
    return average_precision.find(
        detector, examples, plan.labels, plan.counted(step, len(examples)), renamed=renamed
    )


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """The base, which is asked about the materials when something is to be known of them."""

    plan: Finetuning
    detector: Detector
    rows: Sequence[ClassRow]
    data: Materials

    def find(self, step: str, examples: Sequence[IndexedExample]) -> list[ImageDetections]:
        """Returns what the base finds, which is looked for once for a run and its control."""
        return self.plan.found.of(step, examples, self._find)

    def _find(self, step: str, examples: Sequence[IndexedExample]) -> list[ImageDetections]:
        renamed = self.plan.renamed(self.detector.labels)
        return find(self.plan, self.detector, step, examples, renamed)

    def on_val(self) -> list[ImageDetections]:
        return self.find("measuring the base", self.data.val)

    def thresholds(self) -> dict[int, float]:
        """Returns {id: score} from which on the base is believed."""
        scores = self.plan.scores_of(self.detector.labels)
        return retention.thresholds(self.rows, self.data.val, self.on_val(), scores)


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known before training: from which score on the base is believed, {id: its average precision},
    what it found on the images to measure with, and what the old classes are watched by."""

    data: Materials
    believed: Mapping[int, float]
    before: Mapping[int, AveragePrecision]
    detected: Sequence[ImageDetections]
    watched: Watched

    def watching(self, lines: Sequence[comparison.Line]) -> comparison.Watching | None:
        images = len(self.data.test) + len(self.watched.more)
        return comparison.watching(lines, images, self.watched.learnt, decides=self.watched.decides)

    def beside(
        self,
        base: Base,
        detected: Sequence[ImageDetections],
        after: Mapping[int, AveragePrecision],
        metrics: Metrics,
    ) -> Compared | None:
        """Returns the base beside the grown model, which has `detected` so much on the images to measure
        with, each from its own scores on; None where the base can know none of the classes."""
        plan = base.plan
        own = plan.scores_of(base.detector.labels)
        known = {row.id: row.base_id for row in base.rows if row.base_id is not None}
        if not known:
            return None
        needed = {label_id: own[base_id] for label_id, base_id in known.items() if base_id in own}
        before = Side(str(plan.base), frozenset(known), self.detected, needed, self.before)
        ids, best = frozenset(plan.labels.name_by_id), best_scores(metrics.classes)
        grown = Side("the grown model", ids, detected, best, after)
        return compared(self.data.test, before, grown, plan.labels)

    def agreed(
        self, plan: Finetuning, detector: Detector, detected: Sequence[ImageDetections]
    ) -> dict[int, AveragePrecision]:
        """Returns {id: agreement with the base} of a detector on the images to measure with, in which it has
        `detected` so much, and on those that the old classes were watched by besides."""
        if not self.believed:
            return {}
        tested = agreement.believed(self.data.test, self.detected, self.believed)
        more = self.watched.more
        also_detected = find(plan, detector, "comparing with the base", more) if more else []
        return average_precision.average_precision([*tested, *more], [*detected, *also_detected], plan.labels)


def known(base: Base) -> Known:
    """Measures the base."""
    plan, data = base.plan, base.data
    detected_val = base.on_val()
    detected = base.find("testing the base", data.test)
    before = average_precision.average_precision(data.test, detected, plan.labels, spread=True)
    believed = base.thresholds()
    watched = Watched(agreement.believed(data.val, detected_val, believed))
    if agreement.decides(data.val, believed):
        learnt = [*data.new, *data.unlabelled]
        watched = agreement.watched(watched.val, data.held, learnt, believed, base.find)
        plan.say(agreement.explained(watched, believed, plan.labels))
    return Known(data, believed, before, detected, watched)


def with_pseudo_labels(base: Base, chiefs: Path) -> Materials:
    """Returns the materials with what the base found on the new images and on those that nobody labelled, in
    records that stay for the user to look at, in the run's folder `chiefs`; the other workers read what the
    chief has written."""
    plan, data = base.plan, base.data
    wanted = plan.memory.pseudo_labels
    if wanted == retention.OFF or not retention.old_ids(base.rows):
        return data
    if data.unlabelled:
        data = replace(data, unlabelled=_labelled(base, chiefs, "unlabelled.tfrecord", data.unlabelled))
    if wanted != retention.AUTO:
        corrected = plan.index((wanted,))
        return replace(data, new=without(corrected, data.val) if data.aside else corrected)
    data = replace(data, new=_labelled(base, chiefs, "train.tfrecord", data.new))
    if plan.cluster.is_chief:
        with published(chiefs / _LABELS / "preview.png") as (part,):
            labels_sheet(data.new, plan.labels).save(part, "PNG", optimize=True)
    return data


def _labelled(
    base: Base, chiefs: Path, name: str, examples: Sequence[IndexedExample]
) -> list[IndexedExample]:
    plan = base.plan

    def make(file: Path) -> None:
        believed, detected = base.thresholds(), base.find("labelling old classes", examples)
        file.parent.mkdir(exist_ok=True)
        (file.parent / "label_map.pbtxt").write_text(format_label_map(plan.labels), encoding="utf-8")
        pseudo_labels.write_records(file, examples, detected, believed, plan.labels)

    inside = _LABELS / name
    return plan.index((str(made_once(plan.cluster, chiefs / inside, plan.out / inside, make)),))
