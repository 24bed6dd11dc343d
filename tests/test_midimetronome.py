"""MIDI clock over a real MIDI API: somebody's that we follow, and ours that somebody follows."""

import time
from typing import Any

import pytest

from .jack import Controller
from .port_contract import BROWSER
from .test_midi import LOOPS, Bridge, level  # noqa: F401

pytestmark = pytest.mark.waits
TICK, START, CONTINUE, STOP = "f8", "fa", "fb", "fc"
WORDS = ("running", "start", "continue", "stop")


def song(jack: str, **fields: Any) -> Bridge:
    """A bridge with all that a clock has."""
    made = Bridge(
        jack,
        level("/tempo", range=(20, 300), default=120, **fields),
        level("/running", kind="bool"),
        level("/beat", kind="int", range=(0, 4095)),
        *(level(f"/{word}", kind="trigger") for word in WORDS[1:]),
    )
    made.fired = []  # type: ignore[attr-defined]
    made.store.subscribe(
        lambda changes: made.fired.extend(one.entry.path for one in changes if one.what == "trigger")  # type: ignore[attr-defined]
    )
    return made


HEARD = {f"/{word}": {"clock": word, "direction": "in"} for word in ("tempo", "beat", *WORDS)}
SAID = {"/tempo": {"clock": "tempo", "direction": "out"}} | {f"/{word}": {"clock": word} for word in WORDS}


async def test_a_clock_is_followed_and_its_end_is_seen(jack: str) -> None:
    bridge = song(jack, access="read")
    async with bridge.with_nano(HEARD) as (_, nano):
        await bridge.states_until("nano", "no clock comes")
        nano.do("clock 150 1300")
        nano.send(START)
        await bridge.reaches("/beat", 2)
        assert bridge.value("/running") is True
        assert bridge.value("/tempo") == pytest.approx(150, rel=0.1)  # this JACK hears every 21 ms
        await nano.say("clock")  # and nothing more
        await bridge.reaches("/running", False)
        await bridge.states_until("nano", "no clock comes")
        nano.send(CONTINUE, STOP)
        await bridge.until(lambda: len(bridge.fired) == 3)
    assert bridge.fired == ["/start", "/continue", "/stop"]
    assert bridge.value("/tempo") == pytest.approx(150, rel=0.1)


async def test_a_device_that_is_pulled_runs_no_more(jack: str) -> None:
    bridge = song(jack)
    async with bridge.with_nano(HEARD) as (_, nano):
        nano.send(START)
        await bridge.reaches("/running", True)
        await nano.pull()
        await bridge.reaches("/running", False)


async def test_ours_has_24_ticks_a_beat_and_does_not_drift(jack: str) -> None:
    bridge = song(jack)
    async with bridge.with_nano(SAID) as (_, nano):
        bridge.set("/tempo", 240)
        bridge.set("/running", True)
        await nano.hear_until(START)
        took = []
        while not took or (took[-1] != pytest.approx(1.0, abs=0.06) and len(took) < 3):  # this machine may stand still
            began = time.monotonic()
            assert await nano.hear_all(96) == [TICK] * 96
            took.append(time.monotonic() - began)
        assert took[-1] == pytest.approx(1.0, abs=0.06), took  # four beats; JACK's periods are 21 ms
        bridge.set("/running", False)
        assert (await nano.hear_until(STOP))[-1] == STOP
        assert await nano.hear() == TICK  # it ticks on
    assert bridge.fired == []


async def test_triggers_start_continue_and_stop_it(jack: str) -> None:
    bridge = song(jack)

    def fire(word: str) -> None:
        bridge.store.trigger(bridge.store.get(f"/{word}"), (), BROWSER, time.monotonic())

    async with bridge.with_nano(SAID) as (_, nano):
        for word, message, runs in (("start", START, True), ("stop", STOP, False), ("continue", CONTINUE, True)):
            fire(word)
            assert bridge.value("/running") is runs
            assert [one for one in await nano.hear_until(message) if one != TICK] == [message]
        nano.send(STOP)  # a button of its own: it need not be told
        await bridge.reaches("/running", False)
        bridge.set("/running", True)
        assert [one for one in await nano.hear_until(START) if one != TICK] == [START]


async def test_nothing_runs_on_when_we_end(jack: str) -> None:
    bridge = song(jack)
    async with Controller.start(jack, "nano") as nano:
        async with bridge.running(bridge.peer(SAID)):
            await bridge.states_until("nano", "online")
            bridge.set("/running", True)
            await nano.hear_until(START)
        await nano.hear_until(STOP)


async def test_who_comes_back_in_the_middle_of_the_song_joins_in(jack: str) -> None:
    bridge = song(jack)
    async with bridge.running(bridge.peer(SAID)):
        bridge.set("/tempo", 240)
        bridge.set("/running", True)
        began = time.monotonic()
        async with Controller.start(jack, "nano") as nano:
            ready_s = time.monotonic() - began
            heard = await nano.hear_until(CONTINUE)
            heard_s = time.monotonic() - began
            low, high = bytes.fromhex(heard[-2].removeprefix("f2 "))
            assert ready_s * 16 - 1.5 <= low | high << 7 <= heard_s * 16 + 1.5


async def test_a_busy_loop_delays_no_tick(jack: str) -> None:
    bridge = song(jack)
    async with bridge.with_nano(SAID) as (_, nano):
        bridge.set("/tempo", 240)
        bridge.set("/running", True)
        await nano.hear_until(START)
        began = time.monotonic()
        while time.monotonic() < began + 0.5:
            time.sleep(0.05)  # whatever holds the loop
        bridge.set("/running", False)
        assert (await nano.hear_until(STOP)).count(TICK) > 30  # of 48: none would be sent by the loop
