"""The workloads: what is done to a server, and what is measured. Each returns figures by name.

Times are in ms, CPU in µs unless a name says otherwise. CPU is the server's, user and system. "due" counts every
step for every screen, delivered one by one or merged; "arrived" counts the values that really came.
"""

from __future__ import annotations

import gc
import os
import socket
import statistics
import tempfile
import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import machine
from .adapters import Adapter, Server
from .adapters.stagebridge import trigger
from .load import Browser, Load, Track

Figures = dict[str, float]


@dataclass(frozen=True)
class Case:
    """One line of the benchmark: a workload at one setting."""

    key: str
    title: str
    run: Callable[[Adapter, float], Figures]
    needs: frozenset[str]
    browsers: int = 10


@dataclass
class Scene:
    """A running server with its load."""

    server: Server
    load: Load
    track: Track

    @property
    def pid(self) -> int:
        return self.server.pid


@contextmanager
def scene(adapter: Adapter, controls: int, browsers: int) -> Iterator[Scene]:
    """A server, and browsers that are ready. The load is on its own core, and its garbage is its own."""
    os.sched_setaffinity(0, {machine.cores()[1]})
    machine.come_first()
    with tempfile.TemporaryDirectory() as folder, adapter.running(Path(folder), controls) as server:
        load = Load(adapter, server.plan.http_port, server.plan.osc_in, controls)
        track = Track(controls)
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            load.join(browsers, track)
            load.run(0.3)
            yield Scene(server, load, track)
        finally:
            gc.enable()
            load.close()


def percentiles(late: Iterable[float], prefix: str = "") -> Figures:
    """p50, p99 and the largest, in ms."""
    ordered = sorted(late)
    if not ordered:
        return {}
    at = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {prefix + name: ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000 for name, part in at.items()}


def _quiet(load: Load, track: Track, browsers: list[Browser], limit_s: float) -> int:
    """Wait until all have everything, at most so long; how many values are wrong then."""
    final = track.final()
    end = time.monotonic() + limit_s
    while True:
        wrong = sum(
            seen != last for browser in browsers for seen, last in zip(browser.last, final, strict=True) if last
        )
        if wrong == 0 or time.monotonic() > end:
            return wrong
        load.run(0.02)


# W1 and W2: one value moves


def follow(rate: float) -> Callable[[Adapter, float], Figures]:
    """W1: OSC in → 10 browsers."""

    def run(adapter: Adapter, seconds: float) -> Figures:
        with scene(adapter, 8, 10) as on:
            load, track = on.load, on.track

            def step(due: float) -> None:
                number = track.step(0, time.monotonic())
                load.send_osc(0, number)

            before = machine.cpu_s(on.pid)
            load.every(1 / rate, step)
            load.run(seconds)
            load.stop_timers()
            load.run(0.1)
            spent = machine.cpu_s(on.pid) - before
            wrong = _quiet(load, track, load.browsers, 1.0)
            return {
                **percentiles(track.late),
                **_delivered(on, spent, wrong),
                "share %": 100 * spent / (seconds + 0.1),
            }

    return run


def _delivered(on: Scene, spent_s: float, wrong: int) -> Figures:
    track = on.track
    due = sum(track.final()) * len(on.load.browsers)
    return {
        "cpu/due": 1e6 * spent_s / max(1, due),
        "cpu/arrived": 1e6 * spent_s / max(1, track.values),
        "due": due,
        "arrived": track.values,
        "dropped": machine.udp_queue(on.server.plan.osc_in)[1],
        "wrong": wrong,
    }


def touch(rate: float) -> Callable[[Adapter, float], Figures]:
    """W2: one browser drags → OSC out, and 9 other browsers."""

    def run(adapter: Adapter, seconds: float) -> Figures:
        with scene(adapter, 8, 10) as on:
            load, track = on.load, on.track
            finger, others = load.browsers[0], load.browsers[1:]
            finger.track = None
            osc_late = array("d")
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            sock.bind(("127.0.0.1", on.server.plan.osc_out))

            def heard(control: int, step: int, now: float) -> None:
                if 0 < step < len(track.sent[control]):
                    osc_late.append(now - track.sent[control][step])

            load.listen(sock, heard)

            def step(due: float) -> None:
                now = time.monotonic()
                adapter.move(finger, 0, track.step(0, now), now)

            before = machine.cpu_s(on.pid)
            load.every(1 / rate, step)
            load.run(seconds)
            load.stop_timers()
            load.run(0.1)
            spent = machine.cpu_s(on.pid) - before
            steps = track.final()[0]
            has_peers, has_osc = "peers" in adapter.can, "osc out" in adapter.can
            wrong = _quiet(load, track, others, 1.0) if has_peers else 0
            due = steps * ((9 if has_peers else 0) + has_osc)
            arrived = track.values + len(osc_late)
            return {
                **percentiles(osc_late, "osc "),
                **(percentiles(track.late) if has_peers else {}),
                "cpu/due": 1e6 * spent / max(1, due),
                "cpu/arrived": 1e6 * spent / max(1, arrived),
                "due": due,
                "arrived": arrived,
                "osc lost": steps - len(osc_late) if has_osc else 0,
                "wrong": wrong,
                "share %": 100 * spent / (seconds + 0.1),
            }

    return run


