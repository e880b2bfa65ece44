"""Label maps of whatever has classes become one, with the tables of what became of each class."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfrec_tools.dataset.class_choice import rules_of
from tfrec_tools.errors import InputError
from tfrec_tools.formats.classes import read_classes
from tfrec_tools.labels import conflicts, id_tables, lists
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.labels.merge import merge
from tfrec_tools.labels.naming import MergeRules, Source
from tfrec_tools.remapping.options import MergeLabelsOptions
from tfrec_tools.system.atomic import published


@dataclass(frozen=True, slots=True)
class Merging:
    """Classes that were read from `paths`, to become one map in the file `out` by the rules."""

    out: Path
    paths: tuple[Path, ...]
    sources: tuple[Source, ...]
    rules: MergeRules


@dataclass(frozen=True, slots=True)
class MergedLabels:
    """The merged map, and NAME.id_tables.json beside it, as data (see schemas/id_tables.schema.json)."""

    out: Path
    label_map: LabelMap
    tables: dict[str, Any]

    @property
    def document(self) -> str:
        """The tables as they are written."""
        return json.dumps(self.tables, ensure_ascii=False, indent=2) + "\n"


def read(options: MergeLabelsOptions) -> Merging:
    """Reads all classes. InputError where an input cannot be used, or is the output too."""
    out = options.merged_path
    _require_other(out, options.maps)
    sources = tuple(read_classes(path) for path in options.maps)
    return Merging(out, options.maps, sources, rules_of(options, sources, options.first_ids))


def merge_labels(merging: Merging) -> MergedLabels:
    """Merges and writes the map and the tables. LabelConflict lists all in which the maps disagree."""
    merged = merge(*merging.sources, rules=merging.rules)
    tables = id_tables.as_json(merging.out, merging.paths, merged)
    written = MergedLabels(merging.out, merged.label_map, tables)
    text = lists.formatted(merged.label_map, merging.out)
    merging.out.parent.mkdir(parents=True, exist_ok=True)
    with published(merging.out, id_tables.beside(merging.out)) as (map_part, tables_part):
        map_part.write_bytes(text.encode())
        tables_part.write_bytes(written.document.encode())
    return written


def keeps_all(merged: MergedLabels) -> bool:
    """Whether the file's format has room for display names and keypoints, where there are any."""
    return lists.keeps_all(merged.label_map, merged.out)


def similar_names(merging: Merging) -> Iterator[str]:
    """What names may be one class, with the flag that would make them one."""
    where = conflicts.places(merging.sources, merging.rules)
    for name, keep in conflicts.similar(merging.sources, merging.rules):
        same = f"{name!r} ({where[name]}) may be {keep!r} ({where[keep]})"
        yield f"{same}; if so: {conflicts.alias([name], keep)}"


def _require_other(out: Path, paths: Sequence[Path]) -> None:
    if out.is_dir():
        raise InputError(out, "is a folder; --out is the file to write")
    inputs = [path.resolve() for path in paths]
    for file in (out, id_tables.beside(out)):
        if file.resolve() in inputs:
            raise InputError(file, "is both an input and --out; choose another --out")
