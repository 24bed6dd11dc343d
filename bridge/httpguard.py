"""Whom the HTTP interface answers: by Host and Origin, and by what a device was granted.

Here: the one middleware that every request passes. Not here: routes (``http``), what a grant allows (``access``).
"""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import quote, urlsplit

from aiohttp import web

from .access import EVERYTHING, Grant
from .httpanswers import REFUSALS, Refused, error_answer
from .localsocket import HOST as LOCAL_HOST
from .log import OncePer

log = logging.getLogger(__name__)

LOCAL_FAMILY = getattr(socket, "AF_UNIX", None)
_BY_PROXY = ("origin", "sec-fetch-", "forwarded", "x-forwarded-", "x-real-ip", "via", "cookie", "referer")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """Decides for each request; ``middleware`` is aiohttp's."""

    def __init__(
        self,
        hosts: Iterable[str],
        admit: Callable[[web.Request], Grant | None] = lambda request: EVERYTHING,
        prolong: Callable[[web.Request, web.StreamResponse], None] = lambda request, response: None,
    ) -> None:
        """``admit`` says what whoever asks may do, None where it was not let in; ``prolong`` is handed every page that
        goes to one that was."""
        self._admit, self._prolong = admit, prolong
        self._hosts = frozenset(host.lower().rstrip(".") for host in hosts)
        self._once = OncePer(log)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what a foreign page in somebody's browser could make it send (rebinding, cross-site)."""
        is_here = is_local(request)
        refusal = _local_refusal(request) if is_here else self._refusal(request)
        if refusal is not None:
            self._once.warning((request.remote, "refused"), "refused a browser at %s: %s", request.remote, refusal)
            return error_answer(403, "not_allowed", refusal)
        grant = EVERYTHING if is_here else self._admit(request)
        if grant is not None:
            request[GRANT] = grant
        try:
            if grant is None and not is_public(request.path):
                raise _not_paired(request)
            response = await handler(request)
        except web.HTTPException as exc:
            if exc.status >= 400 and request.path.startswith(("/api/", "/healthz")):
                response = self._api_error(request, exc)
            else:
                response = exc
        if not response.prepared:
            if grant is not None and not is_here and response.status == 200 and response.content_type == "text/html":
                self._prolong(request, response)
            response.headers.setdefault("X-Content-Type-Options", "nosniff")
            response.headers.setdefault("Referrer-Policy", "no-referrer")
            response.headers.setdefault("Cache-Control", "no-store")
        if isinstance(response, web.HTTPException):
            raise response
        return response

    def _api_error(self, request: web.Request, exc: web.HTTPException) -> web.Response:
        """Every refusal of the API in the same form, aiohttp's own too."""
        code, message = REFUSALS.get(exc.status, "bad_message"), exc.text or exc.reason
        if isinstance(exc, Refused):
            code, message = exc.code, exc.message
        cause = (request.remote, "api", code)
        asker = request.remote or "this machine"
        self._once.warning(cause, "REST from %s: %.20s %s: %.200s", asker, request.method, code, message)
        answer = error_answer(exc.status, code, message)
        for name in ("Allow", "Retry-After", "WWW-Authenticate"):
            if name in exc.headers:
                answer.headers[name] = exc.headers[name]
        return answer

    def _refusal(self, request: web.Request) -> str | None:
        host = request.headers.get("Host", "")
        name = _host_name(host)
        if name is None or not (name in self._hosts or _is_address(name)):
            return (
                f"this server is not called {host[:100]!r}; open it by its address or name, "
                'or add the name to [http] hosts = ["…"]'
            )
        origin = request.headers.get("Origin")
        if origin is not None and not self._is_ours(origin, host):
            return f"pages of {origin[:100]!r} may not use this server"
        if request.headers.get("Sec-Fetch-Site") == "cross-site" and request.method not in ("GET", "HEAD"):
            return "pages of another site may not use this server"
        return None

    def _is_ours(self, origin: str, host: str) -> bool:
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


GRANT = web.RequestKey("grant", Grant)
"""What whoever asks may do."""


def grant_of(request: web.Request) -> Grant:
    """Raises Refused (401) for whom nobody has let in."""
    if GRANT not in request:
        raise _unknown()
    return request[GRANT]


def check_admin(request: web.Request) -> None:
    """Raises Refused unless whoever asks is an admin."""
    if grant_of(request).role != "admin":
        raise Refused(403, "not_allowed", "only an admin may do this")


def is_public(path: str) -> bool:
    """True for what everybody on the network may ask for: what the page for pairing and sandboxed pages are made of.

    Documents are not: neither what is called so, nor what has no suffix.
    """
    if path in _PUBLIC:
        return True
    if path.startswith("/api/"):
        return False
    _, dot, suffix = path.rpartition("/")[2].rpartition(".")
    return bool(dot and suffix) and suffix.lower() not in _DOCUMENTS


_PUBLIC = frozenset({"/pair", "/api/pair", "/ws", "/healthz"})
_DOCUMENTS = frozenset({"html", "htm", "xhtml", "xht", "shtml"})


def _not_paired(request: web.Request) -> web.HTTPException:
    """A person who asks for a page is sent where a code can be typed, and comes back; a program is told."""
    if request.path.startswith("/api/") or request.method not in ("GET", "HEAD"):
        return _unknown()
    return web.HTTPFound("/pair" if request.path_qs == "/" else f"/pair?to={quote(request.path_qs, safe='')}")


def _unknown() -> Refused:
    refused = Refused(401, "not_paired", "this device was not let in: open /pair, or send a token as Authorization")
    refused.headers["WWW-Authenticate"] = "Bearer"
    return refused


def is_local(request: web.Request) -> bool:
    """True if it comes over the socket of the command line (``localsocket``): whoever can open that may do
    everything."""
    sock = request.get_extra_info("socket")
    return sock is not None and sock.family == LOCAL_FAMILY


def _local_refusal(request: web.Request) -> str | None:
    """No browser can open that socket: where one speaks there, a proxy stands between, and would let everybody in."""
    is_passed_on = any(name.lower().startswith(_BY_PROXY) for name in request.headers)
    if is_passed_on or request.headers.get("Host") != LOCAL_HOST:
        return f"this socket is for programs of this machine (Host: {LOCAL_HOST}); a proxy belongs before the HTTP port"
    return None


def _host_name(host: str) -> str | None:
    """The name in a Host header, lower case, without port and brackets; None if it is malformed."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return None
    if not parts.hostname or parts.path or parts.query or "@" in host:
        return None
    return parts.hostname.lower().rstrip(".")


def _is_address(name: str) -> bool:
    # A page that rebinds its name to us still sends that name: an address in Host was typed by a person.
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True
