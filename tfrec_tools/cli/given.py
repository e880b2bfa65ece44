"""The arguments that convert, remap, validate and preview share, and what they mean together."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class Format(StrEnum):
    """The keys of formats.READERS."""

    coco = "coco"
    voc = "voc"
    csv = "csv"
    yolo = "yolo"
    tfrecord = "tfrecord"


class Verify(StrEnum):
    """How image files are verified: images.VERIFY."""

    header = "header"
    decode = "decode"
    off = "off"


class Masks(StrEnum):
    """How objects' masks are stored."""

    none = "none"
    png = "png"


class Compression(StrEnum):
    """Of the shards."""

    none = "none"
    gzip = "gzip"


class Preset(StrEnum):
    """The keys of policies.PRESETS."""

    default = "default"
    lenient = "lenient"
    strict = "strict"


Sources = Annotated[
    list[Path],
    typer.Argument(
        help="COCO instances .json, folders of Pascal VOC .xml files, .csv, YOLO folders, TFRecords: one or "
        "several."
    ),
]
Images = Annotated[
    list[Path] | None,
    typer.Option(
        help="Folder of the images, searched by name, then below it by base name in any case; give it once "
        "for all sources or once a source. Default: the folder JPEGImages or images in or beside the "
        "source's own folder, else that folder."
    ),
]
Formats = Annotated[
    list[Format] | None,
    typer.Option("--format", help="Format, once or once a source. Default: found by itself."),
]
Labels = Annotated[
    Path | None,
    typer.Option(
        help="Label map with the ids to write: whatever merge-labels reads. Default: made from the sources."
    ),
]
Labeled = Annotated[
    list[str] | None,
    typer.Option(
        help="Classes that the images were annotated for, A,B,C; once or once a source. "
        "Default: the classes that each source has."
    ),
]
Policy = Annotated[Preset, typer.Option(help="What is done about issues; strict writes nothing if any.")]
On = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CODE=ACTION", help="fix, drop-box, drop-image, error or keep for one issue code; repeatable."
    ),
]
MinSide = Annotated[float, typer.Option(min=0, help="Boxes with a shorter side (pixels) are called tiny.")]
MaskStorage = Annotated[Masks, typer.Option("--masks", help="Store the objects' masks too.")]
VocOrigin = Annotated[
    int, typer.Option(min=0, max=1, help="VOC: 0 reads numbers as they stand, 1 is for devkit files.")
]
Columns = Annotated[
    str | None,
    typer.Option(metavar="xmin=x1,...", help="CSV: names or numbers (from 0) of columns that are not found."),
]
RecordLabels = Annotated[
    Path | None,
    typer.Option(help="Label map of TFRecords that name no classes. Default: the one beside them."),
]
Rescale = Annotated[
    bool, typer.Option("--rescale", help="Scale boxes to pictures of another size than annotated.")
]
MaxSide = Annotated[
    int | None, typer.Option(min=16, help="Shrink pictures, and boxes with them, to this longer side.")
]
JpegQuality = Annotated[int, typer.Option(min=1, max=100, help="Of pictures that must be transcoded.")]
VerifyImages = Annotated[
    Verify, typer.Option(help="header also looks for the end of the file; decode decodes every picture.")
]
NoNegatives = Annotated[bool, typer.Option("--no-negatives", help="Leave out images without annotations.")]
Out = Annotated[
    Path, typer.Option(help="DIR/NAME: writes DIR/NAME-00000-of-00010.tfrecord ... and sidecars.")
]
Shards = Annotated[
    str, typer.Option(metavar="N|auto", help="Shards of each split; auto is one a 150 MB of images.")
]
CompressionOption = Annotated[Compression, typer.Option("--compression", help="Of the shards.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a set that exists.")]
Json = Annotated[bool, typer.Option("--json", help="Print the manifest instead of tables.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Number of processes. Default: the cores; never more than shards.")
]


def options(
    sources: list[Path],
    out: Path,
    images: list[Path] | None,
    format_: list[Format] | None,
    labels: Path | None,
    labeled: list[str] | None,
    policy: Preset,
    on: list[str] | None,
    min_side: float,
    reading: dict[str, Any],
    **more: Any,
) -> Any:
    """The engine's Options; `reading` is what `reading` below gives."""
    from tfrec_tools.annotations import policies
    from tfrec_tools.annotations.box_checks import Checks
    from tfrec_tools.conversion.plan import Options

    return Options(
        sources=tuple(sources),
        out=out,
        images=tuple(images) if images else None,
        format=tuple(one.value for one in format_) if format_ else None,
        labels=labels,
        labeled=class_sets(labeled),
        checks=Checks(policies.parse(policy.value, on or ()), min_side),
        **reading,
        **more,
    )


def reading(
    masks: Masks,
    voc_origin: int,
    columns: str | None,
    record_labels: Path | None,
    rescale: bool,
    max_side: int | None,
    jpeg_quality: int,
    verify_images: Verify,
    no_negatives: bool,
) -> dict[str, Any]:
    """How sources and their images are read, as arguments of the engine's Options."""
    from tfrec_tools.formats.options import ReadOptions
    from tfrec_tools.images.loading import Rules

    return {
        "read": ReadOptions(masks is Masks.png, voc_origin, _pairs(columns), record_labels),
        "rules": Rules(rescale, max_side, jpeg_quality, verify_images.value),
        "negatives": not no_negatives,
    }


def class_sets(words: list[str] | None) -> list[frozenset[str]] | None:
    """Of --labeled A,B; None where it is not given."""
    return [frozenset(name.strip() for name in word.split(",")) for word in words or ()] or None


def number_of_shards(given_: str) -> int | None:
    """None for auto."""
    if given_ == "auto":
        return None
    if not given_.isdecimal() or int(given_) < 1:
        raise typer.BadParameter(f"{given_!r} is neither auto nor a number from 1", param_hint="--shards")
    return int(given_)


def compression_name(compression: Compression) -> str:
    return "" if compression is Compression.none else compression.value


def _pairs(columns: str | None) -> tuple[tuple[str, str], ...]:
    """Of "xmin=x1,class=label"."""
    words = [word.strip().partition("=") for word in columns.split(",")] if columns else []
    if wrong := ["".join(word) for word in words if not (word[0] and word[2])]:
        raise typer.BadParameter(f"{wrong[0]!r} is not NAME=COLUMN", param_hint="--columns")
    return tuple((name, column) for name, _, column in words)


def print_issues(issues: Any, where: str) -> None:
    """A row a code: how many, what it means, the first."""
    from collections import Counter

    from tfrec_tools.annotations.issues import CODES
    from tfrec_tools.cli import show

    if not issues:
        typer.echo("No issues found.")
        return
    counts = Counter(issue.code for issue in issues)
    first = {issue.code: issue for issue in reversed(issues)}
    rows = [
        (code, counts[code], CODES[code], f"{first[code].source}: {first[code].message}")
        for code in CODES
        if code in counts
    ]
    show.print_table(f"{len(issues)} issue(s){where}", ("code", "count", "meaning", "first"), rows)
