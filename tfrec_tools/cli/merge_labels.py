"""`tfrec merge-labels`: one label map from several, old ids first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def merge_labels(
    old: Annotated[
        Path, typer.Argument(help="The label map (.pbtxt) whose ids stay: that of the trained model.")
    ],
    new: Annotated[
        list[Path], typer.Argument(help="Label maps whose new names follow at the next free ids.")
    ],
    out: Annotated[
        Path, typer.Option(help="The merged map; the id tables go beside it as NAME.id_tables.json.")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print the id tables as JSON.")] = False,
) -> None:
    """Merge label maps: ids of the first stay, new names follow, the result counts from 1 without gaps.

    Prints which id each map's ids become, and writes the same as JSON.
    """
    import json as json_

    from tfrec_tools.atomic import published
    from tfrec_tools.labels import format_label_map, merge, read_label_map

    paths = [old, *new]
    _require_other(out, paths)
    sources = [read_label_map(path) for path in paths]
    merged = merge(*sources)
    report = _report(out, paths, sources, merged)
    text = json_.dumps(report, ensure_ascii=False, indent=2) + "\n"
    out.parent.mkdir(parents=True, exist_ok=True)
    with published(out, out.with_suffix(".id_tables.json")) as (map_part, tables_part):
        map_part.write_text(format_label_map(merged.label_map), encoding="utf-8")
        tables_part.write_text(text, encoding="utf-8")
    if json:
        typer.echo(text, nl=False)
    else:
        _print(out, report)


def _require_other(out: Path, paths: list[Path]) -> None:
    from tfrec_tools.errors import InputError

    if out.resolve() in [path.resolve() for path in paths]:
        raise InputError(out, "", "is both an input and --out; choose another --out")


def _report(out: Path, paths: list[Path], sources: list[Any], merged: Any) -> dict[str, Any]:
    return {
        "label_map": str(out),
        "classes": [{"id": label.id, "name": label.name} for label in merged.label_map.labels],
        "sources": [
            {
                "path": str(path),
                "classes": [
                    {"name": label.name, "old_id": label.id, "new_id": table[label.id]}
                    for label in source.labels
                ],
            }
            for path, source, table in zip(paths, sources, merged.tables, strict=True)
        ],
    }


def _print(out: Path, report: dict[str, Any]) -> None:
    """A row a class: its new id, and its id in each of the maps."""
    from tfrec_tools.cli import show

    old_ids = [{row["new_id"]: row["old_id"] for row in source["classes"]} for source in report["sources"]]
    rows = [
        (row["id"], row["name"], *(ids.get(row["id"], "") for ids in old_ids)) for row in report["classes"]
    ]
    headers = ("id", "class", *(f"id in {source['path']}" for source in report["sources"]))
    show.print_table(f"{out}: {len(rows)} classes", headers, rows)
