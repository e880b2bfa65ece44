"""The options of `tfrec finetune`."""

from __future__ import annotations

import re
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, Literal

from tfrec_tools.detector.config.augmentation import KINDS
from tfrec_tools.detector.options import groups
from tfrec_tools.detector.options.models import BASE_LABEL_MAP, MODEL
from tfrec_tools.errors import InputError
from tfrec_tools.system.options import Option, Options, Panel, Paths, StrPath, as_path, as_texts


@dataclass(frozen=True)
class TrainingOptions(Options):
    """How a detector is trained."""

    _: KW_ONLY
    steps: Annotated[
        int | Literal["auto"],
        Option(
            "Number of training steps. auto: by the number of new images, of new classes, and --batch.",
            Panel.TRAINING,
            metavar="N|auto",
            minimum=1,
        ),
    ] = "auto"
    batch: Annotated[
        int | Literal["auto"],
        Option(
            "Images per training step. auto: as many as fit the memory of a GPU; 8 on a CPU.",
            Panel.TRAINING,
            metavar="N|auto",
            minimum=1,
        ),
    ] = 8
    lr: Annotated[
        float | str | None,
        Option(
            "Learning rate at its peak: it rises for a tenth of the steps, then falls to 0 as a cosine. Or "
            "of each group of layers its own: backbone=1e-4,neck=1e-3,head=0.01.",
            Panel.TRAINING,
            metavar="RATE|GROUP=RATE,...",
            minimum=0,
            default="by family and batch; of 8 images 0.04, for Faster R-CNN 0.02, for CenterNet 0.01",
        ),
    ] = None
    backbone_lr_mult: Annotated[
        float | None,
        Option(
            "Learning rate of the backbone, as a multiple of --lr.",
            Panel.TRAINING,
            minimum=0,
            default="0.3",
        ),
    ] = None
    freeze: Annotated[
        str,
        Option(
            "What is not trained at all: some of backbone, neck, head, with commas between them, or none. "
            "auto: the backbone, below 50 new images.",
            Panel.TRAINING,
            metavar="auto|none|GROUPS",
        ),
    ] = "auto"
    freeze_layers: Annotated[
        str | None,
        Option(
            "Do not train variables in whose name in the checkpoint this regular expression is found, "
            "besides what --freeze says.",
            Panel.TRAINING,
            metavar="REGEX",
        ),
    ] = None
    augment: Annotated[
        str | None,
        Option(
            "How training images are varied: some of flip, vertical-flip, rotate90, crop, color, with commas "
            "between them; or off.",
            Panel.TRAINING,
            metavar="KINDS",
            default="as the base's pipeline.config says, flip,crop where that says nothing; no flip where it "
            "would make a class called left one called right",
        ),
    ] = None
    train_batch_norm: Annotated[
        bool,
        Option(
            "Let batch norm follow the new images; without this its statistics are frozen.", Panel.TRAINING
        ),
    ] = False
    seed: Annotated[
        int, Option("Seed of the new rows, of the order and of the augmentation.", Panel.TRAINING)
    ] = 0
    time_budget: Annotated[
        str | None,
        Option(
            "Train for as many steps as fit this time, if --steps are more: 90s, 10m, 1h30m.",
            Panel.TRAINING,
            metavar="10m",
        ),
    ] = None
    cache: Annotated[
        Literal["off", "ram", "disk"],
        Option("Keep decoded images in memory, or in a folder below $TMPDIR.", Panel.RUNNING),
    ] = "off"
    strategy: Annotated[
        Literal["auto", "one", "mirrored", "multiworker"],
        Option(
            "Train on one device, on all GPUs of this host, or on all workers of TF_CONFIG. auto: whatever "
            "there is.",
            Panel.RUNNING,
        ),
    ] = "auto"
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        Option(
            "What layers compute with; weights and losses are always float32. auto: float32 on a CPU, "
            "bfloat16 "
            "on GPUs from compute capability 8.0 on, float16 from 7.0 on.",
            Panel.RUNNING,
        ),
    ] = "auto"
    accumulate: Annotated[
        int, Option("Take each batch in this many parts, which needs less memory.", Panel.RUNNING, minimum=1)
    ] = 1
    jit: Annotated[bool, Option("Compile losses and gradients by XLA.", Panel.RUNNING)] = False
    tensorboard: Annotated[bool, Option("Also write the curves to OUT/tensorboard.", Panel.RUNNING)] = False

    @property
    def fixed_steps(self) -> int:
        """0 for auto."""
        return 0 if self.steps == "auto" else self.steps

    @property
    def batch_size(self) -> int:
        """0 for auto."""
        return 0 if self.batch == "auto" else self.batch

    @property
    def rates(self) -> tuple[float | None, dict[str, float]]:
        """The learning rate of all groups, and {group: its own}. InputError where --lr says neither, or the
        backbone's is said twice."""
        rates = groups.read_rates(self.lr)
        if groups.BACKBONE in rates[1] and self.backbone_lr_mult is not None:
            reason = f"the backbone's learning rate is in --lr already ({self.lr}); leave one of them out"
            raise InputError("--backbone-lr-mult", reason)
        if both := [group for group in rates[1] if group in self.frozen]:
            raise InputError(
                "--lr", f"{both[0]!r} is not trained at all by --freeze; leave it out of one of them"
            )
        return rates

    @property
    def frozen(self) -> tuple[str, ...]:
        """The groups that --freeze names. InputError where it names none that exists."""
        return groups.read_frozen(self.freeze)

    @property
    def frozen_layers(self) -> str | None:
        """The expression of --freeze-layers. InputError where it is none."""
        if self.freeze_layers is not None:
            try:
                re.compile(self.freeze_layers)
            except (re.error, OverflowError, RecursionError) as fault:
                reason = f"{self.freeze_layers!r} is no regular expression ({fault})"
                raise InputError("--freeze-layers", reason) from fault
        return self.freeze_layers

    @property
    def augmentations(self) -> tuple[str, ...] | None:
        """The kinds of --augment; None where the config decides. InputError where a word is no kind."""
        if self.augment is None or self.augment == "off":
            return () if self.augment else None
        kinds = tuple(kind.strip() for kind in self.augment.split(","))
        if unknown := [kind for kind in kinds if kind not in KINDS]:
            reason = f"{', '.join(map(repr, unknown))} is none of {', '.join(KINDS)}, off"
            raise InputError("--augment", reason)
        return kinds

    @property
    def budget_s(self) -> float | None:
        """Seconds of --time-budget."""
        return None if self.time_budget is None else _seconds(self.time_budget)


