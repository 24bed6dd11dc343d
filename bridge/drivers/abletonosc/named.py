"""Controls of the configuration that name something in Live: ``live = "Drums/volume"``, ``live = "#3/volume"``.

They follow what they name. A track that gets another name stays the one that was meant, as long as no other has the
name; what is not there says so, and is looked for again whenever the tracks change, a device every two seconds.
``#3`` is whatever track is the third; it takes its name and colour.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.driver import Bind, Effect, Effects, Look, Mark, Wanted
from bridge.osc.settings import Binding

from .laws import text_of_volume
from .mixer import PROPS, SENDS, reached
from .parameters import FACTS, TEXT, Parameters, Place, ask_facts
from .part import BLAMED_S, NOTHING_SELECTED, Args, Part, ask, numbers
from .sends import Sends
from .tracks import Track, Tracks

POLL_S = 2.0
NOT_THERE = "not in Live"
_PLACE = re.compile(r"#([1-9][0-9]{0,3})/")


@dataclass(slots=True, eq=False)
class Name:
    """One binding that names something."""

    path: str
    binding: Binding
    text: str
    track: Track | None = None
    what: str = ""
    """What of the track: ``volume``, or a device and its parameter."""
    bindings: tuple[Binding, ...] | None = None
    """How it is reached now; nothing where it is not there; None while nobody has looked."""
    bound_to: Track | None = None
    look: Look | None = None
    """What a control of a place was called last."""

    @property
    def is_volume(self) -> bool:
        return self.what.casefold() == "volume"


@dataclass(slots=True)
class Chain:
    """The devices of one track, as far as names need them."""

    index: int
    names: Args | None = None
    facts: dict[tuple[int, str], Args] = field(default_factory=dict)
    """(device, what) → of each of its parameters."""


def _names(bindings: Mapping[str, tuple[Binding, ...]]) -> Iterator[Name]:
    for path, of_path in bindings.items():
        for binding in of_path:
            if binding.live is not None:
                yield Name(path, binding, binding.live)


class Named(Part):
    def __init__(self, wanted: Wanted, tracks: Tracks, sends: Sends, parameters: Parameters) -> None:
        super().__init__()
        self._tracks = tracks
        self._sends = sends
        self._parameters = parameters
        self._names = list(_names(wanted.bindings))
        self._chains: dict[Track, Chain] = {}
        self._poll_at = self._asked_at = 0.0
        self._listen(self._names)
        self.handlers = {
            "/live/track/get/volume": self._on_volume,
            "/live/track/get/devices/name": self._on_devices,
            **{f"/live/device/get/parameters/{fact}": self._reader(fact) for fact in FACTS},
        }

    def _listen(self, names: Iterable[Name]) -> None:
        for name in names:
            self._tracks.listen_also(PROPS[what][0] for what in PROPS if name.text.casefold().endswith(f"/{what}"))

    def want(self, bindings: Mapping[str, tuple[Binding, ...]], now: float) -> Effects:
        """Other controls name something: those that stay are left alone, and what is not named any more is let go."""
        before = {(name.path, name.text): name for name in self._names}
        self._names = []
        changed: dict[str, None] = {}
        new: list[Name] = []
        for name in _names(bindings):
            known = before.pop((name.path, name.text), None)
            if known is None or known.binding != name.binding:
                new.append(name)
                changed[name.path] = None
            self._names.append(name if known is None or known.binding != name.binding else known)
        changed |= dict.fromkeys(path for path, _ in before)
        effects: list[Effect] = []
        for path in changed:
            left = [each for name in self._names if name.path == path for each in name.bindings or ()]
            effects.append(Bind(path, tuple(left)))
            if all(name.path != path for name in self._names):
                effects.append(Mark(path, TEXT, None))
        listened = set(self._tracks.listened)
        self._listen(new)
        if self._tracks.are_known:
            for name in new:
                name.track, name.what = self._find(name)
                effects += self._resolve(name, now)
            if self._tracks.listened != listened:
                effects += self._tracks.listen_again(self._tracks.all, now)
            effects += self._poll(now)
        return effects

    def connected(self, now: float) -> Effects:
        self._chains.clear()
        for name in self._names:
            name.track = name.bindings = None
        return ()

    def scanned(self, now: float) -> Effects:
        effects: list[Effect] = []
        self._sends.also.clear()
        for track in [track for track, chain in self._chains.items() if track.index != chain.index]:
            del self._chains[track]
        for name in self._names:
            name.track, name.what = self._find(name)
            effects += self._resolve(name, now)
        self._chains = {track: chain for track, chain in self._chains.items() if track in self._tracks.all}
        return [*effects, *self._poll(now)]

    def tick(self, now: float) -> Effects:
        return self._poll(now) if now >= self._poll_at else []

    def moved(self, path: str, now: float) -> None:
        """A hand has moved this control."""
        for name in self._names:
            if name.path == path and name.track is not None:
                self._tracks.note_move((name.track, name.what.casefold()), now)

    def failed(self, text: str, now: float) -> Effects | None:
        return [] if NOTHING_SELECTED not in text and self._chains and now - self._asked_at < BLAMED_S else None

    # Which is meant

    def _find(self, name: Name) -> tuple[Track | None, str]:
        """The track that has the name; else the one that it was, by another name. Or the one in its place."""
        if (place := _PLACE.match(name.text)) is not None:
            return self._tracks.at(int(place[1]) - 1), name.text[place.end() :]
        text = name.text.casefold()
        found = [track for track in self._tracks.all if track.name and text.startswith(f"{track.name.casefold()}/")]
        if found:
            track = name.track if name.track in found else max(found, key=lambda each: len(each.name))
            assert track is not None
            return track, name.text[len(track.name) + 1 :]
        return (name.track, name.what) if name.track in self._tracks.all else (None, "")

    def _looks(self) -> Iterator[Look]:
        """What is in a place is called and coloured as what is there."""
        for name in self._names:
            if _PLACE.match(name.text) is None:
                continue
            look, is_main, track = Look(name.path, None, None), name.is_volume, name.track
            if track is not None:
                hue = track.color if is_main else None
                look = Look(name.path, track.name or None, hue, is_name_of_group=not is_main)
            if look != name.look:
                name.look = look
                yield look

    def _resolve(self, name: Name, now: float) -> list[Effect]:
        """Bind it to what it names."""
        track, what = name.track, name.what.casefold()
        if track is None:
            return self._bind(name, ())
        if what in SENDS:
            self._sends.also.add((track, SENDS[what]))
            return self._bind(name, (self._made(name, reached(what, track.index)),))
        if what in PROPS:
            if what == "arm" and not track.can_be_armed:
                return self._bind(name, ())
            effects = self._bind(name, (self._made(name, reached(what, track.index)),))
            return [*effects, ask(PROPS[what][0], track.index)] if effects else []
        chain = self._chains.setdefault(track, Chain(track.index))
        if chain.names is None:
            return []
        device = self._device(name, chain)
        if device >= 0 and not all((device, fact) in chain.facts for fact in FACTS):
            return []
        place = self._place(name, chain, device)
        if place is None:
            return self._bind(name, ())
        low, high, is_quantized = (chain.facts[device, fact][place.number] for fact in FACTS[1:])
        ends = None if is_quantized or not low < high else (float(low), float(high))
        where = place.binding.model_copy(update={"range": ends})
        effects = self._bind(name, (self._made(name, where),), ends)
        return [*effects, *self._parameters.listen(name, name.path, place, now)] if effects else []

    def _made(self, name: Name, where: Binding) -> Binding:
        """The binding of the configuration, with where it is; and its range, where nothing is said of that."""
        own, more = name.binding, {key: getattr(where, key) for key in ("address", "reply", "args")}
        if where.direction == "in":
            more["direction"] = "in"
        if own.range is None and own.table is None and own.curve is None:
            more |= {"range": where.range, "curve": where.curve}
        return own.model_copy(update={**more, "live": None})

    def _bind(
        self, name: Name, bindings: tuple[Binding, ...], whole: tuple[float, float] | None = None
    ) -> list[Effect]:
        """Nothing where it is bound so already."""
        if name.bindings == bindings and name.bound_to is name.track:
            return []
        name.bindings, name.bound_to = bindings, name.track
        of_path = tuple(each for one in self._names if one.path == name.path for each in one.bindings or ())
        return [Bind(name.path, of_path, whole), Mark(name.path, TEXT, None if of_path else NOT_THERE)]

    def _on_volume(self, args: Args, now: float) -> Effects | None:
        """A volume is shown in dB, whatever the control's own range is."""
        track = self._tracks.told("volume", args)
        if track is None or not isinstance(args[-1], float):
            return None
        text = text_of_volume(args[-1])
        marks = [Mark(name.path, TEXT, text) for name in self._names if name.track is track and name.is_volume]
        return marks or None

    # Devices

    def _poll(self, now: float) -> list[Effect]:
        self._poll_at, self._asked_at = now + POLL_S, now
        return [*self._looks(), *(ask("devices/name", track.index) for track in self._chains)]

    def _on_devices(self, args: Args, now: float) -> Effects | None:
        ids = numbers(args, 1)
        track = None if ids is None else self._tracks.at(ids[0])
        chain = None if track is None else self._chains.get(track)
        if track is None or chain is None:
            return None
        if chain.names == args[1:]:
            return []
        chain.names, chain.facts = args[1:], {}
        wanted = {device for name in self._names if name.track is track and (device := self._device(name, chain)) >= 0}
        return [*(one for device in sorted(wanted) for one in ask_facts(track.index, device)), *self._again(track, now)]

    def _reader(self, fact: str) -> Any:
        def read(args: Args, now: float) -> Effects | None:
            ids = numbers(args, 2)
            track = None if ids is None else self._tracks.at(ids[0])
            if ids is None or track is None or track not in self._chains:
                return None
            facts = self._chains[track].facts
            facts[ids[1], fact] = args[2:]
            is_whole = all((ids[1], each) in facts for each in FACTS)
            return self._again(track, now) if is_whole else []

        return read

    def _again(self, track: Track, now: float) -> list[Effect]:
        return [effect for name in self._names if name.track is track for effect in self._resolve(name, now)]

    def _device(self, name: Name, chain: Chain) -> int:
        """The number of the device that is meant; −1 where there is none."""
        text = name.what.casefold()
        found = [(number, each) for number, each in enumerate(chain.names or ()) if isinstance(each, str)]
        fitting = [(len(each), -number) for number, each in found if text.startswith(f"{each.casefold()}/")]
        return -max(fitting)[1] if fitting else -1

    def _place(self, name: Name, chain: Chain, device: int) -> Place | None:
        if name.track is None or device < 0:
            return None
        names = chain.facts[device, "name"]
        wanted = name.what[len((chain.names or ())[device]) + 1 :].casefold()
        number = next((n for n, each in enumerate(names) if str(each).casefold() == wanted), -1)
        return Place(name.track, device, number) if number >= 0 else None
