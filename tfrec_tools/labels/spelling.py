"""When two class names may mean the same: one word spelled in two ways, a typo, a plural."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import combinations

from tfrec_tools.annotations.issues import Issue

_SEPARATORS = re.compile("[\\s_\u00ad\u200b-\u200f\u2060\ufeff-]+")  # with what is not seen, such as U+200B
_DIGITS = re.compile(r"\d+")
_MOST_EDITS = 2


@lru_cache(maxsize=4096)
def normal(name: str) -> str:
    """Returns the name without case, spaces, `_`, `-` and letters that are not seen; a name of nothing else
    stays as it is."""
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", name).casefold()) or name


def similar(names: Iterable[str], place: str) -> tuple[Issue, ...]:
    """Returns an issue for each pair of a set's class names that may mean the same."""
    return tuple(
        Issue("class-similar", place, None, f"{a!r} and {b!r} may be one class; they are kept apart", False)
        for a, b in combinations(names, 2)
        if may_be_one(a, b)
    )


def may_be_one(name: str, other: str) -> bool:
    """Returns whether two names are one word spelled in two ways, or similar."""
    return normal(name) == normal(other) or is_similar(name, other)


def is_similar(name: str, other: str) -> bool:
    """Returns whether one may be a typo or the plural of the other. Names that differ in a number are not:
    `card 1` and `card 2` are two things."""
    shorter, longer = sorted((normal(name), normal(other)), key=len)
    if len(longer) - len(shorter) > _MOST_EDITS:
        return False
    if longer not in _plurals(shorter) and not _within(shorter, longer, _typos(shorter)):
        return False
    return _DIGITS.findall(shorter) == _DIGITS.findall(longer)


def _plurals(word: str) -> tuple[str, ...]:
    if len(word) < 2:
        return ()
    return f"{word}s", f"{word}es", f"{word[:-1]}ies"


def _typos(word: str) -> int:
    """Returns how many letters may be wrong in a word: short ones differ in a letter by right, as cat and
    car."""
    return 0 if len(word) < 4 else 1 if len(word) < 8 else _MOST_EDITS


def _within(first: str, second: str, limit: int) -> bool:
    """Returns whether as many edits (a letter more, less or other, or two that changed places) make one the
    other."""
    if abs(len(first) - len(second)) > limit or len(set(first) ^ set(second)) > 2 * limit:
        return False
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, letter in enumerate(first, start=1):
        after = [i]
        for j, other in enumerate(second, start=1):
            edits = min(row[j] + 1, after[j - 1] + 1, row[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == second[j - 2] and first[i - 2] == other:
                edits = min(edits, before[j - 2] + 1)
            after.append(edits)
        if min(after) > limit and min(row) > limit:
            return False
        before, row = row, after
    return row[-1] <= limit
