"""What goes wrong through the user's input, as values with one line each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path


class TfrecError(Exception):
    """A fault of the input or of the machine that the user can mend; its text is one line."""


class InputError(TfrecError):
    """A file that cannot be used: which one, where in it, what was found and what was expected."""

    def __init__(self, path: Path | str, reason: str, *, where: str = "") -> None:
        self.path = str(path)
        self.where = where
        self.reason = reason
        super().__init__(": ".join(part for part in (self.path, where, reason) if part))

    def __reduce__(self) -> tuple[Callable[[str, str, str], InputError], tuple[str, str, str]]:
        return _input_error, (self.path, self.reason, self.where)


def _input_error(path: str, reason: str, where: str) -> InputError:
    """Made again in another process; an exception's own way takes no keywords."""
    return InputError(path, reason, where=where)


class Interrupted(TfrecError):  # noqa: N818  (as KeyboardInterrupt)
    """Stopped by the user, with all kept that is needed to go on."""


class LabelConflict(TfrecError):  # noqa: N818
    """Label maps that contradict themselves or each other; every contradiction is listed."""

    def __init__(self, subject: Path | str, conflicts: Sequence[str]) -> None:
        self.subject = str(subject)
        self.conflicts = tuple(conflicts)
        super().__init__(f"{self.subject}: " + "; ".join(self.conflicts))

    def __reduce__(self) -> tuple[type[LabelConflict], tuple[str, tuple[str, ...]]]:
        return LabelConflict, (self.subject, self.conflicts)
