"""One browser's socket, and what the kernel says of it: what it has not taken, and what the other end has not."""

from __future__ import annotations

import asyncio
import math
import socket
import sys
from collections.abc import Callable

from .cutting import Patience, cut
from .http.websocket import WebSocket
from .http.wsframes import PING_FRAME
from .session import Session

SEND_BUFFER_BYTES = 128 * 1024
"""Of the kernel, per browser (Linux doubles it): left alone it grows to 4 MB of what nobody reads any more."""
UNSENT_BYTES = 16 * 1024
"""Of those, at most so many may wait for their first sending: what the kernel keeps can be merged no more."""

_SIOCOUTQ, _SIOCOUTQNSD = 0x5411, 0x894B  # linux/sockios.h: not acknowledged; not sent


class Connection:
    """One socket and its session."""

    __slots__ = (
        "_patience", "_transport", "halfway_at", "heard_at", "host", "is_exempt", "is_lost", "opened_at",
        "pinged_at", "plain", "rests_until", "session", "spoke_at", "unsent", "write", "ws",
    )  # fmt: skip

    def __init__(self, session: Session, ws: WebSocket, host: str, now: float) -> None:
        self.session = session
        self.host = host
        """The browser's address."""
        self.opened_at = now
        self.heard_at = now
        self.spoke_at = now
        """When its last message came; a frozen page says nothing, while its browser goes on answering our pings."""
        self.pinged_at = now
        self.halfway_at = math.inf
        """Since when a message is under way."""
        self.rests_until = now
        """Until then the heart-beat need not look at it."""
        self.is_exempt = False
        """From the limit of messages."""
        self.ws = ws
        self._transport = transport = ws.transport
        self.unsent = _unsent(transport)
        """Bytes that the kernel has not taken yet."""
        self.is_lost = transport.is_closing
        self.write = transport.write
        """Write ready WebSocket frames. Never after Close: callers check ``is_open``."""
        self.plain = transport if transport.get_extra_info("ssl_object") is None else None
        """Where a cohort may write to it; None over TLS, whose transport does not tell what waits below it."""
        self._patience = Patience(now)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if hasattr(socket, "TCP_NOTSENT_LOWAT") and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    @property
    def is_open(self) -> bool:
        return not (self.ws.is_closing or self.is_lost())

    @property
    def quiet_since(self) -> float:
        """When it was last heard, or asked whether it is there."""
        return max(self.heard_at, self.pinged_at)

    def ping(self, now: float) -> None:
        self.pinged_at = now
        self._transport.write(PING_FRAME)

    def is_stuck(self, now: float, timeout_s: float) -> bool:
        """True if bytes have been waiting and none has left for ``timeout_s``."""
        return self._patience.is_over(self.unsent(), now, timeout_s)

    def abort(self) -> None:
        """Drop the socket now, and what was to be sent."""
        cut(self._transport)


def _unsent(transport: asyncio.Transport) -> Callable[[], int]:
    """How many bytes wait because the kernel does not take them. uvloop's TLS transport says nothing of the 64 kB that
    wait in the one below it; but while any do, the kernel has its UNSENT_BYTES, of which Linux tells."""
    size: Callable[[], int] = transport.get_write_buffer_size
    if sys.platform != "linux" or transport.get_extra_info("ssl_object") is None:
        return size
    kernel = _of_socket(transport, _SIOCOUTQNSD)

    def unsent() -> int:
        if waiting := size():
            return waiting
        waiting = kernel()
        return waiting if waiting >= UNSENT_BYTES else 0

    return unsent


def unacknowledged(transport: asyncio.Transport) -> Callable[[], int] | None:
    """How many bytes the kernel holds because the other end's TCP has not acknowledged them; None where it does not
    tell (Linux does). Asked four times a second for each browser: 0.8 µs, where its socket object alone would be 2."""
    return None if sys.platform != "linux" else _of_socket(transport, _SIOCOUTQ)


def _of_socket(transport: asyncio.Transport, question: int) -> Callable[[], int]:
    """What Linux answers about a TCP socket, asked by ioctl(2)."""
    import fcntl

    fileno, ioctl = transport.get_extra_info("socket").fileno(), fcntl.ioctl

    def answer() -> int:
        try:
            return int.from_bytes(ioctl(fileno, question, b"\0\0\0\0"), sys.byteorder)
        except OSError:  # closed already
            return 0

    return answer
