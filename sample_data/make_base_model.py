"""Trains the sample's base model, a small detector of the old classes, by the project's own commands.

    python sample_data/make_base_model.py [FOLDER]

Draws 1200 images of old classes that are in none of the sample's sets, starts from random weights in the
shape of base.pipeline.config, and leaves a model folder. About a quarter of an hour on two cores.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from make_scenes import OLD, Plan, write_label_map, write_set

from tfrec_tools.detector.model.detector import new_detector, save_detector
from tfrec_tools.labels.label_map import from_names

HERE = Path(__file__).parent
IMAGES = Plan("base", 1200, OLD, OLD, OLD, seed=10)
# From random weights the backbone and the batch norms must learn as much as the rest.
TRAINING = (
    "--steps",
    "3000",
    "--batch",
    "16",
    "--lr",
    "0.05",
    "--backbone-lr-mult",
    "1",
    "--train-batch-norm",
)


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as made:
        work = Path(made)
        write_set(work / "base", IMAGES)
        write_label_map(work / "old.pbtxt", OLD)
        pipeline = (HERE / "base.pipeline.config").read_text(encoding="utf-8")
        save_detector(new_detector(pipeline, from_names(OLD), seed=1), work / "random")
        tfrec("convert", work / "base" / "annotations.coco.json", "--out", work / "records" / "base")
        tfrec("convert", HERE / "old" / "annotations.coco.json", "--out", work / "records" / "old")
        tfrec(
            "finetune", "--base", work / "random", "--labels", work / "old.pbtxt", "--out", work / "run",
            "--train", work / "records" / "base-*", "--val", work / "records" / "old-*", *TRAINING,
        )  # fmt: skip
        shutil.rmtree(folder, ignore_errors=True)
        # As TFOD leaves a model: what the card says of the run is of folders that are gone.
        without = shutil.ignore_patterns("README.md", "scores.json")
        shutil.copytree(work / "run" / "model", folder, ignore=without)


def tfrec(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "tfrec_tools", *map(str, words)], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "base_model")
