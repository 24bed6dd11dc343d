"""A file that a program cannot open for the time being, as on a disk, or a network's, that does not answer.

Linux makes who opens a file wait while another has a write lease on it (fcntl(2), "Leases").
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

TRIED_S = 5.0


@contextmanager
def hung(file: Path) -> Iterator[Callable[[], None]]:
    """Who opens this file in the block waits until it ends; what is given returns when somebody does."""
    import fcntl  # Windows has none

    held = os.open(file, os.O_RDWR)
    try:
        fcntl.fcntl(held, fcntl.F_SETSIG, signal.SIGURG)  # we are told that somebody waits; this signal ends nobody
        fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_WRLCK)

        def until_tried() -> None:
            deadline = time.monotonic() + TRIED_S
            while fcntl.fcntl(held, fcntl.F_GETLEASE) == fcntl.F_WRLCK:
                assert time.monotonic() < deadline, "nobody has opened it"
                time.sleep(0.01)

        yield until_tried
    finally:
        os.close(held)
