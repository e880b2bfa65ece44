"""Which old images are replayed: few, but enough of every class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from tfrec_tools.detector.data.index import IndexedExample

# Below this, the replayed images of a class hardly vary.
MIN_PER_CLASS = 20


def choose(examples: Sequence[IndexedExample], budget: int, seed: int) -> list[IndexedExample]:
    """Returns about `budget` of the examples, in their order: again and again an image of the class that the
    chosen ones show least, until the budget is spent and each class is in MIN_PER_CLASS images, or in all
    that there are of it. The same for the same seed."""
    order = np.random.default_rng(seed).permutation(len(examples))
    waiting = _by_class(examples, order.tolist())
    shown: Counter[int] = Counter()
    chosen: set[int] = set()
    while waiting:
        rarest = min(waiting, key=lambda label_id: (shown[label_id], label_id))
        if len(chosen) >= budget and shown[rarest] >= MIN_PER_CLASS:
            break
        index = waiting[rarest].pop()
        if not waiting[rarest]:
            del waiting[rarest]
        if index not in chosen:
            chosen.add(index)
            shown.update(set(examples[index].ids.tolist()))
    return [examples[index] for index in sorted(chosen)]


def _by_class(examples: Sequence[IndexedExample], order: Sequence[int]) -> dict[int, list[int]]:
    """Returns {id: examples with a box of it, in this order}; images without boxes are under 0."""
    waiting: dict[int, list[int]] = {}
    for index in order:
        for label_id in set(examples[index].ids.tolist()) or {0}:
            waiting.setdefault(label_id, []).append(index)
    return waiting
