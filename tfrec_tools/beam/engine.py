"""A planned conversion on Apache Beam: its jobs, a shard each, done by the workers of any of Beam's runners.

What travels through Beam are names. Jobs lie in the work folder, as files; workers read them there, write
their shards beside them and rename them, as the processes of the local engine do. So a bundle that is
retried, or done by two workers at a time, changes nothing, and what a run has finished is there for the next.

    FINGERPRINT.RUN.job   a job and what does it, pickled, behind an HMAC by the run's key: who can write to
                          the folder cannot have workers unpickle what the launcher did not write
    FINGERPRINT.fault     why it cannot be done: (path, where, reason) of an InputError
"""

from __future__ import annotations

import hashlib
import hmac
import io
import pickle
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from pathlib import Path

import apache_beam as beam
import msgspec
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineResult, PipelineState, create_runner

from tfrec_tools.beam.counters import count
from tfrec_tools.dataset import staging
from tfrec_tools.dataset.engine import Engine, ImageProgress, Job, finished, ticker
from tfrec_tools.dataset.staging import ShardResult
from tfrec_tools.errors import InputError, TfrecError
from tfrec_tools.system.atomic import published

_KEY_BYTES = 32  # of a key, and of an HMAC by SHA-256
_LOOK_EVERY_S = 1.0


def on_beam(runner: str, words: Sequence[str]) -> Engine:
    """Returns the engine that has jobs done by a runner of Beam.

    runner   as Beam names it, such as "DataflowRunner"
    words    Beam's own options, as on a command line

    Raises TfrecError where Beam does not take the options. The engine raises the InputError of a job that has
    one, and TfrecError where Beam fails; then the same call does the rest.
    """
    options = parsed([f"--runner={runner}", *words])
    FileSystems.set_options(options)
    try:
        create_runner(runner)
    except ValueError as fault:
        raise TfrecError(f"--runner: {last_line(fault)}") from fault

    def engine(jobs: Sequence[Job], folder: Path, progress: ImageProgress) -> list[ShardResult]:
        noted = staging.noted(folder)
        before = finished([job for job in jobs if job.fingerprint in noted], folder)
        left = {job.fingerprint: job for job in jobs if job.fingerprint not in before}
        key = secrets.token_bytes(_KEY_BYTES)
        _lay_out(left.values(), folder, key)
        with _watched(jobs, folder, progress):
            _run(sorted(left), _WriteShard(folder, key), options)
        _raise_faults(left, folder)
        done = finished(jobs, folder)
        if lacking := [job.file for job in jobs if job.fingerprint not in done]:
            reason = (
                f"{runner} ended well, but {lacking[0]} is not in {folder}: do all workers see that folder?"
            )
            raise TfrecError(reason)
        return [done[job.fingerprint] for job in jobs]

    return engine


def parsed(words: Sequence[str]) -> PipelineOptions:
    """Raises TfrecError with Beam's own line where it refuses a word."""
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            options = PipelineOptions(list(words))
            options.get_all_options(retain_unknown_options=True)
    except SystemExit as end:
        reason = said.getvalue().strip().rpartition("error: ")[2]
        raise TfrecError(f"Apache Beam does not take its options: {reason}") from end
    return options


def _lay_out(jobs: Iterable[Job], folder: Path, key: bytes) -> None:
    for fault in folder.glob("*.fault"):
        fault.unlink()
    for job in jobs:
        path = _job_path(folder, job.fingerprint, key)
        data = pickle.dumps(job)
        path.write_bytes(_seal(path, data, key) + data)


def _job_path(folder: Path, fingerprint: str, key: bytes) -> Path:
    """Runs have files of their own, so that two at a time do not take each other's."""
    return _path(folder, fingerprint, f"{hashlib.sha256(key).hexdigest()[:8]}.job")


def _seal(path: Path, data: bytes, key: bytes) -> bytes:
    """Returns the HMAC of a job under its name, so that none stands for another."""
    return hmac.digest(key, path.name.encode() + b"\0" + data, "sha256")


