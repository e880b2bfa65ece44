"""What lies beside the boxes of Open Images: the names of its classes, and which classes people looked for in
each image.

https://storage.googleapis.com/openimages/web/download_v7.html: class-descriptions-boxable.csv has a row
LabelName,DisplayName a class; *-annotations-human-imagelabels-boxable.csv a row ImageID,Source,LabelName,
Confidence an image and class, with 1 where people saw it and 0 where they saw that it is not there. Boxes are
drawn around all objects of the classes that were verified, and around no others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from pathlib import Path

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.errors import InputError, counted, readable
from tfrec_tools.formats.csv_texts import rows

_VERSION = re.compile(r"oidv\d+-")
_BOXES, _LABELS = "-bbox.csv", "-human-imagelabels"
_HEADER = ("ImageID", "LabelName", "Confidence")
NONE = Path("none")  # what the user says where a file beside the boxes is not to be read


def descriptions_file(path: Path, file: Path | None, is_open_images: bool) -> Path | None:
    """Returns the file with the names of the classes: what the user says, else the one beside the boxes of
    Open Images. InputError where there are several."""
    if file is not None or not is_open_images:
        return None if file == NONE else file
    beside = [other for other in path.parent.iterdir() if _is_named(other, "class-descriptions")]
    boxable = [other for other in beside if "boxable" in other.name]
    return _single(path, boxable or beside, "--class-descriptions")


def labels_file(path: Path, file: Path | None, is_open_images: bool) -> Path | None:
    """Returns the file with the classes that people looked for, likewise: that of the same split, as
    train-annotations-human-imagelabels-boxable.csv beside train-annotations-bbox.csv."""
    if file is not None or not is_open_images:
        return None if file == NONE else file
    begin = _VERSION.sub("", path.name).removesuffix(_BOXES)
    if begin == _VERSION.sub("", path.name):
        return None
    beside = [other for other in path.parent.iterdir() if _is_named(other, _LABELS)]
    alike = [other for other in beside if _VERSION.sub("", other.name).startswith(begin + _LABELS)]
    boxable = [other for other in alike if other.name.endswith("-boxable.csv")]
    return _single(path, boxable or alike, "--image-labels")


def _is_named(file: Path, part: str) -> bool:
    return part in file.name and file.suffix.lower() == ".csv" and not file.name.startswith(".")


def _single(path: Path, files: Sequence[Path], option: str) -> Path | None:
    if len(files) > 1:
        listed = ", ".join(sorted(file.name for file in files))
        raise InputError(
            path, f"has {listed} beside it; say {option} with the path of the right one, or none"
        )
    return files[0] if files else None


def class_names(file: Path) -> dict[str, str]:
    """Returns {LabelName: its name}. Classes that share a name are left out, and so keep their own apart.
    InputError where a row is no pair, or where a class has two names."""
    names: dict[str, str] = {}
    for line, cells in rows(file):
        code, name = (cells[0], cells[1]) if len(cells) == 2 else ("", "")
        if not (code and name):
            expected = "expected two cells, a class and its name"
            raise InputError(file, f"{','.join(cells)[:60]!r}, {expected}", where=f"line {line}")
        if line == 1 and code.lower() == "labelname":
            continue
        if names.setdefault(code, name) != name:
            reason = f"{code} is {names[code]!r} and {name!r}, expected one name"
            raise InputError(file, reason, where=f"line {line}")
    often = Counter(names.values())
    return {code: name for code, name in names.items() if often[name] == 1}


def labeled_by_image(
    file: Path, boxed: Mapping[str, frozenset[str]], names: Mapping[str, str]
) -> tuple[dict[str, frozenset[str]], list[Issue]]:
    """Returns {image: the classes that it was annotated for}: those that people looked for, and those that
    have boxes; and issues of classes that they saw and that have no box in the image, and of other images.

    boxed   {image: the classes of its boxes}
    names   {LabelName: its name}
    """
    looked_for, seen, others = _verified(file, frozenset(boxed), names)
    place = readable(file.name)
    issues = []
    boxless = [(image, name) for image, name in seen if name not in boxed[image]]
    if boxless:
        image, name = boxless[0]
        labels = counted(len(boxless), "label")
        message = f"{labels} of classes without a box in their image, such as {name} in {image}"
        issues.append(Issue("box-missing", place, None, message, False))
    if others:
        message = f"not read: {counted(others, 'image')} without boxes in the source"
        issues.append(Issue("image-unknown", place, None, message, True))
    return {image: classes | looked_for.get(image, _NOTHING) for image, classes in boxed.items()}, issues


def _verified(
    file: Path, images: Container[str], names: Mapping[str, str]
) -> tuple[dict[str, frozenset[str]], list[tuple[str, str]], int]:
    """Returns {image: the classes that people looked for in it} of those images, (image, class) that they
    saw, and how many other images the file lists. InputError where a column is missing or a confidence is
    neither 0 nor 1."""
    listed = rows(file)
    _, header = next(listed, (1, []))
    cell_of = {name.lower(): at for at, name in enumerate(header)}
    if lacking := [name for name in _HEADER if name.lower() not in cell_of]:
        reason = f"no column {', '.join(lacking)}; found {', '.join(header) or 'nothing'}"
        raise InputError(file, reason, where="line 1")
    at = [cell_of[name.lower()] for name in _HEADER]
    looked_for: dict[str, set[str]] = {}
    seen: dict[tuple[str, str], None] = {}
    others: set[str] = set()
    for line, cells in listed:
        image, code, confidence = (cells[i] if i < len(cells) else "" for i in at)
        if confidence not in _CONFIDENCES:
            expected = "expected an image, a class and a confidence of 0 or 1, as people verified it"
            raise InputError(file, f"{','.join(cells)[:60]!r}, {expected}", where=f"line {line}")
        if image not in images:
            others.add(image)
            continue
        name = names.get(code, code)
        looked_for.setdefault(image, set()).add(name)
        if _CONFIDENCES[confidence]:
            seen[image, name] = None
    return {image: frozenset(classes) for image, classes in looked_for.items()}, list(seen), len(others)


_CONFIDENCES = {"0": False, "0.0": False, "1": True, "1.0": True}
_NOTHING: frozenset[str] = frozenset()
