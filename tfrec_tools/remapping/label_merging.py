"""Label maps of whatever has classes become one, with the tables of what became of each class."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tfrec_tools.dataset.changes import Change, Outcome, differing
from tfrec_tools.dataset.class_choice import rules_of
from tfrec_tools.errors import InputError
from tfrec_tools.formats.classes import read_classes
from tfrec_tools.labels import conflicts, id_tables, lists
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.labels.merge import merge
from tfrec_tools.labels.naming import MergeRules, Source
from tfrec_tools.remapping.options import MergeLabelsOptions
from tfrec_tools.system import locks, stores
from tfrec_tools.system.atomic import published
from tfrec_tools.system.options import recorded_texts
from tfrec_tools.system.regular_files import read_bytes


@dataclass(frozen=True, slots=True)
class Merging:
    """Classes that were read from `paths`, to become one map in the file `out` by the rules.

    options      what the user said of the rules, to be kept with the tables
    if_changed   whether files that would become what they are stay as they are
    """

    out: Path
    paths: tuple[Path, ...]
    sources: tuple[Source, ...]
    rules: MergeRules
    options: Mapping[str, str]
    if_changed: bool


@dataclass(frozen=True, slots=True)
class MergedLabels:
    """The merged map, and NAME.id_tables.json beside it, as data (see schemas/id_tables.schema.json).
    `outcome` and `changed` are as those of a finished set."""

    out: Path
    label_map: LabelMap
    tables: dict[str, Any]
    outcome: Outcome = "made"
    changed: tuple[Change, ...] = ()

    @property
    def document(self) -> str:
        """The tables as they are written."""
        return json.dumps(self.tables, ensure_ascii=False, indent=2) + "\n"


def read(options: MergeLabelsOptions) -> Merging:
    """Reads all classes. InputError where an input cannot be used, or is the output too."""
    out, maps = stores.written(options.merged_path), tuple(map(stores.of_url, options.maps))
    _require_other(out, maps)
    sources = tuple(map(read_classes, maps))
    rules = rules_of(options, sources, options.first_ids)
    return Merging(out, maps, sources, rules, recorded_texts(options), options.if_changed)


def merge_labels(merging: Merging) -> MergedLabels:
    """Merges and writes the map and the tables. LabelConflict lists all in which the maps disagree."""
    merged = merge(*merging.sources, rules=merging.rules)
    tables = id_tables.as_json(merging.out, merging.paths, merged, merging.options)
    written = MergedLabels(merging.out, merged.label_map, tables)
    text = lists.formatted(merged.label_map, merging.out)
    files = {merging.out: text.encode(), id_tables.beside(merging.out): written.document.encode()}
    with locks.held(merging.out, "label map"):
        there = any(path.exists() for path in files)
        changed = tuple(_changes(tables, files)) if there else ()
        if there and not changed and merging.if_changed:
            return replace(written, outcome="unchanged")
        with published(*files) as parts:
            for part, data in zip(parts, files.values(), strict=True):
                part.write_bytes(data)
    return replace(written, outcome="rebuilt" if there else "made", changed=changed)


def _changes(tables: Mapping[str, Any], files: Mapping[Path, bytes]) -> Iterator[Change]:
    """Yields in what files differ from what is to be written: none where they do not."""
    merged, beside = files
    try:
        before = json.loads(read_bytes(beside))
        options, version = dict(before["options"]), str(before["tool_version"])
    except (OSError, InputError, ValueError, KeyError, TypeError, RecursionError):
        yield Change("output", f"it has no {beside.name} that can be read")
        return
    of_options = differing(options, tables["options"], "--{}", "default")
    of_version = differing({"tfrec": version}, {"tfrec": tables["tool_version"]}, "{}", "none")
    if of_options:
        yield Change("options", of_options)
    if of_version:
        yield Change("version", of_version)
    if before != tables and not of_options and not of_version:
        yield Change("input", "the label maps are not what they were")
    if before == tables and not (merged.is_file() and read_bytes(merged) == files[merged]):
        yield Change("output", f"{merged.name} is not what was written")


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
