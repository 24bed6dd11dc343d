"""A device on UDP that says late, and in seven bits, what it was told; and what its own hand does, at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bridge.osccodec import Message, decode, encode_message

DELAY_S = 0.03
STEPS = 127


def seven_bits(value: float) -> float:
    return round(value * STEPS) / STEPS


class EchoingDevice(asyncio.DatagramProtocol):
    """Has one number 0…1 for each address."""

    def __init__(self, delay_s: float = DELAY_S) -> None:
        self.delay_s = delay_s
        self.values: dict[str, float] = {}
        self.heard: list[Message] = []
        self.goal: tuple[str, int] = ("", 0)
        self._timers: set[asyncio.TimerHandle] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self.address: tuple[str, int] = transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, addr: Any) -> None:
        message = decode(data)
        assert isinstance(message, Message)
        self.heard.append(message)
        if message.args:
            self.values[message.address] = seven_bits(float(message.args[0]))
        timer = asyncio.get_running_loop().call_later(self.delay_s, lambda: self._say(message.address, timer))
        self._timers.add(timer)

    def _say(self, address: str, timer: asyncio.TimerHandle) -> None:
        self._timers.discard(timer)
        self.report(address)

    def report(self, address: str) -> None:
        """Say where it is now."""
        self._transport.sendto(encode_message(address, (self.values[address],)), self.goal)

    def move(self, address: str, value: float) -> None:
        """Its own hand."""
        self.values[address] = seven_bits(value)
        self.report(address)

    def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._transport.close()


@asynccontextmanager
async def echoing_device(delay_s: float = DELAY_S) -> AsyncIterator[EchoingDevice]:
    loop = asyncio.get_running_loop()
    _, device = await loop.create_datagram_endpoint(lambda: EchoingDevice(delay_s), local_addr=("127.0.0.1", 0))
    try:
        yield device
    finally:
        device.close()
