"""TFRecords of images with boxes, as TFOD's scripts and `tfrec convert` write them; plain or gzip.

The images are not kept: a record says where in its file its image stands. A gzip file is unpacked into
a temporary folder for that, which goes with the process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tfrec_tools.annotations import boxes
from tfrec_tools.annotations.accounts import Account
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ByteRange, Floats, ImageRecord, Source, subset
from tfrec_tools.dataset import label_maps, shards
from tfrec_tools.errors import InputError, readable
from tfrec_tools.formats import tfod_keypoints
from tfrec_tools.formats.file_names import names_a_file
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.formats.tfod_keypoints import Places
from tfrec_tools.labels import label_map, pbtxt
from tfrec_tools.labels.keypoints import LEFT_OUT_BY
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.counting import boxes_in
from tfrec_tools.tfrecords.example import Parsed, parse_example, unknown_features


@dataclass(frozen=True, slots=True)
class _Classes:
    """The names that records give to ids, the label map's (of that file name) where they give none; and names
    of boxes without ids."""

    known: Mapping[int, str]
    subject: str
    seen: dict[int, dict[str, None]] = field(default_factory=dict)
    unnumbered: dict[str, None] = field(default_factory=dict)
    keypoints: dict[tuple[str, ...], None] = field(default_factory=dict)

    def name(self, label_id: int | None, text: str) -> str:
        """Returns "" where there is none."""
        name = text.strip() or ("" if label_id is None else self.known.get(label_id, ""))
        if name and label_id is None:
            self.unnumbered[name] = None
        elif name and label_id is not None:
            self.seen.setdefault(label_id, {})[name] = None
        return name

    def fault(self, label_id: int | None, text: str) -> str | None:
        """Returns how a name that a record gives is not the one that the label map has for its id."""
        if label_id is None:
            return None
        return label_map.mismatch(label_id, text.strip(), self.known, self.subject)

    def number(self) -> None:
        """Gives the next ids to names that no record and no label map has an id for, in the order met."""
        taken = {*self.known.values(), *(name for names in self.seen.values() for name in names)}
        start = max((0, *self.known, *self.seen)) + 1
        new = [name for name in self.unnumbered if name not in taken]
        self.seen.update({label_id: {name: None} for label_id, name in enumerate(new, start)})


@dataclass(frozen=True, slots=True)
class Files:
    """The source that record files are; the id of each of its classes, the lowest that stands for it; and
    where the values of a box are its class's keypoints."""

    source: Source
    ids: Mapping[str, int]
    places: Places


@dataclass(frozen=True, slots=True)
class _Read:
    """A record of a file, None where it is none; what is odd about it; and how many boxes it has, and have
    become none of the record, by code."""

    record: ImageRecord | None
    issues: list[Issue]
    found: int
    dropped: Counter[str]


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """Returns the records of a file, of all record files of a folder, or of a set DIR/NAME, in order. Classes
    are in the order of their ids; the label map beside a set says which there are, its manifest the splits.

    A record that is no Example is an issue, and so is a box whose class has no name; raises InputError where
    a file is damaged, or where no class has a name.
    """
    return read_files(_files(path, options), path, options).source


def read_files(files: Sequence[Path], path: Path, options: ReadOptions) -> Files:
    """Returns what `read` does of record files, of which the first says the label map, and more. `path` is
    for errors."""
    classes = _Classes(*_label_map(files[0], options))
    read_ = [item for file in files for item in _file(file, classes, options)]
    records = [item.record for item in read_ if item.record is not None]
    found, dropped = sum(item.found for item in read_), sum((item.dropped for item in read_), Counter[str]())
    if found and found == dropped["class-unknown"]:
        reason = f"no box has a class name, in the records or in {classes.subject or 'a label map'}"
        raise InputError(path, f"{reason}; give its .pbtxt (--record-labels)")
    classes.number()
    names = _names(classes)
    everything = frozenset(names)
    points = tfod_keypoints.without(path, records)
    if options.keypoints:
        points = tfod_keypoints.settled(_known_keypoints(files, options), names, classes.keypoints, records)
    records = [
        record if record.labeled is not None else replace(record, labeled=everything)
        for record in points.records
    ]
    of_records = _once([issue for item in read_ for issue in item.issues])
    issues = (*_conflicts(path, classes), *of_records, *points.issues)
    unusable = Counter(item.issues[0].code for item in read_ if item.record is None)
    account = Account(len(files), found, dropped, images=len(read_), images_dropped=unusable)
    source = Source(names, records, issues, account, keypoints=points.by_class)
    return Files(source, _ids(classes, names), points.places)


