"""Whether another program takes Live's news: AbletonOSC tells them to whoever spoke to it last, and to nobody else.

What listeners should have told is asked again all the time (``tracks``). An answer that says something else than they
did means that it was told to somebody else, or lost on the way; where that happens again and again, it is no accident.
Or two tracks of one kin (``identity``) have changed places, which their names do not tell: those are listened to anew.
"""

from __future__ import annotations

from collections import deque
from functools import partial

from bridge.driver import Effects, Send, Warn

from .mixer import METER
from .part import Args, Part
from .tracks import AUDITED, Tracks

MANY, SOON_S = 3, 60.0
"""So many wrong answers within so long are no accident."""
AGAIN_S = 120.0
"""Without a wrong answer for so long, Live tells us everything again."""
STOLEN = "another program talks to Live and takes its news: let that one talk to stagebridge instead"


class Rival(Part):
    """Of the tracks' mixer. It only listens; whoever else takes these messages comes after it."""

    def __init__(self, tracks: Tracks) -> None:
        super().__init__()
        self.note = ""
        """What there is to say of it."""
        self._tracks = tracks
        self._told: dict[tuple[int, str], object] = {}  # by index and property: what a listener has said
        self._missed: deque[float] = deque(maxlen=MANY)
        self.handlers = {f"/live/track/get/{prop}": partial(self._on_told, prop) for prop in AUDITED if prop != METER}

    def connected(self, now: float) -> Effects:
        self._told.clear()
        return ()

    def scanned(self, now: float) -> Effects:
        self._told.clear()
        return ()

    def tick(self, now: float) -> Effects:
        if not self.note and len(self._missed) == MANY and self._missed[-1] - self._missed[0] <= SOON_S:
            self.note = STOLEN
            return [Warn("stolen", STOLEN)]
        if self.note and now - self._missed[-1] > AGAIN_S:
            self.note = ""
            self._missed.clear()
        return ()

    def _on_told(self, prop: str, args: Args, now: float) -> list[Send] | None:
        """A listener's message has its stamp between the index and the value; an answer has not."""
        track = self._tracks.told(prop, args)
        if track is None:
            return None
        key = (track.index, prop)
        if len(args) > 2:
            self._told[key] = args[-1]
        elif self._told.get(key, args[1]) != args[1]:
            self._told[key] = args[1]
            twins = [other for other in self._tracks.all if other.kin == track.kin]
            if len(twins) > 1:
                return self._tracks.listen_again(twins, now)
            self._missed.append(now)
        return None
