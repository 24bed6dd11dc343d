"""The one aiohttp application: pages, ``/ws``, health, and what others bring, on one port.

Here: pages, their caching and compression, and the routes together. Not here: whom we answer (``guard``), REST
(``controls``, ``peers``), the WebSocket behind ``/ws`` (``app`` hands its handler in), files (``assets``).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web

from bridge.access import Grant
from bridge.assets import Asset, Assets

from .answers import SERVER, json_answer
from .door import Door
from .guard import GRANT, Guard, Handler

MAX_BODY_BYTES = 64 * 1024

SURFACE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "manifest-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""Content-Security-Policy of our own pages: no inline script or style, nothing from elsewhere. The sockets' schemes
stand there because Safari before 15.4 does not take them for 'self'."""

SANDBOX = (
    "sandbox allow-scripts allow-forms allow-modals allow-downloads allow-popups allow-popups-to-escape-sandbox "
    "allow-pointer-lock allow-orientation-lock allow-presentation; frame-ancestors 'self'"
)
"""… and of people's own: whatever they like inline, but no origin, so neither a device's cookie nor our pages."""

TICKET = '<meta name="stagebridge-ticket" content="%s">'
_DOCTYPE = re.compile(rb"(\xef\xbb\xbf)?(\s|<!--.*?-->)*<!doctype[^>]*>", re.IGNORECASE | re.DOTALL)


class Site:
    """What the application serves, and the few rules that hold for all of it.

    ``routes`` are the REST's. ``page_edited(path, html)`` is awaited when one of people's own pages is served for the
    first time or has changed since. ``may_open(grant, file)``: whether a device that was let in may see this one.
    ``ticket(grant)`` is for such a page, on the device that has this; None: they are trusted like ours, and run without
    a sandbox.
    """

    def __init__(
        self,
        guard: Guard,
        door: Door,
        *,
        web_dir: Path,
        pages_dir: Path | None,
        socket: Handler,
        page_edited: Callable[[str, str], Awaitable[None]],
        health: Callable[[], dict[str, Any]],
        may_open: Callable[[Grant, str], bool],
        routes: Iterable[web.RouteDef],
        ticket: Callable[[Grant | None], str | None] = lambda grant: None,
    ) -> None:
        self._guard = guard
        self._door = door
        self._web = Assets(web_dir)
        self._pages = Assets(pages_dir) if pages_dir is not None else None
        self._socket = socket
        self._page_edited = page_edited
        self._page_etags: dict[str, str] = {}
        self._health = health
        self._may_open = may_open
        self._routes = tuple(routes)
        self._ticket = ticket
        self._reading = asyncio.Lock()

    def use_pages(self, folder: Path) -> None:
        """People's own pages are these from now on."""
        self._pages = Assets(folder)
        self._page_etags.clear()

    def forget_names(self) -> None:
        """We may be called otherwise from now on."""
        self._guard.origins.forget()

    def application(self) -> web.Application:
        """The aiohttp application; the caller runs it."""
        app = web.Application(
            middlewares=[self._door.middleware, self._guard.middleware], client_max_size=MAX_BODY_BYTES
        )
        app.on_response_prepare.append(_nameless)
        app.add_routes(
            [
                web.get("/ws", self._socket),
                web.get("/healthz", self._healthz),
                *self._routes,
                web.get("/pages", self._to_pages),
                web.get("/pages/{path:.*}", self._page),
                web.get("/favicon.ico", self._icon),
                web.get("/pair", self._pair),
                web.get("/{path:.*}", self._asset),
            ]
        )
        return app

    # Pages

    async def _asset(self, request: web.Request) -> web.StreamResponse:
        asset = await self._read(self._web, request.match_info["path"])
        if asset is None:
            raise web.HTTPNotFound(text="no such page; the surface is at /\n")
        return _send(request, asset, {"Content-Security-Policy": SURFACE_POLICY})

    async def _pair(self, request: web.Request) -> web.StreamResponse:
        """Where a device that was not let in types its code."""
        asset = await self._read(self._web, "pair.html")
        if asset is None:
            raise web.HTTPNotFound
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
        path, grant = request.match_info["path"], request.get(GRANT)
        if self._pages is None:
            raise web.HTTPNotFound(text='there is no page folder; set [http] pages = "pages"\n')
        asset = await self._read(self._pages, path)
        is_page = asset is not None and "html" in asset.content_type
        if asset is not None and not (
            is_page and grant is not None and not self._may_open(grant, path or "index.html")
        ):
            if is_page and self._page_etags.get(path) != asset.etag:
                self._page_etags[path] = asset.etag  # as many as there are files
                await self._page_edited(path, asset.body.decode("utf-8", "replace"))
            return self._own_page(request, asset)
        if path == "":
            names = await asyncio.to_thread(_listed, self._pages.root)
            if grant is not None:
                names = [name for name in names if self._may_open(grant, name)]
            listing = _listing(self._pages.root.name, names)
            policy = {"Content-Security-Policy": SURFACE_POLICY}
            return web.Response(text=listing, content_type="text/html", headers=policy)
        raise web.HTTPNotFound(text="no such page; those that there are stand at /pages/\n")

    def _own_page(self, request: web.Request, asset: Asset) -> web.StreamResponse:
        """A file of people's own. All of them are sandboxed: a picture may be SVG, with a script in it."""
        ticket = self._ticket(request.get(GRANT))
        if ticket is None:
            return _send(request, asset, {"Content-Security-Policy": "frame-ancestors 'self'"})
        policy = {"Content-Security-Policy": SANDBOX}
        if not asset.content_type.startswith("text/html"):
            return _send(request, asset, policy)
        body = _with_ticket(asset.body, ticket)  # of this device, for a day: not to be kept
        return web.Response(body=body, headers={**policy, "Content-Type": asset.content_type})

    async def _healthz(self, request: web.Request) -> web.StreamResponse:
        grant = request.get(GRANT)
        is_admin = grant is not None and grant.role == "admin"
        return json_answer(self._health() if is_admin else {"status": "ok"})


async def _nameless(request: web.Request, response: web.StreamResponse) -> None:
    """aiohttp says its version and Python's: what a stranger looks up first."""
    response.headers["Server"] = SERVER


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


def _with_ticket(html: bytes, ticket: str) -> bytes:
    """Behind the doctype, where no browser looks at what follows before it has read it; without one, at the top."""
    found = _DOCTYPE.match(html)
    at = found.end() if found is not None else 0
    return html[:at] + (TICKET % escape(ticket)).encode() + html[at:]


def _listed(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.glob("*.html") if not file.name.startswith("."))


def _listing(title: str, names: Iterable[str]) -> str:
    rows = "".join(f'<li><a href="{quote(name)}">{escape(name)}</a></li>' for name in names)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="stylesheet" href="/stagebridge.css"><title>pages</title><h1>{escape(title)}</h1>'
        f'<ul>{rows or "<li>no .html file here yet</li>"}</ul><p><a href="/">Surface</a></p></html>'
    )
