"""Images of several sources as one set: the same image is joined, different ones get different ids, twins
stay together."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from operator import attrgetter
from pathlib import Path

from tfrec_tools.annotations.accounts import Tally
from tfrec_tools.annotations.box_checks import twins_of
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.policies import Policies
from tfrec_tools.annotations.records import ByteRange, ImageRecord, joined, subset
from tfrec_tools.dataset.identity import clash_issues, distinct_names, unlike_ids
from tfrec_tools.errors import InputError, readable
from tfrec_tools.system.regular_files import NotRegularError, stamp_of
from tfrec_tools.system.remote_path import RemotePath

_SHARED = "image-shared"


@dataclass(frozen=True, slots=True)
class SourceImage:
    """An annotated image, where its bytes are and how many, the file's time of change, and the number of its
    source; `order` is its place among the images of all sources. `others`: (number, boxes) of each other
    source that has the image, whose boxes stand behind its own source's, in that order."""

    record: ImageRecord
    place: ByteRange
    size: int
    mtime_ns: int
    source: int
    order: int
    others: tuple[tuple[int, int], ...] = ()

    @property
    def shares(self) -> tuple[tuple[int, int], ...]:
        """(number, boxes) of each source of the image, in the order of the boxes."""
        own = len(self.record.names) - sum(boxes for _, boxes in self.others)
        return ((self.source, own), *self.others)


def item(record: ImageRecord, place: ByteRange, source: int, order: int) -> SourceImage:
    """An item, whose place has a stamp where its file is a regular one. A store has none: its objects change
    whole, and the next run sees their times."""
    if place.stamp is not None and place.length is None:
        return SourceImage(record, place, *place.stamp, source, order)
    file = place.path.stat()
    if not isinstance(place.path, RemotePath):
        place = ByteRange(place.path, place.offset, place.length, stamp_of(file))
    size = file.st_size if place.length is None else place.length
    return SourceImage(record, place, size, file.st_mtime_ns, source, order)


def of_one_file(
    records: Sequence[ImageRecord], places: Sequence[ByteRange | None]
) -> tuple[list[ImageRecord], list[ByteRange | None], list[Issue]]:
    """Returns one record for each image file, with the boxes of all records of that file, at the place of the
    first: they are spellings of one path. Those whose file is not found stay as they are. What another
    spelling says otherwise is an issue."""
    first: dict[ByteRange, int] = {}
    issues: list[Issue] = []
    kept: list[ImageRecord] = []
    kept_places: list[ByteRange | None] = []
    for record, place in zip(records, places, strict=True):
        at = len(kept) if place is None else first.setdefault(place, len(kept))
        if at < len(kept):
            issues += _otherwise(kept[at], record)
            kept[at] = joined(kept[at], record)
        else:
            kept.append(record)
            kept_places.append(place)
    return kept, kept_places, issues


def _otherwise(first: ImageRecord, other: ImageRecord) -> Iterator[Issue]:
    """Yields issues of what another record of an image says otherwise: its split, and its size in pixels."""
    if first.split and other.split and first.split != other.split:
        message = f"{other.filename!r} is put into {other.split}, and {first.filename!r} into {first.split}"
        yield Issue("split-conflict", other.source, None, f"{message}: one image", True)
    sizes = tuple((record.width, record.height) for record in (other, first))
    if sizes[0] != sizes[1] and (0, 0) not in sizes and not other.relative:
        said, before = ("{} x {}".format(*size) for size in sizes)
        message = f"{other.filename!r} states {said}, and {first.filename!r} {before}"
        yield Issue("size-mismatch", other.source, None, f"{message}: one image", False)


def content(item: SourceImage) -> bytes:
    """Returns all of an item that the bytes of its record depend on, except the image's own bytes, for which
    its name, its offset in a file of many and its size stand."""
    record = item.record
    others = repr((item.place.offset, item.size, _OTHERS(record))).encode()
    keypoints = record.keypoints
    points = b"" if keypoints is None else repr(keypoints.shape).encode() + keypoints.tobytes()
    arrays = [array.tobytes() for array in _ARRAYS(record)]
    return b"".join((others, _listed(record.labeled), *arrays, points))


