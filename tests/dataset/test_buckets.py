"""Sets in the buckets of a store, written by this machine: fsspec's own store in memory stands for them, and
where moto is installed its server for Amazon's S3."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fsspec
import pytest

from tests.helpers.small_sets import coco, save_pictures
from tfrec_tools.conversion.comparison import verified
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.conversion.preview_options import PreviewOptions
from tfrec_tools.dataset import shards, stats
from tfrec_tools.dataset.options import InspectOptions, VerifyOptions
from tfrec_tools.errors import InputError
from tfrec_tools.preview import preview
from tfrec_tools.remapping.options import RemapOptions
from tfrec_tools.remapping.remap import remap
from tfrec_tools.system import locks
from tfrec_tools.system.fsspec_path import BucketOutput

URL = "memory://bucket/records"


@pytest.fixture
def store() -> Iterator[Any]:
    files = fsspec.filesystem("memory")
    yield files
    if files.exists("/bucket"):
        files.rm("/bucket", recursive=True)


@pytest.fixture
def options(tmp_path: Path, store: Any) -> ConvertOptions:  # noqa: ARG001  it is emptied afterwards
    save_pictures(tmp_path / "images")
    return ConvertOptions(coco(tmp_path), f"{URL}/set", shards=2, workers=1)


def held(files: Any, url: str = URL) -> dict[str, bytes]:
    """The files of a store below a folder, without the one that holds the times of the source's files."""
    root = files._strip_protocol(url)
    paths = {path: path.removeprefix(f"{root}/") for path in files.find(root)}
    return {name: files.cat_file(path) for path, name in paths.items() if not name.endswith(".state")}


def on_disk(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".state"}


def test_the_set_is_the_local_one(options: ConvertOptions, store: Any, tmp_path: Path) -> None:
    assert convert(options).outcome == "made"
    convert(replace(options, out=tmp_path / "here/set"))
    assert held(store) == on_disk(tmp_path / "here")
    (result,) = verified(VerifyOptions(URL, against=options.sources))
    assert (str(result.prefix), result.faults, result.differences) == (f"{URL}/set", (), ())


def test_a_source_in_a_store_is_replayed(options: ConvertOptions, store: Any, tmp_path: Path) -> None:
    store.put(str(tmp_path / "images"), "/bucket/images", recursive=True)
    store.put(str(options.source_paths[0]), "/bucket/a.json")
    convert(replace(options, sources="memory://bucket/a.json", images="memory://bucket/images"))
    (result,) = verified(VerifyOptions(f"{URL}/set", against="memory://bucket/a.json"))
    assert (result.faults, result.differences) == ((), ())
    store.pipe_file("/bucket/images/a.png", (tmp_path / "images/b.jpg").read_bytes())
    (result,) = verified(VerifyOptions(f"{URL}/set", against="memory://bucket/a.json"))
    assert [difference.name for difference in result.differences] == ["a.png"] * 2
    page = PreviewOptions(f"{URL}/set-00000-of-00002.tfrecord", out=tmp_path / "page.html")
    assert preview(page)[1].images > 0


def test_the_same_command_again(options: ConvertOptions, store: Any) -> None:
    convert(options)
    before = held(store)
    assert convert(options).outcome == "unchanged"
    source = options.source_paths[0]
    source.write_text(source.read_text().replace("dog", "fox"))
    with pytest.raises(InputError, match=rf"^{URL}/set.manifest.json: exists already, of other input"):
        convert(options)
    assert held(store) == before
    assert convert(replace(options, if_changed=True, shards=1)).outcome == "rebuilt"
    assert sorted(name for name in held(store) if ".tfrecord" in name) == ["set-00000-of-00001.tfrecord"]


def test_overwrite_takes_what_is_of_the_set_alone(options: ConvertOptions, store: Any) -> None:
    convert(options)
    store.pipe_file("/bucket/records/other-00000-of-00001.tfrecord", b"theirs")
    store.pipe_file("/bucket/records/set2.manifest.json", b"theirs")
    convert(replace(options, overwrite=True, shards=1))
    kept = held(store)
    assert kept["other-00000-of-00001.tfrecord"] == kept["set2.manifest.json"] == b"theirs"
    assert "set-00000-of-00002.tfrecord" not in kept


