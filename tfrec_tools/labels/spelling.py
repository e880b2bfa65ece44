"""When two class names may mean the same: one word spelled in two ways, a typo, a plural."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_SEPARATORS = re.compile(r"[\s_-]+")
_DIGITS = re.compile(r"\d+")
_MOST_EDITS = 2


@lru_cache(maxsize=4096)
def normal(name: str) -> str:
    """The name without case, spaces, `_` and `-`; a name of nothing else stays as it is."""
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", name).casefold()) or name


def is_similar(name: str, other: str) -> bool:
    """Whether one may be a typo or the plural of the other. Names that differ in a number are not:
    `card 1` and `card 2` are two things."""
    one, two = sorted((normal(name), normal(other)), key=len)
    if len(two) - len(one) > _MOST_EDITS:
        return False
    if _DIGITS.findall(one) != _DIGITS.findall(two):
        return False
    return two in _plurals(one) or _within(one, two, _typos(one))


def _plurals(word: str) -> tuple[str, ...]:
    if len(word) < 2:
        return ()
    return f"{word}s", f"{word}es", f"{word[:-1]}ies"


def _typos(word: str) -> int:
    """How many letters may be wrong in a word: short ones differ in a letter by right, as cat and car."""
    return 0 if len(word) < 4 else 1 if len(word) < 8 else _MOST_EDITS


def _within(one: str, two: str, limit: int) -> bool:
    """Whether as many edits (a letter more, less or other, or two that changed places) make one the other."""
    if abs(len(one) - len(two)) > limit or len(set(one) ^ set(two)) > 2 * limit:
        return False
    before: list[int] = []
    row = list(range(len(two) + 1))
    for i, letter in enumerate(one, start=1):
        after = [i]
        for j, other in enumerate(two, start=1):
            edits = min(row[j] + 1, after[j - 1] + 1, row[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == two[j - 2] and one[i - 2] == other:
                edits = min(edits, before[j - 2] + 1)
            after.append(edits)
        if min(after) > limit and min(row) > limit:
            return False
        before, row = row, after
    return row[-1] <= limit
