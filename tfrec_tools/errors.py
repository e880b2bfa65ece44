"""What goes wrong through the user's input, as values with one line each."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_LONGEST = 2000  # characters of a reason; a file may hold a name of megabytes
# What is quoted as Python or JSON quotes it, or stands in brackets; an apostrophe within a word is none.
_HELD = re.compile(r"(?<!\w)'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\([^()]*\)|\[[^\[\]]*\]")
_LONE = re.compile(r"[\ud800-\udfff]")  # half a surrogate pair, which Python has for bytes that are no UTF-8


def readable(text: str) -> str:
    """Returns a text that can be written as UTF-8: each byte of a file name that is none as \\xNN."""
    return text if text.isascii() else _LONE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number - 0xDC00:02x}" if 0xDC80 <= number <= 0xDCFF else f"\\u{number:04x}"


def counted(number: int, noun: str) -> str:
    """Returns a number of things in words: "1 box", "2 boxes", "0 classes"."""
    return f"{number} {inflected(number, noun)}"


def inflected(number: int, noun: str) -> str:
    """Returns the word for so many things."""
    plural = f"{noun}es" if noun.endswith(("s", "x")) else f"{noun}s"
    return noun if number == 1 else plural


def listed(words: Sequence[str], most: int = 8) -> str:
    """Returns words as a list in a sentence, of many the first ones: "a, b and 98 more"."""
    if len(words) <= most + 2:
        return ", ".join(words)
    return f"{', '.join(words[:most])} and {len(words) - most} more"


def short(text: str) -> str:
    """Returns a text as it is, or the beginning and the end of one that would fill a screen."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST - 500]} ... ({len(text)} characters in all) ... {text[-300:]}"


@dataclass(frozen=True, slots=True)
class Parts:
    """What an error says, for programs; "" where it does not say that.

    path       the file or folder, or the option, that cannot be used; `where` in it
    found      what stands there, or what is wrong
    expected   what could be used; hint: what to do
    """

    path: str = ""
    where: str = ""
    found: str = ""
    expected: str = ""
    hint: str = ""


class TfrecError(Exception):
    """A fault of the input or of the machine that the user can mend; its text is one line."""

    @property
    def parts(self) -> Parts:
        return parts_of(str(self))


def parts_of(reason: str, path: str = "", where: str = "") -> Parts:
    """Returns the parts of a reason in the form of ours, `FOUND, expected EXPECTED; HINT`, of which each may
    be missing. What stands in quotes or brackets is of one part."""
    first, _, hint = _split(reason, "; ")
    found, _, expected = _split(first, ", expected ")
    if not expected:
        found, _, expected = _split(first, "expected ")
    return Parts(path, where, found.strip(" ,"), expected, hint)


def _split(text: str, mark: str) -> tuple[str, str, str]:
    """As str.partition, at the first mark outside of quotes and brackets."""
    plain = _HELD.sub(lambda held: "_" * len(held[0]), text)
    at = plain.find(mark)
    return (text, "", "") if at < 0 else (text[:at], mark, text[at + len(mark) :])


class InputError(TfrecError):
    """A file that cannot be used: which one, where in it, what was found and what was expected."""

    def __init__(self, path: Path | str, reason: str, *, where: str = "") -> None:
        self.path = str(path)
        self.where = short(where)
        self.reason = short(reason)
        super().__init__(readable(": ".join(part for part in (self.path, self.where, self.reason) if part)))

    @property
    def parts(self) -> Parts:
        return parts_of(readable(self.reason), readable(self.path), readable(self.where))

    def __reduce__(self) -> tuple[Callable[[str, str, str], InputError], tuple[str, str, str]]:
        return _input_error, (self.path, self.reason, self.where)


def _input_error(path: str, reason: str, where: str) -> InputError:
    """Made again in another process; an exception's own way takes no keywords."""
    return InputError(path, reason, where=where)


class AccountError(TfrecError):
    """What was found in a source is not what was written and dropped: a fault of ours, which may not pass."""

    def __init__(self, subject: Path | str, found: int, written: int, dropped: int, what: str) -> None:
        super().__init__(
            f"{subject}: the account of its {what} does not add up: {found} found, {written} written, "
            f"{dropped} dropped; nothing was written. This is a fault of tfrec, not of the input: please "
            "report it"
        )


class Interrupted(TfrecError):  # noqa: N818  (as KeyboardInterrupt)
    """Stopped by the user, with all kept that is needed to go on."""


class LabelConflict(TfrecError):  # noqa: N818
    """Label maps that contradict themselves or each other; every contradiction is listed."""

    def __init__(self, subject: Path | str, conflicts: Sequence[str]) -> None:
        self.subject = str(subject)
        self.conflicts = tuple(map(short, conflicts))
        super().__init__(f"{self.subject}: " + "; ".join(self.conflicts))

    @property
    def parts(self) -> Parts:
        return Parts(self.subject, "", "; ".join(self.conflicts), "label maps that agree")

    def __reduce__(self) -> tuple[type[LabelConflict], tuple[str, tuple[str, ...]]]:
        return LabelConflict, (self.subject, self.conflicts)
