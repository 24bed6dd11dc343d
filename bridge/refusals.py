"""What was refused to whom over HTTP and WebSocket, counted by cause: for health and metrics. Pure.

The causes are a fixed set, so that nobody outside can make the table grow.
"""

from __future__ import annotations

from typing import Literal, get_args

Cause = Literal[
    "connections",  # as many are open as may be, and all of them are WebSockets
    "connections_per_address",
    "crowded_out",  # it had waited longest without a WebSocket when room was needed
    "rate",  # an address asked for more than its share
    "handshake",  # TLS that failed or took too long
    "timeout",  # half a request, half a body or half a message, and no more
    "unread",  # it does not take what it asked for
    "malformed",  # no HTTP, or no WebSocket, that we read
    "too_large",
    "host",
    "origin",
    "ticket",
]

CAUSES: tuple[Cause, ...] = get_args(Cause)


class Refusals:
    """How often each cause was one, since the start."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = dict.fromkeys(CAUSES, 0)

    def count(self, cause: Cause) -> None:
        self.totals[cause] += 1
