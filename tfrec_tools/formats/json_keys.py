"""Keys that stand twice in an object of JSON, of which the decoder keeps the last one's value alone, in
arrays too large to be looked into object by object.

The ends of all keys are found at once, by their colons. A key that each object has is as often in the text as
there are objects. Any other one has, between two places of it, as many of those that each object has as there
are of them, and the end of an object; else it may be twice in one, and the objects are looked into.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from tfrec_tools.errors import InputError
from tfrec_tools.formats.json_documents import repeated_key

_COLON = ord(":")
_BETWEEN = re.compile(rb"\}\s*,\s*\{")
_TAIL = 8  # bytes before a colon, by which a key is known


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of the objects of an array that are read: those that each has, and those that it may have."""

    needed: tuple[str, ...]
    possible: tuple[str, ...]


def of_struct(kind: type[msgspec.Struct]) -> Keys:
    """Returns the keys that objects of a type are decoded from."""
    fields = msgspec.structs.fields(kind)
    needed = tuple(field.encode_name for field in fields if field.required)
    return Keys(needed, tuple(field.encode_name for field in fields if not field.required))


def require_once(path: Path, place: tuple[str, int], json: bytes, count: int, keys: Keys) -> None:
    """Raises InputError where an object in a JSON array has a key twice.

    place   the array's name, and the number of the first of its `count` elements
    """
    if any(_are_single(json, count, keys, blanks) for blanks in (0, 1)) or not repeated_key(json):
        return
    for number, item in enumerate(msgspec.json.decode(json, type=list[msgspec.Raw]), start=place[1]):
        if key := repeated_key(bytes(item)):
            reason = f"the key {key!r} stands twice in one object, expected once"
            raise InputError(path, reason, where=f"{place[0]}[{number}]")


def _are_single(json: bytes, count: int, keys: Keys, blanks: int) -> bool:
    """Returns whether no object has one of the keys twice, seen from those with so many blanks before their
    colons; where nothing is certain, False."""
    text = np.frombuffer(json, np.uint8)
    ends = np.flatnonzero(text == _COLON) - blanks
    if not len(ends) or len(text) < _TAIL:
        return False
    early = [json[:end].rjust(_TAIL, b"\0") for end in ends[ends < _TAIL].tolist()]
    heads = np.frombuffer(b"".join(early), "<u8")
    later = np.ndarray((len(text) - _TAIL + 1,), "<u8", json, 0, (1,))[ends[len(early) :] - _TAIL]
    tails = np.concatenate([heads, later])
    needed = np.zeros(len(tails), bool)
    for key in keys.needed:
        here = _is_key(tails, key)
        if np.count_nonzero(here) != count:
            return False
        needed |= here
    passed = np.cumsum(needed, dtype=np.int32)
    for key in keys.possible:
        places = np.flatnonzero(_is_key(tails, key))
        if (np.diff(passed[places]) < len(keys.needed)).any():
            return False
        if 0 < len(places) < count:  # some have it, and others have not
            objects = np.searchsorted([match.start() for match in _BETWEEN.finditer(json)], ends[places])
            if (np.diff(objects) < 1).any():
                return False
    return True


def _is_key(tails: NDArray[np.uint64], key: str) -> NDArray[np.bool_]:
    """Returns which bytes before colons are a key, or end as a long one does."""
    tail = f'"{key}"'.encode()[-_TAIL:]
    rest = np.uint64(8 * (_TAIL - len(tail)))
    same: NDArray[np.bool_] = (tails >> rest) == np.uint64(int.from_bytes(tail, "little"))
    return same
