"""What is asked of a source that was read."""

from __future__ import annotations

from tfrec_tools.annotations.records import ByteRange, ImageRecord, Source
from tfrec_tools.images.fitting import fit
from tfrec_tools.images.loading import EncodedImage


def boxes_by_file(source: Source) -> dict[str, tuple[tuple[str, ...], list[list[float]]]]:
    return {record.filename: (record.names, record.boxes_xyxy.tolist()) for record in source.records}


def fitted(record: ImageRecord, place: ByteRange | None) -> tuple[ImageRecord, EncodedImage]:
    """The record and its picture as they are stored; neither may be lacking."""
    assert place is not None
    pair = fit(record, place).pair
    assert pair is not None
    return pair


def faults(source: Source) -> list[str]:
    return [issue.code for issue in source.issues]


def assert_balanced(source: Source) -> None:
    """Everything found is a box of a record or was dropped under a code that has an issue, and so is every
    image."""
    account = source.account
    assert account is not None
    boxes = sum(len(record.names) for record in source.records)
    assert account.found == boxes + sum(account.dropped.values())
    assert account.images == len(source.records) + sum(account.images_dropped.values())
    codes = {*account.dropped.items(), *account.images_dropped.items()}
    assert {code for code, count in codes if count} <= set(faults(source))
