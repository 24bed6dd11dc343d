"""Live at the other end of a real socket: the fake AbletonOSC, our OSC port and the driver between them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from bridge.control import Control
from bridge.osc.profile import PROFILES
from bridge.osc.settings import Binding
from bridge.port import Peer
from bridge.surface import Page

from .fakes.abletonosc import ROOM, Live, opened_live
from .fakes.liveset import Device, Parameter, Song, Track
from .peers import free_udp_port
from .port_contract import until
from .profiles import settings_of
from .test_osc import Bridge
from .waiting import SOON_S

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
        async with asyncio.timeout(SOON_S):
            while not is_so(self.pages):
                self._shown.clear()
                await self._shown.wait()

    async def strips(self, *names: str) -> None:
        await self.shows(lambda pages: bool(pages) and [group.name for group in pages[0].groups] == list(names))

    def items(self, title: str) -> list[str]:
        """What is on a page."""
        page = next(page for page in self.pages if page.name.casefold() == title)
        return [item.path for group in page.groups for item in group.items]

    def strip(self, name: str) -> Any:
        return next(group for group in self.pages[0].groups if group.name == name)


@asynccontextmanager
async def staged(
    song: Song, *controls: Control, bindings: Any = None, tick_s: float = TICK_S, **table: Any
) -> AsyncIterator[Stage]:
    """The port of a peer "live" and the Live at its other end."""
    port = free_udp_port()
    async with opened_live(song, port, tick_s) as live:
        stage = Stage(live, *controls)
        raw = {"name": "live", "profile": "abletonosc", "host": HERE, "port": live.udp_port, "probe_s": 0.2}
        settings = await asyncio.to_thread(settings_of, PROFILES, {**raw, "listen": f"{HERE}:{port}", **table})
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


async def test_it_moves_live_and_live_moves_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING")
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
        assert not caplog.text, "what we are told is not there was our own question"


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


async def test_tracks_of_one_name_that_change_places_are_told_apart_again(caplog: pytest.LogCaptureFixture) -> None:
    song = Song([Track("Vox"), Track("Vox"), Track("Drums")], sends=0)
    async with staged(song, show=["volume", "mute"]) as stage:
        first, second = song.tracks[:2]
        second.volume.put("value", 0.55)
        await stage.reaches("/live/track/vox-2/volume", -12.0)
        song.tracks[:2] = [second, first]
        await stage.reaches("/live/track/vox/volume", -12.0)
        await stage.reaches("/live/track/vox-2/volume", 0.0)
        second.volume.put("value", 0.7)
        await stage.reaches("/live/track/vox/volume", -6.0)
        stage.bridge.set("/live/track/vox-2/volume", -18.0)
        await stage.live.reaches(lambda: first.volume.value == pytest.approx(0.4))
        await stage.reaches("/live/track/vox/volume", -6.0)
        assert not caplog.text


async def test_tracks_that_live_names_by_their_number_are_who_they_are_where_one_comes_before_them() -> None:
    song = Song([Track("1-MIDI"), Track("2-MIDI"), Track("3-Audio")], sends=0)
    first, second, third = song.tracks
    async with staged(song, show=["volume"]) as stage:
        await stage.strips("1-MIDI", "2-MIDI", "3-Audio")
        audio = stage.store.get("/live/track/3-audio/volume")
        song.add_track(Track("1-MIDI"), 0)
        first.name, second.name, third.name = "2-MIDI", "3-MIDI", "4-Audio"
        await stage.strips("1-MIDI", "2-MIDI", "3-MIDI", "4-Audio")
        assert stage.store.get("/live/track/3-audio/volume") is audio
        values = {"2-MIDI": 0.4, "3-MIDI": 0.55, "4-Audio": 0.7, "1-MIDI": 1.0}
        for name, value in values.items():
            stage.live.move(name, "volume", value)
        for name, value in values.items():
            await stage.reaches(stage.strip(name).items[0].path, 40 * value - 34)


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
        async with asyncio.timeout(SOON_S):
            while "Invalid tempo, after /live/tempo was moved" not in caplog.text:
                await asyncio.sleep(0.005)


@pytest.mark.alone
async def test_a_large_set_is_there_in_three_seconds_and_live_is_not_flooded() -> None:
    song = Song([Track(f"Track {n}") for n in range(128)], sends=2)
    async with staged(song, tick_s=0.1) as stage:
        last = [f"/live/track/track-127/{what}" for what in ("volume", "pan", "mute", "solo")]
        await until(stage.store, lambda: all(stage.store.find(path) for path in last))
        await stage.reaches("/live/track/track-127/volume", 0.0)
        await stage.reaches("/live/track/track-0/volume", 0.0)
        assert len(stage.live.ticks) < 30, "ten a second: a machine that has no time has fewer"
        for round_ in range(3):
            for n in range(128):
                stage.bridge.set(f"/live/track/track-{n}/volume", -20.0 + round_)
            ticks = len(stage.live.ticks)
            await stage.live.reaches(lambda ticks=ticks: len(stage.live.ticks) > ticks)
        await stage.live.reaches(lambda: all(track.volume.value == pytest.approx(0.4) for track in song.tracks))
        assert max(stage.live.ticks) <= ROOM, "nothing was lost"


def with_devices() -> Song:
    """Two devices on the bass, one with many parameters; the first is selected."""
    filter_ = Device("Auto Filter", [Parameter("Frequency", 60.0, 20.0, 135.0, text="{:.0f} Hz".format)])
    rack = Device("Rack", [Parameter(f"Macro {n}", 0.0, 0.0, 127.0) for n in range(1, 21)])
    mode = Parameter("Mode", 1, 0, 3, is_quantized=True, text=lambda value: ["LP", "HP", "BP", "Notch"][int(value)])
    song = Song([Track("Drums"), Track("Bass", devices=[filter_, rack]), Track("Keys", devices=[Device("EQ", [mode])])])
    song.selected_track = song.track("Bass")
    return song


async def device_is(stage: Stage, title: str) -> None:
    await stage.shows(lambda pages: bool(pages) and pages[-1].groups[0].name == title)


async def test_the_selected_device_is_there_with_lives_own_texts() -> None:
    async with staged(with_devices(), show=["device"]) as stage:
        await stage.reaches("/live/device/1", 60.0)
        frequency = stage.store.get("/live/device/1")
        assert (frequency.control.label, frequency.control.range) == ("Frequency", (20.0, 135.0))
        await until(stage.store, lambda: frequency.marks.get("text") == "60 Hz")
        await device_is(stage, "Auto Filter – Bass")
        stage.bridge.set("/live/device/1", 100.0)
        await until(stage.store, lambda: frequency.marks.get("text") == "100 Hz")
        stage.bridge.set("/live/device/on", False)
        bass = stage.live.song.track("Bass")
        await stage.live.reaches(lambda: bass.devices[0].parameters[0].value == 0)


async def test_another_device_has_other_controls_and_its_windows() -> None:
    async with staged(with_devices(), show=["device"]) as stage:
        await stage.reaches("/live/device/1", 60.0)
        before = stage.store.get("/live/device/1")
        bass = stage.live.song.track("Bass")
        bass.selected_device = rack = bass.devices[1]
        await device_is(stage, "Rack – Bass")
        await until(stage.store, lambda: stage.store.find("/live/device/16") is not None)
        assert stage.store.get("/live/device/1").id != before.id
        assert stage.store.get("/live/device/16").control.label == "Macro 16"
        assert stage.store.get("/live/device/window").control.range == (1, 2)
        stage.bridge.set("/live/device/window", 2)
        await until(stage.store, lambda: stage.store.find("/live/device/16") is None)
        await until(stage.store, lambda: stage.store.find("/live/device/4") is not None)
        assert stage.store.get("/live/device/4").control.label == "Macro 20"
        stage.bridge.set("/live/device/4", 64.0)
        await stage.live.reaches(lambda: rack.parameters[20].value == 64.0)
        await stage.live.reaches(lambda: ("/live/device/stop_listen/parameter/value", 1) in stopped(stage.live))


def stopped(live: Live) -> list[tuple[str, int]]:
    """Which tracks' devices are not listened to any more."""
    return [(address, args[0]) for address, args in live.heard if "stop_listen" in address]


