"""The monitor: what goes in and out of every port, line by line, for whoever looks for a fault. Pure.

A port asks ``is_watched`` (one ``if`` while nobody looks), then ``takers``, and makes a ``Line`` only for those who
want it. Each watcher has a filter, a rate and a short buffer; what is too much for it is counted, never kept, so a
flood or a slow watcher costs a bounded amount whatever arrives. Not here: what a transport's bytes mean (``osc.tap``),
how watchers are told (``ws``, ``frames``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from .allowance import Allowance
from .osc.pattern import matcher

MAX_WATCHERS = 8
LINES_PER_S = 250
"""What one watcher is told of a flood: more than a person can read, and 1 % of a core."""
MAX_WAITING = 500
"""Lines that may wait for one watcher, and that may come at once."""
MAX_KNOWN = 1024
"""Addresses of which a filter's answer is remembered; all are forgotten when there are more."""
MAX_ADDRESS = 255
"""Characters of an address that a filter looks at."""
LOOK_UPS_PER_S = 1000
"""New addresses that one filter looks at: a hostile sender has a new one in every message."""


class Bundled(msgspec.Struct, omit_defaults=True):
    """The bundle that a message came in: ``number`` is the same for all of its messages, ``at`` its time tag in seconds
    since 1970 (absent: immediately)."""

    number: int
    at: float | None = None


class Line(msgspec.Struct, omit_defaults=True):
    """One message, or what could not be read as one. ``time``: seconds since 1970; ``way``: "in" or "out".

    ``peer`` is "" for a stranger. ``types`` is what the wire says (",if"), None where it says nothing. ``args`` are
    plain and cut short; ``more`` of them were left out. ``error`` says why it could not be read, at which byte, and
    ``hex`` how it begins. ``note`` is what came of it, where that is worth a word.
    """

    time: float
    way: Literal["in", "out"]
    port: str
    peer: str
    where: str
    size: int
    """Bytes of the packet."""
    address: str = ""
    types: str | None = None
    args: list[Any] = []
    more: int = 0
    bundle: Bundled | None = None
    error: str = ""
    offset: int | None = None
    hex: str = ""
    note: str = ""


class Watcher:
    """One watcher: what it wants to see, and what waits for it."""

    def __init__(self, peer: str | None, address: str | None, wake: Callable[[], None]) -> None:
        self.peer = peer
        """None: all of them."""
        self.address = address
        self._matches = None if address is None else _filter(address)
        self._wake = wake
        self._known: dict[str, bool] = {}
        self._lines: deque[Line] = deque()
        self._lost = 0
        self._room = 0.0  # filled when first asked for
        self._at = -float(MAX_WAITING)
        self._look_ups = Allowance(LOOK_UPS_PER_S, LOOK_UPS_PER_S)

    def wants(self, peer: str, address: str | None, now: float) -> bool:
        """True if a line about this is to be ``put``; what it would want but has no room for is counted.

        ``address`` is None for what has none: it passes where no address is asked for.
        """
        if self.peer is not None and peer != self.peer:
            return False
        if self._matches is not None:
            fits = False if address is None else self._known.get(address)
            if fits is None:
                assert address is not None
                fits = self._look_up(address, now)
            if not fits:
                return False
        if (self._room < 1 and not self._refill(now)) or len(self._lines) >= MAX_WAITING:
            self.lose()
            return False
        return True

    def put(self, line: Line) -> None:
        """Take a line that is wanted."""
        self._room -= 1
        self._lines.append(line)
        if len(self._lines) == 1:
            self._wake()

    def lose(self) -> None:
        """Count a line that cannot be looked at, or not be kept."""
        self._lost += 1
        if self._lost == 1:
            self._wake()

    def take(self) -> Line | None:
        """The oldest line that waits."""
        return self._lines.popleft() if self._lines else None

    def take_lost(self) -> int:
        """Lines that were lost since this was last asked."""
        lost, self._lost = self._lost, 0
        return lost

    @property
    def is_empty(self) -> bool:
        return not self._lines and not self._lost

    def _refill(self, now: float) -> bool:
        """Room for what the time since the last call allows. False if there is none; a clock may be set back."""
        elapsed = now - self._at
        if 0 <= elapsed < 1 / LINES_PER_S:
            return False  # in a flood this is all that happens
        self._at = now
        self._room = min(float(MAX_WAITING), self._room + max(0.0, elapsed) * LINES_PER_S)
        return self._room >= 1

    def _look_up(self, address: str, now: float) -> bool:
        """Whether an address fits that is new."""
        assert self._matches is not None
        if len(address) > MAX_ADDRESS:
            return False  # no control's: it would be long to look at, and long to keep
        if not self._look_ups.take(1, now):
            self.lose()
            return False
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        found = self._known[address] = self._matches(address)
        return found


class Monitor:
    """All watchers of one bridge. ``now`` is seconds since 1970, as in the lines."""

    def __init__(self) -> None:
        self.is_watched = False
        """Ask this before anything else."""
        self._watches: tuple[Watcher, ...] = ()

    def __len__(self) -> int:
        return len(self._watches)

    def watch(self, peer: str | None, address: str | None, wake: Callable[[], None]) -> Watcher | None:
        """A new watcher of one peer, and of addresses that fit a pattern or stand below it; None: of all.

        ``wake`` is called when something begins to wait. Returns None where there are MAX_WATCHERS. Raises OscError
        for what is no pattern.
        """
        if len(self._watches) >= MAX_WATCHERS:
            return None
        made = Watcher(peer, address, wake)
        self._watches = (*self._watches, made)
        self.is_watched = True
        return made

    def unwatch(self, watch: Watcher) -> None:
        """It looks no more. Nothing happens where it did not."""
        self._watches = tuple(one for one in self._watches if one is not watch)
        self.is_watched = bool(self._watches)

    def takers(self, peer: str, address: str | None, now: float) -> list[Watcher]:
        """Who is to get a line about this."""
        return [watch for watch in self._watches if watch.wants(peer, address, now)]

    def lose(self, peer: str) -> None:
        """Count what nobody had the time to look at."""
        for watch in self._watches:
            if watch.peer is None or watch.peer == peer:
                watch.lose()


def _filter(address: str) -> Callable[[str], bool]:
    pattern = address if address.startswith("/") else f"/{address}"
    itself, below = matcher(pattern.rstrip("/") or "/"), matcher(pattern.rstrip("/") + "//*")
    return lambda text: itself(text) or below(text)
