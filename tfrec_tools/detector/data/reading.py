"""The records of a training, by the options that name them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tfrec_tools.detector.data.index import IndexedExample, index_records
from tfrec_tools.detector.data.set_aside import FEWEST, part, without
from tfrec_tools.errors import InputError
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.system.options import Progress

TRAIN, REPLAY, VAL, TEST = FLAGS = ("--train", "--replay", "--val", "--test")

Words = Mapping[str, tuple[str, ...]]  # {flag: patterns of record files}
Read = Mapping[str, list[IndexedExample]]  # {flag: examples}


def read(words: Words, labels: LabelMap, new: Collection[int], seed: int, progress: Progress) -> Read:
    """Returns the examples of each of FLAGS, none of those that no words are for. Without --val a part of
    --train stands for it, and is not in --train any more, nor in --replay if that has the same images; `new`
    are the ids of the classes that are to be learnt. Raises InputError where records cannot be read, or where
    too few images are there for that."""
    by_words: dict[tuple[str, ...], list[IndexedExample]] = {(): []}
    for patterns in words.values():
        if patterns not in by_words:
            by_words[patterns] = _indexed(patterns, labels, progress)
    examples = {flag: by_words[words.get(flag, ())] for flag in FLAGS}
    if not words.get(VAL):
        parted = part(examples[TRAIN], new, seed)
        if not parted.aside:
            raise InputError(
                TRAIN,
                f"none of its {len(examples[TRAIN])} images can be set aside to choose and to measure by, as "
                f"{FEWEST} different ones are needed, and two of a class; name other annotated images by "
                f"{VAL}",
            )
        old = without(examples[REPLAY], parted.aside)
        examples |= {TRAIN: parted.kept, REPLAY: old, VAL: parted.aside}
    return examples


def set_aside_notes(words: Words, examples: Read, seed: int) -> list[str]:
    """Returns a line that says what stands for --val; none where it was given."""
    aside, kept = (len(examples[flag]) for flag in (VAL, TRAIN))
    line = (
        f"{TRAIN}: {aside} of its {aside + kept} images are set aside to choose and to measure by, and are "
        f"never learnt from: those whose bytes, hashed with --seed {seed}, come first; {VAL} names others"
    )
    return [] if words[VAL] else [line]


def _indexed(patterns: tuple[str, ...], labels: LabelMap, progress: Progress) -> list[IndexedExample]:
    reading = f"reading {' '.join(patterns)}"
    return index_records(patterns, labels, lambda done: progress(reading, done, None))
