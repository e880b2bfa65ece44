"""In what something that was made before differs from what a command would make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

_WORDS = {
    "input": "of other input",
    "options": "of other options",
    "version": "of another version",
    "output": "damaged",
}
Outcome = Literal["made", "unchanged", "rebuilt"]  # of a command that writes something


@dataclass(frozen=True, slots=True)
class Change:
    """What differs from what a finished set was made of (`output`: the set itself is not whole any more), in
    the words that say how."""

    what: Literal["input", "options", "version", "output"]
    detail: str


def told(changed: tuple[Change, ...]) -> str:
    """Returns in what something differs, in words."""
    return " and ".join(f"{_WORDS[change.what]} ({change.detail})" for change in changed)


def differing(before: Mapping[str, str], now: Mapping[str, str], name: str, nothing: str) -> str:
    """Returns which of some values are others than before, `name` with each key in it; "" where none is."""
    return ", ".join(
        f"{name.format(key)} was {before.get(key, nothing)}, is {now.get(key, nothing)}"
        for key in dict.fromkeys((*before, *now))
        if before.get(key) != now.get(key)
    )
