"""Training on several devices, in several processes and in parts: it makes no difference but rounding."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from tests.helpers import strategies, tiny, tiny_rcnn
from tests.helpers.places import ROOT
from tfrec_tools.detector import finetune
from tfrec_tools.detector.data import batches
from tfrec_tools.detector.data.images import Encoded
from tfrec_tools.detector.data.index import index_records
from tfrec_tools.detector.losses.distillation import Teacher
from tfrec_tools.detector.losses.ssd_losses import Losses, LossTerm
from tfrec_tools.detector.model.detector import Detector
from tfrec_tools.detector.training import history
from tfrec_tools.detector.training.distribution import ALONE, Cluster, LostWorker, Vote, open_cluster
from tfrec_tools.detector.training.run_notes import open_run
from tfrec_tools.detector.training.settings import require_trainable
from tfrec_tools.detector.training.shared_file import made_once
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.errors import TfrecError
from tfrec_tools.system import toml_options

PATIENCE_S = 900


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return strategies.write_inputs(tmp_path_factory.mktemp("inputs"))


def start(*words: object, worker: int | None = None, ports: tuple[int, ...] = ()) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name != "TF_CONFIG"}
    environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
    if worker is not None:
        addresses = [f"127.0.0.1:{port}" for port in ports]
        task = {"type": "worker", "index": worker}
        environment["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
    command = [sys.executable, "-m", "tests.helpers.strategies", *map(str, words)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment)


def finish(*processes: subprocess.Popen[str]) -> list[str]:
    """What each said on stderr; none stays behind."""
    try:
        return [process.communicate(timeout=PATIENCE_S)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()


def free_ports(count: int) -> tuple[int, ...]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = tuple(one.getsockname()[1] for one in sockets)
    for one in sockets:
        one.close()
    return ports


def start_two(*words: object, second: tuple[object, ...] = ()) -> list[subprocess.Popen[str]]:
    ports = free_ports(2)
    return [start(*words, worker=0, ports=ports), start(*words, *second, worker=1, ports=ports)]


@pytest.fixture(scope="module")
def trained(inputs: Path) -> Path:
    """A training of each kind; workers do theirs in one process each, one after the other."""
    alone = start(
        "train",
        inputs,
        "ssd-one-1",
        "ssd-mirrored-1",
        "ssd-one-2",
        "rcnn-one-1",
        "rcnn-mirrored-1-resumed",
        "ssd-one-1-shortened",
    )
    (said,) = finish(alone)
    assert alone.returncode == 0, said
    hows = "ssd-multiworker-1", "rcnn-multiworker-1", "ssd-multiworker-1-shortened"
    workers = start_two("train", inputs, *hows)
    for process, said in zip(workers, finish(*workers), strict=True):
        assert process.returncode == 0, said
    return inputs


def _values(path: Path) -> dict[str, NDArray[np.float32]]:
    with np.load(path) as file:
        return dict(file)


@pytest.mark.slow
@pytest.mark.parametrize(
    "how",
    [
        "ssd-mirrored-1",
        "ssd-multiworker-1",
        "ssd-one-2",
        "rcnn-multiworker-1",
        "rcnn-mirrored-1-resumed",
    ],
)
def test_however_a_batch_is_cut_losses_and_weights_are_those_of_one_device(trained: Path, how: str) -> None:
    """With a teacher, replay and pictures that are not annotated for all classes in each batch."""
    one, other = (_values(trained / f"{name}.npz") for name in (f"{how.partition('-')[0]}-one-1", how))
    assert (one["losses"][:, [0, 1, 3]] > 0.0).all()
    np.testing.assert_allclose(other["losses"], one["losses"], rtol=1e-5, atol=1e-7)
    start = tiny.floats(
        strategies.trainer(how.partition("-")[0], strategies.TRAINING, ALONE).detector.network
    )
    assert one.keys() == {"losses", *start}
    for path, before in start.items():
        moved = np.abs(one[path] - before).max()
        # Rounding is far below what the training has done.
        np.testing.assert_allclose(other[path], one[path], rtol=1e-5, atol=1e-7 + 0.01 * moved, err_msg=path)


@pytest.mark.slow
def test_all_workers_shorten_with_the_chief(trained: Path) -> None:
    one, workers, whole = (
        _values(trained / f"{how}.npz")
        for how in ("ssd-one-1-shortened", "ssd-multiworker-1-shortened", "ssd-one-1")
    )
    assert len(one["losses"]) == len(workers["losses"]) == 2 < len(whole["losses"])
    np.testing.assert_allclose(workers["losses"], one["losses"], rtol=1e-5, atol=1e-7)
    assert np.array_equal(one["losses"][:1], whole["losses"][:1])


@pytest.mark.slow
def test_workers_read_what_the_chief_labelled(inputs: Path, tmp_path: Path) -> None:
    workers = start_two("finetune", inputs, tmp_path / "run", "label")
    chief, other = finish(*workers)
    assert [process.returncode for process in workers] == [0, 0], (chief, other)
    for stage in ("measuring the base", "labelling old classes"):
        assert stage in chief
        assert stage not in other
    assert f"reading {tmp_path / 'run/pseudo_labels/train.tfrecord'}" in other


def test_the_chief_gives_what_its_variables_hold_now() -> None:
    """Those of a second training in the same process, not those of the first."""
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
    cluster = Cluster(strategy, worker=0, workers=2)
    with strategy.scope():
        first, second = (keras.Variable([value] * 2, trainable=False) for value in (1.0, 2.0))
    for variable, value in ((first, 1.0), (second, 2.0), (first, 3.0)):
        variable.assign([value] * 2)
        (given,) = cluster.from_chief([variable.value])
        assert given.numpy().tolist() == [value] * 2


@dataclass(frozen=True, slots=True, eq=False)
class _Second(Cluster):
    """A worker whose chief's file has a digest."""

    digest: tf.Tensor | None = None

    def from_chief(self, values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        return list(values) if self.digest is None else [self.digest]


def test_a_file_is_made_once_for_all_who_see_it(tmp_path: Path) -> None:
    made: list[Path] = []

    def make(path: Path) -> None:
        made.append(path)
        path.write_text("labels")

    chiefs, own = tmp_path / "chiefs", tmp_path / "own"
    assert [made_once(ALONE, chiefs, own, make) for _ in range(2)] == [chiefs, chiefs]
    assert made == [chiefs]
    digest = tf.constant(list(hashlib.sha256(b"labels").digest()[:8]), tf.float32)
    second = _Second(ALONE.strategy, worker=1, workers=2, digest=digest)
    assert made_once(second, chiefs, own, make) == chiefs
    assert made == [chiefs]
    chiefs.write_text("those of another run, where the folder is not shared")
    assert made_once(second, chiefs, own, make) == own
    assert made_once(second, tmp_path / "unseen", own, make) == own
    assert made == [chiefs, own, own]


@pytest.mark.slow
def test_a_worker_that_dies_stops_the_others_and_all_can_go_on(inputs: Path, tmp_path: Path) -> None:
    def losses(out: Path) -> list[tuple[float, ...]]:
        rows = history.read_losses(out / "losses.csv")
        return [(row.step, row.localization, row.classification, row.distillation) for row in rows]

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    alone = start("finetune", inputs, whole)
    workers = start_two("finetune", inputs, killed, second=("die-at-2",))
    said = finish(*workers, alone)
    assert [process.returncode for process in workers] == [1, -signal.SIGKILL]
    assert LostWorker.__name__ in said[0]
    assert "worker 0 of 2: another worker stopped or cannot be reached" in said[0]
    assert not (killed / "model").exists()
    assert [row[0] for row in losses(killed)] == [1, 2]
    workers = start_two("finetune", inputs, killed, "resume")
    said = finish(*workers)
    assert [process.returncode for process in workers] == [0, 0], said
    assert (killed / "model" / "checkpoint").is_dir()
    np.testing.assert_allclose(losses(killed), losses(whole), rtol=1e-5, atol=1e-7)


def test_shares_of_batches_are_the_batches(inputs: Path) -> None:
    detector = tiny.detector("red", "green", "blue")
    examples = index_records([str(inputs / "old.tfrecord")], strategies.LABELS)
    mix = batches.mix(3, 0, 4, 0.0, seed=1)

    def canvases(number: int, shares: int) -> list[np.ndarray]:
        share = (number, shares)
        found = batches.training_batches(detector.config, Encoded(examples), mix, range(1, 3), share)
        return [batch[0].numpy() for batch in found]

    whole = canvases(0, 1)
    assert [len(batch) for batch in whole] == [4, 4]
    halves = [canvases(number, 2) for number in range(2)]
    for batch, *shares in zip(whole, *halves, strict=True):
        assert np.array_equal(batch, np.concatenate(shares))


def test_losses_of_parts_add_up_to_those_of_the_batch() -> None:
    parts = [
        Losses(
            (LossTerm(tf.constant(2.0), tf.constant(1.0)), LossTerm(tf.constant(1.0), tf.constant(0.0))),
            (LossTerm(tf.constant(6.0), tf.constant(1.0)),),
        ),
        Losses(
            (LossTerm(tf.constant(4.0), tf.constant(2.0)), LossTerm(tf.constant(2.0), tf.constant(0.0))),
            (LossTerm(tf.constant(3.0), tf.constant(2.0)),),
        ),
    ]
    whole = parts[0].denominators + parts[1].denominators
    found = [
        float(first + second) for first, second in zip(*(part.over(whole) for part in parts), strict=True)
    ]
    assert found == [6.0 / 3.0 + 3.0, 9.0 / 3.0, 0.0]


@pytest.fixture(scope="module")
def alone() -> Detector:
    return tiny.detector("red")


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"batch_size": 4, "accumulate": 3}, r"--batch: found 4, expected a multiple of 3 \(1 replicas x 3"),
        ({"accumulate": 2, "train_batch_norm": True}, "--train-batch-norm: a batch cut into 2"),
        ({"jit": True}, "--jit: XLA cannot compile distillation"),
    ],
)
def test_what_cannot_be_trained_so_is_refused(
    alone: Detector, changes: dict[str, object], found: str
) -> None:
    config = replace(strategies.TRAINING, **changes)  # type: ignore[arg-type]
    itself = Teacher(alone.network, tf.constant([0]), tf.constant([0]))
    with pytest.raises(TfrecError, match=found):
        Trainer(alone, config, itself)


