"""Golden gradients are of as many threads as TFOD had.

TensorFlow's batch norm (FusedBatchNormV3, oneDNN's of TF 2.21) sums the pixels that fall to a thread one
after another in float32: of 2 x 160 x 160 pixels mean and variance are off by 1.5e-5 with one thread, by 5e-6
with two. A network of random weights makes more of it. Of ssd_mobilenet_v2_fpnlite the gradient's norm is

    38.82 with one thread, 39.29 with two (TFOD's to 2e-7), 39.56 with sixteen, 39.34 with two without
    oneDNN, 39.53 with any number of threads where the statistics are summed in float64,

and one bit of each pixel moves it by up to 0.6 %. So a tolerance that all of them keep would tell nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import tensorflow as tf

from tests.helpers.places import ROOT

Words = ParamSpec("Words")
_OF_TFOD = 2
_VARIABLE = "TF_NUM_INTRAOP_THREADS"


def with_those_of_tfod(test: Callable[Words, None]) -> Callable[Words, None]:
    """The test in this process, or in another one where TensorFlow has other threads here: their number can
    be chosen only once."""

    @wraps(test)
    def run(*words: Words.args, **named: Words.kwargs) -> None:
        if _here() == _OF_TFOD:
            test(*words, **named)
            return
        node, _, _ = os.environ["PYTEST_CURRENT_TEST"].rpartition(" (")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", node]
        environment = os.environ | {_VARIABLE: str(_OF_TFOD)}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        assert "1 passed" in done.stdout

    return run


def _here() -> int:
    """Threads that an operation has in this process."""
    said = tf.config.threading.get_intra_op_parallelism_threads() or int(os.environ.get(_VARIABLE, 0))
    return said or len(os.sched_getaffinity(0))
