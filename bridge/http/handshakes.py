"""When a TLS handshake may begin: the one event loop does its arithmetic, and whoever plays waits meanwhile.

A client's first words cost it nothing, and us 0.3 ms; with the dearest curve that it may choose, 2.5 ms. So they are
not read before all are there; then one handshake begins at a time, and there is a rest as long as it took. An
address has few under way, so another's is soon the next. Not here: whose connections are taken (``door``).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

HANDSHAKE_S = 10.0
"""How long the first words may take, and then the rest of a handshake."""
MAX_UNDER_WAY = 16
"""Of one address. A phone has six for a page; the next ones wait."""
TURNS = 3
"""Of the loop, until it has read what was there and answered."""
HELLO_BYTES = 16 * 1024
"""Whose first words are longer may fail at once."""
_HANDSHAKE = 22  # RFC 8446, section 5.1: the record's type


class Handshakes:
    """Those of one server."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._rooms: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, conn: socket.socket, address: str | None) -> AsyncIterator[None]:
        """The block makes the handshake of this connection, and is entered when that may begin. ``address`` is under
        what it is counted, None where it is not. Closes ``conn`` where it never begins. Raises OSError."""
        async with contextlib.AsyncExitStack() as stack:
            unused = stack.enter_context(contextlib.ExitStack())
            unused.callback(conn.close)
            async with asyncio.timeout(HANDSHAKE_S):
                await _hello(conn)
            if address is not None:
                await stack.enter_async_context(self._rooms.setdefault(address, asyncio.Semaphore(MAX_UNDER_WAY)))
            await self._turn.acquire()
            self._rest(TURNS, time.perf_counter())
            unused.pop_all()
            yield

    def _rest(self, turns: int, began: float) -> None:
        loop = asyncio.get_running_loop()
        if turns:
            loop.call_soon(self._rest, turns - 1, began)
        else:
            loop.call_later(time.perf_counter() - began, self._turn.release)


async def _hello(conn: socket.socket) -> None:
    """Returns when the client's first words are there, or will never be. Raises OSError."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[None] = loop.create_future()
    seen = 0

    def look() -> None:
        nonlocal seen
        try:
            data = conn.recv(HELLO_BYTES, socket.MSG_PEEK)
            if seen < len(data) < HELLO_BYTES and not is_whole(data):  # told again without more: that was the end
                seen = len(data)
                conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, seen + 1)
                return
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        except BlockingIOError:
            return
        except OSError as exc:
            if not found.done():
                found.set_exception(exc)
        if not found.done():
            found.set_result(None)

    try:
        loop.add_reader(conn, look)
    except NotImplementedError:  # Windows: it begins at once
        return
    try:
        await found
    finally:
        loop.remove_reader(conn)


def is_whole(data: bytes) -> bool:
    """True if a ClientHello is all there, in however many records, and for what is none."""
    said, at = b"", 0
    while len(data) >= at + 5:
        if data[at] != _HANDSHAKE:
            return True
        size = int.from_bytes(data[at + 3 : at + 5])
        said += data[at + 5 : at + 5 + size]
        at += 5 + size
    return len(said) >= 4 and len(said) >= 4 + int.from_bytes(said[1:4])
