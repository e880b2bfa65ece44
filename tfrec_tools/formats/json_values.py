"""Values of JSON that was read (`json_documents`, cells of CSV): what is not of the kind that is asked for
comes as None, 0 or ""."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from tfrec_tools.errors import readable
from tfrec_tools.formats.shapes import Point

_NONE = (msgspec.ValidationError, OverflowError, UnicodeEncodeError)  # half a surrogate pair, for the last
_TRUE = (1, "1", "true", "True")


def pixels(value: Any) -> int:
    """0 where the file says nothing or nonsense."""
    try:
        return max(0, int(float(value or 0)))
    except (ValueError, OverflowError, TypeError):
        return 0


def number(value: Any) -> float | None:
    """Returns a number, NaN and Infinity included; None for what is none, True among it."""
    try:
        return msgspec.convert(value, float)
    except _NONE:
        return None


def numbers(value: Any, keys: Sequence[str]) -> tuple[float, ...] | None:
    """Returns the numbers of those keys of an object; None where one is lacking, or none."""
    return row([value.get(key) for key in keys], len(keys)) if isinstance(value, dict) else None


def row(value: Any, count: int) -> tuple[float, ...] | None:
    """Returns an array of so many numbers; None where it is none."""
    try:
        listed = msgspec.convert(value, tuple[float, ...])
    except _NONE:
        return None
    return listed if len(listed) == count else None


def points(value: Any) -> list[Point] | None:
    """Returns an array of arrays [x, y]; None where one of them is none."""
    try:
        return msgspec.convert(value, list[Point])
    except _NONE:
        return None


def flag(value: Any) -> bool:
    """Returns whether a value is true, as tools write it: true, 1, "1", "true"."""
    return isinstance(value, int | float | str) and value in _TRUE


def text(value: Any) -> str:
    """Returns a text, which can be written, or a number as one; "" for anything else, such as the NaN that
    pandas has for nothing."""
    if isinstance(value, str):
        return readable(value)
    is_number = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return str(value) if is_number and not isinstance(value, bool) else ""


def shown(value: Any) -> str:
    """Returns the beginning of what stands there, for a message."""
    try:
        listed = repr(value)
    except RecursionError:
        return "a value that is nested too deeply"
    return listed if len(listed) <= 60 else f"{listed[:57]}..."
