"""What those who are there feel when others join: OSC → browser latency, and the longest stall of a fader.

    python -m bench.join            (from a checkout, in its .venv)

One: 20 browsers, 100 controls at 3 changes a second each, one more browser joins, 20 times. Two: 20 browsers watch a
60 Hz fader among 500 controls, 200 browsers join at once. Daemon, watchers and joiners are three processes; on fewer
than three quiet cores the figures are of them all. Everybody acks as docs/protocol.md says.
"""

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
from itertools import pairwise
from pathlib import Path

from tests.daemon import Daemon
from tests.peers import free_udp_port

WATCHERS = 20
ACK_S = 0.05
REVISION = re.compile(rb'"rev":(\d+)')
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Browser:
    """One WebSocket client on a raw socket. ``values`` is told of each value that comes after the welcome."""

    def __init__(self, port: int, selector: selectors.BaseSelector, is_watching: bool = True) -> None:
        self.is_watching = is_watching
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.sock.send(UPGRADE)
        self.welcomed_at: float | None = None
        self.messages: list[tuple[float, list[list[float]]]] = []
        self._acked_at = 0.0
        self._buffer = b""
        self._is_open = False
        selector.register(self.sock, selectors.EVENT_READ, self)

    def say(self, text: bytes, opcode: int = 1) -> None:
        size = len(text)
        head = bytes([0x80 | opcode, 0x80 | size]) if size < 126 else b"\x81\xfe" + struct.pack(">H", size)
        self.sock.send(head + b"\0\0\0\0" + text)

    def read(self) -> None:
        self._buffer += self.sock.recv(1 << 18)
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
            elif self.is_watching:
                self.messages.append((now, json.loads(payload).get("values", [])))
            revision = REVISION.search(payload)
            if revision is not None and now - self._acked_at >= ACK_S:
                self._acked_at = now
                self.say(b'{"type":"ack","rev":%s}' % revision[1])

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


def turn(selector: selectors.BaseSelector, until: float) -> None:
    """Read what comes until then."""
    while (left := until - time.monotonic()) > 0:
        for key, _ in selector.select(left):
            key.data.read()


def join(port: int, count: int, stay_s: float) -> None:
    """The joiners' process: all at once; prints how long the last one waited for its welcome."""
    with selectors.DefaultSelector() as selector:
        start = time.monotonic()
        browsers = [Browser(port, selector, is_watching=False) for _ in range(count)]
        turn(selector, start + stay_s)
        waits = [browser.welcomed_at - start if browser.welcomed_at else math.inf for browser in browsers]
        print(json.dumps(max(waits)), flush=True)


class Show:
    """A daemon, its watchers, and the values that OSC sends it."""

    def __init__(self, daemon: Daemon, osc_port: int, controls: int) -> None:
        self.port = daemon.http_port
        self.selector = selectors.DefaultSelector()
        self.watchers = [Browser(daemon.http_port, self.selector) for _ in range(WATCHERS)]
        self.heads = [osc_head(f"/fader/{number}") for number in range(controls)]
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.connect(("127.0.0.1", osc_port))
        self.sent_at = [0.0]
        turn(self.selector, time.monotonic() + 0.5)

    def play(self, seconds: float, per_s: float, moving: int, join: int = 0) -> tuple[float, float, float]:
        """Change ``moving`` controls in turn; p99 and longest latency, longest stall of a watcher's screen; seconds."""
        for watcher in self.watchers:
            watcher.messages.clear()
        command = [sys.executable, "-m", "bench.join", "join", str(self.port), str(join), str(seconds)]
        joiners = subprocess.Popen(command, stdout=subprocess.PIPE) if join else None
        start = time.monotonic()
        for step in range(round(seconds * per_s)):
            turn(self.selector, start + step / per_s)
            self.sent_at.append(time.monotonic())
            self.sock.send(self.heads[step % moving] + struct.pack(">f", float(len(self.sent_at) - 1)))
        turn(self.selector, time.monotonic() + 0.3)
        if joiners is not None:
            out, _ = joiners.communicate()
            if join > 1:
                print(f"    the last of {join} was welcomed after {float(out) * 1000:.0f} ms")
        late, stalls = [], []
        for watcher in self.watchers:
            times = [at for at, values in watcher.messages if values]
            stalls.append(max(after - before for before, after in pairwise(times)))
            steps = [(at, int(value)) for at, values in watcher.messages for _, value in values if type(value) is float]
            late += [at - self.sent_at[step] for at, step in steps]
        late.sort()
        return late[math.floor(len(late) * 0.99)], late[-1], max(stalls)

    def close(self) -> None:
        for watcher in self.watchers:
            watcher.sock.close()
        self.sock.close()
        self.selector.close()


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
        for name, which in (("alone", 0), (f"{join} joining", 1)):
            p99, longest, stall = (sorted(row[which][i] for row in rows)[times // 2] * 1000 for i in range(3))
            print(f"{controls:>8} {per_s:>8.0f} {name:>12} {p99:>8.1f} {longest:>8.1f} {stall:>8.1f}", flush=True)
        show.close()


def main() -> None:
    print(f"{os.cpu_count()} cores; {WATCHERS} watchers; medians, milliseconds")
    print(f"{'controls':>8} {'values/s':>8} {'':>12} {'p99':>8} {'longest':>8} {'stall':>8}")
    measure(100, 300, 100, 1, times=5)
    measure(500, 60, 1, 200, times=3)


if __name__ == "__main__":
    if sys.argv[1:2] == ["join"]:
        join(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
    else:
        main()
