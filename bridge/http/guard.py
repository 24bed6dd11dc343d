"""Whom the HTTP interface answers: by Host and Origin, and by what a device was granted.

Here: the one middleware that every request passes. Not here: routes (``http``), what a grant allows (``access``).
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import quote

from aiohttp import web

from bridge.access import EVERYTHING, HERE, Grant
from bridge.allowance import counted
from bridge.localsocket import HOST as LOCAL_HOST
from bridge.log import OncePer
from bridge.refusals import Refusals

from .answers import REFUSALS, Refused, error_answer
from .forwarded import BY_PROXY
from .origin import NO_ORIGIN, Origins, Refusal, is_public_file

log = logging.getLogger(__name__)

LOCAL_FAMILY = getattr(socket, "AF_UNIX", None)
_BY_BROWSER = ("origin", "sec-fetch-", "cookie", "referer")
NOTHING = "default-src 'none'; frame-ancestors 'none'"
"""Content-Security-Policy of whatever is no page."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """Decides for each request; ``middleware`` is aiohttp's."""

    def __init__(
        self,
        names: Callable[[], Iterable[str]],
        admit: Callable[[web.Request], Grant | None] = lambda request: EVERYTHING,
        prolong: Callable[[web.Request, web.StreamResponse], None] = lambda request, response: None,
        *,
        admit_page: Callable[[str], Grant | None] = lambda ticket: None,
        refusals: Refusals | None = None,
    ) -> None:
        """``names()`` are what we are called. ``admit`` says what whoever asks may do, None where it was not let in;
        ``prolong`` is handed every page that goes to one that was. ``admit_page`` says what a ticket is worth."""
        self.origins = Origins(names)
        self._admit, self._prolong, self._admit_page = admit, prolong, admit_page
        self._refusals = refusals or Refusals()
        self._once = OncePer(log)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what a foreign page in somebody's browser could make it send (rebinding, cross-site)."""
        is_here = is_local(request)
        refusal = _local_refusal(request) if is_here else self._refusal(request)
        if refusal is not None:
            cause, why = refusal
            self._refusals.count(cause)
            self._once.warning(
                (counted(request.remote or ""), "refused"), "refused a browser at %s: %s", request.remote, why
            )
            return error_answer(403, "not_allowed", why)
        if (preflight := _preflight(request)) is not None:
            return _for_anyone(preflight)
        grant = HERE if is_here else self._grant(request)
        if grant is not None:
            request[GRANT] = grant
        try:
            if grant is None and not is_public(request.path):
                raise _not_paired(request)
            response = await handler(request)
        except web.HTTPException as exc:
            if exc.status >= 400 and request.path.startswith((*_OF_PROGRAMS, "/healthz")):
                response = self._api_error(request, exc)
            else:
                response = exc
        if not response.prepared:
            if is_public_file(request.path) or request.headers.get("Origin") == NO_ORIGIN:
                _for_anyone(response)
            if grant is not None and not is_here and _is_page(request, response):
                self._prolong(request, response)
            response.headers.setdefault("X-Content-Type-Options", "nosniff")
            response.headers.setdefault("Referrer-Policy", "no-referrer")
            response.headers.setdefault("Cache-Control", "no-store")
            response.headers.setdefault("Content-Security-Policy", NOTHING)
        if isinstance(response, web.HTTPException):
            raise response
        return response

    def _api_error(self, request: web.Request, exc: web.HTTPException) -> web.Response:
        """Every refusal of the API in the same form, aiohttp's own too."""
        code, message = REFUSALS.get(exc.status, "bad_message"), exc.text or exc.reason
        if isinstance(exc, Refused):
            code, message = exc.code, exc.message
        cause = (counted(request.remote or ""), "api", code)
        asker = request.remote or "this machine"
        self._once.warning(cause, "REST from %s: %.20s %s: %.200s", asker, request.method, code, message)
        answer = error_answer(exc.status, code, message)
        for name in ("Allow", "Retry-After", "WWW-Authenticate"):
            if name in exc.headers:
                answer.headers[name] = exc.headers[name]
        return answer

    def _grant(self, request: web.Request) -> Grant | None:
        """Of a page without an origin no cookie counts, and no mode: it shows a ticket."""
        if request.headers.get("Origin") != NO_ORIGIN:
            return self._admit(request)
        scheme, _, ticket = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or (grant := self._admit_page(ticket.strip())) is None:
            return None
        return grant

    def _refusal(self, request: web.Request) -> Refusal | None:
        headers = request.headers
        return self.origins.refusal(
            headers.get("Host", ""),
            headers.get("Origin"),
            headers.get("Sec-Fetch-Site"),
            request.method,
            request.path,
        )


def _for_anyone(response: web.StreamResponse) -> web.StreamResponse:
    """A page of any origin may read it: none that is not let through here gets as far. No cookie ever counts for it."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def _preflight(request: web.Request) -> web.Response | None:
    """What a browser asks before a sandboxed page may send with its ticket."""
    if request.method != "OPTIONS" or request.headers.get("Origin") != NO_ORIGIN:
        return None
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Methods": "GET, PUT, POST, DELETE",
            "Access-Control-Allow-Headers": "Authorization, Content-Type, X-Client",
            "Access-Control-Max-Age": "600",
        },
    )


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
    """True for what everybody on the network may ask for: what the page for pairing and sandboxed pages are made of."""
    return path in _PUBLIC or is_public_file(path)


def _is_page(request: web.Request, response: web.StreamResponse) -> bool:
    """Whether a page is answered, though it be the one that the browser has already."""
    if response.status == 304:
        return not is_public(request.path)
    return response.status == 200 and response.content_type == "text/html"


_OF_PROGRAMS = ("/api/", "/metrics")
_PUBLIC = frozenset({"/pair", "/api/pair", "/ws", "/healthz"})


def _not_paired(request: web.Request) -> web.HTTPException:
    """A person who asks for a page is sent where a code can be typed, and comes back; a program is told."""
    if request.path.startswith(_OF_PROGRAMS) or request.method not in ("GET", "HEAD"):
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


def _local_refusal(request: web.Request) -> Refusal | None:
    """No browser can open that socket: where one speaks there, a proxy stands between, and would let everybody in."""
    is_passed_on = any(name.lower().startswith((*BY_PROXY, *_BY_BROWSER)) for name in request.headers)
    if is_passed_on or request.headers.get("Host") != LOCAL_HOST:
        why = f"this socket is for programs of this machine (Host: {LOCAL_HOST}); a proxy belongs before the HTTP port"
        return "host", why
    return None
