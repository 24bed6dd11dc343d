"""The MIDI port with a real MIDI API: JACK, and controllers that are other processes."""

import asyncio
import contextlib
import math
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from bridge.control import PANIC, Control
from bridge.errors import BadValue, PortError
from bridge.midi.port import MidiPort
from bridge.midi.settings import Binding, Settings
from bridge.port import Peer, PortContext, supervise
from bridge.store import Origin, Store

from .daemon import ROOT, Daemon
from .jack import Controller, jack_server, kill_jack
from .port_contract import BROWSER, PortContract, Rig, served, until
from .waiting import SOON_S

LOOPS = {"uvloop": uvloop.new_event_loop}
pytestmark = pytest.mark.waits
NANO = Origin("midi", "nano")


class Bridge:
    """A store and the MIDI port of one device, `nano`, and perhaps others."""

    def __init__(self, jack: str, *controls: Control) -> None:
        self.jack = jack
        self.store = Store("test")
        self.states: dict[str, str] = {}
        self.stated = asyncio.Event()
        for control in controls:
            self.store.add(control, now=0.0)
        self.store.add(Control(path=PANIC, kind="trigger", owner="bridge"), now=0.0)
        self.context = PortContext(self.store, time.monotonic, self._state)

    def _state(self, peer: str, text: str) -> None:
        self.states[peer] = text
        self.stated.set()

    async def states_until(self, peer: str, words: str, but: str = "\n") -> str:
        """Its state, once these words are in it, and others are not."""
        async with asyncio.timeout(SOON_S):
            while words not in self.states.get(peer, "") or but in self.states[peer]:
                self.stated.clear()
                await self.stated.wait()
        return self.states[peer]

    def value(self, path: str) -> Any:
        return self.store.get(path).value

    def set(self, path: str, value: Any) -> None:
        self.store.set(self.store.get(path), value, BROWSER, time.monotonic())

    async def reaches(self, path: str, value: Any) -> None:
        await until(self.store, lambda: self.value(path) == value)

    async def until(self, is_so: Callable[[], bool]) -> None:
        await until(self.store, is_so)

    def peer(self, bindings: Mapping[str, Any], name: str = "nano", **settings: Any) -> Peer:
        made = Settings.model_validate({"name": name, "device": name, "api": "jack"} | settings)
        table = {
            path: tuple(Binding.model_validate(one) for one in (each if isinstance(each, list) else [each]))
            for path, each in bindings.items()
        }
        return Peer("midi", name, made, table)

    @asynccontextmanager
    async def running(self, *peers: Peer) -> AsyncIterator[MidiPort]:
        port = MidiPort(peers, self.context)
        async with served(port):
            yield port

    @asynccontextmanager
    async def with_nano(
        self, bindings: Mapping[str, Any], motor: str = "", **settings: Any
    ) -> AsyncIterator[tuple[MidiPort, Controller]]:
        """A controller that is plugged in, and the port; what it is shown at first has been heard."""
        async with (
            Controller.start(self.jack, "nano", motor) as nano,
            self.running(self.peer(bindings, **settings)) as port,
        ):
            await self.states_until("nano", "online")
            yield port, nano


def level(path: str = "/level", **fields: Any) -> Control:
    return Control(path=path, **fields)


# ---------------------------------------------------------------------------------- the contract of all ports

SCALE = {"cc": 7, "range": [0, 64]}


class MidiRig(Rig):
    def __init__(self, bridge: Bridge, port: MidiPort, nano: Controller) -> None:
        self.store, self.port, self.nano, self.bridge = bridge.store, port, nano, bridge

    async def heard(self) -> float:
        status, number, value = bytes.fromhex(await self.nano.hear())
        assert (status, number) == (0xB0, 7)
        return value / 64

    def report(self, value: float) -> None:
        self.nano.send(f"b0 07 {round(value * 64):02x}")

    def garbage(self) -> None:
        self.nano.send("f4", "f5")

    def is_free(self) -> bool:
        import rtmidi

        looker = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="looker")
        try:
            # Its ports are only there while somebody has them open.
            return not any(name.startswith("stagebridge nano") for name in looker.get_ports())
        finally:
            looker.delete()


