"""Tasks of Label Studio, of JSON, JSON_MIN and CSV alike, and the images that each is about."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tfrec_tools.errors import InputError
from tfrec_tools.formats.file_names import of_address
from tfrec_tools.formats.json_values import flag, shown, text

_IMAGE = re.compile(r"\.(?:jpe?g|jfif|png|bmp|gif|tiff?|webp|avif|heic)$", re.IGNORECASE)
_REGION = re.compile(r"^(?:rectangle|polygon|ellipse|brush|keypoint|)labels$")
_SHAPES = ("points", "radiusX", "rle", "height")  # one of them is in every region with a box
# What stands beside the value of a region of JSON.
_OF_IMAGE = ("original_width", "original_height", "image_rotation", "item_index")
_ADDRESS = re.compile(r"^(?:[a-z][a-z0-9+.-]*:/|/|data:image)\S*$", re.IGNORECASE)
_EXPECTED = "a list of Label Studio's tasks"


@dataclass(frozen=True, slots=True)
class Annotation:
    """What somebody said of a task: its place, the items of its result with their places, whether it was
    skipped, and whether it is marked as ground truth."""

    where: str
    result: list[tuple[str, Any]]
    cancelled: bool = False
    ground_truth: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """A task: its place in the file, the name of its image ("" where `fault` says that it has none), its
    annotations, how many predictions it has, its id where there are as many of it as annotations, and its
    data."""

    where: str
    filename: str
    fault: str
    annotations: tuple[Annotation, ...]
    predictions: int = 0
    task_id: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


def tasks_of(path: Path, value: Any) -> list[Task]:
    """Returns the tasks of a file. Those of JSON_MIN that have one id are one, of several annotations. Raises
    InputError where it holds none."""
    if isinstance(value, dict):
        value = value.get("tasks", [value])
    if not isinstance(value, list):
        raise InputError(path, f"is {shown(value)}, expected {_EXPECTED}")
    tasks: list[Task] = []
    for place, item in enumerate(value):
        if not isinstance(item, dict):
            raise InputError(path, f"is {shown(item)}, expected an object", where=f"tasks[{place}]")
        is_whole = "annotations" in item or "completions" in item or "data" in item
        tasks.append(_whole(path, place, item) if is_whole else _minimal(place, item))
    return joined(tasks)


def joined(tasks: Iterable[Task]) -> list[Task]:
    """Returns the tasks, those of one id as one of several annotations."""
    of_id: dict[str | int, Task] = {}
    for place, task in enumerate(tasks):
        key = task.task_id or place
        same = of_id.get(key)
        of_id[key] = replace(same, annotations=same.annotations + task.annotations) if same else task
    return list(of_id.values())


def _whole(path: Path, place: int, item: Mapping[str, Any]) -> Task:
    """Returns a task of JSON."""
    key = "annotations" if "annotations" in item else "completions"
    listed = item.get(key) or []
    if not isinstance(listed, list):
        raise InputError(path, f"is {shown(listed)}, expected a list", where=f"tasks[{place}].{key}")
    data = said if isinstance(said := item.get("data"), dict) else {}
    filename, fault = image_of(data, item.get("file_upload"))
    annotations = tuple(_annotation(f"{key}[{number}]", one) for number, one in enumerate(listed))
    predictions = item.get("predictions")
    guessed = len(predictions) if isinstance(predictions, list) else 0
    return Task(f"tasks[{place}]", filename, fault, annotations, guessed, data=data)


def _annotation(where: str, item: Any) -> Annotation:
    result = item.get("result") if isinstance(item, dict) else [item]
    if not isinstance(item, dict) or not isinstance(result, list | None):
        return Annotation(where, [(f"{where}.result[0]", result)])  # which is no region, and will be said
    return Annotation(
        where,
        [(f"{where}.result[{number}]", region) for number, region in enumerate(result or [])],
        flag(item.get("was_cancelled")) or flag(item.get("skipped")),
        flag(item.get("ground_truth")) or flag(item.get("honeypot")),
    )


def _minimal(place: int, item: Mapping[str, Any]) -> Task:
    """Returns a task of JSON_MIN, whose regions lie in a list for each control, with the data of the task."""
    data = {key: value for key, value in item.items() if isinstance(value, str)}
    filename, fault = image_of(data)
    controls = {key: value for key, value in item.items() if isinstance(value, list)}
    result = [
        (f"{key}[{number}]", whole_region(region, key))
        for key, regions in controls.items()
        if any(map(_is_region, regions))
        for number, region in enumerate(regions)
    ]
    return Task(
        f"tasks[{place}]",
        filename,
        fault,
        (Annotation("label", result),),
        task_id=text(item.get("id")),
        data=data | controls,
    )


def _is_region(value: Any) -> bool:
    return isinstance(value, dict) and (_key(value) != "" or any(key in value for key in _SHAPES))


def _key(region: Mapping[str, Any]) -> str:
    """Returns the key of a region's labels; "" where it has none."""
    return next((key for key in region if _REGION.match(key)), "")


