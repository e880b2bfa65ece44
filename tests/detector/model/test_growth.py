"""Class heads for more classes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import tiny
from tfrec_tools.detector.model import detector, growth
from tfrec_tools.detector.model.class_rows import class_rows
from tfrec_tools.errors import LabelConflict
from tfrec_tools.labels.label_map import Label, LabelMap, from_names

PICTURES = tf.random.stateless_uniform((2, 64, 64, 3), (3, 4), -1.0, 1.0)
KERNEL = next(
    path
    for path in detector.variables(tiny.detector("red").network)
    if path.endswith("s/0/pointwise_kernel") and "class" in path
)


@pytest.fixture(scope="module")
def red() -> detector.Detector:
    """A base that growing leaves as it is."""
    return tiny.detector("red")


@pytest.fixture(scope="module")
def red_green() -> detector.Detector:
    return tiny.detector("red", "green")


def test_old_classes_keep_their_logits_to_the_bit(red_green: detector.Detector) -> None:
    base = red_green
    grown = growth.grow(base, from_names(["red", "green", "blue"]), seed=1)
    before, after = base.network(PICTURES), grown.network(PICTURES)
    assert np.array_equal(before[0], after[0])
    assert np.array_equal(before[1], after[1][..., :3])


def test_classes_are_carried_over_by_name_not_by_id(red_green: detector.Detector) -> None:
    base = red_green
    grown = growth.grow(base, from_names(["green", "blue", "red"]), seed=1)
    before, after = base.network(PICTURES)[1].numpy(), grown.network(PICTURES)[1].numpy()
    assert np.array_equal(before[..., [0, 1, 2]], after[..., [0, 3, 1]])


def test_a_new_class_starts_rare_and_small(red: detector.Detector) -> None:
    grown = growth.grow(red, from_names(["red", "green"]), seed=1)
    values = tiny.floats(grown.network)
    kernel = values[KERNEL].reshape(16, 6, 3)
    bias = values[KERNEL.replace("pointwise_kernel", "bias")].reshape(6, 3)
    np.testing.assert_allclose(bias[:, 2], -math.log(99), rtol=1e-6)
    assert 0.005 < kernel[..., 2].std() < 0.015
    assert not np.array_equal(kernel[..., 2], kernel[..., 1])


def test_the_same_seed_gives_the_same_rows(red: detector.Detector) -> None:
    labels = from_names(["red", "green"])
    first, second, other = (
        detector.values(growth.grow(red, labels, seed=seed).network) for seed in (5, 5, 6)
    )
    assert np.array_equal(first[KERNEL], second[KERNEL])
    assert not np.array_equal(first[KERNEL], other[KERNEL])


def test_everything_but_the_class_head_is_the_bases(red: detector.Detector) -> None:
    base = red
    grown = growth.grow(base, from_names(["red", "green"]), seed=1)
    before, after = detector.values(base.network), detector.values(grown.network)
    changed = {path for path in before if not np.array_equal(before[path], after[path])}
    assert changed == {KERNEL, KERNEL.replace("pointwise_kernel", "bias")}


def test_losing_a_class_must_be_asked_for(red_green: detector.Detector) -> None:
    base = red_green
    with pytest.raises(LabelConflict, match=r"lacks 'red'.*--drop-classes"):
        growth.grow(base, from_names(["green", "blue"]), seed=1)
    grown = growth.grow(base, from_names(["green", "blue"]), seed=1, drop_classes=True)
    before, after = base.network(PICTURES)[1].numpy(), grown.network(PICTURES)[1].numpy()
    assert np.array_equal(before[..., [0, 2]], after[..., [0, 1]])


def test_a_map_with_gaps_keeps_the_columns_that_have_no_class() -> None:
    labels = LabelMap((Label(1, "red"), Label(3, "green")))
    base = detector.new_detector(tiny.PIPELINE.read_text(encoding="utf-8"), labels, seed=1)
    grown = growth.grow(base, LabelMap((*labels.labels, Label(4, "blue"))), seed=1)
    assert grown.config.num_classes == 4
    before, after = base.network(PICTURES)[1].numpy(), grown.network(PICTURES)[1].numpy()
    assert np.array_equal(before, after[..., :4])


def test_the_rows_tell_old_from_new() -> None:
    rows = class_rows(from_names(["red", "green"]), from_names(["red", "green", "blue"]))
    assert [(row.name, row.base_id) for row in rows] == [("red", 1), ("green", 2), ("blue", None)]


@pytest.mark.parametrize(
    ("base", "renamed", "grown", "expected"),
    [
        (["a", "b"], {"a": "x"}, ["x", "b", "c"], [1, 2, None]),
        (["a", "b"], {"a": "b", "b": "a"}, ["a", "b"], [2, 1]),
        (["a", "b", "c"], {"b": "x", "c": "x"}, ["a", "x"], [1, 2]),
        (["a", "b", "x"], {"b": "x"}, ["a", "x"], [1, 3]),
    ],
)
def test_renamed_classes_keep_their_rows(
    base: list[str], renamed: dict[str, str | None], grown: list[str], expected: list[int | None]
) -> None:
    rows = class_rows(from_names(base), from_names(grown), renamed=renamed)
    assert [row.base_id for row in rows] == expected


def test_a_class_that_the_merge_left_out_is_lost() -> None:
    with pytest.raises(LabelConflict, match="lacks 'b'"):
        class_rows(from_names(["a", "b"]), from_names(["a", "c"]), renamed={"b": None})
