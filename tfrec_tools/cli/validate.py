"""`tfrec validate`: the dry run of convert."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tfrec_tools.cli.exits import Exit
from tfrec_tools.cli.options import Json, command
from tfrec_tools.conversion.options import ValidateOptions
from tfrec_tools.errors import counted, readable


@command("tfrec validate instances.json --images photos/ --report issues.html", of_classes=True)
def validate(
    options: ValidateOptions,
    report: Annotated[
        Path | None,
        typer.Option(show_envvar=False, help="Write the issues here: .jsonl, or .html with images."),
    ] = None,
    json: Json = False,
) -> None:
    """Check annotations and images as convert does, without writing any records.

    Exit code 1 where an issue would end the conversion: with --policy strict, any.
    """
    from tfrec_tools.cli import console, manner
    from tfrec_tools.conversion import convert as engine
    from tfrec_tools.system.remote_path import require_local

    require_local(report or "", "--report")
    with console.watched(options) as watched:
        checked = engine.validate(watched)
    if report is not None:
        _write(report, engine.report(checked, report))
    if json:
        manner.say_document(_document(options, checked))
    else:
        _print(options, checked, report)
    if checked.refused:
        raise typer.Exit(Exit.UNUSABLE)


def _document(options: ValidateOptions, checked: Any) -> dict[str, Any]:
    pairs = zip(options.source_paths, checked.accounts, strict=True)
    return {
        "images": checked.images,
        "boxes": checked.boxes,
        "sources": [{"path": readable(str(path)), "accounting": account} for path, account in pairs],
        "issues": checked.issues,
        "refused": len(checked.refused),
    }


def _print(options: ValidateOptions, checked: Any, report: Path | None) -> None:
    from tfrec_tools.cli import class_tables
    from tfrec_tools.cli.report import print_accounts, print_issues

    names = ", ".join(map(str, options.source_paths))
    title = f"{names}: {counted(checked.images, 'image')}, {counted(sum(checked.boxes.values()), 'box')}"
    order = class_tables.most_frequent(list(checked.boxes.values()))
    class_tables.print_classes(title, ("class", "boxes"), list(checked.boxes.items()), order)
    print_accounts([str(path) for path in options.source_paths], checked.accounts)
    print_issues(checked.issues, f", all of them in {report}" if report else "")


def _write(path: Path, data: bytes) -> None:
    from tfrec_tools.system.atomic import published

    path.parent.mkdir(parents=True, exist_ok=True)
    with published(path) as (part,):
        part.write_bytes(data)
