"""Makes controls of what peers say to unknown addresses, where they have ``auto = true``.

Which kind and range that means is in ``learn``; when it is asked for, and when a control grows, in ``incoming``.
"""

from __future__ import annotations

from collections.abc import Sequence

from bridge.control import Control
from bridge.errors import BadValue
from bridge.log import OncePer
from bridge.store import Entry, Store

from .bind import Route
from .learn import OWNER, learnt
from .pattern import is_pattern
from .peer import OscPeer, Source
from .types import Message


class Learner:
    """Of all peers of one port."""

    def __init__(self, store: Store, once: OncePer) -> None:
        self._store = store
        self._once = once

    def meet(self, source: Source, message: Message, now: float) -> Sequence[Route] | None:
        """Make a control of a message to an unknown address; its routes. None where it becomes none."""
        peer, path = source.peer, message.address
        entry = self._store.find(path)
        if is_pattern(path) or peer.is_touch(path) or (entry is not None and entry.control.owner != OWNER):
            return None
        control = learnt(path, message.args) if entry is None else entry.control
        if control is None:
            return None
        if len(peer.learnt) >= peer.settings.auto_max:
            self._no_more(peer, path, f"auto_max = {peer.settings.auto_max}")
            return None
        peer.learnt.add(path)
        if entry is None:
            try:
                self._store.add(control, now=now, origin=source.origin)
            except BadValue as exc:
                peer.learnt.discard(path)
                self._no_more(peer, path, str(exc))
                return None
            self._once.info((peer.name, "learnt", path), "osc %s: learnt %s (%s)", peer.name, path, control.kind)
        else:  # another peer has taught it to us
            peer.drop(entry)
            peer.put(entry)
        return peer.routes.find(path, message.args)

    def describe(self, entry: Entry, control: Control, source: Source, now: float) -> None:
        """A learnt control has become another."""
        self._store.describe(entry, control, now=now, origin=source.origin)

    def _no_more(self, peer: OscPeer, path: str, why: str) -> None:
        text = "osc %s: %d controls are learnt, and no more will be, such as %s (%s); stagebridge learn prints them"
        self._once.warning((peer.name, "auto_max"), text, peer.name, len(peer.learnt), path, why)
