"""AutoML's rows: [ML_USE,]gs://BUCKET/IMAGE,LABEL and four points x,y of a box, or two opposite ones with the
others left empty; a row an object. A row without a label and a box is an image without objects."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.errors import InputError, readable
from tfrec_tools.formats.automl_uses import USES
from tfrec_tools.formats.csv_texts import rows
from tfrec_tools.formats.drawn import Drawn, DrawnImage, Unusable
from tfrec_tools.formats.file_names import of_address
from tfrec_tools.formats.shapes import Point, around_points

_BUCKET = "gs://"
_LOOKED_AT = 20  # rows that show what a file is
_POINTS = 8  # cells of four points


@dataclass(slots=True)
class _Image:
    """An image with what its rows have said so far."""

    source: str
    uri: str
    split: str | None
    objects: list[Drawn] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)


def images(path: Path) -> list[DrawnImage | Unusable]:
    """Returns the images of a file in the order in which they first appear. InputError where it is no CSV."""
    of_uri: dict[str, _Image] = {}
    unusable: list[DrawnImage | Unusable] = []
    for line, cells in _rows(path):
        use, uri, label, points = _parts(cells)
        place = f"{readable(path.name)} line {line}"
        objects = 1 if label or any(points) else 0
        if not uri:
            unusable.append(Unusable(Issue("image-unknown", place, None, "names no image", True), objects))
            continue
        image = of_uri.setdefault(uri, _Image(place, uri, USES.get(use)))
        if use not in ("", *USES):
            message = f"line {line}: ML_USE is {use!r}, expected one of {', '.join(USES)}"
            image.issues.append(Issue("annotation-unread", image.source, None, message, True))
        elif USES.get(use) not in (None, image.split):
            if image.split is None:
                image.split = USES[use]
            else:
                message = f"line {line} puts it into {USES[use]}, an earlier one into {image.split}"
                image.issues.append(Issue("split-conflict", image.source, None, message, True))
        if objects:
            image.objects.append(_object(f"line {line}", label, points))
    return [*map(_drawn, of_uri.values()), *unusable]


def _drawn(image: _Image) -> DrawnImage:
    return DrawnImage(
        source=image.source,
        filename=of_address(image.uri),
        objects=tuple(image.objects),
        split=image.split,
        relative=True,
        issues=tuple(image.issues),
    )


def _object(where: str, label: str, cells: Sequence[str]) -> Drawn:
    """Returns the object of a row with cells x, y, x, y, ... after its label."""
    if odd := [cell for cell in cells[_POINTS:] if cell]:
        why = f"{odd[0]!r} after four points"
        return Drawn(where, label, None, code="annotation-unread", why=why)
    pairs = list(zip(cells[0:_POINTS:2], cells[1:_POINTS:2], strict=False))
    points = [(x, y) for x, y in pairs if x or y]
    if len(points) < 2 or not all(x and y for x, y in points):
        return Drawn(where, label, None, why=f"has no two points x,y ({','.join(cells[:_POINTS])})")
    try:
        numbers = [(float(x), float(y)) for x, y in points]
    except ValueError:
        why = f"{','.join(cells[:_POINTS])} are no numbers"
        return Drawn(where, label, None, code="annotation-unread", why=why)
    return Drawn(where, label, around_points(numbers), shape="" if _is_upright(numbers) else "polygon")


def _is_upright(points: Sequence[Point]) -> bool:
    """Returns whether points are opposite corners, or the corners, of an upright box."""
    if any(not math.isfinite(number) for point in points for number in point):
        return True
    return len(points) == 2 or (len({x for x, _ in points}) <= 2 and len({y for _, y in points}) <= 2)


def _parts(cells: Sequence[str]) -> tuple[str, str, str, Sequence[str]]:
    """Returns the use in lower case, the image, the label, and the cells of points."""
    first = cells[0].lower()
    has_use = first in ("", *USES) or (len(cells) > 1 and cells[1].startswith(_BUCKET))
    use, rest = (first, cells[1:]) if has_use else ("", cells)
    uri, label, *points = (*rest, "", "")[: max(2, len(rest))]
    return use, uri, label, points


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yields (line, cells) of the rows without a header."""
    for number, (line, cells) in enumerate(rows(path)):
        if number or not _is_header(cells):
            yield line, cells


def _is_header(cells: Sequence[str]) -> bool:
    """Returns whether a first row has names: words where points are, and no image."""
    *_, points = _parts(cells)
    return not any(map(_is_place, cells[:2])) and any(map(str.isidentifier, points))


def _is_place(cell: str) -> bool:
    return cell.startswith(_BUCKET) or cell.lower() in USES


def shows(file: Path) -> bool:
    """Returns whether the first rows are of this kind: an image of a bucket, or one after its use, by itself,
    with a label, or with a label and four points."""
    try:
        begin = [cells for _, cells in islice(_rows(file), _LOOKED_AT)]
    except InputError:
        return False
    return bool(begin) and all(map(_is_row, begin))


def _is_row(cells: Sequence[str]) -> bool:
    has_use = cells[0].lower() in ("", *USES)
    places = cells[:1] if not has_use else cells[1:2]
    if not any(place.startswith(_BUCKET) for place in places) and cells[0].lower() not in USES:
        return False
    length = len(cells) - has_use
    return length in (1, 2) or (length == _POINTS + 2 and all(map(_is_number_or_blank, cells[-_POINTS:])))


def _is_number_or_blank(cell: str) -> bool:
    try:
        return not cell or math.isfinite(float(cell))
    except ValueError:
        return False
