"""Who may do what, as attacks over real sockets: by WebSocket and by REST, on others' pages and behind the controls."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.access import Access, Grant
from bridge.app import KINDS, Bridge
from bridge.config.loading import load
from bridge.control import Control
from bridge.store import Origin
from tests.server import Client, Server

from .test_view import surface

VIEW, CONTROL, ADMIN = "view", "control", "admin"
ANNA, CROWD = "anna", "crowd"
GRANTS = {
    VIEW: Grant("view", device="d1"),
    CONTROL: Grant("control", device="d2"),
    ADMIN: Grant("admin", device="d3"),
    ANNA: Grant("control", access="Anna", device="d4"),
    CROWD: Grant("view", access="Crowd", device="d5"),
}
OSC = Origin("osc", "max")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    pages = tmp_path / "pages"
    pages.mkdir()
    for name in ("anna.html", "ben.html"):
        (pages / name).write_text("<!doctype html><title>page</title>")
    async with Server.start(tmp_path, pages) as server:
        for path in ("/anna/level", "/ben/level"):
            server.store.add(Control(path=path), now=0.0)
        for path in ("/anna/go", "/ben/go"):
            server.store.add(Control(path=path, kind="trigger"), now=0.0)
        server.store.set_surface(surface(Anna=["/anna/level", "/anna/go"], Ben=["/ben/level", "/ben/go"]), now=0.0)
        pages_of_anna = ("Anna", "anna.html")
        accesses = (Access("Anna", "control", pages_of_anna), Access("Crowd", "view", pages_of_anna))
        server.hub.shared.views.configure({access.name: access for access in accesses}, {})
        server.grants = GRANTS
        server.hub.shared.admit = GRANTS.get
        yield server


class Rest:
    """Requests of a device."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def __call__(self, who: str, method: str, path: str, **body: Any) -> tuple[int, Any]:
        asked = self._session.request(method, path, json=body or None, headers={"X-Test-Grant": who})
        async with asked as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def rest(server: Server) -> AsyncIterator[Rest]:
    async with aiohttp.ClientSession(server.url) as session:
        yield Rest(session)


async def refusals(client: Client, count: int) -> list[str]:
    return [(await client.hear_until("error"))["code"] for _ in range(count)]


async def test_a_watcher_moves_nothing_over_a_websocket(server: Server) -> None:
    level = server.store.get("/anna/level")
    before, sequence = len(server.store), server.store.trigger_sequence
    for who in (VIEW, CROWD):
        async with Client.connect(server.ws_url, token=who) as client:
            assert client.welcome["role"] == "view"
            await client.say("touch", ids=[level.id])
            await client.say("set", n=1, values=[[level.id, 0.9]])
            await client.say("trigger", n=2, id="/anna/go")
            await client.say("declare", controls=[{"path": "/mine"}])
            await client.say("subscribe", what=["monitor"])
            await client.say("learn", id=level.id)
            await client.say("forget", bindings=[1])
            assert await refusals(client, 7) == ["not_allowed"] * 7
    assert (level.value, level.holders, len(server.store)) == (0.0, {}, before)
    assert server.store.trigger_sequence == sequence
    assert not server.hub.shared.monitor.is_watched


async def test_a_watcher_moves_nothing_over_rest(server: Server, rest: Rest) -> None:
    level = server.store.get("/anna/level")
    for who in (VIEW, CROWD):
        for method, path, body in (
            ("PUT", "/api/controls/anna/level", {"value": 0.9}),
            ("POST", "/api/controls/anna/go", {}),
            ("POST", "/api/holds/anna/level", {}),
            ("DELETE", "/api/holds/anna/level", {}),
        ):
            status, answer = await rest(who, method, path, **body)
            assert (status, answer["error"]) == (403, "not_allowed")
        status, answer = await rest(who, "GET", "/api/controls/anna/level")
        assert (status, answer["value"]) == (200, 0.0)
    assert (level.value, level.holders, server.store.trigger_sequence) == (0.0, {}, 0)


