"""The clock that one device is sent: what the controls that are bound to it make of ``midiclock.Pulse``.

Its ticks leave on the driver's thread, when each is due, whatever the event loop does meanwhile: so they are in no
list of messages, and count for no ``rate``. All else is done here, on the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from .midibind import Route
from .midiclock import CONTINUE, START, STOP, WORDS, Pulse, Word
from .midipeer import MidiPeer
from .miditap import MidiTap
from .store import Change, Store

Beat = Callable[[], tuple[Sequence[bytes], float | None]]
"""Messages that are due now, and in how many seconds there are more; None: when something has been done."""
_MESSAGES: dict[Word, bytes] = {"start": START, "continue": CONTINUE, "stop": STOP}


class Link(Protocol):
    """The way to a device, and the thread on which it is sent to."""

    def send(self, messages: Sequence[bytes], done: Callable[[], None]) -> None:
        """Hand these to the driver."""

    def do(self, call: Callable[[], None]) -> None:
        """Call it on that thread, after what has been handed over before."""

    def pace(self, beat: Beat) -> None:
        """Send what ``beat`` says, on that thread, and ask it again in time, until the device is gone."""


class Metronome:
    """One device's. ``clock`` is asked on both threads."""

    def __init__(self, peer: MidiPeer, store: Store, clock: Callable[[], float], tap: MidiTap) -> None:
        self._peer = peer
        self._store = store
        self._clock = clock
        self._tap = tap
        self._pulse = Pulse()  # on the link's thread, while there is one
        self._is_running = False
        self._link: Link | None = None
        self._is_paced = False

    def start(self, link: Link) -> None:
        """The device is there: it is told where the song is, if it runs."""
        self._link, self._is_paced = link, False
        for routes in self._peer.routes.speakers.values():
            self.look(routes)
        if self._is_running:
            self._do(self._pulse.rejoin)

    def stop(self) -> Sequence[bytes]:
        """It goes: what it is told at last. The song goes on without it."""
        self._link = None
        return [STOP] if self._is_running else []

    def look(self, routes: Sequence[Route]) -> None:
        """These are there now."""
        for word, route in _of_clock(routes):
            if word == "tempo":
                self._set_tempo(route.entry.value)
            elif word == "running" and route.entry.value and not self._is_running:
                self._is_running = True
                self._do(self._pulse.resume)

    def tell(self, route: Route, change: Change) -> None:
        """A control that is bound to the clock has changed, or was fired."""
        word = WORDS[route.key.number]
        if word == "tempo":
            self._set_tempo(change.value)
        elif word == "running":
            if change.value != self._is_running:
                self._go("start" if change.value else "stop", change)
        else:
            self._go(word, change)
            every = [route for routes in self._peer.routes.speakers.values() for route in routes]
            for other, shown in _of_clock(every):
                if other == "running":
                    self._store.set(shown.entry, word != "stop", self._peer.origin, change.time)

    def _go(self, word: Word, change: Change) -> None:
        pulse, message = self._pulse, _MESSAGES[word]
        self._is_running = word != "stop"
        if change.origin != self._peer.origin and self._link is not None:
            self._peer.sent += 1
            if self._tap.monitor.is_watched:
                self._tap.went(self._peer.name, self._peer.out_name, message)
            self._link.send([message], lambda: None)
        if word == "start":
            self._do(lambda: pulse.start(self._clock()))
        else:
            self._do(pulse.resume if word == "continue" else pulse.stop)

    def _set_tempo(self, bpm: Any) -> None:
        self._do(lambda: self._pulse.set_tempo(bpm, self._clock()))

    def _do(self, call: Callable[[], None]) -> None:
        if self._link is None:
            call()
            return
        if not self._is_paced:
            self._is_paced = True
            self._link.pace(self._beat)
        self._link.do(call)

    def _beat(self) -> tuple[Sequence[bytes], float | None]:
        messages = self._pulse.due(self._clock())
        due = self._pulse.next_at
        return messages, None if due is None else max(0.0, due - self._clock())


def _of_clock(routes: Sequence[Route]) -> list[tuple[Word, Route]]:
    return [(WORDS[route.key.number], route) for route in routes if route.act == "clock" and route.speaks]
