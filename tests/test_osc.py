"""The OSC port over real sockets: our own small peers, liblo's tools, Pure Data and python-osc."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.udp_client import SimpleUDPClient

from bridge import net
from bridge.control import Control
from bridge.osc.codec import ALL, Bundle, Double, Message, TimeTag, decode, encode, encode_bundle, encode_message
from bridge.osc.incoming import LONGEST_WAIT_S, MAX_SCHEDULED, MEANT
from bridge.osc.port import OscPort, group_peers
from bridge.osc.settings import Binding, Settings
from bridge.osc.sources import MAX_SOURCES
from bridge.port import Peer, PortContext
from bridge.presence import Presence
from bridge.store import Change, Origin, Store

from .peers import free_udp_port, require_tool
from .port_contract import BROWSER, PortContract, Rig, served, until
from .waiting import SOON_S

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
pytestmark = pytest.mark.asyncio(loop_factories=["uvloop"])  # as the daemon has it
both_loops = pytest.mark.asyncio(loop_factories=list(LOOPS))  # where libuv and asyncio treat a socket differently


class Voice(asyncio.DatagramProtocol):
    """A program with one UDP socket: sends messages and keeps what it hears."""

    def __init__(self) -> None:
        self.packets: asyncio.Queue[bytes] = asyncio.Queue()
        self.goal: tuple[str, int] = ("", 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.address: tuple[str, int] = transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.packets.put_nowait(data)

    @property
    def shown(self) -> str:
        return f"{self.address[0]}:{self.address[1]}"

    def send(self, address: str, *args: Any) -> None:
        self.send_raw(encode_message(address, args, ALL))

    def send_raw(self, data: bytes) -> None:
        self.transport.sendto(data, self.goal)

    async def hear(self) -> Message:
        packet = decode(await asyncio.wait_for(self.packets.get(), SOON_S))
        assert isinstance(packet, Message)
        return packet

    async def hear_all(self, count: int) -> list[Message]:
        return [await self.hear() for _ in range(count)]

    async def hears_nothing_before(self, bridge: "Bridge", mark: str) -> list[Message]:
        """What came before the control `mark`, which is set now."""
        bridge.set(mark, 1.0)
        heard = []
        while (message := await self.hear()).address != mark:
            heard.append(message)
        return heard


@asynccontextmanager
async def voice(host: str = "127.0.0.1") -> AsyncIterator[Voice]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(Voice, local_addr=(host, 0))
    try:
        yield protocol
    finally:
        transport.close()


class Bridge:
    """A store and the OSC ports of some peers."""

    def __init__(self, *controls: Control) -> None:
        self.store = Store("test")
        self.states: dict[str, str] = {}
        self.changes: list[Change] = []
        for control in controls:
            self.store.add(control, now=0.0)
        self.store.subscribe(self.changes.extend)
        self.context = PortContext(self.store, time.monotonic, self.states.__setitem__, presence=Presence(self.store))

    def value(self, path: str) -> Any:
        return self.store.get(path).value

    def set(self, path: str, value: Any) -> None:
        self.store.set(self.store.get(path), value, BROWSER, time.monotonic())

    async def reaches(self, path: str, value: Any) -> None:
        await until(self.store, lambda: self.value(path) == value)

    def peer(self, name: str = "max", bindings: Any = None, excluded: Any = (), **settings: Any) -> Peer:
        made = Settings.model_validate({"name": name, "listen": "127.0.0.1:0"} | settings)
        table = {
            path: tuple(Binding.model_validate(one) for one in (each if isinstance(each, list) else [each]))
            for path, each in (bindings or {}).items()
        }
        return Peer("osc", name, made, table, frozenset(excluded))

    def ports(self, *peers: Peer) -> list[OscPort]:
        """One for each socket; nothing is open yet."""
        return [OscPort(group, self.context) for group in group_peers(peers).values()]

    @asynccontextmanager
    async def running(self, *peers: Peer) -> AsyncIterator[list[OscPort]]:
        ports = self.ports(*peers)
        async with AsyncExitStack() as stack:
            for port in ports:
                await stack.enter_async_context(served(port))
            yield ports

    @asynccontextmanager
    async def with_max(self, bindings: Any = None, **settings: Any) -> AsyncIterator[tuple[OscPort, Voice]]:
        """One peer, which speaks from the port that it listens on."""
        async with voice() as max_, self.running(self.peer(bindings=bindings, send=[max_.shown], **settings)) as ports:
            assert ports[0].udp_port is not None
            max_.goal = ("127.0.0.1", ports[0].udp_port)
            yield ports[0], max_


def level(path: str = "/level", **fields: Any) -> Control:
    return Control(path=path, **fields)


@pytest.fixture
def bridge() -> Bridge:
    return Bridge(level(), level("/mark"))


# ---------------------------------------------------------------------------------- the contract of all ports


class OscRig(Rig):
    def __init__(self, bridge: Bridge, port: OscPort, max_: Voice) -> None:
        self.store, self.port, self.max = bridge.store, port, max_

    async def heard(self) -> float:
        message = await self.max.hear()
        assert message.address == "/level"
        (value,) = message.args
        return float(value)

    def report(self, value: float) -> None:
        self.max.send("/level", value)

    def garbage(self) -> None:
        self.max.send_raw(os.urandom(40) + b"x")

    def is_free(self) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(self.max.goal)
            except OSError:
                return False
            return True


@both_loops
class TestContract(PortContract):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[OscRig]:
        bridge = Bridge(level(default=0.5))
        async with bridge.with_max() as (port, max_):
            yield OscRig(bridge, port, max_)


# ---------------------------------------------------------------------------------- in


async def test_python_osc_is_heard(bridge: Bridge) -> None:
    async with bridge.running(bridge.peer()) as (port,):
        assert port.udp_port is not None
        client = SimpleUDPClient("127.0.0.1", port.udp_port)
        try:
            client.send_message("/level", 0.25)
            await bridge.reaches("/level", 0.25)
            client.send_message("/level", 1)
            await bridge.reaches("/level", 1.0)
        finally:
            client._sock.close()


async def test_python_osc_reads_what_we_send(bridge: Bridge) -> None:
    async with bridge.with_max() as (_, max_):
        bridge.set("/level", 0.25)
        builder = OscMessageBuilder("/level")
        builder.add_arg(0.25, "f")
        assert await asyncio.wait_for(max_.packets.get(), SOON_S) == builder.build().dgram


async def test_a_pattern_sets_every_control_that_it_means() -> None:
    bridge = Bridge(*(level(f"/mixer/{n}/volume") for n in range(1, 9)), level("/mixer/1/pan"))
    async with bridge.with_max() as (_, max_):
        max_.send("/mixer/[1-4]/{volume,gain}", 0.5)
        await bridge.reaches("/mixer/4/volume", 0.5)
        assert [bridge.value(f"/mixer/{n}/volume") for n in range(1, 9)] == [0.5] * 4 + [0.0] * 4
        assert len({change.time for change in bridge.changes}) == 1
        max_.send("//volume", 0.75)
        await bridge.reaches("/mixer/8/volume", 0.75)
        assert bridge.value("/mixer/1/pan") == 0.0


async def test_a_bundle_is_applied_at_once_and_in_order() -> None:
    bridge = Bridge(level("/a"), level("/b"), Control(path="/xy", kind="vector"), Control(path="/go", kind="trigger"))
    batches: list[list[tuple[str, Any]]] = []
    bridge.store.subscribe(
        lambda changes: batches.append([(change.entry.path, change.value or change.args) for change in changes])
    )
    bindings = {"/xy": [{"address": "/x", "component": 0}, {"address": "/y", "component": 1}]}
    async with bridge.with_max(bindings) as (_, max_):
        parts = [("/a", 0.25), ("/x", 0.5), ("/b", 1.0), ("/y", 0.75), ("/a", 0.5)]
        inner = Bundle(TimeTag(1), tuple(Message(address, (value,)) for address, value in parts))
        max_.send_raw(encode(Bundle(TimeTag(1), (inner, Message("/go", ("now",)), Message("/b", (0.5,))))))
        await bridge.reaches("/b", 0.5)
        assert batches == [[("/a", 0.5), ("/xy", (0.5, 0.75)), ("/b", 1.0)], [("/go", ("now",))], [("/b", 0.5)]]


async def test_a_bundle_may_repeat_the_value_that_the_store_had(bridge: Bridge) -> None:
    bridge.set("/level", 0.73)
    async with bridge.with_max() as (_, max_):
        max_.send_raw(encode_bundle(1, [encode_message("/level", [value]) for value in (0.1, 0.73, 0.2, 0.73)]))
        max_.send("/mark", 1.0)
        await bridge.reaches("/mark", 1.0)
        assert bridge.value("/level") == pytest.approx(0.73, abs=1e-7)


async def test_a_bundle_waits_for_its_time(bridge: Bridge) -> None:
    async with bridge.with_max() as (port, max_):
        sent_at = time.time()
        due = TimeTag.from_unix(sent_at + 0.1)
        max_.send_raw(encode_bundle(due, [encode_message("/level", [0.5])]))
        max_.send("/mark", 1.0)
        await bridge.reaches("/mark", 1.0)
        assert bridge.value("/level") == 0.0
        await bridge.reaches("/level", 0.5)
        assert time.time() - sent_at >= 0.09
        past = TimeTag.from_unix(sent_at - 100)
        max_.send_raw(encode_bundle(past, [encode_message("/level", [0.25])]))
        await bridge.reaches("/level", 0.25)
        assert port.health()[0]["early_bundles"] == 0


async def test_a_clock_that_is_wrong_or_too_many_bundles_do_not_wait(bridge: Bridge) -> None:
    async with bridge.with_max() as (port, max_):
        far = TimeTag.from_unix(time.time() + LONGEST_WAIT_S + 30)
        max_.send_raw(encode_bundle(far, [encode_message("/level", [0.5])]))
        await bridge.reaches("/level", 0.5)
        assert port.health()[0]["early_bundles"] == 1
        soon = TimeTag.from_unix(time.time() + 0.9)
        for _ in range(MAX_SCHEDULED + 10):
            max_.send_raw(encode_bundle(soon, [encode_message("/level", [0.25])]))
        await bridge.reaches("/level", 0.25)  # those that found no room
        assert len(port._receiver._scheduled) == MAX_SCHEDULED
        assert port.health()[0]["early_bundles"] > 1


async def test_a_trigger_fires_with_its_arguments_and_not_when_the_button_goes_up() -> None:
    bridge = Bridge(Control(path="/go", kind="trigger"), level("/mark"))
    async with bridge.with_max() as (port, max_):
        max_.send("/go")
        max_.send("/go", 1.0)
        max_.send("/go", 0.0)
        max_.send("/go", float("nan"))
        max_.send("/go", "x" * 5000)
        max_.send("/go", "scene", 3, (1, True))
        max_.send("/mark", 1.0)
        await bridge.reaches("/mark", 1.0)
        assert [change.args for change in bridge.changes if change.what == "trigger"] == [
            (), (1.0,), ("scene", 3, 1, True),
        ]  # fmt: skip
        assert port.health()[0]["bad"] == 2


async def test_reports_of_a_control_that_is_only_written_are_ignored() -> None:
    bridge = Bridge(
        level("/out", access="write"), Control(path="/fire", kind="trigger", access="write"), level("/mark")
    )
    async with bridge.with_max() as (_, max_):
        max_.send("/out", 0.5)
        max_.send("/fire", 1)
        max_.send_raw(encode_bundle(1, [encode_message("/out", [0.5])]))
        max_.send("/mark", 1.0)
        await bridge.reaches("/mark", 1.0)
        assert [change.entry.path for change in bridge.changes] == ["/mark"]


async def test_meters_are_heard_and_never_sent() -> None:
    bridge = Bridge(Control(path="/vu", kind="meter", range=(-60, 0)), level("/mark"))
    async with bridge.with_max() as (_, max_):
        max_.send("/vu", -6.0)
        await bridge.reaches("/vu", -6.0)
        bridge.set("/vu", -12.0)
        assert await max_.hears_nothing_before(bridge, "/mark") == []


async def test_leading_arguments_pick_the_control_and_the_reply_address_is_heard() -> None:
    bridge = Bridge(level("/mixer/1"), level("/mixer/2"))
    bindings = {
        f"/mixer/{n + 1}": {"address": "/live/track/set/volume", "reply": "/live/track/get/volume", "args": [str(n)]}
        for n in range(2)
    }
    async with bridge.with_max(bindings) as (port, max_):
        bridge.set("/mixer/2", 0.5)
        assert await max_.hear() == Message("/live/track/set/volume", (1, 0.5))
        max_.send("/live/track/get/volume", 1.0, 0.25)  # Pd: a float
        await bridge.reaches("/mixer/2", 0.25)
        assert bridge.value("/mixer/1") == 0.0
        max_.send("/live/track/get/volume", 7, 0.25)
        max_.send("/live/track/get/volume", 0, 1.0)
        await bridge.reaches("/mixer/1", 1.0)
        assert port.health()[0]["unknown"] == 1


# ---------------------------------------------------------------------------------- who hears what


async def test_two_targets_of_a_peer_hear_each_other_and_not_themselves(bridge: Bridge) -> None:
    async with voice() as one, voice() as two:
        peer = bridge.peer(send=[one.shown, two.shown])
        async with bridge.running(peer) as (port,):
            one.goal = two.goal = ("127.0.0.1", port.udp_port or 0)
            one.send("/level", 0.5)
            assert await two.hear() == Message("/level", (0.5,))
            two.send("/level", 0.25)
            assert await one.hear() == Message("/level", (0.25,))
            assert await one.hears_nothing_before(bridge, "/mark") == []
            assert [change.origin for change in bridge.changes[:2]] == [
                Origin("osc", "max", one.shown), Origin("osc", "max", two.shown),
            ]  # fmt: skip


async def test_the_one_target_at_a_host_is_known_whatever_port_it_speaks_from(bridge: Bridge) -> None:
    async with bridge.with_max() as (_, listening), voice() as speaking:
        speaking.goal = listening.goal
        speaking.send("/level", 0.5)
        await bridge.reaches("/level", 0.5)
        assert await listening.hears_nothing_before(bridge, "/mark") == []


async def test_send_last_learns_who_spoke_last(bridge: Bridge) -> None:
    async with voice() as one, voice() as two, bridge.running(bridge.peer(send="last")) as (port,):
        one.goal = two.goal = ("127.0.0.1", port.udp_port or 0)
        bridge.set("/level", 0.1)  # to nobody
        one.send_raw(b"junk")
        one.send("/nobody", 1.0)
        one.send("/level", 0.5)
        await bridge.reaches("/level", 0.5)
        bridge.set("/level", 0.25)
        assert await one.hear() == Message("/level", (0.25,))
        two.send("/level", 0.75)
        await bridge.reaches("/level", 0.75)
        bridge.set("/level", 0.5)
        assert await two.hear() == Message("/level", (0.5,))
        assert one.packets.empty()
        assert f"last sender {two.shown}" in port.peer_lines()[0]


async def test_peers_with_the_same_listen_share_the_socket_by_source(bridge: Bridge) -> None:
    udp_port = free_udp_port()
    listen = f"0.0.0.0:{udp_port}"
    async with voice("127.0.0.1") as one, voice("127.0.0.2") as two, voice("127.0.0.3") as stranger:
        peers = [
            bridge.peer("one", listen=listen, send=[one.shown], **{"from": ["127.0.0.1"]}),
            bridge.peer(
                "two", {"/level": {"address": "/gain"}}, listen=listen, send=[two.shown], **{"from": ["127.0.0.2"]}
            ),
        ]
        async with bridge.running(*peers) as ports:
            assert [port.name for port in ports] == ["osc one+two"]
            for each in (one, two, stranger):
                each.goal = ("127.0.0.1", udp_port)
            stranger.send("/level", 1.0)
            two.send("/level", 1.0)  # not its address
            two.send("/gain", 0.5)
            assert await one.hear() == Message("/level", (0.5,))
            one.send("/level", 0.25)
            assert await two.hear() == Message("/gain", (0.25,))
            assert ports[0]._receiver.strangers == 1
            assert [entry["unknown"] for entry in ports[0].health()] == [0, 1]


async def test_a_declared_control_is_mirrored_until_it_goes(bridge: Bridge) -> None:
    async with bridge.with_max() as (port, max_):
        entry = bridge.store.add(level("/slider1", owner="page", range=(0, 50)), now=1.0)
        bridge.set("/slider1", 25)
        assert await max_.hear() == Message("/slider1", (25.0,))
        max_.send("/slider1", 10)
        await bridge.reaches("/slider1", 10.0)
        bridge.store.describe(entry, Control(path="/slider1", kind="string"), now=2.0)
        bridge.set("/slider1", "hello")
        assert [message.args for message in await max_.hear_all(2)] == [("10",), ("hello",)]
        bridge.store.remove(entry, now=3.0)
        max_.send("/slider1", 10)
        max_.send("/mark", 1.0)
        await bridge.reaches("/mark", 1.0)
        assert port.health()[0]["unknown"] == 1


async def test_what_is_not_mirrored_stays_here(bridge: Bridge) -> None:
    bridge.store.add(Control(path="/stagebridge/peers/max", kind="string", owner="bridge"), now=0.0)
    bridge.store.add(level("/private"), now=0.0)
    async with voice() as max_, voice() as desk:
        peers = [
            bridge.peer("max", send=[max_.shown], excluded=["/private"]),
            bridge.peer("desk", {"/mark": {"address": "/mark"}}, send=[desk.shown], mirror=False),
        ]
        async with bridge.running(*peers):
            bridge.set("/stagebridge/peers/max", "heard")
            bridge.set("/private", 0.5)
            bridge.set("/level", 0.5)
            assert await desk.hears_nothing_before(bridge, "/mark") == []
            assert [message.address for message in [await max_.hear(), await max_.hear()]] == ["/level", "/mark"]


# ---------------------------------------------------------------------------------- questions


async def test_a_message_without_arguments_asks_for_the_value(bridge: Bridge) -> None:
    bridge.set("/level", 0.5)
    bridge.store.add(Control(path="/mode", kind="choice", choices=("sine", "saw")), now=0.0)
    async with bridge.with_max() as (_, max_), voice() as other:
        max_.send("/level")
        assert await max_.hear() == Message("/level", (0.5,))
        other.goal = max_.goal
        other.send("/mode")  # not a target, but at a target's host: both are answered
        assert await other.hear() == await max_.hear() == Message("/mode", (0,))
        max_.send("/{mark,level}")
        assert {(await max_.hear()).address for _ in range(2)} == {"/mark", "/level"}
        assert not [change for change in bridge.changes if change.origin.kind == "osc"]


async def test_a_question_in_a_bundle_sees_what_came_before_it(bridge: Bridge) -> None:
    async with bridge.with_max() as (_, max_):
        max_.send_raw(encode_bundle(1, [encode_message("/level", [0.25]), encode_message("/level", [])]))
        assert await max_.hear() == Message("/level", (0.25,))


async def test_refresh_sends_everything_in_slices_with_the_latest_values() -> None:
    bridge = Bridge(*(level(f"/c/{n}") for n in range(500)), Control(path="/go", kind="trigger"))
    async with bridge.with_max() as (port, max_):
        max_.send("/stagebridge/refresh")
        first = await max_.hear()
        assert first == Message("/c/0", (0.0,))
        bridge.set("/c/499", 1.0)  # while it goes on
        rest = await max_.hear_all(499)
        values = {message.address: message.args for message in rest}
        assert values["/c/499"] == (1.0,)
        assert len(values) == 499
        max_.send("/stagebridge/refresh", "/c/12?")
        assert [message.address for message in await max_.hear_all(10)] == [f"/c/12{n}" for n in range(10)]
        max_.send("/stagebridge/refresh", "/c/[")
        max_.send("/stagebridge/refresh", "/c/7")
        assert await max_.hear() == Message("/c/7", (0.0,))
        assert port.health()[0]["bad"] == 1
        assert port.health()[0]["waiting"] == 0


async def test_a_flood_of_questions_from_everywhere_is_bounded(bridge: Bridge) -> None:
    async with bridge.with_max() as (port, max_):
        for number in range(3000):
            port._receiver.receive(encode_message("/stagebridge/refresh"), (f"10.0.{number // 250}.{number % 250}", 9))
        assert len(port._receiver.sources.at) <= MAX_SOURCES
        assert len(port._out._askers) <= 64
        max_.send("/mark", 1.0)
        await bridge.reaches("/mark", 1.0)


# ---------------------------------------------------------------------------------- bad input, bad network


@both_loops
async def test_a_flood_of_garbage_changes_nothing_and_is_logged_once(
    bridge: Bridge, caplog: pytest.LogCaptureFixture
) -> None:
    async with bridge.with_max() as (port, max_):
        good = encode_message("/level", [0.5])
        for number in range(2000):
            max_.send_raw(os.urandom(number % 60))
            max_.send_raw(good[: number % len(good)])
            if number % 50 == 0:
                await asyncio.sleep(0)  # the socket's buffer is not what is tested
        max_.send("/level", float("nan"))
        max_.send("/level", float("inf"))
        max_.send("/level", "loud")
        max_.send("/level", Double(0.5), 3)
        max_.send("/mark", 1.0)
        await bridge.reaches("/mark", 1.0)
        assert [change.entry.path for change in bridge.changes] == ["/mark"]
        assert port.health()[0]["bad"] > 1000
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert sum("not OSC" in line for line in lines) == 1
    assert sum("/level from 127.0.0.1 cannot be used" in line for line in lines) == 1
    assert len(lines) < 40


async def test_an_unknown_address_is_told_once_with_a_suggestion(caplog: pytest.LogCaptureFixture) -> None:
    bridge = Bridge(level("/cutoff"), level("/mark"))
    async with bridge.with_max() as (port, max_):
        for _ in range(3):
            max_.send("/cutof", 0.5)
        for number in range(1000):
            max_.send(f"/zzz/{number}", 0.5)
        max_.send("/mark", 1.0)
        await bridge.reaches("/mark", 1.0)
        assert port.health()[0]["unknown"] == 1003
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert lines.count("heard /cutof from 127.0.0.1, no such control: did you mean /cutoff?") == 1
    assert len(lines) < 40


async def test_too_many_new_patterns_are_refused_and_known_ones_go_on(bridge: Bridge) -> None:
    async with bridge.with_max() as (port, max_):
        max_.send("/lev*", 0.25)
        for number in range(400):
            max_.send(f"/*{number}", 0.5)
        max_.send("/lev*", 0.5)
        await bridge.reaches("/level", 0.5)
        assert port.health()[0]["bad"] > 0


async def test_one_packet_cannot_mean_values_without_end() -> None:
    bridge = Bridge(*(level(f"/c/{n}") for n in range(200)), level("/mark"))
    async with bridge.with_max() as (port, max_):
        every = encode_message("/c/*", (0.25,))
        max_.send_raw(encode_bundle(1, [every] * 1_000))
        max_.send_raw(encode_bundle(1, [encode_message("/stagebridge/refresh")] * 1_000))
        max_.send("/mark", 1.0)
        await bridge.reaches("/mark", 1.0)
        assert bridge.value("/c/199") == 0.25
        assert port.health()[0]["bad"] > 2_000 - 2 * MEANT // 200  # a little comes back with time
        assert port.health()[0]["unknown"] == 0
        assert port.health()[0]["waiting"] <= 201


@pytest.mark.parametrize("report", [("hi",), ("hi", 0.5), ((0.5,),), (None,), (b"x",)], ids=str)
async def test_a_report_of_a_wrong_type_is_counted_though_the_control_was_just_sent(
    bridge: Bridge, report: Any
) -> None:
    async with voice() as stranger, bridge.with_max() as (port, max_):
        bridge.set("/level", 0.5)
        await max_.hear()
        stranger.goal = max_.goal
        for each in (max_, stranger):  # the target itself, and one who may be it
            each.send("/level", *report)
            each.send("/mark", 0.25 if each is max_ else 0.75)
            await bridge.reaches("/mark", 0.25 if each is max_ else 0.75)
        assert port.health()[0]["bad"] == 2
        assert bridge.value("/level") == 0.5


@both_loops
async def test_a_port_where_nobody_listens_is_a_state_and_stops_nothing(bridge: Bridge) -> None:
    gone = free_udp_port()
    async with voice() as here, bridge.running(bridge.peer(send=[f"127.0.0.1:{gone}", here.shown])) as (port,):
        here.goal = ("127.0.0.1", port.udp_port or 0)
        said = f"127.0.0.1:{gone}: host is up but nobody listens on UDP {gone}"
        for step in range(1, 51):
            bridge.set("/level", step / 50)
            assert await here.hear() == Message("/level", (pytest.approx(step / 50),))
        assert said in bridge.states["max"]
        assert said in port.peer_lines()[0]
        assert port.health()[0]["state"] == "connecting"  # the other target may be there
        here.send("/mark", 1.0)
        await bridge.reaches("/mark", 1.0)
        assert port.health()[0]["state"] == "online"
        busy = time.process_time()
        await asyncio.sleep(0.2)
        assert time.process_time() - busy < 0.1  # an error that is left unread would wake the loop for ever


async def test_a_full_send_buffer_keeps_marks_and_not_a_queue() -> None:
    bridge = Bridge(*(level(f"/c/{n}") for n in range(100)), Control(path="/go", kind="trigger"))
    async with bridge.with_max() as (port, max_):
        real = port._carrier.sock
        assert real is not None

        class Full:
            """The kernel has no room: the one thing that loopback does not do on demand."""

            def __getattr__(self, name: str) -> Any:
                return getattr(real, name)

            def sendto(self, data: bytes, address: Any) -> int:
                raise BlockingIOError

        port._carrier.sock = Full()  # type: ignore[assignment]
        for step in range(50):
            for n in range(100):
                bridge.set(f"/c/{n}", (step + 1) / 50)
        bridge.store.trigger(bridge.store.get("/go"), (), BROWSER, 0.0)
        assert port.health()[0]["waiting"] == 101
        port._carrier.sock = real
        heard = await max_.hear_all(101)
        assert heard.pop() == Message("/go", (1,))  # not before what was changed before it
        assert {message.args for message in heard} == {(1.0,)}
        assert [message.address for message in heard] == [f"/c/{n}" for n in range(100)]
        assert port.health()[0]["waiting"] == 0
        assert port.health()[0]["lost"] == 0


async def test_a_text_that_is_too_long_for_udp_is_counted(bridge: Bridge) -> None:
    async with bridge.with_max() as (port, max_):
        bridge.store.add(Control(path="/go", kind="trigger"), now=0.0)
        bridge.store.trigger(bridge.store.get("/go"), ("x" * 1000,) * 64, BROWSER, 0.0)
        bridge.store.trigger(bridge.store.get("/go"), ("ö" * 1000,) * 64, BROWSER, 0.0)
        heard = await max_.hears_nothing_before(bridge, "/mark")
        assert [len(message.args) for message in heard] == [64]
        assert port.health()[0]["lost"] == 1


async def test_a_taken_port_is_a_state_and_is_tried_again(bridge: Bridge, caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as squatter:
        squatter.bind(("127.0.0.1", 0))
        udp_port = squatter.getsockname()[1]
        (port,) = bridge.ports(bridge.peer(listen=f"127.0.0.1:{udp_port}"))
        start = asyncio.create_task(_enter(port))
        try:
            while "max" not in bridge.states:
                await asyncio.sleep(0.005)
            taken = f"UDP {udp_port} is taken by {await asyncio.to_thread(net.holder_of, udp_port, 'udp')}"
            assert f"(pid {os.getpid()})" in taken
            assert bridge.states["max"] == f"offline: {taken}, trying again"
            assert port.peer_lines() == [f"max is sent nothing: offline, {taken}, trying again"]
            assert port.health()[0]["state"] == "offline"
            squatter.close()
            leave = await asyncio.wait_for(start, SOON_S)
        except BaseException:
            start.cancel()
            await asyncio.wait([start])
            raise
        assert port.udp_port == udp_port
        assert bridge.states["max"] == f"connecting: never heard; we listen on UDP {udp_port}"
        await leave.aclose()
    said = [message for message in caplog.messages if "is taken" in message]
    assert said[0] == f"osc max: {taken}; trying again"
    assert len(said) == len(set(said))  # another: by whom is not to be seen while it is closed


async def _enter(port: OscPort) -> AsyncExitStack:
    stack = AsyncExitStack()
    await stack.enter_async_context(served(port))
    return stack


async def test_after_being_away_a_port_sends_the_truth_to_who_was_heard(bridge: Bridge) -> None:
    udp_port = free_udp_port()
    async with voice() as max_:
        (port,) = bridge.ports(bridge.peer(listen=f"127.0.0.1:{udp_port}", send=[max_.shown]))
        max_.goal = ("127.0.0.1", udp_port)
        async with served(port):
            max_.send("/level", 0.5)
            await bridge.reaches("/level", 0.5)
        bridge.set("/level", 0.75)
        async with served(port):
            assert await max_.hear_all(2) == [Message("/level", (0.75,)), Message("/mark", (0.0,))]


async def test_a_name_is_resolved_and_an_unknown_name_is_a_state(bridge: Bridge) -> None:
    async with voice() as here:
        peer = bridge.peer(send=[f"localhost:{here.address[1]}", "no-such-host.invalid:9001"])
        async with bridge.running(peer) as (port,):
            while "no such host" not in bridge.states["max"]:
                await asyncio.sleep(0.01)
            bridge.set("/level", 0.5)
            assert await here.hear() == Message("/level", (0.5,))
            assert port.health()[0]["state"] == "connecting"


async def test_ipv6_and_ipv4_meet_on_one_socket(bridge: Bridge) -> None:
    async with voice("::1") as six, voice() as four:
        peer = bridge.peer(listen="[::]:0", send=[f"[::1]:{six.address[1]}", four.shown])
        async with bridge.running(peer) as (port,):
            six.goal, four.goal = ("::1", port.udp_port or 0), ("127.0.0.1", port.udp_port or 0)
            six.send("/level", 0.5)
            assert await four.hear() == Message("/level", (0.5,))
            four.send("/level", 0.25)
            assert await six.hear() == Message("/level", (0.25,))
            assert bridge.changes[1].origin == Origin("osc", "max", four.shown)


async def test_the_line_of_a_peer_says_how_it_is(bridge: Bridge) -> None:
    async with bridge.with_max() as (port, max_):
        assert port.peer_lines() == [f"max {max_.shown}: connecting, never heard; we listen on UDP {port.udp_port}"]
        assert bridge.states["max"] == f"connecting: never heard; we listen on UDP {port.udp_port}"
        max_.send("/level", 0.5)
        await bridge.reaches("/level", 0.5)
        assert port.peer_lines() == [f"max {max_.shown}: online, heard 0 s ago; we listen on UDP {port.udp_port}"]
        assert bridge.states["max"] == f"online: heard; we listen on UDP {port.udp_port}"
        health = port.health()[0]
        assert (health["received"], health["sent"], health["state"]) == (1, 0, "online")
    assert bridge.states["max"] == "offline: heard; our UDP port is not open"


# ---------------------------------------------------------------------------------- real peers


@asynccontextmanager
async def program(*command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), SOON_S)
            except TimeoutError:
                process.kill()
                await process.wait()


@pytest.fixture
def oscsend() -> str:
    return require_tool("oscsend", package="liblo-tools")


@pytest.fixture
def oscdump() -> str:
    return require_tool("oscdump", package="liblo-tools")


async def test_liblo_sends_every_type_that_it_has(oscsend: str) -> None:
    bridge = Bridge(
        level(), Control(path="/n", kind="int"), Control(path="/on", kind="bool"), Control(path="/name", kind="string"),
        Control(path="/go", kind="trigger"),
    )  # fmt: skip
    async with bridge.running(bridge.peer()) as (port,):

        async def send(*args: str) -> None:
            async with program(oscsend, "127.0.0.1", str(port.udp_port), *args) as process:
                await process.wait()

        await send("/level", "f", "0.5")
        await send("/n", "h", "42")
        await send("/on", "T")
        await send("/name", "s", "größer")
        await send("/go", "ifscmTFNI", "1", "0.5", "x", "A", "00904060")
        await until(bridge.store, lambda: any(change.what == "trigger" for change in bridge.changes))
        assert [bridge.value(path) for path in ("/level", "/n", "/on", "/name")] == [0.5, 42, True, "größer"]
        assert bridge.changes[-1].args == (1, 0.5, "x", "A", 0, 0x90, 0x40, 0x60, True, False, None, True)


async def test_liblo_reads_what_we_send_in_order(oscdump: str) -> None:
    bridge = Bridge(
        level(), level("/ready"), Control(path="/name", kind="string"), Control(path="/color", kind="color"),
        Control(path="/on", kind="bool"), Control(path="/go", kind="trigger"), Control(path="/xy", kind="vector"),
    )  # fmt: skip
    udp_port = free_udp_port()
    peer = bridge.peer(send=[f"127.0.0.1:{udp_port}"])
    async with program(oscdump, "-L", str(udp_port)) as process, bridge.running(peer):
        assert process.stdout is not None
        line = asyncio.create_task(process.stdout.readline())
        step = 0.0
        while not line.done():  # it says nothing when it is ready: ask until it answers
            step += 0.001
            bridge.set("/ready", step)
            await asyncio.wait([line], timeout=0.05)
        for number in range(1, 101):
            bridge.set("/level", number / 100)
        bridge.set("/name", "größer")
        bridge.set("/color", "#ff0000")
        bridge.set("/on", True)
        bridge.store.trigger(bridge.store.get("/go"), (), BROWSER, 0.0)
        bridge.set("/xy", (0.25, 0.5))
        heard: list[str] = []
        while not heard or not heard[-1].startswith("/xy"):
            text = (await asyncio.wait_for(process.stdout.readline(), SOON_S)).decode()
            heard.append(text.split(" ", 1)[1].strip())
    heard = [text for text in heard if not text.startswith("/ready")]
    assert heard[:100] == [f"/level f {number / 100:f}" for number in range(1, 101)]
    assert heard[100:] == [
        '/name s "größer"', "/color ffff 1.000000 0.000000 0.000000 1.000000", "/on i 1", "/go i 1",
        "/xy ff 0.250000 0.500000",
    ]  # fmt: skip


@pytest.fixture
def pd_patch(tmp_path: Path) -> tuple[Path, int, int]:
    """(patch, where Pd listens, where it sends)."""
    ports = free_udp_port(), free_udp_port()
    text = (Path(__file__).parent / "fakes" / "answer.pd").read_text()
    patch = tmp_path / "answer.pd"
    patch.write_text(text.replace("IN_PORT;", f"{ports[0]};").replace("OUT_PORT;", f"{ports[1]};"))
    return patch, *ports


async def test_pure_data_asks_for_all_values_and_answers(pd_patch: tuple[Path, int, int]) -> None:
    pd = require_tool("pd", package="puredata-core")
    patch, pd_port, our_port = pd_patch
    bridge = Bridge(
        level("/cutoff", default=0.5), Control(path="/count", kind="int", access="both"),
        level("/answer/cutoff"), Control(path="/answer/done", kind="trigger"), Control(path="/go", kind="trigger"),
    )  # fmt: skip
    peer = bridge.peer("pd", listen=f"127.0.0.1:{our_port}", send=[f"127.0.0.1:{pd_port}"], profile="pd")
    flags = ["-nogui", "-noaudio", "-nomidi", "-nrt", "-noprefs", "-stderr", "-sleepgrain", "1", "-open", str(patch)]
    async with bridge.running(peer) as (port,), program(pd, *flags):
        await bridge.reaches("/answer/cutoff", 0.25)  # the patch asked for all, and answered to /cutoff
        await bridge.reaches("/count", 1)  # a float from Pd, one more than our int, and not sent back to it
        bridge.set("/cutoff", 1.0)
        await bridge.reaches("/answer/cutoff", 0.5)
        bridge.set("/count", 41)
        await bridge.reaches("/count", 42)
        bridge.store.trigger(bridge.store.get("/go"), (), BROWSER, 0.0)
        await until(bridge.store, lambda: any(change.entry.path == "/answer/done" for change in bridge.changes))
        assert port.health()[0]["bad"] == 0
    answers = [change for change in bridge.changes if change.entry.path == "/answer/cutoff" and change.what == "value"]
    assert {str(change.origin) for change in answers} == {f"osc:pd@127.0.0.1:{pd_port}"}


# Fingers on the peer's own faders


async def test_a_touch_of_the_peers_own_fader_holds_it_and_keeps_its_motor_still() -> None:
    bridge = Bridge(Control(path="/fader"), Control(path="/mark"))
    async with voice() as one:
        bindings = {"/fader": {"touch": "/fader/z"}}
        async with bridge.running(bridge.peer(send=[one.shown], bindings=bindings)) as (port,):
            one.goal = ("127.0.0.1", port.udp_port or 0)
            fader = bridge.store.get("/fader")
            one.send("/fader/z", 1.0)
            await until(bridge.store, lambda: bool(fader.holders))
            assert str(fader.holder) == f"osc:max@{one.shown}"
            bridge.set("/fader", 0.25)
            assert await one.hears_nothing_before(bridge, "/mark") == []
            one.send("/fader", 0.75)
            await bridge.reaches("/fader", 0.75)
            bridge.set("/fader", 0.5)
            one.send("/fader/z", 0.0)
            await until(bridge.store, lambda: not fader.holders)
            assert await one.hear() == Message("/fader", (0.5,))  # the settled value
            bridge.set("/fader", 0.125)
            assert await one.hear() == Message("/fader", (0.125,))


async def test_a_touched_control_belongs_to_who_touched_it_first() -> None:
    bridge = Bridge(Control(path="/fader", hold="first"))
    async with voice() as one:
        bindings = {"/fader": {"touch": "/fader/z"}}
        async with bridge.running(bridge.peer(send=[one.shown], bindings=bindings)) as (port,):
            one.goal = ("127.0.0.1", port.udp_port or 0)
            fader = bridge.store.get("/fader")
            one.send("/fader/z", 1)
            await until(bridge.store, lambda: bool(fader.holders))
            bridge.set("/fader", 0.9)
            assert fader.value == 0.0
            one.send("/fader", 0.5)
            await bridge.reaches("/fader", 0.5)


async def test_a_touch_that_is_never_released_ends_after_the_hold_timeout() -> None:
    bridge = Bridge(Control(path="/fader", hold_timeout=5))
    async with voice() as one:
        bindings = {"/fader": {"touch": "/fader/z"}}
        async with bridge.running(bridge.peer(send=[one.shown], bindings=bindings)) as (port,):
            one.goal = ("127.0.0.1", port.udp_port or 0)
            fader = bridge.store.get("/fader")
            one.send("/fader/z", 1)
            await until(bridge.store, lambda: bool(fader.holders))
            bridge.set("/fader", 0.25)
            bridge.store.expire_holds(time.monotonic() + 6)
            assert not fader.holders
            assert await one.hear() == Message("/fader", (0.25,))
