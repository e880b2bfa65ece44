"""The classes of a TFOD model folder. TFOD never writes a label map into it: its pipeline.config names the
one of the training, by a path that is of the machine, and of the working folder, of that training."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tfrec_tools.errors import InputError
from tfrec_tools.labels import zoo
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.labels.pbtxt import is_label_map, read_label_map
from tfrec_tools.system.regular_files import read_text

CONFIG = "pipeline.config"
LABEL_MAP = "label_map.pbtxt"
SCORES = "scores.json"  # {name of a class: score from which on it is taken}, where finetune wrote the folder
MOST_CONFIG_BYTES = 4_000_000  # TFOD's have 10,000

_STRING = r""""(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'"""
# A comment, a field that is asked for, or any other text in quotes, in which neither counts.
_FIELD = re.compile(
    rf"#[^\n]*|\b(?P<name>label_map_path|num_classes)\s*:\s*(?P<value>{_STRING}|\d{{1,9}})|{_STRING}"
)
_TO_BE_SET = "PATH_TO_BE_CONFIGURED"  # as TFOD's own configs have it
_PARENTS = 4  # of the config, as TFOD is run in a folder above its models


@dataclass(frozen=True, slots=True)
class ModelLabels:
    """The classes of a model folder; `how` says which file they were taken from, and why that, unless it is
    the folder's own label_map.pbtxt."""

    labels: LabelMap
    how: str


@dataclass(frozen=True, slots=True)
class _Said:
    """What a pipeline.config says: the paths of its label maps, each once, and the number of classes."""

    paths: tuple[str, ...]
    classes: int


def folder_of(path: Path) -> Path:
    """Returns the model folder that a path means: itself, or `model` in the folder of a run."""
    run_model = path / "model"
    return run_model if not (path / CONFIG).exists() and (run_model / CONFIG).is_file() else path


def find_labels(folder: Path, chosen: Path | None, remedy: str) -> ModelLabels:
    """Returns the classes of a model folder: those of `chosen`, else of its own map, else of the map that its
    pipeline.config means, else of COCO's where that is the zoo's, else of the one map beside the folder.
    Raises InputError where there is none, or no one, and `remedy` says how to name it."""
    if chosen is not None:
        return ModelLabels(read_label_map(chosen), "")
    if (folder / LABEL_MAP).exists():
        return ModelLabels(read_label_map(folder / LABEL_MAP), "")
    said = _said(folder / CONFIG)
    own = _maps_in(folder)
    if len(own) == 1:
        return _taken(own[0], "the only label map in the folder")
    meant = _meant(folder, said.paths, remedy)
    if meant is not None:
        return _taken(meant, f"which {CONFIG} names")
    if own:
        listed = ", ".join(path.name for path in own)
        raise InputError(folder, f"has several label maps ({listed}), and {_names(said)}; {remedy}")
    if _is_zoos(said):
        return ModelLabels(zoo.coco_labels(), f"COCO's label map, as {CONFIG} is the zoo's")
    beside = _maps_in(folder.absolute().parent)
    if len(beside) == 1:
        return _taken(beside[0], "the only label map beside the folder")
    raise InputError(folder, f"has no label map, and {_names(said)}; {remedy}")


def _taken(path: Path, why: str) -> ModelLabels:
    return ModelLabels(read_label_map(path), f"{path}, {why}")


def _names(said: _Said) -> str:
    """What a config says of a map that is not there."""
    if not said.paths:
        return f"its {CONFIG} names none"
    listed = " and ".join(re.sub(r"\\+", r"\\", path) for path in said.paths)
    return f"its {CONFIG} names {listed}, which is not here"


def _said(config: Path) -> _Said:
    """Nothing where the file cannot be read, of which who reads the model has more to say."""
    try:
        text = read_text(config, "utf-8-sig") if config.stat().st_size < MOST_CONFIG_BYTES else ""
    except (OSError, UnicodeDecodeError):
        return _Said((), 0)
    values: dict[str, list[str]] = {"label_map_path": [], "num_classes": []}
    for match in _FIELD.finditer(text):
        if match["name"]:
            values[match["name"]].append(match["value"].strip("\"'"))
    paths = dict.fromkeys(path for path in values["label_map_path"] if path and _TO_BE_SET not in path)
    numbers = [int(number) for number in values["num_classes"] if number.isdecimal()]
    return _Said(tuple(paths), numbers[0] if numbers else 0)


def _is_zoos(said: _Said) -> bool:
    """A config as the zoo's archives have it: COCO's classes, and no map or COCO's own."""
    named = {_plain(path).name for path in said.paths}
    return said.classes == zoo.COCO_CLASSES and named <= {zoo.COCO_MAP}


def _maps_in(folder: Path) -> list[Path]:
    """The label maps in a folder; TFOD and TensorFlow write other things as .pbtxt too."""
    return [path for path in sorted(folder.glob("*.pbtxt")) if _is_file(path) and is_label_map(path)]


def _meant(folder: Path, paths: Sequence[str], remedy: str) -> Path | None:
    """Returns the label map that the paths of a config mean; those of training and evaluation may be two
    files, but not of different classes."""
    files = [file for path in paths if (file := _first_file(folder, path)) is not None]
    if len(files) > 1 and len({read_label_map(file).labels for file in files}) > 1:
        listed = " and ".join(map(str, files))
        raise InputError(folder / CONFIG, f"names {listed}, which differ; {remedy}", where="label_map_path")
    return files[0] if files else None


def _first_file(folder: Path, path: str) -> Path | None:
    return next((place for place in _places(folder, path) if _is_file(place)), None)


def _places(folder: Path, path: str) -> Iterator[Path]:
    """Yields where a path may lie: as it stands, seen from the config, from its parents and from the working
    folder; and, of one that is of another machine's root, its end of a folder and a file or more."""
    plain = _plain(path)
    above = Path(os.path.abspath(folder))  # noqa: PTH100  without following links: as people see it
    roots = [above, *list(above.parents)[:_PARENTS], Path.cwd()]
    is_rooted = plain.is_absolute() or ":" in str(plain)  # C:/..., gs://...
    if Path(plain).is_absolute():
        yield Path(plain)
    ends = [plain.parts[first:] for first in range(1, len(plain.parts) - 1)] if is_rooted else [plain.parts]
    for end in ends:
        for root in roots:
            yield root.joinpath(*end)


def _plain(path: str) -> PurePosixPath:
    """A path with the separators of any system, however many of a \\ were escaped."""
    return PurePosixPath(re.sub(r"\\+", "/", path) or ".")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, a folder that may not be looked into
        return False
