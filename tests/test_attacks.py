"""Attacks on the HTTP port, each over raw sockets: refused, counted, and nobody else is held up."""

import asyncio
import contextlib
import gzip
import json
import logging
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from bridge.control import Control
from bridge.http.limits import MAX_ADDRESSES, HttpLimits, Turnstile
from bridge.messages import MAX_MOVES
from bridge.ws import HELLO_BYTES, Limits
from tests.server import Client, Server
from tests.waiting import SOON_S, eventually

TIGHT = HttpLimits(connections=40, connections_per_address=20, requests_per_s=1000.0, request_s=0.4, messages_per_s=400)
QUICK = Limits(silent_s=1.5, ping_after_s=0.3, client_timeout_s=0.6, hello_s=0.5, halfway_s=0.4, check_s=0.05)
GIVEN_UP_S = 10.0
"""These limits are over after a second; what grows or comes byte by byte would have had minutes."""
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%b\r\n"
)
HELLO = b'{"type":"hello","acks":false}'


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with attacked(tmp_path) as server:
        yield server


@asynccontextmanager
async def attacked(folder: Path, limits: HttpLimits = TIGHT, times: Limits = QUICK) -> AsyncIterator[Server]:
    web, pages = folder / "web", folder / "pages"
    web.mkdir()
    pages.mkdir()
    (web / "index.html").write_text("<!doctype html><title>surface</title>")
    (web / "big.js").write_bytes(b"//" + bytes(8_000_000))
    (folder / "secret.txt").write_text("secret")
    async with Server.start(web, pages, times, limits) as server:
        yield server


