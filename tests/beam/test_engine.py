"""`tfrec convert --runner`: on Apache Beam the files are the local engine's to the byte."""

from __future__ import annotations

import os
import pickle
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.helpers.beam_service import ENVIRONMENT, job_service
from tests.helpers.command import fault, tfrec
from tests.helpers.sets import contents
from tests.helpers.small_sets import FULL_WRITERS, SCENES, coco, save_picture, save_pictures, voc
from tfrec_tools.beam import engine as beam_engine
from tfrec_tools.beam.engine import on_beam
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.conversion.plan import make_plan
from tfrec_tools.dataset import staging
from tfrec_tools.dataset.engine import ImageProgress, Job
from tfrec_tools.dataset.publish import Refused
from tfrec_tools.errors import InputError, TfrecError

PROCESSES = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
ODD = [*SCENES, ("d.png", 60, 40, [("cat", -3, 1, 9, 9), ("cat", -3, 1, 9, 9), ("dog", 5, 5, 5, 5)])]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_pictures(tmp_path / "images")
    save_picture(tmp_path / "images/d.png")
    return tmp_path


def assert_same_files(
    tmp_path: Path, *words: object, runner: str = "DirectRunner", beam: Sequence[str] = ()
) -> dict[str, bytes]:
    """The command writes the same files here and on Beam, the manifest's paths included."""
    tfrec("convert", *words, "--out", tmp_path / "here/set")
    tfrec("convert", *words, "--out", tmp_path / "beam/set", "--runner", runner, "--", *beam)
    expected = contents(tmp_path / "here")
    assert contents(tmp_path / "beam") == expected
    return expected


@pytest.mark.parametrize("kind", FULL_WRITERS)
def test_every_format_is_converted_to_the_same_bytes(tmp_path: Path, kind: str) -> None:
    save_pictures(tmp_path / "images")
    source = FULL_WRITERS[kind](tmp_path)
    convert(ConvertOptions(source, tmp_path / "here/set", shards=2))
    convert(ConvertOptions(source, tmp_path / "beam/set", shards=2), engine=on_beam("DirectRunner", []))
    assert contents(tmp_path / "beam") == contents(tmp_path / "here")


def test_issues_splits_and_options(folder: Path) -> None:
    words = [coco(folder, ODD), "--split", "train=0.5,val=0.5", "--compression", "gzip"]
    files = assert_same_files(folder, *words, "--on", "box-outside=keep", "--min-side", "20")
    assert b"box-tiny" in files["set.issues.jsonl"]
    assert len([name for name in files if name.endswith(".tfrecord.gz")]) == 2


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Beam's workers are started otherwise on Windows")
def test_in_processes_of_the_direct_runner(tmp_path: Path, sample_data: Path) -> None:
    assert_same_files(tmp_path, sample_data / "old/annotations.coco.json", "--shards", "3", beam=PROCESSES)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    with job_service(tmp_path_factory.mktemp("service")) as words:
        yield words


def on_service(
    words: Sequence[object], service: list[str], code: int = 0
) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "tfrec_tools",
        "convert",
        *map(str, words),
        "--runner=PortableRunner",
        "--",
    ]
    done = subprocess.run([*command, *service], env=ENVIRONMENT, capture_output=True, encoding="utf-8")
    assert done.returncode == code, done.stderr
    return done


@pytest.mark.slow
def test_on_the_portable_job_service(tmp_path: Path, sample_data: Path, service: list[str]) -> None:
    words = [
        sample_data / "old/annotations.coco.json",
        sample_data / "new/annotations.coco.json",
        "--shards=3",
    ]
    tfrec("convert", *words, "--out", tmp_path / "here/set")
    on_service([*words, "--out", tmp_path / "beam/set"], service)
    assert contents(tmp_path / "beam") == contents(tmp_path / "here")


@pytest.mark.slow
def test_bccd_on_the_portable_job_service(tmp_path: Path, shared: Path, service: list[str]) -> None:
    words = [shared / "data/bccd/BCCD", "--shards=5", "--split=source"]
    tfrec("convert", *words, "--out", tmp_path / "here/set")
    on_service([*words, "--out", tmp_path / "beam/set"], service)
    assert contents(tmp_path / "beam") == contents(tmp_path / "here")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise on Windows")
