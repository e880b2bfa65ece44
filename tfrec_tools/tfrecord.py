"""TFRecord files: framed, CRC-checked bytes.

A record is: length (uint64), masked CRC-32C of the length, data, masked CRC-32C of the data, all little
endian (tensorflow/core/lib/io/record_writer.h).
"""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from io import BufferedIOBase, FileIO
from mmap import mmap
from pathlib import Path
from typing import Any, BinaryIO

import google_crc32c
import numpy as np
import numpy.typing as npt

from tfrec_tools.errors import InputError

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
HEADER_BYTES = _HEADER.size
FOOTER_BYTES = _FOOTER.size
_MAX_RECORD = 2**31
_GZIP_MAGIC = b"\x1f\x8b\x08"


GZIP_LEVEL = 6

# A record in pieces, one after the other: bytes, or arrays of uint8 (N,) that are views of some, since
# google_crc32c takes no memoryview.
Pieces = tuple[bytes | npt.NDArray[np.uint8], ...]


@dataclass(frozen=True, slots=True)
class Written:
    """What a finished file holds; crc32c is of the whole file."""

    records: int
    bytes: int
    crc32c: int


def write(path: Path, records: Iterable[bytes | Pieces], compression: str = "") -> Written:
    """Writes the records in turn, replacing the file; compression is "" or "gzip". The same records give
    the same bytes."""
    count = 0
    with path.open("wb") as file:
        tally = Tally(file)
        with _packed(tally, compression) as out:
            for record in records:
                for piece in _framed(record):
                    out.write(piece)
                count += 1
    return Written(count, tally.bytes, tally.crc32c)


def _framed(record: bytes | Pieces) -> Pieces:
    """The pieces of the file that a record becomes; what is large is not copied."""
    pieces = (record,) if isinstance(record, bytes) else record
    crc = 0
    for piece in pieces:
        crc = google_crc32c.extend(crc, piece)
    return _header(sum(map(len, pieces))), *pieces, _FOOTER.pack(_masked(crc))


class Tally(BufferedIOBase):
    """Passes what is written on to a file, and keeps its size and CRC-32C."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.bytes = 0
        self.crc32c = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.crc32c = google_crc32c.extend(self.crc32c, data)
        self.bytes += len(data)
        return self._file.write(data)


def tally(path: Path) -> Tally:
    """The size and CRC-32C of a file."""
    with path.open("rb") as file, Path(os.devnull).open("wb") as nowhere:
        found = Tally(nowhere)
        while block := file.read(1 << 20):
            found.write(block)
    return found


def _packed(file: Tally, compression: str) -> AbstractContextManager[Any]:
    if not compression:
        return nullcontext(file)
    return gzip.GzipFile("", "wb", GZIP_LEVEL, file, mtime=0)  # no name or time, which would differ


def read(path: Path) -> Iterator[bytes]:
    """The records of a file, plain or gzip. InputError with the record's number (from 0) and the byte
    offset (in the unpacked data) where the file is cut off or damaged."""
    with _open(path) as file:
        offset = index = 0
        while True:
            where = f"record {index} at byte {offset}"
            try:
                record = _read_record(file, path, where)
            except (EOFError, zlib.error, gzip.BadGzipFile) as fault:
                raise InputError(path, where, f"the gzip data is cut off or damaged ({fault})") from fault
            if record is None:
                return
            yield record
            index += 1
            offset += _HEADER.size + len(record) + _FOOTER.size


def frames(data: mmap, path: Path) -> Iterator[tuple[int, int, int]]:
    """(offset of its data, its length, masked CRC that is said of it) of each record of a plain file in
    memory; the data is not looked at. InputError as of `read`."""
    offset = index = 0
    while offset < len(data):
        where = f"record {index} at byte {offset}"
        begin = offset + HEADER_BYTES
        length = _length(data[offset:begin], path, where)
        end = begin + length
        if end + FOOTER_BYTES > len(data):
            _require_whole(path, where, min(length, len(data) - begin), length, "data")
            _require_whole(path, where, len(data) - end, FOOTER_BYTES, "CRC")
        yield begin, length, _FOOTER.unpack_from(data, end)[0]
        offset, index = end + FOOTER_BYTES, index + 1


def read_at(file: FileIO, frame: tuple[int, int, int], path: Path, where: str) -> bytes:
    """The record of a plain file of which `frames` says (offset, length, CRC). InputError where it is
    damaged."""
    offset, length, said = frame
    file.seek(offset)
    data = file.read(length)
    _require_crc(data, said, path, where)
    return data


def is_gzip(path: Path) -> bool:
    """A plain file may start with gzip's magic by chance, but then its CRC fits."""
    with path.open("rb") as file:
        start = file.read(_HEADER.size)
    return start.startswith(_GZIP_MAGIC) and not _header_fits(start)


def _open(path: Path) -> BinaryIO:
    """The file, unpacked."""
    if is_gzip(path):
        return gzip.open(path, "rb")  # type: ignore[return-value]
    return path.open("rb")


def _read_record(file: BinaryIO, path: Path, where: str) -> bytes | None:
    header = file.read(_HEADER.size)
    if not header:
        return None
    length = _length(header, path, where)
    data = file.read(length)
    _require_whole(path, where, len(data), length, "data")
    footer = file.read(_FOOTER.size)
    _require_whole(path, where, len(footer), _FOOTER.size, "CRC")
    _require_crc(data, _FOOTER.unpack(footer)[0], path, where)
    return data


def _length(header: bytes, path: Path, where: str) -> int:
    """Of a record's data, in bytes."""
    if not _header_fits(header):
        _require_whole(path, where, len(header), _HEADER.size, "header")
        raise InputError(
            path, where, "the CRC of its length is wrong: the file is damaged or no TFRecord file"
        )
    length: int = _HEADER.unpack(header)[0]
    if length > _MAX_RECORD:
        raise InputError(
            path, where, f"it claims {length} bytes, more than the 2 GiB that an Example may have"
        )
    return length


def _require_crc(data: bytes, said: int, path: Path, where: str) -> None:
    if said != _masked_crc(data):
        raise InputError(path, where, "the CRC of its data is wrong: the file is damaged")


def _require_whole(path: Path, where: str, found: int, expected: int, part: str) -> None:
    if found != expected:
        reason = f"the file ends inside its {part}: {found} of {expected} bytes are there"
        raise InputError(path, where, reason)


def _header(size: int) -> bytes:
    length = struct.pack("<Q", size)
    return length + _FOOTER.pack(_masked_crc(length))


def _header_fits(header: bytes) -> bool:
    return len(header) == _HEADER.size and _HEADER.unpack(header)[1] == _masked_crc(header[:8])


def _masked_crc(data: bytes) -> int:
    return _masked(google_crc32c.value(data))


def _masked(crc: int) -> int:
    """Rotated right by 15 and shifted by a constant, so that a CRC of data with CRCs in it stays sound."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