class Raw:
    """A socket that says what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    @asynccontextmanager
    async def connect(cls, server: Server, **options: Any) -> AsyncIterator["Raw"]:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, **options)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def hear_all(self) -> bytes:
        """Everything until the server ends it, which it must."""
        heard = bytearray()
        async with asyncio.timeout(SOON_S):
            with contextlib.suppress(ConnectionError):
                while data := await self.reader.read(65536):
                    heard += data
        return bytes(heard)

    async def upgrade(self, headers: bytes = b"") -> bytes:
        self.say(UPGRADE % headers)
        return await self.reader.readuntil(b"\r\n\r\n")


def request(path: str = "/", *headers: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode("latin-1")


def frame(payload: bytes, opcode: int = 1, fin: bool = True, size: int | None = None, reserved: int = 0) -> bytes:
    """A masked frame (with a mask of zeros); ``size`` is what it says of its length."""
    size = len(payload) if size is None else size
    head = bytes([(0x80 if fin else 0) | reserved | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 1 << 16:
        head += b"\xfe" + size.to_bytes(2, "big")
    else:
        head += b"\xff" + size.to_bytes(8, "big")
    return head + bytes(4) + payload


async def status_of(server: Server, data: bytes) -> tuple[int, bytes]:
    """The status of the one answer to this, and all that came; 0 where the connection was cut."""
    async with Raw.connect(server) as raw:
        raw.say(data)
        heard = await raw.hear_all()
    return int(heard.split(b" ", 2)[1]) if heard.startswith(b"HTTP/1.") else 0, heard


def add(server: Server, path: str, **fields: Any) -> Any:
    return server.store.add(Control(path=path, **fields), now=0.0)


# Gone at once


@pytest.mark.parametrize("lingers", [True, False], ids=["closes", "resets"])
async def test_who_asks_for_a_websocket_and_is_gone_is_no_fault_of_ours(
    server: Server, lingers: bool, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(4):
        with socket.create_connection(("127.0.0.1", server.port)) as one:
            if not lingers:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.sendall(UPGRADE % b"")
    async with Client.connect(server.ws_url):  # they were there before
        pass
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


# Half of everything


@pytest.mark.parametrize(
    "data",
    [b"", b"GET / HT", request()[:-2], request("/", "X: " + "a" * 4000)[:-20]],
    ids=["nothing", "half a line", "no end", "half a field"],
)
async def test_half_a_request_is_given_up(server: Server, data: bytes) -> None:
    started = time.monotonic()
    async with Raw.connect(server) as raw:
        raw.say(data)
        assert await raw.hear_all() == b""
    assert TIGHT.request_s * 0.9 < time.monotonic() - started < GIVEN_UP_S
    assert server.refusals.totals["timeout"] == 1


async def test_a_request_that_comes_byte_by_byte_has_no_more_time(server: Server) -> None:
    started = time.monotonic()
    async with Raw.connect(server) as raw:
        hearing = asyncio.create_task(raw.hear_all())
        for byte in request("/", "X: " + "a" * 4000):
            if hearing.done():
                break
            raw.say(bytes([byte]))
            await asyncio.sleep(0.01)
        assert await hearing == b""
    assert time.monotonic() - started < GIVEN_UP_S


async def test_half_a_body_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.http.answers.BODY_S", 0.3)
    add(server, "/a")
    data = request("/api/controls/a", "Content-Type: application/json", "Content-Length: 100", method="PUT")
    started = time.monotonic()
    status, heard = await status_of(server, data + b'{"val')
    assert (status, b"timeout" in heard) == (408, True)
    assert time.monotonic() - started < GIVEN_UP_S


@pytest.mark.parametrize("half", [frame(b'{"type":"pi', size=60), b"\x81", frame(b"a" * 70, size=1000, fin=False)])
async def test_half_a_frame_is_given_up_though_it_grows(server: Server, half: bytes) -> None:
    started = time.monotonic()
    async with Raw.connect(server) as raw:
        await raw.upgrade()
        raw.say(frame(HELLO))
        raw.say(half)
        hearing = asyncio.create_task(raw.hear_all())
        while not hearing.done():
            if half != b"\x81":
                raw.say(b" ")
            await asyncio.sleep(0.05)
        await hearing
    assert time.monotonic() - started < GIVEN_UP_S
    assert server.refusals.totals["timeout"] == 1


async def test_a_message_in_parts_without_end_is_given_up_though_pongs_come_between(server: Server) -> None:
    started = time.monotonic()
    async with Raw.connect(server) as raw:
        await raw.upgrade()
        raw.say(frame(HELLO) + frame(b"", fin=False))
        hearing = asyncio.create_task(raw.hear_all())
        while not hearing.done():
            raw.say(frame(b"", opcode=0, fin=False) + frame(b"", opcode=10))
            await asyncio.sleep(0.05)
        await hearing
    assert time.monotonic() - started < GIVEN_UP_S
    assert server.refusals.totals["timeout"] == 1


async def test_who_takes_nothing_of_what_it_asked_for_is_dropped(server: Server) -> None:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, ("127.0.0.1", server.port))
    with sock:
        await loop.sock_sendall(sock, request("/big.js"))
        await eventually(lambda: server.refusals.totals["unread"] == 1)
        await eventually(lambda: server.door.turnstile.open == 0)


async def test_who_takes_its_time_at_first_gets_it_all(server: Server) -> None:
    """The first look at a connection says nothing yet of how long bytes have waited."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=4096)
    writer.write(request("/big.js"))
    await asyncio.sleep(QUICK.client_timeout_s / 2)  # longer than between two looks
    await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(8_000_002)
    writer.close()
    assert server.refusals.totals["unread"] == 0


