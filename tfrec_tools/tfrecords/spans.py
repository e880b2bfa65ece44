"""The entries of a tf.train.Example where they stand in its bytes: found, replaced, put in and taken out,
while all others stay as they are. The image is passed over, never parsed.

The layout is that of wire.py: an Example is one field 1 of map entries (field 1), each of a key (field 1) and
a Feature (field 2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from google.protobuf.message import DecodeError

from tfrec_tools._pb2 import example_pb2
from tfrec_tools.tfrecords import wire

_FIELD_1, _FIELD_2 = 0x0A, 0x12  # of length-delimited fields
_TAGS = (_FIELD_1, _FIELD_1, _FIELD_2)  # of an entry, its key, its Feature

Span = tuple[int, int, int]  # where an entry begins, where its Feature begins, where both end
Spans = dict[bytes, Span]
Pieces = tuple[bytes, bytes, bytes]  # of an Example: what stands before the image, the image, the rest

# {beginning of an entry, up to its Feature's size: (key, where the Feature begins, where both end)}, of sound
# entries below 128 bytes: few keys and sizes, which come again in every Example.
_known: dict[bytes, tuple[bytes, int, int]] = {}
_MOST_KNOWN = 4096


class OddLayoutError(ValueError):
    """Valid or not, it is not how writers write an Example."""


def find(data: bytes, start: int, end: int) -> Spans:
    """Returns {key: span} of the Example at data[start:end], in order. Raises OddLayoutError where it is
    valid in another way (an entry twice, its key last, features in several parts), or not at all."""
    spans: Spans = {}
    place = _begin(data, start, _FIELD_1, end) if start < end else end
    if _walk(data, place, end, spans) != end:
        raise OddLayoutError
    return spans


def find_around(data: bytes, cut: int, size: int) -> Spans:
    """Returns the same of an Example that lacks `size` bytes, with which an entry ended, at data[cut]."""
    spans: Spans = {}
    place = _begin(data, 0, _FIELD_1, len(data) + size)
    if _walk(data, place, cut, spans) != cut + size:
        raise OddLayoutError
    key, (first, begin, _) = spans.popitem()
    spans[key] = (first, begin, cut)
    if _walk(data, cut, len(data), spans) != len(data):
        raise OddLayoutError
    return spans


def guess(data: bytes, key: bytes) -> tuple[int, int] | None:
    """Returns where a feature's only value, of bytes, seems to begin and end in an Example that begins as
    `data` does, for `find_around` to confirm. None where that does not show it."""
    name = b"\x0a%c%b\x12" % (len(key), key)
    at = data.find(name) + len(name)
    if at < len(name):
        return None
    try:
        size, place = _size(data, at)
        return only_value(data, (at, place, place + size))
    except (OddLayoutError, IndexError):
        return None


def _walk(data: bytes, place: int, stop: int, spans: Spans) -> int:
    """Adds the entries that begin from `place` on and before `stop`; where the last of them ends."""
    before, count = len(spans), 0
    try:
        while place < stop:
            head = data[place : place + 6 + data[place + 3]]
            key, begin, size = _known.get(head) or _entry(data, place, head)
            spans[key] = (place, place + begin, place + size)
            count += 1
            place += size
    except IndexError as fault:
        raise OddLayoutError from fault
    if len(spans) < before + count:
        raise OddLayoutError
    return place


def _entry(data: bytes, first: int, head: bytes) -> tuple[bytes, int, int]:
    """Returns (key, where its Feature begins, where both end) of an entry, from its beginning on."""
    size, place = _size(data, first + 1)
    length, key_at = _size(data, place + 1)
    feature, last = key_at + length, place + size
    content, begin = _size(data, feature + 1)
    if (data[first], data[place], data[feature]) != _TAGS or begin + content != last:
        raise OddLayoutError
    known = data[key_at:feature], begin - first, last - first
    if data[first + 1] < 128 and begin - first == len(head) and len(_known) < _MOST_KNOWN:
        _known[head] = known
    return known


def only_value(data: bytes, span: Span) -> tuple[int, int]:
    """Returns where the only value of a feature of bytes begins and ends. Raises OddLayoutError where it has
    another."""
    _, place, end = span
    for _ in range(2):  # the list, and in it the value
        place = _begin(data, place, _FIELD_1, end)
    return place, end


def usual(data: bytes) -> bytes:
    """Returns an Example in the usual layout. Raises ValueError where the bytes are no Example."""
    try:
        example = example_pb2.Example.FromString(data)
    except DecodeError as fault:
        raise ValueError("is no tf.train.Example") from fault
    return bytes(example.SerializeToString(deterministic=True))


def changed(
    data: bytes,
    spans: Mapping[bytes, Span],
    changes: Mapping[bytes, bytes | None],
    image: tuple[int, int],
    left_out: int = 0,
) -> Pieces:
    """Returns the Example with entries replaced by {key: the whole new entry, as wire.entry gives it}, or
    taken out by {key: None}. A new one is put before the first of a greater key, so that sorted keys stay
    sorted.

    spans     what `find` gives for data[0:len(data)], or `find_around`
    image     where it begins and ends in an entry that stays; (len(data), len(data)) where there is none
    left_out  how many bytes of it are not in the data
    """
    edits = [(spans[key][0], spans[key][2], entry) for key, entry in changes.items() if key in spans]
    for key in sorted(changes.keys() - spans.keys()):
        place = next((first for other, (first, _, _) in spans.items() if other > key), len(data))
        edits.append((place, place, changes[key]))
    edits.sort(key=lambda edit: edit[:2])  # new ones for one place stay in the order of their keys
    start, stop = image
    begin = next((first for first, _, _ in spans.values()), len(data))
    before = _edited(data, begin, start, [edit for edit in edits if edit[0] < start])
    after = _edited(data, stop, len(data), [edit for edit in edits if edit[0] >= start])
    size = len(before) + stop - start + left_out + len(after)
    return (wire.head(size) if size else b"") + before, data[start:stop], after


def _edited(data: bytes, begin: int, end: int, edits: Iterable[tuple[int, int, bytes | None]]) -> bytes:
    """Returns a part of the data with what stands at (first, last) replaced."""
    parts: list[bytes] = []
    for first, last, entry in edits:
        parts += data[begin:first], entry or b""
        begin = last
    return b"".join((*parts, data[begin:end]))


def _begin(data: bytes, place: int, tag: int, end: int) -> int:
    """Returns where the content of the field at `place` begins, which must reach to `end`."""
    try:
        if data[place] != tag:
            raise OddLayoutError
        size, begin = _size(data, place + 1)
    except IndexError as fault:
        raise OddLayoutError from fault
    if begin + size != end:
        raise OddLayoutError
    return begin


def _size(data: bytes, place: int) -> tuple[int, int]:
    """Returns a length, and where it ends."""
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
        if shift > 35:
            raise OddLayoutError
