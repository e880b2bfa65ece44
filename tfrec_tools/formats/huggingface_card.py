"""Names of classes in the card of a data set of Hugging Face: the head of its README.md, in YAML, lists its
features."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tfrec_tools.errors import InputError
from tfrec_tools.labels.lists import parse_yaml
from tfrec_tools.system.regular_files import read_text
from tfrec_tools.system.remote_path import is_file

_HEAD = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)


def class_names(folders: Iterable[Path], key: str) -> list[str] | None:
    """Returns the names of the classes of objects by their numbers, of the card in the first of these folders
    that has one; None where there is none. `key` is the feature that holds the numbers. Raises InputError
    where it lists several sets of them."""
    card = next((folder / "README.md" for folder in folders if is_file(folder / "README.md")), None)
    if card is None:
        return None
    try:
        head = _HEAD.match(read_text(card))
    except (OSError, UnicodeDecodeError):
        return None
    tree = parse_yaml(card, head[1]) if head else None
    features = [*_named(tree, "objects")] or [tree]
    features = [node for feature in features for node in _named(feature, key)]
    sets = {tuple(names) for feature in features for names in _class_labels(feature)}
    if len(sets) > 1:
        raise InputError(card, "its dataset_info lists several sets of class names; say --class-names")
    return list(sets.pop()) if sets else None


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yields every mapping of a YAML, as parse_yaml gives it: tuples of (key, value)."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, tuple):
            pairs = dict(node)
            yield pairs
            waiting += pairs.values()
        elif isinstance(node, list):
            waiting += node


def _named(tree: Any, name: str) -> Iterator[Any]:
    """Yields the features of that name."""
    return (tuple(node.items()) for node in _nodes(tree) if node.get("name") == name)


def _class_labels(tree: Any) -> Iterator[list[str]]:
    """Yields the names of each class_label, by their numbers."""
    for node in _nodes(tree):
        label = node.get("class_label")
        names = dict(label).get("names") if isinstance(label, tuple) else None
        if isinstance(names, list):
            yield [str(name) for name in names]
        elif isinstance(names, tuple) and all(str(key).isdecimal() for key, _ in names):
            by_number = {int(key): str(name) for key, name in names}
            if by_number.keys() == set(range(len(by_number))):
                yield [by_number[number] for number in range(len(by_number))]
