"""How a command that writes a set of records goes on, and what it shows of the set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from tfrec_tools.cli import show
from tfrec_tools.cli.given import print_issues


def write(out: Path, engine: Callable[[Any], Any], what: str, json: bool) -> None:
    """Has a set DIR/NAME written by `engine`, which takes the progress, and shows its manifest or tables.
    Where the policies do not allow it, the issues."""
    from tfrec_tools.dataset.manifest import format_manifest
    from tfrec_tools.dataset.publish import Refused
    from tfrec_tools.errors import Interrupted

    try:
        with show.progress(what) as progress:
            finished = engine(progress)
    except Refused as fault:
        if len(fault.refused) > 1 and not json:  # one is told by the error itself
            print_issues(fault.issues, "")
        raise
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the same command goes on where this one stopped") from None
    if json:
        typer.echo(format_manifest(finished.manifest), nl=False)
    else:
        _summarise(out, finished)


def _summarise(out: Path, finished: Any) -> None:
    """The set's counts, its classes by split, and each kind of issue with its first example."""
    from tfrec_tools.dataset.shards import issues_path

    manifest = finished.manifest
    if finished.again:
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
    print_issues(finished.issues, f", all of them in {issues_path(out)}")


def _print_labeled(manifest: Any) -> None:
    for source in manifest.sources:
        if set(source.labeled) != set(manifest.names):
            typer.echo(
                f"{source.path} is annotated for {', '.join(source.labeled)} only; its records say so, "
                "so that other classes count as unknown in them, not as background."
            )
