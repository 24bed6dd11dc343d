"""The fast lane: moves that reach Live by MIDI while OSC stays the way back. Over JACK, with a fake Live."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bridge import app
from bridge.config.loading import parse
from bridge.store import Origin

from .fakes.abletonosc import Live, opened_live
from .fakes.liveset import Device, Parameter, Song, Track
from .jack import Controller
from .peers import free_udp_port
from .port_contract import until

pytestmark = [pytest.mark.alone, pytest.mark.asyncio(loop_scope="session")]
FINGER = Origin("browser", "c1")
VOLUME, FREQUENCY = "/live/track/drums/volume", "/frequency"
DRAG_S = 1.0


class Stage:
    """A Live with its MIDI port, and the bridge that has found its set."""

    def __init__(self, live: Live, bridge: app.Bridge, port: Controller) -> None:
        self.live, self.bridge, self.store, self.port = live, bridge, bridge.store, port
        self.heard: list[tuple[float, bytes]] = []
        """What came to Live's MIDI port, and when."""

        self._pump: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Live hears its MIDI port from now on."""
        self._pump = asyncio.create_task(self._hear())

    async def stop(self) -> None:
        assert self._pump is not None
        self._pump.cancel()
        await asyncio.wait([self._pump])

    async def _hear(self) -> None:
        while True:
            message = bytes.fromhex(await self.port.hear())
            self.heard.append((time.monotonic(), message))
            self.live.hear_midi(message)

    async def asked(self, question: tuple[str, tuple[int, ...]]) -> None:
        """Returns when Live has just answered this, which it is asked again and again."""
        before = self.live.heard.count(question)
        await self.live.reaches(lambda: self.live.heard.count(question) > before)
        ticks = len(self.live.ticks)
        await self.live.reaches(lambda: len(self.live.ticks) > ticks)

    def number(self, path: str) -> float:
        """Where a control stands, as a part of its travel."""
        entry = self.store.get(path)
        return entry.control.position(entry.value)

    def move(self, path: str, position: float) -> None:
        entry = self.store.get(path)
        self.store.set(entry, entry.control.value_at(position), FINGER, time.monotonic())

    async def drag(self, path: str, start: float, end: float, seconds: float = DRAG_S) -> list[float]:
        """A finger moves it 60 times a second; where it stood, each time before it moved on."""
        entry, seen = self.store.get(path), []
        self.store.touch(entry, FINGER, time.monotonic())
        began, steps = time.monotonic(), round(seconds * 60)
        for step in range(steps + 1):
            if step:
                seen.append(self.number(path))
            self.move(path, start + (end - start) * step / steps)
            await asyncio.sleep(max(0.0, began + (step + 1) / 60 - time.monotonic()))
        self.store.release(entry, FINGER, time.monotonic())
        return seen


def song() -> Song:
    frequency = Parameter("Frequency", 0.5, 0.0, 2.0)
    return Song([Track("Bass"), Track("Drums", devices=[Device("Auto Filter", [frequency])])])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def open_set(jack: str) -> AsyncIterator[Stage]:
    reply_port = free_udp_port()
    async with (
        opened_live(song(), reply_port) as live,
        Controller.start(jack, "iac") as port,
        Controller.start(jack, "another"),  # without any port JACK would be thought to have died, and opened anew
    ):
        text = f"""
[http]
host = "127.0.0.1"
port = 0

[[midi]]
name = "iac"
out = "iac"
in = false
api = "jack"

[[osc]]
name = "live"
profile = "abletonosc"
send = ["127.0.0.1:{live.udp_port}"]
listen = "127.0.0.1:{reply_port}"
lane = "iac"
lane_cc = {{ "Drums/volume" = 20 }}

