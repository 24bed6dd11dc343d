"""What those who are there feel when others join: OSC → browser latency, and the longest stall of a fader.

    python -m bench.join            (from a checkout, in its .venv)

One: 20 browsers, 100 controls at 3 changes a second each; ten times a second one more browser joins, and leaves again.
Two: 20 browsers watch a 60 Hz fader among 500 controls, 200 browsers join at once. The promise: those who are there
have their values less than 10 ms later (p99). Daemon, watchers and joiners are three processes; on fewer than three
quiet cores the figures are of them all.

Everybody acks as docs/protocol.md says, the last frame too: without that ack the daemon keeps a browser waiting. A
value that a browser never saw counts as seen with the next one of its control. A stall is the longest time without
news on a screen, from the first value that was sent to the last. "own": how late the watchers' process itself was.
"""

import heapq
import json
import math
import os
import re
import selectors
import socket
import struct
import subprocess
import sys
import tempfile
import time
from itertools import count, pairwise
from pathlib import Path
from statistics import median

from tests.daemon import Daemon
from tests.peers import free_udp_port

from . import machine

WATCHERS = 20
PROMISE_MS = 10.0
ONE_EVERY_S = 0.1
REVISION = re.compile(rb'"rev":(\d+)')
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Loop:
    """Reads what comes to its browsers, and sends the acks that were put off."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self._acks: list[tuple[float, int, Browser]] = []

    def ack_later(self, browser: "Browser", due: float) -> None:
        heapq.heappush(self._acks, (due, browser.number, browser))

    def turn(self, until: float) -> None:
        """Let everything happen until then (time.monotonic())."""
        while (now := time.monotonic()) < until:
            while self._acks and self._acks[0][0] <= now:
                heapq.heappop(self._acks)[2].ack(now)
            due = self._acks[0][0] if self._acks else until
            for key, _ in self.selector.select(max(0.0, min(until, due) - now)):
                key.data.read()


class Browser:
    """One WebSocket client on a raw socket; ``messages`` are the values that come after its welcome, and when."""

    numbers = count()

    def __init__(self, port: int, loop: Loop, is_watching: bool = True) -> None:
        self.number = next(self.numbers)
        self.loop = loop
        self.is_watching = is_watching
        self.opened_at = time.monotonic()
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.sock.send(UPGRADE)
        self.welcomed_at: float | None = None
        self.messages: list[tuple[float, list[list[float]]]] = []
        self._ack_s = 0.0
        self._acked_at = 0.0
        self._revision: bytes | None = None
        """What is to be acked."""
        self._buffer = b""
        self._is_open = False
        loop.selector.register(self.sock, selectors.EVENT_READ, self)

    def close(self) -> None:
        self._revision = None
        self.loop.selector.unregister(self.sock)
        self.sock.close()

    def say(self, text: bytes, opcode: int = 1) -> None:
        size = len(text)
        head = bytes([0x80 | opcode, 0x80 | size]) if size < 126 else b"\x81\xfe" + struct.pack(">H", size)
        self.sock.send(head + b"\0\0\0\0" + text)

    def read(self) -> None:
        data = self.sock.recv(1 << 18)
        if not data:
            raise ConnectionError("the daemon has closed a browser's connection")
        self._buffer += data
        if not self._is_open:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            assert b" 101 " in head, head
            self._is_open, self._buffer = True, rest
            self.say(b'{"type":"hello"}')
        now = time.monotonic()
        for opcode, payload in self._frames():
            if opcode == 9:
                self.say(payload, 10)
                continue
            if payload.startswith(b'{"type":"welcome"'):
                self.welcomed_at = now
                self._ack_s = json.loads(payload)["ack_ms"] / 1000
            elif self.is_watching:
                self.messages.append((now, json.loads(payload).get("values", [])))
            revision = REVISION.search(payload)
            if revision is not None:
                self._saw(revision[1], now)

    def _saw(self, revision: bytes, now: float) -> None:
        """The Ack rule: at once if the last ack is ``ack_ms`` old, else when it is."""
        is_put_off, self._revision = self._revision is not None, revision
        if is_put_off:
            return
        due = self._acked_at + self._ack_s
        if due <= now:
            self.ack(now)
        else:
            self.loop.ack_later(self, due)

    def ack(self, now: float) -> None:
        """Ack what is not acked yet."""
        if self._revision is not None:
            self.say(b'{"type":"ack","rev":%s}' % self._revision)
            self._acked_at, self._revision = now, None

    def _frames(self) -> list[tuple[int, bytes]]:
        found, at, data = [], 0, self._buffer
        while len(data) - at >= 10 or (len(data) - at >= 2 and data[at + 1] < 126):
            size, start = data[at + 1], at + 2
            if size == 126:
                size, start = struct.unpack_from(">H", data, start)[0], start + 2
            elif size == 127:
                size, start = struct.unpack_from(">Q", data, start)[0], start + 8
            if len(data) < start + size:
                break
            found.append((data[at] & 15, data[start : start + size]))
            at = start + size
        self._buffer = data[at:]
        return found


def join(port: int, count: int, stay_s: float) -> None:
    """The joiners' process; prints how long the slowest waited for its welcome, in seconds.

    Many come at once and stay. One comes, leaves, and the next one comes, all the time.
    """
    os.setpriority(os.PRIO_PROCESS, 0, 0)  # theirs are other machines: what they compute is not to delay the daemon
    loop, start = Loop(), time.monotonic()
    if count > 1:
        browsers = [Browser(port, loop, is_watching=False) for _ in range(count)]
        loop.turn(start + stay_s)
        waits = [browser.welcomed_at - start if browser.welcomed_at else math.inf for browser in browsers]
    else:
        waits = []
        for number in range(round(stay_s / ONE_EVERY_S)):
            browser = Browser(port, loop, is_watching=False)
            loop.turn(start + (number + 1) * ONE_EVERY_S)
            waits.append(browser.welcomed_at - browser.opened_at if browser.welcomed_at else math.inf)
            browser.close()
    print(json.dumps(max(waits)), flush=True)


class Show:
    """A daemon, its watchers, and the values that OSC sends it."""

    def __init__(self, daemon: Daemon, osc_port: int, controls: int) -> None:
        self.port = daemon.http_port
        self.loop = Loop()
        self.watchers = [Browser(daemon.http_port, self.loop) for _ in range(WATCHERS)]
        self.heads = [osc_head(f"/fader/{number}") for number in range(controls)]
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.connect(("127.0.0.1", osc_port))
        self.sent_at = [0.0]
        self.loop.turn(time.monotonic() + 0.5)

    def play(self, seconds: float, per_s: float, moving: int, join: int = 0) -> list[float]:
        """Change ``moving`` controls in turn; p99 and longest latency, longest stall, slowest welcome, how late we
        ourselves were at worst; seconds."""
        for watcher in self.watchers:
            watcher.messages.clear()
        command = [sys.executable, "-m", "bench.join", "join", str(self.port), str(join), str(seconds)]
        joiners = subprocess.Popen(command, stdout=subprocess.PIPE) if join else None
        first, start, own = len(self.sent_at), time.monotonic(), 0.0
        for step in range(round(seconds * per_s)):
            self.loop.turn(start + step / per_s)
            self.sent_at.append(time.monotonic())
            own = max(own, self.sent_at[-1] - start - step / per_s)
            self.sock.send(self.heads[step % moving] + struct.pack(">f", float(len(self.sent_at) - 1)))
        self.loop.turn(time.monotonic() + 0.3)
        while joiners is not None and joiners.poll() is None:
            self.loop.turn(time.monotonic() + 0.05)
        out = joiners.communicate()[0] if joiners is not None else b"NaN"
        late = sorted(at for watcher in self.watchers for at in self._late(watcher, first, moving))
        stall = max(self._stall(watcher, first) for watcher in self.watchers)
        return [late[math.floor(len(late) * 0.99)], late[-1], stall, json.loads(out), own]

    def _late(self, watcher: Browser, first: int, moving: int) -> list[float]:
        """How late each value from ``first`` on was on this screen; infinite where it never came."""
        due = list(range(first, first + moving))  # of each moving control, the next value that is not seen yet
        late = []
        for at, values in watcher.messages:
            for step in (int(value) for _, value in values if type(value) is float and value >= first):
                control = (step - first) % moving
                late += [at - self.sent_at[seen] for seen in range(due[control], step + 1, moving)]
                due[control] = max(due[control], step + moving)
        return late + [math.inf] * (len(self.sent_at) - first - len(late))

    def _stall(self, watcher: Browser, first: int) -> float:
        """The longest time without news between the first value that was sent and the last."""
        begin, end = self.sent_at[first], self.sent_at[-1]
        news = [at for at, values in watcher.messages if values and begin <= at < end]
        return max(after - before for before, after in pairwise([begin, *news, end]))

    def close(self) -> None:
        for watcher in self.watchers:
            watcher.close()
        self.sock.close()
        self.loop.selector.close()


def osc_head(address: str) -> bytes:
    return address.encode() + b"\0" * (4 - len(address) % 4) + b",f\0\0"


def measure(controls: int, per_s: float, moving: int, join: int, times: int) -> None:
    osc_port = free_udp_port()
    config = f"""
