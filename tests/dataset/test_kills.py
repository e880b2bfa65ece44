"""A run that is killed at each step that it takes on the disk, by os._exit in a process of its own, so that
nothing of ours is left to tidy up: the same command then gives the same bytes, and until a set of that name
is replaced, it stays as it was. The steps are counted, so that a new one is tried as well; those of workers,
and of the thread that waits for the disk, are among them."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.sets import contents
from tests.helpers.small_sets import coco, save_picture
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.dataset import staging
from tfrec_tools.dataset.publish import Finished
from tfrec_tools.errors import TfrecError
from tfrec_tools.labels.label_map import from_names
from tfrec_tools.labels.pbtxt import format_label_map
from tfrec_tools.remapping.options import RemapOptions
from tfrec_tools.remapping.remap import remap
from tfrec_tools.system import workers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, and counts in a file without a name")

STEPS = ("replace", "unlink", "mkdir", "rmdir", "fsync", "open")  # of the module os
KILLED = 77
Run = Callable[[], Finished]


class _Killing:
    """Counts steps on the disk, those of forks too, and dies at one of them, a file's bytes half written; who
    takes a step after that dies likewise. Each step is a byte of a file that all of them append to."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.counter = os_open(tempfile.gettempdir(), os.O_RDWR | os.O_APPEND | os.O_TMPFILE)

    def count(self) -> None:
        os.write(self.counter, b".")
        if os.lseek(self.counter, 0, os.SEEK_CUR) > self.at:
            os._exit(KILLED)

    def before(self, step: Any) -> Any:
        def counted(*given: Any, **options: Any) -> Any:
            if step is not os_open or given[1] & (os.O_WRONLY | os.O_RDWR):
                self.count()
            return step(*given, **options)

        return counted

    def halves(self) -> Callable[[Path, Any], int]:
        def written(path: Path, data: Any) -> int:
            for part in (data[: len(data) // 2], data):
                write_bytes(path, part)
                self.count()
            return len(data)

        return written


os_open, os_replace, write_bytes = os.open, os.replace, Path.write_bytes


def killed_at(step: int, run: Run) -> bool:
    """Returns whether the run was killed at that step, or had ended before. None of its processes is left."""
    living, held = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            workers._may_fork = lambda: True  # this fork has no threads, whatever was loaded before it
            killing = _Killing(step)
            for name in STEPS:
                setattr(os, name, killing.before(getattr(os, name)))
            Path.write_bytes = killing.halves()  # type: ignore[assignment,method-assign]
            run()
            code = 0
        finally:
            os._exit(code)
    os.close(held)
    _, status = os.waitpid(child, 0)
    assert os.read(living, 1) == b""  # when the last of them has ended
    os.close(living)
    assert os.waitstatus_to_exitcode(status) in (0, KILLED)
    return os.waitstatus_to_exitcode(status) == KILLED


def steps_of(run: Run) -> Iterator[int]:
    """Yields after each step at which the run was killed."""
    step = 0
    while killed_at(step, run):
        yield step
        step += 1


def visible(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("[!.]*")}


def hold(out: Path, older: Run, run: Run, killed: Run | None = None) -> None:
    """A set is written by `run`, over the one of `older`, and each kill of it, or of another that does the
    same, is followed by `run`."""
    run()
    expected = contents(out.parent)
    shutil.rmtree(out.parent)
    stages = []
    older()
    before = contents(out.parent)
    shutil.copytree(out.parent, out.parent.with_name("before"))
    for step in steps_of(killed or run):
        left = visible(out.parent)
        stages.append("old" if left == before else "new" if left == expected else "between")
        assert stages[-1] != "between" or f"{out.name}.manifest.json" not in left, step
        run()
        assert contents(out.parent) == expected, step
        assert not staging.folder_of(out).exists(), step
        shutil.rmtree(out.parent)
        shutil.copytree(out.parent.with_name("before"), out.parent)
    assert stages == sorted(stages, key=["old", "between", "new"].index)
    assert min(map(stages.count, ("old", "between", "new"))) > 2, stages


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The power stays on."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def sound(folder: Path) -> Path:
    """Three images of which there is nothing to say, so that no page is drawn."""
    scenes = [(f"{name}.png", 20, 20, [("cat", 1, 1, 9, 9), ("dog", 2, 3, 15, 17)]) for name in "abc"]
    for name, *_ in scenes:
        save_picture(folder / "images" / name, 20, 20)
    return coco(folder, scenes)


@pytest.mark.parametrize(
    ("processes", "no_fsync"),
    [
        (1, True),
        (2, False),
        pytest.param(1, False, marks=pytest.mark.slow),
        pytest.param(2, True, marks=pytest.mark.slow),
    ],
)
def test_a_conversion(tmp_path: Path, processes: int, no_fsync: bool) -> None:
    source, out = sound(tmp_path), tmp_path / "out/new"

    def older() -> Finished:
        return convert(ConvertOptions(source, out, shards=1, workers=1))

    def run(count: int = 1) -> Finished:
        options = ConvertOptions(source, out, shards=2, workers=count, overwrite=True, no_fsync=no_fsync)
        return convert(options)

    hold(out, older, run, partial(run, processes))


def test_a_conversion_of_other_input_with_other_splits(tmp_path: Path) -> None:
    """What only the old set had goes with it, wherever the run that replaces it was stopped."""
    out, images = tmp_path / "out/new", tmp_path / "images"
    sound(tmp_path)
    other = tmp_path / "other.json"
    other.write_text((tmp_path / "instances.json").read_text().replace("dog", "fox"))

    def older() -> Finished:
        split = "train=0.5,val=0.5"
        return convert(ConvertOptions(tmp_path / "instances.json", out, split=split, workers=1))

    def run() -> Finished:
        options = ConvertOptions(other, out, images=images, shards=2, workers=1)
        return convert(replace(options, if_changed=True, no_fsync=True))

    hold(out, older, run)


def test_a_worker_that_dies_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out, own = sound(tmp_path), tmp_path / "out/new", os.getpid()
    options = ConvertOptions(source, out, shards=2, workers=2)
    convert(replace(options, workers=1))
    expected = contents(out.parent)
    shutil.rmtree(out.parent)

    def replaced(*paths: Any) -> None:
        if os.getpid() != own:
            os._exit(KILLED)
        os_replace(*paths)

    with monkeypatch.context() as patch:
        patch.setattr(workers, "_may_fork", lambda: True)
        patch.setattr(os, "replace", replaced)
        with pytest.raises(TfrecError, match="a worker process died"):
            convert(options)
    assert not visible(out.parent)
    convert(replace(options, workers=1))
    assert contents(out.parent) == expected


@pytest.mark.parametrize(
    ("processes", "no_fsync"), [(1, True), pytest.param(2, False, marks=pytest.mark.slow)]
)
def test_a_remapping(tmp_path: Path, processes: int, no_fsync: bool) -> None:
    out, records, merged = tmp_path / "out/new", tmp_path / "old/set", tmp_path / "merged.pbtxt"
    convert(ConvertOptions(sound(tmp_path), records, shards=1, workers=1))
    merged.write_text(format_label_map(from_names(("cat", "dog", "owl"))))

    def older() -> Finished:
        return remap(RemapOptions(records, out, labels=merged, shards=1, workers=1))

    def run(count: int = 1) -> Finished:
        options = RemapOptions(records, out, labels=merged, shards=2, workers=count)
        return remap(replace(options, overwrite=True, no_fsync=no_fsync))

    hold(out, older, run, partial(run, processes))
