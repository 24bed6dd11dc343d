"""What a message and a start cost, in counts that are the same on every machine: calls made, objects left behind.

A regression check, not a benchmark: `make bench` measures time. Each limit is what it is now plus a little; whoever
needs more says why, and whoever needs less lowers it.
"""

import asyncio
import gc
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from bridge.access import EVERYTHING
from bridge.app import KINDS, Bridge
from bridge.config.loading import parse
from bridge.connection import Connection
from bridge.http.wsframes import TEXT
from bridge.osc.codec import encode_message
from bridge.session import Session
from bridge.store import Origin

BROWSERS = 10
CONFIG = """
[http]
host = "127.0.0.1"
port = 0

[[osc]]
name = "costs"
listen = "127.0.0.1:0"
send = ["127.0.0.1:9"]

[[control]]
repeat = 8
path = "/fader/{n}"
"""
FROM = ("127.0.0.1", 55_555)
ROOT = Path(__file__).resolve().parent.parent


class Sink:
    """A transport that takes everything, and its socket."""

    family = socket.AF_INET

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        pass

    def get_extra_info(self, name: str) -> Any:
        return self if name == "socket" else None  # it has no TLS

    def setsockopt(self, *args: object) -> None:
        pass


class Socket:
    """What a connection needs of a WebSocket."""

    def __init__(self) -> None:
        self.transport = Sink()
        self.is_closing = False

    def allow(self, max_bytes: int) -> None:
        pass


class Clockwork:
    """A loop that runs nothing: passes begin when the test says so."""

    def call_soon(self, call: Callable[[], None]) -> "Clockwork":
        return self

    def call_later(self, delay_s: float, call: Callable[[], None]) -> "Clockwork":
        return self

    def cancel(self) -> None:
        pass


class Stage:
    """A running bridge with browsers that are no sockets, so that every call that is counted is ours."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        self.hub = bridge.hub
        self.latencies = bridge.hub.shared.metrics.latencies
        bridge.hub.shared.metrics.latencies = None  # the pulse has nothing measured: a test does
        assert self.latencies is not None
        self.latencies.disarm()
        self.receive = bridge.ports[0]._receiver.receive  # type: ignore[attr-defined]
        self.hub._loop = Clockwork()  # type: ignore[assignment]
        self.sinks = []
        for number in range(BROWSERS):
            session, ws = Session(self.hub.shared, f"x{number}", EVERYTHING, unacknowledged=lambda: 0), Socket()
            connection = Connection(session, ws, "here", 0.0)  # type: ignore[arg-type]
            self.hub._add(connection)
            self.hub._heard(connection, TEXT, b'{"type":"hello"}')
            self.sinks.append(ws.transport)
        for step in range(100):  # what is made once has been made
            self.move(step / 101)
            self.show()
            self.ack()

    def move(self, value: float) -> None:
        self.receive(encode_message("/fader/1", (value,)), FROM)

    def show(self) -> None:
        """One pass over the browsers."""
        self.hub._timer = None
        self.hub._pass()
        while self.hub._rest is not None:  # cut into slices, where the machine is busy with others
            self.hub._pass()

    def ack(self) -> None:
        for connection in self.hub._connections.values():
            self.hub._heard(connection, TEXT, b'{"type":"ack","rev":%d}' % self.bridge.store.revision)


def calls(work: Callable[[], object]) -> int:
    """How many functions, Python's and C's, are called."""
    found: Counter[str] = Counter()

    def note(frame: FrameType, event: str, arg: object) -> None:
        if event in ("call", "c_call"):
            found[frame.f_code.co_name if event == "call" else getattr(arg, "__name__", "?")] += 1

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return sum(found.values())


@pytest.fixture
async def stage(tmp_path: Path) -> Any:
    config = parse(CONFIG, KINDS, tmp_path, "config.toml")
    async with Bridge(config) as bridge:
        made = Stage(bridge)
        await asyncio.sleep(0)
        yield made
        made.hub._connections.clear()


async def test_an_osc_message_takes_few_calls(stage: Stage) -> None:
    packet = encode_message("/fader/1", (0.9,))
    assert calls(lambda: stage.receive(packet, FROM)) <= 41
    assert stage.bridge.store.get("/fader/1").value == pytest.approx(0.9)


async def test_a_monitor_that_nobody_watches_is_not_even_called(stage: Stage) -> None:
    watch = stage.bridge.monitor.watch(None, None, lambda: None)
    assert watch is not None
    stage.bridge.monitor.unwatch(watch)
    modules: set[str] = set()

    def note(frame: FrameType, event: str, arg: object) -> None:
        if event == "call":
            modules.add(frame.f_globals["__name__"])

    sys.setprofile(note)
    try:
        stage.move(0.9)
        stage.receive(b"/a\0\0,x\0\0", FROM)
        stage.receive(encode_message("/unknown"), FROM)
        stage.bridge.store.set(stage.bridge.store.get("/fader/2"), 0.5, Origin("browser", "c1"), 0.0)
    finally:
        sys.setprofile(None)
    assert "bridge.osc.incoming" in modules
    assert "bridge.osc.udp" in modules
    assert not {"bridge.osc.tap", "bridge.monitor"} & modules


async def test_a_move_that_is_measured_takes_few_calls_more_and_the_next_none(stage: Stage) -> None:
    latencies = stage.latencies
    assert latencies is not None
    plain, first, second = (encode_message("/fader/1", (value,)) for value in (0.9, 0.8, 0.7))
    cost = calls(lambda: stage.receive(plain, FROM))
    latencies.arm()
    measured = calls(lambda: stage.receive(first, FROM))
    assert cost + 10 < measured <= 86  # four times a second, whatever comes
    assert calls(lambda: stage.receive(second, FROM)) <= cost
    assert stage.hub.on_told is not None
    stage.show()
    assert stage.hub.on_told is None


async def test_a_flood_that_somebody_watches_takes_few_calls_more(stage: Stage) -> None:
    """1.8 µs for a line where there are too many to be shown, 11 µs for one that is."""
    watch = stage.bridge.monitor.watch(None, None, lambda: None)
    assert watch is not None
    for step in range(600):
        stage.move(step / 601)
    packet = encode_message("/fader/1", (0.9,))
    assert min(calls(lambda: stage.receive(packet, FROM)), calls(lambda: stage.move(0.8))) <= 56
    assert stage.bridge.store.get("/fader/1").value == pytest.approx(0.8)
    lines = 0
    while watch.take() is not None:
        lines += 1
    assert lines + watch.take_lost() == 602
    stage.bridge.monitor.unwatch(watch)


def passes(stage: Stage) -> int:
    """The calls of one pass that tells each browser a move."""
    stage.move(0.9)
    before = [len(sink.written) for sink in stage.sinks]
    made = calls(stage.show)
    assert [len(sink.written) for sink in stage.sinks] == [count + 1 for count in before]
    assert len({id(sink.written[-1]) for sink in stage.sinks}) == 1  # encoded once: the very same bytes
    return made


async def test_a_pass_over_browsers_that_move_together_is_a_write_to_each(stage: Stage) -> None:
    """Three calls for each, the test's own ``append`` among them."""
    assert passes(stage) <= 34 + 3 * BROWSERS


