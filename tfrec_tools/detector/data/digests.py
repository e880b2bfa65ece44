"""What a run was made of, as texts that differ where that differs; without reading images or weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tfrec_tools.detector.checkpoints.latest import checkpoint_folder, latest
from tfrec_tools.detector.data.index import IndexedExample
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.labels.model_folders import CONFIG
from tfrec_tools.labels.pbtxt import format_label_map
from tfrec_tools.system.regular_files import read_part

_LETTERS = 16


def of_records(examples: Sequence[IndexedExample]) -> str:
    """Of what is annotated, in its order, and of how many bytes each Example has, image and all."""
    digest = hashlib.sha256()
    for example in examples:
        where = example.example
        size = len(where) if isinstance(where, bytes) else where.length
        digest.update(repr((size, example.width, example.height, sorted(example.labeled))).encode())
        for column in (example.boxes, example.ids, example.crowd, example.weights, example.difficult):
            digest.update(column.tobytes())
    return f"{len(examples)} images {digest.hexdigest()[:_LETTERS]}"


def of_labels(labels: LabelMap) -> str:
    return hashlib.sha256(format_label_map(labels).encode()).hexdigest()[:_LETTERS]


def of_model(folder: Path) -> str:
    """Of its config and its checkpoint's index, in which TensorFlow keeps a checksum of each tensor. Raises
    InputError where it has none."""
    prefix = latest(checkpoint_folder(folder))
    files = folder / CONFIG, prefix.with_name(f"{prefix.name}.index")
    digest = hashlib.sha256(b"".join(hashlib.sha256(read_part(file)).digest() for file in files))
    return digest.hexdigest()[:_LETTERS]
