"""OSC over TCP: places that we connect to, again and again, and programs that connect to us. One peer a port.

Each connection is a target of the peer. What its transport does not take at once is not queued: at most ROOM bytes
and one packet wait here and as many in the kernel; the rest are marks on controls (``outgoing``). A connection that
ends takes its fingers with it, and whoever comes back is sent the truth.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections import Counter, deque
from collections.abc import Callable, Hashable
from contextlib import suppress
from math import inf
from typing import Any, Protocol

from bridge.allowance import Meter, counted
from bridge.log import OncePer

from .framing import SizeReader, SlipReader, sized, slip
from .link import Link
from .peer import OscPeer, Source, Target
from .settings import MAX_TARGETS, Endpoint, parse_endpoint
from .socket import Address, host_of, open_listener, shown

log = logging.getLogger(__name__)

CONNECT_S = 5.0
"""How long a place may take to answer."""
FIRST_RETRY_S, LAST_RETRY_S = 0.1, 5.0
STEADY_S = 5.0
"""A connection that has lasted so long was good: the next try comes soon again, and is told again."""
CLOSE_S = 0.3
"""How long what was written may take to leave when we stop: the rest of a momentary is in it."""
ROOM = 16 << 10
"""Bytes that may wait in a transport before more is called too much."""
KERNEL_ROOM = 64 << 10
"""The same in the kernel (it takes twice): by itself it would keep megabytes of old values for who does not read."""
SILENT_MS = 10_000
"""How long the other end may leave what we send unacknowledged, or unread, before the connection is given up."""
MOST_AT_ONCE = 256
"""Packets of one connection that are taken before others have their turn."""
READ_AT_ONCE = 16 << 10
"""Bytes that are looked through for packets before that: 256 kB of frames of a byte or two take 0.1 s."""


class Owner(Protocol):
    """What a carrier tells its port."""

    def connected(self, peer: OscPeer, target: Target, is_again: bool) -> None:
        """A target can be sent something. ``is_again``: it, or another of this peer, was connected before."""

    def gone(self, peer: OscPeer, target: Target) -> None:
        """A target cannot be reached any more; what it holds is to be released."""

    def has_room(self) -> None:
        """A target can be sent more."""

    def changed(self, peer: OscPeer) -> None:
        """What can be said of the peer has changed."""

    @property
    def reader(self) -> Callable[[bytes, Any], None]:
        """Takes a packet, and the address that it came from: one that is ``known``."""

    def known(self, address: Hashable, source: Source | None) -> None:
        """Who speaks from an address, until it is nobody."""

    def refused(self, host: str) -> None:
        """A host that is not let in has tried to connect."""

    def meter(self, peer: OscPeer, host: str) -> Meter:
        """What a host's messages are counted by."""


class TcpLink(Link):
    """One connection, or the place of one. ``endpoint`` is where we connect to; None if it has connected to us."""

    __slots__ = ("_frame", "_transport", "is_again", "peer")

    def __init__(self, peer: OscPeer, shown: str, endpoint: Endpoint | None = None) -> None:
        super().__init__(shown, endpoint=endpoint)
        self.peer = peer
        self.is_again = False
        """True once it was connected."""
        self._frame = slip if peer.settings.transport == "tcp-slip" else sized
        self._transport: asyncio.Transport | None = None

    def send(self, packet: bytes) -> bool:
        transport = self._transport
        if transport is None or transport.is_closing():
            return True  # it is sent the truth when it is back
        if self.retry_at:
            return False
        transport.write(self._frame(packet))
        peer = self.peer
        peer.sent += 1
        if peer.tap.monitor.is_watched:
            peer.tap.went(peer.name, self.shown, packet)
        return True

    def connect(self, transport: asyncio.Transport, address: Address) -> None:
        """Send through this from now on."""
        self._transport, self.address = transport, address
        self.trouble, self.retry_at = "", 0.0

    def disconnect(self) -> None:
        """There is no connection."""
        self._transport = self.address = None
        self.retry_at = 0.0


