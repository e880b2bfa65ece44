"""Each family against its own small golden, for clones that have none of TFOD's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import goldens
from tfrec_tools.detector.model import detector, growth
from tfrec_tools.labels.label_map import from_names


@pytest.mark.parametrize("family", goldens.MEASURED)
def test_a_family_computes_what_it_did(family: str) -> None:
    found = goldens.measure(family)
    with np.load(goldens.golden_file(family)) as expected:
        assert sorted(expected) == sorted(found)
        for key, values in found.items():
            np.testing.assert_allclose(values, expected[key], rtol=1e-3, atol=1e-3, err_msg=key)


@pytest.mark.parametrize("family", goldens.FAMILIES)
def test_a_family_comes_back_from_its_folder_and_grows(family: str, tmp_path: Path) -> None:
    made = goldens.detector(family, "cat", "dog", "cup")
    detector.save_detector(made, tmp_path / "model")
    base = detector.load_detector(tmp_path / "model")
    before, after = detector.values(made.network), detector.values(base.network)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[path], after[path]) for path in before)
    grown = growth.grow(base, from_names(["cat", "dog", "cup", "mug", "jug"]), seed=0)
    size = base.config.resizer.height_px, base.config.resizer.width_px
    images = tf.random.stateless_uniform((1, *size, 3), (0, 1), -1, 1)
    old, new = (detector.class_logits(one, images, tf.ones((1, 2))) for one in (base, grown))
    assert new.shape[-1] == 5
    assert np.array_equal(old, new[..., :3])
