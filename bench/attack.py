"""What a performer's fader takes from the page to OSC while HTTP or HTTPS is attacked, beside the same without.

    python -m bench.attack [SECONDS]

The attacker is a process of its own at 127.0.0.2, a guest on the network: it was let in as whoever is in mode "open".
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

from websockets.asyncio.client import connect

from bridge import authority
from bridge.certificate import FOLDER
from bridge.cutting import discard
from tests.daemon import Daemon
from tests.hellos import client_hello

HERE, FROM = "127.0.0.1", "127.0.0.2"
RATE_HZ = 100
ROUNDS = 5
CONFIG = """
[http]
host = "127.0.0.1"
announce = false

[http.tls]
port = 0

[auth]
mode = "open"

[[osc]]
name = "out"
listen = "127.0.0.1:0"
send = ["127.0.0.1:{port}"]

[[control]]
path = "/fader"
range = [0, 1000000]

[[control]]
path = "/other"
osc.out = false                  # else what is measured would drown in it
"""


async def measure(daemon: Daemon, heard: socket.socket, seconds: float) -> tuple[float, float]:
    """p50 and p99 in ms from a page's ``set`` to its OSC message, at RATE_HZ."""
    loop, late = asyncio.get_running_loop(), []
    async with connect(daemon.ws_url, compression=None, proxy=None, max_queue=None) as page:
        await page.send('{"type":"hello","acks":false}')

        async def read() -> None:
            async for _ in page:
                pass

        reading = asyncio.create_task(read())
        start = time.monotonic()
        for step in range(1, round(seconds * RATE_HZ)):
            await asyncio.sleep(max(0.0, start + step / RATE_HZ - time.monotonic()))
            sent = time.monotonic()
            await page.send(json.dumps({"type": "set", "n": step, "values": [["/fader", step]]}))
            async with asyncio.timeout(5):
                while not (await loop.sock_recv(heard, 65536)).startswith(b"/fader\0"):
                    pass
            late.append((time.monotonic() - sent) * 1000)
        reading.cancel()
        await asyncio.wait([reading])
    late.sort()
    return late[len(late) // 2], late[len(late) * 99 // 100]


async def crowd(port: int) -> None:
    """Connections, as many as there can be, each of which says half a request."""
    loop = asyncio.get_running_loop()
    kept = []
    while True:
        sock = _socket()
        with contextlib.suppress(OSError):
            await loop.sock_connect(sock, (HERE, port))
            await loop.sock_sendall(sock, b"GET / HT")
        kept.append(sock)
        if len(kept) > 2000:
            kept.pop(0).close()
        await asyncio.sleep(0)


async def ask(port: int) -> None:
    """Requests without end, as fast as they are answered."""
    loop = asyncio.get_running_loop()
    while True:
        with _socket() as sock, contextlib.suppress(OSError):
            await loop.sock_connect(sock, (HERE, port))
            while True:
                await loop.sock_sendall(sock, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                if not await loop.sock_recv(sock, 65536):
                    break
        await asyncio.sleep(0)


async def say(port: int, count: int = 1) -> None:
    """Ten sockets that say ``set`` as fast as they can, of so many values."""

    async def one() -> None:
        async with connect(f"ws://{HERE}:{port}/ws", compression=None, proxy=None, local_addr=(FROM, 0)) as page:
            await page.send('{"type":"hello","acks":false}')
            for step in range(1 << 40):
                values = [["/other", (step + nth) % 1000 / 1000] for nth in range(count)]
                await page.send(json.dumps({"type": "set", "n": step, "values": values}))

    while True:
        with contextlib.suppress(Exception):
            await asyncio.gather(*(one() for _ in range(10)))


async def greet(port: int, curve: str) -> None:
    """A thousand connections say a TLS client's first words at once, and no more; then anew."""
    loop = asyncio.get_running_loop()
    hello = client_hello(curve)
    while True:
        kept = [_socket() for _ in range(1000)]
        for sock in kept:
            with contextlib.suppress(OSError):
                await loop.sock_connect(sock, (HERE, port))
        await asyncio.sleep(0.3)
        for sock in kept:
            with contextlib.suppress(OSError):
                sock.send(hello)
        await asyncio.sleep(0.3)
        for sock in kept:
            discard(sock)
            sock.close()


async def shake(port: int) -> None:
    """TLS handshakes without end, ten at a time."""
    context = ssl._create_unverified_context()

    async def one() -> None:
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(HERE, port, ssl=context, local_addr=(FROM, 0))
                writer.transport.abort()

    await asyncio.gather(*(one() for _ in range(10)))


ATTACKS: dict[str, Callable[[int], Awaitable[None]]] = {
    "2,000 half requests": crowd,
    "requests without end": ask,
    "ten floods of set": say,
    "… of 1,024 values": partial(say, count=1024),
}
TLS_ATTACKS: dict[str, Callable[[int], Awaitable[None]]] = {
    "TLS: handshakes": shake,
    "TLS: 1,000 hellos": partial(greet, curve="prime256v1"),
    "… the dearest curve": partial(greet, curve="secp384r1"),
}


def _socket() -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    sock.bind((FROM, 0))
    return sock


def _https_port(daemon: Daemon) -> int:
    while not (port := daemon.request("GET", "/healthz")[1]["https"]["port"]):
        time.sleep(0.05)
    return int(port)


def main(seconds: float) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard, tempfile.TemporaryDirectory() as folder:
        heard.bind((HERE, 0))
        heard.setblocking(False)
        authority.make(Path(folder, "state/stagebridge", FOLDER), ["localhost"], "bench", datetime.now(UTC))
        with Daemon.start(CONFIG.format(port=heard.getsockname()[1]), Path(folder)) as daemon:
            ports = dict.fromkeys(ATTACKS, daemon.http_port) | dict.fromkeys(TLS_ATTACKS, _https_port(daemon))
            found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ("nothing", *ports)}
            for name in [*found] * ROUNDS:  # in turns, since others use this machine too
                attacker = None
                if name != "nothing":
                    # A machine of its own would take no CPU from the server.
                    command = ["nice", "-n", "19", sys.executable, "-m", "bench.attack", name, str(ports[name])]
                    attacker = subprocess.Popen(command)
                    time.sleep(1)
                half, most = asyncio.run(measure(daemon, heard, seconds))
                found[name].append((half, most, daemon.rss_bytes() / 1e6))
                if attacker is not None:
                    attacker.kill()
                    attacker.wait()
            print(f"medians of {ROUNDS} rounds of {seconds:.0f} s each")
            for name, rounds in found.items():
                half, most, size = map(median, zip(*rounds, strict=True))
                print(f"{name:22} p50 {half:5.2f} ms   p99 {most:6.2f} ms   {size:.0f} MB")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        asyncio.run((ATTACKS | TLS_ATTACKS)[sys.argv[1]](int(sys.argv[2])))  # type: ignore[arg-type]
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0)
