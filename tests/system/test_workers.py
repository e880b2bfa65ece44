"""Jobs in processes, forked or new: each program here runs in an interpreter of its own, where nothing has
started threads or imported TensorFlow yet."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import threading
import time
from tests.helpers.jobs import *
from tfrec_tools.system import workers
if __name__ == "__main__":
    if {threaded}:
        threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
    ticks = []
    try:
        print(workers.spread({work}, list(range(6)), 2, ticks.append), sum(ticks), flush=True)
    except Exception as fault:
        print(type(fault).__name__, fault)
"""


def program(tmp_path: Path, work: str, threaded: bool) -> list[str]:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.format(work=work, threaded=threaded))
    return [sys.executable, "-B", str(script)]


@pytest.fixture(autouse=True)
def tests_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))


@pytest.mark.parametrize("threaded", [False, True])
@pytest.mark.parametrize(
    ("work", "expected"),
    [
        ("square", "[0, 1, 4, 9, 16, 25] 12"),
        ("fault", "InputError a.jpg: job 3: is damaged"),
        ("faults", "InputError a.jpg: job 2: is damaged"),
        ("death", "TfrecError a worker process died (out of memory?); try fewer --workers"),
    ],
)
def test_results_in_order_and_faults(tmp_path: Path, work: str, expected: str, threaded: bool) -> None:
    done = subprocess.run(
        program(tmp_path, work, threaded), check=True, capture_output=True, encoding="utf-8", timeout=60
    )
    assert (done.stdout.strip(), done.stderr) == (expected, "")


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize("threaded", [False, True])
def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path, threaded: bool) -> None:
    parent = subprocess.Popen(
        program(tmp_path, "sleeper", threaded), stdout=subprocess.PIPE, encoding="utf-8"
    )
    assert parent.stdout is not None
    pids = [int(parent.stdout.readline()) for _ in range(2)]
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 30
    while any(running(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(running(pid) for pid in pids)


def running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False
