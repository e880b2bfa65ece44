"""How the command that runs speaks: JSON or text on stdout, which progress and which notes on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal

from tfrec_tools.cli.shown import say, write
from tfrec_tools.cli.width import columns, wrapped
from tfrec_tools.errors import Parts

Kind = Literal["auto", "bar", "json", "none"]


@dataclass(slots=True)
class Manner:
    """What the command line asks for; `said` once there is a document on stdout, beside which no other may
    stand; `above` prints lines over what is drawn on stderr, while anything is."""

    json: bool = False
    progress: Kind = "auto"
    quiet: bool = False
    verbose: bool = False
    all_classes: bool = False
    said: bool = False
    above: Callable[[str], None] | None = None

    @property
    def progress_here(self) -> Literal["bar", "lines", "json", "none"]:
        """What --progress means where stderr goes."""
        if self.progress != "auto":
            return self.progress
        return "none" if self.quiet else "bar" if sys.stderr.isatty() else "lines"


_manner: ContextVar[Manner] = ContextVar("manner")


@contextmanager
def of(words: Sequence[str]) -> Iterator[Manner]:
    """The manner of a command line while it runs. Before its options are read its words alone say whether
    JSON or silence is wanted, as for what is wrong with them."""
    own = words[: words.index("--")] if "--" in words else words
    manner = Manner(json="--json" in own, quiet="--quiet" in own)
    token = _manner.set(manner)
    try:
        yield manner
    finally:
        _manner.reset(token)


def settle(values: dict[str, Any]) -> None:
    """Takes the options of how to speak out of a command's, but for `json`, which commands want to know."""
    manner = now()
    manner.json = manner.json or bool(values.get("json"))
    manner.progress, manner.quiet, manner.verbose = (
        values.pop(name) for name in ("progress", "quiet", "verbose")
    )
    manner.all_classes = values.pop("all_classes", False)


def now() -> Manner:
    """That of the command that runs; the usual one outside of any."""
    return _manner.get(Manner())


def say_document(document: Any) -> None:
    """Prints a command's result as JSON: a value, or the text of a document. As text, so that what a console
    lacks is escaped."""
    import msgspec

    if not isinstance(document, str):
        document = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
    now().said = True
    write(document, nl=not document.endswith("\n"))


def say_error(parts: Parts, message: str, code: int) -> None:
    """Prints an error as JSON where that is wanted, and nothing stands on stdout yet."""
    from dataclasses import asdict

    if now().json and not now().said:
        say_document({"error": {"code": code, "message": message, **asdict(parts)}})


def note(text: str) -> None:
    """Says on stderr what is neither result nor error, unless nobody wants to hear of it."""
    if now().quiet:
        return
    above, line = now().above, f"tfrec: {text}"
    if above is None:
        say(line, err=True)
    else:
        above(wrapped(line, columns(sys.stderr)))
