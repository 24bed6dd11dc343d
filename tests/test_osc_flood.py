"""More than a stage ever sends, and what the kernel drops when that is more than fits."""

import asyncio
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import uvloop

from bridge.osc.codec import encode_message

from .daemon import Daemon
from .fakes import flood
from .peers import free_udp_port
from .test_osc import Bridge, level
from .waiting import SOON_S

LOOPS = {"uvloop": uvloop.new_event_loop}
pytestmark = pytest.mark.alone
CONTROLS, RATE, SECONDS = 256, 20_000, 10
CONFIG = """
[[osc]]
name = "flood"
listen = "127.0.0.1:{udp_port}"

[[control]]
repeat = {controls}
path = "/c/{{n0}}"
"""


def health(daemon: Daemon) -> dict[str, Any]:
    """Of its one peer."""
    peer: dict[str, Any] = daemon.request("GET", "/healthz")[1]["peers"][0]
    return peer


@pytest.mark.timeout(60)
def test_20_000_messages_a_second_for_10_s_into_256_controls_lose_none(tmp_path: Path) -> None:
    udp_port, total = free_udp_port(), RATE * SECONDS
    with Daemon.start(CONFIG.format(udp_port=udp_port, controls=CONTROLS), tmp_path) as daemon:
        command = [sys.executable, flood.__file__, *map(str, (udp_port, CONTROLS, RATE, SECONDS))]
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=40).stdout
        sent, took_s = int(said.split()[0]), float(said.split()[1])
        assert sent == total
        assert took_s < SECONDS * 1.5
        deadline = time.monotonic() + SOON_S
        while (peer := health(daemon))["received"] < total and time.monotonic() < deadline:
            time.sleep(0.02)
        assert (peer["received"], peer["dropped"], peer["bad"]) == (total, 0, 0)
        assert peer["receive_buffer"] >= 1 << 20
        controls = {each["path"]: each["value"] for each in daemon.request("GET", "/api/controls")[1]["controls"]}
    last = {number % CONTROLS: flood.value_of(number, total) for number in range(total - CONTROLS, total)}
    assert {n: controls[f"/c/{n}"] for n in range(CONTROLS)} == last


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_what_a_receive_buffer_that_is_too_small_drops_is_counted_and_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bridge = Bridge(level())
    async with bridge.running(bridge.peer()) as (port,):
        assert port.health()[0]["dropped"] == 0
        sock = port._carrier.sock  # type: ignore[union-attr]
        assert sock is not None
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            for number in range(1000):  # nobody reads meanwhile
                other.sendto(encode_message("/level", (number / 1000,)), ("127.0.0.1", port.udp_port or 0))
        async with asyncio.timeout(SOON_S):
            while port.health()[0]["received"] + port.health()[0]["dropped"] < 1000 or not caplog.messages:
                await asyncio.sleep(0.005)
        health = port.health()[0]
        assert 0 < health["received"] < 200
        assert health["received"] + health["dropped"] == 1000
        assert health["receive_buffer"] == 16384  # Linux says twice what was asked
    told = f"osc max: {health['dropped']} datagrams were dropped, more came at once than fit into 16384 bytes"
    assert [message.partition(":")[0] for message in caplog.messages] == ["osc max"]
    assert caplog.messages[0].startswith(told)
