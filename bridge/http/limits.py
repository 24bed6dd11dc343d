"""How much of the HTTP port one address, and all of them, may have. Pure: takes ``now``, opens nothing.

``Turnstile`` counts connections and requests by address (``allowance.counted``). Not here: sockets and
dead-lines (``door``), what one WebSocket may say (``ws``).
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from bridge.allowance import Allowance, counted
from bridge.refusals import Cause

BURST_S = 10.0
"""An address may ask for as much at once as in so many seconds: a page is some sixty modules."""
MAX_ADDRESSES = 4096
"""Addresses without a connection that are remembered; the one that was quiet longest leaves."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """``[http.limits]``, and whose requests are whose."""

    connections: int = 2500
    """TCP connections at a time, in all. WebSockets are at most ``ws.Limits.clients`` of them."""
    connections_per_address: int = 1024
    """Of which each phone of a crowd behind one address has one, and six while it loads a page."""
    requests_per_s: float = 500.0
    """Requests and new connections of one address."""
    request_s: float = 20.0
    """How long a connection may take to say a request, and a request its body."""
    messages_per_s: int = 2000
    """What is read of one WebSocket; the rest waits in its sender."""
    exempt: tuple[Network, ...] = ()
    """Networks to whose addresses no limit by address applies, nor the rate of messages."""
    proxies: tuple[Network, ...] = ()
    """``[http] proxies``: who is believed whose requests it passes on. Its connections are limited in all alone."""

    def exempts(self, address: str) -> bool:
        """True if this address is in one of the networks that are exempt."""
        return _is_in(address, self.exempt)

    def trusts(self, address: str) -> bool:
        """True if this address is a proxy that is believed."""
        return _is_in(address, self.proxies)


def _is_in(address: str, networks: tuple[Network, ...]) -> bool:
    if not networks:
        return False
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in networks)


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Raises ValueError for what is no network and no address."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


class _Visitor:
    __slots__ = ("allowance", "open")

    def __init__(self, limits: HttpLimits) -> None:
        self.open = 0
        self.allowance = _allowance(limits)


def _allowance(limits: HttpLimits) -> Allowance:
    return Allowance(limits.requests_per_s * BURST_S, limits.requests_per_s)


class Turnstile:
    """Who is inside. As many addresses as connections are known, and MAX_ADDRESSES that were."""

    def __init__(self, limits: HttpLimits) -> None:
        self._limits = limits
        self.open = 0
        """Connections."""
        self._visitors: OrderedDict[str, _Visitor] = OrderedDict()

    def __len__(self) -> int:
        return len(self._visitors)

    @property
    def limits(self) -> HttpLimits:
        return self._limits

    @limits.setter
    def limits(self, limits: HttpLimits) -> None:
        """Who is inside stays, and has a new allowance."""
        self._limits = limits
        for visitor in self._visitors.values():
            visitor.allowance = _allowance(limits)

    @property
    def is_full(self) -> bool:
        return self.open >= self._limits.connections

    def enter(self, address: str, now: float) -> Cause | None:
        """A new connection: None where it is in, else why it is not. It counts as a request, too."""
        visitor = self._visitor(address)
        if not self._limits.trusts(address) and (cause := self._refusal(visitor, address, now)) is not None:
            return cause
        if self.is_full:
            return "connections"
        visitor.open += 1
        self.open += 1
        return None

    def begin(self, address: str, now: float) -> Cause | None:
        """A request that a proxy passes on for this address: until its ``end``, it is as a connection of it."""
        visitor = self._visitor(address)
        cause = self._refusal(visitor, address, now)
        if cause is None:
            visitor.open += 1
        return cause

    def end(self, address: str) -> None:
        """A request that had begun is answered, or its WebSocket is over."""
        self._visitors[counted(address)].open -= 1

    def leave(self, address: str) -> None:
        """A connection that was in has gone."""
        self._visitors[counted(address)].open -= 1
        self.open -= 1

    def may_ask(self, address: str, now: float) -> bool:
        """One request."""
        visitor = self._visitor(address)
        return self._limits.exempts(address) or visitor.allowance.take(1, now)

    def _refusal(self, visitor: _Visitor, address: str, now: float) -> Cause | None:
        if self._limits.exempts(address):
            return None
        if visitor.open >= self._limits.connections_per_address:
            return "connections_per_address"
        return None if visitor.allowance.take(1, now) else "rate"

    def _visitor(self, address: str) -> _Visitor:
        key = counted(address)
        visitor = self._visitors.get(key)
        if visitor is not None:
            self._visitors.move_to_end(key)
            return visitor
        if len(self._visitors) >= self.open + MAX_ADDRESSES:
            oldest = next(each for each, one in self._visitors.items() if not one.open)
            del self._visitors[oldest]
        visitor = self._visitors[key] = _Visitor(self._limits)
        return visitor
