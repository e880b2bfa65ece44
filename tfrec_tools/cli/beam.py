"""A command that runs on Apache Beam too: `COMMAND ... --runner RUNNER -- BEAM_OPTIONS`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

_WORDS = "tfrec.beam_options"

Runner = Annotated[
    str | None,
    typer.Option(
        show_envvar=False,
        metavar="RUNNER",
        help="Run on Apache Beam: DirectRunner, FlinkRunner, SparkRunner, DataflowRunner, PortableRunner; "
        "what stands after -- are Beam's options. Default: processes of this machine.",
    ),
]


class BeamCommand(TyperCommand):
    """Keeps what stands after -- from being read as arguments where there is a --runner before it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        own, words = args, list[str]()
        if "--" in args and any(_names_runner(word) for word in args[: args.index("--")]):
            own, words = args[: args.index("--")], args[args.index("--") + 1 :]
        ctx.meta[_WORDS] = words
        return super().parse_args(ctx, own)


def _names_runner(word: str) -> bool:
    return word.partition("=")[0] == "--runner"


def on_runner(context: typer.Context, runner: str, options: Any) -> tuple[Any, Any]:
    """The engine's Options, whose paths may be URLs of what Beam opens; and the engine. TfrecError where Beam
    is not installed or does not take its options."""
    import logging

    from tfrec_tools.errors import TfrecError

    logging.getLogger().setLevel(logging.ERROR)  # on import Beam warns of parts that are not installed
    try:
        from tfrec_tools.beam.engine import on_beam
        from tfrec_tools.beam.paths import in_stores
    except ModuleNotFoundError as fault:
        lacking = str(fault.name).partition(".")[0]
        raise TfrecError(
            f"--runner needs Apache Beam ({lacking} is not installed): pip install 'tfrec-tools[beam]'"
        ) from fault
    logging.getLogger().setLevel(logging.WARNING)
    engine = on_beam(runner, context.meta[_WORDS])
    return in_stores(options), engine
