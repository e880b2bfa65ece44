"""The image files of records: found by name, in any case and below any folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ByteRange, ImageRecord
from tfrec_tools.errors import InputError
from tfrec_tools.images import claims
from tfrec_tools.images.loading import has_image_suffix
from tfrec_tools.images.stated_paths import fit, folders, inside, key, leads_out
from tfrec_tools.system.litter import sifted
from tfrec_tools.system.regular_files import stamp_of
from tfrec_tools.system.remote_path import RemotePath, files_below, is_file

_UPLOADED = re.compile(r"^[0-9a-f]{6,8}-")  # what Label Studio puts before the name of a file at its upload
Located = tuple[Path | None, tuple[Issue, ...]]


@dataclass(frozen=True, slots=True)
class _Index:
    """The files below a folder by base name, and its images by base name without suffix; both as `key` has
    them, and after their own folder and a slash, too."""

    by_name: dict[str, list[Path]]
    by_stem: dict[str, list[Path]]


def places(records: Sequence[ImageRecord], folder: Path) -> tuple[list[ByteRange | None], tuple[Issue, ...]]:
    """Returns where the image of each record is: where the record itself says, in `folder` as named, else
    anywhere below it by base name in any case. None, with an issue, where it is missing or ambiguous.

    An image that has the name of the annotation's own file wins over the one that the annotation names, and
    one that differs in the suffix alone, or lies in a folder of another name, is taken; all are reported. Of
    records whose names contradict each other and lead to one file, at most one keeps it. Raises InputError
    where there is no such folder.
    """
    finder = Finder(folder)
    looked_up = [finder.find(record) for record in records]
    found = [place for place, _ in looked_up]
    rivals = claims.rivals(records, found, folder) if finder.has_searched else {}
    for number in rivals:
        found[number] = None
    issues = [(rivals[number],) if number in rivals else odd for number, (_, odd) in enumerate(looked_up)]
    return found, tuple(chain.from_iterable(issues))


class Finder:
    """Finds images in a folder, one by one; the folder is searched once, when an image does not lie where
    its record says."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index: _Index | None = None

    @property
    def has_searched(self) -> bool:
        return self._index is not None

    def find(self, record: ImageRecord) -> tuple[ByteRange | None, tuple[Issue, ...]]:
        """Finds the image of one record, as `places` does."""
        if (place := record.place or _direct(record, self._folder)) is not None:
            return place, ()
        if self._index is None:
            if not self._folder.is_dir():
                raise InputError(self._folder, "is no folder; expected the folder of the images")
            self._index = _index(self._folder)
        path, odd = _search(self._folder, self._index, record)
        return None if path is None else ByteRange(path), odd


def _direct(record: ImageRecord, folder: Path) -> ByteRange | None:
    """Returns the file that the record names, unless the annotation's own file has another name."""
    if record.stem and record.stem != _relative(record.filename).stem:
        return None
    if leads_out(record.filename):
        return None
    return _file(folder / _slashed(record.filename))


def _file(path: Path) -> ByteRange | None:
    """Returns a file with its size and time, which cost no more than to see that it is there."""
    if isinstance(path, RemotePath):
        return ByteRange(path) if path.is_file() else None
    try:
        stamp = stamp_of(os.stat(path))  # noqa: PTH116  names of any length, faster than Path.stat
    except (OSError, ValueError):
        return None
    return None if stamp is None else ByteRange(path, stamp=stamp)


def _search(folder: Path, index: _Index, record: ImageRecord) -> Located:
    """Searches the image of a record, never outside of the folder."""
    if not leads_out(record.filename):
        return _search_inside(folder, index, record)
    within = inside(record.filename)
    found, odd = _search_inside(folder, index, replace(record, filename=within))
    message = f"its file name {record.filename!r} leads out of {folder}; {within!r} was looked for inside"
    return found, (Issue("path-outside", record.source, None, message, True), *odd)


