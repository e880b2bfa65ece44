"""Words of `tfrec finetune` and what they mean."""

from __future__ import annotations

import re
from enum import StrEnum

import typer


class Freeze(StrEnum):
    """Which variables are not trained."""

    auto = "auto"
    backbone = "backbone"
    none = "none"


class Distill(StrEnum):
    """Whether the base is a teacher during training."""

    on = "on"
    off = "off"


class Cache(StrEnum):
    """Where decoded pictures are kept."""

    off = "off"
    ram = "ram"
    disk = "disk"


class Strategy(StrEnum):
    """On what it is trained."""

    auto = "auto"
    one = "one"
    mirrored = "mirrored"
    multiworker = "multiworker"


class Precision(StrEnum):
    """What layers compute with."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


def batch_size(text: str) -> int:
    """0 for auto."""
    if text == "auto":
        return 0
    if not text.isdecimal() or int(text) == 0:
        raise typer.BadParameter(f"{text!r} is neither a number from 1 on nor auto", param_hint="--batch")
    return int(text)


def augmentations(text: str | None) -> tuple[str, ...] | None:
    """Of flip,crop or off."""
    from tfrec_tools.detector.config.augmentation import KINDS

    if text is None or text == "off":
        return () if text else None
    kinds = tuple(kind.strip() for kind in text.split(","))
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise typer.BadParameter(
            f"{', '.join(map(repr, unknown))} is none of {', '.join(KINDS)}, off", param_hint="--augment"
        )
    return kinds


def seconds(time: str | None) -> float | None:
    """Of 90s, 10m, 1h30m."""
    if time is None:
        return None
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", time)
    if not match or not any(match.groups()):
        raise typer.BadParameter(
            f"{time!r} is not a time such as 90s, 10m, 1h30m", param_hint="--time-budget"
        )
    hours, minutes, rest = (int(part or 0) for part in match.groups())
    return 3600.0 * hours + 60.0 * minutes + rest
