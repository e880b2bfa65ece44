"""`tfrec convert --runner DirectRunner`, and the transforms in a pipeline, beside the local engine. As a
program: the transforms, `python -m tests.bench.beam SOURCE IMAGES SHARDS OUT`."""

from __future__ import annotations

import sys
from pathlib import Path

MOST_CPU = 3.0  # times the local engine's
_IMAGES_A_SHARD = 1000


def commands(source: Path, images: int) -> dict[str, list[str]]:
    """The words of each command; the output comes last."""
    python = sys.executable
    folder, shards = str(source.parent / "images"), str(max(1, images // _IMAGES_A_SHARD))
    words = [python, "-m", "tfrec_tools", "convert", str(source), "--images", folder, "--shards", shards]
    return {
        "tfrec": [*words, "--out"],
        "runner": [*words, "--runner", "DirectRunner", "--out"],
        "transforms": [python, "-m", "tests.bench.beam", str(source), folder, shards],
    }


def main(source: str, images: str, shards: str, out: str) -> None:
    import apache_beam as beam

    from tfrec_tools.beam import ReadAnnotations, ToExamples, WriteShards

    with beam.Pipeline() as pipeline:
        _ = pipeline | ReadAnnotations(source) | ToExamples(images) | WriteShards(out, int(shards))


if __name__ == "__main__":
    main(*sys.argv[1:])
