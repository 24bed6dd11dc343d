"""How much of something may be asked for, or come, in a short time, and of whom. Pure."""

from __future__ import annotations

import ipaddress
from functools import lru_cache


def counted(address: str) -> str:
    """Under what an address is counted, and said once: IPv6 by its /64, since one host has all 2^64 of that.

    An IPv4 address looks the same on an IPv6 socket. A scope stays: it is ours. What is no address is itself.
    """
    return _counted(address) if ":" in address else address


@lru_cache(1024)
def _counted(address: str) -> str:
    plain, percent, scope = address.partition("%")
    try:
        found = ipaddress.IPv6Address(plain)
    except ValueError:
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    if found.is_loopback:
        return str(found)
    return f"{ipaddress.IPv6Network((found, 64), strict=False)}{percent}{scope}"


class Allowance:
    """``most`` at once, and ``per_s`` after that. Full at the beginning."""

    def __init__(self, most: float, per_s: float) -> None:
        self._most = most
        self._per_s = per_s
        self._left = most
        self._at = 0.0

    def has(self, amount: float, now: float) -> bool:
        """Whether so much is left. ``now``: monotonic s."""
        self._left = min(self._most, self._left + max(0.0, now - self._at) * self._per_s)
        self._at = now
        return amount <= self._left

    def take(self, amount: float, now: float) -> bool:
        """Take so much; False, and nothing taken, where less is left."""
        if not self.has(amount, now):
            return False
        self._left -= amount
        return True


class Meter:
    """At most ``per_s`` a second, over a second or so, of what comes so often that a call for each were too dear.

    Whoever takes one counts ``left`` down by itself, and only below 0 asks ``refill`` whether it may.
    """

    __slots__ = ("_at", "left", "per_s")

    def __init__(self, per_s: float, now: float) -> None:
        self.per_s = per_s
        self.left = per_s
        self._at = now

    def refill(self, now: float) -> bool:
        """True if the one that was taken last was there; else it is given back. ``now``: monotonic s."""
        self.left = min(self.per_s - 1, self.left + max(0.0, now - self._at) * self.per_s)
        self._at = now
        if self.left >= 0:
            return True
        self.left += 1
        return False