def whole_region(region: Any, control: str) -> Any:
    """Returns a region of a control as JSON has it; what is no object as it is. A shape and its labels, if
    chosen apart, have the same numbers: these are their id. Which tag a shape is on is not said: as little as
    is known, each control has its own."""
    if not isinstance(region, dict):
        return region
    kind = _key(region)
    numbers = {key: item for key, item in region.items() if key != kind}
    value = {key: item for key, item in region.items() if key not in _OF_IMAGE}
    item: dict[str, Any] = {"id": _id_of(numbers), "type": kind or _shape_of(region), "value": value}
    item["to_name"] = control if kind != "labels" else None
    return item | {key: region.get(key) for key in _OF_IMAGE}


def _id_of(numbers: Mapping[str, Any]) -> str:
    """Returns a text that is the same for the same numbers; "" where they are nested too deeply."""
    try:
        return json.dumps(numbers, sort_keys=True)
    except RecursionError:
        return ""


def _shape_of(region: Mapping[str, Any]) -> str:
    names = dict(zip(_SHAPES, ("polygon", "ellipse", "brush", "rectangle"), strict=True))
    return next((name for key, name in names.items() if key in region), "")


def image_of(data: Mapping[str, Any], upload: Any = None) -> tuple[str, str]:
    """Returns the file name of a task's image, and what is wrong where there is none."""
    if isinstance(data.get("image"), str) and data["image"]:
        return _named(data["image"])
    names = [_named(value)[0] for value in data.values() if isinstance(value, str)]
    images = [name for name in names if _IMAGE.search(name)]
    if len(images) == 1:
        return images[0], ""
    if len(images) > 1:
        listed = ", ".join(images[:3])
        return "", f"its data names several images ({listed}), and not which of them it is about"
    if isinstance(upload, str) and _IMAGE.search(upload):  # else it is a list of tasks that was uploaded
        return upload, ""
    return "", f"its data names no image, of {shown(dict(data))}"


def images_named(data: Mapping[str, Any]) -> list[str]:
    """Returns all that may be the image of a task: file names and addresses, each once."""
    values = [one for value in data.values() for one in (value if isinstance(value, list) else [value])]
    return list(dict.fromkeys(_named(value)[0] for value in values if _may_be_image(value)))


def page_lists(data: Mapping[str, Any]) -> list[list[str]]:
    """Returns the file names of each list of images in a task's data."""
    lists = [value for value in data.values() if isinstance(value, list) and value]
    return [[_named(one)[0] for one in listed] for listed in lists if all(map(_may_be_image, listed))]


def _may_be_image(value: Any) -> bool:
    """Returns whether a value is the name of an image file, or an address, which may be that of one."""
    return isinstance(value, str) and bool(_ADDRESS.match(value) or _IMAGE.search(_named(value)[0]))


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
