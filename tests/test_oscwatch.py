"""Whether an OSC peer is there, over real sockets: peers that come, go, come back, and are asked or told."""

import asyncio
import logging
import socket
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
import uvloop

from bridge.control import Control
from bridge.osc.codec import Message, decode, encode_bundle, encode_message
from bridge.osc.port import OscPort
from bridge.osc.settings import Endpoint
from bridge.osc.socket import open_socket

from .peers import free_udp_port
from .port_contract import served, until
from .test_costs import calls
from .test_osc import Bridge, Voice, level, voice
from .waiting import SOON_S

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
pytestmark = pytest.mark.asyncio(loop_factories=["uvloop"])

PROBED = {"probe": ["/info"], "probe_s": 0.1, "timeout_s": 0.3}


class Desk(asyncio.DatagramProtocol):
    """A desk with values of its own: it answers questions, and `/info`, to whoever asks."""

    def __init__(self, values: dict[str, float]) -> None:
        self.values = values
        self.is_dumb = False
        self.held: list[Callable[[], None]] | None = None
        """Answers to questions that are kept back; None: they go at once."""
        self.lost = 0
        """So many questions more are lost."""
        self.loss: Callable[[], bool] = lambda: False
        """Whether this question is lost."""
        self.delay: Callable[[], float] = lambda: 0.0
        """How long this message is on its way, in seconds; none overtakes another."""
        self.heard: list[Message] = []
        self.news = asyncio.Event()
        self.closed = asyncio.Event()
        self._timers: list[asyncio.TimerHandle] = []
        self._line: deque[tuple[bytes, Any]] = deque()
        self._arrives_at = 0.0

    def connection_made(self, transport: Any) -> None:
        self._transport: Any = transport
        self.address: tuple[str, int] = transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, addr: Any) -> None:
        message = decode(data)
        assert isinstance(message, Message)
        self.heard.append(message)
        self.news.set()
        if self.is_dumb:
            return
        if message.address == "/info":
            self._transport.sendto(encode_message("/info", ("desk",)), addr)
        elif message.args:
            self.values[message.address] = float(message.args[0])
        elif self.lost or self.loss():
            self.lost = max(0, self.lost - 1)
        elif message.address in self.values:
            packet = encode_message(message.address, (self.values[message.address],))
            if self.held is None:
                self._send(packet, addr)
            else:
                self.held.append(lambda: self._send(packet, addr))

    @property
    def shown(self) -> str:
        return f"127.0.0.1:{self.address[1]}"

    def say(self, address: str, value: float, port: OscPort) -> None:
        """Its own hand."""
        self._send(encode_message(address, (value,)), ("127.0.0.1", port.udp_port))

    def _send(self, packet: bytes, goal: Any) -> None:
        loop = asyncio.get_running_loop()
        self._arrives_at = max(self._arrives_at, loop.time() + self.delay())
        if self._arrives_at <= loop.time() and not self._line:
            self._transport.sendto(packet, goal)
        else:
            self._line.append((packet, goal))  # uvloop rounds to 1 ms, so that timers may overtake each other
            self._timers.append(loop.call_at(self._arrives_at, lambda: self._transport.sendto(*self._line.popleft())))

    def let_go(self) -> None:
        """Send the answers that were kept back."""
        held, self.held = self.held or [], None
        for answer in held:
            answer()

    async def hears(self, *wanted: Message) -> None:
        """Return when all of these were heard."""
        async with asyncio.timeout(SOON_S):
            while not all(message in self.heard for message in wanted):
                self.news.clear()
                await self.news.wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()

    async def close(self) -> None:
        """Returns when the port is free."""
        for timer in self._timers:
            timer.cancel()
        self._transport.close()
        await self.closed.wait()


@asynccontextmanager
async def desk(udp_port: int = 0, **values: float) -> AsyncIterator[Desk]:
    made = {f"/{name}": value for name, value in values.items()}
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_datagram_endpoint(lambda: Desk(made), local_addr=("127.0.0.1", udp_port))
    try:
        yield protocol
    finally:
        await protocol.close()


async def state_is(bridge: Bridge, state: str, name: str = "max") -> None:
    """Return when the peer is in this state."""
    async with asyncio.timeout(SOON_S):
        while not bridge.states[name].startswith(f"{state}: "):
            await asyncio.sleep(0.005)


def marks(bridge: Bridge, mark: str = "silent") -> list[Any]:
    return [entry.marks.get(mark) for entry in bridge.store]