async def test_only_admins_look_behind_the_controls(server: Server, rest: Rest) -> None:
    for who in (VIEW, CONTROL, ANNA, CROWD):
        for method, path in (
            ("GET", "/api/history"),
            ("GET", "/api/history?path=/ben/level"),
            ("GET", "/api/peers"),
            ("GET", "/api/peers/max"),
            ("GET", "/api/learnt"),
            ("POST", "/api/peers/max/push"),
            ("POST", "/api/peers/max/send"),
        ):
            status, answer = await rest(who, method, path)
            assert (status, answer["error"]) == (403, "not_allowed"), path
        assert await rest(who, "GET", "/healthz") == (200, {"status": "ok"})
    assert (await rest(ADMIN, "GET", "/api/history"))[0] == 200
    assert (await rest(ADMIN, "GET", "/api/peers"))[0] == 200
    assert (await rest(ADMIN, "POST", "/api/peers/max/send", address="/x"))[1]["error"] == "unknown_peer"
    assert set((await rest(ADMIN, "GET", "/healthz"))[1]) > {"status"}


async def test_what_others_have_does_not_exist_over_rest(server: Server, rest: Rest) -> None:
    ben = server.store.get("/ben/level")
    server.store.touch(ben, OSC, 0.0)
    server.store.touch(server.store.get("/anna/level"), OSC, 0.0)
    for who in (ANNA, CROWD):
        _, answer = await rest(who, "GET", "/api/controls")
        assert [control["path"] for control in answer["controls"]] == ["/anna/level", "/anna/go"]
        _, answer = await rest(who, "GET", "/api/holds")
        assert [hold["path"] for hold in answer["holds"]] == ["/anna/level"]
        for method, path, body in (
            ("GET", "/api/controls/{}/level", {}),
            ("PUT", "/api/controls/{}/level", {"value": 0.9}),
            ("POST", "/api/controls/{}/go", {}),
            ("POST", "/api/holds/{}/level", {}),
            ("DELETE", "/api/holds/{}/level", {}),
        ):
            status, answer = await rest(who, method, path.format("ben"), **body)
            missing = await rest(who, method, path.format("zen"), **body)
            assert (status, answer["error"]) == (404, "unknown_control")
            assert (status, {**answer, "message": answer["message"].replace("/ben/", "/zen/")}) == missing
    assert (ben.value, list(ben.holders), server.store.trigger_sequence) == (0.0, [OSC], 0)
    assert (await rest(ANNA, "PUT", "/api/controls/anna/level", value=0.5))[1]["value"] == 0.5


async def test_files_of_others_pages_do_not_exist(server: Server) -> None:
    async with aiohttp.ClientSession(server.url) as session:

        async def get(who: str, path: str) -> tuple[int, str]:
            async with session.get(path, headers={"X-Test-Grant": who}) as answer:
                return answer.status, await answer.text()

        for who in (ANNA, CROWD):
            assert (await get(who, "/pages/anna.html"))[0] == 200
            assert await get(who, "/pages/ben.html") == await get(who, "/pages/zen.html")
            listing = (await get(who, "/pages/"))[1]
            assert ("anna.html" in listing, "ben.html" in listing) == (True, False)
        assert (await get(CONTROL, "/pages/ben.html"))[0] == 200


async def test_a_limited_device_hears_and_reaches_nothing_of_others(server: Server) -> None:
    store = server.store
    anna, ben, go = (store.get(path) for path in ("/anna/level", "/ben/level", "/ben/go"))
    meter = store.add(Control(path="/ben/meter", kind="meter"), now=0.0)
    async with (
        Client.connect(server.ws_url, token=ANNA) as client,
        Client.connect(server.ws_url, token=CONTROL) as other,
    ):
        assert [control["path"] for control in client.welcome["controls"]] == ["/anna/level", "/anna/go"]
        for key in (ben.id, ben.path):
            await client.say("set", n=1, values=[[key, 0.9]])
            await client.say("touch", ids=[key])
            await client.say("show", ids=[meter.id])
            await client.say("trigger", n=2, id=go.path)
            assert await refusals(client, 4) == ["unknown_control"] * 4
        await client.say("declare", controls=[{"path": "/ben/level"}])
        assert await refusals(client, 1) == ["not_allowed"]
        assert (ben.value, ben.holders, store.trigger_sequence) == (0.0, {}, 0)
        await other.say("touch", ids=[ben.id])
        await other.say("set", n=1, values=[[ben.id, 0.7]])
        await other.say("trigger", n=2, id=go.id)
        await other.hear_until("applied", n=2)
        await other.say("set", n=3, values=[[anna.id, 0.25]])
        update = await client.hear_until("update")
        assert update == {"type": "update", "rev": store.revision, "values": [[anna.id, 0.25]]}


