"""`python -m tests.hostile.fuzz [MINUTES]`: texts of every kind damaged token by token, and the damages of
tests/formats/test_fuzz.py, each round in a child with limits of time and memory, until the time is over."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.helpers.places import DATA, SAMPLE
from tests.hostile import corpus
from tests.hostile.reader import READERS, SECONDS, limit, outcome

MEMORY_BYTES = 1_000_000_000
_ROUND_S = 900
_TOKEN = re.compile(rb"\w+|\s+|[^\w\s]")
_LONGEST = 20_000  # bytes of a text that is damaged
_ODD = [
    b"",
    b"0",
    b"-1",
    b"NaN",
    b"1e999",
    b"null",
    b"true",
    b"..",
    b"/",
    b'"',
    b"\0",
    b"\xff",
    b"&x;",
    b"<!--",
]
_ODD += [b"{", b"}", b"[", b"]", b"<", b">", b"*a", b"&a", b"!!int", b"<<", b"\n", b",", b":", b"9" * 400]
EDIT = st.tuples(
    st.floats(0, 1),
    st.sampled_from(["put", "instead", "without", "again", "swapped"]),
    st.sampled_from(_ODD) | st.binary(max_size=8),
    st.integers(1, 300),
)
Edit = tuple[float, str, bytes, int]


def texts() -> list[tuple[str, str, bytes]]:
    """Returns (kind of reader, file name, text) to be damaged: sound ones, and small ones of the corpus."""
    sound = [
        ("csv", SAMPLE / "broken/column-missing.csv"),
        ("csv", SAMPLE / "broken/fractions-and-pixels.csv"),
        ("csv_blocks", SAMPLE / "broken/fractions-and-pixels.csv"),
        ("csv_cells", SAMPLE / "formats/csv/cells.csv"),
        ("csv", SAMPLE / "formats/csv/centres.csv"),
        ("csv", SAMPLE / "formats/open_images/train-annotations-bbox.csv"),
        ("class_descriptions", SAMPLE / "formats/open_images/class-descriptions-boxable.csv"),
        ("image_labels", SAMPLE / "formats/open_images/train-annotations-human-imagelabels-boxable.csv"),
        ("automl", SAMPLE / "formats/automl/import.csv"),
        ("labelstudio_csv", SAMPLE / "formats/labelstudio_csv/project-3.csv"),
        ("via_csv", SAMPLE / "formats/via_csv/via_region_data.csv"),
        ("automl", SAMPLE / "formats/automl/import.jsonl"),
        ("coco", SAMPLE / "broken/box-tiny.json"),
        ("coco", SAMPLE / "broken/class-superfluous.json"),
        ("classes", SAMPLE / "broken/box-tiny.json"),
        ("classes", SAMPLE / "broken/double-id.pbtxt"),
        ("labelme", SAMPLE / "formats/labelme/stall_1.json"),
        ("labelme", SAMPLE / "formats/labelme/stall 3.json"),
        ("labelstudio", SAMPLE / "formats/labelstudio/project-1-at-2026-01-05-10-11-ab12cd34.json"),
        ("labelstudio", SAMPLE / "formats/labelstudio/min.json"),
        ("via", SAMPLE / "formats/via/via_region_data.json"),
        ("vott", SAMPLE / "formats/vott/stalls-export.json"),
        ("createml", SAMPLE / "formats/createml/_annotations.createml.json"),
        ("huggingface", SAMPLE / "formats/huggingface/metadata.jsonl"),
        ("huggingface", SAMPLE / "formats/huggingface_csv/metadata.csv"),
        ("supervisely", SAMPLE / "formats/supervisely/stalls/ann/stall_1.jpg.json"),
        ("voc", SAMPLE / "val/voc/val_000.xml"),
        ("cvat", SAMPLE / "formats/cvat/annotations.xml"),
        ("cvat", SAMPLE / "formats/cvat_video/annotations.xml"),
        ("kitti", SAMPLE / "formats/kitti/label_2/stall_1.txt"),
        ("dota", SAMPLE / "formats/dota/labelTxt/stall_1.txt"),
        *(("config", path) for path in sorted(DATA.glob("*.pipeline.config"))),
    ]
    listed = [(kind, path.name, path.read_bytes()) for kind, path in sound]
    listed += [(*name.split("/"), data) for name, data in corpus.texts().items()]  # type: ignore[misc]
    listed.append(("options", "a.toml", b'name = "a"\nseed = 7\nalias = ["a=b", "c=d"]\nflag = true\n'))
    listed.append(("yolo", "data.yaml", b"names:\n  0: cat\n  1: dog\nkpt_shape: [3, 2]\ntrain: images\n"))
    listed.append(("classes", "a.yaml", b"names: &a [cat, dog]\nother: *a\nnc: 2\n"))
    return [one for one in listed if len(one[2]) <= _LONGEST]


def damaged(data: bytes, edits: Sequence[Edit]) -> bytes:
    tokens = _TOKEN.findall(data)
    for where, how, odd, times in edits:
        at = int(where * len(tokens))
        two = tokens[at : at + 2]
        tokens[at : at + 2] = {
            "put": [odd, *two],
            "instead": [odd, *two[1:]],
            "without": two[1:],
            "again": two * times,
            "swapped": two[::-1],
        }[how]
    return b"".join(tokens)


def damage(number: int) -> None:
    """Raises what a reader raised that is no fault of the input."""
    limit()
    with TemporaryDirectory() as folder:

        @seed(number)
        @settings(max_examples=2000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(st.sampled_from(texts()), st.lists(EDIT, min_size=1, max_size=6))
        def check(text: tuple[str, str, bytes], edits: list[Edit]) -> None:
            kind, name, data = text
            path = Path(folder) / name
            path.write_bytes(damaged(data, edits))
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            came, said = outcome(partial(READERS[kind], path))
            signal.setitimer(signal.ITIMER_PROF, 0)
            path.unlink()
            assert came in ("read", "refused"), (kind, name, came, said[:300])

        check()


def main(minutes: float) -> None:
    end, rounds = time.monotonic() + 60 * minutes, 0
    by_pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/formats/test_fuzz.py"]
    while rounds == 0 or time.monotonic() < end:
        number = int.from_bytes(os.urandom(4), "big")
        _run(["-m", "tests.hostile.fuzz", "--seed", str(number)])
        if time.monotonic() < end:
            _run([*by_pytest, f"--hypothesis-seed={number}"])
        rounds += 1
    sys.stdout.write(f"{rounds} rounds, no traceback, no hang, no child over {MEMORY_BYTES:,} bytes\n")


def _run(words: list[str]) -> None:
    """Runs Python in a child with limits; ends this process with what it said where it fails."""
    try:
        done = subprocess.run(
            [sys.executable, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_ROUND_S,
            preexec_fn=_limit_memory,
        )
    except subprocess.TimeoutExpired:
        sys.exit(f"{' '.join(words)}: took more than {_ROUND_S} s")
    if done.returncode:
        said = done.stdout.decode(errors="replace")[-6000:]
        sys.exit(f"{said}\n{' '.join(words)}: exit status {done.returncode}")


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--seed"]:
        damage(int(sys.argv[2]))
    else:
        main(float(sys.argv[1]) if sys.argv[1:] else 60)
