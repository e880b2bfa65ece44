"""What `tfrec export` wrote, kept with what it was made of; without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tfrec_tools.dataset.changes import Change, Outcome
from tfrec_tools.dataset.made_folder import Origin
from tfrec_tools.detector.model import origins
from tfrec_tools.detector.options.models import ExportOptions
from tfrec_tools.system.options import recorded_texts

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
