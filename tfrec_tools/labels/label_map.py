"""Label maps: the classes of a detector or of a data set.

The text form is TFOD's `StringIntLabelMap` (object_detection/protos/string_int_label_map.proto):
ids count from 1, because 0 is the background of TFOD's models.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tfrec_tools.errors import LabelConflict, readable

_MAX_ID = 2**31 - 1  # of an int32, as the proto has it


@dataclass(frozen=True, slots=True)
class Label:
    """A class: its id from 1, its name, and what else TFOD's label map may say of it."""

    id: int
    name: str
    display_name: str = ""
    keypoints: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class LabelMap:
    """Classes by id, ascending; ids and names are unique. LabelConflict lists all that is not so."""

    labels: tuple[Label, ...]
    subject: str = "label map"

    def __post_init__(self) -> None:
        conflicts = faults(self.labels)
        if conflicts:
            raise LabelConflict(self.subject, conflicts)
        object.__setattr__(self, "labels", tuple(sorted(self.labels, key=lambda label: label.id)))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in the order of their ids."""
        return tuple(label.name for label in self.labels)

    @property
    def id_by_name(self) -> dict[str, int]:
        return {label.name: label.id for label in self.labels}

    @property
    def name_by_id(self) -> dict[int, str]:
        return {label.id: label.name for label in self.labels}

    @property
    def gaps(self) -> tuple[int, ...]:
        """The ids between 1 and the largest that no class has."""
        used = {label.id for label in self.labels}
        return tuple(i for i in range(1, max(used, default=0) + 1) if i not in used)


@dataclass(frozen=True, slots=True)
class ClassList:
    """Classes as a file lists them, its faults included; lowest_id is 0 for formats that count from 0."""

    labels: tuple[Label, ...]
    subject: str
    lowest_id: int = 1


def from_names(names: Iterable[str]) -> LabelMap:
    """Returns a map with ids 1, 2, ... in the order given."""
    return LabelMap(tuple(Label(i, name) for i, name in enumerate(names, start=1)))


def mismatch(label_id: int, name: str, label_map: Mapping[int, str], subject: str) -> str:
    """Returns what disagrees between a record's name for a class and the label map's for its id; empty where
    one is not given."""
    if not (name and label_map) or label_map.get(label_id) == name:
        return ""
    has = f"is {label_map[label_id]!r}" if label_id in label_map else "is no class"
    return f"id {label_id} {has} in {subject}, but the record calls it {name!r}"


def _keypoint_faults(label: Label) -> list[str]:
    ids = [number for number, _ in label.keypoints]
    texts = [f"keypoint id {number} of {label.name!r} is below 0" for number in ids if number < 0]
    twice = [number for number in dict.fromkeys(ids) if ids.count(number) > 1]
    return [*texts, *(f"keypoint id {number} of {label.name!r} stands more than once" for number in twice)]


def faults(labels: Sequence[Label], lowest_id: int = 1) -> list[str]:
    """Returns all in which the classes of one map contradict each other or the format."""
    texts = [
        f"id {label.id} of {label.name!r} is below {lowest_id}" for label in labels if label.id < lowest_id
    ]
    texts += [f"id {label.id} of {label.name!r} is above {_MAX_ID}" for label in labels if label.id > _MAX_ID]
    texts += [f"the name of id {label.id} is empty" for label in labels if not label.name]
    texts += [f"the name {label.name!a} is no text" for label in labels if label.name != readable(label.name)]
    texts += [text for label in labels for text in _keypoint_faults(label)]
    names: dict[int, list[str]] = {}
    ids: dict[str, list[int]] = {}
    for label in labels:
        names.setdefault(label.id, []).append(label.name)
        ids.setdefault(label.name, []).append(label.id)
    for label_id, of_id in names.items():
        if len(of_id) > 1:
            texts.append(f"id {label_id} stands {len(of_id)} times ({', '.join(map(repr, of_id))})")
    for name, of_name in ids.items():
        if name and len(of_name) > 1:
            texts.append(f"name {name!r} stands {len(of_name)} times (ids {', '.join(map(str, of_name))})")
    return texts