def _read_job(path: Path, key: bytes) -> Job:
    """Raises InputError where the launcher did not write the job."""
    sealed = path.read_bytes()
    seal, data = sealed[:_KEY_BYTES], sealed[_KEY_BYTES:]
    if not hmac.compare_digest(seal, _seal(path, data, key)):
        raise InputError(path, "is not as this run wrote it: another has changed it; start the run anew")
    job: Job = pickle.loads(data)  # noqa: S301  (sealed by this run's key)
    return job


def _run(fingerprints: Sequence[str], write: beam.DoFn, options: PipelineOptions) -> None:
    if not fingerprints:
        return
    try:
        pipeline = beam.Pipeline(options=options)
        _ = (
            pipeline
            | "Shards" >> beam.Create(fingerprints)
            | "Spread" >> beam.Reshuffle()
            | "Write" >> beam.ParDo(write)
        )
        result = pipeline.run()
        _wait(result)
    except TfrecError:
        raise
    except Exception as fault:  # each runner has its own
        raise TfrecError(f"Apache Beam: {last_line(fault)}; the same command goes on") from fault


def _wait(result: PipelineResult) -> None:
    """Raises TfrecError where the run does not end well; it is called off where this process is
    interrupted."""
    try:
        state = result.wait_until_finish()
    except KeyboardInterrupt:
        result.cancel()
        raise
    if state not in (None, PipelineState.DONE, PipelineState.UPDATED):
        raise TfrecError(f"Apache Beam: the run is {state}; the same command goes on")


def last_line(fault: Exception) -> str:
    """Returns what went wrong, which Beam puts below the traceback of a worker."""
    lines = [line.strip() for line in str(fault).splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else type(fault).__name__


class _WriteShard(beam.DoFn):
    """The shard of a job, unless it was finished before; what it has is counted either way."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self._folder = folder
        self._key = key

    def process(self, fingerprint: str) -> None:
        try:
            job = _read_job(_job_path(self._folder, fingerprint, self._key), self._key)
            done = finished([job], self._folder).get(fingerprint) or job.perform(_no_tick, self._folder)
        except InputError as fault:
            if isinstance(fault.__cause__, OSError):  # the next try may read it
                raise
            path = _path(self._folder, fingerprint, "fault")
            with published(path, alone=False) as (part,):
                part.write_bytes(msgspec.json.encode((fault.path, fault.where, fault.reason)))
            return
        count(done.images, sum(done.boxes.values()), len(done.issues))


def _no_tick() -> None:
    """Workers are too many to be listened to; the launcher looks at what lies in the folder."""


def _raise_faults(jobs: Iterable[str], folder: Path) -> None:
    """That of the first job that has one."""
    there = {path.stem: path for path in folder.glob("[!.]*.fault")}
    for path in (there[fingerprint] for fingerprint in jobs if fingerprint in there):
        file, where, reason = msgspec.json.decode(path.read_bytes(), type=tuple[str, str, str])
        raise InputError(file, reason, where=where)


def _path(folder: Path, fingerprint: str, suffix: str) -> Path:
    return folder / f"{fingerprint}.{suffix}"


@contextmanager
def _watched(jobs: Sequence[Job], folder: Path, progress: ImageProgress) -> Iterator[None]:
    """Meanwhile the images of the shards that are finished are told to `progress`."""
    ended = threading.Event()
    thread = threading.Thread(target=_watch, args=(jobs, folder, progress, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _watch(jobs: Sequence[Job], folder: Path, progress: ImageProgress, ended: threading.Event) -> None:
    ticked: Callable[[int], None] = ticker(sum(len(job.items) for job in jobs), progress)
    left = {job.fingerprint: len(job.items) for job in jobs}
    last = False
    while not last:
        last = ended.wait(_LOOK_EVERY_S)
        noted = set[str]()
        with suppress(OSError):  # a store that does not answer now; the run has its own tries
            noted = staging.noted(folder)
        ticked(sum(images for fingerprint, images in left.items() if fingerprint in noted))
        left = {fingerprint: images for fingerprint, images in left.items() if fingerprint not in noted}
