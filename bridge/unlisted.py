"""Who speaks from an address that no target has: is a report an echo, by way of another mouth, or somebody's move?

Judged by the echo guards of all targets (``echo``), and by what this speaker has said before. Pure, as they are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Any, Generic

from .echo import WINDOW_S, Distrust, EchoBook, K, Match, TriggerEchoes, Verdict, Wire

KNOWN_ECHOES = 8
"""Reports that repeat, more than moves, of one that echoes; and MOST_ECHOES that are held against it."""
MOST_ECHOES = 32
MAX_BOUNCES = 256
"""Reports in a row near its own that are a loop; see ``Unlisted``."""
MAX_WAVERS = 32
WAVER = 3
PATIENCE = 2048
DEBOUNCE_WINDOWS = 0.25
"""So long after a release what is like a press that was sent is none: some 60 ms."""
MAX_RINGS = 8
MAX_HEARD = 64
"""Controls of which its last MAX_REPEATED reports are known."""
MAX_REPEATED = 16
MATCHES: tuple[Match, ...] = ("none", "its own", "ours")


@dataclass(slots=True)
class _Run:
    """Reports of one control, in a row, that are near the speaker's own: a slow drag, or a loop."""

    cut_until: float = -inf
    rested_at: float = -inf
    """When it let go of a momentary."""
    _bounces: int = 0
    _wavers: int = 0
    _at: float | None = None
    _step: float = 0.0
    _patience: int = 0

    def is_loop(self, report: Wire, is_bounce: bool) -> bool:
        """Take one report more. Afterwards a new run begins."""
        number = report[0] if report and isinstance(report[0], (int, float)) else 0.0
        step = 0.0 if self._at is None else number - self._at
        is_turn = step * self._step < 0
        self._at, self._step = number, step
        if not is_bounce or self._patience:
            self._patience = max(0, self._patience - 1)
            self._bounces = self._wavers = 0
            return False
        self._bounces += 1
        self._wavers = max(0, self._wavers + (WAVER if is_turn else -1))
        if self._bounces < MAX_BOUNCES and self._wavers < MAX_WAVERS:
            return False
        self._bounces = self._wavers = 0
        return True

    def believe(self, patience: int) -> None:
        """It is no loop, nor for so many reports more."""
        self.cut_until = -inf
        self._patience = patience


class Unlisted(Generic[K]):
    """One who speaks from an address that no target has: one of the targets (several programs on one host that speak
    from other ports, a host with two addresses), or somebody else whom the targets must hear.

    So what it says goes to all targets, and what it repeats of others' moves is an echo of any of them. Values that
    are its own move, passed on, may come back too: from somebody else's hand, a slow drag, they look like that. It is
    distrusted once it has repeated (others' values, or itself) KNOWN_ECHOES times more than it moved, until it has
    moved as often.

    Last, a loop: after MAX_BOUNCES reports in a row that are near its own, with no hand in between, what it says of
    that control near those is not applied for some windows. ``loops`` counts. Sooner where they go to and fro without
    a direction, as noise does and a hand does not: each turn adds WAVER, each step on takes one away, and MAX_WAVERS
    are enough. A loop then falls silent. Who goes on unprompted is no loop, but a hand or a sensor, and is heard
    again, and not suspected for its next PATIENCE reports.
    """

    def __init__(self) -> None:
        self.loops = 0
        self._score = 0
        self._is_known = False
        self._heard: dict[K, deque[tuple[float, Wire]]] = {}  # its last reports
        self._runs: dict[K, _Run] = {}
        self._rings = False
        self._rung = 0

    def hear(
        self, key: K, speaker: Any, books: Iterable[EchoBook[K]], report: Wire, is_current: bool, now: float,
        is_rest: bool | None,
    ) -> Verdict:  # fmt: skip
        """Judge by the guards of all targets. ``speaker`` is the ``mover`` of what it says itself. ``is_rest``: None
        for what is no momentary."""
        heard = self._heard.get(key)
        if heard is None:
            if len(self._heard) >= MAX_HEARD:
                self._heard.clear()
                self._runs.clear()
            heard = self._heard[key] = deque(maxlen=MAX_REPEATED)
        distrust: Distrust = "echoes" if self._is_known else ""
        verdict: Verdict = "confirmed" if is_current else "apply"
        match: Match = "none"
        guarded = [book for book in books if key in book.guards]
        window_s = guarded[0].guards[key].rules.window_s if guarded else WINDOW_S
        sent_at = max((book.guards[key].sent_at for book in guarded), default=-inf)
        is_answer = now - sent_at <= window_s
        run = self._runs.get(key)
        if run is None:
            run = self._runs[key] = _Run()
        if is_rest:
            run.rested_at = now
        elif now - run.rested_at <= DEBOUNCE_WINDOWS * window_s:
            distrust = "cut"  # so soon nobody presses again: its press has come back to it after its release
        elif run.cut_until > now:
            if is_answer:
                distrust = "cut"
            else:
                run.believe(PATIENCE)
        is_repeated = is_answer and any(now - at <= window_s and said == report for at, said in heard)
        is_counted = bool(guarded) and guarded[0].guards[key].rules.is_counted  # on, off and on again is no echo
        insists = bool(heard) and (heard[-1][1] == report or (distrust != "" and is_repeated and not is_counted))
        for book in guarded:
            judged, found = book.overhear(key, report, is_current, now, is_rest, speaker, distrust, insists, match)
            match = max(match, found, key=MATCHES.index)
            if judged == "remembered":
                verdict = judged
        if distrust == "cut" and verdict == "apply":
            run.believe(MAX_WAVERS)  # it has moved on
        if match == "ours" or is_repeated:
            self._score = min(self._score + 1, MOST_ECHOES)
        elif verdict == "apply":
            self._score = max(self._score - 1, 0)
        self._is_known = self._score >= KNOWN_ECHOES or (self._is_known and self._score > 0)
        if verdict != "confirmed":
            is_bounce = verdict == "apply" and match == "its own" and bool(heard) and now - heard[-1][0] < window_s
            if run.is_loop(report, is_bounce):
                self.loops += 1
                run.cut_until = now + 2 * window_s
        heard.append((now, report))
        return verdict

    def answers(self, key: K, speaker: Any, books: Iterable[EchoBook[K]], now: float) -> int:
        """See ``EchoBook.answers``; 0 while it is not known to echo."""
        found = 0
        for book in books if self._is_known else ():
            guard = book.guards.get(key)
            if guard is not None and now - guard.sent_at <= guard.rules.window_s:
                found = max(found, guard.answers + (not guard.is_last_of(speaker)))
        return found

    def is_ring(self, fired: Iterable[TriggerEchoes], args: Wire, speaker: Any, now: float) -> bool:
        """True if a trigger is an echo: of what others fired; and, once it was heard to do that, of its own. Of who was
        not, one in MAX_RINGS that may be: what comes round and round has then ended."""
        fired = list(fired)
        if any(echoes.is_echo(args, now, speaker) for echoes in fired):
            self._rings = True
            return True
        if not any(echoes.is_echo(args, now) for echoes in fired):
            self._rung = 0
            return False
        self._rung += 1
        if self._rung > MAX_RINGS:
            self._rung = 0
            self.loops += 1
            return True
        return self._rings or self._is_known
