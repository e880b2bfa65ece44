"""The groups of a detector's layers, by which learning rates and freezing are said.

Which layers of each meta-architecture they are: `architectures.registry.group_of`.
"""

from __future__ import annotations

import math

from tfrec_tools.errors import InputError

BACKBONE, NECK, HEAD = "backbone", "neck", "head"
GROUPS = (BACKBONE, NECK, HEAD)


def read_rates(value: float | str | None) -> tuple[float | None, dict[str, float]]:
    """Returns the learning rate of all groups and {group: its own} of an --lr such as 0.01 or
    backbone=1e-4,head=0.01. Raises InputError where it is neither."""
    if value is None or not isinstance(value, str):
        return value, {}
    if "=" not in value:
        return _rate(value), {}
    rates: dict[str, float] = {}
    for part in value.split(","):
        name, _, rate = (word.strip() for word in part.partition("="))
        _require_group("--lr", name)
        if name in rates:
            raise InputError("--lr", f"{name!r} is there twice")
        rates[name] = _rate(rate)
    return None, rates


def read_frozen(value: str) -> tuple[str, ...]:
    """Returns the groups of a --freeze such as backbone,neck; none for auto and none. Raises InputError where
    a word is no group, or nothing would be left to train."""
    words = tuple(word.strip() for word in value.split(","))
    if words in (("auto",), ("none",)):
        return ()
    for word in words:
        _require_group("--freeze", word, "auto", "none")
    if set(words) == set(GROUPS):
        raise InputError("--freeze", f"{value!r} leaves nothing to train; leave one of the groups out")
    return tuple(group for group in GROUPS if group in words)


def _require_group(flag: str, word: str, *others: str) -> None:
    if word not in GROUPS:
        alone = f"; {' and '.join(others)} stand alone" if word in others else ""
        raise InputError(flag, f"{word!r} is none of the groups {', '.join(GROUPS)}{alone}")


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0.0 <= rate < math.inf:
        reason = f"{text!r} is no learning rate such as 0.01, and no list such as backbone=1e-4,head=0.01"
        raise InputError("--lr", reason)
    return rate
