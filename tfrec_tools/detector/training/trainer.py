"""The training loop: batches, steps, and a state to go on from."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfrec_tools.detector.data import batches
from tfrec_tools.detector.data.images import Encoded, ImageReader, image_reader
from tfrec_tools.detector.data.index import IndexedExample
from tfrec_tools.detector.losses.distillation import Teacher
from tfrec_tools.detector.model.detector import Detector, Values
from tfrec_tools.detector.training import norm_statistics
from tfrec_tools.detector.training.distribution import ALONE, Cluster, Vote
from tfrec_tools.detector.training.length import Length
from tfrec_tools.detector.training.settings import TrainConfig, augmentations, require_trainable
from tfrec_tools.detector.training.train_step import StepLosses, Stepper
from tfrec_tools.errors import InputError, TfrecError
from tfrec_tools.system.atomic import named_as

_BESIDE = "beside/"  # before the names of what is saved with a state but no part of it
_UNREADABLE = (  # what NumPy and zipfile raise at a file that is cut, foreign, or larger than memory
    EOFError,
    KeyError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


class Trainer:
    """A detector in training, with a teacher or without; `step` is how many steps it has done, of `length`.
    The classes `apart`, by id, are taught as much as all others together, beside a teacher more, however few
    boxes they have. The networks are to be made within the scope of the cluster's strategy. Raises TfrecError
    where the batch cannot be cut so."""

    def __init__(
        self,
        detector: Detector,
        config: TrainConfig,
        teacher: Teacher | None = None,
        apart: frozenset[int] = frozenset(),
        cluster: Cluster = ALONE,
    ) -> None:
        require_trainable(detector, config, teacher, cluster)
        self.detector = detector
        self.config = config
        self.augmentations = augmentations(detector, config)
        self.step = 0
        self.length = Length(config.steps)
        self._apart_ids = apart
        self._learnt: tuple[Sequence[IndexedExample], batches.Mix] | None = None
        self._cluster = cluster
        self.stepper = Stepper(detector, config, teacher, cluster)

    def run(
        self,
        new: Sequence[IndexedExample],
        old: Sequence[IndexedExample],
        on_step: Callable[[StepLosses], int | None],
        *,
        is_over: bool = False,
        unlabelled: Sequence[IndexedExample] = (),
    ) -> Vote:
        """Trains from `step` to the last one, or, with several workers, until one of them wishes otherwise:
        `on_step` gives a Vote, `is_over` says that there is nothing left to do. What all agreed on. Old
        examples and unlabelled ones, which only what the base says is known of, share a part of each batch.

        After a vote to shorten, the training is of as many steps as the chief's `length` says.

        Raises InputError, naming the record, where the loss or its gradient is not finite; the weights are
        then those before that step. Raises LostWorker where one is gone; the weights are those of the last
        whole step.
        """
        config = self.config
        examples = [*new, *old, *unlabelled]
        taught = _taught(examples, self.detector.config.num_classes)
        self.stepper.taught.assign(taught)
        self.stepper.apart.assign(_apart(self._apart_ids, taught))
        mix = batches.mix(
            len(new), len(old), config.batch_size, config.replay_ratio, config.seed, len(unlabelled)
        )
        self._learnt = examples, mix
        with self._cluster.together():
            self._follow_the_chief()
            wish = self._cluster.agree(Vote.END if is_over else Vote.GO_ON)
        if wish is not Vote.GO_ON:
            return wish
        with image_reader(examples, config.cache) as reader:
            return self._take_steps(reader, mix, on_step)

    def _take_steps(
        self, reader: ImageReader, mix: batches.Mix, on_step: Callable[[StepLosses], int | None]
    ) -> Vote:
        share = self._cluster.worker, self._cluster.workers
        steps = range(self.step, self.length.last)
        for batch in batches.training_batches(
            self.detector.config, reader, mix, steps, share, self.augmentations
        ):
            self.stepper.update.schedule.be_of(self.length.after(self.step))
            with self._cluster.together():
                *losses, norm = (float(value) for value in self.stepper.run(self.step, *batch))
            done = StepLosses(self.step + 1, *losses)
            if not math.isfinite(done.total + norm):
                first = self.step * mix.batch_size + self._cluster.worker * self.stepper.share
                places = range(first, first + self.stepper.share)
                raise self._blame(batch, [reader.examples[mix.index(place)] for place in places], done)
            self.step = done.step
            mine = int(on_step(done) or Vote.GO_ON)
            with self._cluster.together():
                wish = self._cluster.agree(mine)
                if wish is Vote.SHORTEN:
                    self._take_the_chiefs_length()
            if wish not in (Vote.GO_ON, Vote.SHORTEN):
                return wish
            if self.step >= self.length.last:
                break
        return Vote.GO_ON

    def finish(self) -> None:
        """Gives the detector the average of its weights over the last steps; training is over then."""
        self.stepper.update.use_average()
        self.measure_norms()

    @contextmanager
    def finished(self) -> Iterator[None]:
        """Gives the detector for a while what it has after `finish`. The statistics stay as they are
        measured: no step goes by them."""
        with self.stepper.update.averaged():
            self.measure_norms()
            yield

    def measure_norms(self) -> None:
        """Measures the statistics of batch norms that follow the batches, with the weights as they are: over
        the first batches of what `run` learns from, so that a run that goes on has the same ones. Where norms
        stay as they are, nothing is done."""
        if not self.stepper.following or not self._learnt:
            return
        examples, mix = self._learnt
        steps = range(norm_statistics.batches(mix.batch_size))
        of_batches = batches.training_batches(
            self.detector.config, Encoded(examples), mix, steps, augmentations=self.augmentations
        )
        norm_statistics.measure(
            self.stepper.following,
            (self.stepper.moments(step, *batch) for step, batch in zip(steps, of_batches, strict=True)),
        )

    def _take_the_chiefs_length(self) -> None:
        length = self.length
        numbers = length.planned, length.shortened or 0, length.since
        planned, shortened, since = map(
            int, self._cluster.from_chief([tf.constant(float(number)) for number in numbers])
        )
        self.length = Length(planned, shortened or None, since)

    def _follow_the_chief(self) -> None:
        """All workers begin with the chief's state, whatever each of them has read or computed."""
        stepper = self.stepper
        self._take_the_chiefs_length()
        variables = [*stepper.variables.values(), stepper.taught, stepper.apart]
        values = [tf.constant(float(self.step)), *(variable.value for variable in variables)]
        step, *values = self._cluster.from_chief(values)
        self.step = int(step)
        if not self._cluster.is_chief:
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def _blame(
        self, batch: Sequence[tf.Tensor], examples: Sequence[IndexedExample], done: StepLosses
    ) -> TfrecError:
        """Returns which example of a batch it is whose loss is not finite, found by taking each alone."""
        bad = [
            example
            for row, example in enumerate(examples)
            if not self.stepper.is_finite(self.step, [part[row : row + 1] for part in batch])
        ]
        what = (
            f"the loss is {done.total:g}" if not math.isfinite(done.total) else "the gradient is not finite"
        )
        if self._cluster.workers > 1 and not bad:
            return TfrecError(f"{what} at step {done.step}, by an image that another worker will name")
        sources = list(dict.fromkeys(example.source for example in bad or examples))
        if len(bad) == len(examples) or not bad:
            why = "by every image of the batch; a lower --lr keeps it finite"
        else:
            why = "by this image" + (f" and {len(sources) - 1} more of the batch" if sources[1:] else "")
        return InputError(sources[0], f"{what} at step {done.step}, {why}")

    def save(self, path: Path, beside: Values) -> None:
        """Writes weights, momenta, step and what else `load` is to give back to an .npz file, whole or not at
        all."""
        part = path.with_name(f".{path.name}.part")
        with named_as(path, part), part.open("wb") as file:
            arrays = {name: np.asarray(value) for name, value in self.stepper.variables.items()}
            arrays |= {_BESIDE + name: value for name, value in beside.items()}
            names = np.array(self.detector.labels.names)
            np.savez(file, allow_pickle=False, step=self.step, names=names, **arrays)
        part.replace(path)

    def load(self, path: Path) -> Values:
        """Goes on from what `save` wrote; what was saved beside. Raises InputError where it is of another
        model or another training, or damaged."""
        try:
            return self._loaded(path)
        except _UNREADABLE as fault:
            reason = f"cannot be read as the state of a training ({fault}); start the run anew"
            raise InputError(path, reason) from fault

    def _loaded(self, path: Path) -> Values:
        state = self.stepper.variables
        with path.open("rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as saved:
            beside = [name for name in saved.files if name.startswith(_BESIDE)]
            fits = set(saved.files) - set(beside) == {"step", "names", *state}
            if not fits or tuple(saved["names"]) != self.detector.labels.names:
                raise InputError(path, "is the state of another model or of other settings")
            self.step = int(saved["step"])
            for name, variable in state.items():
                variable.assign(saved[name])
            return {name.removeprefix(_BESIDE): saved[name] for name in beside}


def _taught(examples: Sequence[IndexedExample], num_classes: int) -> NDArray[np.float32]:
    """Returns (K,) 1 for each class that has a box in the examples."""
    taught = np.zeros(num_classes + 1, np.float32)
    for example in examples:
        taught[example.ids[~example.crowd & (example.weights > 0)]] = 1.0
    return taught[1:]


def _apart(ids: frozenset[int], taught: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns (K,) 1 for each of the ids, or for all where no other class is taught, so that there is one
    group."""
    apart = np.isin(np.arange(1, len(taught) + 1), sorted(ids)).astype(np.float32)
    return apart if (taught * (1.0 - apart)).any() else np.ones_like(apart)
