"""COCO's run lengths as it packs them into a text."""

from __future__ import annotations


def unpacked(text: str) -> list[int] | None:
    """Returns the runs of COCO's packed text: 5 bits a letter, lowest first, the 6th says that more follow;
    from the fourth run on each is the difference to the one before the last. None where it is none."""
    runs: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 60:
            return None
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return None if shift else runs
