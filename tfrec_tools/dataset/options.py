"""The options of every command that writes a set of records, or judges what it would write."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, Literal

from tfrec_tools.system.options import Option, Options, Panel, Paths, StrPath, Words, as_path, several

RecordLabels = Annotated[
    StrPath | None,
    Option(
        "Label map that the ids of the records are of.",
        Panel.SOURCE,
        default="that of their manifest, else the only one beside them",
        stores=True,
    ),
]


@dataclass(frozen=True)
class PolicyOptions(Options):
    """What is done about issues."""

    _: KW_ONLY
    policy: Annotated[
        Literal["default", "lenient", "strict"],
        Option("What is done about issues; strict writes nothing if there are any.", Panel.CHECKS),
    ] = "default"
    on: Annotated[
        Words | None,
        Option(
            "fix, drop-box, drop-image, error or keep for one issue code; may be repeated.",
            Panel.CHECKS,
            metavar="CODE=ACTION",
        ),
    ] = None


@dataclass(frozen=True)
class ClassOptions(Options):
    """Which classes are taken, and what they are called."""

    _: KW_ONLY
    alias: Annotated[
        Words | None,
        Option("A and C are other names of class B. May be repeated.", Panel.CLASSES, metavar="A=B,C=B"),
    ] = None
    aliases: Annotated[
        StrPath | None,
        Option('The same as a .json or .yaml file: {"A": "B"} or {"B": ["A", "C"]}.', Panel.CLASSES),
    ] = None
    rename: Annotated[
        Words | None,
        Option("Class A is called B. Several may become one. May be repeated.", Panel.CLASSES, metavar="A=B"),
    ] = None
    ignore: Annotated[
        Words | None, Option("Leave classes out. May be repeated.", Panel.CLASSES, metavar="A,B")
    ] = None
    only: Annotated[
        Words | None,
        Option("Leave out all classes but these. May be repeated.", Panel.CLASSES, metavar="A,B"),
    ] = None


@dataclass(frozen=True)
class WorkerOptions(Options):
    """How many processes work."""

    _: KW_ONLY
    workers: Annotated[
        int | None,
        Option(
            "Number of processes.",
            Panel.RUNNING,
            minimum=1,
            default="the number of cores; never more than there are shards",
            recorded=False,
        ),
    ] = None


@dataclass(frozen=True)
class SetOptions(WorkerOptions):
    """Where a set of records goes, and in which form."""

    out: Annotated[
        StrPath,
        Option(
            "DIR/NAME: writes DIR/NAME-00000-of-00010.tfrecord ... and sidecars; DIR may be of a bucket "
            "(gs://, s3://).",
            Panel.OUTPUT,
            recorded=False,
            stores=True,
        ),
    ]
    _: KW_ONLY
    seed: Annotated[int, Option("Seed of the order of the images, and of the split.", Panel.OUTPUT)] = 0
    shards: Annotated[
        int | Literal["auto"],
        Option(
            "Number of shards of each split; auto makes about one per 150 MB of images.",
            Panel.OUTPUT,
            metavar="N|auto",
            minimum=1,
        ),
    ] = "auto"
    compression: Annotated[Literal["none", "gzip"], Option("Compression of the shards.", Panel.OUTPUT)] = (
        "none"
    )
    overwrite: Annotated[bool, Option("Replace a set that exists.", Panel.OUTPUT, recorded=False)] = False
    if_changed: Annotated[
        bool,
        Option(
            "Replace a set that exists, if input, options or version are others than those it was made of.",
            Panel.OUTPUT,
            recorded=False,
        ),
    ] = False
    no_fsync: Annotated[
        bool,
        Option(
            "Do not wait until the set is on the disk; a power failure may damage it.",
            Panel.RUNNING,
            recorded=False,
        ),
    ] = False

    @property
    def prefix(self) -> Path:
        """DIR/NAME of the set."""
        return as_path(self.out)

    @property
    def shard_count(self) -> int | None:
        """None for auto."""
        return None if self.shards == "auto" else self.shards

    @property
    def codec(self) -> str:
        """The compression as TFRecord writers name it: "" for none."""
        return "" if self.compression == "none" else self.compression


@dataclass(frozen=True)
class InspectOptions(Options):
    """Which records are counted."""

    records: Annotated[
        Paths,
        Option(
            "Records (files, folders, DIR/NAME of a set, patterns such as 'DIR/NAME-*'), or any other path.",
            argument=True,
            metavar="PATH",
            stores=True,
        ),
    ]


@dataclass(frozen=True)
class VerifyOptions(Options):
    """Which sets are checked."""

    where: Annotated[
        StrPath,
        Option("A folder (all sets in it), or one set.", argument=True, metavar="DIR|DIR/NAME", stores=True),
    ]
    _: KW_ONLY
    against: Annotated[
        Paths | None,
        Option(
            "Source of the set, to be read again with the options of its manifest and compared; may be "
            "repeated.",
            Panel.SOURCE,
            metavar="SOURCE",
            stores=True,
        ),
    ] = None
    images: Annotated[
        Paths | None,
        Option(
            "With --against: folder of the images, as for convert.",
            Panel.SOURCE,
            default="the one that the set was made with",
            stores=True,
        ),
    ] = None


def class_sets(labeled: Words | None) -> list[frozenset[str]] | None:
    """What each "A,B" of --labeled names; None where it is not given."""
    return [frozenset(name.strip() for name in word.split(",")) for word in several(labeled)] or None
