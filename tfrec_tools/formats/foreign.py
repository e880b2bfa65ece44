"""JSON that shows no format: what stands in it, so that nobody is told that it is no good COCO."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tfrec_tools.errors import InputError, listed
from tfrec_tools.formats import json_arrays
from tfrec_tools.formats.json_values import shown
from tfrec_tools.system.regular_files import open_binary

SUFFIXES = (".json", ".jsonl")
_ANNOTATIONS = "annotations"
_LINE_BYTES = 1 << 20  # of a first line of JSON
_OF_COCO = frozenset(("images", "annotations", "categories"))
_OF_RESULTS = frozenset(("image_id", "score"))


def is_partly_coco(file: Path) -> bool:
    """Returns whether a JSON file that shows no format has so much of COCO that its reader may say what is
    wrong: two of its three lists, or results."""
    try:
        value = _value(file)
    except InputError:
        return False
    if isinstance(value, list):
        return _OF_RESULTS.issubset(_keys(value))
    return isinstance(value, dict) and len(value.keys() & _OF_COCO) > 1


def unrecognised(file: Path, titles: Iterable[str]) -> InputError:
    """Returns the fault of a file of JSON, or of lines of it, that shows none of the formats of these titles:
    that it is no JSON, or what stands in it."""
    try:
        held = _held(_value(file))
    except InputError as fault:
        return fault
    expected = ", ".join(titles)
    reason = f"no format is recognised: it {held}, expected {expected}; say --format where it is one of these"
    return InputError(file, reason, where="line 1" if _has_lines(file) else "")


def _has_lines(file: Path) -> bool:
    return file.suffix.lower() == ".jsonl"


def _value(file: Path) -> Any:
    """Returns the top level of a file, or of its first line. Raises InputError where that is no JSON."""
    if not _has_lines(file):
        return json_arrays.top_level(file, _ANNOTATIONS)
    try:
        with open_binary(file) as opened:
            text = opened.read(_LINE_BYTES).lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")[0]
        if not text:
            raise InputError(file, f"is empty, expected {_ANNOTATIONS}")
        return msgspec.json.decode(text)
    except OSError as fault:
        reason = f"cannot be read ({fault.strerror or fault}), expected {_ANNOTATIONS}"
        raise InputError(file, reason) from fault
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise InputError(file, f"is no JSON ({fault}), expected {_ANNOTATIONS}", where="line 1") from fault


def _held(value: Any) -> str:
    """Returns what a file holds, in words."""
    if value in ({}, []):
        return "is an empty object" if value == {} else "is an empty list"
    if isinstance(value, dict):
        return f"has the keys {_named(value)}"
    if not isinstance(value, list):
        return f"is {shown(value)}"
    keys = _keys(value)
    return f"is a list of objects with the keys {_named(keys)}" if keys else "is a list of other than objects"


def _keys(values: Sequence[msgspec.Raw]) -> list[str]:
    """Returns the keys of the first value; none where it is no object."""
    try:
        return [*msgspec.json.decode(values[0], type=dict[str, msgspec.Raw])] if values else []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def _named(keys: Iterable[str]) -> str:
    return listed([shown(key) for key in keys])
