"""A folder of results that a command makes whole (detect, export). It says itself what it was made of, in its
made_of.json, so that the same command again has nothing to do, wherever the folder was copied to, and what
differs is told."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from tfrec_tools import __version__
from tfrec_tools.dataset.changes import Change, Outcome, differing, told
from tfrec_tools.errors import InputError
from tfrec_tools.system import locks
from tfrec_tools.system.atomic import published_folder, restored
from tfrec_tools.system.regular_files import read_bytes

FILE = "made_of.json"
_OTHER = "give another --out, or remove it"
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Origin:
    """What a folder is made of.

    command    that makes it
    options    on which what is written depends, as the user said them
    versions   of the libraries that count
    inputs     {what is read: a text that differs where that does}
    """

    command: str
    options: dict[str, str]
    versions: dict[str, str]
    inputs: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Note:
    """What made_of.json says: `files` are {path below the folder: bytes} of those that were written, `result`
    is what the command had to say of them."""

    tool_version: str
    made_of: Origin
    files: dict[str, int]
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Standing(Generic[_Result]):
    """What stands where a folder is to be written, and so what is to be done: `made` where nothing does,
    `unchanged` where it is that folder, with its `result`, `rebuilt` where it is to give way as it `changed`.
    """

    outcome: Outcome
    changed: tuple[Change, ...] = ()
    result: _Result | None = None


def standing(out: Path, origin: Origin, kind: type[_Result], *, if_changed: bool) -> Standing[_Result]:
    """Raises InputError where something else stands there, or what was made of something else and may not be
    replaced: nobody asked for it, or files would go that are not its own.

    kind   of the result
    """
    if not os.path.lexists(out) or (out.is_dir() and not any(out.iterdir())):
        return Standing("made")
    if not (out / FILE).is_file():
        raise InputError(out, f"is there already, and has no {FILE} that says what of; {_OTHER}")
    note = _note(out)
    if note is not None and note.made_of.command != origin.command:
        raise InputError(out, f"is there already, made by `tfrec {note.made_of.command}`; {_OTHER}")
    result = None if note is None else _result(note, kind)
    if note is None or result is None:
        changed: tuple[Change, ...] = (Change("output", f"its {FILE} cannot be read"),)
    else:
        changed = tuple(_changes(out, note, origin))
    if not changed:
        return Standing("unchanged", (), result)
    if not if_changed:
        reason = f"is there already, {told(changed)}"
        raise InputError(out, f"{reason}; replace it with --if-changed, or give another --out")
    _require_own(out, note)
    return Standing("rebuilt", changed)


@contextmanager
def claimed(out: Path) -> Iterator[None]:
    """No other run fills the folder until the block ends. Raises InputError where one does."""
    with locks.held(out, "folder"):
        restored(out)
        yield


@contextmanager
def filled(out: Path, stands: Standing[Any]) -> Iterator[Path]:
    """Yields a temporary folder to fill, which takes the place of what stands there when the block ends
    well."""
    with published_folder(out, replaces=stands.outcome == "rebuilt") as part:
        yield part


def note(folder: Path, origin: Origin, result: Any) -> None:
    """Says what a folder was made of, when all else is in it; `result` is a dataclass."""
    said = _Note(__version__, origin, sizes_below(folder), msgspec.to_builtins(result))
    (folder / FILE).write_bytes(msgspec.json.format(msgspec.json.encode(said), indent=2) + b"\n")


def sizes_below(folder: Path) -> dict[str, int]:
    """Returns {path: bytes} of the files below a folder, by name."""
    found = {
        path.relative_to(folder).as_posix(): path.lstat().st_size
        for where, _, files in os.walk(folder)
        for path in (Path(where, name) for name in files)
    }
    return dict(sorted(found.items()))


def _note(out: Path) -> _Note | None:
    try:
        return msgspec.json.decode(read_bytes(out / FILE), type=_Note)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _result(note: _Note, kind: type[_Result]) -> _Result | None:
    try:
        return msgspec.convert(note.result, kind)
    except msgspec.ValidationError:
        return None


def _changes(out: Path, note: _Note, origin: Origin) -> Iterator[Change]:
    """Yields what differs from what a folder was made of."""
    before = note.made_of
    inputs = _other(before.inputs, origin.inputs)
    options = differing(before.options, origin.options, "--{}", "default")
    versions = differing(
        {"tfrec": note.tool_version, **before.versions},
        {"tfrec": __version__, **origin.versions},
        "{}",
        "none",
    )
    if inputs:
        yield Change("input", f"{inputs} changed")
    if options:
        yield Change("options", options)
    if versions:
        yield Change("version", versions)
    sizes = sizes_below(out)
    bad = [path for path, size in note.files.items() if sizes.get(path) != size]
    if bad:
        more = f" and {len(bad) - 1} more file(s)" if bad[1:] else ""
        yield Change("output", f"{bad[0]}{more} missing or of another size")


def _other(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    names = dict.fromkeys((*before, *now))
    return ", ".join(name for name in names if before.get(name) != now.get(name))


def _require_own(out: Path, note: _Note | None) -> None:
    if out.is_symlink():
        raise InputError(out, f"is a link, expected the folder itself; {_OTHER}")
    known = {FILE, *(note.files if note else ())}
    foreign = next((path for path in sizes_below(out) if path not in known), None)
    if foreign is not None:
        raise InputError(out, f"holds {foreign}, which it was not made with; move it away, or {_OTHER}")
