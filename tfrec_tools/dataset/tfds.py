"""dataset_info.json, features.json and the names of the classes, so that `tfds.builder_from_directory` opens
the folder of a set. Several sets in one folder are its splits.

The formats are TensorFlow Datasets' DatasetInfo and Feature messages as JSON
(tensorflow_datasets/core/proto/dataset_info.proto and feature.proto). TFDS finds a feature under its own name
in an Example, so that its objects/bbox of four numbers a box has no place in TFOD's records: edges stay four
features of floats.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tfrec_tools.dataset.manifest import Manifest, ShardInfo, read_manifest
from tfrec_tools.dataset.shards import manifest_path, prefixes
from tfrec_tools.errors import InputError
from tfrec_tools.system.regular_files import read_bytes
from tfrec_tools.tfrecords.features import BOX_LABEL, FEATURES, IMAGE_ENCODED, Feature

INFO = "dataset_info.json"
_FEATURES = "features.json"
_MODULE = "tensorflow_datasets.core.features"
_DTYPES = {"bytes": "string", "float": "float32", "int64": "int64"}
_NAMES = f"{BOX_LABEL.replace('/', '.')}.labels.txt"  # where TFDS looks for a feature's
_MOST_CLASSES = 100_000  # up to which ids may reach: TFDS lists a name for each id from 0
_OURS = "by tfrec convert."
_SEVERAL = "tfrec_sets"  # what the folder of several sets is called


def sidecars(prefix: Path, manifest: Manifest) -> dict[Path, bytes]:
    """Returns the files beside a set DIR/NAME, for it and the other sets of the folder that have been in them
    before. None for gzip, which TFDS does not read, and where the folder is another data set's."""
    info = prefix.with_name(INFO)
    listed = _listed(info)
    if _is_packed(manifest) or listed is None:
        return {}
    manifests = sorted([manifest, *_neighbours(prefix, listed)], key=lambda each: each.name)
    names = _class_names(manifests)
    files = {_FEATURES: _encode(_features(len(names)))}
    files |= {_NAMES: _lines(names)} if any(names) else {}
    return {prefix.with_name(name): data for name, data in files.items()} | {info: _encode(_info(manifests))}


def left_out(prefix: Path, manifest: Manifest) -> str:
    """Returns why `tfds.builder_from_directory` does not have a finished set DIR/NAME; empty where it has."""
    if _is_packed(manifest):
        return "it reads no gzip"
    listed = _listed(prefix.with_name(INFO))
    if listed is None:
        return f"{INFO} in its folder is of another data set"
    return "" if _is_in(listed, manifest) else "its records lack features that TFDS asks for"


def _is_packed(manifest: Manifest) -> bool:
    return "compression" in manifest.options


def _listed(info: Path) -> list[str] | None:
    """Returns the templates of the files that a dataset_info.json of ours lists; none where there is no such
    file, None where it is not ours."""
    try:
        document = json.loads(read_bytes(info))
        is_ours = str(document["description"]).endswith(_OURS)
        return [str(split["filepathTemplate"]) for split in document["splits"]] if is_ours else None
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_in(listed: Sequence[str], manifest: Manifest) -> bool:
    return any(split["filepathTemplate"] in listed for split in _splits(manifest, alone=True))


def _neighbours(prefix: Path, listed: Sequence[str]) -> Iterator[Manifest]:
    """Yields the other finished sets of the folder that are listed."""
    for other in prefixes(prefix.parent) if listed else ():
        if other.name != prefix.name:
            try:
                manifest = read_manifest(manifest_path(other))
            except (InputError, OSError):
                continue
            if _is_in(listed, manifest) and not _is_packed(manifest):
                yield manifest


def _name(text: str) -> str:
    """TFDS's names hold letters, digits and underscores; the files' own names stand in the template."""
    return re.sub(r"\W", "_", text)


def _class_names(manifests: Iterable[Manifest]) -> list[str]:
    """Returns the name of each id from 0, which is the background, to the largest; all empty where the sets
    do not agree, or where TFDS could not have them: a line each, no two alike. Nothing where there are too
    many."""
    by_id: dict[int, set[str]] = {}
    for manifest in manifests:
        for item in manifest.classes:
            by_id.setdefault(item.id, set()).add(" ".join(item.name.split()))
    count = max(by_id, default=0) + 1
    if count > _MOST_CLASSES:
        return []
    agreed = all(len(names) == 1 for names in by_id.values())
    names = [min(by_id.get(label_id, {f"id {label_id}"})) for label_id in range(count)]
    if "background" not in names:
        names[0] = "background"
    return names if agreed and all(names) and len(set(names)) == count else [""] * count


def _info(manifests: Sequence[Manifest]) -> dict[str, Any]:
    classes = len({item.name for manifest in manifests for item in manifest.classes})
    return {
        "name": _name(manifests[0].name) if len(manifests) == 1 else _SEVERAL,
        "version": "1.0.0",
        "description": f"Object detection, {classes} classes, {_OURS}",
        "fileFormat": "tfrecord",
        "splits": [split for manifest in manifests for split in _splits(manifest, alone=len(manifests) == 1)],
    }


def _splits(manifest: Manifest, alone: bool) -> Iterator[dict[str, Any]]:
    """Yields the splits of a set, which is one itself where it has none; not `alone`, they begin with its
    name."""
    for name in [split.name for split in manifest.splits] or [""]:
        title = name or "train" if alone else _name("_".join(filter(None, (manifest.name, name))))
        yield _split(manifest, title, name, [info for info in manifest.shards if info.split == name])


def _split(manifest: Manifest, title: str, name: str, shards: Sequence[ShardInfo]) -> dict[str, Any]:
    middle = f"-{name}" if name else ""
    return {
        "name": title,
        "filepathTemplate": f"{manifest.name}{middle}-{{SHARD_X_OF_Y}}.{{FILEFORMAT}}",
        "shardLengths": [str(info.records) for info in shards],
        "numBytes": str(sum(info.bytes for info in shards)),
    }


def _features(classes: int) -> dict[str, Any]:
    features = {key: _feature(key, feature, classes) for key, feature in FEATURES.items()}
    return {
        "pythonClassName": f"{_MODULE}.features_dict.FeaturesDict",
        "featuresDict": {"features": features},
    }


def _feature(key: str, feature: Feature, classes: int) -> dict[str, Any]:
    element = _element(key, feature, classes)
    if feature.shape == "()":
        return element
    return {
        "pythonClassName": f"{_MODULE}.sequence_feature.Sequence",
        "sequence": {"feature": element, "length": "-1"},
    }


def _element(key: str, feature: Feature, classes: int) -> dict[str, Any]:
    if key == IMAGE_ENCODED:
        shape = {"dimensions": ["-1", "-1", "3"]}
        image = {"shape": shape, "dtype": "uint8"}
        return {"pythonClassName": f"{_MODULE}.image_feature.Image", "image": image}
    if key == BOX_LABEL and classes:
        named = {"numClasses": str(classes)}
        return {"pythonClassName": f"{_MODULE}.class_label_feature.ClassLabel", "classLabel": named}
    dtype = _DTYPES[feature.kind]
    if dtype == "string":
        return {"pythonClassName": f"{_MODULE}.text_feature.Text", "text": {}}
    scalar = {"shape": {}, "dtype": dtype, "encoding": "none"}
    return {"pythonClassName": f"{_MODULE}.scalar.Scalar", "tensor": scalar}


def _lines(names: Iterable[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode()


def _encode(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=2).encode() + b"\n"
