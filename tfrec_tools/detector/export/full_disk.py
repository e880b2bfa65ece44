"""A disk that becomes full, whoever writes to it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf

from tfrec_tools.errors import InputError

_REASONS = {errno.ENOSPC: "no space is left on the disk", errno.EDQUOT: "the disk's quota is used up"}
# In errors of TensorFlow's file systems, which have the system's words but not its number.
_WORDS = {"No space left on device": errno.ENOSPC, "Disk quota exceeded": errno.EDQUOT}


@contextmanager
def in_one_line(folder: Path, scratch: Path) -> Iterator[None]:
    """Raises InputError where a disk becomes full while `folder` is filled: naming `folder`, or `scratch`
    where what could not be written lies there. TensorFlow raises ResourceExhaustedError, of which only the
    words tell a disk from memory."""
    try:
        yield
    except OSError as fault:
        if fault.errno in _REASONS:
            raise _error(_REASONS[fault.errno], folder, scratch, str(fault.filename or "")) from fault
        raise
    except tf.errors.OpError as fault:
        for words, number in _WORDS.items():
            if words in fault.message:
                raise _error(_REASONS[number], folder, scratch, fault.message) from fault
        raise


def _error(reason: str, folder: Path, scratch: Path, text: str) -> InputError:
    in_folder = f".{folder.name}." in text or str(folder) in text  # hidden until it is whole
    if str(scratch) in text and not in_folder:
        return InputError(scratch, f"{reason}, and nothing is written; make room, or set TMPDIR")
    return InputError(folder, f"{reason}, and nothing is written; make room, or give another --out")
