"""`bin/bench pseudo-labels RUN ... --truth RECORDS --labels MAP`: how much of what bases labelled on the new
images of runs of tfrec finetune is right, held against the same images with the labels of all classes."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.detector.data.index import IndexedExample, digest, index_records
from tfrec_tools.detector.evaluation.overlaps import ious
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.labels.pbtxt import read_label_map

_ABOUT = 0.4  # IoU with an object from which on a box is about it
_FATES = RIGHT, OTHER_OLD, NEW, NOTHING = "right", "another old class", "a new class", "nothing"
_COLUMNS = ("run", "sure of", *_FATES, "in doubt", "of these right")
Truth = Mapping[bytes, IndexedExample]  # by the digest of the image


def main() -> None:
    parser = argparse.ArgumentParser(prog="bin/bench pseudo-labels", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--truth", required=True, help="'DIR/NAME-*'")
    parser.add_argument("--labels", required=True, type=Path, help="its label map (.pbtxt)")
    wanted = parser.parse_args()
    labels = read_label_map(wanted.labels)
    truth = {digest(example): example for example in index_records([wanted.truth], labels)}
    print(f"| {' | '.join(_COLUMNS)} |\n{'|---' * len(_COLUMNS)}|")
    for run in wanted.runs:
        print(row(str(run), list(fates(run, truth, labels))))


def row(name: str, found: Sequence[tuple[str, float]]) -> str:
    """Markdown: how many boxes a base was sure of, and what is there, in percent; the same of what it half
    believed."""
    sure = Counter(fate for fate, weight in found if weight > 0)
    doubted = Counter(fate for fate, weight in found if weight <= 0)
    of_sure = [_share(sure, fate) for fate in _FATES]
    cells = [name, str(sure.total()), *of_sure, str(doubted.total()), _share(doubted, RIGHT)]
    return f"| {' | '.join(cells)} |"


def _share(counts: Counter[str], fate: str) -> str:
    return f"{100 * counts[fate] / counts.total():.1f}" if counts else "-"


def fates(run: Path, truth: Truth, labels: LabelMap) -> Iterator[tuple[str, float]]:
    """Yields what stands where each box of the base is, and what the box weighs in training."""
    folder, old = run / "pseudo_labels", _old(run)
    known = read_label_map(folder / "label_map.pbtxt")
    for example in index_records([str(folder / "train.tfrecord")], known):
        there = truth[digest(example)]
        names = [known.name_by_id[label_id] for label_id in example.ids.tolist()]
        objects = _about(example.boxes, there, labels)
        for name, of_box, weight in zip(names, objects, example.weights.tolist(), strict=True):
            if name in old:
                yield fate(name, of_box, old), weight


def fate(name: str, there: str | None, old: Collection[str]) -> str:
    """Returns what a box of this class is, where there is an object of a class, or none."""
    if there is None:
        return NOTHING
    if there == name:
        return RIGHT
    return OTHER_OLD if there in old else NEW


def _about(boxes: NDArray[np.float32], there: IndexedExample, labels: LabelMap) -> list[str | None]:
    """Returns the class of the object that each of the boxes (N, 4) is about."""
    if not len(there.boxes):
        return [None] * len(boxes)
    overlaps = ious(boxes, there.boxes)  # (N, M)
    best = there.ids[overlaps.argmax(axis=1)].tolist()
    is_about = (overlaps.max(axis=1) >= _ABOUT).tolist()
    return [labels.name_by_id[of_box] if near else None for of_box, near in zip(best, is_about, strict=True)]


def _old(run: Path) -> frozenset[str]:
    """Returns the classes that the base knows."""
    classes = json.loads((run / "report.json").read_text(encoding="utf-8"))["classes"]
    return frozenset(line["name"] for line in classes if line["group"] == "old" and not line["is_mean"])


if __name__ == "__main__":
    main()
