"""What goes out to the targets of one port: changes at once, and what a target is still owed when its turn comes.

To a peer without a limit a change is written inside the store's notification: socket in → decode → ``store.set`` →
encode → link out, no queue. What a link does not take, a peer's limit (``rate``, ``control_rate``) does not allow yet,
or is to leave in a bundle at the end of the loop's turn, is owed (``pace``) and leaves in parcels (``parcel``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from math import inf
from typing import Any

from bridge.errors import OscError
from bridge.log import OncePer
from bridge.store import Change, Entry, Store
from bridge.timers import CallLater, Timer

from .bind import Route
from .lane import Carriage
from .parcel import Parcel
from .peer import OscPeer, Source, Target
from .settle import Settler
from .socket import Address

SLICE = 32
"""Values sent in one go when many are due (refresh, a full buffer). Max queues 2,048 messages and then drops."""
LONG_SLICE = 256
"""The same for who gets bundles, or has said what it can take (``rate``)."""
SLICE_PAUSE_S = 0.002
LEAST_PAUSE_S = 0.001
"""A loop's timers know no less."""
MAX_ASKERS = 64
"""Places that are being answered at the same time, besides the targets."""


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
        self._flush_at = 0.0
        self._settler = Settler(peers, store, clock, call_later, self._tell)
        self._is_open = False

    def start(self) -> None:
        """Links can be sent through from now on."""
        self._is_open = True
        self._settler.start()

    def stop(self) -> None:
        """Forget who asked, and stop all timers. A momentary rests at once: it would stay pressed over there."""
        for peer in self._peers:
            self._rest(peer)
        self._is_open = False
        self._settler.stop()
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        self._askers.clear()

    def leave(self, peer: OscPeer) -> None:
        """The same for one peer that is none any more."""
        self._rest(peer)
        self._askers = {at: asker for at, asker in self._askers.items() if asker[0] is not peer}

    def _rest(self, peer: OscPeer) -> None:
        for target in peer.targets:
            late = target.owed.keys
            for routes in peer.routes.speakers.values():
                entry = routes[0].entry
                if entry.id in late or entry.value != entry.control.rest:
                    self._rest_now(peer, target, entry)

    def _rest_now(self, peer: OscPeer, target: Target, entry: Entry) -> None:
        if entry.control.momentary:
            for packet in self._packets(peer, peer.routes.speakers.get(entry.id, ()), entry, entry.control.rest):
                target.link.send(packet)

    # Changes

    def tell(self, changes: Sequence[Change]) -> None:
        """Send what the store has just said: the store's subscriber."""
        for change in changes:
            what = change.what
            if what in ("value", "trigger"):
                for peer in self._peers:
                    if peer.is_direct and len(peer.targets) == 1 and peer.targets[0].origin is change.origin:
                        # From its only target: neither looked up (0.2 µs with 4,096 controls) nor encoded (0.6 µs).
                        continue
                    routes = peer.routes.speakers.get(change.entry.id)
                    if routes is not None and peer.targets:
                        send = self._send_change if peer.is_direct else self._line_up
                        send(peer, routes, change, self._clock())
            elif what == "hold":
                self._hold_changed(change)
            elif what in ("added", "described"):
                for peer in self._peers:
                    peer.put(change.entry)
                    if what == "added" and peer.settings.on_connect == "pull" and peer.is_there:
                        peer.questions.ask(peer.routes.questions(change.entry))
            elif what == "removed":
                for peer in self._peers:
                    for target in peer.targets:
                        if change.entry.id in target.owed:  # its release too would go with it
                            self._rest_now(peer, target, change.entry)
                            target.owed.drop(change.entry.id)
                    peer.drop(change.entry)

    def _send_change(self, peer: OscPeer, routes: Sequence[Route], change: Change, now: float) -> None:
        """To a peer without a limit: at once."""
        entry_id, is_value = change.entry.id, change.what == "value"
        if peer.questions.is_busy and is_value and not peer.said(change.origin):
            peer.questions.moved(peer.routes.ears[entry_id])
        for route in routes:
            try:
                packet = route.packet(change.value if is_value else change.args)
            except OscError as exc:
                self._cannot_say(peer, change.entry, exc)
                continue
            for target in peer.targets:
                if change.origin is target.origin:
                    continue  # it does not go back to where it came from
                if change.entry.holders and peer.routes.holds_back(change.entry, target.origin):
                    continue  # it gets the settled value when its finger is gone: _hold_changed
                owed = target.owed
                # Who waits for a trigger must not be overtaken, nor a trigger overtake the values before it.
                if owed.events or (owed.pending and not is_value) or not target.link.send(packet):
                    self._owe(peer, target, route, change, now)
                    self.flush_soon()
                elif owed.pending and len(routes) == 1:
                    owed.pending.pop(entry_id, None)
        for ear in peer.routes.ears[entry_id]:
            for target in peer.targets:
                if change.origin is target.origin or entry_id in target.owed.pending or target.owed.events:
                    continue
                if change.entry.holders and peer.routes.holds_back(change.entry, target.origin):
                    continue
                if is_value:
                    target.echoes.sent(
                        ear, ear.rules, change.value, now, change.is_settling, change.answers, change.origin
                    )
                else:
                    target.note_fired(ear, change, now)

    def _line_up(self, peer: OscPeer, routes: Sequence[Route], change: Change, now: float) -> None:
        """To a peer with a limit, or that gets bundles: when its turn is."""
        if peer.questions.is_busy and change.what == "value" and not peer.said(change.origin):
            peer.questions.moved(peer.routes.ears[change.entry.id])
        for target in peer.targets:
            if change.origin is target.origin:
                if change.what == "value":
                    target.owed.drop(change.entry.id)
                    if peer.carriage is not None:
                        peer.carriage.left(change.entry.path)
                continue
            if change.entry.holders and peer.routes.holds_back(change.entry, target.origin):
                continue
            if peer.carriage is not None and self._carry(peer, peer.carriage, target, change, now):
                continue
            for route in routes if change.what == "trigger" else routes[:1]:
                self._owe(peer, target, route, change, now)
            self._wake_at(now, now)  # when this turn of the loop is over: a burst leaves as what is latest then

    def _carry(self, peer: OscPeer, lane: Carriage, target: Target, change: Change, now: float) -> bool:
        """Send a change by the peer's lane; what it has left behind in the target's line is old."""
        entry = change.entry
        if change.what != "value" or entry.path not in lane.ways:
            return False
        ears = peer.routes.ears.get(entry.id, ())
        number = next((wire[-1] for ear in ears if (wire := ear.wire(change.value))), None)
        if not isinstance(number, (int, float)) or not lane.carry(entry.path, number, now):
            return False
        target.owed.drop(entry.id)
        for ear in ears:
            target.echoes.sent(ear, ear.rules, change.value, now, change.is_settling, change.answers, change.origin)
        self._wake_at(lane.due_at, now)
        return True

    def _owe(self, peer: OscPeer, target: Target, route: Route, change: Change, now: float) -> None:
        """Put a change in its target's line; a press and a release too are events, and not merged into nothing."""
        entry = change.entry
        if change.what == "trigger":
            peer.lost += not target.owed.fire(change, now, route)
            return
        rest = entry.control.rest if entry.control.momentary else None
        is_press_or_release = entry.control.momentary and (change.value == rest) != (change.previous == rest)
        if not (is_press_or_release and target.owed.fire(change, now)):
            target.owed.owe(entry.id, now, change)

    def _cannot_say(self, peer: OscPeer, entry: Entry, why: OscError) -> None:
        """OSC has no way to say a value."""
        peer.lost += 1
        self._once.warning((peer.name, "encode", entry.id), "%s: %s", entry.path, why)

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
                    target.owed.owe(entry.id, self._clock())
                    self.flush_soon()

    # What is owed

    def answer(self, source: Source, entry_ids: Iterable[int]) -> None:
        """Send whoever asked these controls' values, in slices, each as it is when its turn comes. What its finger
        is on it gets when that is gone."""
        peer, ids, now = source.peer, dict.fromkeys(entry_ids), self._clock()
        if source.target is not None:
            for entry_id in [entry_id for entry_id in ids if self._is_held_back(peer, source.target, entry_id)]:
                del ids[entry_id]
        for target in source.answers:
            if target not in peer.targets:
                if target.address is None:
                    continue  # a connection that has ended since it asked, in a bundle for later
                if target.address not in self._askers and len(self._askers) >= MAX_ASKERS:
                    peer.lost += 1
                    continue
                _, target = self._askers.setdefault(target.address, (peer, target))
            is_first = not target.owed
            target.owed.owe_all(ids, now)
            if is_first:
                due_at = self._flush_target(peer, target, now)
                if due_at == inf:
                    self._askers.pop(target.address or (), None)
                self._wake_at(due_at, now)

    def push(self, peer: OscPeer, target: Target | None = None) -> None:
        """Send every value, in slices, to one target of the peer; to all of them if none is given."""
        for each in peer.targets if target is None else (target,):
            each.owed.owe_all(peer.routes.spoken(), self._clock())
        self.flush_soon()

    def owe(self, target: Target, entry_ids: Iterable[int]) -> None:
        """Send these controls' values to a target, in slices."""
        target.owed.owe_all(entry_ids, self._clock())
        if target.owed:
            self.flush_soon()

    def flush_soon(self) -> None:
        """Some targets are owed something, or have room again."""
        now = self._clock()
        self._wake_at(now + SLICE_PAUSE_S, now)

    def _wake_at(self, due_at: float, now: float) -> None:
        """Flush then, or earlier."""
        if not self._is_open or due_at == inf or (self._flush_timer is not None and self._flush_at <= due_at):
            return
        if self._flush_timer is not None:
            self._flush_timer.cancel()
        self._flush_at = due_at
        self._flush_timer = self._call_later(due_at - now, self.flush)

    def flush(self) -> None:
        """Send what is due of what is owed, and come again for the rest."""
        self._flush_timer = None
        now = self._clock()
        due_at = inf
        for peer in self._peers:
            if peer.carriage is not None:
                rested = [entry.id for path in peer.carriage.rested(now) if (entry := self._store.find(path))]
                for target in peer.targets:
                    target.owed.owe_all(rested, now)
                due_at = min(due_at, peer.carriage.due_at)
            for target in list(peer.targets):
                due_at = min(due_at, self._flush_target(peer, target, now))
        for address, (peer, target) in list(self._askers.items()):
            again_at = self._flush_target(peer, target, now)
            if now < target.link.retry_at < inf and again_at != inf:
                target.owed.clear()  # it cannot be reached: its place is for others
                peer.lost += 1
                again_at = inf
            if again_at == inf:
                del self._askers[address]
            due_at = min(due_at, again_at)
        self._wake_at(max(due_at, now + LEAST_PAUSE_S), now)

    def _flush_target(self, peer: OscPeer, target: Target, now: float) -> float:
        """When to come again; infinity where nothing is left, or the link says when it has room."""
        owed, link = target.owed, target.link
        if not owed:
            return inf
        if now < link.retry_at:
            return link.retry_at
        peer.lost += owed.expired(now)
        bundles = peer.settings.bundles
        room = owed.room(now, SLICE if not bundles and peer.settings.rate is None else LONG_SLICE)
        if room:
            parcel = Parcel(target, peer.settings.datagram_bytes if bundles else 0, peer.routes, now)
            if not (self._pack(peer, target, parcel, room) and parcel.ship()):
                return max(now + SLICE_PAUSE_S, link.retry_at)
        return owed.due_at(now, SLICE_PAUSE_S)

    def _pack(self, peer: OscPeer, target: Target, parcel: Parcel, room: int) -> bool:
        """Put so many messages into a parcel. False if it had to be shipped and could not."""
        speakers = peer.routes.speakers
        is_motor = target in peer.targets  # who only asks is not told when its finger has gone: it is answered now
        for event in list(islice(target.owed.events, room)):
            change = event.change
            routes = speakers.get(change.entry.id, ()) if event.route is None else (event.route,)
            said = change.args if change.what == "trigger" else change.value
            if not parcel.add(self._packets(peer, routes, change.entry, said), event):
                return False
            room -= 1
        for entry_id, due in target.owed.first(room):
            if room <= 0:
                break
            if is_motor and self._is_held_back(peer, target, entry_id):
                target.owed.drop(entry_id)  # it comes back with _hold_changed
                continue
            routes = speakers.get(entry_id, ())
            entry = routes[0].entry if routes else None
            if entry is None or entry.value is None:
                target.owed.drop(entry_id)
                continue
            packets = self._packets(peer, routes, entry, entry.value)
            if not parcel.add(packets, due, entry):
                return False
            room -= max(1, len(packets))
        return True

    def _packets(self, peer: OscPeer, routes: Iterable[Route], entry: Entry, said: Any) -> list[bytes]:
        """The messages that say a value, or a trigger's arguments."""
        packets = []
        for route in routes:
            try:
                packets.append(route.packet(said))
            except OscError as exc:
                self._cannot_say(peer, entry, exc)
        return packets

    def _is_held_back(self, peer: OscPeer, target: Target, entry_id: int) -> bool:
        """True while this target's finger is on the control: ``_hold_changed`` sends it the settled value."""
        entry = self._store.find(entry_id)
        return entry is not None and bool(entry.holders) and peer.routes.holds_back(entry, target.origin)

    # Echoes that have settled

    def settle_soon(self, target: Target) -> None:
        """See that what has to be settled with this target is, when it is due."""
        self._settler.settle_soon(target)

    def _tell(self, peer: OscPeer, target: Target, entry: Entry, now: float) -> None:
        """Send one target the truth, once, after the guard has settled; if its finger is there, when that has gone. A
        peer that presses a momentary is not told that it is pressed: it would be echoed after the release, and press it
        again."""
        if self._is_held_back(peer, target, entry.id):
            return
        if entry.control.momentary and any(who.kind == "osc" and who.name == peer.name for who in entry.holders):
            return
        for route in peer.routes.speakers.get(entry.id, ()):
            if not peer.is_direct or not target.link.send(route.packet(entry.value)):
                target.owed.owe(entry.id, now, is_settling=True)
                self.flush_soon()
                return
        for ear in peer.routes.ears.get(entry.id, ()):
            target.echoes.sent(ear, ear.rules, entry.value, now, True)
