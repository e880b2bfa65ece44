"""JSON files too large to be read whole (COCO's), an array at a time: the file is mapped, so that memory is
bounded by what the caller keeps of the elements, which are decoded into the caller's types.

A first pass of msgspec finds where the arrays stand. Each is then decoded in slices that end between two
elements. Whether a `},{` stands between elements or inside one need not be known beforehand: a slice that
ends inside an element is no JSON, and is tried again longer.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from tfrec_tools.errors import InputError
from tfrec_tools.formats.json_keys import Keys, require_once
from tfrec_tools.system.regular_files import open_binary, require_utf8

T = TypeVar("T")
Decode = Callable[[bytes], list[T]]  # raises msgspec's errors

_TOP = dict[str, msgspec.Raw] | list[msgspec.Raw] | str | int | float | bool | None
_SLICE_BYTES = 4_000_000
_BOM = b"\xef\xbb\xbf"
_KEY = re.compile(rb'[\s{,]*("(?:[^"\\]|\\.)*")\s*:\s*')
_BETWEEN = re.compile(rb"\}[ \t\r\n]*,[ \t\r\n]*(?=\{)")
_NEXT_NONNUMBER = re.compile(rb'[^"NI]*+(?:"(?:[^"\\]++|\\.)*+"[^"NI]*+)*+(NaN|Infinity)', re.DOTALL)
# Texts of the same length, so that positions stay, with a letter that no file has.
MENDED = b"\x7f"
_MENDED = {b"NaN": b'"\x7f"', b"Infinity": b'"\x7finf"  ', b"-Infinity": b'"\x7f-inf"  '}
NONNUMBERS = {"\x7f": float("nan"), "\x7finf": float("inf"), "\x7f-inf": float("-inf")}


def mapped(path: Path, expected: str) -> mmap.mmap:
    """Returns the file in memory, where changes to it stay; it is closed with the last view of it. Raises
    InputError where the file is empty or cannot be read."""
    try:
        with open_binary(path) as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise InputError(path, f"is empty, expected {expected}")
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    except OSError as fault:
        reason = f"cannot be read ({fault.strerror or fault}), expected {expected}"
        raise InputError(path, reason) from fault
    require_utf8(path, data[:4])
    return data


def spans(
    path: Path, data: mmap.mmap, expected: str, needed: Sequence[str]
) -> tuple[dict[str, msgspec.Raw], bool]:
    """Returns the top level of a file, which has the keys that are needed; and whether the file writes NaN or
    Infinity, which JSON has not: they are the texts of NONNUMBERS then. InputError names the place."""
    start = _start(data)
    top, mended = _tolerant(path, data, lambda: _top(path, data, expected, dict[str, msgspec.Raw]))
    if lacking := [key for key in needed if key not in top]:
        raise InputError(path, f"not {expected}: Object missing required field {lacking[0]}")
    if repeated := _repeated(data, start, top):
        raise InputError(path, f"the key {repeated} stands more than once, expected once")
    return top, mended


def top_level(path: Path, expected: str) -> Any:
    """Returns what stands at the top of a file, whose parts are not decoded: an object or a list of Raw, or a
    value. InputError names the place where it is no JSON."""
    data = mapped(path, expected)
    return _tolerant(path, data, lambda: _top(path, data, expected, _TOP))[0]


def _start(data: mmap.mmap) -> int:
    return len(_BOM) if data[:3] == _BOM else 0


def _tolerant(path: Path, data: mmap.mmap, decode: Callable[[], T]) -> tuple[T, bool]:
    """Returns what is decoded, and whether NaN or Infinity had to be mended for it. InputError names the
    place where it is no JSON."""
    start = _start(data)
    try:
        return decode(), False
    except msgspec.DecodeError as fault:
        at = _position(fault, data, start)
        if not data[at : at + 9].startswith((b"NaN", b"Infinity", b"-I")):
            raise _broken(path, data, at, fault) from fault
    _mend(data)
    try:
        return decode(), True
    except msgspec.DecodeError as other:
        raise _broken(path, data, _position(other, data, start), other) from other


def slices(
    path: Path, key: str, raw: msgspec.Raw, expected: str, decode: Decode[T], keys: Keys | None = None
) -> Iterator[list[T]]:
    """Yields the elements of an array, some MB of it at a time. InputError names the element that cannot be
    read, or has a key twice, where its `keys` are given."""
    return (items for _, items in cut(path, key, raw, expected, decode, keys))


def cut(
    path: Path, key: str, raw: msgspec.Raw, expected: str, decode: Decode[T], keys: Keys | None = None
) -> Iterator[tuple[bytes, list[T]]]:
    """Yields as `slices` does, each with the JSON array that it was decoded from."""
    data = memoryview(raw)
    if data[0] != ord("["):
        raise InputError(path, f"not {expected}: Expected array, got {bytes(data[:12])!r}", where=key)
    at, done, length = 1, 0, _SLICE_BYTES
    while at < len(data):
        match = _BETWEEN.search(data, at + length)
        piece, following = (
            (data[at:], len(data)) if match is None else (data[at : match.start() + 1], match.end())
        )
        json = b"".join((b"[", piece, b"" if match is None else b"]"))
        try:
            items = decode(json)
        except msgspec.ValidationError as fault:
            raise _schema_error(path, expected, fault, key, done) from fault
        except (msgspec.DecodeError, UnicodeDecodeError) as fault:
            if match is None:
                raise InputError(path, f"broken JSON: {fault}", where=f"{key}[{done}] or later") from fault
            length = 2 * (following - at)
            continue
        if keys is not None:
            require_once(path, (key, done), json, len(items), keys)
        yield json, items
        at, done, length = following, done + len(items), _SLICE_BYTES


def _repeated(data: mmap.mmap, start: int, top: Mapping[str, msgspec.Raw]) -> str:
    """Returns a key of the top level that stands more than once, "" where there is none: the decoder keeps
    the last of its values, so that between those that it gives there is more than a key."""
    first = np.frombuffer(data, np.uint8).ctypes.data
    spans_ = [
        (np.frombuffer(raw, np.uint8).ctypes.data - first, len(memoryview(raw))) for raw in top.values()
    ]
    end = start
    for at, length in sorted(spans_):
        match = _KEY.match(data, end, at)
        if match is not None and match.end() != at:
            return match[1].decode(errors="replace")
        end = at + length
    return ""


def _top(path: Path, data: mmap.mmap, expected: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(memoryview(data)[_start(data) :], type=kind)
    except msgspec.ValidationError as fault:
        raise _schema_error(path, expected, fault) from fault
    except (UnicodeDecodeError, RecursionError) as fault:
        raise InputError(path, f"broken JSON: {fault}") from fault


def _schema_error(
    path: Path, expected: str, fault: msgspec.ValidationError, key: str = "", first: int = 0
) -> InputError:
    """msgspec says "<reason> - at `$[3].bbox`"; `first` is the number of the slice's first element."""
    reason, _, place = str(fault).partition(" - at ")
    reason = re.sub(r"`([^`]*)`", r"\1", reason)
    where = key + re.sub(
        r"^\[(\d+)\]", lambda at: f"[{int(at[1]) + first}]", place.strip("`").removeprefix("$")
    )
    return InputError(path, f"not {expected}: {reason}", where=where.lstrip("."))


def _position(fault: msgspec.DecodeError, data: mmap.mmap, start: int) -> int:
    """Returns the byte of the file that the decoder stumbled over."""
    match = re.search(r"\(byte (\d+)\)", str(fault))
    return start + int(match[1]) if match else len(data)


def _broken(path: Path, data: mmap.mmap, at: int, fault: Any) -> InputError:
    line = 1 + sum(1 for _ in re.finditer(b"\n", memoryview(data)[:at]))
    column = at - data.rfind(b"\n", 0, at)
    reason = re.sub(r"^JSON is malformed: | \(byte \d+\)", "", str(fault))
    return InputError(path, f"broken JSON: {reason}", where=f"line {line}, column {column} (byte {at})")


def _mend(data: mmap.mmap) -> None:
    """Puts NONNUMBERS for NaN and Infinity outside of texts; only the pages that change are copied."""
    at = 0
    while match := _NEXT_NONNUMBER.match(data, at):
        start, at = match.span(1)
        if data[start - 1 : start] == b"-":
            start -= 1
        token = data[start:at]
        data[start:at] = _MENDED.get(token, token)
