"""What CVAT says of COCO's annotations in their `attributes`: by how many degrees a rectangle is turned about
its centre, clockwise, and the flags that its own XML has, too."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from tfrec_tools.annotations.polygons import is_number
from tfrec_tools.formats.coco_shapes import Box
from tfrec_tools.formats.grouping import Column
from tfrec_tools.formats.json_values import flag
from tfrec_tools.formats.shapes import turned

NO_ATTRIBUTES = msgspec.Raw(b"")  # this very object is what an annotation without any has
FLAGS = ("occluded", "truncated", "difficult")


class _Attributes(msgspec.Struct, gc=False):
    rotation: Any = None
    occluded: Any = None
    truncated: Any = None
    difficult: Any = None


_DECODER = msgspec.json.Decoder(_Attributes)
_NONE = _Attributes()


def are_any_turned(raws: Iterable[msgspec.Raw]) -> bool:
    """Returns whether the attributes of one of some annotations say that its box is turned."""
    return any(raw is not NO_ATTRIBUTES and degrees(_of(raw).rotation) for raw in raws)


def degrees(rotation: Any) -> float:
    """Returns 0 for what is no number, and for whole turns."""
    return float(rotation) % 360 if is_number(rotation) else 0.0


def around_turned(box: Box, rotation: float) -> Box:
    """Returns the box around one that is turned by so many degrees, clockwise where y points down."""
    x, y, width, height = box
    centre = (x + width / 2, y + height / 2)
    corners = turned((x, y, x + width, y + height), centre, math.radians(rotation)) or (math.nan,) * 4
    return corners[0], corners[1], corners[2] - corners[0], corners[3] - corners[1]


def flags(raws: Sequence[msgspec.Raw]) -> dict[str, Column]:
    """Returns (annotations,) bools by the names of FLAGS."""
    columns: dict[str, Column] = {name: np.zeros(len(raws), bool) for name in FLAGS}
    for row, raw in enumerate(raws) if any(raw is not NO_ATTRIBUTES for raw in raws) else ():
        said = _of(raw)
        for name in FLAGS:
            columns[name][row] = flag(getattr(said, name))
    return columns


def _of(raw: msgspec.Raw) -> _Attributes:
    try:
        return _DECODER.decode(raw)
    except msgspec.DecodeError:  # no object, or nothing at all
        return _NONE