class Connection(asyncio.Protocol):
    """One stream: its bytes become packets, its events the carrier's."""

    def __init__(self, carrier: TcpCarrier, target: Target | None) -> None:
        self.target = target
        """None until it is known whether who has connected may."""
        self.transport: Any = None
        self.address: Address = ()
        self.since = 0.0
        self.is_mute = target is None
        """It has connected to us, and sent no packet yet."""
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._carrier = carrier
        self._reader = SlipReader() if carrier.peer.settings.transport == "tcp-slip" else SizeReader()
        self._unread = b""
        self._packets: deque[bytes] = deque()
        self._is_paused = False

    @property
    def was_made(self) -> bool:
        """True once it stands, or stood."""
        return self.transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.address = transport.get_extra_info("peername") or ()
        _tune(transport.get_extra_info("socket"))
        self.transport.set_write_buffer_limits(high=ROOM)
        self._carrier.made(self)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if not self._is_paused:
            self._take()

    def _take(self) -> None:
        """Take some packets, and others later: who sends without end must not keep the loop."""
        was_paused, self._is_paused = self._is_paused, False
        if self.closed.done() or self.target is None:
            return
        if not self._packets:
            self._read()
        if self._packets:
            self.is_mute = False
        receive = self._carrier.owner.reader
        for _ in range(min(len(self._packets), MOST_AT_ONCE)):
            receive(self._packets.popleft(), self.address)
        if self._packets or self._unread:
            self._is_paused = True
            self.transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._take)
        elif self._reader.error is not None:
            self._carrier.unreadable(self, self._reader.error)
        elif was_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def _read(self) -> None:
        """Find the packets in some of what has come."""
        some, self._unread = self._unread[:READ_AT_ONCE], self._unread[READ_AT_ONCE:]
        junk = self._reader.junk
        self._packets += self._reader.feed(some)
        if self._reader.error is not None:
            self._unread = b""
        elif self._reader.junk > junk:
            self._carrier.junk(self, self._reader.junk - junk)

    def pause_writing(self) -> None:
        if self.target is not None:
            self.target.link.retry_at = inf

    def resume_writing(self) -> None:
        if self.target is not None:
            self.target.link.retry_at = 0.0
            self._carrier.owner.has_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set_result(None)
        self._carrier.lost(self)


