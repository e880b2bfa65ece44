"""`tfrec preview`: images with their boxes on a sheet or a page."""

from __future__ import annotations

from typing import Any

from tfrec_tools.cli.options import command
from tfrec_tools.cli.shown import say
from tfrec_tools.conversion.preview_options import PreviewOptions


@command("tfrec preview records/train --out page.html")
def preview(options: PreviewOptions) -> None:
    """Show images with their boxes and class names, from records or from annotations."""
    from tfrec_tools import preview as engine
    from tfrec_tools.cli import console, manner
    from tfrec_tools.drawing.gallery import extent

    with console.watched(options) as watched:
        chosen, written = engine.preview(watched)
    if manner.now().json:
        manner.say_document({"out": str(options.out), "images": written.images, "boxes": written.boxes})
    else:
        say(f"{options.out}: {extent(written.images, chosen.total, written.boxes)}{_limit(options, chosen)}")


def _limit(options: PreviewOptions, chosen: Any) -> str:
    """What kept a sheet from having all images that were asked for."""
    most = options.most_on_sheet
    if not str(options.out).lower().endswith(".png") or not len(chosen.images) == most < options.count:
        return ""
    if chosen.total == most:
        return ""
    return (
        f"; a sheet has {most} at most: --most-on-sheet {options.count} allows more, and a page.html has no "
        "limit"
    )
