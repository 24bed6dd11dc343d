"""Which controls reach nobody: the mark "silent" on those whose peers are all gone. Pure; of all ports together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from .store import Entry, Store

MARK = "silent"


class Listener(Protocol):
    """A peer, as far as this module is concerned."""

    @property
    def name(self) -> str: ...

    @property
    def is_gone(self) -> bool:
        """True if what is sent to it cannot be expected to arrive; False too while nobody knows."""

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
        self._mark([e for e in self._store if MARK in e.marks or (is_any_gone and peer.takes(e))], now)

    def changed(self, peer: Listener, now: float) -> None:
        """A peer is gone, or there again: mark the controls that it takes. It may be so with every packet."""
        is_gone = peer.is_gone
        self._mark([entry for entry in self._store if (is_gone or MARK in entry.marks) and peer.takes(entry)], now)

    def added(self, entry: Entry, now: float) -> None:
        """A control is new, or described anew."""
        if MARK in entry.marks or any(peer.is_gone for peer in self._peers):
            self._mark((entry,), now)

    def _mark(self, entries: Iterable[Entry], now: float) -> None:
        marks: dict[str | None, list[Entry]] = {}
        gone = [peer for peer in self._peers if peer.is_gone]
        there = [peer for peer in self._peers if peer not in gone]
        for entry in entries:
            is_heard = any(peer.takes(entry) for peer in there)
            text = None if is_heard else ", ".join(peer.name for peer in gone if peer.takes(entry)) or None
            if entry.marks.get(MARK) != text:
                marks.setdefault(text, []).append(entry)
        for text, marked in marks.items():
            self._store.mark_all(marked, MARK, text, now=now)
