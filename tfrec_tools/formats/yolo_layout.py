"""Where the names, images and texts of a YOLO data set are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.errors import InputError
from tfrec_tools.formats import yolo_keypoints
from tfrec_tools.formats.options import YOLO_TASKS
from tfrec_tools.formats.split_names import split_called
from tfrec_tools.formats.yolo_keypoints import YoloKeypoints
from tfrec_tools.formats.yolo_search import Search, YoloImage, has_rows, nothing_annotated, tails
from tfrec_tools.labels import yaml_text
from tfrec_tools.labels.lists import names_from_zero
from tfrec_tools.labels.pbtxt import read_text
from tfrec_tools.system import regular_files
from tfrec_tools.system.remote_path import is_file

_YAML = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_ROBOFLOWS = "_darknet.labels"  # which lies in the folder of each split
_NAMES = ("obj.names", "classes.names", "classes.txt", "obj.txt", _ROBOFLOWS)
_SPLITS = ("train", "val", "valid", "test")
_HAS_NAMES = re.compile(r"^['\"]?names['\"]?\s*:", re.MULTILINE)
_HAS_SPLIT = re.compile(rf"^['\"]?(?:{'|'.join(_SPLITS)})['\"]?\s*:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class YoloLayout:
    """A data set.

    root         its folder; names_file is the file that names the classes, from 0
    task         what data.yaml says that the rows are, None where it does not
    keypoints    their shape as it says (kpt_shape), and their names by class (kpt_names)
    left         the texts that belong to no image of it, and why
    litter       how many files of operating systems were passed over
    """

    root: Path
    names_file: Path
    names: tuple[str, ...]
    task: str | None
    keypoints: YoloKeypoints
    items: tuple[YoloImage, ...]
    left: tuple[tuple[Path, str], ...]
    issues: tuple[Issue, ...]
    litter: int


def names_file(path: Path) -> Path | None:
    """Returns the file that makes a folder (or the folder beside it) a YOLO data set; the path itself where
    it is such a file."""
    if path.is_file():
        return path if path.suffix.lower() in (".yaml", ".yml", ".names", ".labels", ".txt") else None
    below = [entry for entry in sorted(path.iterdir()) if entry.is_dir() and not entry.name.startswith(".")]
    inner = [entry for entry in below if any((entry / name).is_file() for name in _YAML)]
    for folder in (path, path / "labels", *(inner if len(inner) == 1 else ()), path.resolve().parent):
        existing = [folder / name for name in (*_YAML, *_NAMES) if (folder / name).is_file()]
        if existing or (folder == path and (existing := _named_otherwise(path))):
            return existing[0]
    return next((path / split / _ROBOFLOWS for split in _split_folders(path)), None)


def _named_otherwise(folder: Path) -> list[Path]:
    """Returns the only file of a folder that says what data.yaml does and is called after the data set, such
    as coco8.yaml; nothing where there are several, as nobody says which one counts."""
    files = [file for file in sorted(folder.iterdir()) if file.suffix.lower() in (".yaml", ".yml")]
    alike = [file for file in files if _names_places(file)]
    return alike if len(alike) == 1 else []


def _names_places(file: Path) -> bool:
    """Returns whether a YAML file has both the names of classes and the places of a split."""
    try:
        text = regular_files.read_text(file, "utf-8-sig")
    except (OSError, UnicodeDecodeError, InputError):
        return False
    return bool(_HAS_NAMES.search(text) and _HAS_SPLIT.search(text))


def _split_folders(path: Path) -> list[str]:
    """Returns the splits of a folder that have Roboflow's names."""
    return [split for split in _SPLITS if (path / split / _ROBOFLOWS).is_file()]


def find(path: Path) -> YoloLayout:
    """Raises InputError where there are no names or no images, where data.yaml makes no sense, or where no
    image has a text."""
    file = names_file(path)
    if file is None:
        listed = ", ".join((_YAML[0], *_NAMES))
        raise InputError(
            path, f"no names of classes found, expected a YOLO folder with {listed}; or name its .yaml"
        )
    root = path if path.is_dir() else file.parent
    names = names_from_zero(file, read_text(file))
    search = Search(file)
    if file.suffix.lower() in (".yaml", ".yml"):
        document = _load_yaml(file)
        _require_count(file, document, len(names))
        task, keypoints = _task(file, document), yolo_keypoints.declared(file, document, names)
        task = task or ("pose" if keypoints.count else None)
        missing = _search_splits(search, file, document, root)
    else:
        task, keypoints, missing = None, yolo_keypoints.NONE, []
        if file.name == _ROBOFLOWS and file.parent != root:
            _search_split_folders(search, root, names)
        else:
            _search_lists(search, root)
    if not names:
        raise InputError(file, "names no classes")
    items, left = search.result()
    if not items:
        raise InputError(file, "no images and no texts found for it")
    if all(item.labels is None for item in items):
        raise InputError(file, nothing_annotated(items))
    issues = (*missing, *search.issues)
    return YoloLayout(root, file, tuple(names), task, keypoints, items, left, issues, search.litter)