_ARRAY_FIELDS = frozenset(field.name for field in fields(ImageRecord) if field.type in ("Floats", "Bools"))
_ARRAYS = attrgetter(*sorted(_ARRAY_FIELDS))
_OTHERS = attrgetter(
    *sorted({field.name for field in fields(ImageRecord)} - _ARRAY_FIELDS - {"labeled", "place", "keypoints"})
)


@cache
def _listed(labeled: frozenset[str] | None) -> bytes:
    return repr(labeled and sorted(labeled)).encode()


def join(
    items: Sequence[SourceImage], policies: Policies
) -> tuple[list[SourceImage], list[Issue], dict[int, Tally]]:
    """Returns one item for each image that several sources have, byte for byte, with the boxes and the
    labeled classes of all, at the place of the first; kept apart where the policy is "keep". A box that two
    sources agree on is taken once. Returns also what each source, by its number, lost so."""
    issues: list[Issue] = []
    lost: dict[int, Tally] = {}
    kept: dict[int, SourceImage | None] = dict(enumerate(items))
    for first, *others in _same_bytes(items, within=False):
        for other in others:
            message = f"{items[other].record.filename} is the image of {items[first].record.source} too"
            action = policies.action(_SHARED)
            issues.append(Issue(_SHARED, items[other].record.source, None, message, action == "fix"))
            target = kept[first]
            if action == "fix" and target is not None:
                union = _union(target.record, items[other].record)
                twins = len(target.record.names) + len(items[other].record.names) - len(union.names)
                tally = Tally(lost_images={_SHARED: 1}, lost_boxes={_SHARED: twins} if twins else {})
                lost[items[other].source] = lost.get(items[other].source, Tally()) + tally
                share = (items[other].source, len(items[other].record.names) - twins)
                kept[first] = replace(target, record=union, others=(*target.others, share))
                kept[other] = None
    return [item for item in kept.values() if item is not None], issues, lost


def named_by_file(record: ImageRecord, place: ByteRange, folder: Path) -> ImageRecord:
    """Returns the record with its file's path below the folder of images as its name, and as its id where
    the source's own id is the name that it gives. A file elsewhere keeps its name, and so does one that the
    source found itself."""
    name, image_id = record.filename, record.image_id
    if record.place is None and (str(place.path) != _start(folder) + name or ".." in name):
        name = _below(folder, place.path) or name
    name = readable(name)
    if not image_id.isdecimal() and f"/{readable(record.filename)}".endswith(f"/{image_id}"):
        image_id = name
    if (name, image_id) == (record.filename, record.image_id):
        return record
    return replace(record, filename=name, image_id=image_id)


def _below(folder: Path, file: Path) -> str:
    """Returns the file's path below the folder; empty where it lies elsewhere."""
    start, path = _start(folder), str(file)  # as text: for a million images Path's ways would take long
    if not path.startswith(start) or (not start and file.is_absolute()):
        return ""
    below = path[len(start) :].replace(os.sep, "/")
    below = os.path.normpath(below) if ".." in below else below
    return "" if below.startswith("..") else below


@cache
def _start(folder: Path) -> str:
    """Returns how the paths of its files begin."""
    return str(folder / "x")[:-1]


def escaped_names(found: Iterable[tuple[ImageRecord, ByteRange | None]]) -> list[Issue]:
    """Returns an issue for each record whose file has a name that is no UTF-8."""
    return [
        Issue("filename-escaped", record.source, None, f"{record.filename} is written for it", True)
        for record, place in found
        if place is not None
        and not (path := str(place.path)).isascii()
        and not path.endswith(record.filename)
        and readable(path).endswith(record.filename)
    ]