class TcpCarrier:
    """The TCP side of a port."""

    def __init__(self, peer: OscPeer, once: OncePer, clock: Callable[[], float], owner: Owner) -> None:
        self.peer = peer
        self.owner = owner
        self.port: int | None = None
        """Where others can connect to, while that is open."""
        self._once = once
        self._clock = clock
        self._bound: socket.socket | None = None  # ours until the server has it
        self._server: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._connections: set[Connection] = set()
        self._was_connected = False

    @property
    def listening(self) -> str:
        """``TCP 9000``; "" while nobody can connect."""
        return "" if self.port is None else f"TCP {self.port}"

    def link(self, peer: OscPeer, endpoint: Endpoint) -> TcpLink:
        """The way to a place that the peer's settings name."""
        link = TcpLink(peer, str(endpoint), endpoint)
        link.trouble = "not connected"
        return link

    def link_to(self, peer: OscPeer, address: Address) -> TcpLink:
        """The way to who has connected from there."""
        return TcpLink(peer, shown(address))

    def look_up(self, peer: OscPeer) -> None:
        """Nothing is to be found before it is connected to."""

    # Life

    async def open(self) -> None:
        """Have the socket, if others connect to us: they wait in it. Raises PortError where it cannot be had."""
        if self.peer.settings.is_server:
            self._bound = await open_listener(parse_endpoint(self.peer.settings.listen), MAX_TARGETS)
            self.port = self._bound.getsockname()[1]

    async def hear(self) -> None:
        """Let others connect, from now on. Connecting to others goes on for ever, beside this."""
        if self._bound is not None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(lambda: Connection(self, None), sock=self._bound)
        for target in self.peer.targets:
            name = f"osc {self.peer.name} {target.shown}"
            self._tasks.append(asyncio.create_task(self._keep_connected(target), name=name))

    def stop(self) -> None:
        """Neither connect nor be connected to any more."""
        self.port = None
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """Returns when everything is free again: what was written has a moment to leave."""
        self.stop()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._tasks.clear()
        connections = list(self._connections)
        for connection in connections:
            connection.transport.close()
        if connections:
            closed = [connection.closed for connection in connections]
            _, late = await asyncio.wait(closed, timeout=CLOSE_S)
            if late:
                for connection in connections:
                    connection.transport.abort()
                await asyncio.wait(late)
        if self._server is None and self._bound is not None:
            self._bound.close()
        self._server = self._bound = None

    def health(self) -> dict[str, Any]:
        """Nothing that a peer does not know."""
        return {}

    async def keep_house(self, now: float) -> None:
        """Once a second: what has lasted for a while may be told again when it ends."""
        for connection in self._connections:
            if connection.target is not None and now - connection.since > STEADY_S:
                self._once.forget((self.peer.name, connection.target.shown, "up"))
                self._once.forget((self.peer.name, connection.target.shown, "down"))

    async def _keep_connected(self, target: Target) -> None:
        link = target.link
        assert isinstance(link, TcpLink)
        assert link.endpoint is not None
        loop = asyncio.get_running_loop()
        delay_s = FIRST_RETRY_S
        while True:
            connection = Connection(self, target)
            try:
                async with asyncio.timeout(CONNECT_S):
                    await loop.create_connection(lambda one=connection: one, *link.endpoint)  # type: ignore[misc]
            except OSError as exc:
                if not connection.was_made:  # else the time was over just when it stood
                    self._troubled(link, _why_not(exc, link.endpoint))
            if connection.was_made:
                await asyncio.shield(connection.closed)
                if self._clock() - connection.since > STEADY_S:
                    delay_s = FIRST_RETRY_S
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, LAST_RETRY_S)

    # What connections tell

    def made(self, connection: Connection) -> None:
        """A connection stands."""
        self._connections.add(connection)
        connection.since = self._clock()
        host = host_of(connection.address) if connection.address else ""
        if connection.target is None and not self._admit(connection, host):
            connection.transport.abort()
            return
        target = connection.target
        assert target is not None
        link = target.link
        assert isinstance(link, TcpLink)
        link.connect(connection.transport, connection.address)
        meter = self.owner.meter(self.peer, host)
        source = Source(self.peer, connection.address, host, target.origin, (target,), target, meter)
        self.owner.known(connection.address, source)
        what = "has connected" if link.endpoint is None else "connected"
        self._once.info((self.peer.name, link.shown, "up"), "osc %s %s: %s", self.peer.name, link.shown, what)
        is_again = link.is_again if link.endpoint is not None else self._was_connected
        link.is_again = self._was_connected = True
        self.owner.connected(self.peer, target, is_again)

    def _admit(self, connection: Connection, host: str) -> bool:
        """Make a target of who has connected; False if it may not."""
        if not host or not self.peer.hears(host):
            self.owner.refused(host)
            return False
        if not self._has_room(host):
            self.peer.lost += 1
            text = "osc %s: %s may not connect: %d are connected"
            self._once.warning((self.peer.name, "full"), text, self.peer.name, host, MAX_TARGETS)
            return False
        connection.target = self.peer.target(self.link_to(self.peer, connection.address))
        self.peer.targets.append(connection.target)
        return True

    def _has_room(self, host: str) -> bool:
        """True if there is a place for this host. Where none is free, a stranger that has most of them gives one up: to
        whom the table names, and to who would have fewer. Else the host's own oldest that has said nothing does."""
        there = [one for one in self._connections if one.target is not None and not one.transport.is_closing()]
        if len(there) < MAX_TARGETS:
            return True
        hosts = {one: host_of(one.address) for one in there}
        places = Counter(counted(host) for host in hosts.values())
        strangers = [one for one in there if not self.peer.knows(hosts[one])]
        gone = max(strangers, key=lambda one: (places[counted(hosts[one])], one.since), default=None)
        if gone is None or (not self.peer.knows(host) and places[counted(hosts[gone])] <= places[counted(host)] + 1):
            mute = [one for one in there if one.is_mute and counted(hosts[one]) == counted(host)]
            gone = min(mute, key=lambda one: one.since, default=None)
        if gone is None:
            return False
        gone.transport.abort()
        return True

    def lost(self, connection: Connection) -> None:
        """A connection has ended, whoever ended it."""
        self._connections.discard(connection)
        target = connection.target
        if target is None:
            return
        link = target.link
        assert isinstance(link, TcpLink)
        link.disconnect()
        self.owner.known(connection.address, None)
        if link.endpoint is None:
            self.peer.targets.remove(target)
            self._once.info((self.peer.name, link.shown, "down"), "osc %s %s: has gone", self.peer.name, link.shown)
        else:
            self._troubled(link, "connection lost")
        self.owner.gone(self.peer, target)
        self.owner.changed(self.peer)

    def junk(self, connection: Connection, count: int) -> None:
        """A connection has sent what is no packet."""
        self.peer.bad += count
        host = host_of(connection.address) if connection.address else ""
        name, transport = self.peer.name, self.peer.settings.transport
        text = 'osc %s: not OSC in frames of transport = "%s", from %s'
        self._once.warning((name, "frames", counted(host)), text, name, transport, host)
        self._show_broken(connection, f"not OSC in frames of {transport}")

    def unreadable(self, connection: Connection, why: Exception) -> None:
        """Nothing that still comes can be read: only a new connection can."""
        self.peer.bad += 1
        host = host_of(connection.address) if connection.address else ""
        text = "osc %s: the connection with %s cannot be read on and is closed: %s"
        self._once.warning((self.peer.name, "stream", counted(host)), text, self.peer.name, host, why)
        self._show_broken(connection, f"cannot be read on and is closed: {why}")
        connection.transport.abort()

    def _show_broken(self, connection: Connection, text: str) -> None:
        if self.peer.tap.monitor.is_watched:
            self.peer.tap.broken(self.peer.name, connection.address, text)

    def _troubled(self, link: TcpLink, text: str) -> None:
        if link.trouble != text:
            link.trouble = text
            link.trouble_at = self._clock()
            text = "osc %s %s: %s; trying again"
            self._once.warning((self.peer.name, link.shown, "down"), text, self.peer.name, link.shown, link.trouble)
            self.owner.changed(self.peer)


def _why_not(exc: OSError, endpoint: Endpoint) -> str:
    """Why a place cannot be connected to, for the one who set the peer up."""
    # A name with several addresses: the loop puts their errors into one text.
    if isinstance(exc, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(exc):
        return f"host is up but nobody listens on TCP {endpoint.udp_port}"
    if isinstance(exc, TimeoutError) or exc.errno == errno.ETIMEDOUT:
        return "cannot be reached: no answer"
    if isinstance(exc, socket.gaierror):
        return "no such host"
    why = os.strerror(exc.errno).lower() if exc.errno is not None and exc.errno in errno.errorcode else str(exc)
    return f"cannot be reached: {why}"


def _tune(sock: Any) -> None:
    """Old gestures must not pile up in the kernel, nor be delivered after the network was away."""
    options = [
        (socket.SOL_SOCKET, "SO_SNDBUF", KERNEL_ROOM),
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
        (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", SILENT_MS),
        (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 5),
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 2),
        (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
    ]
    for level, name, value in options:
        if hasattr(socket, name):  # not every system has all of them
            with suppress(OSError):
                sock.setsockopt(level, getattr(socket, name), value)
