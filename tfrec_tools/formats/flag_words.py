"""What people and tools write of a flag in a text, a cell or an element."""

from __future__ import annotations

from functools import lru_cache

_TRUE = frozenset(("true", "t", "yes", "y"))
# VOC's own word of what nobody said is Unspecified.
_UNSAID = frozenset(("", "nan", "null", "none", "na", "n/a", "nil", "-", "unspecified", "unknown"))
_FALSE = _UNSAID | frozenset(("false", "f", "no", "n"))


@lru_cache(1024)
def is_set(text: str) -> bool | None:
    """Returns whether a flag is set, as by a number above 0: a share, or 1 (Open Images' -1 is not known);
    None where the text says neither."""
    if (word := text.lower()) in _TRUE or word in _FALSE:
        return word in _TRUE
    try:
        return float(text) > 0
    except ValueError:
        return None
