"""OSC over UDP: one socket for all peers with the same ``listen``, and links that send through it."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from bridge.log import OncePer

from .link import Link
from .peer import OscPeer
from .settings import Endpoint, parse_endpoint
from .socket import (
    Address,
    Reader,
    literal,
    open_socket,
    read_errors,
    received_and_dropped,
    resolve,
    shown,
    trouble_text,
)

log = logging.getLogger(__name__)

RETRY_S = 1.0
"""Pause after a target could not be reached at all (no route, network down)."""
RESOLVE_AGAIN_S = 5.0
LOOKING = "its name is being looked up"


class Owner(Protocol):
    """What a carrier tells its port."""

    @property
    def reader(self) -> Callable[[bytes, Address], None]:
        """Takes a datagram and where it came from."""

    def changed(self, peer: OscPeer) -> None:
        """What can be said of the peer has changed."""

    def moved(self) -> None:
        """A target's address is known now, or another."""


class UdpLink(Link):
    """One address that is sent datagrams."""

    __slots__ = ("_carrier", "peer")

    def __init__(self, carrier: UdpCarrier, peer: OscPeer, shown: str, address: Address | None = None) -> None:
        super().__init__(shown, address)
        self.peer = peer
        self._carrier = carrier

    def send(self, packet: bytes) -> bool:
        sock = self._carrier.sock
        if sock is None or self.address is None:
            return True
        for _ in range(2):
            try:
                # Through the socket: the transport would keep what the kernel does not take, without end.
                sock.sendto(packet, self.address)
            except BlockingIOError:
                return False
            except OSError as exc:
                is_done = self._carrier.not_sent(self, packet, exc)
                if is_done is not None:
                    return is_done
            else:
                peer = self.peer
                peer.sent += 1
                if peer.tap.monitor.is_watched:
                    peer.tap.went(peer.name, self.shown, packet)
                return True
        return False


