"""Golden models of TFOD whose weights follow from a rule (shared/tfod/NOTES.md), made into whole folders."""

from __future__ import annotations

import gzip
import shutil
import zlib
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.protobuf import trackable_object_graph_pb2

from tfrec_tools.detector.checkpoints import object_graph
from tfrec_tools.detector.checkpoints.object_graph import Node, ObjectGraph

SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


def write_folder(source: Path, folder: Path) -> Path:
    """Writes a model folder as TFOD's exporter would have left it."""
    shutil.copytree(source, folder, ignore=lambda _, names: [name for name in names if "expected" in name])
    shutil.rmtree(folder / "checkpoint")
    object_graph.write_checkpoint(folder / "checkpoint", graph(source), {})
    return folder


def graph(source: Path) -> ObjectGraph:
    """The object graph of a model with the weights of the rule."""
    serialized = gzip.decompress((source / "object_graph.pb.gz").read_bytes())
    proto = trackable_object_graph_pb2.TrackableObjectGraph.FromString(serialized)
    shapes = tf.train.load_checkpoint(str(source / "checkpoint" / "ckpt-0")).get_variable_to_shape_map()
    overrides = np.load(source / "weight_overrides.npz")
    nodes = []
    for node in proto.nodes:
        children = tuple((child.local_name, child.node_id) for child in node.children)
        key = next((each.checkpoint_key for each in node.attributes if each.name == "VARIABLE_VALUE"), "")
        if key.endswith(SUFFIX) and key in shapes:
            value = overrides[key] if key in overrides.files else _weight(key, shapes[key])
            nodes.append(Node(children, node.attributes[0].full_name, value))
        else:
            nodes.append(Node(children))
    return ObjectGraph(tuple(nodes))


def _weight(key: str, shape: list[int]) -> NDArray[np.float32]:
    path = key.removesuffix(SUFFIX)
    leaf = path.rpartition("/")[2]
    z = np.random.default_rng(zlib.crc32(path.encode())).standard_normal(shape)
    match leaf:
        case "kernel" | "pointwise_kernel":
            value = z * np.sqrt(2 / np.prod(shape[:-1]))
        case "depthwise_kernel":
            value = z * np.sqrt(2 / (shape[0] * shape[1]))
        case "gamma":
            value = 0.6 + 0.1 * z
        case "beta":
            value = 0.5 + 0.2 * z
        case "bias":
            value = 0.1 * z + _bias(path)
        case "moving_mean":
            value = np.zeros(shape)
        case "moving_variance":
            value = np.ones(shape)
        case _:  # the save counter
            value = np.asarray(z)
    return np.asarray(value, np.float32)


def _bias(path: str) -> float:
    """The mean of a last layer's bias, 0 of others'."""
    if "_class_predictor_layers" in path:
        return -3.0
    if "layer_with_weights-1" in path:
        means = {"/object_center/": -3.0, "/box.Sscale/": 8.0, "/box.Soffset/": 0.5}
        return next((mean for part, mean in means.items() if part in path), 0.0)
    return 0.0
