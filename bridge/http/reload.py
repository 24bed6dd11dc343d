"""``POST /api/reload``: read the configuration anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from bridge.reloading import Outcome

from .answers import json_answer
from .guard import check_admin


class ReloadRoutes:
    """The request; ``reload`` does it."""

    def __init__(self, reload: Callable[[], Awaitable[Outcome]]) -> None:
        self._reload = reload

    def routes(self) -> list[web.RouteDef]:
        """For ``Application.add_routes``."""
        return [web.post("/api/reload", self._answer)]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        check_admin(request)
        return json_answer((await self._reload()).to_json())
