"""The law of accounts: what a reader saw = what was written + what was dropped. Checked in every run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tfrec_tools.annotations.accounts import Reading, Tally, added, total
from tfrec_tools.dataset.manifest import SourceAccount
from tfrec_tools.dataset.staging import ShardResult
from tfrec_tools.errors import AccountError


def accounts(
    subject: Path, readings: Sequence[Reading | None], done: Sequence[ShardResult]
) -> tuple[SourceAccount | None, ...]:
    """Returns the account of each source. Raises AccountError where what is left of one is not what the jobs
    were given of it, or where what was found in all of them is not what was written and dropped."""
    of_sources = tuple(
        None if reading is None else _account(subject, reading, _of_source(number, done))
        for number, reading in enumerate(readings)
    )
    known = [account for account in of_sources if account is not None]
    if known and len(known) == len(readings):
        _require_equal(subject, known, done)
    return of_sources


def _of_source(number: int, done: Sequence[ShardResult]) -> Tally:
    return total(result.tallies[number] for result in done if number in result.tallies)


def _account(subject: Path, reading: Reading, in_jobs: Tally) -> SourceAccount:
    account, tally = reading.account, reading.tally
    _require_all_given(subject, reading, in_jobs)
    count = account.found + (in_jobs.boxes if reading.is_counted_by_jobs else 0)
    dropped = added(account.dropped, tally.lost_boxes, in_jobs.lost_boxes)
    images_dropped = added(account.images_dropped, tally.lost_images, in_jobs.lost_images)
    return SourceAccount(
        files=account.files,
        litter=account.litter,
        found=count,
        written=count - sum(dropped.values()),
        dropped=dropped,
        images=account.images,
        images_written=account.images - sum(images_dropped.values()),
        images_dropped=images_dropped,
    )


def _require_all_given(subject: Path, reading: Reading, in_jobs: Tally) -> None:
    """The jobs were given all of a source that was not dropped before."""
    tally = reading.tally
    given = [("images", tally.images, in_jobs.images, tally.lost_images)]
    if not reading.is_counted_by_jobs:
        given.append(("boxes", tally.boxes, in_jobs.boxes, tally.lost_boxes))
    for what, found, in_all, lost in given:
        dropped = sum(lost.values())
        if found != in_all + dropped:
            raise AccountError(subject, found, in_all, dropped, what)


def _require_equal(subject: Path, of_sources: Sequence[SourceAccount], done: Sequence[ShardResult]) -> None:
    """What the sources say was written is what the shards hold."""
    boxes = sum(sum(result.boxes.values()) for result in done)
    if boxes != sum(account.written for account in of_sources):
        dropped = sum(sum(account.dropped.values()) for account in of_sources)
        raise AccountError(subject, sum(account.found for account in of_sources), boxes, dropped, "boxes")
    images = sum(result.images for result in done)
    if images != sum(account.images_written for account in of_sources):
        dropped = sum(sum(account.images_dropped.values()) for account in of_sources)
        raise AccountError(subject, sum(account.images for account in of_sources), images, dropped, "images")
