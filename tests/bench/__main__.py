"""`python -m tests.bench convert`: `tfrec convert` beside a minimal script and a plain TensorFlow loop, on
generated pictures, the fastest of several runs each; `python -m tests.bench remap`: `tfrec remap` beside a
copy of its files, by turns; `python -m tests.bench beam`: both ways on Apache Beam beside the local engine.
Each runs as a whole process, files in the page cache. `convert --format FORMAT` measures only the reading of
that format beside the least that json, lxml and csv need (`--format all`: of each).

`python -m tests.bench.intervals` and `python -m tests.bench.thresholds`: error bars, and calibrated scores.
`python -m tests.bench.eight_bits`: what 8 bits cost a model.

`python -m tests.bench input`: the trainer's input pipeline beside a bare one; `detect` and `train`: pictures
and steps (`--batch N`) of each family (`--only FAMILY`); `export`: its exports beside the Keras model; in
this process."""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import beam, generate, parse, records, remap

RATIO_TO_MINIMAL = 1.3  # at most
RATIO_TO_PLAIN = 4.0  # at least
PEAK_MB = 150.0  # at most, per process
_DETECTOR = ("input", "detect", "train", "export")
_PROCESSES = ("tfrec", "synced", "minimal", "plain", "copy", "remap", "runner", "transforms")
Measured = tuple[float, float, float]  # wall seconds, CPU seconds, peak MB of the largest process
_FAMILIES = (
    "fpnlite",
    "ssd_mobilenet_v2",
    "retinanet",
    "efficientdet",
    "faster_rcnn",
    "center_net_mobilenet",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["convert", "remap", "beam", *_DETECTOR])
    parser.add_argument("--images", type=int, help="5000; for what trains or detects 200")
    parser.add_argument("--format", choices=["all", *parse.IMAGES])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=2, help="images of a step, for train; 2")
    parser.add_argument("--only", choices=[*_PROCESSES, *_FAMILIES], action="append")
    parser.add_argument("--keep", type=Path, help="folder for the pictures, kept and used again")
    given = parser.parse_args()
    if given.format:
        of_formats(given)
        return
    given.images = given.images or (200 if given.what in _DETECTOR else 5000)
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        source = generate.data_set(folder / f"{given.images}", given.images)
        if given.what in _DETECTOR:
            of_detector(given, source)
            return
        words_of = {
            "convert": lambda: commands(source),
            "remap": lambda: remap.commands(source),
            "beam": lambda: beam.commands(source, given.images),
        }[given.what]()
        words_of = {name: words for name, words in words_of.items() if not given.only or name in given.only}
        if given.what == "remap":
            runs = by_turns(words_of, Path(temporary), given.runs)
            measured = {name: of_name[len(of_name) // 2] for name, of_name in runs.items()}
        else:
            measured = {
                name: best(words, Path(temporary) / name, 1 if name == "plain" else given.runs)
                for name, words in words_of.items()
            }
    report(measured, given.images)
    if given.what == "remap":
        print("fastest:", ", ".join(f"{name} {of_name[0][0]:.2f} s" for name, of_name in runs.items()))


def of_formats(given: argparse.Namespace) -> None:
    """The reading of formats, each in a process of its own."""
    with tempfile.TemporaryDirectory() as temporary:
        for kind in parse.IMAGES if given.format == "all" else [given.format]:
            cpu, memory = parse.main(kind, given.keep or Path(temporary), given.images, given.runs)
            line(f"times the minimal loop's CPU ({kind})", cpu, parse.MOST_CPU, "at most")
            print(f"{memory:7.2f} times the minimal loop's memory ({kind})")


def of_detector(given: argparse.Namespace, source: Path) -> None:
    """What needs TensorFlow, and no processes of its own."""
    load = ", ".join(f"{mean:.1f}" for mean in os.getloadavg())
    print(f"{len(os.sched_getaffinity(0))} cores, load averages {load}")
    families = [family for family in _FAMILIES if not given.only or family in given.only]
    match given.what:
        case "input":
            from tests.bench import input as input_

            ratio = input_.main(records.made(source), given.runs)
            line("of the bare pipeline's speed", ratio, input_.LEAST_SPEED, "at least")
        case "detect":
            from tests.bench import detect

            detect.main(families, given.runs)
        case "export":
            from tests.bench import export

            export.main(families, given.runs)
        case "train":
            from tests.bench import train

            train.main(families, given.runs, given.batch, records.made(source))


def commands(source: Path) -> dict[str, list[str]]:
    """The words of each command; the output folder comes last."""
    python = sys.executable
    images = str(source.parent / "images")
    words = [python, "-m", "tfrec_tools", "convert", str(source), "--images", images]
    return {
        "tfrec": [*words, "--no-fsync", "--out"],  # the others do not wait for the disk either
        "synced": [*words, "--out"],
        "minimal": [python, "-m", "tests.bench.minimal", str(source), images],
        "plain": [python, "-m", "tests.bench.plain_loop", str(source), images],
    }


def by_turns(words_of: dict[str, list[str]], folder: Path, runs: int) -> dict[str, list[Measured]]:
    """Of each command its runs, the fastest first. They run by turns after one run that is not counted, and
    what they wrote goes at once, before the system writes it to the disk."""
    found: dict[str, list[Measured]] = {name: [] for name in words_of}
    for _ in range(runs + 1):
        for name, words in words_of.items():
            found[name].append(measure(words, folder / name))
            shutil.rmtree(folder / name)
    return {name: sorted(of_name[1:]) for name, of_name in found.items()}


def best(words: list[str], folder: Path, runs: int) -> Measured:
    """The fastest run."""
    return min(measure(words, folder) for _ in range(runs))


def measure(words: list[str], folder: Path) -> Measured:
    """In a process of its own, so that the peak is of this command's processes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        start = time.perf_counter()
        code = subprocess.run(
            [*words, str(folder / "set")], stdout=subprocess.DEVNULL, check=False
        ).returncode
        wall = time.perf_counter() - start
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        os.write(write, f"{wall} {used.ru_utime + used.ru_stime} {used.ru_maxrss / 1024}".encode())
        os._exit(code)
    _, status = os.waitpid(child, 0)
    os.close(write)
    text = os.read(read, 100).decode()
    os.close(read)
    if status:
        raise SystemExit(f"{' '.join(words)} failed")
    wall, cpu, peak = map(float, text.split())
    return wall, cpu, peak


def report(measured: dict[str, Measured], images: int) -> None:
    print(f"{images} images, {len(os.sched_getaffinity(0))} cores, Python {sys.version.split()[0]}")
    for name, (wall, cpu, peak) in measured.items():
        each = 1e3 * wall / images
        print(f"{name:10} {wall:7.2f} s wall {each:6.3f} ms/image {cpu:7.2f} s CPU {peak:6.0f} MB")
    if {"tfrec", "minimal"} <= measured.keys():
        line(
            "of the minimal script's time",
            measured["tfrec"][0] / measured["minimal"][0],
            RATIO_TO_MINIMAL,
            "at most",
        )
    if {"tfrec", "plain"} <= measured.keys():
        line(
            "times as fast as the plain loop",
            measured["plain"][0] / measured["tfrec"][0],
            RATIO_TO_PLAIN,
            "at least",
        )
    for name in measured.keys() & {"runner", "transforms"} if "tfrec" in measured else ():
        ratio = measured[name][1] / measured["tfrec"][1]
        line(f"times the local engine's CPU ({name})", ratio, beam.MOST_CPU, "at most")
    if "tfrec" in measured:
        line("MB peak of the largest process", measured["tfrec"][2], PEAK_MB, "at most")
    if {"copy", "remap"} <= measured.keys():
        ratio = measured["copy"][0] / measured["remap"][0]
        line("of the copy's speed", ratio, remap.LEAST_SPEED, "at least")


def line(what: str, found: float, limit: float, side: str) -> None:
    kept = found <= limit if side == "at most" else found >= limit
    print(f"{found:7.2f} {what}: {side} {limit:g}: {'kept' if kept else 'MISSED'}")


if __name__ == "__main__":
    main()
