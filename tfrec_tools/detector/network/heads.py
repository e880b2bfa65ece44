"""Where a detector's class columns are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClassHead:
    """A layer whose output channels are (box of a cell, class, value), the box first.

    path      of the layer in the checkpoint's model; `kernel` is the name of the variable with the columns,
              beside "bias"
    per_cell  boxes a cell
    values    values a class: 1 for logits, 4 for box codes
    background  whether class 0 is the background; the classes of the label map follow in the order of ids
    """

    path: str
    kernel: str
    per_cell: int
    background: bool
    values: int = 1
