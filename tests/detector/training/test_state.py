"""The state of a training as a file that was cut, or is another's: one line, and nothing is unpickled."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import tiny
from tests.helpers.finetuning import CONFIG
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.errors import InputError


def _pickled(_: bytes) -> bytes:
    file = io.BytesIO()
    np.savez(file, step=np.array([{}], object))
    return file.getvalue()


def _one_array(_: bytes) -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


def _bad_member(data: bytes) -> bytes:
    at = data.index(b"NUMPY")
    return data[: at + 5] + b"\xff" * 20 + data[at + 25 :]


FOREIGN: list[Callable[[bytes], bytes]] = [
    lambda _: b"",
    lambda _: b"PK",
    lambda data: data[:100],
    lambda data: data[: len(data) // 2],
    lambda data: data[:-30],
    _pickled,
    _one_array,
    _bad_member,
]


def test_a_state_that_is_cut_or_anothers_is_refused(tmp_path: Path) -> None:
    trainer = Trainer(tiny.detector("blue"), CONFIG)
    path = tmp_path / "state.npz"
    trainer.save(path, {})
    sound = path.read_bytes()
    assert trainer.load(path) == {}
    for change in FOREIGN:
        path.write_bytes(change(sound))
        with pytest.raises(
            InputError, match=r"state.npz: (cannot be read as the state|is the state of another)"
        ):
            trainer.load(path)
