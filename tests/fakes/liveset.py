"""What is open in Live: a song with tracks, scenes, clips and devices, each of which can be listened to.

A listener belongs to the thing that it was added to: it follows a track that is moved, and is never called again for
one that was deleted. To remove one from a thing that has never had it is an error, as it is in Live.
"""

from collections.abc import Callable, Iterable
from typing import Any

Listener = Callable[[], None]

WITHOUT_ARM = "Main and return tracks have no 'Arm' state!"
WITHOUT_METERS = "Tracks without audio output have no stereo meter"
NOT_CONNECTED = "Observer not connected"
OUT_OF_RANGE = "Invalid value. Check the parameters range with min/max"


class Thing:
    """Something that a hand or a message changes with `put`, and that tells who listens if it is another value."""

    def __init__(self) -> None:
        self.listeners: dict[str, list[Listener]] = {}

    def read(self, prop: str) -> Any:
        """The value of a property. Raises RuntimeError where this one has none."""
        return getattr(self, prop)

    def put(self, prop: str, value: Any) -> None:
        if getattr(self, prop) == value:
            return
        setattr(self, prop, value)
        for listener in list(self.listeners.get(prop, ())):
            listener()

    def listen(self, prop: str, listener: Listener) -> None:
        self.read(prop)
        self.listeners.setdefault(prop, []).append(listener)

    def ignore(self, prop: str, listener: Listener) -> None:
        if listener not in self.listeners.get(prop, ()):
            raise RuntimeError(NOT_CONNECTED)
        self.listeners[prop].remove(listener)


class Parameter(Thing):
    """`text` is what Live writes beside the knob."""

    def __init__(
        self,
        name: str,
        value: float,
        low: float = 0.0,
        high: float = 1.0,
        is_quantized: bool = False,
        text: Callable[[float], str] = "{:.2f}".format,
    ) -> None:
        super().__init__()
        self.name, self.value, self.min, self.max = name, value, low, high
        self.is_quantized, self.text = is_quantized, text

    def put(self, prop: str, value: Any) -> None:
        if not self.min <= value <= self.max:
            raise RuntimeError(OUT_OF_RANGE)
        super().put(prop, round(value) if self.is_quantized else value)


class Device(Thing):
    def __init__(self, name: str, parameters: Iterable[Parameter] = (), class_name: str = "", type: int = 1) -> None:
        super().__init__()
        self.name, self.class_name, self.type = name, class_name or name, type
        self.parameters = [Parameter("Device On", 1, is_quantized=True, text=lambda on: "On" if on else "Off")]
        self.parameters += parameters


class Clip(Thing):
    def __init__(self, name: str, color: int = 0xFF8000, length: float = 4.0) -> None:
        super().__init__()
        self.name, self.color, self.length = name, color, length
        self.is_recording = False


class Scene(Thing):
    def __init__(self, name: str = "", color: int | None = None) -> None:
        super().__init__()
        self.name, self.color = name, color
        self.is_empty = self.is_triggered = False


class Track(Thing):
    """``clips`` has as many places as the song has scenes. ``sends`` is how many the song has."""

    def __init__(
        self,
        name: str,
        color: int = 0x808080,
        clips: Iterable[Clip | None] = (),
        devices: Iterable[Device] = (),
        can_be_armed: bool = True,
        has_audio_output: bool = True,
        is_foldable: bool = False,
    ) -> None:
        super().__init__()
        self.name, self.color = name, color
        self.clips: list[Clip | None] = list(clips)
        self.devices = list(devices)
        self.can_be_armed, self.has_audio_output, self.is_foldable = can_be_armed, has_audio_output, is_foldable
        self.is_grouped, self.is_visible, self.has_midi_input = False, True, not has_audio_output
        self.mute = self.solo = self.arm = False
        self.volume, self.panning = Parameter("Track Volume", 0.85), Parameter("Track Panning", 0.0, -1.0)
        self.sends: list[Parameter] = []
        self.output_meter_level = self.output_meter_left = self.output_meter_right = 0.0
        self.playing_slot_index = self.fired_slot_index = -1
        self.selected_device: Device | None = self.devices[0] if self.devices else None

    def read(self, prop: str) -> Any:
        if prop == "arm" and not self.can_be_armed:
            raise RuntimeError(WITHOUT_ARM)
        if prop in ("output_meter_left", "output_meter_right") and not self.has_audio_output:
            raise RuntimeError(WITHOUT_METERS)
        return super().read(prop)

    def put(self, prop: str, value: Any) -> None:
        if prop == "arm":
            self.read(prop)
        super().put(prop, value)


class Song(Thing):
    """One set. ``selected_track`` may be one that is not among ``tracks``: a return track, or the main track."""

    def __init__(self, tracks: Iterable[Track] = (), scenes: Iterable[Scene] = (), sends: int = 2) -> None:
        super().__init__()
        self.tracks, self.scenes = list(tracks), list(scenes)
        self.returns = [Track(f"{chr(65 + n)}-Return", can_be_armed=False) for n in range(sends)]
        self.main = Track("Main", can_be_armed=False)
        self.tempo, self.is_playing, self.metronome, self.current_song_time = 120.0, False, False, 0.0
        self.signature_numerator = self.signature_denominator = 4
        self.session_record = self.record_mode = self.loop = False
        self.selected_track: Track = self.tracks[0] if self.tracks else self.main
        self.selected_scene: Scene | None = self.scenes[0] if self.scenes else None
        for track in self.tracks:
            self._fit(track)

    def put(self, prop: str, value: Any) -> None:
        if prop == "tempo" and not 20 <= value <= 999:
            raise RuntimeError("Invalid tempo value")
        super().put(prop, value)

    def track(self, name: str) -> Track:
        return next(track for track in self.tracks if track.name == name)

    def add_track(self, track: Track, at: int = -1) -> None:
        self._fit(track)
        self.tracks.insert(at if at >= 0 else len(self.tracks), track)

    def delete_track(self, name: str) -> None:
        track = self.track(name)
        self.tracks.remove(track)
        if self.selected_track is track:
            self.put("selected_track", self.tracks[0] if self.tracks else self.main)

    def move_track(self, name: str, to: int) -> None:
        """To another place; nobody who listens hears of it."""
        track = self.track(name)
        self.tracks.remove(track)
        self.tracks.insert(to, track)

    def add_scene(self, scene: Scene, at: int = -1) -> None:
        at = at if at >= 0 else len(self.scenes)
        self.scenes.insert(at, scene)
        for track in self.tracks:
            track.clips.insert(at, None)

    def fire(self, track: Track, slot: int) -> None:
        """A clip's button: it blinks until the next bar. On an empty slot it is a stop button."""
        track.put("fired_slot_index", slot if track.clips[slot] is not None else -2)
        self.put("is_playing", True)

    def fire_scene(self, slot: int) -> None:
        for track in self.tracks:
            self.fire(track, slot)

    def stop_clips(self, track: Track) -> None:
        if track.playing_slot_index >= 0:
            track.put("fired_slot_index", -2)

    def next_bar(self) -> None:
        """What was fired begins, or ends."""
        for track in self.tracks:
            if (slot := track.fired_slot_index) != -1:
                track.put("fired_slot_index", -1)
                track.put("playing_slot_index", slot)

    def _fit(self, track: Track) -> None:
        track.sends += [Parameter(f"{chr(65 + n)}-Send", 0.0) for n in range(len(track.sends), len(self.returns))]
        track.clips += [None] * (len(self.scenes) - len(track.clips))
