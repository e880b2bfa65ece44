"""Label maps: the classes of a detector or of a data set.

The text form is TFOD's `StringIntLabelMap` (object_detection/protos/string_int_label_map.proto):
ids count from 1, because 0 is the background of TFOD's models.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format

from tfrec_tools._pb2 import label_map_pb2
from tfrec_tools.errors import InputError, LabelConflict

_MAX_ID = 2**31 - 1  # of an int32, as the proto has it


@dataclass(frozen=True, slots=True)
class Label:
    """A class: its id from 1, its name, and what else TFOD's label map may say of it."""

    id: int
    name: str
    display_name: str = ""
    keypoints: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class LabelMap:
    """Classes by id, ascending; ids and names are unique. LabelConflict lists all that is not so."""

    labels: tuple[Label, ...]
    subject: str = "label map"

    def __post_init__(self) -> None:
        conflicts = faults(self.labels)
        if conflicts:
            raise LabelConflict(self.subject, conflicts)
        object.__setattr__(self, "labels", tuple(sorted(self.labels, key=lambda label: label.id)))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in the order of their ids."""
        return tuple(label.name for label in self.labels)

    @property
    def id_by_name(self) -> dict[str, int]:
        return {label.name: label.id for label in self.labels}

    @property
    def name_by_id(self) -> dict[int, str]:
        return {label.id: label.name for label in self.labels}

    @property
    def gaps(self) -> tuple[int, ...]:
        """The ids between 1 and the largest that no class has."""
        used = {label.id for label in self.labels}
        return tuple(i for i in range(1, max(used, default=0) + 1) if i not in used)


@dataclass(frozen=True, slots=True)
class ClassList:
    """Classes as a file lists them, its faults included; lowest_id is 0 for formats that count from 0."""

    labels: tuple[Label, ...]
    subject: str
    lowest_id: int = 1


def from_names(names: Iterable[str]) -> LabelMap:
    """A map with ids 1, 2, ... in the order given."""
    return LabelMap(tuple(Label(i, name) for i, name in enumerate(names, start=1)))


def mismatch(label_id: int, name: str, label_map: Mapping[int, str], subject: str) -> str:
    """What disagrees between a record's name for a class and the label map's for its id; empty where one
    is not given."""
    if not (name and label_map) or label_map.get(label_id) == name:
        return ""
    has = f"is {label_map[label_id]!r}" if label_id in label_map else "is no class"
    return f"id {label_id} {has} in {subject}, but the record calls it {name!r}"


def read_label_map(path: Path) -> LabelMap:
    """A label map from a TFOD .pbtxt file. InputError with the line where it cannot be parsed,
    LabelConflict where it contradicts itself."""
    listed = parse_pbtxt(path, read_text(path))
    return LabelMap(listed.labels, listed.subject)


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, with its line ends as they are and without a byte order mark."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(path, "", f"cannot be read as a label map ({_why(fault)})") from fault


def parse_pbtxt(path: Path, text: str) -> ClassList:
    """TFOD's text form; `path` is for errors. Fields other than name, id, display_name and keypoints are
    read over."""
    message = label_map_pb2.StringIntLabelMap()
    try:
        text_format.Parse(text, message, allow_unknown_field=True)
    except text_format.ParseError as fault:
        raise InputError(
            path, f"line {fault.GetLine()}", f"not a label map ({_parse_reason(fault)})"
        ) from fault
    if not message.item:
        raise InputError(path, "", "no item { id: ... name: ... } found, expected at least one class")
    return ClassList(tuple(_from_item(item) for item in message.item), str(path))


def format_label_map(label_map: LabelMap) -> str:
    """The map as TFOD's text form."""
    message = label_map_pb2.StringIntLabelMap()
    for label in label_map.labels:
        item = message.item.add(name=label.name, id=label.id)
        if label.display_name:
            item.display_name = label.display_name
        for keypoint_id, keypoint in label.keypoints:
            item.keypoints.add(id=keypoint_id, label=keypoint)
    return str(text_format.MessageToString(message, as_utf8=True))


def _from_item(item: label_map_pb2.StringIntLabelMapItem) -> Label:
    keypoints = tuple((keypoint.id, keypoint.label) for keypoint in item.keypoints)
    return Label(item.id, item.name.strip(), item.display_name, keypoints)


def faults(labels: Sequence[Label], lowest_id: int = 1) -> list[str]:
    """All in which the classes of one map contradict each other or the format."""
    found = [
        f"id {label.id} of {label.name!r} is below {lowest_id}" for label in labels if label.id < lowest_id
    ]
    found += [f"id {label.id} of {label.name!r} is above {_MAX_ID}" for label in labels if label.id > _MAX_ID]
    found += [f"the name of id {label.id} is empty" for label in labels if not label.name]
    found += [f"the name {label.name!a} is no text" for label in labels if not _is_text(label.name)]
    for label_id, count in Counter(label.id for label in labels).items():
        if count > 1:
            names = ", ".join(repr(label.name) for label in labels if label.id == label_id)
            found.append(f"id {label_id} stands {count} times ({names})")
    for name, count in Counter(label.name for label in labels if label.name).items():
        if count > 1:
            ids = ", ".join(str(label.id) for label in labels if label.name == name)
            found.append(f"name {name!r} stands {count} times (ids {ids})")
    return found


def _is_text(name: str) -> bool:
    """Half a surrogate pair, which JSON's \\ud800 can say, is none."""
    return not any(0xD800 <= ord(letter) <= 0xDFFF for letter in name)


def _parse_reason(fault: text_format.ParseError) -> str:
    """The parser's message without its own line:column prefix."""
    text = str(fault)
    return text.split(" : ", 1)[-1].strip().replace("\n", " ")


def _why(fault: OSError | UnicodeDecodeError) -> str:
    if isinstance(fault, UnicodeDecodeError):
        return f"byte {fault.start} is not UTF-8"
    return fault.strerror or str(fault)
