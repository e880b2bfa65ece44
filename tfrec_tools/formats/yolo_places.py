"""Which text belongs to which image of a YOLO data set, by the conventions that exist, case aside.

A folder of images is called images, JPEGImages, img, images_train; its texts lie in the folder that is called
labels, label, lbl, labelTxt, labels_train in its place, or beside the images, or in a folder labels in or
beside theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tfrec_tools.errors import InputError
from tfrec_tools.images.stated_paths import key
from tfrec_tools.system.litter import sifted
from tfrec_tools.system.remote_path import RemotePath, is_file

# A word of its own, also in images_train and trainImages.
_IMAGES = re.compile(
    r"(?:(?<![A-Za-z])|(?<=[a-z])(?=[A-Z]))(?i:jpegimages|images|image|imgs|img|pictures|photos)(?![a-z])"
)
_LABELS = ("labels", "label", "lbl", "lbls", "labeltxt", "labels_txt", "annotations", "annotation", "txt")


@dataclass(frozen=True, slots=True)
class TextFolder:
    """A folder where texts of images may be; `own` where it can hold those of no other folder of images."""

    path: Path
    own: bool


def names_images(folder: str) -> bool:
    """Returns whether a folder of that name is one of images."""
    return _IMAGES.fullmatch(folder) is not None


class TextFinder:
    """Finds the texts of images. Each folder is listed once."""

    def __init__(self) -> None:
        self._entries: dict[Path, dict[str, list[Path]]] = {}
        self._closed: dict[Path, str] = {}  # why a folder cannot be listed
        self._folders: dict[Path, tuple[TextFolder, ...]] = {}
        self._stems: dict[Path, set[str]] = {}  # of the images that were asked for, by folder

    def text_of(self, image: Path) -> Path | None:
        """Returns the text of an image, which need not exist; None where there is none. Where what has its
        name is no file (a folder, a FIFO, a link to nowhere), it is that: whoever reads it says so."""
        parent, name = image.parent, image.stem
        self._stems.setdefault(parent, set()).add(key(name))
        others: list[Path] = []
        for folder in self.folders_of(parent):
            for stem in (name, image.name):  # a.txt, else a.jpg.txt
                named = self._named(folder.path, stem)
                if (text := next((text for text in named if is_file(text)), None)) is not None:
                    return text
                others += named
        return others[0] if others else None

    def folders_of(self, images: Path) -> tuple[TextFolder, ...]:
        """Returns the folders, of those that exist, where texts of a folder of images may be, the likeliest
        first."""
        if images not in self._folders:
            unique: dict[Path, TextFolder] = {}
            for folder in self._likely(images):
                unique.setdefault(folder.path, folder)
            self._folders[images] = tuple(unique.values())
        return self._folders[images]

    def has_image_for(self, text: Path) -> bool:
        """Returns whether an image that was asked for has the name of a text that may be its own."""
        return any(
            key(text.stem) in stems and any(folder.path == text.parent for folder in self._folders[images])
            for images, stems in self._stems.items()
        )

    def _likely(self, images: Path) -> Iterator[TextFolder]:
        yield from (TextFolder(path, True) for path in self._instead(images))
        yield TextFolder(images, True)
        for path in self._labels_in(images):
            yield TextFolder(path, True)
        for path in self._labels_in(images.parent):
            if (same := self._descended(path, (images.name,))) is not None:
                yield TextFolder(same, True)
            yield TextFolder(path, False)
        if _IMAGES.search(images.parent.name):
            for path in self._swapped(images.parent):
                yield TextFolder(path, False)

    def _instead(self, images: Path) -> Iterator[Path]:
        """Yields folders of labels in the place of the last folder called images, of the one above it, ..."""
        here = images if images.name else images.resolve()
        below: tuple[str, ...] = ()
        for folder in (here, *here.parents):
            if isinstance(folder, RemotePath) and folder.is_outermost:
                return
            for swapped in self._swapped(folder):
                if (found := self._descended(swapped, below)) is not None:
                    yield found
            below = (folder.name, *below)

    def _swapped(self, folder: Path) -> Iterator[Path]:
        if _IMAGES.search(folder.name):
            for word in _LABELS:
                yield from self._subfolders(folder.parent, _IMAGES.sub(word, folder.name))

    def _labels_in(self, folder: Path) -> Iterator[Path]:
        for word in _LABELS:
            yield from self._subfolders(folder, word)

    def _descended(self, folder: Path, names: tuple[str, ...]) -> Path | None:
        for name in names:
            subfolder = next(self._subfolders(folder, name), None)
            if subfolder is None:
                return None
            folder = subfolder
        return folder

    def _subfolders(self, folder: Path, name: str) -> Iterator[Path]:
        remote = isinstance(folder, RemotePath)  # a store lists files, not folders
        named = [folder / name] if remote else self._listed(folder).get(key(name), [])
        alike = sorted(named, key=lambda path: (path.name != name, path.name))
        yield from (path for path in alike if path.is_dir())

    def _named(self, folder: Path, stem: str) -> list[Path]:
        """Returns what may be the text of a name, the likeliest first."""
        texts = self._listed(folder).get(key(f"{stem}.txt"), [])
        if folder in self._closed:
            raise InputError(folder, f"cannot be listed ({self._closed[folder]})")
        if len(texts) < 2:
            return texts
        return sorted(texts, key=lambda text: (text.stem != stem, text.suffix != ".txt", text.name))

    def _listed(self, folder: Path) -> dict[str, list[Path]]:
        """Returns what is in a folder, by `key`; nothing where it cannot be listed, as folders above a data
        set may be."""
        if folder not in self._entries:
            entries: dict[str, list[Path]] = {}
            try:
                for path in sifted(folder.iterdir(), folder)[0]:
                    entries.setdefault(key(path.name), []).append(path)
            except OSError as fault:
                entries = {}
                if isinstance(fault, PermissionError):
                    self._closed[folder] = str(fault.strerror)
            self._entries[folder] = entries
        return self._entries[folder]


def expected_folder(images: Path) -> Path:
    """Returns where the texts of a folder of images are by Ultralytics' convention."""
    for folder in (images, *images.parents):
        if _IMAGES.search(folder.name):
            swapped = folder.with_name(_IMAGES.sub("labels", folder.name))
            return swapped / images.relative_to(folder)
    return images / "labels"
