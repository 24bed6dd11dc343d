"""``stagebridge midi``: which MIDI ports there are, and what comes in by one of them. Needs no running bridge."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from .errors import PortError
from .midiclock import Tempo
from .midicodec import Message, Parser
from .mididevices import MAX_CLIENT, OURS, Ports, System, Worker, pick, shown
from .miditap import address_of, args_of

CLOSE_S = 1.0


def ports_text(system: str, ports: Ports) -> str:
    """All ports, as people read them, and what to write to use one."""
    lines = []
    for title, names in (("in (what we can hear)", ports.ins), ("out (what we can send to)", ports.outs)):
        lines.append(f"{system} {title}:")
        lines += [f"  {shown(name)}" for name in names if not name.startswith(OURS)] or ["  none"]
    return "\n".join(lines)


def message_text(message: Message) -> str:
    """``cc 7 on channel 1: 64``, or ``sysex: 00 20 33``."""
    parts = address_of(message).strip("/").split("/")
    args = " ".join(str(arg) for arg in args_of(message))
    if message.channel:
        number = f" {parts[2]}" if len(parts) > 2 else ""
        return f"{parts[0]}{number} on channel {message.channel}: {args}"
    return f"{parts[0]}: {args}" if args else parts[0]


async def list_ports(api: str, tell: Callable[[str], None]) -> int:
    """Tell the ports of this machine; 0. Raises PortError without MIDI."""
    worker = Worker("midi")
    try:
        system = await worker.run(lambda: System(api))
        try:
            tell(ports_text(system.name, await worker.run(system.look)))
        finally:
            await worker.run(system.close)
    finally:
        await worker.stop(CLOSE_S)
    return 0


async def monitor(api: str, device: str, tell: Callable[[str], None]) -> int:
    """Tell each message that a device sends, until cancelled. Raises PortError where it is not there."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()  # by cancellation alone
    parser, tempo, worker = Parser(), Tempo(), Worker("midi")

    def hear(data: Sequence[int]) -> None:
        for message in parser.feed(data):
            if message.kind != "clock":
                tell(message_text(message))
            elif (bpm := tempo.tick(time.monotonic())) is not None:
                tell(f"clock: {bpm:g} bpm")

    try:
        system = await worker.run(lambda: System(api))
        ports = await worker.run(system.look)
        place = pick(ports.ins, device)
        if place is None:
            raise PortError(f'no port has "{device}" in its name\n{ports_text(system.name, ports)}')
        client = f"{OURS} monitor"[:MAX_CLIENT]

        def heard(data: Sequence[int]) -> None:
            """On the driver's thread."""
            loop.call_soon_threadsafe(hear, data)

        connection = await worker.run(lambda: system.open(client, place, None, heard))
        try:
            tell(f"listening to {shown(place.name)}; Ctrl-C ends it")
            return await ended
        finally:
            worker.run(connection.close)
    finally:
        await worker.stop(CLOSE_S)
