"""Functions of a command's options, called with the options themselves as keywords."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from tfrec_tools.errors import InputError
from tfrec_tools.system.options import declarations

P = ParamSpec("P")
Made = TypeVar("Made")
Result = TypeVar("Result")


def taking(options: Callable[P, Made]) -> Callable[[Callable[[Made], Result]], Callable[P, Result]]:
    """Makes a function of a dataclass of options one of its fields: `convert("a.json", out="records/train")`.
    The docstring goes on with what each of them means."""

    def decorated(function: Callable[[Made], Result]) -> Callable[P, Result]:
        @wraps(function)
        def call(*args: P.args, **keywords: P.kwargs) -> Result:
            return in_one_line(function)(options(*args, **keywords))

        call.__doc__ = f"{inspect.getdoc(function)}\n\n{_described(options)}"
        call.__signature__ = inspect.signature(options)  # type: ignore[attr-defined]
        return call

    return decorated


def in_one_line(function: Callable[P, Result]) -> Callable[P, Result]:
    """Makes a function raise InputError where a file cannot be opened, read or written, as for every other
    fault of what it is given."""

    @wraps(function)
    def call(*args: P.args, **keywords: P.kwargs) -> Result:
        try:
            return function(*args, **keywords)
        except OSError as fault:
            raise InputError(str(fault.filename or "the system"), fault.strerror or str(fault)) from fault

    return call


def _described(options: Any) -> str:
    lines = [f"{declared.name}: {declared.option.help}" for declared in declarations(options)]
    lines.append("progress: Called meanwhile as progress(step, done, total, note).")
    return "\n".join(lines)
