"""Which controls reach nobody: the mark "silent" on those whose peers are all gone, "awaited" where none of these was
ever there. Pure; of all ports together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from .store import Entry, Store

SILENT = "silent"
AWAITED = "awaited"


class Listener(Protocol):
    """A peer, as far as this module is concerned."""

    @property
    def name(self) -> str: ...

    @property
    def is_gone(self) -> bool:
        """True if what is sent to it cannot be expected to arrive; False too while nobody knows."""

    @property
    def is_awaited(self) -> bool:
        """True if it is gone, but was not there yet."""

    def takes(self, entry: Entry) -> bool:
        """True if the control goes to this peer."""


class Presence:
    """All peers of all ports."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._peers: list[Listener] = []

    def join(self, peer: Listener) -> None:
        """A peer of the configuration."""
        self._peers.append(peer)

    def leave(self, peer: Listener, now: float) -> None:
        """It is none any more: what nobody else hears of is silent without it."""
        self._peers.remove(peer)
        is_any_gone = any(other.is_gone for other in self._peers)
        self._mark([e for e in self._store if _is_marked(e) or (is_any_gone and peer.takes(e))], now)

    def changed(self, peer: Listener, now: float) -> None:
        """A peer is gone, or there again: mark the controls that it takes. It may be so with every packet."""
        is_gone = peer.is_gone
        self._mark([entry for entry in self._store if (is_gone or _is_marked(entry)) and peer.takes(entry)], now)

    def added(self, entry: Entry, now: float) -> None:
        """A control is new, or described anew."""
        if _is_marked(entry) or any(peer.is_gone for peer in self._peers):
            self._mark((entry,), now)

    def _mark(self, entries: Iterable[Entry], now: float) -> None:
        marks: dict[tuple[str, str | None], list[Entry]] = {}
        gone = [peer for peer in self._peers if peer.is_gone]
        there = [peer for peer in self._peers if peer not in gone]
        for entry in entries:
            missing = [] if any(peer.takes(entry) for peer in there) else [peer for peer in gone if peer.takes(entry)]
            names = ", ".join(peer.name for peer in missing) or None
            is_awaited = all(peer.is_awaited for peer in missing)
            for mark, text in ((SILENT, None if is_awaited else names), (AWAITED, names if is_awaited else None)):
                if entry.marks.get(mark) != text:
                    marks.setdefault((mark, text), []).append(entry)
        for (mark, text), marked in marks.items():
            self._store.mark_all(marked, mark, text, now=now)


def _is_marked(entry: Entry) -> bool:
    return SILENT in entry.marks or AWAITED in entry.marks
