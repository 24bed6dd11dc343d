"""One MIDI peer: its routes, what is known of each, what it is owed, and how it is. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.bank import Seat
from bridge.echo import EchoBook, TriggerEchoes
from bridge.errors import BadControl
from bridge.learning import Learning
from bridge.port import Peer
from bridge.store import Entry, Origin

from .bank import MidiBank, Move
from .bind import Route, Wire, compile_routes
from .clock import CLOCK_KEYS
from .codec import Key, Writer
from .encoder import Spin
from .routes import RouteTable
from .settings import Binding, Settings
from .takeover import SoftTakeover

MAX_EVENTS = 64
"""Triggers that wait to be sent; the oldest goes: an event that cannot leave is an old gesture."""
MAX_SHOWN = 4
"""Ports that are named where none fits."""


@dataclass(frozen=True, slots=True)
class Owed:
    """Why a control is to be sent: what the echo guard is told of it (``echo.EchoGuard.sent``)."""

    is_settling: bool = False
    answers: int = 0


class MidiPeer:
    """One ``[[midi]]`` table while the bridge runs. ``warn(path, text)`` is told of a binding that does not fit."""

    def __init__(self, peer: Peer, learning: Learning, warn: Callable[[str, str], None]) -> None:
        self.name = peer.name
        self.settings: Settings = peer.settings
        self.origin = Origin("midi", peer.name)
        self.routes = RouteTable()
        self.echoes: EchoBook[Route] = EchoBook()
        self.fired: dict[Route, TriggerEchoes] = {}
        """Presses that we have sent, of those who echo."""
        self.takeovers: dict[Route, SoftTakeover] = {}
        self.spins: dict[Route, Spin] = {}
        """How fast encoders that accelerate are turned."""
        self.moved_at: dict[Route, float] = {}
        """When the device has last moved it by itself."""
        self.shows: dict[Route, Wire] = {}
        """What it was sent, where it has said nothing since."""
        self.told_at: dict[Route, float] = {}
        """When a meter or a display was last told."""
        self.pending: dict[Route, Owed] = {}
        """What it is owed: the latest value, at its pace."""
        self.events: deque[Route] = deque(maxlen=MAX_EVENTS)
        self.carried: dict[Key, int] = {}
        """What goes by it to another peer's program: the latest of each."""
        self.urgent: list[bytes] = []
        self.down: set[Key] = set()
        """Buttons and touched faders that a hand has not let go yet."""
        self.grips: set[Route] = set()
        """Faders and buttons in a hand that took them when they were another control's: until it lets go, it moves
        nothing, and nothing moves under it."""
        self.banks = {bank: MidiBank() for bank in _banks(peer)}
        """By the path of the control that says which window is held."""
        self.writer = Writer()
        self.received = self.sent = self.bad = self.unknown = self.lost = 0
        """Messages; ``lost``: triggers that could not leave."""
        self.in_name = self.out_name = ""
        """The ports that are connected now."""
        self.trouble = ""
        """Why it is not."""
        self.is_ticking = False
        """A clock comes from it."""
        self.looks_like = ""
        """What it seems to be set to, where that is wrong."""
        self._bindings = peer.bindings
        self._banked = peer.banked
        self._of: dict[int, list[Route]] = {}  # by control's id
        self._learning = learning
        self._warn = warn

    @property
    def is_connected(self) -> bool:
        return bool(self.in_name or self.out_name)

    @property
    def is_gone(self) -> bool:
        """True if what is sent to it cannot arrive; False too while nobody has looked."""
        return bool(self.trouble) and not self.is_connected

    @property
    def is_awaited(self) -> bool:
        """See ``presence.Listener``: a device that is not plugged in is missed from the start."""
        return False

    def takes(self, entry: Entry) -> bool:
        """True if the control goes to it."""
        return any(route.speaks for route in self._of.get(entry.id, ()))

    def adopt(self, peer: Peer) -> Sequence[str]:
        """The same table with other bindings, from the next ``put`` on. Paths of what is bound otherwise, and of banks
        that are new."""
        bindings, banked = self._bindings, self._banked
        self._bindings, self._banked = peer.bindings, peer.banked
        new = [bank for bank in _banks(peer) if bank not in self.banks]
        self.banks |= {bank: MidiBank() for bank in new}
        paths = dict.fromkeys((*bindings, *peer.bindings, *banked, *peer.banked))
        others = [
            path
            for path in paths
            if bindings.get(path) != peer.bindings.get(path) or banked.get(path) != peer.banked.get(path)
        ]
        return [*new, *others]

    def drop_banks(self) -> None:
        """Forget banks that nothing stands in any more."""
        there = {seat.bank for seats in self._banked.values() for seat, _ in seats}
        self.banks = {bank: held for bank, held in self.banks.items() if bank in there}

    def put(self, entry: Entry) -> list[Route]:
        """A control is there, or it or its bindings are others; what the device is to be shown of it."""
        if entry.path in self.banks:
            self.turn(entry)
        own, learnt = self._bindings.get(entry.path, ()), self._learning.of(self.name, entry.path)
        bindings: list[tuple[Seat | None, Binding]] = [(None, one) for one in own]
        bindings += [(None, one) for one in learnt if one not in own]  # it may have been pasted by now
        bindings += self._banked.get(entry.path, ())
        before = self._of.pop(entry.id, [])
        known = {_place(route): route for route in before if route.seat is None}
        shown: list[Route] = []
        if bindings:
            self._of[entry.id] = list(self._compiled(entry, bindings))
        for route in self._of.get(entry.id, ()):
            if route.seat is None:
                self._add(route)
                if (old := known.get(_place(route))) is not None:
                    self._pass_on(old, route)  # the hardware shows what it was sent, and its fader is where it was
                shown.append(route)
        self._drop(route for route in before if route.seat is None)
        for route in self._of.get(entry.id, ()):
            if route.seat is not None:
                shown += self._moved(self.banks[route.seat.bank].put(route))
        return shown + self._drop(route for route in before if route.seat is not None)

    def _compiled(self, entry: Entry, bindings: Iterable[tuple[Seat | None, Binding]]) -> Iterator[Route]:
        for seat, binding in bindings:
            try:
                routes = compile_routes(entry, binding, self.settings)
            except BadControl as exc:
                self._warn(entry.path, f"midi {self.name}: {entry.path}: {exc}")
                continue
            for route in routes:
                route.seat = seat
                yield route

    def drop(self, entry: Entry) -> list[Route]:
        """A control has gone; what the device is to be shown instead."""
        return self._drop(self._of.pop(entry.id, ()))

    def _drop(self, routes: Iterable[Route]) -> list[Route]:
        shown: list[Route] = []
        for route in routes:
            if route.seat is None:
                self._forget(route)
            else:
                shown += self._moved(self.banks[route.seat.bank].drop(route))
        return shown

    def turn(self, bank: Entry) -> list[Move]:
        """The hardware holds the window that a bank's control says; what becomes of its parts."""
        moves = self.banks[bank.path].turn(bank.value if isinstance(bank.value, int) else 1)
        self._moved(moves)
        return moves

    def _moved(self, moves: Sequence[Move]) -> list[Route]:
        """Let parts of the hardware go from route to route, with what is known of them; what is to be shown there."""
        for old, was_dark, new, is_dark in moves:
            if new is not None and new is not old:
                self._add(new, is_dark=is_dark)
                if old is not None:
                    self._pass_on(old, new)
            elif new is not None:
                self.routes.remove(new)
                self._add(new, is_dark=is_dark)
                self._drop_events(new)
                self.echoes.pass_on(new, new, new.rules)
                if was_dark and not is_dark and self._is_in_hand(new, new):
                    self.grips.add(new)
            if old is not None and old is not new:
                self._forget(old)
        return [move.new for move in moves if move.new is not None]

    def _add(self, route: Route, *, is_dark: bool = False) -> None:
        self.routes.add(route, is_dark=is_dark)
        self.takeovers.pop(route, None)
        if route.is_fader and route.takeover != "jump" and not is_dark:
            self.takeovers[route] = SoftTakeover(route.takeover)
        if route.acceleration is not None:
            self.spins[route] = Spin(route.acceleration)

    def _pass_on(self, old: Route, new: Route) -> None:
        """What was sent in this message, and what a hand is doing to its fader or button, is so for the new one."""
        self.echoes.pass_on(old, new, new.rules)
        if old in self.shows:
            self.shows[new] = self.shows[old]
        if old in self.fired:
            self.fired[new] = self.fired[old]
        if old in self.moved_at:
            self.moved_at[new] = self.moved_at[old]
        if (before := self.takeovers.get(old)) is not None and (takeover := self.takeovers.get(new)) is not None:
            takeover.hardware = before.hardware
        if new.entry is not old.entry and self._is_in_hand(old, new):
            self.grips.add(new)

    def _is_in_hand(self, old: Route, new: Route) -> bool:
        """True if a hand is on what was one route's and is another's now, or the same one's again."""
        if new.act == "turn":
            return False
        if new.is_fader and new.touched_by is None:
            return old in self.moved_at
        return (new.touched_by or new.key) in self.down

    def _forget(self, route: Route) -> None:
        self.routes.remove(route)
        self.echoes.forget(route)
        self.grips.discard(route)
        for table in (self.fired, self.takeovers, self.spins, self.moved_at, self.shows, self.told_at, self.pending):
            table.pop(route, None)
        self._drop_events(route)

    def _drop_events(self, route: Route) -> None:
        while route in self.events:
            self.events.remove(route)

    def clear(self) -> None:
        """The device has gone: it is owed nothing, and may come back otherwise."""
        self.echoes.clear()
        for table in (self.fired, self.moved_at, self.shows, self.told_at, self.pending, self.carried):
            table.clear()
        self.events.clear()
        self.urgent.clear()
        self.down.clear()
        self.grips.clear()
        self.writer = Writer()
        self.looks_like = ""

    @property
    def life(self) -> str:
        """connecting (nobody has looked yet), online or offline."""
        if self.is_connected:
            return "online"
        return "offline" if self.trouble else "connecting"

    @property
    def state(self) -> str:
        """That, and how it is: "online: in nanoKONTROL2, out nanoKONTROL2"."""
        return f"{self.life}: {self.text}"

    @property
    def text(self) -> str:
        """How it is, in words that a performer understands."""
        if not self.is_connected:
            return self.trouble or "nobody has looked for it yet"
        parts = [f"in {self.in_name}" if self.in_name else "", f"out {self.out_name}" if self.out_name else ""]
        no_clock = "no clock comes" if not self.is_ticking and CLOCK_KEYS["tempo"] in self.routes.heard else ""
        return "; ".join([", ".join(filter(None, parts)), *filter(None, [self.looks_like, no_clock])])

    def health(self) -> dict[str, Any]:
        """For ``/healthz``."""
        return {
            "port": "midi",
            "name": self.name,
            "state": self.life,
            "text": self.text,
            "in": self.in_name or None,
            "out": self.out_name or None,
            "received": self.received,
            "sent": self.sent,
            "bad": self.bad,
            "unknown": self.unknown,
            "lost": self.lost,
            "waiting": len(self.pending) + len(self.events) + len(self.carried),
        }


def _place(route: Route) -> tuple[Key, bytes, bool]:
    """Which part of the hardware a route reaches."""
    return route.key, route.head, route.text is not None


def _banks(peer: Peer) -> Iterable[str]:
    return dict.fromkeys(seat.bank for seats in peer.banked.values() for seat, _ in seats)
