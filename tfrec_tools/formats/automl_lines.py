"""Vertex' lines of JSON: an image each, with imageGcsUri, boundingBoxAnnotations and, among its
dataItemResourceLabels, the ML_USE. Keys are also read as Google's schemas spell them, with underscores."""

from __future__ import annotations

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
from tfrec_tools.formats.json_documents import decoded
from tfrec_tools.formats.json_values import shown
from tfrec_tools.system.regular_files import open_text

_URI, _BOXES = "imageGcsUri", "boundingBoxAnnotations"
_EDGES = ("xMin", "yMin", "xMax", "yMax")
_READ = frozenset((_URI, _BOXES, "dataItemResourceLabels", "annotationResourceLabels"))
_FOR_IMAGE = re.compile(r'"image_?[gG]cs_?[uU]ri"\s*:')
_NAMED = re.compile(r'"display_?[nN]ame"\s*:')  # as each box is
_ML_USE = "ml_use"  # the end of the label's name, "aiplatform.googleapis.com/ml_use"


def images(path: Path) -> list[DrawnImage | Unusable]:
    """Returns the images of a file in its order. InputError where it is no text in UTF-8."""
    return [_image(path, f"{readable(path.name)} line {line}", text) for line, text in _lines(path)]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with open_text(path, "utf-8-sig") as file:
            yield from ((line, text) for line, text in enumerate(file, start=1) if text.strip())
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(path, f"cannot be read as lines of JSON in UTF-8 ({fault})") from fault


def _image(path: Path, place: str, text: str) -> DrawnImage | Unusable:
    try:
        content = _object_of(path, text)
    except InputError as fault:
        message = f"is no object of JSON ({text[:40]!r}): {fault.reason}"
        return Unusable(Issue("annotation-damaged", place, None, message, False), len(_NAMED.findall(text)))
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


def _object_of(path: Path, text: str) -> dict[str, Any]:
    """Returns an object of JSON with its keys in Google's camel case. Raises InputError where there is none,
    or where one has a key twice, be it in two spellings."""
    content = decoded(path, text.encode(), "an object")
    if not isinstance(content, dict):
        raise InputError(path, f"is {shown(content)}, expected an object")
    try:
        return _camel(content)
    except ValueError as fault:
        raise InputError(path, str(fault)) from fault


def _camel(content: dict[str, Any]) -> dict[str, Any]:
    """Raises ValueError, which says which key stands there in two spellings."""
    spelt = [re.sub(r"_([a-z])", lambda match: match[1].upper(), key) for key in content]
    if repeated := sorted({key for key in spelt if spelt.count(key) > 1}):
        raise ValueError(f"the key {repeated[0]!r} stands twice in one object, expected once")
    return dict(zip(spelt, content.values(), strict=True))


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
    try:
        item = _camel(item)
    except ValueError as fault:
        return Drawn(where, "", None, code="annotation-unread", why=str(fault))
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
    """Returns whether the first line is an object with an image of Vertex, or looks like one."""
    try:
        first = next(_lines(file), (0, ""))[1]
    except InputError:
        return False
    try:
        return _URI in _object_of(file, first)
    except InputError:
        return _FOR_IMAGE.search(first) is not None
