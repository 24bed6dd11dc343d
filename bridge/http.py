"""The one aiohttp application: pages, ``/ws``, REST and health on one port.

Here: routes, who may speak to us by Host and Origin, caching and compression. Not here: the WebSocket
behind ``/ws`` (``app`` hands its handler in), the protocol, files (``assets``).
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from aiohttp import web

from .assets import Asset, Assets
from .errors import BadValue, UnknownControl
from .frames import Frames, holder
from .history import MAX_RECORDS, History, Record
from .httpanswers import REFUSALS, Refused, bad_request, error_answer, json_answer, json_body
from .httppeers import PeerRoutes
from .log import OncePer
from .store import Entry, Origin, Store

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MAX_BODY_BYTES = 64 * 1024

SURFACE_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; connect-src 'self' ws: wss:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""Content-Security-Policy of our own pages: no inline script or style, nothing from elsewhere."""


class Site:
    """What the application serves, and the few rules that hold for all of it.

    ``page_edited(path, html)`` is awaited when one of people's own pages is served for the first time or has
    changed since.
    """

    def __init__(
        self,
        store: Store,
        frames: Frames,
        *,
        web_dir: Path,
        pages_dir: Path | None,
        socket: Handler,
        page_edited: Callable[[str, str], Awaitable[None]],
        health: Callable[[], dict[str, Any]],
        history: History,
        peers: PeerRoutes,
        hosts: Iterable[str],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._frames = frames
        self._web = Assets(web_dir)
        self._pages = Assets(pages_dir) if pages_dir is not None else None
        self._socket = socket
        self._page_edited = page_edited
        self._page_etags: dict[str, str] = {}
        self._health = health
        self._history = history
        self._peers = peers
        self._hosts = frozenset(host.lower().rstrip(".") for host in hosts)
        self._clock = clock
        self._once = OncePer(log)
        self._reading = asyncio.Lock()

    def application(self) -> web.Application:
        """The aiohttp application; the caller runs it."""
        app = web.Application(middlewares=[self._guard], client_max_size=MAX_BODY_BYTES)
        app.add_routes(
            [
                web.get("/ws", self._socket),
                web.get("/healthz", self._healthz),
                web.get("/api/controls", self._all_controls),
                web.get("/api/controls/{path:.+}", self._one_control),
                web.put("/api/controls/{path:.+}", self._put_control),
                web.post("/api/controls/{path:.+}", self._fire_control),
                web.get("/api/holds", self._all_holds),
                web.post("/api/holds/{path:.+}", self._touch),
                web.delete("/api/holds/{path:.+}", self._release),
                web.get("/api/history", self._recent),
                *self._peers.routes(),
                web.get("/pages", self._to_pages),
                web.get("/pages/{path:.*}", self._page),
                web.get("/favicon.ico", self._icon),
                web.get("/{path:.*}", self._asset),
            ]
        )
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what a foreign page in somebody's browser could make it send (rebinding, cross-site)."""
        refusal = self._refusal(request)
        if refusal is not None:
            self._once.warning((request.remote, "refused"), "refused a browser at %s: %s", request.remote, refusal)
            return error_answer(403, "not_allowed", refusal)
        try:
            response = await handler(request)
        except web.HTTPException as exc:
            if exc.status >= 400 and request.path.startswith(("/api/", "/healthz")):
                response = self._api_error(request, exc)
            else:
                response = exc
        if not response.prepared:
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
        self._once.warning(cause, "REST from %s: %s %s: %s", request.remote, request.method, code, message)
        answer = error_answer(exc.status, code, message)
        if "Allow" in exc.headers:
            answer.headers["Allow"] = exc.headers["Allow"]
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

    # Pages

    async def _asset(self, request: web.Request) -> web.StreamResponse:
        asset = await self._read(self._web, request.match_info["path"])
        if asset is None:
            raise web.HTTPNotFound(text="no such page; the surface is at /\n")
        return _send(request, asset, {"Content-Security-Policy": SURFACE_POLICY})

    async def _icon(self, request: web.Request) -> web.StreamResponse:
        """Browsers ask for it on pages that name no icon, such as people's own."""
        raise web.HTTPFound("/icons/icon.svg")

    async def _read(self, assets: Assets, path: str) -> Asset | None:
        async with self._reading:  # a slow disk is not the loop's business; one reader, since the cache is one
            return await asyncio.to_thread(assets.find, path)

    async def _to_pages(self, request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/pages/")

    async def _page(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        if self._pages is None:
            raise web.HTTPNotFound(text='there is no page folder; set [http] pages = "pages"\n')
        asset = await self._read(self._pages, path)
        if asset is not None:
            if asset.content_type.startswith("text/html") and self._page_etags.get(path) != asset.etag:
                self._page_etags[path] = asset.etag  # as many as there are files
                await self._page_edited(path, asset.body.decode("utf-8", "replace"))
            return _send(request, asset, {})
        if path == "":
            listing = await asyncio.to_thread(_listing, self._pages.root)
            return web.Response(text=listing, content_type="text/html")
        raise web.HTTPNotFound(text="no such page; those that there are stand at /pages/\n")

    # REST

    async def _all_controls(self, request: web.Request) -> web.StreamResponse:
        store = self._store
        controls = [self._frames.control(entry) for entry in store]
        return json_answer({"epoch": store.epoch, "rev": store.revision, "controls": controls})

    async def _one_control(self, request: web.Request) -> web.StreamResponse:
        return self._reply(self._find(request))

    async def _put_control(self, request: web.Request) -> web.StreamResponse:
        entry = self._find(request)
        body = await json_body(request)
        if "value" not in body:
            raise bad_request("bad_message", 'send {"value": …}')
        origin = _origin(request)
        self._check_movable(entry, origin)
        try:
            self._store.set(entry, body["value"], origin, self._clock())
        except BadValue as exc:
            raise bad_request("bad_value", f"{entry.path}: {exc}") from exc
        return self._reply(entry)

    async def _fire_control(self, request: web.Request) -> web.StreamResponse:
        entry = self._find(request)
        body = await json_body(request) if request.can_read_body else {}
        args = body.get("args", [])
        if not isinstance(args, list) or not all(isinstance(arg, (bool, int, float, str)) for arg in args):
            raise bad_request("bad_message", "args is a list of numbers, texts, true and false")
        origin = _origin(request)
        self._check_movable(entry, origin)
        try:
            self._store.trigger(entry, tuple(args), origin, self._clock())
        except BadValue as exc:
            raise bad_request("bad_value", str(exc)) from exc
        return self._reply(entry)

    async def _all_holds(self, request: web.Request) -> web.StreamResponse:
        held = [(entry.path, [holder(origin) for origin in entry.holders]) for entry in self._store if entry.holders]
        return json_answer({"holds": [{"path": path, "holders": holders} for path, holders in held]})

    async def _touch(self, request: web.Request) -> web.StreamResponse:
        """A hold over REST ends by DELETE, or when nothing was heard of it for the control's ``hold_timeout``."""
        entry = self._find(request)
        origin = _origin(request)
        self._check_movable(entry, origin)
        self._store.touch(entry, origin, self._clock())
        return self._reply(entry)

    async def _release(self, request: web.Request) -> web.StreamResponse:
        entry = self._find(request)
        self._store.release(entry, _origin(request), self._clock())
        return self._reply(entry)

    async def _recent(self, request: web.Request) -> web.StreamResponse:
        """Who did what, newest first; ``?limit=`` and ``?path=`` narrow it."""
        limit = request.query.get("limit", str(MAX_RECORDS))
        if not limit.isdecimal() or len(limit) > 6:
            raise bad_request("bad_message", "limit is a number")
        wall_s = time.time() - self._clock()
        records = self._history.latest(int(limit), request.query.get("path"))
        return json_answer({"records": [_record(record, wall_s) for record in records]})

    async def _healthz(self, request: web.Request) -> web.StreamResponse:
        return json_answer(self._health())

    def _find(self, request: web.Request) -> Entry:
        try:
            return self._store.get("/" + request.match_info["path"])
        except UnknownControl as exc:
            raise Refused(404, "unknown_control", str(exc)) from exc

    def _check_movable(self, entry: Entry, origin: Origin) -> None:
        if entry.control.access == "read":
            raise Refused(403, "read_only", f"{entry.path} is only shown")
        by = self._store.blocked_by(entry, origin)
        if by is not None:
            raise Refused(409, "held", f"{entry.path} is held by {by.shown}")

    def _reply(self, entry: Entry) -> web.Response:
        return json_answer({"epoch": self._store.epoch, "rev": self._store.revision, **self._frames.control(entry)})


def _send(request: web.Request, asset: Asset, headers: dict[str, str]) -> web.Response:
    # no-cache is "keep it, but ask": an update of the program reaches every tablet at its next load.
    headers = {**headers, "ETag": asset.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if asset.etag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    headers["Content-Type"] = asset.content_type
    if asset.packed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return web.Response(body=asset.packed, headers=headers)
    return web.Response(body=asset.body, headers=headers)


def _record(record: Record, wall_s: float) -> dict[str, Any]:
    """``time`` is when it began, in seconds since 1970; ``seconds`` is how long it lasted."""
    return {
        "time": round(record.began + wall_s, 3),
        "seconds": round(record.ended - record.began, 3),
        "path": record.path,
        "origin": {"kind": record.origin.kind, "name": record.origin.name, "shown": record.origin.target},
        "what": record.what,
        "before": record.before,
        "after": record.after,
        "count": record.count,
    }


def _origin(request: web.Request) -> Origin:
    """Who asks: the address, with the name in ``X-Client`` where programs at one address tell themselves apart."""
    client = "".join(char for char in request.headers.get("X-Client", "") if char.isprintable())[:64].strip()
    address = request.remote or "unknown"
    return Origin("rest", f"{client} at {address}" if client else address)


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


def _listing(folder: Path) -> str:
    names = sorted(file.name for file in folder.glob("*.html") if not file.name.startswith("."))
    rows = "".join(f'<li><a href="{quote(name)}">{escape(name)}</a></li>' for name in names)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="stylesheet" href="/stagebridge.css"><title>pages</title><h1>{escape(folder.name)}</h1>'
        f"<ul>{rows or '<li>no .html file here yet</li>'}</ul></html>"
    )
