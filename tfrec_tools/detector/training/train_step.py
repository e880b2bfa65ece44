"""What a step does: TFOD's targets and losses of a batch, their gradients, and an update.

A batch is cut into parts: each replica takes as many as `accumulate` says, one after the other. What the
parts' losses are divided by is that of the whole batch, and gradients are clipped when they are added up, so
that it makes no difference but rounding how a batch is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, TypeVar

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfrec_tools.detector.architectures import registry
from tfrec_tools.detector.data import batches
from tfrec_tools.detector.losses.distillation import Teacher
from tfrec_tools.detector.losses.matching import Draw, GroundTruth
from tfrec_tools.detector.losses.ssd_losses import Losses
from tfrec_tools.detector.model import detector as detectors
from tfrec_tools.detector.model.detector import Detector, layers_of
from tfrec_tools.detector.network.graphs import graph
from tfrec_tools.detector.network.layers import BatchNorm, Conv, Moments, SeparableConv
from tfrec_tools.detector.training import norm_statistics, rates
from tfrec_tools.detector.training.distribution import Cluster, summed
from tfrec_tools.detector.training.optimizer import Update, beside
from tfrec_tools.detector.training.precision import LossScale, computing_in
from tfrec_tools.detector.training.settings import TrainConfig
from tfrec_tools.labels.label_map import LabelMap

_Traced = TypeVar("_Traced", bound=Callable[..., Any])

# Far above the norms of a healthy run; it keeps one strange image from undoing the rest.
_CLIP_NORM = 10.0
# Padded with boxes of zeros to the next of these and their doubles, as XLA compiles each number anew.
_FEWEST_BOXES_COMPILED = 8
_MANY_BOXES = 100  # of an image, more than most have


@dataclass(frozen=True, slots=True)
class StepLosses:
    """The losses of a step, counted from 1; `regularization` is the L2 term of TFOD's total, and
    `distillation` what a teacher adds."""

    step: int
    localization: float
    classification: float
    regularization: float
    distillation: float

    @property
    def total(self) -> float:
        return self.localization + self.classification + self.regularization + self.distillation


# The losses (4,) in the order of StepLosses, and the gradients of their sum, of all that is trained.
_Gradients = tuple[tf.Tensor, list[tf.Tensor]]
LOSSES = [field.name for field in fields(StepLosses)][1:]


class _Piece(NamedTuple):
    """Images of a batch, as `training_batches` gives them, from row `first` of the whole batch on, at a
    step."""

    step: tf.Tensor
    first: tf.Tensor
    tensors: list[tf.Tensor]


class Stepper:
    """Steps of a detector's training, with a teacher or without, on all of a cluster's replicas. Of which
    classes `taught` and `apart` are, (K,) 0 or 1, has to be said first."""

    def __init__(
        self, detector: Detector, config: TrainConfig, teacher: Teacher | None, cluster: Cluster
    ) -> None:
        self._detector = detector
        self._config = config
        self._teacher = _joined(detector, config, teacher)
        self._cluster = cluster
        is_cpu = not tf.config.list_physical_devices("GPU")
        network = layers_of(detector.network)
        norms = [layer for layer in network if isinstance(layer, BatchNorm)]
        self.following = norms if config.train_batch_norm else []  # the statistics of the batches
        for norm in norms:
            norm.use_batch_statistics = config.train_batch_norm
        for layer in network:
            if isinstance(layer, Conv | SeparableConv):
                layer.as_product = is_cpu
        with cluster.strategy.scope():
            self.update = Update(detector, config)
            self.taught, self.apart = (beside(tf.zeros(detector.config.num_classes)) for _ in range(2))
            self._loss_scale = LossScale() if config.precision == "float16" else None
        self._exists = tf.constant(_exists(detector.labels, detector.config.num_classes))
        self.share = config.batch_size // cluster.workers  # images of this worker
        self._part = config.batch_size // (cluster.replicas * config.accumulate)  # images of a part
        place = tf.TensorSpec((), tf.int32)
        signature = batches.signature(detector.config, self.share)
        # Of the steps done and this worker's share of a batch, the losses in the order of StepLosses, and the
        # norm of the gradient; nothing is trained where one is not finite.
        self.run = graph(self._step_everywhere, input_signature=[place, *signature])
        signature = batches.signature(detector.config, self._part)
        self._is_finite = graph(self._is_finite_alone, input_signature=[place, *signature])
        # Of the steps done and a batch, what passes each norm that is `following`.
        self.moments = graph(self._moments_of, input_signature=[place, *signature])
        self._denominators = _compiled(self._denominators_of, config.jit)
        self._backward_over = _compiled(self._backward_with, config.jit)

    @property
    def variables(self) -> dict[str, keras.Variable]:
        """What changes from step to step, of the network and beside it."""
        scale = self._loss_scale.variables if self._loss_scale else {}
        return detectors.variables(self._detector.network) | self.update.variables | scale

    def is_finite(self, step: int, example: Sequence[tf.Tensor]) -> bool:
        """Returns whether an image of a batch, taken alone, has a finite loss and gradient."""
        return bool(self._is_finite(step, *(tf.repeat(part, self._part, axis=0) for part in example)))

    def fits(self) -> bool:
        """Returns whether losses and gradients of such a batch fit the device's memory, by trying."""
        shapes = (spec.shape.as_list() for spec in batches.signature(self._detector.config, self._part))
        zeros = [tf.zeros([_MANY_BOXES if size is None else size for size in shape]) for shape in shapes]
        try:
            self._is_finite(0, *zeros)
        except tf.errors.ResourceExhaustedError:
            return False
        return True

    def _step_everywhere(self, step: tf.Tensor, *batch: tf.Tensor) -> list[tf.Tensor]:
        results = self._cluster.strategy.run(self._train_step, args=(step, *batch))
        return [self._cluster.local(value) for value in results]

    def _train_step(self, step: tf.Tensor, *batch: tf.Tensor) -> list[tf.Tensor]:
        losses, gradients = summed(self._of_replica(step, batch))
        if self._loss_scale:
            gradients = [gradient / self._loss_scale.scale for gradient in gradients]
        gradients, norm = tf.clip_by_global_norm(gradients, _CLIP_NORM)
        is_finite = tf.math.is_finite(tf.reduce_sum(losses) + norm)
        tf.cond(is_finite, lambda: self.update.apply(step, gradients), lambda: None)
        if self._loss_scale:  # an overflow is no fault while there is a smaller scale
            norm = tf.where(self._loss_scale.scale > 1.0, tf.zeros(()), norm)
            self._loss_scale.follow(is_finite)
        return [*tf.unstack(losses, len(LOSSES)), norm]

    def _of_replica(self, step: tf.Tensor, batch: Sequence[tf.Tensor]) -> _Gradients:
        """Returns what this replica's images add to the losses and to their gradients, one part after the
        other: what one takes on the way is free for the next."""
        if self._config.accumulate == 1 and not self._config.jit:
            return self._backward(self._piece(step, batch, 0), summed)
        parts = tf.range(self._config.accumulate)
        denominators = tf.map_fn(
            lambda part: self._denominators(self._piece(step, batch, part)),
            parts,
            parallel_iterations=1,
            fn_output_signature=tf.float32,
        )
        whole = summed(tf.reduce_sum(denominators, axis=0))

        def add(so_far: _Gradients, part: tf.Tensor) -> _Gradients:
            gradients = self._backward_over(self._piece(step, batch, part), whole)
            return tf.nest.map_structure(tf.add, so_far, gradients)

        nothing = tf.zeros(len(LOSSES)), [tf.zeros(variable.shape) for variable in self.update.trained]
        return tf.foldl(add, parts, nothing, parallel_iterations=1)

    def _piece(self, step: tf.Tensor, batch: Sequence[tf.Tensor], part: tf.Tensor | int) -> _Piece:
        """Returns one of this replica's parts of the batch, of which `batch` is this worker's share."""
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        first = (replica * self._config.accumulate + part) * self._part
        with tf.device("/device:CPU:0"):  # the rest of the batch need not come to a GPU
            row = first - self._cluster.worker * self.share
            tensors = [tensor[row : row + self._part] for tensor in batch]
            tensors = [tf.ensure_shape(tensor, (self._part, *tensor.shape[1:])) for tensor in tensors]
            return _Piece(step, first, _padded(tensors) if self._config.jit else tensors)

    def _denominators_of(self, piece: _Piece) -> tf.Tensor:
        return self._losses(piece).denominators

    def _backward_with(self, piece: _Piece, denominators: tf.Tensor) -> _Gradients:
        return self._backward(piece, lambda _: denominators)

    def _backward(self, piece: _Piece, whole: Callable[[tf.Tensor], tf.Tensor]) -> _Gradients:
        """Returns what images add to the losses and to their gradients. `whole` gives the batch's
        denominators for those of these images."""
        watched = [variable.value for variable in self.update.trained]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(watched)
            terms = self._losses(piece)
            localization, classification, distillation = terms.over(whole(terms.denominators))
            # It is not of images: of all that add it up, each adds as much.
            parts = self._config.batch_size // self._part
            regularization = tf.add_n([tf.zeros(()), *self._detector.network.losses]) / parts
            losses = tf.stack([localization, classification, regularization, distillation])
            total = tf.reduce_sum(losses)
            if self._loss_scale:
                total *= self._loss_scale.scale
        return losses, tape.gradient(total, watched, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    def _losses(self, piece: _Piece) -> Losses:
        config, network = self._detector.config, self._detector.network
        images, windows, boxes, classes, weights, labeled = piece.tensors
        draw = Draw(tf.stack([self._config.seed, piece.step]), piece.first, self._config.batch_size)
        of_classes = self.taught.value, self._exists, self.apart.value
        truth = GroundTruth(windows, boxes, classes, weights, labeled, *of_classes, draw)
        networks = [network, self._teacher.network] if self._teacher else [network]
        with computing_in(self._config.precision, networks):
            return registry.of(config).training_losses(
                config, network, images, truth, self._teacher, training=self._config.train_batch_norm
            )

    def _is_finite_alone(self, step: tf.Tensor, *tensors: tf.Tensor) -> tf.Tensor:
        """Returns whether these images, taken for the whole batch, have finite losses and gradients."""

        def of_replica() -> tf.Tensor:
            losses, gradients = self._backward(_Piece(step, tf.constant(0), list(tensors)), tf.identity)
            return tf.math.is_finite(tf.reduce_sum(losses) + tf.linalg.global_norm(gradients))

        return self._cluster.local(self._cluster.strategy.run(of_replica))

    def _moments_of(self, step: tf.Tensor, *tensors: tf.Tensor) -> list[list[Moments]]:
        def of_replica() -> list[list[Moments]]:
            with norm_statistics.observed(self.following) as seen:
                self._losses(_Piece(step, tf.constant(0), list(tensors)))
            return seen

        moments = self._cluster.strategy.run(of_replica)
        found: list[list[Moments]] = tf.nest.map_structure(self._cluster.local, moments)
        return found


def _joined(detector: Detector, config: TrainConfig, teacher: Teacher | None) -> Teacher | None:
    """Returns the teacher behind the detector's backbone, where that stays what the teacher's is."""
    if teacher is None or config.train_batch_norm or not rates.keeps_backbone(detector, config):
        return teacher
    both = registry.of(detector.config).side_by_side(detector.network, teacher.network)
    return teacher._replace(joined=both)


def _compiled(function: _Traced, jit: bool) -> _Traced:
    return graph(function, jit_compile=True) if jit else function


def _padded(tensors: list[tf.Tensor]) -> list[tf.Tensor]:
    """Pads with boxes of zeros to one of few numbers of them."""
    images, windows, boxes, classes, weights, labeled = tensors
    count = tf.shape(weights)[1]
    wanted = tf.constant(_FEWEST_BOXES_COMPILED)
    wanted = tf.while_loop(lambda most: most < count, lambda most: [most * 2], [wanted])[0]
    rows = [[0, 0], [0, wanted - count]]
    boxes, classes = (tf.pad(part, [*rows, [0, 0]]) for part in (boxes, classes))
    return [images, windows, boxes, classes, tf.pad(weights, rows), labeled]


def _exists(labels: LabelMap, num_classes: int) -> NDArray[np.float32]:
    """Returns (K,) 1 for each id that has a class."""
    return np.array([label_id in labels.name_by_id for label_id in range(1, num_classes + 1)], np.float32)