def tell_apart(
    items: Sequence[SourceImage], paths: Sequence[Path]
) -> tuple[list[SourceImage], tuple[Issue, ...]]:
    """Ids that different images have get the source's name before them, so that different images have
    different ids.

    paths   of the sources, by number
    """
    names = distinct_names(paths)
    ids = [item.record.image_id for item in items]

    def longer(i: int) -> list[str]:
        record = items[i].record
        return [f"{names[items[i].source]}/{part}" for part in (ids[i], record.filename, record.source)]

    unlike, changed = unlike_ids(ids, [(item.source, item.place.origin) for item in items], longer)
    apart = [
        item if old == new else replace(item, record=replace(item.record, image_id=new))
        for item, old, new in zip(items, ids, unlike, strict=True)
    ]
    return apart, clash_issues(changed, names[-1])


def group_keys(items: Sequence[SourceImage], group_by: str | None) -> list[str]:
    """Returns a key an item; items with the same key go to the same split. It is the id of the first image of
    a group, so that it stays when more come."""
    ids = [item.record.image_id for item in items]
    if group_by is None:
        return ids
    if group_by == "sha256":
        for first, *others in _same_bytes(items, within=True):
            for other in others:
                ids[other] = ids[first]
        return ids
    begins = _prefix(group_by)
    names = [item.record.filename for item in items]
    matches = [begins.match(name) or begins.match(name.rpartition("/")[2]) for name in names]
    return [f"prefix {match[0]}" if match else own for match, own in zip(matches, ids, strict=True)]


def _prefix(group_by: str) -> re.Pattern[str]:
    """Returns the pattern of "prefix:REGEX"."""
    kind, _, pattern = group_by.partition(":")
    if kind != "prefix" or not pattern:
        raise InputError("--group-by", "expected sha256 or prefix:REGEX", where=group_by)
    try:
        return re.compile(pattern)
    except re.error as fault:
        raise InputError("--group-by", f"is no regular expression ({fault})", where=group_by) from fault


def _same_bytes(items: Sequence[SourceImage], within: bool) -> list[list[int]]:
    """Returns the indices of items whose files have the same bytes, two or more; of different sources only
    unless `within` one too. Only files of equal size are read."""
    sizes = Counter(item.size for item in items)
    by_bytes: dict[bytes, list[int]] = {}
    digests: dict[ByteRange, bytes] = {}
    for i, item in enumerate(items):
        if sizes[item.size] > 1:
            if item.place not in digests:
                digests[item.place] = _digest(item.place)
            by_bytes.setdefault(digests[item.place], []).append(i)
    several = (index for index in by_bytes.values() if len(index) > 1)
    if within:
        return list(several)
    return [_one_a_source(items, index) for index in several if len({items[i].source for i in index}) > 1]


def _digest(place: ByteRange) -> bytes:
    """Returns one that nothing else has for what is no regular file; whoever loads it says so."""
    try:
        return place.sha256()
    except NotRegularError:
        return str(place.path).encode(errors="surrogateescape")


def _one_a_source(items: Sequence[SourceImage], index: Sequence[int]) -> list[int]:
    """Returns the first item of each source; what one source has twice is its own affair."""
    first: dict[int, int] = {}
    for i in index:
        first.setdefault(items[i].source, i)
    return list(first.values())


def _union(first: ImageRecord, second: ImageRecord) -> ImageRecord:
    """Returns the boxes of both, without those of the second that lie on one of the first; and the classes
    that either was annotated for."""
    known = None
    if first.labeled is not None and second.labeled is not None:
        known = first.labeled | second.labeled
    both = replace(joined(first, second), labeled=known)
    twins = twins_of(both.names, both.boxes_xyxy)
    count = len(first.names)
    given = {i: twin for i, twin in twins.items() if twin < count <= i}
    both = _with_keypoints_of_twins(both, given)
    return subset(both, [i for i in range(len(both.names)) if i not in given])


def _with_keypoints_of_twins(record: ImageRecord, twins: Mapping[int, int]) -> ImageRecord:
    """Returns the record in which a box without keypoints has those of its twin, {twin: box}: COCO has the
    boxes of its images in one file, and the same boxes with keypoints in another."""
    if record.keypoints is None or not twins:
        return record
    keypoints = record.keypoints.copy()  # (N, K, 3)
    for twin, box in twins.items():
        if not keypoints[box].any():
            keypoints[box] = keypoints[twin]
    return replace(record, keypoints=keypoints)
