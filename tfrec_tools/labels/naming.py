"""What the classes of several maps are called, under the user's rules.

A class is known by its name. Where that is a Freebase mid, as in the COCO map of TFOD's zoo, it is known by
its display_name: `name: "/m/04dr76w" display_name: "bottle"` is the class `bottle` of another map.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from tfrec_tools.labels.label_map import ClassList, Label, LabelMap

Source = LabelMap | ClassList
FirstIds = Literal["contiguous", "keep gaps", "renumber"]

_MID = re.compile(r"/[a-z]/\w+")


@dataclass(frozen=True, slots=True)
class MergeRules:
    """What the user wants of a merge. Names are those by which classes are known, or mids.

    renames    {name: name in the merged map}, each of a class that some map has; several may become one.
               A name that stays itself is meant to be spelled as it is.
    aliases    likewise, but maps need not have them
    ignore     classes to leave out, by their old or new name, several with commas between them
    only       the only classes to take, likewise; None takes all
    first_ids  whether the first map must be contiguous from 1, keeps its gaps, or is numbered anew
    """

    renames: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    ignore: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    first_ids: FirstIds = "contiguous"

    @property
    def new_names(self) -> dict[str, str]:
        return {**self.aliases, **self.renames}

    @property
    def meant(self) -> frozenset[str]:
        """The names that are meant to be spelled as they are."""
        return frozenset(name for name, new in self.new_names.items() if name == new)


@dataclass(frozen=True, slots=True)
class SourceClass:
    """A class of a source, the name by which it is known, and its name under the rules, None where it is
    left out."""

    label: Label
    plain: str
    name: str | None

    @property
    def is_renamed(self) -> bool:
        return self.name != self.plain


def uses_of(sources: Sequence[Source], rules: MergeRules) -> list[list[SourceClass]]:
    """Returns the classes of each source, by id."""
    shown = {name: texts[0][0] for name, texts in display_names_of_mids(sources).items()}
    new_names = rules.new_names
    return [
        [_use(label, shown.get(label.name, label.name), rules, new_names) for label in _by_id(source.labels)]
        for source in sources
    ]


def with_single_words(rules: MergeRules, sources: Sequence[Source]) -> MergeRules:
    """Returns the rules with a word for each class that is left out or taken; one that is a class's name as
    it stands is not divided at its commas."""
    labels = [label for source in sources for label in source.labels]
    known = {text for label in labels for text in (label.name, label.display_name)}
    known.update(rules.new_names.values())

    def divided(words: frozenset[str]) -> frozenset[str]:
        parts = (part for word in words for part in ([word] if word in known else word.split(",")))
        return frozenset(part.strip() if part not in known else part for part in parts if part.strip())

    only = None if rules.only is None else divided(rules.only)
    return replace(rules, ignore=divided(rules.ignore), only=only)


def labeled_under(renamed: Mapping[str, str | None], labeled: frozenset[str]) -> frozenset[str]:
    """Returns the new classes that an image was annotated for which was for the old ones `labeled`, where
    `renamed` says what all of its set's become, None where one is left out. Where several became one, it is
    so only for all of them."""
    news = {renamed.get(old, old) for old in labeled}
    partly = {new for old, new in renamed.items() if old not in labeled}
    return frozenset(name for name in news - partly if name is not None)


def display_names_of_mids(sources: Iterable[Source]) -> dict[str, list[tuple[str, str]]]:
    """Returns {mid: (display_name, subject of the map that says so) of each map}."""
    shown: dict[str, list[tuple[str, str]]] = {}
    for source in sources:
        for label in source.labels:
            if _MID.fullmatch(label.name) and label.display_name:
                shown.setdefault(label.name, []).append((label.display_name, source.subject))
    return shown


def names_of(uses: Iterable[SourceClass]) -> set[str]:
    """Returns the names under the rules."""
    return {use.name for use in uses if use.name is not None}


def heads(uses: Iterable[SourceClass]) -> dict[str, SourceClass]:
    """Returns, of the classes of a source that become one, that whose id stays: the one which had the name
    already, else that of the lowest id. By id."""
    first: dict[str, SourceClass] = {}
    for use in sorted(uses, key=lambda use: (use.is_renamed, use.label.id)):
        if use.name is not None:
            first.setdefault(use.name, use)
    return dict(sorted(first.items(), key=lambda item: item[1].label.id))


def _use(label: Label, plain: str, rules: MergeRules, new_names: Mapping[str, str]) -> SourceClass:
    name = new_names.get(label.name, new_names.get(plain, plain))
    called = {label.name, plain, name}
    left_out = bool(called & rules.ignore) or not (rules.only is None or called & rules.only)
    return SourceClass(label, plain, None if left_out else name)


def _by_id(labels: Iterable[Label]) -> list[Label]:
    return sorted(labels, key=lambda label: label.id)
