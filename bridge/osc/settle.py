"""When the echoes of what targets were sent have settled: the store takes what a target has made of it, and the target
is told what holds. When that is, and which, the guards know (``echo``)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from math import inf

from bridge.echo import Wire
from bridge.errors import BadValue
from bridge.store import Entry, Store
from bridge.timers import CallLater, Timer

from .bind import Route
from .peer import OscPeer, Target

log = logging.getLogger(__name__)

SETTLE_PAUSE_S = 0.005
"""Settlements that fall due within this time are made together."""


class Settler:
    """The settling of one port. ``tell(peer, target, entry, now)`` sends a target the truth."""

    def __init__(
        self,
        peers: Sequence[OscPeer],
        store: Store,
        clock: Callable[[], float],
        call_later: CallLater,
        tell: Callable[[OscPeer, Target, Entry, float], None],
    ) -> None:
        self._peers = peers
        self._store = store
        self._clock = clock
        self._call_later = call_later
        self._tell = tell
        self._timer: Timer | None = None
        self._at = 0.0
        self._is_open = False

    def start(self) -> None:
        """Targets can be told something from now on."""
        self._is_open = True

    def stop(self) -> None:
        """Nothing is settled any more."""
        self._is_open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def settle_soon(self, target: Target) -> None:
        """See that what has to be settled with this target is, when it is due."""
        due_at = target.echoes.soonest
        if due_at < inf and (self._timer is None or due_at < self._at - SETTLE_PAUSE_S):
            self._settle_later(max(0.0, due_at - self._clock()))

    def _settle_later(self, delay_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._at = self._clock() + delay_s
        self._timer = self._call_later(delay_s, self._settle)

    def _settle(self) -> None:
        """Adopt and tell what is due; come again for the rest."""
        self._timer = None
        now = self._clock()
        settled = []
        for peer in self._peers:
            for target in peer.targets:
                for route, settlement in target.echoes.settle(now):
                    if route.entry.id in target.owed:
                        continue  # it has answered to an older value: the one that holds is still to be sent
                    if settlement.adopt is not None:
                        self._adopt(target, route, settlement.adopt, now)
                    settled.append((peer, target, route))
        for peer, target, route in settled:
            guard = target.echoes.guards.get(route)
            if guard is not None and guard.sent_at < now:  # else adopting for another has told it
                self._tell(peer, target, route.entry, now)
        soonest = min((target.echoes.soonest for peer in self._peers for target in peer.targets), default=inf)
        if soonest < inf and self._is_open:
            self._settle_later(max(SETTLE_PAUSE_S, soonest - now))

    def _adopt(self, target: Target, route: Route, report: Wire, now: float) -> None:
        """The store takes what a target has made of a value."""
        if route.entry.control.momentary:
            return  # a late echo must not press it: nobody would let go
        try:
            self._store.settle(route.entry, route.adopted(report), target.origin, now)
        except BadValue as exc:
            log.debug("%s: %s is not adopted: %s", target.shown, route.entry.path, exc)
