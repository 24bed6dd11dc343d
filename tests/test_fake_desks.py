"""The fake desk and the fake QLab themselves: they have the habits that our port is tested against."""

import asyncio
import contextlib
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from .fakes import qlab as fake_qlab
from .fakes.qlab import WORKSPACE, QLab, opened_workspace
from .fakes.x32 import X32, XAIR, Desk, Model, switched_on
from .peers import free_udp_port
from .programs import xair, xair_reads
from .waiting import SOON_S

FADER, NAME, ON = "/ch/01/mix/fader", "/ch/01/config/name", "/ch/01/mix/on"


class App(asyncio.DatagramProtocol):
    """A remote-control program: python-osc's packets over one UDP socket."""

    def __init__(self) -> None:
        self.packets: asyncio.Queue[bytes] = asyncio.Queue()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.port: int = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.packets.put_nowait(data)

    def say(self, address: str, *args: Any) -> None:
        self.transport.sendto(packed(address, *args), ("127.0.0.1", self.goal))

    async def hear(self) -> tuple[str, list[Any]]:
        packet = await asyncio.wait_for(self.packets.get(), SOON_S)
        if not packet.startswith(b"/"):
            end = packet.index(b"\0")
            return packet[:end].decode(), [packet[packet.index(b",s") + 4 :].rstrip(b"\0").decode()]
        message = OscMessage(packet)
        return message.address, list(message.params)

    async def hears_only(self, address: str, *args: Any) -> None:
        """The next that it hears is this, and it has not heard anything else."""
        assert await self.hear() == (address, list(args))
        assert self.packets.empty()

    goal = 0


def packed(address: str, *args: Any) -> bytes:
    builder = OscMessageBuilder(address)
    for arg in args:
        builder.add_arg(arg)
    return builder.build().dgram


@asynccontextmanager
async def app(goal: int, port: int = 0) -> AsyncIterator[App]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(App, local_addr=("127.0.0.1", port))
    protocol.goal = goal
    try:
        yield protocol
    finally:
        transport.close()


# ---------------------------------------------------------------------------------- the desk


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with switched_on() as one:
        yield one


async def test_an_address_without_arguments_is_a_question(desk: Desk) -> None:
    desk.values[FADER] = 0.75
    async with app(desk.udp_port) as foh:
        foh.say(FADER)
        assert await foh.hear() == (FADER, [0.75])
        foh.say("/no/such/thing")
        foh.say("/info")
        await foh.hears_only("/info", "V2.07", "osc-server", "X32", "4.06")


async def test_a_set_is_told_to_the_other_subscribers_and_not_to_the_setter(desk: Desk) -> None:
    async with app(desk.udp_port) as foh, app(desk.udp_port) as stage:
        foh.say("/xremote")
        stage.say("/xremote")
        foh.say(NAME, "Anna and the whole choir")
        await stage.hears_only(NAME, "Anna and the")
        desk.move(FADER, 0.25)
        await stage.hears_only(FADER, 0.25)
        await foh.hears_only(FADER, 0.25)


async def test_a_subscription_ends_in_silence() -> None:
    async with switched_on(subscription_s=0.2) as desk, app(desk.udp_port) as foh:
        foh.say("/xremote")
        await desk.reaches(lambda: bool(desk.subscribers))
        desk.move(FADER, 0.5)
        assert await foh.hear() == (FADER, [0.5])
        until = desk.subscribers["127.0.0.1", foh.port]
        await asyncio.sleep(until - asyncio.get_running_loop().time())
        desk.move(FADER, 0.75)
        foh.say("/status")
        await foh.hears_only("/status", "active", "127.0.0.1", "desk")


@pytest.mark.parametrize(("model", "room"), [(X32, 4), (XAIR, 8)])
async def test_one_subscriber_too_many_is_not_told_that_there_is_no_room(model: Model, room: int) -> None:
    async with switched_on(model) as desk:
        apps = [app(desk.udp_port) for _ in range(room + 1)]
        several = [await one.__aenter__() for one in apps]
        try:
            for each in several:
                each.say("/xremote")
                each.say(ON)
                assert await each.hear() == (ON, [0])
            desk.move(ON, 1)
            for each in several[:-1]:
                await each.hears_only(ON, 1)
            several[-1].say(FADER)
            await several[-1].hears_only(FADER, 0.0)
        finally:
            for one in apps:
                await one.__aexit__(None, None, None)


