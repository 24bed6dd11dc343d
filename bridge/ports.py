"""All ports of a running bridge: built from the peers of a configuration, served, and changed when it is another.

A port whose peers are as they were is not touched: nothing here even looks at it. Not here: what a port does
(``port.Port``), and in which order a reload goes (``reloading``).
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import AsyncIterator, Hashable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from .control import Control
from .errors import UnknownPeer
from .port import Peer, PeerHandle, Port, PortContext, PortKind, supervise
from .tasks import begin, end, in_slices

FIRST_TRY_S = 0.5
"""How long a start waits for ports to open, before it reports them as they are."""

Key = tuple[str, Hashable]


@dataclass(slots=True)
class _Running:
    """One port, and its task while it is served."""

    port: Port
    task: asyncio.Task[None] | None = None
    tried: asyncio.Event = field(default_factory=asyncio.Event)
    trouble: str = ""
    """Why it is not open."""

    async def serve(self) -> None:
        """For ever."""
        await supervise(self.port, self._ready, failed=self._failed)

    def _ready(self) -> None:
        self.trouble = ""
        self.tried.set()

    def _failed(self, cause: str) -> None:
        self.trouble = cause


class Ports:
    """The ports of these peers. ``kinds``: by their tables."""

    def __init__(self, kinds: Mapping[str, PortKind], peers: Sequence[Peer], context: PortContext) -> None:
        self._kinds = kinds
        self._context = context
        self._peers = peers
        self._running: dict[Key, _Running] = {}
        self._is_served = False
        self._build(self._groups(peers))

    def __iter__(self) -> Iterator[Port]:
        return (one.port for one in self._running.values())

    def peer(self, name: str) -> PeerHandle:
        """One peer. Raises UnknownPeer, with the nearest name."""
        for port in self:
            if (found := port.peer(name)) is not None:
                return found
        names = [peer.name for peer in self._peers]
        near = difflib.get_close_matches(name, names, n=1)
        there = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}" if names else "there is none"
        raise UnknownPeer(f"no peer {name}: {there}")

    @property
    def troubles(self) -> Mapping[str, str]:
        """By port's name: why it is not open."""
        return {one.port.name: one.trouble for one in self._running.values() if one.trouble}

    def lines(self) -> list[str]:
        """One line per peer, for the operator."""
        return [line for port in self for line in port.peer_lines()]

    def health(self) -> list[dict[str, Any]]:
        """One entry per peer, for ``/healthz``."""
        return [entry for port in self for entry in port.health()]

    # Life

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """Serve each port in a supervised task of its own, and close them in reverse order. The block begins when each
        was tried."""
        self._is_served = True
        try:
            await self._start()
            yield
        finally:
            self._is_served = False
            for one in reversed(list(self._running.values())):  # a reload may hang in the middle
                await _stop(one)

    async def close(self, peers: Sequence[Peer]) -> None:
        """Close the ports that none of these is behind: what they had is free for others."""
        groups = self._groups(peers)
        for key in [key for key in self._running if key not in groups]:
            one = self._running.pop(key)
            await in_slices(one.port.adopt((), {}))  # everybody leaves, while they can still be told
            await _stop(one)

    async def adopt(self, peers: Sequence[Peer], described: Mapping[str, Control | None]) -> None:
        """These are the peers now, on the ports that stay. See ``port.Port.adopt``."""
        self._peers = peers
        names = {peer.name for peer in peers}
        for name in [name for name in self._context.taught if name not in names]:
            del self._context.taught[name]
        for key, group in self._groups(peers).items():
            if key in self._running:
                await in_slices(self._running[key].port.adopt(group, described))

    async def follow(self) -> None:
        """The store has the new controls: open what is new. Returns when that was tried."""
        for one in list(self._running.values()):
            await in_slices(one.port.follow())
        self._build(self._groups(self._peers))
        if self._is_served:
            await self._start()

    def _groups(self, peers: Sequence[Peer]) -> dict[Key, Sequence[Peer]]:
        return {
            (table, key): group
            for table, kind in self._kinds.items()
            for key, group in kind.group([peer for peer in peers if peer.table == table]).items()
        }

    def _build(self, groups: Mapping[Key, Sequence[Peer]]) -> None:
        for key, group in groups.items():
            if key not in self._running:
                self._running[key] = _Running(self._kinds[key[0]].open(group, self._context))

    async def _start(self) -> None:
        new = [one for one in self._running.values() if one.task is None]
        for one in new:
            one.task = begin(one.serve(), f"port: {one.port.name}")
        late = [asyncio.create_task(one.tried.wait()) for one in new]
        if late:
            _, left = await asyncio.wait(late, timeout=FIRST_TRY_S)
            for task in left:
                await end(task)


async def _stop(one: _Running) -> None:
    if one.task is not None:
        await end(one.task)
