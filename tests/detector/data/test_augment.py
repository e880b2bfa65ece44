"""How training pictures are varied: boxes go where their pixels go; the words of --augment and of TFOD."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.places import SHARED
from tfrec_tools.detector.config import augmentation
from tfrec_tools.detector.data import augment
from tfrec_tools.detector.options.finetune import TrainingOptions
from tfrec_tools.errors import InputError

CHANGES = [augment.flip, augment.flip_vertically, augment.rotate]
TFOD = SHARED / "tfod"


def seed_of(changes: bool) -> tf.Tensor:
    """One with which what is done every second time is done, or not."""
    seeds = (tf.constant([number, 0]) for number in range(20))
    return next(seed for seed in seeds if bool(tf.random.stateless_uniform([], seed) < 0.5) == changes)


def marked(box: tuple[float, float, float, float]) -> tf.Tensor:
    """A black picture of 40 x 60 with the box in white."""
    picture = np.zeros((40, 60, 3), np.uint8)
    ymin, xmin, ymax, xmax = np.rint(np.multiply(box, [40, 60, 40, 60])).astype(int)
    picture[ymin:ymax, xmin:xmax] = 255
    return tf.constant(picture)


def white(picture: tf.Tensor) -> list[float]:
    """The box of what is white."""
    rows, columns = np.nonzero(picture.numpy()[..., 0])
    height, width = picture.shape[:2]
    return [
        rows.min() / height,
        columns.min() / width,
        (rows.max() + 1) / height,
        (columns.max() + 1) / width,
    ]


@pytest.mark.parametrize("change", CHANGES)
def test_a_box_goes_where_its_pixels_go(change: Callable[..., tuple[tf.Tensor, tf.Tensor]]) -> None:
    box = (0.1, 0.2, 0.5, 0.9)
    picture, boxes = change(marked(box), tf.constant([box]), seed_of(True))
    np.testing.assert_allclose(boxes[0], white(picture), atol=1e-6)
    assert not np.allclose(boxes[0], box)
    same, unmoved = change(marked(box), tf.constant([box]), seed_of(False))
    np.testing.assert_array_equal(same, marked(box))
    np.testing.assert_allclose(unmoved[0], box)


@pytest.mark.parametrize(("change", "times"), [*((one, 2) for one in CHANGES[:2]), (augment.rotate, 4)])
def test_so_often_is_nothing(change: Callable[..., tuple[tf.Tensor, tf.Tensor]], times: int) -> None:
    picture, boxes = tf.random.stateless_uniform((4, 6, 3), (1, 1)), tf.constant([[0.1, 0.2, 0.5, 0.9]])
    changed = picture, boxes
    for _ in range(times):
        changed = change(*changed, seed_of(True))
    np.testing.assert_array_equal(changed[0], picture)
    np.testing.assert_allclose(changed[1], boxes, atol=1e-6)


def test_other_colours_leave_the_shapes() -> None:
    picture = marked((0.1, 0.2, 0.5, 0.9)) // 2 + 50
    one, other = (augment.recolor(picture, tf.constant([number, 0])).numpy() for number in (1, 2))
    assert one.dtype == np.float32
    assert 0 <= one.min() < one.max() <= 255
    assert not np.allclose(one, other)
    assert len(np.unique(one[..., 0])) == 2


@pytest.mark.parametrize("kind", augmentation.KINDS)
def test_each_kind_changes_pictures_and_none_of_them_nothing(kind: str) -> None:
    picture, boxes = (
        tf.cast(tf.random.stateless_uniform((40, 60, 3), (1, 1)) * 255, tf.uint8),
        tf.zeros((2, 4)),
    )
    same, _, kept = augment.vary((), picture, boxes, tf.constant([1, 1]))
    np.testing.assert_array_equal(same, picture)
    assert kept.numpy().all()
    varied = [augment.vary([kind], picture, boxes, tf.constant([place, 1]))[0] for place in range(12)]
    assert any(one.shape != picture.shape or not np.array_equal(one, picture) for one in varied)


def pipeline(*operations: str) -> str:
    options = "".join(f"data_augmentation_options {{ {name} {{ }} }}\n" for name in operations)
    return f"train_config {{ {options} }}\n"


@pytest.mark.parametrize(
    ("operations", "kinds"),
    [
        ((), ("flip", "crop")),
        (("random_horizontal_flip",), ("flip",)),
        (("ssd_random_crop", "random_horizontal_flip"), ("flip", "crop")),
        (("random_adjust_hue", "random_distort_color", "random_rotation90"), ("rotate90", "color")),
        (("random_vertical_flip",), ("vertical-flip",)),
    ],
)
def test_what_a_config_asks_for(operations: tuple[str, ...], kinds: tuple[str, ...]) -> None:
    assert augmentation.by_default(pipeline(*operations), ["red"]) == kinds


def test_what_is_not_done_is_named_with_the_way_out() -> None:
    text = pipeline("random_patch_gaussian", "random_horizontal_flip", "autoaugment_image")
    with pytest.raises(InputError, match=r"found random_patch_gaussian, autoaugment_image.*--augment"):
        augmentation.listed(text)


@pytest.mark.parametrize(
    ("names", "flips"),
    [
        (["Turn Left", "turn right"], False),
        (["left", "right", "stop"], False),
        (["left", "stop"], True),
        (["bright", "blight"], True),
    ],
)
def test_no_flip_where_it_makes_one_class_the_other(names: list[str], flips: bool) -> None:
    assert ("flip" in augmentation.by_default(pipeline("random_horizontal_flip"), names)) == flips


@pytest.mark.parametrize(
    "path", sorted(TFOD.glob("*/*.config")) or [None], ids=lambda path: path and path.stem
)
def test_what_real_configs_ask_for_is_done(path: Path | None) -> None:
    if path is None:
        pytest.skip("needs shared/tfod")
    assert set(augmentation.listed(path.read_text(encoding="utf-8"))) <= {"flip", "crop"}


def test_the_words_of_the_flag() -> None:
    assert TrainingOptions().augmentations is None
    assert TrainingOptions(augment="off").augmentations == ()
    assert TrainingOptions(augment="crop, color").augmentations == ("crop", "color")
    with pytest.raises(InputError, match="'mosaic' is none of flip, vertical-flip, rotate90, crop"):
        _ = TrainingOptions(augment="flip,mosaic").augmentations


def test_clipping_to_a_window_by_hand() -> None:
    boxes = tf.constant([[0.0, 0.0, 1.0, 1.0], [0.6, 0.6, 0.7, 0.7], [0.0, 0.0, 0.4, 0.4]])
    clipped, left = augment.clip_to_window(boxes, tf.constant([0.5, 0.5, 1.0, 1.0]))
    np.testing.assert_allclose(left, [0.25, 1.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(clipped[:2], [[0.0, 0.0, 1.0, 1.0], [0.2, 0.2, 0.4, 0.4]], atol=1e-6)
