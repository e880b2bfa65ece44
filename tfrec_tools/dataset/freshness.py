"""Whether a finished set is still what its source says. The digest in its manifest sees every annotation and
the size of every image file, but not their bytes: for these stand the files' times of change, in
DIR/.NAME.state. Times must not stand in the manifest, as the same input gives the same manifest.

Where a time is another, or there is no such file, the shards concerned are made again in the hidden folder
and held against the manifest: a file that was only touched changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import msgspec

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.dataset import staging
from tfrec_tools.dataset.engine import Job
from tfrec_tools.dataset.manifest import Manifest, ShardInfo
from tfrec_tools.dataset.staging import ShardResult
from tfrec_tools.errors import InputError, counted
from tfrec_tools.system.atomic import published
from tfrec_tools.tfrecords import framing


@dataclass(frozen=True, slots=True)
class State:
    """Of which set it is, and {file of a shard: fingerprint of the job that gave it}."""

    manifest_sha256: str
    shards: dict[str, str]


def state_path(out: Path) -> Path:
    return out.with_name(f".{out.name}.state")


def state_of(manifest: Manifest, jobs: Iterable[Job]) -> bytes:
    state = State(manifest.manifest_sha256, {job.file: job.fingerprint for job in jobs})
    return msgspec.json.encode(state) + b"\n"


def write_state(out: Path, manifest: Manifest, jobs: Iterable[Job]) -> None:
    with published(state_path(out)) as (part,):
        part.write_bytes(state_of(manifest, jobs))


def unsure(out: Path, manifest: Manifest, jobs: Sequence[Job]) -> list[Job]:
    """The jobs whose image files are not known to be those that the finished set was made of."""
    try:
        state = msgspec.json.decode(state_path(out).read_bytes(), type=State)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return list(jobs)
    if state.manifest_sha256 != manifest.manifest_sha256:
        return list(jobs)
    return [job for job in jobs if state.shards.get(job.file) != job.fingerprint]


def differing(
    out: Path, manifest: Manifest, issues: Iterable[Issue], jobs: Sequence[Job], done: Sequence[ShardResult]
) -> str:
    """Returns which shard's images are others, where jobs that were done again do not give what the finished
    set holds; "" where they do.

    issues   that the set has
    """
    known = set(issues)
    infos = {info.file: info for info in manifest.shards}
    pairs = list(zip(jobs, done, strict=True))
    other = [job for job, result in pairs if not _is_same(infos.get(job.file), result, known)]
    if not other:
        return ""
    first = other[0]
    again = staging.shard_path(staging.folder_of(out), first.fingerprint)
    name = next(_differing(out.with_name(first.file), again), "")
    what = f"image {json.dumps(name)} was" if name else "images were"
    more = f" (and {counted(len(other) - 1, 'more shard')})" if other[1:] else ""
    return f"{first.file}: {what} changed{more}"


def _is_same(info: ShardInfo | None, result: ShardResult, known: set[Issue]) -> bool:
    found = (result.images, result.written.bytes, result.records_sha256, result.written.crc32c)
    return (
        info is not None
        and (info.records, info.bytes, info.records_sha256, info.crc32c) == found
        and all(issue in known for _, issue in result.issues)
    )


def _differing(before: Path, now: Path) -> Iterator[str]:
    """The names of the images whose records differ, as far as both files can be read."""
    from tfrec_tools.tfrecords.example import parse_example  # loads numpy, which nothing else here needs

    try:
        for old, new in zip_longest(framing.read(before), framing.read(now)):
            if old != new:
                yield parse_example(new or old or b"", str(now)).record.filename
    except (InputError, OSError):
        return
