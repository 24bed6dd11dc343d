"""Calling the roll: Live is asked for the names of its tracks, in blocks, and where one is another for the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from bridge.driver import Send

from .laws import color
from .part import Args, ask, name_of

BLOCK = 64
"""Tracks that are asked for in one go: macOS sends no datagram over 9216 bytes."""
PATIENCE_S = 1.0
"""How long Live may take to answer."""
FACTS = ("color", "can_be_armed")


class Roll:
    """``is_as_before(names)``: nothing else need be asked."""

    def __init__(self, is_as_before: Callable[[list[str]], bool]) -> None:
        self.names: list[str] = []
        self._is_as_before = is_as_before
        self._facts: list[Any] = []
        self._count = 0
        self._stage: Literal["", "names", "facts", "whole"] = ""
        self._asked_at = 0.0

    @property
    def is_called(self) -> bool:
        """True while Live is asked."""
        return self._stage in ("names", "facts")

    def end(self) -> None:
        """What is said from now on is no answer any more."""
        self._stage = ""

    def begin(self, count: int, now: float) -> list[Send]:
        """There are so many; nothing if Live may still answer for as many as there were before."""
        if self.is_called and now - self._asked_at < PATIENCE_S:
            return []
        self._count, self.names, self._facts = count, [], []
        return self._ask("names", now)

    def hear_names(self, args: Args, now: float) -> list[Send]:
        if self._stage != "names" or len(args) != min(BLOCK, self._count - len(self.names)):
            return []
        self.names += map(name_of, args)
        return self._ask("names", now)

    def hear_facts(self, args: Args, now: float) -> list[Send]:
        if self._stage != "facts" or len(args) != len(FACTS) * min(BLOCK, self._count - len(self._facts) // len(FACTS)):
            return []
        self._facts += args
        return self._ask("facts", now)

    def take(self) -> list[tuple[str, str | None, bool]] | None:
        """Name, colour and whether it can be armed, of all; once all have answered, and some are others."""
        if self._stage != "whole":
            return None
        self._stage = ""
        hues, armable = self._facts[:: len(FACTS)], self._facts[1 :: len(FACTS)]
        return [(name, color(hue), can is True) for name, hue, can in zip(self.names, hues, armable, strict=True)]

    def _ask(self, stage: Literal["names", "facts"], now: float) -> list[Send]:
        """Ask for the next block, or go on."""
        self._stage, self._asked_at = stage, now
        known = len(self.names) if stage == "names" else len(self._facts) // len(FACTS)
        if known < self._count:
            block = (known, min(known + BLOCK, self._count))
            if stage == "names":
                return [ask("track_names", *block, kind="song")]
            return [ask("track_data", *block, *(f"track.{fact}" for fact in FACTS), kind="song")]
        if stage == "names" and not self._is_as_before(self.names):
            return self._ask("facts", now)
        self._stage = "whole" if stage == "facts" else ""
        return []
