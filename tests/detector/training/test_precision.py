"""Mixed precision and compiled steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import strategies, tiny, tiny_rcnn
from tfrec_tools.detector.data.index import index_records
from tfrec_tools.detector.model.detector import Detector, layers_of, values
from tfrec_tools.detector.training import precision
from tfrec_tools.detector.training.settings import TrainConfig
from tfrec_tools.detector.training.train_step import StepLosses
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.labels.label_map import from_names

LABELS = from_names(["red", "green"])
TRAINING = replace(strategies.TRAINING, steps=2, freeze_backbone=True)
# On a CPU, TensorFlow's gradient of a depthwise convolution with strides is wrong in bfloat16 where a level
# is one cell wide: it reads memory that nothing was written to.
CANVAS_PX = 128
MAKERS: dict[str, Callable[..., Detector]] = {"ssd": tiny.detector, "rcnn": tiny_rcnn.detector}


def train(folder: Path, detector: Detector, config: TrainConfig) -> list[StepLosses]:
    examples = index_records([str(tiny.write_records(folder / "a.tfrecord", LABELS.names, 5))], LABELS)
    losses: list[StepLosses] = []
    Trainer(detector, config).run(examples, [], losses.append)
    return losses


def totals(losses: list[StepLosses]) -> list[float]:
    return [step.total for step in losses]


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    detector = tiny.detector(*LABELS.names, canvas_px=CANVAS_PX)
    return totals(train(tmp_path_factory.mktemp("exact"), detector, TRAINING))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_fewer_bits_change_losses_a_little_and_the_model_stays_float32(
    tmp_path: Path, exact: list[float], dtype: str
) -> None:
    detector = tiny.detector(*LABELS.names, canvas_px=CANVAS_PX)
    rounded = totals(train(tmp_path, detector, replace(TRAINING, precision=dtype)))
    assert rounded != exact
    np.testing.assert_allclose(rounded, exact, rtol=0.02)
    assert {value.dtype for value in values(detector.network).values()} == {np.dtype(np.float32)}
    assert detector.network(tf.zeros((1, CANVAS_PX, CANVAS_PX, 3)))[0].dtype == tf.float32


@pytest.mark.slow
def test_a_compiled_step_is_the_step(tmp_path: Path, exact: list[float]) -> None:
    detector = tiny.detector(*LABELS.names, canvas_px=CANVAS_PX)
    compiled = train(tmp_path, detector, replace(TRAINING, jit=True))
    np.testing.assert_allclose(totals(compiled), exact, rtol=1e-4)


@pytest.mark.parametrize("family", MAKERS)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_layers_compute_with_fewer_bits_within_and_as_ever_after(family: str, dtype: str) -> None:
    network = MAKERS[family](*LABELS.names).network
    kernels = [layer for layer in layers_of(network) if layer.name.endswith("layer_with_weights-0")]
    inputs = [tf.zeros((1, *tensor.shape[1:])) for tensor in network.inputs]
    inputs = inputs if len(inputs) > 1 else inputs[0]
    before = [output.numpy() for output in network(inputs)]
    with precision.computing_in(dtype, [network]):
        assert {layer.compute_dtype for layer in kernels} == {dtype}
        inside = network(inputs)
    assert {output.dtype.name for output in inside} == {dtype}
    assert all(np.isfinite(output.numpy().astype(np.float32)).all() for output in inside)
    assert all(np.array_equal(*pair) for pair in zip(before, network(inputs), strict=True))


def test_on_a_cpu_nothing_is_rounded() -> None:
    assert precision.chosen("auto") == "float32"
    assert precision.chosen("bfloat16") == "bfloat16"


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [([(8, 0)], "bfloat16"), ([(9, 0), (7, 5)], "float16"), ([(6, 1)], "float32")],
)
def test_the_weakest_gpu_decides(
    monkeypatch: pytest.MonkeyPatch, capabilities: list[tuple[int, int]], dtype: str
) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: capabilities)
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {"compute_capability": gpu})
    assert precision.chosen("auto") == dtype


def test_an_overflow_halves_the_scale_and_long_without_doubles_it() -> None:
    scale = precision.LossScale()
    first = float(scale.scale)
    scale.follow(tf.constant(False))
    assert float(scale.scale) == first / 2
    for _ in range(2000):
        scale.follow(tf.constant(True))
    assert float(scale.scale) == first
    scale.scale.assign(1.0)
    scale.follow(tf.constant(False))
    assert float(scale.scale) == 1.0


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "moves"), [(2.0**40, False), (2.0**8, True)])
def test_a_step_whose_scaled_gradients_overflow_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: float, moves: bool
) -> None:
    monkeypatch.setattr(precision, "_FIRST_SCALE", scale)
    detector = tiny.detector(*LABELS.names)
    before = values(detector.network)
    examples = index_records([str(tiny.write_records(tmp_path / "a.tfrecord", LABELS.names, 5))], LABELS)
    trainer = Trainer(detector, replace(TRAINING, precision="float16"))
    trainer.run(examples, [], lambda _done: None)
    trainer.save(tmp_path / "state.npz", {})
    after = values(detector.network)
    assert any(not np.array_equal(before[path], after[path]) for path in before) == moves
    assert float(np.load(tmp_path / "state.npz")["loss_scale/scale"]) == (scale if moves else scale / 4)