def _files(path: Path, options: ReadOptions) -> list[Path]:
    """Returns the record files of a source; the set that is being written, in the folder that is read, is no
    part of it."""
    if options.writes is None or not path.is_dir():
        return shards.record_files([path])
    files = shards.files_in(path, options.writes)
    if not files:
        raise InputError(path, "has no record files besides those of the set that is being written")
    return shards.record_files(files)


def _file(file: Path, classes: _Classes, options: ReadOptions) -> Iterator[_Read]:
    place = framing.unpacked(file)
    split = _split_of(file)
    offset = 0
    for number, data in enumerate(framing.read(place, file)):
        source, found = f"{readable(file.name)} record {number}", boxes_in(data)
        try:
            parsed = parse_example(data, source)
        except InputError as fault:
            message = ": ".join(filter(None, (fault.where, fault.reason)))
            issue = Issue("annotation-damaged", source, None, message, False)
            yield _Read(None, [issue], found, Counter({issue.code: found}))
        else:
            where = _place(place, offset + framing.HEADER_BYTES, data, parsed.image.data)
            left_out = [
                Issue("feature-left-out", source, None, f"feature {key!r} is not carried over", True)
                for key in unknown_features(data)
            ]
            record, odd, dropped = _record(parsed, classes, where, options.masks)
            classes.keypoints.update(dict.fromkeys([parsed.names_of_keypoints]))
            record = record if split is None else replace(record, split=split)
            yield _Read(record, [*left_out, *odd], found, Counter({"class-unknown": dropped}))
        offset += framing.HEADER_BYTES + len(data) + framing.FOOTER_BYTES


def _split_of(file: Path) -> str | None:
    """Returns the split that the manifest of a shard's set says; None where it says none."""
    manifest = shards.manifest_of(file)
    infos = manifest.shards if manifest else ()
    return next((info.split for info in infos if info.file == file.name), "") or None


def _place(path: Path, offset: int, data: bytes, image: bytes) -> ByteRange | None:
    """Returns where the image stands in the file of a record at `offset`. None where the record has no image,
    as CVAT exports annotations alone: it is to be looked up by its name."""
    return ByteRange(path, offset + data.find(image), len(image)) if image else None


def _record(
    parsed: Parsed, classes: _Classes, place: ByteRange | None, masks: bool
) -> tuple[ImageRecord, list[Issue], int]:
    """Returns the record with the boxes whose class has a name; an issue for each other, and for each whose
    name is not that of its id; and how many others there are."""
    record = parsed.record
    fractions = boxes.normalise(record.boxes_xyxy, record.width or 1, record.height or 1)
    names, kept, issues = [], list[int](), list[Issue]()
    label_ids: Sequence[int | None] = parsed.label_ids or (None,) * len(record.names)
    for number, (label_id, text) in enumerate(zip(label_ids, record.names, strict=True)):
        name = classes.name(label_id, text)
        names.append(name)
        if not name:
            issues.append(_nameless(record.source, f"box {number} has class id {label_id}, which"))
            continue
        if message := classes.fault(label_id, text):
            issues.append(Issue("class-mismatch", record.source, len(kept), message, True))
        kept.append(number)
    labeled, odd = _labeled(parsed, classes)
    whole = replace(
        record,
        image_id=record.image_id or record.filename or record.source,
        filename=record.filename if names_a_file(record.filename) else record.source,
        boxes_xyxy=fractions.astype(np.float64),
        area=record.area / max(1, record.width * record.height),
        names=tuple(names),
        labeled=labeled,
        relative=True,
        keypoints=_in_fractions(record),
        masks=record.masks if masks else (),
        place=place,
    )
    return subset(whole, kept) if len(kept) < len(names) else whole, [*issues, *odd], len(names) - len(kept)


def _in_fractions(record: ImageRecord) -> Floats | None:
    """Returns a record's keypoints as it has them, but for float64."""
    if record.keypoints is None:
        return None
    size = np.array([record.width or 1, record.height or 1, 1], np.float64)
    return (record.keypoints / size).astype(np.float32).astype(np.float64)


