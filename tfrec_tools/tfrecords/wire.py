"""tf.train.Example in protobuf's wire format, whole and entry by entry: always in the same order of features,
and without a copy of the image in a message.

https://protobuf.dev/programming-guides/encoding/ and schemas/example.proto. An Example is field 1
(Features) of map entries (field 1) of key (1) and Feature (2); a Feature is a bytes_list (1), a float_list
(2) or an int64_list (3), whose values are field 1, numbers packed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfrec_tools._pb2 import example_pb2

_LISTS = {kind: f"{kind}_list" for kind in ("bytes", "float", "int64")}
_LONG = 4096  # bytes from which on a value is not put into a message
Features = Mapping[str, tuple[str, Sequence[Any]]]  # {key: (kind, values)}


def serialize(features: Features) -> bytes:
    """Returns {key: ("bytes", "float" or "int64", values)} as an Example, features in the order of their
    keys: the very bytes that protobuf's deterministic serialization gives, where no key begins another. A
    long value is joined to what protobuf makes of the others; protobuf itself would copy it several times."""
    parts: list[bytes] = []
    short: dict[str, tuple[str, Sequence[Any]]] = {}
    for key in sorted(features):
        kind, values = features[key]
        if kind == "bytes" and len(values) == 1 and len(values[0]) > _LONG:
            parts += _entries(short), _long_head(key, len(values[0])), values[0]
            short = {}
        else:
            short[key] = (kind, values)
    return example([*parts, _entries(short)])


def _long_head(key: str, size: int) -> bytes:
    """Returns what stands in an entry before its only value, of `size` bytes."""
    start = b""
    for tag in (b"\x0a", b"\x0a", b"\x12"):  # of the value, of its list, of the Feature
        start = tag + _varint(size + len(start)) + start
    name = key.encode()
    start = b"\x0a" + _varint(len(name)) + name + start
    return b"\x0a" + _varint(size + len(start)) + start


def _entries(features: Features) -> bytes:
    """Returns the entries of features, in the order of their keys."""
    message = example_pb2.Features()
    by_key = message.feature
    for key, (kind, values) in features.items():
        of_kind = getattr(by_key[key], _LISTS[kind])
        if values:
            of_kind.value.extend(values)
        else:
            of_kind.SetInParent()  # without it a feature of no values would have no kind
    return bytes(message.SerializeToString(deterministic=True))


def example(entries: Sequence[bytes]) -> bytes:
    """Returns the Example of entries, which may come in pieces."""
    return b"".join((head(sum(map(len, entries))), *entries))


def head(size: int) -> bytes:
    """Returns what stands before an Example's entries of `size` bytes."""
    return b"\x0a" + _varint(size)


def entry(key: str, kind: str, values: Sequence[Any]) -> bytes:
    """Returns one entry."""
    return _entries({key: (kind, values)})


def short_feature(data: bytes) -> tuple[str, list[Any]] | None:
    """Returns (kind, values) of a Feature of texts, or of numbers from 0 to 127, written as here and below
    128 bytes; None of any other."""
    size = len(data) - 2
    if not 0 <= size < 128 or data[1] != size:
        return None
    if data[:1] == _BYTES:
        texts = _texts(data)
        return None if texts is None else ("bytes", texts)
    numbers = data[4:]
    packed = data[2:4] == b"\x0a%c" % len(numbers) and numbers.isascii()
    return ("int64", list(numbers)) if packed and data[:1] == _INT64 else None


def _texts(data: bytes) -> list[bytes] | None:
    texts, place = [], 2
    while place < len(data) - 1:
        begin = place + 2
        if data[place] != 0x0A:
            return None
        place = begin + data[place + 1]
        texts.append(data[begin:place])
    return texts if place == len(data) else None


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; all but the last have the high bit set."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_BYTES, _INT64 = b"\x0a", b"\x1a"  # field and wire type of a Feature's list
