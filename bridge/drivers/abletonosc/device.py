"""The device that is selected in Live: sixteen of its parameters at a time, with their names and Live's own texts.

Nobody tells that another one is selected, so Live is asked once a second; less often while none is, because that is
an error, which ends Live's tick. The parameters of another device are other controls, though at the same paths: a
finger that was on one of them moves nothing any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bridge.control import Control
from bridge.driver import OWNER, Add, Effect, Effects, Remove, Send, Set
from bridge.store import Change
from bridge.surface import Group, Item

from .parameters import FACTS, Parameters, Place, ask_facts
from .part import BLAMED_S, Args, Part, ask, listen, name_of, numbers
from .tracks import Track, Tracks

WINDOW = 16
"""Parameters that are shown at a time."""
POLL_S = 1.0
LONGEST_POLL_S = 4.0
SELECTED = "/live/view/get/selected_device"
NOTHING = "no device is selected"
SWITCH = "Device On"
"""The first parameter of every device."""


@dataclass(slots=True)
class Device:
    """One device, as far as it is known."""

    track: Track
    number: int
    index: int
    """The track's, when it was asked for."""
    name: str = ""
    facts: dict[str, Args] = field(default_factory=dict)
    """Of its parameters, by the word with which they were asked for."""

    @property
    def ids(self) -> tuple[int, int]:
        return (self.index, self.number)

    @property
    def count(self) -> int:
        return min(map(len, self.facts.values()))


