"""What CenterNet's maps are to say, and their losses (TFOD's core/target_assigner.py,
utils/target_assigner_utils.py, core/losses.py, meta_architectures/center_net_meta_arch.py).

An image need not be annotated for all classes, and a box may be in doubt. The heatmap of a class that an
image was not annotated for teaches nothing, except as far as a cell shows the centre of an annotated box:
there it is known that the class is absent, if it is ever taught (`matching.assign` says why). Around the
centre of a box in doubt, the background is taught as little as it would be around one that is there; at the
centre, nothing is.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from tfrec_tools.detector.config.center_net import CenterLoss
from tfrec_tools.detector.losses import elementwise
from tfrec_tools.detector.losses.matching import GroundTruth
from tfrec_tools.detector.losses.ssd_losses import Losses, by_group
from tfrec_tools.detector.network.center_network import Maps

_LOWEST = 1e-4  # TFOD's bounds of a probability


class CenterTargets(NamedTuple):
    """What the maps of a batch, h x w cells, are to say.

    heatmaps  (B, h, w, K) float32, exactly 1 where the centre of a box is
    doubts    (B, h, w, K) float32, the same of boxes of weight 0
    weights   (B, h, w, K) float32, how much the classes count in a cell
    cells     (B, N) int32, the cell of each box, row by row
    sizes     (B, N, 2) float32 [height width], in cells
    offsets   (B, N, 2) float32 [y x], of the centre from the cell's corner
    box_weights  (B, N) float32, 0 where there is no box
    """

    heatmaps: tf.Tensor
    doubts: tf.Tensor
    weights: tf.Tensor
    cells: tf.Tensor
    sizes: tf.Tensor
    offsets: tf.Tensor
    box_weights: tf.Tensor


def assign(truth: GroundTruth, min_iou: float, cells: tuple[int, int], stride_px: int) -> CenterTargets:
    """Returns the targets of a batch for maps of so many cells, (h, w)."""
    size = tf.constant(cells, tf.float32)
    sizes = (truth.boxes[..., 2:] - truth.boxes[..., :2]) * size  # (B, N, 2)
    centres = (truth.boxes[..., :2] + truth.boxes[..., 2:]) / 2.0 * size  # (B, N, 2)
    corners = tf.floor(centres)
    is_box = tf.reduce_any(truth.classes > 0.0, axis=-1)  # (B, N)
    gaussians = _gaussians(corners, deviations(sizes, min_iou), cells)  # (B, N, h, w)
    certain = tf.where(is_box, truth.weights, 0.0)
    doubtful = tf.cast(is_box & (truth.weights <= 0.0), tf.float32)
    heatmaps = _by_class(gaussians * certain[..., None, None], truth.classes)
    near = tf.minimum(tf.reduce_max(heatmaps, axis=-1, keepdims=True), 1.0)
    known = tf.maximum(truth.labeled[:, None, None, :], truth.taught * near)
    # A centre on the right or the lower edge has no cell.
    is_inside = tf.reduce_all((corners >= 0.0) & (corners < size), axis=-1)
    rows = tf.cast(tf.clip_by_value(corners, 0.0, size - 1.0), tf.int32)
    return CenterTargets(
        heatmaps=heatmaps,
        doubts=_by_class(gaussians * doubtful[..., None, None], truth.classes),
        weights=known * _within(truth.windows, cells, stride_px)[..., None],
        cells=rows[..., 0] * cells[1] + rows[..., 1],
        sizes=sizes,
        offsets=centres - corners,
        box_weights=tf.where(is_inside, certain, 0.0),
    )


def deviations(sizes: tf.Tensor, min_iou: float) -> tf.Tensor:
    """Returns (...) of sizes (..., 2): the standard deviation of a box's Gaussian. It is a sixth of a window
    of the radius by which a box may be moved and overlap itself by `min_iou`; of three ways of moving it,
    TFOD takes the smallest radius, each by a formula of CenterNet's first code that does not divide by a."""
    height, width = sizes[..., 0], sizes[..., 1]
    area, around = height * width, height + width
    cases = (
        (1.0, -around, area * (1.0 - min_iou) / (1.0 + min_iou)),
        (4.0, -2.0 * around, (1.0 - min_iou) * area),
        (4.0 * min_iou, 2.0 * min_iou * around, (min_iou - 1.0) * area),
    )
    radii = [(-b + tf.sqrt(tf.maximum(b * b - 4.0 * a * c, 0.0))) / 2.0 for a, b, c in cases]
    radius = tf.maximum(tf.reduce_min(tf.stack(radii), axis=0), 0.0)
    return (2.0 * tf.floor(radius) + 1.0) / 6.0