class TestContract(PortContract):
    @pytest.fixture
    async def rig(self, jack: str) -> AsyncIterator[MidiRig]:
        bridge = Bridge(jack, level(default=0.5))
        async with bridge.with_nano({"/level": SCALE}, echoes="yes", echo_window_ms=2000) as (port, nano):
            assert await nano.hear() == "b0 07 20"  # the truth, as soon as it is there
            yield MidiRig(bridge, port, nano)

    async def test_changes_reach_the_wire_in_order(self, rig: MidiRig) -> None:  # type: ignore[override]
        """The latest of what has changed meanwhile: a cursor, not a queue."""
        for step in range(1, 64):
            rig.move(step / 64)
        heard = [await rig.heard()]
        while heard[-1] != 63 / 64:
            heard.append(await rig.heard())
        assert heard == sorted(heard)
        assert len(heard) < 10


# ---------------------------------------------------------------------------------- each binding, both ways

LOG = math.log10(32 / 10)
FLOATS = {
    "cc": ({"cc": 7}, 0.25, ["b0 07 20"], 0.75, ["b0 07 5f"], 95 / 127),
    "cc, turned round": ({"cc": 7, "range": [127, 0]}, 0.25, ["b0 07 5f"], 1.0, ["b0 07 00"], 1.0),
    "cc on channel 16": ({"cc": 7, "channel": 16}, 1.0, ["bf 07 7f"], 0.0, ["bf 07 00"], 0.0),
    "cc14": ({"cc14": 7}, 0.5, ["b0 07 40", "b0 27 00"], 0.75, ["b0 07 60", "b0 27 00"], 12288 / 16383),
    "nrpn": (
        {"nrpn": 130},
        1.0,
        ["b0 63 01", "b0 62 02", "b0 06 7f", "b0 26 7f"],
        0.0,
        ["b0 63 01", "b0 62 02", "b0 06 00", "b0 26 00"],
        0.0,
    ),
    "rpn": (
        {"rpn": 0},
        1.0,
        ["b0 65 00", "b0 64 00", "b0 06 7f", "b0 26 7f"],
        0.0,
        ["b0 65 00", "b0 64 00", "b0 06 00", "b0 26 00"],
        0.0,
    ),
    "bend": ({"bend": True, "channel": 3}, 1.0, ["e2 7f 7f"], 0.0, ["e2 00 00"], 0.0),
    "a part of a cc": ({"cc": 9, "range": [10, 100], "curve": "log"}, 1.0, ["b0 09 64"], 0.5, ["b0 09 20"], LOG),
    "pressure": ({"pressure": True}, 1.0, ["d0 7f"], 0.0, ["d0 00"], 0.0),
    "velocity": ({"note": 60}, 1.0, ["90 3c 7f"], 64 / 127, ["90 3c 40"], 64 / 127),
    "program": ({"program": True}, 1.0, ["c0 7f"], 0.0, ["c0 00"], 0.0),
}


async def test_every_kind_of_message_carries_a_number_both_ways(jack: str) -> None:
    paths = {name: f"/{index}" for index, name in enumerate(FLOATS)}
    bridge = Bridge(jack, *(level(path, default=0.3) for path in paths.values()))
    bindings = {paths[name]: {"channel": 1 + index} | FLOATS[name][0] for index, name in enumerate(FLOATS)}
    async with bridge.with_nano(bindings, settle_ms=0) as (_, nano):
        await nano.hear_all(sum(len(sent) for _, _, sent, _, _, _ in FLOATS.values()))  # where all stand at first
        for index, (name, (binding, moved, sent, _, played, arrives)) in enumerate(FLOATS.items()):
            channel = binding.get("channel", 1 + index) - 1
            on_channel = [f"{int(one[:2], 16) & 0xF0 | channel:02x}{one[2:]}" for one in sent]
            bridge.set(paths[name], moved)
            heard = await nano.hear_until(on_channel[-1])  # among them what others are told after quiet
            assert heard[-len(on_channel[-2:]) :] == on_channel[-2:], name
            nano.send(*(f"{int(one[:2], 16) & 0xF0 | channel:02x}{one[2:]}" for one in played))
            await bridge.reaches(paths[name], pytest.approx(arrives))


# ---------------------------------------------------------------------------------- buttons, encoders, touch


