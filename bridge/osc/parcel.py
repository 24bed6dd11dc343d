"""One parcel: what one target is sent in one go of what it is owed, as messages or bundles, and what is noted then."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.store import Entry

from .codec import IMMEDIATELY, encode_bundle
from .pace import Due, Event
from .peer import Target
from .routes import RouteTable

BUNDLE_HEAD, BUNDLE_ELEMENT = 16, 4  # bytes of a bundle, and of each message in it, besides the messages


class Parcel:
    """What one target is sent in one go: messages one by one, or in bundles of at most ``limit`` bytes."""

    def __init__(self, target: Target, limit: int, routes: RouteTable, now: float) -> None:
        self._target = target
        self._limit = limit
        self._routes = routes
        self._now = now
        self._packets: list[bytes] = []
        self._size = BUNDLE_HEAD
        self._said: list[tuple[Due | Event, Entry, int]] = []  # what is said when these have left

    def add(self, packets: Sequence[bytes], said: Due | Event, entry: Entry | None = None) -> bool:
        """Say something with these messages. False if what was there before could not be sent."""
        for packet in packets:
            size = BUNDLE_ELEMENT + len(packet)
            if self._packets and self._size + size > self._limit and not self.ship():
                return False
            self._packets.append(packet)
            self._size += size
        entry = said.change.entry if isinstance(said, Event) else entry
        assert entry is not None
        self._said.append((said, entry, len(packets)))
        return True

    def ship(self) -> bool:
        """Send what was added. False if it cannot be sent now: then it is still owed."""
        if self._packets:
            data = self._packets[0] if len(self._packets) == 1 else encode_bundle(IMMEDIATELY, self._packets)
            if not self._target.link.send(data):
                return False
        self._packets, self._size = [], BUNDLE_HEAD
        for said, entry, count in self._said:
            self._note(said, entry, count)
        self._said.clear()
        return True

    def _note(self, said: Due | Event, entry: Entry, count: int) -> None:
        """It is not owed any more, and may come back."""
        target, now, change = self._target, self._now, said.change
        if isinstance(said, Event):
            target.owed.sent_event(said)
        else:
            target.owed.sent(entry.id, now, count)
        for ear in self._routes.ears.get(entry.id, ()):
            if change is None:
                settles = isinstance(said, Due) and said.is_settling
                target.echoes.sent(ear, ear.rules, entry.value, now, settles)
            elif change.what == "value":
                value = change.value if isinstance(said, Event) else entry.value
                target.echoes.sent(ear, ear.rules, value, now, change.is_settling, change.answers, change.origin)
            else:
                target.note_fired(ear, change, now)
