"""A histogram of durations with fixed buckets, as Prometheus has them. Pure; an ``add`` costs a binary search."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

BOUNDS_S = (
    25e-6, 50e-6, 0.1e-3, 0.25e-3, 0.5e-3, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1.0,
)  # fmt: skip
"""Upper ends of the buckets in seconds; what is longer falls into one more."""


class Histogram:
    """How often each duration was seen since the start."""

    __slots__ = ("counts", "highest_s", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        """By bucket, each for itself; the last is for what is above BOUNDS_S."""
        self.sum_s = 0.0
        self.highest_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration; less than nothing, by a clock that was set back, counts as nothing."""
        seconds = max(0.0, seconds)
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds
        if seconds > self.highest_s:
            self.highest_s = seconds

    def __len__(self) -> int:
        return sum(self.counts)

    def cumulative(self) -> list[tuple[str, int]]:
        """(upper end, how many were no longer), the last for "+Inf"."""
        return list(zip((*map(repr, BOUNDS_S), "+Inf"), accumulate(self.counts), strict=True))

    def summary(self) -> dict[str, float | int | None]:
        """Count, and in ms median, p99 and maximum, for people: neither of the two exceeds the maximum."""
        found = (percentile(self.counts, share) for share in (0.5, 0.99))
        p50, p99 = (None if one is None else min(one, self.highest_s) for one in found)
        return {"count": len(self), "p50": in_ms(p50), "p99": in_ms(p99), "max": in_ms(self.highest_s)}


def percentile(counts: Sequence[int], share: float) -> float | None:
    """Seconds that ``share`` of what was counted did not exceed, taken evenly within a bucket; None of nothing. What is
    above all buckets counts as their end."""
    wanted, seen, low = share * sum(counts), 0, 0.0
    if not wanted:
        return None
    for count, high in zip(counts, BOUNDS_S, strict=False):
        if count and seen + count >= wanted:
            return low + (high - low) * (wanted - seen) / count
        seen, low = seen + count, high
    return BOUNDS_S[-1]


def added(histograms: Iterable[Sequence[int]]) -> list[int]:
    """Several counts as one."""
    return [sum(each) for each in zip([0] * (len(BOUNDS_S) + 1), *histograms, strict=True)]


def in_ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
