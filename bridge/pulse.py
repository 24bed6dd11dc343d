"""The pulse of a running bridge: a timer that says how late the loop is, has moves measured, and makes the dashboard's
rows. What it reads is counted anyway."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from .metrics import EVERY_S, Metrics, Totals

BEAT_S = 0.25
"""Each beat wakes a core that sleeps: with 20 a second an idle bridge used 0.6 % of one, with 4 it uses 0.25 %."""


class Pulse:
    """Beats while ``beating``. ``totals(memory)`` is asked once a second, ``on_row`` told after that."""

    def __init__(
        self,
        metrics: Metrics,
        clock: Callable[[], float],
        totals: Callable[[float | None], Totals],
        on_row: Callable[[], None],
    ) -> None:
        self._metrics = metrics
        self._clock = clock
        self._totals = totals
        self._on_row = on_row
        self._due = self._row_due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._memory = Memory()

    @asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Until the block ends."""
        self._row_due = self._clock()
        self._next(asyncio.get_running_loop())
        try:
            yield
        finally:
            if self._timer is not None:
                self._timer.cancel()
            if self._metrics.latencies is not None:
                self._metrics.latencies.disarm()
            self._memory.close()

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = self._clock() + BEAT_S
        self._timer = loop.call_later(BEAT_S, self._beat, loop)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        now = self._clock()
        self._metrics.note_lag(now - self._due)
        if self._metrics.latencies is not None:
            self._metrics.latencies.arm()
        if now >= self._row_due:
            self._row_due = max(now, self._row_due + EVERY_S)
            self._metrics.note(self._totals(self._memory.megabytes()), time.time(), now)
            self._on_row()
        self._next(loop)


class Memory:
    """What this process has in memory, where the system says it in a file (proc(5), /proc/pid/statm)."""

    def __init__(self) -> None:
        self._file = -1
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                self._file = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)

    def megabytes(self) -> float | None:
        """2 µs: the kernel's counters, no disk."""
        if self._file < 0:
            return None
        with contextlib.suppress(OSError, IndexError, ValueError):
            pages = int(os.pread(self._file, 128, 0).split()[1])
            return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
        return None

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
