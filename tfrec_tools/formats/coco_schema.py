"""What is read of COCO instances JSON, and its ids: numbers, or numbers as text, or any text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

NO_ID = 2**62

Id = int | float | str  # as people's exporters write them


class Image(msgspec.Struct, gc=False):
    id: Id
    file_name: str
    width: float | str | None = None
    height: float | str | None = None


class Category(msgspec.Struct, gc=False):
    id: Id
    name: Id
    supercategory: str | None = None


class Annotation(msgspec.Struct, gc=False):
    image_id: Id
    category_id: Id
    bbox: tuple[float, float, float, float]
    iscrowd: float | bool | None = None
    area: float | None = None
    id: Id | None = None
    segmentation: msgspec.Raw = msgspec.Raw(b"")


class Mended(Annotation, gc=False):
    """Of a file that writes NaN or Infinity, which come as texts."""

    bbox: tuple[float | str, float | str, float | str, float | str]  # type: ignore[assignment]
    area: float | str | None = None  # type: ignore[assignment]


class Instances(msgspec.Struct):
    """The only parts that are read."""

    images: msgspec.Raw
    annotations: msgspec.Raw
    categories: msgspec.Raw


def id_numbers(keys: Sequence[str]) -> dict[Id, int]:
    """{id: its number in the list}, by text and, where it is one, by whole number."""
    numbers: dict[Id, int] = {}
    for number, key in enumerate(keys):
        numbers.setdefault(key, number)
        if key.isdecimal() and str(int(key)) == key:
            numbers.setdefault(int(key), number)
    return numbers


def looked_up(numbers: Mapping[Id, int], ids: Sequence[Id]) -> NDArray[np.int32]:
    """(ids,) -1 where there is none of that id. 17.0 is found as 17 is."""
    found = np.array([numbers.get(given, -1) for given in ids], np.int32)
    for row in np.flatnonzero(found < 0).tolist():
        found[row] = numbers.get(key_of(ids[row]), -1)
    return found


def int64(given: Id | None) -> int:
    return given if isinstance(given, int) and abs(given) < NO_ID else NO_ID


def key_of(given: Id) -> str:
    """One text for 17, 17.0 and "17"."""
    if isinstance(given, float) and given.is_integer():
        return str(int(given))
    return str(given).strip()


def order_of(given: Id) -> tuple[bool, float, str]:
    """Numbers by value, then the rest by text."""
    key = key_of(given)
    try:
        return False, float(key), key
    except ValueError:
        return True, 0.0, key


def pixels(given: float | str | None) -> int:
    """0 where the file says nothing or nonsense."""
    try:
        return max(0, int(float(given or 0)))
    except (ValueError, OverflowError):
        return 0