async def test_buttons_and_their_leds(jack: str) -> None:
    bridge = Bridge(
        jack,
        level("/toggle", kind="bool"),
        level("/momentary", kind="bool", momentary=True),
        level("/follow", kind="bool"),
        level("/go", kind="trigger"),
        level("/song", kind="trigger"),
    )
    bindings = {
        "/toggle": {"note": 1, "on": 5},
        "/momentary": {"cc": 2},
        "/follow": {"note": 3, "mode": "momentary"},
        "/go": {"note": 4},
        "/song": {"program": 9},
    }
    async with bridge.with_nano(bindings) as (_, nano):
        assert await nano.hear_all(3) == ["90 01 00", "b0 02 00", "90 03 00"]
        nano.send("90 01 40")
        assert await nano.hear() == "90 01 05"  # lit by us, in its colour
        assert bridge.value("/toggle") is True
        nano.send("80 01 00")
        assert await nano.hear() == "90 01 05"  # some put it out when they are let go
        nano.send("90 01 40")
        assert await nano.hear() == "90 01 00"
        assert bridge.value("/toggle") is False
        bridge.set("/toggle", True)
        assert await nano.hear_until("90 01 05")

        nano.send("b0 02 7f")
        await bridge.reaches("/momentary", True)
        assert bridge.store.get("/momentary").holder == NANO
        assert await nano.hear() == "b0 02 7f"
        nano.send("b0 02 00")
        await bridge.reaches("/momentary", False)
        assert bridge.store.get("/momentary").holder is None

        nano.send("90 03 01")
        await bridge.reaches("/follow", True)
        nano.send("90 03 00")
        await bridge.reaches("/follow", False)
        await nano.hear_until("90 03 00")

        fired: list[str] = []
        bridge.store.subscribe(lambda changes: fired.extend(one.entry.path for one in changes if one.what == "trigger"))
        nano.send("90 04 7f", "80 04 00", "c0 08", "c0 09")
        await bridge.until(lambda: len(fired) == 2)
        bridge.store.trigger(bridge.store.get("/go"), (), BROWSER, time.monotonic())
        bridge.store.trigger(bridge.store.get("/song"), (), BROWSER, time.monotonic())
        assert await nano.hear_all(3) == ["90 04 7f", "90 04 00", "c0 09"]
    assert fired == ["/go", "/song", "/go", "/song"]


async def test_encoders_turn_and_are_shown_where_they_stand(jack: str) -> None:
    bridge = Bridge(
        jack,
        level(default=0.5),
        level("/count", kind="int", range=(0, 1000)),
        level("/choice", kind="choice", choices=("a", "b", "c")),
        level("/fast", kind="int", range=(0, 1000)),
    )
    bindings = {
        "/level": [{"cc": 16, "relative": "sign", "direction": "in"}, {"cc": 48, "range": [1, 11], "direction": "out"}],
        "/count": {"cc": 17, "relative": "twos"},
        "/choice": {"cc": 18, "relative": "offset", "direction": "in"},
        "/fast": {"cc": 19, "relative": "sign2", "acceleration": 8, "direction": "in"},
    }
    async with bridge.with_nano(bindings) as (_, nano):
        assert await nano.hear_all(2) == ["b0 30 06", "b0 11 00"]
        nano.send("b0 13 41")
        await bridge.reaches("/fast", 1)
        nano.send(*["b0 13 41"] * 20)
        await bridge.until(lambda: bridge.value("/fast") > 100)  # far more than 20 steps
        nano.send("b0 10 0a")  # ten at once: it accelerates
        assert await nano.hear() == "b0 30 07"
        assert bridge.value("/level") == pytest.approx(0.6)
        nano.send("b0 10 7f")
        assert await nano.hear() == "b0 30 01"
        assert bridge.value("/level") == 0.0
        nano.send("b0 11 03", "b0 11 7f", "b0 12 42", "b0 12 3f")
        await bridge.reaches("/count", 2)
        await bridge.reaches("/choice", "b")


