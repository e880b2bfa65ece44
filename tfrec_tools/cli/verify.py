"""`tfrec verify`: sets against their manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def verify(
    where: Annotated[
        Path, typer.Argument(metavar="DIR|DIR/NAME", help="A folder (all sets in it), or one set.")
    ],
) -> None:
    """Check finished sets: sizes, SHA-256 and CRCs of all shards, records counted, nothing missing.

    Exit code 1 where anything is not as the manifest says.
    """
    from tfrec_tools.cli import show
    from tfrec_tools.dataset.shards import prefixes
    from tfrec_tools.dataset.verify import faults
    from tfrec_tools.errors import InputError, TfrecError

    found = prefixes(where) if where.is_dir() else [where]
    if not found:
        raise InputError(where, "no .manifest.json in it; expected finished sets of tfrec convert")
    bad = 0
    for prefix in found:
        with show.progress(f"checking {prefix}") as progress:
            lines = list(faults(prefix, progress))
        typer.echo(f"{prefix}: {'sound' if not lines else f'{len(lines)} fault(s)'}")
        for line in lines:
            typer.echo(f"  {line}")
        bad += len(lines)
    if bad:
        raise TfrecError(f"{bad} fault(s) found; convert again with --overwrite")
