"""Prepare object-detection data for TensorFlow, and grow detectors by new classes.

The Python API (docs/python.md): convert, validate, remap, extract, merge_labels, verify, inspect,
compare_sets, load; finetune, evaluate, compare, export, open_model. Each is imported when it is first asked
for: `import tfrec_tools` loads nothing.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.2.0"

_ROOMS = {
    "tfrec_tools.api.records": (
        *("convert", "validate", "remap", "extract", "merge_labels", "verify", "inspect"),
        *("compare_sets", "ComparedSets"),
        *("Finished", "Checked", "Extracted", "MergedLabels", "Verified", "Stats"),
    ),
    "tfrec_tools.api.loading": ("load", "Records", "Sample"),
    "tfrec_tools.api.models": ("finetune", "evaluate", "compare", "export", "open_model", "Run", "Model"),
    "tfrec_tools.annotations.issues": ("Issue",),
    "tfrec_tools.errors": ("TfrecError", "InputError", "LabelConflict"),
    "tfrec_tools.dataset.publish": ("Refused",),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = ["__version__", *_ROOM_OF]


def __getattr__(name: str) -> object:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ROOM_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