def losses(
    config: CenterLoss,
    stacks: list[Maps],
    targets: CenterTargets,
    truth: GroundTruth,
    emphasis: float = 1.0,
) -> Losses:
    """Returns the losses of a batch, of each stack against the same targets, in groups as
    `ssd_losses.by_group` says."""
    known = targets.heatmaps, targets.doubts, targets.weights, config.alpha, config.beta
    of_classes = tf.add_n([elementwise.column_sums(_focal, maps.logits, *known) for maps in stacks]) / len(
        stacks
    )  # (K,)
    of_boxes = tf.add_n([_distances(config, maps, targets) for maps in stacks]) / len(stacks)  # (B, N)
    boxes = tf.cast(tf.reduce_any(truth.classes > 0.0, axis=-1) & (truth.weights > 0.0), tf.float32)
    apart = truth.is_apart, truth.classes_apart
    return by_group(of_boxes, config.center_weight * of_classes, boxes, apart, emphasis)


def _focal(
    logits: tf.Tensor,
    heatmaps: tf.Tensor,
    doubts: tf.Tensor,
    weights: tf.Tensor,
    alpha: float,
    beta: float,
) -> tf.Tensor:
    """Returns the loss (B, h, w, K) of each cell and class (Law and Deng 2018, equation 1)."""
    probability = tf.clip_by_value(tf.sigmoid(logits), _LOWEST, 1.0 - _LOWEST)
    at_centre = (1.0 - probability) ** alpha * tf.math.log(probability)
    reduced = (1.0 - tf.maximum(heatmaps, doubts)) ** beta
    elsewhere = reduced * probability**alpha * tf.math.log(1.0 - probability)
    return -tf.where(heatmaps == 1.0, at_centre, elsewhere) * weights


def _distances(config: CenterLoss, maps: Maps, targets: CenterTargets) -> tf.Tensor:
    """Returns (B, N), weighed: how far size and offset at each box's cell are from its own."""
    sizes, offsets = (
        tf.reduce_sum(tf.abs(_at(values, targets.cells) - wanted), axis=-1)
        for values, wanted in ((maps.sizes, targets.sizes), (maps.offsets, targets.offsets))
    )
    return (config.scale_weight * sizes + config.offset_weight * offsets) * targets.box_weights


def _at(values: tf.Tensor, cells: tf.Tensor) -> tf.Tensor:
    """Returns (B, N, C): of values (B, h, w, C) those of the cells (B, N)."""
    _, height, width, channels = values.shape
    return tf.gather(tf.reshape(values, (-1, height * width, channels)), cells, batch_dims=1)


def _gaussians(corners: tf.Tensor, deviation: tf.Tensor, cells: tuple[int, int]) -> tf.Tensor:
    """Returns (B, N, h, w): 1 in the cell of each box, less around it."""
    height, width = (tf.range(cells[axis], dtype=tf.float32) for axis in range(2))
    rows = (height - corners[..., :1]) ** 2  # (B, N, h)
    columns = (width - corners[..., 1:]) ** 2  # (B, N, w)
    distances = rows[..., :, None] + columns[..., None, :]
    return tf.exp(-distances / (2.0 * deviation[..., None, None] ** 2))


def _by_class(gaussians: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
    """Returns (B, h, w, K): the highest of the Gaussians (B, N, h, w) of a class's boxes, by classes (B, N,
    K)."""
    shape, kinds = tf.shape(gaussians), classes.shape[-1]
    batch, height, width = shape[0], gaussians.shape[2], gaussians.shape[3]
    segments = tf.range(batch)[:, None] * kinds + tf.argmax(classes, axis=-1, output_type=tf.int32)
    highest = tf.math.unsorted_segment_max(
        tf.reshape(gaussians, (-1, height * width)), tf.reshape(segments, [-1]), batch * kinds
    )
    maps = tf.reshape(tf.maximum(highest, 0.0), (-1, kinds, height, width))
    return tf.transpose(maps, (0, 2, 3, 1))


def _within(windows: tf.Tensor, cells: tuple[int, int], stride_px: int) -> tf.Tensor:
    """Returns (B, h, w) 1 for the cells that show something of the image, by windows (B, 2)."""
    size = tf.round(windows * tf.constant(cells, tf.float32) * float(stride_px))
    limits = tf.math.ceil(size / float(stride_px))  # (B, 2)
    rows, columns = (tf.sequence_mask(limits[:, axis], cells[axis], tf.float32) for axis in range(2))
    return rows[:, :, None] * columns[:, None, :]
