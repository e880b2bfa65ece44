"""What differs between two annotations of an image, and which images of two sets are the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.annotations.records import ImageRecord

Kind = Literal["added", "removed", "changed", "same"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_SAME_OBJECT = 0.5  # IoU from which on two boxes are taken for one that was changed
_SAME_PLACE = 1e-5  # of the image's sides, which is more than float32 rounds

_Image = TypeVar("_Image")
Pair = tuple[int | None, int | None]  # places of an image in A and in B; None where it is not there


@dataclass(frozen=True, slots=True, eq=False)
class BoxChange:
    """A box and what became of it: fractions (4,) [xmin ymin xmax ymax] of the image, B's but of a box that
    was removed; `note` says what changed."""

    kind: Kind
    name: str
    fractions: NDArray[np.float64]
    note: str = ""


def box_changes(a: ImageRecord, b: ImageRecord) -> list[BoxChange]:
    """Returns what became of each box. Boxes are paired best first: those that are the same in all, those of
    the same class and place, those of the same class that overlap most, at IoU 0.5 or more, then such of
    other classes."""
    first, second = fractions(a), fractions(b)
    overlaps = _ious(first, second)
    same_place = np.abs(first[:, None] - second[None]).max(axis=-1, initial=0.0) <= _SAME_PLACE
    ranked = []
    for i, j in np.argwhere(same_place | (overlaps >= _SAME_OBJECT)).tolist():
        tier = _tier(a, b, (i, j), bool(same_place[i, j]))
        if tier < 2 or overlaps[i, j] >= _SAME_OBJECT:
            ranked.append((tier, -overlaps[i, j], i, j))
    left_a, left_b, changes = set(range(len(first))), set(range(len(second))), []
    for tier, overlap, i, j in sorted(ranked):
        if i in left_a and j in left_b:
            left_a.remove(i)
            left_b.remove(j)
            notes = ("", "attributes", f"moved, IoU {-overlap:.2f}", f"was {a.names[i]}")
            changes.append(BoxChange("changed" if tier else "same", b.names[j], second[j], notes[tier]))
    changes += [BoxChange("removed", a.names[i], first[i]) for i in sorted(left_a)]
    return changes + [BoxChange("added", b.names[j], second[j]) for j in sorted(left_b)]


def all_of(record: ImageRecord, kind: Kind) -> list[BoxChange]:
    """Returns the boxes of an image that one set alone has."""
    return [BoxChange(kind, name, box) for name, box in zip(record.names, fractions(record), strict=True)]


def pairs(
    a: Sequence[_Image], b: Sequence[_Image], keys: Sequence[Callable[[_Image], Hashable]]
) -> list[Pair]:
    """Returns the images of B in order, each with that of A that has the same key, the first of `keys` that
    some of A that is left has; then those that A alone has. Where several have a key, the first is taken for
    the first, and so on."""
    of_b: dict[int, int] = {}
    left = dict.fromkeys(range(len(a)))
    for key in keys:
        waiting: dict[Hashable, list[int]] = defaultdict(list)
        for place in left:
            waiting[key(a[place])].append(place)
        for place, image in enumerate(b):
            if place not in of_b and (same := waiting.get(key(image))):
                of_b[place] = same.pop(0)
                del left[of_b[place]]
    return [*((of_b.get(place), place) for place in range(len(b))), *((place, None) for place in left)]


def fractions(record: ImageRecord) -> NDArray[np.float64]:
    """Returns the boxes (N, 4) [xmin ymin xmax ymax] as fractions of the image."""
    sides = np.tile(np.array([record.width, record.height], np.float64), 2)
    return np.asarray(record.boxes_xyxy / sides, np.float64)


def _tier(a: ImageRecord, b: ImageRecord, boxes: tuple[int, int], same_place: bool) -> int:
    """0 the same in all, 1 of the same class and place, 2 of the same class, 3 of another."""
    i, j = boxes
    if a.names[i] != b.names[j]:
        return 3
    if not same_place:
        return 2
    return int(_attributes(a, i) != _attributes(b, j))


def _attributes(record: ImageRecord, box: int) -> tuple[object, ...]:
    """Returns all that a record says of a box besides its class, its place and what follows from them."""
    flags = (record.crowd, record.difficult, record.truncated, record.occluded, record.group_of)
    points = None if record.keypoints is None else record.keypoints[box]
    return (
        *(bool(flag[box]) for flag in flags),
        record.poses[box] if record.poses else "",
        record.masks[box] if record.masks else b"",
        record.weights[box] if record.weights else 1.0,
        () if points is None or not points.any() else tuple(map(tuple, np.round(points, 2).tolist())),
    )


def _ious(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns (N, M) of boxes (N, 4) with others (M, 4); 0 where neither has an area."""
    sides = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    shared = np.prod(np.maximum(sides, 0.0), axis=-1)
    areas = [np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0), axis=-1) for boxes in (a, b)]
    union = areas[0][:, None] + areas[1][None] - shared
    shares = np.zeros_like(shared)
    np.divide(shared, union, out=shares, where=union > 0)
    return np.asarray(shares, np.float64)
