"""tf.train.Example in protobuf's wire format, written straight: several times faster than through message
objects, which copy the picture, and always in the same order of features.

https://protobuf.dev/programming-guides/encoding/ and schemas/example.proto. An Example is field 1
(Features) of map entries (field 1) of key (1) and Feature (2); a Feature is a bytes_list (1), a float_list
(2) or an int64_list (3), whose values are field 1, numbers packed.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

_LENGTH = 2  # the wire type of what comes with its length
_MASK_64 = 2**64 - 1


def serialize(features: Mapping[str, tuple[str, Sequence[Any]]]) -> bytes:
    """{key: ("bytes", "float" or "int64", values)} as an Example, features in the order of their keys: the
    very bytes that protobuf's deterministic serialization gives."""
    parts: list[bytes] = []
    for key in sorted(features):
        parts += _entry(key, *features[key])
    return b"".join((b"\x0a", _varint(sum(map(len, parts))), *parts))


def _entry(key: str, kind: str, values: Sequence[Any]) -> list[bytes]:
    content = _CONTENT[kind](values)
    name = _key(key)
    list_size = sum(map(len, content))
    list_head = bytes((_FIELD[kind] << 3 | _LENGTH,)) + _varint(list_size)
    feature_head = b"\x12" + _varint(len(list_head) + list_size)
    size = len(name) + len(feature_head) + len(list_head) + list_size
    return [b"\x0a", _varint(size), name, feature_head, list_head, *content]


def _bytes(values: Iterable[bytes]) -> list[bytes]:
    return [part for value in values for part in (b"\x0a", _varint(len(value)), value)]


def _floats(values: Sequence[float]) -> list[bytes]:
    return _packed(array("f", values).tobytes())  # beyond float32 it gives infinity, where struct raises


def _int64s(values: Iterable[int]) -> list[bytes]:
    return _packed(b"".join([_varint(value & _MASK_64) for value in values]))


def _packed(data: bytes) -> list[bytes]:
    return [b"\x0a", _varint(len(data)), data] if data else []


@cache
def _key(key: str) -> bytes:
    data = key.encode()
    return b"\x0a" + _varint(len(data)) + data


@cache
def _small_varint(value: int) -> bytes:
    return bytes((value,)) if value < 0x80 else bytes((value & 0x7F | 0x80, value >> 7))


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; all but the last have the high bit set."""
    if value < 0x4000:
        return _small_varint(value)
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_FIELD = {"bytes": 1, "float": 2, "int64": 3}
_CONTENT: dict[str, Callable[[Sequence[Any]], list[bytes]]] = {
    "bytes": _bytes,
    "float": _floats,
    "int64": _int64s,
}
