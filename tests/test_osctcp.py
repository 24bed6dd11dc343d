"""OSC over TCP: both framings, we as client and as server, peers that restart, do not read, or talk nonsense."""

import asyncio
import itertools
import logging
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import uvloop
from pythonosc import slip as their_slip
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_tcp_server import AsyncOSCTCPServer
from pythonosc.tcp_client import AsyncSimpleTCPClient

from bridge.control import Control
from bridge.osc.codec import ALL, Message, decode, encode_message
from bridge.osc.framing import SlipReader
from bridge.osc.peer import OscPeer
from bridge.osc.port import OscPort
from bridge.osc.settings import MAX_TARGETS
from bridge.osc.tcp import KERNEL_ROOM, READ_AT_ONCE, ROOM
from bridge.store import Origin

from .peers import free_tcp_port, require_tool
from .port_contract import PortContract, Rig, until
from .test_osc import Bridge, level, program
from .waiting import SOON_S

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
pytestmark = pytest.mark.asyncio(loop_factories=["uvloop"])  # as the daemon has it
both_loops = pytest.mark.asyncio(loop_factories=list(LOOPS))
both_framings = pytest.mark.parametrize("transport", ["tcp-slip", "tcp-length"])
MODES = {"tcp-slip": "1.1", "tcp-length": "1.0"}


def framed(transport: str, packet: bytes) -> bytes:
    return their_slip.encode(packet) if transport == "tcp-slip" else struct.pack(">i", len(packet)) + packet


class Stream:
    """One end of a connection: a program that speaks OSC over TCP."""

    def __init__(self, transport: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.transport, self.reader, self.writer = transport, reader, writer
        self.address: tuple[str, int] = writer.get_extra_info("sockname")[:2]

    def send(self, address: str, *args: Any) -> None:
        self.writer.write(framed(self.transport, encode_message(address, args, ALL)))

    async def packet(self) -> bytes:
        if self.transport == "tcp-length":
            (size,) = struct.unpack(">i", await self.reader.readexactly(4))
            return await self.reader.readexactly(size)
        assert await self.reader.readexactly(1) == b"\xc0"
        return their_slip.decode(b"\xc0" + await self.reader.readuntil(b"\xc0"))

    async def hear(self) -> Message:
        packet = decode(await asyncio.wait_for(self.packet(), SOON_S))
        assert isinstance(packet, Message)
        return packet

    async def hear_all(self, count: int) -> list[Message]:
        return [await self.hear() for _ in range(count)]

    async def ends(self) -> None:
        """Returns when the other end has closed the connection."""
        try:
            while await asyncio.wait_for(self.reader.read(65536), SOON_S):
                pass
        except ConnectionError:
            pass

    def abort(self) -> None:
        self.writer.transport.abort()


class Program:
    """A program that listens on TCP. It can be quit, and started again on the same port."""

    def __init__(self, transport: str) -> None:
        self.transport = transport
        self.tcp_port = 0
        self.streams: asyncio.Queue[Stream] = asyncio.Queue()
        self._open: list[Stream] = []
        self._server: asyncio.Server | None = None

    @property
    def shown(self) -> str:
        return f"127.0.0.1:{self.tcp_port}"

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = Stream(self.transport, reader, writer)
        self._open.append(stream)
        self.streams.put_nowait(stream)

    async def start(self, **limits: Any) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.tcp_port, limit=2**20, **limits)
        self.tcp_port = self._server.sockets[0].getsockname()[1]

    async def stream(self) -> Stream:
        return await asyncio.wait_for(self.streams.get(), SOON_S)

    async def quit(self) -> None:
        assert self._server is not None
        self._server.close()
        for stream in self._open:
            stream.abort()
        self._open.clear()
        await asyncio.sleep(0)


@asynccontextmanager
async def started(transport: str) -> AsyncIterator[Program]:
    one = Program(transport)
    await one.start()
    try:
        yield one
    finally:
        await one.quit()


@asynccontextmanager
async def connected(transport: str, tcp_port: int, host: str = "127.0.0.1", **options: Any) -> AsyncIterator[Stream]:
    """A program that connects to us."""
    reader, writer = await asyncio.open_connection(host, tcp_port, **options)
    stream = Stream(transport, reader, writer)
    try:
        yield stream
    finally:
        stream.abort()


async def shows(port: OscPort, **health: Any) -> None:
    """Returns when the port's health has these."""
    async with asyncio.timeout(SOON_S):
        while not health.items() <= port.health()[0].items():
            await asyncio.sleep(0.002)


