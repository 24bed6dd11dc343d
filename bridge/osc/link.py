"""The way to one target: what bytes go through. No socket here: ``udp`` and ``tcp`` have the kinds of links.

A link takes a packet now or not at all: it never queues. What it does not take becomes a mark on the target,
and the control's latest value is sent when there is room (``outgoing``).
"""

from __future__ import annotations

from .settings import Endpoint
from .socket import Address


class Link:
    """One way out. ``shown`` is what people call it: ``192.168.1.20:9001``."""

    __slots__ = ("address", "endpoint", "is_refused", "retry_at", "shown", "trouble", "trouble_at")

    def __init__(self, shown: str, address: Address | None = None, endpoint: Endpoint | None = None) -> None:
        self.shown = shown
        self.address = address
        """Where it leads; None while that is not known, or not connected."""
        self.endpoint = endpoint
        """What its address is found by, where that is a setting."""
        self.trouble = ""
        """Why nothing can be sent, in words; "" while it can."""
        self.trouble_at = 0.0
        """When that was last said."""
        self.is_refused = False
        """With ``trouble``: the host is up, but nobody listens there."""
        self.retry_at = 0.0
        """Not before this time is it worth trying again."""

    @property
    def is_connected(self) -> bool:
        """True if what is sent now goes somewhere."""
        return self.address is not None

    def send(self, packet: bytes) -> bool:
        """Send now. False if it can be tried again later; True also for what nobody can be sent: it is not kept."""
        raise NotImplementedError
