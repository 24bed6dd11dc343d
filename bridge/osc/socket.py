"""The sockets of the OSC port: opening them, their addresses, and what the network says about what was sent."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import sys
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from bridge import net
from bridge.errors import PortError

from .settings import Endpoint

Address: TypeAlias = tuple[Any, ...]
"""A socket address as the system writes it: (host, port), IPv6 with two more."""

RECEIVE_BUFFER = 4 << 20
"""Bytes asked of the kernel; it gives at most net.core.rmem_max. The default loses most of a burst of 20,000."""

# linux/in.h and linux/in6.h: the kernel keeps "port unreachable" and the like, with the address that it is about.
_IP_RECVERR, _IPV6_RECVERR = 11, 25
_MSG_ERRQUEUE = getattr(socket, "MSG_ERRQUEUE", 0)
_HAS_ERROR_QUEUE = sys.platform == "linux" and _MSG_ERRQUEUE != 0
# linux/sock_diag.h: what a socket's memory is used for, and last what was dropped.
_SO_MEMINFO, _MEMINFO_VARS, _MEMINFO_DROPS = 55, 9, 8
_MAX_ERRORS = 1000  # read in one go


def is_v6(listen: Endpoint) -> bool:
    """True if the socket speaks IPv6, and IPv4 through it."""
    return ":" in listen.host


async def open_socket(listen: Endpoint) -> socket.socket:
    """A bound, non-blocking UDP socket. Raises PortError, with who holds the port where that is why."""
    family = socket.AF_INET6 if is_v6(listen) else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if _HAS_ERROR_QUEUE:
            sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        _bind(sock, listen)
    except OSError as exc:
        sock.close()
        raise await _why_not_opened(exc, listen, "udp") from exc
    return sock


async def open_listener(listen: Endpoint, backlog: int) -> socket.socket:
    """A listening, non-blocking TCP socket. Raises PortError, with who holds the port where that is why."""
    family = socket.AF_INET6 if is_v6(listen) else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if os.name == "posix":  # elsewhere it would let two programs share the port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        _bind(sock, listen)
        sock.listen(backlog)
    except OSError as exc:
        sock.close()
        raise await _why_not_opened(exc, listen, "tcp") from exc
    return sock


def _bind(sock: socket.socket, listen: Endpoint) -> None:
    sock.bind(("127.0.0.1" if listen.host == "localhost" else listen.host, listen.udp_port))


async def _why_not_opened(exc: OSError, listen: Endpoint, transport: Literal["udp", "tcp"]) -> PortError:
    what = transport.upper()
    if exc.errno == errno.EADDRINUSE:
        holder = await asyncio.to_thread(net.holder_of, listen.udp_port, transport)
        by = f" by {holder}" if holder else ""
        return PortError(f"{what} {listen.udp_port} is taken{by}")
    return PortError(f"cannot listen on {what} {listen}: {exc.strerror or exc}")


def read_errors(sock: socket.socket) -> list[tuple[Address, int]]:
    """(to whom, errno) of each datagram that the network gave back since the last call.

    They must be read: as long as one is there, the loop is woken for it again and again.
    """
    found: list[tuple[Address, int]] = []
    while _HAS_ERROR_QUEUE and len(found) < _MAX_ERRORS:
        try:
            _, ancillary, _, address = sock.recvmsg(0, 512, _MSG_ERRQUEUE)
        except OSError:  # EAGAIN: that was all
            break
        # struct sock_extended_err begins with the errno.
        code = next((int.from_bytes(data[:4], sys.byteorder) for _, _, data in ancillary), 0)
        if address is not None:
            found.append((address, code))
    return found


def received_and_dropped(sock: socket.socket) -> tuple[int, int | None]:
    """(bytes that the receive buffer may have, datagrams that found no room in it); None where nobody counts them.

    One system call (0.5 µs), where /proc/net/udp is a file that grows with every socket of the machine.
    """
    room = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    if sys.platform != "linux":
        return room, None
    try:
        counts = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 4 * _MEMINFO_VARS)
    except OSError:
        return room, None
    if len(counts) < 4 * _MEMINFO_VARS:
        return room, None
    return room, int.from_bytes(counts[4 * _MEMINFO_DROPS : 4 * _MEMINFO_DROPS + 4], sys.byteorder)


def trouble_text(address: Address, code: int) -> str:
    """What an errno means for the one who set the peer up."""
    if code == errno.ECONNREFUSED:
        return f"host is up but nobody listens on UDP {address[1]}"
    return f"cannot be reached: {os.strerror(code).lower()}"


async def resolve(endpoint: Endpoint, family_of: socket.socket) -> Address:
    """The socket address of a host name. Raises OSError where there is none."""
    flags = socket.AI_V4MAPPED if family_of.family == socket.AF_INET6 else 0
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(*endpoint, family=family_of.family, type=socket.SOCK_DGRAM, flags=flags)
    return found[0][4]


def literal(endpoint: Endpoint, listen: Endpoint) -> Address | None:
    """The socket address of an IP address; None for a name."""
    try:
        address = ipaddress.ip_address(endpoint.host)
    except ValueError:
        return None
    if not is_v6(listen):
        return tuple(endpoint)
    return (f"::ffff:{endpoint.host}" if address.version == 4 else endpoint.host, endpoint.udp_port, 0, 0)


def host_of(address: Address) -> str:
    """The host without what IPv6 adds: an IPv4 address looks the same on an IPv6 socket."""
    host = str(address[0]).partition("%")[0]
    return host[7:] if host.startswith("::ffff:") and "." in host else host


def shown(address: Address) -> str:
    """``192.168.1.20:9001``."""
    return str(Endpoint(host_of(address), address[1]))


class Reader(asyncio.DatagramProtocol):
    """Hands datagrams and errors on; ``closed`` is done when the socket is free again.

    Measured under uvloop against add_reader with a draining recvfrom: 3.9 against 4.3 µs of CPU a datagram in
    bursts (libuv drains too), 7.3 against 10.3 µs one by one. And libuv stops an add_reader for good at the
    first "port unreachable".
    """

    def __init__(
        self,
        receive: Callable[[bytes, Address], None],
        error: Callable[[Exception], None],
        closed: asyncio.Future[None],
    ) -> None:
        self.datagram_received = receive  # type: ignore[method-assign, assignment]
        self.error_received = error  # type: ignore[method-assign, assignment]
        self._closed = closed

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._closed.done():
            self._closed.set_result(None)
