"""What is no model folder of TF 2 is told in one line: what was found, what was expected, what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf

from tests.helpers import tiny
from tfrec_tools.detector.model import detector
from tfrec_tools.errors import InputError

POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.model_folder(tmp_path_factory.mktemp("whole") / "model", "red", "green")


def _name_based(folder: Path) -> None:
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.get_variable("FeatureExtractor/Conv/weights", shape=(3, 3, 3, 8), use_resource=False)
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver().save(session, str(folder / "model.ckpt"))


def _tf1_folder(folder: Path) -> None:
    shutil.rmtree(folder / "checkpoint")
    _name_based(folder)


def _tf1_named_as_tf2(folder: Path) -> None:
    shutil.rmtree(folder / "checkpoint")
    (folder / "checkpoint").mkdir()
    _name_based(folder / "checkpoint")
    for file in (folder / "checkpoint").glob("model.ckpt*"):
        file.rename(file.with_name(file.name.replace("model.ckpt", "ckpt-0")))


def _frozen_graph(folder: Path) -> None:
    shutil.rmtree(folder / "checkpoint")
    (folder / "frozen_inference_graph.pb").write_bytes(b"x")


def _saved_model_alone(folder: Path) -> None:
    shutil.rmtree(folder / "checkpoint")
    (folder / "saved_model").mkdir()


def _pointer(pattern: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        next((folder / "checkpoint").glob(pattern)).write_text(POINTER)

    return damage


def _second_shard_missing(folder: Path) -> None:
    data = next((folder / "checkpoint").glob("*.data-*"))
    data.rename(data.with_name("ckpt-0.data-00000-of-00002"))


def _no_data(folder: Path) -> None:
    next((folder / "checkpoint").glob("*.data-*")).unlink()


def _unknown_model(folder: Path) -> None:
    (folder / "pipeline.config").write_text("model { detr { num_classes: 2 } }")


def _another_family(folder: Path) -> None:
    """RetinaNet's config beside an SSD MobileNetV2 FPNLite."""
    text = (folder / "pipeline.config").read_text()
    text = text.replace("ssd_mobilenet_v2_fpn_keras", "ssd_resnet50_v1_fpn_keras")
    (folder / "pipeline.config").write_text(text)


def _another_label_map(folder: Path) -> None:
    with (folder / "label_map.pbtxt").open("a") as file:
        file.write('item { id: 3 name: "blue" }\n')


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (_tf1_folder, "model.ckpt is a name-based checkpoint, as TF 1 writes it; expected an object-based"),
        (_tf1_named_as_tf2, "ckpt-0 is a name-based checkpoint, as TF 1 writes it; expected an object-based"),
        (_frozen_graph, r"frozen_inference_graph\.pb: a frozen graph .* expected an object-based"),
        (_saved_model_alone, "saved_model: a SavedModel cannot be opened .* expected an object-based"),
        (_pointer("*.data-*"), r"data-00000-of-00001: a pointer of git LFS.*`git lfs pull`"),
        (_pointer("*.index"), r"ckpt-0\.index: a pointer of git LFS.*`git lfs pull`"),
        (_no_data, r"ckpt-0\.data-00000-of-00001: missing; ckpt-0\.index needs it"),
        (_second_shard_missing, r"ckpt-0\.data-00001-of-00002: missing; ckpt-0\.index needs it"),
        (_unknown_model, r"pipeline\.config: model: found detr, expected .*supported: "),
        (_another_family, "the checkpoint is of another model than pipeline.config says: it lacks"),
        (
            _another_label_map,
            r"num_classes: found 2 classes, expected 3, the largest id in .*map\.pbtxt; give",
        ),
    ],
)
def test_each_is_one_line(whole: Path, tmp_path: Path, damage: Callable[[Path], None], found: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(whole, folder)
    damage(folder)
    with pytest.raises(InputError, match=found) as caught:
        detector.load_detector(folder)
    assert "\n" not in str(caught.value)


def test_a_servers_model_beside_a_checkpoint_does_no_harm(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(whole, folder)
    (folder / "saved_model").mkdir()
    (folder / "frozen_inference_graph.pb").write_bytes(b"x")
    assert detector.load_detector(folder).labels.names == ("red", "green")
