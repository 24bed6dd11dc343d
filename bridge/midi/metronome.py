"""The clock that one device is sent: what the controls that are bound to it make of ``clock.Pulse``.

Its ticks are sent by the driver, when each is due, whatever we do meanwhile: so they are in no list of messages, and
count for no ``rate``. Its ``Pulse`` there and ours here are told the same and do the same: this one goes on while
there is no device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from bridge.store import Change, Store

from .bind import Route
from .clock import CONTINUE, START, STOP, WORDS, Pulse, Word
from .peer import MidiPeer
from .tap import MidiTap

_MESSAGES: dict[Word, bytes] = {"start": START, "continue": CONTINUE, "stop": STOP}


class Link(Protocol):
    """The way to a device, and to the pulse that it is sent."""

    def send(self, messages: Sequence[bytes], done: Callable[[], None]) -> None:
        """Hand these to the driver."""

    def pace(self, what: str, args: Sequence[Any], at: float) -> None:
        """Call this method of the pulse there, which has sent what was due until ``at`` and nothing behind; after what
        has been handed over before."""


class Metronome:
    """One device's. ``clock`` is ``time.monotonic``: the driver has the same."""

    def __init__(self, peer: MidiPeer, store: Store, clock: Callable[[], float], tap: MidiTap) -> None:
        self._peer = peer
        self._store = store
        self._clock = clock
        self._tap = tap
        self._pulse = Pulse()
        self._is_running = False
        self._link: Link | None = None
        self._is_paced = False

    def start(self, link: Link) -> None:
        """The device is there: it is told where the song is, if it runs."""
        self._link, self._is_paced = link, False
        for routes in self._peer.routes.speakers.values():
            self.look(routes)
        if self._is_running:
            self._do("rejoin")

    def stop(self) -> None:
        """It goes; the driver tells it so. The song goes on without it."""
        self._link = None

    def look(self, routes: Sequence[Route]) -> None:
        """These are there now."""
        for word, route in _of_clock(routes):
            if word == "tempo":
                self._set_tempo(route.entry.value)
            elif word == "running" and route.entry.value and not self._is_running:
                self._is_running = True
                self._do("resume")

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
        message = _MESSAGES[word]
        self._is_running = word != "stop"
        if change.origin != self._peer.origin and self._link is not None:
            self._peer.sent += 1
            if self._tap.monitor.is_watched:
                self._tap.went(self._peer.name, self._peer.out_name, message)
            self._link.send([message], lambda: None)
        if word == "start":
            self._do("start", self._clock())
        else:
            self._do("resume" if word == "continue" else "stop")

    def _set_tempo(self, bpm: Any) -> None:
        self._do("set_tempo", bpm, self._clock())

    def _do(self, what: str, *args: Any) -> None:
        now, pulse = self._clock(), self._pulse
        pulse.due(now)  # has been sent, there
        getattr(pulse, what)(*args)
        if self._link is None:
            return
        if self._is_paced:
            self._link.pace(what, args, now)
        else:
            self._is_paced = True
            self._link.pace("take", pulse.state, now)


def _of_clock(routes: Sequence[Route]) -> list[tuple[Word, Route]]:
    return [(WORDS[route.key.number], route) for route in routes if route.act == "clock" and route.speaks]
