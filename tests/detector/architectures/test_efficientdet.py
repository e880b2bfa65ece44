"""EfficientDet in a clone without TFOD's golden files."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.helpers import goldens, tiny
from tests.helpers.places import DATA
from tfrec_tools.detector.architectures import ssd
from tfrec_tools.detector.checkpoints import object_graph
from tfrec_tools.detector.config.bifpn import BifpnConfig
from tfrec_tools.detector.config.read import parse_pipeline
from tfrec_tools.detector.data.index import index_records
from tfrec_tools.detector.model import detector, growth
from tfrec_tools.detector.network.backbones import efficientnet
from tfrec_tools.detector.training.settings import TrainConfig
from tfrec_tools.detector.training.train_step import StepLosses
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.errors import InputError
from tfrec_tools.labels.label_map import from_names

TEXT = (DATA / "efficientdet.pipeline.config").read_text(encoding="utf-8")
SMALL, LARGE = (0, 1, 2), (3, 4, 5, 6, 7)
# Keras' own networks start with a normalisation layer: mean, variance, count.
NORMALIZATION_WEIGHTS = 3
CONFIG = TrainConfig(
    steps=2,
    batch_size=2,
    lr=0.01,
    backbone_lr_mult=0.1,
    freeze_backbone=False,
    train_batch_norm=False,
    replay_ratio=0.5,
    average=0.0,
    seed=1,
)


@pytest.fixture(scope="module")
def base() -> detector.Detector:
    return goldens.detector("efficientdet", "red", "green")


def test_the_config_is_read_field_by_field() -> None:
    config = tiny.ssd_config(parse_pipeline(Path("p.config"), TEXT))
    assert isinstance(config.extractor, BifpnConfig)
    assert (config.background, config.pixels) == (False, "efficientnet")
    assert (config.extractor.version, config.extractor.rounds, config.extractor.depth) == (0, 2, 16)
    assert (config.extractor.hyperparams.activation, config.extractor.hyperparams.use_bias) == ("swish", True)


@pytest.mark.parametrize(
    ("old", "new", "place", "found"),
    [
        ("efficientnet-b0", "efficientnet-b8", "feature_extractor.type", "supported: ssd with"),
        ("num_iterations: 2", "num_iterations: 2 combine_method: 'attention'", "combine_method", "or 'sum'"),
        ("min_level: 3", "min_level: 4", "bifpn", "found levels 4 to 7, expected 3 to 7"),
        ("num_iterations: 2", "", "bifpn.num_iterations", "missing"),
        ("bifpn {", "depth_multiplier: 0.5\n bifpn {", "depth_multiplier", "expected 1"),
        ("bifpn {", "use_depthwise: true\n bifpn {", "use_depthwise", "expected false"),
        ("max_dimension: 128", "max_dimension: 96", "image_resizer", "multiples of 128"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(old: str, new: str, place: str, found: str) -> None:
    assert old in TEXT
    with pytest.raises(InputError) as caught:
        parse_pipeline(Path("p.config"), TEXT.replace(old, new, 1))
    assert place in str(caught.value)
    assert found in str(caught.value)


@pytest.mark.parametrize(
    "version", [*SMALL, *(pytest.param(version, marks=pytest.mark.slow) for version in LARGE)]
)
def test_a_backbone_is_what_keras_applications_builds_up_to_its_last_stack(version: int) -> None:
    image = keras.Input((None, None, 3))
    levels = efficientnet.feature_levels(version, image)
    ours = [variable.shape for variable in detector.variables(keras.Model(image, levels)).values()]
    build = getattr(keras.applications, f"EfficientNetB{version}")
    theirs = [variable.shape for variable in build(weights=None, include_top=False).weights]
    assert ours == theirs[NORMALIZATION_WEIGHTS:][: len(ours)]
    *_, before_classifier = (shape for shape in theirs if len(shape) == 4)
    assert levels[-1].shape[-1] == before_classifier[-2]


# TFOD's zoo: EfficientNet, side of the canvas, channels and rounds of the pyramid, layers of the towers; and
# how many anchors and trainable parameters come of it with COCO's 90 ids. The paper says 3.9 M for D0; the
# deeper ones have fewer than it says, as TFOD leaves out the end of the last stack.
ZOO = {
    "d0": (0, 512, 64, 3, 3, 49104, 3880067),
    "d1": (1, 640, 88, 4, 3, 76725, 5062298),
    "d2": (2, 768, 112, 5, 3, 110484, 6208119),
    "d3": (3, 896, 160, 6, 4, 150381, 9787336),
    "d4": (4, 1024, 224, 7, 4, 196416, 17674475),
    "d5": (5, 1280, 288, 7, 4, 306900, 25700675),
    "d6": (6, 1408, 384, 8, 5, 371349, 41819142),
    "d7": (6, 1536, 384, 8, 5, 441936, 41819142),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
def test_the_models_of_the_zoo_are_built(name: str) -> None:
    version, side, depth, rounds, tower_layers, anchors, parameters = ZOO[name]
    text = TEXT
    for old, new in (
        ("num_classes: 2", "num_classes: 90"),
        ("efficientnet-b0", f"efficientnet-b{version}"),
        ("dimension: 128", f"dimension: {side}"),
        ("num_filters: 16", f"num_filters: {depth}"),
        ("num_iterations: 2", f"num_iterations: {rounds}"),
        ("depth: 16", f"depth: {depth}"),
        ("num_layers_before_predictor: 1", f"num_layers_before_predictor: {tower_layers}"),
        ("scales_per_octave: 1", "scales_per_octave: 3"),
    ):
        assert old in text
        text = text.replace(old, new)
    if version == 6:
        text = text.replace("bifpn {", "bifpn {\n combine_method: 'sum'")
    config = tiny.ssd_config(parse_pipeline(Path("p.config"), text))
    network = ssd.build(config)
    assert [tuple(output.shape) for output in network.outputs] == [(None, anchors, 4), (None, anchors, 90)]
    assert ssd.anchor_boxes(config).shape == (anchors, 4)
    assert sum(math.prod(variable.shape) for variable in network.trainable_weights) == parameters


@pytest.mark.slow
def test_a_class_that_was_not_annotated_is_left_alone(base: detector.Detector, tmp_path: Path) -> None:
    labels = from_names(["red", "green", "blue"])
    grown = growth.grow(base, labels, seed=1)
    records = tiny.write_records(
        tmp_path / "new.tfrecord", ["blue"], 2, labels=labels, labeled=frozenset({"blue"})
    )
    head = ssd.class_heads(tiny.ssd_config(grown.config))[0]
    path = f"{object_graph.MODEL}/{head.path}/{head.kernel}"
    before = detector.values(grown.network)
    losses: list[StepLosses] = []
    Trainer(grown, CONFIG).run(index_records([str(records)], labels), [], losses.append)
    after = detector.values(grown.network)
    moved = (before[path] != after[path]).reshape(-1, head.per_cell, 3).any(axis=(0, 1))
    assert moved.tolist() == [False, False, True]
    assert [step.step for step in losses] == [1, 2]
    stem = f"{object_graph.MODEL}/{efficientnet.PATH}/layer_with_weights-0/kernel"
    assert not np.array_equal(before[stem], after[stem])


def test_a_checkpoint_may_go_on_to_a_classifier_which_is_kept(
    base: detector.Detector, tmp_path: Path
) -> None:
    rest = {
        f"{object_graph.MODEL}/{ssd.unused(tiny.ssd_config(base.config))}/layer_with_weights-130/bias": (
            "bias",
            np.ones(7),
        ),
        f"{object_graph.MODEL}/_feature_extractor/_stray/bias": ("stray", np.ones(7)),
    }
    for path, leaf in rest.items():
        leaves = {path: leaf} | {p: (p, value) for p, value in detector.values(base.network).items()}
        graph = object_graph.graph_of_paths(leaves)
        detector.save_detector(replace(base, graph=graph), tmp_path / "model")
        if "_stray" in path:
            with pytest.raises(InputError, match=r"_stray/bias.*has 1 that the model does not know"):
                detector.load_detector(tmp_path / "model")
        else:
            again = detector.load_detector(tmp_path / "model")
            node = again.graph.find(path)
            assert node is not None
            kept = again.graph.nodes[node].value
            assert kept is not None
            assert np.array_equal(kept, np.ones(7))
