"""The driver of one Live: offers its parts what happens, and lays out what they have made."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from bridge.driver import Effect, Effects, Note, Read, Send, Show, Wanted, Warn
from bridge.store import Change
from bridge.surface import Group, Item, Page

from .lane import Lanes
from .part import Args, Part, chain
from .sends import Sends
from .song import Song
from .tracks import Tracks

TICK_S = 0.1
"""How often Live reads its socket."""
BLAMED_S = 0.5
"""What was moved so long before an error may have caused it."""
MAX_BLAMED = 3


class AbletonOsc:
    """See ``driver.Driver``."""

    tick_s = TICK_S

    def __init__(self, wanted: Wanted) -> None:
        root = f"/{wanted.name}"
        self._title = "Live" if wanted.name == "live" else wanted.name
        self._tracks = Tracks(wanted, root)
        self._song = Song(root, "song" in wanted.settings.show)
        self._sends = Sends(self._tracks, "sends" in wanted.settings.show)
        self._parts: list[Part] = [self._tracks, self._song, self._sends]
        settings = wanted.settings
        self._lanes: Lanes | None = None
        if settings.lane is not None:
            self._lanes = Lanes(settings.lane_cc, settings.lane_channel, self._name_at)
        self._pace = "" if self._lanes else ", 10 steps/s"
        self._scans = self._version = 0
        self._laid_out: tuple[Page, ...] = ()
        self._moved: deque[tuple[float, str]] = deque(maxlen=MAX_BLAMED)

    def _name_at(self, index: int) -> str | None:
        track = self._tracks.at(index)
        return None if track is None else track.name

    def connected(self, now: float) -> Effects:
        if self._lanes is not None:
            self._lanes.connected()
        quiet = Send("/live/api/set/log_level", ("warning",))  # else it writes a line for everything it is asked
        return [quiet, *chain(part.connected(now) for part in self._parts)]

    def gone(self, now: float) -> Effects:
        return chain(part.gone(now) for part in self._parts)

    def heard(self, address: str, args: Args, now: float) -> Effects | Read | None:
        if address == "/live/startup":
            return self.connected(now)
        if address == "/live/error":
            return self._error(args, now)
        for part in self._parts:
            handler = part.handlers.get(address)
            answer = None if handler is None else handler(args, now)
            if isinstance(answer, Read):
                return answer
            if answer is not None:
                return self._after(list(answer), now)
        return None

    def changed(self, change: Change, now: float) -> Effects:
        path = change.entry.path
        self._moved.append((now, path))
        for part in self._parts:
            if (mover := part.movers.get(path)) is not None:
                return self._after(list(mover(change, now)), now)
        return ()

    def tick(self, now: float) -> Effects:
        return self._after(chain(part.tick(now) for part in self._parts), now)

    def _error(self, args: Args, now: float) -> Effects:
        for part in self._parts:
            if (effects := part.failed(now)) is not None:
                return self._after(list(effects), now)
        text = " ".join(str(arg) for arg in args)[:200]
        blamed = dict.fromkeys(path for at, path in self._moved if now - at <= BLAMED_S)
        after = f", after {', '.join(blamed)} was moved" if blamed else ""
        return [Warn(text, f"Live says: {text}{after}")]

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
            effects.append(Note(f"{count} track{'' if count == 1 else 's'}{self._pace}"))
        return effects if self._lanes is None else list(self._lanes.along(effects))

    def _pages(self) -> Iterator[Page]:
        strips = [
            Group(track.name, tuple(map(Item, self._tracks.items(track))), track.color) for track in self._tracks.shown
        ]
        yield Page(self._title, "strips", tuple(strips))
        song = Group("Song", tuple(map(Item, self._song.items())))
        yield Page(f"{self._title} song", "grid", (song,))
