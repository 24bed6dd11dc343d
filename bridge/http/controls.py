"""``/api/controls``, ``/api/holds`` and ``/api/history``: what the browser protocol does, over REST.

Who may speak to us at all is decided in ``guard``, for every request.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from bridge.errors import BadValue
from bridge.frames import holder
from bridge.history import MAX_RECORDS, History, Record
from bridge.session import Shared
from bridge.store import Entry, Origin
from bridge.view import View

from .answers import Refused, bad_request, json_answer, json_body
from .guard import check_admin, grant_of

MAX_HANDS = 1024
"""Who may hold something over REST at a time and have it ended with the leave to; the oldest is forgotten."""


class ControlRoutes:
    """The requests about controls, who holds them, and who did what."""

    def __init__(self, shared: Shared, history: History, clock: Callable[[], float]) -> None:
        self._store = shared.store
        self._frames = shared.frames
        self._views = shared.views
        self._hands = shared.hands
        self._unclaimed = shared.unclaimed
        self._history = history
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """For ``Application.add_routes``."""
        return [
            web.get("/api/controls", self._all_controls),
            web.get("/api/controls/{path:.+}", self._one_control),
            web.put("/api/controls/{path:.+}", self._put_control),
            web.post("/api/controls/{path:.+}", self._fire_control),
            web.delete("/api/controls/{path:.+}", self._forget_control),
            web.get("/api/holds", self._all_holds),
            web.post("/api/holds/{path:.+}", self._touch),
            web.delete("/api/holds/{path:.+}", self._release),
            web.get("/api/history", self._recent),
        ]

    async def _all_controls(self, request: web.Request) -> web.StreamResponse:
        store = self._store
        controls = [self._frames.control(entry) for entry in self._seen(request)]
        return json_answer({"epoch": store.epoch, "rev": store.revision, "controls": controls})

    async def _one_control(self, request: web.Request) -> web.StreamResponse:
        return self._reply(self._find(request))

    async def _put_control(self, request: web.Request) -> web.StreamResponse:
        entry = self._find(request)
        body = await json_body(request)
        if "value" not in body:
            raise bad_request("bad_message", 'send {"value": …}')
        origin = _origin(request)
        self._check_movable(request, entry, origin)
        try:
            self._store.set(entry, body["value"], origin, self._clock())
        except BadValue as exc:
            raise bad_request("bad_value", f"{entry.path}: {exc}") from exc
        self._note_hand(request, entry, origin)
        return self._reply(entry)

    async def _fire_control(self, request: web.Request) -> web.StreamResponse:
        entry = self._find(request)
        body = await json_body(request) if request.can_read_body else {}
        args = body.get("args", [])
        if not isinstance(args, list) or not all(isinstance(arg, (bool, int, float, str)) for arg in args):
            raise bad_request("bad_message", "args is a list of numbers, texts, true and false")
        origin = _origin(request)
        self._check_movable(request, entry, origin)
        try:
            self._store.trigger(entry, tuple(args), origin, self._clock())
        except BadValue as exc:
            raise bad_request("bad_value", str(exc)) from exc
        return self._reply(entry)

    async def _forget_control(self, request: web.Request) -> web.StreamResponse:
        """Remove what a page has declared; an open page may declare it again when it comes back."""
        check_admin(request)
        entry = self._find(request)
        if entry.control.owner != "page":
            raise Refused(
                403, "not_allowed", f"{entry.path} was declared by no page, it belongs to the {entry.control.owner}"
            )
        self._unclaimed.pop(entry.path, None)
        self._store.remove(entry, now=self._clock(), origin=_origin(request))
        return json_answer({"removed": entry.path})

    async def _all_holds(self, request: web.Request) -> web.StreamResponse:
        seen = self._seen(request)
        held = [(entry.path, [holder(origin) for origin in entry.holders]) for entry in seen if entry.holders]
        return json_answer({"holds": [{"path": path, "holders": holders} for path, holders in held]})

    async def _touch(self, request: web.Request) -> web.StreamResponse:
        """A hold over REST ends by DELETE, or when nothing was heard of it for the control's ``hold_timeout``."""
        entry = self._find(request)
        origin = _origin(request)
        self._check_movable(request, entry, origin)
        self._store.touch(entry, origin, self._clock())
        self._note_hand(request, entry, origin)
        return self._reply(entry)

    async def _release(self, request: web.Request) -> web.StreamResponse:
        entry = self._find(request)
        _check_hand(request)
        self._store.release(entry, _origin(request), self._clock())
        return self._reply(entry)

    async def _recent(self, request: web.Request) -> web.StreamResponse:
        """Who did what, newest first; ``?limit=`` and ``?path=`` narrow it."""
        check_admin(request)
        limit = request.query.get("limit", str(MAX_RECORDS))
        if not limit.isdecimal() or len(limit) > 6:
            raise bad_request("bad_message", "limit is a number")
        wall_s = time.time() - self._clock()
        records = self._history.latest(int(limit), request.query.get("path"))
        return json_answer({"records": [_record(record, wall_s) for record in records]})

    def _find(self, request: web.Request) -> Entry:
        """The control that is asked for. Raises Refused if there is none for this device."""
        path, view = "/" + request.match_info["path"], self._view(request)
        entry = (self._store if view is None else view).find(path)
        if entry is None:
            raise Refused(404, "unknown_control", f"no control {path}{self._views.hint(view, path)}")
        return entry

    def _view(self, request: web.Request) -> View | None:
        return self._views.of(grant_of(request))

    def _seen(self, request: web.Request) -> list[Entry]:
        view = self._view(request)
        return [entry for entry in self._store if view is None or entry.path in view.paths]

    def _check_movable(self, request: web.Request, entry: Entry, origin: Origin) -> None:
        _check_hand(request)
        if entry.control.access == "read":
            raise Refused(403, "read_only", f"{entry.path} is only shown")
        by = self._store.blocked_by(entry, origin)
        if by is not None:
            raise Refused(409, "held", f"{entry.path} is held by {by.shown}")

    def _note_hand(self, request: web.Request, entry: Entry, origin: Origin) -> None:
        """Remember by whose leave it holds this, if it does: that may be taken back."""
        if origin not in entry.holders:
            return
        self._hands.pop(origin, None)
        if len(self._hands) >= MAX_HANDS:
            holding = {holder for one in self._store for holder in one.holders}
            for gone in [hand for hand in self._hands if hand not in holding] or [next(iter(self._hands))]:
                del self._hands[gone]
        self._hands[origin] = grant_of(request)

    def _reply(self, entry: Entry) -> web.Response:
        return json_answer({"epoch": self._store.epoch, "rev": self._store.revision, **self._frames.control(entry)})


def _check_hand(request: web.Request) -> None:
    if grant_of(request).role == "view":
        raise Refused(403, "not_allowed", "this device may only watch")


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
    address = request.remote or "this machine"
    return Origin("rest", f"{client} at {address}" if client else address)
