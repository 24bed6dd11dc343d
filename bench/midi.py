"""``python -m bench.midi``: how late MIDI is, beside OSC, over JACK; and how even our clock is.

One process has the controllers: their ports are JACK's, with periods of 1.3 ms, and what JACK itself needs is measured
with every message, on a port that is connected straight to the controller's. Steps go one by one, 100 a second, as
MIDI (pitch bend: 14 bits) or as OSC; each is heard as OSC, by a browser and by another controller. In the last part no
browser is open. Linux, and a `jackd` (`tests/debian-packages.txt`).
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.jack import jack_env, jack_server

from . import machine, wire
from .adapters import Plan, python
from .adapters.stagebridge import Stagebridge
from .load import Load, Track

FRAMES = 64
"""Of a period of JACK's: 1.3 ms."""
RATE = 100.0
WAIT_S = 5.0
BPM = 125.0
FLOOD = 64
"""Controls that move 250 times a second while the clock is heard."""


class MidiBridge(Stagebridge):
    """stagebridge between two OSC programs and three controllers."""

    name = "midi"

    def command(self, plan: Plan) -> list[str]:
        config = f"""
[auth]
mode = "open"
[http]
host = "127.0.0.1"
port = {plan.http_port}
pages = "pages"
[[osc]]
name = "in"
listen = "127.0.0.1:{plan.osc_in}"
[[osc]]
name = "out"
listen = "127.0.0.1:0"
send = ["127.0.0.1:{plan.osc_out}"]
[[midi]]
name = "one"
device = "bench-one"
api = "jack"
[[midi]]
name = "two"
device = "bench-two"
api = "jack"
rate = 10000
[[midi]]
name = "three"
device = "bench-three"
api = "jack"
[[control]]
path = "/bench/tempo"
range = [20, 300]
default = {BPM}
osc.out = false
midi.three = {{ clock = "tempo", direction = "out" }}
[[control]]
path = "{wire.path(0)}"
range = [0, 16383]
midi.one = {{ bend = true, direction = "in" }}
midi.two = {{ bend = true, direction = "out" }}
[[control]]
repeat = {plan.controls - 1}
path = "/bench/channel/{{n:04}}/volume"
range = [0, 1e7]
osc.out = false
"""
        (plan.folder / "pages").mkdir(exist_ok=True)
        (plan.folder / "config.toml").write_text(config, encoding="utf-8")
        return python("-m", "bridge", "run", "config.toml")


class Ports:
    """The controllers: one plays, two and three are played to."""

    def __init__(self) -> None:
        import rtmidi

        self.one = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="bench-one")
        self.one.open_virtual_port("out")
        self.one_in = self._listener(rtmidi, "bench-one in", lambda message, now: None)
        self.at_two: dict[int, float] = {}
        self.straight: dict[int, float] = {}
        self.ticks: list[float] = []
        self.two = self._listener(rtmidi, "bench-two", lambda message, now: _note(self.at_two, message, now))
        self.three = self._listener(
            rtmidi, "bench-three", lambda message, now: self.ticks.append(now) if message[0] == 0xF8 else None
        )
        self.jack = self._listener(
            rtmidi, "straight", lambda message, now: _note(self.straight, message, now), "bench-one:out"
        )

    def _listener(self, rtmidi: Any, name: str, heard: Callable[[Sequence[int], float], None], to: str = "") -> Any:
        port = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name=name)
        port.ignore_types(sysex=True, timing=False, active_sense=True)
        port.set_callback(lambda event, _: heard(event[0], time.monotonic()))
        if to:
            port.open_port(port.get_ports().index(to), "in")
        else:
            port.open_virtual_port("in")
        return port

    def play(self, step: int) -> None:
        self.one.send_message([0xE0, step & 0x7F, step >> 7])

    def close(self) -> None:
        for port in (self.one, self.one_in, self.two, self.three, self.jack):
            port.close_port()
            port.delete()


def _note(into: dict[int, float], message: Sequence[int], now: float) -> None:
    if message[0] == 0xE0:
        into.setdefault(message[1] | message[2] << 7, now)


