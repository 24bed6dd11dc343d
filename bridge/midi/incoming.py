"""What a MIDI message does: which controls it means, and the store's part of it.

Nothing raises out of ``Receiver.receive``: what cannot be used is counted, and logged once per cause.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import inf
from typing import Protocol

from bridge.config.tomltext import inline
from bridge.errors import BadValue
from bridge.learning import Armed, Learning
from bridge.log import OncePer
from bridge.store import Store
from bridge.timers import CallLater, Timer

from .bind import Route
from .clock import CLOCK_KEYS, TRANSPORT, ClockIn, Said
from .codec import Assembler, Heard, Key, Message, Parser, ticks
from .learn import Ear
from .mode import ModeWatch
from .peer import MidiPeer
from .tap import MidiTap

log = logging.getLogger(__name__)


class Sender(Protocol):
    """What a receiver needs of the sending side."""

    moving: Route | None
    """The route by which the device moves a control now: that one need not be told."""

    def owe(self, route: Route, *, again: bool = False) -> None:
        """The device is to be shown where the control stands; ``again``: whatever it was sent before."""

    def settle_soon(self) -> None:
        """Something may have to be settled: see that it is, in time."""

    def show_hardware(self, route: Route, now: float) -> None:
        """Where a fader stands beside its control may have changed."""

    def rearm(self, route: Route, now: float) -> None:
        """A fader and its control have moved without each other."""


class Receiver:
    """The incoming side of one peer. ``call_later`` works on ``clock``."""

    def __init__(
        self,
        peer: MidiPeer,
        store: Store,
        sender: Sender,
        once: OncePer,
        clock: Callable[[], float],
        call_later: CallLater,
        tap: MidiTap,
        learning: Learning,
    ) -> None:
        self._peer = peer
        self._store = store
        self._sender = sender
        self._once = once
        self._clock = clock
        self._call_later = call_later
        self._tap = tap
        self._learning = learning
        self._armed: Armed | None = None  # what the ear is for
        self._ear: Ear | None = None
        self._timer: Timer | None = None
        self._mode = ModeWatch(peer.settings)
        self._parser = Parser()
        self._assembler = Assembler(peer.routes.heard)
        self._beats = ClockIn()
        self._beats_timer: Timer | None = None

    def reset(self) -> None:
        """The device has gone: what it has half said will not be ended."""
        for timer in (self._timer, self._beats_timer):
            if timer is not None:
                timer.cancel()
        self._timer = self._beats_timer = None
        self._follow(self._beats.stop(), self._clock())
        self._beats = ClockIn()
        self._parser, self._assembler = Parser(), Assembler(self._peer.routes.heard)
        self._mode = ModeWatch(self._peer.settings)

    def receive(self, data: Sequence[int], at: float) -> None:
        """Take what the driver has heard, and when: that may be a while ago. Never raises."""
        peer, now = self._peer, self._clock()
        dropped = self._parser.dropped
        messages = self._parser.feed(data)
        if self._parser.dropped != dropped:
            peer.bad += 1
            text = "midi %s: bytes that are no message: %s"
            self._once.warning((peer.name, "garbage"), text, peer.name, bytes(data[:16]).hex(" "))
        for message in messages:
            peer.received += 1
            if message.kind == "clock":
                self._follow(self._beats.hear(message, at), now)
                continue  # two or three in a tenth of a second: nobody wants to read them
            if self._tap.monitor.is_watched:
                self._tap.came(peer.name, peer.in_name, message)
            if message.kind in TRANSPORT:
                self._follow(self._beats.hear(message, at), now)
            keys = self._assembler.feed(message, now)
            armed = self._learning.armed
            if armed is not None:
                self._learn(armed, message, now)
            self._take(message, keys, now, is_learning=armed is not None)
        self._flush_soon(now)

    def _flush_soon(self, now: float) -> None:
        if self._timer is None and (due_at := self._assembler.next_due) is not None:
            self._timer = self._call_later(max(0.0, due_at - now), self._flush)

    def _flush(self) -> None:
        """MSBs whose LSB does not come."""
        self._timer = None
        now = self._clock()
        for heard in self._assembler.flush(now):
            self._hear(heard, now, self._learning.armed is not None)
        self._flush_soon(now)

    def _follow(self, said: Iterable[Said], now: float) -> None:
        """What a clock says."""
        store, origin = self._store, self._peer.origin
        for word, value in said:
            for route in self._peer.routes.heard.get(CLOCK_KEYS[word], ()):
                if value is None:
                    self._play(route, partial(store.trigger, route.entry, (), origin, now))
                else:
                    self._play(route, partial(store.set, route.entry, value, origin, now))
        self._peer.is_ticking = self._beats.is_ticking
        if self._beats_timer is None and (due_at := self._beats.next_due) is not None:
            self._beats_timer = self._call_later(max(0.0, due_at - now), self._miss)

    def _miss(self) -> None:
        """A clock may have stopped."""
        self._beats_timer = None
        now = self._clock()
        self._follow(self._beats.flush(now), now)

    def _learn(self, armed: Armed, message: Message, now: float) -> None:
        """Something is moved for a control that waits for it."""
        entry = self._store.find(armed.control.path)
        if entry is None:
            self._learning.disarm()
            return
        if self._ear is None or self._armed is not armed:
            self._armed, self._ear = armed, Ear(entry.control, armed.component, self._peer.settings)
        guess = self._ear.hear(message, self._assembler.parameter(message.channel))
        if guess is None:
            return
        if guess.table is None:
            (self._learning.refuse if guess.is_refused else self._learning.hear)(guess.text)
            return
        self._learning.learn(self._peer.name, guess.table, guess.binding)
        log.info("midi %s: %s is learnt, by %s: %s", self._peer.name, entry.path, armed.name, inline(guess.table))
        down = self._ear.down.keys() | self._peer.down
        if any(route.touched_by in down for route in self._peer.routes.of(entry.id)):
            self._store.touch(entry, self._peer.origin, now)

    def _take(self, message: Message, keys: Sequence[Heard], now: float, is_learning: bool) -> None:
        peer, is_known = self._peer, False
        for heard in keys:
            is_known |= self._hear(heard, now, is_learning)
        self._mode.hear([heard.key for heard in keys], peer.routes.heard, is_known=is_known)
        if not is_known and not is_learning and message.channel and self._assembler.next_due is None:
            peer.unknown += 1
            self._mode.wonder(message, peer.routes.heard)
        if (text := self._mode.text) != peer.looks_like:
            peer.looks_like = text
            if text:
                self._once.warning((peer.name, "mode", text), "midi %s: %s", peer.name, text)
            else:
                self._once.each("midi %s: it is in its right mode again", peer.name)

    def _hear(self, heard: Heard, now: float, is_learning: bool) -> bool:
        """True if somebody is bound to it. While something is learnt nothing is moved, but a button may be let go."""
        peer = self._peer
        routes, touched = peer.routes.heard.get(heard.key, ()), peer.routes.touches.get(heard.key, ())
        if heard.key.kind == "note" and (routes or touched):
            self._note_hand(heard.key, is_down=heard.value > 0)
        for route in touched:
            self._touch(route, heard.value > 0, now)
        for route in routes:
            if (route in peer.routes.dark or route in peer.grips) and self._is_nobodys(route, heard, now):
                continue
            if is_learning and not _lets_go(route, heard):
                continue
            self._play(route, partial(self._move, route, heard, now))
        return bool(routes or touched)

    def _play(self, route: Route, move: Callable[[], object]) -> None:
        """Let the device move a control; what does not suit it is told once."""
        if route.entry.control.access == "write":
            return
        self._sender.moving = route
        try:
            move()
        except BadValue as exc:
            self._peer.bad += 1
            key = (self._peer.name, "value", route.entry.id)
            self._once.warning(key, "midi %s: %s: %s", self._peer.name, route.entry.path, exc)
        finally:
            self._sender.moving = None

    def _note_hand(self, key: Key, *, is_down: bool) -> None:
        if is_down:
            self._peer.down.add(key)
        else:
            self._peer.down.discard(key)

    def _touch(self, route: Route, is_down: bool, now: float) -> None:
        """A finger is on a fader, or has gone."""
        peer = self._peer
        is_gripped, is_dark = route in peer.grips, route in peer.routes.dark
        peer.grips.discard(route)
        if is_gripped or is_dark:
            peer.moved_at.pop(route, None)
            if not is_down:
                self._sender.owe(route, again=True)
        if is_down and not is_dark:
            self._store.touch(route.entry, peer.origin, now)
        else:
            self._store.release(route.entry, peer.origin, now)

    def _is_nobodys(self, route: Route, heard: Heard, now: float) -> bool:
        """True if this moves nothing: the hand took it when it was another control's, or it is nobody's now."""
        peer, is_dark = self._peer, route in self._peer.routes.dark
        if route.act == "turn":
            return is_dark
        if not route.is_fader:
            is_down = route.is_press(heard.value)
            self._note_hand(route.key, is_down=is_down)
            peer.grips.discard(route)  # a press: its letting go was lost
            if is_dark or not is_down:
                self._sender.owe(route, again=True)  # letting go puts the LED out on some
            return is_dark or not is_down
        if route.touched_by is None and now - peer.moved_at.get(route, -inf) > route.settle_s:
            peer.grips.discard(route)  # the hand has rested: it comes anew
        if not is_dark and route not in peer.grips:
            return False
        peer.moved_at[route] = now
        if (takeover := peer.takeovers.get(route)) is not None:
            takeover.hardware = route.position(heard.value)
            self._sender.rearm(route, now)
        self._sender.owe(route, again=True)
        return True

    def _move(self, route: Route, heard: Heard, now: float) -> None:
        if route.act == "number":
            self._number(route, heard, now)
        elif route.act == "turn":
            assert route.coding is not None
            by: float = ticks(heard.value, route.coding)
            if (spin := self._peer.spins.get(route)) is not None:
                by = spin.turn(ticks(heard.value, route.coding), now)
            self._store.set(route.entry, route.turned(route.entry.value, by), self._peer.origin, now)
            self._sender.owe(route)  # its ring does not know how far that was
        else:
            self._press(route, route.is_press(heard.value), now)

    def _press(self, route: Route, is_down: bool, now: float) -> None:
        """A press is an event: it is compared with nothing, unless the device is known to echo."""
        entry, origin = route.entry, self._peer.origin
        self._note_hand(route.key, is_down=is_down)
        fired = self._peer.fired.get(route)
        if fired is not None and fired.is_echo((is_down,), now):
            return
        if route.act == "fire":
            if is_down:
                self._store.trigger(entry, (), origin, now)
            return
        if route.act == "follow":
            self._store.set(entry, entry.control.rest != is_down if entry.control.momentary else is_down, origin, now)
        elif is_down:
            self._store.set(entry, route.next(entry.value) if route.act == "next" else not entry.value, origin, now)
        # A press lights nothing on some devices, and letting go puts the LED out on others, which may have a message
        # of its own.
        for each in self._peer.routes.of(entry.id):
            if each.is_button:
                self._sender.owe(each, again=True)

    def _number(self, route: Route, heard: Heard, now: float) -> None:
        peer, entry, wire = self._peer, route.entry, heard.value
        current = route.wire
        if heard.is_step:
            wire = min(max((current or 0) + heard.value, route.low), route.high)
        if route.key.kind == "note" and wire == 0:
            if entry.control.momentary:
                self._store.set(entry, entry.control.rest, peer.origin, now)
            return  # a velocity stays
        if route.key.kind == "program" and not route.low <= wire <= route.high:
            return
        peer.moved_at[route] = now
        peer.shows.pop(route, None)
        takeover = peer.takeovers.get(route)
        if takeover is not None and current is not None:
            at = takeover.move(route.position(wire), route.position(current))
            if at is not None and not takeover.is_caught:  # on its way
                self._store.set(entry, route.with_number(route.raw_at(at)), peer.origin, now)
            self._sender.show_hardware(route, now)
            if not takeover.is_caught:
                return
        if route in peer.echoes.guards:
            is_rest = entry.control.momentary and route.raw(wire) == entry.control.rest
            verdict = peer.echoes.hear(route, (wire,), wire == current, now, is_rest)
            if verdict != "confirmed":
                self._sender.settle_soon()
            is_news = verdict == "apply"
        else:
            is_news = wire != current
        if is_news:
            answers = peer.echoes.answers(route, now)
            self._store.set(entry, route.with_number(route.raw(wire)), peer.origin, now, answers)
            if route.speaks and route.wire not in (None, wire):
                peer.echoes.refused(route, route.rules, now)
                self._sender.settle_soon()
        if route.feedback == "always":
            self._sender.owe(route, again=True)


def _lets_go(route: Route, heard: Heard) -> bool:
    return (route.act == "follow" or route.entry.control.momentary) and not route.is_press(heard.value)
