"""What stands in one Pascal VOC file: its objects and their boxes, wherever and however tools write them.

Tags and attributes are taken whatever their case; a value may be an element or an attribute. Objects stand
in the root or in a list <objects>; the boxes of an object are its <bndbox> elements, else its <robndbox>
elements (cx cy w h and angle in radians) or the box around its polygon, else four corners of its own.
CVAT says in an attribute of the object, rotation, by how many degrees its <bndbox> is turned. The boxes of a
<part> are known, and no objects.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from tfrec_tools.formats.shapes import Corners, turned

CORNERS = ("xmin", "ymin", "xmax", "ymax")
_ROTATED = ("cx", "cy", "w", "h", "angle")
_SHAPES = ("polygon", "segmentation", "points")
_BOXES = ("bndbox", "robndbox")
_LISTS = ("objects",)
_TRUE = ("1", "true", "yes")
_CORNER_SETS = (  # of any box that there is
    frozenset(CORNERS),
    frozenset(("xtl", "ytl", "xbr", "ybr")),
    frozenset(("x1", "y1", "x2", "y2")),
    frozenset(("cx", "cy", "w", "h")),
    frozenset(("x", "y", "w", "h")),
    frozenset(("x", "y", "width", "height")),
)
_NUMBER = re.compile(r"[-+.\deE]+")
_NUMBERS = re.compile(r"[-+.\deE\s,;()\[\]]+")

# Of files as LabelImg and the VOC devkit write them, which are read the quick way.
_PLAIN_TOP = frozenset(("folder", "filename", "path", "source", "owner", "size", "segmented"))
_PLAIN_BELOW = frozenset(
    ("database", "annotation", "image", "flickrid", "name", "width", "height", "depth", "owner")
)
_PLAIN_FIELDS = frozenset(("name", "pose", "truncated", "difficult", "occluded", "iscrowd"))
_OF_CVAT = ("is_crowd",)  # its attributes that are fields here
_PLAIN_CORNERS = frozenset(CORNERS)
_HAS_ATTRIBUTES = "boolean(/*//*/@*)"
_PARTS = "count(//*[translate(local-name(), 'PART', 'part') = 'part'][*])"
_PLAIN_PARTS = "count(/annotation/object/part[*])"
_PLAIN_COUNT = "count(/annotation/object/bndbox) + count(/annotation/object[not(bndbox)])"


@dataclass(frozen=True, slots=True)
class Entry:
    """An object with one of its boxes, or what is in its place.

    fields    the object's texts by tag
    line      of the file where the box, or else the object, stands
    corners   None where there is no box to be read, as `code` and `why` say
    code      "", "box-derived", "box-missing" or "annotation-unread"
    """

    fields: Mapping[str, str]
    line: int
    corners: Corners | None
    code: str = ""
    why: str = ""


def entries_of(root: Any) -> tuple[list[Entry], int, int]:
    """Returns all of a file in its order: objects, an entry for each of their boxes, and boxes that stand
    where none is known to stand; how many there are, counted by the tags; and how many parts of objects."""
    entries = _plain_entries(root)
    if entries is not None:
        return entries, int(_xpath(_PLAIN_COUNT)(root)), int(_xpath(_PLAIN_PARTS)(root))
    return _odd_entries(root), counted(root), int(_xpath(_PARTS)(root))


def _odd_entries(root: Any) -> list[Entry]:
    found: list[Entry] = []
    objects = objects_of(root)
    understood: set[Any] = set()
    for element in objects:
        entries, read = _entries_of(element)
        found += _that_count(element, entries)
        understood.update(read)
    unread = [root] if _has_corners(root) else []
    unread += _outermost(root, understood, set(objects))
    found += [
        Entry({}, element.sourceline, None, "annotation-unread", _unread(element)) for element in unread
    ]
    return sorted(found, key=lambda entry: entry.line)


def _that_count(element: Any, entries: list[Entry]) -> list[Entry]:
    """Returns an object's boxes, unread where it has several names, since nothing says which one counts, or
    where it was deleted, as LabelMe's online tool leaves it in the file."""
    names = dict.fromkeys(
        (child.text or "").strip() for child in children(element) if tag_of(child) == "name"
    )
    if len(names) > 1:
        why = f"an <object> with several <name>: {', '.join(names)}"
    elif any(entry.fields.get("deleted", "").lower() in _TRUE for entry in entries):
        why = f"an <object> that is marked as <deleted>: {', '.join(names)}"
    else:
        return entries
    return [replace(entry, corners=None, code="annotation-unread", why=why) for entry in entries]