class UdpCarrier:
    """The UDP side of a port."""

    def __init__(self, peers: Sequence[OscPeer], once: OncePer, clock: Callable[[], float], owner: Owner) -> None:
        self.sock: socket.socket | None = None
        """While it is open."""
        self.port: int | None = None
        """Where we listen, while it is open."""
        self._listen = parse_endpoint(peers[0].settings.listen)
        self._peers = peers
        self._once = once
        self._clock = clock
        self._owner = owner
        self._dropped: int | None = None
        self._bound: socket.socket | None = None  # ours until the transport has it
        self._transport: asyncio.DatagramTransport | None = None
        self._closed: asyncio.Future[None] | None = None

    @property
    def _name(self) -> str:
        return "osc " + "+".join(peer.name for peer in self._peers)

    @property
    def listening(self) -> str:
        """``UDP 9000``; "" while it is closed."""
        return "" if self.port is None else f"UDP {self.port}"

    def link(self, peer: OscPeer, endpoint: Endpoint) -> UdpLink:
        """The way to a place that the peer's settings name."""
        link = UdpLink(self, peer, str(endpoint))
        link.endpoint = endpoint
        return link

    def link_to(self, peer: OscPeer, address: Address) -> UdpLink:
        """The way to where somebody has spoken from."""
        return UdpLink(self, peer, shown(address), address)

    # Life

    async def open(self) -> None:
        """Have the socket: what comes waits in it. Raises PortError where it cannot be had."""
        self._bound = await open_socket(self._listen)
        self.use(self._bound)

    async def hear(self) -> None:
        """Read what comes, from now on."""
        loop = asyncio.get_running_loop()
        closed = loop.create_future()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: Reader(self._owner.reader, self._failed, closed), sock=self._bound
        )
        self._closed = closed

    def use(self, sock: socket.socket) -> None:
        """Send through this socket; the addresses that are no names are known now."""
        self.sock = sock
        self.port = sock.getsockname()[1]
        for peer in self._peers:
            self.look_up(peer)

    def look_up(self, peer: OscPeer) -> None:
        """Find a peer's addresses, as far as they are no names."""
        for target in peer.targets if self.sock is not None else ():
            link = target.link
            if isinstance(link, UdpLink) and link.endpoint is not None:
                link.address = literal(link.endpoint, self._listen)
                if link.address is None and not link.trouble:
                    link.trouble = LOOKING

    def stop(self) -> None:
        """Send nothing more."""
        self.sock = self.port = None

    async def close(self) -> None:
        """Returns when the socket is free again."""
        self.stop()
        if self._transport is not None and self._closed is not None:
            self._transport.abort()
            await self._closed
        elif self._bound is not None:
            self._bound.close()
        self._transport = self._closed = self._bound = None

    def health(self) -> dict[str, Any]:
        """Of the socket, which peers may share: its buffer's bytes, and datagrams that were dropped for want of room
        since it is open (None: not counted)."""
        room, dropped = (0, None) if self.sock is None else received_and_dropped(self.sock)
        return {"receive_buffer": room, "dropped": dropped}

    async def keep_house(self, now: float) -> None:
        """Find addresses of names. Once a second."""
        self._read_errors()
        self._look_for_drops()
        for link in self._links():
            if link.address is None and now >= link.retry_at:
                await self._resolve(link)

    def _links(self) -> list[UdpLink]:
        return [target.link for peer in self._peers for target in peer.targets if isinstance(target.link, UdpLink)]

    async def _resolve(self, link: UdpLink) -> None:
        """Find the address of a target that is a name; one that cannot be found is tried again later."""
        assert self.sock is not None
        assert link.endpoint is not None
        try:
            link.address = await resolve(link.endpoint, self.sock)
        except OSError:
            self._troubled(link, "no such host")
            link.retry_at = self._clock() + RESOLVE_AGAIN_S
        else:
            link.trouble = ""
            self._once.forget((link.peer.name, link.shown))
            self._owner.moved()
            self._owner.changed(link.peer)

    # Trouble

    def _look_for_drops(self) -> None:
        assert self.sock is not None
        room, dropped = received_and_dropped(self.sock)
        if dropped and dropped != self._dropped:
            text = "%s: %d datagrams were dropped, more came at once than fit into %d bytes: see net.core.rmem_max"
            self._once.warning("dropped", text, self._name, dropped, room)
        self._dropped = dropped

    def not_sent(self, link: UdpLink, packet: bytes, why: OSError) -> bool | None:
        """What ``UdpLink.send`` returns; None where the same datagram may well go now."""
        if why.errno == errno.EMSGSIZE:
            link.peer.lost += 1
            text = "osc %s: a message of %d bytes is too long for UDP"
            self._once.warning((link.peer.name, "size"), text, link.peer.name, len(packet))
            return True
        if self._read_errors():
            return None  # it was about an earlier datagram, perhaps to somebody else; this one was not sent
        assert link.address is not None
        self._troubled(link, trouble_text(link.address, why.errno or 0), why.errno == errno.ECONNREFUSED)
        link.retry_at = self._clock() + RETRY_S
        return False

    def _read_errors(self) -> bool:
        """Take in what the network says about datagrams that were sent. True if it said something."""
        errors = [] if self.sock is None else read_errors(self.sock)
        for address, code in errors:
            for link in self._links():
                if link.address is not None and link.address[:2] == address[:2]:
                    self._troubled(link, trouble_text(address, code), code == errno.ECONNREFUSED)
        return bool(errors)

    def _troubled(self, link: UdpLink, text: str, is_refused: bool = False) -> None:
        is_new = link.trouble != text
        link.trouble, link.trouble_at, link.is_refused = text, self._clock(), is_refused
        if is_new:
            self._once.warning((link.peer.name, link.shown), "osc %s %s: %s", link.peer.name, link.shown, text)
            self._owner.changed(link.peer)

    def _failed(self, exc: Exception) -> None:
        """The loop reports an error of the socket."""
        if not self._read_errors():
            self._once.warning(("socket", str(exc)), "%s: %s", self._name, exc)
