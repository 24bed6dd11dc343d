"""The echo guard: is a report what the peer made of our own message, or a move of its own?

One guard per binding and target, in wire units, over the values that were really sent. Pure: ``now``
in, decisions out. Dropping only equal values would leave a peer that quantises, clamps or jitters
fighting the finger, or wrong for ever (3–30 % of 400 simulated runs). The rules, as DESIGN counts them:

1. What equals the store's value on the wire is never a change.
2. What is near a value sent in the window is remembered, not applied; so is what the peer has reported
   just before, though we have sent something else since: it insists, as what clamps or has a grid does.
3. Anything else is applied at once. If we had sent something in the window, the two may have passed
   each other on the wire: then nobody knows what the peer shows, and it is told the truth after quiet.
4. When the window closes, what was remembered is adopted unless our own value was heard; the peer is
   told the store's value. So is one whose report the store did not take as it was. Of what it answers
   to that no second is adopted: a noisy sensor would make the value wander, two grids pull it to and fro.
5. Triggers are cancelled by count (``TriggerEchoes``), never compared, and a momentary that comes to rest
   is never withheld: the release of a hand must not be lost.

A peer that denies whatever it is told, with a report of something else, is told after ever longer quiet,
and after MAX_TOLD times no more. Two that answer each other's answers with something else (two coarse grids) are
cut: after MAX_ANSWERS reports without a hand, each is remembered, not applied. The rules need a window
longer than the peer's delay.

Who speaks from an address that is none of its targets' may be one of them all the same: ``unlisted``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Any, Generic, Literal, TypeVar

MAX_SENT = 64
"""Values remembered of one window."""
WINDOW_S = 0.25
MAX_TOLD = 4
"""Times that a peer is told the truth though it denies it, each after twice the quiet of the last."""
MAX_TRIGGERS = 64
"""The same for triggers, before one is cut: two drummers on one pad answer each other too, but not so long."""
MAX_ANSWERS = 4
"""Reports that follow from each other, one peer's from another's, before they count as echoes."""
FORGIVEN_WINDOWS = 16
"""After so many windows without a word from us a report is no answer: the count of MAX_TOLD starts anew."""

_ANSWERED = object()  # stands for a value that was sent, and whose echo was heard
_NOBODY = object()

Wire = tuple[Any, ...]
"""A value as the peer has it: numbers in its own range, or texts."""
Verdict = Literal["apply", "confirmed", "remembered"]
Why = Literal["near", "insists", "answer"]
Match = Literal["none", "its own", "ours"]
Distrust = Literal["", "echoes", "cut"]
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class EchoRules:
    """How one binding is echoed.

    ``to_wire`` gives a value as the peer gets it; ``tolerance`` is in wire units; ``echoes`` False: what
    the peer reports is never an echo. ``is_counted``: each value sent explains one echo, and the next report
    of it is a press; for what is only ever equal (on and off, texts), and of which few are sent.
    """

    to_wire: Callable[[Any], Wire]
    tolerance: float = 0.0
    window_s: float = WINDOW_S
    echoes: bool = True
    is_counted: bool = False


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is to be done when a window closes.

    ``adopt``: the peer never said what we sent; this is what it has made of it, and the store takes it.
    Then the store's value, whatever it is now, is sent to this peer once, as settling.
    """

    adopt: Wire | None


