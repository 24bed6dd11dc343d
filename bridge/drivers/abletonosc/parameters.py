"""Parameters of devices that Live tells: which control each of them is, by the number that its listener says back."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from bridge.driver import Effects, Mark, Read, Send
from bridge.osc.settings import Binding

from .part import Args, Part, ask, bound, name_of, numbers
from .tracks import Track, Tracks

FACTS = ("name", "min", "max", "is_quantized")
"""What is to be known of a device's parameters; Live is asked for each of all of them."""
TEXT = "text"
"""The mark with Live's own text of a value."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a parameter is."""

    track: Track
    device: int
    number: int

    @property
    def ids(self) -> tuple[int, int, int]:
        return (self.track.index, self.device, self.number)

    @property
    def binding(self) -> Binding:
        """How it is reached, in its own range."""
        return bound("parameter/value", *self.ids, kind="device")


def ask_facts(track: int, device: int) -> list[Send]:
    """Ask for the FACTS of a device."""
    return [ask(f"parameters/{fact}", track, device, kind="device") for fact in FACTS]


class Parameters(Part):
    def __init__(self, tracks: Tracks) -> None:
        super().__init__()
        self._tracks = tracks
        self._heard: dict[int, tuple[str, tuple[int, int, int]]] = {}  # stamp → path, ids as they were then
        self._stamps: dict[Hashable, int] = {}
        self.handlers = {
            "/live/device/get/parameter/value": self._on_value,
            "/live/device/get/parameter/value_string": self._on_text,
        }

    def connected(self, now: float) -> Effects:
        self._heard.clear()
        self._stamps.clear()
        return ()

    def listen(self, key: Hashable, path: str, place: Place, now: float) -> list[Send]:
        """Be told this parameter, for this control. ``key`` stands for no other any more."""
        self._forget(key)
        stamp = self._stamps[key] = self._tracks.next_stamp(now)
        self._heard[stamp] = (path, place.ids)
        return [Send("/live/device/start_listen/parameter/value", (*place.ids, stamp))]

    def ignore(self, keys: Iterable[Hashable]) -> list[Send]:
        """What is heard for these means nothing any more; what would tell Live to say no more of it.

        That is an error where the device has gone meanwhile, or its track has moved.
        """
        return [
            Send("/live/device/stop_listen/parameter/value", (*known[1], known[2]))
            for key in keys
            if (known := self._forget(key)) is not None
        ]

    def _forget(self, key: Hashable) -> tuple[str, tuple[int, int, int], int] | None:
        stamp = self._stamps.pop(key, None)
        return None if stamp is None else (*self._heard.pop(stamp), stamp)

    def _on_value(self, args: Args, now: float) -> Effects | Read | None:
        if len(args) != 5:
            return None
        return Read((*args[:3], args[4])) if self._path(args) is not None else ()

    def _on_text(self, args: Args, now: float) -> Effects:
        path = self._path(args) if len(args) == 5 else None
        return [] if path is None else [Mark(path, TEXT, name_of(args[4]))]

    def _path(self, args: Args) -> str | None:
        ids = numbers(args, 4)
        return None if ids is None or ids[3] not in self._heard else self._heard[ids[3]][0]
