"""What becomes of the images and boxes of a source before any image file is opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tfrec_tools.annotations.accounts import Account, Reading, Tally
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.policies import Policies
from tfrec_tools.annotations.records import ImageRecord, Source, subset
from tfrec_tools.errors import AccountError

NO_NEGATIVES = "no-negatives"  # what --no-negatives left out


def judged(source: Source, policies: Policies) -> tuple[Source, Tally]:
    """Returns the source without the images and boxes that the policies drop for what its reader found odd
    about them, and how many those are."""
    drops: dict[str, str] = {}
    boxes: dict[str, dict[int, str]] = {}
    for issue in source.issues:
        action = policies.treatment(issue.code)
        if action == "drop-image":
            drops.setdefault(issue.source, issue.code)
        elif action == "drop-box" and issue.box is not None and policies.is_kept_by_default(issue.code):
            boxes.setdefault(issue.source, {}).setdefault(issue.box, issue.code)
    if not drops and not boxes:
        return source, Tally()
    kept = [
        _without(record, boxes.get(record.source, {}))
        for record in source.records
        if record.source not in drops
    ]
    gone = [record for record in source.records if record.source in drops]
    lost = _lost(gone, drops)
    stay = {record.source for record in kept}
    of_boxes = Counter(code for place, codes in boxes.items() if place in stay for code in codes.values())
    return replace(source, records=kept), lost + Tally(lost_boxes=dict(of_boxes))


def without_negatives(source: Source) -> tuple[Source, Tally]:
    """Returns the source without the images that have no boxes, and how many those are."""
    kept = [record for record in source.records if record.names]
    left_out = len(source.records) - len(kept)
    return replace(source, records=kept), Tally(lost_images={NO_NEGATIVES: left_out} if left_out else {})


def unfound(records: Sequence[ImageRecord], issues: Iterable[Issue]) -> Tally:
    """Returns what is lost with images whose file was not found; issues say why, by the record's source."""
    return _lost(records, {issue.source: issue.code for issue in issues})


def repeated(images: int) -> Tally:
    """Returns what is lost with images that the source names twice: their boxes are those of one image."""
    return Tally(lost_images={"image-duplicate": images} if images else {})


def reading(path: Path, account: Account, records: Sequence[ImageRecord], lost: Tally) -> Reading:
    """Returns the account of a source whose reader gave `records`, of which `lost` never reach a job. Raises
    AccountError where the reader saw more or less than it gave and dropped."""
    boxes, dropped = sum(len(record.names) for record in records), sum(account.dropped.values())
    if account.found != boxes + dropped:
        raise AccountError(path, account.found, boxes, dropped, "annotations")
    images_dropped = sum(account.images_dropped.values())
    if account.images != len(records) + images_dropped:
        raise AccountError(path, account.images, len(records), images_dropped, "images")
    return Reading(account, replace(lost, images=len(records), boxes=boxes))


def _without(record: ImageRecord, boxes: Mapping[int, str]) -> ImageRecord:
    return subset(record, [i for i in range(len(record.names)) if i not in boxes]) if boxes else record


def _lost(records: Iterable[ImageRecord], codes: Mapping[str, str]) -> Tally:
    images, boxes = Counter[str](), Counter[str]()
    for record in records:
        images[codes[record.source]] += 1
        boxes[codes[record.source]] += len(record.names)
    return Tally(lost_images=dict(images), lost_boxes={code: count for code, count in boxes.items() if count})
