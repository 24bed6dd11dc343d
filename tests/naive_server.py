"""What everybody writes first: OSC in, one WebSocket frame per change and browser, no state, no back-pressure.

    python naive_server.py HTTP_PORT OSC_PORT

The tests of slow clients run against it too: they must fail, or they would prove nothing.
"""

import asyncio
import contextlib
import json
import sys

from aiohttp import web
from pythonosc.osc_packet import OscPacket


class Naive(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.sockets: set[web.WebSocketResponse] = set()
        self.tasks: set[asyncio.Task[None]] = set()

    def datagram_received(self, data: bytes, addr: object) -> None:
        for timed in OscPacket(data).messages:
            text = json.dumps({"path": timed.message.address, "value": timed.message.params[0]})
            task = asyncio.ensure_future(self._tell(text))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _tell(self, text: str) -> None:
        for socket in tuple(self.sockets):
            with contextlib.suppress(ConnectionError):
                await socket.send_str(text)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        self.sockets.add(socket)
        try:
            async for _ in socket:
                pass
        finally:
            self.sockets.discard(socket)
        return socket


async def main(http_port: int, osc_port: int) -> None:
    naive = Naive()
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: naive, ("127.0.0.1", osc_port))
    app = web.Application()
    app.add_routes([web.get("/ws", naive.handle)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", http_port).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
