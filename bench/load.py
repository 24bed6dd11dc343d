"""The load: browsers and OSC programs on raw sockets, one thread, one epoll, and what was really delivered.

Every value that is sent is a step number, so what arrives says how old it is: ``Track`` knows when each step of
each control was sent. A step that a browser never sees counts as delivered with the first later one (its screen
is stale until then); how many values really arrived is counted apart.
"""

from __future__ import annotations

import heapq
import select
import socket
import time
from array import array
from collections.abc import Callable
from itertools import count
from math import inf
from typing import TYPE_CHECKING

from . import wire

if TYPE_CHECKING:
    from .adapters import Adapter

RECEIVE_BYTES = 1 << 18


class Track:
    """When each step of each control was sent, and how late every screen had it."""

    def __init__(self, controls: int) -> None:
        self.sent: list[list[float]] = [[0.0] for _ in range(controls)]
        self.late = array("d")
        """Seconds from each step to each place that had it."""
        self.values = 0
        """Values that arrived: fewer than steps where they were merged, or lost."""
        self.is_counting = True

    def step(self, control: int, now: float) -> int:
        """The number of a step that is sent now."""
        steps = self.sent[control]
        steps.append(now)
        return len(steps) - 1

    def arrived(self, last: list[int], control: int, step: int, now: float) -> None:
        """A place that had seen ``last`` sees a step."""
        before = last[control]
        if step <= before or step >= len(self.sent[control]):
            return
        last[control] = step
        self.values += 1
        if step == before + 1:
            self.late.append(now - self.sent[control][step])
        else:
            self.late.extend(now - at for at in self.sent[control][before + 1 : step + 1])

    def final(self) -> list[int]:
        """The last step of each control."""
        return [len(steps) - 1 for steps in self.sent]


