"""Record files, of which all was counted."""

from __future__ import annotations

from collections import Counter

from tfrec_tools.dataset.stats import Stats
from tfrec_tools.errors import counted
from tfrec_tools.recognition.answer import Answer, KnownClass, command
from tfrec_tools.recognition.remote import in_store
from tfrec_tools.system.remote_path import is_url

_TAKES = ("finetune --train", "evaluate", "compare", "preview", "detect", "extract", "remap")
_SIZES = {
    "small": "below 32 x 32 pixels",
    "medium": "below 96 x 96",
    "large": "larger",
}  # as COCO divides boxes
_BINS = ((0, 0), (1, 1), (2, 4), (5, 9), (10, 19), (20, 49), (50, 99), (100, 10**9))
_MOST_SIZES = 4
_MOST_BOXES = 2  # of the first record
_LONGEST_NAME = 32  # of them


def answer(words: tuple[str, ...], stats: Stats) -> Answer:
    """Returns what is said of the records that some words mean."""
    size = f"{counted(stats.files, 'file')}, {stats.bytes / 1e6:.1f} MB"
    content = f"{counted(stats.images, 'image')}, {counted(stats.boxes, 'box')}"
    splits = ", ".join(f"{name or 'without a split'} {count}" for name, count in stats.splits.items())
    facts = {
        "splits": splits if set(stats.splits) != {""} else "",
        "boxes in an image": _per_image(stats.per_image),
        "sizes of boxes": ", ".join(f"{stats.areas[size]} {said}" for size, said in _SIZES.items()),
        "sizes of images": _sizes(stats.sizes_wh),
        "first record": _first(stats),
    }
    whole = Answer(
        " ".join(words),
        "records",
        f"TFRecords, {size}, {content}; every CRC is right",
        {name: value for name, value in facts.items() if value},
        tuple(KnownClass(name, boxes=boxes) for name, boxes in stats.classes.most_common()),
        (*_TAKES, *(("verify",) if stats.sources else ())),
        {} if stats.sources else {"verify": "has no manifest beside it, as what `tfrec convert` writes has"},
        command("preview", *words, "--out", "page.html"),
    )
    return in_store(whole) if any(map(is_url, words)) else whole


def _per_image(per_image: Counter[int]) -> str:
    """Returns how many images have so many boxes, without what is empty."""
    parts = []
    for low, high in _BINS:
        images = sum(n for boxes, n in per_image.items() if low <= boxes <= high)
        label = str(low) if low == high else f"{low} to {high}" if high < 10**9 else f"{low} and more"
        if images:
            parts.append(f"{label} in {images}")
    return ", ".join(parts)


def _sizes(sizes_wh: Counter[tuple[int, int]]) -> str:
    """Returns the most frequent ones, with their images."""
    common = sizes_wh.most_common(_MOST_SIZES)
    said = ", ".join(f"{width} x {height} ({images})" for (width, height), images in common)
    return said + (f" and {len(sizes_wh) - len(common)} others" if len(sizes_wh) > len(common) else "")


def _first(stats: Stats) -> str:
    if stats.first is None:
        return ""
    record, image = stats.first.record, stats.first.image
    said = (
        f"{record.filename} (source_id {record.image_id}, {len(image.data)} bytes of {image.format}, "
        f"{image.width} x {image.height})"
    )
    triples = list(zip(record.names, stats.first.label_ids, record.boxes_xyxy.tolist(), strict=False))
    boxes = [
        f"{label_id} {_short(name)} [{', '.join(f'{value:.1f}' for value in box)}]"
        for name, label_id, box in triples
    ]
    if len(boxes) > _MOST_BOXES + 1:
        boxes[_MOST_BOXES:] = [f"and {len(boxes) - _MOST_BOXES} more"]
    if record.labeled is not None:
        boxes.append(f"annotated for {counted(len(record.labeled), 'class')}")
    return "; ".join((said, *boxes))


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}\u2026"
