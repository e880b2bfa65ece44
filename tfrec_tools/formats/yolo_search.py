"""The images of a YOLO data set and the text of each, as they are found place by place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePosixPath

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.errors import readable
from tfrec_tools.formats.text_rows import is_yolo
from tfrec_tools.formats.yolo_places import TextFinder, expected_folder, names_images
from tfrec_tools.images.loading import has_image_suffix
from tfrec_tools.images.stated_paths import key
from tfrec_tools.system.litter import sifted
from tfrec_tools.system.regular_files import open_binary
from tfrec_tools.system.remote_path import files_below, is_file

_SPLITS = ("train", "val", "valid", "test")
_NO_TEXTS = frozenset({"classes.txt", "obj.txt", "readme.txt", *(f"{name}.txt" for name in _SPLITS)})
_LONGEST_PATH = 4096  # characters, as Linux has it
_SNIFFED = 4096  # bytes of a text that show whether it has rows


@dataclass(frozen=True, slots=True)
class YoloImage:
    """An image (None where it is to be looked up by `filename`), its text file (None where there is none),
    and its split."""

    image: Path | None
    filename: str
    labels: Path | None
    split: str | None

    @property
    def stem(self) -> str:
        name = PurePosixPath(self.filename.replace("\\", "/")).name
        return key(Path(name).stem if has_image_suffix(name) else name)


Left = tuple[Path, str]  # a text that is no image's, and why


class Search:
    """What has been found so far; `names_file` is that of the data set."""

    def __init__(self, names_file: Path) -> None:
        self.issues: list[Issue] = []
        self._names_file = names_file
        self._finder = TextFinder()
        self._items: list[YoloImage] = []
        self._folders: dict[Path, str | None] = {}  # of images, each with its split
        self._of_lists: set[Path] = set()  # folders of texts
        self._litter: set[Path] = set()

    @property
    def litter(self) -> int:
        """How many files of operating systems were passed over."""
        return len(self._litter)

    def has_texts(self, images: Path) -> bool:
        """Returns whether a folder of images, which need not exist, has one for its texts."""
        return any(
            folder.own and folder.path != images and folder.path.is_dir()
            for folder in self._finder.folders_of(images)
        )

    def folder(self, folder: Path, split: str | None) -> None:
        """Takes all images below a folder."""
        self._folders.setdefault(folder, split)
        for path in self._files(folder):
            if _is_of_images(path.suffix):
                self._items.append(YoloImage(path, path.name, self._finder.text_of(path), split))

    def is_outside(self, place: Path) -> bool:
        """Returns whether a place is not below the folder of the data set's names."""
        folder = os.path.normpath(self._names_file.parent.absolute())
        return not Path(os.path.normpath(place.absolute())).is_relative_to(folder)

    def note_outside(self, said: str, place: Path) -> None:
        message = f"{said} is {place}, outside of {self._names_file.parent}; it was read"
        self.issues.append(Issue("path-outside", readable(self._names_file.name), None, message, False))

    def listed(self, file: Path, lines: Sequence[str], split: str) -> None:
        """Takes the images of a list, whose paths often start above or below the folder that it now lies
        in."""
        outside: list[tuple[str, Path]] = []
        for line in lines:
            paths = [file.parent.joinpath(*tail) for tail in tails(line)]
            image = next((path for path in paths if is_file(path)), None)
            texts = (self._finder.text_of(path) for path in ([image] if image else paths))
            text = next(filter(None, texts), None)
            if text is not None:
                self._of_lists.add(text.parent)
            self._items.append(YoloImage(image, line, text, split))
            if image is not None and (".." in line or line.startswith("/")) and self.is_outside(image):
                outside.append((line, image))
        if outside:
            line, image = outside[0]
            self.note_outside(f"{file.name}: {line!r}, the first of {len(outside)} such images,", image)

    def result(self) -> tuple[tuple[YoloImage, ...], tuple[Left, ...]]:
        """Returns each image once, after them texts whose image is missing, and the texts that are left."""
        items = _one_text_each(self._distinct())
        taken = {item.labels for item in items}
        left: list[Left] = []
        lost: list[YoloImage] = []
        for text, split in self._texts().items():
            if text in taken or text.name.lower() in _NO_TEXTS or not _may_be_annotation(text):
                continue
            if text.parent in self._of_lists:
                left.append((text, "no list of images has its image"))
            elif self._finder.has_image_for(text):
                left.append((text, "its image has another text"))
            else:
                lost.append(YoloImage(None, text.stem, text, split))
        paired, others = _paired(items, lost)
        return paired, (*left, *others)

    def _distinct(self) -> list[YoloImage]:
        """Returns each image once, in the first split that has it."""
        first: dict[str, YoloImage] = {}
        for item in self._items:
            named = os.path.normpath(item.image) if item.image else f"{item.filename}\0{item.labels}"
            earlier = first.setdefault(named, item)
            if earlier.split != item.split:
                message = f"{item.filename} is in {earlier.split} and in {item.split}"
                self.issues.append(Issue("split-conflict", self._names_file.name, None, message, True))
        return list(first.values())

    def _texts(self) -> dict[Path, str | None]:
        """Returns the texts where those of the images are, in order, each with the split of its folder."""
        texts: dict[Path, str | None] = {}
        used = {item.labels.parent for item in self._items if item.labels}
        for folder, split in self._folders.items():
            for place in self._finder.folders_of(folder):
                if place.own or place.path in used:
                    for file in self._files(place.path, deep=place.own):
                        texts.setdefault(file, split)
        for folder in sorted(self._of_lists):
            for file in self._files(folder, deep=False):
                texts.setdefault(file, None)
        return {text: split for text, split in texts.items() if text.suffix.lower() == ".txt"}

    def _files(self, folder: Path, deep: bool = True) -> list[Path]:
        if not folder.is_dir():
            return []
        there = list(files_below(folder) if deep else sorted(folder.iterdir()))
        files, litter = sifted(there, folder)
        if litter:
            self._litter |= set(there) - set(files)
        return files


