"""The arguments that convert, validate and preview share, and what they mean together."""

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


class Preset(StrEnum):
    """The keys of policies.PRESETS."""

    default = "default"
    lenient = "lenient"
    strict = "strict"


Sources = Annotated[
    list[Path],
    typer.Argument(
        help="COCO instances .json, folders of Pascal VOC .xml files, TFOD-style .csv: one or several."
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
    typer.Option(help="Label map (.pbtxt) with the ids to write. Default: made from the sources."),
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
    **more: Any,
) -> Any:
    """The engine's Options."""
    from tfrec_tools import policies
    from tfrec_tools.checks import Checks
    from tfrec_tools.plan import Options

    names = [frozenset(name.strip() for name in words.split(",")) for words in labeled or ()]
    return Options(
        sources=tuple(sources),
        out=out,
        images=tuple(images) if images else None,
        format=tuple(one.value for one in format_) if format_ else None,
        labels=labels,
        labeled=names or None,
        checks=Checks(policies.parse(policy.value, on or ()), min_side),
        **more,
    )


def print_issues(issues: Any, where: str) -> None:
    """A row a code: how many, what it means, the first."""
    from collections import Counter

    from tfrec_tools.cli import show
    from tfrec_tools.issues import CODES

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
