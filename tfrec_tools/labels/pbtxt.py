"""TFOD's text form of a label map."""

from __future__ import annotations

import re
from pathlib import Path

from google.protobuf import text_format

from tfrec_tools._pb2 import label_map_pb2
from tfrec_tools.errors import InputError
from tfrec_tools.labels.label_map import ClassList, Label, LabelMap
from tfrec_tools.system.regular_files import open_binary, read_bytes, require_utf8

_BACKGROUND = "background"
_ITEM = re.compile(r"(\s*#.*\n)*\s*item\s*:?\s*[{<]")
_BEGINNING = 1 << 16  # bytes, in which the first item stands
_MOST_CHARACTERS = 8_000_000  # 200,000 classes; protobuf reads a million characters a second


def read_label_map(path: Path) -> LabelMap:
    """Returns a label map from a TFOD .pbtxt file. Raises InputError with the line where it cannot be parsed,
    LabelConflict where it contradicts itself."""
    listed = parse_pbtxt(path, read_text(path))
    return LabelMap(listed.labels, listed.subject)


def read_text(path: Path) -> str:
    """Returns the text of a file in UTF-8, with its line ends as they are and without a byte order mark."""
    try:
        data = read_bytes(path)
        require_utf8(path, data[:4])
        return data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(path, f"cannot be read as a label map ({_why(fault)})") from fault


def begins_as_label_map(text: str) -> bool:
    """Returns whether a text begins as TFOD's label maps do, with comments or not: other protos do not."""
    return _ITEM.match(text) is not None


def is_label_map(path: Path) -> bool:
    """Returns whether a file begins as a label map does."""
    try:
        with open_binary(path) as file:
            return begins_as_label_map(file.read(_BEGINNING).decode("utf-8-sig", "replace"))
    except OSError:
        return False


def parse_pbtxt(path: Path, text: str) -> ClassList:
    """TFOD's text form; `path` is for errors. What TFOD has no word for is an error; of what it has, LVIS's
    counts and hierarchies are read over. An item of id 0 may only be the background, as in TFOD, and is no
    class: all others keep their ids."""
    if len(text) > _MOST_CHARACTERS:
        reason = f"has {len(text)} characters, expected a label map of at most {_MOST_CHARACTERS}"
        raise InputError(path, f"{reason}; keep as many classes in a .json")
    message = label_map_pb2.StringIntLabelMap()
    try:
        text_format.Parse(text, message)
    except text_format.ParseError as fault:
        raise InputError(
            path, f"not a label map ({_parse_reason(fault)})", where=f"line {fault.GetLine()}"
        ) from fault
    labels = tuple(_from_item(item) for item in message.item if not _is_background(item))
    if not labels:
        raise InputError(path, "no item { id: ... name: ... } found, expected at least one class")
    return ClassList(labels, str(path))


def format_label_map(label_map: LabelMap) -> str:
    """Returns the map as TFOD's text form."""
    message = label_map_pb2.StringIntLabelMap()
    for label in label_map.labels:
        item = message.item.add(name=label.name, id=label.id)
        if label.display_name:
            item.display_name = label.display_name
        for keypoint_id, keypoint in label.keypoints:
            item.keypoints.add(id=keypoint_id, label=keypoint)
    return str(text_format.MessageToString(message, as_utf8=True))


def _is_background(item: label_map_pb2.StringIntLabelMapItem) -> bool:
    return item.id == 0 and _BACKGROUND in (item.name.strip().lower(), item.display_name.strip().lower())


def _from_item(item: label_map_pb2.StringIntLabelMapItem) -> Label:
    keypoints = tuple((keypoint.id, keypoint.label) for keypoint in item.keypoints)
    return Label(item.id, item.name.strip(), item.display_name, keypoints)


def _parse_reason(fault: text_format.ParseError) -> str:
    """Returns the parser's message without its own line:column prefix and the package of its types."""
    text = str(fault).split(" : ", 1)[-1].replace(f"{label_map_pb2.DESCRIPTOR.package}.", "")
    return " ".join(text.split())


def _why(fault: OSError | UnicodeDecodeError) -> str:
    if isinstance(fault, UnicodeDecodeError):
        return f"byte {fault.start} is not UTF-8"
    return fault.strerror or str(fault)
