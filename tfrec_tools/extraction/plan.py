"""What an extraction will write, decided before the first byte: images and their names, splits, label map."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from tfrec_tools import __version__
from tfrec_tools.annotations.records import ImageRecord, Source
from tfrec_tools.dataset import label_maps, shards
from tfrec_tools.dataset.identity import unlike_ids
from tfrec_tools.errors import InputError
from tfrec_tools.extraction import names
from tfrec_tools.extraction.options import ExtractOptions
from tfrec_tools.formats import tfod
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.formats.writers import WRITERS, Writer
from tfrec_tools.labels import pbtxt
from tfrec_tools.labels.label_map import Label, LabelMap
from tfrec_tools.system import stores
from tfrec_tools.system.options import recorded_texts
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.features import source_id

_SPLIT = re.compile(r"[A-Za-z0-9_]+")
_HEAD_BYTES = 64  # of an image, which say its format


class Item(NamedTuple):
    """An image to be written: its record, its name below the folder of images, its number among all images
    of its format's ids, and how many boxes the images before it have."""

    record: ImageRecord
    name: str
    image_id: int
    first_box: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be written.

    splits        the names; ("",) where the records have none
    items         in the order of the records
    unsaid        {what: of how many images the format cannot say it}
    labeled       the classes that `tfrec convert` must be told that the images were annotated for, as the
                  files name those alone that occur in them; none where it need not
    digest        of all that the bytes of the extraction depend on
    fingerprint   the same with the files and their times of change
    """

    kind: str
    source: Source
    files: tuple[Path, ...]
    labels: LabelMap
    splits: tuple[str, ...]
    items: tuple[Item, ...]
    unsaid: Counter[str]
    labeled: tuple[str, ...]
    digest: str
    fingerprint: str

    @property
    def writer(self) -> Writer:
        return WRITERS[self.kind]


def make_plan(options: ExtractOptions) -> Plan:
    """Reads the records. InputError where there are none, where one is damaged or has no image, or where they
    do not fit."""
    files = shards.record_files(options.patterns)
    _require_single_map(files, options)
    subject = stores.of_url(Path(", ".join(options.patterns)))
    how = ReadOptions(masks=not options.no_masks, label_map=options.labels_path)
    read = tfod.read_files(files, subject, how)
    source = read.source
    _require_usable(subject, source)
    labels = _labels(files[0], options, read)
    splits = _splits(source.records)
    items = _items(WRITERS[options.to], source.records)
    lacks = not WRITERS[options.to].lists_classes and _lacks_classes(items, labels)
    unsaid = _unsaid(WRITERS[options.to], items, labels)
    if lacks and any("," in name for name in labels.names):  # which --labeled has between them
        unsaid["labeled"] = len(items)
    labeled = labels.names if lacks and not unsaid["labeled"] else ()
    digests = _digests(files, options, labels, source)
    return Plan(options.to, source, tuple(files), labels, splits, items, +unsaid, labeled, *digests)


def _require_single_map(files: Sequence[Path], options: ExtractOptions) -> None:
    """Raises InputError where the records are of sets whose label maps differ."""
    if options.record_labels is not None:
        return
    maps: dict[str, tuple[object, object]] = {}
    for file in files:
        manifest = shards.manifest_of(file)
        ids, subject = label_maps.names_of(file, manifest)
        maps.setdefault(
            str(file.with_name(subject or file.name)), (ids, label_maps.keypoints_of(file, manifest))
        )
    (first, known), *others = maps.items()
    for subject, of_other in others:
        if of_other != known:
            what = "ids" if of_other[0] != known[0] else "keypoints"
            reason = f"gives other {what} than {first}; make one set of them with `tfrec remap` first, or say"
            raise InputError(subject, f"{reason} --record-labels")


def _require_usable(subject: Path, source: Source) -> None:
    """Raises InputError where a record is none, or has no image: nothing is left out unasked."""
    damaged = next((issue for issue in source.issues if issue.code == "annotation-damaged"), None)
    if damaged is not None:
        raise InputError(damaged.source, damaged.message)
    if not source.records:
        raise InputError(subject, "the record files hold no examples")
    empty = next((record for record in source.records if record.place is None), None)
    if empty is not None:
        raise InputError(empty.source, "holds no image (image/encoded is empty), and so none can be written")
    if not source.classes:
        raise InputError(subject, "has no boxes and no label map, and so no classes; say --record-labels")


def _labels(file: Path, options: ExtractOptions, read: tfod.Files) -> LabelMap:
    """Returns the label map of the records with all that it says; of classes that it lacks, or has twice, by
    the ids in the records, or the next that are free. Their keypoints are those of the records."""
    path = options.labels_path or _map_beside(file)
    known = {label.name: label for label in pbtxt.read_label_map(path).labels} if path else {}
    labels: dict[int, Label] = {}
    homeless: list[str] = []
    for name in read.source.classes:
        label = known.get(name) or Label(read.ids[name], name)
        label = replace(label, keypoints=read.places.get(name, ()))
        if label.id > 0 and label.id not in labels:
            labels[label.id] = label
        else:
            homeless.append(name)
    following = max(labels, default=0) + 1
    free = (
        Label(label_id, name, keypoints=read.places.get(name, ()))
        for label_id, name in enumerate(homeless, start=following)
    )
    return LabelMap((*labels.values(), *free), str(path or file))


def _map_beside(file: Path) -> Path | None:
    """Returns the label map's file of a record file's set, if it is there."""
    manifest = shards.manifest_of(file)
    if manifest is not None:
        path = file.with_name(manifest.label_map)
        return path if path.is_file() else None
    beside = sorted(file.parent.glob("*.pbtxt"))
    return beside[0] if len(beside) == 1 else None


def _splits(records: Sequence[ImageRecord]) -> tuple[str, ...]:
    """Returns the splits, ("",) where there are none. Raises InputError where only some records have one, or
    where one can be no part of a file's name."""
    splits = dict.fromkeys(record.split or "" for record in records)
    if len(splits) > 1 and "" in splits:
        bare, divided = (
            next(record for record in records if bool(record.split) is has) for has in (False, True)
        )
        reason = f"is of no split, but {divided.source} is of {divided.split!r}; extract them one by one"
        raise InputError(bare.source, reason)
    odd = next((split for split in splits if split and not _SPLIT.fullmatch(split)), None)
    if odd is not None:
        raise InputError("manifest", f"names a split {odd!r}, expected letters, digits and _ only")
    return tuple(splits)


