"""How several label maps become one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count

from tfrec_tools.labels.conflicts import require_agreement
from tfrec_tools.labels.label_map import Label, LabelMap
from tfrec_tools.labels.naming import MergeRules, Source, SourceClass, heads, uses_of

IdTable = dict[int, int]


@dataclass(frozen=True, slots=True)
class MergedClass:
    """What became of a class of a source; it has no new name and id where it was left out."""

    name: str
    old_id: int
    new_name: str | None
    new_id: int | None


@dataclass(frozen=True, slots=True)
class Merged:
    """A merged map, and for each source in turn what became of its classes, by their ids."""

    label_map: LabelMap
    rows: tuple[tuple[MergedClass, ...], ...]

    @property
    def tables(self) -> tuple[IdTable, ...]:
        """The tables of the sources in turn, {old id: new id}, without the classes that were left out."""
        return tuple({row.old_id: row.new_id for row in rows if row.new_id is not None} for rows in self.rows)


_AS_THEY_ARE = MergeRules()


def merge(first: Source, *others: Source, rules: MergeRules = _AS_THEY_ARE) -> Merged:
    """Returns one map, contiguous from 1: the first map's ids stay, so that the rows of a trained head stay
    where they are; names that it lacks follow at the next ids, in the order met.

    The order of the others decides nothing but the ids of new classes. Raises LabelConflict with all in
    which the maps contradict themselves, each other or the rules.
    """
    sources = (first, *others)
    require_agreement(sources, rules)
    uses = uses_of(sources, rules)
    labels = _first_labels(uses[0], rules)
    labels |= _new_labels(labels, uses[1:])
    label_map = LabelMap(tuple(labels.values()), "merged label map")
    return Merged(label_map, tuple(tuple(_row(use, labels) for use in own) for own in uses))


def _first_labels(uses: Sequence[SourceClass], rules: MergeRules) -> dict[str, Label]:
    """Returns the first map's classes by their names under the rules."""
    kept = heads(uses)
    if rules.first_ids == "renumber":
        return {
            name: replace(_renamed(use), id=number)
            for number, (name, use) in enumerate(kept.items(), start=1)
        }
    return {name: _renamed(use) for name, use in kept.items()}


def _new_labels(known: Mapping[str, Label], uses: Sequence[Sequence[SourceClass]]) -> dict[str, Label]:
    """Returns the classes that the first map lacks, likewise."""
    lacking: dict[str, list[Label]] = {}
    for use in chain(*uses):
        if use.name is not None and use.name not in known:
            lacking.setdefault(use.name, []).append(_renamed(use))
    following = count(max((label.id for label in known.values()), default=0) + 1)
    return {name: _joined(next(following), labels) for name, labels in lacking.items()}


def _renamed(use: SourceClass) -> Label:
    """Returns the class under its name by the rules; its display_name was that of the old one."""
    if use.name is None or not use.is_renamed:
        return use.label
    return replace(use.label, name=use.name, display_name="")


def _joined(label_id: int, labels: Sequence[Label]) -> Label:
    """Returns what several maps say of a class, chosen so that their order does not matter."""
    names = (label.name for label in labels)
    display_names = (label.display_name for label in labels if label.display_name)
    keypoints = (label.keypoints for label in labels if label.keypoints)
    return Label(label_id, min(names), min(display_names, default=""), min(keypoints, default=()))


def _row(use: SourceClass, labels: Mapping[str, Label]) -> MergedClass:
    if use.name is None:
        return MergedClass(use.label.name, use.label.id, None, None)
    new = labels[use.name]
    return MergedClass(use.label.name, use.label.id, new.name, new.id)
