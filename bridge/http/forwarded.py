"""Whose request it is where a proxy passes it on: what is believed of ``X-Forwarded-For``, and what is not. Pure.

Of a proxy in ``[http] proxies``, the last hop that is none of them; of nobody else a word. Other headers of that kind
(``Forwarded``, ``X-Real-IP``) are never believed: a proxy that writes one passes on what a client wrote in the others.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from .limits import HttpLimits

HEADER = "X-Forwarded-For"
BY_PROXY = ("forwarded", "x-forwarded-", "x-real-ip", "via")
"""How headers begin that only a proxy writes."""


def asker(address: str, names: Iterable[str], hops: Iterable[str], limits: HttpLimits) -> str:
    """Whose a request is that came from ``address`` with headers of these ``names``; ``hops``: its ``HEADER`` fields.

    What a proxy passes on is never this machine's: where it does not say whose it is, it is nobody's address.
    """
    if limits.trusts(address):
        for hop in reversed(",".join(hops).split(",")):
            found = _address(hop)
            if found is None or found.is_loopback:
                break
            if not limits.trusts(str(found)):
                return str(found)
    elif not ((found := _address(address)) and found.is_loopback):
        return address
    if any(name.lower().startswith(BY_PROXY) for name in names):
        return f"a proxy at {address}"
    return address


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """``192.168.1.20``, ``192.168.1.20:5000``, ``fe80::1``, ``[fe80::1]:5000``; None for anything else."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
