"""Images of several sources as one set: the same picture is joined, different ones are told apart, twins
stay together."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from operator import attrgetter

from tfrec_tools.annotations.box_checks import twins_of
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.policies import Policies
from tfrec_tools.annotations.records import ImageRecord, Place, joined, subset
from tfrec_tools.errors import InputError


@dataclass(frozen=True, slots=True)
class Item:
    """An annotated image, where its picture is, with size in bytes and the file's time of change, and the
    number of its source."""

    record: ImageRecord
    place: Place
    size: int
    mtime_ns: int
    source: int


def item(record: ImageRecord, place: Place, source: int) -> Item:
    file = place.path.stat()
    size = file.st_size if place.length is None else place.length
    return Item(record, place, size, file.st_mtime_ns, source)


def content(item: Item) -> bytes:
    """All of an item that the bytes of its record depend on, except the picture's own bytes, for which
    its name, its offset in a file of many and its size stand."""
    record = item.record
    others = repr((item.place.offset, item.size, _OTHERS(record))).encode()
    return b"".join((others, _listed(record.labeled), *[array.tobytes() for array in _ARRAYS(record)]))


_ARRAY_FIELDS = frozenset(field.name for field in fields(ImageRecord) if field.type in ("Floats", "Bools"))
_ARRAYS = attrgetter(*sorted(_ARRAY_FIELDS))
_OTHERS = attrgetter(
    *sorted({field.name for field in fields(ImageRecord)} - _ARRAY_FIELDS - {"labeled", "place"})
)


@cache
def _listed(labeled: frozenset[str] | None) -> bytes:
    return repr(labeled and sorted(labeled)).encode()


def join(items: Sequence[Item], policies: Policies) -> tuple[list[Item], list[Issue]]:
    """One item for each picture that several sources have, byte for byte, with the boxes and the labeled
    classes of all, at the place of the first; kept apart where the policy is "keep". A box that two
    sources agree on is taken once."""
    issues: list[Issue] = []
    kept: dict[int, Item | None] = dict(enumerate(items))
    for first, *others in _same_bytes(items, within=False):
        for other in others:
            message = f"{items[other].record.filename} is the image of {items[first].record.source} too"
            action = policies.action("image-shared")
            issues.append(Issue("image-shared", items[other].record.source, None, message, action == "fix"))
            target = kept[first]
            if action == "fix" and target is not None:
                kept[first] = replace(target, record=_union(target.record, items[other].record))
                kept[other] = None
    return [one for one in kept.values() if one is not None], issues


def tell_apart(items: Sequence[Item], names: Sequence[str]) -> tuple[list[Item], list[Issue]]:
    """Image ids that several sources use become SOURCE/ID, so that different images have different ids.

    names   of the sources, by number
    """
    owners: dict[str, set[int]] = {}
    for one in items:
        owners.setdefault(one.record.image_id, set()).add(one.source)
    clashing = {image_id for image_id, sources in owners.items() if len(sources) > 1}
    told = [
        replace(one, record=replace(one.record, image_id=f"{names[one.source]}/{one.record.image_id}"))
        if one.record.image_id in clashing
        else one
        for one in items
    ]
    if not clashing:
        return told, []
    message = (
        f"{len(clashing)} image id(s) are those of different images in {len(names)} sources, the first "
        f"{min(clashing)!r}: their source_id is a number made from source and id"
    )
    return told, [Issue("image-id-shared", names[-1], None, message, True)]


def group_keys(items: Sequence[Item], group_by: str | None) -> list[str]:
    """A key an item; items with the same key go to the same split. It is the id of the first image of a
    group, so that it stays when more come."""
    ids = [one.record.image_id for one in items]
    if group_by is None:
        return ids
    if group_by == "sha256":
        for first, *others in _same_bytes(items, within=True):
            for other in others:
                ids[other] = ids[first]
        return ids
    begins = _prefix(group_by)
    matches = [begins.match(one.record.filename) for one in items]
    return [f"prefix {match[0]}" if match else own for match, own in zip(matches, ids, strict=True)]


def _prefix(group_by: str) -> re.Pattern[str]:
    """Of "prefix:REGEX"."""
    kind, _, pattern = group_by.partition(":")
    if kind != "prefix" or not pattern:
        raise InputError("--group-by", "expected sha256 or prefix:REGEX", where=group_by)
    try:
        return re.compile(pattern)
    except re.error as fault:
        raise InputError("--group-by", f"is no regular expression ({fault})", where=group_by) from fault


def _same_bytes(items: Sequence[Item], within: bool) -> list[list[int]]:
    """The indices of items whose files have the same bytes, two or more; of different sources only
    unless `within` one too. Only files of equal size are read."""
    sizes = Counter(one.size for one in items)
    by_bytes: dict[bytes, list[int]] = {}
    digests: dict[Place, bytes] = {}
    for i, one in enumerate(items):
        if sizes[one.size] > 1:
            if one.place not in digests:
                digests[one.place] = hashlib.sha256(one.place.read()).digest()
            by_bytes.setdefault(digests[one.place], []).append(i)
    several = (index for index in by_bytes.values() if len(index) > 1)
    if within:
        return list(several)
    return [_one_a_source(items, index) for index in several if len({items[i].source for i in index}) > 1]


def _one_a_source(items: Sequence[Item], index: Sequence[int]) -> list[int]:
    """The first item of each source; what one source has twice is its own affair."""
    first: dict[int, int] = {}
    for i in index:
        first.setdefault(items[i].source, i)
    return list(first.values())


def _union(first: ImageRecord, second: ImageRecord) -> ImageRecord:
    """The boxes of both, without those of the second that lie on one of the first; and the classes that
    either was annotated for."""
    known = None
    if first.labeled is not None and second.labeled is not None:
        known = first.labeled | second.labeled
    both = replace(joined(first, second), labeled=known)
    twins = twins_of(both.names, both.boxes_xyxy)
    count = len(first.names)
    return subset(both, [i for i in range(len(both.names)) if i < count or twins.get(i, count) >= count])
