"""The label map of record files."""

from __future__ import annotations

from pathlib import Path

from tfrec_tools.dataset import shards
from tfrec_tools.dataset.manifest import Manifest
from tfrec_tools.labels import pbtxt


def keypoints_of(file: Path, manifest: Manifest | None) -> dict[str, tuple[tuple[int, str], ...]]:
    """Returns {class: (place among the values of a box, name) of its keypoints}, likewise, of the classes
    that have any."""
    if manifest is not None:
        return {
            item.name: tuple((keypoint.id, keypoint.label) for keypoint in item.keypoints)
            for item in manifest.classes
            if item.keypoints
        }
    beside = sorted(file.parent.glob("*.pbtxt"))
    labels = pbtxt.read_label_map(beside[0]).labels if len(beside) == 1 else ()
    return {label.name: label.keypoints for label in labels if label.keypoints}


def names_of(file: Path, manifest: Manifest | None) -> tuple[dict[int, str], str]:
    """Returns {id: name} and the name of the file that says so: the manifest of a record file's set, else the
    only .pbtxt in its folder; nothing where there is neither."""
    if manifest is not None:
        return (
            {item.id: item.name for item in manifest.classes},
            shards.manifest_path(file.with_name(manifest.name)).name,
        )
    beside = sorted(file.parent.glob("*.pbtxt"))
    return (pbtxt.read_label_map(beside[0]).name_by_id, beside[0].name) if len(beside) == 1 else ({}, "")
