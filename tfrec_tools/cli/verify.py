"""`tfrec verify`: sets against their manifests, and against their sources."""

from __future__ import annotations

from typing import Any

from tfrec_tools.cli.options import Json, command
from tfrec_tools.cli.shown import say
from tfrec_tools.dataset.options import VerifyOptions
from tfrec_tools.errors import counted


@command("tfrec verify records/train --against instances.json")
def verify(options: VerifyOptions, json: Json = False) -> None:
    """Check finished sets: sizes, SHA-256 and CRCs of all shards, records counted, nothing missing.

    With --against the source is read again with the set's own options, and what differs is listed. Exit code
    1 where anything is not as the manifest or the source says.
    """
    from tfrec_tools.cli import console, manner
    from tfrec_tools.conversion import comparison
    from tfrec_tools.errors import TfrecError

    with console.watched(options) as watched:
        sets = comparison.verified(watched)
    if json:
        manner.say_document([_document(verified) for verified in sets])
    else:
        for verified in sets:
            _print(verified, options.against is not None)
    if bad := sum(len(verified.faults) for verified in sets):
        raise TfrecError(f"{counted(bad, 'fault')} found; convert again with --overwrite")
    if other := sum(len(verified.differences) for verified in sets):
        raise TfrecError(f"{counted(other, 'difference')} from the source; convert again with --overwrite")


def _document(verified: Any) -> dict[str, Any]:
    differences = [
        {"kind": difference.kind, "name": difference.name, "message": difference.message}
        for difference in verified.differences
    ]
    return {"set": str(verified.prefix), "faults": list(verified.faults), "differences": differences}


def _print(verified: Any, compared: bool) -> None:
    count = len(verified.faults)
    say(f"{verified.prefix}: {counted(count, 'fault') if count else 'sound'}")
    for line in verified.faults:
        say(f"  {line}")
    if compared:
        other = len(verified.differences)
        said = f"{counted(other, 'difference')} from the source" if other else "as the source says"
        say(f"{verified.prefix}: {'not compared before it is sound' if count else said}")
        for difference in verified.differences:
            say(f"  {difference.kind}: {difference.name}: {difference.message}")
