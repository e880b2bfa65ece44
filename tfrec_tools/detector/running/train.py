"""The training loop: TFOD's targets and losses, learning rates by group, a state to go on from.

A batch is cut into parts: each replica takes as many as `accumulate` says, one after the other. What the
parts' losses are divided by is that of the whole batch, and gradients are clipped when they are added up, so
that it makes no difference but rounding how a batch is cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfrec_tools.detector import checkpoint, families, model
from tfrec_tools.detector.examples import batches
from tfrec_tools.detector.examples.dataset import Annotated
from tfrec_tools.detector.examples.pictures import Cache, Pictures, pictures_of
from tfrec_tools.detector.learning.distill import Teacher
from tfrec_tools.detector.learning.losses import Losses
from tfrec_tools.detector.learning.matching import Draw, Truth
from tfrec_tools.detector.network.layers import BatchNorm
from tfrec_tools.detector.pipeline.faster_rcnn import FasterRcnnConfig
from tfrec_tools.detector.running.cluster import ALONE, Cluster, Wish, summed
from tfrec_tools.detector.running.precision import LossScale, computing_in
from tfrec_tools.errors import InputError, TfrecError
from tfrec_tools.labels import LabelMap

_Traced = TypeVar("_Traced", bound=Callable[..., Any])
Schedule = Callable[[tf.Tensor], tf.Tensor]  # of the steps done, the learning rate

_MOMENTUM = 0.9
# Far above the norms of a healthy run; it keeps one strange picture from undoing the rest.
_CLIP_NORM = 10.0
_WARMUP_SHARE = 0.1
# Padded with boxes of zeros to the next of these and their doubles, as XLA compiles each number anew.
_FEWEST_BOXES_COMPILED = 8
_MANY_BOXES = 100  # of a picture, more than most have
_BESIDE = "beside/"  # before the names of what is saved with a state but no part of it


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How to train; the learning rate of the backbone is lr * backbone_lr_mult, `average` how slowly the
    average of the weights follows them, 0 for none, and `cache` where decoded pictures are kept.

    batch_size  of all replicas together; 0, of no trainer, is to be settled by `batch_size.fitted`
    precision   the dtype that layers compute with, "float32", "bfloat16" or "float16"
    jit         whether losses and gradients are compiled by XLA
    accumulate  how many parts a batch is taken in, one after the other
    """

    steps: int
    batch_size: int
    lr: float
    backbone_lr_mult: float
    freeze_backbone: bool
    train_batch_norm: bool
    replay_ratio: float
    average: float
    seed: int
    cache: Cache = "off"
    precision: str = "float32"
    jit: bool = False
    accumulate: int = 1


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
    """Pictures of a batch, as `training_batches` gives them, from row `first` of the whole batch on, at a
    step."""

    step: tf.Tensor
    first: tf.Tensor
    pictures: list[tf.Tensor]


