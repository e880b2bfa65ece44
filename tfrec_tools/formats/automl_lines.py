"""Vertex' lines of JSON: an image each, with imageGcsUri, boundingBoxAnnotations and, among its
dataItemResourceLabels, the ML_USE. Keys are also read as Google's schemas spell them, with underscores."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.errors import InputError, readable
from tfrec_tools.formats.automl_uses import USES
from tfrec_tools.formats.drawn import Drawn, DrawnImage, Unusable
from tfrec_tools.formats.file_names import of_address
from tfrec_tools.system.regular_files import open_text

_URI, _BOXES = "imageGcsUri", "boundingBoxAnnotations"
_EDGES = ("xMin", "yMin", "xMax", "yMax")
_READ = frozenset((_URI, _BOXES, "dataItemResourceLabels", "annotationResourceLabels"))
_ML_USE = "ml_use"  # the end of the label's name, "aiplatform.googleapis.com/ml_use"


def images(path: Path) -> list[DrawnImage | Unusable]:
    """Returns the images of a file in its order. InputError where it is no text in UTF-8."""
    return [_image(f"{readable(path.name)} line {line}", text) for line, text in _lines(path)]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with open_text(path, "utf-8-sig") as file:
            yield from ((line, text) for line, text in enumerate(file, start=1) if text.strip())
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(path, f"cannot be read as lines of JSON in UTF-8 ({fault})") from fault


def _image(place: str, text: str) -> DrawnImage | Unusable:
    content = _object_of(text)
    if content is None:
        message = f"is no object of JSON ({text[:40]!r})"
        return Unusable(Issue("annotation-damaged", place, None, message, False))
    boxes = content.get(_BOXES)
    uri = content.get(_URI)
    if not isinstance(uri, str):
        listed = len(boxes) if isinstance(boxes, list) else 0
        return Unusable(Issue("image-unknown", place, None, f"{_URI} is {uri!r}", True), listed)
    split, issues = _use(place, content.get("dataItemResourceLabels"))
    others = [key for key, value in content.items() if key not in _READ and value]
    issues += [Issue("annotation-unread", place, None, f"{key} is not read", True) for key in others]
    if boxes is None:
        message = f"has no {_BOXES}, not even an empty list"
        issues.append(Issue("image-unannotated", place, None, message, False))
    elif not isinstance(boxes, list):
        issues.append(Issue("annotation-unread", place, None, f"{_BOXES} is no list", True))
    objects = [_object(f"{_BOXES}[{number}]", box) for number, box in enumerate(boxes or ())
               if isinstance(boxes, list)]  # fmt: skip
    return DrawnImage(
        place, of_address(uri), tuple(objects), split=split, relative=True, issues=tuple(issues)
    )


def _object_of(text: str) -> dict[str, Any] | None:
    """Returns an object of JSON with its keys in Google's camel case; None where there is none."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return _camel(content) if isinstance(content, dict) else None


def _camel(content: dict[str, Any]) -> dict[str, Any]:
    return {re.sub(r"_([a-z])", lambda match: match[1].upper(), key): value for key, value in content.items()}


def _use(place: str, labels: Any) -> tuple[str | None, list[Issue]]:
    """Returns the split that an image's labels name, and what is odd about it."""
    of_image = labels if isinstance(labels, dict) else {}
    uses = [value for key, value in of_image.items() if key.rpartition("/")[2] == _ML_USE]
    use = str(uses[0]).lower() if uses else ""
    if use not in ("", *USES):
        message = f"{_ML_USE} is {use!r}, expected one of {', '.join(USES)}"
        return None, [Issue("annotation-unread", place, None, message, True)]
    return USES.get(use), []


def _object(where: str, item: Any) -> Drawn:
    if not isinstance(item, dict):
        return Drawn(where, "", None, code="annotation-unread", why=f"is {item!r:.40}, expected an object")
    item = _camel(item)
    name = item.get("displayName")
    label = name if isinstance(name, str) else ""
    if lacking := [edge for edge in _EDGES if item.get(edge) is None]:
        return Drawn(where, label, None, why=f"has no {', '.join(lacking)}")
    numbers = [_number(item[edge]) for edge in _EDGES]
    if None in numbers:
        odd = next(edge for edge, number in zip(_EDGES, numbers, strict=True) if number is None)
        why = f"{odd} is {item[odd]!r:.40}, expected a number"
        return Drawn(where, label, None, code="annotation-unread", why=why)
    xmin, ymin, xmax, ymax = (number if number is not None else math.nan for number in numbers)
    return Drawn(where, label, (xmin, ymin, xmax, ymax))


def _number(value: Any) -> float | None:
    """Returns a number, or a text of one, as Vertex writes both."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def shows(file: Path) -> bool:
    """Returns whether the first line is an object with an image of Vertex."""
    try:
        first = next(_lines(file), (0, ""))[1]
    except InputError:
        return False
    return _URI in (_object_of(first) or {})
