"""Counters of boxes and images that know nothing of formats but a word to look for."""

from __future__ import annotations

import csv
import gzip
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.dataset.manifest import Manifest, SourceAccount

_XMIN = b"image/object/bbox/xmin"


class Count(NamedTuple):
    boxes: int
    images: int


def floats_of_xmin(example: bytes) -> int:
    """Behind the key stand: field 2 and its length, field 2 (floats) and its length, field 1 and the bytes of
    the floats; where there are fewer than 32 all lengths are a byte."""
    at = example.find(_XMIN)
    if at < 0:
        return 0
    rest = example[at + len(_XMIN) :]
    assert rest[1] < 128
    return rest[5] // 4 if rest[3] else 0


def in_records(*files: Path) -> Count:
    """What record files hold; plain or gzip."""
    counts = [floats_of_xmin(data) for file in files for data in _frames(file)]
    return Count(sum(counts), len(counts))


def _frames(file: Path) -> Iterator[bytes]:
    data = file.read_bytes()
    data = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    at = 0
    while at < len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        yield data[at + 12 : at + 12 + size]
        at += 16 + size


def in_source(path: Path) -> Count:
    """What a source of tests.helpers.small_sets holds, whatever is wrong with it."""
    if path.suffix == ".json":
        text = path.read_text()
        return Count(text.count('"category_id"'), len(json.loads(text)["images"]))
    if path.suffix == ".csv":
        _, *rows = csv.reader(path.read_text().splitlines())
        return Count(len(rows), len({row[0] for row in rows} - {""}))
    if path.suffix == ".yaml":
        texts = [file.read_text() for file in path.parent.glob("labels/*/*.txt")]
        lines = sum(bool(line.strip()) for text in texts for line in text.splitlines())
        files = [*path.parent.glob("images/*/*"), *path.parent.glob("labels/*/*")]
        return Count(lines, len({file.stem for file in files}))
    if path.suffix == ".tfrecord":
        return in_records(path)
    xml = [file.read_text() for file in path.glob("*.xml")]
    return Count(sum(map(_objects, xml)), len(xml))


def _objects(xml: str) -> int:
    """Of a text that is no XML only the boxes can be told, those of parts too."""
    try:
        ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return xml.count("<bndbox")
    return xml.count("<object>")


def in_set(prefix: Path) -> Count:
    """What the shards DIR/NAME-* hold."""
    return in_records(*prefix.parent.glob(f"{prefix.name}-*.tfrecord*"))


def accounts_of(manifest: Manifest) -> list[SourceAccount]:
    accounts = [source.accounting for source in manifest.sources]
    assert None not in accounts
    return [account for account in accounts if account is not None]


def assert_law(manifest: Manifest, prefix: Path, *found: Count) -> None:
    """Found in each source as was counted there, written as lies in the shards, the rest dropped by code."""
    accounts = accounts_of(manifest)
    assert [Count(account.found, account.images) for account in accounts] == list(found)
    assert all(account.adds_up for account in accounts)
    written = in_set(prefix)
    assert Count(manifest.boxes, manifest.images) == written
    boxes, images = (
        (account.written for account in accounts),
        (account.images_written for account in accounts),
    )
    assert Count(sum(boxes), sum(images)) == written
    codes = {code for account in accounts for code in (*account.dropped, *account.images_dropped)}
    assert codes <= {*manifest.issues, "no-negatives"}


def spoiled(folder: Path, missing: str, cut: str) -> None:
    """Removes all images of one name, and cuts off those of another."""
    for path in folder.rglob("*"):
        if path.name == missing:
            path.unlink()
        elif path.name == cut:
            path.write_bytes(path.read_bytes()[:40])


def options_of(source: object, out: Path, **more: object) -> ConvertOptions:
    """A conversion of this process that goes on whatever it meets."""
    return ConvertOptions(source, out, **{"policy": "lenient", "workers": 1} | more)  # type: ignore[arg-type]
