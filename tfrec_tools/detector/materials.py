"""The images of a training: which are learnt from, which are chosen by and measured with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tfrec_tools.detector.data.index import IndexedExample
from tfrec_tools.detector.data.set_aside import once, part, without
from tfrec_tools.detector.training import loop
from tfrec_tools.errors import counted


@dataclass(frozen=True, slots=True, eq=False)
class Materials:
    """Indexed examples.

    val         what is chosen by; `aside`: a part of the new images, as nothing was given
    test        what is measured with: `val` itself where nothing else is given
    unlabelled  images that nobody labelled, to train with; `held` are those held back to watch old classes by
    """

    new: Sequence[IndexedExample]
    old: Sequence[IndexedExample]
    val: Sequence[IndexedExample]
    test: Sequence[IndexedExample]
    aside: bool = False
    unlabelled: Sequence[IndexedExample] = ()
    held: Sequence[IndexedExample] = ()

    @property
    def training(self) -> loop.TrainingSet:
        return loop.TrainingSet(self.new, self.old, self.unlabelled)

    @property
    def set_aside(self) -> list[str]:
        """Returns where the new images stand that are chosen by, if any were set aside."""
        return [example.source for example in self.val] if self.aside else []

    @property
    def counts(self) -> dict[str, int]:
        """{what for: how many}"""
        return {
            "new, to train with": len(self.new),
            "old, to train with": len(self.old),
            "unlabelled, to train with": len(self.unlabelled),
            "set aside, to choose by" if self.aside else "to choose by": len(self.val),
            "unlabelled, to watch old classes by": len(self.held),
            "to measure with": len(self.test),
        }

    @property
    def measured_with(self) -> str:
        """Says which images those to measure with are."""
        count = counted(len(self.test), "image")
        if self.test is not self.val:
            return f"{count} that nothing was learnt from or chosen by"
        if self.aside:
            return f"the {count} set aside of the new ones, which were chosen by, too"
        return f"the {count} that were chosen by, too"


def with_unlabelled(
    data: Materials, images: Sequence[IndexedExample], note: Callable[[str], None]
) -> Materials:
    """Returns the materials with images that nobody labelled, but for those that stand among the others, or
    twice, to the byte."""
    others = without(once(images), [*data.new, *data.old, *data.val, *data.test])
    if left_out := len(images) - len(others):
        note(
            f"--unlabelled: {left_out} of its {len(images)} images are left out, the same to the byte "
            "as others"
        )
    return replace(data, unlabelled=others)


def held_back(data: Materials, seed: int, *, taught: bool) -> Materials:
    """Returns the materials with a part of the unlabelled images held back from training; without the others
    where nothing would be taught on them."""
    parted = part(data.unlabelled, (), seed)
    if not taught:
        return replace(data, unlabelled=(), held=parted.aside or parted.kept)
    return replace(data, unlabelled=parted.kept, held=parted.aside)