@pytest.fixture
def bridge() -> Bridge:
    return Bridge(level(), level("/mark"))


# ---------------------------------------------------------------------------------- the contract of all ports


class TcpRig(Rig):
    def __init__(self, bridge: Bridge, port: OscPort, stream: Stream, tcp_port: int) -> None:
        self.store, self.port, self.stream, self.tcp_port = bridge.store, port, stream, tcp_port

    async def heard(self) -> float:
        message = await self.stream.hear()
        assert message.address == "/level"
        (value,) = message.args
        return float(value)

    def report(self, value: float) -> None:
        self.stream.send("/level", value)

    def garbage(self) -> None:
        self.stream.writer.write(framed(self.stream.transport, os.urandom(39) + b"x"))

    def is_free(self) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that have ended are no matter
            try:
                probe.bind(("127.0.0.1", self.tcp_port))
                probe.listen()
            except OSError:
                return False
            return True


@both_framings
@both_loops
class TestContractAsServer(PortContract):
    @pytest.fixture
    async def rig(self, transport: str) -> AsyncIterator[TcpRig]:
        bridge = Bridge(level(default=0.5))
        peer = bridge.peer(transport=transport, listen="127.0.0.1:0")
        async with bridge.running(peer) as (port,):
            assert port.tcp_port is not None
            async with connected(transport, port.tcp_port) as stream:
                await shows(port, connected=1)
                yield TcpRig(bridge, port, stream, port.tcp_port)


@both_framings
class TestContractAsClient(PortContract):
    @pytest.fixture
    async def rig(self, transport: str) -> AsyncIterator[TcpRig]:
        bridge = Bridge(level(default=0.5))
        async with started(transport) as one:
            peer = bridge.peer(transport=transport, send=[one.shown], listen="127.0.0.1:0")
            async with bridge.running(peer) as (port,):
                assert port.tcp_port is not None
                yield TcpRig(bridge, port, await one.stream(), port.tcp_port)


# ---------------------------------------------------------------------------------- who is there, and comes back


@both_framings
async def test_a_place_that_is_not_there_yet_is_tried_until_it_is(bridge: Bridge, transport: str) -> None:
    one = Program(transport)
    one.tcp_port = free_tcp_port()
    async with bridge.running(bridge.peer(transport=transport, send=[one.shown])) as (port,):
        gone = f"{one.shown}: host is up but nobody listens on TCP {one.tcp_port}"
        while gone not in bridge.states["max"]:
            await asyncio.sleep(0.005)
        bridge.set("/level", 0.25)  # to nobody
        assert port.health()[0]["state"] == "offline"
        await one.start()
        try:
            stream = await one.stream()
            await shows(port, connected=1)
            bridge.set("/level", 0.5)
            assert await stream.hear() == Message("/level", (0.5,))
            assert one.shown not in bridge.states["max"]
        finally:
            await one.quit()


@both_framings
async def test_a_program_that_restarts_is_sent_the_truth(bridge: Bridge, transport: str) -> None:
    async with started(transport) as one, bridge.running(bridge.peer(transport=transport, send=[one.shown])) as (port,):
        stream = await one.stream()
        stream.send("/level", 0.5)
        await bridge.reaches("/level", 0.5)
        await one.quit()
        while "connection lost" not in bridge.states["max"] and "nobody listens" not in bridge.states["max"]:
            await asyncio.sleep(0.005)
        bridge.set("/level", 0.1)
        bridge.set("/level", 0.75)
        await one.start()
        stream = await one.stream()
        assert await stream.hear_all(2) == [Message("/level", (0.75,)), Message("/mark", (0.0,))]
        stream.send("/level", 0.25)
        await bridge.reaches("/level", 0.25)
        assert port.health()[0]["connected"] == 1


async def test_who_connects_is_sent_changes_and_who_comes_back_the_truth(bridge: Bridge) -> None:
    bridge.set("/level", 0.5)
    async with bridge.running(bridge.peer(transport="tcp-slip", listen="127.0.0.1:0")) as (port,):
        assert port.tcp_port is not None
        assert port.peer_lines()[0].startswith("max nobody is connected: offline, never heard")
        async with connected("tcp-slip", port.tcp_port) as stream:
            stream.send("/mark", 0.5)
            await bridge.reaches("/mark", 0.5)
            bridge.set("/mark", 0.75)
            assert await stream.hear() == Message("/mark", (0.75,))  # and no more: it was not known before
        await shows(port, connected=0)
        async with connected("tcp-slip", port.tcp_port) as stream:
            assert await stream.hear_all(2) == [Message("/level", (0.5,)), Message("/mark", (0.75,))]


