"""Durations in buckets."""

import pytest

from bridge.histogram import BOUNDS_S, Histogram, added, percentile


def test_each_duration_falls_into_the_bucket_that_it_does_not_exceed() -> None:
    histogram = Histogram()
    for seconds in (0.0, 0.0001, 0.00011, 1.0, 1.1, 70.0, -3.0):
        histogram.add(seconds)
    assert histogram.counts[0] == 2  # nothing, and a clock that was set back
    assert histogram.counts[BOUNDS_S.index(0.1e-3)] == 1
    assert histogram.counts[BOUNDS_S.index(0.25e-3)] == 1
    assert histogram.counts[-2:] == [1, 2]
    assert histogram.cumulative()[-1] == ("+Inf", 7)
    assert histogram.cumulative()[-2] == ("1.0", 5)
    assert histogram.sum_s == pytest.approx(72.10021)
    assert histogram.highest_s == 70.0


def test_percentiles_are_taken_evenly_within_a_bucket() -> None:
    histogram = Histogram()
    assert percentile(histogram.counts, 0.5) is None
    for _ in range(98):
        histogram.add(0.0004)  # 0.25 to 0.5 ms
    for _ in range(2):
        histogram.add(0.09)  # 50 to 100 ms
    assert percentile(histogram.counts, 0.5) == pytest.approx(0.25e-3 + 0.25e-3 * 50 / 98)
    assert percentile(histogram.counts, 0.99) == pytest.approx(0.075)
    histogram.add(5.0)
    assert percentile(histogram.counts, 1.0) == 1.0
    assert histogram.summary() == {"count": 101, "p50": 0.379, "p99": 99.75, "max": 5000.0}


def test_no_percentile_of_a_summary_exceeds_the_worst() -> None:
    histogram = Histogram()
    histogram.add(0.00026)  # 0.25 to 0.5 ms
    assert histogram.summary() == {"count": 1, "p50": 0.26, "p99": 0.26, "max": 0.26}
    assert Histogram().summary() == {"count": 0, "p50": None, "p99": None, "max": 0.0}


def test_counts_are_added() -> None:
    one, two = Histogram(), Histogram()
    one.add(0.0)
    two.add(0.0)
    two.add(2.0)
    assert added([one.counts, two.counts]) == [2, *[0] * (len(BOUNDS_S) - 1), 1]
    assert sum(added([])) == 0
