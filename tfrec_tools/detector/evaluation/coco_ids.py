"""Detections under the ids of an annotation file of COCO's, as COCO's own evaluation takes them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tfrec_tools.errors import InputError, counted
from tfrec_tools.system.regular_files import read_bytes

_PIXEL_DIGITS = 2
Id = int | str


class _Image(msgspec.Struct):
    id: Id
    file_name: str
    width: float = 0
    height: float = 0


class _Category(msgspec.Struct):
    id: Id
    name: Id


class _Instances(msgspec.Struct):
    images: list[_Image]
    categories: list[_Category]


@dataclass(frozen=True, slots=True)
class NamedDetection:
    """A detection that knows neither id.

    image     path or name of the image's file; size_wh its size in pixels
    name      of the class
    box_xyxy  edges in pixels
    """

    image: str
    size_wh: tuple[int, int]
    name: str
    box_xyxy: tuple[float, float, float, float]
    score: float


@dataclass(slots=True)
class LeftOut:
    """Detections whose class, or whose image, the file lacks: how many of each class or image."""

    path: Path
    classes: Counter[str] = field(default_factory=Counter)
    images: Counter[str] = field(default_factory=Counter)

    @property
    def lines(self) -> list[str]:
        """A line for each kind."""
        return [
            f"left out: {counted(lacking.total(), 'detection')} of {counted(len(lacking), noun)} that "
            f"{self.path} lacks, such as {lacking.most_common(1)[0][0]!r}"
            for noun, lacking in (("class", self.classes), ("image", self.images))
            if lacking
        ]


@dataclass(frozen=True, slots=True)
class CocoIds:
    """An annotation file's ids: {class name: category id}, and its images by base name in lower case."""

    path: Path
    categories: Mapping[str, Id]
    images: Mapping[str, Sequence[_Image]]

    def image(self, name: str) -> _Image | None:
        """Returns the image whose path ends most alike; None where there is none, or two are as alike."""
        parts = _parts(name)
        candidates = self.images.get(parts[-1].lower(), ()) if parts else ()
        alike = [(_common(parts, _parts(image.file_name)), image) for image in candidates]
        most = max((count for count, _ in alike), default=0)
        best = [image for count, image in alike if count == most]
        return best[0] if len(best) == 1 else None


def read_coco_ids(path: Path) -> CocoIds:
    """Raises InputError where the file is none of COCO's instances."""
    try:
        instances = _instances(read_bytes(path))
    except OSError as fault:
        raise InputError(path, f"cannot be read ({fault.strerror or fault})") from fault
    except (msgspec.DecodeError, ValueError, RecursionError) as fault:
        raise InputError(path, f"expected COCO instances with images and categories ({fault})") from fault
    images: dict[str, list[_Image]] = {}
    for image in instances.images:
        if parts := _parts(image.file_name):
            images.setdefault(parts[-1].lower(), []).append(image)
    categories: dict[str, Id] = {}
    for category in instances.categories:
        categories.setdefault(str(category.name).strip(), category.id)
    return CocoIds(path, categories, images)


def _instances(data: bytes) -> _Instances:
    try:
        return msgspec.json.decode(data, type=_Instances)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return msgspec.convert(json.loads(data), type=_Instances)  # takes NaN


def results(ids: CocoIds, detections: Iterable[NamedDetection]) -> tuple[list[dict[str, Any]], LeftOut]:
    """Returns what COCO.loadRes takes, in pixels of the file's images, and what could not be said in its
    ids."""
    rows: list[dict[str, Any]] = []
    left_out = LeftOut(ids.path)
    for detection in detections:
        image, category_id = ids.image(detection.image), ids.categories.get(detection.name)
        if category_id is None:
            left_out.classes[detection.name] += 1
        elif image is None:
            left_out.images[detection.image] += 1
        else:
            rows.append(
                {
                    "image_id": image.id,
                    "category_id": category_id,
                    "bbox": _scaled_xywh(detection, image),
                    "score": detection.score,
                    "file_name": image.file_name,
                }
            )
    return rows, left_out


def _scaled_xywh(detection: NamedDetection, image: _Image) -> list[float]:
    """Returns the box in the annotated image, of which the one that was looked at may be a smaller copy."""
    width, height = detection.size_wh
    across, down = (image.width or width) / width, (image.height or height) / height
    xmin, ymin, xmax, ymax = detection.box_xyxy
    corners = (xmin * across, ymin * down, (xmax - xmin) * across, (ymax - ymin) * down)
    return [round(value, _PIXEL_DIGITS) for value in corners]


def write_results(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.write_text(json.dumps(rows, ensure_ascii=False) + "\n", encoding="utf-8")


def _parts(name: str) -> list[str]:
    return [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    """Returns how many last parts two paths share; the same case counts a little more."""
    count = 0
    for a, b in zip(reversed(first), reversed(second), strict=False):
        if a.lower() != b.lower():
            break
        count += 2 if a == b else 1
    return count
