"""The same command again: nothing where nothing changed; the set anew, with --if-changed, where input,
options or version did; and without it, which of them did."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.helpers.sets import contents
from tests.helpers.small_sets import SCENES, coco, save_picture
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.dataset import shards, staging
from tfrec_tools.dataset.publish import Refused
from tfrec_tools.errors import InputError
from tfrec_tools.remapping.options import RemapOptions
from tfrec_tools.remapping.remap import remap


@pytest.fixture
def options(tmp_path: Path) -> ConvertOptions:
    for name, width, height, _ in SCENES:
        save_picture(tmp_path / "images" / name, width, height)
    return ConvertOptions(coco(tmp_path), tmp_path / "out/new", workers=1)


def anew(options: ConvertOptions, **more: Any) -> tuple[str, list[str]]:
    """The outcome, and what differed."""
    done = convert(replace(options, if_changed=True, **more))
    return done.outcome, [change.what for change in done.changed]


def renamed(options: ConvertOptions) -> None:
    source = options.source_paths[0]
    source.write_text(source.read_text().replace("dog", "fox"))


def of_another_version(out: Path, **changed: Any) -> None:
    manifest = shards.manifest_path(out)
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"digest": "0"} | changed))


def test_nothing_changed(options: ConvertOptions) -> None:
    assert anew(options) == ("made", [])
    before = {path: path.stat().st_mtime_ns for path in options.prefix.parent.iterdir()}
    assert anew(options) == anew(options, workers=2) == ("unchanged", [])
    assert {path: path.stat().st_mtime_ns for path in options.prefix.parent.iterdir()} == before


def test_the_input(options: ConvertOptions, tmp_path: Path) -> None:
    convert(options)
    renamed(options)
    line = r"new.manifest.json: exists already, of other input \(annotations, images or .*\); replace"
    with pytest.raises(InputError, match=line):
        convert(options)
    assert anew(options) == ("rebuilt", ["input"])
    convert(replace(options, out=tmp_path / "alone/new"))
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")
    assert anew(options) == ("unchanged", [])


def test_an_image(options: ConvertOptions, tmp_path: Path) -> None:
    """Neither the digest nor sizes see that: times do."""
    image = tmp_path / "images/a.bmp"
    Image.new("RGB", (60, 40), "blue").save(image)
    scenes = [("a.bmp", 60, 40, [("cat", 1, 1, 30, 39)]), *SCENES]
    coco(tmp_path, scenes)
    convert(options)
    Image.new("RGB", (60, 40), "red").save(image)
    os.utime(image, ns=(10**18, 10**18))
    with pytest.raises(InputError, match=r"image \"a.bmp\" was changed after the set was finished; replace"):
        convert(options)
    done = convert(replace(options, if_changed=True))
    assert (done.outcome, done.changed[0].what, len(done.changed)) == ("rebuilt", "input", 1)
    assert 'image "a.bmp" was changed' in done.changed[0].detail
    convert(replace(options, out=tmp_path / "alone/new"))
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")


def test_the_options(options: ConvertOptions) -> None:
    convert(options)
    line = r"of other options \(--seed was default, is 3, --shards was default, is 2\); replace the set with"
    with pytest.raises(InputError, match=line):
        convert(replace(options, seed=3, shards=2))
    assert anew(options, seed=3, shards=2) == ("rebuilt", ["options"])
    assert len(list(options.prefix.parent.glob("*.tfrecord"))) == 2
    assert anew(options) == ("rebuilt", ["options"])
    assert len(list(options.prefix.parent.glob("*.tfrecord"))) == 1


def test_the_version(options: ConvertOptions) -> None:
    convert(options)
    of_another_version(options.prefix, tool_version="0.0.1", versions={"pillow": "1.0"})
    with pytest.raises(InputError, match=r"of another version \(tfrec was 0.0.1, is .*, pillow was 1.0, is "):
        convert(options)
    assert anew(options, seed=1) == ("rebuilt", ["options", "version"])


def test_the_set_itself(options: ConvertOptions) -> None:
    convert(options)
    before = contents(options.prefix.parent)
    shard = next(options.prefix.parent.glob("*.tfrecord"))
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"damaged \(new-00000-of-00001.tfrecord missing or of"):
        convert(options)
    assert anew(options) == ("rebuilt", ["output"])
    assert contents(options.prefix.parent) == before


def test_files_that_no_manifest_speaks_of_stay(options: ConvertOptions) -> None:
    out = options.prefix
    out.parent.mkdir()
    precious = out.with_name("new-00000-of-00003.tfrecord")
    precious.write_bytes(b"mine")
    for if_changed in (False, True):
        with pytest.raises(
            InputError, match="exists already, unfinished; replace the set with --overwrite or"
        ):
            convert(replace(options, if_changed=if_changed))
    assert contents(out.parent) == {precious.name: b"mine"}


def test_other_files_of_the_folder_stay(options: ConvertOptions) -> None:
    convert(replace(options, split="train=0.5,val=0.5"))
    others = [options.prefix.with_name(name) for name in ("new.txt", "newer-00000-of-00001.tfrecord")]
    for path in others:
        path.write_text("mine")
    assert anew(options) == ("rebuilt", ["options"])
    assert [path.read_text() for path in others] == ["mine", "mine"]
    assert not list(options.prefix.parent.glob("new-val*"))


def test_what_cannot_be_used_leaves_the_old_set(options: ConvertOptions) -> None:
    convert(options)
    before = contents(options.prefix.parent)
    source = options.source_paths[0]
    source.write_text(source.read_text().replace("c.jpg", "nowhere.jpg"))
    with pytest.raises(Refused, match="image-missing"):
        anew(options)
    source.write_text("[")
    with pytest.raises(InputError):
        anew(options)
    assert contents(options.prefix.parent) == before
    assert not staging.folder_of(options.prefix).exists()


def test_the_command_before_does_not_finish_what_another_began(
    options: ConvertOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run is stopped when all is ready to be moved; whoever asks for the old set has it still."""
    convert(options)
    before = contents(options.prefix.parent)

    class Stopped(BaseException):
        pass

    def stop(*_: object) -> None:
        raise Stopped

    monkeypatch.setattr(staging, "is_moving", stop)
    with pytest.raises(Stopped):
        anew(options, seed=3)
    monkeypatch.undo()
    assert staging.names(staging.folder_of(options.prefix))
    with pytest.raises(InputError, match=r"of other options \(--seed was default, is 3\)"):
        convert(replace(options, seed=3))
    assert visible(options.prefix.parent) == before
    assert anew(options) == ("unchanged", [])
    assert contents(options.prefix.parent) == before


def visible(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("[!.]*")}


def test_records(options: ConvertOptions, tmp_path: Path) -> None:
    convert(options)
    again = RemapOptions(options.prefix, tmp_path / "all/set", if_changed=True, workers=1)
    assert remap(again).outcome == "made"
    assert remap(again).outcome == "unchanged"
    renamed(options)
    anew(options)
    with pytest.raises(InputError, match="exists already, of other input"):
        remap(replace(again, if_changed=False))
    assert [change.what for change in remap(again).changed] == ["input"]
    assert remap(again).outcome == "unchanged"