@dataclass(slots=True)
class EchoGuard:
    """State of one binding towards one target."""

    rules: EchoRules
    is_calm: bool = True
    """True while nothing was heard or owed since the last move that was sent."""
    _sent: deque[tuple[float, Any, Any]] = field(default_factory=lambda: deque(maxlen=MAX_SENT))
    _settled_at: float = -inf  # when the last value was sent that is no more in _sent
    _heard: Wire | None = None
    _remembered: Wire | None = None
    _why: Why = "near"  # what was remembered was not applied
    _is_confirmed: bool = False
    _has_moved: bool = False  # by itself, since we sent last
    _is_told: bool = False  # the truth, and nothing else was heard since
    _denied: int = 0  # times that it was told and said something else
    _has_adopted: bool = False  # since a hand moved
    answers: int = 0
    """Of what was sent last (``store.Change``)."""
    due_at: float | None = None
    """When to call ``settle``; None while there is nothing to settle."""

    def sent(self, value: Any, now: float, *, is_settling: bool = False, answers: int = 0, mover: Any = None) -> None:
        """We have sent this value: whatever was owed is paid, and earlier reports are about an older one.

        ``is_settling``: because of a Settlement, of this guard or another, not because something moved.
        ``answers``: how many reports led to it; 0 is a hand. ``mover``: whose move it is, for ``overhear``.
        """
        self._sent.append((now, value, mover))  # turned into wire units when a report comes: most never meet one
        self._is_confirmed = self._has_moved = False
        self.due_at = self._remembered = None
        self.answers = answers
        if is_settling:
            self._is_told = True
        elif not answers:
            self._forgive()
        elif answers < MAX_ANSWERS:
            self._has_adopted = False  # it may well be a hand's, which has paused for less than a window
        self.is_calm = not (is_settling or answers)

    @property
    def is_cut(self) -> bool:
        """True if the last report was not applied because it goes round and round with another peer's."""
        return self._remembered is not None and self._why == "answer"

    @property
    def is_confirmed(self) -> bool:
        """True if the peer has said since we sent last that it has this value, or what it has moved it to."""
        return self._is_confirmed or self._has_moved

    @property
    def sent_at(self) -> float:
        """When we sent last."""
        return self._sent[-1][0] if self._sent else self._settled_at

    def hear(self, report: Wire, is_current: bool, now: float, is_rest: bool = False) -> Verdict:
        """Judge a report. ``is_current``: it is how the store's value looks on this wire (rule 1). ``is_rest``: a
        momentary's rest.

        "confirmed" and "remembered" are not to be applied. Afterwards ``due_at`` may be set.
        """
        insists, self._heard = report == self._heard, report
        self.is_calm = False
        if is_current:  # at any time, so that a 7-bit report never degrades 0.73
            self._is_confirmed = True
            if self.rules.is_counted:
                self._was_sent(report, now - self.rules.window_s)
            return "confirmed"
        if self._is_told:
            self._deny()
        since, sent_at = now - self.rules.window_s, self.sent_at
        if sent_at < since:
            self._remembered = None
            self._has_moved = True
            if not insists:
                self._forgive()  # a move of its own: whatever we tell from now on is about this
            return "apply"
        why = None if is_rest else self._why_echo(report, insists, since)
        if why is not None:
            self._remembered, self._why = report, why
            self._settle_at(sent_at)
            return "remembered"
        self._remembered = None  # the peer has moved by itself, later than what it said before
        self._settle_at(now)
        return "apply"

    def overhear(
        self, report: Wire, is_current: bool, now: float, is_rest: bool | None, speaker: Any, distrust: Distrust,
        insists: bool, match: Match = "none",
    ) -> tuple[Verdict, Match]:  # fmt: skip
        """``hear`` for one who may be this target, or somebody else: also whose sent value the report is like.

        "ours": somebody else than ``speaker`` had moved it; "its own": we have passed on what it said itself.
        ``insists``: this speaker said so just before. ``distrust``: see ``unlisted``. ``match``: found already, in
        another target's guard.
        """
        self.is_calm = False
        since, sent_at = now - self.rules.window_s, self.sent_at
        if sent_at >= since and (match == "none" or not self.rules.is_counted):
            is_used_up = is_rest is None  # of a momentary it may be another's, whose late echo must not press again
            if self._was_sent(report, since, speaker, is_used_up):
                match = "ours"
            elif self._was_sent(report, since, is_used_up=is_used_up):
                match = "its own"
        if is_current:
            self._is_confirmed = True
            return "confirmed", match
        if self._is_told:
            self._deny()
        why: Why | None = None
        if distrust == "cut" and match != "none":
            why = "answer"
        elif sent_at >= since and self.rules.echoes and not is_rest:
            if insists:
                why = "insists"
            elif match == "ours" or (distrust and match != "none"):
                why = "near"
            elif distrust and self.answers >= MAX_ANSWERS and not self.is_last_of(speaker):
                why = "answer"
        if why is not None:
            self._remembered, self._why = report, why
            # A loop has time to be silent, and a hand to go on unprompted, before we speak again.
            self._settle_at(max(sent_at, since) + (self.rules.window_s / 2 if distrust == "cut" else 0.0))
            return "remembered", match
        self._remembered = None
        if sent_at >= since:
            self._settle_at(now)
        elif not insists:
            self._forgive()
        return "apply", match

    def is_last_of(self, speaker: Any) -> bool:
        """True if what was sent last is this speaker's move."""
        return bool(self._sent) and self._sent[-1][2] is speaker

    def refused(self, now: float) -> None:
        """The store did not become what was reported (limit, step, a hold): the peer is told after quiet."""
        self.is_calm = False
        self._settle_at(now)

    def settle(self, now: float) -> Settlement | None:
        """Rule 4, once it is due; None before."""
        if self.due_at is None or now < self.due_at:
            return None
        remembered = self._remembered
        adopt = None if self._is_confirmed or (self._has_adopted and self._why != "answer") else remembered
        if adopt is not None:
            self._has_adopted = True
        self.due_at = self._remembered = None
        self._settled_at = self.sent_at
        self._sent.clear()
        return Settlement(adopt) if self._denied < MAX_TOLD else None

    def _deny(self) -> None:
        """It has said something else than it was told. What it never denied is not held against it: neither what was
        told for another's sake, nor what it took in silence."""
        self._denied += 1
        self._is_told = False

    def _forgive(self) -> None:
        self._denied = 0
        self._is_told = self._has_adopted = False

    def _settle_at(self, start: float) -> None:
        """A window after ``start``; twice as long for each time that the peer denied what it was told."""
        if self._denied and start - self.sent_at > FORGIVEN_WINDOWS * self.rules.window_s:
            self._denied = 0
        due_at = start + self.rules.window_s * 2**self._denied
        if self.due_at is None or due_at > self.due_at:
            self.due_at = due_at

    def _why_echo(self, report: Wire, insists: bool, since: float) -> Why | None:
        """Why a report is not applied at once; None if it is a move of the peer's own."""
        if self.rules.echoes:
            if insists:
                return "insists"
            if self._was_sent(report, since):
                return "near"
        return "answer" if self.answers >= MAX_ANSWERS else None

    def _was_sent(self, report: Wire, since: float, besides: Any = _NOBODY, is_used_up: bool = True) -> bool:
        """True if the report is near something sent since then, but for one mover's. The latest first: most echoes
        are of it. ``is_used_up``: of what is counted it explains no other report."""
        to_wire, tolerance = self.rules.to_wire, self.rules.tolerance
        if self.rules.is_counted:
            for index, (at, value, mover) in enumerate(self._sent):
                if at >= since and mover is not besides and to_wire(value) == report:
                    if is_used_up:
                        self._sent[index] = (at, _ANSWERED, mover)
                    return True
            return False
        if len(report) == 1 and isinstance(number := report[0], (int, float)):  # by far the most frequent
            low, high = number - tolerance, number + tolerance
            for at, value, mover in reversed(self._sent):
                if at < since:
                    return False
                wire = to_wire(value)
                if low <= wire[0] <= high and len(wire) == 1 and mover is not besides:
                    return True
            return False
        return any(
            at >= since and mover is not besides and are_near(report, to_wire(value), tolerance)
            for at, value, mover in self._sent
        )


