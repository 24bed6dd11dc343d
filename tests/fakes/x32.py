"""A digital desk of the X32 or X Air family, as far as its network socket shows it.

It speaks only `i f s b`, with a codec of its own, so that a mistake in ours cannot hide behind the same one here; and
it has the family's habits:

- replies go to the port that a message came from;
- `/xremote` subscribes for ten seconds; then the updates stop, and nobody is told;
- a set is told to the other subscribers, never to who made it, and never answered;
- there is room for four subscribers (X Air: eight); one more is not told that there is none;
- types are strict: the four bytes of a wrong type are stored as they are;
- an address without arguments asks for its value; one that the desk does not have is never answered;
- `node` replies have no leading slash; meters are blobs, and they too stop after ten seconds.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from .udpprogram import UdpProgram

SUBSCRIPTION_S = 10.0
METERS_EVERY_S = 0.05
LONGEST_NAME = 12
ACTIONS = ("/-action/goscene", "/-action/gosnippet", "/-action/gocue", "/-snap/load")
COLORS = ("OFF", "RD", "GN", "YE", "BL", "MG", "CY", "WH", "OFFi", "RDi", "GNi", "YEi", "BLi", "MGi", "CYi", "WHi")

Args = tuple[Any, ...]
Where = tuple[str, int]


class Parameter(NamedTuple):
    """``steps`` 0: any text, or a whole number up to ``top``."""

    tag: str
    steps: int = 0
    top: int = 1


FADER, LEVEL, PAN = Parameter("f", 1024), Parameter("f", 161), Parameter("f", 101)
SWITCH, COLOR, TEXT = Parameter("i"), Parameter("i", top=len(COLORS) - 1), Parameter("s")


class Model(NamedTuple):
    name: str
    firmware: str
    channels: int
    buses: int
    subscribers: int
    main: str


X32 = Model("X32", "4.06", 32, 16, 4, "/main/st")
XAIR = Model("XR18", "1.17", 16, 6, 8, "/lr")


def parameters(model: Model) -> dict[str, Parameter]:
    """What the desk has; a real one has some thousands more."""
    found = {}
    strips = [f"/ch/{n:02}" for n in range(1, model.channels + 1)]
    strips += [f"/bus/{n:02}" if model is X32 else f"/bus/{n}" for n in range(1, model.buses + 1)]
    for strip in [*strips, model.main]:
        found |= {f"{strip}/config/name": TEXT, f"{strip}/config/color": COLOR}
        found |= {f"{strip}/mix/fader": FADER, f"{strip}/mix/on": SWITCH, f"{strip}/mix/pan": PAN}
        if strip.startswith("/ch"):
            found |= {f"{strip}/mix/{bus:02}/level": LEVEL for bus in range(1, model.buses + 1)}
    for n in range(1, 9 if model is X32 else 5):
        found |= {f"/dca/{n}/fader": FADER, f"/dca/{n}/on": SWITCH, f"/dca/{n}/config/name": TEXT}
    return found


class Desk(UdpProgram):
    """One desk. ``values`` are what it would say if it was asked; they outlive its network socket."""

    def __init__(
        self,
        model: Model = X32,
        subscription_s: float = SUBSCRIPTION_S,
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.subscription_s = subscription_s
        self.parameters = parameters(model)
        self.values: dict[str, Any] = {
            address: {"f": 0.0, "i": 0, "s": ""}[one.tag] for address, one in self.parameters.items()
        }
        self.subscribers: dict[Where, float] = {}
        """Until when each is told of changes."""
        self.heard: list[tuple[str, Args]] = []
        """Everything that came in, but questions for a value."""
        self.asked: list[str] = []
        self.unknown: list[str] = []
        """Addresses that it does not have."""
        self.is_plugged = True
        """False: its network cable is out, and nobody hears of it."""
        self.losing = ""
        """The address of the next value, to it or from it, that the network loses."""
        self.delay_s = 0.0
        """How long its packets are on their way."""
        self._clock = clock or asyncio.get_running_loop().time
        self._meters: dict[Where, tuple[str, float]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._under_way: list[asyncio.TimerHandle] = []

    # Its power switch

    async def switch_on(self) -> None:
        """Listen; on the port that it had, if it has been on before."""
        await self._appear()

    async def switch_off(self) -> None:
        """Gone from the network at once; it remembers its values, and nobody who had subscribed."""
        await self._vanish()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for timer in self._under_way:
            timer.cancel()
        self._under_way.clear()
        self.subscribers.clear()
        self._meters.clear()

    @property
    def is_metering(self) -> bool:
        return self._timer is not None

    # Its surface

    def move(self, address: str, value: Any) -> None:
        """A hand on the desk itself."""
        self.values[address] = value
        self._tell_others(address, None)
        self._moved.set()

    async def shows(self, address: str, value: Any) -> None:
        """Return when this parameter stands there."""
        try:
            await self.reaches(lambda: self.values[address] == value)
        except TimeoutError:
            raise AssertionError(f"{address} is {self.values[address]!r}, not {value!r}; heard {self.heard}") from None

    # Its network socket

    def datagram_received(self, data: bytes, addr: Where) -> None:
        for address, tags, args in parse(data) if self.is_plugged else ():
            if not (args and self._is_lost(address)):
                self._take(address, tags, args, addr)
        self._moved.set()

    def _is_lost(self, address: str) -> bool:
        if address != self.losing:
            return False
        self.losing = ""
        return True

    def _take(self, address: str, tags: str, args: Args, source: Where) -> None:
        if address in self.parameters and not args:
            self.asked.append(address)
            self._say(source, address, self.parameters[address].tag, (self.values[address],))
            return
        self.heard.append((address, args))
        if address in self.parameters:
            self._set(address, tags[0], args[0], source)
        elif address in ("/xremote", "/xremotenfb"):
            self._subscribe(source)
        elif address == "/info":
            self._say(source, "/info", "ssss", ("V2.07", "osc-server", self.model.name, self.model.firmware))
        elif address == "/xinfo":
            self._say(source, "/xinfo", "ssss", ("127.0.0.1", "desk", self.model.name, self.model.firmware))
        elif address == "/status":
            self._say(source, "/status", "sss", ("active", "127.0.0.1", "desk"))
        elif address == "/node" and tags == "s":
            self._node(args[0].strip("/"), source)
        elif address == "/meters" and tags[:1] == "s":
            self._meters[source] = (args[0], self._clock() + self.subscription_s)
            if self._timer is None:
                self._say_meters()
        elif address not in ACTIONS:
            self.unknown.append(address)

    def _set(self, address: str, tag: str, value: Any, source: Where) -> None:
        parameter = self.parameters[address]
        if tag == parameter.tag:
            value = clamped(parameter, value)
        elif {tag, parameter.tag} == {"i", "f"}:
            value = reread(value, tag, parameter.tag)
        else:
            return
        self.values[address] = value
        self._tell_others(address, source)

    def _subscribe(self, source: Where) -> None:
        self._drop_expired()
        if source in self.subscribers or len(self.subscribers) < self.model.subscribers:
            self.subscribers[source] = self._clock() + self.subscription_s

    def _drop_expired(self) -> None:
        now = self._clock()
        self.subscribers = {where: until for where, until in self.subscribers.items() if until > now}

    def _tell_others(self, address: str, source: Where | None) -> None:
        self._drop_expired()
        for where in self.subscribers:
            if where != source:
                self._say(where, address, self.parameters[address].tag, (self.values[address],))

    def _node(self, node: str, source: Where) -> None:
        inside = [address for address in self.parameters if address.rpartition("/")[0] == f"/{node}"]
        if inside:
            self._say(source, "node", "s", (f"/{node} {' '.join(map(self._in_words, inside))}\n",))

    def _in_words(self, address: str) -> str:
        parameter, value = self.parameters[address], self.values[address]
        if parameter is TEXT:
            return f'"{value}"'
        if parameter is FADER or parameter is LEVEL:
            return "-oo" if value == 0 else f"{fader_db(value):+.1f}"
        if parameter is COLOR:
            return COLORS[value]
        if parameter is SWITCH:
            return "ON" if value else "OFF"
        return f"{value * 200 - 100:+.0f}"

    def _say_meters(self) -> None:
        now = self._clock()
        self._meters = {where: one for where, one in self._meters.items() if one[1] > now}
        levels = [self.values[f"/ch/{n:02}/mix/fader"] for n in range(1, self.model.channels + 1)]
        for where, (name, _) in self._meters.items():
            self._say(where, name, "b", (struct.pack(f"<i{len(levels)}f", len(levels), *levels),))
        again = bool(self._meters)
        self._timer = asyncio.get_running_loop().call_later(METERS_EVERY_S, self._say_meters) if again else None
        self._moved.set()

    def _say(self, where: Where, address: str, tags: str, args: Args) -> None:
        if self._transport is None or not self.is_plugged or self._is_lost(address):
            return
        if not self.delay_s:
            self._transport.sendto(pack(address, tags, args), where)
            return
        timer = asyncio.get_running_loop().call_later(
            self.delay_s, self._transport.sendto, pack(address, tags, args), where
        )
        self._under_way.append(timer)


@asynccontextmanager
async def switched_on(model: Model = X32, subscription_s: float = SUBSCRIPTION_S) -> AsyncIterator[Desk]:
    """A desk on a free port of 127.0.0.1."""
    desk = Desk(model, subscription_s)
    await desk.switch_on()
    try:
        yield desk
    finally:
        await desk.switch_off()


# What it makes of numbers


def clamped(parameter: Parameter, value: Any) -> Any:
    """A value of the right type, as the desk keeps it."""
    if parameter.tag == "s":
        return value[:LONGEST_NAME]
    if parameter.tag == "i":
        return min(max(value, 0), parameter.top)
    top = parameter.steps - 1
    return single(round(min(max(value, 0.0), 1.0) * top) / top)


def reread(value: float, tag: str, as_tag: str) -> Any:
    """The four bytes of a number, read as the other type: the int 1 is the float 1.4e-45."""
    return struct.unpack(f">{as_tag}", struct.pack(f">{tag}", value))[0]


def single(value: float) -> float:
    """As 32 bits have it."""
    narrow: float = struct.unpack(">f", struct.pack(">f", value))[0]
    return narrow


def fader_db(value: float) -> float:
    """The desk's law: four straight lines."""
    if value >= 0.5:
        return 40 * value - 30
    if value >= 0.25:
        return 80 * value - 50
    if value >= 0.0625:
        return 160 * value - 70
    return 480 * value - 90


