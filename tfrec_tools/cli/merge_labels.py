"""`tfrec merge-labels`: one label map from several, old ids first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def merge_labels(
    old: Annotated[
        Path,
        typer.Argument(
            help="The classes whose ids stay, those of the trained model: a label map (.pbtxt, .json, .yaml, "
            ".txt, .names), COCO annotations, a folder of Pascal VOC .xml files, a model folder, or the "
            "manifest or DIR/NAME of records."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="The merged map: .pbtxt, or .json, .yaml, .txt, .names. The tables of ids go beside it as "
            "NAME.id_tables.json."
        ),
    ],
    new: Annotated[
        list[Path] | None, typer.Argument(help="Likewise; their new names follow at the next ids.")
    ] = None,
    alias: Annotated[
        list[str] | None,
        typer.Option(metavar="A=B,C=B", help="A and C are other names of class B. May be repeated."),
    ] = None,
    aliases: Annotated[
        Path | None,
        typer.Option(help='The same as .json or .yaml: {"A": "B"} or {"B": ["A", "C"]}.'),
    ] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option(metavar="A=B", help="Class A is called B. Several may become one. May be repeated."),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Leave a class out. May be repeated.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Leave out all classes but this. May be repeated."),
    ] = None,
    keep_gaps: Annotated[
        bool, typer.Option("--keep-gaps", help="Keep the first map's ids although some are missing.")
    ] = False,
    renumber: Annotated[
        bool, typer.Option("--renumber", help="Count the first map's classes anew, from 1 without gaps.")
    ] = False,
    interactive: Annotated[
        bool, typer.Option("--interactive", help="Ask about names that may be one class.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the tables of ids as JSON.")] = False,
) -> None:
    """Merge label maps: ids of the first stay, new names follow, the result counts from 1 without gaps.

    Prints which id each map's ids become, and writes the same as JSON. Names that differ only in case,
    spaces, `_` and `-` must be settled, with --alias say. A class is known by its name or, where that is
    a Freebase mid, by its display_name.
    """
    import json as json_

    from tfrec_tools.cli import class_rules
    from tfrec_tools.formats.classes import read_classes
    from tfrec_tools.labels import id_tables
    from tfrec_tools.labels.merge import merge
    from tfrec_tools.labels.naming import Rules

    if keep_gaps and renumber:
        raise typer.BadParameter("--keep-gaps and --renumber exclude each other")
    paths = [old, *(new or ())]
    _require_other(out, paths)
    rules = Rules(
        class_rules.renames(alias or (), rename or ()),
        class_rules.read_aliases(aliases) if aliases else {},
        frozenset(ignore or ()),
        frozenset(only) if only else None,
        "keep gaps" if keep_gaps else "renumber" if renumber else "contiguous",
    )
    sources = [read_classes(path) for path in paths]
    if interactive:
        rules = class_rules.ask(sources, rules)
    merged = merge(*sources, rules=rules)
    report = id_tables.as_json(out, paths, merged)
    text = json_.dumps(report, ensure_ascii=False, indent=2) + "\n"
    _write(out, merged.label_map, text)
    if not interactive:
        _warn_of_similar(sources, rules)
    if json:
        typer.echo(text, nl=False)
    else:
        _print(out, merged.label_map, report)


def _require_other(out: Path, paths: list[Path]) -> None:
    from tfrec_tools.errors import InputError
    from tfrec_tools.labels.id_tables import beside

    if out.is_dir():
        raise InputError(out, "is a folder; --out is the file to write")
    inputs = [path.resolve() for path in paths]
    for written in (out, beside(out)):
        if written.resolve() in inputs:
            raise InputError(written, "is both an input and --out; choose another --out")


def _write(out: Path, label_map: Any, tables: str) -> None:
    from tfrec_tools.labels.id_tables import beside
    from tfrec_tools.labels.lists import formatted, keeps_all
    from tfrec_tools.system.atomic import published

    text = formatted(label_map, out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with published(out, beside(out)) as (map_part, tables_part):
        map_part.write_bytes(text.encode())
        tables_part.write_bytes(tables.encode())
    if not keeps_all(label_map, out):
        _warn(f"{out}: a list of names has no room for display_name and keypoints: left out")


def _warn_of_similar(sources: list[Any], rules: Any) -> None:
    from tfrec_tools.labels.conflicts import alias, places, similar

    where = places(sources, rules)
    for name, keep in similar(sources, rules):
        same = f"{name!r} ({where[name]}) may be {keep!r} ({where[keep]})"
        _warn(f"{same}; if so: {alias([name], keep)}")


def _warn(reason: str) -> None:
    typer.echo(f"tfrec: warning: {reason}", err=True)


def _print(out: Path, label_map: Any, report: dict[str, Any]) -> None:
    """A row a class: its new id, and its id in each of the maps, with its name there if that is another."""
    from tfrec_tools.cli import show

    rows = [
        (label.id, _shown(label), *(_old_ids(source, label.id) for source in report["sources"]))
        for label in label_map.labels
    ]
    headers = ("id", "class", *(f"id in {source['path']}" for source in report["sources"]))
    show.print_table(f"{out}: {len(rows)} classes", headers, rows)
    for source in report["sources"]:
        if source["dropped"]:
            listed = ", ".join(f"{row['old_id']} {row['name']}" for row in source["dropped"])
            typer.echo(f"Left out of {source['path']}: {listed}")


def _shown(label: Any) -> str:
    other = label.display_name and label.display_name != label.name
    return f"{label.name} ({label.display_name})" if other else str(label.name)


def _old_ids(source: dict[str, Any], new_id: int) -> str:
    return ", ".join(
        str(row["old_id"]) if row["name"] == row["new_name"] else f"{row['old_id']} {row['name']}"
        for row in source["classes"]
        if row["new_id"] == new_id
    )
