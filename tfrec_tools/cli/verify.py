"""`tfrec verify`: sets against their manifests."""

from __future__ import annotations

import typer

from tfrec_tools.cli.options import command
from tfrec_tools.dataset.options import VerifyOptions


@command("tfrec verify records/train")
def verify(options: VerifyOptions) -> None:
    """Check finished sets: sizes, SHA-256 and CRCs of all shards, records counted, nothing missing.

    Exit code 1 where anything is not as the manifest says.
    """
    from tfrec_tools.cli import console
    from tfrec_tools.dataset import verify as engine
    from tfrec_tools.errors import TfrecError

    with console.watched(options) as watched:
        sets = engine.verify(watched)
    for verified in sets:
        count = len(verified.faults)
        typer.echo(f"{verified.prefix}: {f'{count} fault(s)' if count else 'sound'}")
        for line in verified.faults:
            typer.echo(f"  {line}")
    if bad := sum(len(verified.faults) for verified in sets):
        raise TfrecError(f"{bad} fault(s) found; convert again with --overwrite")
