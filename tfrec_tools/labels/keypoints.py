"""The keypoints of classes, and where the records of a set have them.

TFOD's decoder (data_decoders/tf_example_decoder.py, `num_keypoints`) takes as many keypoints of each box,
whatever its class; those of a class are at the ids that the label map gives them, from 0. So the values of a
box are as many as the set has ids, not labeled where they are none of its class's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tfrec_tools.errors import InputError, counted
from tfrec_tools.labels.label_map import LabelMap

_MOST = 10_000  # keypoints of a set: each box has a value for each
_MOST_OF_CLASS = 1_000  # more than a mesh of a face has
LEFT_OUT_BY = "leave them out with --keypoints none"


@dataclass(frozen=True, slots=True)
class KeypointLayout:
    """How the keypoints of a set's records lie.

    names   (K,) of the ids from 0; "" of one that no class has
    ids     {class: (of its keypoints, in the order in which records hold them)}
    own     {class: names of all ids, its own where it has one}, where classes share ids
    """

    names: tuple[str, ...] = ()
    ids: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    own: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def texts(self, name: str) -> list[bytes]:
        """Returns (K,) the names of all ids, as a box of a class has them."""
        return [text.encode() for text in self.own.get(name, self.names)]


NONE = KeypointLayout()


def require_few(place: Path | str, name: str, count: int) -> None:
    """InputError where a class has more keypoints than memory for each of its boxes is worth."""
    if count > _MOST_OF_CLASS:
        reason = f"{name!r} has {counted(count, 'keypoint')}, expected at most {_MOST_OF_CLASS}"
        raise InputError(place, f"{reason}; {LEFT_OUT_BY}")


def joined(of_sources: Mapping[str, Mapping[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    """Returns {class: names of its keypoints} of all sources, by the sources' names. InputError where two
    disagree about a class."""
    known: dict[str, tuple[str, tuple[str, ...]]] = {}
    for source, by_class in of_sources.items():
        for name, keypoints in by_class.items():
            first, others = known.setdefault(name, (source, keypoints))
            if others != keypoints:
                differ = f"{_listed(keypoints)}, those of {first} are {_listed(others)}"
                raise InputError(
                    source, f"the keypoints of {name!r} are {differ}; make them one, or {LEFT_OUT_BY}"
                )
    return {name: keypoints for name, (_, keypoints) in known.items()}


def with_keypoints(label_map: LabelMap, by_class: Mapping[str, tuple[str, ...]]) -> LabelMap:
    """Returns the map with the keypoints of each class of it, {class: their names}, at the next ids where it
    does not have them. InputError where it has others."""
    following = _count(label_map)
    labels = []
    for label in label_map.labels:
        wanted = by_class.get(label.name, ())
        known = {name for _, name in label.keypoints}
        if wanted and not label.keypoints:
            numbered = tuple(enumerate(wanted, start=following))
            following += len(wanted)
            labels.append(replace(label, keypoints=numbered))
            continue
        if lacking := [name for name in wanted if name not in known]:
            reason = f"has no keypoint {lacking[0]!r} of {label.name!r}, but {_listed(sorted(known))}"
            raise InputError(label_map.subject, f"{reason}; add it to the map, or {LEFT_OUT_BY}")
        labels.append(label)
    return LabelMap(tuple(labels), label_map.subject)


def layout_of(label_map: LabelMap, by_class: Mapping[str, tuple[str, ...]] | None = None) -> KeypointLayout:
    """Returns how the keypoints of a map's classes lie; records hold those of a class in the order of
    `by_class`, else in that of their ids."""
    names = [""] * _count(label_map)
    ids = {}
    for label in label_map.labels:
        by_name = {name: number for number, name in sorted(label.keypoints)}
        for name, number in by_name.items():
            names[number] = names[number] or name
        if by_name:
            ids[label.name] = tuple(by_name[name] for name in (by_class or {}).get(label.name, by_name))
    own = {
        label.name: tuple(dict(label.keypoints).get(number, name) for number, name in enumerate(names))
        for label in label_map.labels
        if any(names[number] != name for number, name in label.keypoints)
    }
    return KeypointLayout(tuple(names), ids, own)


def _count(label_map: LabelMap) -> int:
    """Returns the first id that no keypoint has, nor any after it. InputError where one has none that a
    record could have."""
    numbers = {number: label.name for label in label_map.labels for number, _ in label.keypoints}
    for number, name in numbers.items():
        if not 0 <= number < _MOST:
            reason = f"a keypoint of {name!r} has id {number}, expected 0 to {_MOST - 1}"
            raise InputError(label_map.subject, reason)
    return max(numbers, default=-1) + 1


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return f"{len(names)} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