async def test_who_asks_on_and_on_without_reading_fills_no_memory(server: Server) -> None:
    """aiohttp writes each answer whatever waits before it."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, ("127.0.0.1", server.port))
    with sock:
        with contextlib.suppress(ConnectionError):
            await loop.sock_sendall(sock, request("/big.js") * 500)
        await eventually(lambda: server.door.turnstile.open == 0)
    assert server.refusals.totals["unread"] >= 1


# Too much of everything


async def test_two_thousand_connections_of_one_address_keep_nobody_out(tmp_path: Path) -> None:
    async with attacked(tmp_path) as server:
        fader = add(server, "/fader")
        async with Client.connect(server.ws_url) as performer:
            room = asyncio.Semaphore(200)  # of the attacker's descriptors
            flood = [asyncio.create_task(hold_open(server, room)) for _ in range(2000)]
            for step in range(1, 21):
                await performer.say("set", n=step, values=[[fader.id, step / 20]])
                async with asyncio.timeout(SOON_S):
                    await performer.hear_until("applied", n=step)
            await eventually(lambda: server.refusals.totals["connections_per_address"] > 1900)
            assert server.door.turnstile.open <= TIGHT.connections_per_address
            assert fader.value == 1
            for task in flood:
                task.cancel()
            await asyncio.gather(*flood, return_exceptions=True)
        await eventually(lambda: server.door.turnstile.open == 0)


async def hold_open(server: Server, room: asyncio.Semaphore) -> None:
    loop = asyncio.get_running_loop()
    async with room:
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.setblocking(False)
            await loop.sock_connect(sock, ("127.0.0.1", server.port))
            await loop.sock_recv(sock, 1)


async def test_when_it_is_full_who_does_nothing_gives_way_and_websockets_stay(tmp_path: Path) -> None:
    limits = replace(TIGHT, connections=16, connections_per_address=100, request_s=60)
    async with (
        attacked(tmp_path, limits) as server,
        Client.connect(server.ws_url) as performer,
        contextlib.AsyncExitStack() as stack,
    ):
        idle = [await stack.enter_async_context(Raw.connect(server)) for _ in range(15)]
        assert (await status_of(server, request("/", "Connection: close")))[0] == 200
        assert await idle[0].hear_all() == b""  # it had waited longest
        assert server.refusals.totals["crowded_out"] == 1
        await performer.say("ping", t=1)
        await performer.hear_until("pong")


async def test_behind_one_address_who_was_answered_gives_way_to_the_next(tmp_path: Path) -> None:
    """A crowd behind a router: browsers keep connections that they may want again."""
    limits = replace(TIGHT, request_s=SOON_S)  # half a request has its time, however long the others take
    async with attacked(tmp_path, limits) as server, contextlib.AsyncExitStack() as stack:
        performer = await stack.enter_async_context(Client.connect(server.ws_url))
        half = await stack.enter_async_context(Raw.connect(server))
        half.say(b"GET / HT")
        answered = []
        for _ in range(2 * TIGHT.connections_per_address):
            raw = await stack.enter_async_context(Raw.connect(server))
            raw.say(request())
            assert (await raw.reader.readuntil(b"</title>")).startswith(b"HTTP/1.1 200")
            answered.append(raw)
        assert await answered[0].hear_all() == b""
        half.say(b"TP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await half.reader.readline()).startswith(b"HTTP/1.1 200")
        await performer.say("ping", t=1)
        await performer.hear_until("pong")
        assert server.refusals.totals["connections_per_address"] == 0
        assert server.door.turnstile.open <= TIGHT.connections_per_address


async def test_an_exempt_network_has_no_limits_of_its_own(tmp_path: Path) -> None:
    limits = replace(TIGHT, connections_per_address=1, requests_per_s=1.0, exempt=(ip_network("127.0.0.0/8"),))
    async with attacked(tmp_path, limits) as server, contextlib.AsyncExitStack() as stack:
        for _ in range(10):
            await stack.enter_async_context(Raw.connect(server))
        for _ in range(15):
            assert (await status_of(server, request("/", "Connection: close")))[0] == 200


async def test_an_address_that_asks_too_often_waits(tmp_path: Path) -> None:
    async with attacked(tmp_path, replace(TIGHT, requests_per_s=1.0)) as server:  # ten at once, connections too
        async with Raw.connect(server) as raw:
            raw.say(request() * 12)
            heard = await raw.hear_all()
        assert heard.count(b"HTTP/1.1 200") == 9
        assert heard.count(b"HTTP/1.1 429") == 1  # and the connection ends
        assert b"Retry-After: 10" in heard
        assert (await status_of(server, request()))[0] == 0  # cut at the door, unread
        assert server.refusals.totals["rate"] == 2


def test_a_network_full_of_addresses_is_not_remembered_for_ever() -> None:
    turnstile = Turnstile(HttpLimits())
    for number in range(20_000):
        assert turnstile.enter(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 0.0) is None
        turnstile.leave(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(turnstile) == MAX_ADDRESSES


def test_a_host_with_all_addresses_of_an_ipv6_network_has_one_share() -> None:
    turnstile = Turnstile(HttpLimits(connections_per_address=20, requests_per_s=3.0))
    came = [turnstile.enter(f"2001:db8::{number:x}", 0.0) for number in range(40)]
    assert came == [None] * 20 + ["connections_per_address"] * 20
    assert sum(turnstile.may_ask(f"2001:db8::{number:x}:1", 0.0) for number in range(40)) == 10
    assert turnstile.enter("2001:db8:0:1::1", 0.0) is None
    for number in range(20):
        turnstile.leave(f"2001:db8::{number:x}")
    turnstile.leave("2001:db8:0:1::1")
    assert turnstile.open == 0


def test_who_is_exempt_is_so_among_others_of_its_network() -> None:
    turnstile = Turnstile(HttpLimits(connections_per_address=1, exempt=(ip_network("2001:db8::7"),)))
    assert turnstile.enter("2001:db8::1", 0.0) is None
    assert turnstile.enter("2001:db8::7", 0.0) is None
    assert turnstile.enter("2001:db8::2", 0.0) == "connections_per_address"


# What is no HTTP, and what is too long


@pytest.mark.parametrize(
    "data",
    [
        b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        request("/", "X: " + "a" * 100_000),
        request("/", *(f"X-{n}: 1" for n in range(5000))),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300),  # TLS to the port of http
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
        b"\xff" * 5000 + b"\r\n\r\n",
        b"PUT /api/controls/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    ],
    ids=["1 MB line", "long field", "5,000 fields", "tls", "two lengths", "space", "nul", "noise", "endless chunk"],
)
async def test_what_is_no_http_is_refused_without_a_traceback(
    server: Server, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    add(server, "/a")
    for _ in range(3):
        status, heard = await status_of(server, data)
        assert status in (0, 400)
        assert b"Traceback" not in heard
        assert b"aaaa" not in heard
    assert server.refusals.totals["malformed"] >= 1
    assert len(caplog.records) <= 1
    assert all(record.levelno <= logging.INFO and "Traceback" not in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "MKCOL", "TRACE", "CONNECT"])
@pytest.mark.parametrize("path", ["/pages/new.html", "/index.html"])
async def test_nothing_can_be_uploaded(server: Server, tmp_path: Path, method: str, path: str) -> None:
    before = sorted(tmp_path.rglob("*"))
    body = b"<script>alert(1)</script>"
    status, _ = await status_of(
        server, request(path, f"Content-Length: {len(body)}", "Connection: close", method=method) + body
    )
    assert status in (0, 400, 404, 405)
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "web" / "index.html").read_text().endswith("<title>surface</title>")


async def test_a_packed_body_is_not_unpacked(server: Server) -> None:
    add(server, "/a", kind="string")
    bomb = gzip.compress(b'{"value": "' + b"a" * 50_000_000 + b'"}')
    for packing in ("gzip", "deflate", "br", "zstd"):
        head = request(
            "/api/controls/a", "Content-Type: application/json", f"Content-Encoding: {packing}",
            f"Content-Length: {len(bomb)}", "Connection: close", method="PUT",
        )  # fmt: skip
        assert (await status_of(server, head + bomb))[0] in (413, 415)


@pytest.mark.parametrize(
    "path",
    [
        "/%2e%2e/secret.txt",
        "/pages/%2e%2e/secret.txt",
        "/pages/..%2fsecret.txt",
        "/pages/%252e%252e/secret.txt",
        "/pages/..%5csecret.txt",
        "/pages/....//secret.txt",
        "/pages/%c0%ae%c0%ae/secret.txt",
        "/pages/sly/secret.txt",
        "/pages/sly.txt",
        "/pages/%00secret.txt",
        "//localhost/../secret.txt",
        "/pages/" + "%2e%2e/" * 800 + "secret.txt",
        "http://localhost/../secret.txt",
    ],
)
async def test_no_way_of_writing_a_path_leads_out(server: Server, tmp_path: Path, path: str) -> None:
    (tmp_path / "pages" / "sly").symlink_to(tmp_path)
    (tmp_path / "pages" / "sly.txt").symlink_to(tmp_path / "secret.txt")
    status, heard = await status_of(server, request(path, "Connection: close"))
    assert status in (400, 403, 404)
    assert b"secret" not in heard.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    "path",
    [
        "/a%0d%0aSet-Cookie:%20x=1",
        "/pages/%0d%0aX-Evil:%201",
        "/pages?x=%0d%0aX-Evil:1",
        "/api/controls/a%0d%0aX-Evil:1",
    ],
)
async def test_no_header_can_be_smuggled_into_an_answer(server: Server, path: str) -> None:
    head = (await status_of(server, request(path, "X-Client: a\rb", "Connection: close")))[1].partition(b"\r\n\r\n")[0]
    head += (await status_of(server, request(path, "Connection: close")))[1].partition(b"\r\n\r\n")[0]
    assert b"\r\nX-Evil" not in head
    assert b"Set-Cookie" not in head


# WebSocket


async def close_code(server: Server, *frames: bytes, hello: bool = True) -> int:
    async with Raw.connect(server) as raw:
        await raw.upgrade()
        raw.say((frame(HELLO) if hello else b"") + b"".join(frames))
        heard = b""
        async with asyncio.timeout(SOON_S):
            while (at := heard.rfind(b"\x88")) < 0 or len(heard) < at + 4:
                heard += await raw.reader.read(65536)
    return int.from_bytes(heard[at + 2 : at + 4], "big")


async def test_a_frame_of_a_gigabyte_is_refused_as_it_is_announced(server: Server) -> None:
    assert await close_code(server, frame(b"x", size=1 << 30)) == 1009
    assert await close_code(server, frame(b"x", size=(1 << 63) + 5)) == 1009
    await eventually(lambda: server.refusals.totals["too_large"] == 2)


async def test_who_was_not_let_in_may_say_little(server: Server) -> None:
    assert await close_code(server, frame(b" " * (HELLO_BYTES + 1)), hello=False) == 1009


async def test_deflate_is_not_agreed_on_and_a_packed_frame_is_refused(server: Server) -> None:
    async with Raw.connect(server) as raw:
        answer = await raw.upgrade(b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n")
        assert b"101" in answer
        assert b"Extensions" not in answer
    assert await close_code(server, frame(b"\x00" * 50, reserved=0x40)) == 1002
    await eventually(lambda: server.refusals.totals["malformed"] == 1)


@pytest.mark.alone
async def test_a_flood_over_one_socket_is_read_as_fast_as_it_may_and_in_order(tmp_path: Path) -> None:
    """What is over the limit waits in its sender: nothing is left out, every one is answered, the last value wins."""
    async with attacked(tmp_path) as server:
        fader, other = add(server, "/fader", range=(0, 2000)), add(server, "/other")
        async with Raw.connect(server) as flooder, Client.connect(server.ws_url) as performer:
            await flooder.upgrade()
            started = time.monotonic()
            sets = (json.dumps({"type": "set", "n": n, "values": [[fader.id, n]]}).encode() for n in range(1, 1001))
            flooder.say(frame(HELLO) + b"".join(map(frame, sets)))
            slowest = 0.0
            for n in range(1, 60):
                said = time.monotonic()
                await performer.say("set", n=n, values=[[other.id, n / 100]])
                await performer.hear_until("applied", n=n)
                slowest = max(slowest, time.monotonic() - said)
                await asyncio.sleep(0.01)
            await eventually(lambda: fader.value == 1000)
            assert time.monotonic() - started > 1.0  # 400 at once, then 400 a second
            heard = b""
            while b'"applied","n":1000' not in heard:
                heard += await asyncio.wait_for(flooder.reader.read(65536), SOON_S)
            assert slowest < 0.25


@pytest.mark.alone
async def test_messages_as_long_as_may_be_hold_nobody_up(tmp_path: Path) -> None:
    """Each moves as many controls as one may; ten sockets say nothing else."""
    async with attacked(tmp_path, HttpLimits()) as server, contextlib.AsyncExitStack() as stack:
        entries = [add(server, f"/c/{n}") for n in range(MAX_MOVES)]
        fader = add(server, "/fader", range=(0, 2000))
        long = {"type": "set", "values": [[entry.path, 0.123456789] for entry in entries]}
        many = frame(json.dumps(long).encode()) * 60
        for _ in range(10):
            flooder = await stack.enter_async_context(Raw.connect(server))
            await flooder.upgrade()
            stack.callback(flooder.writer.transport.abort)
            flooder.say(frame(HELLO) + many)
        late = []
        async with Client.connect(server.ws_url) as performer:
            for n in range(1, 80):
                said = time.monotonic()
                await performer.say("set", n=n, values=[[fader.id, n]])
                await performer.hear_until("applied", n=n)
                late.append(time.monotonic() - said)
                await asyncio.sleep(0.005)
        assert fader.value == 79
        assert entries[-1].value == pytest.approx(0.123456789)
        assert sorted(late)[len(late) // 2] < 0.03
        assert max(late) < 0.3


async def test_long_messages_of_many_are_not_read_in_one_turn(tmp_path: Path) -> None:
    async with attacked(tmp_path, HttpLimits(), Limits()) as server, contextlib.AsyncExitStack() as stack:
        entries = [add(server, f"/c/{n}") for n in range(MAX_MOVES)]
        flooders = []
        for _ in range(10):
            flooders.append(await stack.enter_async_context(Raw.connect(server)))
            await flooders[-1].upgrade()
            stack.callback(flooders[-1].writer.transport.abort)
        turn, read = 0, []
        server.store.subscribe(lambda changes: read.append(turn))
        for n, flooder in enumerate(flooders, 1):
            values = [[entry.path, n / 10] for entry in entries]
            flooder.say(frame(HELLO) + frame(json.dumps({"type": "set", "values": values}).encode()))
        async with asyncio.timeout(SOON_S):
            while len(read) < 10:
                turn += 1
                await asyncio.sleep(0)
        assert max(read.count(each) for each in read) < 8  # 2 ms in a turn, then twice as long for others


@pytest.mark.alone
async def test_a_flood_of_empty_parts_is_counted_too(server: Server) -> None:
    other = add(server, "/other")
    async with Raw.connect(server) as flooder, Client.connect(server.ws_url) as performer:
        await flooder.upgrade()
        flooder.say(frame(HELLO) + frame(b"", fin=False) + frame(b"", opcode=0, fin=False) * 50_000)
        for n in range(1, 20):
            said = time.monotonic()
            await performer.say("set", n=n, values=[[other.id, n / 100]])
            await performer.hear_until("applied", n=n)
            assert time.monotonic() - said < 0.25


async def test_a_finger_a_thousand_times_a_second_is_not_held_back(tmp_path: Path) -> None:
    async with attacked(tmp_path, HttpLimits()) as server:
        fader = add(server, "/fader", range=(0, 2000))
        async with Client.connect(server.ws_url) as performer:
            (connection,) = server.hub._connections.values()
            held = []
            hold = connection.ws.on_held
            connection.ws.on_held = lambda: (held.append(connection.ws.allowance), hold())
            started = time.monotonic()
            for n in range(1, 501):
                await asyncio.sleep(max(0.0, started + n / 1000 - time.monotonic()))
                await performer.say("set", n=n, values=[[fader.id, n]])
            await performer.hear_until("applied", n=500)
            assert fader.value == 500
            assert all(allowance > 0 for allowance in held)  # for its turn at most, where this machine is busy


@pytest.mark.parametrize(
    "data",
    [
        request("/", "Connection: close"),
        request("/none", "Connection: close"),
        request("/api/none", "Connection: close"),
        request("/big.js", "Connection: close", method="HEAD"),
        request("/", "Expect: the impossible", "Connection: close"),
        request("/", "Connection: close").replace(b"localhost", b"rebound.example"),
        UPGRADE.replace(b" 13", b" 12") % b"Connection: close\r\n",
        b"nonsense\r\n\r\n",
    ],
)
async def test_no_answer_names_a_version(server: Server, data: bytes) -> None:
    heard = (await status_of(server, data))[1].lower()
    assert b"\r\nserver: stagebridge\r\n" in heard
    assert b"aiohttp" not in heard
    assert b"python" not in heard


async def test_the_answer_to_a_websocket_names_no_version(server: Server) -> None:
    async with Raw.connect(server) as raw:
        heard = await raw.upgrade()
    assert b"\r\nServer: stagebridge\r\n" in heard
    assert b"aiohttp" not in heard
