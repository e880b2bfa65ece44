"""TFRecord files: framed, CRC-checked bytes.

A record is: length (uint64), masked CRC-32C of the length, data, masked CRC-32C of the data, all little
endian (tensorflow/core/lib/io/record_writer.h).
"""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import google_crc32c

from tfrec_tools.errors import InputError

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
HEADER_BYTES = _HEADER.size
FOOTER_BYTES = _FOOTER.size
_MAX_RECORD = 2**31
_GZIP_MAGIC = b"\x1f\x8b\x08"


@dataclass(frozen=True, slots=True)
class Written:
    """What a finished file holds; sha256 (hex) is of the whole file."""

    records: int
    bytes: int
    sha256: str


def write(path: Path, records: Iterable[bytes]) -> Written:
    """Writes the records in turn, replacing the file."""
    count = size = 0
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for record in records:
            for piece in (_header(record), record, _FOOTER.pack(_masked_crc(record))):
                file.write(piece)
                digest.update(piece)
                size += len(piece)
            count += 1
    return Written(count, size, digest.hexdigest())


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
    _require_whole(path, where, header, _HEADER.size, "header")
    if not _header_fits(header):
        raise InputError(
            path, where, "the CRC of its length is wrong: the file is damaged or no TFRecord file"
        )
    length: int = _HEADER.unpack(header)[0]
    if length > _MAX_RECORD:
        raise InputError(
            path, where, f"it claims {length} bytes, more than the 2 GiB that an Example may have"
        )
    data = file.read(length)
    _require_whole(path, where, data, length, "data")
    footer = file.read(_FOOTER.size)
    _require_whole(path, where, footer, _FOOTER.size, "CRC")
    if _FOOTER.unpack(footer)[0] != _masked_crc(data):
        raise InputError(path, where, "the CRC of its data is wrong: the file is damaged")
    return data


def _require_whole(path: Path, where: str, found: bytes, expected: int, part: str) -> None:
    if len(found) != expected:
        reason = f"the file ends inside its {part}: {len(found)} of {expected} bytes are there"
        raise InputError(path, where, reason)


def _header(record: bytes) -> bytes:
    length = struct.pack("<Q", len(record))
    return length + _FOOTER.pack(_masked_crc(length))


def _header_fits(header: bytes) -> bool:
    return len(header) == _HEADER.size and _HEADER.unpack(header)[1] == _masked_crc(header[:8])


def _masked_crc(data: bytes) -> int:
    """Rotated right by 15 and shifted by a constant, so that a CRC of data with CRCs in it stays sound."""
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
