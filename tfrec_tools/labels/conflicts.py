"""Conflicts: in what label maps contradict themselves, each other or the user's rules; and what may be an
oversight."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from tfrec_tools.errors import LabelConflict
from tfrec_tools.labels.label_map import ClassList, faults
from tfrec_tools.labels.naming import (
    MergeRules,
    Source,
    SourceClass,
    display_names_of_mids,
    heads,
    names_of,
    uses_of,
)
from tfrec_tools.labels.spelling import alike, may_be_one, normal

_SHOWN_IDS = 20


def require_agreement(sources: Sequence[Source], rules: MergeRules) -> None:
    """Raises LabelConflict that lists all disagreements; its subject is the map that they are of, where
    that is one."""
    conflicts = list(_conflicts(sources, rules))
    subjects = {subject for subject, _ in conflicts}
    if len(subjects) == 1 and "" not in subjects:
        raise LabelConflict(subjects.pop(), [conflict for _, conflict in conflicts])
    if conflicts:
        raise LabelConflict("label maps", [": ".join(filter(None, each)) for each in conflicts])


def spellings(sources: Sequence[Source], rules: MergeRules) -> list[tuple[str, ...]]:
    """Returns the names that differ only in case, spaces, `_` or `-`, where no rule says that they shall; in
    each group the one to keep first: the first map's, else the one that sorts first."""
    uses = uses_of(sources, rules)
    groups: dict[str, set[str]] = {}
    for name in names_of(chain(*uses)):
        groups.setdefault(normal(name), set()).add(name)
    of_first, meant = names_of(uses[0]), rules.meant
    return [
        tuple(sorted(group, key=lambda name: (name not in of_first, name)))
        for _, group in sorted(groups.items())
        if len(group) > 1 and len(group - meant) > 1
    ]


def similar(sources: Sequence[Source], rules: MergeRules) -> list[tuple[str, str]]:
    """Returns pairs (name, name to keep) of classes that may be one by a typo, a plural or a display_name.
    Classes that stand side by side in a map are two; spellings of one word are conflicts by themselves."""
    uses = uses_of(sources, rules)
    owners = _owners(uses)
    shown = _display_names(chain(*uses))
    names = sorted(owners.keys() - rules.meant)
    return [
        (first, second) if 0 in owners[second] else (second, first)
        for first, second in alike(names, shown)
        if owners[first].isdisjoint(owners[second]) and normal(first) != normal(second)
    ]


def alias(names: Iterable[str], keep: str) -> str:
    """Returns the flag that makes names one class."""
    return f"--alias {_quoted(','.join(f'{name}={keep}' for name in names))}"


def places(sources: Sequence[Source], rules: MergeRules) -> dict[str, str]:
    """Returns {name under the rules: the maps that have a class of it, to show}."""
    owners = _owners(uses_of(sources, rules))
    return {
        name: ", ".join(sources[index].subject for index in sorted(indices))
        for name, indices in owners.items()
    }


def _conflicts(sources: Sequence[Source], rules: MergeRules) -> Iterator[tuple[str, str]]:
    """Yields (subject, conflict); the subject is empty where it concerns no single map."""
    uses = uses_of(sources, rules)
    for index, (source, own) in enumerate(zip(sources, uses, strict=True)):
        for conflict in (*_faults(source, own, index, rules), *(_first_ids(own, rules) if not index else ())):
            yield source.subject, conflict
    for conflict in (*unknown_names(uses, rules, "maps"), *_two_display_names(sources)):
        yield "", conflict
    where = places(sources, rules)
    for group in spellings(sources, rules):
        listed = ", ".join(f"{name!r} ({where[name]})" for name in group)
        settled = f"{alias(group[1:], group[0])} makes them one class"
        yield "", f"{listed} differ only in spelling: {settled}"


def _faults(source: Source, uses: Sequence[SourceClass], index: int, rules: MergeRules) -> list[str]:
    """Returns what is wrong in a map by itself. Of an id 0 in the first map there is more to say."""
    own_lowest = source.lowest_id if isinstance(source, ClassList) else 1
    lowest_id = 0 if index == 0 or rules.first_ids == "renumber" else own_lowest
    return faults([use.label for use in uses if use.name is not None], lowest_id) + _known_as_one(uses)


