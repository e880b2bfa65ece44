"""Label maps as JSON, as YAML and as plain lists of names: read beside written.

JSON of ours is {"classes": [{"id": 1, "name": "apple"}, ...]} (schemas/label_map.schema.json), as manifests
have it too. YAML of ours is the `names:` of Ultralytics' data.yaml.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from tfrec_tools.errors import InputError
from tfrec_tools.labels.label_map import ClassList, Label, LabelMap
from tfrec_tools.labels.pbtxt import format_label_map
from tfrec_tools.labels.yaml_text import composed

Tree = Any  # str, number, bool or None; a list; an object as a tuple of (key, value), doubled keys included

_LINE_BREAK = re.compile("[\n\r\x85\u2028\u2029]")  # as YAML has it
_HASH = re.compile(r"#.")  # `#` alone is a name
_COMMENT = re.compile(r"\s*#\s+\S")
_CVATS = re.compile(r"[^:]+:(\d+,\d+,\d+)?:[^:]*:[^:]*|label:color_rgb:parts:actions\s*")
_LINE_END = re.compile(r"\r\n?|\n")
_NUMBERED = re.compile(r"(\d{1,9})(?:\s*[:,=](?:\s+|(?!\d))|[.)]?\s+)(\S.*)")
_LONGEST_ID = 20  # characters; an id of more is a name

_EXPECTED = (
    'expected a list of names, {"name": id}, {"id": "name"}, names: [...], or "classes" or "categories" '
    'that are [{"id": 1, "name": ...}, ...]'
)


def parse_json(path: Path, text: str) -> Tree:
    """Raises InputError with the place where it is broken."""
    try:
        return json.loads(text, object_pairs_hook=tuple)
    except json.JSONDecodeError as fault:
        where = f"line {fault.lineno}, column {fault.colno}"
        raise InputError(path, f"broken JSON: {fault.msg}", where=where) from fault
    except RecursionError as fault:
        raise InputError(path, "broken JSON: is nested too deeply, expected a few levels") from fault
    except ValueError as fault:  # a number of thousands of digits
        raise InputError(path, f"broken JSON: {fault}") from fault


def parse_yaml(path: Path, text: str) -> Tree:
    """Scalars are texts as they stand: `no` and `1e3` are names, not False and 1000. Raises InputError with
    the place where it is broken, or has a key twice at its top level: readers keep the last value."""
    import yaml

    return _tree(path, composed(path, text, yaml.BaseLoader), {})


def _tree(path: Path, node: Any, done: dict[int, Tree]) -> Tree:
    """`done` is by node: what anchors repeat is made once, however often it is repeated."""
    if node is None:
        return None
    if id(node) not in done:
        if node.id == "mapping":
            done[id(node)] = tuple(
                (_yaml_key(path, key), _tree(path, value, done)) for key, value in node.value
            )
        elif node.id == "sequence":
            done[id(node)] = [_tree(path, item, done) for item in node.value]
        else:
            done[id(node)] = node.value
    return done[id(node)]


def _yaml_key(path: Path, node: Any) -> str:
    if node.id != "scalar":
        where = f"line {node.start_mark.line + 1}"
        raise InputError(path, "broken YAML: a key that is no text", where=where)
    return str(node.value)


def class_list(path: Path, tree: Tree) -> ClassList:
    """Returns the classes of a parsed file. Ids are the file's; names without ids count from 1, and so do
    those that data.yaml counts from 0. Raises InputError where it has no classes, or another form."""
    if isinstance(tree, list):
        classes = _of_list(path, tree)
    elif isinstance(tree, tuple):
        classes = _of_object(path, tree)
    else:
        raise InputError(path, f"no label map; {_EXPECTED}")
    if not classes.labels:
        raise InputError(path, "has no classes, expected at least one")
    return classes


def lines(path: Path, text: str) -> ClassList:
    """Returns a name a line, as in labels.txt and darknet's obj.names, or CVAT's labelmap.txt; ids count from
    1. Lines of `#`, white space and more are comments and do not count; empty lines between names do, as in
    darknet. Raises InputError at `#name`, which may be either, and where all lines are numbered."""
    if _is_cvats(text):
        return _numbered(path, _cvats_names(text))
    rows = [
        (number, line.strip())
        for number, line in enumerate(_LINE_END.split(text.rstrip()), start=1)
        if not _COMMENT.match(line)
    ]
    for number, name in rows:
        if _HASH.match(name):
            reason = f"{name!r} may be a name or a comment; write '# ...', or keep the names in a .yaml"
            raise InputError(path, reason, where=f"line {number}")
    if not any(name for _, name in rows):
        raise InputError(path, "is empty, expected a class name a line")
    names = [name for _, name in rows]
    if _count_themselves(names):
        number, name = _NUMBERED.findall(names[0])[0]
        listed = ", ".join(map(repr, names[:2]))
        reason = f"each line begins with its number ({listed}), expected names alone"
        raise InputError(
            path,
            f"{reason}; write a .yaml with names: {{{number}: {name}, ...}} where these are ids, with "
            f"names: [{names[0]!r}, ...] where they are part of the names",
        )
    return _numbered(path, names)


def _count_themselves(names: Sequence[str]) -> bool:
    """Returns whether all names begin with a number, each with a higher one, as in the lists of TensorFlow
    Lite's tools, which may have gaps: these would become part of the names, and other ids. Where all are
    the same but for their numbers ("2 of hearts", "3 of hearts") these are part of them."""
    found = [match.groups() for match in map(_NUMBERED.fullmatch, names) if match]
    numbers = [int(number) for number, _ in found]
    ascend = len(found) == len(names) > 0 and all(one < other for one, other in pairwise(numbers))
    return ascend and (len(names) == 1 or len({name for _, name in found}) > 1)


def _may_be_nothing(name: str) -> bool:
    return name.lower().strip("_") == "background"


def require_no_background(path: Path, classes: ClassList) -> ClassList:
    """Returns the classes; raises InputError where they begin with what stands for no class in lists that
    count from 0, as TensorFlow Lite's do: its line would move the ids of all others."""
    first = classes.labels[0].name
    if _may_be_nothing(first):
        reason = f"{first!r} stands first, which may be the background, with id 0 and no class"
        raise InputError(path, f"{reason}; leave its line out, or, where it is a class, write a .yaml")
    return classes


