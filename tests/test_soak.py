"""Hours in little: phones that come and go, 5,000 messages a second, reloads in between; nothing may grow or be wrong.

`make soak` for ten minutes (SECONDS=3600 for an hour); CI has time for a short one.
"""

import asyncio
import itertools
import json
import os
import random
import signal
import socket
import statistics
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.daemon import Daemon
from tests.peers import free_udp_port

SECONDS = float(os.environ.get("SOAK", "15"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
WARM_S = min(60.0, SECONDS * 0.4)
"""Until then memory may grow: buffers, caches and Python's own arenas fill."""
ALLOWED_BYTES = 3_000_000
PHONES = 50
LONGEST_VISIT_S = min(12.0, SECONDS / 3)
SCREENS = 3
RATE_HZ = 5000
BURSTS_HZ = 200
FADERS = 100
"""That OSC moves, by turns."""
SLIDERS = 20
"""That phones move."""
RELOAD_S = max(2.0, SECONDS / 60)
SETTLED_S = 20.0

pytestmark = [pytest.mark.asyncio, pytest.mark.waits, pytest.mark.timeout(SECONDS * 1.5 + 90)]


@dataclass
class Show:
    """The configuration's file, and the peers that it names."""

    file: Path
    said: socket.socket
    """What we send to the daemon leaves from here."""
    hears: socket.socket
    """A program that mirrors everything."""
    listens: list[int] = field(default_factory=lambda: [free_udp_port() for _ in range(4)])

    def write(self, number: int) -> str:
        """The ``number``-th version; its title. What moves stays, something beside it comes, goes and changes."""
        hand, mirror = self.said.getsockname()[1], self.hears.getsockname()[1]
        title = f"Soak {number}"
        self.file.write_text(f"""
[http]
title = "{title}"
client_timeout_s = 3
[auth]
mode = "open"
[[control]]
repeat = {FADERS}
path = "/f/{{n}}"
range = [0, 100000000]
[[control]]
repeat = {SLIDERS}
path = "/p/{{n}}"
[[control]]
path = "/beside/{number % 3}"
range = [0, {number % 5 + 1}]
[[osc]]
name = "hand"
listen = "127.0.0.1:{self.listens[0]}"
send = ["127.0.0.1:{hand}"]
echoes = "no"
[[osc]]
name = "mirror"
listen = "127.0.0.1:{self.listens[1]}"
send = ["127.0.0.1:{mirror}"]
[[osc]]
name = "wanders"
listen = "127.0.0.1:{self.listens[2 + number % 2]}"
""", encoding="utf-8")  # fmt: skip
        return title


class Phone(asyncio.Protocol):
    """A guest's browser on a raw socket: it counts bytes, and speaks as a page does."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._numbers = itertools.count(1)
        self.received = 0
        self.gone = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(
            b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        self._say(type="hello", keys="path", acks=False, name=f"phone {self._dice.random()}")

    def data_received(self, data: bytes) -> None:
        self.received += len(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set_result(None)

    def _say(self, **message: Any) -> None:
        payload = json.dumps(message).encode()
        assert len(payload) < 126
        self._transport.write(bytes((0x81, 0x80 | len(payload), 0, 0, 0, 0)) + payload)

    async def live(self, seconds: float) -> None:
        """Look on, move something, or fall asleep; then leave in one of three ways, or be dropped."""
        habit = self._dice.choice(["looks", "moves", "moves", "sleeps"])
        ends = time.monotonic() + seconds
        if habit == "sleeps":
            self._transport.pause_reading()
        while (time.monotonic() < ends or not (self.received or habit == "sleeps")) and not self.gone.done():
            assert time.monotonic() < ends + SETTLED_S, f"a phone that {habit} was told nothing"
            self._say(type="ping", t=time.monotonic() * 1000)
            for _ in range(10):
                if habit == "moves":
                    path = f"/p/{self._dice.randrange(SLIDERS) + 1}"
                    self._say(type="set", n=next(self._numbers), values=[[path, self._dice.random()]])
                await asyncio.sleep(0.05)
        leaving = self._dice.choice(["closes", "is cut", "is silent"])
        if leaving == "closes":
            self._transport.write(b"\x88\x80\0\0\0\0")
        elif leaving == "is cut":
            self._transport.abort()
        if habit == "sleeps":
            self._transport.resume_reading()  # else it would not hear that it was dropped
        await asyncio.wait([self.gone], timeout=SETTLED_S)
        assert self.gone.done(), f"a phone that {habit} and {leaving} is still there"
        assert self.received > 0 or habit == "sleeps"


@asynccontextmanager
async def audience(port: int, dice: random.Random) -> AsyncIterator[None]:
    """PHONES of them, each replaced when it goes."""
    is_over = False

    async def seat() -> None:
        while not is_over:
            _, phone = await asyncio.get_running_loop().create_connection(lambda: Phone(dice), "127.0.0.1", port)
            await phone.live(0.2 if is_over else dice.uniform(0.5, LONGEST_VISIT_S))

    seats = [asyncio.create_task(seat()) for _ in range(PHONES)]
    try:
        yield
    finally:
        is_over = True
        done, _ = await asyncio.wait(seats, timeout=LONGEST_VISIT_S + 2 * SETTLED_S)
    assert len(done) == PHONES
    for task in done:
        task.result()


class Screen:
    """A page that stays: what it shows is compared with the truth at the end."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.values: dict[str, Any] = {}
        self.title = ""

    async def follow(self) -> None:
        """Until it is cancelled; a lost connection is an error."""
        await self._socket.send(json.dumps({"type": "hello", "keys": "path", "name": "screen"}))
        pinged = 0.0
        while True:
            message = json.loads(await self._socket.recv())
            for path in message.get("removed", ()):
                self.values.pop(path, None)
            self.values |= message.get("values", ())
            if "surface" in message:
                self.title = message["surface"].get("title", "")
            if "rev" in message and (now := time.monotonic()) > pinged + 0.2:
                pinged = now
                await self._socket.send(json.dumps({"type": "ping", "t": now * 1000, "rev": message["rev"]}))


class Hand:
    """RATE_HZ messages a second for as long as it may."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self.sent = 0

    async def move(self) -> None:
        began = time.monotonic()
        for burst in itertools.count(1):
            for _ in range(RATE_HZ // BURSTS_HZ):
                self._say(self.sent % FADERS + 1)
            await asyncio.sleep(max(0.0, began + burst / BURSTS_HZ - time.monotonic()))

    async def come_to_rest(self) -> dict[str, float]:
        """Each fader's last value, said so slowly that none is lost where the machine was too busy for all."""
        last = {}
        for fader in range(1, FADERS + 1):
            last[f"/f/{fader}"] = self._say(fader)
            await asyncio.sleep(0.002)
        return last

    def _say(self, fader: int) -> float:
        self.sent += 1
        value = float(self.sent % 2**24)
        packet = _padded(f"/f/{fader}") + b",f\0\0" + struct.pack(">f", value)
        self._show.said.sendto(packet, ("127.0.0.1", self._show.listens[0]))
        return value


class Mirror:
    """The last value of each address that the other program has heard."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.values: dict[str, float] = {}

    def read(self) -> None:
        try:
            while True:
                packet = self._sock.recv(65536)
                if packet.startswith(b"/f/"):
                    self.values[packet[: packet.index(b"\0")].decode()] = struct.unpack(">f", packet[-4:])[0]
        except BlockingIOError:
            pass


def _padded(text: str) -> bytes:
    return text.encode() + bytes(4 - len(text) % 4)


def descriptors(daemon: Daemon) -> int:
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))  # noqa: PTH208 - a count


async def test_hours_of_guests_moves_and_reloads_leave_nothing_behind(tmp_path: Path) -> None:
    dice = random.Random(SEED)
    loop = asyncio.get_running_loop()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as said,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hears,
    ):
        for sock in (said, hears):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            sock.bind(("127.0.0.1", 0))
            sock.setblocking(False)
        show = Show(tmp_path / "show.toml", said, hears)
        show.write(0)
        with Daemon.start(show.file, tmp_path) as daemon:
            mirror, hand = Mirror(hears), Hand(show)
            loop.add_reader(hears, mirror.read)
            sockets = [await connect(daemon.ws_url, compression=None) for _ in range(SCREENS)]
            screens = [Screen(socket) for socket in sockets]
            following = [asyncio.create_task(screen.follow()) for screen in screens]
            before, memory = await health(daemon), list[tuple[float, int]]()
            fds = descriptors(daemon)
            moving = asyncio.create_task(hand.move())
            began = time.monotonic()
            async with audience(daemon.http_port, dice):
                reloads = 0
                while (now := time.monotonic() - began) < SECONDS:
                    memory.append((now, daemon.rss_bytes()))
                    if now > (reloads + 1) * RELOAD_S:
                        reloads += 1
                        title = show.write(reloads)
                        daemon.process.send_signal(signal.SIGHUP)
                        await until(lambda title=title: all(screen.title == title for screen in screens))  # type: ignore[misc]
                    await asyncio.sleep(0.5)
                    assert not moving.done()
                    assert not any(task.done() for task in following)
                moving.cancel()
            last = await hand.come_to_rest()

            def truth() -> dict[str, Any]:
                controls = daemon.request("GET", "/api/controls")[1]["controls"]
                return {one["path"]: one["value"] for one in controls if one["path"][:3] in ("/f/", "/p/")}

            await until(lambda: all(mirror.values.get(path) == value for path, value in last.items()))
            now_true = await asyncio.to_thread(truth)
            assert {path: now_true[path] for path in last} == last
            for screen in screens:
                await until(lambda screen=screen: screen.values.items() >= now_true.items())  # type: ignore[misc]
            # Nothing is left: each phone's socket, session and task, each reload's port.
            await until(lambda: descriptors(daemon) <= fds)
            after = await health(daemon)
            assert after["tasks"] <= before["tasks"]
            assert len(after["clients"]) == SCREENS
            assert after["name"] == f"Soak {reloads}"
            early = [size for when, size in memory if when >= WARM_S]
            quarter = max(1, len(early) // 4)
            grown = statistics.median(early[-quarter:]) - statistics.median(early[:quarter])
            print(
                f"{SECONDS:.0f} s: {hand.sent} messages, {reloads} reloads, {memory[0][1] >> 20} MB at first, "
                f"{early[0] >> 20} MB warm, then {grown / 1e6:+.1f} MB; {fds} descriptors, {after['tasks']} tasks"
            )
            assert grown < ALLOWED_BYTES
            assert "Traceback" not in daemon.stderr
            loop.remove_reader(hears)
            for task, sock in zip(following, sockets, strict=True):
                task.cancel()
                await sock.close()
            await asyncio.wait(following)


async def health(daemon: Daemon) -> dict[str, Any]:
    status, answer = await asyncio.to_thread(daemon.request, "GET", "/healthz")
    assert status == 200
    return dict(answer)


async def until(holds: Any) -> None:
    """Wait for it, for SETTLED_S at most."""
    deadline = time.monotonic() + SETTLED_S
    while not holds():
        assert time.monotonic() < deadline, "it never came so far"
        await asyncio.sleep(0.02)