async def never(bridge: Bridge, within_s: float) -> None:
    """Let time go by in which the store stays as it is."""
    with pytest.raises(TimeoutError):
        await until(bridge.store, lambda: False, within_s)


@pytest.fixture
def bridge() -> Bridge:
    return Bridge(level(), level("/mark"))


@pytest.fixture
def at_info(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


# There, not there, there again


async def test_never_heard_first_heard_and_refused_are_told_apart(
    bridge: Bridge, at_info: pytest.LogCaptureFixture
) -> None:
    udp_port = free_udp_port()
    async with bridge.running(bridge.peer(send=[f"127.0.0.1:{udp_port}"])) as (port,):
        assert port.health()[0]["state"] == "connecting"
        assert port.health()[0]["text"].startswith("never heard; we listen on")
        assert marks(bridge) == [None, None]  # nobody knows
        bridge.set("/level", 0.5)
        await state_is(bridge, "silent")
        said = f"127.0.0.1:{udp_port}: host is up but nobody listens on UDP {udp_port}"
        assert said in bridge.states["max"]
        assert said in port.peer_lines()[0]
        assert port.health()[0]["state"] == "silent"
        assert (marks(bridge), marks(bridge, "awaited")) == ([None, None], ["max", "max"])
        bridge.set("/level", 0.75)  # the store still moves
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as max_:
            max_.bind(("127.0.0.1", udp_port))
            max_.sendto(encode_message("/level", (0.25,)), ("127.0.0.1", port.udp_port or 0))
            await bridge.reaches("/level", 0.25)
            await state_is(bridge, "online")
            assert bridge.states["max"].startswith("online: heard; we listen on")
            assert marks(bridge) == marks(bridge, "awaited") == [None, None]
    about_max = [message for message in at_info.messages if message.startswith("osc max")]
    assert about_max == [
        f"osc max {said.replace(': host', ': host', 1)}",
        f"osc max: first message, from 127.0.0.1:{udp_port}",
    ]


async def test_a_program_that_is_killed_and_restarted_is_pushed_to_when_it_speaks() -> None:
    bridge = Bridge(level(), Control(path="/hit", kind="bool", momentary=True))
    async with desk() as program, bridge.running(bridge.peer(send=[program.shown], on_connect="push")) as (port,):
        udp_port = program.address[1]
        program.say("/level", 0.25, port)
        await program.hears(Message("/level", (0.25,)), Message("/hit", (0,)))
        await program.close()
        bridge.set("/level", 0.5)
        await state_is(bridge, "silent")
        async with desk(udp_port) as again:
            again.say("/other", 1.0, port)
            await again.hears(Message("/level", (0.5,)), Message("/hit", (0,)))
            await state_is(bridge, "online")


async def test_a_program_that_only_listens_is_noticed_when_it_is_back(at_info: pytest.LogCaptureFixture) -> None:
    bridge = Bridge(level(), Control(path="/hit", kind="bool", momentary=True))
    udp_port = free_udp_port()
    peer = bridge.peer(send=[f"127.0.0.1:{udp_port}"], on_connect="push")
    async with bridge.running(peer):
        await state_is(bridge, "silent")  # what is pushed at start is refused
        assert (marks(bridge), marks(bridge, "awaited")) == ([None, None], ["max", "max"])
        async with voice_at(udp_port) as program:
            heard = [await asyncio.wait_for(program.packets.get(), SOON_S) for _ in range(3)]
            assert heard[0].startswith(b"#bundle")  # says nothing
            assert {decode(packet) for packet in heard[1:]} == {Message("/hit", (0,)), Message("/level", (0.0,))}
            await state_is(bridge, "connecting")
            assert marks(bridge, "awaited") == [None, None]
    assert f"osc max 127.0.0.1:{udp_port}: back, it takes again what is sent" in at_info.messages


@asynccontextmanager
async def voice_at(udp_port: int) -> AsyncIterator[Voice]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(Voice, local_addr=("127.0.0.1", udp_port))
    try:
        yield protocol
    finally:
        transport.close()


async def test_who_speaks_but_listens_elsewhere_is_told_so_and_does_not_flap(
    bridge: Bridge, at_info: pytest.LogCaptureFixture
) -> None:
    udp_port = free_udp_port()
    async with voice() as mouth, bridge.running(bridge.peer(send=[f"127.0.0.1:{udp_port}"])) as (port,):
        mouth.goal = ("127.0.0.1", port.udp_port or 0)
        for step in range(1, 8):
            bridge.set("/level", step / 8)
            async with asyncio.timeout(SOON_S):
                while "nobody listens" not in bridge.states["max"]:
                    await asyncio.sleep(0.005)
            mouth.send("/mark", step / 8)
            await bridge.reaches("/mark", step / 8)
        await state_is(bridge, "silent")
        assert "does it listen elsewhere?" in bridge.states["max"]
    assert sum("back" in message for message in at_info.messages) <= 1


async def test_a_desk_that_does_not_answer_is_silent_and_its_widgets_say_so(
    bridge: Bridge, at_info: pytest.LogCaptureFixture
) -> None:
    async with desk() as it, bridge.running(bridge.peer(send=[it.shown], **PROBED)) as (port,):
        await state_is(bridge, "online")
        assert marks(bridge) == [None, None]
        it.is_dumb = True
        await state_is(bridge, "silent")
        assert "nothing heard for 0.3 s, no answer to /info" in bridge.states["max"]
        assert port.health()[0]["state"] == "silent"
        assert marks(bridge) == ["max", "max"]
        it.is_dumb = False
        await state_is(bridge, "online")
        assert marks(bridge) == [None, None]
        assert port.health()[0]["unknown"] == 0  # the answer to the probe
    assert "osc max: silent: nothing heard for 0.3 s, no answer to /info" in at_info.messages
    assert f"osc max: back, heard from 127.0.0.1:{it.address[1]}" in at_info.messages


async def test_who_speaks_by_itself_is_missed_after_the_time_out(bridge: Bridge) -> None:
    async with desk() as it, bridge.running(bridge.peer(send=[it.shown], timeout_s=0.3)) as (port,):
        for step in range(1, 8):  # longer than the time-out, but never silent
            it.say("/level", step / 8, port)
            await bridge.reaches("/level", step / 8)
            assert bridge.states["max"].startswith("online: ")
            await asyncio.sleep(0.06)
        await state_is(bridge, "silent")
        assert marks(bridge) == ["max", "max"]


async def test_hello_and_keepalive_are_said_at_start_and_when_it_is_back() -> None:
    bridge = Bridge(level())
    says = {"hello": [["/hello", "me", 7]], "keepalive": ["/xremote"], "keepalive_s": 60.0}
    async with desk() as it, bridge.running(bridge.peer(send=[it.shown], **PROBED, **says)):
        await it.hears(Message("/hello", ("me", 7)), Message("/xremote", ()))
        await state_is(bridge, "online")
        it.is_dumb = True
        await state_is(bridge, "silent")
        it.heard.clear()
        it.is_dumb = False
        await it.hears(Message("/hello", ("me", 7)), Message("/xremote", ()))


async def test_a_keepalive_keeps_its_pace() -> None:
    bridge = Bridge(level())
    says = {"keepalive": ["/xremote"], "keepalive_s": 0.1}
    async with desk() as it, bridge.running(bridge.peer(send=[it.shown], **says)):
        times = []
        while len(times) < 4:
            await it.hears(Message("/xremote", ()))
            times.append(asyncio.get_running_loop().time())
            it.heard.clear()
        assert 0.25 < times[-1] - times[0] < 0.6


@pytest.mark.asyncio(loop_factories=["asyncio"])  # its resolver can be held up
async def test_a_name_that_is_not_found_for_long_does_not_keep_others_from_being_kept_alive(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, found = threading.Event(), threading.Event()

    def slow(*args: Any, **kwargs: Any) -> Any:
        asked.set()
        found.wait(SOON_S)
        raise socket.gaierror(socket.EAI_NONAME, "no such host")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    says = {"keepalive": ["/xremote"], "keepalive_s": 0.1}
    try:
        async with desk() as it, bridge.running(bridge.peer(send=[it.shown, "slow.invalid:9"], **says)) as (port,):
            async with asyncio.timeout(SOON_S):
                while not asked.is_set():
                    await asyncio.sleep(0.005)
            assert "slow.invalid:9: its name is being looked up" in port.peer_lines()[0]
            it.heard.clear()
            for _ in range(3):
                await it.hears(Message("/xremote", ()))
                it.heard.clear()
            assert not found.is_set()
            found.set()
    finally:
        found.set()


# Whose values win


def pulled(it: Desk, **settings: Any) -> dict[str, Any]:
    return {"send": [it.shown], "query": "address", **PROBED, **settings}


async def test_a_desk_is_asked_for_its_values_when_it_is_there_and_when_it_is_back(bridge: Bridge) -> None:
    async with desk(level=0.25, mark=0.5) as it, bridge.running(bridge.peer(**pulled(it))):
        await bridge.reaches("/level", 0.25)
        await bridge.reaches("/mark", 0.5)
        it.is_dumb = True
        await state_is(bridge, "silent")
        bridge.set("/level", 0.75)
        await it.hears(Message("/level", (0.75,)))
        it.values["/level"] = 0.125
        it.is_dumb = False
        await bridge.reaches("/level", 0.125)  # its values win
        assert it.values["/level"] == 0.125


async def test_who_can_be_asked_but_not_probed_is_asked_at_once(bridge: Bridge) -> None:
    async with desk(level=0.25, mark=0.5) as it, bridge.running(bridge.peer(send=[it.shown], query="address")):
        await bridge.reaches("/level", 0.25)
        await bridge.reaches("/mark", 0.5)


async def test_a_hands_move_during_a_pull_wins(bridge: Bridge) -> None:
    async with desk(level=0.25, mark=0.5) as it:
        it.held = []
        async with bridge.running(bridge.peer(**pulled(it))) as (port,):
            await it.hears(Message("/level", ()), Message("/mark", ()))
            bridge.set("/level", 0.75)
            await it.hears(Message("/level", (0.75,)))
            it.let_go()  # it was 0.25 when it was asked
            await bridge.reaches("/mark", 0.5)
            assert bridge.value("/level") == 0.75
            assert it.values["/level"] == 0.75
            assert port.health()[0]["asked"] == 0
            it.say("/level", 0.125, port)
            await bridge.reaches("/level", 0.125)  # its next move is its own


async def test_a_lost_question_is_asked_again_and_one_without_an_answer_is_named(
    bridge: Bridge, caplog: pytest.LogCaptureFixture
) -> None:
    async with desk(level=0.25) as it:
        it.lost = 2
        async with bridge.running(bridge.peer(**pulled(it))) as (port,):
            await bridge.reaches("/level", 0.25)
            async with asyncio.timeout(SOON_S):
                while not port.health()[0]["unanswered"]:
                    await asyncio.sleep(0.02)
    assert "osc max does not answer for 1 controls: /mark" in caplog.messages


async def test_a_subscription_that_has_ended_in_silence_is_noticed_and_renewed(
    bridge: Bridge, at_info: pytest.LogCaptureFixture
) -> None:
    says = {"keepalive": ["/xremote"], "keepalive_s": 60.0}
    async with desk(level=0.25, mark=0.5) as it, bridge.running(bridge.peer(**pulled(it, **says))):
        await bridge.reaches("/level", 0.25)
        await bridge.reaches("/mark", 0.5)
        await state_is(bridge, "online")
        it.heard.clear()
        it.values["/level"] = 0.75  # and nobody is told; the probe is answered as ever
        await bridge.reaches("/level", 0.75)
        await it.hears(Message("/xremote", ()))
    assert "osc max: it answers, but does not tell what moves there; it is asked for everything" in at_info.messages


async def test_a_desk_that_rounds_what_it_is_sent_has_missed_nothing(
    bridge: Bridge, at_info: pytest.LogCaptureFixture
) -> None:
    async with desk(level=0.25, mark=0.5) as it, bridge.running(bridge.peer(**pulled(it))):
        await bridge.reaches("/mark", 0.5)
        bridge.set("/level", 0.75)
        await it.hears(Message("/level", (0.75,)))
        it.values["/level"] = 0.7504
        await bridge.reaches("/level", pytest.approx(0.7504))
        with pytest.raises(TimeoutError):
            await until(bridge.store, lambda: False, 0.7)
    assert not any("it answers, but" in message for message in at_info.messages)


@pytest.mark.parametrize("seed", range(4))
async def test_hands_on_both_sides_of_a_pull_over_a_bad_link_agree_after_quiet(seed: int) -> None:
    rng = Random(seed)
    paths = [f"/v{n}" for n in range(40)]
    bridge = Bridge(*(level(path) for path in paths))
    loop = asyncio.get_running_loop()
    async with desk(**{f"v{n}": rng.randrange(64) / 64 for n in range(40)}) as it:
        it.loss = lambda: rng.random() < 0.2
        it.delay = lambda: rng.uniform(0, 0.03)
        quick = {"probe_s": 0.5, "timeout_s": 5.0, "echo_window_ms": 200}
        async with bridge.running(bridge.peer(**pulled(it, **quick))) as (port,):
            ours: dict[str, float] = {}
            theirs: set[str] = set()
            until_s = loop.time() + 0.4
            while loop.time() < until_s:
                path, value = rng.choice(paths), rng.randrange(64) / 64
                if rng.random() < 0.5:
                    if bridge.value(path) != value:  # else nothing is moved, and the desk's value wins
                        ours[path] = value
                    bridge.set(path, value)
                else:
                    theirs.add(path)
                    it.values[path] = value
                    it.say(path, value, port)
                await asyncio.sleep(rng.uniform(0, 0.01))
            async with asyncio.timeout(SOON_S):
                while port.health()[0]["asked"] or any(bridge.value(path) != it.values[path] for path in paths):
                    await asyncio.sleep(0.02)
            assert [path for path in ours.keys() - theirs if bridge.value(path) != ours[path]] == []


async def test_hundreds_of_values_are_pulled_few_at_a_time() -> None:
    bridge = Bridge(*(level(f"/v{n}") for n in range(400)))
    async with desk(**{f"v{n}": n / 400 for n in range(400)}) as it, bridge.running(bridge.peer(**pulled(it))):
        await bridge.reaches("/v399", pytest.approx(399 / 400))
        assert all(bridge.value(f"/v{n}") == pytest.approx(n / 400) for n in range(400))
        asked = [message.address for message in it.heard if not message.args and message.address != "/info"]
        assert sorted(asked[:400]) == sorted(it.values)  # each once; then the audit begins


async def test_after_our_own_port_was_away_the_desk_is_asked_again(bridge: Bridge) -> None:
    async with desk(level=0.25, mark=0.5) as it:
        (port,) = bridge.ports(bridge.peer(**pulled(it)))
        async with served(port):
            await bridge.reaches("/level", 0.25)
        assert bridge.states["max"].startswith("offline: heard; our UDP port is not open")
        assert marks(bridge) == ["max", "max"]
        bridge.set("/level", 0.75)
        it.values["/level"] = 0.125
        async with served(port):
            await bridge.reaches("/level", 0.125)
            assert marks(bridge) == [None, None]


async def test_after_our_own_port_was_away_a_controller_is_pushed_to(bridge: Bridge) -> None:
    async with desk() as it:
        peer = bridge.peer(send=[it.shown], on_connect="push")
        (port,) = bridge.ports(peer)
        async with served(port):
            await it.hears(Message("/level", (0.0,)), Message("/mark", (0.0,)))  # at start, though never heard
        bridge.set("/level", 0.75)
        it.heard.clear()
        async with served(port):
            await it.hears(Message("/level", (0.75,)), Message("/mark", (0.0,)))


async def test_who_speaks_while_we_start_is_taken_for_itself_and_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    bridge = Bridge(level(), level("/kept", default=0.9), level("/mark"))
    async with voice() as program:

        async def open_and_be_spoken_to(listen: Endpoint) -> socket.socket:
            sock = await open_socket(listen)
            program.goal = sock.getsockname()
            program.send("/level", 0.5)
            return sock

        monkeypatch.setattr("bridge.osc.udp.open_socket", open_and_be_spoken_to)
        async with bridge.running(bridge.peer(send=[program.shown], on_connect="none")):
            await bridge.reaches("/level", 0.5)
            program.send("/level", 0.25)
            await bridge.reaches("/level", 0.25)
            assert await program.hears_nothing_before(bridge, "/mark") == []


async def test_a_peer_that_was_never_heard_is_sent_nothing_at_start(bridge: Bridge) -> None:
    bridge.store.add(Control(path="/hit", kind="bool", momentary=True), now=0.0)
    async with bridge.with_max() as (_, max_):
        assert await max_.hears_nothing_before(bridge, "/mark") == []


async def test_who_is_learnt_is_greeted_as_it_speaks() -> None:
    bridge = Bridge(level(), Control(path="/hit", kind="bool", momentary=True))
    async with desk() as it, bridge.running(bridge.peer(send="last", hello=[["/hello"]], on_connect="push")) as (port,):
        it.say("/level", 0.5, port)
        await it.hears(Message("/hello", ()), Message("/level", (0.5,)), Message("/hit", (0,)))


async def test_a_press_that_is_the_first_message_is_not_answered_by_rest() -> None:
    bridge = Bridge(Control(path="/hit", kind="bool", momentary=True), level("/mark"))
    async with bridge.with_max() as (_, max_):
        max_.send("/hit", 1)
        await bridge.reaches("/hit", True)
        assert await max_.hears_nothing_before(bridge, "/mark") == []


async def test_one_silent_peer_of_two_leaves_the_widget_alone(bridge: Bridge) -> None:
    gone = free_udp_port()
    async with voice() as here:
        peers = [bridge.peer("Live", send=[f"127.0.0.1:{gone}"]), bridge.peer("max", send=[here.shown])]
        async with bridge.running(*peers):
            bridge.set("/level", 0.5)
            await state_is(bridge, "silent", "Live")
            assert marks(bridge) == [None, None]


async def test_a_target_that_is_refused_makes_the_others_messages_cost_little_more(bridge: Bridge) -> None:
    gone = free_udp_port()
    async with voice() as here, bridge.running(bridge.peer(send=[here.shown, f"127.0.0.1:{gone}"])) as (port,):
        here.goal = ("127.0.0.1", port.udp_port or 0)
        here.send("/level", 0.5)
        await bridge.reaches("/level", 0.5)  # told to the other, which refuses
        async with asyncio.timeout(SOON_S):
            while "nobody listens" not in bridge.states["max"]:
                await asyncio.sleep(0.005)
        receive, packet = port._receiver.receive, encode_message("/level", (0.5,))  # what we have: nothing is sent
        receive(packet, here.address)
        assert calls(lambda: receive(packet, here.address)) <= 40


async def test_a_busy_port_of_ours_marks_what_it_would_have_carried(bridge: Bridge) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as squatter:
        squatter.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{squatter.getsockname()[1]}"
        (port,) = bridge.ports(bridge.peer(listen=listen, send=["127.0.0.1:9"]))
        with pytest.raises(Exception, match="is taken"):
            await port.serve(lambda: None)
        assert marks(bridge) == ["max", "max"]


# Sent is not arrived


async def test_sent_confirmed_and_silent_are_told_apart() -> None:
    bridge = Bridge(*(level(f"/{name}") for name in ("echoed", "moved", "lost", "still", "late")))
    async with bridge.with_max(echo_window_ms=20, probe=["/info"], probe_s=0.2, timeout_s=0.5) as (port, max_):
        handle = port.peer("max")
        assert handle is not None
        for path in ("/echoed", "/moved", "/lost"):
            bridge.set(path, 0.5)
        await never(bridge, 0.05)  # what crosses ours on the wire says nothing
        max_.send("/echoed", 0.5)
        max_.send("/moved", 0.25)
        await bridge.reaches("/moved", 0.25)
        assert handle.reach == {
            "/echoed": "confirmed", "/moved": "confirmed", "/lost": "sent", "/still": "unsent", "/late": "unsent"
        }  # fmt: skip
        bridge.set("/echoed", 0.75)
        assert handle.reach["/echoed"] == "sent"
        await state_is(bridge, "silent")
        assert set(handle.reach.values()) == {"silent"}


async def test_what_a_desk_has_answered_is_confirmed_though_it_was_sent_nothing(bridge: Bridge) -> None:
    async with desk(level=0.25, mark=0.0) as it, bridge.running(bridge.peer(**pulled(it))) as (port,):
        await bridge.reaches("/level", 0.25)
        async with asyncio.timeout(SOON_S):
            while port.health()[0]["asked"] or port.health()[0]["received"] < 3:
                await asyncio.sleep(0.005)
        assert bridge.value("/mark") == 0.0  # as it was here
        handle = port.peer("max")
        assert handle is not None
        assert handle.reach == {"/level": "confirmed", "/mark": "confirmed"}
        bridge.set("/mark", 1.0)
        assert handle.reach["/mark"] == "sent"
        assert handle.reach["/level"] == "confirmed"


async def test_what_came_in_a_bundle_is_confirmed_though_it_was_sent_nothing(bridge: Bridge) -> None:
    async with bridge.with_max() as (port, max_):
        max_.send_raw(encode_bundle(1, [encode_message("/level", (0.25,)), encode_message("/mark", (0.0,))]))
        await bridge.reaches("/level", 0.25)
        handle = port.peer("max")
        assert handle is not None
        assert handle.reach == {"/level": "confirmed", "/mark": "confirmed"}