class Browser:
    """One WebSocket client. ``last`` is the newest step that it has seen of each control; without a track nobody
    looks, and its messages are only counted and acknowledged."""

    def __init__(self, load: Load, number: int, track: Track | None) -> None:
        self.load = load
        self.number = number
        self.track = track
        self.last = [0] * load.controls
        self.is_ready = False
        self.is_gone = False
        self.ids: dict[int, int] = {}  # id on the wire → control, where the wire has ids
        self.numbers_of: dict[int, int] = {}  # … and back
        self.numbers = count(1)
        self.triggers = 0
        self.revision = 0
        self.acked_at = 0.0
        self.ack_s = 0.0
        self.ack_at = inf
        self.ack_bytes = 0
        self.ping_s = 0.0
        self.pinged_at = 0.0
        self.unacked = 0
        self.revision_at = 0.0
        self.frames = 0
        self.opened_at = time.monotonic()
        self._upgraded = False
        self._rest = b""
        self.sock = socket.create_connection(("127.0.0.1", load.http_port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.sock.send(wire.upgrade(load.adapter.ws_path, load.http_port))
        load.watch(self.sock, self.read)

    def send(self, payload: bytes, opcode: int = wire.TEXT) -> None:
        """Write one frame now."""
        self.sock.send(wire.client_frame(payload, opcode))

    def read(self) -> None:
        """Take what has come."""
        try:
            data = self.sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        now = time.monotonic()
        if not data:
            self.is_gone = True
            self.load.unwatch(self.sock)
            return
        if self._rest:
            data = self._rest + data
        if not self._upgraded:
            head, stop, data = data.partition(b"\r\n\r\n")
            if not stop:
                self._rest = head
                return
            assert b" 101 " in head, head
            self._upgraded = True
            self.load.adapter.opened(self)
        used = 0
        for opcode, payload, end in wire.server_frames(data):
            used = end
            if opcode <= wire.BINARY:
                self.frames += 1
                if self.track is None and self.is_ready:
                    self.load.adapter.counted(self, payload, now)
                else:
                    self.load.adapter.heard(self, payload, now)
            elif opcode == wire.PING:
                self.send(bytes(payload), wire.PONG)
        self._rest = data[used:]

    def saw(self, control: int, step: int, now: float) -> None:
        """The adapter has read a value."""
        if self.track is not None:
            self.track.arrived(self.last, control, step, now)

    def close(self) -> None:
        """Leave."""
        if not self.is_gone:
            self.is_gone = True
            self.load.unwatch(self.sock)
        self.sock.close()


class Load:
    """One load generator: browsers, timers, an OSC sender and an OSC listener."""

    def __init__(self, adapter: Adapter, http_port: int, osc_port: int, controls: int) -> None:
        self.adapter = adapter
        self.http_port = http_port
        self.controls = controls
        self.browsers: list[Browser] = []
        self.heard: Callable[[int, int, float], None] | None = None
        """Called with (control, step, now) of OSC that the server has sent."""
        self._epoll = select.epoll()
        self._readers: dict[int, Callable[[], None]] = {}
        self._timers: list[tuple[float, int, float, Callable[[float], None], bool]] = []
        self._numbers = count()
        self._acks: list[tuple[float, int, Browser]] = []
        self.osc = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.osc.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        self.osc.connect(("127.0.0.1", osc_port))
        self._heads = [wire.osc_head(control) for control in range(controls)]
        self._listener: socket.socket | None = None

    # Sockets

    def watch(self, sock: socket.socket, read: Callable[[], None]) -> None:
        """Call ``read`` when the socket has something."""
        self._readers[sock.fileno()] = read
        self._epoll.register(sock.fileno(), select.EPOLLIN)

    def unwatch(self, sock: socket.socket) -> None:
        """No more."""
        self._epoll.unregister(sock.fileno())
        del self._readers[sock.fileno()]

    def listen(self, sock: socket.socket, heard: Callable[[int, int, float], None]) -> None:
        """Read OSC from a bound socket."""
        sock.setblocking(False)
        self._listener, self.heard = sock, heard
        self.watch(sock, self._read_osc)

    def _read_osc(self) -> None:
        assert self._listener is not None
        assert self.heard is not None
        while True:
            try:
                packet = self._listener.recv(2048)
            except BlockingIOError:
                return
            found = wire.osc_read(packet)
            if found is not None:
                self.heard(*found, time.monotonic())

    def send_osc(self, control: int, value: float) -> None:
        """One OSC message to the server."""
        self.osc.send(self._heads[control] + wire._FLOAT(value))

    def join(self, how_many: int, track: Track | None, at_once: int = 50, limit_s: float = 60.0) -> list[Browser]:
        """Connect browsers and wait until each is ready."""
        new: list[Browser] = []
        while len(new) < how_many:
            part = [Browser(self, len(self.browsers) + i, track) for i in range(min(at_once, how_many - len(new)))]
            self.browsers += part
            new += part
            end = time.monotonic() + limit_s
            while not all(browser.is_ready for browser in part):
                self.run(0.005)
                if time.monotonic() > end or any(browser.is_gone for browser in part):
                    raise TimeoutError(f"{self.adapter.name}: {len(new)} browsers could not connect")
        return new

    # Time

    def every(self, period_s: float, call: Callable[[float], None], start_s: float = 0.0, stays: bool = False) -> None:
        """Call ``call(due time)`` every so often, on a schedule that a late call does not shift."""
        heapq.heappush(self._timers, (time.monotonic() + start_s, next(self._numbers), period_s, call, stays))

    def stop_timers(self) -> None:
        """Forget everything that ``every`` began, but what stays."""
        self._timers = [timer for timer in self._timers if timer[4]]
        heapq.heapify(self._timers)

    def ack_later(self, browser: Browser, due: float) -> None:
        """``adapter.ack(browser, now)`` when it is due."""
        heapq.heappush(self._acks, (due, browser.number, browser))

    def run(self, seconds: float) -> None:
        """Let everything happen for so long."""
        end = time.monotonic() + seconds
        readers, poll = self._readers, self._epoll.poll
        while True:
            now = time.monotonic()
            while self._timers and self._timers[0][0] <= now:
                due, number, period_s, call, stays = self._timers[0]
                heapq.heapreplace(self._timers, (due + period_s, number, period_s, call, stays))
                call(due)
                now = time.monotonic()
            while self._acks and self._acks[0][0] <= now:
                *_, browser = heapq.heappop(self._acks)
                if now >= browser.ack_at and not browser.is_gone:
                    self.adapter.ack(browser, now)
            if now >= end:
                return
            until = min(self._timers[0][0] if self._timers else end, self._acks[0][0] if self._acks else end, end)
            # select waits to the microsecond, epoll to the millisecond.
            if until > now:
                select.select([self._epoll], [], [], until - now)
            for fd, _ in poll(0, 256):
                reader = readers.get(fd)
                if reader is not None:
                    reader()

    def close(self) -> None:
        """Free every socket."""
        for browser in self.browsers:
            browser.close()
        if self._listener is not None:
            self._listener.close()
        self.osc.close()
        self._epoll.close()
