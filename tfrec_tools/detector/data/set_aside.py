"""A part of the images that is not learnt from, where none are given to choose and to measure by."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tfrec_tools.detector.data.index import IndexedExample, digest

SHARE = 0.15
FEWEST = 10  # images, the same to the byte counted once: below that none can be spared
_AT_LEAST = 3


@dataclass(frozen=True, slots=True, eq=False)
class Parted:
    """Images that are learnt from, and those that are not, each in the order that they came in."""

    kept: list[IndexedExample]
    aside: list[IndexedExample]


def part(examples: Sequence[IndexedExample], classes: Collection[int], seed: int) -> Parted:
    """Returns the examples in two parts, of which `aside` is SHARE of them, at least 3: those whose bytes,
    hashed with the seed, come first, so that most stay where they are when images are added or moved.

    Images that are the same to the byte stay together. Each of the classes, by id, has a box in `aside` if
    two images have one, and none loses the last image that it has to be learnt from. Nothing is set aside of
    fewer than FEWEST images.
    """
    groups = _by_digest(examples, seed)
    if len(groups) < FEWEST:
        return Parted(list(examples), [])
    left = Counter(label_id for group in groups for label_id in _ids(examples, group))
    wanted = max(_AT_LEAST, round(SHARE * len(examples)))
    aside: set[int] = set()

    def take(group: list[int]) -> None:
        ids = _ids(examples, group)
        if aside.isdisjoint(group) and all(left[label_id] > 1 for label_id in ids):
            aside.update(group)
            left.subtract(ids)

    for group in groups:
        if len(aside) + len(group) <= wanted:
            take(group)
    for label_id in sorted(classes, key=lambda label_id: (left[label_id], label_id)):
        for group in groups:
            if label_id not in _ids(examples, aside) and label_id in _ids(examples, group):
                take(group)
    return Parted(
        [example for place, example in enumerate(examples) if place not in aside],
        [examples[place] for place in sorted(aside)],
    )


def without(examples: Sequence[IndexedExample], others: Sequence[IndexedExample]) -> list[IndexedExample]:
    """Returns the examples that are none of the others, by the bytes of the images."""
    known = {digest(example) for example in others}
    return [example for example in examples if digest(example) not in known]


def once(examples: Sequence[IndexedExample]) -> list[IndexedExample]:
    """Returns the first of the examples that are the same to the byte."""
    return list({digest(example): example for example in reversed(examples)}.values())[::-1]


def _by_digest(examples: Sequence[IndexedExample], seed: int) -> list[list[int]]:
    """Returns the places of images that are the same to the byte, in the order of their hashes."""
    groups: dict[bytes, list[int]] = {}
    for place, example in enumerate(examples):
        groups.setdefault(digest(example), []).append(place)
    salt = f"{seed}:".encode()
    return [groups[key] for key in sorted(groups, key=lambda key: hashlib.sha256(salt + key).digest())]


def _ids(examples: Sequence[IndexedExample], places: Collection[int]) -> set[int]:
    """Returns the classes that have boxes in the examples at these places."""
    return {label_id for place in places for label_id in examples[place].ids.tolist()}
