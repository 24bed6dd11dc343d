"""Ending a connection at once, and how long whoever takes nothing is waited for. Closes sockets, opens none."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

_NO_LINGER = struct.pack("ii", 1, 0)


def discard(sock: socket.socket) -> None:
    """What is in the kernel's buffer goes with the socket when it is closed: else that would be sent for minutes."""
    with contextlib.suppress(OSError, ValueError):  # closed already; ValueError is what uvloop says of it
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)


def cut(transport: asyncio.Transport) -> None:
    """Drop the connection now, whatever is in its buffer or the kernel's."""
    if (sock := transport.get_extra_info("socket")) is not None:  # None: gone, over TLS
        discard(sock)
    transport.abort()


class Patience:
    """With one connection: it ends when bytes have waited for a while and none has left."""

    __slots__ = ("_bytes", "_since")

    def __init__(self, now: float) -> None:
        self._since = now
        self._bytes = 0

    def is_over(self, waiting: int, now: float, limit_s: float) -> bool:
        """True if of ``waiting`` bytes none has left for ``limit_s``. To be asked again and again."""
        if waiting == 0 or waiting < self._bytes:
            self._since = now
        self._bytes = waiting
        return now - self._since > limit_s
