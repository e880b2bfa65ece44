"""What annotation tools draw on images, made into records: a reader says what stands where in its files, and
everything that becomes no box leaves under a code."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec

from tfrec_tools.annotations.accounts import Account
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ImageRecord, Source, image_record
from tfrec_tools.errors import InputError, counted, readable
from tfrec_tools.formats.file_names import names_a_file
from tfrec_tools.formats.shapes import Corners

_FLAGS = ("crowd", "difficult", "truncated", "occluded", "group_of", "area")
_said, _pose, _mask = attrgetter(*_FLAGS), attrgetter("pose"), attrgetter("mask")
_PLAIN = (False, False, False, False, False, math.nan)  # what most objects say


class Drawn(msgspec.Struct, frozen=True, gc=False):
    """An object that a file lists; a Struct, since there are millions, each for a moment.

    where     its place in the file ("shapes[3]", "line 12")
    name      its class; "" where the file names none (class-unknown)
    box_xyxy  [xmin ymin xmax ymax]; None where there is none, as `code` and `why` say
    shape     what the box is around ("polygon"), where the object has no box of its own (box-derived)
    count     how many objects it stands for, where there is no box
    code      of the issue where there is no box: box-missing, or annotation-unread for what is not understood
    """

    where: str
    name: str
    box_xyxy: Corners | None
    shape: str = ""
    code: str = "box-missing"
    why: str = ""
    crowd: bool = False
    difficult: bool = False
    truncated: bool = False
    occluded: bool = False
    group_of: bool = False
    area: float = math.nan
    pose: str = ""
    mask: bytes = b""
    count: int = 1


@dataclass(frozen=True, slots=True)
class DrawnImage:
    """An image that a file lists, with its objects.

    source    where it stands ("via.json images[2]", "a.json"); each image of a source has its own
    filename  as the file gives it, relative to the folder of images
    stem      of the annotation's own file, where that is the image's (ImageRecord.stem)
    relative  whether boxes are fractions of the image
    upright   whether its tool turns images first (ImageRecord.upright)
    of_any_size  whether they are such in pixels of the size (ImageRecord.of_any_size)
    labeled   the classes that it was annotated for; None means all of the source
    issues    of the image itself, and of what its file holds besides objects
    """

    source: str
    filename: str
    objects: tuple[Drawn, ...] = ()
    width: int = 0
    height: int = 0
    image_id: str = ""
    stem: str = ""
    split: str | None = None
    relative: bool = False
    upright: bool = False
    of_any_size: bool = False
    labeled: frozenset[str] | None = None
    issues: tuple[Issue, ...] = ()


@dataclass(frozen=True, slots=True)
class Unusable:
    """An image, or a file of one, that nothing can be made of: where it stands, an issue that says why, and
    how many objects it seems to have; or objects that belong to no image, where `is_image` is false."""

    issue: Issue
    objects: int = 0
    is_image: bool = True


def damaged(file: Path, fault: InputError, objects: int = 0, code: str = "annotation-damaged") -> Unusable:
    """Returns a file of one image that cannot be read, or, as `code` says, is of another kind."""
    message = ": ".join(filter(None, (fault.where, fault.reason)))
    return Unusable(Issue(code, readable(str(file)), None, message, False), objects)


def source(
    images: Iterable[DrawnImage | Unusable],
    files: int = 1,
    *,
    classes: Sequence[str] = (),
    litter: int = 0,
    issues: Sequence[Issue] = (),
    unread: int = 0,
) -> Source:
    """Returns the Source of a tool's files, in the order of its images.

    classes   in the order of their ids, where the files list them; others that occur follow by alphabet. It
              is looked at after the last image, so that a reader may fill it on the way
    issues    of no image; `unread` of them (annotation-unread) are of annotations that belong to none
    """
    known = _Known(classes)
    made = [_made(image, known) for image in images]
    used = {name for item in made if item.record for name in item.record.names}
    names = (*dict.fromkeys(classes), *sorted(used - set(classes)))
    everything = frozenset(names)
    records = [_labeled(item, everything) for item in made if item.record is not None]
    dropped = Counter({"annotation-unread": unread} if unread else {})
    for item in made:
        dropped.update(item.dropped)
    unusable = Counter(item.issues[0].code for item in made if item.record is None and item.is_image)
    found = sum(item.objects for item in made) + unread
    images_ = sum(item.is_image for item in made)
    account = Account(files, found, dropped, litter, images_, unusable)
    return Source(names, records, (*issues, *(issue for item in made for issue in item.issues)), account)


class _Known:
    """The classes that a source has listed so far, as a set that is made once for many images."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes
        self._set = frozenset(classes)

    def labeled(self) -> frozenset[str]:
        if len(self._set) < len(self._classes):
            self._set = frozenset(self._classes)
        return self._set


