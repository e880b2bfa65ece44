"""JSON files of annotation tools, read whole: what they hold, in the types that are expected, with places."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tfrec_tools.errors import InputError
from tfrec_tools.system.regular_files import read_bytes

T = TypeVar("T")


def document(file: Path, expected: str) -> Any:
    """Returns what a file holds as dicts, lists and scalars; NaN and Infinity are floats. Raises InputError
    where it is no JSON in UTF-8, has a key twice in one object, or cannot be read."""
    try:
        return json.loads(read_bytes(file).decode("utf-8-sig"), object_pairs_hook=_single_keys)
    except OSError as fault:
        reason = f"cannot be read ({fault.strerror or fault}), expected {expected}"
        raise InputError(file, reason) from fault
    except json.JSONDecodeError as fault:
        where = f"line {fault.lineno}, column {fault.colno}"
        raise InputError(file, f"broken JSON: {fault.msg}, expected {expected}", where=where) from fault
    except _RepeatedKeyError as fault:
        raise InputError(file, f"the key {fault} stands twice in one object, expected once") from fault
    except RecursionError as fault:
        raise InputError(file, f"is nested too deeply, expected {expected}") from fault
    except ValueError as fault:  # no UTF-8, or a number of thousands of digits
        raise InputError(file, f"cannot be read ({fault}), expected {expected}") from fault


def converted(value: Any, kind: type[T]) -> T | str:
    """Returns a value as a msgspec.Struct or another type; what is wrong with it where it is none."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as fault:
        reason, _, place = str(fault).partition(" - at ")
        reason = re.sub(r"`([^`]*)`", r"\1", reason)
        return f"{place.strip('`').removeprefix('$').lstrip('.')}: {reason}" if place else reason


def required(file: Path, value: Any, kind: type[T], expected: str, where: str = "") -> T:
    """Returns as `converted` does. Raises InputError where the value is none of the type."""
    result = converted(value, kind)
    if isinstance(result, str) and kind is not str:
        raise InputError(file, f"not {expected}: {result}", where=where)
    return result  # type: ignore[return-value]


class _RepeatedKeyError(ValueError):
    pass


def _single_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(repr(next(key for key in keys if keys.count(key) > 1)))
    return made
