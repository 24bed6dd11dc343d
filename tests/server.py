"""Our HTTP and WebSocket server inside a test, on a free port of 127.0.0.1, around a store in the test's hands."""

import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn, Self

from aiohttp import web
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bridge.access import Grant
from bridge.errors import UnknownPeer
from bridge.frames import Frames
from bridge.history import History
from bridge.http.controls import ControlRoutes
from bridge.http.door import Door
from bridge.http.guard import GRANT, Guard, Handler
from bridge.http.limits import HttpLimits
from bridge.http.peers import PeerRoutes
from bridge.http.site import Site
from bridge.refusals import Refusals
from bridge.session import Shared
from bridge.store import Store
from bridge.ws import Hub, Limits


class NoPeers:
    """A configuration without peers."""

    def peers(self) -> list[dict[str, Any]]:
        return []

    def peer_in_full(self, name: str) -> NoReturn:
        self.peer(name)

    def peer(self, name: str) -> NoReturn:
        raise UnknownPeer(f"no peer {name}")


class Server:
    """A store, its hub and its site, served at ``url``."""

    def __init__(
        self, web_dir: Path, pages_dir: Path | None, limits: Limits | None = None, http: HttpLimits | None = None
    ) -> None:
        self.store = Store("e1")
        self.refusals = Refusals()
        self.hub = Hub(Shared(self.store, Frames(self.store), "Test", "0"), limits, refusals=self.refusals)
        self.hub.http_limits = http or HttpLimits()
        self.door = Door(http or HttpLimits(), self.refusals, self.hub.limits.client_timeout_s)
        self.history = History()
        self.store.subscribe(self.history.note)
        controls = ControlRoutes(self.hub.shared, self.history, time.monotonic)
        self.site = Site(
            Guard(lambda: ["localhost", "foh.local"], refusals=self.refusals),
            self.door,
            web_dir=web_dir,
            pages_dir=pages_dir,
            socket=self.hub.handle,
            page_edited=self._page_edited,
            may_open=self.hub.shared.views.may_open,
            health=lambda: {"status": "ok", "name": "Test"},
            routes=(*controls.routes(), *PeerRoutes(NoPeers()).routes()),
        )
        self.port = 0
        self.grants: Mapping[str, Grant] = {}
        """What whoever shows one of these words in ``X-Test-Grant`` may do."""
        self.edited: list[tuple[str, str]] = []

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        web_dir: Path,
        pages_dir: Path | None = None,
        limits: Limits | None = None,
        http: HttpLimits | None = None,
    ) -> AsyncIterator[Self]:
        """Serve until the block ends."""
        server = cls(web_dir, pages_dir, limits, http)
        async with server.hub.running():
            application = server.site.application()
            application.middlewares.append(server._granted)
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            assert runner.server is not None
            with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
                listener.setblocking(False)
                server.port = listener.getsockname()[1]
                try:
                    async with server.door.open(runner.server, listener):
                        yield server
                finally:
                    await server.hub.close()
                    await runner.cleanup()

    @web.middleware
    async def _granted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if (grant := self.grants.get(request.headers.get("X-Test-Grant", ""))) is not None:
            request[GRANT] = grant
        return await handler(request)

    async def _page_edited(self, page: str, html: str) -> None:
        self.edited.append((page, html))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"


class Client:
    """A browser's end of the protocol over the ``websockets`` library."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.welcome: dict[str, Any] = {}
        self.values: dict[int, Any] = {}
        self.applied = 0

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str, **hello: Any) -> AsyncIterator[Self]:
        """Connect, say hello, wait for the welcome."""
        async with connect(url, compression=None, proxy=None) as socket:
            client = cls(socket)
            await client.say("hello", **{"name": "test", **hello})
            client.welcome = await client.hear()
            assert client.welcome["type"] == "welcome", client.welcome
            yield client

    async def say(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def hear(self) -> dict[str, Any]:
        """The next message; values are remembered, updates acknowledged."""
        message: dict[str, Any] = json.loads(await self.socket.recv())
        self.values.update(message.get("values", []))
        self.applied = message.get("n", self.applied) if message["type"] == "applied" else self.applied
        if message["type"] in ("welcome", "update"):
            with contextlib.suppress(Exception):
                await self.say("ack", rev=message["rev"])
        return message

    async def hear_until(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Messages until one of this type with these fields."""
        while True:
            message = await self.hear()
            if message["type"] == kind and all(message.get(name) == value for name, value in fields.items()):
                return message

    async def hear_value(self, control_id: int, value: Any) -> None:
        """Messages until this control has this value."""
        while self.values.get(control_id) != value:
            await self.hear()

    async def hear_close(self) -> int | None:
        """Messages until the server closes; its close code, None if it sent none."""
        try:
            while True:
                await self.hear()
        except ConnectionClosed as exc:
            return exc.rcvd.code if exc.rcvd else None
