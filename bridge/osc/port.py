"""The OSC port: peers behind one socket, and the store. This module puts the parts together and keeps them running.

``incoming`` is what a packet does (``sources``: who speaks, ``news``: what of it is news), ``outgoing`` what a target
is sent, ``peer`` one peer's state; ``udp`` and ``tcp`` have the sockets and the links (``link``) that bytes
go through, ``framing`` packets in a stream.
Tables and bindings: ``settings``, ``bind``, ``routes``. Packets: ``codec``, ``pattern``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from bridge.allowance import Meter
from bridge.control import Control
from bridge.discovery import Listener
from bridge.driver import Way
from bridge.drivers import open_driver, page_names
from bridge.errors import PortError
from bridge.log import OncePer
from bridge.port import Peer, PortContext, PortKind
from bridge.presence import Presence
from bridge.store import Entry
from bridge.tasks import in_slices
from bridge.timers import CallLater, call_later

from .bind import check_binding
from .handle import OscHandle
from .incoming import Receiver
from .lane import Carriage
from .outgoing import Outbox
from .peer import Host, OscPeer, Source, Target
from .profile import PROFILES
from .rebind import Rebinding
from .settings import Binding, Settings, check_peers, parse_endpoint
from .socket import Address, shown
from .tap import OscTap
from .tcp import TcpCarrier
from .udp import UdpCarrier
from .watch import Watch

log = logging.getLogger(__name__)

HOUSEKEEPING_S = 1.0
HOUSE_PATIENCE_S = 0.05
"""Peers are kept alive all the same while a name is looked for."""


def group_peers(peers: Sequence[Peer]) -> Mapping[Hashable, Sequence[Peer]]:
    """By socket: UDP peers with the same ``listen`` share one; any other has its own, which is another with other
    settings."""
    shared: dict[Hashable, list[Peer]] = {}
    for peer in peers:
        settings: Settings = peer.settings
        is_alone = settings.is_tcp or settings.listen.endswith(":0")
        key = (peer.name, repr(settings)) if is_alone else settings.listen
        shared.setdefault(key, []).append(peer)
    return shared


class OscPort:
    """All peers behind one UDP socket, or one peer over TCP.

    ``wall_clock`` is what time tags are compared with (seconds, UTC); ``call_later`` is the running loop's,
    and works on the context's clock.
    """

    def __init__(
        self,
        peers: Sequence[Peer],
        context: PortContext,
        wall_clock: Callable[[], float] = time.time,
        call_later: CallLater = call_later,
    ) -> None:
        self._store = context.store
        self._clock = context.clock
        self._publish = context.publish_state
        self._context = context
        self._call_later = call_later
        self._once = OncePer(log)
        self._tap = tap = OscTap(context.monitor, wall_clock, shown)
        self._presence = context.presence or Presence(context.store)
        self._peers = [OscPeer(peer, self._warn_binding, tap) for peer in peers]
        """The same list in all parts: who comes and goes does so everywhere."""
        self._change: Rebinding | None = None
        self._out = Outbox(self._peers, self._store, self._once, self._clock, call_later)
        self._is_open = False
        self._receiver = Receiver(self._peers, self._store, self, self._once, self._clock, wall_clock, tap)
        self._carrier: UdpCarrier | TcpCarrier
        if self._peers[0].settings.is_tcp:
            (peer,) = self._peers
            self._carrier = TcpCarrier(peer, self._once, self._clock, self)
        else:
            self._carrier = UdpCarrier(self._peers, self._once, self._clock, self)
        self._hosts: list[Host] = []
        self._watch = Watch(
            self._peers, self._out, self._presence, self._publish_state, self._once, self._clock, call_later
        )
        for peer in self._peers:
            self._prepare(peer)

    @property
    def name(self) -> str:
        return "osc " + "+".join(peer.name for peer in self._peers)

    @property
    def kind(self) -> str:
        return "osc"

    @property
    def sent(self) -> int:
        return sum(peer.sent for peer in self._peers)

    @property
    def udp_port(self) -> int | None:
        """The UDP port that we listen on while it is open."""
        return self._carrier.port if isinstance(self._carrier, UdpCarrier) else None

    @property
    def tcp_port(self) -> int | None:
        """The TCP port that others can connect to while it is open."""
        return self._carrier.port if isinstance(self._carrier, TcpCarrier) else None

    @property
    def offer(self) -> Listener | None:
        """Where others may find us while it is open; None where any free port is taken: only who is told knows it."""
        settings = self._peers[0].settings
        number = self._carrier.port
        if number is None or settings.listen.endswith(":0"):
            return None
        framing = settings.transport.removeprefix("tcp-") if settings.is_tcp else ""
        host = parse_endpoint(settings.listen).host
        return Listener(
            "tcp" if settings.is_tcp else "udp", host, number, tuple(peer.name for peer in self._peers), framing
        )

    def peer_lines(self) -> list[str]:
        """One line per peer, for the operator."""
        return [peer.line(self._clock()) for peer in self._peers]

    def health(self) -> list[dict[str, Any]]:
        """One entry per peer, for ``/healthz``."""
        of_socket, strangers = self._carrier.health(), self._receiver.strangers
        return [
            {
                **peer.health(self._clock()),
                **of_socket,
                "strangers": strangers,
                "refused": {"allow": strangers, "flood": peer.flooded},
            }
            for peer in self._peers
        ]

    def peer(self, name: str) -> OscHandle | None:
        """One of its peers; None where it is none of them."""
        return next((OscHandle(peer, self.push) for peer in self._peers if peer.name == name), None)

    # Life

    async def serve(self, ready: Callable[[], None]) -> None:
        """Open the socket, call ``ready``, and run until cancelled. Raises PortError where it cannot be opened."""
        await in_slices(self._bind(list(self._peers)))
        try:
            await self._carrier.open()
        except PortError as exc:
            for peer in self._peers:
                peer.closed = str(exc)
            self._watch.stop()
            raise
        unsubscribe = self._store.subscribe(self._out.tell, is_urgent=True)
        house: asyncio.Task[None] | None = None
        try:
            self._start()
            await self._carrier.hear()  # after it: what is heard is from somebody, and has somewhere to go
            ready()
            while True:
                if house is None:
                    house = asyncio.create_task(self._carrier.keep_house(self._clock()), name=f"{self.name}: house")
                await asyncio.wait([house], timeout=HOUSE_PATIENCE_S)  # a name may take half a minute to be found
                if house.done():
                    house.result()
                    house = None
                await asyncio.sleep(min(HOUSEKEEPING_S, self._watch.keep(self._clock())))
        finally:
            unsubscribe()
            self._stop()
            if house is not None:
                house.cancel()
                await asyncio.wait([house])
            await self._carrier.close()

    def _start(self) -> None:
        self._is_open = True
        self._out.start()
        for peer in self._peers:
            self._begin(peer)
        self._watch.start()

    def _bind(self, peers: Iterable[OscPeer]) -> Iterator[None]:
        """Make the routes of peers that are not told of changes yet; step by step, and ``_begin`` sees what has changed
        meanwhile."""
        for peer in peers:
            for entry in list(self._store):
                if self._store.find(entry.id) is entry:
                    peer.put(entry)
                yield

    def _begin(self, peer: OscPeer) -> None:
        """Our socket is there for a peer."""
        peer.is_open, peer.closed, peer.listening = True, "", self._carrier.listening
        peer.udp_port, peer.tcp_port = self.udp_port, self.tcp_port
        peer.put_all(self._store)
        if peer.host is not None:
            peer.host.start()

    def _stop(self) -> None:
        self._is_open = False
        for host in self._hosts:
            host.stop()
        self._out.stop()
        self._carrier.stop()
        self._receiver.forget()
        for peer in self._peers:
            peer.is_open, peer.listening, peer.udp_port, peer.tcp_port = False, "", None, None
        self._watch.stop()
        for peer in self._peers:
            peer.clear()

    def _publish_state(self, peer: OscPeer) -> None:
        self._publish(peer.name, peer.state)

    # Other peers, or the same with other bindings

    def adopt(self, peers: Sequence[Peer], described: Mapping[str, Control | None]) -> Iterator[None]:
        """See ``port.Port``."""
        settings = {peer.name: peer.settings for peer in peers}
        carried = {}
        for other in [one for one in self._peers if one.settings != settings.get(one.name)]:
            carried[other.name] = self._leave(other)
            yield from other.forget()
        kept = {one.name: one for one in self._peers}
        self._change = change = Rebinding(self._store, self._out, described)
        for peer in peers:
            if (one := kept.get(peer.name)) is not None:
                yield from change.keep(one, peer)
            else:
                change.come(OscPeer(peer, self._warn_binding, self._tap), carried.get(peer.name, {}))
        self._receiver.sources.forget()

    def follow(self) -> Iterator[None]:
        """See ``port.Port``."""
        change, self._change = self._change, None
        if change is None:
            return
        for entry in change.rebind():
            if entry is not None:
                self._presence.added(entry, self._clock())
            yield
        for peer, owed in change.coming:
            self._prepare(peer)
            if self._is_open:
                yield from self._bind((peer,))
            self._peers.append(peer)
            self._carrier.look_up(peer)
            if self._is_open:
                self._begin(peer)
                self._watch.begin(peer)
                self._presence.changed(peer, self._clock())
                for target in peer.targets:
                    self._out.owe(target, owed.get(target.shown, ()))
        self._receiver.sources.forget()

    def _prepare(self, peer: OscPeer) -> None:
        """Everything that a peer needs but the socket."""
        taught = self._context.taught
        if peer.settings.auto:
            peer.learnt = taught.setdefault(peer.name, peer.learnt)
        else:
            taught.pop(peer.name, None)
        peer.targets += [peer.target(self._carrier.link(peer, endpoint)) for endpoint in peer.settings.targets]
        if peer.settings.driver is not None:
            self._hosts.append(self._host(peer, peer.settings.driver))
        self._presence.join(peer)

    def _leave(self, peer: OscPeer) -> dict[str, set[int]]:
        """A peer is none any more. What its targets were still owed, by where they are."""
        now = self._clock()
        owed = {target.shown: target.owed.keys for target in peer.targets}
        for entry in list(self._store):
            for holder in [holder for holder in entry.holders if peer.said(holder)]:
                self._store.release(entry, holder, now)
        if peer.host is not None:
            peer.host.leave()
            self._hosts.remove(peer.host)
        self._out.leave(peer)
        self._peers.remove(peer)
        self._watch.leave(peer)
        return owed

    def _host(self, peer: OscPeer, driver: str) -> Host:
        from .driver import DriverHost  # few have one, and it takes a twentieth of the start

        host = DriverHost(
            open_driver(driver, peer.wanted()),
            peer,
            self._store,
            self._once,
            self._publish_state,
            self._context.show_pages,
            self._clock,
            self._call_later,
        )
        peer.host = host
        if peer.settings.lane is not None:
            peer.carriage = Carriage(peer.settings.lane, self._context.lanes.get, partial(self._warn_lane, peer))
        return host

    def _warn_lane(self, peer: OscPeer, path: str, way: Way) -> None:
        text = "osc %s: %s does not hear CC %d on channel %d of %s, which moves %s: is it mapped there, and Remote on?"
        lane = peer.settings.lane
        self._once.warning((peer.name, "lane", path), text, peer.name, peer.name, way.cc, way.channel, lane, path)

    def _warn_binding(self, path: str, text: str) -> None:
        self._once.warning(("binding", path), "%s", text)

    def push(self, peer: OscPeer) -> None:
        """Send a peer every value, in slices."""
        self._out.push(peer)

    # What the carrier tells

    @property
    def reader(self) -> Callable[[bytes, Any], None]:
        """Takes a packet and where it came from."""
        return self._receiver.receive

    def known(self, address: Hashable, source: Source | None) -> None:
        """Who speaks from an address, until it is nobody."""
        self._receiver.sources.connected(address, source)

    def refused(self, host: str) -> None:
        """A host that is not let in has tried to connect."""
        self._receiver.strangers += 1
        self._receiver.sources.say_stranger(host)

    def meter(self, peer: OscPeer, host: str) -> Meter:
        """What a host's messages are counted by."""
        return self._receiver.sources.meter(peer, host)

    def moved(self) -> None:
        """A target's address is known now, or another."""
        self._receiver.sources.forget()

    def changed(self, peer: OscPeer) -> None:
        """What can be said of the peer has changed."""
        self._watch.changed(peer)

    def connected(self, peer: OscPeer, target: Target, is_again: bool) -> None:
        """A connection stands: who was there before is sent the truth."""
        self._watch.connected(peer, target, is_again)

    def gone(self, peer: OscPeer, target: Target) -> None:
        """A connection has ended: it owes nothing, is owed nothing and holds nothing any more."""
        target.clear()
        self._store.release_all(target.origin, self._clock())

    def has_room(self) -> None:
        """A target that was full can be sent more."""
        self._out.flush()

    # What the receiver needs

    def heard(self, source: Source, now: float) -> None:
        """A peer has spoken that was not known to be well."""
        self._watch.heard(source, now)

    def owe(self, peer: OscPeer, entry: Entry) -> None:
        """A peer is to be sent this value."""
        for target in peer.targets:
            self._out.owe(target, (entry.id,))

    def target_at(self, peer: OscPeer, address: Address) -> Target:
        """What a peer is sent at an address that somebody has spoken from."""
        return peer.target(self._carrier.link_to(peer, peer.reply_address(address)))

    def answer(self, source: Source, entry_ids: Iterable[int]) -> None:
        """Send whoever asked these controls' values."""
        self._out.answer(source, entry_ids)

    def settle_soon(self, target: Target) -> None:
        """See that what has to be settled with this target is, when it is due."""
        self._out.settle_soon(target)


def pages_of(settings: Settings) -> Sequence[str]:
    """Names of the pages that this peer's driver can bring."""
    return () if settings.driver is None else page_names(settings.driver, settings.name)


KIND = PortKind(
    "osc",
    Settings,
    Binding,
    group_peers,
    OscPort,
    check_peers,
    check_binding,
    PROFILES.complete,
    lane_of=lambda one: one.lane,
    pages_of=pages_of,
)
