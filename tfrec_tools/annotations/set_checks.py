"""What is odd about a whole set of records: class names that look alike, classes with few boxes, images
that stand twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from tfrec_tools.annotations.issues import Issue

if TYPE_CHECKING:
    from tfrec_tools.annotations.records import ImageRecord

FEW_BOXES = 10
_LONG_ENOUGH = 5  # letters from which one letter more, less or other is likelier a slip than a word


def repeats(records: Sequence[ImageRecord]) -> tuple[Issue, ...]:
    """An issue for each record whose image file another record has named before; it is kept."""
    first: dict[str, ImageRecord] = {}
    issues = []
    for record in records:
        earlier = first.setdefault(record.filename, record)
        if earlier is not record:
            issues.append(repeated(record.filename, record.source, earlier.source))
    return tuple(issues)


def repeated(filename: str, source: str, first: str) -> Issue:
    """The records `source` and, before it, `first` name one image file."""
    return Issue("image-duplicate", source, None, f"{filename} is the image of {first} too", False)


def few(boxes_by_class: Mapping[str, int], place: str) -> tuple[Issue, ...]:
    """An issue for each class that has boxes, but fewer than FEW_BOXES and a tenth of the fullest class; in
    a set that is small all over nothing stands out."""
    fullest = max(boxes_by_class.values(), default=0)
    return tuple(
        Issue(
            "class-few", place, None, f"{name!r} has {count} box(es), the fullest class has {fullest}", False
        )
        for name, count in boxes_by_class.items()
        if 0 < count < FEW_BOXES and 10 * count <= fullest
    )


def similar(names: Iterable[str], place: str) -> tuple[Issue, ...]:
    """An issue for each pair of class names that differ only in case, spacing or one letter."""
    return tuple(
        Issue("class-similar", place, None, f"{a!r} and {b!r} may be one class; they are kept apart", False)
        for (a, plain_a), (b, plain_b) in combinations([(name, _plain(name)) for name in names], 2)
        if _alike(plain_a, plain_b)
    )


def _plain(name: str) -> str:
    """Without case, spaces, hyphens, underscores and full stops."""
    return "".join(letter for letter in name.casefold() if letter not in " -_.\t\n")


def _alike(a: str, b: str) -> bool:
    if a == b:
        return True
    short, long = sorted((a, b), key=len)
    if len(short) < _LONG_ENOUGH or len(long) - len(short) > 1 or _numbered(a, b):
        return False
    start = next(
        (i for i, pair in enumerate(zip(short, long, strict=False)) if pair[0] != pair[1]), len(short)
    )
    rest = start + (len(short) == len(long))
    return short[rest:] == long[start + 1 :]


def _numbered(a: str, b: str) -> bool:
    """Whether they differ in digits, as "stage1" and "stage2" do on purpose."""
    return [letter for letter in a if letter.isdigit()] != [letter for letter in b if letter.isdigit()]
