"""The keypoints of records under a new label map: each follows its class and its name to the place that the
new map gives it, as all records of a set must have the same places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.labels.keypoints import NONE, KeypointLayout, joined, layout_of, with_keypoints
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.remapping.classes import Class, KeypointMoves

if TYPE_CHECKING:  # sources looks into records with examples, which stands on this module
    from tfrec_tools.remapping.sources import Set


def planned(
    sets: Sequence[Set], renamed: Sequence[Mapping[str, str | None]], label_map: LabelMap, wanted: bool
) -> tuple[LabelMap, list[KeypointMoves | None]]:
    """Returns the new map with the keypoints of its classes, those of the sets where it does not say them;
    and what becomes of those of each set, given what its classes become. InputError where two disagree about
    a class."""
    if not wanted:
        return label_map, [KeypointMoves(NONE, {}, True) for _ in sets]
    ids = label_map.id_by_name
    by_place: dict[str, dict[str, tuple[str, ...]]] = {}
    for a_set, new_names in zip(sets, renamed, strict=True):
        for old, points in sorted(a_set.keypoints.items()):
            new = new_names.get(old, old)
            if new is not None and new in ids:
                by_place[f"{a_set.path} {old!r}"] = {new: tuple(name for _, name in sorted(points))}
    label_map = with_keypoints(label_map, joined(by_place))
    layout = layout_of(label_map)
    if not layout.names:
        return label_map, [None] * len(sets)
    places = {label.name: {name: place for place, name in label.keypoints} for label in label_map.labels}
    moves = [_moves(a_set, new_names, places) for a_set, new_names in zip(sets, renamed, strict=True)]
    return label_map, [KeypointMoves(layout, of_set, bool(of_set)) for of_set in moves]


def _moves(
    a_set: Set, new_names: Mapping[str, str | None], places: Mapping[str, Mapping[str, int]]
) -> dict[str, tuple[tuple[int, int], ...]]:
    news = {old: places.get(new_names.get(old, old) or "", {}) for old in a_set.keypoints}
    return {
        old: tuple((place, news[old][name]) for place, name in points if name in news[old])
        for old, points in a_set.keypoints.items()
    }


def left_out(sets: Sequence[Set], moves: Sequence[KeypointMoves | None]) -> Iterator[Issue]:
    """Yields an issue for each set whose keypoints are not wanted."""
    for a_set, of_set in zip(sets, moves, strict=True):
        if of_set is not None and not of_set.layout.names and a_set.keypoints:
            message = f"the keypoints of {', '.join(sorted(a_set.keypoints))} are left out"
            yield Issue("keypoints-left-out", a_set.path.name, None, message, True)


def moved(
    x: Sequence[float],
    y: Sequence[float],
    visibility: Sequence[int],
    boxes: Sequence[Class | None],
    layout: KeypointLayout,
) -> tuple[list[float], list[float], list[int], list[int], list[bytes]]:
    """Returns x, y and visibility of the boxes that are kept, at the places of the new map; how many are
    labeled of each box; and their names. ValueError where a box has others than its class, or there are not
    as many for each."""
    count = len(x) // len(boxes) if boxes else 0
    if not len(x) == len(y) == len(visibility) == count * len(boxes):
        lengths = f"{len(x)}, {len(y)} and {len(visibility)} values of keypoints"
        raise ValueError(f"has {lengths} for {len(boxes)} boxes, expected as many each")
    new: tuple[list[Any], list[Any], list[Any]] = [], [], []
    labeled = []
    for number, box in enumerate(boxes):
        if box is None:
            continue
        old_of = {after: number * count + before for before, after in box.moves if before < count}
        known = sum(bool(visibility[old]) for old in old_of.values())
        if known < sum(map(bool, visibility[number * count : (number + 1) * count])):
            raise ValueError(f"a {box.name} has a keypoint that its label map does not give it")
        for of_key, old in zip(new, (x, y, visibility), strict=True):
            of_key += [old[old_of[place]] if place in old_of else 0 for place in range(len(layout.names))]
        labeled.append(known)
    texts = [text for box in boxes if box is not None for text in layout.texts(box.name)]
    return *new, labeled, texts
