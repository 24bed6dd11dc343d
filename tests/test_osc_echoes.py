"""Programs that send back what they get, over real sockets: nothing jumps, all agree, nothing answers itself."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
import uvloop

from bridge.control import PANIC, Control
from bridge.osc.codec import Message
from bridge.osc.port import OscPort
from bridge.store import Change, Origin

from .fakes.echoing import STEPS, EchoingDevice, echoing_device, seven_bits
from .peers import free_udp_port
from .port_contract import BROWSER, until
from .programs import Page
from .test_osc import Bridge, Voice, level, voice
from .waiting import SOON_S

LOOPS = {"uvloop": uvloop.new_event_loop}
pytestmark = pytest.mark.asyncio(loop_factories=["uvloop"])

FRAME_S = 1 / 60
SHORT = {"echo_window_ms": 60}


@asynccontextmanager
async def with_device(bridge: Bridge, **settings: Any) -> AsyncIterator[EchoingDevice]:
    async with echoing_device() as device:
        peer = bridge.peer(send=["{}:{}".format(*device.address)], **settings)
        async with bridge.running(peer) as (port,):
            device.goal = ("127.0.0.1", port.udp_port or 0)
            yield device


async def drag(bridge: Bridge, first: float, last: float, moves: int) -> list[Change]:
    """A finger at 60 Hz; returns what the store has told meanwhile."""
    start = len(bridge.changes)
    for number in range(1, moves + 1):
        bridge.set("/level", first + (last - first) * number / moves)
        await asyncio.sleep(FRAME_S)
    return bridge.changes[start:]


@pytest.mark.alone
async def test_a_late_echo_in_seven_bits_never_moves_the_fader_back() -> None:
    bridge = Bridge(level())
    async with with_device(bridge) as device:
        changes = await drag(bridge, 0.0, 0.9011, 30)
        assert {str(change.origin) for change in changes} == {"browser:c1"}
        assert [change.value for change in changes] == sorted(change.value for change in changes)
        await bridge.reaches("/level", pytest.approx(seven_bits(0.9011)))  # what the device has made of it
        assert device.values["/level"] == pytest.approx(bridge.value("/level"))
        told = len(device.heard)
        assert told in (30, 31)  # the truth once, then quiet
        with pytest.raises(TimeoutError):
            await until(bridge.store, lambda: False, 0.4)
        assert len(device.heard) == 31


ECHOING = """
[[osc]]
name = "device"
listen = "127.0.0.1:{ours}"
send = ["127.0.0.1:{theirs}"]

