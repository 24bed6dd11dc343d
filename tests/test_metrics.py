"""Rows of the last minutes."""

import json

import pytest

from bridge import frames
from bridge.latency import Latencies
from bridge.metrics import FIELDS, KEPT, LATENCY_ROWS, Metrics, Totals
from bridge.store import Store

NOTHING = Totals(0, 0, 0, 0, 0, 0, None)


def rows(metrics: Metrics, since: int = 0) -> list[dict[str, float | None]]:
    return [dict(zip(FIELDS, row, strict=True)) for row in metrics.since(since)]


def test_a_row_has_rates_of_what_was_counted() -> None:
    metrics = Metrics()
    metrics.note(NOTHING, 1000.0, 5.0)
    assert metrics.number == 0  # there is nothing to compare with yet
    metrics.note_lag(0.004)
    metrics.note_lag(0.001)
    metrics.note(Totals(100, 300, 200, 7, 5, 50, 61.5), 1002.0, 7.0)
    (row,) = rows(metrics)
    assert row == {
        "time": 1002.0, "in": 50.0, "out": 150.0, "frames": 100.0, "clients": 7, "drops": 2.5, "revisions": 25.0,
        "lag": 4.0, "out_p50": None, "out_p99": None, "told_p50": None, "told_p99": None, "memory": 61.5,
    }  # fmt: skip
    metrics.note(Totals(90, 300, 200, 7, 5, 50, None), 1003.0, 8.0)  # a port was closed, and what it counted is gone
    assert rows(metrics)[-1] | {"in": 0, "lag": 0.0} == rows(metrics)[-1]


def test_percentiles_are_of_the_last_rows() -> None:
    metrics = Metrics()
    store = Store("e1")
    metrics.latencies = Latencies(store, lambda: 0.0, dict, lambda call: None, lambda: False)
    metrics.note(NOTHING, 0.0, 0.0)
    metrics.latencies.histograms["osc", "osc"].add(0.04)
    metrics.latencies.histograms["osc", "browser"].add(0.2)
    for second in range(1, LATENCY_ROWS + 2):
        metrics.note(NOTHING, float(second), float(second))
    made = rows(metrics)
    assert made[0]["out_p99"] is None  # nothing came before it to compare with
    assert [row["out_p50"] for row in made[1:]] == [None] * LATENCY_ROWS
    metrics.latencies.histograms["midi", "midi"].add(0.04)
    metrics.latencies.histograms["osc", "browser"].add(0.2)
    for second in range(100, 100 + LATENCY_ROWS + 1):
        metrics.note(NOTHING, float(second), float(second))
    told = [row["told_p99"] for row in rows(metrics)[-LATENCY_ROWS - 1 :]]
    assert told == [pytest.approx(248.5)] * LATENCY_ROWS + [None]


def test_only_the_last_minutes_are_kept() -> None:
    metrics = Metrics()
    for second in range(KEPT + 100):
        metrics.note(NOTHING, float(second), float(second))
    assert len(metrics.since(0)) == KEPT
    assert [row["time"] for row in rows(metrics, metrics.number - 2)] == [KEPT + 98.0, KEPT + 99.0]
    assert metrics.since(metrics.number) == []
    assert metrics.since(metrics.number + 5) == []  # another run's


def test_a_frame_has_the_rows_and_how_everything_is() -> None:
    asked = []

    def health() -> dict[str, str]:
        asked.append(1)
        return {"status": "ok"}

    metrics = Metrics()
    metrics.health = health
    metrics.note(NOTHING, 0.0, 0.0)
    for second in range(1, KEPT + 1):
        metrics.note(Totals(second * 123_456, 10**9, 9, 9, 9, 9, 123.4), 1.7e9 + second, float(second))
    whole = frames.metrics(metrics, 0)
    assert len(whole) < 100_000
    told = json.loads(whole)
    assert (told["type"], told["every_s"], len(told["rows"])) == ("metrics", 1.0, KEPT)
    assert told["fields"] == list(FIELDS)
    assert told["health"] == {"status": "ok"}
    assert len(json.loads(frames.metrics(metrics, metrics.number - 1))["rows"]) == 1
    assert len(asked) == 1  # once for all who watch
