"""Which texts of a folder are KITTI's or DOTA's of an image, and which are calibrations, lists or prose.

A folder with a row of the format has labels. So has one that is called after labels, or has the images of
its texts beside them: all of its rows may be damaged, or nothing is in its images. A text that is called as a
list has labels where all of its rows say so, or an image has its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.errors import InputError, counted
from tfrec_tools.formats.drawn import Unusable
from tfrec_tools.formats.file_names import annotation_files
from tfrec_tools.formats.split_names import split_named
from tfrec_tools.formats.text_rows import Row, Text, has_box, is_dota, is_header, is_kitti, is_yolo, text_of
from tfrec_tools.formats.yolo_places import names_images
from tfrec_tools.images.loading import has_image_suffix
from tfrec_tools.images.stated_paths import key
from tfrec_tools.system.remote_path import RemotePath

_LISTS = frozenset(("readme", "classes", "labels", "obj", "train", "val", "valid", "test", "trainval"))
_LABELS = ("lbl", "lbls", "annotation", "annotations")  # beside label_2, labels, labelTxt-v1.5, ...
_FORMATS = (is_yolo, is_kitti, is_dota)
IsRow = Callable[[Sequence[str]], bool]


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of images by path; those that may be of one, and are not read; and how many files of systems
    lie beside them."""

    labels: tuple[Text, ...]
    unread: tuple[Unusable, ...]
    litter: int

    @property
    def files(self) -> int:
        return len(self.labels) + len(self.unread)


def texts_of(path: Path, title: str, is_row: IsRow) -> Texts:
    """Returns the texts of images anywhere below a folder, or a single one. Raises InputError, which names
    the format by its title, where none has a row of it."""
    files, litter = annotation_files(path, (".txt",), title)
    texts = [text_of(path, file) for file in files]
    folders = _Folders(path, texts, is_row)
    if not folders.shown:
        raise InputError(path, f"no text has a row of {title}'s, expected a folder of its annotations")
    labels = tuple(text for text in texts if folders.is_label(text))
    taken = {text.file for text in labels}
    unread = (text for text in texts if text.file not in taken and folders.may_be_label(text))
    return Texts(labels, tuple(_unread(text, title) for text in unread), litter)


def _unread(text: Text, title: str) -> Unusable:
    what = f"{counted(len(_rows(text)), 'row')} not carried over: it is called as a list is, and not all are"
    message = f"{what} {title}'s of an image beside; rename it, and the image, where it is of one"
    return Unusable(Issue("annotation-unread", str(text.below), None, message, True), len(_rows(text)), False)


def _rows(text: Text) -> list[Row]:
    return [row for row in text.rows if not is_header(row.words)]


class _Folders:
    """The folders of a source's texts; `shown` are those in which one has rows of the format."""

    def __init__(self, path: Path, texts: Sequence[Text], is_row: IsRow) -> None:
        self._path, self._is_row = path, is_row
        self._texts: dict[Path, list[Text]] = {}
        self._images: dict[Path, frozenset[str]] = {}
        for text in texts:
            self._texts.setdefault(text.file.parent, []).append(text)
        self.shown = {folder for folder, of in self._texts.items() if any(map(self._speaks, of))}

    def is_label(self, text: Text) -> bool:
        """Returns whether a text is of an image: by its rows, else by two of its folder, its image, and that
        it may be damaged or empty."""
        is_list = self._is_called_as_a_list(text)
        if text.file.parent in self.shown and (not is_list or self._speaks(text)):
            return True
        clues = (
            not is_list and self._is_of_labels(text),
            not _rows(text) or _has_box(text),
            self._has_image(text),
        )
        return sum(clues) > 1 and not self._is_foreign(text.file.parent)

    def may_be_label(self, text: Text) -> bool:
        """Returns whether a text that is no label is called as a list is, and does not look like one."""
        if not (self._is_called_as_a_list(text) and self._is_of_labels(text)):
            return False
        return (_has_box(text) or self._has_image(text)) and not self._is_foreign(text.file.parent)

    def _speaks(self, text: Text) -> bool:
        """Returns whether rows of a text are of the format: one of them; all where it is called as a list is,
        as prose may hold an example."""
        if not self._is_called_as_a_list(text):
            return any(self._is_row(row.words) for row in text.rows)
        rows = _rows(text)
        return bool(rows) and all(self._is_row(row.words) for row in rows)

    def _is_called_as_a_list(self, text: Text) -> bool:
        return text.file != self._path and text.file.stem.lower() in _LISTS

    def _is_of_labels(self, text: Text) -> bool:
        """Returns whether a folder has labels, by a row of it, or by its name or the one above a split's."""
        if text.file.parent in self.shown:
            return True
        above, last = ("", self._path.name, *text.below.parent.parts)[-2:]
        return _names_labels(last) or (split_named(last) is not None and _names_labels(above))

    def _is_foreign(self, folder: Path) -> bool:
        """Returns whether a folder has rows of another format alone, so that --format has left it out."""
        rows = (row.words for text in self._texts[folder] for row in text.rows)
        return folder not in self.shown and any(is_row(words) for words in rows for is_row in _FORMATS)

    def _has_image(self, text: Text) -> bool:
        folder = text.file.parent
        if folder not in self._images:
            self._images[folder] = frozenset(self._images_of(folder))
        return key(text.file.stem) in self._images[folder]

    def _images_of(self, folder: Path) -> Iterator[str]:
        """Yields the names of images beside the texts of a folder, or in that of images in its place."""
        for place in dict.fromkeys(self._places(folder)):
            yield from (key(Path(name).stem) for name in _names_in(place) if has_image_suffix(name))

    def _places(self, folder: Path) -> Iterator[Path]:
        top, here = (self._path, folder) if self._path.name else (self._path.resolve(), folder.resolve())
        below: tuple[str, ...] = ()
        yield here
        while here.is_relative_to(top) and not (isinstance(here, RemotePath) and here.is_outermost):
            if _names_labels(here.name):
                beside = [here.parent / name for name in _names_in(here.parent) if _names_images(name)]
                for place in (here.parent, *beside):
                    yield from (place.joinpath(*below), place)
            if here == here.parent:
                return
            here, below = here.parent, (here.name, *below)


def _names_in(folder: Path) -> list[str]:
    """Returns what is in a folder; nothing where it is none, or cannot be listed, as those above a source."""
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []


def _has_box(text: Text) -> bool:
    return any(has_box(row.words) for row in text.rows)


def _names_labels(folder: str) -> bool:
    return folder.lower().startswith("label") or folder.lower() in _LABELS


def _names_images(folder: str) -> bool:
    return names_images(folder) or folder.lower().startswith("image_")  # KITTI's image_2
