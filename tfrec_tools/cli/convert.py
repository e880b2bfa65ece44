"""`tfrec convert`: annotations and images to sharded TFRecords."""

from __future__ import annotations

import typer

from tfrec_tools.cli import beam
from tfrec_tools.cli.options import Json, command
from tfrec_tools.conversion.options import ConvertOptions

COMMAND = beam.BeamCommand


@command(
    "tfrec convert instances.json --images photos/ --out records/train --split train=0.8,val=0.2",
    of_classes=True,
)
def convert(
    options: ConvertOptions, context: typer.Context, runner: beam.Runner = None, json: Json = False
) -> None:
    """Convert annotations and their images to sharded TFRecords.

    Every box is checked: what leans over the edge is clipped, what is empty, inverted or not finite is
    dropped, and each is reported in NAME.issues.jsonl and NAME.issues.html; --on and --policy choose
    otherwise. The last file to appear is NAME.manifest.json; when the command is stopped before, the same
    command goes on where it was.
    """
    from tfrec_tools.cli import report
    from tfrec_tools.conversion import convert as engine

    chosen = None
    if runner is not None:
        options, chosen = beam.on_runner(context, runner, options)
    report.write_set(options, lambda watched: engine.convert(watched, chosen), json)