async def test_on_connect_push_sends_everything_at_once(bridge: Bridge) -> None:
    bridge.set("/level", 0.5)
    async with started("tcp-slip") as one:
        peer = bridge.peer(transport="tcp-slip", send=[one.shown], on_connect="push")
        async with bridge.running(peer):
            stream = await one.stream()
            assert await stream.hear_all(2) == [Message("/level", (0.5,)), Message("/mark", (0.0,))]


async def test_two_that_are_connected_hear_each_other_and_not_themselves(bridge: Bridge) -> None:
    async with bridge.running(bridge.peer(transport="tcp-slip", listen="127.0.0.1:0")) as (port,):
        tcp_port = port.tcp_port or 0
        async with connected("tcp-slip", tcp_port) as one, connected("tcp-slip", tcp_port) as two:
            await shows(port, connected=2)
            one.send("/level", 0.5)
            assert await two.hear() == Message("/level", (0.5,))
            two.send("/level", 0.25)
            assert await one.hear() == Message("/level", (0.25,))
            shown = [f"{host}:{number}" for host, number in (one.address, two.address)]
            assert [c.origin for c in bridge.changes if c.entry.path == "/level"] == [
                Origin("osc", "max", where) for where in shown
            ]
            assert sorted(port.health()[0]["targets"]) == sorted(shown)


async def test_what_a_connection_holds_is_released_when_it_ends() -> None:
    bridge = Bridge(Control(path="/hit", kind="bool", momentary=True), level())
    peer = bridge.peer(transport="tcp-slip", listen="127.0.0.1:0", bindings={"/level": {"touch": "/level/z"}})
    async with bridge.running(peer) as (port,):
        async with connected("tcp-slip", port.tcp_port or 0) as stream:
            stream.send("/hit", 1)
            stream.send("/level/z", 1)
            await until(bridge.store, lambda: bool(bridge.store.get("/level").holders))
            assert bridge.value("/hit") is True
        await until(bridge.store, lambda: not bridge.store.get("/level").holders)
        await bridge.reaches("/hit", False)


async def test_a_question_is_answered_by_the_connection_that_asked(bridge: Bridge) -> None:
    bridge.set("/level", 0.5)
    async with bridge.running(bridge.peer(transport="tcp-length", listen="127.0.0.1:0")) as (port,):
        tcp_port = port.tcp_port or 0
        async with connected("tcp-length", tcp_port) as one, connected("tcp-length", tcp_port) as two:
            one.send("/level")
            assert await one.hear() == Message("/level", (0.5,))
            two.send("/stagebridge/refresh")
            assert await two.hear_all(2) == [Message("/level", (0.5,)), Message("/mark", (0.0,))]
            one.send("/mark")
            assert await one.hear() == Message("/mark", (0.0,))


async def test_ipv6_and_ipv4_connect_to_one_listener(bridge: Bridge) -> None:
    peer = bridge.peer(transport="tcp-slip", listen="[::]:0", **{"from": ["127.0.0.1", "::1"]})
    async with bridge.running(peer) as (port,):
        tcp_port = port.tcp_port or 0
        async with connected("tcp-slip", tcp_port, "::1") as six, connected("tcp-slip", tcp_port) as four:
            await shows(port, connected=2)
            six.send("/level", 0.5)
            assert await four.hear() == Message("/level", (0.5,))


async def test_a_stranger_may_not_connect_nor_a_seventeenth(bridge: Bridge) -> None:
    peer = bridge.peer(transport="tcp-slip", listen="0.0.0.0:0", **{"from": ["127.0.0.1"]})
    async with bridge.running(peer) as (port,):
        tcp_port = port.tcp_port or 0
        async with connected("tcp-slip", tcp_port, local_addr=("127.0.0.2", 0)) as stranger:
            await stranger.ends()
        async with AsyncExitStack() as stack:
            for count in range(MAX_TARGETS):
                program = await stack.enter_async_context(connected("tcp-slip", tcp_port))
                program.send("/level", (count + 1) / 16)
                await bridge.reaches("/level", (count + 1) / 16)
            await (await stack.enter_async_context(connected("tcp-slip", tcp_port))).ends()
            assert port.health()[0]["connected"] == MAX_TARGETS


