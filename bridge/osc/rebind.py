"""What becomes of the peers of one OSC port when the configuration is another: who stays, comes, is bound anew.

No socket here: ``osc`` closes and opens. A peer that stays is sent a value only where it was told that value before and
what says it is another message now; where its policy is ``push``, also what it was never told; with ``pull`` it is
asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bridge.control import Control
from bridge.errors import OscError
from bridge.port import Peer
from bridge.store import Entry, Store

from .outgoing import Outbox
from .peer import OscPeer, Target


@dataclass(slots=True)
class _Told:
    """What a peer was told of a control: the value, the messages that say it, and who has had it."""

    value: object
    packets: tuple[bytes, ...]
    targets: tuple[Target, ...]


_NOTHING = _Told(None, (), ())


class Rebinding:
    """One change of one port: ``keep`` and ``come`` before the store has the new controls, ``rebind`` after."""

    def __init__(self, store: Store, out: Outbox, described: Mapping[str, Control | None]) -> None:
        self.coming: list[tuple[OscPeer, Mapping[str, set[int]]]] = []
        """Peers that are to be opened, and what was still owed to those before them, by where they are."""
        self._store = store
        self._out = out
        self._described = described
        self._kept: list[tuple[OscPeer, list[str]]] = []  # and what is bound otherwise
        self._told: dict[tuple[OscPeer, Entry], _Told] = {}

    def come(self, peer: OscPeer, owed: Mapping[str, set[int]]) -> None:
        """A peer is new, or has other settings."""
        self.coming.append((peer, owed))

    def keep(self, one: OscPeer, peer: Peer) -> Iterator[None]:
        """A peer stays, as the configuration has it now; step by step."""
        before = one.wanted()
        paths = list(one.adopt(peer, self._described))
        self._kept.append((one, paths))
        for path in dict.fromkeys((*paths, *self._described)):
            if (entry := self._store.find(path)) is not None:
                self._told[one, entry] = _told(one, entry)
                yield
        if one.host is not None:
            one.host.adopt(self._described, before.bindings)

    def rebind(self) -> Iterator[Entry | None]:
        """Bind what is bound otherwise, and see that peers have what they are to have; step by step. What was bound
        anew."""
        for one, paths in self._kept:
            changed = frozenset(paths)
            for path in dict.fromkeys((*paths, *self._described)):
                if (entry := self._store.find(path)) is None:
                    continue
                if is_bound := path in changed or bool(one.routes.looks_of(entry)):
                    one.rebind(entry)
                self._catch_up(one, entry, self._told.get((one, entry), _NOTHING))
                yield entry if is_bound else None
            if one.host is not None:
                one.host.follow()

    def _catch_up(self, one: OscPeer, entry: Entry, before: _Told) -> None:
        """What says the value now may be another message, or at another address."""
        policy = one.settings.on_connect
        if _packets(one, entry) == before.packets:
            return
        if policy == "pull":
            if one.is_there:
                one.questions.ask(one.routes.questions(entry))
            return
        # What has moved since, a hand's move or a clamped one, was told to all; in the old form if that was too early.
        has_moved = before is not _NOTHING and entry.value != before.value
        ears = one.routes.ears.get(entry.id, ())
        for target in one.targets if has_moved or (policy == "push" and not one.is_gone) else before.targets:
            if not has_moved or target.reach(entry.id, ears) == "unsent":
                self._out.owe(target, (entry.id,))


def _told(one: OscPeer, entry: Entry) -> _Told:
    ears = one.routes.ears.get(entry.id, ())
    told = tuple(target for target in one.targets if target.reach(entry.id, ears) != "unsent")
    return _Told(entry.value, _packets(one, entry), told)


def _packets(one: OscPeer, entry: Entry) -> tuple[bytes, ...]:
    """The messages that say a control's value to a peer; none where it is not said to it."""
    if entry.value is None:
        return ()
    try:
        return tuple(route.packet(entry.value) for route in one.routes.speakers.get(entry.id, ()))
    except OscError:
        return ()