def names_from_zero(path: Path, text: str) -> tuple[str, ...]:
    """Returns the names of data.yaml or of a list of names as YOLO's texts count them, from 0. InputError
    where one is empty or a number has none."""
    if path.suffix.lower() in (".yaml", ".yml"):
        numbered = _yaml_numbers(path, parse_yaml(path, text))
    elif _is_cvats(text):
        raise InputError(path, "is CVAT's map of colours; expected a list of names, the first for class 0")
    else:
        numbered = [(label.id - 1, label.name) for label in lines(path, text).labels]
    named = dict(numbered)
    for number in range(len(numbered)):
        if not named.get(number):
            what = "is empty" if number in named else f"is missing among {len(numbered)} from 0"
            raise InputError(path, f"name {number} {what}", where="names")
    return tuple(named[number] for number in range(len(numbered)))


def _yaml_numbers(path: Path, tree: Tree) -> list[tuple[int, str]]:
    """Returns the numbers from 0 and names of data.yaml."""
    names = dict(tree).get("names") if isinstance(tree, tuple) else None
    if isinstance(names, tuple):
        return [(label.id, label.name) for label in _of_numbers(path, names).labels]
    if isinstance(names, list):
        return [(label.id - 1, label.name) for label in _of_names(path, names).labels]
    what = "is missing" if names is None else f"is {names!r}"
    raise InputError(path, f"{what}, expected a list of names", where="names")


def _is_cvats(text: str) -> bool:
    """Returns whether lines are `name:red,green,blue:parts:actions`."""
    rows = [line for line in text.splitlines() if line.strip() and line[0] != "#"]
    return bool(rows) and all(map(_CVATS.fullmatch, rows))


def _cvats_names(text: str) -> list[str]:
    """Returns the names without the background's, which no box has."""
    names = [line.partition(":")[0].strip() for line in text.splitlines() if line[:1] not in ("", "#")]
    return [name for name in names if name != "background"]


def _of_list(path: Path, items: Sequence[Tree]) -> ClassList:
    if all(isinstance(item, tuple) for item in items):
        labels = tuple(_label(path, f"[{index}]", dict(item)) for index, item in enumerate(items))
        return ClassList(labels, str(path), 0)
    return _of_names(path, items)