# W3: one change to many


def fan_out(browsers: int, rate: float) -> Callable[[Adapter, float], Figures]:
    """W3: one change → many browsers, each change after the one before has arrived everywhere."""

    def run(adapter: Adapter, seconds: float) -> Figures:
        with scene(adapter, 8, browsers) as on:
            load, track = on.load, on.track
            finger = load.browsers[0]
            by_osc = "osc in" in adapter.can

            def step(due: float) -> None:
                now = time.monotonic()
                number = track.step(0, now)
                if by_osc:
                    load.send_osc(0, number)
                else:
                    adapter.move(finger, 0, number, now)

            before = machine.cpu_s(on.pid)
            load.every(1 / rate, step)
            load.run(seconds)
            load.stop_timers()
            load.run(0.1)
            spent = machine.cpu_s(on.pid) - before
            wrong = _quiet(load, track, load.browsers, 2.0)
            # The time until the last browser has a step: steps arrive in order, one block of ``browsers`` each.
            late = track.late
            lasts = [max(late[at : at + browsers]) for at in range(0, len(late) - browsers + 1, browsers)]
            return {
                "last": statistics.median(lasts) * 1000 if lasts else float("nan"),
                **percentiles(late),
                **_delivered(on, spent, wrong),
                "share %": 100 * spent / (seconds + 0.1),
            }

    return run


# W4: many values move


def flood(adapter: Adapter, seconds: float) -> Figures:
    """W4: 64 controls × 250/s → 10 browsers, and 20 triggers a second between them."""
    with scene(adapter, 64, 10) as on:
        load, track = on.load, on.track
        fired = 0

        def step(due: float) -> None:
            for control in range(64):
                load.send_osc(control, track.step(control, time.monotonic()))

        def fire(due: float) -> None:
            nonlocal fired
            fired += 1
            load.osc.send(trigger())

        before = machine.cpu_s(on.pid)
        began = time.monotonic()
        load.every(1 / 250, step)
        if "triggers" in adapter.can:
            load.every(1 / 20, fire, 0.0017)
        load.run(seconds)
        load.stop_timers()
        wrong = _quiet(load, track, load.browsers, 3.0)
        load.run(0.05)
        spent, took = machine.cpu_s(on.pid) - before, time.monotonic() - began
        return {
            **percentiles(track.late),
            **_delivered(on, spent, wrong),
            "triggers lost": fired * 10 - sum(browser.triggers for browser in load.browsers),
            "cpu s": spent,
            "share %": 100 * spent / took,
        }


# W5: OSC alone


def ingest(controls: int) -> Callable[[Adapter, float], Figures]:
    """W5: OSC as fast as it is taken; every message changes a value."""

    def run(adapter: Adapter, seconds: float) -> Figures:
        with scene(adapter, controls, 0) as on:
            load, port, value = on.load, on.server.plan.osc_in, 0
            burst = adapter.udp_bytes // 2 // 1000  # a small datagram takes 768 bytes of the buffer
            for _ in range(3):  # what is learnt about an address is learnt with the first two messages
                value += 1
                for control in range(controls):
                    load.send_osc(control, value)
                    if control % 100 == 99:
                        while machine.udp_queue(port)[0] > 60_000:
                            pass
            time.sleep(0.05)
            sent, dropped = 0, machine.udp_queue(port)[1]
            before = machine.cpu_s(on.pid)
            end = time.monotonic() + seconds
            at = 0
            while time.monotonic() < end:
                for _ in range(burst):
                    if at == 0:
                        value += 1
                    load.send_osc(at, value)
                    at = (at + 1) % controls
                sent += burst
                while machine.udp_queue(port)[0] > adapter.udp_bytes // 4:  # never empty, and never full
                    pass
            while machine.udp_queue(port)[0]:
                time.sleep(0.001)
            time.sleep(0.02)
            spent = machine.cpu_s(on.pid) - before
            dropped = machine.udp_queue(port)[1] - dropped
            taken = sent - dropped
            return {"cpu/message": 1e6 * spent / taken, "per cpu s": taken / spent, "dropped": dropped}

    return run


# W6: a crowd

WATCHED = 100
"""Of the crowd: those whose values are read. The load has one core too, and the others must not cost it."""


