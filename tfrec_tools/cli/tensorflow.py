"""TensorFlow, loaded when a command needs it: quietly, or with a line on how to install it."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from tfrec_tools.errors import TfrecError
from tfrec_tools.system.options import Progress, silent


def load(progress: Progress = silent) -> None:
    """Imports TensorFlow. TfrecError where it is not installed."""
    progress("loading tensorflow", 0, None)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with quiet():
            importlib.import_module("tensorflow")
            importlib.import_module("keras")
    except ModuleNotFoundError as fault:
        raise TfrecError(
            f"this command needs TensorFlow ({fault.name} is not installed): pip install 'tfrec-tools[train]'"
        ) from fault


@contextmanager
def quiet() -> Iterator[None]:
    """Holds back what TensorFlow's C++ and Python print to stderr, whatever the log level; shown after all
    where something fails that is no fault of the input."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except TfrecError:
            raise
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
