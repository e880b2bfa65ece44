"""EfficientDet against what the real TFOD computed, and against users' own checkpoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.helpers import against_tfod, threads, tiny
from tfrec_tools.detector.architectures import ssd
from tfrec_tools.detector.checkpoints import object_graph
from tfrec_tools.detector.model import growth
from tfrec_tools.detector.model.detector import load_detector, variables
from tfrec_tools.labels.label_map import from_names

FOLDER = "efficientdet_d0"
# Half of tf-models-official's weight decay of 1e-5, as l2_loss halves it.
DECAY = 5e-6


@pytest.mark.parametrize("image", [0, 1])
def test_inference_is_tfods(shared: Path, image: int) -> None:
    against_tfod.check_inference(shared / "tfod" / FOLDER, f"image{image}.png", f"im{image}")


@threads.with_those_of_tfod
def test_training_is_tfods(shared: Path) -> None:
    """TFOD regularises the classifier of ImageNet too, which is still there and unused."""
    folder = shared / "tfod" / FOLDER
    detector = load_detector(folder)
    used = {detector.graph.find(path) for path in variables(detector.network)}
    left = detector.graph.variables(f"{object_graph.MODEL}/{ssd.unused(tiny.ssd_config(detector.config))}")
    weights = [
        np.asarray(detector.graph.nodes[node].value, np.float32)
        for path, node in left.items()
        if node not in used and path.endswith(("/kernel", "/bias"))
    ]
    assert [weight.shape for weight in weights] == [(1, 1, 320, 1280), (1280, 1000), (1000,)]
    against_tfod.check_training(folder, DECAY * sum(float(np.sum(np.square(weight))) for weight in weights))


def test_batch_norm_moves_as_tfods(shared: Path) -> None:
    against_tfod.check_batch_norm(shared / "tfod" / FOLDER)


def test_writing_a_model_back_is_the_identity(shared: Path, tmp_path: Path) -> None:
    against_tfod.check_written_back(shared / "tfod" / FOLDER, tmp_path / "model")


def test_a_grown_model_keeps_its_logits_to_the_bit(shared: Path) -> None:
    folder = shared / "tfod" / FOLDER
    base = load_detector(folder)
    image, _ = against_tfod.preprocessed(base, folder / "image0.png")
    grown = growth.grow(base, from_names([*base.labels.names, "dog", "bird"]), seed=0)
    before, after = base.network(image), grown.network(image)
    assert np.array_equal(before[0], after[0])
    assert after[1].shape[-1] == 5
    assert np.array_equal(before[1], after[1][..., :3])


@pytest.mark.parametrize("name", ["01", "07", "08", "09", "10", "14"])
def test_the_keys_of_users_own_checkpoints_are_ours(shared: Path, name: str) -> None:
    """Five of D0, and one of D4."""
    against_tfod.check_keys(shared / "tfod" / "index_only" / f"custom_{name}.index")