async def test_who_is_connected_and_says_nothing_makes_room_for_its_own_host(bridge: Bridge) -> None:
    async with (
        bridge.running(bridge.peer(transport="tcp-slip", listen="127.0.0.1:0")) as (port,),
        AsyncExitStack() as stack,
    ):

        async def come() -> Stream:
            return await stack.enter_async_context(connected("tcp-slip", port.tcp_port or 0))

        speaker, *idle = [await come() for _ in range(MAX_TARGETS)]
        await shows(port, connected=MAX_TARGETS)
        speaker.send("/level", 0.25)
        await bridge.reaches("/level", 0.25)
        program = await come()
        program.send("/level", 0.5)
        assert await speaker.hear() == Message("/level", (0.5,))
        await idle[0].ends()
        assert port.health()[0]["connected"] == MAX_TARGETS


async def test_who_takes_all_places_keeps_nobody_out(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OscPeer, "knows", lambda self, host: host == "127.0.0.1")
    peer = bridge.peer(transport="tcp-slip", listen="0.0.0.0:0")
    async with bridge.running(peer) as (port,), AsyncExitStack() as stack:

        async def come(host: str) -> Stream:
            return await stack.enter_async_context(connected("tcp-slip", port.tcp_port or 0, local_addr=(host, 0)))

        guests = [await come("127.0.0.2") for _ in range(MAX_TARGETS)]
        await shows(port, connected=MAX_TARGETS)
        for count, host in enumerate(["127.0.0.1", "127.0.0.3"], start=1):  # one that the table knows, another guest
            program = await come(host)
            program.send("/level", count / 4)
            await bridge.reaches("/level", count / 4)
            await guests.pop().ends()
        await come("127.0.0.2")  # whose own place it takes
        await guests[0].ends()
        assert port.health()[0]["connected"] == MAX_TARGETS


@both_loops
async def test_what_was_sent_before_we_stop_still_leaves(bridge: Bridge) -> None:
    async with started("tcp-length") as one:
        async with bridge.running(bridge.peer(transport="tcp-length", send=[one.shown])) as (port,):
            stream = await one.stream()
            await shows(port, connected=1)
            for step in range(1, 101):
                bridge.set("/level", step / 100)
        assert [(await stream.hear()).args for _ in range(100)][-1] == (1.0,)
        await stream.ends()


@both_loops
async def test_who_does_not_read_does_not_keep_us_from_stopping() -> None:
    bridge = Bridge(*(Control(path=f"/t/{n}", kind="string") for n in range(300)))
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        async with bridge.running(bridge.peer(transport="tcp-slip", listen="127.0.0.1:0")) as (port,):
            await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port.tcp_port or 0))
            await shows(port, connected=1)
            for n in range(300):
                bridge.set(f"/t/{n}", "x" * 1000)
            await asyncio.sleep(0)
            assert port.health()[0]["waiting"] > 0
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 1


async def test_we_connect_to_names_and_to_ipv6(bridge: Bridge) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(await reader.readexactly(4 + 16))
        writer.transport.abort()

    for host, bound in (("[::1]", "::1"), ("localhost", "127.0.0.1")):
        async with await asyncio.start_server(read, bound, 0) as server:
            tcp_port = server.sockets[0].getsockname()[1]
            async with bridge.running(bridge.peer(transport="tcp-length", send=[f"{host}:{tcp_port}"])) as (port,):
                await shows(port, connected=1)
                bridge.set("/level", bridge.value("/level") + 0.25)
                assert (await asyncio.wait_for(heard.get(), SOON_S))[4:].startswith(b"/level")


async def test_a_name_where_nobody_listens_is_a_state_in_words(bridge: Bridge) -> None:
    tcp_port = free_tcp_port()
    async with bridge.running(bridge.peer(transport="tcp-slip", send=[f"localhost:{tcp_port}"])) as (port,):
        async with asyncio.timeout(SOON_S):
            while f"host is up but nobody listens on TCP {tcp_port}" not in port.peer_lines()[0]:
                await asyncio.sleep(0.005)


async def test_a_taken_tcp_port_is_a_state(bridge: Bridge) -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        tcp_port = squatter.getsockname()[1]
        (port,) = bridge.ports(bridge.peer(transport="tcp-slip", listen=f"127.0.0.1:{tcp_port}"))
        task = asyncio.create_task(port.serve(lambda: None))
        await asyncio.wait([task])
        assert f"TCP {tcp_port} is taken by" in str(task.exception())
        assert bridge.states["max"].startswith(f"offline: TCP {tcp_port} is taken by")
        assert port.health()[0]["state"] == "offline"


