"""``stagebridge midi``: which MIDI ports there are, and what comes in by one of them. Needs no running bridge."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bridge.errors import PortError

from .clock import Tempo
from .codec import Message, Parser
from .devices import OURS, Ports, pick, shown
from .link import Driver
from .tap import address_of, args_of


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
    async with Driver(api) as driver:
        await driver.begin()
        tell(ports_text(driver.name, await driver.look()))
    return 0


async def monitor(api: str, device: str, tell: Callable[[str], None]) -> int:
    """Tell each message that a device sends, until cancelled. Raises PortError where it is not there."""
    parser, tempo = Parser(), Tempo()

    def hear(data: Sequence[int], at: float) -> None:
        for message in parser.feed(data):
            if message.kind != "clock":
                tell(message_text(message))
            elif (bpm := tempo.tick(at)) is not None:
                tell(f"clock: {bpm:g} bpm")

    async with Driver(api) as driver:
        await driver.begin()
        ports = await driver.look()
        place = pick(ports.ins, device)
        if place is None:
            raise PortError(f'no port has "{device}" in its name\n{ports_text(driver.name, ports)}')
        await driver.open(f"{OURS} monitor", place, None, hear)
        tell(f"listening to {shown(place.name)}; Ctrl-C ends it")
        await driver.ended(None)
        raise PortError(driver.trouble)
