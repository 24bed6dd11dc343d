"""One OSC peer in an operator's hands: all values to it, one message to it, what it has taught us."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bridge.errors import BadValue, OscError, PortError

from .codec import ALL, encode_message
from .peer import OscPeer, Target


class OscHandle:
    """``push`` sends a peer every value."""

    def __init__(self, peer: OscPeer, push: Callable[[OscPeer], None]) -> None:
        self._peer = peer
        self._push = push

    @property
    def learnt(self) -> Sequence[str]:
        """Paths of the controls that it taught us."""
        return sorted(self._peer.learnt)

    @property
    def mirrors(self) -> bool:
        """True if every control goes to it at its own path."""
        return self._peer.settings.mirror

    @property
    def reach(self) -> Mapping[str, str]:
        """How far the value of each control that goes to it has come, by path."""
        return self._peer.reach()

    def push(self) -> int:
        """Send it every value, at its pace; how many. Raises PortError where it cannot be sent anything."""
        self._reachable()
        self._push(self._peer)
        return sum(1 for _ in self._peer.routes.spoken())

    def send(self, address: str, args: Sequence[Any]) -> int:
        """Send it one message, types and all as they are; to how many places. Raises BadValue, PortError."""
        targets = self._reachable()
        try:
            packet = encode_message(address, args, ALL)
        except OscError as exc:
            raise BadValue(exc.reason) from exc
        before = self._peer.sent
        for target in targets:
            target.link.send(packet)
        if self._peer.sent == before:
            raise PortError(f"{self._peer.name} does not take it now: {self._peer.state}")
        return self._peer.sent - before

    def _reachable(self) -> list[Target]:
        peer = self._peer
        found = [target for target in peer.targets if target.link.is_connected]
        if not peer.is_open or not found:
            is_listed = peer.targets or peer.settings.is_tcp or peer.follows
            why = peer.state if is_listed else "its table in the configuration says nowhere to: send, or host"
            raise PortError(f"{peer.name} cannot be sent anything: {why}")
        return found
