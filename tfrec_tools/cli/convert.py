"""`tfrec convert`: annotations and images to sharded TFRecords."""

from __future__ import annotations

from typing import Annotated

import typer

from tfrec_tools.cli import beam, given

COMMAND = beam.BeamCommand


def convert(
    context: typer.Context,
    sources: given.Sources,
    out: given.Out,
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
    shards: given.Shards = "auto",
    compression: given.CompressionOption = given.Compression.none,
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
    runner: beam.Runner = None,
    overwrite: given.Overwrite = False,
    json: given.Json = False,
) -> None:
    """Convert annotations and their images to sharded TFRecords.

    Every box is checked: what leans over the edge is clipped, what is empty, inverted or not finite is
    dropped, and each is reported in NAME.issues.jsonl and NAME.issues.html; --on and --policy choose
    otherwise. The last file to appear is NAME.manifest.json; when the command is stopped before, the same
    command goes on where it was.
    """
    from tfrec_tools.cli import written
    from tfrec_tools.conversion import convert as engine

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
        shards=given.number_of_shards(shards),
        workers=workers,
        overwrite=overwrite,
        split=split,
        seed=seed,
        group_by=group_by,
        compression=given.compression_name(compression),
    )
    chosen = None
    if runner is not None:
        options, chosen = beam.on_runner(context, runner, options)
    written.write(out, lambda progress: engine.convert(options, progress, chosen), "converting images", json)
