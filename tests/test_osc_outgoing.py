"""What leaves to peers with a limit, in bundles, or to another port than was spoken from: over real sockets."""

import asyncio
import time
from random import Random
from typing import Any

import pytest
import uvloop

from bridge.control import Control
from bridge.osc.codec import IMMEDIATELY, Bundle, Message, TimeTag, decode, encode_bundle, encode_message, messages

from .fakes.echoing import echoing_device, seven_bits
from .port_contract import BROWSER
from .test_osc import Bridge, Voice, level, voice
from .test_osctcp import started
from .waiting import SOON_S

LOOPS = {"uvloop": uvloop.new_event_loop}
pytestmark = pytest.mark.asyncio(loop_factories=["uvloop"])


@pytest.fixture
def bridge() -> Bridge:
    return Bridge(level(), level("/mark"))


async def packets(one: Voice, count: int) -> list[tuple[float, bytes]]:
    """(when it came, packet)"""
    return [(await asyncio.wait_for(one.packets.get(), SOON_S), time.monotonic())[::-1] for _ in range(count)]


def unpacked(packet: bytes) -> list[Message]:
    found = decode(packet)
    return [message for _, message in messages(found)] if isinstance(found, Bundle) else [found]


# ---------------------------------------------------------------------------------- pace


@pytest.mark.parametrize("is_bundle", [False, True])
async def test_a_report_from_before_a_move_that_has_not_left_yet_does_not_undo_it(
    bridge: Bridge, is_bundle: bool
) -> None:
    def report(value: float) -> bytes:
        message = encode_message("/level", (value,))
        return encode_bundle(IMMEDIATELY, (message,)) if is_bundle else message

    async with bridge.with_max(rate=100) as (port, max_):
        bridge.set("/level", 1.0)
        port._receiver.receive(report(0.25), max_.address)
        assert bridge.value("/level") == 1.0
        assert await max_.hear() == Message("/level", (1.0,))
        port._receiver.receive(report(0.5), max_.address)  # it has had time to hear, and somebody moves it there
        assert bridge.value("/level") == 0.5
        port.push(port._peers[0])
        port._receiver.receive(encode_message("/mark", (0.75,)), max_.address)  # owed, but nobody has moved it
        assert bridge.value("/mark") == 0.75


@pytest.mark.alone
async def test_a_burst_leaves_as_fast_as_the_limit_allows_each_latest_value_once_in_the_order_of_last_change() -> None:
    bridge = Bridge(*(level(f"/c/{n}") for n in range(400)))
    rng = Random(5)
    async with bridge.with_max(rate=1000) as (port, max_):
        last: dict[str, float] = {}
        for step in range(1, 1001):
            path = f"/c/{rng.randrange(400)}"
            last.pop(path, None)
            last[path] = step / 1000
            bridge.set(path, last[path])
        began = time.monotonic()
        heard = await packets(max_, len(last))
        assert [unpacked(data) for _, data in heard] == [
            [Message(path, (pytest.approx(value),))] for path, value in last.items()
        ]
        took_s = heard[-1][0] - began
        assert took_s >= (len(last) - 20) / 1000 - 0.005  # 20 are 20 ms worth, which may leave at once
        assert took_s < 5  # on a busy machine; in virtual time see test_oscpace
        for at, _ in heard:
            assert sum(at <= other < at + 0.1 for other, _ in heard) <= 1000 * 0.1 + 20 + 40  # and late timers
        assert port.health()[0]["waiting"] == 0
        assert max_.packets.empty()


@pytest.mark.parametrize(("limit", "slice_"), [({"rate": 100_000}, 256), ({"control_rate": 1000}, 32)], ids=str)
async def test_who_has_said_what_it_can_take_is_sent_as_much_in_one_go(limit: dict[str, Any], slice_: int) -> None:
    bridge = Bridge(*(level(f"/c/{n}") for n in range(1000)))
    async with bridge.with_max(**limit) as (port, _):
        for n in range(1000):
            bridge.set(f"/c/{n}", 0.5)
        port._out.flush()
        assert port.health()[0]["sent"] == slice_


async def test_a_fader_is_sent_at_its_own_rate_and_its_last_value_always(bridge: Bridge) -> None:
    async with bridge.with_max(control_rate=20) as (_, max_):
        began = time.monotonic()
        for step in range(1, 101):
            bridge.set("/level", step / 100)
            await asyncio.sleep(0.004)
        took_s = time.monotonic() - began
        heard = []
        while not heard or heard[-1].args != (1.0,):
            heard.append(await max_.hear())
        assert 3 <= len(heard) <= took_s * 20 + 2
        bridge.set("/mark", 0.5)
        assert await max_.hear() == Message("/mark", (0.5,))  # another control is not kept waiting


