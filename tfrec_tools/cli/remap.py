"""`tfrec remap`: records under a merged label map, their pictures untouched."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tfrec_tools.cli import given


def remap(
    records: Annotated[
        list[str],
        typer.Argument(
            help="Record files, folders of them, DIR/NAME of sets, or 'DIR/NAME-*': one or several sets, "
            "which become one."
        ),
    ],
    labels: Annotated[
        Path, typer.Option(help="The merged label map: whatever merge-labels reads.", show_default=False)
    ],
    out: given.Out,
    table: Annotated[
        Path | None,
        typer.Option(
            help="The tables of the merge, which say what renamed classes became. Default: "
            "NAME.id_tables.json beside --labels, if there."
        ),
    ] = None,
    record_labels: Annotated[
        Path | None,
        typer.Option(
            help="Label map that the records' ids are of. Default: that of their manifest, else the only one "
            "beside them."
        ),
    ] = None,
    labeled: Annotated[
        list[str] | None,
        typer.Option(
            help="Classes that the images were annotated for, A,B,C; once or once a set. Default: those that "
            "each record names, else all of its set's own label map."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the order of the records.")] = 0,
    shards: given.Shards = "auto",
    compression: given.CompressionOption = given.Compression.none,
    policy: given.Policy = given.Preset.default,
    on: given.On = None,
    workers: given.Workers = None,
    overwrite: given.Overwrite = False,
    json: given.Json = False,
) -> None:
    """Rewrite class ids and names in TFRecords under a merged label map, and join sets into one.

    Pictures and all other features stay as they are, byte for byte. Every record says which classes it was
    annotated for, so that the other sets' classes count as unknown in it, not as background. Classes are
    taken by name; a record whose name and id disagree is reported, see --on class-mismatch. When the
    command is stopped before the end, the same command goes on where it was.
    """
    from tfrec_tools.annotations import policies
    from tfrec_tools.cli import written
    from tfrec_tools.remapping import remap as engine
    from tfrec_tools.remapping.remap import Options

    options = Options(
        records=tuple(records),
        labels=labels,
        out=out,
        table=table,
        record_labels=record_labels,
        labeled=given.class_sets(labeled),
        seed=seed,
        shards=given.number_of_shards(shards),
        compression=given.compression_name(compression),
        policies=policies.parse(policy.value, on or ()),
        workers=workers,
        overwrite=overwrite,
    )
    written.write(out, lambda progress: engine.remap(options, progress), "remapping records", json)
