"""TFRecord files: round trip, TensorFlow on the other side, and every way of being cut off."""

from __future__ import annotations

import gzip
import zlib
from io import FileIO
from pathlib import Path

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrec_tools.errors import InputError
from tfrec_tools.tfrecords import framing

RECORDS = [b"first", b"", b"\x00" * 1000, bytes(range(256))]


@given(st.lists(st.binary(max_size=300), max_size=6))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, records: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("r") / "a.tfrecord"
    written = framing.write(path, records)
    assert list(framing.read(path)) == records
    data = path.read_bytes()
    crc = google_crc32c.value(data)
    assert written == framing.Written(len(records), len(data), crc)
    found = framing.tally(path)
    assert (found.bytes, found.crc32c) == (written.bytes, crc)


def test_gzip_is_written_and_the_same_every_time(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    for name in ("a.gz", "b.gz"):
        written = framing.write(tmp_path / name, RECORDS, "gzip")
    data = (tmp_path / "a.gz").read_bytes()
    assert data == (tmp_path / "b.gz").read_bytes()
    assert (written.bytes, written.crc32c) == (len(data), google_crc32c.value(data))
    assert list(framing.read(tmp_path / "a.gz")) == RECORDS
    assert [one.numpy() for one in tf.data.TFRecordDataset(str(tmp_path / "a.gz"), "GZIP")] == RECORDS


@given(
    st.lists(st.binary(max_size=20) | st.integers(4000, 9000).map(bytes), max_size=6), st.integers(0, 50_000)
)
def test_records_are_found_and_read_in_parts(
    tmp_path_factory: pytest.TempPathFactory, records: list[bytes], expected: int
) -> None:
    path = tmp_path_factory.mktemp("r") / "a.tfrecord"
    framing.write(path, [(one[:3], one[3:]) for one in records], "", expected)
    assert list(framing.read(path)) == records
    with FileIO(path) as file:
        frames = list(framing.frames(file, path))
        for one, (offset, length, crc, first, last) in zip(records, frames, strict=True):
            assert (first, last) == (one[:4096], one[-4096:])
            sizes = [length // 3, length - length // 3]
            assert b"".join(framing.read_at(file, offset, sizes, crc, path, "")) == one


def test_gzip_is_read(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.tfrecord", tmp_path / "a.tfrecord.gz"
    framing.write(plain, RECORDS)
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert list(framing.read(packed)) == RECORDS


@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_zlib_is_named_for_what_it_is(tmp_path: Path, level: int) -> None:
    plain = tmp_path / "a.tfrecord"
    framing.write(plain, RECORDS)
    packed = tmp_path / "b.tfrecord"
    packed.write_bytes(zlib.compress(plain.read_bytes(), level))
    line = r"^[^\n]*begins as zlib's data, [^\n]* GZIP or none$"
    with pytest.raises(InputError, match=line):
        list(framing.read(packed))
    with FileIO(packed) as file, pytest.raises(InputError, match=line):
        list(framing.frames(file, packed))


def test_a_plain_file_may_begin_like_gzip(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecord"
    record = bytes(0x08_8B_1F)  # its length is written 1f 8b 08
    framing.write(path, [record])
    assert path.read_bytes().startswith(b"\x1f\x8b\x08")
    assert [len(one) for one in framing.read(path)] == [len(record)]


def test_tensorflow_reads_ours_and_we_read_tensorflows(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    framing.write(ours, RECORDS)
    assert [one.numpy() for one in tf.data.TFRecordDataset(str(ours))] == RECORDS
    with tf.io.TFRecordWriter(str(theirs)) as writer:
        for record in RECORDS:
            writer.write(record)
    assert theirs.read_bytes() == ours.read_bytes()


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecord"
    framing.write(path, [b"abc", b"defg"])
    data = path.read_bytes()
    whole = {0, 4 + 15, len(data)}
    for end in range(len(data)):
        path.write_bytes(data[:end])
        if end in whole:
            assert len(list(framing.read(path))) == sorted(whole).index(end)
        else:
            where = "record 0 at byte 0" if end < 19 else "record 1 at byte 19"
            with pytest.raises(InputError, match=f"{where}: the file ends inside its"):
                list(framing.read(path))


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecord"
    framing.write(path, [b"abc"])
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        with pytest.raises(InputError, match="record 0 at byte 0: the CRC"):
            list(framing.read(path))


def test_cut_and_damaged_gzip(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    framing.write(path, RECORDS)
    packed = gzip.compress(path.read_bytes())
    path.write_bytes(packed[:-20])
    with pytest.raises(InputError, match=r"record \d at byte \d+"):
        list(framing.read(path))
    path.write_bytes(packed[:20] + b"\xff\xff\xff" + packed[23:])
    with pytest.raises(InputError, match="record 0 at byte 0"):
        list(framing.read(path))


def test_a_length_beyond_protobuf_is_not_allocated(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecord"
    length = (2**60).to_bytes(8, "little")
    path.write_bytes(length + framing._FOOTER.pack(framing._masked_crc(length)) + b"x")
    with pytest.raises(InputError, match="more than the 2 GiB"):
        list(framing.read(path))


def test_real_tfod_records_are_read(shared: Path) -> None:
    assert len(list(framing.read(shared / "data/raccoon/data/test.record"))) == 40