def audience(adapter: Adapter, seconds: float, browsers: int = 1000) -> Figures:
    """W6: 1,000 browsers, 8 controls × 60/s; one in twenty moves a control of its own ten times a second."""
    senders = browsers // 20
    with scene(adapter, 8 + senders, 0) as on:
        load, track = on.load, on.track
        empty = machine.rss_bytes(on.pid)
        load.join(WATCHED, track)
        load.join(browsers - WATCHED, None)
        watched, crowd = load.browsers[:WATCHED], load.browsers[WATCHED:]
        load.run(1.5)

        def step(due: float) -> None:
            for control in range(8):
                load.send_osc(control, track.step(control, time.monotonic()))

        def mover(number: int) -> Callable[[float], None]:
            def move(due: float) -> None:
                now = time.monotonic()
                adapter.move(crowd[number * 15], 8 + number, track.step(8 + number, now), now)

            return move

        before, began = machine.cpu_s(on.pid), time.monotonic()
        own = time.process_time()
        load.every(1 / 60, step)
        for number in range(senders):
            load.every(1 / 10, mover(number), number / senders / 10)
        load.run(seconds)
        spent, took = machine.cpu_s(on.pid) - before, time.monotonic() - began
        own = time.process_time() - own
        full = machine.rss_bytes(on.pid)
        load.stop_timers()
        gone = sum(browser.is_gone for browser in load.browsers)
        wrong = _quiet(load, track, watched, 3.0)
        return {
            **percentiles(track.late),
            "share %": 100 * spent / took,
            "load share %": 100 * own / took,
            "kB/browser": (full - empty) / browsers / 1000,
            "dropped": machine.udp_queue(on.server.plan.osc_in)[1],
            "gone": gone,
            "wrong": wrong,
        }


# W7: somebody comes


def join(newcomers: int) -> Callable[[Adapter, float], Figures]:
    """W7: 20 browsers and 100 moving controls; how late the 20 are while others join."""

    def run(adapter: Adapter, seconds: float) -> Figures:
        with scene(adapter, 100, 20) as on:
            load, track = on.load, on.track
            old = list(load.browsers)
            at = 0

            def step(due: float) -> None:
                nonlocal at
                load.send_osc(at, track.step(at, time.monotonic()))
                at = (at + 1) % 100

            load.every(1 / 200, step)
            load.run(0.3)
            del track.late[:]
            load.run(seconds)
            alone = percentiles(track.late)
            del track.late[:]
            began = time.monotonic()
            took = []
            while time.monotonic() - began < seconds:
                joined = time.monotonic()
                try:
                    load.join(newcomers, None, at_once=newcomers, limit_s=10.0)
                except TimeoutError:
                    break
                took.append(time.monotonic() - joined)
                for browser in load.browsers[len(old) :]:
                    browser.close()
                del load.browsers[len(old) :]
                load.run(max(0.0, (0.1 if newcomers == 1 else 1.0) - took[-1]))
            beside = percentiles(track.late)
            return {
                "p99 alone": alone["p99"],
                "p99": beside["p99"],
                "rise": beside["p99"] - alone["p99"],
                "max": beside["max"],
                "joined ms": 1000 * statistics.median(took) if took else float("nan"),
                "gone": sum(browser.is_gone for browser in old),
            }

    return run


# W8: start and size


def start(adapter: Adapter, seconds: float) -> Figures:
    """W8: from start to ready, and memory, with 500 controls."""
    with scene(adapter, 500, 0) as on:
        ready, spent = on.server.ready_s, on.server.ready_cpu_s
        return {"ready s": ready, "cpu s": spent, "MB": machine.rss_bytes(on.pid) / 1e6}


def _needs(*names: str) -> frozenset[str]:
    return frozenset(names)


CASES = [
    Case("W1 200/s", "follow: OSC 200/s → 10 browsers", follow(200), _needs("osc in")),
    Case("W1 1000/s", "follow: OSC 1,000/s → 10 browsers", follow(1000), _needs("osc in")),
    Case("W2 60/s", "touch: one browser 60/s → OSC and 9 browsers", touch(60), _needs()),
    Case("W2 200/s", "touch: one browser 200/s → OSC and 9 browsers", touch(200), _needs()),
    Case("W2 1000/s", "touch: one browser 1,000/s → OSC and 9 browsers", touch(1000), _needs()),
    Case("W3 1", "fan-out: 60 changes/s → 1 browser", fan_out(1, 60), _needs(), 1),
    Case("W3 10", "fan-out: 60 changes/s → 10 browsers", fan_out(10, 60), _needs(), 10),
    Case("W3 100", "fan-out: 60 changes/s → 100 browsers", fan_out(100, 60), _needs(), 100),
    Case("W3 1000", "fan-out: 15 changes/s → 1,000 browsers", fan_out(1000, 15), _needs("osc in"), 1000),
    Case("W4", "flood: 64 controls × 250/s → 10 browsers", flood, _needs("osc in")),
    Case("W5 1", "ingest: OSC, 1 control", ingest(1), _needs("osc in"), 0),
    Case("W5 256", "ingest: OSC, 256 controls", ingest(256), _needs("osc in"), 0),
    Case("W5 4096", "ingest: OSC, 4,096 controls", ingest(4096), _needs("osc in"), 0),
    Case("W6", "audience: 1,000 browsers, 8 controls × 60/s, 50 of them moving too", audience, _needs("osc in"), 1000),
    Case("W7 1", "join: one at a time beside 20", join(1), _needs("osc in", "state"), 20),
    Case("W7 200", "join: 200 at once beside 20", join(200), _needs("osc in", "state"), 220),
    Case("W8", "start and size, 500 controls", start, _needs(), 0),
]