class _Made(msgspec.Struct, frozen=True):
    """A record, None where there is none; issues; how many objects there were, and which of them were
    dropped, by code; whether it is of an image, and whether that says itself what it was annotated for."""

    record: ImageRecord | None
    issues: tuple[Issue, ...]
    objects: int
    dropped: Mapping[str, int]
    is_image: bool = True
    says_labeled: bool = False


def _made(image: DrawnImage | Unusable, known: _Known) -> _Made:
    if isinstance(image, Unusable):
        dropped = {image.issue.code: image.objects} if image.objects else {}
        return _Made(None, (image.issue,), image.objects, dropped, image.is_image)
    count = sum([item.count for item in image.objects])
    if not names_a_file(image.filename):
        message = f"its file name is {image.filename or 'empty'!r}, expected that of an image"
        return _made(Unusable(Issue("image-unknown", image.source, None, message, True), count), known)
    kept: list[Drawn] = []
    issues = list(image.issues)
    lost = dict[str, int]()
    for item in image.objects:
        code, why, box = _judged(item, len(kept))
        if code:
            issues.append(Issue(code, image.source, box, f"{item.where}: {why}", code != "box-derived"))
        if box is None:
            lost[code] = lost.get(code, 0) + item.count
        else:
            kept.append(item)
    record = _record(image, kept, known.labeled())
    return _Made(record, tuple(issues), count, lost, says_labeled=image.labeled is not None)


def _judged(item: Drawn, number: int) -> tuple[str, str, int | None]:
    """Returns the code and reason of an object's issue ("" where there is none), and its number among the
    boxes of its image, None where it is none."""
    trimmed = item.name.strip()
    if item.box_xyxy is None:
        return item.code, f"{item.name}: {item.why}" if item.name else item.why, None
    if not trimmed:
        return "class-unknown", "names no class", None
    if item.shape:
        return "box-derived", f"{trimmed}: the box around its {item.shape}", number
    if item.name != trimmed:
        return "class-untrimmed", f"the class is {item.name!r}", number
    return "", "", number


def _record(image: DrawnImage, kept: Sequence[Drawn], labeled: frozenset[str]) -> ImageRecord:
    said = list(map(_said, kept))
    columns: dict[str, Any] = {}
    if any(of_one != _PLAIN for of_one in said):
        columns = dict(zip(_FLAGS, zip(*said, strict=True), strict=True))
    return image_record(
        image_id=image.image_id or image.filename,
        filename=image.filename,
        source=image.source,
        boxes_xyxy=[item.box_xyxy for item in kept],
        names=tuple([item.name.strip() for item in kept]),
        width=image.width,
        height=image.height,
        labeled=labeled if image.labeled is None else image.labeled,
        relative=image.relative,
        upright=image.upright,
        of_any_size=image.of_any_size,
        poses=tuple(map(_pose, kept)) if any(map(_pose, kept)) else (),
        masks=tuple(map(_mask, kept)) if any(map(_mask, kept)) else (),
        stem=image.stem,
        split=image.split,
        **columns,
    )


def _labeled(item: _Made, everything: frozenset[str]) -> ImageRecord:
    """Returns a record that is labeled with all classes, now that all are known."""
    assert item.record is not None
    if item.says_labeled or item.record.labeled == everything:
        return item.record
    return replace(item.record, labeled=everything)


def without_masks(images: Iterable[DrawnImage | Unusable]) -> list[Issue]:
    """Returns one issue for all shapes that come without a mask, for a source whose masks were asked for."""
    of_images = (image for image in images if isinstance(image, DrawnImage))
    shapes = [(image.source, item) for image in of_images for item in image.objects if _lacks_mask(item)]
    if not shapes:
        return []
    (place, first), *_ = shapes
    what = f"the shapes of {counted(len(shapes), 'object')}, such as a {first.shape}"
    message = f"{first.where}: {what}, are not read as masks"
    return [Issue("annotation-unread", place, None, message, False)]


def _lacks_mask(item: Drawn) -> bool:
    return bool(item.box_xyxy and item.shape and item.name and not item.mask)
