"""dataset_info.json and features.json, so that `tfds.builder_from_directory` opens the folder of a set.

The formats are TensorFlow Datasets' DatasetInfo and Feature messages as JSON
(tensorflow_datasets/core/proto/dataset_info.proto and feature.proto).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tfrec_tools.dataset.manifest import Manifest, ShardInfo
from tfrec_tools.system.regular_files import read_bytes
from tfrec_tools.tfrecords.features import FEATURES, Feature

INFO = "dataset_info.json"
_MODULE = "tensorflow_datasets.core.features"
_DTYPES = {"bytes": "string", "float": "float32", "int64": "int64"}


def sidecars(prefix: Path, manifest: Manifest) -> dict[Path, bytes]:
    """Returns the two files beside a set DIR/NAME. None for gzip, which TFDS does not read, and where the
    folder already is another set's."""
    info = prefix.with_name(INFO)
    if "compression" in manifest.options or _owner(info) not in (None, _name(manifest)):
        return {}
    return {prefix.with_name("features.json"): _encode(_features()), info: _encode(_info(manifest))}


def _owner(info: Path) -> str | None:
    """Returns the name of the set that a dataset_info.json describes."""
    try:
        return str(json.loads(read_bytes(info))["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _name(manifest: Manifest) -> str:
    """TFDS's names hold letters, digits and underscores; the files' own names stand in the template."""
    return re.sub(r"\W", "_", manifest.name)


def _info(manifest: Manifest) -> dict[str, Any]:
    splits = [split.name for split in manifest.splits] or [""]
    return {
        "name": _name(manifest),
        "version": "1.0.0",
        "description": f"Object detection, {len(manifest.classes)} classes, by tfrec convert.",
        "fileFormat": "tfrecord",
        "splits": [
            _split(manifest, name, [info for info in manifest.shards if info.split == name])
            for name in splits
        ],
    }


def _split(manifest: Manifest, name: str, infos: Iterable[ShardInfo]) -> dict[str, Any]:
    shards = list(infos)
    middle = f"-{name}" if name else ""
    return {
        "name": name or "train",
        "filepathTemplate": f"{manifest.name}{middle}-{{SHARD_X_OF_Y}}.{{FILEFORMAT}}",
        "shardLengths": [str(info.records) for info in shards],
        "numBytes": str(sum(info.bytes for info in shards)),
    }


def _features() -> dict[str, Any]:
    features = {key: _feature(feature) for key, feature in FEATURES.items()}
    return {
        "pythonClassName": f"{_MODULE}.features_dict.FeaturesDict",
        "featuresDict": {"features": features},
    }


def _feature(feature: Feature) -> dict[str, Any]:
    dtype = _DTYPES[feature.kind]
    if dtype == "string":
        element = {"pythonClassName": f"{_MODULE}.text_feature.Text", "text": {}}
    else:
        element = {
            "pythonClassName": f"{_MODULE}.scalar.Scalar",
            "tensor": {"shape": {}, "dtype": dtype, "encoding": "none"},
        }
    if feature.shape == "()":
        return element
    return {
        "pythonClassName": f"{_MODULE}.sequence_feature.Sequence",
        "sequence": {"feature": element, "length": "-1"},
    }


def _encode(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=2).encode() + b"\n"