def are_near(report: Wire, wire: Wire, tolerance: float) -> bool:
    """True if no part of a report is further than this from what was sent."""
    return len(report) == len(wire) and all(
        abs(part - sent) <= tolerance if isinstance(sent, (int, float)) else part == sent
        for part, sent in zip(report, wire, strict=True)
    )


class EchoBook(Generic[K]):
    """The guards of many bindings, by a key of the port's choice, and which of them is to be settled when."""

    def __init__(self) -> None:
        self.guards: dict[K, EchoGuard] = {}
        """Of bindings that have sent something, or were refused. What was never sent has no echo: what it reports
        need not be heard here."""
        self.soonest = inf
        """Not after ``next_due``, without looking at all that waits."""
        self._waiting: dict[K, None] = {}  # in the order in which they began to wait

    def sent(
        self,
        key: K,
        rules: EchoRules,
        value: Any,
        now: float,
        is_settling: bool = False,
        answers: int = 0,
        mover: Any = None,
    ) -> None:
        """See ``EchoGuard.sent``. A guard is made when its binding first sends."""
        guard = self.guards.get(key)
        if guard is None:
            guard = self.guards[key] = EchoGuard(rules)
        if guard.is_calm and not is_settling and not answers:
            guard._sent.append((now, value, mover))  # nearly every one; the same, three times as fast
        else:
            guard.sent(value, now, is_settling=is_settling, answers=answers, mover=mover)

    def hear(self, key: K, report: Wire, is_current: bool, now: float, is_rest: bool = False) -> Verdict:
        """See ``EchoGuard.hear``. ``next_due`` may have become earlier."""
        guard = self.guards.get(key)
        if guard is None:
            return "confirmed" if is_current else "apply"
        verdict = guard.hear(report, is_current, now, is_rest)
        if guard.due_at is not None:
            self._wait(key, guard.due_at)
        return verdict

    def overhear(
        self, key: K, report: Wire, is_current: bool, now: float, is_rest: bool | None, speaker: Any,
        distrust: Distrust, insists: bool, match: Match,
    ) -> tuple[Verdict, Match]:  # fmt: skip
        """See ``EchoGuard.overhear``, of a key that has a guard."""
        guard = self.guards[key]
        found = guard.overhear(report, is_current, now, is_rest, speaker, distrust, insists, match)
        if guard.due_at is not None:
            self._wait(key, guard.due_at)
        return found

    def answers(self, key: K, now: float) -> int:
        """How many reports have led to one of now, if it is an answer: what ``store.set`` is told."""
        guard = self.guards.get(key)
        if guard is None or now - guard.sent_at > guard.rules.window_s:
            return 0
        return guard.answers + 1

    def refused(self, key: K, rules: EchoRules, now: float) -> None:
        """See ``EchoGuard.refused``."""
        guard = self.guards.get(key)
        if guard is None:
            guard = self.guards[key] = EchoGuard(rules)
        guard.refused(now)
        assert guard.due_at is not None
        self._wait(key, guard.due_at)

    def _wait(self, key: K, due_at: float) -> None:
        self._waiting[key] = None
        if due_at < self.soonest:
            self.soonest = due_at

    def settle(self, now: float) -> Iterator[tuple[K, Settlement]]:
        """What is due, oldest first. The port adopts before it asks for the next: adopting for one binding may send to
        another, which has then nothing more to settle. Afterwards it sends, as settling, to whom it has not yet."""
        for key in list(self._waiting):
            guard = self.guards.get(key)
            if guard is not None and (settlement := guard.settle(now)) is not None:
                yield key, settlement
            if guard is None or guard.due_at is None:
                self._waiting.pop(key, None)
        next_due = self.next_due
        self.soonest = inf if next_due is None else next_due

    @property
    def next_due(self) -> float | None:
        """When ``settle`` has something to do; None while nothing waits."""
        times = [at for key in self._waiting if (at := self.guards[key].due_at) is not None]
        return min(times, default=None)

    def pass_on(self, key: K, to: K, rules: EchoRules) -> None:
        """Another binding has the same message now: what we have sent in it may still come back."""
        guard = self.guards.get(key)
        self.forget(key)
        if guard is not None:
            self.guards[to] = EchoGuard(rules, _sent=guard._sent)

    def forget(self, key: K) -> None:
        """The binding is gone."""
        self.guards.pop(key, None)
        self._waiting.pop(key, None)

    def clear(self) -> None:
        """All bindings are gone."""
        self.guards.clear()
        self._waiting.clear()
        self.soonest = inf