[[control]]
path = "/level"
"""


async def test_no_screen_sees_the_fader_jump_back(tmp_path: Path) -> None:
    ours = free_udp_port()
    async with echoing_device() as device:
        device.goal = ("127.0.0.1", ours)
        config = ECHOING.format(ours=ours, theirs=device.address[1])
        async with Page.beside(config, tmp_path) as mover, Page.at(mover.url) as watcher:
            seen: list[list[float]] = [[], []]
            for number in range(1, 31):
                await mover.set("/level", number / 33)
                await asyncio.sleep(FRAME_S)
                seen[0].append(mover.values["/level"])
                await watcher.sees("/level", number / 33)
                seen[1] += watcher.history("/level")
            assert seen[0] == sorted(seen[0])
            assert seen[1] == sorted(seen[1]) == [number / 33 for number in range(1, 31)]
            truth = pytest.approx(seven_bits(30 / 33))  # what the device has made of it
            for page in (mover, watcher):
                await page.sees("/level", truth)
            assert device.values["/level"] == truth


async def test_a_move_of_the_device_in_the_middle_of_a_drag_is_applied_at_once() -> None:
    bridge = Bridge(level())
    async with with_device(bridge, echo_window_ms=1000) as device:
        await drag(bridge, 0.1, 0.3, 8)
        sent_at = time.monotonic()
        device.move("/level", 0.9)
        await bridge.reaches("/level", pytest.approx(seven_bits(0.9)))
        assert time.monotonic() - sent_at < 0.75, "and not when the window closes"
        changes = await drag(bridge, 0.3, 0.4, 8)
        assert [change.value for change in changes if change.origin.kind == "browser"][-1] == 0.4
        await bridge.reaches("/level", pytest.approx(seven_bits(0.4)))
        assert device.values["/level"] == pytest.approx(bridge.value("/level"))


async def test_a_move_of_the_device_that_is_like_what_was_sent_is_applied_within_the_window() -> None:
    bridge = Bridge(level())
    async with with_device(bridge) as device:
        await drag(bridge, 0.1, 0.3, 8)
        device.move("/level", 0.28)
        moved_at = time.monotonic()
        await bridge.reaches("/level", pytest.approx(seven_bits(0.28)))
        assert time.monotonic() - moved_at < 1.0, "when its 250 ms are over, not when somebody moves it again"


async def test_two_reflecting_programs_come_to_rest() -> None:
    bridge = Bridge(level(), Control(path="/go", kind="trigger"))
    async with echoing_device() as one, echoing_device(0.01) as two:
        peers = [bridge.peer(name, send=["{}:{}".format(*it.address)]) for name, it in (("one", one), ("two", two))]
        async with bridge.running(*peers) as ports:
            for port, it in zip(ports, (one, two), strict=True):
                it.goal = ("127.0.0.1", port.udp_port or 0)
            await drag(bridge, 0.0, 0.501, 12)
            one.move("/level", 0.7)
            two.move("/level", 0.2)
            with pytest.raises(TimeoutError):
                await until(bridge.store, lambda: False, 1.2)
            revision = bridge.store.revision
            with pytest.raises(TimeoutError):
                await until(bridge.store, lambda: False, 0.5)
            assert bridge.store.revision == revision
            assert one.values["/level"] == two.values["/level"] == pytest.approx(bridge.value("/level"))


async def hear_value(max_: Voice, value: float) -> None:
    assert await max_.hear() == Message("/level", (value,))


async def test_what_is_refused_is_told_the_truth_once() -> None:
    bridge = Bridge(level(limit=(0, 0.75)), level("/mark"))
    async with bridge.with_max(**SHORT) as (_, max_):
        for value in (0.5, 0.8, 0.9, 1.0):
            max_.send("/level", value)
        await hear_value(max_, 0.75)
        assert bridge.value("/level") == 0.75
        assert await max_.hears_nothing_before(bridge, "/mark") == []


async def test_a_program_that_insists_is_not_told_for_ever() -> None:
    bridge = Bridge(level(limit=(0, 0.75)), level("/mark"))
    async with bridge.with_max(echo_window_ms=10) as (_, max_):
        max_.send("/level", 1.0)
        for _ in range(2):
            await hear_value(max_, 0.75)
            max_.send("/level", 1.0)
        with pytest.raises(TimeoutError):
            await until(bridge.store, lambda: False, 0.3)
        assert len(await max_.hears_nothing_before(bridge, "/mark")) <= 2


async def test_who_moves_what_another_holds_first_is_told_what_holds() -> None:
    bridge = Bridge(level(hold="first", default=0.25))
    async with bridge.with_max(**SHORT) as (_, max_):
        bridge.store.touch(bridge.store.get("/level"), BROWSER, time.monotonic())
        max_.send_raw(b"#bundle\0\0\0\0\0\0\0\0\1" + b"\0\0\0\x10/level\0\0,f\0\0\x3f\x40\0\0")
        await hear_value(max_, 0.25)
        assert bridge.value("/level") == 0.25


async def test_a_program_that_never_echoes_is_believed_at_once() -> None:
    bridge = Bridge(level())
    async with bridge.with_max(echoes="no") as (_, max_):
        bridge.set("/level", 0.5)
        await hear_value(max_, 0.5)
        max_.send("/level", 0.501)
        await bridge.reaches("/level", pytest.approx(0.501))


async def test_an_echo_of_what_was_sent_before_does_not_drop_what_waits_for_its_turn(bridge: Bridge) -> None:
    async with bridge.with_max(control_rate=3, echo_window_ms=50) as (_, max_):
        bridge.set("/level", 0.25)
        await hear_value(max_, 0.25)
        bridge.set("/level", 0.875)
        max_.send("/level", 0.25)
        await hear_value(max_, 0.875)
        assert bridge.value("/level") == 0.875


async def test_tolerance_and_window_are_settings() -> None:
    bridge = Bridge(level(), level("/mark"))
    async with bridge.with_max(echo_tolerance=0.1, **SHORT) as (_, max_):
        bridge.set("/level", 0.5)
        await hear_value(max_, 0.5)
        max_.send("/level", 0.59)
        max_.send("/mark", 1.0)
        await bridge.reaches("/mark", 1.0)
        assert bridge.value("/level") == 0.5
        await bridge.reaches("/level", pytest.approx(0.59))
        await hear_value(max_, pytest.approx(0.59))


async def test_an_echoed_trigger_fires_nothing_and_is_counted() -> None:
    bridge = Bridge(Control(path="/go", kind="trigger"), level("/mark"))
    async with bridge.with_max() as (port, max_):
        bridge.store.trigger(bridge.store.get("/go"), (), BROWSER, time.monotonic())
        echo = await max_.hear()
        max_.send(echo.address, *echo.args)
        max_.send("/go", 1)
        max_.send("/mark", 1.0)
        await bridge.reaches("/mark", 1.0)
        fired = [str(change.origin) for change in bridge.changes if change.what == "trigger"]
        assert fired == ["browser:c1", f"osc:max@{max_.shown}"]
        assert port.health()[0]["echoed_triggers"] == 1


async def test_echoes_come_back_by_another_binding_too() -> None:
    bridge = Bridge(level(), level("/mark"))
    bindings = {"/level": [{"address": "/set", "direction": "out"}, {"address": "/is", "direction": "in"}]}
    async with bridge.with_max(bindings, **SHORT) as (_, max_):
        bridge.set("/level", 0.5)
        bridge.set("/level", 0.7)
        max_.send("/is", 0.5)
        max_.send("/mark", 1.0)
        await bridge.reaches("/mark", 1.0)
        assert bridge.value("/level") == 0.7


async def test_a_release_of_a_momentary_is_never_taken_for_an_echo() -> None:
    bridge = Bridge(Control(path="/hit", kind="bool", momentary=True), level("/mark"))
    hit = bridge.store.get("/hit")
    async with bridge.with_max() as (_, max_):
        bridge.store.touch(hit, BROWSER, time.monotonic())
        bridge.set("/hit", True)
        bridge.store.release(hit, BROWSER, time.monotonic())
        bridge.store.set(hit, True, Origin("osc", "max", max_.shown), time.monotonic())
        max_.send("/hit", 0)
        max_.send("/mark", 1.0)
        await bridge.reaches("/mark", 1.0)
        assert (hit.value, hit.holders) == (False, {})


async def test_who_presses_is_not_told_that_it_is_pressed() -> None:
    bridge = Bridge(Control(path="/hit", kind="bool", momentary=True), level("/mark"))
    hit = bridge.store.get("/hit")
    async with bridge.with_max(**SHORT) as (_, max_):
        bridge.store.touch(hit, BROWSER, time.monotonic())
        bridge.set("/hit", True)
        assert (await max_.hear()).args == (1,)
        with pytest.raises(TimeoutError):
            await until(bridge.store, lambda: False, 0.1)  # longer than the window
        bridge.store.release(hit, BROWSER, time.monotonic())
        max_.send("/hit", 1)  # crosses the rest: the guard owes it the truth
        await until(bridge.store, lambda: bool(hit.holders))
        with pytest.raises(TimeoutError):
            await until(bridge.store, lambda: not hit.holders, 0.15)
        max_.send("/hit", 0)
        await until(bridge.store, lambda: not hit.holders)
        assert [message.args[0] for message in await max_.hears_nothing_before(bridge, "/mark")] == [0]


async def test_a_spring_that_does_not_quite_come_back_is_at_rest() -> None:
    bridge = Bridge(Control(path="/push", momentary=True))
    push = bridge.store.get("/push")
    async with bridge.with_max() as (_, max_):
        max_.send("/push", 0.8)
        await until(bridge.store, lambda: bool(push.holders))
        max_.send("/push", 0.004)
        await until(bridge.store, lambda: not push.holders)
        assert push.value == 0.0


@pytest.mark.parametrize("args", [(), (1,), ("now",)])
async def test_every_peer_may_say_panic(args: tuple[Any, ...]) -> None:
    bridge = Bridge(Control(path=PANIC, kind="trigger", owner="bridge"), level("/mark"))
    async with bridge.with_max() as (port, max_):
        max_.send(PANIC, 0)  # the button goes up
        max_.send(PANIC, *args)
        max_.send("/mark", 1.0)
        await bridge.reaches("/mark", 1.0)
        assert [(change.entry.path, change.args) for change in bridge.changes][:-1] == [(PANIC, ())]
        assert port.health()[0]["unknown"] == 0


async def test_panic_without_its_control_is_ignored(bridge: Bridge) -> None:
    async with bridge.with_max() as (_, max_):
        max_.send(PANIC)
        max_.send("/mark", 1.0)
        await bridge.reaches("/mark", 1.0)


# Echoes from an address that no target has


@asynccontextmanager
async def with_devices(bridge: Bridge, *devices: EchoingDevice, **settings: Any) -> AsyncIterator[OscPort]:
    """All are targets of one peer."""
    peer = bridge.peer(send=["{}:{}".format(*device.address) for device in devices], **settings)
    async with bridge.running(peer) as (port,):
        for device in devices:
            device.goal = ("127.0.0.1", port.udp_port or 0)
        yield port


async def is_quiet(bridge: Bridge, port: OscPort, within_s: float = 2.5) -> None:
    """Nothing is sent or changed any more."""
    with pytest.raises(TimeoutError):
        await until(bridge.store, lambda: False, within_s)
    before = port.health()[0]["sent"], port.health()[0]["received"], bridge.store.revision
    with pytest.raises(TimeoutError):
        await until(bridge.store, lambda: False, 0.5)
    assert (port.health()[0]["sent"], port.health()[0]["received"], bridge.store.revision) == before


async def test_echoes_from_another_address_never_move_the_fader_back() -> None:
    bridge = Bridge(level())
    async with echoing_device(mouth="127.0.0.2") as device, with_devices(bridge, device) as port:
        changes = await drag(bridge, 0.0, 0.9011, 40)
        assert {str(change.origin) for change in changes} == {"browser:c1"}
        await bridge.reaches("/level", pytest.approx(seven_bits(0.9011)))
        await is_quiet(bridge, port, 0.6)
        assert device.values["/level"] == pytest.approx(bridge.value("/level"))


async def test_a_hand_on_what_speaks_from_another_address_is_followed() -> None:
    bridge = Bridge(level())
    async with echoing_device(mouth="127.0.0.2") as device, with_devices(bridge, device) as port:
        for number in range(40):
            device.move("/level", 0.1 + number / 50)
            await asyncio.sleep(FRAME_S)
        await is_quiet(bridge, port)
        assert device.values["/level"] == pytest.approx(bridge.value("/level"))


@pytest.mark.parametrize("steps", [STEPS, 10])
async def test_two_targets_on_one_host_that_both_echo_come_to_rest(steps: int) -> None:
    bridge = Bridge(level())
    async with (
        echoing_device(mouth="127.0.0.1") as one,
        echoing_device(0.05, steps, mouth="127.0.0.1") as two,
        with_devices(bridge, one, two) as port,
    ):
        changes = await drag(bridge, 0.0, 0.931, 60)
        if steps == STEPS:  # the first report of a coarse grid's next step is a move: nobody can tell
            assert [change.value for change in changes] == sorted(change.value for change in changes)
        await is_quiet(bridge, port)
        assert two.values["/level"] == pytest.approx(two.made(bridge.value("/level")))
        assert one.values["/level"] == pytest.approx(one.made(bridge.value("/level")))
        one.move("/level", 0.3)  # and they hear each other
        await bridge.reaches("/level", pytest.approx(one.made(0.3)))
        await is_quiet(bridge, port)
        assert bridge.value("/level") == pytest.approx(0.3, abs=0.004)
        assert two.values["/level"] == pytest.approx(two.made(bridge.value("/level")))


async def test_somebody_elses_hand_is_passed_on_at_once_and_whole(bridge: Bridge) -> None:
    async with voice("127.0.0.2") as guest, bridge.with_max() as (port, max_):
        guest.goal = ("127.0.0.1", port.udp_port or 0)
        sent = [0.25 + number / 1024 for number in range(60)]  # slow: each is near the one before
        for value in sent:
            guest.send("/level", value)
            await asyncio.sleep(0.002)
        await bridge.reaches("/level", sent[-1])
        assert [message.args[0] for message in await max_.hears_nothing_before(bridge, "/mark")] == sent


async def test_an_echoed_trigger_from_another_address_does_not_ring_for_ever() -> None:
    bridge = Bridge(Control(path="/go", kind="trigger"))
    async with echoing_device(0.01, mouth="127.0.0.2") as device, with_devices(bridge, device) as port:
        bridge.store.trigger(bridge.store.get("/go"), (), BROWSER, time.monotonic())
        await is_quiet(bridge, port, 0.3)
        assert len(bridge.changes) == 1
        device.report("/go")  # its own, which comes back
        await is_quiet(bridge, port, 0.3)
        assert len(bridge.changes) == 2
        assert port.health()[0]["echoed_triggers"] == 2


async def test_what_goes_round_in_spite_of_all_is_cut_and_named(caplog: pytest.LogCaptureFixture) -> None:
    bridge = Bridge(level())
    async with echoing_device(0.001, mouth="127.0.0.2") as device, with_devices(bridge, device, **SHORT) as port:
        rng = Random(1)
        device.made = lambda value: min(1.0, max(0.0, value + rng.uniform(-0.002, 0.002)))  # type: ignore[method-assign]
        device.move("/level", 0.5)
        await is_quiet(bridge, port)
        assert port.health()[0]["loops_cut"] >= 1
    assert sum("/level went round and round with" in message for message in caplog.messages) == 1


# Motor faders under a finger


@asynccontextmanager
async def touched(bridge: Bridge) -> AsyncIterator[Voice]:
    """A motor fader at /level with a finger on it."""
    async with bridge.with_max({"/level": {"touch": "/level/z"}}, **SHORT) as (_, max_):
        max_.send("/level/z", 1)
        await until(bridge.store, lambda: bool(bridge.store.get("/level").holders))
        yield max_


async def test_a_touched_fader_is_told_what_was_refused_when_the_finger_is_gone() -> None:
    bridge = Bridge(level(limit=(0, 0.75)), level("/mark"))
    async with touched(bridge) as max_:
        max_.send("/level", 0.9)
        with pytest.raises(TimeoutError):
            await until(bridge.store, lambda: False, 0.2)
        assert await max_.hears_nothing_before(bridge, "/mark") == []
        max_.send("/level/z", 0)
        await hear_value(max_, 0.75)


async def test_a_touched_fader_that_asks_is_answered_when_the_finger_is_gone(bridge: Bridge) -> None:
    async with touched(bridge) as max_:
        bridge.set("/level", 0.5)
        max_.send("/stagebridge/refresh")
        assert await max_.hear() == Message("/mark", (0.0,))
        assert await max_.hears_nothing_before(bridge, "/mark") == []
        max_.send("/level")
        max_.send("/mark", 0.25)
        await bridge.reaches("/mark", 0.25)
        assert await max_.hears_nothing_before(bridge, "/mark") == []
        max_.send("/level/z", 0)
        await hear_value(max_, 0.5)


async def test_what_waits_for_room_is_not_sent_to_a_touched_fader(bridge: Bridge) -> None:
    async with bridge.with_max({"/level": {"touch": "/level/z"}}) as (port, max_):
        target = port._peers[0].targets[0]
        target.link.retry_at = math.inf  # as a TCP link without room says it
        max_.send("/stagebridge/refresh")
        await asyncio.wait_for(_waits(target.owed.pending), SOON_S)
        max_.send("/level/z", 1)
        await until(bridge.store, lambda: bool(bridge.store.get("/level").holders))
        target.link.retry_at = 0.0
        port.has_room()
        assert await max_.hear() == Message("/mark", (0.0,))
        assert await max_.hears_nothing_before(bridge, "/mark") == []


async def _waits(pending: dict[int, None]) -> None:
    while not pending:
        await asyncio.sleep(0.002)


@pytest.fixture
def bridge() -> Bridge:
    return Bridge(level(), level("/mark"))