class Devices(Part):
    """``root`` is what stands before the paths of its controls."""

    def __init__(self, tracks: Tracks, parameters: Parameters, root: str, is_shown: bool) -> None:
        super().__init__()
        self._tracks = tracks
        self._parameters = parameters
        self._root = f"{root}/device"
        self.is_shown = is_shown
        self._device: Device | None = None
        self._coming: Device | None = None
        self._left: list[tuple[Device, list[Send]]] = []  # no more than one
        self._nothing = f"{root}/device/none"
        self._shown: list[str] = []
        self._window = 1
        self._asked_at: float | None = None
        self._poll_at = 0.0
        self._pause_s = POLL_S
        self.movers = {f"{self._root}/window": self._turn}
        self.handlers = {
            SELECTED: self._on_selected,
            "/live/view/get/selected_track": self._on_track,
            "/live/device/get/name": self._on_name,
            **{f"/live/device/get/parameters/{fact}": self._reader(fact) for fact in FACTS},
        }

    @property
    def title(self) -> str:
        """What the group of its controls is called."""
        return f"{self._device.name} – {self._device.track.name}" if self._device else ""

    def group(self) -> Group:
        """Its controls, as they stand there."""
        if not self._shown:
            return Group("", (Item(self._nothing, span=(3, 1)),))
        return Group(self.title, tuple(map(Item, self._shown)))

    # Which one is selected

    def connected(self, now: float) -> Effects:
        self._left.clear()
        self._coming, self._asked_at = None, now
        self._poll_at, self._pause_s = now, POLL_S
        if not self.is_shown:
            return []
        nothing = Control(
            path=self._nothing, kind="string", label="In Live", access="read", widget="label", owner=OWNER
        )
        return [*self._drop(), Add(nothing), Set(self._nothing, NOTHING), listen("selected_track", kind="view")]

    def scanned(self, now: float) -> Effects:
        device = self._device
        if device is None or (device.track.index == device.index and device.track in self._tracks.all):
            return []
        self._poll_at = now
        return self._drop()

    def tick(self, now: float) -> Effects:
        if not self.is_shown or not self._tracks.all or now < self._poll_at:
            return []
        self._poll_at, self._asked_at = now + self._pause_s, now
        if self._coming is not None and self._coming.track not in self._tracks.all:
            self._coming = None
        questions = [ask("selected_device", kind="view")]
        if self._device is not None and self._coming is None:
            questions.append(ask("name", *self._device.ids, kind="device"))  # another may stand in its place
        return questions

    def failed(self, text: str, now: float) -> Effects | None:
        if self._asked_at is None or now - self._asked_at > BLAMED_S:
            return None
        self._asked_at = self._coming = None
        self._left.clear()
        if self._device is None:  # none is selected, or one of a return track
            self._pause_s = min(2 * self._pause_s, LONGEST_POLL_S)
            self._poll_at = now + self._pause_s
        return self._drop()

    def _on_track(self, args: Args, now: float) -> Effects:
        self._poll_at, self._pause_s = now, POLL_S
        return []

    def _on_selected(self, args: Args, now: float) -> Effects:
        ids = numbers(args, 2)
        track = None if ids is None else self._tracks.at(ids[0])
        if self._device is None:
            self._asked_at = None
        self._pause_s = POLL_S
        if ids is None or track is None or any(one and one.ids == ids for one in (self._device, self._coming)):
            return []
        return self._meet(Device(track, ids[1], ids[0]), now)

    def _meet(self, device: Device, now: float) -> Effects:
        """Ask for all that is to be known of it."""
        self._coming, self._asked_at = device, now
        return [ask("name", *device.ids, kind="device"), *ask_facts(*device.ids)]

    def _on_name(self, args: Args, now: float) -> Effects | None:
        ids, name = numbers(args, 2), name_of(args[2]) if len(args) == 3 else ""
        if self._coming is not None and ids == self._coming.ids:
            self._coming.name = name
            return []
        if self._device is None or ids != self._device.ids:
            return None
        self._asked_at = None
        if name == self._device.name:
            return []
        return self._meet(Device(self._device.track, self._device.number, self._device.index), now)

    def _reader(self, fact: str) -> Any:
        def read(args: Args, now: float) -> Effects | None:
            ids, device = numbers(args, 2), self._coming
            if device is not None and ids == device.ids:
                device.facts[fact] = args[2:]
                return self._take(device, now) if len(device.facts) == len(FACTS) else []
            return self._farewell(ids, args[2:]) if fact == "name" else None

        return read

    def _farewell(self, ids: tuple[int, ...] | None, names: Args) -> Effects | None:
        """A device that was selected before is still where it was: Live need not tell us of it any more."""
        if not self._left or self._left[0][0].ids != ids:
            return None
        device, stops = self._left.pop()
        return stops if device.facts["name"] == names else []

    # Its controls

    def _take(self, device: Device, now: float) -> Effects:
        """It is the one that is shown."""
        before = self._device
        effects = self._drop()
        self._device, self._coming, self._asked_at, self._window = device, None, None, 1
        if self._left and before is not None:
            effects.append(ask("parameters/name", *before.ids, kind="device"))
            self._asked_at = now
        return [*effects, *self._show(device, now)]

    def _drop(self) -> list[Effect]:
        """Nothing is shown of what was."""
        if self._device is not None:
            self._left = [(self._device, self._parameters.ignore(self._shown))]
        self._device = None
        shown, self._shown = self._shown, []
        if shown:
            self._tracks.version += 1
        return [Remove(path) for path in shown]

    def _show(self, device: Device, now: float) -> Iterator[Effect]:
        """The controls of the window that is open."""
        self._tracks.version += 1
        first = 1 if device.facts["name"][:1] == (SWITCH,) else 0
        count = device.count - first
        windows = max(1, -(-count // WINDOW))
        if first:
            yield from self._parameter(device, 0, f"{self._root}/on", now)
        if windows > 1:
            control = Control(
                path=f"{self._root}/window", kind="int", range=(1, windows), label="Parameters", owner=OWNER
            )
            self._shown.append(control.path)
            yield Add(control, (), self._window)
        start = (self._window - 1) * WINDOW
        for place in range(min(WINDOW, count - start)):
            yield from self._parameter(device, first + start + place, f"{self._root}/{place + 1}", now)

    def _parameter(self, device: Device, number: int, path: str, now: float) -> Iterator[Effect]:
        low, high, is_quantized = (device.facts[fact][number] for fact in ("min", "max", "is_quantized"))
        place = Place(device.track, device.number, number)
        control = _control(path, name_of(device.facts["name"][number]) or None, low, high, bool(is_quantized))
        if control is not None:
            self._shown.append(path)
            yield Add(control, (place.binding,))
            yield from self._parameters.listen(path, path, place, now)

    def _turn(self, change: Change, now: float) -> Effects:
        """Another window of the same device."""
        device = self._device
        if device is None or not isinstance(change.value, int) or change.value == self._window:
            return []
        window = f"{self._root}/window"
        stops = self._parameters.ignore(self._shown)  # it is where it was a moment ago
        removed = [Remove(path) for path in self._shown if path != window]
        self._shown, self._window = [], change.value
        return [*removed, *stops, *(one for one in self._show(device, now) if not _is_of(one, window))]


def _is_of(effect: Effect, path: str) -> bool:
    return isinstance(effect, Add) and effect.control.path == path


def _control(path: str, label: str | None, low: Any, high: Any, is_quantized: bool) -> Control | None:
    """A parameter as a control; None for what has no range."""
    if not all(isinstance(end, (int, float)) and -1e9 < end < 1e9 for end in (low, high)) or not low < high:
        return None
    if is_quantized and (low, high) == (0, 1):
        return Control(path=path, kind="bool", label=label, owner=OWNER)
    if is_quantized:
        ends = (int(low), int(high))
        return Control(path=path, kind="int", range=ends, label=label, owner=OWNER, widget="knob")
    return Control(path=path, range=(float(low), float(high)), label=label, owner=OWNER, widget="knob")
