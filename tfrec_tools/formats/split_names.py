"""What splits are called, by data sets, their folders and their files: one name for each."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SPELLINGS = {
    "training": "train",
    "valid": "val",
    "validate": "val",
    "validation": "val",
    "testing": "test",
}
_NAMES = frozenset(("train", "val", "test", "dev", "eval", *_SPELLINGS))
_SPEAKS = re.compile(
    rf"(?:^|(?<=[^a-z]))({'|'.join(sorted(_NAMES, key=len, reverse=True))})(?=\d*(?:$|[^a-z\d]))",
    re.IGNORECASE,
)


def split_called(name: str) -> str:
    """Returns the split of a name: "val" of "valid" and "Validation"; any other name in lower case."""
    return _SPELLINGS.get(name.lower(), name.lower())


def split_of_folders(folders: Iterable[str]) -> str | None:
    """Returns the split that the first folder of those that have a split's name is called after."""
    return next((split_called(folder) for folder in folders if folder.lower() in _NAMES), None)


def split_named(text: str) -> str | None:
    """Returns the last split that a path speaks of: "train" of "test_set/instances_train2017.json", "val" of
    "valid"."""
    words = _SPEAKS.findall(text)
    return split_called(words[-1]) if words else None