[auth]
mode = "open"
[[osc]]
name = "bench"
listen = "127.0.0.1:{osc_port}"
send = ["127.0.0.1:9"]
[[control]]
repeat = {controls}
path = "/fader/{{n0}}"
range = [0, 10000000]
unit = "Hz"
label = "Fader number {{n}}"
color = "#4db5ff"
"""
    with tempfile.TemporaryDirectory() as folder, Daemon.start(config, Path(folder)) as daemon:
        show = Show(daemon, osc_port, controls)
        show.play(1.0, per_s, moving)
        rows = [(show.play(2.0, per_s, moving), show.play(2.0, per_s, moving, join)) for _ in range(times)]
        show.close()
    alone, joined = ([1000 * median(row[which][i] for row in rows) for i in range(5)] for which in (0, 1))
    for name, (p99, longest, stall, _, own) in (("alone", alone), (f"{join} joining", joined)):
        print(f"{controls:>8} {per_s:>8.0f} {name:>12} {p99:>8.1f} {longest:>8.1f} {stall:>8.1f} {own:>8.1f}")
    rise, wait = joined[0] - alone[0], joined[3]
    verdict = "met" if rise < PROMISE_MS else "not met"
    print(f"    the others' p99 rises by {rise:.1f} ms, promised: less than {PROMISE_MS:.0f}: {verdict}; ", end="")
    print(f"the slowest welcome took {wait:.0f} ms", flush=True)


def main() -> None:
    load = os.getloadavg()[0]
    first = "first in line" if machine.come_first() else "no priority"
    print(f"{os.cpu_count()} cores, load {load:.1f} before, {first}; {WATCHERS} watchers; medians, milliseconds")
    print(f"{'controls':>8} {'values/s':>8} {'':>12} {'p99':>8} {'longest':>8} {'stall':>8} {'own':>8}")
    measure(100, 300, 100, 1, times=5)
    measure(500, 60, 1, 200, times=3)


if __name__ == "__main__":
    if sys.argv[1:2] == ["join"]:
        join(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
    else:
        main()
