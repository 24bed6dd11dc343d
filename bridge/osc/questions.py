"""Asking a peer for its values: what is still to be asked, what was, and whose value wins. Pure.

A pull asks for everything once; the peer's answer is its value. What a hand moves meanwhile is the hand's: it is not
asked for any more, and the answer that is under way to us is an old one. Few questions are out at a time, so that a
slow peer sets the pace; what is not answered (UDP loses) is asked again.

In between, a few are asked again and again: an audit. A subscription can end in silence (an X32 that has no room, a
lost keepalive), and then nobody tells us of moves over there. An answer that is none of what we have raises a doubt:
who still tells us says so a second time, as the move itself; from who does not, we have missed something.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

MAX_ASKED = 32
"""Questions out at the same time."""
ANSWER_S = 0.5
"""How long an answer may take before it is asked again."""
MAX_TRIES = 3
AUDIT_S = 60.0
"""Within about this time everything is audited once."""
DOUBT_S = 0.5
"""How long the telling of a move may be later than the answer that has shown it."""

_AUDIT = -1  # instead of a count of tries: it is asked once, its turn comes again

K = TypeVar("K", bound=Hashable)


@dataclass(slots=True)
class _Asked:
    at: float
    tries: int
    is_old: bool = False
    """A hand has moved it since: the answer does not count."""
    is_audit: bool = False


class Questions(Generic[K]):
    """What one peer is asked. ``K``: what stands for one question."""

    def __init__(self) -> None:
        self.is_busy = False
        """True while something is asked or to be asked: else nothing here need be called."""
        self.unanswered: dict[K, None] = {}
        """What was not answered in MAX_TRIES; until it is, or is asked for again."""
        self._waiting: dict[K, int] = {}  # how often it was asked already
        self._asked: dict[K, _Asked] = {}
        self._audited = 0  # where in the round of all we are
        self._doubts: dict[K, float] = {}

    @property
    def waiting(self) -> int:
        """How many answers are still to come, and questions to be asked."""
        return len(self._waiting) + len(self._asked) + len(self._doubts)

    def audit(self, keys: Sequence[K], part: float) -> None:
        """Ask for the next part (0…1) of all ``keys``, at least for one, and once more for one of those that were not
        answered: a bad link loses three questions too. Not while something else is asked."""
        if self.is_busy or not keys:
            return
        if self.unanswered:
            self._waiting[list(self.unanswered)[self._audited % len(self.unanswered)]] = MAX_TRIES - 1
        for _ in range(max(1, round(len(keys) * min(part, 1.0)))):
            self._audited = (self._audited + 1) % len(keys)
            key = keys[self._audited]
            if key not in self.unanswered:
                self._waiting[key] = _AUDIT
        self._update()

    def is_audit(self, key: K) -> bool:
        """True if the next report of this may be the answer to an audit."""
        asked = self._asked.get(key)
        return asked is not None and asked.is_audit

    def doubt(self, key: K, now: float) -> None:
        """The answer to an audit was news."""
        self._doubts[key] = now
        self._update()

    def has_missed(self, now: float) -> bool:
        """True, once, if a move was told by the answer to an audit and by nothing else."""
        old = [key for key, at in self._doubts.items() if now - at >= DOUBT_S]
        if not old:
            return False
        self._doubts.clear()
        self._update()
        return True

    def ask(self, keys: Iterable[K]) -> None:
        """Ask these; what is being asked already is not asked twice."""
        for key in keys:
            self.unanswered.pop(key, None)
            if (asked := self._asked.get(key)) is not None:
                asked.is_audit = False
            elif self._waiting.get(key, _AUDIT) == _AUDIT:
                self._waiting[key] = 0
        self._update()

    def take(self, now: float, most: int = MAX_ASKED) -> list[K]:
        """What is to be asked now: at most so many."""
        taken = list(islice(self._waiting, max(0, min(most, MAX_ASKED - len(self._asked)))))
        for key in taken:
            tries = self._waiting.pop(key)
            self._asked[key] = _Asked(now, tries + 1, is_audit=tries == _AUDIT)
        return taken

    def moved(self, keys: Iterable[K]) -> None:
        """A hand has moved what these ask for: its value stays."""
        for key in keys:
            self._waiting.pop(key, None)
            if (asked := self._asked.get(key)) is not None:
                asked.is_old = True
        self._update()

    def answered(self, key: K) -> bool:
        """The peer has reported this value. False if it is the answer to a question from before a hand's move."""
        self._waiting.pop(key, None)
        self._doubts.pop(key, None)
        self.unanswered.pop(key, None)
        asked = self._asked.pop(key, None)
        self._update()
        return asked is None or not asked.is_old

    def expire(self, now: float) -> list[K]:
        """Ask again what was not answered in time; returns what was not for the last time."""
        given_up: list[K] = []
        for key, asked in list(self._asked.items()):
            if now - asked.at < ANSWER_S:
                break  # in the order in which they were asked
            del self._asked[key]
            if asked.is_old or asked.is_audit:
                continue
            if asked.tries < MAX_TRIES:
                self._waiting[key] = asked.tries
            else:
                self.unanswered[key] = None
                given_up.append(key)
        self._update()
        return given_up

    def forget(self, key: K) -> None:
        """There is no such question any more."""
        self._waiting.pop(key, None)
        self._asked.pop(key, None)
        self.unanswered.pop(key, None)
        self._doubts.pop(key, None)
        self._update()

    def clear(self) -> None:
        """The peer is gone: whatever it was asked."""
        self._waiting.clear()
        self._asked.clear()
        self.unanswered.clear()
        self._doubts.clear()
        self.is_busy = False

    def _update(self) -> None:
        self.is_busy = bool(self._waiting or self._asked or self._doubts)
