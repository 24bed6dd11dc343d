"""What the network can do to HTTP and WebSocket: mutated requests and frames against a running server.

No 500, no traceback to anybody, and nothing grows. Short here; `make fuzz` goes on (FUZZ_HTTP=… examples).
"""

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.control import Control
from bridge.http.limits import MAX_ADDRESSES, HttpLimits
from tests.server import Server
from tests.waiting import SOON_S

COUNT = int(os.environ.get("FUZZ_HTTP", "25"))
WEB = Path(__file__).resolve().parent.parent / "web"
EXAMPLES = settings(
    max_examples=COUNT,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

PATHS = st.one_of(
    st.sampled_from(["/", "/ws", "/healthz", "/api/controls", "/api/controls/a", "/api/holds/a", "/api/history?limit=1",
                     "/pages/", "/api/peers/x/send", "/%2e%2e/", "/lib/client.js"]),
    st.text(st.characters(codec="latin-1"), max_size=40).map(lambda text: "/" + text),
)  # fmt: skip
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["Host", "Origin", "Content-Type", "Content-Length", "Transfer-Encoding", "Upgrade",
                         "Connection",
                         "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Authorization", "Cookie", "X-Client", "Range",
                         "Expect", "If-None-Match", "Accept-Encoding", "Content-Encoding"]),
        st.one_of(
            st.sampled_from(["localhost", "null", "application/json", "5", "-1", "chunked", "websocket", "upgrade",
                             "13",
                             "dGhlIHNhbXBsZSBub25jZQ==", "Bearer x.y", "gzip", "100-continue", "bytes=0-"]),
            st.text(st.characters(codec="latin-1"), max_size=30),
        ),
    ),
    max_size=8,
)  # fmt: skip
BODIES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([b"", b'{"value": 0.5}', b'{"value": []}', b'{"args": [1, null]}', b"5\r\n12345\r\n0\r\n\r\n"]),
)
REQUESTS = st.one_of(
    st.builds(
        lambda method, path, headers, body: (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n".encode("latin-1")
            + b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in headers)
            + b"\r\n"
            + body
        ),
        st.sampled_from(["GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "GE T", ""]),
        PATHS, HEADERS, BODIES,
    ),
    st.binary(max_size=200),
)  # fmt: skip

KEYS = st.one_of(st.integers(-2, 3), st.sampled_from(["/a", "/t", "", "/none"]))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=8)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["n", "t", "values", "ids", "id", "args", "rev", "controls", "what", "since", "keys", "name", "token", "page"]
MESSAGES = st.dictionaries(
    st.sampled_from(FIELDS), st.one_of(VALUES, st.lists(st.tuples(KEYS, VALUES), max_size=3)), max_size=4
)
KINDS = [
    "hello",
    "set",
    "trigger",
    "touch",
    "release",
    "declare",
    "ack",
    "ping",
    "show",
    "subscribe",
    "learn",
    "forget",
]
FRAMES = st.lists(
    st.tuples(
        st.integers(0, 255),
        st.one_of(
            st.binary(max_size=40),
            st.builds(lambda kind, message: text_of({**message, "type": kind}), st.sampled_from(KINDS), MESSAGES),
        ),
    ),
    max_size=6,
)
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def text_of(message: object) -> bytes:
    return json.dumps(message).encode("utf-8", "surrogatepass")


def frame(head: int, payload: bytes) -> bytes:
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes([head]) + length + bytes(4) + payload


async def feed(streams: list[bytes], log: "Records") -> None:
    async with Server.start(WEB, limits=None, http=HttpLimits(requests_per_s=100_000, request_s=0.2)) as server:
        server.store.add(Control(path="/a"), now=0.0)
        server.store.add(Control(path="/t", kind="trigger"), now=0.0)
        for stream in streams:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(stream)
            heard = b""
            with contextlib.suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(0.02):
                    heard = await reader.read(65536)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            assert not heard.startswith(b"HTTP/1.1 5"), (stream, heard)
            assert b"Traceback" not in heard
        async with asyncio.timeout(SOON_S):
            while server.door.turnstile.open or len(server.hub):
                await asyncio.sleep(0.01)
        assert len(server.door.turnstile) <= MAX_ADDRESSES
        assert len(server.store) <= 2 + 256
    assert not [record for record in log.records if record.levelno >= logging.ERROR], log.text


@pytest.mark.timeout(COUNT + 60)
@EXAMPLES
@given(streams=st.lists(REQUESTS, min_size=1, max_size=4))
def test_no_request_does_harm(streams: list[bytes], caplog_of: "Records") -> None:
    caplog_of.clear()
    asyncio.run(feed(streams, caplog_of))


@pytest.mark.timeout(COUNT + 60)
@EXAMPLES
@given(streams=st.lists(FRAMES, min_size=1, max_size=3), hello=st.booleans())
def test_no_frame_does_harm(streams: list[list[tuple[int, bytes]]], hello: bool, caplog_of: "Records") -> None:
    caplog_of.clear()
    first = frame(0x81, b'{"type":"hello"}') if hello else b""
    asyncio.run(feed([UPGRADE + first + b"".join(frame(*one) for one in frames) for frames in streams], caplog_of))


@pytest.fixture(scope="module")
def caplog_of() -> "Iterator[Records]":
    records = Records()
    logging.getLogger().addHandler(records)
    yield records
    logging.getLogger().removeHandler(records)


class Records(logging.Handler):
    """What is logged, over all examples of one run."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    @property
    def text(self) -> str:
        return "\n".join(record.getMessage() for record in self.records)

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def clear(self) -> None:
        self.records.clear()
