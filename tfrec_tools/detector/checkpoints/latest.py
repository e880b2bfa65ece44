"""Which of a folder's checkpoints is meant. TensorFlow keeps a state file beside them, `checkpoint`, that
names the latest by a path, which may be of another machine (tf.train.latest_checkpoint)."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from tfrec_tools.errors import InputError
from tfrec_tools.system.regular_files import read_text

_STATE = "checkpoint"
_LATEST = re.compile(r"""^\s*model_checkpoint_path\s*:\s*["'](?P<path>[^"'\n]+)["']""", re.MULTILINE)
_EXPECTED = "expected ckpt-N.index and ckpt-N.data-*"


def checkpoint_folder(folder: Path) -> Path:
    """Returns where a model folder has its checkpoints: checkpoint/ as TFOD exports it, or the folder itself,
    where TFOD's trainer puts them."""
    beside_config = any(folder.glob("ckpt-*.index")) and not (folder / "checkpoint").is_dir()
    return folder if beside_config else folder / "checkpoint"


def latest(folder: Path) -> Path:
    """Returns a folder's checkpoint, without a suffix: that which its state file names, if it is there, else
    the one with the highest number. Raises InputError where there is none."""
    if not folder.is_dir():
        raise InputError(folder, f"not found, {_EXPECTED} in such a folder")
    indexes = sorted(folder.glob("*.index"), key=lambda path: (_number(path), path.name))
    if not indexes:
        raise InputError(folder, f"no checkpoint in it, {_EXPECTED}")
    named = [index for index in indexes if index.stem == _named(folder / _STATE)]
    return (named or indexes)[-1].with_suffix("")


def which(folder: Path) -> str:
    """Returns which checkpoint of a model folder is taken, in words; nothing where there is no choice."""
    place = checkpoint_folder(folder)
    count = len(list(place.glob("*.index")))
    if count < 2:
        return ""
    taken = latest(place)
    why = "which the file checkpoint names" if taken.name == _named(place / _STATE) else "the highest number"
    return f"{taken}, {why}, of {count} checkpoints"


def _named(state: Path) -> str:
    """The name, without its folders, of the checkpoint that a state file names."""
    try:
        match = _LATEST.search(read_text(state))
    except (OSError, UnicodeDecodeError):
        return ""
    return PurePosixPath(re.sub(r"\\+", "/", match["path"])).name if match else ""


def _number(index_file: Path) -> int:
    last = index_file.stem.rpartition("-")[2]
    return int(last) if last.isdigit() else -1
