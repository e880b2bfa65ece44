"""A finished set against what its source says now: the source is read again with the set's own options, and
each record that it would give is held against the one that the set has."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path

import PIL

from tfrec_tools import __version__
from tfrec_tools.annotations.records import ImageRecord
from tfrec_tools.conversion.jobs import ConversionJob, load_checked
from tfrec_tools.conversion.plan import make_plan, with_paths
from tfrec_tools.conversion.replay import options_of
from tfrec_tools.dataset import shards, verify
from tfrec_tools.dataset.engine import ImageProgress, ticker
from tfrec_tools.dataset.manifest import Manifest, read_manifest
from tfrec_tools.dataset.options import VerifyOptions
from tfrec_tools.dataset.verify import Difference, Verified
from tfrec_tools.errors import InputError
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.system import stores, workers
from tfrec_tools.system.options import as_path
from tfrec_tools.system.workers import Tick
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.example import Parsed, encode_example, parse_example


@dataclass(frozen=True, slots=True)
class _Content:
    """A record: its split, the name of its image, and the digests of the image and of all the rest."""

    split: str
    filename: str
    image: bytes
    rest: bytes


_FIELDS = sorted({field.name for field in fields(ImageRecord)} - {"labeled", "source"})

Contents = dict[str, _Content]  # by image id


def verified(options: VerifyOptions) -> tuple[Verified, ...]:
    """Each set against its manifest; with `against` one set, where it is sound, against its source too."""
    if options.against is None and options.images is not None:
        raise InputError("--images", "is for --against; give the source too")
    sets = verify.verify(options)
    if options.against is None:
        return sets
    if len(sets) > 1:
        raise InputError(as_path(options.where), f"holds {len(sets)} sets; --against is for one, DIR/NAME")
    return tuple(
        item if item.faults else replace(item, differences=_differences(item.prefix, options))
        for item in sets
    )


def _differences(prefix: Path, options: VerifyOptions) -> tuple[Difference, ...]:
    manifest = read_manifest(shards.manifest_path(prefix))
    again = with_paths(options_of(prefix, manifest, options), stores.located)
    plan = make_plan(again)
    source = _of_source(plan.jobs, partial(options.progress, "reading the source"))
    found = [
        *_of_label_maps(manifest, plan.label_map),
        *_between(_of_set(prefix, manifest), source),
    ]
    return (*found, *_of_versions(manifest)) if found else ()


def _of_label_maps(manifest: Manifest, label_map: LabelMap) -> Iterator[Difference]:
    before = {item.id: item.name for item in manifest.classes}
    now = label_map.name_by_id
    for label_id in sorted(before.keys() | now.keys()):
        if before.get(label_id) != now.get(label_id):
            message = f"the set has {before.get(label_id)!r}, the source gives {now.get(label_id)!r}"
            yield Difference("class", f"id {label_id}", message)


def _of_versions(manifest: Manifest) -> Iterator[Difference]:
    for name, before, now in (
        ("tfrec", manifest.tool_version, __version__),
        ("pillow", manifest.versions.get("pillow"), PIL.__version__),
    ):
        if before != now:
            yield Difference("version", name, f"the set is of {before}, this is {now}: it may read otherwise")


def _between(before: Mapping[str, _Content], now: Mapping[str, _Content]) -> Iterator[Difference]:
    for image_id, old in before.items():
        new = now.get(image_id)
        if new is None:
            yield Difference("removed", old.filename, "the set has it, the source does not give it any more")
            continue
        if old.image != new.image:
            yield Difference("image", new.filename, "the image is another one than in the set")
        if old.rest != new.rest:
            yield Difference("annotations", new.filename, "its record has other annotations in the set")
        if old.split != new.split:
            yield Difference("split", new.filename, f"is in {old.split!r}, the source gives {new.split!r}")
    for image_id, new in now.items():
        if image_id not in before:
            yield Difference("added", new.filename, "the source gives it, the set does not have it")


def _of_set(prefix: Path, manifest: Manifest) -> Contents:
    contents: Contents = {}
    for info in manifest.shards:
        contents |= _contents((info.split, data) for data in framing.read(prefix.with_name(info.file)))
    return contents


def _of_source(jobs: Sequence[ConversionJob], progress: ImageProgress) -> Contents:
    count = min(workers.cores(), len(jobs))
    ticked = ticker(sum(len(job.items) for job in jobs), progress)
    if count > 1:
        parts = workers.spread(_of_job, jobs, count, ticked)
    else:
        parts = [_of_job(job, lambda: ticked(1)) for job in jobs]
    return {image_id: content for part in parts for image_id, content in part.items()}


def _of_job(job: ConversionJob, tick: Tick) -> Contents:
    def examples() -> Iterator[tuple[str, bytes]]:
        for item in job.items:
            record, image, _ = load_checked(item.record, item.place, job.checks, job.rules)
            if record is not None and image is not None:
                yield job.split, encode_example(record, image, job.classes.ids, job.classes.keypoints)
            tick()

    return _contents(examples())


def _contents(examples: Iterable[tuple[str, bytes]]) -> Contents:
    contents: Contents = {}
    for split, data in examples:
        parsed = parse_example(data, "record")
        image = hashlib.sha256(parsed.image.data).digest()
        contents[parsed.record.image_id] = _Content(split, parsed.record.filename, image, _rest(parsed))
    return contents


def _rest(parsed: Parsed) -> bytes:
    """The digest of all that a record says but its image; in its bytes, lengths depend on the image too."""
    record = parsed.record
    said = {name: getattr(record, name) for name in _FIELDS}
    values = [value.tobytes() if hasattr(value, "tobytes") else value for value in said.values()]
    of_classes = (sorted(record.labeled or ()), parsed.label_ids, parsed.labeled_ids)
    facts = (values, *of_classes, parsed.weights, parsed.keypoint_names)
    return hashlib.blake2b(repr(facts).encode(), digest_size=16).digest()
