"""The map that records come under, and what becomes of the classes of each set: by the tables of a merge, by
the words for classes, or by merging the sets' own maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tfrec_tools.dataset import class_choice
from tfrec_tools.errors import InputError
from tfrec_tools.formats.classes import read_map
from tfrec_tools.labels.id_tables import find_tables, new_names
from tfrec_tools.labels.label_map import ClassList, Label, LabelMap, from_names
from tfrec_tools.labels.merge import merge
from tfrec_tools.remapping.options import RemapOptions
from tfrec_tools.remapping.sources import RecordIndex, Set
from tfrec_tools.system.options import as_path

Renamed = Mapping[str, str | None]  # {old name: new name, None where the class is left out}


def found(
    options: RemapOptions, sets: Sequence[Set], indexes: Sequence[RecordIndex]
) -> tuple[LabelMap, list[Renamed]]:
    """Returns the new map, and what the classes of each set become. InputError where options exclude each
    other, LabelConflict where maps or words do not fit."""
    words, labels = class_choice.flags_of(options), options.labels_path
    if labels is None:
        return _merged(options, sets, indexes)
    if options.first_ids != "contiguous":
        flag = "--renumber" if options.renumber else "--keep-gaps"
        raise InputError(flag, "is for the map that is made without --labels; drop one of them")
    label_map = read_map(labels)
    if words and options.table is not None:
        raise InputError("--table", f"says what classes become, and so does {words}; drop one of them")
    if words:
        names = [_class_list(a_set, index).labels for a_set, index in zip(sets, indexes, strict=True)]
        choices = class_choice.choices(options, [[label.name for label in of_set] for of_set in names])
        return label_map, [choice.renamed for choice in choices]
    tables = find_tables(None if options.table is None else as_path(options.table), labels, label_map)
    return label_map, [new_names(tables, a_set.own) for a_set in sets]


def _merged(
    options: RemapOptions, sets: Sequence[Set], indexes: Sequence[RecordIndex]
) -> tuple[LabelMap, list[Renamed]]:
    """As merge-labels does it."""
    if options.table is not None:
        raise InputError("--table", "is of a merged map; give that too, with --labels")
    lists = [_class_list(a_set, index) for a_set, index in zip(sets, indexes, strict=True)]
    merged = merge(*lists, rules=class_choice.rules_of(options, lists, options.first_ids))
    return merged.label_map, [{row.name: row.new_name for row in rows} for rows in merged.rows]


def _class_list(a_set: Set, index: RecordIndex) -> ClassList:
    """Returns the classes of a set's own map; those that its records use where it has none."""
    if not a_set.own:
        return ClassList(from_names(index.names).labels, str(a_set.path))
    labels = (
        Label(number, name, "", a_set.keypoints.get(name, ())) for number, name in sorted(a_set.own.items())
    )
    return ClassList(tuple(labels), str(a_set.path))
