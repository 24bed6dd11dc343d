"""The echo guard: is a report what the peer made of our own message, or a move of its own?

One guard per binding and target, in wire units, over the values that were really sent. Pure: ``now``
in, decisions out. Dropping only equal values would leave a peer that quantises, clamps or jitters
fighting the finger, or wrong for ever (3–30 % of 400 simulated runs); these rules leave none, but for
a toggle whose press crosses our own on the wire. They need a window longer than the peer's delay.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

MAX_SENT = 64
"""Values remembered of one window."""
WINDOW_S = 0.25

Wire = tuple[Any, ...]
"""A value as the peer has it: numbers in its own range, or texts."""
Verdict = Literal["apply", "confirmed", "remembered"]
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class EchoRules:
    """How one binding is echoed.

    ``to_wire`` gives a value as the peer gets it; ``tolerance`` is in wire units; ``echoes`` False: what
    the peer reports is never an echo.
    """

    to_wire: Callable[[Any], Wire]
    tolerance: float = 0.0
    window_s: float = WINDOW_S
    echoes: bool = True


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is to be done when a window closes.

    ``adopt``: the peer never said what we sent; this is what it has made of it, and the store takes it.
    Then the store's value, whatever it is now, is sent to this peer once.
    """

    adopt: Wire | None


@dataclass(slots=True)
class EchoGuard:
    """State of one binding towards one target."""

    rules: EchoRules
    _sent: deque[tuple[float, Any]] = field(default_factory=lambda: deque(maxlen=MAX_SENT))
    _remembered: Wire | None = None
    _is_confirmed: bool = False

    def sent(self, value: Any, now: float, *, is_settling: bool = False) -> None:
        """We have sent this value. ``is_settling``: because of a Settlement, not because something moved."""
        self._sent.append((now, value))  # turned into wire units when a report comes: most never meet one
        self._is_confirmed = False
        if not is_settling:
            self._remembered = None  # a new move of a hand: what was reported before is about an older one

    def hear(self, report: Wire, is_current: bool, now: float) -> Verdict:
        """Judge a report. ``is_current``: it is how the store's value looks on this wire.

        "confirmed" and "remembered" are not to be applied; after "remembered", ``due_at`` says when to settle.
        """
        if is_current:  # rule 1: at any time, so that a 7-bit report never degrades 0.73
            self._is_confirmed = True
            return "confirmed"
        if self.rules.echoes:
            since = now - self.rules.window_s
            if any(at >= since and self._is_near(report, self.rules.to_wire(value)) for at, value in self._sent):
                self._remembered = report  # rule 2
                return "remembered"
        self._remembered = None  # rule 3: the peer has moved by itself, later than what it said before
        return "apply"

    @property
    def due_at(self) -> float | None:
        """When to call ``settle``; None while there is nothing to settle."""
        return None if self._remembered is None else self._sent[-1][0] + self.rules.window_s

    def settle(self, now: float) -> Settlement | None:
        """Rule 4, once the window has closed; None before, or if no report differed."""
        due_at = self.due_at
        if due_at is None or now < due_at:
            return None
        adopt = None if self._is_confirmed else self._remembered
        self._remembered = None
        self._sent.clear()
        return Settlement(adopt)

    def _is_near(self, report: Wire, wire: Wire) -> bool:
        return len(report) == len(wire) and all(map(self._is_part_near, report, wire))

    def _is_part_near(self, part: Any, sent: Any) -> bool:
        if isinstance(part, (int, float)) and isinstance(sent, (int, float)):
            return abs(part - sent) <= self.rules.tolerance
        return bool(part == sent)


class EchoBook(Generic[K]):
    """The guards of many bindings, by a key of the port's choice, and which of them is to be settled when."""

    def __init__(self) -> None:
        self._guards: dict[K, EchoGuard] = {}
        self._waiting: dict[K, None] = {}  # in the order in which they began to wait

    def sent(self, key: K, rules: EchoRules, value: Any, now: float, *, is_settling: bool = False) -> None:
        """See ``EchoGuard.sent``. A guard is made when its binding first sends."""
        guard = self._guards.get(key)
        if guard is None:
            guard = self._guards[key] = EchoGuard(rules)
        guard.sent(value, now, is_settling=is_settling)

    def hear(self, key: K, report: Wire, is_current: bool, now: float) -> Verdict:
        """See ``EchoGuard.hear``. What was never sent has no echo."""
        guard = self._guards.get(key)
        if guard is None:
            return "confirmed" if is_current else "apply"
        verdict = guard.hear(report, is_current, now)
        if verdict == "remembered":
            self._waiting[key] = None
        return verdict

    def settle(self, now: float) -> list[tuple[K, Settlement]]:
        """What is due, oldest first. The port adopts, then sends with ``is_settling``."""
        due = []
        for key in list(self._waiting):
            guard = self._guards.get(key)
            if guard is not None and (settlement := guard.settle(now)) is not None:
                due.append((key, settlement))
            if guard is None or guard.due_at is None:
                del self._waiting[key]
        return due

    @property
    def next_due(self) -> float | None:
        """When ``settle`` has something to do; None while nothing waits."""
        times = [at for key in self._waiting if (at := self._guards[key].due_at) is not None]
        return min(times, default=None)

    def forget(self, key: K) -> None:
        """The binding is gone."""
        self._guards.pop(key, None)
        self._waiting.pop(key, None)


@dataclass(slots=True)
class TriggerEchoes:
    """Triggers sent to one target that it may send back: cancelled by count, never compared (rule 5)."""

    window_s: float = WINDOW_S
    _sent: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_SENT))

    def sent(self, now: float) -> None:
        self._sent.append(now)

    def is_echo(self, now: float) -> bool:
        """True if this trigger answers one of ours; each of ours is answered once."""
        while self._sent and now - self._sent[0] > self.window_s:
            self._sent.popleft()
        if not self._sent:
            return False
        self._sent.popleft()
        return True
