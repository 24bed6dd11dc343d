"""What goes out to one MIDI peer: the latest value of each binding, at the device's pace.

Never a queue: what changes becomes a mark on its route, and is read when its turn comes. One batch is with the driver
at a time; while it is, or while the device has had its ``rate``, marks merge. Triggers are few and in order.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from math import inf
from typing import Protocol

from bridge.allowance import Allowance
from bridge.control import PANIC
from bridge.echo import TriggerEchoes
from bridge.errors import BadValue
from bridge.log import OncePer
from bridge.store import Change, Entry, Store
from bridge.timers import CallLater, Timer

from .bind import Route, Wire
from .codec import Key, silence
from .metronome import Link as ClockLink
from .metronome import Metronome
from .peer import MidiPeer, Owed
from .tap import MidiTap

log = logging.getLogger(__name__)

BATCH = 16
"""Messages that the driver is given at once: over DIN they take 16 ms."""
BURST_S = 0.01
"""So much of the rate may go at once after a pause."""
LONGEST = 8
"""What one value counts for at most: a sysex as what goes over a cable in its time."""
METER_S = 1 / 30
"""Between two levels that a meter is told."""
TEXT_S = 0.1
"""Between two texts that a row of a display is told: nobody reads faster, and each costs a motor five moves."""
AGAIN_S = 0.3
"""A meter above its bottom is told its level again: those of a Mackie Control fall by themselves."""
MAX_URGENT = 64
"""Messages that wait to be sent before everything else."""
SETTLE_PAUSE_S = 0.005
"""Settlements that fall due within this time are made together."""


class Link(ClockLink, Protocol):
    """The way to a device."""

    def send(self, messages: Sequence[bytes], done: Callable[[], None]) -> None:
        """Hand these to the driver; ``done`` is called when it has taken them, unless the link is lost."""


class Outbox:
    """The outgoing side of one peer. ``call_later`` works on ``clock``."""

    def __init__(
        self,
        peer: MidiPeer,
        store: Store,
        once: OncePer,
        clock: Callable[[], float],
        call_later: CallLater,
        tap: MidiTap,
    ) -> None:
        self.moving: Route | None = None
        self._peer = peer
        self._store = store
        self._once = once
        self._clock = clock
        self._call_later = call_later
        self._tap = tap
        self._metronome = Metronome(peer, store, clock, tap)
        rate = peer.settings.rate
        self._room = Allowance(max(LONGEST, rate * BURST_S), rate)
        self._link: Link | None = None
        self._is_writing = False
        self._timer: Timer | None = None
        self._is_spent = False  # the device has had its rate: the timer comes when there is more
        self._settle_timer: Timer | None = None

    def start(self, link: Link) -> None:
        """The device is there: show it everything."""
        self._link, self._is_writing = link, False
        self._peer.urgent += self._peer.settings.hello
        self.push()
        self._metronome.start(link)
        self._flush()

    def stop(self) -> None:
        """It goes."""
        for timer in (self._timer, self._settle_timer):
            if timer is not None:
                timer.cancel()
        self._timer = self._settle_timer = self._link = None
        now = self._clock()
        for route, takeover in self._peer.takeovers.items():
            takeover.lost()
            self.show_hardware(route, now)
        for route in list(self._peer.routes):
            self.let_go(route, now)
        self._metronome.stop()

    # What another peer's program is to hear

    @property
    def is_there(self) -> bool:
        """True while what is carried arrives."""
        return self._link is not None

    def carry(self, channel: int, cc: int, value: int) -> None:
        """Send a control change in place of the one that still waits: ``port.Lane``."""
        if self._link is not None:
            self._peer.carried[Key("cc", channel, cc)] = value
            if not self._is_writing and not self._is_spent:
                self._flush()

    # Changes

    def tell(self, changes: Sequence[Change]) -> None:
        """Take what the store has just said: its subscriber."""
        for change in changes:
            what = change.what
            if what == "value":
                if change.entry.path in self._peer.banks:
                    self._turn(change.entry, change.time)
                if routes := self._peer.routes.of(change.entry.id):
                    self._value_changed(routes, change)
            elif what == "trigger":
                self._fired(change)
            elif what == "mark":
                for route in self._peer.routes.speakers.get(change.entry.id, ()):
                    if route.act == "text":  # the peer's own words for the value may have changed
                        self.owe(route)
            elif what == "hold":
                self._hold_changed(change)
            elif what in ("added", "described"):
                self.take(change.entry, change.time)
                self._metronome.look(self._peer.routes.of(change.entry.id))
            elif what == "removed":
                for route in self._peer.drop(change.entry):
                    self.owe(route)

    def take(self, entry: Entry, now: float, *, is_in_hand: bool = False) -> None:
        """A control is there, or its bindings are others: show the device where it stands. ``is_in_hand``: perhaps
        somebody is just moving its fader, which is then left alone for a while."""
        if entry.path in self._peer.banks:
            self._turn(entry, now)
        for route in self._peer.put(entry):
            if is_in_hand and route.is_fader:
                self._peer.moved_at[route] = now
            self.owe(route)

    def _value_changed(self, routes: Sequence[Route], change: Change) -> None:
        is_own = change.origin == self._peer.origin
        for route in routes:
            if route.act == "clock":
                if route.speaks:
                    self._metronome.tell(route, change)
                continue
            if is_own and route is self.moving:
                continue  # it said so itself; what its rings and LEDs need is told by the receiver
            self.rearm(route, change.time)
            if route.speaks:
                self._owe(route, Owed(change.is_settling, change.answers))

    def _turn(self, bank: Entry, now: float) -> None:
        """A bank's window is turned: the device lets go what it held, and is shown what it holds now."""
        peer, store = self._peer, self._store
        for old, was_dark, new, is_dark in peer.turn(bank):
            if old is not None and not was_dark:
                self.let_go(old, now)
                if {old.key, old.touched_by} & peer.down or not peer.routes.of(old.entry.id):
                    store.release(old.entry, peer.origin, now)
                if "hardware" in old.entry.marks:
                    store.mark(old.entry, "hardware", None, now=now, origin=peer.origin)
            if new is not None and not is_dark:
                self.rearm(new, now)
            if new is not None:
                self.owe(new)

    def let_go(self, route: Route, now: float) -> None:
        """Nobody will hear that the button is let go. (A momentary control has a holder, and goes to rest with it.)"""
        if route.act == "follow" and route.key in self._peer.down and not route.entry.control.momentary:
            self._store.set(route.entry, False, self._peer.origin, now)

    def rearm(self, route: Route, now: float) -> None:
        """A fader and its control have moved without each other."""
        takeover = self._peer.takeovers.get(route)
        if takeover is not None and (wire := route.wire) is not None:
            takeover.moved_elsewhere(route.position(wire))
            self.show_hardware(route, now)

    def _fired(self, change: Change) -> None:
        if self._link is None:
            return
        if change.entry.path == PANIC:
            self._peer.urgent[:] = silence()
            self._flush()
            return
        for route in self._peer.routes.speakers.get(change.entry.id, ()):
            if route.act == "clock":
                self._metronome.tell(route, change)
            elif change.origin != self._peer.origin:
                self._peer.lost += len(self._peer.events) == self._peer.events.maxlen
                self._peer.events.append(route)
                self._flush()

    def _hold_changed(self, change: Change) -> None:
        """A finger has left a fader: now it is sent where the control stands."""
        if change.origin == self._peer.origin and change.origin not in change.entry.holders:
            for route in self._peer.routes.speakers.get(change.entry.id, ()):
                if route.touched_by is not None:
                    self._peer.moved_at.pop(route, None)  # settled: the hand has gone
                    self.owe(route)

    def owe(self, route: Route, *, again: bool = False) -> None:
        """The device is to be shown where the control stands; ``again``: whatever it was sent before."""
        if again:
            self._peer.shows.pop(route, None)
        if route.speaks:
            self._owe(route, Owed())

    def _owe(self, route: Route, why: Owed) -> None:
        if self._link is None or not route.has_place:
            return
        self._peer.pending[route] = why
        if not self._is_writing and not self._is_spent:
            self._flush()

    def push(self) -> int:
        """Show it everything again; how many values."""
        held = [route for routes in self._peer.routes.speakers.values() for route in routes]
        routes = [route for route in (*held, *self._peer.routes.dark) if route.speaks and route.has_place]
        for route in routes:
            self.owe(route, again=True)
        return len(routes)

    def send(self, messages: Sequence[bytes]) -> bool:
        """Send these as they stand, before everything else; False where too many wait already, or it is not there."""
        if self._link is None or len(self._peer.urgent) + len(messages) > MAX_URGENT:
            return False
        self._peer.urgent += messages
        self._flush()
        return True

    def show_hardware(self, route: Route, now: float) -> None:
        """Mark where a fader stands while its control stands elsewhere."""
        takeover = self._peer.takeovers.get(route)
        if takeover is None or route.component is not None or route.entry.control.kind == "choice":
            return  # no widget has a place for it
        at = None if takeover.is_caught else takeover.hardware
        value = None if at is None else route.raw_at(at)
        if value is not None or "hardware" in route.entry.marks:
            self._store.mark(route.entry, "hardware", value, now=now, origin=self._peer.origin)

    # Writing

    def _flush(self) -> None:
        """Give the driver what may go now; come again for the rest."""
        self._cancel_timer()
        if self._link is None or self._is_writing:
            return
        now = self._clock()
        batch: list[bytes] = []
        wait_s = self._fill(batch, now)
        if batch:
            self._is_writing = True
            self._peer.sent += len(batch)
            if self._tap.monitor.is_watched:
                for message in batch:
                    self._tap.went(self._peer.name, self._peer.out_name, message)
            self._link.send(batch, self._written)
        elif wait_s is not None:
            self._timer = self._call_later(wait_s, self._flush)

    def _written(self) -> None:
        """The driver has taken the batch."""
        self._is_writing = False
        self._flush()

    def _fill(self, batch: list[bytes], now: float) -> float | None:
        """Put what may go now into ``batch``; returns seconds until more may, None where nothing waits for time."""
        wait_s = self._fill_first(batch, now)
        return self._fill_values(batch, now) if wait_s is None else wait_s

    def _fill_first(self, batch: list[bytes], now: float) -> float | None:
        """What goes before all values: messages as they stand, triggers, what is carried."""
        peer = self._peer
        while peer.urgent and len(batch) < BATCH:
            if not self._room.take(1, now):
                return self._spent(1)
            batch.append(peer.urgent.pop(0))
        while peer.events and len(batch) < BATCH:
            messages = self._press(peer.events[0])
            if not self._room.take(len(messages), now):
                return self._spent(len(messages))
            batch += messages
            self._pressed(peer.events.popleft(), now)
        while peer.carried and len(batch) < BATCH:
            if not self._room.take(1, now):
                return self._spent(1)
            key = next(iter(peer.carried))
            batch += peer.writer.write(key, peer.carried.pop(key))
        return None

    def _fill_values(self, batch: list[bytes], now: float) -> float | None:
        """Where controls stand, of each route that is pending."""
        peer, due_at = self._peer, self._repeat_levels(now)
        for route, why in list(peer.pending.items()):
            if len(batch) >= BATCH:
                break
            if self._is_in_hand(route):
                del peer.pending[route]  # it comes back when the finger has gone
                continue
            if (until := self._rests_until(route)) > now:
                due_at = min(due_at, until)
                continue
            wire = self._wire_of(route)
            if wire is None or peer.shows.get(route) == wire:
                del peer.pending[route]
                continue
            count = _cost(route)
            if not self._room.take(count, now):
                return self._spent(count)
            del peer.pending[route]
            batch += route.messages(peer.writer, wire)
            peer.shows[route] = wire
            if _pause_s(route):
                peer.told_at[route] = now
            if route.act == "number":
                if route.hears:
                    peer.echoes.sent(route, route.rules, wire, now, why.is_settling, why.answers)
            elif route.rules.echoes and isinstance(wire, int):
                self._fired_by(route).sent((route.is_press(wire),), now)
        return None if due_at == inf else due_at - now

    def _repeat_levels(self, now: float) -> float:
        """Owe meters their level again that would fall; returns when the next one would, inf where none stands."""
        peer, due_at = self._peer, inf
        for route, at in list(peer.told_at.items()):
            if not route.is_meter or peer.shows.get(route) == route.dark:
                continue
            if at + AGAIN_S > now:
                due_at = min(due_at, at + AGAIN_S)
            else:
                peer.shows.pop(route, None)
                peer.pending.setdefault(route, Owed())
        return due_at

    def _is_in_hand(self, route: Route) -> bool:
        """True if a finger is on its fader: a motor must not pull at it."""
        peer = self._peer
        if route.touched_by is None:
            return False
        if route in peer.routes.dark:
            return route.touched_by in peer.down
        return route in peer.grips or peer.origin in route.entry.holders

    def _rests_until(self, route: Route) -> float:
        """When the device may be told: a hand that it does not feel has settled, eyes have read the last."""
        if pause_s := _pause_s(route):
            return self._peer.told_at.get(route, -inf) + pause_s
        return self._peer.moved_at.get(route, -inf) + route.settle_s if route.is_fader else -inf

    def _wire_of(self, route: Route) -> Wire | None:
        """What it is to be shown now; None: nothing."""
        wire = None if route in self._peer.routes.dark else route.shown
        if wire is None and route.seat is not None:
            return route.dark  # of a level that nobody has told yet, too: not that of the window before
        return wire

    def _spent(self, count: int) -> float:
        """Seconds until so many more may go."""
        self._is_spent = True
        return count / self._peer.settings.rate

    def _press(self, route: Route) -> list[bytes]:
        """A trigger, as a button that is pressed and let go."""
        writer = self._peer.writer
        if route.program is not None:
            return route.messages(writer, route.program)
        return [*route.messages(writer, route.on), *route.messages(writer, route.off)]

    def _pressed(self, route: Route, now: float) -> None:
        if route.rules.echoes:
            self._fired_by(route).sent((True,), now)

    def _fired_by(self, route: Route) -> TriggerEchoes:
        return self._peer.fired.setdefault(route, TriggerEchoes(route.rules.window_s))

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._is_spent = False

    # Echoes

    def settle_soon(self) -> None:
        """See that what has to be settled is, when it is due."""
        if self._settle_timer is None and (due_at := self._peer.echoes.next_due) is not None:
            self._settle_timer = self._call_later(max(0.0, due_at - self._clock()), self._settle)

    def _settle(self) -> None:
        """Adopt and tell what is due; come again for the rest."""
        self._settle_timer = None
        now = self._clock()
        peer, settled = self._peer, []
        for route, settlement in peer.echoes.settle(now):
            if settlement.adopt is not None and not route.entry.control.momentary:
                raw = route.with_number(route.raw(settlement.adopt[0]))
                try:
                    self._store.settle(route.entry, raw, peer.origin, now)
                except BadValue as exc:
                    log.debug("midi %s: %s is not adopted: %s", peer.name, route.entry.path, exc)
            settled.append(route)
        for route in settled:
            guard = peer.echoes.guards.get(route)
            if guard is not None and guard.sent_at < now:
                peer.shows.pop(route, None)
                self._owe(route, Owed(is_settling=True))
        if (due_at := peer.echoes.next_due) is not None and self._link is not None:
            self._settle_timer = self._call_later(max(SETTLE_PAUSE_S, due_at - now), self._settle)


def _pause_s(route: Route) -> float:
    """Between two values that it is told, at least."""
    return METER_S if route.is_meter else TEXT_S if route.text is not None else 0.0


def _cost(route: Route) -> int:
    """Messages of one value, at most."""
    match route.key.kind:
        case "nrpn" | "rpn":
            return 4
        case "cc14":
            return 2
        case "sysex":
            return min(LONGEST, 1 + (len(route.head) + (len(route.dark) if isinstance(route.dark, bytes) else 1)) // 3)
    return 1
