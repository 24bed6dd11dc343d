"""Who speaks from where: the peer that an address belongs to, and which of its targets it is, if any."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Protocol

from bridge.allowance import Meter, counted
from bridge.log import OncePer

from .peer import OscPeer, Source, Target
from .settings import OTHERS_PER_S
from .socket import Address, host_of

MAX_SOURCES = 1024
"""Addresses that are remembered; all are forgotten when there are more, and found again. Also hosts that are not let
in, and hosts whose messages are counted: those beyond share one count."""
NEW_PORT = 16
"""Messages that a new address counts for: who speaks from ever new ports is dearer than who does not."""


class Owner(Protocol):
    """What the port does for them."""

    def changed(self, peer: OscPeer) -> None:
        """A peer has other targets now."""

    def target_at(self, peer: OscPeer, address: Address) -> Target:
        """What a peer is sent at an address that somebody has spoken from. It is none of its ``targets`` yet."""


class Sources:
    """All who speak to one port."""

    def __init__(self, peers: Sequence[OscPeer], owner: Owner, once: OncePer, clock: Callable[[], float]) -> None:
        self.at: dict[Hashable, Source] = {}
        """Those that were found, by address. Always the same dict: every packet asks it."""
        self._peers = peers
        self._owner = owner
        self._once = once
        self._clock = clock
        self._connected: dict[Hashable, Source] = {}
        self._strangers: set[str] = set()
        self._meters: dict[str, Meter] = {}
        self._crowd = Meter(OTHERS_PER_S, clock())

    def find(self, address: Address) -> Source | None:
        """Who speaks from an address that is not ``at``; None for a stranger, or who is not let in."""
        if (known := self._connected.get(address)) is not None:
            self.at[address] = known
            return known
        host = host_of(address)
        if host in self._strangers:
            return None
        peer = next((peer for peer in self._peers if peer.hears(host)), None)
        if peer is None:
            if len(self._strangers) >= MAX_SOURCES:
                self._strangers.clear()
            self._strangers.add(host)
            self.say_stranger(host)
            return None
        source = self._source(peer, address, host)
        source.meter.left -= NEW_PORT
        if len(self.at) >= MAX_SOURCES:
            self.at.clear()
        self.at[address] = source
        return source

    def say_stranger(self, host: str) -> None:
        """Say, once, that nobody hears who speaks from this host."""
        why = "which allow of no [[osc]] table lets in"
        if all(peer.settings.sources for peer in self._peers):
            why = "for which no [[osc]] table is"
        self._once.warning(("stranger", counted(host)), "heard %s, %s", host, why)

    def meter(self, peer: OscPeer, host: str) -> Meter:
        """What a host's messages are counted by."""
        key = counted(host)
        if key != host and peer.knows(host):
            key = host
        found = self._meters.get(key)
        if found is None:
            if len(self._meters) >= MAX_SOURCES:
                if not peer.knows(host):
                    return self._crowd
                self._meters.clear()
            found = self._meters[key] = Meter(peer.flood_per_s(host), self._clock())
        return found

    def connected(self, address: Hashable, source: Source | None) -> None:
        """Who speaks from an address, as long as it is somebody: the end of a connection."""
        self.at.pop(address, None)
        if source is None:
            self._connected.pop(address, None)
        else:
            self._connected[address] = source

    def forget(self) -> None:
        """A target's address is known now, or another: find out anew who is who."""
        self.at.clear()
        self._strangers.clear()
        self._meters.clear()

    def follow(self, source: Source) -> None:
        """``send = "last"``: whoever spoke last is who hears us."""
        peer = source.peer
        if not peer.follows or (peer.targets and peer.targets[0].address == peer.reply_address(source.address)):
            return
        target = self._owner.target_at(peer, source.address)
        name = target.shown
        peer.targets[:] = [target]
        source.origin, source.answers, source.target = target.origin, (target,), target
        self._owner.changed(peer)
        self.at.clear()
        self.at[source.address] = source
        self._once.info((peer.name, "last", name), "osc %s: sending to %s now", peer.name, name)

    def _source(self, peer: OscPeer, address: Address, host: str) -> Source:
        meter = self.meter(peer, host)
        its = (address[:2], peer.reply_address(address)[:2])
        for target in peer.targets:
            if target.address is not None and target.address[:2] in its:
                return Source(peer, address, host, target.origin, (target,), target, meter)
        # Max and Pd speak from another port than they listen on: if one target is at this host, it is that one.
        there = [target for target in peer.targets if target.address is not None and host_of(target.address) == host]
        asker = self._owner.target_at(peer, address)
        if len(there) == 1:
            return Source(peer, address, host, there[0].origin, (there[0], asker), there[0], meter)
        return Source(peer, address, host, asker.origin, (asker,), None, meter)
