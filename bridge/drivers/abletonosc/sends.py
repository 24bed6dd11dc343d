"""The sends of all tracks. Live has no listener for them, and does not say how many there are.

So it is asked for one after the other until one is an error; then for all of them again and again, about once a
second where they are few enough not to be in the way of what moves. Its answer says which track it is for, but not
which send: so one question is out for each track, and how many there are is asked of one track after the other.
"""

from __future__ import annotations

from bridge.driver import Effects, Read, Send

from .mixer import MAX_SENDS, SENDS
from .part import BLAMED_S, NOTHING_SELECTED, Args, Part, ask, numbers
from .tracks import Track, Tracks

AGAIN_S = 5.0
PATIENCE_S = 2.0
"""How long an answer may take: behind all that is asked of a new set."""
ROUND_TICKS = 10
BUDGET = 20
"""Questions in one tick, a third of what Live is sent at most."""


class Sends(Part):
    def __init__(self, tracks: Tracks, is_shown: bool) -> None:
        super().__init__()
        self.also: set[tuple[Track, int]] = set()
        """Sends that something else shows."""
        self._tracks = tracks
        self._is_shown = is_shown
        self._probing: int | None = None
        self._probed = 0
        """The index of the track that is asked how many there are."""
        self._began_at = -AGAIN_S
        self._is_second = False
        """True if it is asked once more: the error may have been another question's."""
        self._asked: dict[int, tuple[int, float]] = {}  # index of a track → send, when
        self._turn: dict[Track, int] = {}  # its send that is to be asked next
        self._next = 0
        self.handlers = {"/live/track/get/send": self._on_send}

    def scanned(self, now: float) -> Effects:
        self._probing = None
        self._asked.clear()
        self._turn.clear()
        return self._begin(now)

    def gone(self, now: float) -> Effects:
        self._probing = None
        return ()

    def tick(self, now: float) -> Effects:
        if self._probing is not None:
            return self._doubt(now) if now - self._asked[self._probed][1] > PATIENCE_S else []
        wanted: dict[Track, list[int]] = {}
        if self._is_shown and self._tracks.sends:
            wanted = {track: list(range(self._tracks.sends)) for track in self._tracks.shown}
        for track, number in self.also:
            if number not in wanted.setdefault(track, []):
                wanted[track].append(number)
        if not wanted:
            return []
        total = sum(map(len, wanted.values()))
        tracks, count = list(wanted), min(BUDGET, len(wanted), -(-total // ROUND_TICKS))
        start = self._next % len(tracks)
        self._next = start + count
        return [
            question
            for track in (tracks + tracks)[start : start + count]
            for question in self._ask_next(track, wanted[track], now)
        ]

    def failed(self, text: str, now: float) -> Effects | None:
        if NOTHING_SELECTED in text:
            return None
        if self._probing is not None:
            return self._doubt(now)
        if not any(now - at < BLAMED_S for _, at in self._asked.values()):
            return None
        return self._begin(now) if now - self._began_at > AGAIN_S else []  # a track has gone, or a return track

    def _ask_next(self, track: Track, sends: list[int], now: float) -> list[Send]:
        if now - self._asked.get(track.index, (0, now - PATIENCE_S))[1] < PATIENCE_S:
            return []
        turn = self._turn.get(track, 0) % len(sends)
        self._turn[track] = turn + 1
        return self._ask(track.index, sends[turn], now)

    def _ask(self, index: int, number: int, now: float) -> list[Send]:
        self._asked[index] = (number, now)
        return [ask("send", index, number)]

    def _begin(self, now: float) -> list[Send]:
        """Find out how many there are."""
        self._began_at = now
        return self._probe(0, now) if self._is_shown and self._tracks.all else []

    def _probe(self, number: int, now: float, is_second: bool = False) -> list[Send]:
        self._probing, self._is_second = number, is_second
        self._probed = (self._probed + 1) % len(self._tracks.all)
        return self._ask(self._probed, number, now)

    def _doubt(self, now: float) -> Effects:
        """There are not so many, it seems."""
        assert self._probing is not None
        return self._end(now) if self._is_second else self._probe(self._probing, now, is_second=True)

    def _end(self, now: float) -> Effects:
        count, self._probing = self._probing or 0, None
        self._asked.pop(self._probed, None)
        return self._tracks.set_sends(count)

    def _on_send(self, args: Args, now: float) -> Effects | Read | None:
        ids = numbers(args, 1)
        if ids is None or len(args) not in (2, 3):
            return None
        number, asked_at = self._asked.pop(ids[0], (None, 0.0))
        if number is None:
            return None if len(args) == 3 else ()
        if self._probing is not None:
            if ids[0] != self._probed:
                return ()  # to a question that was asked again
            if number + 1 < MAX_SENDS:
                return self._probe(number + 1, now)
            self._probing = MAX_SENDS
            return self._end(now)
        track = self._tracks.at(ids[0])
        if track is None or self._tracks.is_overtaken((track, list(SENDS)[number]), asked_at):
            return ()
        return None if len(args) == 3 else Read((*ids, number, args[1]))
