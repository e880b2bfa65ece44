"""YOLO: a text file an image, a line an object: class from 0, then x and y of the centre, width and height
as fractions of the image; or a polygon, keypoints behind the box, the corners of a rotated box.

Three layouts are known: Ultralytics' and Roboflow's data.yaml with folders images/ and labels/; darknet's
obj.names with images and texts side by side and lists of images (train.txt); and a plain folder with
classes.txt. An image with an empty text has no objects; what an image without a text has, nobody says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tfrec_tools.annotations.accounts import Account
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ByteRange, ImageRecord, Source, image_record
from tfrec_tools.errors import InputError, counted
from tfrec_tools.formats import yolo_keypoints, yolo_layout, yolo_rows
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.formats.yolo_keypoints import YoloKeypoints
from tfrec_tools.formats.yolo_layout import YoloLayout
from tfrec_tools.formats.yolo_rows import BOX, Meaning, Row, Text
from tfrec_tools.formats.yolo_search import YoloImage


@dataclass(frozen=True, slots=True)
class _Reading:
    """What is known of all texts when records are made, and what has become of rows and images so far."""

    layout: YoloLayout
    meaning: Meaning
    classes: frozenset[str]
    precision: float
    masks: bool
    keypoints: YoloKeypoints
    issues: list[Issue]
    dropped: Counter[str] = field(default_factory=Counter)
    images_dropped: Counter[str] = field(default_factory=Counter)

    def drop(self, code: str, source: str, message: str, rows: int = 1) -> None:
        """Notes rows that become no boxes."""
        self.dropped[code] += rows
        self.issues.append(Issue(code, source, None, message, code != "annotation-damaged"))


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """Returns the images of a data set by split and name; `path` is its folder, data.yaml or names file.
    Classes are in the order of their ids, splits those of data.yaml or of the lists. A text file that cannot
    be used is an issue; raises InputError where there are no names or no images, where no image has a text,
    or where it is not clear what the rows mean."""
    layout = yolo_layout.find(path)
    texts = {item.labels: yolo_rows.read(item.labels) for item in layout.items if item.labels}
    left = [(file, yolo_rows.read(file), reason) for file, reason in layout.left]
    rows = [row for text in texts.values() for row in text.rows]
    meaning = yolo_rows.meaning(
        layout.names_file, rows, options.yolo or layout.task, layout.keypoints.numbers
    )
    poses = _poses(layout, meaning, rows)
    is_pose = meaning.task == "pose" and options.keypoints
    points = layout.keypoints if is_pose else yolo_keypoints.NONE
    if poses and options.keypoints and not points.count:
        raise InputError(layout.names_file, yolo_keypoints.UNSAID)
    issues = [*_same_names(layout), *layout.issues]
    if not options.keypoints:
        issues += _left_out(layout, poses)
    classes = frozenset(layout.names)
    unit = yolo_rows.unit(texts.values())
    reading = _Reading(layout, meaning, classes, unit, options.masks, points, issues)
    records = [
        record
        for item in layout.items
        if (record := _record(reading, item, texts[item.labels] if item.labels else None)) is not None
    ]
    for file, text, reason in left:
        if text.lines:
            message = f"{counted(text.lines, 'row')} not carried over: {reason}"
            reading.drop("annotation-unread", _name(layout.root, file), message, text.lines)
    found = sum(text.lines for text in texts.values()) + sum(text.lines for _, text, _ in left)
    account = Account(
        files=len(texts) + len(left),
        found=found,
        dropped=dict(reading.dropped),
        litter=layout.litter,
        images=len(layout.items),
        images_dropped=dict(reading.images_dropped),
    )
    names = tuple(dict.fromkeys(layout.names))
    return Source(names, records, tuple(issues), account, keypoints=points.of_classes(names))


def _same_names(layout: YoloLayout) -> list[Issue]:
    file = layout.names_file.name
    return [
        Issue("class-duplicate", file, None, f"{name!r} is the name of {count} ids", True)
        for name, count in Counter(layout.names).items()
        if count > 1
    ]


def _poses(layout: YoloLayout, meaning: Meaning, rows: Sequence[Row]) -> int:
    """Returns how many rows have keypoints."""
    if meaning.task != "pose":
        return 0
    return sum(len(row.numbers) > BOX and layout.keypoints.are_any(row.numbers[BOX:]) for row in rows)


def _left_out(layout: YoloLayout, rows: int) -> list[Issue]:
    message = f"the keypoints of {counted(rows, 'row')} are left out"
    return [Issue("keypoints-left-out", layout.names_file.name, None, message, True)] if rows else []


def _record(reading: _Reading, item: YoloImage, text: Text | None) -> ImageRecord | None:
    """Returns the image, None where its text cannot be used."""
    root = reading.layout.root
    filename = _name(root, item.image) if item.image else item.filename
    source = _name(root, item.labels) if item.labels else filename
    if text is None:
        message = f"{filename} has no text file, not even an empty one"
        reading.issues.append(Issue("image-unannotated", source, None, message, False))
    elif text.fault:
        message = ": ".join(filter(None, (text.fault.where, text.fault.reason)))
        reading.drop("annotation-damaged", str(item.labels), message, text.lines)
        reading.images_dropped["annotation-damaged"] += 1
        return None
    rows = [row for row in text.rows if _usable(reading, source, row)] if text else []
    names = tuple(reading.layout.names[row.label] for row in rows)
    if reading.meaning.task == "obb":
        reading.issues.extend(_derived(source, rows, names))
    return image_record(
        image_id=filename,
        filename=filename,
        source=source,
        boxes_xyxy=[reading.meaning.corners(row.numbers) for row in rows],
        names=names,
        labeled=reading.classes,
        relative=True,
        masks=tuple(reading.meaning.mask(row.numbers) for row in rows) if reading.masks else (),
        place=ByteRange(item.image) if item.image else None,
        split=item.split,
        precision=reading.precision,
        keypoints=reading.keypoints.of_rows([row.numbers[BOX:] for row in rows]),
    )


def _usable(reading: _Reading, source: str, row: Row) -> bool:
    """Returns whether a row becomes a box; one whose class has no name, or with other numbers than the data
    set's rows have, does not."""
    count, names = len(row.numbers), len(reading.layout.names)
    if count == BOX and 0 <= row.label < names:  # a box alone is understood in any data set
        return True
    if not reading.meaning.understands(row.numbers):
        message = f"line {row.line}: {count} numbers after the class are no {reading.meaning.task}"
        reading.drop("annotation-unread", source, message)
        return False
    if not 0 <= row.label < names:
        message = f"line {row.line}: class {row.label} is none of the {names} names"
        reading.drop("class-unknown", source, message)
        return False
    return True


def _derived(source: str, rows: Sequence[Row], names: Sequence[str]) -> list[Issue]:
    return [
        Issue("box-derived", source, i, f"line {row.line}: {name} is the box around four corners", False)
        for i, (row, name) in enumerate(zip(rows, names, strict=True))
        if len(row.numbers) > BOX
    ]


def _name(root: Path, file: Path) -> str:
    """Returns a file's path below the folder of the data set; of one that lies elsewhere, below the nearest
    folder above both."""
    text, start = str(file), f"{root}/"
    if text.startswith(start) and ".." not in text:
        return text[len(start) :]
    if not file.is_relative_to(root):
        above = (folder for folder in (*root.parents, *root.resolve().parents) if file.is_relative_to(folder))
        root = next(above, Path(file.anchor))
    return "/".join(part for part in file.relative_to(root).parts if part != "..")
