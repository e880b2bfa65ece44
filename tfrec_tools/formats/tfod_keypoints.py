"""Which keypoints of TFRecords belong to which class: a record has values for all of its set's, and the
label map says at which places those of a class stand. Where it does not, all are those of each class that
has one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ImageRecord
from tfrec_tools.errors import counted, readable

Places = Mapping[str, tuple[tuple[int, str], ...]]  # {class: (place from 0, name) of its keypoints}


@dataclass(frozen=True, slots=True)
class Settled:
    """Records whose keypoints are those of their class, in the order of its places; and what is odd."""

    records: Sequence[ImageRecord]
    places: Places = field(default_factory=dict)
    issues: tuple[Issue, ...] = ()

    @property
    def by_class(self) -> dict[str, tuple[str, ...]]:
        """{class: names of its keypoints}."""
        return {name: tuple(label for _, label in pairs) for name, pairs in self.places.items()}


def settled(
    known: Places, names: Sequence[str], said: Iterable[tuple[str, ...]], records: Sequence[ImageRecord]
) -> Settled:
    """Returns the records of a set of these classes. What `said` to be the names of all keypoints is taken
    where the label map, `known`, has none."""
    if not known and any(record.keypoints is not None for record in records):
        listed = max(said, key=len, default=())
        known = dict.fromkeys(_labeled_classes(records), _all_places(records, listed))
    of_classes = {name: _distinct(known[name]) for name in names if name in known}
    places = {name: [place for place, _ in pairs] for name, pairs in of_classes.items()}
    return Settled([_settled(record, places) for record in records], of_classes)


def without(path: Path, records: Sequence[ImageRecord]) -> Settled:
    """Returns the records without keypoints, with an issue that counts those of boxes that are left out."""
    boxes = sum(int(_is_labeled(record).any(axis=1).sum()) for record in records)
    message = f"the keypoints of {counted(boxes, 'box')} are left out"
    issue = Issue("keypoints-left-out", readable(path.name), None, message, True)
    bare = [record if record.keypoints is None else replace(record, keypoints=None) for record in records]
    return Settled(bare, issues=(issue,) if boxes else ())


def _is_labeled(record: ImageRecord) -> np.ndarray:
    """Returns (N, K)."""
    if record.keypoints is None:
        return np.zeros((len(record.names), 0), bool)
    labeled: np.ndarray = record.keypoints[..., 2] != 0
    return labeled


def _labeled_classes(records: Sequence[ImageRecord]) -> dict[str, None]:
    return {
        record.names[box]: None
        for record in records
        for box in np.flatnonzero(_is_labeled(record).any(axis=1)).tolist()
    }


def _all_places(records: Sequence[ImageRecord], names: Sequence[str]) -> tuple[tuple[int, str], ...]:
    """Returns every place that a record has, by these names, else by its number."""
    count = max(_is_labeled(record).shape[1] for record in records)
    usable = len(set(names)) == len(names) == count and all(names)
    return tuple(enumerate(names if usable else map(str, range(count))))


def _distinct(pairs: Sequence[tuple[int, str]]) -> tuple[tuple[int, str], ...]:
    """Returns places that a record can have, with different names, as every format reads them."""
    ordered = sorted((place, label.strip()) for place, label in pairs if place >= 0)
    labels = {label for _, label in ordered}
    if len(labels) == len(ordered) and all(labels):
        return tuple(ordered)
    return tuple((place, str(place)) for place, _ in ordered)


def _settled(record: ImageRecord, places: Mapping[str, list[int]]) -> ImageRecord:
    """Returns the record with the keypoints at the places of each box's class; NaN, which is damaged, where a
    box has one at another place."""
    given, labeled = record.keypoints, _is_labeled(record)
    if given is None:
        return record
    there = {name: [place for place in of if place < given.shape[1]] for name, of in places.items()}
    longest = max((len(there.get(name, ())) for name in record.names), default=0)
    keypoints = np.zeros((len(record.names), max(1, longest), 3))
    for box, name in enumerate(record.names):
        foreign = labeled[box].copy()
        for number, place in enumerate(there.get(name, ())):  # ascending, so that the last are lacking
            keypoints[box, number] = given[box, place]
            foreign[place] = False
        if foreign.any():
            keypoints[box] = math.nan
    return replace(record, keypoints=keypoints if keypoints.any() else None)
