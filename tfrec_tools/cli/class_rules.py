"""The flags that say what becomes of classes, and the questions that --interactive asks."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import typer

from tfrec_tools.errors import InputError
from tfrec_tools.labels.conflicts import alias, places, similar, spellings
from tfrec_tools.labels.lists import Tree, parse_json, parse_yaml
from tfrec_tools.labels.naming import Rules, Source
from tfrec_tools.labels.pbtxt import read_text

_PAIR = "expected OLD=NEW"


def renames(alias_words: Sequence[str], rename_words: Sequence[str]) -> dict[str, str]:
    """{name: new name} of --alias 'A=B,C=B' and --rename A=B. InputError where a word is no such pair, or a
    name is to become two."""
    pairs = [("--alias", _pair("--alias", part)) for word in alias_words for part in word.split(",")]
    pairs += [("--rename", _pair("--rename", word)) for word in rename_words]
    return _unique(pairs)


def read_aliases(path: Path) -> dict[str, str]:
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
    found: dict[str, str] = {}
    for where, (old, new) in pairs:
        if found.setdefault(old, new) != new:
            raise InputError(where, f"{old!r} is to become both {found[old]!r} and {new!r}")
    return found


def ask(sources: Sequence[Source], rules: Rules) -> Rules:
    """The rules with what the user answers on names that may be one class; each answer is shown as the flag
    that says the same. InputError where nobody can answer."""
    if not sys.stdin.isatty():
        reason = "stdin is no terminal, so that nobody can answer; settle names with --alias"
        raise InputError("--interactive", reason)
    while groups := spellings(sources, rules):
        keep = _which(sources, rules, groups[0])
        rules = _with(rules, [name for name in groups[0] if name != keep], keep)
    asked: set[tuple[str, str]] = set()
    while pairs := [pair for pair in similar(sources, rules) if pair not in asked]:
        asked.add(pairs[0])
        name, keep = pairs[0]
        one, two = (_placed(sources, rules, each) for each in pairs[0])
        if typer.confirm(f"Is {one} the class {two}?", err=True):
            rules = _with(rules, [name], keep)
    return rules


def _which(sources: Sequence[Source], rules: Rules, group: Sequence[str]) -> str:
    """The spelling that the user wants for one class."""
    typer.echo("These differ only in spelling:", err=True)
    for number, name in enumerate(group, start=1):
        typer.echo(f"  {number}  {_placed(sources, rules, name)}", err=True)
    number = 0
    while not 1 <= number <= len(group):
        number = typer.prompt("Number of the spelling to keep", default=1, type=int, err=True)
    return group[number - 1]


def _placed(sources: Sequence[Source], rules: Rules, name: str) -> str:
    return f"{name!r} ({places(sources, rules)[name]})"


def _with(rules: Rules, names: Sequence[str], keep: str) -> Rules:
    """Names become `keep`, those that rules gave to classes too."""
    typer.echo(f"  as {alias(names, keep)}", err=True)
    renamed, aliased = (
        {old: keep if new in names else new for old, new in given.items()}
        for given in (rules.renames, rules.aliases)
    )
    return replace(rules, renames=renamed, aliases=aliased | dict.fromkeys(names, keep))
