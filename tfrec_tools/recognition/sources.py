"""Annotations, images and label maps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from tfrec_tools.annotations.records import ImageRecord, Source
from tfrec_tools.errors import InputError, parts_of
from tfrec_tools.formats import classes, registry, text_rows
from tfrec_tools.formats.table import FORMATS
from tfrec_tools.images.loading import has_image_suffix
from tfrec_tools.images.lookup import Finder
from tfrec_tools.recognition.answer import IMAGES_IN, Answer, KnownClass, command
from tfrec_tools.system.remote_path import files_below

_OF_ANNOTATIONS = ("convert", "validate", "preview", "merge-labels")
_LOOKED_FOR = 3  # images of the first records
_MOST_HELD = 6  # kinds of annotations that are listed
_TRIED = 4  # of them
_LOOKED_AT = 10_000  # files of a folder, that an image is looked for among


def annotated(path: Path, kind: str, *flags: str) -> Answer:
    """Returns what a source of annotations holds; where its reader wants to be told more, what. `flags` are
    what a command is to be told besides."""
    title = f"{FORMATS[kind].title} annotations"
    try:
        layout = registry.laid_out(path, kind)
        source = registry.read_layout(layout)
        folder = registry.images_folder(layout)
    except InputError as fault:
        refuses = dict.fromkeys(_OF_ANNOTATIONS[:3], fault.reason)
        return Answer(str(path), "annotations", title, refuses=refuses)
    boxes = Counter(name for record in source.records for name in record.names)
    lacking = _lacking(source.records, folder)
    facts = _facts(source, f"{folder}, where {lacking!r} is not" if lacking else str(folder))
    images = "IMAGES" if lacking else folder
    return Answer(
        str(path),
        "annotations",
        title,
        facts=facts,
        classes=tuple(KnownClass(name, boxes=boxes[name]) for name in source.classes),
        takes=_OF_ANNOTATIONS,
        refuses={"finetune": "takes records, which convert makes of annotations"},
        next=command("convert", path, *flags, "--images", images, "--out", f"records/{_stem(path)}"),
    )


def _lacking(records: Sequence[ImageRecord], folder: Path) -> str:
    """Returns the image of the first records that is not there, if none of theirs is; "" otherwise."""
    finder, first = Finder(folder), records[:_LOOKED_FOR]
    try:
        return "" if not first or any(finder.find(record)[0] for record in first) else first[0].filename
    except InputError:  # there is no such folder
        return first[0].filename


def unclear(path: Path, why: str, held: Mapping[str, Path]) -> Answer:
    """Returns what is said of annotations of which nobody knows which are meant; `held` is {format: a file of
    it}. The next command takes those of one format, where these can be read and their images are there."""
    facts = {
        FORMATS[kind].title: str(file.relative_to(path)) for kind, file in islice(held.items(), _MOST_HELD)
    }
    if more := len(held) - len(facts):
        facts["and"] = f"{more} kinds more"
    hint = parts_of(why).hint or "name the file"
    refuses = dict.fromkeys(_OF_ANNOTATIONS[:3], f"says nothing of which are meant; {hint}")
    return Answer(
        str(path),
        "annotations",
        "annotations of several kinds",
        facts=facts,
        refuses=refuses,
        next=_clearer(path, held),
    )


def _clearer(path: Path, held: Mapping[str, Path]) -> str:
    folders = [(path, kind, ("--format", kind)) for kind in held if FORMATS[kind].of_folder]
    files = [(file, kind, ()) for kind, file in held.items() if FORMATS[kind].of_file]
    for place, kind, flags in (*folders, *files)[:_TRIED]:
        answer = annotated(place, kind, *flags)
        if answer.takes and "IMAGES" not in answer.next.split(" "):
            return answer.next
    return command("inspect", next(iter(held.values())))


def _facts(source: Source, images: str) -> dict[str, str]:
    account = source.account
    splits = Counter(record.split for record in source.records if record.split)
    facts = {
        "annotation files": str(account.files),
        "images": str(account.images),
        "annotated objects": str(account.found),
        IMAGES_IN: images,
    }
    if splits:
        facts["splits"] = ", ".join(f"{name} {count}" for name, count in splits.items())
    if any(record.keypoints is not None for record in source.records):
        facts["keypoints"] = ", ".join(source.keypoints)
    if source.issues:
        facts["issues so far"] = f"{len(source.issues)}, such as {source.issues[0].message}"
    return facts


def _stem(path: Path) -> str:
    """A name for what is made of it."""
    return path.resolve().name.partition(".")[0] or "set"


def holds_images(path: Path) -> bool:
    """Returns whether a path is an image, or a folder with some among its first files."""
    if path.is_file():
        return has_image_suffix(path.name)
    return any(has_image_suffix(file.name) for file in islice(files_below(path), _LOOKED_AT))


def images(path: Path) -> Answer:
    """Returns how many images there are, by their names."""
    count = 1 if path.is_file() else sum(has_image_suffix(file.name) for file in files_below(path))
    return Answer(
        str(path),
        "images",
        "images without annotations",
        facts={"images": str(count)},
        takes=("detect", "export --records"),
        refuses={"convert": "takes annotations; name those that these images belong to"},
        next=command("detect", path, "--model", "MODEL", "--out", "seen"),
    )


def label_map(path: Path) -> Answer:
    """Returns the classes of a label map, or of a list of names. Raises InputError where there are none."""
    listed = classes.read_classes(path)
    ids = [label.id for label in listed.labels]
    largest = max(ids, default=0)
    gaps = largest - len(set(ids))
    facts = {"classes": str(len(ids)), "largest id": str(largest)}
    if gaps > 0:
        facts["ids without a class"] = str(gaps)
    return Answer(
        str(path),
        "label map",
        "label map",
        facts=facts,
        classes=tuple(KnownClass(label.name, label.id) for label in listed.labels),
        takes=("merge-labels", "convert --labels", "remap --labels", "finetune --labels"),
        next=command("merge-labels", path, "NEW.pbtxt", "--out", "merged.pbtxt"),
    )


def is_of_one_image(path: Path) -> bool:
    """Returns whether a text has nothing but rows of boxes, as YOLO, KITTI and DOTA have them of an image."""
    rows = (
        [words for words in text_rows.words_at_head(path) if words] if path.suffix.lower() == ".txt" else []
    )
    kinds = (text_rows.is_yolo, text_rows.is_kitti, text_rows.is_dota)
    return bool(rows) and any(all(map(is_row, rows)) for is_row in kinds)