def counted(root: Any) -> int:
    """Returns how many boxes, and objects without one, stand in a file: counted by tags alone, wherever they
    stand."""
    return int(_has_corners(root)) + _counted_below(root)


def _counted_below(parent: Any) -> int:
    """What is in a shape belongs to it, so it is not entered: looking up from each point would take the
    square of a polygon's points."""
    below = [element for element in children(parent) if tag_of(element) != "part"]
    return sum(_weight(element) + (0 if _is_whole(element) else _counted_below(element)) for element in below)


def _weight(element: Any) -> int:
    tag = tag_of(element)
    if _is_geometry(element):
        return int(not _is_of_another(element))
    return int(tag == "object" and not any(map(_is_geometry, _elements(element))))


def _is_of_another(element: Any) -> bool:
    """Returns whether a shape belongs to an object that has a plainer one beside it."""
    tag, parent = tag_of(element), element.getparent()
    if tag not in (*_BOXES, *_SHAPES) or tag_of(parent) != "object":
        return False
    beside = {tag_of(child) for child in children(parent)}
    return "bndbox" in beside - {tag} or (tag in _SHAPES and "robndbox" in beside)


@cache
def _xpath(expression: str) -> Any:
    from lxml import etree

    return etree.XPath(expression)


def _plain_entries(root: Any) -> list[Entry] | None:
    """Returns what stands in a file; None where anything in it is unusual."""
    if root.tag != "annotation" or _xpath(_HAS_ATTRIBUTES)(root):
        return None
    entries: list[Entry] = []
    for element in root:
        if element.tag == "object":
            of_object = _plain_object(element)
            if of_object is None:
                return None
            entries += of_object
        elif element.tag not in _PLAIN_TOP or any(
            child.tag not in _PLAIN_BELOW or len(child) for child in element
        ):
            return None
    return entries


def _plain_object(element: Any) -> list[Entry] | None:
    fields: dict[str, str] = {}
    boxes = []
    for child in element:
        tag = child.tag
        if tag == "bndbox":
            boxes.append(child)
        elif tag in _PLAIN_FIELDS and tag not in fields and not len(child):
            fields[tag] = (child.text or "").strip()
        elif tag != "part":
            return None
    if not boxes:
        return [_boxless(fields, element)]
    if any(edge.tag not in _PLAIN_CORNERS or len(edge) for box in boxes for edge in box):
        return None
    return [_plain_box(fields, box) for box in boxes]


def _plain_box(fields: Mapping[str, str], box: Any) -> Entry:
    """Returns a box of four numbers, each once, the quick way."""
    texts = {edge.tag: edge.text for edge in box}
    if len(texts) == len(box) == len(CORNERS):
        try:
            xmin, ymin, xmax, ymax = (float(texts[name]) for name in CORNERS)
            return Entry(fields, box.sourceline, (xmin, ymin, xmax, ymax))
        except (TypeError, ValueError):  # an empty element, or a word
            pass
    return _upright(fields, box)


def _boxless(fields: Mapping[str, str], element: Any) -> Entry:
    return Entry(fields, element.sourceline, None, "box-missing", "an <object> without <bndbox>")


def objects_of(root: Any) -> list[Any]:
    """Returns the elements <object> of the root and of its lists of them."""
    lists = [root, *(child for child in children(root) if tag_of(child) in _LISTS)]
    return [child for parent in lists for child in children(parent) if tag_of(child) == "object"]


def tag_of(element: Any) -> str:
    """Returns the tag in lower case without its namespace; "" of what is no element."""
    return element.tag.rpartition("}")[2].lower() if isinstance(element.tag, str) else ""


def children(element: Any) -> list[Any]:
    return [child for child in element if isinstance(child.tag, str)]