async def test_no_device_is_selected_and_then_one_is() -> None:
    song = with_devices()
    song.selected_track = song.track("Drums")
    async with staged(song, show=["device", "sends"]) as stage:
        await stage.reaches("/live/track/keys/send/a", 0.0)
        await stage.live.reaches(lambda: "None is not in list" in " ".join(stage.live.errors))
        assert stage.items("live device") == ["/live/device/none"], "which says so"
        song.put("selected_track", song.track("Keys"))
        await until(stage.store, lambda: stage.store.find("/live/device/1") is not None)
        mode = stage.store.get("/live/device/1")
        assert (mode.control.kind, mode.control.range) == ("int", (0, 3))
        await until(stage.store, lambda: (mode.value, mode.marks.get("text")) == (1, "HP"))
        song.selected_track = song.main
        await until(stage.store, lambda: stage.store.find("/live/device/1") is None)
        assert stage.store.find("/live/track/keys/send/b") is not None, "that error was no answer about sends"


async def test_controls_of_the_configuration_name_what_they_move() -> None:
    mine = [Control(path="/drums"), Control(path="/cutoff", range=(0, 100)), Control(path="/gone")]
    mine += [Control(path="/mode", kind="choice", choices=("a", "b", "c", "d")), Control(path="/verb")]
    names = {
        "/drums": {"live": "drums/volume"},
        "/cutoff": {"live": "Bass/Auto Filter/Frequency"},
        "/gone": {"live": "Nobody/volume"},
        "/mode": {"live": "Keys/EQ/Mode"},
        "/verb": {"live": "Keys/send/b"},
    }
    async with staged(with_devices(), *mine, bindings=names, show=[], tracks=["Nothing"]) as stage:
        song = stage.live.song
        await stage.reaches("/drums", 0.85)
        await until(stage.store, lambda: stage.store.get("/drums").marks == {"text": "0.0 dB"})
        await stage.reaches("/cutoff", 100 * 40 / 115)
        await stage.reaches("/mode", "b")
        assert stage.store.get("/gone").marks == {"text": "not in Live"}
        song.move_track("Bass", 2)
        song.track("Bass").devices.insert(0, Device("Gate"))
        song.track("Drums").name = "Kit"
        await stage.live.reaches(lambda: (2, 1, 1) in [args[:3] for _, args in stage.live.heard])
        frequency = song.track("Bass").devices[1].parameters[1]
        frequency.put("value", 135.0)
        await stage.reaches("/cutoff", 100.0)
        stage.bridge.set("/cutoff", 0.0)
        await stage.live.reaches(lambda: frequency.value == 20.0)
        stage.bridge.set("/drums", 0.4)
        await stage.live.reaches(lambda: song.track("Kit").volume.value == pytest.approx(0.4))
        stage.bridge.set("/verb", 0.5)
        await stage.live.reaches(lambda: song.track("Keys").sends[1].value == pytest.approx(0.5))
        song.delete_track("Bass")
        await until(stage.store, lambda: stage.store.get("/cutoff").marks.get("text") == "not in Live")
        assert [entry.path for entry in stage.store if entry.path.startswith("/live/track")] == []


