"""`tfrec convert`: annotations and images to sharded TFRecords."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from tfrec_tools.cli import given


class Compression(StrEnum):
    """Of the shards."""

    none = "none"
    gzip = "gzip"


def convert(
    sources: given.Sources,
    out: Annotated[
        Path, typer.Option(help="DIR/NAME: writes DIR/NAME-00000-of-00010.tfrecord ... and sidecars.")
    ],
    images: given.Images = None,
    format_: given.Formats = None,
    labels: given.Labels = None,
    labeled: given.Labeled = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="SHARES|source",
            help="train=0.8,val=0.1,test=0.1: files DIR/NAME-SPLIT-...; source: the splits that the sources "
            "name themselves (VOC ImageSets, YOLO). Default: one set.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the split and of the order of the images.")] = 0,
    group_by: Annotated[
        str | None,
        typer.Option(
            metavar="sha256|prefix:REGEX",
            help="What stays in one split: images of the same bytes, or of names that begin alike.",
        ),
    ] = None,
    shards: Annotated[
        str, typer.Option(metavar="N|auto", help="Shards of each split; auto is one a 150 MB of images.")
    ] = "auto",
    compression: Annotated[Compression, typer.Option(help="Of the shards.")] = Compression.none,
    policy: given.Policy = given.Preset.default,
    on: given.On = None,
    min_side: given.MinSide = 1.0,
    masks: given.MaskStorage = given.Masks.none,
    voc_origin: given.VocOrigin = 0,
    columns: given.Columns = None,
    record_labels: given.RecordLabels = None,
    rescale: given.Rescale = False,
    max_side: given.MaxSide = None,
    jpeg_quality: given.JpegQuality = 95,
    verify_images: given.VerifyImages = given.Verify.header,
    no_negatives: given.NoNegatives = False,
    workers: given.Workers = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a set that exists.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the manifest instead of tables.")] = False,
) -> None:
    """Convert annotations and their images to sharded TFRecords.

    Every box is checked: what leans over the edge is clipped, what is empty, inverted or not finite is
    dropped, and each is reported in NAME.issues.jsonl and NAME.issues.html; --on and --policy choose
    otherwise. The last file to appear is NAME.manifest.json; when the command is stopped before, the same
    command goes on where it was.
    """
    from tfrec_tools import convert as engine
    from tfrec_tools.cli import show
    from tfrec_tools.errors import Interrupted
    from tfrec_tools.finish import Refused
    from tfrec_tools.shards import format_manifest

    options = given.options(
        sources,
        out,
        images,
        format_,
        labels,
        labeled,
        policy,
        on,
        min_side,
        given.reading(
            masks,
            voc_origin,
            columns,
            record_labels,
            rescale,
            max_side,
            jpeg_quality,
            verify_images,
            no_negatives,
        ),
        shards=_shards(shards),
        workers=workers,
        overwrite=overwrite,
        split=split,
        seed=seed,
        group_by=group_by,
        compression=compression.value.replace("none", ""),
    )
    try:
        with show.progress("converting images") as progress:
            converted = engine.convert(options, progress)
    except Refused as fault:
        if len(fault.refused) > 1 and not json:  # one is told by the error itself
            given.print_issues(fault.issues, "")
        raise
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the same command goes on where this one stopped") from None
    if json:
        typer.echo(format_manifest(converted.manifest), nl=False)
    else:
        _summarise(out, converted)


def _shards(given_: str) -> int | None:
    if given_ == "auto":
        return None
    if not given_.isdecimal() or int(given_) < 1:
        raise typer.BadParameter(f"{given_!r} is neither auto nor a number from 1", param_hint="--shards")
    return int(given_)


def _summarise(out: Path, converted: Any) -> None:
    """The set's counts, its classes by split, and each kind of issue with its first example."""
    from tfrec_tools.cli import show
    from tfrec_tools.shards import issues_path

    manifest = converted.manifest
    if converted.again:
        typer.echo("Finished before, by the same command on the same input; --overwrite does it again.")
    size_mb = sum(shard.bytes for shard in manifest.shards) / 1e6
    title = (
        f"{out}: {manifest.images} images ({manifest.negatives} without boxes), {manifest.boxes} boxes, "
        f"{len(manifest.shards)} shard(s), {size_mb:.1f} MB"
    )
    headers = ("id", "class", "images", "boxes", *(f"in {split.name}" for split in manifest.splits))
    classes = [
        (
            *(item.id, item.name, item.images, item.boxes),
            *(s.classes.get(item.name, 0) for s in manifest.splits),
        )
        for item in manifest.classes
    ]
    show.print_table(title, headers, classes)
    for split in manifest.splits:
        typer.echo(f"{split.name}: {split.images} images, {split.boxes} boxes")
    _print_labeled(manifest)
    given.print_issues(converted.issues, f", all of them in {issues_path(out)}")


def _print_labeled(manifest: Any) -> None:
    for source in manifest.sources:
        if set(source.labeled) != set(manifest.names):
            typer.echo(
                f"{source.path} is annotated for {', '.join(source.labeled)} only; its records say so, "
                "so that other classes count as unknown in them, not as background."
            )
