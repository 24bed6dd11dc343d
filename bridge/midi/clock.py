"""MIDI clock: 24 ticks a beat, and what starts and stops with them. Pure.

``ClockIn`` is somebody's clock that we follow; ``Pulse`` is ours. Song position and beats are counted from 0.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple, get_args

from .codec import TOP_14, Key, Kind, Message, encode

Word = Literal["tempo", "running", "beat", "start", "continue", "stop"]
"""What a clock says: beats a minute; whether the song runs, and where it is, in beats; and the three messages."""
WORDS: tuple[Word, ...] = get_args(Word)
CLOCK_KEYS: Mapping[Word, Key] = {word: Key("clock", 0, number) for number, word in enumerate(WORDS)}
"""What each is bound by: a clock has no channel."""
TRANSPORT: tuple[Kind, ...] = ("start", "continue", "stop", "position")
"""The messages of a clock, beside its ticks."""

TICKS = 24
"""Of one beat (MIDI 1.0, "Timing Clock")."""
SIXTEENTH = 6
"""Ticks of what song position counts (MIDI 1.0, "Song Position Pointer")."""
SLOWEST, FASTEST = 10.0, 1000.0
"""Beats a minute."""
LOST_S = 0.5
"""A clock that says nothing for so long has stopped: two ticks of the slowest."""

# Told in beats: what MIDI over a sound system's periods needs (PipeWire's are 21 ms: a tick of 120 bpm, or none).
LEAST = 12
"""Ticks before there is a tempo at all."""
SHORT, LONG = TICKS, 8 * TICKS
"""Ticks that a new tempo, and a steady one, is read from."""
JITTER_S = 0.025
"""How late a tick may be, as far as nobody knows better."""
LEAST_JITTER_S = 0.008
STEADY = 4 * TICKS
"""Ticks whose own jitter says how late others may be."""
MOST_HOLES = 3
"""One after the other; then that is how they come now."""
LEAST_STEP = 0.02
"""A tempo that is nearer to the one before (bpm) is the same."""


class _Line(NamedTuple):
    """The straight line through times of ticks: when the one behind the last is due, and how well it fits."""

    next_at: float
    tick_s: float
    error_s: float
    """Standard error of ``tick_s``."""
    jitter_s: float
    """Standard deviation of the ticks from the line."""


def _line(times: Sequence[float]) -> _Line:
    """Least squares; needs three times or more."""
    count = len(times)
    middle, mean = (count - 1) / 2, sum(times) / count
    spread = count * (count * count - 1) / 12
    tick_s = sum((at - middle) * (time - mean) for at, time in enumerate(times)) / spread
    off = sum((time - mean - tick_s * (at - middle)) ** 2 for at, time in enumerate(times))
    jitter_s = math.sqrt(off / (count - 2))
    return _Line(mean + tick_s * (count - middle), tick_s, jitter_s / math.sqrt(spread), jitter_s)


class Tempo:
    """The tempo of ticks that come unevenly: steady while it is steady, and soon another when it is another."""

    def __init__(self) -> None:
        self.bpm: float | None = None
        self._times: deque[float] = deque(maxlen=LONG)
        self._count = 0
        self._widest = math.inf  # between two ticks, as they come now
        self._holes = 0
        self._is_catching_up = False

    def tick(self, now: float) -> float | None:
        """One more tick. The tempo where it is news, else None."""
        self._step_over(now)
        times = self._times
        times.append(now)
        self._count += 1
        if len(times) < (SHORT if self._holes else LEAST) or self._count % SIXTEENTH:
            return None
        if len(times) >= SHORT:
            self._holes = 0
            self._widest = max(after - before for before, after in pairwise(list(times)[-SHORT:]))
        every = list(times)
        if len(every) >= 2 * SHORT and _is_other(every[:-SHORT], every[-SHORT:]):
            every = every[-SHORT:]
            self._times = deque(every, LONG)
        line = _line(every)
        if line.tick_s <= 0:
            return None
        bpm = 60 / TICKS / line.tick_s
        doubt = bpm * max(3 * line.error_s / line.tick_s, 0.3 / len(every) ** 1.3)
        if self.bpm is not None and abs(bpm - self.bpm) <= max(doubt, LEAST_STEP):
            return None
        self.bpm = _round(bpm, max(doubt, LEAST_STEP))
        return self.bpm

    def _step_over(self, now: float) -> None:
        """Begin anew behind a hole. Somebody has held the ticks up, or some are lost: those that come at once after it
        say nothing, nor does the hole, and the tempo stays."""
        if self.bpm is None or not self._times:
            return
        since_s, tick_s = now - self._times[-1], 60 / TICKS / self.bpm
        if since_s > 2 * max(self._widest, tick_s) and self._holes < MOST_HOLES:
            self._holes += 1
            self._is_catching_up = True
        elif self._is_catching_up:
            self._is_catching_up = since_s < tick_s / 4
        if self._is_catching_up:
            self._times.clear()


def _is_other(before: Sequence[float], after: Sequence[float]) -> bool:
    """True if ticks are so far from where those before would have them that the tempo must be another."""
    old = _line(before)

    def late(at: int) -> float:
        return after[at] - old.next_at - at * old.tick_s

    half_s, late_s = late(len(after) // 2 - 1), late(len(after) - 1)
    if abs(late_s) <= max(4 * old.jitter_s, LEAST_JITTER_S):
        return False
    # It gets later and later. Once late, and then no more, is a sound system that has slipped by a period.
    return abs(late_s) > JITTER_S or (len(before) >= STEADY and 0.25 < half_s / late_s < 0.75)


def _round(bpm: float, doubt: float) -> float:
    """The roundest number that it may be."""
    return next((near for places in (0, 1) if abs((near := round(bpm, places)) - bpm) <= doubt), round(bpm, 2))


class Said(NamedTuple):
    """What a clock says: ``value`` of the tempo, of ``running`` and of ``beat``; the three messages have none."""

    word: Word
    value: float | None = None


class ClockIn:
    """Somebody's clock, as it comes."""

    def __init__(self) -> None:
        self.is_ticking = False
        self._tempo = Tempo()
        self._last_at = 0.0
        self._is_running = False
        self._song = 0  # ticks: where the next one is in the song

    def hear(self, message: Message, now: float) -> list[Said]:
        """What a tick says, or one of TRANSPORT."""
        if message.kind == "clock":
            return self._tick(now)
        if message.kind == "position":
            self._song = message.value * SIXTEENTH
            return [Said("beat", self._song // TICKS)]
        if message.kind == "stop":
            self._is_running = False
            return [Said("running", False), Said("stop")]
        self._is_running = True
        if message.kind == "continue":
            return [Said("running", True), Said("continue")]
        self._song = 0
        return [Said("beat", 0), Said("running", True), Said("start")]

    @property
    def next_due(self) -> float | None:
        """When ``flush`` may have something to tell."""
        return self._last_at + LOST_S if self.is_ticking else None

    def flush(self, now: float) -> list[Said]:
        """Nothing runs by a clock that has stopped."""
        return self.stop() if self.is_ticking and now >= self._last_at + LOST_S else []

    def stop(self) -> list[Said]:
        """It is gone."""
        was_running = self._is_running
        self.is_ticking = self._is_running = False
        return [Said("running", False)] if was_running else []

    def _tick(self, now: float) -> list[Said]:
        if not self.is_ticking:
            self.is_ticking, self._tempo = True, Tempo()
        self._last_at = now
        bpm = self._tempo.tick(now)
        said = [] if bpm is None else [Said("tempo", bpm)]
        if self._is_running:
            if self._song % TICKS == 0:
                said.append(Said("beat", self._song // TICKS))
            self._song += 1
        return said


CLOCK, START, CONTINUE, STOP = (encode(Message(kind)) for kind in ("clock", "start", "continue", "stop"))
DOWNBEAT_S = 0.002
"""From a start to its first tick: receivers need a moment (MIDI 1.0, "Start": at least 1 ms)."""
ASLEEP_S = 0.25
"""Ticks that are so late are left out."""


class Pulse:
    """Our own clock. It never drifts: every tick is due on the line that begins where the tempo was last changed.

    What nobody has fetched in time is left out, but the song goes on: whoever comes back is told where it is.
    """

    def __init__(self) -> None:
        self.is_running = False
        self._bpm: float | None = None
        self._from_s = 0.0
        self._done = 0  # ticks since
        self._song = 0  # ticks of the song, where it runs or has stopped
        self._rejoins = False  # somebody is to be told where the song is

    @property
    def state(self) -> tuple[float | None, float, int, int, bool]:
        """All that ``take`` needs to go on with it elsewhere."""
        return self._bpm, self._from_s, self._done, self._song, self.is_running

    def take(self, bpm: float | None, from_s: float, done: int, song: int, is_running: bool) -> None:
        """Go on where another one is, of the same clock."""
        self._bpm, self._from_s, self._done, self._song, self.is_running = bpm, from_s, done, song, is_running

    @property
    def next_at(self) -> float | None:
        """When the next tick is due; None without a tempo."""
        return None if self._bpm is None else self._from_s + self._done * self._tick_s

    @property
    def _tick_s(self) -> float:
        assert self._bpm is not None
        return 60 / TICKS / self._bpm

    def set_tempo(self, bpm: float, now: float) -> None:
        """From now on; the part of a tick that is still to come goes at the new tempo."""
        bpm = min(max(bpm, SLOWEST), FASTEST)
        due = self.next_at
        left = 1.0 if due is None else max(0.0, due - now) / self._tick_s
        if due is None or due > now:
            self._bpm = bpm
            self._from_s, self._done = now + left * self._tick_s, 0
        else:
            self._from_s, self._done, self._bpm = due, 0, bpm  # late: what is owed is still due

    def start(self, now: float) -> None:
        """From the top; the next tick is the first."""
        self.is_running, self._song, self._rejoins = True, 0, False
        self._from_s, self._done = now + DOWNBEAT_S, 0

    def resume(self) -> None:
        """From where it has stopped."""
        self.is_running = True

    def stop(self) -> None:
        """It stays where it is."""
        self.is_running = self._rejoins = False

    def rejoin(self) -> None:
        """Somebody new listens, in the middle of the song perhaps."""
        self._rejoins = self.is_running

    def due(self, now: float) -> list[bytes]:
        """The messages that are due."""
        found: list[bytes] = []
        if (due := self.next_at) is not None and now - due > ASLEEP_S:
            self._pass(int((now - due) / self._tick_s) + 1)
            self.rejoin()
        while (due := self.next_at) is not None and due <= now:
            if self._rejoins and self._song % SIXTEENTH == 0:
                found += [encode(Message("position", value=self._song // SIXTEENTH & TOP_14)), CONTINUE]
                self._rejoins = False
            found.append(CLOCK)
            self._pass(1)
        return found

    def _pass(self, ticks: int) -> None:
        self._done += ticks
        if self.is_running:
            self._song += ticks
