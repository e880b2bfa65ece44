"""Files and folders that one may not read or write: one line that names them as the user does, an InputError
through the Python API; and nothing that lies in them is lost unseen."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tfrec_tools as tfrec
from tests.helpers.powerless import can_drop, powerless
from tests.helpers.small_sets import coco, save_pictures, voc

pytestmark = pytest.mark.skipif(not can_drop(), reason="capabilities are Linux'")

DENIED = "Permission denied"


@pytest.fixture
def lock() -> Iterator[Callable[[Path], Path]]:
    locked: list[tuple[Path, int]] = []

    def make(path: Path, mode: int = 0) -> Path:
        locked.append((path, path.stat().st_mode))
        path.chmod(mode)
        return path

    yield make
    for path, mode in reversed(locked):
        path.chmod(mode)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    save_pictures(tmp_path / "images")
    (tmp_path / "map.pbtxt").write_text("item{id:1 name:'cat'} item{id:2 name:'dog'}")
    return coco(tmp_path)


@pytest.mark.parametrize("named", ["images/b.jpg", "images", "instances.json", "map.pbtxt"])
def test_what_is_read(tmp_path: Path, source: Path, lock: Callable[[Path], Path], named: str) -> None:
    locked = lock(tmp_path / named)

    def call() -> None:
        tfrec.convert(source, tmp_path / "out/new", labels=tmp_path / "map.pbtxt", workers=1)

    kind, said = powerless(call)
    assert kind == "InputError"
    assert said.startswith(f"{locked}: ")
    assert DENIED in said
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("mode", [0o555, 0])
def test_a_folder_that_takes_no_output(
    tmp_path: Path, source: Path, lock: Callable[[Path, int], Path], mode: int
) -> None:
    (tmp_path / "out").mkdir()
    lock(tmp_path / "out", mode)
    labels = tmp_path / "map.pbtxt"
    for out, call in (
        ("new", lambda: tfrec.convert(source, tmp_path / "out/new", workers=1)),
        ("m.pbtxt", lambda: tfrec.merge_labels(labels, labels, out=tmp_path / "out/m.pbtxt")),
    ):
        assert powerless(call) == ("InputError", f"{tmp_path / 'out' / out}: {DENIED}")


def test_a_set(tmp_path: Path, source: Path, lock: Callable[[Path], Path]) -> None:
    out = tmp_path / "out/new"
    tfrec.convert(source, out, workers=1)
    again = [
        lambda: tfrec.convert(source, out, workers=1),
        lambda: tfrec.verify(out),
        lambda: tfrec.inspect(out),
        lambda: tfrec.remap(out, tmp_path / "r/new", labels=tmp_path / "map.pbtxt", workers=1),
    ]
    manifest = lock(out.with_name("new.manifest.json"))
    for call in again:
        kind, said = powerless(call)
        assert (kind, said.split(": ")[0]) == ("InputError", str(manifest))
        assert DENIED in said
    manifest.chmod(0o600)
    shard = lock(out.with_name("new-00000-of-00001.tfrecord"))
    for call in [*again[1:], lambda: tfrec.load(out)]:
        assert powerless(call) == ("InputError", f"{shard}: {DENIED}")


def test_folders_of_annotations_are_not_passed_over(tmp_path: Path, lock: Callable[[Path], Path]) -> None:
    save_pictures(tmp_path / "images")
    voc(tmp_path)
    below = tmp_path / "Annotations/below"
    below.mkdir()
    shutil.move(tmp_path / "Annotations/a.xml", below)
    lock(below)
    kind, said = powerless(lambda: tfrec.convert(tmp_path, tmp_path / "out/new", workers=1))
    assert (kind, said) == ("InputError", f"{below}: cannot be listed ({DENIED})")


@pytest.mark.parametrize("named", ["labels", "labels/below", "images/below"])
def test_folders_of_yolo(tmp_path: Path, lock: Callable[[Path], Path], named: str) -> None:
    for folder in ("", "below"):
        save_pictures(tmp_path / "images" / folder)
        (tmp_path / "labels" / folder).mkdir(exist_ok=True)
        for name in "abc":
            (tmp_path / "labels" / folder / f"{name}.txt").write_text("0 .5 .5 .2 .2\n")
    (tmp_path / "data.yaml").write_text("names: [cat]\ntrain: images\n")
    locked = lock(tmp_path / named)
    kind, said = powerless(lambda: tfrec.convert(tmp_path, tmp_path / "out/new", workers=1))
    assert (kind, said) == ("InputError", f"{locked}: cannot be listed ({DENIED})")
