"""Moves that go to an OSC peer's program by another peer: its lane. Pure; one ``Carriage`` for each peer that has one.

Live reads OSC ten times a second, and MIDI at once. So a control that has a way along the lane is sent there as a CC
while it moves; and when it has rested, once by OSC: a CC has 7 bits, and what is shown must be what there is. What
the program reports comes back by OSC, as always, and the echo guard knows it: what the lane carries counts as sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from bridge.driver import Way
from bridge.port import Lane

REST_S = 0.15
"""A control that has not moved for so long has rested. OSC may take its time: what is there is half a step away."""
DEAF_S = 0.6
"""A program that says nothing about a control that has moved for so long does not hear the lane."""
DEAF_STEPS = 3
"""And so far, in steps of the CC: who moves by less need not say anything."""
AGAIN_S = 5.0
"""Until it is tried again: somebody may have mapped it."""


@dataclass(slots=True)
class _Move:
    """A control on its way, since it rested last."""

    since: float
    first: int
    at: float
    is_heard: bool = False


class Carriage:
    """What one peer's lane carries. ``find`` gives the lane, once its own port is built."""

    def __init__(self, name: str, find: Callable[[str], Lane | None], complain: Callable[[str, Way], None]) -> None:
        self.ways: dict[str, Way] = {}
        """By the control's path."""
        self._name = name
        self._find = find
        self._complain = complain
        self._moves: dict[str, _Move] = {}
        self._deaf_until: dict[str, float] = {}

    @property
    def is_there(self) -> bool:
        """True while moves go by it."""
        lane = self._find(self._name)
        return lane is not None and lane.is_there

    def put(self, path: str, way: Way | None) -> None:
        """A control goes by the lane; None: it does not, any more."""
        self._moves.pop(path, None)
        self._deaf_until.pop(path, None)
        if way is None:
            self.ways.pop(path, None)
        else:
            self.ways[path] = way

    def carry(self, path: str, number: float, now: float) -> bool:
        """Send a control's number. False where it has to go by OSC."""
        way, lane = self.ways.get(path), self._find(self._name)
        if way is None or lane is None or not lane.is_there or now < self._deaf_until.get(path, -inf):
            return False
        value = way.value(number)
        move = self._moves.setdefault(path, _Move(now, value, now))
        move.at = now
        if not move.is_heard and now - move.since > DEAF_S and abs(value - move.first) >= DEAF_STEPS:
            del self._moves[path]
            self._deaf_until[path] = now + AGAIN_S
            self._complain(path, way)
            return False
        lane.carry(way.channel, way.cc, value)
        return True

    def heard(self, path: str) -> None:
        """The program has said where the control is."""
        if (move := self._moves.get(path)) is not None:
            move.is_heard = True

    def left(self, path: str) -> None:
        """It was moved there since: nothing that we have sent holds."""
        self._moves.pop(path, None)

    def rested(self, now: float) -> list[str]:
        """The controls that have rested since the last call."""
        found = [path for path, move in self._moves.items() if move.at + REST_S <= now]
        for path in found:
            del self._moves[path]
        return found

    @property
    def due_at(self) -> float:
        """When the next control has rested; inf if none is on its way."""
        return min((move.at for move in self._moves.values()), default=inf) + REST_S

    def clear(self) -> None:
        """Nothing is on its way any more."""
        self._moves.clear()
        self._deaf_until.clear()