[[control]]
path = "{FREQUENCY}"
[control.osc.live]
live = "Drums/Auto Filter/Frequency"
"""
        live.mappings[15, 20] = live.song.track("Drums").volume  # by hand, in Live
        async with app.Bridge(await asyncio.to_thread(parse, text, app.KINDS, Path.cwd())) as bridge:
            await until(bridge.store, lambda: bridge.store.find(VOLUME) is not None)
            await until(bridge.store, lambda: bridge.store.get(VOLUME).value is not None)
            lane = bridge.store.get("/stagebridge/peers/iac")
            await until(bridge.store, lambda: str(lane.value).startswith("online"))
            yield Stage(live, bridge, port)


@pytest_asyncio.fixture(loop_scope="session")
async def stage(open_set: Stage) -> AsyncIterator[Stage]:
    open_set.start()
    yield open_set
    await open_set.stop()


async def test_a_drag_reaches_live_by_midi_and_its_late_report_moves_nothing(stage: Stage) -> None:
    drums = stage.live.song.track("Drums")
    await stage.asked(("/live/track/get/volume", (1,)))  # what is answered during the first move would be shown once
    sets = len(_sets(stage.live))
    began = time.monotonic()
    seen = await stage.drag(VOLUME, 0.1, 0.9)
    took_s = time.monotonic() - began
    assert seen == sorted(seen)  # it never went back
    await stage.live.reaches(lambda: len(_sets(stage.live)) > sets)  # once it rests: the exact value
    rate = len(stage.heard) / (stage.heard[-1][0] - stage.heard[0][0])
    assert rate >= 50 * DRAG_S / took_s  # of 60, if this machine let the finger move as often
    assert {message[:2] for _, message in stage.heard} == {b"\xbf\x14"}
    assert len(_sets(stage.live)) == sets + 1
    assert drums.volume.value == pytest.approx(stage.number(VOLUME), abs=1e-6)
    assert stage.number(VOLUME) == pytest.approx(0.9)
    # What Live moves itself comes back by OSC, and is not sent to it again.
    count = len(stage.heard)
    stage.live.move("Drums", "volume", 0.25)
    await until(stage.store, lambda: abs(stage.number(VOLUME) - 0.25) < 1e-6)
    stage.live.move("Bass", "volume", 0.5)
    await until(stage.store, lambda: abs(stage.number("/live/track/bass/volume") - 0.5) < 1e-6)
    assert len(stage.heard) == count
    # Of what nobody has mapped nothing goes to the lane.
    stage.move("/live/track/bass/volume", 0.75)
    await stage.live.reaches(lambda: abs(stage.live.song.track("Bass").volume.value - 0.75) < 1e-6)
    assert len(stage.heard) == count


async def test_a_device_s_parameter_is_mapped_without_a_hand(stage: Stage) -> None:
    await stage.live.reaches(lambda: any(address.endswith("map_cc") for address, _ in stage.live.heard))
    mapped = [args for address, args in stage.live.heard if address.endswith("map_cc")]
    assert (1, 0, 1) in [args[:3] for args in mapped]
    assert 20 not in [args[4] for args in mapped]  # which is the drums'
    frequency = stage.live.song.track("Drums").devices[0].parameters[1]
    await until(stage.store, lambda: stage.store.get(FREQUENCY).value is not None)
    await stage.drag(FREQUENCY, 0.2, 0.8, seconds=0.4)
    assert len(stage.heard) > 15
    await stage.live.reaches(lambda: abs(frequency.value - 1.6) < 1e-6)


async def test_a_lane_that_live_does_not_hear_is_named_and_osc_takes_over(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    del stage.live.mappings[15, 20]
    await stage.drag(VOLUME, 0.1, 0.9, seconds=1.2)
    await stage.live.reaches(lambda: abs(stage.live.song.track("Drums").volume.value - 0.9) < 1e-6)
    assert "CC 20 on channel 16" in caplog.text


async def test_without_its_midi_port_moves_go_by_osc(stage: Stage) -> None:
    state = stage.store.get("/stagebridge/peers/live")
    assert "moves go by iac" in str(state.value)
    await stage.stop()
    await stage.port.pull()
    await until(stage.store, lambda: "iac is not there: moves go by OSC" in str(state.value))
    stage.move(VOLUME, 0.3)
    await stage.live.reaches(lambda: abs(stage.live.song.track("Drums").volume.value - 0.3) < 1e-6)


def _sets(live: Live) -> list[tuple[object, ...]]:
    """The volumes that were set by OSC."""
    return [args for address, args in live.heard if address == "/live/track/set/volume"]
