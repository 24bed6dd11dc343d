"""Peers that send everything back, or answer each other for ever: it ends quietly, with right values, and is named."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import uvloop

from bridge.control import Control
from bridge.echo import MAX_ANSWERS, MAX_TOLD
from bridge.osc.codec import ALL, Message, decode, encode_message
from bridge.osc.port import OscPort

from .port_contract import BROWSER, until
from .test_osc import Bridge, level

LOOPS = {"uvloop": uvloop.new_event_loop}
pytestmark = pytest.mark.asyncio(loop_factories=["uvloop"])

DELAY_S = 0.002
Made = Callable[[Any], Any]


class Mirror(asyncio.DatagramProtocol):
    """Says what it is told, made into something else or not, to where it is told to."""

    def __init__(self, made: Made) -> None:
        self.made = made
        self.goal: tuple[str, int] = ("", 0)
        self.shows: dict[str, Any] = {}
        self.told = 0
        self.is_quiet = False
        self._timers: set[asyncio.TimerHandle] = set()

    def connection_made(self, transport: Any) -> None:
        self._transport: Any = transport
        self.shown = "{}:{}".format(*transport.get_extra_info("sockname"))

    def datagram_received(self, data: bytes, addr: Any) -> None:
        message = decode(data)
        assert isinstance(message, Message)
        self.told += 1
        args = tuple(map(self.made, message.args))
        self.shows[message.address] = args
        if self.is_quiet:
            return

        def say() -> None:
            self._timers.discard(timer)
            self.say(message.address, *args)

        timer = asyncio.get_running_loop().call_later(DELAY_S, say)
        self._timers.add(timer)

    def say(self, address: str, *args: Any) -> None:
        self.shows[address] = args
        self._transport.sendto(encode_message(address, args, ALL), self.goal)

    def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._transport.close()


@asynccontextmanager
async def mirrors(bridge: Bridge, *made: Made, **settings: Any) -> AsyncIterator[tuple[list[OscPort], list[Mirror]]]:
    """A peer for each, which listens where it speaks from."""
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        found = []
        for each in made:
            _, mirror = await loop.create_datagram_endpoint(lambda each=each: Mirror(each), local_addr=("127.0.0.1", 0))
            stack.callback(mirror.close)
            found.append(mirror)
        peers = [bridge.peer(f"p{n}", send=[mirror.shown], **settings) for n, mirror in enumerate(found)]
        ports = await stack.enter_async_context(bridge.running(*peers))
        for port, mirror in zip(ports, found, strict=True):
            mirror.goal = ("127.0.0.1", port.udp_port or 0)
        yield ports, found


async def comes_to_rest(bridge: Bridge, found: list[Mirror], within_s: float) -> None:
    """Within this time nobody says anything any more."""
    with pytest.raises(TimeoutError):
        await until(bridge.store, lambda: False, within_s)
    before = bridge.store.revision, [mirror.told for mirror in found]
    with pytest.raises(TimeoutError):
        await until(bridge.store, lambda: False, 0.3)
    assert (bridge.store.revision, [mirror.told for mirror in found]) == before


def itself(value: Any) -> Any:
    return value


def up(value: float) -> float:
    return (value + 0.1) % 1


async def test_two_peers_that_say_all_they_are_told_change_nothing() -> None:
    bridge = Bridge(
        level(), Control(path="/n", kind="int"), Control(path="/on", kind="bool"), Control(path="/xy", kind="vector"),
        Control(path="/name", kind="string"), Control(path="/wave", kind="choice", choices=("sine", "saw")),
        Control(path="/wash", kind="color"), Control(path="/hit", kind="bool", momentary=True),
        Control(path="/go", kind="trigger"),
    )  # fmt: skip
    wanted = {"/level": 0.73, "/n": 1, "/on": True, "/xy": (0.1, 0.9), "/name": "größer", "/wave": "saw"}
    wanted |= {"/wash": "#ff8000"}
    async with mirrors(bridge, itself, itself, echo_window_ms=60) as (ports, found):
        for path, value in wanted.items():
            bridge.set(path, value)
        bridge.set("/hit", True)
        bridge.set("/hit", False)
        bridge.store.trigger(bridge.store.get("/go"), (), BROWSER, asyncio.get_running_loop().time())
        await comes_to_rest(bridge, found, 0.4)
        assert {path: bridge.value(path) for path in wanted} == wanted
        assert bridge.value("/hit") is False
        assert sum(change.what == "trigger" for change in bridge.changes) == 1
        assert {str(change.origin) for change in bridge.changes if change.what == "value"} == {"browser:c1"}
        assert [port.health()[0]["loops_cut"] for port in ports] == [0, 0]


async def test_two_peers_that_contradict_each_other_are_cut_and_named(caplog: pytest.LogCaptureFixture) -> None:
    bridge = Bridge(level())
    async with mirrors(bridge, up, up, echo_window_ms=60) as (ports, found):
        found[0].say("/level", 0.3)
        await comes_to_rest(bridge, found, 2.5)
        # Each is told the truth MAX_TOLD times, and each time, as at first, they answer each other MAX_ANSWERS times.
        assert sum(mirror.told for mirror in found) <= 2 * (MAX_TOLD + 1) * (MAX_ANSWERS + 1)
        assert sum(port.health()[0]["loops_cut"] for port in ports) >= 1
    named = [message for message in caplog.messages if "/level went round and round with 127.0.0.1:" in message]
    assert 1 <= len(named) <= 2  # once a peer


async def test_two_peers_that_count_each_others_triggers_up_are_cut_and_named(caplog: pytest.LogCaptureFixture) -> None:
    bridge = Bridge(Control(path="/go", kind="trigger"))
    async with mirrors(bridge, lambda n: n + 1, lambda n: n + 1) as (ports, found):
        found[0].say("/go", 2)
        await comes_to_rest(bridge, found, 0.5)
        assert 40 < sum(mirror.told for mirror in found) < 80
        assert sum(port.health()[0]["loops_cut"] for port in ports) == 1
        found[0].say("/go", 2)  # later it is a hand's again
        await until(bridge.store, lambda: bridge.changes[-1].args == (2,))
    assert sum("/go went round and round with" in message for message in caplog.messages) == 1


async def test_two_drummers_on_one_pad_are_not_cut() -> None:
    bridge = Bridge(Control(path="/pad", kind="trigger"))
    async with mirrors(bridge, itself, itself) as (ports, found):
        for mirror in found:
            mirror.is_quiet = True
        for hit in range(40):
            found[hit % 2].say("/pad", hit + 1)
            await until(bridge.store, lambda hit=hit: len(bridge.changes) > hit)
        assert [port.health()[0]["loops_cut"] for port in ports] == [0, 0]
