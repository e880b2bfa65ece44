"""What each command prints with --json, as dataclasses of which schemas/output/ has the JSON Schemas; and the
documents of an error and of a line of --progress json.

Numbers that say how good something is are fractions (0 to 1) everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.dataset.changes import Change, Outcome
from tfrec_tools.dataset.manifest import Manifest, SourceAccount
from tfrec_tools.detector.evaluation.measured import MetricsDocument
from tfrec_tools.errors import Parts
from tfrec_tools.extraction.standing import Summary
from tfrec_tools.labels.id_tables import IdTables
from tfrec_tools.recognition.answer import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Error(Parts):
    """An error: the exit code, the line that stands on stderr, and its parts; "" where that is not said."""

    code: int
    message: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Of any command that fails before it has a result."""

    error: Error


@dataclass(frozen=True, slots=True)
class ProgressLine:
    """A line of --progress json.

    time    in UTC, ISO 8601
    total   None where it is not known; `final` on the last line of a stage
    """

    time: str
    stage: str
    done: int
    total: int | None
    note: str
    final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenSet(Manifest):
    """Of convert and remap: the set's manifest, and what was done."""

    outcome: Outcome
    changed: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class AccountedSource:
    """A source, and what became of all that it holds."""

    path: str
    accounting: SourceAccount | None


@dataclass(frozen=True, slots=True)
class Validated:
    """Of validate: what a conversion would give.

    boxes     of each class
    refused   how many issues would end the conversion
    """

    images: int
    boxes: dict[str, int]
    sources: tuple[AccountedSource, ...]
    issues: tuple[Issue, ...]
    refused: int


@dataclass(frozen=True, slots=True)
class Difference:
    """What a set has that its source has otherwise."""

    kind: str
    name: str
    message: str


