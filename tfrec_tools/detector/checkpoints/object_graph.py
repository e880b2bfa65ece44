"""TFOD's object-based checkpoints, both ways.

Such a checkpoint holds a graph of objects with named edges, and the values of its variables. TensorFlow
matches the two by walking the edges, so that is how a variable is found here: by path, whichever of its
aliases the checkpoint chose as the key. Writing rebuilds the whole graph that was read, objects without
variables and aliases included, so that TFOD finds every object it looks for.
Format: tensorflow/core/protobuf/trackable_object_graph.proto
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.protobuf import trackable_object_graph_pb2

from tfrec_tools.detector.checkpoints import latest, unsupported
from tfrec_tools.errors import InputError

_GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
MODEL = "model"
# What TensorFlow raises for files that are missing, cut off or of another format.
_UNREADABLE = (tf.errors.OpError, IndexError, RuntimeError, ValueError)


@dataclass(frozen=True, slots=True)
class Node:
    """An object: its edges by name, and where it is a variable, its full name and its value."""

    children: tuple[tuple[str, int], ...] = ()
    full_name: str = ""
    value: NDArray[np.generic] | None = None


@dataclass(frozen=True, slots=True)
class ObjectGraph:
    """What a checkpoint holds; node 0 is the root."""

    nodes: tuple[Node, ...]

    def find(self, path: str) -> int | None:
        """Returns the node at a path of edge names such as "model/_box_predictor"; a slash within a name is
        written .S, as in the checkpoint's keys."""
        index: int | None = 0
        for name in path.split("/"):
            index = dict(self.nodes[index].children).get(_raw(name)) if index is not None else None
        return index

    def variables(self, path: str = "") -> dict[str, int]:
        """Returns {path: node} of all variables below a path, each by its shortest path."""
        start = self.find(path) if path else 0
        if start is None:
            return {}
        by_path, seen, queue = {}, {start}, [(path, start)]
        for here, index in queue:
            for name, child in self.nodes[index].children:
                if child not in seen:
                    seen.add(child)
                    queue.append((f"{here}/{_escaped(name)}" if here else _escaped(name), child))
                    if self.nodes[child].value is not None:
                        by_path[queue[-1][0]] = child
        return by_path


def read_checkpoint(folder: Path) -> ObjectGraph:
    """Returns the latest checkpoint of a folder. Raises InputError where there is none, or it is not whole,
    or not object-based."""
    prefix = latest.latest(folder)
    unsupported.require_whole(prefix)
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        if not reader.has_tensor(_GRAPH_KEY):
            raise InputError(folder, unsupported.name_based_reason(prefix.name))
        serialized = reader.get_tensor(_GRAPH_KEY)
    except _UNREADABLE as fault:
        reason = str(fault).splitlines()[0]
        raise InputError(prefix, f"not a readable object-based checkpoint ({reason})") from fault
    proto = trackable_object_graph_pb2.TrackableObjectGraph.FromString(serialized)
    try:
        return ObjectGraph(tuple(_read_node(reader, node) for node in proto.nodes))
    except _UNREADABLE as fault:
        reason = str(fault).splitlines()[0]
        raise InputError(prefix, f"its values cannot be read ({reason}); is the .data file whole?") from fault


def graph_of_paths(variables: dict[str, tuple[str, NDArray[np.generic]]]) -> ObjectGraph:
    """Returns a graph with just the objects on the way to variables: {path: (full name, value)}."""
    children: list[dict[str, int]] = [{}]
    leaves: dict[int, tuple[str, NDArray[np.generic]]] = {}
    for path, leaf in variables.items():
        index = 0
        for name in map(_raw, path.split("/")):
            if name not in children[index]:
                children[index][name] = len(children)
                children.append({})
            index = children[index][name]
        leaves[index] = leaf
    return ObjectGraph(
        tuple(
            Node(tuple(edges.items()), *leaves.get(index, ("", None))) for index, edges in enumerate(children)
        )
    )


def write_checkpoint(folder: Path, graph: ObjectGraph, values: dict[str, NDArray[np.generic]]) -> None:
    """Writes folder/ckpt-0 with the model part of a graph, its variables set to {path: value}.

    Made by tf.train.CheckpointManager, since TFOD wants the save counter that it adds.
    """
    by_node = {graph.find(path): value for path, value in values.items()}
    objects = [_object(node, by_node.get(index)) for index, node in enumerate(graph.nodes)]
    for node, module in zip(graph.nodes, objects, strict=True):
        for name, child in node.children:
            setattr(module, name, objects[child])
    root = tf.train.Checkpoint(**{MODEL: objects[_model_node(graph)]})
    tf.train.CheckpointManager(root, str(folder), max_to_keep=1).save(checkpoint_number=0)


def _escaped(name: str) -> str:
    """Returns the name of an edge as it stands in a path, and in a checkpoint's keys."""
    return name.replace(".", "..").replace("/", ".S")


def _raw(escaped: str) -> str:
    return re.sub(r"\.(.)", lambda match: "/" if match[1] == "S" else match[1], escaped)


def _model_node(graph: ObjectGraph) -> int:
    index = graph.find(MODEL)
    if index is None:
        raise ValueError(f"the graph has no {MODEL!r}")
    return index


def _read_node(
    reader: tf.train.CheckpointReader, node: trackable_object_graph_pb2.TrackableObjectGraph.TrackableObject
) -> Node:
    children = tuple((child.local_name, child.node_id) for child in node.children)
    for attribute in node.attributes:
        if attribute.name == "VARIABLE_VALUE":
            return Node(
                children, attribute.full_name, np.asarray(reader.get_tensor(attribute.checkpoint_key))
            )
    return Node(children)


def _object(node: Node, value: NDArray[np.generic] | None) -> tf.Module | tf.Variable:
    if node.value is None:
        return tf.Module()
    return tf.Variable(node.value if value is None else value, name=node.full_name or None)
