"""Which classes a set has and what they are called, chosen by the words of merge-labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.dataset.options import ClassOptions
from tfrec_tools.errors import LabelConflict, counted, readable
from tfrec_tools.labels import naming
from tfrec_tools.labels.label_map import ClassList, Label
from tfrec_tools.labels.naming import FirstIds, MergeRules, Source
from tfrec_tools.system.options import as_path, several

LEFT_OUT = "class-left-out"


@dataclass(frozen=True, slots=True)
class Choice:
    """What becomes of the classes of a source, {name: new name, None where it is left out}, of all of them
    or none: then all stay."""

    renamed: Mapping[str, str | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Returns whether a class changes."""
        return any(old != new for old, new in self.renamed.items())

    def name(self, old: str) -> str | None:
        return self.renamed.get(old, old)

    def names(self, olds: Sequence[str]) -> tuple[str, ...]:
        """Returns the new names, each once."""
        return tuple(dict.fromkeys(new for old in olds if (new := self.name(old)) is not None))

    def labeled(self, olds: frozenset[str]) -> frozenset[str]:
        """Returns the new classes that an image was annotated for which was for these."""
        return naming.labeled_under(self.renamed, olds)

    def issues(self, place: str, boxes: Mapping[str, int]) -> Iterator[Issue]:
        """Yields an issue for each class that is left out, with its boxes."""
        for name in (old for old, new in self.renamed.items() if new is None):
            message = f"{name!r} is left out, with {counted(boxes.get(name, 0), 'box')}"
            yield Issue(LEFT_OUT, readable(place), None, message, True)


def flags_of(options: ClassOptions) -> str:
    """Returns the flags of those that are given, to show; empty where none is."""
    names = ("only", "ignore", "rename", "alias", "aliases")
    return ", ".join(f"--{name}" for name in names if getattr(options, name))


def rules_of(
    options: ClassOptions, sources: Sequence[Source], first_ids: FirstIds = "contiguous"
) -> MergeRules:
    """Returns the rules for the classes of some sources. InputError where a word is none."""
    from tfrec_tools.labels import renames  # which reads files of every kind

    only = several(options.only)
    rules = MergeRules(
        renames.parse(several(options.alias), several(options.rename)),
        renames.read(as_path(options.aliases)) if options.aliases else {},
        frozenset(several(options.ignore)),
        frozenset(only) if only else None,
        first_ids,
    )
    return naming.with_single_words(rules, sources)


def choices(options: ClassOptions, classes: Sequence[Sequence[str]]) -> tuple[Choice, ...]:
    """Returns what becomes of the classes of each source. LabelConflict names each word that is none of
    them."""
    if not flags_of(options):
        return tuple(Choice() for _ in classes)
    from tfrec_tools.labels import conflicts

    sources = [
        ClassList(tuple(Label(i, name) for i, name in enumerate(dict.fromkeys(names), start=1)), "")
        for names in classes
    ]
    rules = rules_of(options, sources)
    uses = naming.uses_of(sources, rules)
    if unknown := list(conflicts.unknown_names(uses, rules, "sources")):
        raise LabelConflict("classes", unknown)
    return tuple(Choice({use.plain: use.name for use in of_source}) for of_source in uses)
