"""A TCP proxy whose two directions stand still on command, and later deliver everything: a half-open link.

It needs no root, and hides that TCP sends again; `tests/netlab.py` is the real thing. What is delivered late is
delivered whole and in order, as a kernel does it, also when the sender has closed its socket meanwhile.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

CHUNK = 64 * 1024


class Proxy:
    """Listens on ``port`` of 127.0.0.1 while its block lasts, and connects to ``target``."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self._gate = asyncio.Event()
        self._gate.set()
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def start(cls, target: int) -> AsyncIterator[Self]:
        proxy = cls(target)
        server = await asyncio.start_server(proxy._accept, "127.0.0.1", 0)
        proxy.port = server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            server.close()
            for task in proxy._tasks:
                task.cancel()
            if proxy._tasks:
                await asyncio.wait(proxy._tasks)
            await server.wait_closed()

    def cut(self) -> None:
        """Nothing passes any more, in either direction; the sockets stay open."""
        self._gate.clear()

    def mend(self) -> None:
        """What has been kept back passes, then everything."""
        self._gate.set()

    def change_network(self) -> None:
        """Connections that exist stand still for ever, as those of a tablet with a new address do; new ones pass."""
        self._gate.clear()
        self._gate = asyncio.Event()
        self._gate.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        gate = self._gate
        try:
            await gate.wait()
            with contextlib.suppress(OSError):
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
                try:
                    async with asyncio.TaskGroup() as group:
                        group.create_task(_pump(reader, far_writer, gate))
                        group.create_task(_pump(far_reader, writer, gate))
                finally:
                    far_writer.close()
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            writer.close()
            self._tasks.discard(task)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event) -> None:
    with contextlib.suppress(OSError):
        while True:
            data = await reader.read(CHUNK)
            await gate.wait()
            if not data:
                break
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        if writer.can_write_eof():
            writer.write_eof()