async def test_a_number_of_the_wrong_type_is_stored_as_the_bytes_that_it_has(desk: Desk) -> None:
    async with app(desk.udp_port) as foh:
        foh.say(FADER, 1)
        await desk.shows(FADER, struct.unpack(">f", b"\0\0\0\1")[0])
        foh.say(ON, 1.0)
        await desk.shows(ON, 0x3F800000)
        foh.say(FADER, "loud")
        foh.say(FADER, 0.30001)
        await desk.reaches(lambda: desk.values[FADER] == pytest.approx(307 / 1023))
        foh.say(ON, 7)
        await desk.shows(ON, 1)


async def test_a_node_is_told_in_words_without_a_leading_slash(desk: Desk) -> None:
    desk.values |= {NAME: "Anna", "/ch/01/config/color": 3, FADER: 0.75, ON: 1, "/ch/01/mix/pan": 0.5}
    async with app(desk.udp_port) as foh:
        foh.say("/node", "ch/01/config")
        assert await foh.hear() == ("node", ['/ch/01/config "Anna" YE\n'])
        foh.say("/node", "/ch/01/mix")
        assert await foh.hear() == ("node", ["/ch/01/mix +0.0 ON +0\n"])


async def test_meters_are_blobs_and_stop_by_themselves() -> None:
    async with switched_on(subscription_s=0.1) as desk, app(desk.udp_port) as foh:
        desk.values[FADER] = 0.5
        foh.say("/meters", "/meters/1")
        address, (blob,) = await foh.hear()
        assert (address, struct.unpack_from("<if", blob)) == ("/meters/1", (32, 0.5))
        await desk.reaches(lambda: not desk.is_metering)
        assert foh.packets.qsize() < 4


async def test_a_desk_that_is_switched_off_and_on_has_its_values_and_no_subscribers(desk: Desk) -> None:
    async with app(desk.udp_port) as foh:
        foh.say("/xremote")
        foh.say(ON, 1)
        await desk.shows(ON, 1)
        port = desk.udp_port
        await desk.switch_off()
        await desk.switch_on()
        assert desk.udp_port == port
        assert not desk.subscribers
        foh.say(ON)
        await foh.hears_only(ON, 1)


@pytest.mark.parametrize(("model", "kind", "main"), [(X32, "X32", "mainst"), (XAIR, "XR18", "lr")])
async def test_somebody_elses_remote_control_takes_it_for_a_desk(model: Model, kind: str, main: str) -> None:
    def drive(remote: Any) -> None:
        strip, out = remote.strip[0], getattr(remote, main)
        strip.mix.fader, out.mix.fader = 0.0, -10.0  # dB
        strip.mix.on, strip.config.name, strip.config.color = True, "Anna", 3

    async with switched_on(model) as desk, xair(kind, desk.udp_port) as remote:
        await asyncio.to_thread(drive, remote)
        await xair_reads(lambda: remote.strip[0].mix.fader, 0.0)
        await xair_reads(lambda: getattr(remote, main).mix.fader, -10.0)
        await xair_reads(lambda: remote.strip[0].mix.on, True)
        await xair_reads(lambda: remote.strip[0].config.name, "Anna")
        await xair_reads(lambda: remote.strip[0].config.color, 3)
        assert desk.values[FADER] == pytest.approx(0.75, abs=1 / 1023)
        assert desk.values[f"{model.main}/mix/fader"] == pytest.approx(0.5, abs=1 / 1023)


# ---------------------------------------------------------------------------------- QLab


@pytest.fixture
async def qlab() -> AsyncIterator[QLab]:
    async with opened_workspace({"1": {"name": "Rain", "sliderLevel/0": -12.0}}, "1234", free_udp_port()) as one:
        yield one


