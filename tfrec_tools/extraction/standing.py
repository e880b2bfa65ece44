"""An extraction that stands where one is to be written: whether it is that one already, and in what it
differs.

It says itself what it was made of (`digest` in its extraction.json) and which files it has
(extraction.files, JSON: {path below the folder: bytes}), so that this is known wherever it was copied to, and
that nothing else is removed with it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from tfrec_tools import __version__
from tfrec_tools.dataset.changes import Change, differing, told
from tfrec_tools.dataset.made_folder import sizes_below
from tfrec_tools.dataset.manifest import SourceAccount
from tfrec_tools.errors import InputError, counted, readable
from tfrec_tools.system.regular_files import read_bytes

SUMMARY = "extraction.json"
FILES = "extraction.files"
ADVICE = "give another --out"
_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True)
class Summary:
    """What an extraction holds, as its extraction.json says it.

    format       of the annotations
    splits       {name: images}; none where the records have none
    classes      {name: boxes}, in the order of the label map
    unsaid       {what: number} of boxes, or images, of which the format cannot say it; names are those of
                 records' features
    issues       how many there are of each code
    accounting   what became of all boxes and images of the records
    digest       of records, options and version; "" where an earlier tfrec wrote it
    """

    tool_version: str
    format: str
    options: dict[str, str]
    images: int
    boxes: int
    splits: dict[str, int]
    classes: dict[str, int]
    unsaid: dict[str, int]
    issues: dict[str, int]
    accounting: SourceAccount
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What its files say: None where one cannot be read."""

    summary: Summary | None
    files: dict[str, int] | None


def standing(out: Path) -> Standing | None:
    """Returns the extraction that is there; None where there is nothing. Raises InputError where something
    else is."""
    if not os.path.lexists(out):
        return None
    if out.is_symlink() or not out.is_dir():
        raise InputError(out, f"is there already, and is no folder; {ADVICE}")
    if not any(out.iterdir()):
        return None
    if not (out / SUMMARY).is_file():
        raise InputError(out, f"is there already, and is no extraction (it has no {SUMMARY}); {ADVICE}")
    return Standing(_decoded(out / SUMMARY, Summary), _decoded(out / FILES, dict[str, int]))


def _decoded(path: Path, kind: type[_Made]) -> _Made | None:
    try:
        return msgspec.json.decode(read_bytes(path), type=kind)
    except (OSError, InputError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def require_name(out: Path) -> None:
    """Raises InputError where a folder cannot have that name."""
    if out.name in ("", ".."):
        raise InputError(out, "is no name for a folder; give one to --out")
    if readable(str(out)) != str(out):
        raise InputError(out, f"is no UTF-8; {ADVICE}")


def changes(out: Path, there: Standing, options: dict[str, str], digest: str) -> tuple[Change, ...]:
    """Returns what differs from what an extraction was made of, none where it is the one that is wanted."""
    return tuple(_changes(out, there, options, digest))


def _changes(out: Path, there: Standing, options: dict[str, str], digest: str) -> Iterator[Change]:
    before = there.summary
    if before is None or there.files is None:
        lacking = SUMMARY if before is None else FILES
        yield Change(
            "output", f"it has no {lacking} that can be read, as those of earlier versions have none"
        )
        return
    of_options = differing(before.options, options, "--{}", "default")
    of_version = differing({"tfrec": before.tool_version}, {"tfrec": __version__}, "{}", "none")
    if of_options:
        yield Change("options", of_options)
    if of_version:
        yield Change("version", of_version)
    if before.digest != digest and not of_options and not of_version:
        yield Change("input", "records or label map are not what they were")
    sizes = sizes_below(out)
    other = [path for path, size in there.files.items() if sizes.get(path) != size]
    if other:
        more = f" and {counted(len(other) - 1, 'more file')}" if other[1:] else ""
        yield Change("output", f"{other[0]}{more} missing or of another size")


def require_replaceable(
    out: Path, there: Standing, changed: tuple[Change, ...], *, overwrite: bool, if_changed: bool
) -> None:
    """Raises InputError where an extraction may not be replaced: nobody asked for it, or with --if-changed
    files would go that are not its own."""
    if overwrite:
        return
    if not if_changed:
        how = f"replace it with --if-changed or --overwrite, or {ADVICE}"
        raise InputError(out, f"is there already, {told(changed)}; {how}")
    known = {SUMMARY, FILES, *(there.files or ())}
    foreign = next((path for path in sizes_below(out) if path not in known), None)
    if foreign is not None:
        reason = f"holds {foreign}, which the extraction did not write"
        raise InputError(out, f"{reason}; move it away, replace all with --overwrite, or {ADVICE}")
