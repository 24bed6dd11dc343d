"""SIGTERM with an audience attached: all let go, all told, all kept, and the process gone in time."""

import asyncio
import json
import signal
import socket
import time
from pathlib import Path

import pytest
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.daemon import Daemon
from tests.peers import free_udp_port

pytestmark = pytest.mark.asyncio

CLIENTS = 200
STOP_S = 5.0
CONFIG = """
[auth]
mode = "open"
[[control]]
path = "/flash"
kind = "bool"
momentary = true
[[control]]
repeat = 16
path = "/c/{{n}}"
range = [0, 100000]
[[osc]]
name = "lights"
listen = "127.0.0.1:{listen}"
send = ["127.0.0.1:{port}"]
echoes = "no"
"""


async def joined(url: str, number: int) -> ClientConnection:
    page = await connect(url, compression=None, max_queue=None, close_timeout=STOP_S)
    await page.send(json.dumps({"type": "hello", "name": f"phone {number}", "keys": "path", "acks": False}))
    assert json.loads(await page.recv())["type"] == "welcome"
    return page


async def until_closed(page: ClientConnection) -> int:
    """The code with which the daemon closes it."""
    try:
        while True:
            await page.recv()
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 0


async def test_it_ends_in_time_with_two_hundred_browsers_and_leaves_nothing_pressed_or_unsaved(
    tmp_path: Path, peer: socket.socket
) -> None:
    listen = free_udp_port()
    config = CONFIG.format(listen=listen, port=peer.getsockname()[1])
    peer.setblocking(True)
    peer.settimeout(STOP_S)

    def moved(control: int, value: float) -> bytes:
        message = OscMessageBuilder(f"/c/{control}")
        message.add_arg(value)
        dgram: bytes = message.build().dgram
        return dgram

    with Daemon.start(config, tmp_path) as daemon:
        pages = await asyncio.gather(*(joined(daemon.ws_url, number) for number in range(CLIENTS)))
        with socket.create_connection(("127.0.0.1", daemon.http_port)) as silent:  # says nothing, and reads nothing
            await pages[0].send(json.dumps({"type": "touch", "ids": ["/flash"]}))
            await pages[0].send(json.dumps({"type": "set", "n": 1, "values": [["/flash", True]]}))
            told = [OscMessage(await asyncio.to_thread(peer.recv, 65536)) for _ in range(2)]
            assert [(message.address, message.params) for message in told] == [("/flash", [0]), ("/flash", [1])]
            closings = [asyncio.create_task(until_closed(page)) for page in pages]
            for number in range(600):  # the faders move until the end, and beyond
                peer.sendto(moved(number % 16 + 1, float(number)), ("127.0.0.1", listen))
                if number == 300:
                    daemon.process.send_signal(signal.SIGTERM)
                    began = time.monotonic()
                await asyncio.sleep(0.002)
            assert await asyncio.to_thread(daemon.process.wait, STOP_S) == 0
            assert time.monotonic() - began < STOP_S
            assert set(await asyncio.gather(*closings)) == {1001}
            assert silent.recv(1) == b""
        heard = []
        peer.settimeout(0)
        try:
            while True:
                heard.append(OscMessage(peer.recv(65536)))
        except BlockingIOError:
            pass
        assert [message.params for message in heard if message.address == "/flash"] == [[0]]
        assert "Traceback" not in daemon.stderr

    with Daemon.start(config, tmp_path) as daemon:
        assert min(daemon.value(f"/c/{control}") for control in range(1, 17)) >= 300 - 16
        assert daemon.value("/flash") is False
