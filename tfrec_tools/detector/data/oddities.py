"""What is odd about the records of a training, said before it. Nothing of it is a fault, but with each
something else is learnt or measured than was meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from tfrec_tools.detector.data.index import IndexedExample, digest, read_image
from tfrec_tools.errors import counted

_MOST_NAMES = 10


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """The examples of a training by the option that names them: {"--train": ..., "--val": ...}."""

    by_flag: Mapping[str, Sequence[IndexedExample]]

    def of(self, *flags: str) -> list[IndexedExample]:
        return [example for flag in flags for example in self.by_flag.get(flag, ())]


def warnings(records: Records, new: Mapping[int, str]) -> tuple[str, ...]:
    """Returns a line for each oddity. `new` are {id: name} of the classes that are to be learnt."""
    return (*_without_boxes(records), *_never_seen(records, new), *_in_both(records))


def _without_boxes(records: Records) -> Iterator[str]:
    for flag, examples in records.by_flag.items():
        if examples and not any(len(example.ids) for example in examples):
            yield f"none of the {counted(len(examples), 'image')} of {flag} has a box"


def _never_seen(records: Records, new: Mapping[int, str]) -> Iterator[str]:
    """Classes without a box to learn from, and new ones without a box to measure by."""
    learnt, measured = (_ids(records.of(*flags)) for flags in (("--train", "--replay"), ("--val",)))
    if unlearnt := [name for label_id, name in new.items() if label_id not in learnt]:
        yield f"no box of {_listed(unlearnt)} in --train: nothing is learnt of {_it(unlearnt)}"
    if unseen := [name for label_id, name in new.items() if label_id not in measured]:
        yield (
            f"no box of {_listed(unseen)} in --val: how well {_it(unseen)} {_is(unseen)} learnt is neither "
            "measured nor chosen by"
        )


def _in_both(records: Records) -> Iterator[str]:
    """Images that are learnt from and measured with, the same to the byte. Only those are read that are of as
    many pixels and bytes as another."""
    learnt: dict[tuple[int, int, int], list[IndexedExample]] = {}
    for example in records.of("--train", "--replay"):
        learnt.setdefault(_size(example), []).append(example)
    digests = cache(lambda size: {digest(example) for example in learnt.get(size, ())})
    for flag in ("--val", "--test"):
        held = records.by_flag.get(flag, ())
        same = [
            example for example in held if (known := digests(_size(example))) and digest(example) in known
        ]
        if same:
            yield (
                f"{len(same)} of {len(held)} images of {flag} are learnt from, too, so that what is measured "
                f"on them says little (the first: {same[0].source})"
            )


def _size(example: IndexedExample) -> tuple[int, int, int]:
    image = example.image
    return example.width, example.height, len(read_image(example)) if image is None else image.size


def _ids(examples: Sequence[IndexedExample]) -> Counter[int]:
    return Counter(label_id for example in examples for label_id in example.ids.tolist())


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if names[_MOST_NAMES:] else ""
    return ", ".join(map(repr, names[:_MOST_NAMES])) + more


def _it(names: Sequence[str]) -> str:
    return "them" if names[1:] else "it"


def _is(names: Sequence[str]) -> str:
    return "are" if names[1:] else "is"
