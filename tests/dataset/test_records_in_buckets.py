"""Records in the buckets of a store, read where they lie: what each command says and writes is what it says
and writes of the same set on a disk. fsspec's own store in memory stands for buckets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import fsspec
import pytest
from typer.testing import CliRunner

from tests.helpers.command import without_progress
from tests.helpers.small_sets import coco, save_pictures
from tfrec_tools.cli.app import app
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.detector.data.digests import of_records
from tfrec_tools.detector.data.index import index_records, read_image
from tfrec_tools.labels.pbtxt import read_label_map
from tfrec_tools.system.fsspec_path import BucketPath

URL = "memory://bucket"
COMMANDS = [
    "inspect @/set",
    "inspect @ --json",
    "inspect @/set.label_map.pbtxt",
    "verify @ --json",
    "preview @/set --out out/page.html --json",
    "preview @/set-0* --out out/sheet.png",
    "merge-labels @/set @/set.label_map.pbtxt --out out/map.pbtxt",
    "remap @ --labels @/map.pbtxt --out out/new --workers 1",
    "remap @/set --rename dog=fox --out out/new --workers 2",
    "remap @/set --record-labels @/set.label_map.pbtxt --out out/new",
    "extract @/set --to coco --out out/coco --workers 1",
    "extract @/set --to yolo --out out/yolo --workers 2",
    "compare @ @/set --out out/page.html",
]


@pytest.fixture(params=["none", "gzip"])
def here(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a set, which lies in the store, too."""
    monkeypatch.chdir(tmp_path)
    save_pictures(tmp_path / "images")
    folder = tmp_path / "here"
    convert(ConvertOptions(coco(tmp_path), folder / "set", shards=2, compression=request.param, workers=1))
    done = CliRunner().invoke(app, ["merge-labels", str(folder / "set"), "--out", str(folder / "map.pbtxt")])
    assert done.exit_code == 0
    store = fsspec.filesystem("memory")
    store.put(str(folder), "/bucket", recursive=True)
    yield folder
    store.rm("/bucket", recursive=True)


def outcome(command: str, place: str) -> tuple[int, str, dict[str, bytes]]:
    """What a command with @ for the place of the set says, and what it writes: with @ again, and without what
    depends on the place."""
    Path("out").mkdir()
    done = CliRunner().invoke(app, command.replace("@", place).split())
    files = {str(path): path.read_bytes() for path in sorted(Path("out").rglob("*")) if path.is_file()}
    for path in sorted(Path("out").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    Path("out").rmdir()
    plain = {
        name: re.sub(rb'"manifest_sha256": "\w+"', b"", data.replace(place.encode(), b"@"))
        for name, data in files.items()
    }
    said = done.stderr if done.exit_code else done.stdout
    return done.exit_code, without_progress(said.replace(place, "@")), plain


@pytest.mark.parametrize("command", COMMANDS)
def test_a_set_in_a_store_is_the_local_one(command: str, here: Path) -> None:
    (code, said, files), local = (outcome(command, place) for place in (URL, str(here)))
    assert code == 0, said
    assert [name for name in files if files[name] != local[2].get(name)] == []
    assert files.keys() == local[2].keys()
    assert bool(files) == ("out/" in command)
    of_kind = re.compile(r"^(Works|Not) with.*\n", re.MULTILINE)  # what else takes it
    assert of_kind.sub("", said) == of_kind.sub("", local[1])


def test_what_is_trained_with_is_the_same(here: Path) -> None:
    labels = read_label_map(here / "set.label_map.pbtxt")
    there, local = (index_records([place], labels) for place in (f"{URL}/set", str(here / "set")))
    assert of_records(there) == of_records(local)
    assert list(map(read_image, there)) == list(map(read_image, local))


class Broken(BytesIO):
    """The first bytes of a file of records, after which the connection is gone."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() + (size or 0) > 900 or size in (-1, None):
            raise RuntimeError("connection reset")  # of no kind that Python knows
        return super().read(size)


@pytest.mark.parametrize("command", [each for each in COMMANDS if "@/set.l" not in each.split()[1]])
@pytest.mark.usefixtures("here")
def test_a_store_that_fails_in_the_middle(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = BucketPath.reader

    def breaking(path: BucketPath) -> BinaryIO:
        stream = whole(path)
        return Broken(stream.read()) if ".tfrecord" in path.name else stream

    def gone(*_: Any) -> bytes:
        raise RuntimeError("connection reset")

    monkeypatch.setattr(BucketPath, "reader", breaking)
    monkeypatch.setattr(BucketPath, "part", gone)
    code, said, files = outcome(command.replace(" --json", ""), URL)
    if command.startswith("merge-labels"):  # reads no record
        assert code == 0
        return
    assert code == 1
    assert re.fullmatch(r"tfrec: error: @/set-0000\d-of-00002\.tfrecord(\.gz)?: .*connection reset\n", said)
    assert files == {}
