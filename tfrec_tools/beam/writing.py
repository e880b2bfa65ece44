"""WriteShards: Examples in any order as the shards that `tfrec convert` writes, and its sidecars.

Which shard an Example belongs to depends on its rank among all, by the hash of its image's id. Ranks are
found without sorting all: the hashes are counted in buckets, and only those where a shard begins are sorted.
"""

from __future__ import annotations

import errno
import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import apache_beam as beam
import PIL
from apache_beam.pvalue import AsIter, AsSingleton

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.beam.examples import About, Converted, Examples, image_at
from tfrec_tools.beam.paths import BeamPath, located
from tfrec_tools.conversion.jobs import write_shard
from tfrec_tools.conversion.plan import checks_of
from tfrec_tools.dataset import partition, publish, shards, staging
from tfrec_tools.dataset.engine import finished, run
from tfrec_tools.dataset.publish import SetPlan
from tfrec_tools.dataset.staging import ShardResult
from tfrec_tools.errors import InputError, counted
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.system.options import recorded_texts
from tfrec_tools.system.workers import Tick

Key = tuple[float, int]  # (hash of the image's id in [0, 1), order in the source): where an Example stands

_BUCKETS = 4096


@dataclass(frozen=True, slots=True)
class Target:
    """A set to write: DIR/NAME, the number of its shards, the seed of the order of images, "" or "gzip"."""

    out: Path
    shards: int
    seed: int
    compression: str

    @property
    def files(self) -> list[Path]:
        return shards.shard_paths(self.out, self.shards, "", self.compression)

    def key(self, converted: Converted) -> Key:
        return partition.position(converted.image_id, self.seed, "order"), converted.order


@dataclass(frozen=True, slots=True)
class WrittenShard:
    """A shard that lies in the work folder already."""

    file: str
    split: str
    items: range
    fingerprint: str

    def order(self, index: int) -> int:
        return index

    def perform(self, tick: Tick, folder: Path | None) -> ShardResult:  # noqa: ARG002
        """OSError: it was to be there."""
        reason = f"{self.file} is not there; do all workers see this folder?"
        raise OSError(errno.ENOENT, reason, str(folder))


class WriteShards(beam.PTransform):
    """A set DIR/NAME, the same to the byte as that of `tfrec convert` with as many shards, but for two: the
    manifest's digest is over its records, and NAME.issues.html shows no images. A worker holds a shard at
    a time. The manifest is written last, by one worker, to which all issues come.

    out     DIR/NAME, also a URL of what Beam opens
    shards  how many; at most as many as images

    Raises InputError where the set is there and may not be replaced. The pipeline fails where the policies do
    not allow an issue; nothing has its final name then.
    """

    def __init__(
        self, out: str | Path, shards: int, seed: int = 0, compression: str = "", overwrite: bool = False
    ) -> None:
        super().__init__()
        self._target = Target(located(out, BeamPath), shards, seed, compression)
        self._overwrite = overwrite
        _require_free(self._target.out, overwrite)

    def expand(self, inputs: Any) -> Any:
        examples, about, issues = Examples(*inputs)
        target = self._target
        keys = examples | "Keys" >> beam.Map(target.key)
        ranks = (
            keys
            | "Bucket" >> beam.Map(_bucket)
            | "Count" >> beam.combiners.Count.PerElement()
            | "Sizes" >> beam.combiners.ToDict()
            | "Ranks" >> beam.Map(_cut_ranks, target)
        )
        cuts = (
            keys
            | "NearCuts" >> beam.FlatMap(_near_cut, AsSingleton(ranks))
            | "ByBucket" >> beam.GroupByKey()
            | "Cut" >> beam.FlatMap(_cuts_in, AsSingleton(ranks))
            | "Cuts" >> beam.combiners.ToList()
            | "InOrder" >> beam.Map(sorted)
        )
        written = (
            examples
            | "ToShard" >> beam.Map(_placed, target, AsSingleton(cuts))
            | "ByShard" >> beam.GroupByKey()
            | "Write" >> beam.Map(_write, target)
        )
        return about | "Publish" >> beam.Map(
            _publish, target, self._overwrite, AsIter(written), AsIter(issues)
        )


def _require_free(out: Path, overwrite: bool) -> None:
    publish.require_name(out)
    if not overwrite and (there := shards.set_files(out)):
        reason = "exists already; replace the set by overwrite=True or choose another name"
        raise InputError(there[0], reason)


def _bucket(key: Key) -> int:
    return int(key[0] * _BUCKETS)


