"""Which kind of thing a path is. Annotations are read, but no image is opened; records are left to
`dataset.stats`, which counts them."""

from __future__ import annotations

from pathlib import Path

from tfrec_tools.dataset import shards
from tfrec_tools.errors import InputError
from tfrec_tools.formats import evidence, registry
from tfrec_tools.labels import pbtxt, zoo
from tfrec_tools.recognition import archives, models, sources
from tfrec_tools.recognition.answer import Answer
from tfrec_tools.recognition.remote import in_store
from tfrec_tools.system.archive_path import ArchivePath
from tfrec_tools.system.regular_files import require_regular
from tfrec_tools.system.remote_path import RemotePath
from tfrec_tools.system.stores import located, of_url

_MANIFEST = ".manifest.json"
_KINDS = "annotations, images, records or a model"
_UNKNOWN = "is nothing that tfrec knows, expected annotations, an image, a label map, records or a model"


def record_words(word: str) -> str | None:
    """Returns what names the records that a word means: record files, a set, its manifest, a folder of
    records, a shell pattern; None where it means anything else."""
    path = of_url(Path(word))
    if path.name.endswith(_MANIFEST) and path.is_file():
        return str(path.with_name(path.name.removesuffix(_MANIFEST)))
    if path.is_dir():
        return word if shards.files_in(path) and not (models.is_folder(path) or models.is_run(path)) else None
    if path.is_file():
        return word if shards.is_record_file(path) else None
    return word if shards.set_files(path) or any(letter in word for letter in "*?[") else None


def recognize(word: str) -> Answer:
    """Returns what a path is, or a name from `tfrec models`. Raises InputError where it is nothing that tfrec
    knows, or cannot be read."""
    path = located(Path(word))
    if not path.exists():
        if (model := zoo.named(word)) is not None:
            return models.of_zoo(model)
        raise InputError(
            path, "no such file or folder, expected that, DIR/NAME of records, or a name from `tfrec models`"
        )
    require_regular(path)
    answer = _folder(path) if path.is_dir() else _file(path)
    if isinstance(path, ArchivePath):
        return archives.within(word, answer)
    return in_store(answer) if isinstance(path, RemotePath) else answer


def _folder(path: Path) -> Answer:
    if models.is_run(path):
        return models.run(path)
    if models.is_folder(path):
        return models.folder(path)
    if (served := models.served(path)) is not None:
        return served
    try:
        kind = registry.detect(path)
    except InputError as unclear:
        if held := evidence.strong(path):
            return sources.unclear(path, unclear.reason, held)
        if sources.holds_images(path):
            return sources.images(path)
        raise InputError(path, _nothing(path)) from None
    return sources.annotated(path, kind)


def _file(path: Path) -> Answer:
    if path.suffix == ".config":
        return models.config(path)
    if (served := models.served(path)) is not None:
        return served
    if path.suffix.lower() in archives.PACKED:
        return archives.packed(path)
    if sources.holds_images(path):
        return sources.images(path)
    if path.suffix.lower() == ".pbtxt" or pbtxt.is_label_map(path):
        return sources.label_map(path)
    try:
        kind = registry.detect(path)
    except InputError as fault:
        unclear = fault if len(evidence.of_file(path)) > 1 else InputError(path, _UNKNOWN)
        return _list_of_names(path, unclear)
    answer = sources.annotated(path, kind)
    return answer if answer.takes else _list_of_names(path, answer)


def _nothing(path: Path) -> str:
    """Returns what is said of a folder that is nothing, with what of its files may be something."""
    known = {".pbtxt", ".config", *archives.PACKED, ".zip", ".tflite", ".onnx"}
    files = sorted(file.name for file in path.iterdir() if file.suffix.lower() in known)
    if files:
        return f"holds nothing of its own, but {', '.join(files[:3])}; name a file, or the folder above"
    return f"is a folder without {_KINDS}; its name, or that of the folder above, may be another"


def _list_of_names(path: Path, otherwise: Answer | InputError) -> Answer:
    """Returns what a label map in JSON, YAML or lines is; else what the file is otherwise."""
    if sources.is_of_one_image(path):
        raise InputError(path, "is the boxes of one image, as YOLO has them; name the folder that holds all")
    try:
        return sources.label_map(path)
    except InputError:
        if isinstance(otherwise, InputError):
            raise otherwise from None
        return otherwise
