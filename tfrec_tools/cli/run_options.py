"""The options of a command as names and simple values, as `--config` reads them and a run keeps them."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any

import typer

# They say where a run goes and what is shown of it, not what it is.
_NOT_OF_THE_RUN = frozenset({"config", "out", "resume", "dry-run", "json", "help"})
_NEVER_IN_A_FILE = frozenset({"config", "help"})


def use_config(context: typer.Context, path: Path | None) -> Path | None:
    """Makes what the file says the defaults of the command, so that the command line wins. InputError where
    it names no option of the command."""
    from tfrec_tools.detector.training.run_toml import read_options
    from tfrec_tools.errors import InputError

    if path is not None:
        names = {option: name for name, option in _options(context).items() if option not in _NEVER_IN_A_FILE}
        given = read_options(path)
        if unknown := [option for option in given if option not in names]:
            raise InputError(
                path, f"no such option, expected one of {', '.join(sorted(names))}", where=unknown[0]
            )
        context.default_map = {names[option]: value for option, value in given.items()}
    return path


def of_the_run(context: typer.Context) -> dict[str, Any]:
    """{option: its value}, those left out that have none."""
    options = _options(context)
    values = {options[name]: _simple(value) for name, value in context.params.items() if name in options}
    return {
        option: value
        for option, value in values.items()
        if option not in _NOT_OF_THE_RUN and value not in (None, [])
    }


def _options(context: typer.Context) -> dict[str, str]:
    """{parameter: long name of its option}"""
    return {
        str(parameter.name): parameter.opts[0].removeprefix("--")
        for parameter in context.command.params
        if parameter.param_type_name == "option"
    }


def _simple(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_simple(one) for one in value]
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value
