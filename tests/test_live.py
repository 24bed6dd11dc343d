"""Live at the other end of a real socket: the fake AbletonOSC, our OSC port and the driver between them."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from bridge.control import Control
from bridge.oscprofile import PROFILES
from bridge.oscsettings import Binding
from bridge.port import Peer
from bridge.surface import Page

from .fakes.abletonosc import ROOM, Live, opened_live
from .fakes.liveset import Song, Track
from .port_contract import until
from .test_osc import Bridge

TICK_S = 0.02
HERE = "127.0.0.1"


class Stage:
    """A Live, and what the bridge has made of its set."""

    def __init__(self, live: Live, *controls: Control) -> None:
        self.live = live
        self.bridge = Bridge(*controls)
        self.store = self.bridge.store
        self.pages: Sequence[Page] = ()
        self._shown = asyncio.Event()
        self.bridge.context = replace(self.bridge.context, show_pages=self._show)

    def _show(self, peer: str, pages: Sequence[Page]) -> None:
        self.pages = pages
        self._shown.set()

    async def reaches(self, path: str, value: Any, within: float = 1e-3) -> None:
        """Return when the control has this value."""
        await until(self.store, lambda: self._has(path, value, within))

    def _has(self, path: str, value: Any, within: float) -> bool:
        entry = self.store.find(path)
        if entry is None or entry.value is None or isinstance(value, (bool, str)):
            return entry is not None and entry.value == value
        return abs(entry.value - value) <= within

    async def shows(self, is_so: Callable[[Sequence[Page]], bool]) -> None:
        """Return when the pages are so."""
        async with asyncio.timeout(5):
            while not is_so(self.pages):
                self._shown.clear()
                await self._shown.wait()

    async def strips(self, *names: str) -> None:
        await self.shows(lambda pages: bool(pages) and [group.name for group in pages[0].groups] == list(names))

    def strip(self, name: str) -> Any:
        return next(group for group in self.pages[0].groups if group.name == name)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((HERE, 0))
        return int(one.getsockname()[1])


@asynccontextmanager
async def staged(
    song: Song, *controls: Control, bindings: Any = None, tick_s: float = TICK_S, **table: Any
) -> AsyncIterator[Stage]:
    """The port of a peer "live" and the Live at its other end."""
    port = free_port()
    async with opened_live(song, port, tick_s) as live:
        stage = Stage(live, *controls)
        raw = {"name": "live", "profile": "abletonosc", "host": HERE, "port": live.udp_port, "probe_s": 0.2}
        settings = await asyncio.to_thread(PROFILES.settings_of, {**raw, "listen": f"{HERE}:{port}", **table})
        bound = {path: (Binding.model_validate(one),) for path, one in (bindings or {}).items()}
        async with stage.bridge.running(Peer("osc", "live", settings, bound)):
            yield stage


def three() -> Song:
    return Song([Track("Drums", 0xFF0000), Track("Bass", can_be_armed=False), Track("Keys")], sends=1)


async def test_a_table_alone_makes_controls_of_the_set_that_is_open() -> None:
    song = three()
    song.track("Bass").volume.value, song.track("Bass").mute = 0.55, True
    async with staged(song) as stage:
        await stage.reaches("/live/track/bass/volume", -12.0)
        await stage.reaches("/live/track/bass/mute", True)
        await stage.reaches("/live/track/keys/send/a", 0.0)
        await stage.reaches("/live/tempo", 120.0)
        await stage.strips("Drums", "Bass", "Keys")
        assert stage.strip("Drums").color == "#ff0000"
        assert stage.store.find("/live/track/bass/arm") is None
        assert stage.live.log_level == "warning"


async def test_it_moves_live_and_live_moves_it() -> None:
    async with staged(three()) as stage:
        await stage.reaches("/live/track/keys/volume", 0.0)
        stage.bridge.set("/live/track/keys/volume", -12.0)
        await stage.live.reaches(lambda: stage.live.song.track("Keys").volume.value == pytest.approx(0.55))
        stage.live.move("Drums", "panning", -0.5)
        await stage.reaches("/live/track/drums/pan", -25.0)
        stage.bridge.set("/live/track/drums/solo", True)
        await stage.live.reaches(lambda: stage.live.song.track("Drums").solo)
        stage.live.move("Drums", "arm", True)
        await stage.reaches("/live/track/drums/arm", True)
        stage.live.song.track("Bass").put("output_meter_level", 0.85)
        await stage.reaches("/live/track/bass/meter", 0.0)
        stage.bridge.set("/live/play", True)
        await stage.live.reaches(lambda: stage.live.song.is_playing)
        await until(stage.store, lambda: stage.bridge.value("/live/beat") > 0)
        assert not stage.live.errors[1:], "only the end of the sends is one"


async def test_a_send_is_asked_for_as_nobody_tells_it() -> None:
    async with staged(three()) as stage:
        await stage.reaches("/live/track/bass/send/a", 0.0)
        stage.live.song.track("Bass").sends[0].value = 0.5
        await stage.reaches("/live/track/bass/send/a", 50.0)
        stage.bridge.set("/live/track/keys/send/a", 25.0)
        await stage.live.reaches(lambda: stage.live.song.track("Keys").sends[0].value == pytest.approx(0.25))


async def test_a_track_that_is_moved_is_still_the_one_that_its_fader_moves() -> None:
    async with staged(three()) as stage:
        await stage.strips("Drums", "Bass", "Keys")
        keys = stage.store.get("/live/track/keys/volume")
        stage.live.song.move_track("Keys", 0)
        await stage.strips("Keys", "Drums", "Bass")
        assert stage.store.get("/live/track/keys/volume") is keys
        stage.bridge.set("/live/track/keys/volume", -12.0)
        await stage.live.reaches(lambda: stage.live.song.track("Keys").volume.value == pytest.approx(0.55))
        stage.live.move("Drums", "volume", 1.0)
        await stage.reaches("/live/track/drums/volume", 6.0)
        stage.live.move("Keys", "volume", 0.4)
        await stage.reaches("/live/track/keys/volume", -18.0)


async def test_tracks_come_go_and_are_renamed() -> None:
    async with staged(three()) as stage:
        await stage.strips("Drums", "Bass", "Keys")
        stage.live.song.add_track(Track("Voice"), 1)
        await stage.strips("Drums", "Voice", "Bass", "Keys")
        stage.live.song.delete_track("Drums")
        await stage.strips("Voice", "Bass", "Keys")
        assert stage.store.find("/live/track/drums/volume") is None
        stage.live.song.track("Bass").name = "Low"
        await stage.strips("Voice", "Low", "Keys")
        stage.live.move("Low", "volume", 0.55)
        await stage.reaches("/live/track/bass/volume", -12.0)


async def test_live_is_closed_and_opened_with_another_set() -> None:
    async with staged(three(), timeout_s=0.5) as stage:
        await stage.strips("Drums", "Bass", "Keys")
        await stage.live.quit()
        await until(stage.store, lambda: stage.store.get("/live/track/bass/volume").marks.get("silent") == "live")
        stage.bridge.set("/live/track/bass/volume", -60.0)
        stage.live.song.delete_track("Drums")
        await stage.live.start()
        await stage.strips("Bass", "Keys")
        await stage.reaches("/live/track/bass/volume", 0.0)
        assert "silent" not in stage.store.get("/live/track/bass/volume").marks
        await stage.live.open_set(Song([Track("Solo")]))
        await stage.strips("Solo")
        assert stage.store.find("/live/track/bass/volume") is None


async def test_what_live_complains_of_is_told_with_what_was_moved(caplog: pytest.LogCaptureFixture) -> None:
    async with staged(three(), show=["song"]) as stage:
        await stage.reaches("/live/tempo", 120.0)
        stage.live.song.put = lambda prop, value: (_ for _ in ()).throw(RuntimeError("Invalid tempo"))
        stage.bridge.set("/live/tempo", 130.0)
        await stage.live.reaches(lambda: bool(stage.live.errors))
        async with asyncio.timeout(5):
            while "Invalid tempo, after /live/tempo was moved" not in caplog.text:
                await asyncio.sleep(0.005)


async def test_a_large_set_is_there_in_three_seconds_and_live_is_not_flooded() -> None:
    song = Song([Track(f"Track {n}") for n in range(128)], sends=2)
    async with staged(song, tick_s=0.1) as stage:
        started = time.monotonic()
        last = [f"/live/track/track-127/{what}" for what in ("volume", "pan", "mute", "solo")]
        await until(stage.store, lambda: all(stage.store.find(path) for path in last))
        await stage.reaches("/live/track/track-127/volume", 0.0)
        await stage.reaches("/live/track/track-0/volume", 0.0)
        assert time.monotonic() - started < 3
        for round_ in range(3):
            for n in range(128):
                stage.bridge.set(f"/live/track/track-{n}/volume", -20.0 + round_)
            ticks = len(stage.live.ticks)
            await stage.live.reaches(lambda ticks=ticks: len(stage.live.ticks) > ticks)
        await stage.live.reaches(lambda: all(track.volume.value == pytest.approx(0.4) for track in song.tracks))
        assert max(stage.live.ticks) <= ROOM
        assert not stage.live.lost