def _search_splits(search: Search, file: Path, document: dict[str, Any], root: Path) -> list[Issue]:
    """Searches the splits of data.yaml, all below its folder where it has none. Returns an issue for each
    place that is missing; raises InputError where all are."""
    base = _base(file, document)
    entries = list(_entries(file, document))
    issues = []
    for split, entry in entries:
        place = _place(search, (base, file.parent), entry)
        if place is None:
            message = f"{split}: there is no {entry!r} in {base}"
            issues.append(Issue("split-missing", file.name, None, message, False))
            continue
        if search.is_outside(place):
            search.note_outside(f"{split}: {entry!r}", place)
        if is_file(place):
            search.listed(place, _lines(place), split_called(split))
        else:
            search.folder(place, split_called(split))
    if entries and len(issues) == len(entries):
        listed = ", ".join(dict.fromkeys(repr(entry) for _, entry in entries))
        raise InputError(file, f"there is no {listed} in {base}, and so no split of it")
    if not entries:
        search.folder(root, None)
    return issues


def _search_lists(search: Search, root: Path) -> None:
    """Searches darknet's lists train.txt, valid.txt, test.txt in the folder; all below it where there are
    none."""
    files = [(split, root / f"{split}.txt") for split in _SPLITS]
    lists = [(split, file) for split, file in files if file.is_file() and not has_rows(file)]
    for split, file in lists:
        search.listed(file, _lines(file), split_called(split))
    if not lists:
        search.folder(root, None)


def _search_split_folders(search: Search, root: Path, names: Sequence[str]) -> None:
    """Searches Roboflow's train, valid, test. InputError where they name other classes."""
    for split in _split_folders(root):
        file = root / split / _ROBOFLOWS
        if (own := names_from_zero(file, read_text(file))) != tuple(names):
            reason = f"names {', '.join(own)}, expected those of the first split, {', '.join(names)}"
            raise InputError(file, f"{reason}; read each split as a source of its own")
        search.folder(root / split, split_called(split))


def _load_yaml(file: Path) -> dict[str, Any]:
    try:
        text = regular_files.read_text(file, "utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(file, f"cannot be read as YAML ({' '.join(str(fault).split())})") from fault
    document = yaml_text.safe(file, text)
    if not isinstance(document, dict):
        raise InputError(file, "is no mapping, expected YOLO's data.yaml with names, train and val")
    return document


def _require_count(file: Path, document: dict[str, Any], names: int) -> None:
    """InputError where data.yaml says another number of classes than it names: which of them is wrong,
    nobody can tell; YOLO's own trainers refuse it, too."""
    if (count := document.get("nc", names)) != names:
        reason = f"is {count!r}, but names lists {names}; correct the one that is wrong, or remove nc"
        raise InputError(file, reason, where="nc")


def _task(file: Path, document: dict[str, Any]) -> str | None:
    """Returns what data.yaml says of its rows."""
    task: str | None = document.get("task")
    if task is not None and task not in YOLO_TASKS:
        raise InputError(file, f"is {task!r}, expected one of {', '.join(YOLO_TASKS)}", where="task")
    return task


def _base(file: Path, document: dict[str, Any]) -> Path:
    """Returns the folder that paths start from: `path`, or what is left of it on this machine."""
    if not isinstance(path := document.get("path"), str):
        return file.parent
    choices = (file.parent.joinpath(*tail) for tail in tails(path))
    return next((choice for choice in choices if _is_there(choice)), file.parent)


def _entries(file: Path, document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields (split, place) of data.yaml."""
    for split in _SPLITS:
        given = document.get(split)
        for entry in given if isinstance(given, list) else [given]:
            if isinstance(entry, str) and entry.strip():
                yield split, entry.strip()
            elif entry not in (None, ""):
                reason = f"is {entry!r}, expected a folder of images or a list of them"
                raise InputError(file, reason, where=split)


def _place(search: Search, bases: Sequence[Path], entry: str) -> Path | None:
    """Returns a folder of images, or a list of them; None where there is none. Roboflow writes
    ../train/images and means train/images; a path of another machine is matched by its longest tail. A folder
    whose images are missing, but not their texts, is there."""
    choices = [base.joinpath(*tail) for tail in tails(entry) for base in bases]
    there = (choice for choice in choices if _is_there(choice))
    return next(there, None) or next(filter(search.has_texts, choices), None)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # such as a name that is too long
        return False


def _lines(file: Path) -> list[str]:
    try:
        lines = regular_files.read_text(file, "utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(file, f"cannot be read as text ({fault})") from fault
    return [line.strip() for line in lines if line.strip()]
