"""JSON files that are read whole, a single one or one an image. What their values are is asked of
`json_values`; files too large to be read whole are `json_arrays`'."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from tfrec_tools.errors import InputError
from tfrec_tools.formats.drawn import DrawnImage, Unusable, damaged
from tfrec_tools.system.regular_files import read_bytes

Item = DrawnImage | Unusable

_KEY_ENDS = re.compile(rb'"\s*:')
_HOLDING = (dict, list)


def document(file: Path, expected: str) -> Any:
    """Returns what a file holds as dicts, lists and scalars; NaN and Infinity are floats. Raises InputError
    where it is no JSON in UTF-8, has a key twice in one object, or cannot be read."""
    try:
        data = read_bytes(file)
    except OSError as fault:
        reason = f"cannot be read ({fault.strerror or fault}), expected {expected}"
        raise InputError(file, reason) from fault
    return decoded(file, data, expected)


def decoded(file: Path, data: bytes, expected: str) -> Any:
    """Returns what a text of a file holds, as `document` does."""
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # the slow way says what is wrong
        value = msgspec.json.decode(data)
        if _has_all_keys(value, data):
            return value
    return _checked(file, data, expected)


def repeated_key(data: bytes) -> str:
    """Returns a key that stands twice in one object of a text; "" where there is none, or where numbers or
    depths do not let it be seen."""
    try:
        if not _has_all_keys(msgspec.json.decode(data), data):
            json.loads(data, object_pairs_hook=single_keys)
    except _RepeatedKeyError as fault:
        return fault.key
    except (msgspec.DecodeError, ValueError, RecursionError):
        pass
    return ""


def _has_all_keys(value: Any, data: bytes) -> bool:
    """Returns whether what msgspec made of a text has all of its keys; False where that is not certain."""
    keys = _keys(value)
    return data.count(b":") == keys or len(_KEY_ENDS.findall(data)) == keys


def _keys(value: Any) -> int:
    """Returns how many keys all objects have, or less: lists of numbers, and of such lists, are not looked
    into. A text with no more colons, or ends of keys, has none of them twice in an object: msgspec keeps the
    last one alone."""
    count = 0
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if type(item) is dict:
            count += len(item)
            waiting += [inner for inner in item.values() if type(inner) in _HOLDING and inner]
        elif type(item) is list and item and not _is_of_numbers(item):
            waiting += [inner for inner in item if type(inner) in _HOLDING and inner]
    return count


def _is_of_numbers(listed: list[Any]) -> bool:
    """Returns whether a list begins with a number, or with a list that does."""
    first = listed[0]
    return type(first[0] if type(first) is list and first else first) not in _HOLDING


def _checked(file: Path, data: bytes, expected: str) -> Any:
    """Returns what a text holds, as Python's own decoder reads it, which takes NaN and sees keys that stand
    twice."""
    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=single_keys)
    except json.JSONDecodeError as fault:
        where = f"line {fault.lineno}, column {fault.colno}"
        raise InputError(file, f"broken JSON: {fault.msg}, expected {expected}", where=where) from fault
    except _RepeatedKeyError as fault:
        raise InputError(file, f"the key {fault} stands twice in one object, expected once") from fault
    except RecursionError as fault:
        raise InputError(file, f"is nested too deeply, expected {expected}") from fault
    except ValueError as fault:  # no UTF-8, or a number of thousands of digits
        raise InputError(file, f"cannot be read ({fault}), expected {expected}") from fault


class ForeignError(InputError):
    """A JSON file of another kind than its format's."""


def images_of(
    files: Sequence[Path], expected: str, word: bytes, made: Callable[[Path, Any], Iterable[Item]]
) -> Iterator[Item]:
    """Yields the images that are made of each file. One that cannot be read, or is of another kind
    (ForeignError), is Unusable, with as many objects as `word` stands in it. Raises InputError where it is
    the only one."""
    for file in files:
        try:
            yield from made(file, document(file, expected))
        except InputError as fault:
            if len(files) == 1:
                raise
            code = "annotation-unread" if isinstance(fault, ForeignError) else "annotation-damaged"
            yield damaged(file, fault, _mentioned(file, word), code)


def _mentioned(file: Path, word: bytes) -> int:
    try:
        return read_bytes(file).count(word)
    except OSError:
        return 0


class _RepeatedKeyError(ValueError):
    def __init__(self, key: str) -> None:
        super().__init__(repr(key))
        self.key = key


def single_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns an object of JSON. Raises ValueError where it has a key twice."""
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(next(key for key in keys if keys.count(key) > 1))
    return made
