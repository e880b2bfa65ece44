"""Why pictures say what they were annotated for: trained on new pictures in which old objects stand without
boxes, a model that is told so keeps the old classes, and one that is not loses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.command import tfrec
from tests.helpers.places import SAMPLE
from tfrec_tools.detector.data.index import index_records
from tfrec_tools.detector.evaluation import average_precision
from tfrec_tools.detector.model import growth
from tfrec_tools.detector.model.detector import load_detector
from tfrec_tools.detector.training.settings import TrainConfig
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.labels.pbtxt import read_label_map

OLD = ("apple", "banana", "pear")
CONFIG = TrainConfig(
    steps=30,
    batch_size=8,
    lr=0.02,
    backbone_lr_mult=0.1,
    freeze_backbone=True,
    train_batch_norm=False,
    replay_ratio=0.0,
    average=0.0,
    seed=1,
)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The new pictures under the merged map, as they are and as if they were annotated for all classes."""
    work = tmp_path_factory.mktemp("sets")
    tfrec("convert", SAMPLE / "new/voc", "--out", work / "new")
    tfrec("merge-labels", SAMPLE / "base_model", work / "new", "--out", work / "merged.pbtxt")
    tfrec("convert", SAMPLE / "val/annotations.csv", "--labels", work / "merged.pbtxt", "--out", work / "val")
    to_all = ("--labeled", ",".join(read_label_map(work / "merged.pbtxt").names))
    for name, labeled in (("masked", ()), ("unmasked", to_all)):
        words = ("--labels", work / "merged.pbtxt", "--out", work / name)
        tfrec("remap", work / "new", *words, *labeled)
    return work


def old_ap50(sets: Path, train: str | None) -> float:
    """The mean over the old classes, after training on a set or, without one, of the grown base."""
    labels = read_label_map(sets / "merged.pbtxt")
    detector = growth.grow(load_detector(SAMPLE / "base_model"), labels, CONFIG.seed)
    if train is not None:
        Trainer(detector, CONFIG).run(index_records([str(sets / train)], labels), [], lambda _done: None)
    val = index_records([str(sets / "val")], labels)
    found = average_precision.average_precision(val, average_precision.find(detector, val, labels), labels)
    return sum(found[labels.id_by_name[old]].ap50 for old in OLD) / len(OLD)


@pytest.mark.slow
def test_masked_training_keeps_the_old_classes_and_unmasked_loses_them(sets: Path) -> None:
    """AP50 of the old classes on the validation set, measured with seeds 1, 2, 3: the grown base has 0.969,
    masked training leaves 0.804, 0.766, 0.796 (79 to 83 % of it), unmasked 0.375, 0.166, 0.210, a loss 3.6 to
    4.4 times as large. The limits leave room for other machines' rounding."""
    base, masked, unmasked = (old_ap50(sets, train) for train in (None, "masked", "unmasked"))
    assert masked > 0.7 * base
    assert base - unmasked > 2 * (base - masked)
