"""What `tfrec export` wrote, kept with what it was made of; and whether that is there already, which is known
without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tfrec_tools.dataset import made_folder
from tfrec_tools.dataset.changes import Change, Outcome
from tfrec_tools.dataset.made_folder import Origin, Standing
from tfrec_tools.detector.model import origins
from tfrec_tools.detector.model.zoo import local_folder
from tfrec_tools.detector.options.models import ExportOptions
from tfrec_tools.system.options import as_path, recorded_texts

_WITH_ONNX = ("tf2onnx", "onnxruntime")


@dataclass(frozen=True, slots=True)
class Agreement:
    """Largest differences, in fractions of the image and of 1; raw_mean is the mean one of raw scores.

    lost   of the best detections of the original, how many the exported model does not have
    gaps   ids below the largest that no class of the label map has: labels.txt has ??? there
    """

    raw_boxes: float
    raw_scores: float
    raw_mean: float
    lost: int
    compared: int
    gaps: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Exported:
    """How far what was written is from the original; `outcome` and `changed` are as those of a finished
    set."""

    agreement: Agreement
    outcome: Outcome = "made"
    changed: tuple[Change, ...] = ()


def origin_of(options: ExportOptions, model: Path) -> Origin:
    """Raises InputError where an input cannot be used."""
    inputs = origins.of_model(model, options.label_map)
    if options.patterns:
        inputs["--records"] = origins.of_images(options.patterns)
    versions = origins.versions_of("tensorflow", *(_WITH_ONNX if options.to == "onnx" else ()))
    return Origin("export", recorded_texts(options), versions, inputs)


def stands(options: ExportOptions, origin: Origin) -> Standing[Exported]:
    """Raises InputError as `made_folder.standing` does."""
    return made_folder.standing(as_path(options.out), origin, Exported, if_changed=options.if_changed)


def finished_before(options: ExportOptions) -> Exported | None:
    """Returns what the same command of the same model wrote; None where there is something to do. Raises
    InputError where that cannot be done."""
    model = local_folder(str(options.model))
    if model is None:  # it is to be downloaded first
        return None
    result = stands(options, origin_of(options, model)).result
    return None if result is None else replace(result, outcome="unchanged", changed=())