async def test_a_tap_within_one_turn_reaches_a_peer_with_a_limit(bridge: Bridge) -> None:
    bridge.store.add(Control(path="/hit", kind="bool", momentary=True), now=0.0)
    async with bridge.with_max(rate=50) as (_, max_):
        for value in (True, False, True, False):
            bridge.set("/hit", value)
        assert [message.args for message in await max_.hear_all(4)] == [(1,), (0,), (1,), (0,)]


async def test_a_release_that_waits_when_we_stop_still_leaves(bridge: Bridge) -> None:
    bridge.store.add(Control(path="/hit", kind="bool", momentary=True), now=0.0)
    async with voice() as max_:
        async with bridge.running(bridge.peer(send=[max_.shown], rate=1)):
            bridge.set("/hit", True)
            assert await max_.hear() == Message("/hit", (1,))
            bridge.set("/level", 0.5)
            bridge.set("/hit", False)
        assert await max_.hear() == Message("/hit", (0,))


async def test_a_trigger_is_not_kept_waiting_by_a_refresh_and_follows_the_value_that_it_is_about() -> None:
    bridge = Bridge(*(level(f"/c/{n}") for n in range(300)), Control(path="/go", kind="trigger"))
    async with bridge.with_max(rate=100) as (_, max_):
        max_.send("/stagebridge/refresh")
        await max_.hear()
        bridge.set("/c/299", 0.5)
        bridge.store.trigger(bridge.store.get("/go"), ("now",), BROWSER, time.monotonic())
        heard = [await max_.hear()]
        while heard[-1].address != "/go":
            heard.append(await max_.hear())
        assert heard[-2:] == [Message("/c/299", (0.5,)), Message("/go", ("now",))]
        assert len(heard) < 100


async def test_a_peer_with_a_limit_that_echoes_in_seven_bits_agrees_after_quiet(bridge: Bridge) -> None:
    async with echoing_device() as device:
        shown = "{}:{}".format(*device.address)
        async with bridge.running(bridge.peer(send=[shown], rate=100, control_rate=15)) as (port,):
            device.goal = ("127.0.0.1", port.udp_port or 0)
            for step in range(1, 41):
                bridge.set("/level", 0.9011 * step / 40)
                await asyncio.sleep(0.005)
            assert {change.origin for change in bridge.changes} == {BROWSER}
            await bridge.reaches("/level", pytest.approx(seven_bits(0.9011)))
            assert device.values["/level"] == pytest.approx(bridge.value("/level"))
            assert len(device.heard) < 20


async def test_what_waits_is_not_sent_to_a_peer_that_has_moved_it_meanwhile(bridge: Bridge) -> None:
    async with bridge.with_max(control_rate=10) as (port, max_):
        bridge.set("/level", 0.25)
        assert await max_.hear() == Message("/level", (0.25,))
        bridge.set("/level", 0.5)
        max_.send("/level", 0.75)
        await bridge.reaches("/level", 0.75)
        assert port.health()[0]["waiting"] == 0


async def test_a_limit_holds_for_questions_too() -> None:
    bridge = Bridge(*(level(f"/c/{n}") for n in range(60)))
    async with bridge.with_max(rate=200, query="address") as (_, max_):
        max_.send("/c/0", 0.5)  # it is there: it is asked for all its values
        began = time.monotonic()
        for _ in range(60):
            max_.send((await max_.hear()).address, 0.25)
        assert time.monotonic() - began >= (60 - 5) / 200
        await bridge.reaches("/c/59", 0.25)


async def test_a_limit_holds_for_answers_too() -> None:
    bridge = Bridge(*(level(f"/c/{n}") for n in range(100)))
    async with bridge.with_max(rate=500) as (_, max_), voice() as other:
        other.goal = max_.goal
        other.send("/stagebridge/refresh")
        began = time.monotonic()
        heard = await packets(other, 100)
        assert heard[-1][0] - began >= (100 - 10) / 500 - 0.005


# ---------------------------------------------------------------------------------- bundles


async def test_what_changes_in_one_turn_goes_as_one_bundle(bridge: Bridge) -> None:
    bridge.store.add(Control(path="/go", kind="trigger"), now=0.0)
    async with bridge.with_max(bundles=True) as (_, max_):
        bridge.set("/level", 0.25)
        bridge.set("/mark", 0.5)
        bridge.set("/level", 0.75)
        bridge.store.trigger(bridge.store.get("/go"), (), BROWSER, time.monotonic())
        packet = decode(await asyncio.wait_for(max_.packets.get(), SOON_S))
        parts = (Message("/mark", (0.5,)), Message("/level", (0.75,)), Message("/go", (1,)))
        assert packet == Bundle(TimeTag(IMMEDIATELY), parts)
        bridge.set("/level", 0.5)
        assert decode(await asyncio.wait_for(max_.packets.get(), SOON_S)) == Message("/level", (0.5,))


