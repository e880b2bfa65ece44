"""A run of `tfrec finetune` on a narrow model: its inputs and what is asked of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.helpers import tiny
from tfrec_tools.detector.options.finetune import RetentionOptions
from tfrec_tools.detector.plan import Finetuning
from tfrec_tools.detector.training.settings import TrainConfig
from tfrec_tools.detector.training.validation import Watch
from tfrec_tools.labels.label_map import from_names
from tfrec_tools.labels.pbtxt import format_label_map, read_label_map

STEPS = 4
CONFIG = TrainConfig(
    steps=STEPS,
    batch_size=2,
    lr=0.01,
    backbone_lr_mult=0.1,
    freeze_backbone=False,
    train_batch_norm=False,
    replay_ratio=0.5,
    average=0.5,
    seed=1,
)


def write_inputs(folder: Path) -> Path:
    tiny.model_folder(folder / "base", "red", "green")
    (folder / "merged.pbtxt").write_text(format_label_map(from_names(["red", "green", "blue"])))
    tiny.write_records(folder / "new.tfrecord", ["blue"], 4)
    tiny.write_records(folder / "old.tfrecord", ["red", "green"], 3)
    tiny.write_records(folder / "val.tfrecord", ["red", "green", "blue"], 3)
    return folder


def plan(inputs: Path, out: Path, **changes: object) -> Finetuning:
    whole = Finetuning(
        base=inputs / "base",
        labels=read_label_map(inputs / "merged.pbtxt"),
        train=(str(inputs / "new.tfrecord"),),
        replay=(str(inputs / "old.tfrecord"),),
        val=(str(inputs / "val.tfrecord"),),
        test=(),
        out=out,
        drop_classes=False,
        memory=RetentionOptions(pseudo_labels="auto", distill="on", interpolate="0.8"),
        masked=True,
        freeze_few=False,
        config=CONFIG,
        watch=Watch(every=2),
        options={"lr": 0.01, "train": ["new-*"]},
    )
    return replace(whole, **changes)  # type: ignore[arg-type]
