"""`tfrec convert`: annotations and images to sharded TFRecords."""

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


def convert(
    source: Annotated[
        Path,
        typer.Argument(
            help="A COCO instances .json, a folder of Pascal VOC .xml files, or a TFOD-style .csv."
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="DIR/NAME: writes DIR/NAME-00000-of-00010.tfrecord ... and sidecars.")
    ],
    images: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the images, searched by name, then below it by base name in any case. "
            "Default: the folder JPEGImages or images in or beside the source's own folder, else that folder."
        ),
    ] = None,
    format_: Annotated[
        Format | None, typer.Option("--format", help="Format of the source. Default: found by its suffix.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="Label map (.pbtxt) with the ids to write. Default: made from the source."),
    ] = None,
    shards: Annotated[
        int | None, typer.Option(min=1, help="Number of shards. Default: one a 150 MB of images.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Number of processes. Default: the cores; never more than shards."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a set that exists.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the manifest instead of tables.")] = False,
) -> None:
    """Convert COCO, Pascal VOC or CSV annotations and their images to sharded TFRecords.

    Every box is checked: what leans over the edge is clipped, what is empty, inverted or not finite is
    dropped, and each is reported in NAME.issues.jsonl. The files appear together when all is done; the
    last is NAME.manifest.json.
    """
    from tfrec_tools import convert as engine
    from tfrec_tools.cli import show
    from tfrec_tools.shards import format_manifest

    options = engine.Options(
        source, out, images, format_.value if format_ else None, labels, shards, workers, overwrite
    )
    with show.progress("converting images") as progress:
        converted = engine.convert(options, progress)
    if json:
        typer.echo(format_manifest(converted.manifest), nl=False)
    else:
        _summarise(out, converted)


def _summarise(out: Path, converted: Any) -> None:
    """The set's counts, its classes, and each kind of issue with its first example."""
    from tfrec_tools.cli import show

    manifest = converted.manifest
    size_mb = sum(shard.bytes for shard in manifest.shards) / 1e6
    title = (
        f"{out}: {manifest.images} images ({manifest.negatives} without boxes), {manifest.boxes} boxes, "
        f"{len(manifest.shards)} shard(s), {size_mb:.1f} MB"
    )
    classes = [(item.id, item.name, item.images, item.boxes) for item in manifest.classes]
    show.print_table(title, ("id", "class", "images", "boxes"), classes)
    _print_labeled(manifest)
    _print_issues(out, converted)


def _print_labeled(manifest: Any) -> None:
    for source in manifest.sources:
        if set(source.labeled) != set(manifest.names):
            typer.echo(
                f"{source.path} is annotated for {', '.join(source.labeled)} only; its records say so, "
                "so that other classes count as unknown in them, not as background."
            )


def _print_issues(out: Path, converted: Any) -> None:
    from tfrec_tools.cli import show
    from tfrec_tools.issues import CODES
    from tfrec_tools.shards import issues_path

    if not converted.issues:
        typer.echo("No issues found.")
        return
    first = {issue.code: issue for issue in reversed(converted.issues)}
    rows = [
        (code, count, CODES[code], f"{first[code].source}: {first[code].message}")
        for code, count in converted.manifest.issues.items()
    ]
    show.print_table(
        f"{len(converted.issues)} issue(s), all of them in {issues_path(out)}",
        ("code", "count", "meaning", "first"),
        rows,
    )
