"""What a target is still to be sent, in which order, and how fast. Pure: ``now`` in, what is due out.

A value that cannot leave at once is a mark on its control and no copy of it: whatever happens until its turn, the
latest is sent, once, in the order of last changes. Events (triggers) cannot be merged: they wait in a short line,
with the values that changed just before them, and die of age.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from math import inf
from typing import Any

from bridge.store import TRIGGER_LIFE_S, TRIGGER_RING, Change

DEPTH_S = 0.02
"""So much of its rate a target may be sent in one go, after a pause: timers are late."""
STEP_S = 0.002
"""So much of its rate is worth waking up for."""
LONGEST_WAIT_S = 0.25
"""A control that has waited so long keeps its place though it moves on: two that never rest must not keep it out."""
JUST_BEFORE_S = 0.1
"""A value that changed so shortly before an event belongs to it: ``/scene 5``, then ``/go``."""


class Bucket:
    """At most ``rate`` messages a second, and DEPTH_S of them at once."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._depth = max(1.0, rate * DEPTH_S)
        self._tokens = self._depth
        self._at = -inf

    def room(self, now: float) -> int:
        """How many messages may leave now."""
        if now > self._at:
            self._tokens = min(self._depth, self._tokens + (now - self._at) * self._rate)
            self._at = now
        return max(0, int(self._tokens + 1e-6))

    def spend(self, count: int) -> None:
        """So many have left. More than there was room for is made good later."""
        self._tokens -= count

    @property
    def due_at(self) -> float:
        """When there is room for some again."""
        wanted = min(self._depth, max(1.0, self._rate * STEP_S))
        return self._at + max(0.0, wanted - self._tokens) / self._rate


@dataclass(slots=True, eq=False)
class Due:
    """A value that is to be sent. ``change`` is what it is sent for; None where it was asked for, or has settled."""

    change: Change | None
    at: float
    since: float
    is_settling: bool = False


@dataclass(slots=True, eq=False)
class Event:
    """A trigger, by its ``route`` (the port's); or, without one, a value as it was then."""

    change: Change
    at: float
    route: Any = None


