"""Where the names, pictures and texts of a YOLO data set are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.errors import InputError
from tfrec_tools.images.loading import has_image_suffix
from tfrec_tools.system.remote_path import is_file

_YAML = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_NAMES = ("obj.names", "classes.names", "classes.txt", "obj.txt")
_SPLITS = ("train", "val", "valid", "test")
_SPLIT_NAMES = {"valid": "val"}
_NO_TEXTS = frozenset({"classes.txt", "obj.txt", "readme.txt", *(f"{name}.txt" for name in _SPLITS)})


@dataclass(frozen=True, slots=True)
class Item:
    """A picture (None where it is to be looked up by `filename`), its text file, which need not exist, and
    its split."""

    image: Path | None
    filename: str
    labels: Path
    split: str | None


@dataclass(frozen=True, slots=True)
class Layout:
    """A data set: its folder, the file that names the classes, their names from 0, and its pictures."""

    root: Path
    names_file: Path
    names: tuple[str, ...]
    items: tuple[Item, ...]
    issues: tuple[Issue, ...]


def names_file(path: Path) -> Path | None:
    """The file that makes a folder (or the folder beside it) a YOLO data set; the path itself where it is
    such a file."""
    if path.is_file():
        return path if path.suffix.lower() in (".yaml", ".yml", ".names", ".txt") else None
    for folder in (path, path / "labels", path.resolve().parent):
        found = [folder / name for name in (*_YAML, *_NAMES) if (folder / name).is_file()]
        if found:
            return found[0]
    return None


def find(path: Path) -> Layout:
    """InputError where there are no names or no pictures, or where data.yaml makes no sense."""
    file = names_file(path)
    if file is None:
        listed = ", ".join((_YAML[0], *_NAMES))
        raise InputError(path, f"no names of classes found, expected a YOLO folder with {listed}")
    root = path if path.is_dir() else file.parent
    if file.suffix.lower() in (".yaml", ".yml"):
        document = _load_yaml(file)
        names, given = _yaml_names(file, document), list(_yaml_items(file, document))
    else:
        names = _lines(file)
        given = list(_listed(root)) or list(_beside(root, None))
    if not names:
        raise InputError(file, "names no classes")
    if not given:
        raise InputError(file, "no pictures and no texts found for it")
    items, issues = _distinct(file, given)
    return Layout(root, file, tuple(names), items, issues)


def _distinct(file: Path, given: Sequence[Item]) -> tuple[tuple[Item, ...], tuple[Issue, ...]]:
    """Each picture once, in the first split that has it."""
    items: dict[Path, Item] = {}
    issues = []
    for item in given:
        first = items.setdefault(item.labels, item)
        if first.split != item.split:
            message = f"{item.filename} is in {first.split} and in {item.split}"
            issues.append(Issue("split-conflict", file.name, None, message, True))
    return tuple(items.values()), tuple(issues)


def _load_yaml(file: Path) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, ValueError, RecursionError, yaml.YAMLError) as fault:
        raise InputError(file, f"cannot be read as YAML ({' '.join(str(fault).split())})") from fault
    if not isinstance(document, dict):
        raise InputError(file, "is no mapping, expected YOLO's data.yaml with names, train and val")
    return document


def _yaml_names(file: Path, document: dict[str, Any]) -> list[str]:
    """A list, or a mapping {0: name, 1: name, ...}."""
    names = document.get("names")
    if isinstance(names, dict):
        lacking = [number for number in range(len(names)) if number not in names]
        if lacking:
            raise InputError(file, f"id {lacking[0]} is missing among {len(names)} ids from 0", where="names")
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list):
        raise InputError(file, f"is {type(names).__name__}, expected a list of names", where="names")
    texts = [str(name).strip() for name in names]
    if not all(texts):
        raise InputError(file, f"name {texts.index('')} is empty", where="names")
    return texts


def _yaml_items(file: Path, document: dict[str, Any]) -> Iterator[Item]:
    base = file.parent
    if isinstance(document.get("path"), str) and (base / document["path"]).is_dir():
        base = base / document["path"]
    for split in _SPLITS:
        given = document.get(split)
        for entry in given if isinstance(given, list) else [given]:
            if isinstance(entry, str) and entry:
                yield from _entry(file, base, entry, _SPLIT_NAMES.get(split, split))


def _entry(file: Path, base: Path, entry: str, split: str) -> Iterator[Item]:
    """A folder of pictures, or a list of them. Roboflow writes ../train/images and means train/images."""
    choices = [base / entry, base / entry.removeprefix("../"), file.parent / entry]
    place = next((choice for choice in choices if choice.exists()), None)
    if place is None:
        raise InputError(file, f"there is no {entry!r} in {base}", where=split)
    if place.is_dir():
        yield from _beside(place, split)
    else:
        yield from _list(place, split)


def _listed(root: Path) -> Iterator[Item]:
    """darknet's lists train.txt, valid.txt, test.txt in the folder."""
    for split in _SPLITS:
        file = root / f"{split}.txt"
        if file.is_file():
            yield from _list(file, _SPLIT_NAMES.get(split, split))


def _list(file: Path, split: str) -> Iterator[Item]:
    """The pictures of a list, whose paths often start above or below the folder that it now lies in."""
    for line in _lines(file):
        parts = Path(line.replace("\\", "/")).parts
        tails = [file.parent.joinpath(*parts[start:]) for start in range(len(parts))]
        image = next((tail for tail in tails if is_file(tail)), None)
        near = [_labels_of(tail) for tail in ([image] if image else tails)]
        labels = next((text for text in near if is_file(text)), near[0])
        yield Item(image, line, labels, split)


def _beside(folder: Path, split: str | None) -> Iterator[Item]:
    """The pictures below a folder, and the texts that have no picture."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    taken = set()
    for path in files:
        if has_image_suffix(path.name):
            labels = _labels_of(path)
            taken.add(labels)
            yield Item(path, path.name, labels, split)
    texts = files if split is None else _texts_of(folder)
    for path in texts:
        if path.suffix.lower() == ".txt" and path.name.lower() not in _NO_TEXTS and path not in taken:
            yield Item(None, path.stem, path, split)


def _texts_of(images: Path) -> list[Path]:
    folder = _labels_of(images / "x").parent
    return sorted(folder.rglob("*.txt")) if folder.is_dir() else []


def _labels_of(image: Path) -> Path:
    """In the folder labels instead of the last folder called images, else beside the picture."""
    parts = list(image.parts)
    if "images" in parts[:-1]:
        last = len(parts) - 2 - parts[-2::-1].index("images")
        swapped = type(image)(*parts[:last], "labels", *parts[last + 1 :]).with_suffix(".txt")
        if swapped.parent.is_dir():
            return swapped
    return image.with_suffix(".txt")


def _lines(file: Path) -> list[str]:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(file, f"cannot be read as text ({fault})") from fault
    return [line.strip() for line in lines if line.strip()]
