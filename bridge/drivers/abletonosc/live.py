"""The driver of one Live: offers its parts what happens, and lays out what they have made."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from bridge.driver import Add, Effect, Effects, Forget, Note, Read, Remove, Send, Show, Wanted, Warn
from bridge.store import Change
from bridge.surface import Group, Item, Page

from .device import Devices
from .grid import Grid
from .lane import Lanes
from .named import Named
from .parameters import Parameters
from .part import Args, Handler, Part, chain, name_of, through
from .rival import Rival
from .sends import Sends
from .silence import advice
from .song import Song
from .tracks import Tracks

TICK_S = 0.1
"""How often Live reads its socket."""
BLAMED_S = 0.5
"""What was moved so long before an error may have caused it."""
MAX_BLAMED = 3
MAX_ERROR = 200
COMPLAINED_S = 10.0
"""So long the operator reads beside Live's state what it has complained of."""
QUIET_S = 1.0
"""Once no control has come for so long, all are there."""
ABSENT = ("index", "list", "NoneType")
"""In what Python says where something is not there."""


class AbletonOsc:
    """See ``driver.Driver``."""

    tick_s = TICK_S

    @staticmethod
    def page_names(peer: str) -> tuple[str, str, str, str]:
        """What its pages are called: the mixer, the song, the chosen device, the clips."""
        title = "Live" if peer == "live" else peer
        return title, f"{title} song", f"{title} device", f"{title} clips"

    def __init__(self, wanted: Wanted) -> None:
        root = f"/{wanted.name}"
        self._mixer_page, self._song_page, self._device_page, self._clips_page = self.page_names(wanted.name)
        self._tracks = Tracks(wanted, root)
        settings = wanted.settings
        show = settings.show
        self._song = Song(root, "song" in show)
        self._sends = Sends(self._tracks, "sends" in show)
        self._lanes: Lanes | None = None
        if settings.lane is not None:
            self._lanes = Lanes(settings.lane_cc, settings.lane_channel, self._name_at)
        self._pace = "" if self._lanes else ", 10 steps/s"
        self._parameters = Parameters(self._tracks)
        self._devices = Devices(self._tracks, self._parameters, root, "device" in show)
        self._named = Named(wanted, self._tracks, self._sends, self._parameters)
        self._grid = Grid(self._tracks, root, "clips" in show)
        self._rival = Rival(self._tracks)
        self._parts: list[Part] = [
            *(self._rival, self._tracks, self._song, self._sends, self._parameters, self._devices, self._named),
            self._grid,
        ]
        self._handlers: dict[str, list[Handler]] = {}
        for part in self._parts:
            for address, handler in part.handlers.items():
                self._handlers.setdefault(address, []).append(handler)
        self._scans = self._version = 0
        self._laid_out: tuple[Page, ...] = ()
        self._note = self._complaint = ""
        self._complained_at = -COMPLAINED_S
        self._paths: set[str] = set()
        self._is_greeted = False
        self._added_at = 0.0
        self._moved: deque[tuple[float, str]] = deque(maxlen=MAX_BLAMED)

    def _name_at(self, index: int) -> str | None:
        track = self._tracks.at(index)
        return None if track is None else track.name

    def connected(self, now: float) -> Effects:
        if self._lanes is not None:
            self._lanes.connected()
        self._is_greeted, self._added_at = False, now
        quiet = Send("/live/api/set/log_level", ("warning",))  # else it writes a line for everything it is asked
        return self._followed([Forget(), quiet, *chain(part.connected(now) for part in self._parts)], now)

    def gone(self, now: float) -> Effects:
        return chain(part.gone(now) for part in self._parts)

    def heard(self, address: str, args: Args, now: float) -> Effects | Read | None:
        if address == "/live/startup":
            return self.connected(now)
        if address == "/live/error":
            return self._error(args, now)
        effects: list[Effect] | None = None
        read: Read | None = None
        for handler in self._handlers.get(address, ()):
            answer = handler(args, now)
            if isinstance(answer, Read):
                read = answer
            elif answer is not None:
                effects = [*(effects or ()), *answer]
        if read is not None:
            return Read(read.args, self._after(effects, now)) if effects else read
        return None if effects is None else self._after(effects, now)

    def changed(self, change: Change, now: float) -> Effects:
        path = change.entry.path
        if path == self._song.rescan:
            return self.connected(now)
        self._moved.append((now, path))
        self._tracks.moved(path, now)
        self._named.moved(path, now)
        for part in self._parts:
            if (mover := part.movers.get(path)) is not None:
                return self._after(list(mover(change, now)), now)
        return ()

    def want(self, bindings: Mapping[str, tuple[Any, ...]], now: float) -> Effects:
        return self._after([*self._named.want(bindings, now)], now)

    def tick(self, now: float) -> Effects:
        # Until it is known which tracks there are now, questions about those before would be errors, one in each tick.
        effects = chain(part.tick(now) for part in self._parts if self._tracks.are_known)
        if not self._is_greeted and self._paths and now - self._added_at > QUIET_S:
            self._is_greeted = True
            count = len(self._paths)
            effects.append(Send("/live/api/show_message", (f"stagebridge: {count} control{'s' * (count != 1)}",)))
        return self._after(effects, now)

    def advice(self, trouble: str, *, was_heard: bool, is_here: bool) -> str:
        return advice(trouble, was_heard=was_heard, is_here=is_here)

    def _error(self, args: Args, now: float) -> Effects:
        text = name_of(" ".join(str(arg) for arg in args), MAX_ERROR)
        if any(word in text for word in ABSENT):
            for part in self._parts:
                if (effects := part.failed(text, now)) is not None:
                    return self._after(list(effects), now)
        blamed = dict.fromkeys(path for at, path in self._moved if now - at <= BLAMED_S)
        after = f", after {', '.join(blamed)} was moved" if blamed else ""
        self._complaint, self._complained_at = f"Live says: {text}{after}", now
        return self._after([Warn(text, self._complaint)], now)

    def _after(self, effects: list[Effect], now: float) -> list[Effect]:
        """What follows where the tracks are others now, or elsewhere."""
        if self._tracks.scans != self._scans:
            self._scans = self._tracks.scans
            effects += chain(part.scanned(now) for part in self._parts)
        if self._tracks.version != self._version:
            self._version = self._tracks.version
            pages = tuple(self._pages())
            if pages != self._laid_out:
                self._laid_out = pages
                effects.append(Show(pages))
        count = len(self._tracks.all)
        complaint = self._complaint if now - self._complained_at < COMPLAINED_S else ""
        tracks = f"{count} track{'' if count == 1 else 's'}{self._pace}"
        note = "; ".join(filter(None, (tracks, self._rival.note, complaint)))
        if note != self._note and self._scans:
            self._note = note
            effects.append(Note(note))
        return self._followed(effects, now)

    def _followed(self, effects: Effects, now: float) -> list[Effect]:
        return list(through(effects, partial(self._follow, now)))

    def _follow(self, now: float, effect: Effect) -> Iterator[Effect]:
        """The effect, and what it means for the lane. Which controls there are is kept in mind."""
        if isinstance(effect, Add):
            self._paths.add(effect.control.path)
            self._added_at = now
        elif isinstance(effect, Remove):
            self._paths.discard(effect.path)
        yield effect
        if self._lanes is not None:
            yield from self._lanes.follow(effect)

    def _pages(self) -> Iterator[Page]:
        strips = [
            Group(track.title, tuple(map(Item, items)), track.color)
            for track in self._tracks.shown
            if (items := self._tracks.items(track))
        ]
        if strips or self._tracks.has_strips:
            yield Page(self._mixer_page, "strips", tuple(strips))
        if groups := self._song.groups():
            yield Page(self._song_page, "grid", groups)
        if self._devices.is_shown:
            yield Page(self._device_page, "grid", (self._devices.group(),))
        yield from self._grid.page(self._clips_page)