class Owed:
    """What one target is owed. ``rate``: messages a second, ``control_rate``: the same for one control."""

    def __init__(self, rate: float | None = None, control_rate: float | None = None) -> None:
        self.pending: dict[int, Due] = {}
        """By the control's id, in the order in which they are to be sent."""
        self.events: deque[Event] = deque()
        """Before them."""
        self._bucket = None if rate is None else Bucket(rate)
        self._rest_s = 0.0 if control_rate is None else 1 / control_rate
        self._resting: dict[int, float] = {}  # id → when it may be sent again; soonest first
        self._waiting: dict[int, Due] = {}  # until then

    def __len__(self) -> int:
        return len(self.pending) + len(self._waiting) + len(self.events)

    def __contains__(self, key: int) -> bool:
        """True if a control's value has not left yet."""
        return key in self.pending or key in self._waiting or (bool(self.events) and key in self.keys)

    def has_move(self, key: int) -> bool:
        """True if a hand has moved a control, and the value has not left yet."""
        due = self.pending.get(key) or self._waiting.get(key)
        return due is not None and due.change is not None

    @property
    def keys(self) -> set[int]:
        """The controls that something is owed of."""
        return {*self.pending, *self._waiting, *(event.change.entry.id for event in self.events)}

    def clear(self) -> None:
        """Nothing is owed any more."""
        self.pending.clear()
        self.events.clear()
        self._resting.clear()
        self._waiting.clear()

    # What is owed

    def owe(self, key: int, now: float, change: Change | None = None, is_settling: bool = False) -> None:
        """A control's latest value is to be sent."""
        place = self._waiting if self._rests(key, now) else self.pending
        if place is self.pending and key in self._waiting:
            place[key] = self._waiting.pop(key)  # it has rested just now
        known = place.get(key)
        if known is None:
            place[key] = Due(change, now, now, is_settling)
            return
        if change is None:
            return  # what it is owed for already says more: a hand's move is one, though it settles something too
        known.change, known.at, known.is_settling = change, now, False
        if now - known.since < LONGEST_WAIT_S:
            del place[key]
            place[key] = known

    def owe_all(self, keys: Iterable[int], now: float) -> None:
        """The values of many: those that are owed already keep their places."""
        for key in keys:
            if key not in self.pending and key not in self._waiting:
                self.owe(key, now)

    def fire(self, change: Change, now: float, route: Any = None) -> bool:
        """An event is to be sent, before all values but those that have just changed. False: there are too many."""
        if len(self.events) >= TRIGGER_RING:
            return False
        before = [
            (key, due) for place in (self.pending, self._waiting) for key, due in _latest(place, now - JUST_BEFORE_S)
        ]
        for key, due in sorted(before, key=lambda each: each[1].at):
            self.pending.pop(key, None)
            self._waiting.pop(key, None)
            assert due.change is not None
            self.events.append(Event(due.change, now))
        self.events.append(Event(change, now, route))
        return True

    def drop(self, key: int) -> None:
        """The target knows it better: it has said itself where the control is."""
        self.pending.pop(key, None)
        self._waiting.pop(key, None)
        if self.events:
            kept = [event for event in self.events if event.route is not None or event.change.entry.id != key]
            self.events = deque(kept)

    # What is due

    def room(self, now: float, most: int) -> int:
        """How many messages may leave now, at most ``most``. Controls that have rested are pending again."""
        if self._resting:
            self._wake(now)
        return most if self._bucket is None else min(most, self._bucket.room(now))

    def expired(self, now: float) -> int:
        """Forget events that are too old to be sent, and say how many; values beside them are pending again."""
        count = 0
        while self.events and now - self.events[0].at > TRIGGER_LIFE_S:
            event = self.events.popleft()
            if event.route is not None:
                count += 1
            elif event.change.entry.id not in self.pending:
                self.owe(event.change.entry.id, now, event.change)
        return count

    def first(self, count: int) -> list[tuple[int, Due]]:
        """The next values, oldest first."""
        return list(islice(self.pending.items(), count))

    def sent(self, key: int, now: float, count: int = 1) -> None:
        """A control's value has left, in so many messages."""
        self.pending.pop(key, None)
        self.spend(count)
        if self._rest_s:
            self._resting.pop(key, None)
            self._resting[key] = now + self._rest_s

    def sent_event(self, event: Event) -> None:
        """The first event has left."""
        if self.events and self.events[0] is event:
            self.events.popleft()
        self.spend(1)

    def spend(self, count: int) -> None:
        """So many other messages have left, such as questions."""
        if self._bucket is not None:
            self._bucket.spend(count)

    def due_at(self, now: float, pause_s: float) -> float:
        """When to come again; infinity while there is nothing to come for. ``pause_s``: between two slices."""
        due_at = inf
        if self.pending or self.events:
            due_at = now + pause_s if self._bucket is None else max(self._bucket.due_at, now)
        if self._waiting:
            due_at = min(due_at, next(iter(self._resting.values()), now))
        return due_at

    def _rests(self, key: int, now: float) -> bool:
        return self._resting.get(key, -inf) > now if self._resting else False

    def _wake(self, now: float) -> None:
        rested = []
        for key, until in self._resting.items():
            if until > now:
                break
            rested.append(key)
        woken = []
        for key in rested:
            del self._resting[key]
            if (due := self._waiting.pop(key, None)) is not None:
                woken.append((key, due))
        woken.sort(key=lambda each: each[1].at)  # those of one burst leave in the order of their last changes
        self.pending.update(woken)


def _latest(place: dict[int, Due], since: float) -> Iterator[tuple[int, Due]]:
    """Those that were changed since then; they are at the end."""
    for key, due in reversed(place.items()):
        if due.at < since:
            return
        if due.change is not None:
            yield key, due
