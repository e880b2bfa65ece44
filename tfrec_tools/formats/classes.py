"""Where people keep the classes of a data set or a model: the file or folder that a path names, read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

from tfrec_tools.errors import InputError
from tfrec_tools.labels import model_folders, zoo
from tfrec_tools.labels.label_map import ClassList, LabelMap, from_names
from tfrec_tools.labels.lists import class_list, lines, parse_json, parse_yaml, require_no_background
from tfrec_tools.labels.pbtxt import begins_as_label_map, parse_pbtxt, read_text
from tfrec_tools.system.remote_path import files_below

_NAMES_FILES = ("data.yaml", "data.yml", "obj.names", "classes.txt", "labels.txt", "_darknet.labels")
_EXPECTED = (
    "a label map (.pbtxt, .json, .yaml, .txt, .names), COCO annotations (.json), a folder of Pascal VOC .xml "
    "files, a model folder, a name from `tfrec models`, or the manifest or DIR/NAME of records"
)


def read_classes(path: Path) -> ClassList:
    """Returns the classes of a source, its faults included. Raises InputError where it cannot be read or has
    none."""
    if path.is_dir():
        return _read_folder(path)
    if not path.exists():
        return _read_named(path)
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise InputError(path, f"has an unknown suffix, expected {_EXPECTED}")
    return read(path)


def read_map(path: Path) -> LabelMap:
    """Returns the classes of a source with their ids. Raises InputError where it cannot be read,
    LabelConflict where it contradicts itself or has an id 0."""
    listed = read_classes(path)
    return LabelMap(listed.labels, listed.subject)


def _read_folder(folder: Path) -> ClassList:
    """That of a model, of a set of records, of a data set; in this order, since VOC's folder may be a part
    of each."""
    folder = model_folders.folder_of(folder)
    if (folder / model_folders.CONFIG).is_file() and not (folder / model_folders.LABEL_MAP).exists():
        labels = model_folders.find_labels(folder, None, "name the map itself").labels
        return ClassList(labels.labels, labels.subject)
    pbtxt = sorted(folder.glob("*.pbtxt"))
    if len(pbtxt) > 1 and folder / "label_map.pbtxt" in pbtxt:
        pbtxt = [folder / "label_map.pbtxt"]
    choices = pbtxt or sorted(folder.glob("[!.]*.manifest.json"))
    choices = choices or [folder / name for name in _NAMES_FILES if (folder / name).is_file()][:1]
    if len(choices) > 1:
        listed = ", ".join(choice.name for choice in choices)
        raise InputError(folder, f"has several label maps ({listed}); name one of them")
    return read_classes(choices[0]) if choices else _read_voc(folder)


def _read_voc(path: Path) -> ClassList:
    """Returns the classes that occur, in alphabetical order, as `tfrec convert` numbers them."""
    from tfrec_tools.formats import voc

    if path.is_dir() and not any(file.suffix.lower() == ".xml" for file in files_below(path)):
        raise InputError(path, f"a folder without a label map or .xml files; expected {_EXPECTED}")
    classes = voc.read(path).classes
    if not classes:
        raise InputError(path, "has no <object> with a <name>, and so no classes")
    return ClassList(from_names(classes).labels, str(path))


def _read_xml(path: Path) -> ClassList:
    """Returns the labels of CVAT's head, or the classes that occur in a file of Pascal VOC."""
    from tfrec_tools.formats import cvat

    if not cvat.shows(path) or not (names := cvat.labels(path)):
        return _read_voc(path)
    return ClassList(from_names(names).labels, str(path))


def _read_named(word: Path) -> ClassList:
    """Returns the set DIR/NAME of records, by its manifest, or COCO's classes for a model of TFOD's zoo."""
    from tfrec_tools.dataset.shards import manifest_path

    manifest = manifest_path(word)
    if word.name and manifest.exists():
        return _read_json(manifest)
    if zoo.named(str(word)):
        coco = zoo.coco_labels()
        return ClassList(coco.labels, coco.subject)
    raise InputError(word, f"no such file or folder; expected {_EXPECTED}")


def _read_pbtxt(path: Path) -> ClassList:
    return parse_pbtxt(path, read_text(path))


def _read_text(path: Path) -> ClassList:
    """Returns lines of names; some call their pbtxt a .txt."""
    text = read_text(path)
    if begins_as_label_map(text):
        return parse_pbtxt(path, text)
    classes = lines(path, text)
    return require_no_background(path, classes) if path.suffix.lower() == ".txt" else classes


def _read_yaml(path: Path) -> ClassList:
    return class_list(path, parse_yaml(path, read_text(path)))


def _read_json(path: Path) -> ClassList:
    """Of COCO annotations only the categories are kept in memory, for those files are large."""
    text = read_text(path)
    if '"annotations"' in text and (categories := _coco_categories(text)):
        return class_list(path, [tuple(category.items()) for category in categories])
    return class_list(path, parse_json(path, text))


class _OfCategory(TypedDict):
    category_id: int | float | str


class _Instances(TypedDict):
    categories: list[dict[str, Any]]
    annotations: list[_OfCategory]


def _coco_categories(text: str) -> list[dict[str, Any]]:
    """COCO's categories by id, without Roboflow's root; none where this is not COCO's JSON."""
    instances = _instances(text)
    if instances is None:
        return []
    categories = instances["categories"]
    root = _root(categories, {annotation["category_id"] for annotation in instances["annotations"]})
    return [category for number, category in enumerate(categories) if number != root]


def _root(categories: list[dict[str, Any]], used_ids: set[float | str]) -> int:
    """Returns the number of Roboflow's root; -1 where there is none, or where a category is odd, of which
    more is said when the names are read."""
    import msgspec

    from tfrec_tools.formats import coco_schema

    try:
        listed = msgspec.convert(categories, list[coco_schema.Category])
    except msgspec.ValidationError:
        return -1
    used = {coco_schema.key_of(used_id) for used_id in used_ids}
    numbers = [number for number, category in enumerate(listed) if coco_schema.key_of(category.id) in used]
    return coco_schema.superfluous(listed, numbers)


def _instances(text: str) -> _Instances | None:
    """Returns None where this is another JSON, or a broken one, for which another has the words."""
    import msgspec

    try:
        return msgspec.json.decode(text, type=_Instances)
    except msgspec.ValidationError:
        return None
    except msgspec.DecodeError:
        try:
            return msgspec.convert(json.loads(text), type=_Instances)  # takes NaN
        except (msgspec.ValidationError, ValueError, RecursionError):
            return None


_READERS: dict[str, Callable[[Path], ClassList]] = {
    ".pbtxt": _read_pbtxt,
    ".prototxt": _read_pbtxt,
    ".json": _read_json,
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
    ".txt": _read_text,
    ".names": _read_text,
    ".labels": _read_text,
    ".xml": _read_xml,
}