def _of_names(path: Path, items: Sequence[Tree]) -> ClassList:
    return _numbered(path, [_name(path, f"[{index}]", item) for index, item in enumerate(items)])


def _of_object(path: Path, pairs: tuple[tuple[Tree, Tree], ...]) -> ClassList:
    fields = dict(pairs)
    if isinstance(fields.get("names"), list):
        return _of_list(path, fields["names"])
    if isinstance(fields.get("names"), tuple):
        return _from_zero(_of_numbers(path, fields["names"]))
    for key in ("classes", "categories"):
        if isinstance(fields.get(key), list):
            return _of_list(path, fields[key])
    return _of_pairs(path, pairs)


def _of_pairs(path: Path, pairs: tuple[tuple[Tree, Tree], ...]) -> ClassList:
    """Returns {"name": id} or {"id": "name"}, distinguished by which side is all numbers."""
    keys_are_ids = all(_is_id(key) for key, _ in pairs)
    values_are_ids = all(_is_id(value) for _, value in pairs)
    if values_are_ids and (not keys_are_ids or all(isinstance(value, int) for _, value in pairs)):
        pairs = tuple((value, key) for key, value in pairs)
    elif not keys_are_ids or values_are_ids:
        raise InputError(path, f"no label map; {_EXPECTED}")
    return _of_ids(path, pairs)


def _of_numbers(path: Path, pairs: tuple[tuple[Tree, Tree], ...]) -> ClassList:
    """Returns data.yaml's names: {0: apple, ...}; of {0: 1, 1: 0} too, the keys are the ids."""
    return (_of_ids if all(_is_id(key) for key, _ in pairs) else _of_pairs)(path, pairs)


def _of_ids(path: Path, pairs: tuple[tuple[Tree, Tree], ...]) -> ClassList:
    labels = tuple(Label(int(label_id), _name(path, str(label_id), name)) for label_id, name in pairs)
    return ClassList(labels, str(path), 0)


def _from_zero(classes: ClassList) -> ClassList:
    """data.yaml's names: {0: apple, ...} count as its lists do, so that its first class is our id 1."""
    if all(label.id != 0 for label in classes.labels):
        return classes
    return ClassList(
        tuple(Label(label.id + 1, label.name) for label in classes.labels), classes.subject, classes.lowest_id
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


def _name(path: Path, where: str, value: Tree) -> str:
    """Exporters write names that are numbers as such."""
    is_finite = not isinstance(value, float) or math.isfinite(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not is_finite:
        raise InputError(path, f"the name is {value!r}, expected a text", where=where)
    return str(value).strip()


def _is_id(value: Tree) -> bool:
    """Returns a whole number, or one as text."""
    if isinstance(value, str):
        return len(value) < _LONGEST_ID and value.strip().removeprefix("-").isdecimal()
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


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
    """Returns the map in the format of a path's suffix. Raises InputError where that is unknown, or a list of
    names that could not say which ids the classes have."""
    write = _FORMATS.get(path.suffix.lower())
    if write is None:
        raise InputError(path, f"what to write is unclear, expected {', '.join(filter(None, _FORMATS))}")
    if write not in _WITH_IDS and max(label_map.name_by_id, default=0) != len(label_map):
        raise InputError(path, "a list of names has no room for gaps in the ids; choose .pbtxt or .json")
    if write is format_lines and any(_LINE_END.search(name) or _HASH.match(name) for name in label_map.names):
        raise InputError(path, "a name has a line break or begins with #; choose .pbtxt or .json")
    if write is format_lines and _count_themselves(label_map.names):
        raise InputError(path, "the names begin with numbers as if they were ids; choose .pbtxt or .json")
    is_txt = write is format_lines and path.suffix.lower() == ".txt"
    if is_txt and any(map(_may_be_nothing, label_map.names[:1])):
        raise InputError(path, "the list begins with what may be the background; choose .pbtxt or .json")
    return write(label_map)


def keeps_all(label_map: LabelMap, path: Path) -> bool:
    """Returns whether the format of a path's suffix has a place for all that the map says of its classes."""
    more = any(label.display_name or label.keypoints for label in label_map.labels)
    return not more or _FORMATS.get(path.suffix.lower()) in _WITH_IDS
