"""What a folder that a model made depends on, as texts that differ where that does; without TensorFlow."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tfrec_tools.dataset.shards import is_record_file
from tfrec_tools.detector.data import digests
from tfrec_tools.detector.data.inputs import places
from tfrec_tools.detector.model.description import describe
from tfrec_tools.system.regular_files import open_binary

_LETTERS = 16
_BLOCK_BYTES = 1 << 20


def of_model(folder: Path, label_map: Path | None) -> dict[str, str]:
    """Of config, weights and classes. Raises InputError where the folder cannot be used."""
    labels = describe(folder, label_map).labels
    return {"--model": digests.of_model(folder), "its label map": digests.of_labels(labels)}


def of_images(words: Sequence[str], *, whole_paths: bool = False) -> str:
    """Of the images and records that words name: their bytes, order and names, or whole paths. Raises
    InputError where a word names nothing."""
    digest = hashlib.sha256()
    files = [place for word in words for place in places(word)]
    for file in files:
        name = file.as_posix() if whole_paths and not is_record_file(file) else file.name
        digest.update(f"{of_file(file)} {name!r}\n".encode())
    return f"{len(files)} file(s) {digest.hexdigest()[:_LETTERS]}"


def of_file(path: Path) -> str:
    """Of its bytes; why it cannot be read, where that is so, as a damaged image is no error."""
    try:
        digest = hashlib.sha256()
        with open_binary(path) as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
        return digest.hexdigest()[:_LETTERS]
    except OSError as fault:
        return f"unreadable ({fault.strerror})"


def versions_of(*packages: str) -> dict[str, str]:
    """Of those that are installed under these names."""
    return {name: found for name in packages if (found := _version(name))}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
