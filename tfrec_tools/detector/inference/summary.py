"""What `tfrec detect` found, kept with what it was made of; without TensorFlow."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.dataset.changes import Change, Outcome
from tfrec_tools.dataset.made_folder import Origin
from tfrec_tools.detector.model import origins
from tfrec_tools.detector.options.models import DetectOptions
from tfrec_tools.labels.model_folders import SCORES
from tfrec_tools.system.options import as_path, recorded_texts

_NOT_TAKEN = ("image-damaged", "image-huge")


@dataclass(frozen=True, slots=True)
class Summary:
    """What was found: images processed, boxes by class, the scores from which on they count, and what was odd
    about files. Those whose issue is `image-damaged` or `image-huge` were not looked at. `left_out`: a line
    for each kind of detections that the file of --like has no ids for. `outcome` and `changed` are as those
    of a finished set."""

    images: int
    boxes: dict[str, int]
    scores: dict[str, float]
    issues: tuple[Issue, ...]
    left_out: tuple[str, ...] = ()
    outcome: Outcome = "made"
    changed: tuple[Change, ...] = ()

    @property
    def damaged(self) -> tuple[Issue, ...]:
        return tuple(issue for issue in self.issues if issue.code in _NOT_TAKEN)

    @property
    def most_common(self) -> list[tuple[str, int]]:
        """The classes, that of the most boxes first."""
        return Counter(self.boxes).most_common()


def origin_of(options: DetectOptions, model: Path) -> Origin:
    """Raises InputError where an input cannot be used."""
    inputs = origins.of_model(model, options.label_map)
    if options.score is None:
        inputs[SCORES] = origins.of_file(model / SCORES)
    if options.like is not None:
        inputs["--like"] = origins.of_file(as_path(options.like))
    inputs["what is looked at"] = origins.of_images(options.words, whole_paths=options.like is not None)
    return Origin("detect", recorded_texts(options), origins.versions_of("tensorflow", "pillow"), inputs)
