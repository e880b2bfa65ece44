"""VoTT 2 (https://github.com/microsoft/VoTT): an export of all assets, or a file of each.

Numbers are pixels. A region with several tags is a box of each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError, readable
from tfrec_tools.formats.drawn import Drawn, DrawnImage, Unusable, source, without_masks
from tfrec_tools.formats.file_names import annotation_files
from tfrec_tools.formats.json_documents import ForeignError, images_of
from tfrec_tools.formats.json_values import numbers, pixels, shown, text
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.formats.shapes import Corners, Point, around_points, from_size, outline
from tfrec_tools.formats.sniffing import ends

_ASSETS = re.compile(rb'"(?:assets?|frames)"\s*:\s*\{')
_PARTS = re.compile(rb'"(?:regions|boundingBox|securityToken|lastVisitedAssetId|visitedFrames)"\s*:')
_EXPECTED = "VoTT's export, or a file of an asset"
_TAGGED = 2  # the state of an asset; 1 is visited, 0 is not
_WITHOUT_BOX = ("POLYLINE", "POINT")
_BOXES = ("RECTANGLE", "SQUARE")


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """Returns the assets of an export in its order, or of the files anywhere below a folder by path. Classes
    are in the order of an export's tags, others by alphabet. An asset without regions that is not in the
    state tagged is image-unannotated. Raises InputError where nothing can be read, or where a folder holds an
    export beside other files of VoTT, which may say the same."""
    files, litter = annotation_files(path, (".json",), "VoTT")
    folder = path.parent if path.is_file() else path
    tags: list[str] = []
    kinds: dict[str, Path] = {}

    def images(file: Path, value: Any) -> Iterator[DrawnImage | Unusable]:
        assets = _assets(file, value)
        exported = "assets" in value
        kinds.setdefault("export" if exported else "asset", file)
        if exported:
            tags.extend(_names(value.get("tags")))
        for key, item in assets.items():
            place = readable(str(file.relative_to(folder)))
            yield _image(f"{place} assets[{key}]" if exported else place, item, options.masks)

    listed = list(images_of(files, _EXPECTED, b'"boundingBox"', images))
    if len(kinds) > 1:
        first, second = sorted(kinds.values())
        reason = f"is VoTT's, and so is {first}, which may hold the same: name a file, or its own folder"
        raise InputError(second, reason)
    issues = without_masks(listed) if options.masks else ()
    return source(listed, len(files), classes=tags, litter=litter, issues=issues)


def _assets(file: Path, value: Any) -> Mapping[str, Any]:
    """Returns {id: what stands of an asset}."""
    if isinstance(value, dict) and "frames" in value:
        raise InputError(file, "is of VoTT 1, expected a JSON export of VoTT 2")
    assets = (
        value.get("assets", {"": value} if "asset" in value else None) if isinstance(value, dict) else None
    )
    if not isinstance(assets, dict):
        raise ForeignError(file, f"has no assets, expected {_EXPECTED}")
    return assets


def _names(tags: Any) -> list[str]:
    listed = tags if isinstance(tags, list) else []
    names = [text(tag.get("name")).strip() for tag in listed if isinstance(tag, dict)]
    return [name for name in names if name]


def _image(where: str, item: Any, masks: bool) -> DrawnImage | Unusable:
    asset = item.get("asset", item) if isinstance(item, dict) else None
    regions = item.get("regions") or [] if isinstance(item, dict) else []
    if not isinstance(asset, dict) or not isinstance(regions, list):
        count = len(regions) if isinstance(regions, list) else 0
        message = f"is {shown(item)}, expected an asset"
        return Unusable(Issue("annotation-damaged", where, None, message, False), count)
    filename = _filename(text(asset.get("name")), text(asset.get("path")))
    said = asset.get("size")
    size: dict[str, Any] = said if isinstance(said, dict) else {}
    message = f"{filename} has no regions, and its state is not tagged"
    unannotated = Issue("image-unannotated", where, None, message, False)
    return DrawnImage(
        where,
        filename,
        tuple(drawn for number, region in enumerate(regions) for drawn in _drawn(number, region, masks)),
        pixels(size.get("width")),
        pixels(size.get("height")),
        issues=() if regions or asset.get("state") == _TAGGED else (unannotated,),
    )


def _filename(name: str, path: str) -> str:
    """Returns the name of an asset; of one that is written as the end of an address, what that stands for."""
    name = name or path.partition("?")[0].rpartition("/")[2]
    return unquote(name) if path.partition("?")[0].endswith(name) else name


def _drawn(number: int, region: Any, masks: bool) -> Iterator[Drawn]:
    """Yields an object for each tag of a region, one without name where it has none."""
    where = f"regions[{number}]"
    if not isinstance(region, dict):
        yield Drawn(where, "", None, code="annotation-unread", why=f"is {shown(region)}, expected a region")
        return
    kind = text(region.get("type")) or "RECTANGLE"
    box = _box(region) if kind not in _WITHOUT_BOX else None
    code, why = "annotation-unread", f"its boundingBox is {shown(region.get('boundingBox'))}"
    if kind in _WITHOUT_BOX:
        code, why = "box-missing", f"a {kind} has no box"
    mask = outline(_points(region)) if masks and kind == "POLYGON" and _points(region) else b""
    tags = region.get("tags")
    for name in map(text, tags) if isinstance(tags, list) and tags else [""]:
        yield Drawn(where, name, box, "" if kind in _BOXES else kind.lower(), code, why, mask=mask)


def _box(region: Mapping[str, Any]) -> Corners | None:
    """Returns the box of a region, else that around its points, else None."""
    if (listed := numbers(region.get("boundingBox"), ("left", "top", "width", "height"))) is not None:
        return from_size(listed[0], listed[1], listed[2], listed[3])
    return around_points(_points(region))


def _points(region: Mapping[str, Any]) -> list[Point]:
    """Returns the points of a region; none where one of them is none."""
    points = region.get("points")
    corners = [numbers(point, ("x", "y")) for point in points] if isinstance(points, list) else []
    placed = [(corner[0], corner[1]) for corner in corners if corner is not None]
    return placed if len(placed) == len(corners) else []


def shows(file: Path) -> bool:
    """Returns whether a JSON file is VoTT's."""
    data = ends(file)
    return _ASSETS.search(data) is not None and _PARTS.search(data) is not None
