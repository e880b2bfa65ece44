"""The story of `tfrec compare` of two sets of records: a table, and a page, most differences first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tfrec_tools.annotations.records import image_record
from tfrec_tools.dataset import shards
from tfrec_tools.drawing import gallery
from tfrec_tools.drawing.gallery import Head, Line, Numbers
from tfrec_tools.drawing.previews import Chosen, Mark, Preview
from tfrec_tools.errors import InputError, counted
from tfrec_tools.preview import Stored, listed_classes, pixels, stored_records
from tfrec_tools.set_comparison.changes import KINDS, BoxChange, Kind, Pair, all_of, box_changes, pairs
from tfrec_tools.system.options import Progress, silent

_HEADERS = ("class", "boxes in A", "boxes in B", *KINDS)


@dataclass(frozen=True, slots=True)
class Entry:
    """An image of a set, and the SHA-256 of its bytes."""

    stored: Stored
    digest: bytes


@dataclass(frozen=True, slots=True, eq=False)
class ComparedSets:
    """Two sets: what they are called, their images, which of them are the same, and for each pair what became
    of its boxes; `classes` in the order of B's ids, then A's."""

    a: str
    b: str
    images_a: Sequence[Entry]
    images_b: Sequence[Entry]
    pairs: Sequence[Pair]
    changes: Sequence[Sequence[BoxChange]]
    classes: tuple[str, ...]

    @property
    def only_a(self) -> int:
        return sum(second is None for _, second in self.pairs)

    @property
    def only_b(self) -> int:
        return sum(first is None for first, _ in self.pairs)

    @property
    def other_bytes(self) -> int:
        """How many images are the same by their names, but not by their bytes."""
        both = [(i, j) for i, j in self.pairs if i is not None and j is not None]
        return sum(self.images_a[i].digest != self.images_b[j].digest for i, j in both)

    def counts(self) -> dict[str, Counter[Kind]]:
        """Returns {class: {kind: boxes}}."""
        counts = {name: Counter[Kind]() for name in self.classes}
        for of_image in self.changes:
            for change in of_image:
                counts.setdefault(change.name, Counter())[change.kind] += 1
        return counts

    def boxes(self) -> tuple[Counter[str], Counter[str]]:
        """Returns {class: boxes} of A and of B."""
        a, b = (
            Counter(name for entry in entries for name in entry.stored.preview.record.names)
            for entries in (self.images_a, self.images_b)
        )
        return a, b


def compare_sets(a: str, b: str, progress: Progress = silent) -> ComparedSets:
    """Reads two sets and pairs their images: by their bytes and file names, then by their bytes, then by
    their file names. Raises InputError where one of them is no records."""
    files_a, files_b = (_files(words) for words in (a, b))
    first, second = (_entries(files, words, progress) for files, words in ((files_a, a), (files_b, b)))
    paired = pairs(
        first, second, (lambda entry: (entry.digest, _name(entry)), lambda entry: entry.digest, _name)
    )
    changes = [_changes(first, second, pair) for pair in paired]
    classes = tuple(dict.fromkeys((*listed_classes(files_b), *listed_classes(files_a))))
    return ComparedSets(a, b, first, second, paired, changes, classes)


def write_page(out: Path, result: ComparedSets, count: int, progress: Progress = silent) -> int:
    """Writes the page, in a folder that may have to be made, with at most so many images, those with most
    differences first; returns how many."""
    out.parent.mkdir(parents=True, exist_ok=True)
    differing = [sum(change.kind != "same" for change in of_image) for of_image in result.changes]
    order = sorted(range(len(result.pairs)), key=lambda place: (-differing[place], place))[:count]
    chosen = Chosen(
        [partial(_shown, result, place) for place in order], len(result.pairs), result.classes, KINDS
    )
    lead = (
        f"{summary(result)} Below are {len(order):,} of {len(result.pairs):,} images, most differences first."
    )
    return gallery.write(
        out, Head("A and B side by side", lead, numbers=numbers(result)), chosen, progress
    ).images


def numbers(result: ComparedSets) -> Numbers:
    """Returns the table of classes; a box of another class than before is one of its new class."""
    counts, (a, b) = result.counts(), result.boxes()
    rows = [
        Line((name, str(a[name]), str(b[name]), *(str(counts[name][kind]) for kind in KINDS)))
        for name in counts
    ]
    total = sum(counts.values(), Counter[Kind]())
    sums = (a.total(), b.total(), *(total[kind] for kind in KINDS))
    return Numbers(_HEADERS, [*rows, Line(("all", *map(str, sums)), is_mean=True)])


def summary(result: ComparedSets) -> str:
    """Returns in sentences what became of the images."""
    both = len(result.pairs) - result.only_a - result.only_b
    return (
        f"A is {result.a}, B is {result.b}: {counted(both, 'image')} in both, {result.only_a} only in A, "
        f"{result.only_b} only in B; {result.other_bytes} of the same name have other bytes."
    )


def _files(words: str) -> list[Path]:
    try:
        return shards.record_files([words])
    except InputError as fault:
        raise InputError(words, f"{fault.reason}; to compare models, give --records") from fault


def _entries(files: Sequence[Path], words: str, progress: Progress) -> list[Entry]:
    entries = []
    for stored in stored_records(files):
        entries.append(Entry(stored, stored.digest()))
        progress(f"reading {words}", len(entries), None)
    return entries


def _name(entry: Entry) -> str:
    return entry.stored.preview.record.filename


def _changes(first: Sequence[Entry], second: Sequence[Entry], pair: Pair) -> list[BoxChange]:
    a, b = (
        None if place is None else entries[place].stored.preview.record
        for place, entries in zip(pair, (first, second), strict=True)
    )
    if a is None or b is None:
        return all_of(a, "removed") if a is not None else all_of(b, "added") if b is not None else []
    return box_changes(a, b)


def _shown(result: ComparedSets, place: int) -> Preview:
    """Returns an image, B's where it is there, with a box for each change, those that differ on top."""
    i, j = result.pairs[place]
    entry = result.images_b[j] if j is not None else result.images_a[i or 0]
    old, where = entry.stored.preview.record, "" if i is not None and j is not None else "only in "
    changes = sorted(result.changes[place], key=lambda change: KINDS[::-1].index(change.kind))
    boxes = np.array([change.fractions for change in changes], np.float64).reshape(-1, 4)
    record = image_record(
        image_id=old.image_id,
        filename=old.filename,
        source=f"{where}{'A' if j is None else 'B'}: {old.source}" if where else old.source,
        width=old.width,
        height=old.height,
        boxes_xyxy=boxes * np.tile([old.width, old.height], 2),
        names=tuple(change.name for change in changes),
        labeled=old.labeled,
    )
    marks = tuple(Mark(change.kind, _note(change), change.kind == "removed") for change in changes)
    return Preview(record, pixels(entry.stored), marks=marks)


def _note(change: BoxChange) -> str:
    return f" {change.note or change.kind}"
