"""Sources in several parts: a folder with an annotation file for each split, as Roboflow's downloads
(train/_annotations.coco.json, valid/...) and COCO's own (annotations/instances_train2017.json, train2017/)
have it, read as one source."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from tfrec_tools.annotations.accounts import Account, added
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ImageRecord, Source
from tfrec_tools.errors import readable
from tfrec_tools.formats.split_names import split_named
from tfrec_tools.images.loading import has_image_suffix
from tfrec_tools.labels import keypoints

_FILE = re.compile(
    r".*?\.(?:jsonl?|csv|tsv|xml|tfrecords?|record)(?:\.gz)?(?=$|[\s-])"
)  # of "a.json images[0]"
_TAIL = re.compile(r"(?:^|_)([A-Za-z]+\d*)$")
# {format: files of boxes, those of its other tasks about the same images, what the first are called}
_TASKS = {
    "coco": (
        re.compile(r"instances_.*"),
        re.compile(r"(?:captions|person_keypoints|stuff|panoptic|image_info)_.*"),
        "COCO's instances",
    ),
    "csv": (
        re.compile(r".*-annotations-bbox\.csv|detections\.csv"),  # FiftyOne calls them the second
        re.compile(r".*-annotations-object-segmentation\.csv|segmentations\.csv"),
        "Open Images' boxes",
    ),
}


@dataclass(frozen=True, slots=True)
class Part:
    """An annotation file of a source (or a folder of record files), the split that it is called after, and
    where its images are, below the source ("" for the source itself)."""

    path: Path
    split: str
    images: PurePosixPath


def split_of(record: ImageRecord, source: Path) -> str | None:
    """Returns the split of an image of a source: the one that its reader found, else the last one that the
    folders of the image, its annotation file or the source are called after. An image's own name says nothing
    (train_01.jpg may show a train)."""
    if record.split is not None:
        return record.split
    file = PurePosixPath(record.source) if record.stem else _FILE.match(record.source)
    names = file.parent.as_posix() if isinstance(file, PurePosixPath) else file[0] if file else ""
    folders = PurePosixPath(record.filename.replace("\\", "/")).parent.as_posix()
    return split_named(f"{source.name}/{names}/{folders}")


def parts_of(folder: Path, files: Sequence[Path]) -> tuple[Part, ...]:
    """Returns the parts of a source, one for each split; nothing where the files' names do not say of each
    which split it is, or say it of two."""
    if len(files) == 1:
        return (Part(files[0], "", _images_of(folder, files[0])),)
    splits = [split_named(file.relative_to(folder).as_posix()) for file in files]
    if None in splits or len(set(splits)) < len(splits):
        return ()
    return tuple(
        Part(file, str(split), _images_of(folder, file)) for file, split in zip(files, splits, strict=True)
    )


def without_other_tasks(kind: str, files: Sequence[Path]) -> tuple[list[Path], tuple[Issue, ...]]:
    """Returns the files of COCO and Open Images without those of their other tasks (captions or masks of the
    same images), where their boxes are among them; and an issue for each."""
    if kind not in _TASKS:
        return list(files), ()
    boxes, other_tasks, title = _TASKS[kind]
    if not any(boxes.fullmatch(file.name) for file in files):
        return list(files), ()
    others = [file for file in files if other_tasks.fullmatch(file.name)]
    message = f"not read beside {title}; name the file to read it"
    issues = tuple(Issue("annotation-unread", readable(file.name), None, message, True) for file in others)
    return [file for file in files if file not in others], issues


def _images_of(folder: Path, file: Path) -> PurePosixPath:
    """Returns the folder that has the name of a file's split (train2017), else the file's own where images
    are in it, else the source's."""
    if (tail := _TAIL.search(file.stem)) is not None:
        for parent in (file.parent, file.parent.parent):
            for images in (parent / tail[1], parent / "images" / tail[1]):
                if parent.is_relative_to(folder) and images.is_dir():
                    return PurePosixPath(images.relative_to(folder).as_posix())
    own = file.parent
    if own.is_relative_to(folder) and any(has_image_suffix(entry.name) for entry in own.iterdir()):
        return PurePosixPath(own.relative_to(folder).as_posix())
    return PurePosixPath()


def joined(folder: Path, parts: Sequence[Part], sources: Sequence[Source], lists_classes: bool) -> Source:
    """Returns the sources of the parts as one. Where a part has no list of classes, all were annotated for
    the classes of all. InputError where parts disagree about the keypoints of a class."""
    classes = tuple(dict.fromkeys(name for source in sources for name in source.classes))
    everything = frozenset(classes)
    repeated = _repeated_ids(sources)
    records: list[ImageRecord] = []
    issues: list[Issue] = []
    for part, source in zip(parts, sources, strict=True):
        above = part.path.relative_to(folder).parent.as_posix()
        for record in source.records:
            labeled = record.labeled if lists_classes else everything
            image_id = f"{part.split}/{record.image_id}" if record.image_id in repeated else record.image_id
            filename = (part.images / record.filename.lstrip("/")).as_posix()
            place = _below(above, record.source)
            records.append(
                replace(
                    record,
                    image_id=image_id,
                    filename=filename,
                    source=place,
                    labeled=labeled,
                    split=record.split or part.split or None,
                )
            )
        issues += [replace(issue, source=_below(above, issue.source)) for issue in source.issues]
    account = _sum([source.account for source in sources])
    by_part = {str(part.path): source.keypoints for part, source in zip(parts, sources, strict=True)}
    points = keypoints.joined(by_part)
    return Source(classes, records, tuple(issues), account, _category_ids(sources), keypoints=points)


def _below(above: str, source: str) -> str:
    return source if above == "." else f"{readable(above)}/{source}"


def _repeated_ids(sources: Sequence[Source]) -> set[str]:
    """Returns the ids that images of several parts have."""
    counts = Counter(
        image_id for source in sources for image_id in {record.image_id for record in source.records}
    )
    return {image_id for image_id, count in counts.items() if count > 1}


def _sum(accounts: Sequence[Account]) -> Account:
    return Account(
        files=sum(account.files for account in accounts),
        found=sum(account.found for account in accounts),
        dropped=added(*(account.dropped for account in accounts)),
        litter=sum(account.litter for account in accounts),
        images=sum(account.images for account in accounts),
        images_dropped=added(*(account.images_dropped for account in accounts)),
    )


def _category_ids(sources: Sequence[Source]) -> Mapping[str, int | str] | None:
    """Returns the ids of classes; None where two parts do not agree on them."""
    ids: dict[str, int | str] = {}
    for source in sources:
        for name, own in (source.category_ids or {}).items():
            if ids.setdefault(name, own) != own:
                return None
    return ids or None
