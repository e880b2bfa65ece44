"""What annotation tools draw on images, made into records: a reader says what stands where in its files, and
everything that becomes no box leaves under a code."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfrec_tools.annotations.accounts import Account
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ImageRecord, Source, image_record
from tfrec_tools.errors import InputError, readable
from tfrec_tools.formats.file_names import names_a_file
from tfrec_tools.formats.shapes import Corners

_FLAGS = ("crowd", "difficult", "truncated", "occluded", "group_of", "area")


@dataclass(frozen=True, slots=True)
class Drawn:
    """An object that a file lists.

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
    made = [_made(image) for image in images]
    used = {drawn.name.strip() for item in made for drawn in item.kept}
    names = (*dict.fromkeys(classes), *sorted(used - set(classes)))
    everything = frozenset(names)
    records = [_record(item.image, item.kept, everything) for item in made if item.image is not None]
    dropped = sum((item.dropped for item in made), Counter({"annotation-unread": unread} if unread else {}))
    unusable = Counter(item.issues[0].code for item in made if item.image is None and item.is_image)
    found = sum(item.objects for item in made) + unread
    images_ = sum(item.is_image for item in made)
    account = Account(files, found, dropped, litter, images_, unusable)
    return Source(names, records, (*issues, *(issue for item in made for issue in item.issues)), account)


def without_masks(images: Iterable[DrawnImage | Unusable]) -> list[Issue]:
    """Returns one issue for all shapes that come without a mask, for a source whose masks were asked for."""
    of_images = (image for image in images if isinstance(image, DrawnImage))
    shapes = [(image.source, item) for image in of_images for item in image.objects if _lacks_mask(item)]
    if not shapes:
        return []
    (place, first), *_ = shapes
    message = (
        f"{first.where}: the shapes of {len(shapes)} objects, such as a {first.shape}, are not read as masks"
    )
    return [Issue("annotation-unread", place, None, message, False)]


def _lacks_mask(item: Drawn) -> bool:
    return bool(item.box_xyxy and item.shape and item.name and not item.mask)


@dataclass(frozen=True, slots=True)
class _Made:
    """An image, None where there is none, and those of its objects that have boxes; issues; how many objects
    there were, and which of them were dropped, by code."""

    image: DrawnImage | None
    kept: Sequence[Drawn]
    issues: tuple[Issue, ...]
    objects: int
    dropped: Counter[str]
    is_image: bool = True


def _made(image: DrawnImage | Unusable) -> _Made:
    if isinstance(image, Unusable):
        dropped = Counter({image.issue.code: image.objects} if image.objects else {})
        return _Made(None, (), (image.issue,), image.objects, dropped, image.is_image)
    if not names_a_file(image.filename):
        message = f"its file name is {image.filename or 'empty'!r}, expected that of an image"
        count = sum(item.count for item in image.objects)
        return _made(Unusable(Issue("image-unknown", image.source, None, message, True), count))
    kept: list[Drawn] = []
    issues = list(image.issues)
    dropped = Counter[str]()
    for item in image.objects:
        code, why, box = _judged(item, len(kept))
        if code:
            issues.append(Issue(code, image.source, box, f"{item.where}: {why}", code != "box-derived"))
        if box is None:
            dropped[code] += item.count
        else:
            kept.append(item)
    return _Made(image, kept, tuple(issues), sum(item.count for item in image.objects), dropped)


def _judged(item: Drawn, number: int) -> tuple[str, str, int | None]:
    """Returns the code and reason of an object's issue ("" where there is none), and its number among the
    boxes of its image, None where it is none."""
    if item.box_xyxy is None:
        return item.code, f"{item.name}: {item.why}" if item.name else item.why, None
    if not item.name.strip():
        return "class-unknown", "names no class", None
    if item.shape:
        return "box-derived", f"{item.name.strip()}: the box around its {item.shape}", number
    if item.name != item.name.strip():
        return "class-untrimmed", f"the class is {item.name!r}", number
    return "", "", number


def _record(image: DrawnImage, kept: Sequence[Drawn], everything: frozenset[str]) -> ImageRecord:
    said: dict[str, Any] = {flag: [getattr(item, flag) for item in kept] for flag in _FLAGS}
    return image_record(
        image_id=image.image_id or image.filename,
        filename=image.filename,
        source=image.source,
        boxes_xyxy=[item.box_xyxy for item in kept],
        names=tuple(item.name.strip() for item in kept),
        width=image.width,
        height=image.height,
        labeled=everything if image.labeled is None else image.labeled,
        relative=image.relative,
        poses=tuple(item.pose for item in kept) if any(item.pose for item in kept) else (),
        masks=tuple(item.mask for item in kept) if any(item.mask for item in kept) else (),
        stem=image.stem,
        split=image.split,
        **said,
    )
