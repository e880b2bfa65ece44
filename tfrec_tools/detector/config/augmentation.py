"""How training images are varied, by kind, and what of it a pipeline.config asks for.

TFOD lists `data_augmentation_options` in `train_config` (protos/preprocessor.proto), an operation each, many
of them much alike. Here they are a few kinds, each done at one strength.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tfrec_tools.detector.config import textproto
from tfrec_tools.errors import InputError

# {kind: TFOD's operations that ask for it}
KINDS: dict[str, frozenset[str]] = {
    "flip": frozenset({"random_horizontal_flip"}),
    "vertical-flip": frozenset({"random_vertical_flip"}),
    "rotate90": frozenset({"random_rotation90"}),
    "crop": frozenset(
        {
            "random_crop_image",
            "random_crop_pad_image",
            "random_crop_to_aspect_ratio",
            "random_scale_crop_and_pad_to_square",
            "random_square_crop_by_scale",
            "ssd_random_crop",
            "ssd_random_crop_fixed_aspect_ratio",
            "ssd_random_crop_pad",
            "ssd_random_crop_pad_fixed_aspect_ratio",
        }
    ),
    "color": frozenset(
        {
            "random_adjust_brightness",
            "random_adjust_contrast",
            "random_adjust_hue",
            "random_adjust_saturation",
            "random_distort_color",
        }
    ),
}
# Of a config that asks for nothing.
DEFAULT = ("flip", "crop")


def by_default(pipeline_text: str, names: Sequence[str]) -> tuple[str, ...]:
    """Returns what a pipeline.config asks for, DEFAULT where it asks for nothing; but no flip where that
    would turn classes of these names into each other. Raises InputError as `listed`."""
    kinds = listed(pipeline_text) or DEFAULT
    return tuple(kind for kind in kinds if kind != "flip" or not _have_sides(names))


def listed(pipeline_text: str) -> tuple[str, ...]:
    """Returns the kinds that a pipeline.config asks for, in the order of KINDS. Raises InputError, naming
    all, where it lists operations that are of none."""
    trainings = textproto.parse(pipeline_text).messages("train_config")
    options = [
        message for training in trainings for message in training.messages("data_augmentation_options")
    ]
    operations = dict.fromkeys(field.name for option in options for field in option.fields)
    known = frozenset[str]().union(*KINDS.values())
    if unknown := [name for name in operations if name not in known]:
        raise InputError(
            Path("pipeline.config"),
            f"found {', '.join(unknown)}, which is not done here; say by --augment what to do instead "
            f"({','.join(KINDS)}, or off)",
            where="train_config.data_augmentation_options",
        )
    return tuple(kind for kind, names in KINDS.items() if names & operations.keys())


def _have_sides(names: Sequence[str]) -> bool:
    """Returns whether there are classes such as "turn left" and "turn right"."""
    folded = {name.casefold() for name in names}
    return any(_mirrored(name) in folded - {name} for name in folded)


def _mirrored(name: str) -> str:
    return re.sub("left|right", lambda side: "right" if side[0] == "left" else "left", name)
