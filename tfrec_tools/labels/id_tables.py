"""What became of the classes of each merged map, as JSON (schemas/id_tables.schema.json): written beside
read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tfrec_tools import __version__
from tfrec_tools.errors import InputError, readable
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.labels.merge import Merged, MergedClass
from tfrec_tools.system.regular_files import read_bytes


@dataclass(frozen=True, slots=True)
class NewClass:
    """A class of the merged map."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class KeptClass:
    """What a class of a source became."""

    name: str
    old_id: int
    new_name: str
    new_id: int


@dataclass(frozen=True, slots=True)
class DroppedClass:
    """A class of a source that was left out."""

    name: str
    old_id: int


@dataclass(frozen=True, slots=True)
class MergedSource:
    """What became of the classes of a source."""

    path: str
    classes: tuple[KeptClass, ...]
    dropped: tuple[DroppedClass, ...]


@dataclass(frozen=True, slots=True)
class IdTables:
    """NAME.id_tables.json: the merged map, the options that it depends on, and its sources."""

    label_map: str
    tool_version: str
    options: dict[str, str]
    classes: tuple[NewClass, ...]
    sources: tuple[MergedSource, ...]


@dataclass(frozen=True, slots=True)
class _File:
    """What is read of the file."""

    sources: tuple[MergedSource, ...]


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a file, one a source, each by old id."""

    path: Path
    sources: tuple[tuple[MergedClass, ...], ...]


def beside(label_map: Path) -> Path:
    """Returns where the tables of a merged map go."""
    return label_map.with_suffix(".id_tables.json")


def as_json(out: Path, paths: Sequence[Path], merged: Merged, options: Mapping[str, str]) -> dict[str, Any]:
    """Returns the IdTables of a merged map `out` of the maps `paths`, as JSON has them."""
    classes = tuple(NewClass(label.id, label.name) for label in merged.label_map.labels)
    sources = tuple(_source(path, rows) for path, rows in zip(paths, merged.rows, strict=True))
    tables = IdTables(readable(str(out)), __version__, dict(options), classes, sources)
    plain: dict[str, Any] = json.loads(json.dumps(asdict(tables)))
    return plain


def read_tables(path: Path, label_map: LabelMap) -> Tables:
    """Raises InputError where the file is none of tables, or they are those of another map than
    `label_map`."""
    import msgspec

    try:
        tables = msgspec.json.decode(read_bytes(path), type=_File)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise InputError(path, f"no tables of ids, as merge-labels writes them ({fault})") from fault
    ids = label_map.id_by_name
    for each in (row for source in tables.sources for row in source.classes):
        if ids.get(each.new_name) != each.new_id:
            reason = f"gives {each.name!r} the new name {each.new_name!r} and id {each.new_id}, but "
            other = f"has id {ids[each.new_name]} for it" if each.new_name in ids else "has no such class"
            raise InputError(path, f"{reason}{label_map.subject} {other}; it is of another merge")
    return Tables(path, tuple(map(_rows, tables.sources)))


def find_tables(table: Path | None, labels: Path, label_map: LabelMap) -> Tables | None:
    """Returns the tables given, else those beside the merged map, if it has any."""
    if table is None and not (labels.is_file() and beside(labels).is_file()):
        return None
    return read_tables(table or beside(labels), label_map)


def new_names(tables: Tables | None, own: Mapping[int, str]) -> dict[str, str | None]:
    """Returns {old name: new name, None where the class was left out}, by the tables that are of the map
    `own`, or by all where none is. Raises InputError where they make two things of one class."""
    if tables is None:
        return {}
    fitting = [rows for rows in tables.sources if own.items() <= {(row.old_id, row.name) for row in rows}]
    renames: dict[str, str | None] = {}
    for row in (row for rows in (own and fitting) or tables.sources for row in rows):
        if renames.setdefault(row.name, row.new_name) != row.new_name:
            reason = (
                f"{row.name!r} becomes {renames[row.name]!r} in one source and {row.new_name!r} in another"
            )
            raise InputError(tables.path, reason)
    return renames


def _rows(source: MergedSource) -> tuple[MergedClass, ...]:
    rows = [MergedClass(row.name, row.old_id, row.new_name, row.new_id) for row in source.classes]
    rows += [MergedClass(row.name, row.old_id, None, None) for row in source.dropped]
    return tuple(sorted(rows, key=lambda row: row.old_id))


def _source(path: Path, rows: Sequence[MergedClass]) -> MergedSource:
    kept = [
        KeptClass(row.name, row.old_id, row.new_name, row.new_id)
        for row in rows
        if row.new_name is not None and row.new_id is not None
    ]
    dropped = [DroppedClass(row.name, row.old_id) for row in rows if row.new_id is None]
    return MergedSource(readable(str(path)), tuple(kept), tuple(dropped))
