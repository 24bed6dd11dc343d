"""Ableton Live with AbletonOSC, as far as its network socket shows it.

It speaks python-osc, as the real one does, which is also what our own codec is not; and it has these habits:

- it reads its socket ten times a second: a hundred messages of a tick are read, what is beyond is lost; bundles are
  unpacked, their time ignored;
- what it says goes to port 11001 (here: ``reply_port``) of whoever was read last, wherever that message came from;
- an error ends the reading of this tick, and is told as `/live/error` with a text that does not say what caused it;
- a listener is told its value at once, then only changes, wherever they come from; it follows its track, but goes on
  to say the index that it was added with. Another track's cannot be stopped: of a volume, a panning or a device that
  is an error, so one cannot even listen anew at this index, unless with one more argument, which is said back;
- `"*"` subscribes every track, but gets only the first; at the first that fails it ends;
- indices must be ints where they pick a send, a device's parameter to listen to, or a selection;
- floats have 32 bits; switches are said as `T` and `F`, and set with an int; an empty clip slot is `N`;
- a new set, like a new start, forgets every listener, and says `/live/startup` to 127.0.0.1 alone;
- there is no listener for sends, no return or main track, no text of a volume; a selected device is not told.

Not here: address patterns, and everything that the bridge has no use for.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_message import OscMessage, ParseError
from pythonosc.osc_message_builder import OscMessageBuilder

from .liveset import Clip, Device, Listener, Parameter, Song, Thing, Track
from .udpprogram import UdpProgram

TICK_S = 0.1
ROOM = 100
"""Messages that it reads of a tick."""
LARGEST = 9216
"""Bytes of a datagram that macOS sends."""
FROM_HERE = "127.0.0.1"
ENDS_THE_TICK = (LookupError, TypeError, ValueError, AttributeError, RuntimeError, AssertionError, OSError, ParseError)

Args = tuple[Any, ...]
Handler = Callable[[Args], Args | None]

SONG = ("tempo", "metronome", "loop", "record_mode", "session_record", "signature_numerator", "signature_denominator")
SONG_READ = ("is_playing", "current_song_time")
TRACK = ("arm", "color", "mute", "solo", "name")
TRACK_READ = (
    *("can_be_armed", "has_audio_output", "has_midi_input", "is_foldable", "is_grouped", "is_visible"),
    *("output_meter_level", "output_meter_left", "output_meter_right", "playing_slot_index", "fired_slot_index"),
)
MIXER = ("volume", "panning")
SWITCHES = ("arm", "mute", "solo", "metronome", "loop", "record_mode", "session_record")


class Live(UdpProgram):
    """One Live. ``song`` is what is open in it, and outlives the program: it was saved."""

    def __init__(self, song: Song, reply_port: int, tick_s: float = TICK_S) -> None:
        super().__init__()
        self.song = song
        self.reply_port = reply_port
        self.tick_s = tick_s
        self.heard: list[tuple[str, Args]] = []
        """Everything that it has read, in order."""
        self.ticks: list[int] = []
        """How many messages had come by each tick."""
        self.lost: list[bytes] = []
        """Packets that were too many for their tick."""
        self.errors: list[str] = []
        self.messages: list[str] = []
        """What its status bar has shown."""
        self.log_level = "info"
        self.mappings: dict[tuple[int, int], Parameter] = {}
        """What a MIDI port with "Remote" on moves, by (channel from 0, CC)."""
        self.is_frozen = False
        """True: its window shows a dialog or a beach ball; nothing is read, and nobody is told."""
        self.is_silent = False
        """True: a firewall lets nothing out."""
        self._handlers = dict(self._api())
        self._listeners: dict[tuple[Any, ...], Listener] = {}
        self._client = (FROM_HERE, reply_port)
        self._waiting: list[tuple[bytes, str]] = []
        self._arrived = 0
        self._timer: asyncio.TimerHandle | None = None

    # The program

    async def start(self) -> None:
        """It is opened, with the set that it had; on the port that it had, if it has been open before."""
        loop = asyncio.get_running_loop()
        await self._appear()
        self.log_level = "info"
        self._client = (FROM_HERE, self.reply_port)
        self._timer = loop.call_later(self.tick_s, self._tick, loop.time() + self.tick_s)
        self._say("/live/startup")
        self._say("/live/application/get/average_process_usage")

    async def quit(self) -> None:
        """Gone from the network; nobody is told. A crash is no different."""
        await self._vanish()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for things in self._things():
            things.listeners.clear()
        self._listeners.clear()
        self.mappings.clear()
        self._waiting.clear()

    async def open_set(self, song: Song) -> None:
        """Another set: the script is loaded anew with it."""
        await self.quit()
        self.song = song
        await self.start()

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    # A hand on it, and its MIDI ports

    def move(self, track: str, prop: str, value: Any) -> None:
        """A hand moves a track's fader, or presses one of its buttons."""
        one = self.song.track(track)
        (getattr(one, prop).put("value", value) if prop in MIXER else one.put(prop, value))
        self._moved.set()

    def hear_midi(self, message: bytes) -> None:
        """What comes to a MIDI port with "Remote" on: a CC moves what is mapped to it, through its whole range."""
        if len(message) == 3 and message[0] & 0xF0 == 0xB0:
            parameter = self.mappings.get((message[0] & 0x0F, message[1]))
            if parameter is not None:
                parameter.put("value", parameter.min + (parameter.max - parameter.min) * message[2] / 127)
        self._moved.set()

    async def hears(self, address: str, *args: Any) -> None:
        """Return when it has read this message."""
        try:
            await self.reaches(lambda: (address, args) in self.heard)
        except TimeoutError:
            raise AssertionError(f"{address} {args} was not heard; heard {self.heard[-40:]}") from None

    # Its network socket

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        packets = messages_of(data)
        self._arrived += len(packets)
        for packet in packets:
            if len(self._waiting) < ROOM:
                self._waiting.append((packet, addr[0]))
            else:
                self.lost.append(packet)
        self._moved.set()

    def _tick(self, due: float) -> None:
        loop = asyncio.get_running_loop()
        due = max(due + self.tick_s, loop.time())
        self._timer = loop.call_at(due, self._tick, due)
        if self.is_frozen:
            return
        self.ticks.append(self._arrived)
        self._arrived = 0
        self._play()
        try:
            while self._waiting:
                packet, host = self._waiting.pop(0)
                self._client = (host, self.reply_port)
                message = OscMessage(packet)
                self._take(message.address, tuple(message.params))
        except ENDS_THE_TICK as exc:
            self._fail(f"Error handling OSC message: {exc}")
        self._moved.set()

    def _play(self) -> None:
        self.song.next_bar()
        if not self.song.is_playing:
            return
        before = int(self.song.current_song_time)
        self.song.put("current_song_time", self.song.current_song_time + self.tick_s * self.song.tempo / 60)
        if int(self.song.current_song_time) != before and ("beat",) in self._listeners:
            self._listeners["beat",]()

    def _take(self, address: str, args: Args) -> None:
        self.heard.append((address, args))
        handler = self._handlers.get(address)
        if handler is None:
            self._fail(f"Unknown OSC address: {address}")
        elif (reply := handler(args)) is not None:
            self._say(address, *reply)

    def _fail(self, text: str) -> None:
        self.errors.append(text)
        self._say("/live/error", text)

    def _say(self, address: str, *args: Any) -> None:
        builder = OscMessageBuilder(address)
        for arg in args:
            builder.add_arg(arg)
        data = builder.build().dgram
        if len(data) > LARGEST:
            raise OSError("[Errno 40] Message too long")
        if self._transport is not None and not self.is_silent:
            self._transport.sendto(data, self._client)

    # Listeners

    def _things(self) -> list[Thing]:
        song, found = self.song, [self.song, *self.song.scenes]
        for track in (*song.tracks, *song.returns, song.main):
            found += [track, track.volume, track.panning, *track.sends, *track.devices]
            found += [parameter for device in track.devices for parameter in device.parameters]
        return found

    def _listen(self, thing: Thing, prop: str, address: str, ids: Args, get: Callable[[], Args] | None = None) -> None:
        """Tell a property at once and whenever it changes. ``get`` says what, where that is not its value."""

        def tell() -> None:
            self._say(address, *ids, *(get() if get else (thing.read(prop),)))

        key = (address, ids)
        if key in self._listeners:
            self._ignore(thing, prop, address, ids)
        thing.listen(prop, tell)
        self._listeners[key] = tell
        tell()

    def _ignore(self, thing: Thing, prop: str, address: str, ids: Args) -> None:
        """Raises RuntimeError for a parameter that is not the one that was listened to: its index is another's now."""
        key = (address, ids)
        if key not in self._listeners:
            return
        try:
            thing.ignore(prop, self._listeners[key])
        except RuntimeError:
            if isinstance(thing, Parameter):
                raise
        del self._listeners[key]

    # What it can be told and asked

    def _api(self) -> list[tuple[str, Handler]]:
        api: list[tuple[str, Handler]] = [
            ("/live/test", self._test),
            ("/live/application/get/version", lambda _: (12, 2)),
            ("/live/api/get/log_level", lambda _: (self.log_level,)),
            ("/live/api/set/log_level", self._set_log_level),
            ("/live/api/show_message", lambda args: self.messages.append(args[0])),
            ("/live/song/get/num_tracks", lambda _: (len(self.song.tracks),)),
            ("/live/song/get/num_scenes", lambda _: (len(self.song.scenes),)),
            ("/live/song/get/track_names", lambda args: tuple(track.name for track in self._between(*args))),
            ("/live/song/get/track_data", self._track_data),
            ("/live/song/start_playing", lambda _: self._start_playing(0.0)),
            ("/live/song/continue_playing", lambda _: self._start_playing(self.song.current_song_time)),
            ("/live/song/stop_playing", lambda _: self.song.put("is_playing", False)),
            ("/live/song/stop_all_clips", self._stop_all_clips),
            ("/live/song/start_listen/beat", self._listen_beat),
            ("/live/song/stop_listen/beat", lambda _: self._listeners.pop(("beat",), None) and None),
            ("/live/clip_slot/fire", self._fire),
            ("/live/clip/fire", self._fire),
            ("/live/clip/stop", lambda args: self.song.stop_clips(self._track(args[0]))),
            ("/live/clip_slot/get/has_clip", self._has_clip),
            ("/live/scene/fire", lambda args: self.song.fire_scene(within(self.song.scenes, int(args[0])))),
            ("/live/midimap/map_cc", self._map_cc),
        ]
        for prop in (*SONG, *SONG_READ):
            api += self._access("song", prop, lambda _: self.song, 0, prop in SONG)
        for prop in (*TRACK, *TRACK_READ):
            api += self._access("track", prop, lambda args: self._track(args[0]), 1, prop in TRACK)
        for prop in MIXER:
            api += self._access("track", prop, partial(lambda prop, args: getattr(self._track(args[0]), prop), prop), 1)
        for prop in ("name", "color"):
            api += self._access("scene", prop, lambda args: self.song.scenes[int(args[0])], 1)
            api += self._access("clip", prop, self._clip, 2)
            api.append((f"/live/track/get/clips/{prop}", partial(self._clips, prop)))
        api += self._access("clip", "is_recording", self._clip, 2, False)
        for prop in ("name", "class_name", "type"):
            api += self._access("device", prop, self._device, 2, False)
            api.append((f"/live/track/get/devices/{prop}", partial(self._devices, prop)))
        for prop in ("name", "value", "min", "max", "is_quantized"):
            api.append((f"/live/device/get/parameters/{prop}", partial(self._parameters, prop)))
        api += [
            ("/live/track/get/send", lambda args: (int(args[0]), self._track(args[0]).sends[args[1]].value)),
            ("/live/track/set/send", lambda args: self._track(args[0]).sends[args[1]].put("value", args[2])),
            ("/live/track/stop_all_clips", lambda args: self.song.stop_clips(self._track(args[0]))),
            ("/live/track/get/num_devices", lambda args: (int(args[0]), len(self._track(args[0]).devices))),
            ("/live/device/get/num_parameters", lambda args: (*self._at(args), len(self._device(args).parameters))),
            ("/live/device/get/parameter/value", self._value),
            ("/live/device/get/parameter/value_string", self._value_string),
            ("/live/device/get/parameter/name", lambda args: (*self._at(args, 3), self._parameter(args).name)),
            ("/live/device/set/parameter/value", lambda args: self._parameter(args).put("value", args[3])),
            ("/live/device/start_listen/parameter/value", self._listen_parameter),
            ("/live/device/stop_listen/parameter/value", self._ignore_parameter),
            ("/live/view/get/selected_device", self._selected_device),
            ("/live/view/set/selected_device", self._select_device),
        ]
        for prop, get in (("selected_track", self._selected_track), ("selected_scene", self._selected_scene)):
            api += [
                (f"/live/view/get/{prop}", lambda _, get=get: get()),
                (f"/live/view/set/{prop}", partial(self._select, prop)),
                (f"/live/view/start_listen/{prop}", partial(self._listen_view, prop, get)),
                (f"/live/view/stop_listen/{prop}", partial(self._ignore_view, prop)),
            ]
        return api

    def _access(
        self, kind: str, prop: str, find: Callable[[Args], Thing], ids: int, may_set: bool = True
    ) -> list[tuple[str, Handler]]:
        """Get, set, listen to and ignore one property of the song, or of the thing that the first ids pick."""
        told = f"/live/{kind}/get/{prop}"

        def each(args: Args) -> list[Args]:
            if kind == "track" and args[0] == "*":
                return [(index, *args[1:]) for index in range(len(self.song.tracks))]
            return [args]

        def name(thing: Thing) -> str:
            return "value" if isinstance(thing, Parameter) else prop

        def get(args: Args) -> Args:
            args = each(args)[0]
            thing = find(args)
            try:
                value = thing.read(name(thing))
            except RuntimeError:
                value = None
            return (*map(int, args[:ids]), value)

        def put(args: Args) -> None:
            for one in each(args):
                thing, value = find(one), one[ids]
                if prop in (*SWITCHES, "color") and not isinstance(value, int):
                    raise TypeError("Python argument types did not match C++ signature")
                thing.put(name(thing), bool(value) if prop in SWITCHES else value)

        def listen(args: Args) -> None:
            for one in each(args):
                thing = find(one)
                self._listen(thing, name(thing), told, one)

        def ignore(args: Args) -> None:
            for one in each(args):
                thing = find(one)
                self._ignore(thing, name(thing), told, one)

        found: list[tuple[str, Handler]] = [
            (told, get),
            (f"/live/{kind}/start_listen/{prop}", listen),
            (f"/live/{kind}/stop_listen/{prop}", ignore),
        ]
        return [*found, (f"/live/{kind}/set/{prop}", put)] if may_set else found

    def _test(self, _: Args) -> None:
        self.messages.append("Received OSC OK")
        self._say("/live/test", "ok")

    def _set_log_level(self, args: Args) -> None:
        assert args[0] in ("debug", "info", "warning", "error", "critical")
        self.log_level = args[0]

    def _start_playing(self, at: float) -> None:
        self.song.put("current_song_time", at)
        self.song.put("is_playing", True)

    def _stop_all_clips(self, _: Args) -> None:
        for track in self.song.tracks:
            self.song.stop_clips(track)

    def _listen_beat(self, _: Args) -> None:
        self._listeners["beat",] = lambda: self._say("/live/song/get/beat", int(self.song.current_song_time))
        self._listeners["beat",]()

    def _between(self, low: int = 0, high: int = -1) -> list[Track]:
        return [self.song.tracks[index] for index in range(low, len(self.song.tracks) if high == -1 else high)]

    def _track_data(self, args: Args) -> Args:
        found: list[Any] = []
        for track in self._between(*map(int, args[:2])):
            for what in args[2:]:
                kind, _, prop = what.partition(".")
                if kind == "track":
                    found.append(track.read(prop))
                elif kind == "clip":
                    found += [clip and getattr(clip, prop) for clip in track.clips]
                elif kind == "device":
                    found += [getattr(device, prop) for device in track.devices]
                else:
                    raise ValueError(f"Unknown object identifier in get/track_data: {kind}")
        return tuple(found)

    def _track(self, index: Any) -> Track:
        return self.song.tracks[within(self.song.tracks, int(index))]

    def _at(self, args: Args, count: int = 2) -> Args:
        return tuple(map(int, args[:count]))

    def _clip(self, args: Args) -> Clip:
        clip = self._track(args[0]).clips[int(args[1])]
        if clip is None:
            raise AttributeError("'NoneType' object has no attribute 'name'")
        return clip

    def _clips(self, prop: str, args: Args) -> Args:
        return (int(args[0]), *(clip and getattr(clip, prop) for clip in self._track(args[0]).clips))

    def _has_clip(self, args: Args) -> Args:
        return (*self._at(args), self._track(args[0]).clips[int(args[1])] is not None)

    def _fire(self, args: Args) -> None:
        track = self._track(args[0])
        self.song.fire(track, within(track.clips, int(args[1])))

    def _devices(self, prop: str, args: Args) -> Args:
        return (int(args[0]), *(getattr(device, prop) for device in self._track(args[0]).devices))

    def _device(self, args: Args) -> Device:
        return self._track(args[0]).devices[int(args[1])]

    def _parameters(self, prop: str, args: Args) -> Args:
        return (*self._at(args), *(getattr(parameter, prop) for parameter in self._device(args).parameters))

    def _parameter(self, args: Args) -> Parameter:
        return self._device(args).parameters[int(args[2])]

    def _value(self, args: Args) -> Args:
        return (*self._at(args, 3), self._parameter(args).value)

    def _value_string(self, args: Args) -> Args:
        parameter = self._parameter(args)
        return (*self._at(args, 3), parameter.text(parameter.value))

    def _listen_parameter(self, args: Args) -> None:
        parameter = self._device(args).parameters[args[2]]
        value, text = "/live/device/get/parameter/value", "/live/device/get/parameter/value_string"

        def tell() -> Args:
            self._say(value, *args, parameter.value)
            return (parameter.text(parameter.value),)

        self._listen(parameter, "value", text, args, tell)

    def _ignore_parameter(self, args: Args) -> None:
        parameter = self._device(args).parameters[args[2]]
        self._ignore(parameter, "value", "/live/device/get/parameter/value_string", args)

    def _map_cc(self, args: Args) -> None:
        self.mappings[int(args[3]), int(args[4])] = self._parameter(args)

    def _selected_track(self) -> Args:
        return (self.song.tracks.index(self.song.selected_track),)

    def _selected_scene(self) -> Args:
        assert self.song.selected_scene is not None
        return (self.song.scenes.index(self.song.selected_scene),)

    def _select(self, prop: str, args: Args) -> None:
        things = self.song.tracks if prop == "selected_track" else self.song.scenes
        self.song.put(prop, things[args[0]])

    def _listen_view(self, prop: str, get: Callable[[], Args], args: Args) -> None:
        self._listen(self.song, prop, f"/live/view/get/{prop}", args, get)

    def _ignore_view(self, prop: str, args: Args) -> None:
        self._ignore(self.song, prop, f"/live/view/get/{prop}", args)

    def _selected_device(self, _: Args) -> Args:
        track = self.song.selected_track
        if track.selected_device is None:
            raise ValueError("None is not in list")
        return (*self._selected_track(), track.devices.index(track.selected_device))

    def _select_device(self, args: Args) -> Args:
        track = self.song.tracks[args[0]]
        track.selected_device = track.devices[args[1]]
        self.song.put("selected_track", track)
        return args[:2]


@asynccontextmanager
async def opened_live(song: Song, reply_port: int, tick_s: float = TICK_S) -> AsyncIterator[Live]:
    """A Live on a free port of 127.0.0.1, that answers to ``reply_port``."""
    live = Live(song, reply_port, tick_s)
    await live.start()
    try:
        yield live
    finally:
        await live.quit()


def within(things: list[Any], index: int) -> int:
    """Live's own lists have no negative indices. Raises IndexError."""
    if not 0 <= index < len(things):
        raise IndexError("list index out of range")
    return index


def messages_of(data: bytes) -> list[bytes]:
    """The messages of a packet, in order, whatever bundles they are in."""
    if not OscBundle.dgram_is_bundle(data):
        return [data]
    found = []
    for content in OscBundle(data):
        found += messages_of(content.dgram)
    return found
