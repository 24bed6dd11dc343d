"""``/metrics`` in Prometheus' words, made from what ``/healthz`` says and the histograms, when it is asked for.

prometheus-client is imported, and all is made, on the thread that calls: 25 ms the first time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .histogram import Histogram

PREFIX = "stagebridge_"


class Reading(NamedTuple):
    """A histogram as it stood: what another thread may read."""

    labels: tuple[str, ...]
    buckets: Sequence[tuple[str, int]]
    sum_s: float

    @classmethod
    def of(cls, histogram: Histogram, *labels: str) -> Reading:
        return cls(labels, histogram.cumulative(), histogram.sum_s)


class Readings(NamedTuple):
    """All that are shown. ``latencies`` have two labels: from, to."""

    latencies: Sequence[Reading]
    lag: Reading
    state_writes: Reading
    lag_max_s: float


def exposition(health: Mapping[str, Any], readings: Readings, accept: str) -> tuple[bytes, str]:
    """Body and content type. ``accept`` is the request's header. Takes 4 ms."""
    from prometheus_client import GCCollector, ProcessCollector
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.registry import Collector, CollectorRegistry

    class Ours(Collector):
        def collect(self) -> Iterator[Any]:
            return _families(health, readings)

    registry = CollectorRegistry()
    registry.register(Ours())
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def _families(health: Mapping[str, Any], readings: Readings) -> Iterator[Any]:
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        InfoMetricFamily,
    )

    def gauge(name: str, text: str, value: float | None) -> Iterator[Any]:
        if value is not None:
            yield GaugeMetricFamily(PREFIX + name, text, value)

    def counter(name: str, text: str, value: float) -> Iterator[Any]:
        yield CounterMetricFamily(PREFIX + name, text, value)

    def by_peer(kind: type[Any], name: str, text: str, key: str) -> Iterator[Any]:
        family = kind(PREFIX + name, text, labels=("port", "peer"))
        for peer in peers:
            if peer.get(key) is not None:
                family.add_metric((peer["port"], peer["name"]), peer[key])
        yield family

    def histogram(name: str, text: str, labels: Sequence[str], found: Sequence[Reading]) -> Iterator[Any]:
        family = HistogramMetricFamily(PREFIX + name, text, labels=labels)
        for one in found:
            family.add_metric(one.labels, one.buckets, one.sum_s)
        yield family

    peers, clients, state = health["peers"], health["clients"], health["state"]
    yield InfoMetricFamily(
        "stagebridge", "The running program.", {"version": health["version"], "name": health["name"]}
    )
    yield from gauge("degraded", "1 while something is wrong; /healthz says what.", float(health["status"] != "ok"))
    yield from gauge("uptime_seconds", "Since the start.", health["uptime_s"])

    yield from by_peer(CounterMetricFamily, "messages_received", "Messages from a peer, sound or not.", "received")
    yield from by_peer(CounterMetricFamily, "messages_sent", "Messages to a peer.", "sent")
    dropped = CounterMetricFamily(
        PREFIX + "drops", "Messages that came to nothing, by cause.", labels=("port", "peer", "cause")
    )
    online = GaugeMetricFamily(PREFIX + "peer_online", "1 while a peer is there.", labels=("port", "peer"))
    for peer in peers:
        online.add_metric((peer["port"], peer["name"]), float(peer["state"] == "online"))
        for cause, count in peer["drops"].items():
            dropped.add_metric((peer["port"], peer["name"], cause), count)
    yield from (dropped, online)
    text = "Since a peer was last heard."
    yield from by_peer(GaugeMetricFamily, "peer_heard_age_seconds", text, "heard_s_ago")
    yield from by_peer(GaugeMetricFamily, "peer_sent_age_seconds", "Since it was last sent something.", "sent_s_ago")
    yield from by_peer(GaugeMetricFamily, "peer_waiting", "Values and triggers that a peer is owed.", "waiting")
    yield from by_peer(GaugeMetricFamily, "peer_learnt_controls", "Controls that a peer has taught us.", "learnt")

    roles = GaugeMetricFamily(PREFIX + "clients", "Browsers that are connected, by role.", labels=("role",))
    for role, count in sorted(
        ({"view": 0, "control": 0, "admin": 0} | Counter(one["role"] for one in clients)).items()
    ):
        roles.add_metric((role,), count)
    yield roles
    yield from counter("browser_messages_received", "Messages from browsers.", health["messages_in"])
    yield from counter("browser_frames_sent", "Frames to browsers: updates and answers.", health["frames_out"])
    behind = [one["revisions_behind"] for one in clients]
    yield from gauge("browsers_behind", "Browsers that are still to be told something.", sum(map(bool, behind)))
    text = "How many revisions the furthest of them is behind."
    yield from gauge("browser_revisions_behind_max", text, max(behind, default=0))
    waiting = sum(one["waiting_bytes"] + one["buffered_bytes"] for one in clients)
    yield from gauge("browser_waiting_bytes", "Bytes that wait for browsers to take them.", waiting)

    refused = CounterMetricFamily(
        PREFIX + "refused", "What was not let in or done, by cause.", labels=("where", "cause")
    )
    for where, causes in health["refusals"].items():
        for cause, count in causes.items():
            refused.add_metric((where, cause), count)
    yield refused

    text = "A sample of moves, from when the loop read them until they had left."
    yield from histogram("latency_seconds", text, ("source", "destination"), readings.latencies)
    yield from histogram("loop_lag_seconds", "How late the loop came to a timer.", (), [readings.lag])
    yield from gauge("loop_lag_max_seconds", "The latest that it came since the start.", readings.lag_max_s)

    yield from counter("revisions", "Changes of the store.", health["rev"])
    yield from gauge("controls", "Controls that there are.", health["controls"])
    yield from gauge("learnt_bindings", "Bindings learnt from hardware.", health["learnt"])
    yield from counter(
        "chains_cut", "Chains of changes that were cut, two rules answering each other.", health["chains_cut"]
    )
    reloads = CounterMetricFamily(PREFIX + "reloads", "Reloads of the configuration.", labels=("result",))
    for result, count in health["reloads"].items():
        reloads.add_metric((result,), count)
    yield reloads

    yield from gauge("state_saved", "1 while moves are kept on disk.", float(state["state"] == "saved"))
    yield from counter("state_writes", "Writes of the state file.", state["writes"])
    yield from counter("state_write_failures", "Writes that failed.", state["failures"])
    yield from gauge("state_written_age_seconds", "Since the last write.", state["written_s_ago"])
    yield from histogram("state_write_seconds", "How long a write took.", (), [readings.state_writes])