@pytest.mark.usefixtures("interruptible")
def test_a_worker_that_is_killed_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Beam's own job service waits for a dead worker forever, unlike Flink or Dataflow: so the command is
    interrupted, as a user would, and given again."""
    save_pictures(tmp_path / "images")
    source = coco(tmp_path, [("b.jpg", 96, 64, [("dog", 1, 1, 9, 9)])] * 20_000)
    words = ["convert", source, "--shards", "8", "--out"]
    tfrec(*words, tmp_path / "here/set")
    python = tmp_path / "bin/python"  # what Beam starts workers with
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\necho $$ >> {tmp_path}/pids\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    environment = ENVIRONMENT | {"PATH": f"{python.parent}{os.pathsep}{ENVIRONMENT['PATH']}"}
    with job_service(tmp_path) as beam:
        command = [*words, tmp_path / "beam/set", "--runner", "PortableRunner", "--", *beam]
        process = subprocess.Popen(
            [sys.executable, "-m", "tfrec_tools", *map(str, command)],
            env=environment,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        deadline = time.monotonic() + 60
        parts = tmp_path / "beam/.set.part"
        while not list(parts.glob("*.tfrecord")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.002)
        os.kill(int((tmp_path / "pids").read_text()), signal.SIGKILL)
        time.sleep(1)
        finished = set(parts.glob("[!.]*.tfrecord"))
        assert 0 < len(finished) < 8
        before = {path: path.stat().st_mtime_ns for path in finished}
        process.send_signal(signal.SIGINT)
        assert "interrupted; the same command goes on" in process.communicate(timeout=60)[1]
        assert process.returncode == 130
        assert {path: path.stat().st_mtime_ns for path in before} == before
        on_service([*words[1:], tmp_path / "beam/set"], beam)
    assert contents(tmp_path / "beam") == contents(tmp_path / "here")


def test_a_shard_that_two_workers_write_at_a_time(folder: Path) -> None:
    """As with speculative execution, or after a worker that was thought dead."""
    plan = make_plan(ConvertOptions(coco(folder), folder / "set", shards=1))
    (job,) = plan.jobs
    parts = staging.folder_of(folder / "set")
    parts.mkdir()
    key = secrets.token_bytes(32)
    beam_engine._lay_out([job], parts, key)
    seen: list[tuple[staging.ShardResult, bytes]] = []

    def tick() -> None:
        if not seen:
            faster = job.perform(lambda: None, parts)
            seen.append((faster, staging.shard_path(parts, job.fingerprint).read_bytes()))

    slower = job.perform(tick, parts)
    assert seen == [(slower, staging.shard_path(parts, job.fingerprint).read_bytes())]
    beam_engine._WriteShard(parts, key).process(job.fingerprint)
    assert sorted(path.suffix for path in parts.iterdir()) == [".job", ".json", ".tfrecord"]


def test_a_job_that_another_wrote_is_not_unpickled(folder: Path) -> None:
    (job,) = make_plan(ConvertOptions(coco(folder), folder / "set", shards=1)).jobs
    parts = staging.folder_of(folder / "set")
    parts.mkdir()
    beam_engine._lay_out([job], parts, b"k" * 32)
    (path,) = parts.glob("*.job")
    opened = folder / "opened"
    hostile = pickle.dumps(_Opens(opened))
    for data in (hostile, path.read_bytes()[:32] + hostile, b"", path.read_bytes()[:-1]):
        path.write_bytes(data)
        beam_engine._WriteShard(parts, b"k" * 32).process(job.fingerprint)
        with pytest.raises(InputError, match="is not as this run wrote it"):
            beam_engine._raise_faults([job.fingerprint], parts)
        assert not opened.exists()


class _Opens:
    """What makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self._path,)


def test_what_a_run_has_finished_is_not_done_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ConvertOptions(coco(folder, ODD), folder / "beam/set", shards=4)
    parts = staging.folder_of(options.prefix)
    plan = make_plan(options)
    parts.mkdir(parents=True)
    for job in plan.jobs[1:]:
        job.perform(lambda: None, parts)
    asked = []
    monkeypatch.setattr(beam_engine, "_run", lambda names, *_: asked.append(names))
    with pytest.raises(TfrecError, match="do all workers see that folder"):
        convert(options, engine=on_beam("DirectRunner", []))
    assert asked == [[plan.jobs[0].fingerprint]]


def test_counters(folder: Path) -> None:
    seen = []
    wait = beam_engine._wait

    def noting(result: Any) -> None:
        wait(result)
        seen.extend(result.metrics().query()["counters"])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beam_engine, "_wait", noting)
        finished = convert(
            ConvertOptions(coco(folder, ODD), folder / "out/set", shards=2),
            engine=on_beam("DirectRunner", []),
        )
    ours = {one.key.metric.name: one.committed for one in seen if one.key.metric.namespace == "tfrec"}
    assert ours == {"images": 4, "boxes": finished.manifest.boxes, "issues": len(finished.issues)}


def test_progress(folder: Path) -> None:
    told: list[tuple[str, int, int | None]] = []

    def progress(step: str, done: int, total: int | None, note: str = "") -> None:
        assert not note
        told.append((step, done, total))

    options = ConvertOptions(coco(folder, ODD), folder / "out/set", shards=2, progress=progress)
    convert(options, on_beam("DirectRunner", []))
    assert told[-1] == ("converting images", 4, 4)


