"""What goes out to the targets of one port: changes at once, and what a target is still owed in slices.

What goes out is written inside the store's notification: socket in → decode → ``store.set`` → encode →
link out, no queue. What a link does not take at once becomes a mark on the control: its latest value is
sent when there is room. Here too: telling a target the truth after its echoes have settled.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from math import inf
from typing import Protocol

from .echo import TriggerEchoes, Wire
from .errors import BadValue, OscError
from .log import OncePer
from .oscbind import Route
from .oscpeer import OscPeer, Source, Target
from .oscsocket import Address
from .store import Change, Entry, Store

log = logging.getLogger(__name__)

SLICE = 32
"""Values sent in one go when many are due (refresh, a full buffer). Max queues 2,048 messages and then drops."""
SLICE_PAUSE_S = 0.002
SETTLE_PAUSE_S = 0.005
"""Settlements that fall due within this time are made together."""
MAX_ASKERS = 64
"""Places that are being answered at the same time, besides the targets."""


class Timer(Protocol):
    """What ``call_later`` gives back."""

    def cancel(self) -> None: ...


CallLater = Callable[[float, Callable[[], None]], Timer]


class Outbox:
    """The outgoing side of one port. ``call_later`` works on ``clock``."""

    def __init__(
        self,
        peers: Sequence[OscPeer],
        store: Store,
        once: OncePer,
        clock: Callable[[], float],
        call_later: CallLater,
    ) -> None:
        self._peers = peers
        self._store = store
        self._once = once
        self._clock = clock
        self._call_later = call_later
        self._askers: dict[Address, tuple[OscPeer, Target]] = {}
        self._flush_timer: Timer | None = None
        self._settle_timer: Timer | None = None
        self._is_open = False

    def start(self) -> None:
        """Links can be sent through from now on."""
        self._is_open = True

    def stop(self) -> None:
        """Forget who asked, and stop all timers."""
        self._is_open = False
        for timer in (self._flush_timer, self._settle_timer):
            if timer is not None:
                timer.cancel()
        self._flush_timer = self._settle_timer = None
        self._askers.clear()

    # Changes

    def tell(self, changes: Sequence[Change]) -> None:
        """Send what the store has just said: the store's subscriber."""
        now = self._clock()
        for change in changes:
            what = change.what
            if what in ("value", "trigger"):
                entry_id = change.entry.id
                for peer in self._peers:
                    routes = peer.routes.speakers.get(entry_id)
                    # What came from the only target goes nowhere: not even encoded (0.6 µs).
                    if routes is not None and peer.targets and not peer.is_told_by(change.origin):
                        self._send_change(peer, routes, change, now)
            elif what == "hold":
                self._hold_changed(change)
            elif what in ("added", "described"):
                for peer in self._peers:
                    peer.put(change.entry)
                    if what == "added" and peer.settings.on_connect == "pull" and peer.is_there:
                        peer.questions.ask(peer.routes.questions(change.entry))
            elif what == "removed":
                for peer in self._peers:
                    peer.drop(change.entry)

    def _send_change(self, peer: OscPeer, routes: Sequence[Route], change: Change, now: float) -> None:
        entry_id, is_value = change.entry.id, change.what == "value"
        if peer.questions.is_busy and is_value and not peer.said(change.origin):
            peer.questions.moved(peer.routes.ears[entry_id])
        for route in routes:
            try:
                packet = route.packet(change.value if is_value else change.args)
            except OscError as exc:
                peer.lost += 1
                self._once.warning((peer.name, "encode", entry_id), "%s: %s", change.entry.path, exc)
                continue
            for target in peer.targets:
                if change.origin is target.origin:
                    continue  # it does not go back to where it came from
                if change.entry.holders and peer.routes.holds_back(change.entry, target.origin):
                    continue  # it gets the settled value when its finger is gone: _hold_changed
                is_sent = target.link.send(packet)
                if not is_value:
                    peer.lost += not is_sent  # an event that cannot leave now is an old gesture later
                elif not is_sent:
                    target.pending[entry_id] = None
                    self.flush_soon()
                elif target.pending and len(routes) == 1:
                    target.pending.pop(entry_id, None)
        for ear in peer.routes.ears[entry_id]:
            for target in peer.targets:
                if change.origin is target.origin or entry_id in target.pending:
                    continue
                if change.entry.holders and peer.routes.holds_back(change.entry, target.origin):
                    continue
                if is_value:
                    target.echoes.sent(
                        ear, ear.rules, change.value, now, change.is_settling, change.answers, change.origin
                    )
                elif ear.rules.echoes:
                    target.fired.setdefault(ear, TriggerEchoes(ear.rules.window_s)).sent(
                        change.args, now, change.origin
                    )

    def _hold_changed(self, change: Change) -> None:
        """A finger has left a peer's own fader: now it is sent where the control stands."""
        entry, origin = change.entry, change.origin
        if origin in entry.holders or origin.kind != "osc":
            return
        for peer in self._peers:
            for target in peer.targets:
                if target.origin == origin and any(
                    route.touched_at for route in peer.routes.speakers.get(entry.id, ())
                ):
                    target.pending[entry.id] = None
                    self.flush_soon()

    def answer(self, source: Source, entry_ids: Iterable[int]) -> None:
        """Send whoever asked these controls' values, in slices, each as it is when its turn comes. What its finger
        is on it gets when that is gone."""
        peer, ids = source.peer, dict.fromkeys(entry_ids)
        if source.target is not None:
            for entry_id in [entry_id for entry_id in ids if self._is_held_back(peer, source.target, entry_id)]:
                del ids[entry_id]
        for target in source.answers:
            if target not in peer.targets:
                assert target.address is not None
                if target.address not in self._askers and len(self._askers) >= MAX_ASKERS:
                    peer.lost += 1
                    continue
                _, target = self._askers.setdefault(target.address, (peer, target))
            target.pending |= ids
        if self._flush_timer is None:
            self._flush()

    def push(self, peer: OscPeer, target: Target | None = None) -> None:
        """Send every value, in slices, to one target of the peer; to all of them if none is given."""
        for each in peer.targets if target is None else (target,):
            each.pending |= dict.fromkeys(peer.routes.spoken())
        self.flush_soon()

    def owe(self, target: Target, entry_ids: Iterable[int]) -> None:
        """Send these controls' values to a target, in slices."""
        target.pending |= dict.fromkeys(entry_ids)
        if target.pending:
            self.flush_soon()

    def flush_soon(self) -> None:
        """Some targets are owed something, or have room again."""
        if self._flush_timer is None and self._is_open:
            self._flush_timer = self._call_later(SLICE_PAUSE_S, self._flush)

    def _flush(self) -> None:
        """Send a slice of what is pending, oldest first; come again for the rest."""
        self._flush_timer = None
        now = self._clock()
        is_left = False
        for peer in self._peers:
            for target in peer.targets:
                is_left |= self._flush_target(peer, target, now)
        for address, (peer, target) in list(self._askers.items()):
            if self._flush_target(peer, target, now):
                is_left = True
            else:
                del self._askers[address]
        if is_left:
            self.flush_soon()

    def _flush_target(self, peer: OscPeer, target: Target, now: float) -> bool:
        """True if something is left."""
        if now < target.link.retry_at:
            return bool(target.pending) and target.link.retry_at < inf  # else it says when it has room
        is_motor = target in peer.targets  # who only asks is not told when its finger has gone: it is answered now
        for entry_id in list(islice(target.pending, SLICE)):
            if is_motor and self._is_held_back(peer, target, entry_id):
                del target.pending[entry_id]  # it comes back with _hold_changed
                continue
            for route in peer.routes.speakers.get(entry_id, ()):
                value = route.entry.value
                if value is not None and not target.link.send(route.packet(value)):
                    return True
            for ear in peer.routes.ears.get(entry_id, ()):
                if ear.entry.value is not None:
                    target.echoes.sent(ear, ear.rules, ear.entry.value, now)
            del target.pending[entry_id]
        return bool(target.pending)

    def _is_held_back(self, peer: OscPeer, target: Target, entry_id: int) -> bool:
        """True while this target's finger is on the control: ``_hold_changed`` sends it the settled value."""
        entry = self._store.find(entry_id)
        return entry is not None and bool(entry.holders) and peer.routes.holds_back(entry, target.origin)

    # Echoes

    def settle_soon(self, target: Target) -> None:
        """See that what has to be settled with this target is, when it is due."""
        if self._settle_timer is None and (due_at := target.echoes.next_due) is not None:
            self._settle_timer = self._call_later(max(0.0, due_at - self._clock()), self._settle)

    def _settle(self) -> None:
        """Adopt and tell what is due; come again for the rest."""
        self._settle_timer = None
        now = self._clock()
        dues = []
        settled = []
        for peer in self._peers:
            for target in peer.targets:
                for route, settlement in target.echoes.settle(now):
                    if settlement.adopt is not None:
                        self._adopt(target, route, settlement.adopt, now)
                    settled.append((peer, target, route))
                if (due_at := target.echoes.next_due) is not None:
                    dues.append(due_at)
        for peer, target, route in settled:
            guard = target.echoes.guards.get(route)
            if guard is not None and guard.sent_at < now:  # else adopting for another has told it
                self._tell(peer, target, route.entry, now)
        if dues and self._settle_timer is None and self._is_open:
            self._settle_timer = self._call_later(max(SETTLE_PAUSE_S, min(dues) - now), self._settle)

    def _adopt(self, target: Target, route: Route, report: Wire, now: float) -> None:
        """The store takes what a target has made of a value."""
        if route.entry.control.momentary:
            return  # a late echo must not press it: nobody would let go
        try:
            self._store.settle(route.entry, route.adopted(report), target.origin, now)
        except BadValue as exc:
            log.debug("%s: %s is not adopted: %s", target.shown, route.entry.path, exc)

    def _tell(self, peer: OscPeer, target: Target, entry: Entry, now: float) -> None:
        """Send one target the truth, once, after the guard has settled; if its finger is there, when that has gone. A
        peer that presses a momentary is not told that it is pressed: it would be echoed after the release, and press it
        again."""
        if self._is_held_back(peer, target, entry.id):
            return
        if entry.control.momentary and any(who.kind == "osc" and who.name == peer.name for who in entry.holders):
            return
        for route in peer.routes.speakers.get(entry.id, ()):
            if not target.link.send(route.packet(entry.value)):
                target.pending[entry.id] = None
                self.flush_soon()
                return
        for ear in peer.routes.ears.get(entry.id, ()):
            target.echoes.sent(ear, ear.rules, entry.value, now, True)
