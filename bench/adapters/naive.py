"""What everybody writes first: aiohttp and python-osc, a loop of ``send_str``. Run, it is the server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys

if __name__ != "__main__":
    from . import Adapter, Browser, Plan, python, wire

    class Naive(Adapter):
        name = "naive"
        title = "naive (aiohttp + python-osc)"
        can = frozenset({"osc in", "osc out", "peers", "state"})

        def command(self, plan: Plan) -> list[str]:
            return python(__file__, str(plan.http_port), str(plan.osc_in), str(plan.osc_out))

        def heard(self, browser: Browser, payload: bytes | bytearray, now: float) -> None:
            path, value = json.loads(payload)
            browser.saw(int(path[15:19]), round(value), now)

        def move(self, browser: Browser, control: int, step: int, now: float) -> None:
            browser.send(json.dumps([wire.path(control), step]).encode())


async def main(http_port: int, osc_in: int, osc_out: int) -> None:
    from aiohttp import web
    from pythonosc.dispatcher import Dispatcher
    from pythonosc.osc_server import AsyncIOOSCUDPServer
    from pythonosc.udp_client import SimpleUDPClient

    sockets: set[web.WebSocketResponse] = set()
    values: dict[str, float] = {}
    tasks: set[asyncio.Task[None]] = set()
    out = SimpleUDPClient("127.0.0.1", osc_out)

    async def tell(path: str, value: float, apart_from: web.WebSocketResponse | None = None) -> None:
        values[path] = value
        text = json.dumps([path, value])
        for socket in list(sockets):
            if socket is not apart_from:
                with contextlib.suppress(ConnectionError):
                    await socket.send_str(text)

    def heard(path: str, *args: float) -> None:
        task = asyncio.ensure_future(tell(path, args[0]))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        for path, value in values.items():
            await socket.send_str(json.dumps([path, value]))
        sockets.add(socket)
        try:
            async for message in socket:
                path, value = json.loads(message.data)
                out.send_message(path, float(value))
                await tell(path, value, socket)
        finally:
            sockets.discard(socket)
        return socket

    dispatcher = Dispatcher()
    dispatcher.set_default_handler(heard)
    server = AsyncIOOSCUDPServer(("127.0.0.1", osc_in), dispatcher, asyncio.get_running_loop())  # type: ignore[arg-type]
    await server.create_serve_endpoint()
    app = web.Application()
    app.add_routes([web.get("/ws", handle)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", http_port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
