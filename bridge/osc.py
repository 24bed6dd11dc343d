"""The OSC port: UDP in → store, store → UDP out. One socket per ``listen``, for one or more peers.

What goes out is written inside the store's notification: socket in → decode → ``store.set`` → encode →
socket out, no queue. What the kernel does not take at once becomes a mark on the control: its latest
value is sent when there is room. Beside it: ``osccodec``, ``oscpattern`` (pure); ``oscsettings``,
``oscbind`` (tables and bindings); ``oscpeer`` (one peer's state), ``oscin`` (what a datagram does), ``oscsocket``.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Protocol

from .echo import TriggerEchoes, Wire
from .errors import BadValue, OscError, PortError
from .log import OncePer
from .oscbind import Route, check_binding
from .oscin import Receiver
from .oscpeer import REFUSED_S, OscPeer, Source, Target
from .oscsettings import Binding, Settings, check_peers, parse_endpoint
from .oscsocket import Address, Reader, literal, open_socket, read_errors, resolve, shown, trouble_text
from .port import Peer, PortContext, PortKind
from .store import Change, Entry

log = logging.getLogger(__name__)

SLICE = 32
"""Values sent in one go when many are due (refresh, a full buffer). Max queues 2,048 messages and then drops."""
SLICE_PAUSE_S = 0.002
RETRY_S = 1.0
"""Pause after a target could not be reached at all (no route, network down)."""
RESOLVE_AGAIN_S = 5.0
HOUSEKEEPING_S = 1.0
SETTLE_PAUSE_S = 0.005
"""Settlements that fall due within this time are made together."""
MAX_ASKERS = 64
"""Places that are being answered at the same time, besides the targets."""


def open_ports(peers: Sequence[Peer], context: PortContext) -> list[OscPort]:
    """One port per socket: peers with the same ``listen`` share one. Opens nothing yet."""
    shared: dict[str, list[Peer]] = {}
    for index, peer in enumerate(peers):
        listen = peer.settings.listen
        shared.setdefault(f"{listen} {index}" if listen.endswith(":0") else listen, []).append(peer)
    return [OscPort(group, context) for group in shared.values()]


class Timer(Protocol):
    """What ``call_later`` gives back."""

    def cancel(self) -> None: ...


CallLater = Callable[[float, Callable[[], None]], Timer]


def _call_later(delay_s: float, call: Callable[[], None]) -> Timer:
    return asyncio.get_running_loop().call_later(delay_s, call)


class OscPort:
    """All peers behind one listening UDP socket.

    ``wall_clock`` is what time tags are compared with (seconds, UTC); ``call_later`` is the running loop's,
    and works on the context's clock.
    """

    def __init__(
        self,
        peers: Sequence[Peer],
        context: PortContext,
        wall_clock: Callable[[], float] = time.time,
        call_later: CallLater | None = None,
    ) -> None:
        self.udp_port: int | None = None
        """The port that we listen on while the socket is open."""
        self._store = context.store
        self._clock = context.clock
        self._publish = context.publish_state
        self._listen = parse_endpoint(peers[0].settings.listen)
        self._once = OncePer(log)
        self._peers = [OscPeer(peer, self._warn_binding) for peer in peers]
        self._receiver = Receiver(self._peers, self._store, self, self._once, self._clock, wall_clock)
        self._askers: dict[Address, tuple[OscPeer, Target]] = {}
        self._sock: socket.socket | None = None
        self._call_later: CallLater = call_later or _call_later
        self._flush_timer: Timer | None = None
        self._settle_timer: Timer | None = None
        self._was_open = False

    @property
    def name(self) -> str:
        return "osc " + "+".join(peer.name for peer in self._peers)

    def peer_lines(self) -> list[str]:
        """One line per peer, for the operator."""
        return [peer.line(self.udp_port, self._clock()) for peer in self._peers]

    def health(self) -> list[dict[str, Any]]:
        """One entry per peer, for ``/healthz``."""
        return [peer.health(self.udp_port, self._clock()) for peer in self._peers]

    # Life

    async def serve(self, ready: Callable[[], None]) -> None:
        """Open the socket, call ``ready``, and run until cancelled. Raises PortError where it cannot be opened."""
        loop = asyncio.get_running_loop()
        try:
            sock = await open_socket(self._listen)
        except PortError as exc:
            for peer in self._peers:
                peer.closed = str(exc)
            self._publish_states()
            raise
        closed = loop.create_future()
        try:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: Reader(self._receiver.receive, self._failed, closed), sock=sock
            )
        except BaseException:
            sock.close()
            raise
        unsubscribe = self._store.subscribe(self._on_changes)
        try:
            self._start(sock)
            ready()
            while True:
                await self._keep_house(self._clock())
                await asyncio.sleep(HOUSEKEEPING_S)
        finally:
            unsubscribe()
            self._stop()
            transport.abort()
            await closed
            self._publish_states()

    def _start(self, sock: socket.socket) -> None:
        self._sock = sock
        self.udp_port = sock.getsockname()[1]
        for peer in self._peers:
            peer.closed = ""
            for target, endpoint in peer.endpoints.items():
                target.address = literal(endpoint, self._listen)
            for entry in self._store:
                peer.put(entry)
            if self._was_open and peer.heard_at is not None:
                self._push(peer)  # the truth, after we were away
        self._was_open = True
        self._publish_states()

    def _stop(self) -> None:
        self._sock = self.udp_port = None
        for timer in (self._flush_timer, self._settle_timer):
            if timer is not None:
                timer.cancel()
        self._flush_timer = self._settle_timer = None
        self._receiver.forget()
        self._askers.clear()
        for peer in self._peers:
            peer.clear()

    async def _keep_house(self, now: float) -> None:
        self._read_errors()
        for peer in self._peers:
            for target in list(peer.targets):
                if target.address is None and now >= target.retry_at:
                    await self._resolve(peer, target)
                elif target.trouble and target.address is not None and now - target.trouble_at > REFUSED_S:
                    target.trouble = ""
                    self._once.forget((peer.name, target.shown))
        self._publish_states()

    async def _resolve(self, peer: OscPeer, target: Target) -> None:
        """Find the address of a target that is a name; one that cannot be found is tried again later."""
        assert self._sock is not None
        try:
            target.address = await resolve(peer.endpoints[target], self._sock)
        except OSError:
            self._troubled(peer, target, "no such host")
            target.retry_at = self._clock() + RESOLVE_AGAIN_S
        else:
            target.trouble = ""
            self._receiver.forget_sources()

    def _publish_states(self) -> None:
        for peer in self._peers:
            self._publish(peer.name, peer.state(self.udp_port))

    def _warn_binding(self, path: str, text: str) -> None:
        self._once.warning(("binding", path), "%s", text)

    def heard(self, peer: OscPeer, address: Address) -> None:
        """A peer has spoken for the first time."""
        log.info("osc %s: first message, from %s", peer.name, shown(address))
        self._publish(peer.name, peer.state(self.udp_port))

    # Out

    def _on_changes(self, changes: Sequence[Change]) -> None:
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
            elif what == "removed":
                for peer in self._peers:
                    peer.drop(change.entry)

    def _send_change(self, peer: OscPeer, routes: Sequence[Route], change: Change, now: float) -> None:
        entry_id, is_value = change.entry.id, change.what == "value"
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
                is_sent = self._send(peer, target, packet)
                if not is_value:
                    peer.lost += not is_sent  # an event that cannot leave now is an old gesture later
                elif not is_sent:
                    target.pending[entry_id] = None
                    self._flush_soon()
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
                    self._flush_soon()

    def _send(self, peer: OscPeer, target: Target, packet: bytes) -> bool:
        """Send now. False if it can be tried again later."""
        if self._sock is None or target.address is None:
            return True  # what nobody can be sent is not kept for them
        for _ in range(2):
            try:
                # Through the socket: the transport would keep what the kernel does not take, without end.
                self._sock.sendto(packet, target.address)
            except BlockingIOError:
                return False
            except OSError as exc:
                if exc.errno == errno.EMSGSIZE:
                    peer.lost += 1
                    text = "osc %s: a message of %d bytes is too long for UDP"
                    self._once.warning((peer.name, "size"), text, peer.name, len(packet))
                    return True
                if self._read_errors():
                    continue  # it was about an earlier datagram, perhaps to somebody else; this one was not sent
                self._troubled(peer, target, trouble_text(target.address, exc.errno or 0))
                target.retry_at = self._clock() + RETRY_S
                return False
            else:
                peer.sent += 1
                return True
        return False

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

    def _push(self, peer: OscPeer) -> None:
        """Send every value to every target."""
        for target in peer.targets:
            target.pending |= dict.fromkeys(peer.routes.spoken())
        self._flush_soon()

    def _flush_soon(self) -> None:
        if self._flush_timer is None and self._sock is not None:
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
            self._flush_soon()

    def _flush_target(self, peer: OscPeer, target: Target, now: float) -> bool:
        """True if something is left."""
        if now < target.retry_at:
            return bool(target.pending)
        is_motor = target in peer.targets  # who only asks is not told when its finger has gone: it is answered now
        for entry_id in list(islice(target.pending, SLICE)):
            if is_motor and self._is_held_back(peer, target, entry_id):
                del target.pending[entry_id]  # it comes back with _hold_changed
                continue
            for route in peer.routes.speakers.get(entry_id, ()):
                value = route.entry.value
                if value is not None and not self._send(peer, target, route.packet(value)):
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
        if dues and self._settle_timer is None and self._sock is not None:
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
        """Send one target the truth, once, after the guard has settled; if its finger is there, when that has gone."""
        if self._is_held_back(peer, target, entry.id):
            return
        for route in peer.routes.speakers.get(entry.id, ()):
            if not self._send(peer, target, route.packet(entry.value)):
                target.pending[entry.id] = None
                self._flush_soon()
                return
        for ear in peer.routes.ears.get(entry.id, ()):
            target.echoes.sent(ear, ear.rules, entry.value, now, True)

    # Trouble

    def _read_errors(self) -> bool:
        """Take in what the network says about datagrams that were sent. True if it said something."""
        errors = [] if self._sock is None else read_errors(self._sock)
        for address, code in errors:
            for peer in self._peers:
                for target in peer.targets:
                    if target.address is not None and target.address[:2] == address[:2]:
                        self._troubled(peer, target, trouble_text(address, code))
        return bool(errors)

    def _troubled(self, peer: OscPeer, target: Target, text: str) -> None:
        is_new = target.trouble != text
        target.trouble, target.trouble_at = text, self._clock()
        if is_new:
            self._once.warning((peer.name, target.shown), "osc %s %s: %s", peer.name, target.shown, text)
            self._publish(peer.name, peer.state(self.udp_port))

    def _failed(self, exc: Exception) -> None:
        """The loop reports an error of the socket."""
        if not self._read_errors():
            self._once.warning(("socket", str(exc)), "%s: %s", self.name, exc)


KIND = PortKind("osc", Settings, Binding, open_ports, check_peers, check_binding)
