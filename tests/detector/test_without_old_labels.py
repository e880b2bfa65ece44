"""Growing by who has labels of the new classes alone: no old image, no old label, perhaps no --val."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tfrec_tools
from tests.helpers import tiny, tiny_rcnn
from tests.helpers.command import tfrec
from tests.helpers.finetuning import CONFIG
from tests.helpers.places import SAMPLE
from tfrec_tools.detector.data.index import digest, index_records
from tfrec_tools.detector.data.unlabelled import index_unlabelled, write_unlabelled
from tfrec_tools.detector.model.detector import Detector
from tfrec_tools.detector.training import validation
from tfrec_tools.detector.training.train_step import StepLosses
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.detector.training.validation import unsaid
from tfrec_tools.labels.label_map import from_names
from tfrec_tools.labels.pbtxt import read_label_map

OLD = ("apple", "banana", "pear")
FEW_STEPS = ("--freeze", "backbone", "--batch", "8", "--lr", "0.02")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("sets")
    tfrec("convert", SAMPLE / "new/voc", "--out", work / "new")
    tfrec("merge-labels", SAMPLE / "base_model", work / "new", "--out", work / "merged.pbtxt")
    tfrec("convert", SAMPLE / "val/annotations.csv", "--labels", work / "merged.pbtxt", "--out", work / "val")
    words = ("--only", "cherry,mushroom", "--out", work / "val_new")
    tfrec("convert", SAMPLE / "val/annotations.csv", *words)
    return work


def grown(sets: Path, out: Path, *words: object, code: int = 0) -> tuple[str, str]:
    base = ("--base", SAMPLE / "base_model", "--labels", sets / "merged.pbtxt", "--train", sets / "new")
    return tfrec("finetune", *base, "--out", out, *FEW_STEPS, *words, code=code)


def report_of(run: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((run / "report.json").read_text(encoding="utf-8"))
    return report


def old_ap50(sets: Path, model: Path) -> float:
    """The mean over the old classes, by all labels of images that nothing was chosen by."""
    metrics = tfrec_tools.evaluate(model=model, records=str(sets / "val"))
    return sum(each.scores.ap50 or 0.0 for each in metrics.classes if each.name in OLD) / len(OLD)


def test_old_classes_are_kept_where_plain_training_loses_them(sets: Path, tmp_path: Path) -> None:
    """Of the base's 96.7 points; agreement says so without any label."""
    run = tmp_path / "run"
    out, err = grown(sets, run, "--control", "--steps", "40", "--eval-every", "20", "--max-forget", "20")
    assert "--train: 9 of its 60 images are set aside" in err
    assert "no box of an old class is there to choose by: old classes are watched by their agreement" in err
    assert "agreement with the base" in out
    kept, lost = (old_ap50(sets, folder / "model") for folder in (run, run / "control"))
    assert kept > 0.87
    assert lost < 0.7
    report, control = report_of(run), report_of(run / "control")
    assert (report["forgetting"], control["forgetting"]) == (None, None)
    assert report["agreement"]["lost"] < 0.1
    assert control["agreement"]["lost"] > 0.25
    assert report["agreement"] | {"lost": 0} == {"lost": 0, "images": 60, "learnt": 51, "decides": True}
    assert report["images"]["set aside, to choose by"] == len(report["set_aside"]) == 9
    assert len(report["blends"]) == 5
    assert max(report["blends"].values()) > 0.0
    assert all(
        done.agreement and done.old is None for done in validation.read_validations(run / "results.csv")
    )


def test_unlabelled_images_are_learnt_from_and_watched(sets: Path, tmp_path: Path) -> None:
    """With --val of new classes alone; the old images are there, but nobody labelled them. Those of --train
    that lie in the folder, too, are left out."""
    run = tmp_path / "run"
    folders = [word for name in ("old", "new") for word in ("--unlabelled", SAMPLE / name / "images")]
    words = ("--val", sets / "val_new", *folders, "--steps", "2", "--max-forget", "-1")
    out, err = grown(sets, run, *words, code=3)
    assert "--unlabelled: 60 of its 160 images are left out, the same to the byte as others" in err
    assert "old classes are watched by their agreement with the base" in err
    assert "points of agreement with the base, as no old class is labelled, more than -1" in err
    assert "agreement with the base" in out
    assert report_of(run)["images"] == {
        "new, to train with": 60,
        "old, to train with": 0,
        "unlabelled, to train with": 85,
        "to choose by": 50,
        "unlabelled, to watch old classes by": 15,
        "to measure with": 50,
    }
    labels = read_label_map(sets / "merged.pbtxt")
    labelled, every = (
        index_records([str(run / name)], labels)
        for name in ("pseudo_labels/unlabelled.tfrecord", "unlabelled/images.tfrecord")
    )
    assert {frozenset(labels.name_by_id[each] for each in one.labeled) for one in labelled} == {
        frozenset(OLD)
    }
    assert sum(len(one.ids) for one in labelled) > 100
    assert {digest(one) for one in labelled} < {digest(one) for one in every}


def test_where_old_classes_are_labelled_they_are_measured_as_ever(sets: Path, tmp_path: Path) -> None:
    """Agreement costs nothing then, and stands in the report alone."""
    run = tmp_path / "run"
    out, err = grown(sets, run, "--val", sets / "val", "--steps", "2", "--interpolate", "off")
    assert err.startswith("tfrec: learning rates: ")
    assert err.count("\n") == 1
    assert "agreement" not in out
    report = report_of(run)
    assert report["agreement"] | {"lost": 0} == {"lost": 0, "images": 50, "learnt": 0, "decides": False}
    assert abs(report["agreement"]["lost"] - report["forgetting"]) < 0.05
    assert report["set_aside"] == []


@pytest.mark.parametrize("make", [tiny.detector, tiny_rcnn.detector])
def test_an_image_that_nothing_is_known_of_is_trained_with(
    tmp_path: Path, make: Callable[..., Detector]
) -> None:
    """As unlabelled ones are without pseudo-labels: where there is no box, none is learnt, and no loss of a
    class that is unknown everywhere spoils the step."""
    write_unlabelled(
        tmp_path / "u.tfrecord", [str(tiny.write_records(tmp_path / "a.tfrecord", ["red"], 4))], unsaid
    )
    bare = index_unlabelled(tmp_path / "u.tfrecord", from_names(["red", "green"]))
    losses: list[StepLosses] = []
    trainer = Trainer(make("red", "green"), replace(CONFIG, steps=2))
    trainer.run(bare[:2], [], losses.append, unlabelled=bare[2:])
    assert all(math.isfinite(done.total) for done in losses)
    assert all(done.localization == 0.0 for done in losses)