async def test_a_pass_takes_few_calls_for_each_browser_that_is_alone(stage: Stage) -> None:
    for connection in stage.hub._connections.values():
        connection.session.leave()
    assert passes(stage) <= 24 + 11 * BROWSERS


async def test_an_ack_takes_few_calls(stage: Stage) -> None:
    stage.move(0.9)
    stage.show()
    session = next(iter(stage.hub._connections.values())).session
    message = b'{"type":"ack","rev":%d}' % stage.bridge.store.revision
    assert calls(lambda: session.receive(message, time.monotonic())) <= 25  # 20 of who is alone


async def test_a_browsers_move_takes_few_calls(stage: Stage) -> None:
    entry = stage.bridge.store.get("/fader/2")
    session = next(iter(stage.hub._connections.values())).session
    message = b'{"type":"set","n":7,"t":1,"values":[[%d,0.25]]}' % entry.id
    assert calls(lambda: session.receive(message, time.monotonic())) <= 69
    assert entry.value == 0.25


async def test_traffic_leaves_nothing_behind(stage: Stage) -> None:
    def traffic() -> int:
        before = sys.getallocatedblocks()
        for step in range(500):
            stage.move(step / 501)
            stage.show()
            stage.ack()
        for sink in stage.sinks:
            sink.written.clear()
        gc.collect()
        return sys.getallocatedblocks() - before

    traffic()
    # 500 moves, 5,000 frames, 5,000 acks; the least of some rounds, since a thread of the start is at work beside one
    assert min(traffic() for _ in range(4)) < 50


COUNTED_START = """
import os, sys

calls = 0

def note(frame, event, arg):
    global calls
    if event in ("call", "c_call"):
        calls += 1
        if arg is print:  # where to go: it is ready
            sys.setprofile(None)
            print(calls, len(sys.modules), flush=True)
            os._exit(0)

sys.setprofile(note)
from bridge.__main__ import main
main()
"""


def test_a_start_takes_no_more_calls_and_modules(tmp_path: Path) -> None:
    """From the first line of ours until it is ready, with 500 controls: 735,000 calls, of which 245,000 are imports of
    aiohttp and pydantic; with its modules' bytecode there or not, 2,000 apart. A time would be the machine's: 0.5 s of
    CPU where it was quick, 0.9 where it was not."""
    many = "".join(f'[[control]]\npath = "/many/{number}"\n' for number in range(500))
    (tmp_path / "config.toml").write_text(CONFIG + many, encoding="utf-8")
    command = [sys.executable, "-c", COUNTED_START, "run", "config.toml", "--auth", "open"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(tmp_path / "state")}
    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    counted, modules = map(int, said.split())
    assert 300_000 < counted < 760_000
    assert 300 < modules < 590
