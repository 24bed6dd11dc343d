"""Controllers with a profile, over a real MIDI API: a Mackie Control's strips, its meters and its display; others'."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from bridge.bank import BankButtons
from bridge.config.loading import parse
from bridge.midi.kind import KIND
from bridge.midi.profile import PROFILES
from bridge.midi.settings import Binding
from bridge.port import Peer

from .jack import Controller
from .port_contract import BROWSER
from .profiles import settings_of
from .test_midi import NANO, Bridge, level

LOOPS = {"uvloop": uvloop.new_event_loop}
pytestmark = pytest.mark.waits


def peer(profile: str, parts: dict[str, Any], name: str = "nano") -> Peer:
    table = {"name": name, "device": name, "api": "jack", "profile": profile}
    bindings = {
        path: tuple(Binding.model_validate({"part": one} if isinstance(one, str) else one) for one in each)
        for path, each in parts.items()
    }
    return Peer("midi", name, settings_of(PROFILES, table), bindings)


@asynccontextmanager
async def plugged(bridge: Bridge, profile: str, parts: dict[str, Any]) -> AsyncIterator[Controller]:
    made = await asyncio.to_thread(peer, profile, parts)
    async with Controller.start(bridge.jack, "nano") as nano, bridge.running(made):
        await bridge.states_until("nano", "online")
        yield nano


def words_at(at: int, text: str) -> str:
    """Seven characters of the display."""
    return f"f0 00 00 66 14 12 {at:02x} {text.ljust(7).encode().hex(' ')} f7"


async def test_a_mackie_strip_works_both_ways(jack: str) -> None:
    bridge = Bridge(
        jack,
        level("/volume", range=(-90, 10), curve="db", unit="dB", label="Lead Vocal", default=-90),
        level("/pan", range=(-1, 1)),
        level("/mute", kind="bool"),
        level("/arm", kind="choice", choices=("off", "ready", "on")),
        level("/meter", kind="meter", range=(-60, 0)),
    )
    parts = {
        "/volume": ["fader2", "display2"],
        "/pan": ["vpot2"],
        "/mute": ["mute2"],
        "/arm": [{"part": "rec2", "leds": [0, 1, 127]}],
        "/meter": ["meter2"],
    }
    async with plugged(bridge, "mcu", parts) as nano:
        assert set(await nano.hear_all(6)) == {
            "e1 00 00",
            words_at(7, "LeadVcl"),
            words_at(63, "-oo dB"),
            "b0 31 16",
            "90 11 00",
            "90 01 00",
        }
        nano.send("e1 7f 7f")
        assert await nano.hear() == words_at(63, "10.0 dB")  # and nothing for the fader

        nano.send("90 69 7f")
        await bridge.until(lambda: NANO in bridge.store.get("/volume").holders)
        bridge.set("/volume", -90)
        assert await nano.hear() == words_at(63, "-oo dB")
        nano.send("90 69 00")
        assert await nano.hear() == "e1 00 00"  # the motor, once the finger has gone

        nano.send("b0 11 05")
        assert await nano.hear() == "b0 31 17"
        nano.send("90 11 7f", "90 11 00")
        assert "90 11 7f" in await nano.hear_until("90 11 7f")
        await bridge.reaches("/mute", True)
        nano.send("90 01 7f", "90 01 00")
        await bridge.reaches("/arm", "ready")
        await nano.hear_until("90 01 01")
        bridge.set("/arm", "on")
        await nano.hear_until("90 01 7f")


MIXER = """
    [[midi]]
    name = "nano"
    device = "nano"
    api = "jack"
    profile = "mcu"
    [[bank]]
    name = "mixer"
    strips = 20
    [[bank.midi.nano]]
    path = "/{n}/volume"
    part = "fader{s}"
    [[bank.midi.nano]]
    path = "/{n}/volume"
    part = "display{s}"
    [[bank.midi.nano]]
    path = "/{n}/pan"
    part = "vpot{s}"
    [bank.next.midi.nano]
    part = "bank_right"
    [[control]]
    repeat = 20
    path = "/{n}/volume"
    label = "Ch {n}"
    [[control]]
    repeat = 20
    path = "/{n}/pan"
    """
for led in ("rec", "solo", "mute", "select"):
    MIXER += f'\n[[control]]\nrepeat = 20\npath = "/{{n}}/{led}"\nkind = "bool"\n'
    MIXER += f'[[bank.midi.nano]]\npath = "/{{n}}/{led}"\npart = "{led}{{s}}"\n'


def rows(*texts: str) -> set[str]:
    return {words_at(at, text) for at, text in zip(range(0, 112, 7), texts, strict=True)}


@pytest.mark.alone
async def test_eight_strips_and_their_display_settle_within_300_ms_of_a_turn_and_of_a_scene(jack: str) -> None:
    config = await asyncio.to_thread(parse, MIXER, {"midi": KIND})
    bridge = Bridge(jack, *config.controls)
    bridge.store.subscribe(BankButtons(bridge.store, config.banks).note)
    for number in range(9, 17):
        for word in ("volume", "pan", "rec", "solo", "mute", "select"):
            bridge.set(f"/{number}/{word}", 1)
    async with Controller.start(jack, "nano") as nano, bridge.running(*config.peers):
        first = await nano.hear_all(64)
        assert rows(*(f"Ch {number}" for number in range(1, 9)), *["0.00"] * 8) <= set(first)
        nano.send("90 68 7f", "e0 00 20")  # a hand on the first fader
        await bridge.until(lambda: NANO in bridge.store.get("/1/volume").holders)
        assert await nano.hear_until(words_at(56, "0.25"))
        start = time.monotonic()
        nano.send("90 2f 7f", "90 2f 00")
        heard = set(await nano.hear_all(63))
        assert time.monotonic() - start < 0.3
        assert heard == (
            {f"e{channel:x} 7f 7f" for channel in range(1, 8)}
            | {f"b0 {number:02x} 2b" for number in range(48, 56)}
            | {f"90 {number:02x} 7f" for number in range(32)}
            | rows(*(f"Ch {number}" for number in range(9, 17)), *["1.00"] * 8)
        )
        nano.send("e0 00 30", "90 68 00")
        assert await nano.hear() == "e0 7f 7f"
        assert bridge.value("/9/volume") == 1.0
        # A scene, and at once a turn to the last four: all of it, and nothing twice. The other strips are dark.
        start = time.monotonic()
        scene = [(bridge.store.get(f"/{number}/{word}"), 0) for number in range(9, 17) for word in ("volume", "mute")]
        bridge.store.apply(scene, BROWSER, start)
        bridge.set("/bank/mixer", 1)
        bridge.set("/bank/mixer", 3)
        heard = set(await nano.hear_all(64))
        assert time.monotonic() - start < 0.3
        assert heard == (
            {f"e{channel:x} 00 00" for channel in range(8)}
            | {f"b0 {number:02x} {'21' if number < 52 else '00'}" for number in range(48, 56)}
            | {f"90 {number:02x} 00" for number in range(32)}
            | rows("Ch 17", "Ch 18", "Ch 19", "Ch 20", *[""] * 4, *["0.00"] * 4, *[""] * 4)
        )


async def test_a_controller_in_the_wrong_mode_is_named_until_it_has_left_it(jack: str) -> None:
    bridge = Bridge(jack, level())
    async with plugged(bridge, "nanokontrol2", {"/level": ["fader1"]}) as nano:
        nano.send(*["e0 00 10", "90 10 7f"] * 8)
        state = await bridge.states_until("nano", "this looks like its DAW mode: hold SET MARKER and CYCLE")
        assert state.startswith("online")
        nano.send("b0 00 10")
        await bridge.states_until("nano", "online", but="looks like")


async def test_a_device_is_greeted_before_it_is_shown_anything(jack: str) -> None:
    bridge = Bridge(jack, level("/on", kind="bool"))
    async with plugged(bridge, "launchcontrol-xl", {"/on": ["focus5", "light_a2"]}) as nano:
        heard = await nano.hear_all(4)
        assert heard[:2] == ["f0 00 20 29 02 11 77 08 f7", "b8 00 00"]
        assert set(heard[2:]) == {"98 39 0c", "f0 00 20 29 02 11 78 08 01 0c f7"}
        nano.send("98 39 7f", "98 39 00")
        assert set(await nano.hear_all(2)) == {"98 39 3c", "f0 00 20 29 02 11 78 08 01 3c f7"}
        assert bridge.value("/on") is True


async def test_a_button_whose_led_is_another_message_is_lit_again_when_it_is_let_go(jack: str) -> None:
    bridge = Bridge(jack, level("/on", kind="bool"))
    async with plugged(bridge, "x-touch-mini", {"/on": ["button3"]}) as nano:
        assert await nano.hear_all(3) == ["b0 7f 00", "c0 00", "90 02 00"]
        nano.send("9a 0a 7f")
        assert await nano.hear() == "90 02 01"
        nano.send("8a 0a 00")  # the device puts its LED out by itself
        assert await nano.hear() == "90 02 01"
