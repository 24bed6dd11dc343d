"""``POST /api/reload``: read the configuration anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from .httpanswers import Refused, json_answer
from .httpguard import grant_of
from .reloading import Outcome


class ReloadRoutes:
    """The request; ``reload`` does it."""

    def __init__(self, reload: Callable[[], Awaitable[Outcome]]) -> None:
        self._reload = reload

    def routes(self) -> list[web.RouteDef]:
        """For ``Application.add_routes``."""
        return [web.post("/api/reload", self._answer)]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if grant_of(request).role != "admin":
            raise Refused(403, "not_allowed", "only an admin's device may have the configuration read anew")
        return json_answer((await self._reload()).to_json())
