"""A conversion or a remapping that is killed at any moment, and the same command after it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.command import tfrec
from tests.helpers.sets import contents
from tests.helpers.small_sets import coco, save_picture
from tfrec_tools.conversion import jobs
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.conversion.plan import make_plan
from tfrec_tools.dataset import staging
from tfrec_tools.dataset.staging import ShardResult
from tfrec_tools.errors import InputError

SCENES = [(f"{i:03d}.jpg", 60, 40, [("cat", i % 7 - 2, 1, 30 + i % 9, 39)] * (i % 3)) for i in range(60)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    first = save_picture(tmp_path / "images" / SCENES[0][0])
    for name, *_ in SCENES[1:]:
        shutil.copy(first, tmp_path / "images" / name)
    return coco(tmp_path, SCENES)


def words_of(source: Path, out: Path) -> list[object]:
    return [
        "convert",
        source,
        "--out",
        out,
        "--shards",
        "5",
        "--workers",
        "2",
        "--split",
        "train=0.8,val=0.2",
    ]


def killed_at(moment: float, words: Sequence[Any]) -> None:
    """Runs the command and kills all its processes at a moment: seconds after its first sign of work."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tfrec_tools", *map(str, words)],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    folder = staging.folder_of(words[3])
    while process.poll() is None and not folder.exists():
        time.sleep(0.001)
    time.sleep(moment)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def assert_killing_changes_nothing(words_to: Callable[[Path], list[object]], folder: Path) -> None:
    """words_to   {DIR/NAME: the words of the command that writes it, which stands fourth among them}"""
    tfrec(*words_to(folder / "whole/new"))
    expected = contents(folder / "whole")
    for i, moment in enumerate([0, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2]):
        words = words_to(folder / f"{i}/new")
        killed_at(moment, words)
        tfrec(*words)
        assert contents(folder / f"{i}") == expected, moment


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise on Windows")
@pytest.mark.slow
def test_kill_9_at_any_moment_and_the_same_command_gives_the_same_bytes(tmp_path: Path, source: Path) -> None:
    assert_killing_changes_nothing(lambda out: words_of(source, out), tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise on Windows")
@pytest.mark.slow
def test_kill_9_of_a_remapping(tmp_path: Path, source: Path) -> None:
    tfrec("convert", source, "--out", tmp_path / "old/set", "--split", "train=0.8,val=0.2")
    tfrec("merge-labels", tmp_path / "old/set", "--rename", "cat=lion", "--out", tmp_path / "merged.pbtxt")
    more = ("--labels", tmp_path / "merged.pbtxt", "--shards", "5", "--workers", "2")
    assert_killing_changes_nothing(
        lambda out: ["remap", tmp_path / "old/set", "--out", out, *more], tmp_path / "remapped"
    )


STEPS = ["unlink", "replace", "write_bytes", "rename", "mkdir"]


class Stopped(BaseException):
    """As a kill: nothing of ours handles it."""


@pytest.mark.slow
def test_stopped_at_every_step_on_disk(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step of the file system in turn is the last one; then the same call finishes."""

    def stopping_after(steps: int) -> Callable[[str], Callable[..., Any]]:
        left = steps

        def stop(name: str) -> Callable[..., Any]:
            original = getattr(Path, name)

            def step(self: Path, *args: Any, **options: Any) -> Any:
                nonlocal left
                left -= 1
                if left < 0:
                    raise Stopped
                return original(self, *args, **options)

            return step

        return stop

    old = tmp_path / "old.json"
    old.write_text(json.dumps(json.loads(source.read_text()) | {"info": {}}))
    convert(ConvertOptions(source, tmp_path / "whole/new", shards=3))
    expected = contents(tmp_path / "whole")
    steps, finished = 0, False
    while not finished:
        out = tmp_path / f"{steps}/new"
        convert(ConvertOptions(source, out, shards=2))  # an older set of the same name
        options = ConvertOptions(source, out, shards=3, workers=1, overwrite=True)
        with monkeypatch.context() as patch:
            stop = stopping_after(steps)
            for name in STEPS:
                patch.setattr(Path, name, stop(name))
            try:
                convert(options)
                finished = True
            except Stopped:
                pass
        convert(options)
        assert contents(out.parent) == expected, steps
        shutil.rmtree(out.parent)
        steps += 1
    assert steps > 15


def test_finished_shards_are_not_written_again(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ConvertOptions(source, tmp_path / "out/new", shards=6, workers=1)
    plan = make_plan(options)
    folder = staging.folder_of(options.prefix)
    folder.mkdir(parents=True)
    for job in plan.jobs[:4]:
        job.perform(lambda: None, folder)
    written, perform = list[str](), jobs._perform

    def noting(job: jobs.ConversionJob, *rest: Any) -> ShardResult:
        written.append(job.file)
        return perform(job, *rest)

    monkeypatch.setattr(jobs, "_perform", noting)
    convert(options)
    assert written == [job.file for job in plan.jobs[4:]]


def test_changed_images_are_written_again(tmp_path: Path, source: Path) -> None:
    options = ConvertOptions(source, tmp_path / "out/new", shards=6, workers=1)
    before = make_plan(options)
    os.utime(tmp_path / "images/007.jpg", ns=(0, 0))
    after = make_plan(options)
    assert before.digest == after.digest
    changed = [a.file for a, b in zip(before.jobs, after.jobs, strict=True) if a.fingerprint != b.fingerprint]
    assert len(changed) == 1


def test_a_finished_set_is_left_alone_by_the_same_command(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out"
    words = words_of(source, out / "new")
    tfrec(*words)
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    printed, _ = tfrec(*words)
    assert "Finished before, by the same command" in printed
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before
    tfrec(*words, "--overwrite")
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} != before


def test_a_set_that_is_also_a_source_is_not_removed(tmp_path: Path, source: Path) -> None:
    target = tmp_path / "new.issues.jsonl"
    shutil.copy(source, target)
    with pytest.raises(InputError, match=r"is also a source"):
        convert(ConvertOptions(target, tmp_path / "new", format="coco", overwrite=True))
    assert target.exists()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_one_line(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out"
    out.mkdir(mode=0o500)
    _, err = tfrec("convert", source, "--out", out / "new", code=1)
    assert err.count("\n") == 1


def test_a_full_disk_is_one_line_and_leaves_nothing_under_a_final_name(tmp_path: Path, source: Path) -> None:
    resource = pytest.importorskip("resource")
    limit = 2000  # bytes a file, of which the system then says that it is too large

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [
            sys.executable,
            "-B",
            "-m",
            "tfrec_tools",
            "convert",
            source,
            "--out",
            tmp_path / "out/new",
            "--workers",
            "1",
        ],
        preexec_fn=limited,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "File too large" in done.stderr
    assert str(tmp_path / "out") in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".new.part"]
    convert(ConvertOptions(source, tmp_path / "out/new"))
