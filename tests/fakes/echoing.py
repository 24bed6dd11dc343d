"""A device on UDP that says late, and in seven bits, what it was told; and what its own hand does, at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bridge.osc.codec import Message, decode, encode_message

DELAY_S = 0.03
STEPS = 127


def seven_bits(value: float) -> float:
    return round(value * STEPS) / STEPS


class EchoingDevice(asyncio.DatagramProtocol):
    """Has one number 0…1 for each address. ``steps``: how many it can show."""

    def __init__(self, delay_s: float = DELAY_S, steps: int = STEPS) -> None:
        self.delay_s = delay_s
        self.steps = steps
        self.mouth: Any = None
        """Another socket, from which it speaks."""
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
            self.values[message.address] = self.made(float(message.args[0]))
        timer = asyncio.get_running_loop().call_later(self.delay_s, lambda: self._say(message.address, timer))
        self._timers.add(timer)

    def _say(self, address: str, timer: asyncio.TimerHandle) -> None:
        self._timers.discard(timer)
        self.report(address)

    def made(self, value: float) -> float:
        """What it can show of it."""
        return round(value * self.steps) / self.steps

    def report(self, address: str) -> None:
        """Say where it is now."""
        args = (self.values[address],) if address in self.values else ()
        (self.mouth or self._transport).sendto(encode_message(address, args), self.goal)

    def move(self, address: str, value: float) -> None:
        """Its own hand."""
        self.values[address] = self.made(value)
        self.report(address)

    def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._transport.close()
        if self.mouth is not None:
            self.mouth.close()


@asynccontextmanager
async def echoing_device(
    delay_s: float = DELAY_S, steps: int = STEPS, mouth: str | None = None
) -> AsyncIterator[EchoingDevice]:
    """``mouth``: the address from which it speaks, at another port than it listens on."""
    loop = asyncio.get_running_loop()
    _, device = await loop.create_datagram_endpoint(lambda: EchoingDevice(delay_s, steps), local_addr=("127.0.0.1", 0))
    if mouth is not None:
        device.mouth, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=(mouth, 0))
    try:
        yield device
    finally:
        device.close()
