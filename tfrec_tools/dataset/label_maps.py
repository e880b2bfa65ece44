"""The label map of record files."""

from __future__ import annotations

from pathlib import Path

from tfrec_tools.dataset import shards
from tfrec_tools.dataset.manifest import Manifest
from tfrec_tools.labels import pbtxt


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
