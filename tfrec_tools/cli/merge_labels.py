"""`tfrec merge-labels`: one label map from several, old ids first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from tfrec_tools.cli.options import Json, command
from tfrec_tools.cli.shown import say
from tfrec_tools.errors import counted
from tfrec_tools.remapping.options import MergeLabelsOptions


@command(
    "tfrec merge-labels old.pbtxt new.pbtxt --alias 'T-shirt=t_shirt' --out merged.pbtxt", of_classes=True
)
def merge_labels(
    options: MergeLabelsOptions,
    interactive: Annotated[
        bool, typer.Option("--interactive", show_envvar=False, help="Ask about names that may be one class.")
    ] = False,
    json: Json = False,
) -> None:
    """Merge label maps: ids of the first stay, new names follow, the result counts from 1 without gaps.

    Prints which id each map's ids become, and writes the same as JSON. Names that differ only in case,
    spaces, `_` and `-` must be settled, with --alias for example. A class is known by its name or, where that
    is a Freebase mid, by its display_name.
    """
    from dataclasses import asdict

    from tfrec_tools.cli import manner, naming_questions
    from tfrec_tools.remapping import label_merging as engine

    merging = engine.read(options)
    if interactive:
        merging = naming_questions.ask(merging)
    merged = engine.merge_labels(merging)
    for path, source in zip(merging.paths, merging.sources, strict=True):
        if not source.subject.startswith(str(path)):
            manner.note(f"classes of {path}: {source.subject}")
    if not engine.keeps_all(merged):
        lacks = "a list of names has no room for display_name and keypoints: left out"
        manner.note(f"warning: {merged.out}: {lacks}")
    if not interactive:
        for hint in engine.similar_names(merging):
            manner.note(f"warning: {hint}")
    if json:
        outcome = {"outcome": merged.outcome, "changed": list(map(asdict, merged.changed))}
        manner.say_document(merged.tables | outcome)
    else:
        _print(merged)


def _print(merged: Any) -> None:
    """A row for each class: its new id, and its id in each of the maps, with its name there if that is
    another."""
    from tfrec_tools.cli import class_tables
    from tfrec_tools.dataset.changes import told

    if merged.outcome == "unchanged":
        say("Nothing to do: the files are what they would become.")
    elif merged.changed:
        say(f"Rebuilt: what was there was {told(merged.changed)}.")
    sources = merged.tables["sources"]
    labels, old_ids = merged.label_map.labels, [_old_ids(source) for source in sources]
    rows = [
        (label.id, _shown(label), *(", ".join(of_source.get(label.id, ())) for of_source in old_ids))
        for label in labels
    ]
    headers = ("id", "class", *(f"id in {name}" for name in _short([source["path"] for source in sources])))
    same_as_first = [row[2:] == (str(row[0]), *[""] * (len(sources) - 1)) for row in rows]
    places = sorted(range(len(rows)), key=same_as_first.__getitem__)
    title = f"{merged.out}: {counted(len(labels), 'class')}"
    class_tables.print_classes(
        title, headers, rows, class_tables.Order(places, "new and changed ones before others")
    )
    for source in sources:
        if source["dropped"]:
            listed = class_tables.some([f"{row['old_id']} {row['name']}" for row in source["dropped"]])
            say(f"Left out of {source['path']}: {listed}")


def _short(paths: Sequence[str]) -> list[str]:
    """Returns the names of files, with as much of their folders as tells them apart."""
    parts = [Path(path).parts for path in paths]
    deepest = max(map(len, parts))
    for count in range(1, deepest + 1):
        names = [str(Path(*each[-count:])) for each in parts]
        if len(set(names)) == len(names):
            break
    return names


def _shown(label: Any) -> str:
    other = label.display_name and label.display_name != label.name
    return f"{label.name} ({label.display_name})" if other else str(label.name)


def _old_ids(source: dict[str, Any]) -> dict[int, list[str]]:
    """Returns {new id: the ids that it had in a source, with other names than the new one}."""
    shown: dict[int, list[str]] = {}
    for row in source["classes"]:
        same = row["name"] == row["new_name"]
        shown.setdefault(row["new_id"], []).append(
            str(row["old_id"]) if same else f"{row['old_id']} {row['name']}"
        )
    return shown
