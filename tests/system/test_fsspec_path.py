"""Sources in stores that this machine reads through fsspec, whose own store in memory stands for them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest

from tests.helpers.sets import contents
from tests.helpers.small_sets import FULL_WRITERS, coco, save_pictures
from tfrec_tools.conversion.convert import convert, validate
from tfrec_tools.conversion.options import ConvertOptions, ValidateOptions
from tfrec_tools.errors import InputError
from tfrec_tools.system.fsspec_path import BucketPath
from tfrec_tools.system.remote_path import RemotePath

Bucket = tuple[Path, Callable[[], None]]


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[Bucket]:
    """A folder, and what puts it into the store."""
    store = fsspec.filesystem("memory")
    save_pictures(tmp_path / "bucket/images")
    yield tmp_path / "bucket", lambda: store.put(str(tmp_path / "bucket"), "/bucket", recursive=True)
    store.rm("/bucket", recursive=True)


@pytest.mark.parametrize("kind", FULL_WRITERS)
def test_the_set_is_the_local_one(tmp_path: Path, bucket: Bucket, kind: str) -> None:
    folder, put = bucket
    source = FULL_WRITERS[kind](folder)
    put()
    url = Path("memory://bucket") / source.relative_to(folder)
    convert(ConvertOptions(source, tmp_path / "here/set", shards=2))
    convert(ConvertOptions(url, tmp_path / "there/set", shards=2, workers=1))
    here, there = contents(tmp_path / "here"), contents(tmp_path / "there")
    for files in (here, there):
        text = files["set.manifest.json"].decode().replace("memory://", f"{tmp_path}/")
        files["set.manifest.json"] = re.sub(r'"manifest_sha256": "\w+"', "", text).encode()
    assert there == here


def test_validate_and_what_is_missing(bucket: Bucket) -> None:
    folder, put = bucket
    coco(folder)
    put()
    assert validate(ValidateOptions(Path("memory://bucket/instances.json"))).images == 3
    with pytest.raises(InputError, match=r"^memory://bucket/none.json: no such file or folder"):
        validate(ValidateOptions(Path("memory://bucket/none.json")))
    with pytest.raises(InputError, match=r"^nonsense://a/b.json: is a URL, which needs fsspec \(.*--runner"):
        validate(ValidateOptions(Path("nonsense://a/b.json")))


def test_without_fsspec(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(InputError, match=r"^gs://a/b.json: is a URL, which needs fsspec \("):
        convert(ConvertOptions(Path("gs://a/b.json"), tmp_path / "set"))


def test_a_store_that_is_only_read_says_so() -> None:
    path = BucketPath("memory://bucket/a.json")
    for change in (lambda: path.open("wb"), path.unlink, lambda: path.replace("memory://bucket/b.json")):
        with pytest.raises(OSError, match=r"Read-only file system: .memory://bucket/a\.json"):
            change()
    with pytest.raises(TypeError, match="abstract"):
        RemotePath("memory://bucket/a.json")  # type: ignore[abstract]
