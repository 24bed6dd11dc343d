"""`/healthz`, `/metrics` and what a dashboard is told, of a running bridge; read with Prometheus' own parser."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from bridge.access import Grant
from bridge.app import KINDS, Bridge
from bridge.config.loading import parse
from bridge.metrics import FIELDS
from bridge.osc.codec import encode_message
from tests.peers import free_udp_port
from tests.waiting import SOON_S

CONFIG = """
[http]
host = "127.0.0.1"
port = 0

[auth]
mode = "open"

[[osc]]
name = "max"
listen = "127.0.0.1:{listen}"
send = ["127.0.0.1:{send}"]

[[osc]]
name = "pd"
listen = "127.0.0.1:0"
send = ["127.0.0.1:{send}"]

[[control]]
path = "/fader"
"""


class Show:
    """A bridge, and a program that speaks OSC to it."""

    def __init__(self, bridge: Bridge, program: socket.socket, listen: int, http: aiohttp.ClientSession) -> None:
        self.bridge = bridge
        self.http = http
        self._program = program
        self._listen = listen

    def say(self, data: bytes) -> None:
        self._program.sendto(data, ("127.0.0.1", self._listen))

    async def get(self, path: str, **headers: str) -> tuple[str, str]:
        async with self.http.get(path, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.text(), answer.headers["Content-Type"]

    async def health(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((await self.get("/healthz"))[0])
        return found

    async def scrape(self) -> dict[str, Metric]:
        text, _ = await self.get("/metrics")
        return {family.name: family for family in parse_text(text)}

    async def moves_until_measured(self, way: str) -> dict[str, Any]:
        """Move the fader until that was measured; health then."""
        value = 0.0
        async with asyncio.timeout(SOON_S):
            while True:
                value = (value + 0.013) % 1
                self.say(encode_message("/fader", (value,)))
                await asyncio.sleep(0.01)
                health = self.bridge.health()
                if way in health["latency_ms"]:
                    return health


@pytest.fixture
async def show(tmp_path: Path) -> AsyncIterator[Show]:
    listen = free_udp_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program:
        program.bind(("127.0.0.1", 0))
        text = CONFIG.format(listen=listen, send=program.getsockname()[1])
        config = await asyncio.to_thread(parse, text, KINDS, tmp_path, str(tmp_path / "config.toml"))
        async with (
            Bridge(config, state=tmp_path) as bridge,
            aiohttp.ClientSession(f"http://127.0.0.1:{bridge.http_port}") as http,
        ):
            yield Show(bridge, program, listen, http)


def value(families: dict[str, Metric], name: str, **labels: str) -> float:
    samples = (one for family in families.values() for one in family.samples)
    return next(one.value for one in samples if one.name == name and one.labels == labels)


async def test_messages_and_drops_are_counted_by_peer(show: Show) -> None:
    show.say(encode_message("/fader", (0.25,)))
    show.say(encode_message("/no/such", (0.25,)))
    show.say(b"/garbage\0")
    async with asyncio.timeout(SOON_S):
        while show.bridge.health()["peers"][0]["received"] < 3:
            await asyncio.sleep(0.01)
    families = await show.scrape()
    assert value(families, "stagebridge_messages_received_total", port="osc", peer="max") == 3
    assert value(families, "stagebridge_messages_sent_total", port="osc", peer="pd") >= 1
    for cause in ("bad", "unknown"):
        assert value(families, "stagebridge_drops_total", port="osc", peer="max", cause=cause) == 1
    assert value(families, "stagebridge_peer_online", port="osc", peer="max") == 1
    assert value(families, "stagebridge_peer_online", port="osc", peer="pd") == 0
    assert value(families, "stagebridge_state_saved") == 1
    assert families["process_resident_memory_bytes"].samples[0].value > 10e6


async def test_names_and_types_are_what_prometheus_expects(show: Show) -> None:
    text, content_type = await show.get("/metrics")
    assert content_type.startswith("text/plain; version=")
    for family in parse_text(text):
        assert family.documentation, family.name
        assert re.fullmatch("(stagebridge|process|python)_[a-z_]+", family.name), family.name
        if family.type == "counter":
            assert all(one.name.endswith(("_total", "_created")) for one in family.samples), family.name
        else:
            assert not family.name.endswith("_total"), family.name
        if family.type == "histogram":
            assert family.name.endswith("_seconds")
        assert "milli" not in family.name
    openmetrics, content_type = await show.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert len(list(parse_openmetrics(openmetrics))) >= 30


async def test_a_move_is_measured_from_socket_to_socket(show: Show) -> None:
    health = await show.moves_until_measured("osc to osc")
    assert 0 < health["latency_ms"]["osc to osc"]["max"] < 1000
    families = await show.scrape()
    count = value(families, "stagebridge_latency_seconds_count", source="osc", destination="osc")
    assert count >= 1
    ends = [
        (float(one.labels["le"]), one.value)
        for one in families["stagebridge_latency_seconds"].samples
        if one.name.endswith("_bucket") and (one.labels["source"], one.labels["destination"]) == ("osc", "osc")
    ]
    assert ends == sorted(ends)
    assert ends[-1][1] >= count
    assert value(families, "stagebridge_loop_lag_seconds_count") >= 1


async def test_a_dashboard_is_told_the_last_minutes_and_then_each_second(show: Show) -> None:
    async with show.http.ws_connect("/ws", protocols=("stagebridge.v1",)) as socket:
        await socket.send_json({"type": "hello", "name": "dashboard", "acks": False})
        await socket.send_json({"type": "subscribe", "what": ["metrics"]})
        health = await show.moves_until_measured("osc to browser")
        assert health["clients"][0]["name"] == "dashboard"
        told: list[dict[str, Any]] = []
        async with asyncio.timeout(SOON_S):
            while len(told) < 2:
                message = await socket.receive_json()
                if message["type"] == "metrics":
                    told.append(message)
        assert told[0]["fields"] == list(FIELDS)
        assert [len(one["rows"]) for one in told[1:]] == [1]
        assert told[1]["rows"][0][0] > told[0]["rows"][-1][0]
        assert told[1]["health"]["clients"] == 1
        assert [peer["name"] for peer in told[1]["health"]["peers"]] == ["max", "pd"]
        assert show.bridge.hub.shared.metrics.watchers == 1
    async with asyncio.timeout(SOON_S):
        while show.bridge.hub.shared.metrics.watchers:
            await asyncio.sleep(0.01)


async def test_health_says_when_a_peer_was_last_heard_and_told(show: Show) -> None:
    show.say(encode_message("/fader", (0.75,)))
    async with asyncio.timeout(SOON_S):
        while show.bridge.health()["peers"][1]["sent_s_ago"] is None or not show.bridge.health()["state"]["writes"]:
            await asyncio.sleep(0.05)
    health = await show.health()
    assert health["peers"][0]["heard_s_ago"] < 10
    assert health["ports"] == [
        {"name": "osc max", "state": "open", "text": ""},
        {"name": "osc pd", "state": "open", "text": ""},
    ]
    assert (health["status"], health["reasons"]) == ("ok", [])
    assert health["state"]["written_s_ago"] < 60
    assert health["loop_lag_ms"]["count"] > 0


async def test_metrics_are_for_admins(tmp_path: Path) -> None:
    text = '[http]\nhost = "127.0.0.1"\nport = 0\n[auth]\nmode = "token"\n'
    config = await asyncio.to_thread(parse, text, KINDS, tmp_path, str(tmp_path / "config.toml"))
    async with (
        Bridge(config, state=tmp_path) as bridge,
        aiohttp.ClientSession(f"http://127.0.0.1:{bridge.http_port}") as http,
    ):
        answers = {"": 401}
        for role, status in (("view", 403), ("control", 403), ("admin", 200)):
            answers[bridge.pairing.add(role, Grant(role))[1]] = status  # type: ignore[arg-type]
        for token, status in answers.items():
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            async with http.get("/metrics", headers=headers) as answer:
                assert answer.status == status
                assert ("stagebridge_info" in await answer.text()) == (status == 200)
            async with http.get("/healthz", headers=headers) as answer:
                assert (await answer.json() == {"status": "ok"}) == (status != 200)
