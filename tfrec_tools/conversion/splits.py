"""Which split an image goes to, and in which order: pure functions of its name, so that both stay when
data is added."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tfrec_tools.dataset.partition import position
from tfrec_tools.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9_]+")
NAMED_BY = "a split is named by letters, digits and _ only"


@dataclass(frozen=True, slots=True)
class Share:
    """A split and its share of the images, from 0 to 1."""

    name: str
    share: float


@dataclass(frozen=True, slots=True)
class Group:
    """Images that belong together (twins of one image), and the classes that any of them shows."""

    key: str
    classes: frozenset[str]


def is_name(split: str) -> bool:
    """Returns whether files can be called after a split everywhere."""
    return _NAME.fullmatch(split) is not None


def parse_shares(text: str) -> tuple[Share, ...]:
    """Parses shares such as "train=0.8,val=0.1,test=0.1". Raises InputError where they are not shares of a
    whole."""
    shares = []
    for part in text.split(","):
        name, _, number = part.strip().partition("=")
        if not is_name(name):
            raise InputError("--split", NAMED_BY, where=part)
        try:
            shares.append(Share(name, float(number)))
        except ValueError:
            raise InputError("--split", "expected NAME=SHARE, such as train=0.8", where=part) from None
    if problem := _why_not_shares(shares):
        raise InputError("--split", problem, where=text)
    return tuple(shares)


def _why_not_shares(shares: Sequence[Share]) -> str:
    """Returns what is wrong about them as shares of a whole; empty where nothing is."""
    names = Counter(share.name for share in shares)
    if twice := [name for name, count in names.items() if count > 1]:
        return f"{twice[0]!r} stands {names[twice[0]]} times, expected different names"
    if odd := [share for share in shares if not 0 < share.share < math.inf]:
        return f"the share of {odd[0].name!r} is {odd[0].share:g}, expected a number above 0"
    total = sum(share.share for share in shares)
    if abs(total - 1) <= 1e-6:
        return ""
    parts = ",".join(f"{share.name}={round(share.share / total, 4):g}" for share in shares)
    return f"the shares sum to {total:g}, expected parts of 1, such as {parts}"


def assign(groups: Sequence[Group], shares: Sequence[Share], seed: int) -> dict[str, str]:
    """Returns {group: split}. A hash of the group's key decides, so that images stay in their split when
    others come. Only where chance leaves a split with too few images of a class (fewer than its share by two
    standard deviations, or none) the groups nearest to its border move, rare classes first."""
    places = {group.key: position(group.key, seed, "split") for group in groups}
    split_of = {group.key: _at(places[group.key], shares) for group in groups}
    for members in _rarest_first(groups):
        for share in shares:
            _fill(share, shares, members, places, split_of)
    return split_of


def _at(place: float, shares: Sequence[Share]) -> str:
    for share, (_, end) in zip(shares, _borders(shares), strict=True):
        if place < end:
            return share.name
    return shares[-1].name


def _borders(shares: Sequence[Share]) -> list[tuple[float, float]]:
    """Returns (start, end) of each split in [0, 1)."""
    ends = [sum(share.share for share in shares[: i + 1]) for i in range(len(shares))]
    return list(zip([0.0, *ends[:-1]], ends, strict=True))


def _rarest_first(groups: Sequence[Group]) -> list[list[Group]]:
    """Returns the groups that show each class, the rarest class first."""
    members: dict[str, list[Group]] = {}
    for group in groups:
        for name in group.classes:
            members.setdefault(name, []).append(group)
    return [members[name] for name in sorted(members, key=lambda name: (len(members[name]), name))]


def _fill(
    share: Share,
    shares: Sequence[Share],
    members: Sequence[Group],
    places: Mapping[str, float],
    split_of: dict[str, str],
) -> None:
    """Moves groups to a split until it has its least number of the class's images."""
    counts = Counter(split_of[group.key] for group in members)
    start, end = dict(zip((s.name for s in shares), _borders(shares), strict=True))[share.name]
    least = {each.name: _least(len(members), each.share) for each in shares}
    candidates = sorted(
        (group for group in members if split_of[group.key] != share.name),
        key=lambda group: (max(start - places[group.key], places[group.key] - end), group.key),
    )
    for group in candidates:
        giver = split_of[group.key]
        if counts[share.name] >= least[share.name]:
            return
        if counts[giver] > least[giver]:
            split_of[group.key] = share.name
            counts[giver] -= 1
            counts[share.name] += 1


def _least(count: int, share: float) -> int:
    """Returns how many of `count` groups with a class a split must have at least."""
    expected = count * share
    deviation = (expected * (1 - share)) ** 0.5
    return max(int(expected >= 1), int(expected - 2 * deviation))
