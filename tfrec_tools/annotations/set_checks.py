"""Issues of a whole set of records: classes with few boxes, images that stand twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.errors import counted

if TYPE_CHECKING:
    from tfrec_tools.annotations.records import ByteRange, ImageRecord

FEW_BOXES = 10


def repeats(found: Iterable[tuple[ImageRecord, ByteRange | None]]) -> tuple[Issue, ...]:
    """Returns an issue for each record whose image file is that of another record before it; it is kept."""
    first: dict[tuple[str, int], ImageRecord] = {}
    issues = []
    for record, place in found:
        if place is None:
            continue
        earlier = first.setdefault(place.origin, record)
        if earlier is not record:
            issues.append(repeated(record.filename, record.source, earlier.source))
    return tuple(issues)


def repeated(filename: str, source: str, first: str) -> Issue:
    """Returns that the records `source` and, before it, `first` are of one image file."""
    return Issue("image-duplicate", source, None, f"{filename} is the image of {first} too", False)


def few(boxes_by_class: Mapping[str, int], place: str) -> tuple[Issue, ...]:
    """Returns an issue for each class that has boxes, but fewer than FEW_BOXES and a tenth of the fullest
    class; in a set that is small all over nothing stands out."""
    fullest = max(boxes_by_class.values(), default=0)
    of_fullest = f"the fullest class has {fullest}"
    return tuple(
        Issue("class-few", place, None, f"{name!r} has {counted(count, 'box')}, {of_fullest}", False)
        for name, count in boxes_by_class.items()
        if 0 < count < FEW_BOXES and 10 * count <= fullest
    )
