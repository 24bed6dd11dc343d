"""Tickets: what a page of somebody's own shows instead of the cookie of the device that has it open. Pure.

Such a page runs in a sandbox, without an origin, so it has no cookie and cannot reach ours. The server writes a ticket
into the HTML that it serves; it names the device and when it ends. A server that is started anew knows it again, so the
page need not load itself anew. What it is worth is looked up when it is shown: what the device may do then, but never
``admin``.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from .access import Grant

TICKET_S = 7 * 24 * 3600
"""A page that is open longer than that loads itself again when it has to connect anew."""
PREFIX = "page"


class Tickets:
    """``key()``: random, kept. ``grant_of(device)``: what a device may do now; None: it is let in no more. Times are
    the wall clock's, in seconds: they outlive a run."""

    def __init__(self, key: Callable[[], bytes], grant_of: Callable[[str], Grant | None]) -> None:
        self._key = key
        self._grant_of = grant_of

    def make(self, device: str, now: float) -> str:
        """A ticket for a page that this device has open; ``device`` "": where nobody is told apart. Of characters that
        stand in HTML and in headers as they are."""
        text = f"{PREFIX}.{device}.{int(now + TICKET_S)}"
        return f"{text}.{self._mac(text)}"

    def admit(self, ticket: str, now: float) -> Grant | None:
        """What whoever shows this may do; None where it is no ticket of ours, or not any more."""
        text, _, mac = ticket.rpartition(".")
        if not hmac.compare_digest(self._mac(text).encode(), mac.encode("utf-8", "replace")):
            return None
        _, device, until = text.split(".")
        if now > int(until):
            return None
        grant = self._grant_of(device)
        return None if grant is None else grant.for_page()

    def _mac(self, text: str) -> str:
        return hmac.new(self._key(), text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
