"""The training loop: TFOD's targets and losses, learning rates by group, a state to go on from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfrec_tools.detector import checkpoint, families, model
from tfrec_tools.detector.examples import batches
from tfrec_tools.detector.examples.dataset import Annotated
from tfrec_tools.detector.examples.pictures import Cache, Pictures, pictures_of
from tfrec_tools.detector.learning import matching
from tfrec_tools.detector.learning.distill import Teacher
from tfrec_tools.detector.network.layers import BatchNorm
from tfrec_tools.errors import InputError
from tfrec_tools.labels import LabelMap

_MOMENTUM = 0.9
# Far above the norms of a healthy run; it keeps one strange picture from undoing the rest.
_CLIP_NORM = 10.0
_WARMUP_SHARE = 0.1
_BESIDE = "beside/"  # before the names of what is saved with a state but no part of it


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How to train; the learning rate of the backbone is lr * backbone_lr_mult, `average` how slowly the
    average of the weights follows them, 0 for none, and `cache` where decoded pictures are kept."""

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


class Trainer:
    """A detector in training, with a teacher or without; `step` is how many steps it has done. The classes
    `apart`, by id, are taught as much as all others together, however few boxes they have."""

    def __init__(
        self,
        detector: model.Detector,
        config: TrainConfig,
        teacher: Teacher | None = None,
        apart: frozenset[int] = frozenset(),
    ) -> None:
        self.detector = detector
        self.config = config
        self.step = 0
        self._teacher = teacher
        self._apart_ids = apart
        self._groups = _groups(detector, config)
        self._trained = [variable for _, variables in self._groups for variable in variables]
        averaged = self._trained if config.average else []
        self._averages = [keras.Variable(np.asarray(variable), trainable=False) for variable in averaged]
        for layer in model.layers_of(detector.network):
            if isinstance(layer, BatchNorm):
                layer.use_batch_statistics = config.train_batch_norm
        self._exists = tf.constant(_exists(detector.labels, detector.config.num_classes))
        self._taught = tf.Variable(tf.zeros(detector.config.num_classes), trainable=False)
        self._apart = tf.Variable(tf.zeros(detector.config.num_classes), trainable=False)
        signature = batches.signature(detector.config, config.batch_size)
        self._run_step = tf.function(self._train_step, input_signature=signature)
        self._is_finite = tf.function(self._has_finite_gradients, input_signature=signature)

    def run(
        self,
        new: Sequence[Annotated],
        old: Sequence[Annotated],
        on_step: Callable[[StepLosses], bool | None],
    ) -> None:
        """Trains from `step` to the last one, or until `on_step` gives True. InputError, naming the record,
        where the loss or its gradient is not finite; the weights are then those before that step."""
        config = self.config
        taught = _taught([*new, *old], self.detector.config.num_classes)
        self._taught.assign(taught)
        self._apart.assign(_apart(self._apart_ids, taught))
        mix = batches.mix(len(new), len(old), config.batch_size, config.replay_ratio, config.seed)
        with pictures_of([*new, *old], config.cache) as pictures:
            self._take_steps(pictures, mix, on_step)

    def _take_steps(
        self, pictures: Pictures, mix: batches.Mix, on_step: Callable[[StepLosses], bool | None]
    ) -> None:
        config = self.config
        for batch in batches.training_batches(self.detector.config, pictures, mix, self.step, config.steps):
            *found, norm = (float(value) for value in self._run_step(*batch))
            done = StepLosses(self.step + 1, *found)
            if not math.isfinite(done.total + norm):
                places = range(self.step * config.batch_size, done.step * config.batch_size)
                raise self._blame(batch, [pictures.examples[mix.index(place)] for place in places], done)
            self.step = done.step
            if on_step(done):
                return

    def _blame(
        self, batch: Sequence[tf.Tensor], examples: Sequence[Annotated], done: StepLosses
    ) -> InputError:
        """Which example of a batch it is whose loss is not finite, found by taking each alone."""
        size = len(examples)
        alone = [[tf.repeat(part[row : row + 1], size, axis=0) for part in batch] for row in range(size)]
        bad = [example for example, part in zip(examples, alone, strict=True) if not self._is_finite(*part)]
        sources = list(dict.fromkeys(example.source for example in bad or examples))
        what = (
            f"the loss is {done.total:g}" if not math.isfinite(done.total) else "the gradient is not finite"
        )
        if len(bad) == size or not bad:
            why = "by every picture of the batch; a lower --lr keeps it finite"
        else:
            why = "by this picture" + (f" and {len(sources) - 1} more of the batch" if sources[1:] else "")
        return InputError(sources[0], "", f"{what} at step {done.step}, {why}")

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
            variable.assign(average)

    def save(self, path: Path, beside: model.Values) -> None:
        """Writes weights, optimisers, step and what else `load` is to give back to an .npz file, whole or
        not at all."""
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
        optimizers = {
            f"optimizer/{group}/{index}": variable
            for group, (optimizer, _) in enumerate(self._groups)
            for index, variable in enumerate(optimizer.variables)
        }
        averages = {f"average/{index}": variable for index, variable in enumerate(self._averages)}
        return model.variables(self.detector.network) | optimizers | averages

    def _train_step(
        self,
        images: tf.Tensor,
        windows: tf.Tensor,
        boxes: tf.Tensor,
        classes: tf.Tensor,
        weights: tf.Tensor,
        labeled: tf.Tensor,
    ) -> tuple[tf.Tensor, ...]:
        """The losses and the norm of the gradient; nothing is trained where that is not finite."""
        batch = (images, windows, boxes, classes, weights, labeled)
        losses, gradients, norm = self._gradients(*batch)
        tf.cond(tf.math.is_finite(tf.add_n(losses) + norm), lambda: self._apply(gradients), lambda: None)
        return *losses, norm

    def _has_finite_gradients(self, *batch: tf.Tensor) -> tf.Tensor:
        losses, _, norm = self._gradients(*batch)
        return tf.math.is_finite(tf.add_n(losses) + norm)

    def _gradients(
        self,
        images: tf.Tensor,
        windows: tf.Tensor,
        boxes: tf.Tensor,
        classes: tf.Tensor,
        weights: tf.Tensor,
        labeled: tf.Tensor,
    ) -> tuple[list[tf.Tensor], list[tf.Tensor], tf.Tensor]:
        """The losses in the order of StepLosses, the gradients, clipped, and their norm before that."""
        config, network = self.detector.config, self.detector.network
        # The count is part of the state that a run goes on from, so that it draws the same again.
        step = tf.cast(self._groups[0][0].iterations.value, tf.int32)
        seed = tf.stack([self.config.seed, step])
        of_classes = self._taught, self._exists, self._apart
        truth = matching.Truth(windows, boxes, classes, weights, labeled, *of_classes, seed)
        watched = [variable.value for variable in self._trained]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(watched)
            found = families.of(config).training_losses(
                config, network, images, truth, self._teacher, training=self.config.train_batch_norm
            )
            regularization = tf.add_n(network.losses)
            total = found.total + regularization
        gradients, norm = tf.clip_by_global_norm(tape.gradient(total, watched), _CLIP_NORM)
        losses = [found.localization, found.classification, regularization, found.distillation]
        return [tf.cast(loss, tf.float32) for loss in losses], gradients, norm

    def _apply(self, gradients: list[tf.Tensor]) -> None:
        for optimizer, variables in self._groups:
            optimizer.apply(gradients[: len(variables)], variables)
            gradients = gradients[len(variables) :]
        self._follow()

    def _follow(self) -> None:
        """The averages follow the weights, at first faster, so that they forget the beginning."""
        steps = tf.cast(self._groups[0][0].iterations, tf.float32)
        slowness = tf.minimum(self.config.average, (1.0 + steps) / (10.0 + steps))
        for variable, average in zip(self._trained, self._averages, strict=False):
            average.assign(average * slowness + variable * (1.0 - slowness))


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