async def test_a_vector_is_two_faders_a_control_two_keys_and_a_touched_fader_is_left_alone(jack: str) -> None:
    bridge = Bridge(
        jack,
        level("/xy", kind="vector", default=(0.0, 1.0)),
        level("/two"),
        level("/choice", kind="choice", choices=("a", "b", "c")),
        level(),
    )
    bindings = {
        "/xy": [{"cc": 1, "component": 0}, {"cc": 2, "component": 1}],
        "/two": [{"cc": 3}, {"cc": 4}],
        "/choice": {"cc": 5},
        "/level": {"bend": True, "touch": 104},
    }
    async with bridge.with_nano(bindings) as (_, nano):
        assert await nano.hear_all(6) == ["b0 01 00", "b0 02 7f", "b0 03 00", "b0 04 00", "b0 05 00", "e0 00 00"]
        nano.send("b0 01 7f")
        await bridge.reaches("/xy", (1.0, 1.0))
        nano.send("b0 03 7f")
        assert await nano.hear() == "b0 04 7f"  # its other fader follows; /xy's other component has not moved

        bridge.set("/choice", "c")
        assert await nano.hear() == "b0 05 7f"
        nano.send("b0 05 30")
        await bridge.reaches("/choice", "b")

        nano.send("90 68 7f")
        await bridge.until(lambda: NANO in bridge.store.get("/level").holders)
        for value in (0.2, 0.8, 1.0):
            bridge.set("/level", value)
        bridge.set("/xy", (1.0, 0.0))
        assert not [one for one in await nano.hear_until("b0 02 00") if one.startswith("e0")]
        nano.send("90 68 00")
        assert [one for one in await nano.hear_until("e0 7f 7f") if one.startswith("e0")] == ["e0 7f 7f"]


# ---------------------------------------------------------------------------------- motor faders


@pytest.mark.parametrize("feedback", ["changes", "always"])
async def test_a_motor_fader_that_falls_back_needs_its_own_value(jack: str, feedback: str) -> None:
    bridge = Bridge(jack, level())
    async with bridge.with_nano({"/level": {"bend": True}}, "falls", feedback=feedback, settle_ms=20) as (_, nano):
        await nano.hear()
        nano.do("drag 0 12000 100")
        await nano.say("fought")
        if feedback == "always":
            await nano.hear_until("e0 60 5d")  # 12000, when it has come to rest
            assert "at 0" not in nano.told
        else:
            assert await nano.say("at") == "at 0"  # this one needs feedback = "always"
    assert bridge.value("/level") == pytest.approx(12000 / 16383)


async def test_a_motor_fader_that_fights_the_hand_is_told_when_the_hand_has_gone(jack: str) -> None:
    bridge = Bridge(jack, level())
    async with bridge.with_nano({"/level": {"bend": True}}, "fights", feedback="always", settle_ms=500) as (_, nano):
        await nano.hear()
        nano.do("drag 0 16383 200")
        await bridge.until(lambda: bridge.value("/level") > 0.5)
        bridge.set("/level", 0.25)  # somebody else pulls as well
        assert await nano.say("fought") == "fought 0"
        await nano.hear_until("e0 7f 7f")


# ---------------------------------------------------------------------------------- soft takeover


async def test_pickup_waits_for_the_fader_and_shows_where_it_stands_and_scale_runs_ahead(jack: str) -> None:
    bridge = Bridge(jack, level(default=0.5), level("/scaled", default=0.5))
    entry = bridge.store.get("/level")
    bindings = {"/level": {"cc": 7}, "/scaled": {"cc": 8, "takeover": "scale"}}
    async with bridge.with_nano(bindings, takeover="pickup", feedback="off") as (_, nano):
        nano.send("b0 08 00", "b0 08 20")
        await bridge.until(lambda: bridge.value("/scaled") > 0.5)
        assert bridge.value("/scaled") == pytest.approx(0.5 + 0.5 * 32 / 127, abs=0.01)
        nano.send("b0 08 7f")  # they meet
        await bridge.reaches("/scaled", 1.0)

        nano.send("b0 07 00")
        await bridge.until(lambda: entry.marks.get("hardware") == 0.0)
        nano.send("b0 07 20")
        await bridge.until(lambda: entry.marks.get("hardware") == 32 / 127)
        assert entry.value == 0.5
        nano.send("b0 07 50")  # past it
        await bridge.reaches("/level", 80 / 127)
        assert "hardware" not in entry.marks
        bridge.set("/level", 0.1)  # a scene: the fader stands elsewhere again
        assert entry.marks["hardware"] == 80 / 127
        nano.send("b0 07 51")
        await bridge.until(lambda: entry.marks.get("hardware") == 81 / 127)
        assert entry.value == 0.1
    assert "hardware" not in entry.marks  # nobody knows where it stands now