def _known_as_one(uses: Iterable[SourceClass]) -> list[str]:
    """Returns a mid whose display_name is another class's name."""
    by_plain: dict[str, set[str]] = {}
    for use in uses:
        if use.name is not None:
            by_plain.setdefault(use.plain, set()).add(use.label.name)
    return [
        f"{' and '.join(map(repr, sorted(names)))} are both known as {plain!r}"
        for plain, names in by_plain.items()
        if len(names) > 1
    ]


def _first_ids(uses: Sequence[SourceClass], rules: MergeRules) -> Iterator[str]:
    """Yields an id 0 and gaps of the first map, with what can be done about them."""
    if rules.first_ids == "renumber":
        return
    for use in uses:
        if use.label.id == 0 and use.name is not None:
            yield (
                f"id 0 of {use.plain!r} cannot stay, since 0 is the background of TFOD's models: --renumber "
                f"counts from 1, --ignore {_quoted(use.plain)} leaves it out"
            )
    missing = _missing(uses)
    if missing and rules.first_ids == "contiguous":
        yield (
            f"ids {missing} are missing, so that its ids cannot stay in a map contiguous from 1: --keep-gaps "
            "keeps them, as a trained model needs; --renumber counts from 1 and gives the table"
        )


def _missing(uses: Sequence[SourceClass]) -> str:
    """Returns the ids between 1 and the largest that no class keeps, with the names of those that had them.
    Only so many are looked at that a wild id costs no time."""
    kept = {use.label.id for use in heads(uses).values()}
    had = {use.label.id: f" ({use.plain!r})" for use in uses}
    last = max(kept, default=0)
    some = [i for i in range(1, min(last, len(kept) + _SHOWN_IDS) + 1) if i not in kept][:_SHOWN_IDS]
    in_all = last - len(kept - {0})
    return ", ".join(f"{i}{had.get(i, '')}" for i in some) + (
        f", ... ({in_all})" if in_all > len(some) else ""
    )


def unknown_names(uses: Sequence[Sequence[SourceClass]], rules: MergeRules, what: str) -> Iterator[str]:
    """Yields names of classes in the rules that are none of the maps, or `what` they are of."""
    old = {name for use in chain(*uses) for name in (use.label.name, use.plain)}
    new = old | set(rules.new_names.values())
    wanted = (
        ("--alias or --rename", rules.renames.keys() - old),
        ("--ignore", rules.ignore - new),
        ("--only", (rules.only or frozenset()) - new),
    )
    for flag, names in wanted:
        for name in sorted(names):
            near = sorted(repr(other) for other in old if may_be_one(name, other))
            meant = f", perhaps {' or '.join(near[:3])}" if near else ""
            yield f"{flag} names {name!r}, which is no class of the {what}{meant}"


def _two_display_names(sources: Sequence[Source]) -> Iterator[str]:
    """A mid is known by its display_name, so that it must not have two."""
    for mid, texts in display_names_of_mids(sources).items():
        if len({text for text, _ in texts}) > 1:
            listed = ", ".join(f"{text!r} ({subject})" for text, subject in texts)
            yield f"{mid!r} is displayed as {listed}"


def _owners(uses: Sequence[Sequence[SourceClass]]) -> dict[str, set[int]]:
    """Returns {name under the rules: indices of the sources that have it}."""
    owners: dict[str, set[int]] = {}
    for index, own in enumerate(uses):
        for name in names_of(own):
            owners.setdefault(name, set()).add(index)
    return owners


def _display_names(uses: Iterable[SourceClass]) -> dict[str, set[str]]:
    """Returns {name under the rules: normal forms of the display_names that maps give to the class}."""
    shown: dict[str, set[str]] = {}
    for use in uses:
        if use.name is not None and use.label.display_name:
            shown.setdefault(use.name, set()).add(normal(use.label.display_name))
    return shown


def _quoted(text: str) -> str:
    """Quotes a word for a shell."""
    return "'" + text.replace("'", "'\\''") + "'"
