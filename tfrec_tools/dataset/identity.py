"""Ids of images: in one set, two images never have the same."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import count
from pathlib import Path

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.errors import counted, readable
from tfrec_tools.tfrecords.features import source_id


def unlike_ids(
    ids: Sequence[str], images: Sequence[Hashable], longer: Callable[[int], Sequence[str]]
) -> tuple[list[str], set[str]]:
    """Returns ids of which no two images have the same, nor the same source_id; and those that had to change.

    images   which image each id is of
    longer   other ids to take for that of a number, from the shortest to one that no other image should have
    """
    unlike = list(ids)
    changed: set[str] = set()
    for step in count():
        clashing = _clashing([source_id(each) for each in unlike], images)
        if not clashing:
            return unlike, changed
        for i in clashing:
            changed.add(ids[i])
            choices = longer(i)
            unlike[i] = choices[step] if step < len(choices) else f"{choices[-1]} {i} {step}"
    raise AssertionError  # for mypy: count never ends


def _clashing(numbers: Sequence[str], images: Sequence[Hashable]) -> list[int]:
    """Returns the places of the numbers that are those of several images."""
    first: dict[str, Hashable] = {}
    several = {
        number
        for number, image in zip(numbers, images, strict=True)
        if first.setdefault(number, image) != image
    }
    return [i for i, number in enumerate(numbers) if number in several] if several else []


def clash_issues(changed: set[str], source: str) -> tuple[Issue, ...]:
    """An issue where ids had to change; `source` names the last of the sources."""
    if not changed:
        return ()
    message = (
        f"of different images: {counted(len(changed), 'image id')}, the first {min(changed)!r}: "
        "their source_id is a number made from source and id"
    )
    return (Issue("image-id-shared", source, None, message, True),)


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """Returns the paths' last parts, as many as no other path shares; by its number, too, where a path stands
    twice."""
    tails = ["/".join(path.parts[-1:]) for path in paths]
    for length in range(2, max((len(path.parts) for path in paths), default=0) + 1):
        tails = [
            "/".join(path.parts[-length:]) if tails.count(tail) > 1 else tail
            for path, tail in zip(paths, tails, strict=True)
        ]
    return [
        readable(tail if tails.count(tail) == 1 else f"{number} {tail}") for number, tail in enumerate(tails)
    ]
