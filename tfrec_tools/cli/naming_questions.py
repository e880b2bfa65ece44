"""The questions that `merge-labels --interactive` asks about names that may be one class."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

import typer

from tfrec_tools.cli.shown import say
from tfrec_tools.errors import InputError
from tfrec_tools.labels.conflicts import alias, places, similar, spellings
from tfrec_tools.labels.naming import MergeRules, Source
from tfrec_tools.remapping.label_merging import Merging


def ask(merging: Merging) -> Merging:
    """The merging with the rules that the user's answers make; each answer is shown as the flag that says the
    same. InputError where nobody can answer."""
    return replace(merging, rules=_asked(merging.sources, merging.rules))


def _asked(sources: Sequence[Source], rules: MergeRules) -> MergeRules:
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
        first, second = (_placed(sources, rules, each) for each in pairs[0])
        if typer.confirm(f"Is {first} the class {second}?", err=True):
            rules = _with(rules, [name], keep)
    return rules


def _which(sources: Sequence[Source], rules: MergeRules, group: Sequence[str]) -> str:
    """The spelling that the user wants for one class."""
    say("These differ only in spelling:", err=True)
    for number, name in enumerate(group, start=1):
        say(f"  {number}  {_placed(sources, rules, name)}", err=True)
    number = 0
    while not 1 <= number <= len(group):
        number = typer.prompt("Number of the spelling to keep", default=1, type=int, err=True)
    return group[number - 1]


def _placed(sources: Sequence[Source], rules: MergeRules, name: str) -> str:
    return f"{name!r} ({places(sources, rules)[name]})"


def _with(rules: MergeRules, names: Sequence[str], keep: str) -> MergeRules:
    """Names become `keep`, those that rules gave to classes too."""
    say(f"  as {alias(names, keep)}", err=True)
    renamed, aliased = (
        {old: keep if new in names else new for old, new in names_by_old.items()}
        for names_by_old in (rules.renames, rules.aliases)
    )
    return replace(rules, renames=renamed, aliases=aliased | dict.fromkeys(names, keep))