def fields_of(element: Any) -> dict[str, str]:
    """Returns the trimmed texts of an element's children, the first of each tag, else of its attributes."""
    fields: dict[str, str] = {}
    for child in element:
        if (tag := tag_of(child)) and tag not in fields:
            fields[tag] = (child.text or "").strip()
    if element.attrib:
        fields = {name: value.strip() for name, value in _attributes(element).items()} | fields
    return fields


def size_of(root: Any) -> Mapping[str, str]:
    """Returns the fields of <size>."""
    return next((fields_of(child) for child in children(root) if tag_of(child) == "size"), {})


def _attributes(element: Any) -> dict[str, str]:
    return {str(name).rpartition("}")[2].lower(): value for name, value in element.attrib.items()}


def _elements(root: Any) -> Iterator[Any]:
    """Yields the elements below one in the order of the file, without parts and what is in them."""
    for element in children(root):
        if tag_of(element) != "part":
            yield element
            yield from _elements(element)


def _names(element: Any) -> frozenset[str]:
    return frozenset(_attributes(element)) | {tag_of(child) for child in children(element)}


def _has_corners(element: Any) -> bool:
    names = _names(element)
    return any(corners <= names for corners in _CORNER_SETS)


def _is_geometry(element: Any) -> bool:
    """Returns whether an element says where something is."""
    tag = tag_of(element)
    if tag in _BOXES or _has_corners(element):
        return True
    return tag in _SHAPES and any(_points(element))


def _is_whole(element: Any) -> bool:
    """Returns whether all that is in an element belongs to one shape."""
    return tag_of(element) in (*_BOXES, *_SHAPES) and _is_geometry(element)


def _outermost(root: Any, understood: set[Any], objects: set[Any]) -> Iterator[Any]:
    """Yields the elements with coordinates, and objects, that are not in what was understood, nor in one
    another."""
    for element in children(root):
        if element in understood or tag_of(element) == "part":
            continue
        geometry, is_object = _is_geometry(element), tag_of(element) == "object"
        bare = is_object and element not in objects and not any(map(_is_geometry, _elements(element)))
        if bare or (geometry and not _is_of_another(element)):
            yield element
        if not _is_whole(element):
            yield from _outermost(element, understood, objects)


def _unread(element: Any) -> str:
    parent = element.getparent()
    place = "" if parent is None else f" in <{parent.tag}>"
    return f"<{element.tag}>{place} stands where no box is known to stand"


def _entries_of(element: Any) -> tuple[list[Entry], list[Any]]:
    """Returns an object's boxes, and the elements that were understood for that."""
    parts = {
        tag: [child for child in children(element) if tag_of(child) == tag] for tag in (*_BOXES, *_SHAPES)
    }
    polygons = [child for tag in _SHAPES for child in parts[tag] if _is_geometry(child)]
    known, said = [*parts["bndbox"], *parts["robndbox"], *polygons], _said_by_cvat(element)
    fields = {name: said[name] for name in _OF_CVAT if name in said} | fields_of(element)
    if parts["bndbox"]:
        degrees = _degrees(said.get("rotation", ""))
        return [_turned(_upright(fields, box), degrees) for box in parts["bndbox"]], known
    if parts["robndbox"]:
        return [_rotated(fields, box) for box in parts["robndbox"]], known
    if polygons:
        return [_around(fields, polygon) for polygon in polygons], known
    if any(map(_is_geometry, _elements(element))):
        return [], []
    if fields.keys() >= set(CORNERS):
        return [_upright(fields, element)], [element]
    return ([], []) if _is_geometry(element) else ([_boxless(fields, element)], [])


def _upright(fields: Mapping[str, str], box: Any) -> Entry:
    values, why = _values(box, CORNERS)
    if why:
        return Entry(fields, box.sourceline, None, "box-missing", why)
    xmin, ymin, xmax, ymax = values
    return Entry(fields, box.sourceline, (xmin, ymin, xmax, ymax))


def _said_by_cvat(element: Any) -> dict[str, str]:
    """Returns the values of an object's attributes by name, as CVAT lists them."""
    lists = (child for child in children(element) if tag_of(child) == "attributes")
    said = (fields_of(attribute) for attributes in lists for attribute in children(attributes))
    return {fields.get("name", ""): fields.get("value", "") for fields in said}


