"""TFRecord files: framed, CRC-checked bytes.

A record is: length (uint64), masked CRC-32C of the length, data, masked CRC-32C of the data, all little
endian (tensorflow/core/lib/io/record_writer.h).
"""

from __future__ import annotations

import atexit
import functools
import gzip
import os
import shutil
import struct
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from io import BufferedIOBase, FileIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import google_crc32c

from tfrec_tools.errors import InputError
from tfrec_tools.system.regular_files import open_stream
from tfrec_tools.system.remote_path import RemotePath

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
HEADER_BYTES = _HEADER.size
FOOTER_BYTES = _FOOTER.size
_MAX_RECORD = 2**31
_GZIP_MAGIC = b"\x1f\x8b\x08"


GZIP_LEVEL = 6
_BLOCK = 1 << 20  # bytes written at a time: few large writes take the kernel half the time of many
_GLANCE = 4096  # bytes

Pieces = tuple[bytes, ...]  # of a record, one after the other


@dataclass(frozen=True, slots=True)
class Written:
    """What a finished file holds; crc32c is of the whole file."""

    records: int
    bytes: int
    crc32c: int


def write(path: Path, records: Iterable[bytes | Pieces], compression: str = "", expected: int = 0) -> Written:
    """Writes the records in turn, replacing the file; compression is "" or "gzip". The same records give
    the same bytes. `expected`: about how many bytes there will be, which makes a plain file faster."""
    count = 0
    with path.open("wb", buffering=_BLOCK) as file:
        reserve = expected > 0 and not compression and not isinstance(path, RemotePath)
        if reserve:
            _reserve(file.fileno(), expected)
        tally = Tally(file)
        with _packed(tally, compression) as out:
            for record in records:
                for piece in _framed(record):
                    out.write(piece)
                count += 1
        if reserve:
            file.truncate()
    return Written(count, tally.bytes, tally.crc32c)


def _reserve(file: int, size: int) -> None:
    """Blocks for a new file, where its file system can do that at once; where not, os.posix_fallocate would
    write to each block."""
    if sys.platform == "linux":
        from ctypes import CDLL, c_int, c_long

        CDLL(None).fallocate(c_int(file), c_int(0), c_long(0), c_long(size))


def _framed(record: bytes | Pieces) -> Pieces:
    """Returns the pieces of the file that a record becomes; what is large is not copied."""
    pieces = (record,) if isinstance(record, bytes) else record
    return _header(sum(map(len, pieces))), *pieces, _FOOTER.pack(_masked(_crc(pieces)))


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
    """Returns the size and CRC-32C of a file."""
    with open_stream(path) as file, Path(os.devnull).open("wb") as nowhere:
        counted = Tally(nowhere)
        while block := file.read(1 << 20):
            counted.write(block)
    return counted


def _packed(file: Tally, compression: str) -> AbstractContextManager[Any]:
    if not compression:
        return nullcontext(file)
    return gzip.GzipFile("", "wb", GZIP_LEVEL, file, mtime=0)  # no name or time, which would differ


def read(place: Path, path: Path | None = None) -> Iterator[bytes]:
    """Yields the records of a file, plain or gzip. Raises InputError with the record's number (from 0) and
    the byte offset (in the unpacked data) where the file is cut off or damaged; of `path`, where the file is
    a copy of that."""
    path = path or place
    with _open(place) as file:
        offset = index = 0
        while True:
            where = f"record {index} at byte {offset}"
            try:
                record = _read_record(file, path, where)
            except (EOFError, zlib.error, gzip.BadGzipFile) as fault:
                raise InputError(
                    path, f"the gzip data is cut off or damaged ({fault})", where=where
                ) from fault
            if record is None:
                return
            yield record
            index += 1
            offset += _HEADER.size + len(record) + _FOOTER.size


class Frame(NamedTuple):
    """A record of a plain file: its data's offset and length in bytes, the masked CRC that is said of it, and
    its first and last bytes, up to 4 KiB each, which were read on the way."""

    offset: int
    length: int
    crc: int
    first: bytes
    last: bytes


def frames(file: FileIO, path: Path) -> Iterator[Frame]:
    """Yields the records of a plain file, found by one small read each; no CRC of data is checked. Raises
    InputError as of `read`."""
    whole, offset, index = file.seek(0, os.SEEK_END), 0, 0
    file.seek(0)
    ahead = file.read(HEADER_BYTES + _GLANCE)  # from the record's header on
    while offset < whole:
        where = f"record {index} at byte {offset}"
        begin = offset + HEADER_BYTES
        length = _length(ahead[:HEADER_BYTES], path, where)
        end = begin + length
        if end + FOOTER_BYTES > whole:
            _require_whole(path, where, min(length, whole - begin), length, "data")
            _require_whole(path, where, whole - end, FOOTER_BYTES, "CRC")
        seen = min(length, _GLANCE)
        first = ahead[HEADER_BYTES : HEADER_BYTES + seen]
        file.seek(end - seen)
        ahead = file.read(seen + FOOTER_BYTES + HEADER_BYTES + _GLANCE)
        yield Frame(begin, length, _FOOTER.unpack_from(ahead, seen)[0], first, ahead[:seen])
        ahead = ahead[seen + FOOTER_BYTES :]
        offset, index = end + FOOTER_BYTES, index + 1


