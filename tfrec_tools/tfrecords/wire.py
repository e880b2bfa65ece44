"""tf.train.Example in protobuf's wire format, written straight: several times faster than through message
objects, which copy the picture, and always in the same order of features.

https://protobuf.dev/programming-guides/encoding/ and schemas/example.proto. An Example is field 1
(Features) of map entries (field 1) of key (1) and Feature (2); a Feature is a bytes_list (1), a float_list
(2) or an int64_list (3), whose values are field 1, numbers packed.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

_MASK_64 = 2**64 - 1
_SHORT = 64  # bytes up to which a text is likely to come again, as the name of a class does


def serialize(features: Mapping[str, tuple[str, Sequence[Any]]]) -> bytes:
    """{key: ("bytes", "float" or "int64", values)} as an Example, features in the order of their keys: the
    very bytes that protobuf's deterministic serialization gives, where no key begins another."""
    parts: list[bytes] = []
    for key in sorted(features):
        parts += _entry(key, *features[key])
    return example(parts)


def example(entries: Sequence[bytes]) -> bytes:
    """The Example of entries, which may come in pieces."""
    return b"".join((head(sum(map(len, entries))), *entries))


def head(size: int) -> bytes:
    """What stands before an Example's entries of `size` bytes."""
    return b"\x0a" + _varint(size)


def entry(key: str, kind: str, values: Sequence[Any]) -> bytes:
    """One entry."""
    return b"".join(_entry(key, kind, values))


def _entry(key: str, kind: str, values: Sequence[Any]) -> list[bytes]:
    content = _CONTENT[kind](values)
    return [_entry_head(key, kind, sum(map(len, content))), *content]


def short_feature(data: bytes) -> tuple[str, list[Any]] | None:
    """(kind, values) of a Feature of texts, or of numbers from 0 to 127, written as here and below 128 bytes;
    None of any other."""
    size = len(data) - 2
    if not 0 <= size < 128 or data[1] != size:
        return None
    if data[:1] == _LIST["bytes"]:
        texts = _texts(data)
        return None if texts is None else ("bytes", texts)
    numbers = data[4:]
    packed = data[2:4] == b"\x0a%c" % len(numbers) and numbers.isascii()
    return ("int64", list(numbers)) if packed and data[:1] == _LIST["int64"] else None


def _texts(data: bytes) -> list[bytes] | None:
    texts, place = [], 2
    while place < len(data) - 1:
        begin = place + 2
        if data[place] != 0x0A:
            return None
        place = begin + data[place + 1]
        texts.append(data[begin:place])
    return texts if place == len(data) else None


@lru_cache(4096)
def _entry_head(key: str, kind: str, size: int) -> bytes:
    """What stands before a feature's content of `size` bytes; few keys and sizes, which come again."""
    name = key.encode()
    name = b"\x0a" + _varint(len(name)) + name
    list_head = _LIST[kind] + _varint(size)
    feature_head = b"\x12" + _varint(len(list_head) + size)
    return b"".join(
        (
            b"\x0a",
            _varint(len(name) + len(feature_head) + len(list_head) + size),
            name,
            feature_head,
            list_head,
        )
    )


def _bytes(values: Iterable[bytes]) -> list[bytes]:
    parts: list[bytes] = []
    for value in values:
        parts += [_text(value)] if len(value) <= _SHORT else [b"\x0a", _varint(len(value)), value]
    return parts


@lru_cache(4096)
def _text(value: bytes) -> bytes:
    return b"\x0a" + _varint(len(value)) + value


def _floats(values: Sequence[float]) -> list[bytes]:
    return _packed(array("f", values).tobytes())  # beyond float32 it gives infinity, where struct raises


def _int64s(values: Iterable[int]) -> list[bytes]:
    return _packed(b"".join([_varint(value) for value in values]))


def _packed(data: bytes) -> list[bytes]:
    return [b"\x0a" + _varint(len(data)) + data] if data else []


def _long_varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; all but the last have the high bit set. Negative numbers are
    those of 64 bits."""
    value &= _MASK_64
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_VARINTS = [_long_varint(value) for value in range(1024)]


def _varint(value: int) -> bytes:
    return _VARINTS[value] if 0 <= value < 1024 else _long_varint(value)


_LIST = {"bytes": b"\x0a", "float": b"\x12", "int64": b"\x1a"}  # field and wire type of each kind's list
_CONTENT: dict[str, Callable[[Sequence[Any]], list[bytes]]] = {
    "bytes": _bytes,
    "float": _floats,
    "int64": _int64s,
}
