"""Models: grown, measured, exported and run, as functions that print nothing. TensorFlow is loaded at the
first call."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.api.keywords import in_one_line, taking
from tfrec_tools.detector import preflight
from tfrec_tools.detector.export.exported import Agreement, Exported, origin_of
from tfrec_tools.detector.model.standing import finished_before
from tfrec_tools.detector.options.comparing import CompareOptions
from tfrec_tools.detector.options.finetune import FinetuneOptions
from tfrec_tools.detector.options.models import EvaluateOptions, ExportOptions
from tfrec_tools.detector.training.run_notes import report
from tfrec_tools.errors import InputError
from tfrec_tools.formats.classes import read_map
from tfrec_tools.system.options import StrPath, as_path

if TYPE_CHECKING:
    from tfrec_tools.detector.evaluation.metrics import Metrics
    from tfrec_tools.detector.inference.predictor import Finder
    from tfrec_tools.detector.model.detector import Detector
    from tfrec_tools.detector.reports.comparison import Line
    from tfrec_tools.detector.reports.side_by_side import Compared


@dataclass(frozen=True, slots=True)
class Run:
    """A finished training: its folder, the grown model's, for each class and mean its average precision
    before and after, and what was chosen, set aside or is odd about what it was given."""

    out: Path
    model: Path
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()

    @property
    def forgetting(self) -> float | None:
        """Points of mean AP50 that the old classes lost; None where there are none."""
        from tfrec_tools.detector.reports.comparison import forgetting

        return forgetting(self.lines)

    @property
    def agreement_lost(self) -> float | None:
        """Points of the agreement with the base that the old classes lost in the mean, which tells of them
        where no label does; None where the base was confident of none."""
        from tfrec_tools.detector.reports.comparison import agreement_lost

        return agreement_lost(self.lines)


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What a model found in an image, best first.

    boxes_xyxy  (N, 4) float32 [xmin ymin xmax ymax] in pixels
    scores      (N,) float32, 0 to 1
    labels      (N,) int64 class ids of the model's label map; names (N,)
    """

    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A detector in memory; `classes` is {id: name}, `notes` what was chosen in its folder where there was a
    choice."""

    folder: Path
    classes: dict[int, str]
    notes: tuple[str, ...]
    _detector: Detector = field(repr=False)
    _finder: Finder = field(repr=False)

    @in_one_line
    def detect(self, image: StrPath | NDArray[np.uint8], *, score: float | None = None) -> Detections:
        """Finds objects in an image file, or in an image (H, W, 3) uint8, RGB. `score` is the lowest that
        counts; None takes for each class that of the model folder's scores.json, else 0.5. Raises InputError
        where the file is no image."""
        from tfrec_tools.detector.evaluation import operating_points

        pixels = image if isinstance(image, np.ndarray) else _pixels(as_path(image))
        if score is None:
            scores = operating_points.read_scores(self.folder / operating_points.FILE, self._detector.labels)
        else:
            scores = dict.fromkeys(self.classes, score)
        (every,) = self._finder([pixels])
        kept = operating_points.above_threshold(every, scores)
        height, width = pixels.shape[:2]
        boxes_xyxy = kept.boxes[:, [1, 0, 3, 2]] * np.array([width, height, width, height], np.float32)
        labels = kept.ids.astype(np.int64)
        names = tuple(self.classes[label] for label in labels.tolist())
        return Detections(boxes_xyxy, kept.scores, labels, names)


@in_one_line
def open_model(model: StrPath, *, labels: StrPath | None = None) -> Model:
    """Opens a model folder (pipeline.config, label map, checkpoint/), or a model of TFOD's zoo by name.
    `labels` is its label map, where that is not to be looked for. Raises TfrecError where it cannot be opened
    or fetched."""
    from tfrec_tools.detector.inference.predictor import finder
    from tfrec_tools.detector.model.detector import load_detector
    from tfrec_tools.detector.model.zoo import model_folder

    label_map = None if labels is None else as_path(labels)
    folder = model_folder(str(model))
    notes = preflight.model_notes(folder, label_map, "labels")
    detector = load_detector(folder, label_map)
    return Model(folder, dict(detector.labels.name_by_id), notes, detector, finder(detector))


@taking(FinetuneOptions)
def finetune(options: FinetuneOptions) -> Run:
    """Grows a detector by the classes that `labels` adds, and trains it without forgetting the old ones, as
    `tfrec finetune` does. Raises TfrecError where an input cannot be used."""
    if options.dry_run or options.control:
        raise InputError("dry_run" if options.dry_run else "control", "is for the command `tfrec finetune`")
    label_map = read_map(options.labels_path)
    settled = preflight.settled_run(options)
    checked = preflight.require_finetunable(settled.options, label_map)
    from tfrec_tools.detector import finetune as story
    from tfrec_tools.detector import plan as planning
    from tfrec_tools.detector.reports import comparison

    notes = [*checked.notes]
    plan = planning.planned(settled.options, label_map, checked.examples)
    plan = replace(plan, inputs=checked.inputs, say=notes.append)
    if settled.is_finished:
        lines = comparison.read_lines(report(plan.out))
    else:
        lines = story.finetune(plan, resume=bool(settled.options.resume))
    return Run(plan.out, plan.out / "model", tuple(lines), tuple(notes))


@taking(EvaluateOptions)
def evaluate(options: EvaluateOptions) -> Metrics:
    """Measures a detector by COCO's average precisions, as `tfrec evaluate` does. Raises TfrecError where an
    input cannot be used."""
    preflight.require_records(options.patterns)
    from tfrec_tools.detector.evaluation.evaluate import evaluate_model

    return evaluate_model(options)


@taking(CompareOptions)
def compare(options: CompareOptions) -> Compared:
    """Holds two models against each other on the same annotated images, as `tfrec compare` does: what became
    of each box. Raises TfrecError where an input cannot be used."""
    if options.is_of_sets:
        raise InputError("records", "is missing, expected annotated records; compare_sets is for two sets")
    preflight.require_records(options.patterns)
    from tfrec_tools.detector.comparing import compare_models

    return compare_models(options)[0]


@taking(ExportOptions)
def export(options: ExportOptions) -> Agreement:
    """Writes a model for others to run, as `tfrec export` does; returns how far what was written is from the
    original. Raises TfrecError, and writes nothing, where they do not agree."""
    preflight.require_images(options.patterns)
    if (before := finished_before(options, origin_of, Exported)) is not None:
        return before.agreement
    from tfrec_tools.detector.export.export import export_model

    return export_model(options).agreement


def _pixels(path: Path) -> NDArray[np.uint8]:
    """Decodes an image file as `tfrec detect` does. Raises InputError where it is none, or several."""
    from tfrec_tools.detector.data.images import decode_image
    from tfrec_tools.detector.data.inputs import input_images

    images = list(islice(input_images([str(path)]), 2))
    if len(images) != 1 or not images[0].data:
        reasons = "; ".join(issue.message for image in images for issue in image.issues)
        raise InputError(path, reasons or "holds several images; give one image file, or an array")
    return decode_image(images[0].data, images[0].name)
