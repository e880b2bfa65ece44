"""Recognises what people have in place of a TF 2 checkpoint, and says what to do about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tfrec_tools.errors import InputError
from tfrec_tools.labels.model_folders import CONFIG

_POINTER = b"version https://git-lfs.github.com/spec/"
_SHARD = re.compile(r".+\.data-(?P<index>\d{5})-of-(?P<count>\d{5})")
_FOLDER = "expected a model folder (pipeline.config, label map, checkpoint/)"
_SERVED = f"its weights are no variables any more; {_FOLDER}, that which it was exported from"
# {suffix of a file: what it is, and what would work}
_FILES = {
    ".tflite": f"a TFLite model: {_SERVED}",
    ".onnx": f"an ONNX model: {_SERVED}",
    ".pb": f"a frozen graph or SavedModel: {_SERVED}",
    ".h5": f"a Keras model or its weights; {_FOLDER}. Weights of a MobileNetV2 or ResNet of "
    "keras.applications can be the --base of finetune with --pipeline",
    ".keras": f"a Keras model, which is none of TFOD's; {_FOLDER}",
    ".pt": f"a PyTorch model, which is none of TFOD's; {_FOLDER}",
    ".pth": f"a PyTorch model, which is none of TFOD's; {_FOLDER}",
    ".gz": f"an archive; unpack it (tar xzf) and name the folder in it; {_FOLDER}",
    ".tgz": f"an archive; unpack it (tar xzf) and name the folder in it; {_FOLDER}",
    ".tar": f"an archive; unpack it (tar xf) and name the folder in it; {_FOLDER}",
    ".zip": f"an archive; unpack it and name the folder in it; {_FOLDER}",
}
_PARTS = ("checkpoint", "saved_model")  # folders that lie in a model folder
_EXPECTED = "expected an object-based checkpoint of TF 2 (checkpoint/ckpt-N.index and ckpt-N.data-*)"


def require_folder(path: Path) -> None:
    """Raises InputError where what is named as a model is no model folder, but a file, a part of such a
    folder, or nothing."""
    if path.is_dir():
        above = path.absolute().parent
        if path.name in _PARTS and not (path / CONFIG).exists() and (above / CONFIG).exists():
            raise InputError(path, f"a part of a model folder; name the folder itself, {above}")
        return
    if (beside := path.with_name(f"{path.name}.index")).is_file():
        raise InputError(path, f"a checkpoint; {_name_folder(beside)}")
    if not path.exists():
        raise InputError(path, f"not found, {_FOLDER}")
    if path.suffix == ".index" or _SHARD.fullmatch(path.name):
        raise InputError(path, f"a file of a checkpoint; {_name_folder(path)}")
    if path.suffix == ".config":
        raise InputError(path, f"the config of a model; {_name_folder(path)}")
    raise InputError(path, _FILES.get(path.suffix.lower(), f"a file, {_FOLDER}"))


def _name_folder(part: Path) -> str:
    """What to name instead of a part of a model folder."""
    folder = part.absolute().parent
    folder = folder if (folder / CONFIG).exists() else folder.parent
    return f"name its folder, {folder}" if (folder / CONFIG).exists() else _FOLDER


def refuse_tf1(folder: Path) -> None:
    """Raises InputError where a model folder, or a folder of checkpoints, holds only what TF 1 or a server
    needs."""
    places = [folder, folder / "checkpoint"]
    if any(any(place.glob("*.index")) and not _named_tf1(place) for place in places):
        return
    for place in places:
        if _named_tf1(place):
            raise InputError(place, name_based_reason(_named_tf1(place)[0].stem))
        for graph in sorted(place.glob("*.pb")):
            raise InputError(
                graph, f"a frozen graph or SavedModel, whose weights are no variables; {_EXPECTED}"
            )
    if (folder / "saved_model").is_dir() and not (folder / "checkpoint").exists():
        raise InputError(
            folder / "saved_model", f"a SavedModel cannot be opened as a model folder; {_EXPECTED}"
        )


def name_based_reason(name: str) -> str:
    return (
        f"{name} is a name-based checkpoint, as TF 1 writes it; {_EXPECTED}: take the TF 2 version of the "
        "model (`tfrec models` lists the zoo's)"
    )


def require_whole(prefix: Path) -> None:
    """Raises InputError where a checkpoint's files are pointers of git LFS, or shards of it are missing."""
    files = sorted(prefix.parent.glob(f"{prefix.name}.*"))
    for file in files:
        refuse_pointer(file)
    shards = [match for file in files if (match := _SHARD.fullmatch(file.name))]
    count = int(shards[0]["count"]) if shards else 1
    there = {int(match["index"]) for match in shards}
    missing = [index for index in range(count) if index not in there]
    if missing:
        name = f"{prefix.name}.data-{missing[0]:05d}-of-{count:05d}"
        raise InputError(prefix.with_name(name), f"missing; {prefix.name}.index needs it beside it")


def refuse_pointer(path: Path) -> None:
    """Raises InputError where a file is a pointer of git LFS instead of what it stands for."""
    with path.open("rb") as file:
        if file.read(len(_POINTER)) == _POINTER:
            raise InputError(
                path, "a pointer of git LFS, not the file itself; `git lfs pull` fetches what it stands for"
            )


def _named_tf1(place: Path) -> Sequence[Path]:
    """TF 1 calls them model.ckpt or model.ckpt-N, TF 2 ckpt-N."""
    return sorted(place.glob("model.ckpt*.index"))
