"""Label maps as JSON, as YAML and as plain lists of names: read beside written.

JSON of ours is {"classes": [{"id": 1, "name": "apple"}, ...]} (schemas/label_map.schema.json), as manifests
have it too. YAML of ours is the `names:` of Ultralytics' data.yaml.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tfrec_tools.errors import InputError
from tfrec_tools.labels.label_map import ClassList, Label, LabelMap
from tfrec_tools.labels.pbtxt import format_label_map

Tree = Any  # str, number, bool or None; a list; an object as a tuple of (key, value), doubled keys included

_LINE_BREAK = re.compile("[\n\r\x85\u2028\u2029]")  # as YAML has it
_LONGEST_ID = 20  # characters; an id of more is a name

_EXPECTED = (
    'expected a list of names, {"name": id}, {"id": "name"}, names: [...], or "classes" or "categories" '
    'that are [{"id": 1, "name": ...}, ...]'
)


def parse_json(path: Path, text: str) -> Tree:
    """InputError with the place where it is broken."""
    try:
        return json.loads(text, object_pairs_hook=tuple)
    except json.JSONDecodeError as fault:
        where = f"line {fault.lineno}, column {fault.colno}"
        raise InputError(path, f"broken JSON: {fault.msg}", where=where) from fault
    except (ValueError, RecursionError) as fault:  # a number of thousands of digits; nested too deeply
        raise InputError(path, f"broken JSON: {fault}") from fault


def parse_yaml(path: Path, text: str) -> Tree:
    """Scalars are texts as they stand: `no` and `1e3` are names, not False and 1000. InputError with the
    place where it is broken."""
    import yaml

    try:
        return _tree(yaml.compose(text, Loader=yaml.BaseLoader), {})
    except yaml.MarkedYAMLError as fault:
        where = f"line {fault.problem_mark.line + 1}" if fault.problem_mark else ""
        raise InputError(path, f"broken YAML: {fault.problem}", where=where) from fault
    except (yaml.YAMLError, RecursionError) as fault:
        raise InputError(path, f"broken YAML: {fault}") from fault


def _tree(node: Any, done: dict[int, Tree]) -> Tree:
    """`done` is by node: what anchors repeat is made once, however often it is repeated."""
    if node is None:
        return None
    if id(node) not in done:
        if node.id == "mapping":
            done[id(node)] = tuple((_yaml_key(key), _tree(value, done)) for key, value in node.value)
        elif node.id == "sequence":
            done[id(node)] = [_tree(item, done) for item in node.value]
        else:
            done[id(node)] = node.value
    return done[id(node)]


def _yaml_key(node: Any) -> str:
    import yaml

    if node.id != "scalar":
        raise yaml.MarkedYAMLError(problem="a key that is no text", problem_mark=node.start_mark)
    return str(node.value)


def class_list(path: Path, tree: Tree) -> ClassList:
    """The classes of a parsed file. Ids are the file's; names without ids count from 1, and so do those
    that data.yaml counts from 0. InputError where it has no classes, or another form."""
    if isinstance(tree, list):
        found = _of_list(path, tree)
    elif isinstance(tree, tuple):
        found = _of_object(path, tree)
    else:
        raise InputError(path, f"no label map; {_EXPECTED}")
    if not found.labels:
        raise InputError(path, "has no classes, expected at least one")
    return found


def lines(path: Path, text: str) -> ClassList:
    """A name a line, as in labels.txt and darknet's obj.names; ids count from 1."""
    names = text.rstrip().split("\n")
    if names == [""]:
        raise InputError(path, "is empty, expected a class name a line")
    return _numbered(path, names)


def _of_list(path: Path, items: Sequence[Tree]) -> ClassList:
    if all(isinstance(item, tuple) for item in items):
        labels = tuple(_label(path, f"[{index}]", dict(item)) for index, item in enumerate(items))
        return ClassList(labels, str(path), 0)
    return _numbered(path, [_name(path, f"[{index}]", item) for index, item in enumerate(items)])


def _of_object(path: Path, pairs: tuple[tuple[Tree, Tree], ...]) -> ClassList:
    fields = dict(pairs)
    for key in ("classes", "categories"):
        if isinstance(fields.get(key), list):
            return _of_list(path, fields[key])
    if isinstance(fields.get("names"), list):
        return _of_list(path, fields["names"])
    if isinstance(fields.get("names"), tuple):
        return _from_zero(_of_pairs(path, fields["names"]))
    return _of_pairs(path, pairs)