async def test_a_place_is_called_as_the_track_that_stands_there() -> None:
    mine = [Control(path=f"/strip/{n}/{what}", group=f"Strip {n}") for n in (1, 2, 4) for what in ("volume", "pan")]
    names = {control.path: {"live": f"#{control.path[7]}/{control.path[9:]}"} for control in mine}
    async with staged(three(), *mine, bindings=names, show=[]) as stage:
        fader, pan = stage.store.get("/strip/1/volume"), stage.store.get("/strip/1/pan")
        await until(stage.store, lambda: fader.control.label == "Drums")
        assert (fader.control.color, fader.control.group, pan.control.group) == ("#ff0000", "Drums", "Drums")
        assert pan.control.label == "pan"
        nobody = stage.store.get("/strip/4/volume")
        assert (nobody.control.group, nobody.marks) == ("Strip 4", {"text": "not in Live"})
        stage.live.song.track("Bass").volume.value = 0.4
        stage.live.song.move_track("Bass", 0)
        await until(stage.store, lambda: fader.control.label == "Bass")
        await stage.reaches("/strip/1/volume", 0.4)
        stage.bridge.set("/strip/1/volume", 0.5)
        await stage.live.reaches(lambda: stage.live.song.track("Bass").volume.value == pytest.approx(0.5))
        stage.live.song.add_track(Track("Voice"))
        await until(stage.store, lambda: nobody.control.group == "Voice")


async def test_a_control_of_the_configuration_at_a_path_of_ours_stays_as_it_is_and_moves_live() -> None:
    mine = [Control(path="/live/tempo", range=(60, 180)), Control(path="/live/track/keys/volume", label="My keys")]
    async with staged(three(), *mine) as stage:
        await stage.reaches("/live/tempo", 120.0)
        await stage.reaches("/live/track/keys/volume", 0.85)
        assert stage.store.get("/live/track/keys/volume").control is mine[1]
        stage.bridge.set("/live/tempo", 90.0)
        await stage.live.reaches(lambda: stage.live.song.tempo == 90.0)
        stage.live.song.delete_track("Keys")
        await stage.strips("Drums", "Bass")
        assert stage.store.get("/live/track/keys/volume").control is mine[1]
        assert stage.store.find("/live/track/keys/mute") is None