# ---------------------------------------------------------------------------------- plugging


async def test_a_device_that_comes_back_is_opened_and_refreshed_within_2_s(jack: str) -> None:
    bridge = Bridge(jack, level(), level("/press", kind="bool", momentary=True), level("/talk", kind="bool"))
    talk = {"note": 2, "mode": "momentary", "direction": "in"}
    async with bridge.running(bridge.peer({"/level": {"cc": 7}, "/press": {"note": 1}, "/talk": talk})) as port:
        assert 'no port with "nano" in its name' in await bridge.states_until("nano", "offline: no port with")
        assert port.health()[0]["state"] == "offline"
        assert bridge.store.get("/level").marks == {"silent": "nano"}  # it reaches nobody
        for value, shown in ((0.25, "20"), (1.0, "7f")):
            bridge.set("/level", value)
            async with Controller.start(jack, "nano") as nano:
                start = time.monotonic()
                assert await nano.hear_all(2) == [f"b0 07 {shown}", "90 01 00"]
                assert time.monotonic() - start < 2.0
                assert bridge.store.get("/level").marks == {}
                nano.send("b0 07 00")
                await bridge.reaches("/level", 0.0)
                nano.send("90 01 7f", "90 02 7f")
                await bridge.reaches("/talk", True)
                assert bridge.value("/press") is True
            await bridge.reaches("/press", False)  # it was pulled while it was pressed
            await bridge.reaches("/talk", False)
            await bridge.states_until("nano", "offline: no port with")


async def test_a_sound_server_that_dies_and_returns_brings_its_devices_back(
    jack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridge = Bridge(jack, level(default=1.0))
    with jack_server() as other, contextlib.ExitStack() as servers:
        monkeypatch.setenv("JACK_DEFAULT_SERVER", other)
        bridge.jack = other
        async with bridge.with_nano({"/level": {"cc": 7}}) as (_, nano):
            assert await nano.hear() == "b0 07 7f"
            kill_jack(other)
            await bridge.states_until("nano", "offline: JACK")
            await nano.pull()
            servers.enter_context(jack_server(other))
            async with Controller.start(other, "nano") as again:
                assert await again.hear() == "b0 07 7f"


async def test_twins_and_ports_with_names_of_their_own(jack: str) -> None:
    bridge = Bridge(jack, level("/a"), level("/b"), level("/c"))
    async with (
        Controller.start(jack, "twin") as first,
        Controller.start(jack, "twin") as second,
        bridge.running(
            bridge.peer({"/a": {"cc": 1}}, "one", device="twin"),
            bridge.peer({"/b": {"cc": 1}}, "two", device="twin", index=2),
            bridge.peer({"/c": {"cc": 2}}, "three", device=None, **{"in": "twin:out", "exact": True}, out=False),
        ),
    ):
        for name in ("one", "two", "three"):
            await bridge.states_until(name, "online")
        assert "out" not in bridge.states["three"].split("in twin:out")[1]
        first.send("b0 01 7f", "b0 02 7f")
        second.send("b0 01 40", "b0 02 40")
        await bridge.reaches("/a", 1.0)
        await bridge.reaches("/b", 64 / 127)
        await bridge.reaches("/c", 1.0)


async def test_who_is_unplugged_stops_nobody_else_and_its_twin_stays_who_it_is(jack: str) -> None:
    bridge = Bridge(jack, level("/a"), level("/b"), level("/c"))
    async with (
        Controller.start(jack, "nano") as nano,
        Controller.start(jack, "twin") as first,
        Controller.start(jack, "twin") as second,
        bridge.running(
            bridge.peer({"/c": {"cc": 1}}),
            bridge.peer({"/a": {"cc": 1}}, "one", device="twin"),
            bridge.peer({"/b": {"bend": True, "touch": 104}}, "two", device="twin", index=2),
        ),
    ):
        for name in ("nano", "one", "two"):
            await bridge.states_until(name, "online")
        held = bridge.store.get("/b").holders
        second.send("90 68 7f")
        await bridge.until(lambda: bool(held))
        lifted = []
        bridge.store.subscribe(lambda changes: lifted.extend(one for one in changes if one.what == "hold"))
        for device, name, path in ((nano, "nano", "/c"), (first, "one", "/a")):
            await device.pull()
            await bridge.states_until(name, "offline: no")
            async with Controller.start(jack, device.client) as again:
                await bridge.states_until(name, "online")
                again.send("b0 01 7f")
                await bridge.reaches(path, 1.0)
        assert not lifted
        assert list(held)


async def test_others_connect_to_our_virtual_ports(jack: str) -> None:
    import rtmidi

    bridge = Bridge(jack, level())
    peer = bridge.peer({"/level": {"cc": 7}}, device="from the daw", virtual=True)
    async with bridge.running(peer):
        await bridge.states_until("nano", "online")
        daw = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="daw")
        try:
            (place,) = [at for at, name in enumerate(daw.get_ports()) if "from the daw" in name]
            daw.open_port(place, "out")
            await asyncio.sleep(0.05)  # JACK connects with its next period
            daw.send_message([0xB0, 7, 127])
            await bridge.reaches("/level", 1.0)
        finally:
            daw.delete()