def _known_keypoints(files: Sequence[Path], options: ReadOptions) -> dict[str, tuple[tuple[int, str], ...]]:
    """Returns {class: its keypoints} of the map that was given, else those of the record files' sets.
    InputError where two of these disagree about a class."""
    if options.label_map is not None:
        labels = pbtxt.read_label_map(options.label_map).labels
        return {label.name: label.keypoints for label in labels if label.keypoints}
    sets: dict[tuple[Path, str], Path] = {}
    for file in files:
        manifest = shards.manifest_of(file)
        sets.setdefault((file.parent, manifest.name if manifest else ""), file)
    known: dict[str, tuple[tuple[int, str], ...]] = {}
    for file in sets.values():
        for name, keypoints in label_maps.keypoints_of(file, shards.manifest_of(file)).items():
            if known.setdefault(name, keypoints) != keypoints:
                reason = f"its set has other keypoints of {name!r} than others that are read with it"
                raise InputError(file, f"{reason}; name the sets one by one, or {LEFT_OUT_BY}")
    return known


def _labeled(parsed: Parsed, classes: _Classes) -> tuple[frozenset[str] | None, list[Issue]]:
    """Returns what a record was annotated for, and an issue for each class of it without a name."""
    if parsed.record.labeled is not None or not parsed.labeled_ids:
        return parsed.record.labeled, []
    names = {label_id: classes.name(label_id, "") for label_id in parsed.labeled_ids}
    what = "was annotated for class id"
    issues = [
        _nameless(parsed.record.source, f"{what} {label_id}, which")
        for label_id in names
        if not names[label_id]
    ]
    return frozenset(filter(None, names.values())), issues


def _nameless(source: str, what: str) -> Issue:
    message = f"{what} has no name in the record and none in a label map (--record-labels)"
    return Issue("class-unknown", source, None, message, True)


def _names(classes: _Classes) -> tuple[str, ...]:
    """Returns the names by id, also those of the label map that no record has. Another name that records give
    to an id of the map comes last, and so moves none of its classes."""
    known = set(classes.known.values())
    others = {label_id: [name for name in of if name not in known] for label_id, of in classes.seen.items()}
    by_id = others | {label_id: [name] for label_id, name in classes.known.items()}
    listed = [name for names in (by_id, others) for label_id in sorted(names) for name in names[label_id]]
    return tuple(dict.fromkeys(listed))


def _ids(classes: _Classes, names: Sequence[str]) -> dict[str, int]:
    """Returns {name: its lowest id}, where a label map has it that one."""
    ids: dict[str, int] = {}
    for label_id in sorted(classes.seen, reverse=True):
        ids |= dict.fromkeys(classes.seen[label_id], label_id)
    ids |= {name: label_id for label_id, name in sorted(classes.known.items(), reverse=True)}
    return {name: ids[name] for name in names}


def _conflicts(path: Path, classes: _Classes) -> list[Issue]:
    messages = [
        f"id {label_id} is {' and '.join(map(repr, names))}"
        for label_id, names in sorted(classes.seen.items())
        if len(names) > 1
    ]
    ids: dict[str, list[int]] = {}
    for label_id, names in sorted(classes.seen.items()):
        for name in names:
            ids.setdefault(name, []).append(label_id)
    messages += [f"{name!r} has ids {', '.join(map(str, of))}" for name, of in ids.items() if len(of) > 1]
    return [Issue("class-conflict", path.name, None, message, True) for message in messages]


def _once(issues: Sequence[Issue]) -> list[Issue]:
    """Returns features that are left out only at the first record that has them."""
    first: dict[str, Issue] = {}
    for issue in issues:
        key = issue.message if issue.code == "feature-left-out" else f"{issue.source}: {issue.message}"
        first.setdefault(key, issue)
    return list(first.values())


def _label_map(file: Path, options: ReadOptions) -> tuple[Mapping[int, str], str]:
    """Returns the map that was given, else that of the record file; and its file name."""
    if options.label_map is None:
        return label_maps.names_of(file, shards.manifest_of(file))
    return pbtxt.read_label_map(options.label_map).name_by_id, options.label_map.name