def _search_inside(folder: Path, index: _Index, record: ImageRecord) -> Located:
    relative = _relative(record.filename)
    exact = folder / relative
    named = [exact] if is_file(exact) else _closest(index.by_name, relative.name, relative)
    if record.stem and record.stem != relative.stem:
        own = _closest(index.by_stem, record.stem, relative.with_name(record.stem))
        if own and own != named:
            return _one(folder, record, own, _mismatch(folder, record, own[0], named))
    if named:
        return _one(folder, record, named, _elsewhere(folder, record, named[0]))
    alike = _closest(index.by_stem, _stem(relative.name), relative.with_suffix(""))
    if alike:
        renamed = has_image_suffix(relative.name)
        odd = _mismatch(folder, record, alike[0], []) if renamed else _elsewhere(folder, record, alike[0])
        return _one(folder, record, alike, odd)
    if original := _original(index, relative):
        return _one(folder, record, original, _mismatch(folder, record, original[0], []))
    nowhere = f"image {record.filename!r} is nowhere in {folder}; is --images right?"
    reason = nowhere if record.filename else "names no file of its image, expected its path"
    return None, (Issue("image-missing", record.source, None, reason, False),)


def _original(index: _Index, relative: PurePosixPath) -> list[Path]:
    """Returns the files of the name that an image had before it was uploaded, or escaped for an address, if
    it is such a one."""
    for name in (_UPLOADED.sub("", relative.name), unquote(relative.name)):
        is_other = name not in ("", ".", "..", relative.name) and "/" not in name
        if is_other and (found := _closest(index.by_name, name, relative.with_name(name))):
            return found
    return []


def _one(folder: Path, record: ImageRecord, candidates: list[Path], odd: tuple[Issue, ...]) -> Located:
    if len(candidates) == 1:
        return candidates[0], odd
    listed = ", ".join(sorted(str(path.relative_to(folder)) for path in candidates)[:3])
    reason = f"image {record.filename!r} could be any of {len(candidates)} files in {folder}: {listed}"
    return None, (Issue("image-ambiguous", record.source, None, reason, False),)


def _elsewhere(folder: Path, record: ImageRecord, taken: Path) -> tuple[Issue, ...]:
    """Returns an issue where the image lies in a folder of another name than is stated. A path from the root
    of another machine states none, nor does an image in the folder of images itself need one."""
    slashed = record.filename.replace("\\", "/")
    stated, found = PurePosixPath(slashed).parent.name, taken.relative_to(folder).parent.name
    from_root = slashed.startswith("/") or slashed[1:2] == ":"
    is_odd = not from_root and "" not in (stated, found) and key(stated) != key(found)
    return _mismatch(folder, record, taken, []) if is_odd else ()


def _mismatch(folder: Path, record: ImageRecord, taken: Path, named: list[Path]) -> tuple[Issue, ...]:
    what = "another image" if named else "nowhere"
    message = f"its file name {record.filename!r} is {what}; {taken.relative_to(folder).as_posix()} was taken"
    return (Issue("filename-mismatch", record.source, None, message, True),)


def _relative(filename: str) -> PurePosixPath:
    path = PurePosixPath(_slashed(filename))
    return path if path.name not in ("", "..") else path / "?"


def _slashed(filename: str) -> str:
    """Returns a file name of any system as a path below a folder."""
    return filename.replace("\\", "/").lstrip("/") or "?"


def _stem(name: str) -> str:
    """Returns the name without an image's suffix; other dots are part of it."""
    return PurePosixPath(name).stem if has_image_suffix(name) else name


def _index(folder: Path) -> _Index:
    index = _Index({}, {})
    files, _ = sifted(files_below(folder), folder)
    for path in files:
        _add(index.by_name, path, key(path.name))
        if has_image_suffix(path.name):
            _add(index.by_stem, path, key(path.stem))
    return index


def _add(index: dict[str, list[Path]], path: Path, name: str) -> None:
    for place in (name, f"{key(path.parent.name)}/{name}"):
        index.setdefault(place, []).append(path)


def _closest(index: dict[str, list[Path]], name: str, relative: PurePosixPath) -> list[Path]:
    """Returns the files of a name; of several those with which most folders, and then the case, agree as
    well."""
    stated = folders(relative.as_posix())
    in_folder = _existing(index.get(f"{stated[0]}/{key(name)}", [])) if stated else []
    candidates = in_folder or _existing(index.get(key(name), []))
    if len(candidates) > 1:
        fits = [fit(stated, path) for path in candidates]
        most = max(fits)
        candidates = [path for path, agreeing in zip(candidates, fits, strict=True) if agreeing == most]
    return _narrowed(candidates, (path for path in candidates if name in (path.name, path.stem)))


def _existing(paths: Iterable[Path]) -> list[Path]:
    """Returns those that are no links to nowhere."""
    return [path for path in paths if isinstance(path, RemotePath) or path.exists()]


def _narrowed(candidates: list[Path], closer: Iterable[Path]) -> list[Path]:
    return (list(closer) or candidates) if len(candidates) > 1 else candidates