def test_a_fault_of_a_worker_is_the_local_one(folder: Path) -> None:
    (folder / "images/c.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    options = ConvertOptions(coco(folder), folder / "out/set", shards=3)
    with pytest.raises(Refused) as here:
        convert(options)
    with pytest.raises(Refused) as there:
        convert(options, engine=on_beam("DirectRunner", []))
    assert str(there.value) == str(here.value)
    assert there.value.issues == here.value.issues
    assert not list((folder / "out").iterdir())


def test_an_image_that_cannot_be_read(folder: Path) -> None:
    """The annotation is found, then the file goes: no run can read it, and Beam's error is one line."""
    options = ConvertOptions(coco(folder), folder / "out/set", shards=3)
    run, picture = on_beam("DirectRunner", []), folder / "images/c.jpg"

    def losing(jobs: Sequence[Job], folder: Path, progress: ImageProgress) -> list[staging.ShardResult]:
        picture.unlink()
        return run(jobs, folder, progress)

    with pytest.raises(TfrecError, match=r"c\.jpg: cannot be read \(No such file") as found:
        convert(options, engine=losing)
    assert "\n" not in str(found.value)


@dataclass(frozen=True)
class RefusedJob:
    """A job whose image is none."""

    file: str = "set-00000-of-00001.tfrecord"
    split: str = ""
    items: tuple[str, ...] = ("a.jpg",)
    fingerprint: str = "0123"

    def order(self, index: int) -> int:
        return index

    def perform(self, tick: Callable[[], None], folder: Path | None) -> NoReturn:  # noqa: ARG002
        raise InputError("a.jpg", "is no picture", where="byte 3")


def test_an_input_error_of_a_job_comes_as_it_is(folder: Path) -> None:
    with pytest.raises(InputError) as found:
        on_beam("DirectRunner", [])([RefusedJob()], folder, lambda *_: None)
    assert str(found.value) == "a.jpg: byte 3: is no picture"


def test_policies(folder: Path) -> None:
    with pytest.raises(Refused):
        convert(
            ConvertOptions(coco(folder, ODD), folder / "out/set", policy="strict"),
            engine=on_beam("DirectRunner", []),
        )
    (folder / "images/c.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    assert_same_files(folder, coco(folder, ODD), "--policy", "lenient", "--shards", "2")


def test_words_that_beam_does_not_take(folder: Path) -> None:
    source, out = voc(folder), folder / "out/set"
    found = fault("convert", source, "--out", out, "--runner", "DirectRunner", "--", "--direct_num_workers=x")
    assert found.startswith(
        "Apache Beam does not take its options: argument --direct_num_workers: invalid int"
    )
    found = fault("convert", source, "--out", out, "--runner", "NoRunner")
    assert found.startswith("--runner: Unexpected pipeline runner: NoRunner")
    found = fault("convert", source, "--out", out, "--runner=PortableRunner")
    assert "You must specify a --job_endpoint" in found


def test_without_runner_what_stands_behind_the_dashes_are_sources(folder: Path) -> None:
    out, _ = tfrec("convert", "--out", folder / "out/set", "--", coco(folder))
    assert "3 images" in out


MISSING = """
import sys
sys.modules["apache_beam"] = None
sys.argv = ["tfrec", *{words!r}]
from tfrec_tools.cli.app import main
main()
"""


def test_without_the_extra_it_is_one_line(folder: Path) -> None:
    words = ["convert", str(coco(folder)), "--out", str(folder / "out/set")]
    program = MISSING.format(words=[*words, "--runner", "DirectRunner"])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8")
    assert done.returncode == 1
    assert done.stderr == (
        "tfrec: error: --runner needs Apache Beam (apache_beam is not installed): "
        "pip install 'tfrec-tools[beam]'\n"
    )
    program = MISSING.format(words=words)
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0


def test_beam_imports_no_tensorflow_and_nobody_else_imports_beam() -> None:
    program = "import sys, tfrec_tools.{0}; print([n for n in {1!r} if n in sys.modules])"
    for room, names in (("beam.engine", ["tensorflow", "keras"]), ("conversion.convert", ["apache_beam"])):
        done = subprocess.run(
            [sys.executable, "-c", program.format(room, names)], capture_output=True, encoding="utf-8"
        )
        assert done.stdout == "[]\n", done.stderr


def test_jobs_travel(folder: Path) -> None:
    """What a job file holds can be read where only the package is installed, and is done there."""
    (job,) = make_plan(ConvertOptions(coco(folder), folder / "set", shards=1)).jobs
    there = pickle.loads(pickle.dumps(job))
    assert there.perform(lambda: None, None) == job.perform(lambda: None, None)
