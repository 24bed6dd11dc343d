"""Asking a peer for its values: what is still to be asked, what was, and whose value wins. Pure.

A pull asks for everything once; the peer's answer is its value. What a hand moves meanwhile is the hand's: it is not
asked for any more, and the answer that is under way to us is an old one. Few questions are out at a time, so that a
slow peer sets the pace; what is not answered (UDP loses) is asked again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

MAX_ASKED = 32
"""Questions out at the same time."""
ANSWER_S = 1.0
"""How long an answer may take before it is asked again."""
MAX_TRIES = 3

K = TypeVar("K", bound=Hashable)


@dataclass(slots=True)
class _Asked:
    at: float
    tries: int
    is_old: bool = False
    """A hand has moved it since: the answer does not count."""


class Questions(Generic[K]):
    """What one peer is asked. ``K``: what stands for one question."""

    def __init__(self) -> None:
        self.is_busy = False
        """True while something is asked or to be asked: else nothing here need be called."""
        self.unanswered: dict[K, None] = {}
        """What was not answered in MAX_TRIES; until it is asked for again."""
        self._waiting: dict[K, int] = {}  # how often it was asked already
        self._asked: dict[K, _Asked] = {}

    @property
    def waiting(self) -> int:
        """How many answers are still to come, and questions to be asked."""
        return len(self._waiting) + len(self._asked)

    def ask(self, keys: Iterable[K]) -> None:
        """Ask these; what is being asked already is not asked twice."""
        for key in keys:
            self.unanswered.pop(key, None)
            if key not in self._asked:
                self._waiting.setdefault(key, 0)
        self._look()

    def take(self, now: float, most: int = MAX_ASKED) -> list[K]:
        """What is to be asked now: at most so many."""
        taken = list(islice(self._waiting, max(0, min(most, MAX_ASKED - len(self._asked)))))
        for key in taken:
            self._asked[key] = _Asked(now, self._waiting.pop(key) + 1)
        return taken

    def moved(self, keys: Iterable[K]) -> None:
        """A hand has moved what these ask for: its value stays."""
        for key in keys:
            self._waiting.pop(key, None)
            if (asked := self._asked.get(key)) is not None:
                asked.is_old = True
        self._look()

    def answered(self, key: K) -> bool:
        """The peer has reported this value. False if it is the answer to a question from before a hand's move."""
        self._waiting.pop(key, None)
        asked = self._asked.pop(key, None)
        self._look()
        return asked is None or not asked.is_old

    def expire(self, now: float) -> list[K]:
        """Ask again what was not answered in time; returns what was not for the last time."""
        given_up: list[K] = []
        for key, asked in list(self._asked.items()):
            if now - asked.at < ANSWER_S:
                break  # in the order in which they were asked
            del self._asked[key]
            if asked.is_old:
                continue
            if asked.tries < MAX_TRIES:
                self._waiting[key] = asked.tries
            else:
                self.unanswered[key] = None
                given_up.append(key)
        self._look()
        return given_up

    def forget(self, key: K) -> None:
        """There is no such question any more."""
        self._waiting.pop(key, None)
        self._asked.pop(key, None)
        self.unanswered.pop(key, None)
        self._look()

    def clear(self) -> None:
        """The peer is gone: whatever it was asked."""
        self._waiting.clear()
        self._asked.clear()
        self.unanswered.clear()
        self.is_busy = False

    def _look(self) -> None:
        self.is_busy = bool(self._waiting or self._asked)