async def test_pages_that_change_hands_change_the_devices_at_once(server: Server) -> None:
    views = server.hub.shared.views
    async with Client.connect(server.ws_url, token=ANNA) as client:
        views.configure({"Anna": Access("Anna", "control", ("Ben",))}, {})
        server.hub.regrant(lambda grant: grant)
        welcome = await client.hear_until("welcome")
        assert [control["path"] for control in welcome["controls"]] == ["/ben/level", "/ben/go"]
        views.configure({}, {})
        server.hub.regrant(lambda grant: grant)
        assert (await client.hear_until("welcome"))["controls"] == []


# In a whole bridge: from the file to the device, and after it changes

SHOW = """
[http]
host = "127.0.0.1"
port = 0
pages = "pages"
[auth]
mode = "token"
[state]
file = ""
[[page]]
name = "Anna"
[[page]]
name = "Ben"
[[control]]
path = "/anna/level"
page = "Anna"
[[control]]
path = "/ben/level"
page = "Ben"
[[access]]
name = "Anna"
pages = ["Anna", "mix.html"]
"""
OWN_PAGE = '<!doctype html><input class="sync" id="own"><input class="sync" type="range" data-path="{}">'


async def test_what_a_device_may_do_follows_the_file_and_the_pages(tmp_path: Path) -> None:
    pages, file = tmp_path / "pages", tmp_path / "config.toml"
    pages.mkdir()
    (pages / "mix.html").write_text(OWN_PAGE.format("/anna/level"))
    file.write_text(SHOW)

    def told(welcome: dict[str, Any]) -> list[str]:
        return sorted(control["path"] for control in welcome["controls"])

    async with Bridge(await asyncio.to_thread(load, file, KINDS)) as bridge:
        _, token = bridge.pairing.add("tablet", Grant("control", "Anna"))
        url = f"ws://127.0.0.1:{bridge.http_port}/ws"
        async with Client.connect(url, token=token) as client:
            assert (client.welcome["role"], client.welcome["view"]) == ("control", "Anna")
            assert told(client.welcome) == ["/anna/level", "/own"]
            (pages / "mix.html").write_text(OWN_PAGE.format("/ben/level"))
            headers = {"Authorization": f"Bearer {token}"}
            async with (
                aiohttp.ClientSession(f"http://127.0.0.1:{bridge.http_port}", headers=headers) as session,
                session.get("/pages/mix.html") as answer,
            ):
                assert answer.status == 200
            assert told(await client.hear_until("welcome")) == ["/anna/level", "/ben/level", "/own"]
            await asyncio.to_thread(file.write_text, SHOW.replace('"mix.html"]', '"Ben"]\nrole = "view"'))
            await bridge.reload()
            while (welcome := await client.hear_until("welcome"))["role"] != "view":
                pass
            assert told(welcome) == ["/anna/level", "/ben/level"]
            await client.say("set", n=1, values=[["/anna/level", 1]])
            assert await refusals(client, 1) == ["not_allowed"]
            await asyncio.to_thread(file.write_text, SHOW[: SHOW.index("[[access]]")])
            await bridge.reload()
            assert await client.hear_close() == 4403
        with pytest.raises(AssertionError, match="not_paired"):
            async with Client.connect(url, token=token):
                pass
