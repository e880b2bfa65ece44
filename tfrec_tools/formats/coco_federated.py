"""LVIS, whose images were each annotated for a few of its categories (Gupta, Dollar, Girshick, 2019): for
those that they have boxes of, but for `not_exhaustive_category_ids`, of which not all are annotated, and for
`neg_category_ids`, of which they were found to have none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ImageRecord
from tfrec_tools.formats.coco_categories import category_numbers
from tfrec_tools.formats.coco_schema import Category, Id, Image, looked_up


def says(image: Image) -> bool:
    """Returns whether an image says which categories it was annotated for as LVIS does."""
    return image.neg_category_ids is not None or image.not_exhaustive_category_ids is not None


def labeled(
    records: Sequence[ImageRecord],
    images: Sequence[Image],
    categories: Sequence[Category],
    names: Sequence[str],
) -> tuple[list[ImageRecord], list[Issue]]:
    """Returns the records, one an image, with the classes that it was annotated for where it says so; and an
    issue for each that was for none.

    names   of the categories
    """
    if not any(map(says, images)):
        return list(records), []
    numbers = category_numbers(categories)

    def named(ids: Sequence[Id] | None) -> frozenset[str]:
        return frozenset(names[number] for number in looked_up(numbers, ids or ()).tolist() if number >= 0)

    changed, issues = [], []
    for record, image in zip(records, images, strict=True):
        own = named(image.neg_category_ids)
        own |= frozenset(record.names) - named(image.not_exhaustive_category_ids)
        if not says(image) or image.labeled:
            changed.append(record)
        elif own:
            changed.append(replace(record, labeled=own))
        else:
            changed.append(record)
            message = "its neg_category_ids and boxes say of no category whether all of it is annotated"
            issues.append(Issue("image-unannotated", record.source, None, message, False))
    return changed, issues
