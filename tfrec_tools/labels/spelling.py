"""When two class names may mean the same: one word spelled in two ways, a typo, a plural."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations

from tfrec_tools.annotations.issues import Issue

_SEPARATORS = re.compile("[\\s_\u00ad\u200b-\u200f\u2060\ufeff-]+")  # with what is not seen, such as U+200B
_DIGITS = re.compile(r"\d+")
_MOST_EDITS = 2
_LONGEST = 200  # letters of a name in which typos are looked for
_SHORT = 24  # letters; of two longer names that are similar, some fifth is the same
_MOST_LETTERS = 2_000_000  # squared, of all names: so much is looked through for what is a hint
_MOST_PAIRS = 50_000  # that are compared letter by letter


@lru_cache(maxsize=4096)
def normal(name: str) -> str:
    """Returns the name without case, spaces, `_`, `-` and letters that are not seen; a name of nothing else
    stays as it is."""
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", name).casefold()) or name


def similar(names: Iterable[str], place: str) -> tuple[Issue, ...]:
    """Returns an issue for each pair of a set's class names that may mean the same; one that says so where
    there are too many names to look through."""
    listed = list(names)
    if _are_too_many(listed):
        message = f"{len(listed)} classes are too many to look for similar names among them"
        return (Issue("class-similar", place, None, message, False),)
    return tuple(
        Issue("class-similar", place, None, f"{a!r} and {b!r} may be one class; they are kept apart", False)
        for a, b in alike(listed, {})
    )


def alike(names: Sequence[str], shown: Mapping[str, Iterable[str]]) -> Iterator[tuple[str, str]]:
    """Yields the pairs of names that `may_be_one`, or of which one is in `shown` of the other, {name: normal
    forms of what else it is called}; in the order of the names, without comparing each with each. Typos are
    not looked for where there are too many names."""
    displayed = _displayed(names, shown)
    likely = set() if _are_too_many(names) else _likely(names)
    for i, j in sorted(displayed | likely):
        if (i, j) in displayed or may_be_one(names[i], names[j]):
            yield names[i], names[j]


def _are_too_many(names: Sequence[str]) -> bool:
    return sum(min(len(name), _SHORT) ** 2 for name in names) > 2 * _MOST_LETTERS


def _displayed(names: Sequence[str], shown: Mapping[str, Iterable[str]]) -> set[tuple[int, int]]:
    by_normal: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        by_normal.setdefault(normal(name), []).append(number)
    of_names = ((number, word) for number, name in enumerate(names) for word in shown.get(name, ()))
    pairs = ((number, other) for number, word in of_names for other in by_normal.get(word, ()))
    return {(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]}


def _likely(names: Sequence[str]) -> set[tuple[int, int]]:
    """Returns the numbers of names worth comparing: all similar ones are among them, but for what is left out
    after as many as no sound set has."""
    groups: dict[int, list[int]] = {}
    first: dict[int, int] = {}
    for number, name in enumerate(names):
        word = normal(name)
        digits = tuple(_DIGITS.findall(word))
        for trace in _traces(word):
            key = hash((trace, digits))  # takes less than texts; an accident costs a comparison
            if first.setdefault(key, number) != number:
                groups.setdefault(key, [first[key]]).append(number)
    pairs: set[tuple[int, int]] = set()
    for group in groups.values():
        for pair in combinations(group, 2):
            if len(pairs) >= _MOST_PAIRS:
                return pairs
            pairs.add(pair)
    return pairs


def _traces(word: str) -> set[str]:
    """Returns texts of which a word shares one with every similar one: itself, its plurals; of a short word
    what is left without a letter or two, of a longer one its fifths and what may stand in their places."""
    traces = {word, *_plurals(word)}
    if len(word) <= _SHORT:
        rest = {word}
        for _ in range(_typos(word)):
            rest |= {one[:i] + one[i + 1 :] for one in rest for i in range(len(one))}
        traces |= rest
    if _SHORT - _MOST_EDITS < len(word) <= _LONGEST:
        traces.update(_fifths(word))
    return traces


def _fifths(word: str) -> Iterator[str]:
    """Yields the fifths of a word: two edits, each of which may cross a border, leave one as it is. In the
    other word, which may be longer or shorter, it has moved by two letters at most."""
    for length in range(len(word) - _MOST_EDITS, len(word) + _MOST_EDITS + 1):
        for fifth in range(5):
            start, end = length * fifth // 5, length * (fifth + 1) // 5
            for moved in range(-_MOST_EDITS, _MOST_EDITS + 1):
                if start + moved >= 0 and end + moved <= len(word):
                    yield f"{length} {fifth} {word[start + moved : end + moved]}"


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
    if abs(len(first) - len(second)) > limit or max(len(first), len(second)) > _LONGEST:
        return first == second
    if len(set(first) ^ set(second)) > 2 * limit:
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
