"""Files brought to the disk while others are still being made, so that in the end little is waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

from tfrec_tools.system.atomic import sync


@contextmanager
def flushing() -> Iterator[Callable[[Path], None]]:
    """Yields what takes the files, each whole, that are to be on the disk when the block ends. A thread waits
    for the disk, from the first file on: who forks before is not hindered. Raises the first OSError at the
    end; a file that the disk did not take is removed, as a second sync would not tell."""
    queue: SimpleQueue[Path | None] = SimpleQueue()
    faults: list[OSError] = []
    thread = threading.Thread(target=_flush, args=(queue, faults), daemon=True)

    def take(path: Path) -> None:
        if not thread.is_alive():
            thread.start()
        queue.put(path)

    try:
        yield take
    finally:
        if thread.is_alive():
            queue.put(None)
            thread.join()
    if faults:
        raise faults[0]


def _flush(queue: SimpleQueue[Path | None], faults: list[OSError]) -> None:
    while (path := queue.get()) is not None:
        try:
            sync(path)
        except OSError as fault:
            fault.filename = fault.filename or str(path)
            faults.append(fault)
            path.unlink(missing_ok=True)
