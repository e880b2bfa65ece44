"""Progress for programs, as lines of JSON on stderr; and for people, what took how long."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tfrec_tools.system.options import Progress

_JSON_EVERY_S = 0.25


class Stages:
    """Says of each step that is over what was done and how long it took, where it took so many seconds."""

    def __init__(self, tell: Callable[[str], None], least_s: float) -> None:
        self._tell, self._least_s = tell, least_s
        self._step, self._done, self._since = "", 0, 0.0

    def noting(self, progress: Progress) -> Progress:
        def show(step: str, done: int, total: int | None, note: str = "") -> None:
            if step != self._step:
                self.end()
                self._step, self._since = step, time.monotonic()
            self._done = done
            progress(step, done, total, note)

        return show

    def end(self) -> None:
        seconds = time.monotonic() - self._since
        if self._step and seconds >= self._least_s:
            self._tell(f"{self._step}: {f'{self._done:,} in ' if self._done else ''}{seconds:.1f} s")
        self._step = ""


class JsonLines:
    """A line of JSON a step and quarter of a second, and one when a step is over, which says so."""

    def __init__(self) -> None:
        self._state: dict[str, Any] = {}
        self._said_at = 0.0

    def show(self, step: str, done: int, total: int | None, note: str = "") -> None:
        if self._state and self._state["stage"] != step:
            self.end()
        self._state = {"stage": step, "done": done, "total": total, "note": note}
        if time.monotonic() - self._said_at > _JSON_EVERY_S:
            self._say(final=False)

    def end(self) -> None:
        if self._state:
            self._say(final=True)
        self._state = {}

    def _say(self, *, final: bool) -> None:
        self._said_at = time.monotonic()
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        print(json.dumps({"time": moment, **self._state, "final": final}), file=sys.stderr, flush=True)  # noqa: T201
