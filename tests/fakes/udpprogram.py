"""What programs imitated on UDP have in common: a socket that comes and goes, and a wait for what they hear."""

import asyncio
from collections.abc import Callable

from tests.waiting import SOON_S

HERE = "127.0.0.1"


class UdpProgram(asyncio.DatagramProtocol):
    """A program with one UDP socket on loopback. It sets ``_moved`` after all that comes in and each move of a hand."""

    def __init__(self) -> None:
        self.udp_port = 0
        """Known once it has listened; it is the same the next time."""
        self._transport: asyncio.DatagramTransport | None = None
        self._moved = asyncio.Event()
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def reaches(self, is_so: Callable[[], bool]) -> None:
        """Return when `is_so()`, which is asked whenever ``_moved`` is set. Raises TimeoutError."""
        async with asyncio.timeout(SOON_S):
            while not is_so():
                self._moved.clear()
                await self._moved.wait()

    async def _appear(self) -> None:
        """On the network, on the port that it had before, if it had one."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(HERE, self.udp_port))
        self.udp_port = self._transport.get_extra_info("sockname")[1]

    async def _vanish(self) -> None:
        """Gone from the network at once; nobody is told."""
        if self._transport is not None:
            self._closed = asyncio.get_running_loop().create_future()
            self._transport.abort()
            self._transport = None
            await self._closed

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.set_result(None)