class Trainer:
    """A detector in training, with a teacher or without; `step` is how many steps it has done. The classes
    `apart`, by id, are taught as much as all others together, however few boxes they have. The networks are
    to be made within the scope of the cluster's strategy. TfrecError where the batch cannot be cut so."""

    def __init__(
        self,
        detector: model.Detector,
        config: TrainConfig,
        teacher: Teacher | None = None,
        apart: frozenset[int] = frozenset(),
        cluster: Cluster = ALONE,
    ) -> None:
        require_trainable(detector, config, teacher, cluster)
        self.detector = detector
        self.config = config
        self.step = 0
        self._teacher = teacher
        self._apart_ids = apart
        self._cluster = cluster
        self._groups = _groups(detector, config)
        self._trained = [variable for _, variables in self._groups for variable in variables]
        for layer in model.layers_of(detector.network):
            if isinstance(layer, BatchNorm):
                layer.use_batch_statistics = config.train_batch_norm
        with cluster.strategy.scope():
            self._momenta = [_beside(np.zeros(variable.shape)) for variable in self._trained]
            self._averages = [_beside(variable) for variable in self._trained if config.average]
            self._taught, self._apart = (_beside(np.zeros(detector.config.num_classes)) for _ in range(2))
            self._loss_scale = LossScale() if config.precision == "float16" else None
        self._exists = tf.constant(_exists(detector.labels, detector.config.num_classes))
        self._share = config.batch_size // cluster.workers  # pictures of this worker
        self._part = config.batch_size // (cluster.replicas * config.accumulate)  # of a part
        place = tf.TensorSpec((), tf.int32)
        signature = batches.signature(detector.config, self._share)
        self._run_step = tf.function(self._step_everywhere, input_signature=[place, *signature])
        signature = batches.signature(detector.config, self._part)
        self._is_finite = tf.function(self._is_finite_alone, input_signature=[place, *signature])
        self._denominators = _compiled(self._denominators_of, config.jit)
        self._backward_over = _compiled(self._backward_with, config.jit)

    def run(
        self,
        new: Sequence[Annotated],
        old: Sequence[Annotated],
        on_step: Callable[[StepLosses], int | None],
        *,
        is_over: bool = False,
    ) -> Wish:
        """Trains from `step` to the last one, or, with several workers, until one of them wishes otherwise:
        `on_step` gives a Wish, `is_over` says that there is nothing left to do. What all agreed on.

        InputError, naming the record, where the loss or its gradient is not finite; the weights are then
        those before that step. LostWorker where one is gone; the weights are those of the last whole step.
        """
        config = self.config
        taught = _taught([*new, *old], self.detector.config.num_classes)
        self._taught.assign(taught)
        self._apart.assign(_apart(self._apart_ids, taught))
        mix = batches.mix(len(new), len(old), config.batch_size, config.replay_ratio, config.seed)
        with self._cluster.together():
            self._follow_the_chief()
            wish = self._cluster.agree(Wish.END if is_over else Wish.GO_ON)
        if wish is not Wish.GO_ON:
            return wish
        with pictures_of([*new, *old], config.cache) as pictures:
            return self._take_steps(pictures, mix, on_step)

    def _take_steps(
        self, pictures: Pictures, mix: batches.Mix, on_step: Callable[[StepLosses], int | None]
    ) -> Wish:
        share = self._cluster.worker, self._cluster.workers
        for batch in batches.training_batches(
            self.detector.config, pictures, mix, self.step, self.config.steps, share
        ):
            with self._cluster.together():
                *found, norm = (float(value) for value in self._run_step(self.step, *batch))
            done = StepLosses(self.step + 1, *found)
            if not math.isfinite(done.total + norm):
                first = self.step * mix.batch_size + self._cluster.worker * self._share
                places = range(first, first + self._share)
                raise self._blame(batch, [pictures.examples[mix.index(place)] for place in places], done)
            self.step = done.step
            mine = int(on_step(done) or Wish.GO_ON)
            with self._cluster.together():
                wish = self._cluster.agree(mine)
            if wish is not Wish.GO_ON:
                return wish
        return Wish.GO_ON

    def _follow_the_chief(self) -> None:
        """All workers begin with the chief's state, whatever each of them has read or computed."""
        variables = [*self._state().values(), self._taught, self._apart]
        values = [tf.constant(float(self.step)), *(variable.value for variable in variables)]
        step, *values = self._cluster.from_chief(values)
        self.step = int(step)
        if not self._cluster.is_chief:
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def _blame(
        self, batch: Sequence[tf.Tensor], examples: Sequence[Annotated], done: StepLosses
    ) -> TfrecError:
        """Which example of a batch it is whose loss is not finite, found by taking each alone."""
        size = len(examples)
        rows = ([part[row : row + 1] for part in batch] for row in range(size))
        alone = ([tf.repeat(part, self._part, axis=0) for part in row] for row in rows)
        bad = [
            example
            for example, part in zip(examples, alone, strict=True)
            if not self._is_finite(self.step, *part)
        ]
        what = (
            f"the loss is {done.total:g}" if not math.isfinite(done.total) else "the gradient is not finite"
        )
        if self._cluster.workers > 1 and not bad:
            return TfrecError(f"{what} at step {done.step}, by a picture that another worker will name")
        sources = list(dict.fromkeys(example.source for example in bad or examples))
        if len(bad) == size or not bad:
            why = "by every picture of the batch; a lower --lr keeps it finite"
        else:
            why = "by this picture" + (f" and {len(sources) - 1} more of the batch" if sources[1:] else "")
        return InputError(sources[0], "", f"{what} at step {done.step}, {why}")

    def fits(self) -> bool:
        """Whether losses and gradients of such a batch fit the device's memory, by trying."""
        shapes = (spec.shape.as_list() for spec in batches.signature(self.detector.config, self._part))
        zeros = [tf.zeros([_MANY_BOXES if size is None else size for size in shape]) for shape in shapes]
        try:
            self._is_finite(0, *zeros)
        except tf.errors.ResourceExhaustedError:
            return False
        return True

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """For a while, the detector has the average of its weights."""
        own = [np.asarray(variable) for variable in self._trained]
        self.use_average()
        try:
            yield
        finally:
            for variable, value in zip(self._trained, own, strict=True):
                variable.assign(value)

    def use_average(self) -> None:
        """Gives the detector the average of its weights over the last steps; training is over then."""
        for variable, average in zip(self._trained, self._averages, strict=False):
            variable.assign(np.asarray(average))

    def save(self, path: Path, beside: model.Values) -> None:
        """Writes weights, momenta, step and what else `load` is to give back to an .npz file, whole or not at
        all."""
        part = path.with_name(f".{path.name}.part")
        with part.open("wb") as file:
            arrays = {name: np.asarray(value) for name, value in self._state().items()}
            arrays |= {_BESIDE + name: value for name, value in beside.items()}
            names = np.array(self.detector.labels.names)
            np.savez(file, allow_pickle=False, step=self.step, names=names, **arrays)
        part.replace(path)

    def load(self, path: Path) -> model.Values:
        """Goes on from what `save` wrote; what was saved beside. InputError where it is of another model or
        another training."""
        state = self._state()
        with np.load(path) as saved:
            beside = [name for name in saved.files if name.startswith(_BESIDE)]
            fits = set(saved.files) - set(beside) == {"step", "names", *state}
            if not fits or tuple(saved["names"]) != self.detector.labels.names:
                raise InputError(path, "", "is the state of another model or of other settings")
            self.step = int(saved["step"])
            for name, variable in state.items():
                variable.assign(saved[name])
            return {name.removeprefix(_BESIDE): saved[name] for name in beside}

    def _state(self) -> dict[str, keras.Variable]:
        momenta = {f"momentum/{index}": variable for index, variable in enumerate(self._momenta)}
        averages = {f"average/{index}": variable for index, variable in enumerate(self._averages)}
        scale = self._loss_scale.variables if self._loss_scale else {}
        return model.variables(self.detector.network) | momenta | averages | scale

    def _step_everywhere(self, step: tf.Tensor, *batch: tf.Tensor) -> list[tf.Tensor]:
        """The losses in the order of StepLosses, and the norm of the gradient, given this worker's share of
        the batch."""
        results = self._cluster.strategy.run(self._train_step, args=(step, *batch))
        return [self._cluster.local(value) for value in results]

    def _train_step(self, step: tf.Tensor, *batch: tf.Tensor) -> list[tf.Tensor]:
        """On each replica; nothing is trained where losses or gradients are not finite."""
        losses, gradients = summed(self._of_replica(step, batch))
        if self._loss_scale:
            gradients = [gradient / self._loss_scale.scale for gradient in gradients]
        gradients, norm = tf.clip_by_global_norm(gradients, _CLIP_NORM)
        is_finite = tf.math.is_finite(tf.reduce_sum(losses) + norm)
        tf.cond(is_finite, lambda: self._apply(step, gradients), lambda: None)
        if self._loss_scale:  # an overflow is no fault while there is a smaller scale
            norm = tf.where(self._loss_scale.scale > 1.0, tf.zeros(()), norm)
            self._loss_scale.follow(is_finite)
        return [*tf.unstack(losses, len(LOSSES)), norm]

    def _of_replica(self, step: tf.Tensor, batch: Sequence[tf.Tensor]) -> _Gradients:
        """What this replica's pictures add to the losses and to their gradients, one part after the other:
        what one takes on the way is free for the next."""
        if self.config.accumulate == 1 and not self.config.jit:
            return self._backward(self._piece(step, batch, 0), summed)
        parts = tf.range(self.config.accumulate)
        denominators = tf.map_fn(
            lambda part: self._denominators(self._piece(step, batch, part)),
            parts,
            parallel_iterations=1,
            fn_output_signature=tf.float32,
        )
        whole = summed(tf.reduce_sum(denominators, axis=0))

        def add(so_far: _Gradients, part: tf.Tensor) -> _Gradients:
            found = self._backward_over(self._piece(step, batch, part), whole)
            return tf.nest.map_structure(tf.add, so_far, found)

        nothing = tf.zeros(len(LOSSES)), [tf.zeros(variable.shape) for variable in self._trained]
        return tf.foldl(add, parts, nothing, parallel_iterations=1)

    def _piece(self, step: tf.Tensor, batch: Sequence[tf.Tensor], part: tf.Tensor | int) -> _Piece:
        """One of this replica's parts of the batch, of which `batch` is this worker's share."""
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        first = (replica * self.config.accumulate + part) * self._part
        with tf.device("/device:CPU:0"):  # the rest of the batch need not come to a GPU
            row = first - self._cluster.worker * self._share
            pictures = [tensor[row : row + self._part] for tensor in batch]
            pictures = [tf.ensure_shape(tensor, (self._part, *tensor.shape[1:])) for tensor in pictures]
            return _Piece(step, first, _padded(pictures) if self.config.jit else pictures)

    def _denominators_of(self, piece: _Piece) -> tf.Tensor:
        return self._losses(piece).denominators

    def _backward_with(self, piece: _Piece, denominators: tf.Tensor) -> _Gradients:
        return self._backward(piece, lambda _: denominators)

    def _backward(self, piece: _Piece, whole: Callable[[tf.Tensor], tf.Tensor]) -> _Gradients:
        """What pictures add to the losses and to their gradients. `whole` gives the batch's denominators for
        those of these pictures."""
        watched = [variable.value for variable in self._trained]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(watched)
            found = self._losses(piece)
            localization, classification, distillation = found.over(whole(found.denominators))
            # It is not of pictures: of all that add it up, each adds as much.
            parts = self.config.batch_size // self._part
            regularization = tf.add_n(self.detector.network.losses) / parts
            losses = tf.stack([localization, classification, regularization, distillation])
            total = tf.reduce_sum(losses)
            if self._loss_scale:
                total *= self._loss_scale.scale
        return losses, tape.gradient(total, watched, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    def _losses(self, piece: _Piece) -> Losses:
        config, network = self.detector.config, self.detector.network
        images, windows, boxes, classes, weights, labeled = piece.pictures
        draw = Draw(tf.stack([self.config.seed, piece.step]), piece.first, self.config.batch_size)
        of_classes = self._taught.value, self._exists, self._apart.value
        truth = Truth(windows, boxes, classes, weights, labeled, *of_classes, draw)
        networks = [network, self._teacher.network] if self._teacher else [network]
        with computing_in(self.config.precision, networks):
            return families.of(config).training_losses(
                config, network, images, truth, self._teacher, training=self.config.train_batch_norm
            )

    def _is_finite_alone(self, step: tf.Tensor, *pictures: tf.Tensor) -> tf.Tensor:
        """Whether these pictures, taken for the whole batch, have finite losses and gradients."""

        def of_replica() -> tf.Tensor:
            losses, gradients = self._backward(_Piece(step, tf.constant(0), list(pictures)), tf.identity)
            return tf.math.is_finite(tf.reduce_sum(losses) + tf.linalg.global_norm(gradients))

        return self._cluster.local(self._cluster.strategy.run(of_replica))

    def _apply(self, step: tf.Tensor, gradients: list[tf.Tensor]) -> None:
        """Momentum, as keras.optimizers.SGD has it. Of its own, as that one would add the gradients up over
        the replicas after they are clipped."""
        rates = [rate for schedule, group in self._groups for rate in [schedule(step)] * len(group)]
        for variable, momentum, gradient, rate in zip(
            self._trained, self._momenta, gradients, rates, strict=True
        ):
            momentum.assign(momentum * _MOMENTUM - gradient * rate)
            variable.assign(variable + momentum)
        self._follow(step)

    def _follow(self, step: tf.Tensor) -> None:
        """The averages follow the weights, at first faster, so that they forget the beginning."""
        steps = tf.cast(step + 1, tf.float32)
        slowness = tf.minimum(self.config.average, (1.0 + steps) / (10.0 + steps))
        for variable, average in zip(self._trained, self._averages, strict=False):
            average.assign(average * slowness + variable * (1.0 - slowness))


def require_trainable(
    detector: model.Detector, config: TrainConfig, teacher: Teacher | None, cluster: Cluster
) -> None:
    """TfrecError where a detector of this kind cannot be trained so."""
    if cluster.workers > 1 and not config.batch_size:
        raise TfrecError("--batch auto: each worker would choose for itself; give a number")
    parts = cluster.replicas * config.accumulate
    cut = f"{cluster.replicas} replicas x {config.accumulate} parts"
    if config.batch_size % parts:
        raise TfrecError(f"--batch: found {config.batch_size}, expected a multiple of {parts} ({cut})")
    if config.train_batch_norm and parts > 1:
        raise TfrecError(
            f"--train-batch-norm: a batch cut into {parts} ({cut}) has no statistics of its own; leave it "
            "out, or use --strategy one and --accumulate 1"
        )
    if config.jit and isinstance(detector.config, FasterRcnnConfig):
        raise TfrecError("--jit: XLA cannot compile the proposals of Faster R-CNN; leave it out")
    if config.jit and teacher:
        raise TfrecError("--jit: XLA cannot compile distillation; leave it out, or add --distill off")


def _compiled(function: _Traced, jit: bool) -> _Traced:
    return tf.function(function, jit_compile=True) if jit else function


def _beside(value: NDArray[np.float32] | keras.Variable) -> keras.Variable:
    return keras.Variable(np.asarray(value, np.float32), trainable=False)


def _padded(pictures: list[tf.Tensor]) -> list[tf.Tensor]:
    """With boxes of zeros, to one of few numbers of them."""
    images, windows, boxes, classes, weights, labeled = pictures
    count = tf.shape(weights)[1]
    wanted = tf.constant(_FEWEST_BOXES_COMPILED)
    wanted = tf.while_loop(lambda most: most < count, lambda most: [most * 2], [wanted])[0]
    rows = [[0, 0], [0, wanted - count]]
    boxes, classes = (tf.pad(part, [*rows, [0, 0]]) for part in (boxes, classes))
    return [images, windows, boxes, classes, tf.pad(weights, rows), labeled]


def _exists(labels: LabelMap, num_classes: int) -> NDArray[np.float32]:
    """(K,) 1 for each id that has a class."""
    return np.array([label_id in labels.name_by_id for label_id in range(1, num_classes + 1)], np.float32)


def _taught(examples: Sequence[Annotated], num_classes: int) -> NDArray[np.float32]:
    """(K,) 1 for each class that has a box in the examples."""
    taught = np.zeros(num_classes + 1, np.float32)
    for example in examples:
        taught[example.ids[~example.crowd & (example.weights > 0)]] = 1.0
    return taught[1:]


def _apart(ids: frozenset[int], taught: NDArray[np.float32]) -> NDArray[np.float32]:
    """(K,) 1 for each of the ids; none where no other class is taught, so that there is one group."""
    apart = np.isin(np.arange(1, len(taught) + 1), sorted(ids)).astype(np.float32)
    return apart * float((taught * (1.0 - apart)).any())


def _groups(detector: model.Detector, config: TrainConfig) -> list[tuple[Schedule, list[keras.Variable]]]:
    """The variables to train, each group with its learning rate: the rest, and the backbone unless frozen."""
    trainable = {
        path: variable for path, variable in model.variables(detector.network).items() if variable.trainable
    }
    prefixes = tuple(f"{checkpoint.MODEL}/{path}/" for path in families.of(detector.config).BACKBONES)
    backbone = [variable for path, variable in trainable.items() if path.startswith(prefixes)]
    rest = [variable for path, variable in trainable.items() if not path.startswith(prefixes)]
    groups = [(_schedule(config, config.lr), rest)]
    if not config.freeze_backbone:
        groups.append((_schedule(config, config.lr * config.backbone_lr_mult), backbone))
    return groups


def _schedule(config: TrainConfig, lr: float) -> Schedule:
    """A linear warm-up and a cosine to zero, as TFOD's configurations for these models have."""
    warmup = max(1, round(config.steps * _WARMUP_SHARE))
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, config.steps - warmup), warmup_target=lr, warmup_steps=warmup
    )
