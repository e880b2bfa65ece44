"""`tfrec preview`: pictures with their boxes on a sheet or a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tfrec_tools.cli import given


def preview(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RECORDS|SOURCE",
            help="Records as `tfrec inspect` takes them, or annotations as `convert` does.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="sheet.png, or page.html to filter by class and issue.")],
    images: Annotated[Path | None, typer.Option(help="Folder of the images of a source.")] = None,
    format_: Annotated[
        given.Format | None, typer.Option("--format", help="Format of a source. Default: found by itself.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Number of pictures.")] = 48,
) -> None:
    """Show pictures with their boxes and class names, from records or from annotations."""
    from tfrec_tools import preview as engine
    from tfrec_tools.conversion.plan import Options
    from tfrec_tools.system.atomic import published

    suffix = engine.require_suffix(out)
    if engine.is_source(what, format_ is not None):
        kind = format_.value if format_ else None
        shown = engine.of_source(Options(Path(what), out, images, kind), count)
    else:
        shown = engine.of_records([what], count)
    out.parent.mkdir(parents=True, exist_ok=True)
    with published(out) as (part,):
        part.write_bytes(engine.preview(shown, what, suffix))
    typer.echo(f"{out}: {len(shown)} pictures, {sum(len(one.record.names) for one in shown)} boxes")
