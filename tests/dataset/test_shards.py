"""Sets of shards: names, manifests, and what a pattern means."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import msgspec
import pytest

from tests.helpers.places import SCHEMAS
from tfrec_tools.annotations.issues import CODES, Issue
from tfrec_tools.dataset import shards
from tfrec_tools.dataset.manifest import (
    ClassInfo,
    Manifest,
    ShardInfo,
    SourceInfo,
    SplitInfo,
    format_manifest,
    read_manifest,
)
from tfrec_tools.errors import InputError
from tfrec_tools.extraction.standing import Summary


def manifest_of_set(*files: str) -> Manifest:
    return Manifest(
        format_version=1,
        tool_version="0.1.0",
        name="new",
        label_map="new.label_map.pbtxt",
        images=3,
        negatives=1,
        boxes=4,
        classes=(ClassInfo(1, "RBC", 2, 3), ClassInfo(2, "Plättchen", 1, 1)),
        sources=(SourceInfo("a.json", "coco", 3, ("RBC", "Plättchen")),),
        splits=(SplitInfo("train", 3, 4, {"RBC": 3}),),
        shards=tuple(
            ShardInfo(file, "train" if "-train-" in file else "", 3, 100, "00", 7) for file in files
        ),
        issues={"box-empty": 2},
        options={"shards": "2"},
        versions={"pillow": "12"},
        digest="11",
    )


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()


def found(folder: Path, *patterns: str) -> list[str]:
    return [
        path.relative_to(folder).as_posix()
        for path in shards.record_files([f"{folder}/{p}" for p in patterns])
    ]


NEW = ["new-00000-of-00002.tfrecord", "new-00001-of-00002.tfrecord"]
SIDECARS = [
    "new.manifest.json",
    "new.label_map.pbtxt",
    "new.issues.jsonl",
    "new-notes.txt",
    ".new-x.tfrecord.part",
]


def test_names() -> None:
    names = [path.as_posix() for path in shards.shard_paths(Path("d/new"), 2)]
    assert names == [f"d/{name}" for name in NEW]
    assert shards.manifest_path(Path("d/v1.5")) == Path("d/v1.5.manifest.json")


def test_manifest_round_trip(tmp_path: Path) -> None:
    manifest = manifest_of_set(*NEW)
    path = tmp_path / "new.manifest.json"
    path.write_bytes(format_manifest(manifest))
    assert read_manifest(path) == manifest
    assert manifest.names == ("RBC", "Plättchen")


def test_a_shard_leads_to_its_manifest(tmp_path: Path) -> None:
    touch(tmp_path, *NEW)
    assert shards.manifest_of(tmp_path / NEW[0]) is None
    (tmp_path / "new.manifest.json").write_bytes(format_manifest(manifest_of_set(*NEW)))
    assert shards.manifest_of(tmp_path / NEW[0]) == manifest_of_set(*NEW)
    assert shards.manifest_of(tmp_path / "train.record") is None
    with pytest.raises(InputError, match=r"new-00002-of-00003.tfrecord: is not listed in new.manifest.json"):
        shards.manifest_of(tmp_path / "new-00002-of-00003.tfrecord")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"images": 3}', b'{"format_version": 1}', b"\xff"])
def test_no_manifest(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "new.manifest.json"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"new.manifest.json: is no manifest"):
        read_manifest(path)


def test_a_manifest_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "new.manifest.json"
    path.write_bytes(
        format_manifest(manifest_of_set()).replace(b'"format_version": 1', b'"format_version": 9')
    )
    with pytest.raises(InputError, match=r"format_version is 9, but this tfrec reads 1"):
        read_manifest(path)


@pytest.mark.parametrize("pattern", ["new-*", "*.tfrecord", "new", ".", "new-0000?-of-00002.tfrecord"])
def test_patterns_name_the_shards_and_nothing_else(tmp_path: Path, pattern: str) -> None:
    touch(tmp_path, *NEW, *SIDECARS)
    assert found(tmp_path, pattern) == NEW


def test_patterns_keep_their_order_and_name_a_file_once(tmp_path: Path) -> None:
    touch(tmp_path, *NEW, "a.record", "b.tfrecords", "c.tfrecord.gz")
    assert found(tmp_path, "c*", "new", NEW[0], "?.*") == ["c.tfrecord.gz", *NEW, "a.record", "b.tfrecords"]
    assert found(tmp_path, NEW[1]) == [NEW[1]]


def test_names_of_tfod_and_tfds(tmp_path: Path) -> None:
    tfod = [f"train.record-0000{i}-of-00002" for i in range(2)]
    tfds = [f"voc-train.tfrecord-0000{i}-of-00002" for i in range(2)]
    touch(tmp_path, *tfod, *tfds)
    assert found(tmp_path, "train*") == found(tmp_path, "train") == tfod
    assert found(tmp_path, ".") == [*tfod, *tfds]


def test_other_sets_with_the_same_beginning_are_others(tmp_path: Path) -> None:
    touch(tmp_path, *NEW, "new-old-00000-of-00001.tfrecord")
    assert found(tmp_path, "new") == NEW
    assert [path.name for path in shards.set_files(tmp_path / "new")] == NEW


def test_nothing_found(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt")
    for pattern in ("new-*", "none/new", "no*tes.md", "."):
        with pytest.raises(InputError, match=f"{re.escape(pattern)}: no record files found"):
            found(tmp_path, pattern)


def test_an_incomplete_set(tmp_path: Path) -> None:
    touch(tmp_path, *(f"new-0000{i}-of-00010.tfrecord" for i in (0, 3, 9)))
    with pytest.raises(
        InputError, match=r"new: 7 of 10 shards are missing: 00001, 00002, 00004, 00005, 00006, \.\.\."
    ):
        found(tmp_path, "new-*")


def test_two_sets_of_one_name(tmp_path: Path) -> None:
    touch(tmp_path, *NEW, "new-00000-of-00001.tfrecord")
    with pytest.raises(InputError, match=r"shards of 1 and of 2 lie side by side"):
        found(tmp_path, "new-*")


def test_the_manifest_is_the_first_file_to_go(tmp_path: Path) -> None:
    touch(tmp_path, *NEW, *SIDECARS)
    assert [path.name for path in shards.set_files(tmp_path / "new")] == [*SIDECARS[:3], *NEW]


def test_relative_patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, *NEW)
    monkeypatch.chdir(tmp_path)
    assert [os.fspath(path) for path in shards.record_files(["new-*"])] == NEW
    assert [os.fspath(path) for path in shards.record_files(["new"])] == NEW


def test_the_published_schemas_are_the_code() -> None:
    """After a change, write msgspec.json.schema of the class to the file, with the codes as enum."""
    issue = msgspec.json.schema(Issue)
    issue["$defs"]["Issue"]["properties"]["code"]["enum"] = list(CODES)
    assert _unwrapped(_published("issues")) == _unwrapped(issue)
    assert _unwrapped(_published("manifest")) == _unwrapped(msgspec.json.schema(Manifest))
    assert _unwrapped(_published("extraction")) == _unwrapped(msgspec.json.schema(Summary))


def _published(name: str) -> object:
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))


def _unwrapped(schema: object) -> object:
    """With the white space of texts folded: from 3.13 on, Python unindents docstrings. A default may be a
    tuple, which JSON has not."""
    if isinstance(schema, dict):
        return {key: _unwrapped(value) for key, value in schema.items()}
    if isinstance(schema, list | tuple):
        return [_unwrapped(value) for value in schema]
    return " ".join(schema.split()) if isinstance(schema, str) else schema
