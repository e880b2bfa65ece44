"""A detector for more classes: the class head gets a column a class, and the columns of the classes that
it knows are carried over by name, bit for bit.

The output channels of a class head are (anchor of a cell, class), the anchor first. Its kernel and bias are
therefore reshaped to (..., anchors, classes) before columns are copied.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.detector.architectures import registry
from tfrec_tools.detector.checkpoints import object_graph
from tfrec_tools.detector.model import detector
from tfrec_tools.detector.model.class_rows import AS_THEY_ARE, Renamed, class_rows
from tfrec_tools.detector.network.heads import ClassHead
from tfrec_tools.labels.label_map import LabelMap

_NEW_KERNEL_STDDEV = 0.01
# The focal loss paper's prior (Lin et al. 2017, section 4.1): a new class starts as rare.
_NEW_PROBABILITY = 0.01


def grow(
    base: detector.Detector,
    grown: LabelMap,
    seed: int,
    *,
    drop_classes: bool = False,
    renamed: Renamed = AS_THEY_ARE,
) -> detector.Detector:
    """Returns the base with class heads for the grown map; all other variables are the base's.

    A map with gaps, such as COCO's of 80 classes with ids up to 90, has a column for every id; that of an id
    without a class is the base's where it has one.
    """
    columns = {label_id: label_id for label_id in grown.gaps if label_id <= base.config.num_classes}
    for row in class_rows(base.labels, grown, drop_classes=drop_classes, renamed=renamed):
        if row.base_id is not None:
            columns[row.id] = row.base_id
    values = detector.values(base.network)
    random = np.random.default_rng(seed)
    for head in registry.of(base.config).class_heads(base.config):
        _grow_head(values, head, max(grown.name_by_id), columns, random)
    return detector.resized(base, grown, values)


def add_to_biases(grown: detector.Detector, added: Mapping[int, float]) -> None:
    """Adds to the logits of classes, {id: how much}: to the bias of their columns, in each head that has
    some. No other number changes."""
    by_path = detector.variables(grown.network)
    for head in registry.of(grown.config).class_heads(grown.config):
        if head.values == 1:
            bias = by_path[f"{object_graph.MODEL}/{head.path}/bias"]
            columns = np.asarray(bias).reshape(head.per_cell, -1).copy()
            for label_id, number in added.items():
                columns[:, label_id if head.background else label_id - 1] += np.float32(number)
            bias.assign(columns.reshape(bias.shape))


def _grow_head(
    values: detector.Values, head: ClassHead, classes: int, ids: dict[int, int], random: np.random.Generator
) -> None:
    """Puts the head for so many classes into `values`; `ids` are {grown id: of the base}."""
    path = f"{object_graph.MODEL}/{head.path}"
    kernel, bias = values[f"{path}/{head.kernel}"], values[f"{path}/bias"]
    columns = {0: 0} | ids if head.background else {new - 1: old - 1 for new, old in ids.items()}
    shape = (head.per_cell, classes + head.background, head.values)
    new_kernel = random.normal(0.0, _NEW_KERNEL_STDDEV, (*kernel.shape[:-1], *shape))
    # A new class starts as rare, its own box, where it has one, as the proposal's.
    prior = -math.log((1 - _NEW_PROBABILITY) / _NEW_PROBABILITY) if head.values == 1 else 0.0
    new_bias = np.full(shape, prior)
    values[f"{path}/{head.kernel}"] = _carried(kernel, new_kernel, columns)
    values[f"{path}/bias"] = _carried(bias, new_bias, columns)


def _carried(
    old: NDArray[np.generic], new: NDArray[np.float64], columns: dict[int, int]
) -> NDArray[np.float32]:
    """Returns `new` (..., anchors, classes, values) with columns of `old`, whose last axis is all three, in
    place."""
    grown = new.astype(np.float32)
    per_anchor = old.reshape(*grown.shape[:-2], -1, grown.shape[-1])
    for column, base_column in columns.items():
        grown[..., column, :] = per_anchor[..., base_column, :]
    return grown.reshape(*old.shape[:-1], -1)
