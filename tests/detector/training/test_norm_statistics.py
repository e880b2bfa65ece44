"""What batch norms keep for inference is of the weights it is kept with, however short the training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.helpers import goldens, tiny, tiny_rcnn
from tests.helpers.finetuning import CONFIG
from tfrec_tools.detector.data import batches
from tfrec_tools.detector.data.images import Encoded
from tfrec_tools.detector.data.index import IndexedExample, index_records
from tfrec_tools.detector.model.detector import Detector, assign, layers_of, values
from tfrec_tools.detector.network.layers import BatchNorm, Moments
from tfrec_tools.detector.retention import weight_blending
from tfrec_tools.detector.training import loop, norm_statistics
from tfrec_tools.detector.training.logbook import Logbook
from tfrec_tools.detector.training.loop import TrainingSet
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.detector.training.validation import Validation, Watch
from tfrec_tools.labels.label_map import from_names

FOLLOWING = replace(CONFIG, steps=2, batch_size=2, train_batch_norm=True, augment=("flip",))
BATCHES = 3


@pytest.fixture
def examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[IndexedExample]:
    """Few of them, of which few batches are measured."""
    monkeypatch.setattr(norm_statistics, "_IMAGES", BATCHES * FOLLOWING.batch_size)
    monkeypatch.setattr(norm_statistics, "_FEWEST_BATCHES", BATCHES)
    file = tiny.write_records(tmp_path / "a.tfrecord", ["red", "green"], 5)
    return index_records([str(file)], from_names(["red", "green"]))


def require_measured(trainer: Trainer, examples: list[IndexedExample]) -> None:
    """Some norms of what sees the images have the mean and the variance of all that comes to them, batch by
    batch, in one array."""
    detector = trainer.detector
    network = next((layer for layer in detector.network.layers if layer.name == "first_stage"), None)
    network = network or detector.network
    norms = [layer for layer in network.layers if isinstance(layer, BatchNorm)]
    norms = [norms[0], norms[len(norms) // 2], norms[-1]]
    kept = [[np.asarray(part) for part in (norm.moving_mean, norm.moving_variance)] for norm in norms]
    before = values(detector.network)
    inputs = keras.Model(network.inputs, [norm.input for norm in norms])
    mix = batches.mix(len(examples), 0, FOLLOWING.batch_size, 0.0, FOLLOWING.seed)
    of_batches = batches.training_batches(
        detector.config, Encoded(examples), mix, range(BATCHES), augmentations=("flip",)
    )
    seen: list[Any] = [inputs(images, training=True) for images, *_ in of_batches]
    for place, (norm, (mean, variance)) in enumerate(zip(norms, kept, strict=True)):
        channels = mean.shape[-1]
        whole = np.concatenate([np.reshape(of_norms[place], (-1, channels)) for of_norms in seen])
        whole = whole.astype(np.float64)
        np.testing.assert_allclose(mean, whole.mean(axis=0), rtol=1e-3, atol=1e-4)
        unbiased = whole.var(axis=0, ddof=0 if norm.is_biased else 1)
        np.testing.assert_allclose(variance, unbiased, rtol=1e-3, atol=1e-5)
    assign(detector.network, before)  # as the passes here have moved the averages


def center_net(*names: str) -> Detector:
    return goldens.detector("center_net", *names)


@pytest.mark.parametrize(
    ("make", "every"),
    [
        (tiny.detector, None),
        pytest.param(tiny_rcnn.detector, 1, marks=pytest.mark.slow),
        pytest.param(center_net, None, marks=pytest.mark.slow),
    ],
)
def test_statistics_are_those_of_the_weights_that_they_are_kept_with(
    examples: list[IndexedExample], tmp_path: Path, make: Callable[..., Detector], every: int | None
) -> None:
    """At each validation, in the end, and between base and training."""
    trainer = Trainer(make("red", "green"), FOLLOWING)
    start = values(trainer.detector.network)
    validated: list[int] = []

    def validate(step: int) -> Validation:
        require_measured(trainer, examples)
        validated.append(step)
        return Validation(step, None, None, float(step))

    log = Logbook(trainer, tmp_path, resume=False)
    loop.train(trainer, log, Watch(every), TrainingSet(examples, []), validate, lambda *_: None)
    assert validated == ([1, 2] if every else [])
    require_measured(trainer, examples)
    norms = [layer for layer in layers_of(trainer.detector.network) if isinstance(layer, BatchNorm)]
    assert all(np.isfinite(np.asarray(norm.moving_variance)).all() for norm in norms)
    moved = values(trainer.detector.network)
    assert not [path for path in start if "moving_" in path and np.array_equal(start[path], moved[path])]
    weight_blending.choose(trainer, start, frozenset(), lambda alpha: -abs(alpha - 0.5), (1.0, 0.5))
    require_measured(trainer, examples)


@pytest.mark.slow
def test_a_run_that_goes_on_ends_with_the_same_statistics(
    examples: list[IndexedExample], tmp_path: Path
) -> None:
    whole, stopped, resumed = (Trainer(tiny.detector("red", "green"), FOLLOWING) for _ in range(3))
    whole.run(examples, [], lambda _: None)
    stopped.run(examples, [], lambda done: done.step == 1)
    with stopped.finished():  # as at a validation
        pass
    stopped.save(tmp_path / "state.npz", {})
    resumed.load(tmp_path / "state.npz")
    resumed.run(examples, [], lambda _: None)
    for trainer in (whole, resumed):
        trainer.finish()
    ended, gone_on = (values(trainer.detector.network) for trainer in (whole, resumed))
    assert all(np.array_equal(ended[path], gone_on[path]) for path in ended)


def test_batches_of_any_size_are_pooled_as_one() -> None:
    """However far their means are apart."""
    random = np.random.default_rng(3)
    parts = [random.normal(100.0 * place, 0.1, (size, 2)) for place, size in enumerate((1, 7, 3))]
    pooled, whole = norm_statistics.Pooled(), np.concatenate(parts)
    for part in parts:
        variance = part.var(axis=0, ddof=1) if len(part) > 1 else np.zeros(2)
        pooled.add(Moments(part.mean(axis=0), variance, float(len(part))))
    for is_biased in (False, True):
        norm = BatchNorm(0.9, 1e-3, "norm", is_biased=is_biased)
        norm.build((None, 2))
        pooled.assign(norm)
        np.testing.assert_allclose(norm.moving_mean, whole.mean(axis=0), rtol=1e-6)
        np.testing.assert_allclose(norm.moving_variance, whole.var(axis=0, ddof=1 - is_biased), rtol=1e-6)
