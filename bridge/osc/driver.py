"""Runs the driver of one OSC peer: offers it what happens, and carries out what it answers.

Many effects at once (a set with 128 tracks) are carried out in slices, in order, with the loop between; messages leave
at the peer's pace, which they share with the values. What a driver knows of its peer is in ``drivers``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bridge.control import Control
from bridge.driver import OWNER as DRIVER
from bridge.driver import (
    Add,
    Bind,
    Carry,
    Driver,
    Effect,
    Effects,
    Forget,
    Later,
    Look,
    Mark,
    Note,
    Read,
    Remove,
    Send,
    Set,
    Show,
    Warn,
)
from bridge.errors import BadValue, ControlError, OscError
from bridge.log import OncePer
from bridge.port import ShowPages
from bridge.store import Change, Origin, Store
from bridge.timers import CallLater, Timer

from .codec import Message, encode_message
from .peer import OscPeer, Target
from .policy import policy_of

SLICE_S = 0.004
"""So long effects are carried out in one go."""
SEND_SLICE = 32
"""Messages that leave in one go, as far as the peer's pace lets them."""
SEND_PAUSE_S = 0.01
MAX_CALLS = 8192
"""Messages that wait to leave; more are lost, and counted."""


class DriverHost:
    """The driver of one peer, at work while the port is open. ``call_later`` works on ``clock``."""

    def __init__(
        self,
        driver: Driver,
        peer: OscPeer,
        store: Store,
        once: OncePer,
        publish: Callable[[OscPeer], None],
        show_pages: ShowPages,
        clock: Callable[[], float],
        call_later: CallLater,
    ) -> None:
        self._driver = driver
        self._peer = peer
        self._store = store
        self._once = once
        self._publish = publish
        self._show_pages = show_pages
        self._clock = clock
        self._call_later = call_later
        self._tags = policy_of(peer.settings.types).tags
        self._origin = Origin("osc", peer.name)
        self._own: dict[str, Control] = {}  # controls of the configuration without what the peer calls them, by path
        self._meant: dict[str, Control] = {}  # what it has added, perhaps where the configuration has its own
        self._asked_before: Mapping[str, tuple[Any, ...]] = {}
        self._effects: deque[Effect] = deque()
        self._calls: deque[bytes] = deque()
        self._tick_timer: Timer | None = None
        self._run_timer: Timer | None = None
        self._send_timer: Timer | None = None
        self._is_running = False
        self._is_open = False
        self._unsubscribe: Callable[[], None] = lambda: None

    def start(self) -> None:
        """The port is open."""
        self._is_open = True
        self._unsubscribe = self._store.subscribe(self.tell)
        self._tick_timer = self._call_later(self._driver.tick_s, self._tick)

    def stop(self) -> None:
        """The port is closed: nothing that waits leaves any more. Controls stay, and are told what the driver makes of
        a peer that is gone."""
        self._unsubscribe()
        self.gone()
        while self._effects:
            self._run(None)
        self._is_open = False
        for timer in (self._tick_timer, self._run_timer, self._send_timer):
            if timer is not None:
                timer.cancel()
        self._tick_timer = self._run_timer = self._send_timer = None
        self._calls.clear()

    def leave(self) -> None:
        """The peer is none any more: what it has brought goes with it."""
        self.stop()
        for path in list(self._peer.bound):
            self._remove(path, self._clock())
        self._meant.clear()
        self._show_pages(self._peer.name, ())

    def adopt(self, described: Mapping[str, Control | None], before: Mapping[str, tuple[Any, ...]]) -> None:
        """The configuration is another: ``described`` are controls that it describes anew, or not any more; ``before``
        is what it asked of the driver."""
        for path, control in described.items():
            if control is None:
                self._own.pop(path, None)
            elif path in self._own:
                self._own[path] = control
        self._asked_before = before

    def follow(self) -> None:
        """The store has the new controls: ask of the driver what is wanted now."""
        wanted = self._peer.wanted().bindings
        if wanted != self._asked_before:
            self._do(self._driver.want(wanted, self._clock()))

    # What happens

    def connected(self) -> None:
        """The peer is there, or there again. What it has of its own wins: it is not sent what was for another run."""
        self._calls.clear()
        for target in self._peer.targets:
            target.owed.clear()
        self._do(self._driver.connected(self._clock()))

    def gone(self) -> None:
        """The peer is not there any more."""
        self._calls.clear()
        self._do(self._driver.gone(self._clock()))

    def advice(self, trouble: str, *, was_heard: bool, is_here: bool) -> str:
        """What an operator can look at while the peer is not there."""
        return self._driver.advice(trouble, was_heard=was_heard, is_here=is_here)

    def hear(self, message: Message, now: float) -> Message | None:
        """Offer a message. What is left of it for the bindings to read; None if the driver has taken it."""
        answer = self._driver.heard(message.address, message.args, now)
        if answer is None:
            return message
        if isinstance(answer, Read):
            self._do(answer.effects)
            return message._replace(args=answer.args)
        self._do(answer)
        return None

    def tell(self, changes: Sequence[Change]) -> None:
        """What the store has just said: one of its subscribers."""
        bound = self._peer.bound
        for change in changes:
            if change.what == "removed" and change.entry.control.owner != DRIVER and change.entry.path in self._meant:
                meant = self._meant[change.entry.path]
                self._do([Add(meant, bound.get(meant.path, ()))])  # the configuration does not want it any more
            if change.what in ("value", "trigger") and change.entry.path in bound and not self._is_own(change.origin):
                self._do(self._driver.changed(change, change.time))

    def _is_own(self, origin: Origin) -> bool:
        return origin.name == self._peer.name and origin.kind == "osc"

    def _tick(self) -> None:
        self._tick_timer = self._call_later(self._driver.tick_s, self._tick)
        if self._peer.is_there:
            self._do(self._driver.tick(self._clock()))

    # What is to be done

    def _do(self, effects: Effects) -> None:
        self._effects.extend(effects)
        if self._effects and self._run_timer is None and self._is_open:
            self._run()

    def _run(self, slice_s: float | None = SLICE_S) -> None:
        """Carry out what is to be done, and come again for the rest."""
        self._run_timer = None
        if self._is_running:
            return  # what an effect has caused comes after it
        self._is_running = True
        try:
            started = self._clock()
            while self._effects:
                effect = self._effects.popleft()
                try:
                    self._carry_out(effect)
                except (ControlError, OscError) as exc:
                    self._warn(f"{type(effect).__name__} {exc}", str(exc))
                if slice_s is not None and self._clock() - started > slice_s:
                    break
        finally:
            self._is_running = False
        if self._effects and self._is_open:
            self._run_timer = self._call_later(0.0, self._run)

    def _carry_out(self, effect: Effect) -> None:
        now = self._clock()
        match effect:
            case Forget():
                self._calls.clear()
            case Send():
                self._send(encode_message(effect.address, effect.args, self._tags))
            case Add():
                self._add(effect.control, effect.bindings, effect.value, now)
            case Bind():
                self._bind(effect.path, effect.bindings)
            case Remove():
                self._remove(effect.path, now)
            case Set():
                if (entry := self._store.find(effect.path)) is not None:
                    self._store.set(entry, effect.value, self._said_by(), now)
            case Mark():
                if (entry := self._store.find(effect.path)) is not None:
                    self._store.mark(entry, effect.name, effect.value, now=now, origin=self._origin)
            case Look():
                self._look(effect, now)
            case Show():
                self._show_pages(self._peer.name, effect.pages)
            case Warn():
                self._warn(effect.cause, effect.text)
            case Later():
                self._effects.extendleft(reversed(list(effect.make())))
            case Carry():
                if self._peer.carriage is not None:
                    self._peer.carriage.put(effect.path, effect.way)
            case Note():
                self._peer.note = effect.text
                self._publish(self._peer)

    def _add(self, control: Control, bindings: tuple[Any, ...], value: Any, now: float) -> None:
        self._peer.bound[control.path], self._meant[control.path] = bindings, control
        entry = self._store.find(control.path)
        if entry is None:
            try:
                self._store.add(control, now=now, value=value, origin=self._origin)  # the port makes its routes
            except BadValue:
                del self._peer.bound[control.path], self._meant[control.path]
                raise
            return
        if entry.control.owner == DRIVER:
            self._store.describe(entry, control, now=now, origin=self._origin)
        self._peer.rebind(entry)
        if value is not None:
            self._store.set(entry, value, self._said_by(), now)

    def _bind(self, path: str, bindings: tuple[Any, ...]) -> None:
        if bindings:
            self._peer.bound[path] = bindings
        else:
            self._peer.bound.pop(path, None)
        if (entry := self._store.find(path)) is not None:
            self._peer.rebind(entry)

    def _remove(self, path: str, now: float) -> None:
        self._peer.bound.pop(path, None)
        self._meant.pop(path, None)
        entry = self._store.find(path)
        if entry is None:
            return
        for target in self._peer.targets:
            target.owed.drop(entry.id)
        if entry.control.owner == DRIVER:
            self._store.remove(entry, now=now, origin=self._origin)
        else:
            self._peer.rebind(entry)

    def _look(self, look: Look, now: float) -> None:
        entry = self._store.find(look.path)
        if entry is None or entry.control.owner == DRIVER:
            return
        own = self._own.setdefault(look.path, entry.control)
        group = (own.group and look.name) or own.group
        label = own.label if look.is_name_of_group else look.name or own.label
        self._store.describe(
            entry, replace(own, label=label, group=group, color=look.color or own.color), now=now, origin=self._origin
        )

    def _said_by(self) -> Origin:
        """Who is not told what the peer has said: the target that it is."""
        return next((target.origin for target in self._peer.targets), self._origin)

    def _warn(self, cause: str, text: str) -> None:
        self._once.warning((self._peer.name, "driver", cause), "osc %s: %s", self._peer.name, text)

    # Messages

    def _send(self, packet: bytes) -> None:
        if len(self._calls) >= MAX_CALLS:
            self._peer.lost += 1
            return
        self._calls.append(packet)
        if self._send_timer is None and self._is_open:
            self._flush()

    def _flush(self) -> None:
        """Send what the peer's pace lets go, and come again for the rest."""
        self._send_timer = None
        targets = [target for target in self._peer.targets if target.link.is_connected]
        if targets:
            room = min(target.owed.room(self._clock(), SEND_SLICE) for target in targets)
            while self._calls and room > 0:
                packet = self._calls.popleft()
                if not _send_all(targets, packet):  # which may tell that the peer has gone: then none is left
                    self._calls.appendleft(packet)
                    break
                room -= 1
        if self._calls and self._is_open:
            self._send_timer = self._call_later(SEND_PAUSE_S, self._flush)


def _send_all(targets: Sequence[Target], packet: bytes) -> bool:
    """False if it has to be tried again; a second target is then sent it twice."""
    for target in targets:
        if not target.link.send(packet):
            return False
        target.owed.spend(1)
    return True
