"""A disk that becomes full while a model is exported: one line, and nothing is left."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from tests.helpers import tiny
from tests.helpers.command import without_progress
from tests.helpers.places import ROOT
from tfrec_tools.detector.export.full_disk import in_one_line
from tfrec_tools.errors import InputError

OUT, SCRATCH = Path("/data/out"), Path("/data")


def _of_tensorflow(text: str) -> tf.errors.OpError:
    return tf.errors.ResourceExhaustedError(None, None, text)


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "/data/out: no space is left on the disk, and"),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/data/out/a"), "/data/out: the disk's quota is used"),
        (OSError(errno.ENOSPC, "No space left on device", "/data/tmp1"), "/data: no space .* set TMPDIR"),
        (_of_tensorflow("/data/.out.partial/a; No space left on device"), "/data/out: no space is left"),
        (_of_tensorflow("/data/tmp12/variables/a; No space left on device"), "/data: no space .* set TMPDIR"),
    ],
)
def test_each_way_to_say_so_is_one_line(fault: Exception, line: str) -> None:
    with pytest.raises(InputError, match=f"^{line}"), in_one_line(OUT, SCRATCH):
        raise fault


@pytest.mark.parametrize(
    "fault", [OSError(errno.EACCES, "Permission denied"), _of_tensorflow("OOM when allocating tensor")]
)
def test_what_is_no_full_disk_passes(fault: Exception) -> None:
    with pytest.raises(type(fault)), in_one_line(OUT, SCRATCH):
        raise fault


@pytest.mark.slow
@pytest.mark.parametrize("kilobytes", [300, 1500])  # in the checkpoint; in the SavedModel
def test_nothing_is_left_on_a_small_disk(tmp_path: Path, kilobytes: int) -> None:
    """On a disk in memory, of a namespace that goes with its process."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody mount a disk for itself")
    model, disk = tiny.model_folder(tmp_path / "model", "red"), tmp_path / "disk"
    disk.mkdir()
    words = f"-m tfrec_tools export --model {model} --to saved_model --out {disk}/out"
    script = (
        f"mount -t tmpfs -o size={kilobytes}k tmpfs {disk} || exit 9\n{sys.executable} {words}\n"
        f"echo code $? left $(ls -A {disk})"
    )
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode == 9:
        pytest.skip("this system lets nobody mount a disk for itself")
    reason = "no space is left on the disk, and nothing is written; make room, or give another --out"
    assert without_progress(done.stderr).strip() == f"tfrec: error: {disk}/out: {reason}"
    assert done.stdout.strip() == "code 1 left"
