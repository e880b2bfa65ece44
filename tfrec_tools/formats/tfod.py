"""TFRecords of pictures with boxes, as TFOD's scripts and `tfrec convert` write them; plain or gzip.

The pictures are not kept: a record says where in its file its picture stands. A gzip file is unpacked into
a temporary folder for that, which goes with the process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tfrec_tools.annotations import boxes
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ImageRecord, Place, Source
from tfrec_tools.dataset import shards
from tfrec_tools.errors import InputError
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.labels import label_map, pbtxt
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.example import Parsed, parse_example, unknown_features


@dataclass(frozen=True, slots=True)
class _Classes:
    """The names that records give to ids, the label map's (of that file name) where they give none."""

    given: Mapping[int, str]
    subject: str
    found: dict[int, dict[str, None]] = field(default_factory=dict)

    def name(self, label_id: int, text: str, source: str) -> str:
        name = text.strip() or self.given.get(label_id, "")
        if not name:
            reason = f"class id {label_id} has no name in the record and none in a label map; give its .pbtxt"
            raise InputError(source, reason)
        self.found.setdefault(label_id, {})[name] = None
        return name

    def faults(self, parsed: Parsed) -> list[Issue]:
        """The boxes whose class's name is not the one that the label map has for its id."""
        source = parsed.record.source
        named = zip(parsed.label_ids, parsed.record.names, strict=True)
        messages = (
            (box, label_map.mismatch(label_id, name.strip(), self.given, self.subject))
            for box, (label_id, name) in enumerate(named)
        )
        return [Issue("class-mismatch", source, box, message, True) for box, message in messages if message]


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """The records of a file, of all record files of a folder, or of a set DIR/NAME, in order. Classes are
    in the order of their ids; the label map beside a set says which there are.

    A record that is no Example is an issue; InputError where a file is damaged, or where a class has no
    name.
    """
    files = shards.record_files([path])
    classes = _Classes(*_label_map(files[0], options))
    found = [item for file in files for item in _file(file, classes, options.masks)]
    records = [record for record, _ in found if record is not None]
    issues = tuple(issue for _, odd in found for issue in odd)
    names = _names(classes)
    everything = frozenset(names)
    records = [
        record if record.labeled is not None else replace(record, labeled=everything) for record in records
    ]
    return Source(names, records, (*_conflicts(path, classes), *_once(issues)))


def _file(file: Path, classes: _Classes, masks: bool) -> Iterator[tuple[ImageRecord | None, list[Issue]]]:
    place = framing.unpacked(file)
    offset = 0
    for number, data in enumerate(framing.read(place)):
        source = f"{file.name} record {number}"
        try:
            parsed = parse_example(data, source)
        except InputError as fault:
            message = ": ".join(filter(None, (fault.where, fault.reason)))
            yield None, [Issue("annotation-damaged", source, None, message, False)]
        else:
            where = _place(place, offset + framing.HEADER_BYTES, data, parsed.picture.data)
            left_out = [
                Issue("feature-left-out", source, None, f"feature {key!r} is not carried over", True)
                for key in unknown_features(data)
            ]
            yield _record(parsed, classes, where, masks), [*left_out, *classes.faults(parsed)]
        offset += framing.HEADER_BYTES + len(data) + framing.FOOTER_BYTES


def _place(path: Path, offset: int, data: bytes, picture: bytes) -> Place | None:
    """Where the picture stands in the file of a record at `offset`. None where the record has no picture,
    as CVAT exports annotations alone: it is to be looked up by its name."""
    return Place(path, offset + data.find(picture), len(picture)) if picture else None


def _record(parsed: Parsed, classes: _Classes, place: Place | None, masks: bool) -> ImageRecord:
    record = parsed.record
    fractions = boxes.normalise(record.boxes_xyxy, record.width or 1, record.height or 1)
    names = [
        classes.name(label_id, text, record.source)
        for label_id, text in zip(parsed.label_ids, record.names, strict=True)
    ]
    labeled = record.labeled
    if labeled is None and parsed.labeled_ids:
        labeled = frozenset(classes.name(label_id, "", record.source) for label_id in parsed.labeled_ids)
    return replace(
        record,
        image_id=record.image_id or record.filename or record.source,
        filename=record.filename or record.source,
        boxes_xyxy=fractions.astype(np.float64),
        area=record.area / max(1, record.width * record.height),
        names=tuple(names),
        labeled=labeled,
        relative=True,
        masks=record.masks if masks else (),
        place=place,
    )


def _names(classes: _Classes) -> tuple[str, ...]:
    """By id; of the label map's those too that no record has."""
    ids = sorted({*classes.given, *classes.found})
    names = [
        name for label_id in ids for name in classes.found.get(label_id) or {classes.given[label_id]: None}
    ]
    return tuple(dict.fromkeys(names))


def _conflicts(path: Path, classes: _Classes) -> list[Issue]:
    messages = [
        f"id {label_id} is {' and '.join(map(repr, names))}"
        for label_id, names in sorted(classes.found.items())
        if len(names) > 1
    ]
    ids: dict[str, list[int]] = {}
    for label_id, names in sorted(classes.found.items()):
        for name in names:
            ids.setdefault(name, []).append(label_id)
    messages += [f"{name!r} has ids {', '.join(map(str, of))}" for name, of in ids.items() if len(of) > 1]
    return [Issue("class-conflict", path.name, None, message, True) for message in messages]


def _once(issues: tuple[Issue, ...]) -> list[Issue]:
    """Features that are left out only at the first record that has them."""
    first: dict[str, Issue] = {}
    for issue in issues:
        key = issue.message if issue.code == "feature-left-out" else f"{issue.source}: {issue.message}"
        first.setdefault(key, issue)
    return list(first.values())


def _label_map(file: Path, options: ReadOptions) -> tuple[Mapping[int, str], str]:
    """The map that was given; else that of the set's manifest, else the only one in the folder; and its
    file name."""
    given = options.label_map
    manifest = shards.manifest_of(file) if given is None else None
    if manifest is not None:
        given = file.with_name(manifest.label_map)
    beside = sorted(file.parent.glob("*.pbtxt"))
    if given is None and len(beside) == 1:
        given = beside[0]
    return ({}, "") if given is None else (pbtxt.read_label_map(given).name_by_id, given.name)