async def test_no_bundle_is_longer_than_the_peers_datagrams() -> None:
    bridge = Bridge(*(level(f"/c/{n}") for n in range(500)), Control(path="/text", kind="string"))
    async with bridge.with_max(bundles=True, datagram_bytes=400) as (_, max_):
        for n in range(500):
            bridge.set(f"/c/{n}", (n + 1) / 500)
            if n == 250:
                bridge.set("/text", "x" * 600)  # longer than any bundle: it goes alone
        heard: list[Message] = []
        sizes = []
        while len(heard) < 501:
            data = await asyncio.wait_for(max_.packets.get(), SOON_S)
            sizes.append(len(data))
            heard += unpacked(data)
        assert [size for size in sizes if size > 400] == [len(encode_message("/text", ("x" * 600,)))]
        assert len(sizes) < 40
        assert [message.address for message in heard if message.address != "/text"] == [f"/c/{n}" for n in range(500)]


async def test_bundles_go_over_tcp_too(bridge: Bridge) -> None:
    async with started("tcp-slip") as one:
        peer = bridge.peer(transport="tcp-slip", send=[one.shown], bundles=True)
        async with bridge.running(peer):
            stream = await one.stream()
            bridge.set("/level", 0.25)
            bridge.set("/mark", 0.5)
            parts = [Message("/level", (0.25,)), Message("/mark", (0.5,))]
            assert unpacked(await asyncio.wait_for(stream.packet(), SOON_S)) == parts


# ---------------------------------------------------------------------------------- where to, and when


async def test_the_last_sender_is_answered_at_the_reply_port(bridge: Bridge) -> None:
    async with voice() as speaking, voice() as listening:
        peer = bridge.peer(send="last", reply_port=listening.address[1])
        async with bridge.running(peer) as (port,):
            speaking.goal = ("127.0.0.1", port.udp_port or 0)
            speaking.send("/level", 0.25)
            await bridge.reaches("/level", 0.25)
            bridge.set("/level", 0.5)
            assert await listening.hear() == Message("/level", (0.5,))
            speaking.send("/mark")
            assert await listening.hear() == Message("/mark", (0.0,))
            speaking.send("/level", 0.75)  # known by now, and it does not go back
            await bridge.reaches("/level", 0.75)
            assert await listening.hears_nothing_before(bridge, "/mark") == []
            assert speaking.packets.empty()
            assert port.health()[0]["targets"] == [listening.shown]


async def test_a_question_is_answered_at_the_reply_port_alone(bridge: Bridge) -> None:
    async with voice() as speaking, voice() as listening:
        peer = bridge.peer(send=[listening.shown], reply_port=listening.address[1])
        async with bridge.running(peer) as (port,):
            speaking.goal = ("127.0.0.1", port.udp_port or 0)
            speaking.send("/level")
            assert await listening.hear() == Message("/level", (0.0,))
            assert await listening.hears_nothing_before(bridge, "/mark") == []
            assert speaking.packets.empty()


@pytest.mark.parametrize(("setting", "waits"), [("honour", True), ("ignore", False)])
async def test_time_tags_are_honoured_or_ignored(bridge: Bridge, setting: str, waits: bool) -> None:
    async with bridge.with_max(time_tags=setting) as (port, max_):
        due = TimeTag.from_unix(time.time() + 0.1)
        max_.send_raw(encode_bundle(due, [encode_message("/level", [0.5])]))
        max_.send("/mark", 1.0)
        await bridge.reaches("/mark", 1.0)
        assert (bridge.value("/level") == 0.5) is not waits
        await bridge.reaches("/level", 0.5)
        far = TimeTag.from_unix(time.time() + 60)
        max_.send_raw(encode_bundle(far, [encode_message("/level", [0.25])]))
        await bridge.reaches("/level", 0.25)
        assert port.health()[0]["early_bundles"] == int(waits)


async def test_a_broadcast_reaches_all_at_one_port(bridge: Bridge) -> None:
    loop = asyncio.get_running_loop()
    transport, here = await loop.create_datagram_endpoint(Voice, local_addr=("127.255.255.255", 0))
    try:
        async with bridge.running(bridge.peer(send=[f"127.255.255.255:{here.address[1]}"], listen="0.0.0.0:0")):
            bridge.set("/level", 0.5)
            assert await here.hear() == Message("/level", (0.5,))
    finally:
        transport.close()