# ---------------------------------------------------------------------------------- pace


async def test_a_burst_of_1000_a_second_ends_where_it_ends(jack: str) -> None:
    bridge = Bridge(jack, level(), level("/thru"))
    async with bridge.with_nano({"/level": {"cc": 1}, "/thru": {"cc": 2}}, rate=200) as (port, nano):
        await nano.hear_all(2)

        def thru(changes: Any) -> None:
            for change in changes:
                if change.what == "value" and change.entry.path == "/level":
                    bridge.set("/thru", change.value)

        bridge.store.subscribe(thru)
        start = time.monotonic()
        nano.do("burst 1000")
        await nano.say("burst")
        await bridge.until(lambda: bridge.value("/level") == (999 % 128) / 127)
        heard = await nano.hear_until(f"b0 02 {999 % 128:02x}")
        took = time.monotonic() - start
        assert port.health()[0]["received"] == 1000
        told = [line for line in nano.told if line.startswith("in ")]
        assert len(heard) + len(told) <= 200 * took + 10  # never above its rate, and the last was heard


async def test_a_lane_carries_the_latest_of_each_cc_and_nothing_that_was_before_it(jack: str) -> None:
    bridge = Bridge(jack)
    lane_of = bridge.context.lanes.get
    port = MidiPort([bridge.peer({}, rate=100)], bridge.context)
    lane = lane_of("nano")
    assert lane is not None
    lane.carry(16, 20, 1)
    async with Controller.start(jack, "nano") as nano, served(port):
        await bridge.states_until("nano", "online")
        assert lane.is_there
        for value in range(128):
            lane.carry(16, 20, value)
            lane.carry(16, 21, 127 - value)
        heard = await nano.hear_until("bf 15 00")
        assert "bf 14 7f" in heard or await nano.hear() == "bf 14 7f"
        assert len(heard) < 20
        assert "bf 14 01" not in heard
    assert not lane.is_there


async def test_panic_silences_the_device(jack: str) -> None:
    bridge = Bridge(jack, level())
    async with bridge.with_nano({"/level": {"cc": 7}}) as (_, nano):
        await nano.hear()
        bridge.store.trigger(bridge.store.get(PANIC), (), BROWSER, time.monotonic())
        heard = await nano.hear_all(32)
        assert heard[:2] == ["b0 78 00", "b0 7b 00"]
        assert heard[-2:] == ["bf 78 00", "bf 7b 00"]


# ---------------------------------------------------------------------------------- what is wrong


