"""Whatever comes over the network, the log stays short: every kind of bad input, as much as goes in a few seconds."""

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp

from bridge.log import BURST_LINES, MAX_LINE
from bridge.osc.codec import encode_message
from tests.daemon import Daemon
from tests.peers import free_tcp_port, free_udp_port

ROUNDS = 200
NASTY = "\n20:15:03 error: forged\x1b[2J\u202e" + "x" * 300
BAD_JSON = ["{", "[]", '{"type":"nothing"}', '{"type":"set","values":[[%d,1]]}', '{"type":"set","values":[["/n%d",1]]}']
HERE = b"HTTP/1.1\r\nHost: 127.0.0.1\r\n"
BAD_HTTP = [
    b"GET / HTTP/1.1\r\nHost: evil%d.example\r\n\r\n",
    b"GET /api/history " + HERE + b"Origin: http://evil%d.example\r\n\r\n",
    b"GET /api/controls/nothing/%d " + HERE + b"\r\n",
    b"PUT /api/controls/fader " + HERE + b"Content-Type: application/json\r\nContent-Length: 1\r\n\r\n{",
    b"no http at all %d\r\n\r\n",
    b"GET /ws " + HERE + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: %d\r\n\r\n",
    b"\x16\x03\x01%d",
]


def bad_osc(number: int) -> Iterator[bytes]:
    yield b"\xff" * (number % 64 + 1)
    yield b"#bundle\0" + bytes(7) + b"\1\0\0\0\7garbage"
    yield encode_message(f"/unknown/{number}/{NASTY.replace('x', 'y')}".encode("ascii", "replace").decode(), (1,))
    yield encode_message("/fader", ("no number",))
    yield encode_message(f"/fader[{number}", (1,))
    yield encode_message("/stagebridge/refresh", (f"/[{number}",))
    yield encode_message("/stagebridge/panic")
    yield b"#bundle\0\xff\xff\xff\xff\0\0\0\0\0\0\0\x10" + encode_message("/fader", (0.5,))


def flood_udp(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as known:
        known.bind(("127.0.0.1", 0))
        for number in range(ROUNDS):
            for packet in bad_osc(number):
                known.sendto(packet, ("127.0.0.1", port))
        for number in range(ROUNDS):
            with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                stranger.bind((f"127.0.1.{number + 1}", 0))
                stranger.sendto(encode_message("/fader", (1,)), ("127.0.0.1", port))


async def speak(port: int, *words: bytes) -> None:
    """Connect, say it, go."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.writelines(words)
                await writer.drain()
                await reader.read(1)
            finally:
                writer.transport.abort()


async def flood_browsers(daemon: Daemon) -> None:
    async with aiohttp.ClientSession() as http:
        for number in range(ROUNDS // 10):
            async with http.ws_connect(daemon.ws_url) as ws:
                name: Any = f"{number}{NASTY}"
                await ws.send_str(json.dumps({"type": "hello", "name": name}))
                for text in BAD_JSON:
                    await ws.send_str(text.replace("%d", str(number)))
                await ws.send_bytes(b"\0")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(2):
                        while (await ws.receive()).type == aiohttp.WSMsgType.TEXT:
                            pass


async def test_no_bad_input_fills_the_log(tmp_path: Path) -> None:
    listen, tcp = free_udp_port(), free_tcp_port()
    config = f"""
[auth]
mode = "open"

[[osc]]
name = "max"
listen = "127.0.0.1:{listen}"
allow = ["127.0.0.1"]

[[osc]]
name = "tcp"
transport = "tcp-length"
listen = "127.0.0.1:{tcp}"

[[control]]
path = "/fader"
"""
    with Daemon.start(config, tmp_path) as daemon:
        before = daemon.stderr.count("\n")
        await asyncio.to_thread(flood_udp, listen)
        for number in range(ROUNDS // 10):
            words = [text.replace(b"%d", str(number).encode()) for text in BAD_HTTP]
            await asyncio.gather(*(speak(daemon.http_port, each) for each in words))
            frames = [b"\0\0\0\x08" + each for each in bad_osc(number)]
            await asyncio.gather(speak(tcp, *frames), speak(tcp, b"\xff\xff\xff\xff"))
        await flood_browsers(daemon)
        health = await asyncio.to_thread(daemon.request, "GET", "/healthz")
        assert health[1]["peers"][0]["bad"] >= ROUNDS
        lines = daemon.stderr.splitlines()[before:]
    # The OSC ports, the guard, the door, the hub and what keeps panics apart may each write so many at once.
    assert 10 < len(lines) <= 6 * BURST_LINES, "\n".join(lines)
    for line in lines:
        assert re.match(r"\d\d:\d\d:\d\d ", line), line  # none that somebody else has begun
        assert line.isprintable(), repr(line)
        assert len(line) <= MAX_LINE
        assert "Traceback" not in line
