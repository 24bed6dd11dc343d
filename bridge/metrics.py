"""What the bridge does, second by second: rows of the last minutes for the dashboard, made from counters. Pure.

Nothing here is called for a message: ``note`` reads what is counted anyway. Not here: who calls it and the loop's
lateness (``pulse``), Prometheus (``prometheus``), how a browser is told (``session``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from .histogram import Histogram, added, in_ms, percentile
from .latency import BROWSER, Latencies

EVERY_S = 1.0
KEPT = 600
"""Rows that are kept, and that a dashboard is told when it comes: ten minutes."""
LATENCY_ROWS = 30
"""A row's percentiles are of the samples of so many rows: at 4 a second, 120."""

FIELDS = (
    "time", "in", "out", "frames", "clients", "drops", "revisions", "lag", "out_p50", "out_p99", "told_p50", "told_p99",
    "memory",
)  # fmt: skip
"""``time``: seconds since 1970; ``in``, ``out``: messages a second, of all ports and browsers; ``frames``: of these, to
browsers; ``lag`` (the loop's worst lateness) and the percentiles (socket in → a port's socket out, → browsers told) in
ms, None where nothing was measured; ``memory`` in MB."""


class Totals(NamedTuple):
    """What has been counted since the start, and what is so now."""

    in_: int
    out: int
    frames: int
    clients: int
    drops: int
    revision: int
    memory: float | None
    """MB; None where the system does not tell."""


class Metrics:
    """The rows, and who watches them. ``health()`` is told with them, where somebody watches."""

    def __init__(self, health: Callable[[], Mapping[str, Any]] = dict) -> None:
        self.lag = Histogram()
        """The event loop's lateness."""
        self.number = 0
        """Of the last row, from 1."""
        self.watchers = 0
        self.health = health
        self.latencies: Latencies | None = None
        self._said: tuple[int, Mapping[str, Any]] = (-1, {})
        self._rows: deque[tuple[Any, ...]] = deque(maxlen=KEPT)
        self._before: tuple[float, Totals] | None = None
        self._worst_lag = 0.0
        self._counts: deque[tuple[list[int], list[int]]] = deque(maxlen=LATENCY_ROWS + 1)

    def note_lag(self, seconds: float) -> None:
        """The loop came so late to something."""
        self.lag.add(seconds)
        self._worst_lag = max(self._worst_lag, seconds)

    def note(self, totals: Totals, time: float, now: float) -> None:
        """A row: ``time`` for people, ``now`` monotonic."""
        before, self._before = self._before, (now, totals)
        if before is None or now <= before[0]:
            return
        since, was = before
        rates = [
            round(max(0, new - old) / (now - since), 1)
            for new, old in (
                (totals.in_, was.in_), (totals.out, was.out), (totals.frames, was.frames),
                (totals.drops, was.drops), (totals.revision, was.revision),
            )
        ]  # fmt: skip
        come, go, frames, drops, revisions = rates
        lag, self._worst_lag = in_ms(self._worst_lag), 0.0
        row = (round(time, 1), come, go, frames, totals.clients, drops, revisions, lag, *self._percentiles())
        self._rows.append((*row, totals.memory))
        self.number += 1

    def since(self, number: int) -> list[tuple[Any, ...]]:
        """The rows after this one, as far as they are kept."""
        wanted = min(len(self._rows), max(0, self.number - number))
        return list(self._rows)[len(self._rows) - wanted :]

    def health_now(self) -> Mapping[str, Any]:
        """``health()`` as it was at the last row: asked once for all who watch."""
        if self._said[0] != self.number:
            self._said = self.number, self.health()
        return self._said[1]

    def _percentiles(self) -> list[float | None]:
        histograms = {} if self.latencies is None else self.latencies.histograms
        told = added(one.counts for (_, to), one in histograms.items() if to == BROWSER)
        out = added(one.counts for (_, to), one in histograms.items() if to != BROWSER)
        self._counts.append((out, told))
        oldest = self._counts[0]
        return [
            in_ms(percentile(_less(new, old), share))
            for new, old in zip((out, told), oldest, strict=True)
            for share in (0.5, 0.99)
        ]


def _less(counts: Iterable[int], before: Iterable[int]) -> list[int]:
    return [new - old for new, old in zip(counts, before, strict=True)]
