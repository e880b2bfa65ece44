"""Tasks of Label Studio, of JSON and JSON_MIN alike, and the image that each is about."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tfrec_tools.errors import InputError
from tfrec_tools.formats.file_names import of_address
from tfrec_tools.formats.json_values import flag, shown, text

_IMAGE = re.compile(r"\.(?:jpe?g|jfif|png|bmp|gif|tiff?|webp|avif|heic)$", re.IGNORECASE)
_REGION = re.compile(r"^(?:rectangle|polygon|ellipse|brush|keypoint|)labels$")
_SHAPES = ("points", "radiusX", "rle", "height")  # one of them is in every region with a box
_EXPECTED = "a list of Label Studio's tasks"


@dataclass(frozen=True, slots=True)
class Annotation:
    """What somebody said of a task: its place, the items of its result, whether it was skipped, and whether
    it is marked as ground truth."""

    where: str
    result: list[Any]
    cancelled: bool = False
    ground_truth: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """A task: its number in the file, the name of its image ("" where `fault` says that it has none), its
    annotations, and how many predictions it has."""

    number: int
    filename: str
    fault: str
    annotations: tuple[Annotation, ...]
    predictions: int = 0


def tasks_of(path: Path, value: Any) -> list[Task]:
    """Returns the tasks of a file. Those of JSON_MIN that have one id are one, of several annotations. Raises
    InputError where it holds none."""
    if isinstance(value, dict):
        value = value.get("tasks", [value])
    if not isinstance(value, list):
        raise InputError(path, f"is {shown(value)}, expected {_EXPECTED}")
    tasks: list[Task] = []
    first: dict[str, int] = {}
    for place, item in enumerate(value):
        if not isinstance(item, dict):
            raise InputError(path, f"is {shown(item)}, expected an object", where=f"tasks[{place}]")
        if "annotations" in item or "completions" in item or "data" in item:
            tasks.append(_whole(path, place, item))
            continue
        task = _minimal(place, item)
        key = text(item.get("id"))
        if key and (at := first.setdefault(key, len(tasks))) < len(tasks):
            tasks[at] = replace(tasks[at], annotations=(*tasks[at].annotations, *task.annotations))
        else:
            tasks.append(task)
    return tasks


def _whole(path: Path, place: int, item: Mapping[str, Any]) -> Task:
    """Returns a task of JSON."""
    key = "annotations" if "annotations" in item else "completions"
    listed = item.get(key) or []
    if not isinstance(listed, list):
        raise InputError(path, f"is {shown(listed)}, expected a list", where=f"tasks[{place}].{key}")
    data = item.get("data")
    filename, fault = _image_of(data if isinstance(data, dict) else {}, item.get("file_upload"))
    annotations = tuple(_annotation(f"{key}[{number}]", one) for number, one in enumerate(listed))
    predictions = item.get("predictions")
    return Task(place, filename, fault, annotations, len(predictions) if isinstance(predictions, list) else 0)


def _annotation(where: str, item: Any) -> Annotation:
    result = item.get("result") if isinstance(item, dict) else [item]
    if not isinstance(item, dict) or not isinstance(result, list | None):
        return Annotation(where, [result])  # which is no region, and will be said
    return Annotation(
        where,
        result or [],
        flag(item.get("was_cancelled")) or flag(item.get("skipped")),
        flag(item.get("ground_truth")) or flag(item.get("honeypot")),
    )


def _minimal(place: int, item: Mapping[str, Any]) -> Task:
    """Returns a task of JSON_MIN, whose regions lie in a list for each control, with the data of the task."""
    filename, fault = _image_of({key: value for key, value in item.items() if isinstance(value, str)}, None)
    result = [region for value in item.values() if isinstance(value, list) for region in _items(value)]
    return Task(place, filename, fault, (Annotation("label", result),))


def _items(regions: list[Any]) -> Iterator[dict[str, Any]]:
    """Yields regions as those of JSON. A shape and its labels, if chosen apart, have the same numbers: these
    are their id."""
    for region in regions:
        if not isinstance(region, dict):
            continue
        kind = next((key for key in region if _REGION.match(key)), "")
        if not kind and not any(key in region for key in _SHAPES):
            continue
        numbers = {key: value for key, value in region.items() if key != kind}
        item = {"id": json.dumps(numbers, sort_keys=True), "type": kind or _shape_of(region), "value": region}
        yield item | {key: region.get(key) for key in ("original_width", "original_height", "image_rotation")}


def _shape_of(region: Mapping[str, Any]) -> str:
    names = dict(zip(_SHAPES, ("polygon", "ellipse", "brush", "rectangle"), strict=True))
    return next(name for key, name in names.items() if key in region)


def _image_of(data: Mapping[str, Any], upload: Any) -> tuple[str, str]:
    """Returns the file name of a task's image, and what is wrong where there is none."""
    if isinstance(data.get("image"), str):
        return _named(data["image"])
    names = [_named(value)[0] for value in data.values() if isinstance(value, str)]
    images = [name for name in names if _IMAGE.search(name)]
    if len(images) == 1:
        return images[0], ""
    if len(images) > 1:
        return (
            "",
            f"its data names several images ({', '.join(images[:3])}), and not which of them it is about",
        )
    if isinstance(upload, str) and _IMAGE.search(upload):  # else it is a list of tasks that was uploaded
        return upload, ""
    return "", f"its data names no image, of {shown(dict(data))}"


def _named(address: str) -> tuple[str, str]:
    """Returns the file name of an address: of an upload its name, of a local file or a bucket its path."""
    if address.startswith("data:"):
        return "", "its image is written out in its data, expected the address of a file"
    try:
        parts = urlsplit(address)
        local = parse_qs(parts.query).get("d", [""])[0] if "/data/local-files" in parts.path else ""
    except ValueError:
        return address, ""
    if local:
        return local, ""
    if "/data/upload/" in parts.path:
        return unquote(parts.path).rpartition("/")[2], ""
    return of_address(address), ""
