"""This machine's addresses while it runs: a box on stage boots before the router, and a cable comes later.

Here: that they have changed, and who is told. What counts as an address is ``net``'s. Linux says when something has
changed (rtnetlink(7)); elsewhere, and should it not, they are looked at every few seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from . import net
from .net import Address

log = logging.getLogger(__name__)

POLL_S = 5.0
TOLD_POLL_S = 60.0
"""Where the kernel tells, they are looked at all the same, now and then."""
SETTLE_S = 0.3
"""An address comes with its routes, and with a check whether somebody else has it: they are looked at after that."""

_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400  # RTMGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE

Addresses = tuple[Address, ...]
Callback = Callable[[Addresses], None]


class AddressWatch:
    """Knows the addresses under which others reach this machine (``net.lan_addresses``), and tells when they change."""

    def __init__(self, look: Callable[[], Sequence[Address]] = net.lan_addresses) -> None:
        self.addresses: Addresses = ()
        """As they were seen last; empty until ``run`` has looked."""
        self._look = look
        self._callbacks: list[Callback] = []

    def subscribe(self, callback: Callback) -> Callable[[], None]:
        """Call back on the loop with all addresses whenever they have changed, from now on; returns what ends that."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    async def look(self) -> None:
        """See what is there now, and tell whoever waits if it is something else."""
        addresses = tuple(await asyncio.to_thread(self._look))
        if set(addresses) == set(self.addresses):
            return
        self.addresses = addresses
        for callback in tuple(self._callbacks):
            try:
                callback(addresses)
            except Exception:  # one that fails keeps the next from nothing
                log.exception("a change of addresses was not taken in")

    async def run(self) -> None:
        """Watch until cancelled. Looks once before anything else."""
        changed = asyncio.Event()
        with _told(changed) as is_told:
            while True:
                await self.look()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TOLD_POLL_S if is_told else POLL_S):
                        await changed.wait()
                        await asyncio.sleep(SETTLE_S)
                changed.clear()


@contextmanager
def _told(changed: asyncio.Event) -> Iterator[bool]:
    """Set the event whenever the kernel says that something about addresses has changed; whether it will."""
    if not hasattr(socket, "AF_NETLINK"):
        yield False
        return
    try:
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    except OSError:  # not allowed here
        yield False
        return
    with netlink:
        try:
            netlink.bind((0, _GROUPS))
        except OSError:
            yield False
            return

        def on_news() -> None:
            with contextlib.suppress(OSError):  # ENOBUFS: there was more than it keeps, so there was something
                while netlink.recv(65536):
                    pass
            changed.set()

        loop = asyncio.get_running_loop()
        loop.add_reader(netlink, on_news)
        try:
            yield True
        finally:
            loop.remove_reader(netlink)
