"""The flags and files that say what classes are called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tfrec_tools.errors import InputError
from tfrec_tools.labels.lists import Tree, parse_json, parse_yaml
from tfrec_tools.labels.pbtxt import read_text

_PAIR = "expected OLD=NEW"


def parse(alias_words: Sequence[str], rename_words: Sequence[str]) -> dict[str, str]:
    """{name: new name} of --alias 'A=B,C=B' and --rename A=B. InputError where a word is no such pair, or a
    name is to become two."""
    pairs = [("--alias", _pair("--alias", part)) for word in alias_words for part in word.split(",")]
    pairs += [("--rename", _pair("--rename", word)) for word in rename_words]
    return _unique(pairs)


def read(path: Path) -> dict[str, str]:
    """{name: new name} of a JSON or YAML file {"name": "new name"} or {"new name": ["name", ...]}."""
    parse = parse_yaml if path.suffix.lower() in (".yaml", ".yml") else parse_json
    tree = parse(path, read_text(path))
    if not isinstance(tree, tuple):
        raise InputError(path, 'expected {"name": "new name"} or {"new name": ["name", ...]}')
    return _unique([(str(path), pair) for key, value in tree for pair in _file_pairs(path, key, value)])


def _file_pairs(path: Path, key: str, value: Tree) -> list[tuple[str, str]]:
    if isinstance(value, str):
        return [(key, value)]
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return [(name, key) for name in value]
    raise InputError(path, f"is {value!r}, expected a name or a list of names", where=repr(key))


def _pair(flag: str, word: str) -> tuple[str, str]:
    old, equals, new = word.partition("=")
    if not (equals and old.strip() and new.strip()):
        raise InputError(flag, f"{word!r} is no pair, {_PAIR}")
    return old.strip(), new.strip()


def _unique(pairs: Iterable[tuple[str, tuple[str, str]]]) -> dict[str, str]:
    names: dict[str, str] = {}
    for where, (old, new) in pairs:
        if names.setdefault(old, new) != new:
            raise InputError(where, f"{old!r} is to become both {names[old]!r} and {new!r}")
    return names