def _degrees(rotation: str) -> float:
    """Returns by how many degrees CVAT turns a <bndbox>, clockwise about its centre; 0 where an attribute of
    that name is a word."""
    try:
        return float(rotation)
    except ValueError:
        return 0.0


def _turned(entry: Entry, degrees: float) -> Entry:
    """Returns the box around an upright one that is turned."""
    if not degrees or entry.corners is None:
        return entry
    if not math.isfinite(degrees):
        why = f"<attribute> rotation of a <bndbox> is {degrees:g}, expected degrees"
        return replace(entry, corners=None, code="box-missing", why=why)
    xmin, ymin, xmax, ymax = entry.corners
    around = turned(entry.corners, ((xmin + xmax) / 2, (ymin + ymax) / 2), math.radians(degrees))
    return replace(entry, corners=around, code="box-derived", why="the box around a rotated <bndbox>")


def _rotated(fields: Mapping[str, str], box: Any) -> Entry:
    """Returns the box around a rotated one. Degrees would come out as another box, so what cannot be radians
    is none."""
    values, why = _values(box, _ROTATED)
    if not why and not (all(map(math.isfinite, values)) and abs(values[4]) <= math.tau):
        why = f"<angle> of a <robndbox> is {values[4]:g}, expected radians"
    if why:
        return Entry(fields, box.sourceline, None, "box-missing", why)
    x, y, width, height, angle = values
    sine, cosine = abs(math.sin(angle)), abs(math.cos(angle))
    across = (width * cosine + height * sine) / 2
    down = (width * sine + height * cosine) / 2
    corners = (x - across, y - down, x + across, y + down)
    return Entry(fields, box.sourceline, corners, "box-derived", "the box around a <robndbox>")


def _around(fields: Mapping[str, str], polygon: Any) -> Entry:
    """Returns the box around a polygon."""
    xs, ys = _points(polygon)
    if len(xs) < 2 or len(xs) != len(ys) or not all(map(math.isfinite, (*xs, *ys))):
        why = f"a <{polygon.tag}> whose points are {len(xs)} x and {len(ys)} y"
        return Entry(fields, polygon.sourceline, None, "box-missing", why)
    corners = (min(xs), min(ys), max(xs), max(ys))
    return Entry(fields, polygon.sourceline, corners, "box-derived", f"the box around a <{polygon.tag}>")


def _points(polygon: Any) -> tuple[list[float], list[float]]:
    """Returns x and y of a polygon: of elements or attributes x1 y1 x2 y2 ... or points with x and y, or of
    a text of numbers, x and y in turn. Empty where they are none."""
    named = [(tag_of(child), child.text or "") for child in _elements(polygon)]
    named += _attributes(polygon).items()
    words = [[word for name, word in named if re.fullmatch(rf"{axis}\d*", name)] for axis in "xy"]
    if not any(words):
        said = f"{' '.join(polygon.itertext())} {_attributes(polygon).get('points', '')}"
        numbers = _NUMBER.findall(said) if _NUMBERS.fullmatch(said) else []
        words = [numbers[::2], numbers[1::2]]
    try:
        return [float(word) for word in words[0]], [float(word) for word in words[1]]
    except ValueError:
        return [], []


def _values(box: Any, names: Sequence[str]) -> tuple[list[float], str]:
    """Returns the numbers of those names, and why there are none."""
    values, fields = [], fields_of(box)
    if len(box) > len(fields) and (twice := _said_twice(box, names)):
        return [], f"<{twice}> of a <{box.tag}> stands more than once"
    for name in names:
        word = fields.get(name, "")
        try:
            values.append(float(word))
        except ValueError:
            return [], f"<{name}> of a <{box.tag}> is {word!r}, expected a number"
    return values, ""


def _said_twice(box: Any, names: Sequence[str]) -> str:
    """Returns the first of the names that has several values; "" where none has."""
    said = [(tag_of(child), (child.text or "").strip()) for child in children(box)]
    return next((name for name in names if len({text for tag, text in said if tag == name}) > 1), "")
