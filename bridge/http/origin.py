"""Whose page asks, and what it calls us: Host and Origin. Pure.

- **Host.** A page on a name of its own can point that name at our address (DNS rebinding) and is then of one origin
  with us; it still sends its own name. So a name must be ours. An address needs no list: no page can have an address as
  its name unless it came from there, so whoever sends one has typed it. That also holds for addresses that came late,
  and for those that we cannot know (a forwarded port, a container).
- **Origin.** Browsers say where a page comes from that opens a WebSocket or sends anything: it must be called as we
  are. "null" are pages without an origin, among them people's own, which are sandboxed: they may load what is public,
  and open a WebSocket or use controls with a ticket, never with this device's cookie.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from bridge.refusals import Cause

NO_ORIGIN = "null"
SCHEMES = ("http", "https")
WITH_TICKET = ("/api/controls", "/api/holds")
"""What pages without an origin may use beside the WebSocket."""

Refusal = tuple[Cause, str]


class Origins:
    """What we are called. ``names()`` is asked when a name is new, so that it follows the machine's."""

    def __init__(self, names: Callable[[], Iterable[str]]) -> None:
        self._names = names
        self._known: frozenset[str] = frozenset()

    def forget(self) -> None:
        """There may be fewer names than before."""
        self._known = frozenset()

    def is_ours(self, host: str) -> bool:
        """Whether a Host header means this machine."""
        name = host_name(host)
        if name is None:
            return False
        if is_address(name):
            return True
        if name not in self._known:
            self._known = frozenset(map(_plain, self._names()))
        return name in self._known

    def refusal(self, host: str, origin: str | None, site: str | None, method: str, path: str) -> Refusal | None:
        """Why this request is not answered. ``site`` is ``Sec-Fetch-Site``."""
        if not self.is_ours(host):
            return "host", (
                f"this server is not called {host[:100]!r}; open it by its address or name, "
                'or add the name to [http] hosts = ["…"]'
            )
        reads = method in ("GET", "HEAD")
        if origin == NO_ORIGIN:
            if path == "/ws" or is_with_ticket(path) or (reads and is_public_file(path)):
                return None
            return "origin", "pages without an origin, such as files and sandboxed ones, may not use this"
        if origin is not None and not _is_same(origin, host):
            return "origin", f"pages of {origin[:100]!r} may not use this server"
        if site == "cross-site" and not reads:
            return "origin", "pages of another site may not use this server"
        return None


def is_with_ticket(path: str) -> bool:
    """True for what a page without an origin may use if it shows a ticket."""
    return any(path == one or path.startswith(f"{one}/") for one in WITH_TICKET)


def is_public_file(path: str) -> bool:
    """True for what pages are made of. What is called a page, or has no suffix, is none of it."""
    if path.startswith("/api/"):
        return False
    _, dot, suffix = path.rpartition("/")[2].rpartition(".")
    return bool(dot and suffix) and suffix.lower() not in _DOCUMENTS


def host_name(host: str) -> str | None:
    """The name in a Host header, lower case, without port and brackets; None if it is malformed."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return None
    if not parts.hostname or parts.path or parts.query or parts.fragment or "@" in host:
        return None
    return _plain(parts.hostname)


def is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_same(origin: str, host: str) -> bool:
    # Not its scheme with ours: behind a proxy that speaks TLS, their https is our http. A page of http that sends to
    # https, or the other way, has another port, and so another origin.
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in SCHEMES and parts.netloc.lower() == host.lower()


def _plain(name: str) -> str:
    return name.lower().rstrip(".")


_DOCUMENTS = frozenset({"html", "htm", "xhtml", "xht", "shtml"})