class Bench:
    """A running stagebridge, its controllers and its listeners."""

    def __init__(self, load: Load, ports: Ports, osc_out: int) -> None:
        self.load, self.ports = load, ports
        self.track = Track(FLOOD)
        self.at_osc: dict[int, float] = {}
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", osc_out))
        load.listen(sock, lambda control, step, now: self.at_osc.setdefault(step, now) and None)

    def ready(self) -> None:
        """Every way is open."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            step = self.track.step(0, time.monotonic())
            self.ports.play(step)
            self.load.run(0.05)
            if step in self.at_osc and step in self.ports.at_two and self.ports.ticks:
                return
        raise TimeoutError("stagebridge does not hear the controllers")

    def follow(self, is_midi: bool, seconds: float) -> dict[str, list[float]]:
        """Play steps; seconds until each place had each."""
        first, ports, track = len(self.track.sent[0]), self.ports, self.track
        seen = len(track.late)

        def play(due: float) -> None:
            step = track.step(0, time.monotonic())
            if is_midi:
                ports.play(step)
            else:
                self.load.send_osc(0, step)

        self.load.every(1 / RATE, play)
        self.load.run(seconds)
        self.load.stop_timers()
        self.load.run(0.2)
        sent = track.sent[0]
        steps = range(first, len(sent))

        def late(at: dict[int, float]) -> list[float]:
            return [at[step] - sent[step] for step in steps if step in at]

        found = {"OSC out": late(self.at_osc), "MIDI out": late(ports.at_two), "browser": list(track.late[seen:])}
        return found | ({"JACK alone": late(ports.straight)} if is_midi else {})

    def clock(self, seconds: float, is_busy: bool) -> list[float]:
        """How far each tick of our clock is from the straight line through all, in seconds."""
        if is_busy:

            def flood(due: float) -> None:
                for control in range(1, FLOOD):
                    self.load.send_osc(control, due % 1000)

            self.load.every(1 / 250, flood)
        self.ports.ticks.clear()
        self.load.run(seconds)
        self.load.stop_timers()
        ticks = list(self.ports.ticks)
        slope, start = statistics.linear_regression(range(len(ticks)), ticks)
        print(f"{len(ticks)} ticks, {60 / 24 / slope:.4f} bpm of {BPM:g}", file=sys.stderr)
        return [abs(at - start - index * slope) for index, at in enumerate(ticks)]


@contextmanager
def running() -> Iterator[Bench]:
    """Everything, each on its core."""
    adapter = MidiBridge()
    with tempfile.TemporaryDirectory() as folder, jack_server(frames=FRAMES) as jack:
        os.environ.update(jack_env(jack))
        os.sched_setaffinity(0, {machine.cores()[1]})
        machine.come_first()
        ports = Ports()
        try:
            with adapter.running(Path(folder), FLOOD) as server:
                load = Load(adapter, server.plan.http_port, server.plan.osc_in, FLOOD)
                try:
                    bench = Bench(load, ports, server.plan.osc_out)
                    bench.ready()
                    yield bench
                finally:
                    load.close()
        finally:
            ports.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.midi", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="for each part (default 5)")
    seconds = parser.parse_args().seconds
    rows: list[tuple[str, list[float]]] = []
    with running() as bench:
        for browsers in (0, 1):
            if browsers:
                for browser in bench.load.join(browsers, bench.track):
                    browser.last = bench.track.final()  # what was before its time is none of its business
            for is_midi in (True, False):
                source = "MIDI in" if is_midi else "OSC in"
                for place, late in bench.follow(is_midi, seconds).items():
                    if late or place != "browser":
                        rows.append((f"{source} → {place}{', no browser open' * (not browsers)}", late))
        for is_busy in (False, True):
            what = f"{FLOOD - 1} × 250 OSC messages a second" if is_busy else "nothing else"
            rows.append((f"our clock's ticks, {what}", bench.clock(seconds, is_busy)))
    print(f"{machine.described()}; JACK's periods {FRAMES / 48:.1f} ms; load {machine.load():.1f}\n")
    print("| ms | p50 | p99 | max |\n| --- | ---: | ---: | ---: |")
    for name, values in rows:
        ordered = [1000 * value for value in sorted(values)] or [float("nan")]
        p50, p99 = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
        print(f"| {name} | {p50:.2f} | {p99:.2f} | {ordered[-1]:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
