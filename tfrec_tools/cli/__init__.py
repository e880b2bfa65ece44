"""The command `tfrec`: words in, words out. What a command needs is imported when it runs, so that
`tfrec --help` is quick and no command pays for another's libraries."""

from __future__ import annotations

import errno
import gc
import os
import sys
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from tfrec_tools import __version__
from tfrec_tools.cli import (
    beam,
    config,
    convert,
    detect,
    evaluate,
    export,
    finetune,
    inspect,
    merge_labels,
    models,
    preview,
    remap,
    validate,
    verify,
)
from tfrec_tools.errors import Interrupted, TfrecError

# New objects between two searches for circles among them. Modules and annotations are hundreds of thousands,
# all of which stay: at Python's 700 the searches take an eighth of the start.
_COLLECT_EVERY = 100_000


class _Commands(TyperGroup):
    """Turns what a command may raise through no fault of the program into one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _fail("interrupted", 130)
        except Interrupted as fault:
            _fail(str(fault), 130)
        except TfrecError as fault:
            _fail(str(fault), 1)
        except OSError as fault:
            if fault.errno == errno.EPIPE:  # `tfrec ... | head` is no error; typer ends it quietly
                raise
            _fail(_os_reason(fault), 1)


app = typer.Typer(
    cls=_Commands,
    help="Prepare object-detection data for TensorFlow, and grow detectors by new classes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("convert", cls=beam.BeamCommand)(convert.convert)
app.command("validate")(validate.validate)
app.command("verify")(verify.verify)
app.command("inspect")(inspect.inspect)
app.command("preview")(preview.preview)
app.command("merge-labels")(merge_labels.merge_labels)
app.command("remap")(remap.remap)
app.command("finetune")(finetune.finetune)
app.command("detect")(detect.detect)
app.command("evaluate")(evaluate.evaluate)
app.command("export")(export.export)
app.command("models")(models.models)
app.command("config")(config.config)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"tfrec {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command line; exit codes are 0, 1 for the user's or the machine's fault, 2 for a wrong
    command line, 130 for Ctrl-C."""
    gc.set_threshold(_COLLECT_EVERY)
    os.environ.setdefault(
        "OPENBLAS_NUM_THREADS", "1"
    )  # numpy starts as many threads as cores, for no use here
    app()


def _fail(reason: str, code: int) -> NoReturn:
    print(f"tfrec: error: {' '.join(reason.split())}", file=sys.stderr)  # noqa: T201
    raise typer.Exit(code)


def _os_reason(fault: OSError) -> str:
    return ": ".join(str(part) for part in (fault.filename, fault.strerror or fault) if part)