def _cut_ranks(sizes: Mapping[int, int], target: Target) -> dict[int, list[int]]:
    """Returns {bucket: the ranks in it where a shard begins}, of {bucket: its size}; without the first
    shard."""
    buckets = sorted(sizes)
    ends = list(accumulate(sizes[bucket] for bucket in buckets))
    total = ends[-1] if ends else 0
    if target.shards > total:
        reason = f"{counted(target.shards, 'shard')} for {counted(total, 'image')}; give at most as many"
        raise InputError(target.out, reason)
    ranks: dict[int, list[int]] = {}
    for i in range(1, target.shards):
        rank = total * i // target.shards
        at = bisect_right(ends, rank)
        ranks.setdefault(buckets[at], []).append(rank - ends[at] + sizes[buckets[at]])
    return ranks


def _near_cut(key: Key, ranks: Mapping[int, list[int]]) -> Iterator[tuple[int, Key]]:
    if _bucket(key) in ranks:
        yield _bucket(key), key


def _cuts_in(keys_of_bucket: tuple[int, Iterable[Key]], ranks: Mapping[int, list[int]]) -> list[Key]:
    """Returns the first keys of the shards that begin in a bucket."""
    bucket, keys = keys_of_bucket
    ordered = sorted(keys)
    return [ordered[rank] for rank in ranks[bucket]]


def _placed(converted: Converted, target: Target, cuts: Sequence[Key]) -> tuple[int, tuple[Key, Converted]]:
    key = target.key(converted)
    return bisect_right(cuts, key), (key, converted)


def _write(shard: tuple[int, Iterable[tuple[Key, Converted]]], target: Target) -> tuple[int, str]:
    """Writes a shard to the work folder; its number and the SHA-256 of its records."""
    number, placed = shard
    ordered = [image for _, image in sorted(placed, key=lambda pair: pair[0])]
    kept = [image for image in ordered if image.encoded is not None]
    folder, name = staging.folder_of(target.out), target.files[number].name
    staging.make_folder(folder)
    examples = map(_with_image, kept)
    size = sum(image.size or len(image.encoded or b"") for image in kept)
    written, sha256 = write_shard(staging.shard_path(folder, name), examples, target.compression, size)
    boxes = Counter(name for image in kept for name in image.names)
    images_per_class = Counter(name for image in kept for name in set(image.names))
    negatives = sum(not image.names for image in kept)
    staging.note(
        folder,
        name,
        ShardResult(written, sha256, len(kept), negatives, dict(boxes), dict(images_per_class), ()),
    )
    return number, sha256


def _with_image(converted: Converted) -> tuple[bytes, memoryview]:
    """Returns an Example, and the bytes of its image."""
    example = converted.example() or b""
    begin, end = (converted.at, converted.at + converted.size) if converted.image else image_at(example)
    return example, memoryview(example)[begin:end]


def _publish(
    about: About,
    target: Target,
    overwrite: bool,
    written: Iterable[tuple[int, str]],
    issues: Iterable[tuple[tuple[int, ...], Issue]],
) -> str:
    """Does what `tfrec convert` does when its shards are finished; may be done again. The manifest's path."""
    jobs = [WrittenShard(file.name, "", range(0), file.name) for file in target.files]
    done = finished(jobs, staging.folder_of(target.out))
    ordered = tuple(issue for _, issue in sorted(issues, key=lambda pair: pair[0]))
    options = replace(
        about.options,
        out=target.out,
        shards=target.shards,
        seed=target.seed,
        compression="gzip" if target.compression else "none",
        overwrite=overwrite,
    )
    labeled = tuple(name for name in about.source.labeled if name in about.labeled)
    set_plan = SetPlan(
        out=target.out,
        overwrite=overwrite and bool(done),  # there are none where they were published before
        label_map=about.label_map,
        splits=(),
        jobs=jobs,
        sources=(replace(about.source, labeled=labeled),),
        readings=(None,),  # pieces of a source are not counted as a whole
        inputs=options.source_paths,
        replaceable=(options.labels_path,) if options.labels_path else (),
        options=recorded_texts(options),
        versions={"pillow": PIL.__version__},
        digest=_digest(about.label_map, written),
        issues=ordered,
    )
    publish.finish(set_plan, checks_of(options).policies, run, lambda *_: None)
    return str(shards.manifest_path(target.out))


def _digest(label_map: LabelMap, written: Iterable[tuple[int, str]]) -> str:
    facts = [repr(label_map.labels), *(sha256 for _, sha256 in sorted(written))]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()