def _of_pairs(path: Path, pairs: tuple[tuple[Tree, Tree], ...]) -> ClassList:
    """{"name": id} or {"id": "name"}, told apart by which side is all numbers."""
    keys_are_ids = all(_is_id(key) for key, _ in pairs)
    values_are_ids = all(_is_id(value) for _, value in pairs)
    if values_are_ids and (not keys_are_ids or all(isinstance(value, int) for _, value in pairs)):
        pairs = tuple((value, key) for key, value in pairs)
    elif not keys_are_ids or values_are_ids:
        raise InputError(path, f"no label map; {_EXPECTED}")
    labels = tuple(Label(int(given), _name(path, str(given), name)) for given, name in pairs)
    return ClassList(labels, str(path), 0)


def _from_zero(found: ClassList) -> ClassList:
    """data.yaml's names: {0: apple, ...} count as its lists do, so that its first class is our id 1."""
    if all(label.id != 0 for label in found.labels):
        return found
    return ClassList(
        tuple(Label(label.id + 1, label.name) for label in found.labels), found.subject, found.lowest_id
    )


def _numbered(path: Path, names: Sequence[str]) -> ClassList:
    labels = tuple(Label(number, name.strip()) for number, name in enumerate(names, start=1))
    return ClassList(labels, str(path))


def _label(path: Path, where: str, fields: dict[str, Tree]) -> Label:
    if not _is_id(fields.get("id")):
        raise InputError(path, f"id is {fields.get('id')!r}, expected a whole number", where=where)
    keypoints = fields.get("keypoints")  # COCO's are names without ids, and another thing
    points = [dict(point) for point in keypoints or () if isinstance(point, tuple)]
    return Label(
        int(fields["id"]),
        _name(path, where, fields.get("name")),
        str(fields.get("display_name") or ""),
        tuple((int(point["id"]), str(point["label"])) for point in points if _is_id(point.get("id"))),
    )


def _name(path: Path, where: str, given: Tree) -> str:
    """Exporters write names that are numbers as such."""
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise InputError(path, f"the name is {given!r}, expected a text", where=where)
    return str(given).strip()


def _is_id(given: Tree) -> bool:
    """A whole number, or one as text."""
    if isinstance(given, str):
        return len(given) < _LONGEST_ID and given.strip().removeprefix("-").isdecimal()
    if isinstance(given, float):
        return given.is_integer()
    return isinstance(given, int) and not isinstance(given, bool)


def format_json(label_map: LabelMap) -> str:
    rows = [_json_row(label) for label in label_map.labels]
    return json.dumps({"classes": rows}, ensure_ascii=False, indent=2) + "\n"


def _json_row(label: Label) -> dict[str, Any]:
    row: dict[str, Any] = {"id": label.id, "name": label.name}
    if label.display_name:
        row["display_name"] = label.display_name
    if label.keypoints:
        row["keypoints"] = [{"id": number, "label": text} for number, text in label.keypoints]
    return row


def format_yaml(label_map: LabelMap) -> str:
    import yaml

    listed = {"names": list(label_map.names)}
    style = '"' if any(_LINE_BREAK.search(name) for name in label_map.names) else None  # else they fold
    return str(yaml.safe_dump(listed, allow_unicode=True, default_style=style, width=1 << 30))


def format_lines(label_map: LabelMap) -> str:
    return "".join(f"{name}\n" for name in label_map.names)


_FORMATS: dict[str, Callable[[LabelMap], str]] = {
    "": format_label_map,
    ".pbtxt": format_label_map,
    ".json": format_json,
    ".yaml": format_yaml,
    ".yml": format_yaml,
    ".txt": format_lines,
    ".names": format_lines,
}
_WITH_IDS = (format_label_map, format_json)


def formatted(label_map: LabelMap, path: Path) -> str:
    """The map in the format of a path's suffix. InputError where that is unknown, or a list of names that
    could not say which ids the classes have."""
    write = _FORMATS.get(path.suffix.lower())
    if write is None:
        raise InputError(path, f"what to write is unclear, expected {', '.join(filter(None, _FORMATS))}")
    if write not in _WITH_IDS and max(label_map.name_by_id, default=0) != len(label_map):
        raise InputError(path, "a list of names has no room for gaps in the ids; choose .pbtxt or .json")
    if write is format_lines and any("\n" in name for name in label_map.names):
        raise InputError(path, "a name has a line break; choose .pbtxt or .json")
    return write(label_map)


def keeps_all(label_map: LabelMap, path: Path) -> bool:
    """Whether the format of a path's suffix has a place for all that the map says of its classes."""
    more = any(label.display_name or label.keypoints for label in label_map.labels)
    return not more or _FORMATS.get(path.suffix.lower()) in _WITH_IDS
