"""Sources and sets on file systems that only Beam opens."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.beam_service import ENVIRONMENT, job_service
from tests.helpers.disk import ROOT as DISK
from tests.helpers.places import ROOT
from tests.helpers.sets import contents
from tests.helpers.small_sets import SCENES, coco, csv, save_pictures, tfrecord, voc, yolo
from tfrec_tools.beam.engine import on_beam
from tfrec_tools.beam.paths import BeamInput, BeamPath, in_stores, located
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.errors import InputError
from tfrec_tools.system.remote_path import is_url


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """disk://bucket is this folder."""
    monkeypatch.setenv(DISK, str(tmp_path))
    return save_pictures(tmp_path / "bucket/images").parent


def url(name: str) -> Path:
    """As the command line has it: a Path takes one slash for two."""
    return Path(f"disk://bucket/{name}")


@pytest.mark.parametrize("write", [coco, csv, voc, yolo, tfrecord])
def test_all_on_a_store(disk: Path, write: Callable[[Path], Path]) -> None:
    source = write(disk)
    local = ConvertOptions(source, disk / "here/set", shards=2)
    convert(local)
    options = in_stores(ConvertOptions(url(source.relative_to(disk).as_posix()), url("there/set"), shards=2))
    finished = convert(options, engine=on_beam("DirectRunner", []))
    here, there = contents(disk / "here"), contents(disk / "there")
    for files in (here, there):
        manifest = files["set.manifest.json"].replace(b"disk://bucket", str(disk).encode())
        files["set.manifest.json"] = re.sub(rb'"manifest_sha256": "\w+"', b"", manifest)  # paths included
    assert there == here
    assert convert(options, engine=on_beam("DirectRunner", [])).again
    assert not finished.again


def test_pictures_that_lie_deeper_and_a_set_that_is_there(disk: Path) -> None:
    (disk / "images/deep").mkdir()
    (disk / "images/b.jpg").rename(disk / "images/deep/B.JPG")
    options = in_stores(ConvertOptions(url(coco(disk).name), url("out/set"), images=url("images")))
    assert convert(options, engine=on_beam("DirectRunner", [])).manifest.images == 3
    (disk / "instances.json").write_text((disk / "instances.json").read_text().replace("dog", "fox"))
    with pytest.raises(
        InputError, match=r"^disk://bucket/out/set.manifest.json: exists already, .*; replace the set"
    ):
        convert(options, engine=on_beam("DirectRunner", []))


def test_what_is_missing(disk: Path) -> None:
    with pytest.raises(InputError, match=r"^disk://bucket/none.json: no such file or folder"):
        convert(in_stores(ConvertOptions(url("none.json"), disk / "out/set")))


@pytest.mark.parametrize("store", ["gopher", "hdfs"])
def test_stores_that_beam_lacks(disk: Path, store: str) -> None:
    """One is not known to it; for the other, what opens it is not installed."""
    line = f"^{store}://bucket/a.json: Apache Beam cannot open it .*(required dependency|hadoop beam extra)"
    with pytest.raises(InputError, match=line):
        in_stores(ConvertOptions(Path(f"{store}://bucket/a.json"), disk / "out/set"))


@pytest.mark.parametrize("file", ["set-00000-of-00001.tfrecord", "set", ""])
def test_records_of_a_set_or_a_folder_of_a_store(disk: Path, file: str) -> None:
    convert(ConvertOptions(coco(disk), disk / "old/set", compression="none"))
    options = in_stores(ConvertOptions(url(f"old/{file}"), url("new/set")))
    assert convert(options, engine=on_beam("DirectRunner", [])).manifest.boxes == 5
    assert (disk / "new/set-00000-of-00001.tfrecord").exists()


def test_a_url_to_write_without_a_runner(disk: Path) -> None:
    line = r"^disk://bucket/out/set: is a URL, which needs fsspec \(Protocol not known: disk\) or --runner"
    with pytest.raises(InputError, match=line):
        convert(ConvertOptions(coco(disk), url("out/set")))


def test_paths(disk: Path) -> None:
    path = located("disk:/a/b.jpg", BeamPath)
    assert str(path) == str(path.parent / "b.jpg") == str(path.with_name("b.jpg")) == "disk://a/b.jpg"
    assert str(pickle.loads(pickle.dumps(path))) == "disk://a/b.jpg"
    assert isinstance(path.parent / "c", BeamPath)
    assert not path.exists()
    path.write_bytes(b"123")
    assert (path.read_bytes(), path.stat().st_size, path.parent.is_dir()) == (b"123", 3, True)
    with path.open("rb") as file:
        assert file.fileno() > 0
    assert list(path.parent.iterdir()) == [path]
    path.replace(path.with_name("c.txt"))
    assert path.with_name("c.txt").read_text() == "123"
    path.with_name("c.txt").unlink()
    path.unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError):
        path.read_bytes()
    assert not is_url(disk)
    assert located(disk, BeamInput) == disk


@pytest.mark.slow
def test_on_the_portable_job_service(disk: Path) -> None:
    """Workers are other processes, which know the file system because Python imports sitecustomize."""
    (disk / "site").mkdir()
    (disk / "site/sitecustomize.py").write_text("import tests.helpers.disk\n")
    for name, *_ in SCENES:
        shutil.copy(disk / "images" / name, disk / "images" / f"2{name}")
    again = [(f"2{name}", width, height, boxes) for name, width, height, boxes in SCENES]
    coco(disk, [*SCENES, *again])
    environment = ENVIRONMENT | {"PYTHONPATH": f"{disk}/site{os.pathsep}{ROOT}", DISK: str(disk.parent)}
    here = [sys.executable, "-m", "tfrec_tools", "convert", "instances.json", "--shards=3", "--out=here/set"]
    subprocess.run(here, cwd=disk, env=environment, check=True, stdout=subprocess.DEVNULL)
    words = [
        "convert",
        "disk://bucket/instances.json",
        "--shards=3",
        "--out=disk://bucket/there/set",
        "--runner=PortableRunner",
    ]
    with job_service(disk, environment) as beam:
        command = [sys.executable, "-m", "tfrec_tools", *words, "--", *beam]
        done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    shards = {name: data for name, data in contents(disk / "here").items() if ".tfrecord" in name}
    assert len(shards) == 3
    assert {name: contents(disk / "there")[name] for name in shards} == shards
    assert not list((disk / "there").glob(".set.part/*"))
