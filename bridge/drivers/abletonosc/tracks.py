"""The tracks of the set: which there are, where each is now, and its mixer: volume, pan, mute, solo, arm, meter.

Once a second Live says how many tracks there are (``num_tracks``, the probe), and is then asked for their names: it
tells nobody that one was added, renamed or moved. Its listeners follow their tracks, but go on to say the index that
they were added with, and cannot be added anew at an index that another track has had. So each is added with one
argument more, a number that was not used before: Live says it back, and what comes without ours is old.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import Any

from bridge.driver import Add, Bind, Effect, Effects, Later, Read, Remove, Send, Set, Wanted
from bridge.law import value_at

from .identity import chooser, kin, match, slug
from .laws import DECIBELS, VOLUME, color
from .mixer import METER, PROPS, SENDS, described, reached, shown
from .part import NOTHING_SELECTED, Args, Part, ask, listen
from .roll import BLOCK, Roll

AWAIT_S = 2.0
"""After this time Live is asked again for what a listener has not said."""
AUDITS = 2
"""What was told may have been lost, and what was sent: so many values are asked for in each tick."""
OVERTAKEN_S = 0.35
"""So long a move may take to Live: to its turn, and to Live's tick."""
STEADY_S = 0.5
"""A level that stays is not told again, and pages take a meter that is silent for a second for one that is dead."""
HURRY_S = 0.3
"""While a hand moves a track, Live is asked so often which tracks there are: what is sent to the place of one that has
just gone moves the next."""
MANY = 16
"""Tracks from which on all are listened to with one message."""
TOGETHER = ("volume", "panning", "mute", "solo", "color", "playing_slot_index", "fired_slot_index")
"""What every track has, and can be listened to with "*"; ``arm`` and meters are listened to one by one."""
AUDITED = {prop: what for what, (prop, _) in PROPS.items()}
"""Live's property → what it is called in paths."""


@dataclass(slots=True, eq=False)
class Track:
    """One track, as long as it is there, wherever it is."""

    name: str
    slug: str
    index: int
    color: str | None = None
    can_be_armed: bool = False
    is_shown: bool = True
    stamp: int = 0
    """What its listeners say back."""
    level: float | None = None
    level_at: float = 0.0
    """Its meter's last level, and when it was told."""
    awaited: set[str] = field(default_factory=set)
    """What they have not said yet."""

    @property
    def kin(self) -> str:
        return kin(self.name, self.index)

    @property
    def title(self) -> str:
        """What it is called on pages."""
        return self.name or f"Track {self.index + 1}"