@cache
def _is_of_images(suffix: str) -> bool:
    return has_image_suffix(f"a{suffix}")


def tails(path: str) -> list[tuple[str, ...]]:
    """Returns the parts of a path of any system, and what is left of them from the left. A split's name is
    not cut off from a mere images, which would be that of every split."""
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    whole = ("/", *parts) if path.startswith(("/", "\\")) else tuple(parts)
    found = [whole]
    if len(path) > _LONGEST_PATH:
        return found
    for start in range(len(parts)):
        tail = tuple(parts[start:])
        if start and len(tail) == 1 and names_images(tail[0]) and parts[start - 1].lower() in _SPLITS:
            break
        if ".." not in tail and tail != whole:
            found.append(tail)
    return found


def has_rows(text: Path) -> bool:
    """Returns whether a text begins with objects, and is no list or readme."""
    return any(is_yolo(line.split()) for line in _head(text).splitlines())


def nothing_annotated(items: Sequence[YoloImage]) -> str:
    """Returns where texts were looked for."""
    image = items[0].image or Path(items[0].filename)
    return (
        f"none of its {len(items)} images has a text file, {image} for one; looked for {image.stem}.txt in "
        f"{expected_folder(image.parent)} (also label, lbl, labelTxt, annotations, in any case), beside the "
        "image and in folders labels near it"
    )


def _one_text_each(items: Sequence[YoloImage]) -> list[YoloImage]:
    """Returns the images so that each text is that of one: of several that have its name but for the case,
    the one that has it wholly; images that differ in the suffix alone become one to be looked up, which is
    ambiguous."""
    by_text: dict[Path | None, list[YoloImage]] = {}
    for item in items:
        by_text.setdefault(item.labels, []).append(item)
    settled: list[YoloImage] = []
    for item in items:
        rivals = by_text[item.labels]
        if item.labels is None or len(rivals) == 1:
            settled.append(item)
            continue
        exact = [rival for rival in rivals if Path(rival.filename).stem == item.labels.stem] or rivals
        if item not in exact:
            settled.append(replace(item, labels=None))
        elif len(exact) == 1:
            settled.append(item)
        elif item is exact[0]:
            settled.append(replace(item, image=None, filename=Path(item.filename).stem))
    return settled


def _paired(
    items: Sequence[YoloImage], lost: Sequence[YoloImage]
) -> tuple[tuple[YoloImage, ...], list[Left]]:
    """Returns the images, after them texts without one, and texts of whose names there are too many. Where
    one image without a text and one text have the same name, they belong together, wherever they lie."""
    found = dict.fromkeys(items)
    if not lost:
        return tuple(found), []
    named: dict[str, list[YoloImage]] = {}
    texts: dict[str, list[YoloImage]] = {}
    for one in items:
        named.setdefault(one.stem, []).append(one)
    for one in lost:
        texts.setdefault(one.stem, []).append(one)
    pairs: dict[YoloImage, YoloImage] = {}
    missing: list[YoloImage] = []
    left: list[Left] = []
    for stem, of in texts.items():
        bare = [image for image in named.get(stem, ()) if image.labels is None]
        if len(of) == len(bare) == 1:
            pairs[bare[0]] = replace(bare[0], labels=of[0].labels)
        elif stem in named and not (len(of) == 1 and bare):
            left += [(text.labels, "its image is missing or has another text") for text in of if text.labels]
        else:
            missing += of
    return (*(pairs.get(item, item) for item in found), *missing), left


def _may_be_annotation(text: Path) -> bool:
    """Returns whether a text that no image has is one of objects, and no readme; an empty one may be."""
    return not _head(text).strip() or has_rows(text)


def _head(text: Path) -> bytes:
    try:
        with open_binary(text) as file:
            return bytes(file.read(_SNIFFED))
    except OSError:
        return b"?"
