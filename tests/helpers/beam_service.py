"""Beam's portable job service as a process of its own, whose workers are processes too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# With Beam's `python` workers it is the first one on the PATH.
ENVIRONMENT = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@contextmanager
def job_service(folder: Path, environment: Mapping[str, str] = ENVIRONMENT) -> Iterator[list[str]]:
    """Beam's options to run on it, with workers that are processes on loopback; it ends with the block."""
    port = folder / "port"
    words = ["-m", "apache_beam.runners.portability.local_job_service_main", "--port_file", str(port)]
    with (folder / "job_service.log").open("wb") as log:
        service = subprocess.Popen([sys.executable, *words], env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not port.exists():
            assert service.poll() is None, (folder / "job_service.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield [
            f"--job_endpoint=localhost:{port.read_text()}",
            "--environment_type=LOOPBACK",
            "--experiments=use_loopback_process_worker=True",
        ]
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait()
