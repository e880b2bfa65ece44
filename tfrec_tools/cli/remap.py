"""`tfrec remap`: records under a merged label map, their images untouched."""

from __future__ import annotations

from tfrec_tools.cli.options import Json, command
from tfrec_tools.remapping.options import RemapOptions


@command("tfrec remap records/old records/new --labels merged.pbtxt --out records/all", of_classes=True)
def remap(options: RemapOptions, json: Json = False) -> None:
    """Rewrite class ids and names in TFRecords under a merged label map, and join sets into one.

    Images and all other features stay as they are, byte for byte. Every record says which classes it was
    annotated for, so that the other sets' classes count as unknown in it, not as background. Classes are
    taken by name; a record whose name and id disagree is reported, see --on class-mismatch. When the
    command is stopped before the end, the same command goes on where it was.
    """
    from tfrec_tools.cli import report
    from tfrec_tools.remapping import remap as engine

    report.write_set(options, engine.remap, json)
