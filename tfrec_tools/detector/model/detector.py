"""A detector on disk and in memory.

On disk it is a folder in TFOD's own layout: `pipeline.config`, `label_map.pbtxt` and
`checkpoint/ckpt-N.{index,data}`; there is no format of our own.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfrec_tools.detector.architectures import registry
from tfrec_tools.detector.checkpoints import object_graph
from tfrec_tools.detector.checkpoints.latest import checkpoint_folder
from tfrec_tools.detector.config.read import Config, parse_pipeline
from tfrec_tools.detector.config.rewrite import Changes, rewrite_pipeline
from tfrec_tools.detector.model.description import MODEL_LABELS, describe
from tfrec_tools.detector.network.detections import Detections
from tfrec_tools.detector.network.graphs import graph
from tfrec_tools.detector.network.layers import path_of
from tfrec_tools.errors import InputError, counted
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.labels.pbtxt import format_label_map
from tfrec_tools.system.atomic import named_as

Values = dict[str, NDArray[np.generic]]
# Keras 3 calls a depthwise kernel "kernel", TFOD (Keras 2) "depthwise_kernel".
_DEPTHWISE_KERNEL = "depthwise_kernel"
COMPILING = "compiling"  # what `compiled_detect` does for a while before its first images are looked at


@dataclass(frozen=True, slots=True, eq=False)
class Detector:
    """A network with what it needs to be written back.

    config   of one of the families, whose module says what the network gives
    network  from canvases (B, H, W, 3), images as `resize.preprocess` gives them
    graph    the checkpoint that it was read from, which is written back whole
    """

    config: Config
    pipeline_text: str
    labels: LabelMap
    network: keras.Model
    graph: object_graph.ObjectGraph


def variables(network: keras.Model) -> dict[str, keras.Variable]:
    """Returns {path in the checkpoint's graph: variable}, from the layers' names."""
    return {
        f"{object_graph.MODEL}/{path_of(layer.name)}/{_tfod_name(layer, variable)}": variable
        for layer in layers_of(network)
        for variable in layer.weights
    }


def load_detector(folder: Path, label_map: Path | None = None, flag: str = MODEL_LABELS) -> Detector:
    """Returns a detector from a model folder; label map and flag are as for `describe`. Raises InputError
    where a part is missing or they do not fit together."""
    said = describe(folder, label_map, flag)
    weights = checkpoint_folder(folder)
    graph = object_graph.read_checkpoint(weights)
    config = registry.fitted(said.config, graph)
    network = registry.of(config).build(config)
    _assign(weights, config, network, graph)
    return Detector(config, said.text, said.labels, network, graph)


def new_detector(pipeline_text: str, labels: LabelMap, seed: int) -> Detector:
    """Returns a detector with random weights, for the ids of a label map."""
    keras.utils.set_random_seed(seed)
    text = rewrite_pipeline(pipeline_text, Changes(max(labels.name_by_id), "label_map.pbtxt"))
    return of_config(parse_pipeline(Path("pipeline.config"), text), text, labels)


def of_config(config: Config, pipeline_text: str, labels: LabelMap) -> Detector:
    """Returns a detector with the weights that Keras draws, of a config that the text says, but for what a
    checkpoint alone can say."""
    network = registry.of(config).build(config)
    leaves = {path: (path, value) for path, value in values(network).items()}
    return Detector(config, pipeline_text, labels, network, object_graph.graph_of_paths(leaves))


def resized(detector: Detector, labels: LabelMap, values: Values) -> Detector:
    """Returns the same architecture for another label map, with the variables given by path."""
    text = rewrite_pipeline(detector.pipeline_text, Changes(max(labels.name_by_id), "label_map.pbtxt"))
    config = replace(detector.config, num_classes=max(labels.name_by_id))
    network = registry.of(config).build(config)
    assign(network, values)
    return replace(detector, config=config, pipeline_text=text, labels=labels, network=network)


def save_detector(detector: Detector, folder: Path) -> None:
    """Writes a model folder, whole or not at all; one that is there is replaced."""
    beside = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    with named_as(folder, beside):
        beside.mkdir(parents=True)
        (beside / "pipeline.config").write_text(detector.pipeline_text, encoding="utf-8")
        (beside / "label_map.pbtxt").write_text(format_label_map(detector.labels), encoding="utf-8")
        object_graph.write_checkpoint(beside / "checkpoint", detector.graph, values(detector.network))
    shutil.rmtree(folder, ignore_errors=True)
    beside.replace(folder)


def assign(network: keras.Model, values: Values) -> None:
    """Sets all variables to {path: value}."""
    for path, variable in variables(network).items():
        variable.assign(values[path])


def values(network: keras.Model) -> Values:
    """Returns {path: value} of all variables."""
    return {path: np.asarray(variable) for path, variable in variables(network).items()}


def layers_of(network: keras.Model) -> list[keras.layers.Layer]:
    """Returns all of a network, those of networks within it too."""
    inner = (layers_of(layer) if isinstance(layer, keras.Model) else [layer] for layer in network.layers)
    return [layer for layers in inner for layer in layers]


def _tfod_name(layer: keras.layers.Layer, variable: keras.Variable) -> str:
    is_depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    return _DEPTHWISE_KERNEL if is_depthwise and variable.name == "kernel" else str(variable.name)


def _assign(folder: Path, config: Config, network: keras.Model, graph: object_graph.ObjectGraph) -> None:
    """Sets the network's variables to the checkpoint's, of which those that the family does not use may be
    left over."""
    wanted = variables(network)
    nodes = {path: graph.find(path) for path in wanted}
    missing = [path for path, node in nodes.items() if node is None]
    left = graph.variables(object_graph.MODEL).keys() - wanted.keys()
    unused = registry.unused(config)
    spare = graph.variables(f"{object_graph.MODEL}/{unused}").values() if unused else ()
    known = {*nodes.values(), *spare}
    unknown = sorted(path for path in left if graph.find(path) not in known)
    if missing or unknown:
        raise InputError(folder, _strangers(missing, unknown), where=(missing + unknown)[0])
    for path, variable in wanted.items():
        value = graph.nodes[nodes[path] or 0].value
        if value is None or value.shape != variable.shape:
            raise _unlike(folder, config, path, None if value is None else value.shape, variable.shape)
        variable.assign(value)


def _unlike(
    folder: Path, config: Config, path: str, found: tuple[int, ...] | None, expected: tuple[int, ...]
) -> InputError:
    """Of a variable of another shape. Where it is a class head's, the number of classes is what differs."""
    for head in registry.of(config).class_heads(config):
        per_class = head.per_cell * head.values
        if found and path.startswith(f"{object_graph.MODEL}/{head.path}/") and found[-1] % per_class == 0:
            if found[:-1] != expected[:-1]:
                continue
            classes = found[-1] // per_class - head.background
            has = f"the checkpoint has {counted(classes, 'class')}"
            reason = f"{has}, expected {config.num_classes} by pipeline.config"
            return InputError(folder, f"{reason}; take the pipeline.config of its training", where=path)
    return InputError(
        folder, f"found shape {found}, expected {tuple(expected)} by pipeline.config", where=path
    )


def _strangers(missing: list[str], unknown: list[str]) -> str:
    return (
        f"the checkpoint is of another model than pipeline.config says: it lacks {len(missing)} variables, "
        f"and has {len(unknown)} that the model does not know; take the pipeline.config of its training"
    )


def detect(detector: Detector, images: tf.Tensor, windows: tf.Tensor) -> Detections:
    """Returns the detections of images as `resize.preprocess` gives them: images (B, H, W, 3), windows (B,
    2)."""
    family = registry.of(detector.config)
    return family.detect(detector.config, detector.network, images, windows)


@lru_cache(maxsize=2)
def compiled_detect(detector: Detector) -> Callable[[tf.Tensor, tf.Tensor], Detections]:
    """Returns `detect` of a detector as a graph, traced once for any number of images; kept for the base and
    the grown model, which are measured again and again with other weights."""
    canvas = (None, detector.config.resizer.height_px, detector.config.resizer.width_px, 3)
    return graph(
        lambda images, windows: detect(detector, images, windows),
        input_signature=[tf.TensorSpec(canvas, tf.float32), tf.TensorSpec((None, 2), tf.float32)],
    )


def class_logits(detector: Detector, images: tf.Tensor, windows: tf.Tensor) -> tf.Tensor:
    """Returns (B, A, K) float32, of the classes alone, in the order of their ids; images and windows as for
    `detect`."""
    family = registry.of(detector.config)
    return family.class_logits(detector.config, detector.network, images, windows)