# ---------------------------------------------------------------------------------- who does not read, or not OSC


@both_loops
async def test_who_does_not_read_costs_little_and_gets_the_truth_when_it_does(bridge: Bridge) -> None:
    """20,000 changes of 10 texts would be 20 MB."""
    bridge = Bridge(*(Control(path=f"/t/{n}", kind="string") for n in range(10)), level())
    async with bridge.running(bridge.peer(transport="tcp-length", listen="127.0.0.1:0")) as (port,):
        tcp_port = port.tcp_port or 0
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.setblocking(False)
            await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", tcp_port))
            async with connected("tcp-length", tcp_port) as other:
                await shows(port, connected=2)
                stuck = next(c for c in port._carrier._connections if c.address == raw.getsockname())
                for step in range(2000):
                    for n in range(10):
                        bridge.set(f"/t/{n}", f"{step} ".ljust(1000, "x"))
                    if step % 20 == 0:
                        assert stuck.transport.get_write_buffer_size() < ROOM + 2048
                        bridge.set("/level", (step + 1) / 2000)
                        while (await other.hear()).args != (pytest.approx((step + 1) / 2000),):
                            pass  # the other one is not delayed
                assert len(stuck.target.owed.pending) == 11
                reader, writer = await asyncio.open_connection(sock=raw)
                stream = Stream("tcp-length", reader, writer)
                latest: dict[str, Any] = {}
                count = 0
                while len(latest) < 10 or not all(text.startswith("1999 ") for text in latest.values()):
                    message = await stream.hear()
                    count += 1
                    if message.address != "/level":
                        latest[message.address] = message.args[0]
                assert count < (4 * KERNEL_ROOM + ROOM) // 1000  # old ones, that were on their way already
                await shows(port, waiting=0)
                stream.abort()


