"""A source with the classes that are wanted of it, under the names that they are to have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from tfrec_tools.annotations.accounts import Tally
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ImageRecord, Source, subset
from tfrec_tools.dataset.class_choice import LEFT_OUT, Choice
from tfrec_tools.errors import InputError
from tfrec_tools.labels import keypoints


def chosen(
    path: Path, source: Source, choice: Choice, labeled: frozenset[str] | None
) -> tuple[Source, Tally]:
    """Returns the source under the choice, and what it leaves out: boxes, and images that were annotated for
    nothing else. Images that only lose their boxes are negatives of the other classes. InputError where
    classes that become one have different keypoints, or where an image was annotated for some of them only,
    and for nothing else; unless it is known what all were annotated for, `labeled`."""
    if not choice:
        return source, Tally()
    labeled_under = cache(choice.labeled)
    kept, lost_images, left_out = [], 0, Counter[str]()
    numbers: dict[str, dict[int, int]] = {}
    for record in source.records:
        boxes = [box for box, name in enumerate(record.names) if choice.name(name) is not None]
        if len(boxes) < len(record.names):
            left_out.update(name for name in record.names if choice.name(name) is None)
            numbers[record.source] = {old: new for new, old in enumerate(boxes)}
        said = record.labeled if labeled is None else None
        new = _record(path, record, choice, None if said is None else labeled_under(said))
        lost_images += new is None
        kept += [] if new is None else [new]
    lost = Tally(
        lost_images={LEFT_OUT: lost_images} if lost_images else {},
        lost_boxes={LEFT_OUT: left_out.total()} if left_out else {},
    )
    under = replace(
        source,
        classes=choice.names(source.classes),
        records=kept,
        issues=(*_renumbered(source.issues, numbers), *choice.issues(path.name, left_out)),
        category_ids=_category_ids(source.category_ids, choice),
        keypoints=_keypoints(path, source.keypoints, choice),
    )
    return under, lost


def _renumbered(issues: Iterable[Issue], numbers: Mapping[str, Mapping[int, int]]) -> Iterator[Issue]:
    """Yields the issues with the numbers that boxes have now, {source of a record: {old: new}}."""
    for issue in issues:
        if issue.box is not None and issue.source in numbers:
            yield replace(issue, box=numbers[issue.source].get(issue.box))
        else:
            yield issue


def _record(
    path: Path, record: ImageRecord, choice: Choice, labeled: frozenset[str] | None
) -> ImageRecord | None:
    """Returns the record, `labeled` for what it says under the choice; None where nothing is left of it."""
    names = [choice.name(name) for name in record.names]
    kept = [box for box, name in enumerate(names) if name is not None]
    if labeled is not None and not kept and all(choice.name(old) is None for old in record.labeled or ()):
        return None
    part = record if len(kept) == len(names) else subset(record, kept)
    new_names = tuple(name for name in names if name is not None)
    if labeled is not None and not labeled:
        listed = ", ".join(sorted(record.labeled or ()))
        reason = f"was annotated for {listed} alone, and so for nothing as the classes are to be"
        raise InputError(path, f"{reason}; say what for by --labeled", where=record.source)
    return replace(part, names=new_names, labeled=labeled)


def _category_ids(ids: Mapping[str, int | str] | None, choice: Choice) -> dict[str, int | str] | None:
    """Returns {new class: its id}; of several that become one, that of the one which has the name, else the
    first."""
    if ids is None:
        return None
    new_ids: dict[str, int | str] = {}
    for old in sorted(ids, key=lambda name: choice.name(name) != name):
        new = choice.name(old)
        if new is not None:
            new_ids.setdefault(new, ids[old])
    return new_ids


def _keypoints(
    path: Path, by_class: Mapping[str, tuple[str, ...]], choice: Choice
) -> dict[str, tuple[str, ...]]:
    return keypoints.joined(
        {
            f"{path} {old!r}": {new: of}
            for old, of in by_class.items()
            if (new := choice.name(old)) is not None
        }
    )
