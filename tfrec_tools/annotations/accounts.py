"""What became of everything that a source holds: nothing is lost unseen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Account:
    """What a reader saw of a source. `found` is the number of boxes in its records and of what was dropped;
    `images` that of its records and of the images that were dropped.

    files     annotation files that were read
    found     annotated things (objects, rows, lines, polygons, boxes), counted as they stand in the files,
              before anything is made of them
    dropped   {issue code: how many of these did not become a box of a record}; each has an issue
    litter    files of operating systems and editors (._a.xml, .DS_Store) that were passed over
    images    images that the source names, counted as they stand in it
    images_dropped   {issue code: how many of these did not become a record}
    """

    files: int
    found: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    litter: int = 0
    images: int = 0
    images_dropped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tally:
    """What went into a step, and what did not come out of it, by issue code (or the option that left it out).

    images, boxes   how many went in
    lost_images, lost_boxes   {code: how many were dropped}; those of a dropped image are dropped with it
    """

    images: int = 0
    boxes: int = 0
    lost_images: dict[str, int] = field(default_factory=dict)
    lost_boxes: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.images + other.images,
            self.boxes + other.boxes,
            added(self.lost_images, other.lost_images) if other.lost_images else self.lost_images,
            added(self.lost_boxes, other.lost_boxes) if other.lost_boxes else self.lost_boxes,
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """A source as it was read: its reader's account, and what became of its images and boxes before any image
    file was opened. Records are not read before they are written: then the jobs count the boxes of those that
    reach them."""

    account: Account
    tally: Tally
    is_counted_by_jobs: bool = False


def added(*counts: Mapping[str, int]) -> dict[str, int]:
    """Returns the sums by code, without zeros."""
    total = Counter[str]()
    for count in counts:
        total.update(count)
    return {code: number for code, number in total.items() if number}


def total(tallies: Iterable[Tally]) -> Tally:
    return sum(tallies, Tally())
