"""The finished sets in the folder of a set that is to be written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.dataset import shards
from tfrec_tools.dataset.manifest import read_manifest
from tfrec_tools.errors import InputError


def differing_ids(out: Path, ids: Mapping[str, int]) -> tuple[Issue, ...]:
    """Returns an issue for each other set in the folder of DIR/NAME that has classes of the label map `ids`,
    but gives one another id, or one of its ids to another class: the two cannot be used together."""
    return tuple(
        issue
        for prefix in shards.prefixes(out.parent)
        if prefix.name != out.name and (issue := _difference(prefix, out, ids)) is not None
    )


def _difference(prefix: Path, out: Path, ids: Mapping[str, int]) -> Issue | None:
    try:
        theirs = {item.name: item.id for item in read_manifest(shards.manifest_path(prefix)).classes}
    except (InputError, OSError):
        return None
    if not ids.keys() & theirs.keys():
        return None
    names = {label_id: name for name, label_id in ids.items()}
    both = [(name, label_id, ids.get(name, label_id)) for name, label_id in theirs.items()]
    differing = [f"{name!r} is {old} there and {new} in {out.name}" for name, old, new in both if old != new]
    differing += [
        f"{label_id} is {name!r} there and {names[label_id]!r} in {out.name}"
        for name, label_id in theirs.items()
        if name not in ids and label_id in names
    ]
    if not differing:
        return None
    more = f" (and {len(differing) - 1} more)" if differing[1:] else ""
    advice = f"one label map for both sets settles it: --labels {shards.label_map_path(prefix)}"
    message = f"{differing[0]}{more}; {advice}"
    return Issue("label-ids-differ", shards.manifest_path(prefix).name, None, message, False)