def test_workers_do_not_choose_a_batch_each() -> None:
    asked = replace(strategies.TRAINING, batch_size=0)
    with pytest.raises(TfrecError, match="--batch auto: each worker would choose for itself"):
        require_trainable(tiny_rcnn.detector("red"), asked, None, replace(ALONE, workers=2))


def test_what_cannot_be_trained_so_is_refused_before_anything_is_measured(
    inputs: Path, tmp_path: Path
) -> None:
    config = replace(strategies.TRAINING, accumulate=3)
    with pytest.raises(TfrecError, match="--batch: found 4"):
        finetune.finetune(strategies.plan(inputs, tmp_path / "run", config, ALONE), resume=False)
    assert not (tmp_path / "run").exists()


def test_the_proposals_of_faster_rcnn_are_not_compiled() -> None:
    with pytest.raises(TfrecError, match="--jit: XLA cannot compile the proposals"):
        Trainer(tiny_rcnn.detector("red"), replace(strategies.TRAINING, jit=True))


@pytest.mark.parametrize(
    "config",
    [
        "",
        "{",
        '{"cluster": {"worker": ["a:1"]}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}}',
    ],
)
def test_a_cluster_that_cannot_be_is_one_line(monkeypatch: pytest.MonkeyPatch, config: str) -> None:
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(TfrecError, match=r'TF_CONFIG: found .*, expected \{"cluster": \{"worker": \["HOST'):
        open_cluster("auto")


def test_several_devices_where_there_is_one_are_refused() -> None:
    with pytest.raises(TfrecError, match=r"--strategy mirrored: found .*CPU:0 alone"):
        open_cluster("mirrored")
    assert open_cluster("auto") is ALONE
    assert ALONE.agree(Vote.STOP) is Vote.STOP


def test_a_run_may_go_on_elsewhere_but_not_otherwise(tmp_path: Path) -> None:
    started: dict[str, toml_options.Value] = {"strategy": "mirrored", "accumulate": 1, "precision": "float32"}
    open_run(tmp_path / "run", started, resume=False)
    open_run(tmp_path / "run", started | {"strategy": "one", "accumulate": 2, "jit": True}, resume=True)
    with pytest.raises(TfrecError, match="precision: the run was started with float32, found bfloat16"):
        open_run(tmp_path / "run", started | {"precision": "bfloat16"}, resume=True)