class Tracks(Part):
    """All of them. ``root`` is what stands before the paths of its controls."""

    def __init__(self, wanted: Wanted, root: str) -> None:
        super().__init__()
        self.all: list[Track] = []
        self.sends = 0
        """How many sends each track has."""
        self.scans = 0
        """Grows with every change of which tracks there are, or where."""
        self.version = 0
        """Grows with every change that is seen."""
        self.listened: set[str] = {PROPS[what][0] for what in shown(wanted.settings.show, 0)} | {"color"}
        """Properties that Live is to tell."""
        self._show = wanted.settings.show
        self._is_chosen = chooser(wanted.settings.tracks)
        self._root = root
        self._known: dict[str, Track] = {}  # by slug
        self._roll = Roll(self._are_as_before)
        self._is_fresh = True
        self._stamp = 0
        self._listened_at = 0.0
        self._audited = 0
        self._asked: dict[tuple[int, str], float] = {}
        self._moved: dict[tuple[Track, str], float] = {}
        self._moved_at = self._counted_at = -inf
        self.handlers = {
            "/live/song/get/num_tracks": self._on_count,
            "/live/song/get/track_names": self._on_names,
            "/live/song/get/track_data": self._on_facts,
            **{f"/live/track/get/{prop}": partial(self._on_told, prop) for prop in ("color", *AUDITED)},
        }

    @property
    def has_strips(self) -> bool:
        """True if tracks are shown with anything of them."""
        return "sends" in self._show or any(True for _ in shown(self._show, 0))

    @property
    def shown(self) -> Iterator[Track]:
        """Those that have controls, in Live's order."""
        return (track for track in self.all if track.is_shown)

    def at(self, index: Any) -> Track | None:
        """The track that has this index now."""
        is_index = isinstance(index, (int, float)) and 0 <= index < len(self.all)
        return self.all[int(index)] if is_index else None

    @property
    def are_known(self) -> bool:
        """False from when Live is there anew until it has said which tracks it has."""
        return not self._is_fresh

    def path(self, track: Track, what: str) -> str:
        return f"{self._root}/track/{track.slug}/{what}"

    def next_stamp(self, now: float) -> int:
        """A number that no listener was ever added with, by an earlier run neither."""
        self._stamp = max(self._stamp + 1, int(now * 100) & 0x3FFFFFFF)
        return self._stamp

    # Life

    def connected(self, now: float) -> Effects:
        self._is_fresh = True
        self._roll.end()
        return [ask("num_tracks", kind="song")]

    def tick(self, now: float) -> Effects:
        if now - self._listened_at < AWAIT_S:
            return [*self._hurry(now), *self._audit(now), *self._steady(now)]
        self._listened_at = now
        missing = [(track, prop) for track in self.all for prop in track.awaited]
        return [listen(prop, track.index, track.stamp) for track, prop in missing[:BLOCK]]

    def failed(self, text: str, now: float) -> Effects | None:
        if not self._roll.is_called or NOTHING_SELECTED in text:
            return None
        self._roll.end()  # there are fewer now; how many comes in a moment
        return []

    def _hurry(self, now: float) -> list[Send]:
        if self._roll.is_called or now - self._moved_at > HURRY_S or now - self._counted_at < HURRY_S:
            return []
        self._counted_at = now
        return [ask("num_tracks", kind="song")]

    def _audit(self, now: float) -> list[Send]:
        """Ask for the next few values, though Live should have told them."""
        found = []
        props = [prop for prop in AUDITED if prop in self.listened]
        for _ in range(min(AUDITS, len(self.all) * len(props))):
            self._audited = (self._audited + 1) % (len(self.all) * len(props))
            track, prop = self.all[self._audited // len(props)], props[self._audited % len(props)]
            if prop != "arm" or track.can_be_armed:
                self._asked[track.index, prop] = now
                found.append(ask(prop, track.index))
        return found

    def _steady(self, now: float) -> Iterator[Set]:
        """The levels that stay as they are."""
        for track in self.all:
            if track.level is not None and now - track.level_at >= STEADY_S:
                track.level_at = now
                yield Set(self.path(track, "meter"), value_at(track.level, "db", *DECIBELS, VOLUME))

    # Hands

    def moved(self, path: str, now: float) -> None:
        """A hand has moved one of its controls."""
        own = f"{self._root}/track/"
        name, _, what = path[len(own) :].partition("/") if path.startswith(own) else ("", "", "")
        if (track := self._known.get(name)) is not None:
            self.note_move((track, what), now)

    def note_move(self, key: tuple[Track, str], now: float) -> None:
        """A hand has moved this of a track."""
        self._moved[key] = self._moved_at = now

    def is_overtaken(self, key: tuple[Track, str], asked_at: float) -> bool:
        """True if an answer may be older than a hand's move: it would pull it back."""
        return self._moved.get(key, -inf) > asked_at - OVERTAKEN_S

    # Which there are

    def _on_count(self, args: Args, now: float) -> Effects:
        if not args or not isinstance(args[0], int) or args[0] < 0:
            return []
        return [*self._roll.begin(args[0], now), *self._rescan(now)]

    def _on_names(self, args: Args, now: float) -> Effects:
        return [*self._roll.hear_names(args, now), *self._rescan(now)]

    def _on_facts(self, args: Args, now: float) -> Effects:
        return [*self._roll.hear_facts(args, now), *self._rescan(now)]

    def _are_as_before(self, names: list[str]) -> bool:
        return not self._is_fresh and names == [track.name for track in self.all]

    def _rescan(self, now: float) -> list[Effect]:
        """Take in what there is now, and where, once that is known."""
        told = self._roll.take()
        if told is None:
            return []
        known = match([track.name for track in self.all], self._roll.names, is_same_set=not self._is_fresh)
        kept = {self.all[old] for old in known if old is not None}
        effects: list[Effect] = []
        for track in self.all:
            if track not in kept:
                effects += self._remove(track)
        kins = [kin(name, index) for index, name in enumerate(self._roll.names)]
        twins = Counter(kins) if known != list(range(len(self.all))) else Counter()  # who of them is who is a guess
        found, moved = [], []
        for index, ((name, hue, can_be_armed), old) in enumerate(zip(told, known, strict=True)):
            track = self._new(name, index) if old is None else self.all[old]
            is_moved = old is None or track.index != index or self._is_fresh or twins[kins[index]] > 1
            is_same = (track.name, track.color, track.can_be_armed) == (name, hue, can_be_armed)
            if track.can_be_armed and not can_be_armed:
                effects.append(Remove(self.path(track, "arm")))
            track.name, track.index, track.color, track.can_be_armed = name, index, hue, can_be_armed
            track.is_shown |= self._is_chosen(name)  # it stays where it gets another name
            found.append(track)
            if is_moved:
                moved.append(track)
            if track.is_shown:
                add_or_bind = Add if old is None or not is_same or self._is_fresh else Bind
                effects.append(Later(partial(self._reach, track, add_or_bind)))
        self._asked.clear()
        self._moved.clear()
        self.all, is_fresh, self._is_fresh = found, self._is_fresh, False
        self.version += 1
        self.scans += 1
        return [*effects, *self._listen(moved, is_fresh, now)]

    def _new(self, name: str, index: int) -> Track:
        made = slug(name, self._known, f"track-{index + 1}")
        track = self._known[made] = Track(name, made, index, is_shown=self._is_chosen(name))
        return track

    def _remove(self, track: Track) -> Iterator[Effect]:
        del self._known[track.slug]
        if track.is_shown:
            for path in self.items(track):
                yield Remove(path)

    # What Live tells

    def listen_also(self, props: Iterable[str]) -> None:
        """Something else is to be told of all tracks, from the next time on that they are listened to."""
        self.listened.update(props)

    def listen_again(self, tracks: list[Track], now: float) -> list[Send]:
        """Be told anew what moves on these, wherever their listeners are now."""
        return list(self._listen(tracks, False, now))

    def _listen(self, tracks: list[Track], is_fresh: bool, now: float) -> Iterator[Send]:
        """Be told what moves on these."""
        self._listened_at = now
        for track in tracks:
            track.awaited = {prop for prop in self.listened if prop != "arm" or track.can_be_armed}
        if len(tracks) > MANY or (is_fresh and len(tracks) == len(self.all) > 1):
            stamp = self.next_stamp(now)
            for track in self.all:
                track.stamp = stamp
            for prop in TOGETHER:
                if prop in self.listened:
                    yield listen(prop, "*", stamp)
            alone = [prop for prop in self.listened if prop not in TOGETHER]
            rest = self.all
        else:
            for track in tracks:
                track.stamp = self.next_stamp(now)
            alone, rest = sorted(self.listened), tracks
        for prop in sorted(alone):
            for track in rest:
                if prop != "arm" or track.can_be_armed:
                    yield listen(prop, track.index, track.stamp)

    def told(self, prop: str, args: Args) -> Track | None:
        """The track that a listener speaks of; None for an old one, which says the index that its track had once."""
        track = self.at(args[0]) if len(args) > 1 else None
        if track is None or (len(args) == 3 and args[1] != track.stamp):
            return None
        track.awaited.discard(prop)
        return track

    def _on_told(self, prop: str, args: Args, now: float) -> Effects | Read | None:
        if prop == METER and len(args) > 1 and isinstance(args[-1], float) and 0 <= args[-1] <= 1:
            track = self.at(args[0]) if len(args) == 2 else self.told(prop, args)
            if track is not None and track.is_shown:
                track.level, track.level_at = args[-1], now
        if len(args) == 2 and prop != "color":
            track = self.at(args[0])
            asked_at = self._asked.pop((args[0], prop), None)
            is_old = asked_at is not None and track is not None and self.is_overtaken((track, AUDITED[prop]), asked_at)
            return () if is_old else Read(args)
        track = self.told(prop, args)
        if track is None:
            return ()
        if prop != "color":
            return Read((track.index, args[-1]))
        hue = color(args[-1])
        if hue == track.color:
            return ()
        track.color = hue
        self.version += 1
        return self._reach(track, Add) if track.is_shown else ()

    # Its controls

    def set_sends(self, count: int) -> list[Effect]:
        """So many sends has every track."""
        before, self.sends = self.sends, count
        effects: list[Effect] = []
        if count != before:
            self.version += 1
            for track in self.shown:
                effects += [Remove(self.path(track, what)) for what in list(SENDS)[count:before]]
                effects.append(Later(partial(self._reach, track, Add, "send/")))
        return effects

    def _reach(self, track: Track, how: type[Add] | type[Bind], of_it: str = "") -> list[Effect]:
        """How its controls are reached; those whose names begin with ``of_it``."""
        made: list[Effect] = []
        for what in self._whats(track):
            if what.startswith(of_it):
                path, bindings = self.path(track, what), (reached(what, track.index),)
                control = described(path, what, track.name, track.color) if how is Add else None
                made.append(Bind(path, bindings) if control is None else Add(control, bindings))
        return made

    def items(self, track: Track) -> list[str]:
        """The paths of its controls, as they stand in its strip."""
        return [self.path(track, what) for what in self._whats(track)]

    def _whats(self, track: Track) -> Iterator[str]:
        return (what for what in shown(self._show, self.sends) if what != "arm" or track.can_be_armed)