def read_at(file: FileIO, offset: int, sizes: Iterable[int], said: int, path: Path, where: str) -> Pieces:
    """Returns the data of a record in pieces of `sizes` bytes. Raises InputError where its masked CRC is not
    `said`."""
    file.seek(offset)
    pieces = tuple([file.read(size) for size in sizes])
    _require_crc(pieces, said, path, where)
    return pieces


def is_gzip(path: Path) -> bool:
    """A plain file may start with gzip's magic by chance, but then its CRC fits."""
    with open_stream(path) as file:
        start = file.read(_HEADER.size)
    return start.startswith(_GZIP_MAGIC) and not _header_fits(start)


def unpacked(file: Path) -> Path:
    """Returns a plain file of this machine that can be read in any order: the file itself, or a copy in the
    temporary folder of one that is of a store, or of what a gzip file holds: by the same name, as it stands
    in what is said of its images."""
    is_packed = is_gzip(file)
    if not is_packed and not isinstance(file, RemotePath):
        return file
    target = _scratch() / f"{len(list(_scratch().iterdir()))}" / file.name
    target.parent.mkdir()
    try:
        with _open(file) as opened, target.open("wb") as out:
            shutil.copyfileobj(opened, out, 1 << 20)
    except (EOFError, zlib.error, gzip.BadGzipFile) as fault:
        raise InputError(file, f"the gzip data is cut off or damaged ({fault})") from fault
    except OSError as fault:
        if fault.filename == str(file):  # the store's
            raise
        verb = "unpacked" if is_packed else "copied"
        raise InputError(file, f"cannot be {verb} into {target.parent} ({fault.strerror})") from fault
    return target


@functools.cache
def _scratch() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tfrec-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    """Opens the file, unpacked."""
    is_packed = is_gzip(path)
    with open_stream(path) as file:
        if not is_packed:
            yield file
            return
        with gzip.open(file, "rb") as unpacked_file:
            yield unpacked_file  # type: ignore[misc]


def _read_record(file: BinaryIO, path: Path, where: str) -> bytes | None:
    header = file.read(_HEADER.size)
    if not header:
        return None
    length = _length(header, path, where)
    data = file.read(length)
    _require_whole(path, where, len(data), length, "data")
    footer = file.read(_FOOTER.size)
    _require_whole(path, where, len(footer), _FOOTER.size, "CRC")
    _require_crc((data,), _FOOTER.unpack(footer)[0], path, where)
    return data


def _length(header: bytes, path: Path, where: str) -> int:
    """Reads the length of a record's data, in bytes."""
    if not _header_fits(header):
        _require_whole(path, where, len(header), _HEADER.size, "header")
        if where.startswith("record 0 ") and _begins_as_zlib(header):
            reason = "begins as zlib's data, which is not read, expected a plain TFRecord file or gzip's"
            raise InputError(path, f"{reason}; write it with the compression GZIP or none")
        raise InputError(
            path, "the CRC of its length is wrong: the file is damaged or no TFRecord file", where=where
        )
    length: int = _HEADER.unpack(header)[0]
    if length > _MAX_RECORD:
        raise InputError(
            path, f"it claims {length} bytes, more than the 2 GiB that an Example may have", where=where
        )
    return length


def _begins_as_zlib(header: bytes) -> bool:
    """Returns whether a file begins as RFC 1950 says, deflated with a window of 32 KiB."""
    return header[0] == 0x78 and int.from_bytes(header[:2]) % 31 == 0


def _require_crc(pieces: Pieces, said: int, path: Path, where: str) -> None:
    if said != _masked(_crc(pieces)):
        raise InputError(path, "the CRC of its data is wrong: the file is damaged", where=where)


def _require_whole(path: Path, where: str, present: int, expected: int, part: str) -> None:
    if present != expected:
        reason = f"the file ends inside its {part}: {present} of {expected} bytes are there"
        raise InputError(path, reason, where=where)


def _header(size: int) -> bytes:
    length = struct.pack("<Q", size)
    return length + _FOOTER.pack(_masked_crc(length))


def _header_fits(header: bytes) -> bool:
    return len(header) == _HEADER.size and _HEADER.unpack(header)[1] == _masked_crc(header[:8])


def _masked_crc(data: bytes) -> int:
    return _masked(google_crc32c.value(data))


def _crc(pieces: Pieces) -> int:
    crc = 0
    for piece in pieces:
        crc = google_crc32c.extend(crc, piece)
    return crc


def _masked(crc: int) -> int:
    """Rotated right by 15 and shifted by a constant, so that a CRC of data with CRCs in it stays sound."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
