"""The heart-beat on the loop that the daemon has: uvloop takes no write for a transport that is closed."""

import asyncio
from pathlib import Path

import pytest
import uvloop

from bridge.ws import Limits
from tests.server import Client, Server
from tests.waiting import eventually

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(20)]

LOOPS = {"uvloop": uvloop.new_event_loop}
ALL_THE_TIME = Limits(silent_s=0.3, ping_after_s=0.0, check_s=0.0)


async def test_a_browser_that_goes_between_two_beats_stops_none(tmp_path: Path) -> None:
    async with Server.start(tmp_path, limits=ALL_THE_TIME) as server, Client.connect(server.ws_url):
        (connection,) = server.hub._connections.values()
        connection.abort()  # a beat comes before what the loop does then
        await eventually(lambda: len(server.hub) == 0)
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        await eventually(lambda: len(server.hub) == 1)
        await eventually(lambda: len(server.hub) == 0)  # it never answers, and is dropped
        writer.close()