@dataclass(frozen=True)
class RetentionOptions(Options):
    """What keeps old classes known."""

    _: KW_ONLY
    replay: Annotated[
        Paths | None,
        Option("Records of old images to mix in; may be repeated.", Panel.RETENTION, stores=True),
    ] = None
    replay_budget: Annotated[
        str,
        Option(
            "Old images to replay, some of each class: a number, or a share such as 10%.", Panel.RETENTION
        ),
    ] = "100%"
    replay_ratio: Annotated[
        float, Option("Share of each batch that is replayed.", Panel.RETENTION, minimum=0, maximum=0.9)
    ] = 0.5
    unlabelled: Annotated[
        Paths | None,
        Option(
            "Images without labels (folders, files or records) on which the base teaches the old classes, "
            "mixed in as replayed ones are; may be repeated.",
            Panel.RETENTION,
            metavar="DIR",
        ),
    ] = None
    pseudo_labels: Annotated[
        str,
        Option(
            "auto: the base labels its classes on the new images, in OUT/pseudo_labels. Or off, or records "
            "of "
            "these images that are so labelled.",
            Panel.RETENTION,
        ),
    ] = "auto"
    distill: Annotated[
        Literal["on", "off"],
        Option("Hold answers to the base's where the base is confident.", Panel.RETENTION),
    ] = "on"
    interpolate: Annotated[
        str,
        Option(
            "How much of the training to keep, 0 to 1, the rest being the base. auto: the best by --val; or "
            "off.",
            Panel.RETENTION,
        ),
    ] = "auto"
    calibrate: Annotated[
        Literal["on", "off"],
        Option(
            "Bring the scores of new classes to the level of the old ones, by --val, so that one threshold "
            "serves.",
            Panel.RETENTION,
        ),
    ] = "on"
    average: Annotated[
        float,
        Option(
            "How slowly the average of the weights follows them; 0 takes no average.",
            Panel.RETENTION,
            minimum=0,
            maximum=0.9999,
        ),
    ] = 0.98
    max_forget: Annotated[
        float | None,
        Option(
            "End with exit code 3 where the old classes lost more points of mean AP50, or of agreement with "
            "the base where none of them is labelled.",
            Panel.RETENTION,
        ),
    ] = None
    control: Annotated[
        bool, Option("Also fine-tune plainly, in OUT/control, to see what is gained.", Panel.RETENTION)
    ] = False