def _items(writer: Writer, records: Sequence[ImageRecord]) -> tuple[Item, ...]:
    namer = names.Namer()
    ids = _image_ids(records)
    items: list[Item] = []
    boxes = 0
    for number, (record, image_id) in enumerate(zip(records, ids, strict=True)):
        assert record.place is not None
        wanted = names.safe(record.filename, number, record.place.head(_HEAD_BYTES))
        split = record.split or ""
        name = namer.name(wanted, lambda each, split=split: writer.image_path(each, split))  # type: ignore[misc]
        items.append(Item(record, name, image_id, boxes))
        boxes += len(record.names)
    return tuple(items)


def _image_ids(records: Sequence[ImageRecord]) -> list[int]:
    """Returns numbers of which each stands for one image: the records' own, as far as they are such."""
    own = [record.image_id for record in records]
    unlike, _ = unlike_ids(own, range(len(own)), lambda i: [f"{own[i]} {records[i].source}"])
    return [int(source_id(image_id)) for image_id in unlike]


def _unsaid(writer: Writer, items: Sequence[Item], labels: LabelMap) -> Counter[str]:
    """Returns of how many images the format cannot say what `convert` would read again."""
    unsaid = Counter[str]()
    for item in items:
        record, split = item.record, item.record.split or ""
        path = writer.image_path(item.name, split)
        name = path if writer.named_by == "path" else item.name
        again = str(item.image_id) if writer.has_ids else source_id(name)
        unsaid["split"] += bool(split) and writer.splits is not None and split not in writer.splits
        unsaid["filename"] += name != record.filename
        unsaid["source_id"] += again != source_id(record.image_id)
        if not writer.labeled:
            unsaid["labeled"] += record.labeled is not None and not record.labeled.issuperset(labels.names)
    return unsaid


def _lacks_classes(items: Sequence[Item], labels: LabelMap) -> bool:
    """Returns whether not every class has a box, in each split."""
    used: dict[str, set[str]] = {}
    for item in items:
        used.setdefault(item.record.split or "", set()).update(item.record.names)
    return any(of_split != set(labels.names) for of_split in used.values())


def _digests(
    files: Sequence[Path], options: ExtractOptions, labels: LabelMap, source: Source
) -> tuple[str, str]:
    """Returns the digest of all that the extraction's bytes depend on, wherever and whenever the same records
    lie, and the same with the state of their files."""
    splits = [record.split for record in source.records]
    facts = [__version__, repr(labels.labels), repr(recorded_texts(options)), repr(splits)]
    for file in files:
        tally = framing.tally(file)
        facts.append(f"{file.name} {tally.bytes} {tally.crc32c}")
    digest = hashlib.sha256("\n".join(facts).encode(errors="surrogateescape"))
    of_content = digest.hexdigest()
    for file in files:
        digest.update(f"{file} {file.stat().st_mtime_ns}".encode(errors="surrogateescape"))
    return of_content, digest.hexdigest()
