"""Which images a file is of, where the names of several lead to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ByteRange, ImageRecord
from tfrec_tools.images.stated_paths import fit, folders

_Folders = tuple[str, ...]


def rivals(
    records: Sequence[ImageRecord], found: Sequence[ByteRange | None], folder: Path
) -> dict[int, Issue]:
    """Returns an issue for each record, by its number, whose file is not its own, as far as names tell:
    another record states other folders, with which that file agrees as well or better."""
    claims: dict[Path, dict[_Folders, int]] = {}  # {file: {folders: the first record that states them}}
    stated: list[tuple[int, _Folders, Path]] = []
    for number, (record, place) in enumerate(zip(records, found, strict=True)):
        if place is not None and record.place is None:
            stated.append((number, folders(record.filename), place.path))
            claims.setdefault(place.path, {}).setdefault(stated[-1][1], number)
    best = {path: _best(list(of_file), path) for path, of_file in claims.items() if len(of_file) > 1}
    issues = {}
    for number, own, path in stated:
        if rival := next((other for other in best.get(path, ()) if _contradict(own, other)), None):
            issues[number] = _issue(records[number], records[claims[path][rival]], path, folder)
    return issues


def _best(claimed: Sequence[_Folders], path: Path) -> list[_Folders]:
    fits = [fit(stated, path) for stated in claimed]
    most = max(fits)
    return [stated for stated, agreeing in zip(claimed, fits, strict=True) if agreeing == most]


def _contradict(one: _Folders, other: _Folders) -> bool:
    """Returns whether they part ways: neither is the other, or its end."""
    return any(a != b for a, b in zip(one, other, strict=False))


def _issue(record: ImageRecord, rival: ImageRecord, path: Path, folder: Path) -> Issue:
    file = path.relative_to(folder).as_posix()
    reason = f"image {record.filename!r} would be {file}, and so would {rival.filename!r} of {rival.source}"
    return Issue("image-ambiguous", record.source, None, reason, False)