class TriggerEchoes:
    """Triggers sent to one target that it may send back: cancelled by count, never compared with a value (rule 5).

    By their arguments: a trigger of the target's own with others is none of ours.
    """

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._sent: deque[tuple[float, Wire, Any]] = deque(maxlen=MAX_SENT)
        self._sent_at = -inf
        self._answers = 0

    def sent(self, args: Wire, now: float, mover: Any = None, answers: int = 0) -> None:
        """``mover``: who fired it. ``answers``: see ``store.Change``."""
        self._sent.append((now, _rounded(args), mover))
        self._sent_at, self._answers = now, answers

    def answers(self, now: float) -> int:
        """How many triggers of peers have led to one of now, if it is an answer."""
        return self._answers + 1 if now - self._sent_at <= self._window_s else 0

    def is_echo(self, args: Wire, now: float, besides: Any = _NOBODY) -> bool:
        """True if this trigger answers one of ours, but for one mover's; each of ours is answered once."""
        args = _rounded(args)
        while self._sent and now - self._sent[0][0] > self._window_s:
            self._sent.popleft()
        for index, (_, sent, mover) in enumerate(self._sent):
            if sent == args and mover is not besides:
                del self._sent[index]
                return True
        return False


def _rounded(args: Wire) -> Wire:
    """As they come back in the 32 bits of a wire. A trigger without arguments may be sent, or come back, as 1."""
    if args in ((), (1,)):
        return ()
    return tuple(float(f"{arg:.6g}") if isinstance(arg, float) else arg for arg in args)
