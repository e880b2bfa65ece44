"""The image files of records: found by name, in any case and below any folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ImageRecord, Place
from tfrec_tools.errors import InputError
from tfrec_tools.images.loading import has_image_suffix
from tfrec_tools.system.remote_path import files_below, is_file

Found = tuple[Path | None, tuple[Issue, ...]]


@dataclass(frozen=True, slots=True)
class _Index:
    """The files below a folder by base name, and its pictures by base name without suffix; both in lower
    case."""

    by_name: dict[str, list[Path]]
    by_stem: dict[str, list[Path]]


def places(records: Sequence[ImageRecord], folder: Path) -> tuple[list[Place | None], tuple[Issue, ...]]:
    """Where the picture of each record is: where the record itself says, in `folder` as named, else
    anywhere below it by base name in any case. None, with an issue, where it is missing or ambiguous.

    A picture that has the name of the annotation's own file wins over the one that the annotation names,
    and one that differs in the suffix alone is taken; both are reported. InputError where there is no
    such folder.
    """
    finder = Finder(folder)
    found = [finder.find(record) for record in records]
    return [place for place, _ in found], tuple(issue for _, odd in found for issue in odd)


class Finder:
    """Finds pictures in a folder, one by one; the folder is searched once, when a picture does not lie where
    its record says."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index: _Index | None = None

    def find(self, record: ImageRecord) -> tuple[Place | None, tuple[Issue, ...]]:
        """As `places`, of one record."""
        if (place := record.place or _direct(record, self._folder)) is not None:
            return place, ()
        if self._index is None:
            if not self._folder.is_dir():
                raise InputError(self._folder, "is no folder; expected the folder of the images")
            self._index = _index(self._folder)
        path, odd = _search(self._folder, self._index, record)
        return None if path is None else Place(path), odd


def _direct(record: ImageRecord, folder: Path) -> Place | None:
    """The file that the record names, unless the annotation's own file has another name."""
    if record.stem and record.stem != _relative(record.filename).stem:
        return None
    path = folder / _slashed(record.filename)
    return Place(path) if is_file(path) else None


def _search(folder: Path, index: _Index, record: ImageRecord) -> Found:
    relative = _relative(record.filename)
    exact = folder / relative
    named = [exact] if is_file(exact) else _closest(index.by_name, relative.name, relative)
    if record.stem and record.stem != relative.stem:
        own = _closest(index.by_stem, record.stem, relative.with_name(record.stem))
        if own and own != named:
            return _one(folder, record, own, _mismatch(record, own[0], named))
    if named:
        return _one(folder, record, named, ())
    alike = _closest(index.by_stem, _stem(relative.name), relative.with_suffix(""))
    if alike:
        renamed = has_image_suffix(relative.name)
        return _one(folder, record, alike, _mismatch(record, alike[0], []) if renamed else ())
    reason = f"image {record.filename!r} is nowhere in {folder}; is --images right?"
    return None, (Issue("image-missing", record.source, None, reason, False),)


def _one(folder: Path, record: ImageRecord, candidates: list[Path], odd: tuple[Issue, ...]) -> Found:
    if len(candidates) == 1:
        return candidates[0], odd
    listed = ", ".join(sorted(str(path.relative_to(folder)) for path in candidates)[:3])
    reason = f"image {record.filename!r} could be any of {len(candidates)} files in {folder}: {listed}"
    return None, (Issue("image-ambiguous", record.source, None, reason, False),)


def _mismatch(record: ImageRecord, taken: Path, named: list[Path]) -> tuple[Issue, ...]:
    what = "another picture" if named else "nowhere"
    message = f"its file name {record.filename!r} is {what}; {taken.name} was taken"
    return (Issue("filename-mismatch", record.source, None, message, True),)


def _relative(filename: str) -> PurePosixPath:
    return PurePosixPath(_slashed(filename))


def _slashed(filename: str) -> str:
    """A file name of any system as a path below a folder."""
    return filename.replace("\\", "/").lstrip("/") or "?"


def _stem(name: str) -> str:
    """The name without a picture's suffix; other dots are part of it."""
    return PurePosixPath(name).stem if has_image_suffix(name) else name


def _index(folder: Path) -> _Index:
    index = _Index({}, {})
    for path in files_below(folder):
        index.by_name.setdefault(path.name.lower(), []).append(path)
        if has_image_suffix(path.name):
            index.by_stem.setdefault(path.stem.lower(), []).append(path)
    return index


def _closest(index: dict[str, list[Path]], name: str, relative: PurePosixPath) -> list[Path]:
    """The files of a name; of several those whose folders, and then whose case, agree as well."""
    candidates = index.get(name.lower(), [])
    ending = f"/{relative}".lower()
    candidates = _narrowed(candidates, (path for path in candidates if _ends(path, ending)))
    return _narrowed(candidates, (path for path in candidates if name in (path.name, path.stem)))


def _ends(path: Path, ending: str) -> bool:
    return path.as_posix().lower().endswith(ending) or path.with_suffix("").as_posix().lower().endswith(
        ending
    )


def _narrowed(candidates: list[Path], closer: Iterable[Path]) -> list[Path]:
    return (list(closer) or candidates) if len(candidates) > 1 else candidates
