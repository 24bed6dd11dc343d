"""The HTTP port's listening socket, and why there is none. Reads the kernel's tables."""

from __future__ import annotations

import errno
import os
import socket

from . import net
from .errors import PortError

BACKLOG = 512
FIRST_FREE_PORT = 1024
"""Ports below are root's, unless the system says otherwise (ip(7), ip_unprivileged_port_start)."""

_NOT_OURS = {errno.EADDRNOTAVAIL, socket.EAI_NONAME, getattr(socket, "EAI_NODATA", 0), socket.EAI_AGAIN} - {0}
"""What binding fails with where the host is not this machine, or a name that nobody knows."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there and does not block. Raises PortError."""
    try:
        return bound(host, port)
    except OSError as exc:
        raise PortError(listen_problem(host, port, exc)) from exc


def bound(host: str, port: int) -> socket.socket:
    """The same, raising OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    listener.setblocking(False)
    return listener


def taken(port: int) -> str:
    """That a TCP port is taken, and by whom, where that can be seen."""
    holder = net.holder_of(port, "tcp")
    return f"{port} is taken by {holder}" if holder else f"{port} is taken"


def listen_problem(host: str, port: int, exc: OSError) -> str:
    """Why HTTP cannot listen there, and what to do."""
    if exc.errno == errno.EADDRINUSE:
        return f"HTTP port {taken(port)}: choose another with --port {port + 1}, or [http] port = {port + 1}"
    if exc.errno in _NOT_OURS:
        own = ", ".join(map(str, [*net.lan_addresses(), "127.0.0.1"]))
        return (
            f"HTTP: {host} is no address of this machine; its own are {own}; "
            'all of them: --host 0.0.0.0, or [http] host = "0.0.0.0"'
        )
    if exc.errno == errno.EACCES and port < FIRST_FREE_PORT:
        return (
            f"HTTP port {port} needs rights that this user does not have; "
            f"ports from {FIRST_FREE_PORT} need none: --port {port + 8000}"
        )
    # Python's own text goes on with "while attempting to bind".
    why = os.strerror(exc.errno) if exc.errno is not None and exc.errno in errno.errorcode else exc
    return f"HTTP cannot listen on {host}:{port}: {why}"
