"""``/api/peers``: how each is, all our values to one of them, one message to one of them; and what was learnt.

All of it needs the role ``admin``. Who may speak to us at all is decided in ``guard``, for every request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from aiohttp import web

from bridge.errors import BadValue, PortError, UnknownPeer
from bridge.osc.words import typed
from bridge.port import PeerHandle

from .answers import Refused, bad_request, json_answer, json_body
from .guard import check_admin


class Peers(Protocol):
    """What the application knows of them."""

    def peers(self) -> Sequence[dict[str, Any]]:
        """What health says of each; ``mirror``; ``learnt``: the paths that it taught us."""

    def learnt(self) -> Sequence[dict[str, Any]]:
        """The bindings that were learnt: path, port, peer, and the binding as it is written."""

    def peer_in_full(self, name: str) -> dict[str, Any]:
        """The same of one, and how far each ``controls`` has come. Raises UnknownPeer, with the nearest name."""

    def peer(self, name: str) -> PeerHandle:
        """Raises UnknownPeer, with the nearest name."""


class PeerRoutes:
    """The requests about peers."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    def routes(self) -> list[web.RouteDef]:
        """For ``Application.add_routes``."""
        return [
            web.get("/api/peers", self._all),
            web.get("/api/learnt", self._learnt),
            web.get("/api/peers/{name}", self._one),
            web.post("/api/peers/{name}/push", self._push),
            web.post("/api/peers/{name}/send", self._send),
        ]

    async def _all(self, request: web.Request) -> web.StreamResponse:
        check_admin(request)
        return json_answer({"peers": self._peers.peers()})

    async def _learnt(self, request: web.Request) -> web.StreamResponse:
        check_admin(request)
        return json_answer({"bindings": self._peers.learnt()})

    async def _one(self, request: web.Request) -> web.StreamResponse:
        check_admin(request)
        try:
            return json_answer(self._peers.peer_in_full(request.match_info["name"]))
        except UnknownPeer as exc:
            raise Refused(404, "unknown_peer", str(exc)) from exc

    async def _push(self, request: web.Request) -> web.StreamResponse:
        """Send it every value, at its pace."""
        peer = self._find(request)
        try:
            return json_answer({"values": peer.push()})
        except PortError as exc:
            raise Refused(409, "not_reachable", str(exc)) from exc

    async def _send(self, request: web.Request) -> web.StreamResponse:
        """Send it one message as it stands, which passes by every control's limit and every hold."""
        peer = self._find(request)
        body = await json_body(request)
        address, args, types = body.get("address"), body.get("args", []), body.get("types")
        if not isinstance(address, str) or not address.startswith("/"):
            raise bad_request("bad_message", 'send {"address": "/…", "args": […], "types": "if"}')
        if not isinstance(args, list) or not (types is None or isinstance(types, str)):
            raise bad_request("bad_message", "args is a list, types a text such as ifs")
        try:
            return json_answer({"sent": peer.send(address, typed(args, types))})
        except BadValue as exc:
            raise bad_request("bad_value", str(exc)) from exc
        except PortError as exc:
            raise Refused(409, "not_reachable", str(exc)) from exc

    def _find(self, request: web.Request) -> PeerHandle:
        check_admin(request)
        try:
            return self._peers.peer(request.match_info["name"])
        except UnknownPeer as exc:
            raise Refused(404, "unknown_peer", str(exc)) from exc