# Its codec


def pack(address: str, tags: str, args: Iterable[Any]) -> bytes:
    return (
        text(address) + text(f",{tags}") + b"".join(_packed(tag, value) for tag, value in zip(tags, args, strict=True))
    )


def _packed(tag: str, value: Any) -> bytes:
    if tag == "s":
        return text(value)
    if tag == "b":
        return struct.pack(">i", len(value)) + value + bytes(-len(value) % 4)
    return struct.pack(f">{tag}", value)


def text(value: str) -> bytes:
    raw = value.encode() + b"\0"
    return raw + bytes(-len(raw) % 4)


def parse(data: bytes) -> list[tuple[str, str, Args]]:
    """One message; nothing where it has a type that the desk does not know, is cut off, or is a bundle."""
    try:
        address, at = _text_at(data, 0)
        tags, at = _text_at(data, at) if at < len(data) else (",", at)
        args: list[Any] = []
        for tag in tags[1:]:
            if tag == "s":
                value, at = _text_at(data, at)
                args.append(value)
            elif tag == "b":
                (size,) = struct.unpack_from(">i", data, at)
                args.append(data[at + 4 : at + 4 + size])
                at += 4 + size + -size % 4
            elif tag in "if":
                args += struct.unpack_from(f">{tag}", data, at)
                at += 4
            else:
                return []
    except (ValueError, struct.error):
        return []
    return [(address, tags[1:], tuple(args))] if address.startswith("/") else []


def _text_at(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at)
    return data[at:end].decode(), end + 4 - end % 4