@dataclass(frozen=True)
class FinetuneOptions(TrainingOptions, RetentionOptions):
    """Which model grows by which classes, how it is trained and measured."""

    _: KW_ONLY
    base: Annotated[
        StrPath,
        Option(
            f"{MODEL} With --pipeline: weights of a MobileNet or ResNet of keras.applications, without "
            "top, "
            "or imagenet.",
            Panel.MODELS,
        ),
    ]
    labels: Annotated[
        StrPath,
        Option("Label map of the grown model: whatever merge-labels reads, as it writes it.", Panel.MODELS),
    ]
    train: Annotated[
        Paths,
        Option("Records of the new images: 'DIR/NAME-*'; may be repeated.", Panel.MODELS, stores=True),
    ]
    val: Annotated[
        Paths | None,
        Option(
            "Records to choose by, and to measure with before and after; may be repeated.",
            Panel.MODELS,
            default="15 % of --train are set aside",
            stores=True,
        ),
    ] = None
    out: Annotated[
        StrPath | None,
        Option(
            "Folder of the run; the grown model comes to OUT/model.",
            Panel.MODELS,
            default="runs/finetune-1, -2 ...",
            recorded=False,
        ),
    ] = None
    base_labels: Annotated[StrPath | None, BASE_LABEL_MAP] = None
    pipeline: Annotated[
        StrPath | None,
        Option("The pipeline.config of a detector to make anew, where --base knows no boxes.", Panel.MODELS),
    ] = None
    table: Annotated[
        StrPath | None,
        Option(
            "The tables of the merge: a class that it renamed keeps its row.",
            Panel.MODELS,
            default="NAME.id_tables.json beside --labels, if there",
        ),
    ] = None
    drop_classes: Annotated[bool, Option("Drop classes of the base that --labels lacks.", Panel.MODELS)] = (
        False
    )
    test: Annotated[
        Paths | None,
        Option(
            "Records to measure with instead, which nothing is chosen by; may be repeated.",
            Panel.MEASURING,
            stores=True,
        ),
    ] = None
    eval_every: Annotated[
        int | None,
        Option(
            "Steps between measurements on --val, of which the best model is kept.",
            Panel.MEASURING,
            minimum=1,
            default="none; with --patience a tenth of the steps",
        ),
    ] = None
    patience: Annotated[
        int | None,
        Option("End after this many measurements without a better one.", Panel.MEASURING, minimum=1),
    ] = None
    dry_run: Annotated[
        bool,
        Option(
            "Grow only: print the classes, prove that old logits are unchanged.",
            Panel.RUNNING,
            recorded=False,
        ),
    ] = False
    resume: Annotated[
        bool | Literal["auto"],
        Option(
            "Go on with the run in --out, or else the last numbered one; alone it means yes. auto: begin "
            "where there is none, and do nothing where it is finished.",
            Panel.RUNNING,
            metavar="yes|no|auto",
            default="no",
            bare="yes",
            recorded=False,
        ),
    ] = False

    @property
    def folder(self) -> Path | None:
        """Of the run; None where it is to be numbered."""
        return None if self.out is None else as_path(self.out)

    @property
    def records(self) -> dict[str, tuple[str, ...]]:
        """{flag: patterns of record files} of those that name records."""
        return {
            "--train": as_texts(self.train),
            "--replay": as_texts(self.replay),
            "--val": as_texts(self.val),
            "--test": as_texts(self.test),
        }

    @property
    def base_path(self) -> Path:
        return as_path(self.base)

    @property
    def base_label_map(self) -> Path | None:
        return None if self.base_labels is None else as_path(self.base_labels)

    @property
    def labels_path(self) -> Path:
        return as_path(self.labels)

    @property
    def table_path(self) -> Path | None:
        return None if self.table is None else as_path(self.table)


def _seconds(time: str) -> float:
    """Of 90s, 10m, 1h30m."""
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", time)
    if not match or not any(match.groups()):
        raise InputError("--time-budget", f"{time!r} is not a time such as 90s, 10m, 1h30m")
    hours, minutes, rest = (int(part or 0) for part in match.groups())
    return 3600.0 * hours + 60.0 * minutes + rest