def _groups(
    detector: model.Detector, config: TrainConfig
) -> list[tuple[keras.optimizers.Optimizer, list[keras.Variable]]]:
    """The variables to train, each group with its optimizer: the rest, and the backbone unless frozen."""
    trainable = {
        path: variable for path, variable in model.variables(detector.network).items() if variable.trainable
    }
    prefixes = tuple(f"{checkpoint.MODEL}/{path}/" for path in families.of(detector.config).BACKBONES)
    backbone = [variable for path, variable in trainable.items() if path.startswith(prefixes)]
    rest = [variable for path, variable in trainable.items() if not path.startswith(prefixes)]
    groups = [(_optimizer(config, config.lr), rest)]
    if not config.freeze_backbone:
        groups.append((_optimizer(config, config.lr * config.backbone_lr_mult), backbone))
    for optimizer, variables in groups:
        optimizer.build(variables)
    return groups


def _optimizer(config: TrainConfig, lr: float) -> keras.optimizers.Optimizer:
    """Momentum with a linear warm-up and a cosine to zero, as TFOD's configurations for these models have."""
    warmup = max(1, round(config.steps * _WARMUP_SHARE))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, config.steps - warmup), warmup_target=lr, warmup_steps=warmup
    )
    return keras.optimizers.SGD(schedule, momentum=_MOMENTUM)
