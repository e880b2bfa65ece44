"""`tfrec preview`: images with their boxes on a sheet or a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tfrec_tools.cli.options import command
from tfrec_tools.cli.shown import say
from tfrec_tools.conversion.options import Format
from tfrec_tools.dataset.options import ClassOptions
from tfrec_tools.errors import counted


@command("tfrec preview records/train --out page.html")
def preview(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RECORDS|SOURCE",
            help="Records as `tfrec inspect` takes them, or annotations as `convert` does.",
        ),
    ],
    out: Annotated[
        Path, typer.Option(show_envvar=False, help="sheet.png, or page.html to filter by class and issue.")
    ],
    images: Annotated[
        Path | None, typer.Option(show_envvar=False, help="Folder of the images of a source.")
    ] = None,
    format: Annotated[  # noqa: A002  the flag's name
        Format | None,
        typer.Option(show_envvar=False, help="Format of a source.", show_default="detected from the files"),
    ] = None,
    count: Annotated[int, typer.Option(show_envvar=False, min=1, help="Number of images.")] = 48,
    *,
    classes: ClassOptions,
) -> None:
    """Show images with their boxes and class names, from records or from annotations."""
    from tfrec_tools import preview as engine
    from tfrec_tools.cli import manner
    from tfrec_tools.conversion.options import ValidateOptions
    from tfrec_tools.system.atomic import published
    from tfrec_tools.system.options import narrowed

    suffix = engine.require_suffix(out)
    if engine.is_source(what, format is not None):
        options = narrowed(ValidateOptions, classes, sources=what, images=images, format=format)
        shown = engine.of_source(options.as_conversion, count)
    else:
        shown = engine.of_records([what], count, classes)
    out.parent.mkdir(parents=True, exist_ok=True)
    with published(out) as (part,):
        part.write_bytes(engine.preview(shown, what, suffix))
    boxes = sum(len(item.record.names) for item in shown)
    if manner.now().json:
        manner.say_document({"out": str(out), "images": len(shown), "boxes": boxes})
    else:
        say(f"{out}: {counted(len(shown), 'image')}, {counted(boxes, 'box')}")