@contextmanager
def cut_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Writes, moves and removals are counted; from one on, all fail."""
    count = [0]

    def counted(step: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*given: Any) -> Any:
            count[0] += 1
            if count[0] > steps:
                raise RuntimeError("connection reset")  # of no kind that Python knows
            return step(*given)

        return stepped

    with monkeypatch.context() as patched:
        for name in ("writer", "move", "delete"):
            patched.setattr(BucketOutput, name, counted(getattr(BucketOutput, name)))
        yield count


@pytest.mark.parametrize("what", ["made", "rebuilt"])
def test_cut_off_anywhere(
    what: str, options: ConvertOptions, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest that is there is always of a whole set; the same command then gives the same bytes."""
    wanted = replace(options, if_changed=True, seed=1)
    convert(wanted)
    whole = held(store)
    store.rm("/bucket", recursive=True)
    at, ended = 0, False
    while not ended:
        if what == "rebuilt":
            convert(options)
        with cut_after(at, monkeypatch), suppress(OSError):
            convert(wanted)
            ended = True
        if store.exists(f"{URL}/set.manifest.json"):
            assert not verified(VerifyOptions(f"{URL}/set"))[0].faults
        convert(wanted)
        assert held(store) == whole, at
        store.rm("/bucket", recursive=True)
        at += 3
    assert at > 20


def test_records_under_another_map(options: ConvertOptions, store: Any, tmp_path: Path) -> None:
    convert(replace(options, out=tmp_path / "old/set"))
    again = RemapOptions(str(tmp_path / "old/set"), f"{URL}/new", rename="dog=fox", workers=1)
    remap(again)
    remap(replace(again, out=tmp_path / "here/new"))
    assert held(store) == on_disk(tmp_path / "here")
    assert remap(again).again


def test_workers_that_do_not_see_the_store(options: ConvertOptions, store: Any) -> None:
    """What is in the memory of a fork is nowhere: no manifest may say that it is there."""
    with pytest.raises((InputError, OSError), match=r"set-00000-of-00002|bucket"):
        convert(replace(options, workers=2))
    assert f"{URL}/set.manifest.json" not in store.find("/")


def test_a_store_that_is_only_read(options: ConvertOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise NotImplementedError

    monkeypatch.setattr(BucketOutput, "writer", refused)
    with pytest.raises(OSError, match=rf"Read-only file system: '{URL}/set"):
        convert(options)


def test_a_bucket_is_no_name(options: ConvertOptions) -> None:
    with pytest.raises(InputError, match=r"^memory://set: is a bucket; --out is DIR/NAME"):
        convert(replace(options, out="memory://set"))


def test_what_no_store_is_written_by(tmp_path: Path) -> None:
    line = r"^--aliases: s3://b/x.json: is a URL, expected a path of this machine; copy"
    with pytest.raises(InputError, match=line):
        RemapOptions("a", tmp_path / "b", aliases="s3://b/x.json")


def test_a_url_of_this_machine(options: ConvertOptions, tmp_path: Path) -> None:
    convert(replace(options, out=f"file://{tmp_path}/here/set", sources=f"file://{options.source_paths[0]}"))
    assert shards.manifest_path(tmp_path / "here/set").exists()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    if find_spec("moto") is None or find_spec("s3fs") is None:
        pytest.skip("moto and s3fs are not installed (bin/setup pipelines)")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # else a line for each request
    server.start()
    host, port = server.get_host_and_port()
    values = {"ENDPOINT_URL": f"http://{host}:{port}", "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}
    for name, value in values.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    files = fsspec.filesystem("s3", skip_instance_cache=True)
    files.mkdir("bucket")
    yield files
    server.stop()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # those of moto's server, and of botocore
def test_amazons_s3(options: ConvertOptions, s3: Any, tmp_path: Path) -> None:
    """Shards are written by processes of their own, as s3fs has a thread."""
    there = replace(options, out="s3://bucket/deep/records/set", workers=2)
    assert convert(there).outcome == "made"
    convert(replace(options, out=tmp_path / "here/set"))
    s3.invalidate_cache()
    assert held(s3, "s3://bucket/deep/records") == on_disk(tmp_path / "here")
    assert convert(there).outcome == "unchanged"
    changed = replace(there, if_changed=True, seed=1)
    with (
        locks.held(BucketOutput(there.prefix), "set"),
        pytest.raises(InputError, match=rf"set: another run \(process {os.getpid()} on"),
    ):
        convert(changed)
    assert convert(changed).outcome == "rebuilt"
    (result,) = verified(VerifyOptions("s3://bucket/deep/records", against=options.sources))
    assert (result.faults, result.differences) == ((), ())
    assert stats.inspect(InspectOptions("s3://bucket/deep/records/set")).boxes == 5
    again = RemapOptions("s3://bucket/deep/records/set-*", "s3://bucket/new/set", rename="dog=fox", workers=2)
    assert remap(again).manifest.boxes == 5
    with pytest.raises(OSError, match=r"bucket does not exist: 's3://nobody/set'"):
        convert(replace(options, out="s3://nobody/set", workers=1))
