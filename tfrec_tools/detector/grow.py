"""A detector for more classes: the class head gets a column a class, and the columns of the classes that
it knows are carried over by name, bit for bit.

TFOD's class head is a convolution whose output channels are (anchor of a cell, class), the anchor first
and the background at class 0. Its kernel and bias are therefore reshaped to (..., anchors, classes) before
columns are copied.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.detector import checkpoint, model, ssd
from tfrec_tools.errors import LabelConflict
from tfrec_tools.labels import LabelMap

_NEW_KERNEL_STDDEV = 0.01
# The focal loss paper's prior (Lin et al. 2017, section 4.1): a new class starts as rare.
_NEW_PROBABILITY = 0.01
_HEAD = f"{checkpoint.MODEL}/{ssd.CLASS_HEAD.replace('.', '/')}"
_HEAD_KERNEL, _HEAD_BIAS = f"{_HEAD}/pointwise_kernel", f"{_HEAD}/bias"


@dataclass(frozen=True, slots=True)
class ClassRow:
    """A class of the grown detector and its id in the base, None where it is new."""

    id: int
    name: str
    base_id: int | None


def class_rows(base: LabelMap, grown: LabelMap, *, drop_classes: bool = False) -> list[ClassRow]:
    """What becomes of each class, by name. LabelConflict where the grown map lacks classes of the base
    (unless they are to be dropped) or is not contiguous from 1."""
    lost = [name for name in base.names if name not in grown.id_by_name]
    if lost and not drop_classes:
        raise LabelConflict(
            grown.subject,
            [f"lacks {', '.join(map(repr, lost))}, which the base knows; --drop-classes drops them"],
        )
    if grown.gaps:
        raise LabelConflict(
            grown.subject, [f"ids {', '.join(map(str, grown.gaps))} are missing, expected 1 to N"]
        )
    known = base.id_by_name
    return [ClassRow(label.id, label.name, known.get(label.name)) for label in grown.labels]


def grow(base: model.Detector, grown: LabelMap, seed: int, *, drop_classes: bool = False) -> model.Detector:
    """The base with a class head for the grown map; all other variables are the base's."""
    rows = class_rows(base.labels, grown, drop_classes=drop_classes)
    values = model.values(base.network)
    random = np.random.default_rng(seed)
    kernel, bias = values[_HEAD_KERNEL], values[_HEAD_BIAS]
    per_cell = base.config.anchors.per_cell
    new_kernel = random.normal(0.0, _NEW_KERNEL_STDDEV, (*kernel.shape[:-1], per_cell, len(rows) + 1))
    new_bias = np.full((per_cell, len(rows) + 1), -math.log((1 - _NEW_PROBABILITY) / _NEW_PROBABILITY))
    values[_HEAD_KERNEL] = _carried(kernel, new_kernel, rows)
    values[_HEAD_BIAS] = _carried(bias, new_bias, rows)
    return model.resized(base, grown, values)


def _carried(old: NDArray[np.generic], new: NDArray[np.float64], rows: list[ClassRow]) -> NDArray[np.float32]:
    """`new` (..., anchors, classes) with the columns of `old` (..., anchors * classes) put in place."""
    grown = new.astype(np.float32)
    per_anchor = old.reshape(*grown.shape[:-1], -1)
    grown[..., 0] = per_anchor[..., 0]  # the background
    for row in rows:
        if row.base_id is not None:
            grown[..., row.id] = per_anchor[..., row.base_id]
    return grown.reshape(*old.shape[:-1], -1)