@dataclass(frozen=True, slots=True)
class VerifiedSet:
    """Of verify, one for each set."""

    set: str
    faults: tuple[str, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class CountedClass:
    """A class of records."""

    name: str
    boxes: int
    images: int
    keypoints: int


@dataclass(frozen=True, slots=True)
class ImageSize:
    """How many images have a size in pixels."""

    width: int
    height: int
    images: int


@dataclass(frozen=True, slots=True)
class Feature:
    """A line about the first record."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Inspected:
    """Of inspect.

    splits, formats   {name: images}
    boxes_per_image   {how many boxes: images}
    box_sizes         {small, medium, large, as COCO divides them: boxes}
    """

    files: int
    bytes: int
    images: int
    boxes: int
    sources: tuple[AccountedSource, ...]
    splits: dict[str, int]
    formats: dict[str, int]
    classes: tuple[CountedClass, ...]
    boxes_per_image: dict[str, int]
    box_sizes: dict[str, int]
    image_sizes: tuple[ImageSize, ...]
    first: tuple[Feature, ...]


@dataclass(frozen=True, slots=True)
class Previewed:
    """Of preview: the file, and what it shows."""

    out: str
    images: int
    boxes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedMaps(IdTables):
    """Of merge-labels: NAME.id_tables.json, and what was done."""

    outcome: Outcome
    changed: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted(Summary):
    """Of extract: extraction.json, the arguments of the `tfrec convert` that makes the same records, and what
    was done."""

    convert: tuple[str, ...]
    outcome: Outcome
    changed: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Precision:
    """COCO's AP and AP50, of how many boxes, and {ap or ap50: its 95 % interval, None of few images}."""

    ap: float
    ap50: float
    boxes: int
    intervals: dict[str, tuple[float, ...] | None]


@dataclass(frozen=True, slots=True)
class ChangedPrecision:
    """AP50 after less before, its 95 % interval, and whether 0 is inside."""

    ap50: float
    interval: tuple[float, ...] | None
    within_error: bool | None


@dataclass(frozen=True, slots=True)
class ReportedLine:
    """A class, or the mean of a group (old, new, all), and the agreement with the base; None where there is
    nothing to tell."""

    name: str
    group: Literal["old", "new", "all"]
    is_mean: bool
    boxes: int
    before: Precision | None
    after: Precision | None
    agreement: Precision | None
    change: ChangedPrecision | None


@dataclass(frozen=True, slots=True)
class Shift:
    """What became of a new class: `boxes` to choose by, `score` from which on its F1 was best there, and what
    was `added` to its logits."""

    id: int
    name: str
    boxes: int
    score: float | None
    added: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """The score from which on all new classes are best taken since, what was done to each, why nothing was,
    and all of that in words."""

    level: float | None
    shifts: tuple[Shift, ...]
    reason: str
    note: str


@dataclass(frozen=True, slots=True)
class Watching:
    """How old classes were watched without their labels: what they `lost` of the agreement with the base, on
    how many images, `learnt` from as well, and whether choices went by it."""

    lost: float
    images: int
    learnt: int
    decides: bool


@dataclass(frozen=True, slots=True)
class Finetuned:
    """Of finetune: report.json of the run.

    finished        when, in UTC, ISO 8601
    measured_with   in words, which images it was measured with
    forgetting      AP50 that the old classes lost in the mean; harmonic_mean of that of old and new classes
    thresholds      {class: score} from which on the base was believed
    blends          {share of the training kept: harmonic mean of old and new AP50}
    images          {what for: how many}
    set_aside       the new images that were chosen and measured by, where no others were given
    """

    base: str
    forgetting: float | None
    steps: int
    ended: str
    best_step: int
    thresholds: dict[str, float]
    blends: dict[str, float]
    images: dict[str, int]
    augmentations: tuple[str, ...]
    seconds: float
    finished: str
    measured_with: str
    versions: dict[str, str]
    set_aside: tuple[str, ...]
    agreement: Watching | None
    calibration: Calibration
    harmonic_mean: float | None
    classes: tuple[ReportedLine, ...]


@dataclass(frozen=True, slots=True)
class GrownRow:
    """A class of the grown detector and its id in the base, None where it is new."""

    id: int
    name: str
    base_id: int | None


@dataclass(frozen=True, slots=True)
class Group:
    """Layers that are trained alike: how many there are, their parameters and those of them that are trained,
    and at which learning rate; None where they are frozen."""

    name: str
    layers: int
    parameters: int
    trained: int
    lr: float | None


@dataclass(frozen=True, slots=True)
class Proof:
    """Of finetune --dry-run: the largest change of an old class's logits on so many images."""

    rows: tuple[GrownRow, ...]
    images: int
    max_difference: float
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class FoundIssue:
    """What was odd about an image."""

    code: str
    source: str
    message: str


@dataclass(frozen=True, slots=True)
class Detected:
    """Of detect: {class: boxes} and {class: score from which on they count}."""

    out: str
    images: int
    boxes: dict[str, int]
    scores: dict[str, float]
    left_out: tuple[str, ...]
    issues: tuple[FoundIssue, ...]
    outcome: Outcome
    changed: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class ComparedClass:
    """A class, or all that both models know: its annotated boxes, and {kind: boxes or false alarms}, "lost"
    None of a class that A cannot know; AP50 and the scores from which on it counts, None of who cannot
    know it."""

    name: str
    boxes: int
    counts: dict[str, int | None]
    a: Precision | None
    b: Precision | None
    change: ChangedPrecision | None
    score_a: float | None
    score_b: float | None


@dataclass(frozen=True, slots=True)
class ComparedModels:
    """Of compare: the two models, on how many images; `out` and how many images it shows; {class that neither
    knows: its boxes}; and the classes of either, then all of both together."""

    a: str
    b: str
    records: tuple[str, ...]
    images: int
    out: str | None
    shown: int
    left_out: dict[str, int]
    classes: tuple[ComparedClass, ...]
    shared: ComparedClass | None


@dataclass(frozen=True, slots=True)
class ComparedClassOfSets:
    """A class of either set: its boxes in A and in B, and {what became of a box: boxes}."""

    name: str
    a: int
    b: int
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class ComparedSets:
    """Of compare without --records: the two sets, how many images are in both, of these with `other_bytes`
    under the same name, and in one alone; the page and how many images it shows; the classes."""

    a: str
    b: str
    both: int
    other_bytes: int
    only_a: int
    only_b: int
    out: str | None
    shown: int
    classes: tuple[ComparedClassOfSets, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the export's answers are from the original's."""

    raw_boxes: float
    raw_scores: float
    raw_mean: float
    lost: int
    compared: int
    gaps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Exported:
    """Of export."""

    out: str
    to: str
    agreement: Agreement
    outcome: Outcome
    changed: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class ZooModel:
    """A model of TFOD's zoo; `why_not` is "" where it opens."""

    short_name: str
    name: str
    family: str
    address: str
    opens: bool
    why_not: str


@dataclass(frozen=True, slots=True)
class Models:
    """Of models: {what `model` may be in a pipeline.config: its feature_extractor types}, and the zoo."""

    extractors: dict[str, tuple[str, ...]]
    zoo: tuple[ZooModel, ...]


@dataclass(frozen=True, slots=True)
class RewrittenConfig:
    """Of config: the file, and what was changed in it; None where nothing was."""

    out: str
    num_classes: int
    label_map_path: str
    train: str | None
    val: str | None
    checkpoint: str | None
    checkpoint_type: str
    batch_size: int | None


# {name of the schema's file: what it is of}
DOCUMENTS: dict[str, Any] = {
    "convert": WrittenSet,
    "validate": Validated,
    "verify": tuple[VerifiedSet, ...],
    "inspect": Inspected,
    "inspect--anything": Answer,
    "preview": Previewed,
    "merge-labels": MergedMaps,
    "remap": WrittenSet,
    "extract": Extracted,
    "finetune": Finetuned,
    "finetune--dry-run": Proof,
    "detect": Detected,
    "evaluate": MetricsDocument,
    "compare": ComparedModels,
    "compare--sets": ComparedSets,
    "export": Exported,
    "models": Models,
    "config": RewrittenConfig,
    "error": Failed,
    "progress": ProgressLine,
}
