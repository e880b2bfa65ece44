"""Annotations, images and label maps."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError
from tfrec_tools.formats import classes, registry
from tfrec_tools.formats.table import FORMATS
from tfrec_tools.images.loading import has_image_suffix
from tfrec_tools.recognition.answer import Answer, KnownClass, command
from tfrec_tools.system.remote_path import files_below

_OF_ANNOTATIONS = ("convert", "validate", "preview", "merge-labels")
_LOOKED_AT = 10_000  # files of a folder, that an image is looked for among


def annotated(path: Path, kind: str) -> Answer:
    """Returns what a source of annotations holds; where its reader wants to be told more, what."""
    title = f"{FORMATS[kind].title} annotations"
    try:
        layout = registry.laid_out(path, kind)
        source = registry.read_layout(layout)
        folder = registry.images_folder(layout)
    except InputError as fault:
        refuses = dict.fromkeys(_OF_ANNOTATIONS[:3], fault.reason)
        return Answer(str(path), "annotations", title, refuses=refuses)
    boxes = Counter(name for record in source.records for name in record.names)
    return Answer(
        str(path),
        "annotations",
        title,
        facts=_facts(source, folder),
        classes=tuple(KnownClass(name, boxes=boxes[name]) for name in source.classes),
        takes=_OF_ANNOTATIONS,
        refuses={"finetune": "takes records, which convert makes of annotations"},
        next=command("convert", path, "--images", folder, "--out", f"records/{_stem(path)}"),
    )


def unclear(path: Path, why: str) -> Answer:
    """Returns what is said of annotations of which nobody knows which are meant."""
    refuses = dict.fromkeys(_OF_ANNOTATIONS[:3], why)
    return Answer(str(path), "annotations", "annotations of several kinds", refuses=refuses)


def _facts(source: Source, folder: Path) -> dict[str, str]:
    account = source.account
    splits = Counter(record.split for record in source.records if record.split)
    facts = {
        "annotation files": str(account.files),
        "images": str(account.images),
        "annotated objects": str(account.found),
        "images are looked for in": str(folder),
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