async def test_without_a_sound_system_it_says_so_and_goes_on_trying(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nobody")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    bridge = Bridge("", level())
    port = MidiPort([bridge.peer({"/level": {"cc": 7}})], bridge.context)
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(supervise(port, ready.set))
        assert await bridge.states_until("nano", "offline") == "offline: JACK is not running"
        serving.cancel()
    assert not ready.is_set()
    assert port.health()[0]["state"] == "offline"


# ---------------------------------------------------------------------------------- the whole program


async def test_the_command_lists_ports_and_shows_what_a_device_sends(jack: str) -> None:
    async with Controller.start(jack, "nano") as nano:
        program = [sys.executable, "-m", "bridge", "midi", "--api", "jack"]
        listing = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
        text, _ = await asyncio.wait_for(listing.communicate(), SOON_S)
        assert text.decode().splitlines() == [
            "Jack in (what we can hear):",
            "  nano:out",
            "Jack out (what we can send to):",
            "  nano in:in",
        ]
        shows = await asyncio.create_subprocess_exec(*program, "nano", stdout=asyncio.subprocess.PIPE)
        assert shows.stdout is not None
        assert b"listening to nano:out" in await asyncio.wait_for(shows.stdout.readline(), SOON_S)
        nano.send("b0 07 40", "90 3c 7f", "e2 00 40", "f0 00 20 f7")
        lines = [(await asyncio.wait_for(shows.stdout.readline(), SOON_S)).decode().strip() for _ in range(4)]
        shows.terminate()
        await asyncio.wait_for(shows.wait(), SOON_S)
    assert lines == ["cc 7 on channel 1: 64", "note 60 on channel 1: 127", "bend on channel 3: 8192", "sysex: 00 20"]


async def test_midi_in_is_midi_out_and_osc_out_without_a_browser(jack: str, tmp_path: Path) -> None:
    config = """
        [[midi]]
        name = "nano"
        device = "nano"
        api = "jack"
        [[midi]]
        name = "other"
        device = "other"
        api = "jack"
        [[control]]
        path = "/level"
        midi.nano = { cc = 7 }
        midi.other = { bend = true }
        """
    with Daemon.start(config, tmp_path) as daemon:
        async with Controller.start(jack, "nano") as nano, Controller.start(jack, "other") as other:
            assert await nano.hear() == "b0 07 00"
            assert await other.hear() == "e0 00 00"
            nano.send("b0 07 7f")
            assert await other.hear() == "e0 7f 7f"
            states = {peer["name"]: peer["state"] for peer in daemon.request("GET", "/healthz")[1]["peers"]}
    assert states == {"nano": "online", "other": "online"}


def test_without_the_library_the_daemon_runs_and_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "rtmidi.py").write_text("raise ImportError('no rtmidi')\n")
    config = """
        [[midi]]
        name = "nano"
        device = "nano"
        [[control]]
        path = "/level"
        midi.nano = { cc = 7 }
        """
    with Daemon.start(config, tmp_path, env={"PYTHONPATH": f"{tmp_path / 'without'}:{ROOT}"}) as daemon:
        (peer,) = daemon.request("GET", "/healthz")[1]["peers"]
        assert peer["text"] == "python-rtmidi is not installed: stagebridge doctor says how"
        assert peer["state"] == "offline"
        said = [line for line in daemon.stderr.splitlines() if "rtmidi" in line]
        assert len(said) == 1


async def test_an_operator_pushes_sends_and_watches(jack: str) -> None:
    bridge = Bridge(jack, level(), level("/fader"))
    async with bridge.with_nano({"/level": {"cc": 7}, "/fader": {"bend": True}}) as (port, nano):
        await nano.hear_all(2)
        watch = bridge.context.monitor.watch("nano", "/cc", lambda: None)
        assert watch is not None
        handle = port.peer("nano")
        assert handle is not None
        assert handle.reach == {"/level": "sent", "/fader": "sent"}
        assert handle.push() == 2
        assert await nano.hear_all(2) == ["b0 07 00", "e0 00 00"]
        handle.send("/cc/2/9", [64])
        handle.send("/sysex", ["00 20"])
        assert await nano.hear_all(2) == ["b1 09 40", "f0 00 20 f7"]
        for address, args in (
            ("/cc/17/9", [64]),
            ("/cc/1/9", [128]),
            ("/cc/1/9", []),
            ("/zzz", [1]),
            ("/sysex", ["f7"]),
        ):
            with pytest.raises(BadValue):
                handle.send(address, args)
        nano.send("b0 07 7f")
        await bridge.reaches("/level", 1.0)
        lines = []
        while (line := watch.take()) is not None:
            lines.append((line.way, line.address, line.args))
        assert lines == [("out", "/cc/1/7", [0]), ("out", "/cc/2/9", [64]), ("in", "/cc/1/7", [127])]
    assert handle.reach["/level"] == "silent"
    with pytest.raises(PortError):
        handle.push()
