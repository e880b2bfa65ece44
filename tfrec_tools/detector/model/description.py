"""What a model folder says of itself, read without TensorFlow: its config and its classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tfrec_tools.detector.checkpoints import latest, unsupported
from tfrec_tools.detector.config.read import Config, parse_pipeline, read_pipeline_text
from tfrec_tools.errors import InputError, counted
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.labels.model_folders import CONFIG, find_labels

MODEL_LABELS, BASE_LABELS = "--model-labels", "--base-labels"


@dataclass(frozen=True, slots=True)
class Description:
    """The config, its text and the classes of a model folder; `notes` say which files were chosen where there
    was a choice."""

    config: Config
    text: str
    labels: LabelMap
    notes: tuple[str, ...]


def describe(folder: Path, label_map: Path | None = None, flag: str = MODEL_LABELS) -> Description:
    """Returns what a model folder says. The classes are those of `label_map`, else whatever
    `model_folders.find_labels` finds; `flag` is the option that names one. Raises InputError where a part is
    missing, cannot be used, or they do not fit together."""
    unsupported.require_folder(folder)
    unsupported.refuse_tf1(folder)
    text = read_pipeline_text(folder / CONFIG)
    config = parse_pipeline(folder / CONFIG, text)
    taken = find_labels(folder, label_map, f"give it by {flag} MAP")
    _require_count(folder, config, taken.labels, flag)
    notes = (f"classes of {folder}: {taken.how}" if taken.how else "", latest.which(folder))
    return Description(config, text, taken.labels, tuple(filter(None, notes)))


def _require_count(folder: Path, config: Config, labels: LabelMap, flag: str) -> None:
    """Each output of the class head has a class, but for ids that the map leaves out."""
    largest = max(labels.name_by_id)
    if largest != config.num_classes:
        raise InputError(
            folder / CONFIG,
            f"found {counted(config.num_classes, 'class')}, expected {largest}, the largest id in "
            f"{labels.subject}; give the label map that the model was trained with by {flag} MAP",
            where="num_classes",
        )
