"""Batches as the trainer takes them: their order, their pictures with their boxes, and how they are kept."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import tiny
from tfrec_tools.detector.config.read import read_pipeline
from tfrec_tools.detector.data import batches
from tfrec_tools.detector.data.images import Cache, Encoded, image_reader
from tfrec_tools.detector.data.index import index_records
from tfrec_tools.errors import TfrecError
from tfrec_tools.labels.label_map import from_names

CONFIG = read_pipeline(tiny.PIPELINE)
RED_GREEN = from_names(["red", "green"])


def test_every_example_comes_once_an_epoch_and_batches_hold_their_share_of_old() -> None:
    mix = batches.mix(new=10, old=7, batch_size=4, replay_ratio=0.5, seed=3)
    indices = [mix.index(place) for place in range(4 * 35)]
    assert Counter(index for index in indices if index < 10) == dict.fromkeys(range(10), 7)
    assert Counter(index for index in indices if index >= 10) == dict.fromkeys(range(10, 17), 10)
    assert all(sum(index >= 10 for index in indices[start : start + 4]) == 2 for start in range(0, 140, 4))
    assert indices[:10] != [index for index in indices[20:40] if index < 10][:10]


def test_without_old_records_every_batch_is_new() -> None:
    mix = batches.mix(new=3, old=0, batch_size=2, replay_ratio=0.5, seed=3)
    assert {mix.index(place) for place in range(20)} == {0, 1, 2}


def test_old_and_unlabelled_examples_take_turns_in_their_share() -> None:
    """However many there are of each, and even where a batch has room for one of them alone."""
    for batch_size, replayed in ((8, 4), (2, 1)):
        mix = batches.mix(new=6, old=3, batch_size=batch_size, replay_ratio=0.5, seed=3, unlabelled=50)
        indices = [mix.index(place) for place in range(batch_size * 60)]
        counts = Counter("new" if index < 6 else "old" if index < 9 else "unlabelled" for index in indices)
        assert counts == {
            "new": (batch_size - replayed) * 60,
            "old": 30 * replayed,
            "unlabelled": 30 * replayed,
        }
        assert max(indices) > 50
    alone = batches.mix(new=6, old=0, batch_size=4, replay_ratio=0.5, seed=3, unlabelled=5)
    assert Counter(alone.index(place) >= 6 for place in range(40)) == {True: 20, False: 20}
    none = batches.mix(new=6, old=0, batch_size=4, replay_ratio=0.0, seed=3, unlabelled=5)
    assert {none.index(place) for place in range(40)} == set(range(6))


def test_training_batches_go_on_anywhere(tmp_path: Path) -> None:
    file = tiny.write_records(tmp_path / "a.tfrecord", ["red", "green"], 5)
    examples = index_records([str(file)], RED_GREEN)
    mix = batches.mix(5, 0, 2, 0.0, seed=1)
    whole = list(batches.training_batches(CONFIG, Encoded(examples), mix, range(4)))
    rest = list(batches.training_batches(CONFIG, Encoded(examples), mix, range(2, 4)))
    assert len(whole) == 4
    for expected, found in zip(whole[2:], rest, strict=True):
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("cache", ["ram", "disk"])
def test_pictures_kept_decoded_are_the_same_and_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Cache
) -> None:
    file = tiny.write_records(tmp_path / "a.tfrecord", ["red", "green"], 4)
    examples = index_records([str(file)], RED_GREEN)
    mix = batches.mix(4, 0, 2, 0.0, seed=1)
    expected = list(batches.training_batches(CONFIG, Encoded(examples), mix, range(8)))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with image_reader(examples, cache) as pictures:
        list(batches.training_batches(CONFIG, pictures, mix, range(2)))
        file.unlink()
        found = list(batches.training_batches(CONFIG, pictures, mix, range(8)))
    for one, other in zip(expected, found, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert not list(tmp_path.glob("tfrec-pictures-*"))


def test_more_pictures_than_memory_are_refused(tmp_path: Path) -> None:
    examples = index_records([str(tiny.write_records(tmp_path / "a.tfrecord", ["red"], 1))], RED_GREEN)
    huge = [replace(examples[0], width=10**7, height=10**7)]
    with (
        pytest.raises(TfrecError, match=r"--cache ram: 1 decoded images take 300000.0 GB, but .* free"),
        image_reader(huge, "ram"),
    ):
        pass


def test_training_batches_keep_picture_and_boxes_together(tmp_path: Path) -> None:
    file = tiny.write_records(tmp_path / "a.tfrecord", ["red"], 8)
    examples = index_records([str(file)], RED_GREEN)
    seen = 0
    for images, _, boxes, classes, _, labeled in batches.training_batches(
        CONFIG, Encoded(examples), batches.mix(8, 0, 4, 0, 2), range(8)
    ):
        assert images.shape == (4, 64, 64, 3)
        assert labeled.numpy().tolist() == [[1, 1]] * 4
        for image, image_boxes, one_hot in zip(images.numpy(), boxes.numpy(), classes.numpy(), strict=True):
            for box, box_classes in zip(image_boxes, one_hot, strict=True):
                if not box_classes.any():
                    assert not box.any()
                    continue
                ymin, xmin, ymax, xmax = np.rint(box * 64).astype(int)
                inside = image[ymin + 3 : ymax - 3, xmin + 3 : xmax - 3]
                np.testing.assert_allclose(
                    inside,
                    np.broadcast_to(np.array(tiny.COLOURS["red"]) / 127.5 - 1, inside.shape),
                    atol=0.02,
                )
                seen += 1
    assert seen > 20


def test_every_training_batch_fits_the_signature_of_a_step(tmp_path: Path) -> None:
    """So a step is traced once, however many boxes a batch has."""
    file = tiny.write_records(tmp_path / "a.tfrecord", ["red", "green"], 3)
    examples = index_records([str(file)], RED_GREEN)
    signature = batches.signature(CONFIG, 2)
    for batch in batches.training_batches(
        CONFIG, Encoded(examples), batches.mix(3, 0, 2, 0.0, seed=1), range(4)
    ):
        assert all(spec.is_compatible_with(part) for spec, part in zip(signature, batch, strict=True))


def test_a_batch_has_what_each_image_has_without_gaps(tmp_path: Path) -> None:
    """Images of 0 to 4 boxes, of which every third is a crowd, and none of which is in another's place."""
    file = tiny.write_records(tmp_path / "a.tfrecord", ["red", "green"], 5)
    examples = [
        replace(
            example,
            boxes=np.arange(4 * count, dtype=np.float32).reshape(-1, 4),
            ids=np.arange(count, dtype=np.int32) % 2 + 1,
            crowd=np.arange(count) % 3 == 0,
            weights=np.arange(count, dtype=np.float32) + number,
            labeled=frozenset({1 + number % 2}),
        )
        for number, (count, example) in enumerate(
            zip(range(5), index_records([str(file)], RED_GREEN), strict=True)
        )
    ]
    for size in (1, 5):
        mix = batches.mix(5, 0, size, 0.0, seed=1)
        made = batches.training_batches(CONFIG, Encoded(examples), mix, range(5 // size), augmentations=())
        for step, (_, _, *known) in enumerate(made):
            wanted = [examples[mix.index(place)] for place in range(step * size, (step + 1) * size)]
            rows = 1 + max(int((~example.crowd).sum()) for example in wanted)
            assert {part.shape[1] for part in known[:3]} == {rows}
            for boxes, classes, weights, labeled, example in zip(*map(np.array, known), wanted, strict=True):
                kept = ~example.crowd
                beyond = rows - kept.sum()
                assert np.array_equal(boxes, np.pad(example.boxes[kept], ((0, beyond), (0, 0))))
                assert np.array_equal(weights, np.pad(example.weights[kept], (0, beyond)))
                ids = np.pad(example.ids[kept], (0, beyond))
                assert np.array_equal(classes, np.eye(3, dtype=np.float32)[ids][:, 1:])
                assert np.flatnonzero(labeled).tolist() == [next(iter(example.labeled)) - 1]


def test_boxes_that_a_crop_cuts_off_leave_no_gap(tmp_path: Path) -> None:
    """Of many boxes along the edges some are lost, and those left are in their order, before all zeros."""
    file = tiny.write_records(tmp_path / "a.tfrecord", ["red"], 1)
    (example,) = index_records([str(file)], RED_GREEN)
    start = np.linspace(0, 0.95, 20, dtype=np.float32)
    boxes = np.stack([start, start, start + 0.05, start + 0.05], axis=1)
    many = replace(
        example,
        boxes=boxes,
        ids=np.ones(20, np.int32),
        crowd=np.zeros(20, bool),
        weights=np.arange(20, dtype=np.float32) + 1,
    )
    mix = batches.mix(1, 0, 4, 0.0, seed=1)
    lost = 0
    for _, _, _, classes, weights, _ in batches.training_batches(
        CONFIG, Encoded([many]), mix, range(6), augmentations=("crop",)
    ):
        counts = classes.numpy()[:, :, 0].sum(axis=1).astype(int)
        assert weights.shape[1] == 1 + counts.max()
        for row, count in zip(weights.numpy(), counts, strict=True):
            assert (np.diff(row[:count]) > 0).all()
            assert not row[count:].any()
        lost += int((20 - counts).sum())
    assert lost > 20