@both_framings
async def test_garbage_on_one_connection_leaves_the_others_alone(
    bridge: Bridge, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with bridge.running(bridge.peer(transport=transport, listen="127.0.0.1:0")) as (port,):
        tcp_port = port.tcp_port or 0
        async with connected(transport, tcp_port) as good:
            for _ in range(20):
                async with connected(transport, tcp_port) as bad:
                    bad.writer.write(b"\x7f" + os.urandom(200_000) + b"\xc0")
                    good.send("/level", 0.5)
                    good.send("/level")
                    while await good.hear() != Message("/level", (0.5,)):
                        pass
            good.send("/mark", 1.0)
            await bridge.reaches("/mark", 1.0)
            assert port.health()[0]["bad"] > 0
    assert sum(record.levelno >= logging.WARNING for record in caplog.records) < 20


async def test_a_length_that_is_none_closes_the_connection_and_we_connect_again(bridge: Bridge) -> None:
    async with started("tcp-length") as one:
        peer = bridge.peer(transport="tcp-length", send=[one.shown])
        async with bridge.running(peer) as (port,):
            stream = await one.stream()
            stream.send("/level", 0.5)
            stream.writer.write(their_slip.encode(encode_message("/level", (0.75,))))
            await stream.ends()
            again = await one.stream()
            again.send("/level", 0.25)
            await bridge.reaches("/level", 0.25)
            assert [c.value for c in bridge.changes if c.entry.path == "/level" and c.what == "value"] == [0.5, 0.25]
            assert port.health()[0]["bad"] == 1


async def test_a_flood_lets_others_have_their_turn(bridge: Bridge) -> None:
    """A piece of a stream is up to 256 kB, 10,000 messages: they are taken 256 at a time."""
    peer = bridge.peer(transport="tcp-length", listen="127.0.0.1:0")
    async with bridge.running(peer) as (port,), connected("tcp-length", port.tcp_port or 0) as stream:
        one = framed("tcp-length", encode_message("/level", (0.5,)))
        stream.writer.write(one * 20_000)
        stream.send("/mark", 1.0)
        turns = []
        while bridge.value("/mark") != 1.0:
            turns.append(port.health()[0]["received"])
            await asyncio.sleep(0)
        assert port.health()[0]["received"] == 20_001
        assert max(b - a for a, b in itertools.pairwise(turns)) <= 600


async def test_a_flood_of_tiny_frames_is_looked_through_a_piece_at_a_time(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    feed = SlipReader.feed
    monkeypatch.setattr(SlipReader, "feed", lambda self, data: sizes.append(len(data)) or feed(self, data))
    peer = bridge.peer(transport="tcp-slip", listen="127.0.0.1:0")
    async with bridge.running(peer) as (port,), connected("tcp-slip", port.tcp_port or 0) as stream:
        stream.writer.write(b"a\xc0" * 100_000)
        stream.send("/mark", 1.0)
        await bridge.reaches("/mark", 1.0)
        assert port.health()[0]["bad"] == 100_000
        stream.writer.write(b"\xdb\xc0" * 64)
        await stream.ends()
    assert max(sizes) <= READ_AT_ONCE


# ---------------------------------------------------------------------------------- independent voices


@both_framings
async def test_python_osc_as_server_both_ways_and_restarted(bridge: Bridge, transport: str) -> None:
    heard: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
    tcp_port = free_tcp_port()
    dispatcher = Dispatcher()

    def answer(address: str, *args: Any) -> Any:
        heard.put_nowait((address, args[0]))
        return ("/mark", args[0] / 2)

    dispatcher.map("/level", answer)

    @asynccontextmanager
    async def server() -> AsyncIterator[None]:
        one = AsyncOSCTCPServer("127.0.0.1", tcp_port, dispatcher, MODES[transport])
        task = asyncio.create_task(one.start())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def hears(value: float) -> None:
        while await asyncio.wait_for(heard.get(), SOON_S) != ("/level", value):
            pass

    async with bridge.running(bridge.peer(transport=transport, send=[f"127.0.0.1:{tcp_port}"])) as (port,):
        async with server():
            await shows(port, connected=1)
            bridge.set("/level", 0.5)
            await hears(0.5)
            await bridge.reaches("/mark", 0.25)
            for connection in list(port._carrier._connections):
                connection.transport.abort()  # this server does not close its streams by itself
        await shows(port, connected=0)
        bridge.set("/level", 0.75)
        async with server():
            await hears(0.75)
            await bridge.reaches("/mark", 0.375)
            for connection in list(port._carrier._connections):
                connection.transport.abort()


@both_framings
async def test_python_osc_as_client_both_ways(bridge: Bridge, transport: str) -> None:
    peer = bridge.peer(transport=transport, listen="127.0.0.1:0")
    async with bridge.running(peer) as (port,):
        client = AsyncSimpleTCPClient("127.0.0.1", port.tcp_port or 0, mode=MODES[transport])
        async with client:
            await client.send_message("/level", 0.25)
            await bridge.reaches("/level", 0.25)
            bridge.set("/level", 0.5)
            assert [decode(packet) for packet in await client.receive()] == [Message("/level", (0.5,))]


async def test_liblo_sends_over_tcp(bridge: Bridge) -> None:
    oscsend = require_tool("oscsend", package="liblo-tools")
    async with bridge.running(bridge.peer(transport="tcp-length", listen="127.0.0.1:0")) as (port,):
        for value in (0.25, 0.5):  # it connects anew each time
            async with program(oscsend, f"osc.tcp://127.0.0.1:{port.tcp_port}", "/level", "f", str(value)) as process:
                await process.wait()
            await bridge.reaches("/level", value)


@both_framings
async def test_liblo_reads_what_we_send_over_tcp_and_the_truth_after_a_restart(transport: str) -> None:
    oscdump = require_tool("oscdump", package="liblo-tools")
    bridge = Bridge(level(), Control(path="/name", kind="string"))
    tcp_port = free_tcp_port()
    bridge.set("/name", "größer")

    async def line(process: asyncio.subprocess.Process) -> str:
        assert process.stdout is not None
        return (await asyncio.wait_for(process.stdout.readline(), SOON_S)).decode().split(" ", 1)[1].strip()

    async with bridge.running(bridge.peer(transport=transport, send=[f"127.0.0.1:{tcp_port}"])) as (port,):
        async with program(oscdump, "-L", f"osc.tcp://:{tcp_port}") as process:
            await shows(port, connected=1)
            for step in range(1, 51):
                bridge.set("/level", step / 50)
            assert [await line(process) for _ in range(50)] == [f"/level f {step / 50:f}" for step in range(1, 51)]
        await shows(port, connected=0)
        bridge.set("/level", 0.25)
        async with program(oscdump, "-L", f"osc.tcp://:{tcp_port}") as process:
            assert [await line(process) for _ in range(2)] == ["/level f 0.250000", '/name s "größer"']
