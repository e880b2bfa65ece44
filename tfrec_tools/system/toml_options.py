"""Options as a TOML file: read by `--config`, kept by a training run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from tfrec_tools.errors import InputError
from tfrec_tools.system.regular_files import read_text
from tfrec_tools.system.remote_path import require_local

Value = str | int | float | bool | list[str]
_MOST_CHARACTERS = 1_000_000
_MOST_PARTS = 100  # of a dotted name; tomllib takes their square in time
_MANY_PARTS = re.compile(rf"""(?<![\w"'-])(?:[\w"'-]++[ \t]*+\.[ \t]*+){{{_MOST_PARTS}}}""")
Values = Mapping[str, Value]  # {long name of the option, without its dashes: what it is set to}


def format_options(options: Values) -> str:
    """The inverse of `read_options`."""
    return "".join(f"{name} = {_format(value)}\n" for name, value in options.items())


def read_options(path: Path) -> dict[str, Value]:
    """Raises InputError where it is no TOML, or holds what no option can be."""
    import tomllib

    require_local(path, "--config")
    try:
        text = read_text(path, "utf-8-sig")
        if len(text) > _MOST_CHARACTERS or _MANY_PARTS.search(text):
            reason = f"is no file of options: expected at most {_MOST_CHARACTERS} characters, and names of "
            raise InputError(path, f"{reason}fewer than {_MOST_PARTS} parts with dots between them")
        options = tomllib.loads(text)
    except RecursionError as fault:
        raise InputError(path, "cannot be read as TOML (is nested too deeply)") from fault
    except (OSError, ValueError) as fault:  # no UTF-8, no TOML, a number of thousands of digits
        raise InputError(path, f"cannot be read as TOML ({fault})") from fault
    for name, value in options.items():
        if not _is_simple(value):
            raise InputError(
                path, f"found {value!r}, expected text, a number, true, false or a list", where=name
            )
    return options


def _is_simple(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return isinstance(value, str | int | float)


def _format(value: Value) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_format, value))}]"
    if isinstance(value, str):  # JSON's escapes are TOML's too, but it leaves DEL as it is
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool) else repr(value)