def said(reply: tuple[str, list[Any]]) -> tuple[str, Any, str]:
    """(address of the reply, data, status)"""
    address, (text,) = reply
    inside = json.loads(text)
    assert address == "/reply" + inside["address"]
    assert inside["workspace_id"] == WORKSPACE
    return inside["address"], inside.get("data"), inside["status"]


async def test_on_udp_qlab_replies_only_to_the_one_port(qlab: QLab) -> None:
    async with app(qlab.port) as elsewhere, app(qlab.port, qlab.reply_port) as right:
        elsewhere.say("/version")
        assert said(await right.hear()) == ("/version", "5.4.1", "ok")
        assert elsewhere.packets.empty()


async def test_qlab_denies_everything_before_the_passcode(qlab: QLab) -> None:
    async with app(qlab.port, qlab.reply_port) as show:
        show.say("/cue/1/name")
        assert said(await show.hear()) == ("/cue/1/name", None, "denied")
        show.say("/connect", "4321")
        assert said(await show.hear()) == ("/connect", "badpass", "ok")
        show.say(f"/workspace/{WORKSPACE}/connect", "1234")
        assert said(await show.hear())[1:] == ("ok:view|edit|control", "ok")
        show.say("/cue/1/name")
        assert said(await show.hear()) == ("/cue/1/name", "Rain", "ok")
        show.say("/cue/9/name")
        assert said(await show.hear()) == ("/cue/9/name", None, "error")


async def test_a_set_is_answered_on_wish_and_a_change_told_without_its_value(qlab: QLab) -> None:
    async with app(qlab.port, qlab.reply_port) as show:
        show.say("/connect", "1234")
        await show.hear()
        show.say("/cue/1/sliderLevel/0", -6)
        show.say("/updates", 1)
        await qlab.reaches(lambda: any(client.wants_updates for client in qlab.clients))
        assert show.packets.empty()
        assert qlab.cues["1"]["sliderLevel/0"] == -6
        show.say("/alwaysReply", 1)
        assert said(await show.hear()) == ("/alwaysReply", None, "ok")
        qlab.change("1", "name", "Storm")
        assert await show.hear() == (f"/update/workspace/{WORKSPACE}/cue_id/1", [])
        show.say("/cue/1/start")
        assert said(await show.hear()) == ("/cue/1/start", None, "ok")
        assert qlab.started == ["1"]


async def test_a_silent_udp_client_is_forgotten_and_thump_keeps_it() -> None:
    workspace = opened_workspace({"1": {"name": "Rain"}}, "", free_udp_port(), forget_udp_s=0.2)
    async with workspace as qlab, app(qlab.port, qlab.reply_port) as show:
        show.say("/updates", 1)
        for _ in range(3):
            await asyncio.sleep(0.1)
            show.say("/thump")
            assert said(await show.hear()) == ("/thump", "thump", "ok")
        assert len(qlab.clients) == 1
        while qlab.clients:
            await asyncio.sleep(0.02)
        qlab.change("1", "name", "Storm")
        show.say("/version")
        assert said(await show.hear()) == ("/version", "5.4.1", "ok")
        assert show.packets.empty()


async def test_qlab_speaks_slip_over_tcp_and_breaks_every_connection_when_it_quits(qlab: QLab) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", qlab.port)
    try:
        qlab.cues["1"]["name"] = name = "größer"
        both = fake_qlab.framed(packed("/connect", "1234")) + fake_qlab.framed(packed("/cue/1/name"))
        writer.write(both[:9])
        await writer.drain()
        writer.write(both[9:])
        frames, packets = fake_qlab.Frames(), []
        while len(packets) < 2:
            packets += frames.feed(await asyncio.wait_for(reader.read(4096), SOON_S))
        assert said((OscMessage(packets[1]).address, OscMessage(packets[1]).params)) == ("/cue/1/name", name, "ok")
        await qlab.quit()
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(1), SOON_S) == b""
    finally:
        writer.close()
    await qlab.open()
    assert not qlab.clients


def test_the_escapes_of_slip_undo_each_other() -> None:
    nasty = b"\xdb\xdc\xc0\xdb\xdd\xc0\xdb"
    assert fake_qlab.Frames().feed(fake_qlab.framed(nasty)) == [nasty]
