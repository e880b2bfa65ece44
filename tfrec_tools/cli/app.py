"""The command `tfrec`: words in, words out. What a command needs is imported when it runs, so that
`tfrec --help` is quick and no command pays for another's libraries."""

from __future__ import annotations

import codecs
import errno
import gc
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from tfrec_tools import __version__
from tfrec_tools.cli import manner
from tfrec_tools.cli.exits import Exit, listed
from tfrec_tools.cli.options import example_of
from tfrec_tools.cli.shown import shown
from tfrec_tools.errors import Interrupted, Parts, TfrecError, readable

# New objects between two searches for circles among them. Modules and annotations are hundreds of thousands,
# all of which stay: at Python's 700 the searches take an eighth of the start.
_COLLECT_EVERY = 100_000


# In the order of `tfrec --help`; each is a module here with a function of its name, - for _, and a COMMAND
# where its class is not typer's.
COMMANDS = (
    "convert",
    "validate",
    "verify",
    "inspect",
    "preview",
    "merge-labels",
    "remap",
    "extract",
    "finetune",
    "detect",
    "evaluate",
    "compare",
    "export",
    "models",
    "config",
)


_UsageError: Any = typer.BadParameter.__bases__[0]  # which typer has no name for
_WORDS = "tfrec.words"
_HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"]}


def _unwrapped(text: str) -> str:
    """Each paragraph on one line, for the terminal to wrap."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


class _Commands(TyperGroup):
    """Makes only the commands that are asked for, and turns what one may raise through no fault of the
    program into one line and an exit code."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            known: Any = dict.fromkeys(COMMANDS)
            self.commands = known  # of these typer suggests one
            return None
        name = cmd_name.replace("-", "_")
        module = import_module(f"tfrec_tools.cli.{name}")
        function = getattr(module, name)
        alone = typer.Typer(add_completion=False)
        alone.command(
            cmd_name,
            cls=getattr(module, "COMMAND", None),
            help=_unwrapped(function.__doc__),
            epilog=f"{example_of(function)}\n\nExit codes: see tfrec --help.",
            context_settings=_HELP,
        )(function)
        return typer.main.get_command(alone)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and command is not None:
            _warn_of_unknown_variables(f"{ctx.auto_envvar_prefix}_{name}".upper().replace("-", "_"), command)
        return name, command, rest

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keeps the words, by which is known how to speak before they are understood."""
        ctx.meta[_WORDS] = list(args)
        with manner.of(args), _usage_in_json():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        with manner.of(ctx.meta[_WORDS]):
            try:
                with _usage_in_json():
                    return super().invoke(ctx)
            except KeyboardInterrupt:
                _fail("interrupted", Parts(found="interrupted"), Exit.INTERRUPTED)
            except Interrupted as fault:
                _fail(str(fault), fault.parts, Exit.INTERRUPTED)
            except TfrecError as fault:
                _fail(str(fault), fault.parts, Exit.UNUSABLE)
            except OSError as fault:
                if fault.errno == errno.EPIPE:
                    _end_unheard()
                _fail(_os_reason(fault), _os_parts(fault), Exit.UNUSABLE)


@contextmanager
def _usage_in_json() -> Iterator[None]:
    """Says what is wrong with a command line as JSON too, where that is wanted."""
    try:
        yield
    except _UsageError as fault:
        hint = f"see {fault.ctx.command_path if fault.ctx else 'tfrec'} --help"
        parameter = getattr(fault, "param", None)
        option = getattr(fault, "option_name", "") or (parameter.opts[0] if parameter is not None else "")
        message = " ".join(fault.format_message().split())
        manner.say_error(Parts(option, found=message, hint=hint), message, Exit.WRONG_WORDS)
        raise


def _warn_of_unknown_variables(prefix: str, command: Any) -> None:
    """Names variables of the environment that look like a command's options and are none."""
    known = [str(parameter.name).upper() for parameter in command.params]
    for variable in sorted(os.environ):
        name = variable.removeprefix(f"{prefix}_")
        if name not in (variable, *known):
            from difflib import get_close_matches

            near = get_close_matches(name, known, 1)
            advice = f"; did you mean {prefix}_{near[0]}?" if near else ""
            manner.note(f"warning: {variable} is no option of this command{advice}")


app = typer.Typer(
    cls=_Commands,
    help="Prepare object-detection data for TensorFlow, and grow detectors by new classes.",
    epilog=listed(),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=_HELP | {"auto_envvar_prefix": "TFREC"},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"tfrec {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            show_envvar=False,
            callback=_version,
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command line; exit codes are those of `exits`."""
    gc.set_threshold(_COLLECT_EVERY)
    if not sys.warnoptions:  # what libraries warn their callers of is nothing that a user could mend
        warnings.simplefilter("ignore")
    os.environ.setdefault(
        "OPENBLAS_NUM_THREADS", "1"
    )  # numpy starts as many threads as cores, for no use here
    _escape_what_the_console_lacks()
    try:
        app()
    finally:
        gc.freeze()  # what is left ends with the process; to search it for circles first takes 0.03 s


def _escape_what_the_console_lacks() -> None:
    """Letters that a console's encoding lacks are printed as JSON escapes them, so that JSON stays JSON."""
    codecs.register_error("tfrec", _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="tfrec")


def _escaped(fault: UnicodeError) -> tuple[str, int]:
    if not isinstance(fault, UnicodeEncodeError):
        raise fault
    import json

    lacking = fault.object[fault.start : fault.end]
    return "".join(json.dumps(letter)[1:-1] for letter in lacking), fault.end


def _fail(reason: str, parts: Parts, code: Exit) -> NoReturn:
    message = " ".join(reason.split())
    manner.say_error(parts, message, code)
    _line(f"error: {message}")
    raise typer.Exit(code)


def _end_unheard() -> NoReturn:
    """Who read stdout has gone: what is left to be written there, when Python ends, goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(Exit.UNHEARD)


def _line(text: str) -> None:
    print(f"tfrec: {shown(text)}", file=sys.stderr)  # noqa: T201


def _os_reason(fault: OSError) -> str:
    return ": ".join(str(part) for part in (fault.filename, fault.strerror or fault) if part)


def _os_parts(fault: OSError) -> Parts:
    return Parts(readable(str(fault.filename or "")), "", fault.strerror or str(fault))
