import gzip
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from bridge.control import Control
from bridge.store import Entry, Origin
from tests.server import Server

SCRIPT = "export const answer = 42;\n" * 100


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    web, pages = tmp_path / "web", tmp_path / "pages"
    (web / "lib").mkdir(parents=True)
    pages.mkdir()
    (web / "index.html").write_text("<!doctype html><title>surface</title>")
    (web / "lib" / "client.js").write_text(SCRIPT)
    (web / ".hidden").write_text("secret")
    (pages / "sliders.html").write_text("<!doctype html><title>sliders</title>")
    (tmp_path / "secret.txt").write_text("secret")
    (pages / "link.txt").symlink_to(tmp_path / "secret.txt")
    async with Server.start(web, pages) as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(server.url, auto_decompress=False) as session:
        yield session


def add(server: Server, path: str, **fields: Any) -> Entry:
    return server.store.add(Control(path=path, **fields), now=0.0)


# Pages


async def test_the_surface_is_at_the_root(client: aiohttp.ClientSession) -> None:
    async with client.get("/") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/html"
        assert "surface" in await answer.text()
        assert "script-src 'self';" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]


async def test_text_is_compressed_and_revalidated(client: aiohttp.ClientSession) -> None:
    async with client.get("/lib/client.js", headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.headers["Cache-Control"] == "no-cache"
        assert gzip.decompress(await answer.read()).decode() == SCRIPT
        etag = answer.headers["ETag"]
    async with client.get("/lib/client.js", headers={"If-None-Match": etag}) as answer:
        assert answer.status == 304
        assert await answer.read() == b""
    async with client.get("/lib/client.js", headers={"Accept-Encoding": "identity"}) as answer:
        assert (await answer.read()).decode() == SCRIPT


async def test_an_edited_file_is_served_at_the_next_request(
    server: Server, client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with client.get("/lib/client.js") as answer:
        etag = answer.headers["ETag"]
    (tmp_path / "web" / "lib" / "client.js").write_text("changed")
    async with client.get("/lib/client.js", headers={"If-None-Match": etag}) as answer:
        assert (answer.status, await answer.text()) == (200, "changed")


async def test_a_page_without_an_icon_gets_ours(client: aiohttp.ClientSession) -> None:
    async with client.get("/favicon.ico", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "/icons/icon.svg")


async def test_peoples_own_pages_are_listed_and_served(client: aiohttp.ClientSession) -> None:
    async with client.get("/pages/") as answer:
        assert 'href="sliders.html"' in await answer.text()
    async with client.get("/pages/sliders.html") as answer:
        assert "sliders" in await answer.text()
    async with client.get("/pages") as answer:
        assert answer.url.path == "/pages/"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/pages/../secret.txt",
        "/pages/../../etc/passwd",
        "/%2e%2e/secret.txt",
        "/pages/%2e%2e/secret.txt",
        "/pages/..%2fsecret.txt",
        "/pages/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/pages/..%5csecret.txt",
        "/pages/link.txt",
        "/.hidden",
        "//etc/passwd",
        "/pages//etc/passwd",
        "/lib",
        "/lib/",
        "/nothing.html",
        "/pages/%00",
        "/" + "x" * 5000,
    ],
)
async def test_no_path_leads_out_of_the_folders(server: Server, client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(URL(server.url + path, encoded=True), allow_redirects=False) as answer:
        assert answer.status == 404
        assert b"secret" not in await answer.read()
        assert b"root:" not in await answer.read()


# REST


async def test_all_controls_are_listed_with_their_values(server: Server, client: aiohttp.ClientSession) -> None:
    fader = add(server, "/mixer/1/volume", unit="dB", range=(-90, 10), curve="db")
    add(server, "/bang", kind="trigger")
    async with client.get("/api/controls") as answer:
        body = await answer.json()
        assert answer.headers["Cache-Control"] == "no-store"
    assert (body["epoch"], body["rev"]) == ("e1", 2)
    first, second = body["controls"]
    assert (first["id"], first["path"], first["kind"], first["value"]) == (fader.id, fader.path, "float", -90)
    assert second["value"] is None


async def test_one_control_is_read_and_set(server: Server, client: aiohttp.ClientSession) -> None:
    fader = add(server, "/mixer/1/volume")
    async with client.put("/api/controls/mixer/1/volume", json={"value": 0.62}) as answer:
        assert (answer.status, (await answer.json())["value"]) == (200, 0.62)
    async with client.get("/api/controls/mixer/1/volume") as answer:
        assert (await answer.json())["value"] == 0.62
    assert fader.value == 0.62


async def test_a_trigger_is_fired_by_post(server: Server, client: aiohttp.ClientSession) -> None:
    add(server, "/bang", kind="trigger")
    heard: list[Any] = []
    server.store.subscribe(heard.extend)
    async with client.post("/api/controls/bang", json={"args": [1, "go"]}) as answer:
        assert answer.status == 200
    async with client.post("/api/controls/bang") as answer:
        assert answer.status == 200
    assert [change.args for change in heard] == [(1, "go"), ()]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("GET", "mixer/1/volum", None, 404, "unknown_control"),
        ("PUT", "nothing", {"value": 1}, 404, "unknown_control"),
        ("PUT", "mixer/1/volume", {"value": "loud"}, 400, "bad_value"),
        ("PUT", "mixer/1/volume", {"value": None}, 400, "bad_value"),
        ("PUT", "mixer/1/volume", {}, 400, "bad_message"),
        ("PUT", "mixer/1/volume", [1], 400, "bad_message"),
        ("PUT", "level", {"value": 0}, 403, "read_only"),
        ("PUT", "bang", {"value": 1}, 400, "bad_value"),
        ("POST", "mixer/1/volume", {}, 400, "bad_value"),
        ("POST", "bang", {"args": [{}]}, 400, "bad_message"),
        ("POST", "bang", {"args": 1}, 400, "bad_message"),
    ],
)
async def test_a_bad_request_says_what_is_wrong(
    server: Server, client: aiohttp.ClientSession, method: str, path: str, body: Any, status: int, error: str
) -> None:
    add(server, "/mixer/1/volume")
    add(server, "/level", kind="meter")
    add(server, "/bang", kind="trigger")
    async with client.request(method, f"/api/controls/{path}", json=body) as answer:
        assert answer.status == status
        assert (await answer.json())["error"] == error


async def test_an_unknown_path_comes_with_the_nearest(server: Server, client: aiohttp.ClientSession) -> None:
    add(server, "/mixer/1/volume")
    async with client.get("/api/controls/mixer/1/volum") as answer:
        assert "did you mean /mixer/1/volume?" in (await answer.json())["message"]


@pytest.mark.parametrize("data", [b"", b"{", b'{"value": NaN}', b'{"value": 1e999}', b"\xff", b"[" * 30000])
async def test_a_body_that_is_no_json_is_refused(server: Server, client: aiohttp.ClientSession, data: bytes) -> None:
    add(server, "/a")
    async with client.put("/api/controls/a", data=data, headers={"Content-Type": "application/json"}) as answer:
        assert answer.status == 400


async def test_a_body_too_large_is_refused(server: Server, client: aiohttp.ClientSession) -> None:
    add(server, "/a", kind="string")
    async with client.put("/api/controls/a", json={"value": "x" * 100_000}) as answer:
        assert answer.status == 413


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("DELETE", "/api/controls", 405, "not_allowed"),
        ("PATCH", "/healthz", 405, "not_allowed"),
        ("PUT", "/api/controls/a", 413, "too_large"),
    ],
)
async def test_every_refusal_of_the_api_has_one_form(
    server: Server, client: aiohttp.ClientSession, method: str, path: str, status: int, code: str
) -> None:
    add(server, "/a", kind="string")
    async with client.request(method, path, json={"value": "x" * 100_000}) as answer:
        body = await answer.json()
    assert (answer.status, body["error"]) == (status, code)
    assert body["message"]


async def test_who_is_refused_is_logged_once_with_what_to_do(
    server: Server, client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(10):
        async with client.get("/", headers={"Host": "show.lan"}) as answer:
            assert answer.status == 403
        async with client.get("/api/controls/nothing") as answer:
            assert answer.status == 404
    lines = [record.getMessage() for record in caplog.records]
    refused, rest = lines
    assert refused.startswith("refused a browser at 127.0.0.1: this server is not called 'show.lan'; open it by its")
    assert 'add the name to [http] hosts = ["…"]' in refused
    assert rest == "REST from 127.0.0.1: GET unknown_control: no control /nothing"


async def test_a_form_of_another_site_cannot_set(server: Server, client: aiohttp.ClientSession) -> None:
    add(server, "/a")
    async with client.put("/api/controls/a", data=b'{"value": 1}', headers={"Content-Type": "text/plain"}) as answer:
        assert answer.status == 415


async def test_a_held_control_is_refused_to_others(server: Server, client: aiohttp.ClientSession) -> None:
    fader = add(server, "/main", hold="first")
    server.store.touch(fader, Origin("browser", "c1", "FOH iPad"), 0.0)
    async with client.put("/api/controls/main", json={"value": 1}) as answer:
        assert answer.status == 409
        assert (await answer.json())["message"] == "/main is held by FOH iPad"


async def test_a_touch_of_what_another_holds_first_is_refused(server: Server, client: aiohttp.ClientSession) -> None:
    fader = add(server, "/main", hold="first")
    server.store.touch(fader, Origin("osc", "desk", "192.168.1.32:10023"), 0.0)
    async with client.post("/api/holds/main") as answer:
        assert answer.status == 409
        assert await answer.json() == {"error": "held", "message": "/main is held by desk"}
    assert len(fader.holders) == 1
    shared = add(server, "/shared")
    server.store.touch(shared, Origin("browser", "c1", "FOH iPad"), 0.0)
    async with client.post("/api/holds/shared") as answer:
        assert answer.status == 200
    assert len(shared.holders) == 2


async def test_a_hold_over_rest_is_taken_and_given_back(server: Server, client: aiohttp.ClientSession) -> None:
    fader = add(server, "/main", hold="first")
    async with client.post("/api/holds/main") as answer:
        assert answer.status == 200
    assert server.store.blocked_by(fader, Origin("browser", "c1")) == Origin("rest", "127.0.0.1")
    async with client.put("/api/controls/main", json={"value": 0.5}) as answer:
        assert answer.status == 200
    async with client.get("/api/holds") as answer:
        holders = [{"client": "rest:127.0.0.1", "name": "127.0.0.1"}]
        assert await answer.json() == {"holds": [{"path": "/main", "holders": holders}]}
    async with client.delete("/api/holds/main") as answer:
        assert answer.status == 200
    assert not fader.holders


async def test_two_programs_at_one_address_tell_themselves_apart(server: Server, client: aiohttp.ClientSession) -> None:
    fader = add(server, "/main", hold="first")
    async with client.post("/api/holds/main", headers={"X-Client": "lights"}) as answer:
        assert answer.status == 200
    assert str(fader.holder) == "rest:lights at 127.0.0.1"
    async with client.put("/api/controls/main", json={"value": 1}, headers={"X-Client": "sound"}) as answer:
        assert answer.status == 409
    async with client.delete("/api/holds/main", headers={"X-Client": "sound"}) as answer:
        assert answer.status == 200
    assert fader.holders


async def test_a_hold_over_rest_ends_by_itself(server: Server, client: aiohttp.ClientSession) -> None:
    fader = add(server, "/main", hold_timeout=5)
    async with client.post("/api/holds/main"):
        (touched_at,) = fader.holders.values()
    server.store.expire_holds(touched_at + 4.9)
    assert fader.holders
    server.store.expire_holds(touched_at + 5.1)
    assert not fader.holders


async def test_a_meter_cannot_be_held(server: Server, client: aiohttp.ClientSession) -> None:
    add(server, "/level", kind="meter")
    async with client.post("/api/holds/level") as answer:
        assert answer.status == 403


async def test_history_says_who_did_what(server: Server, client: aiohttp.ClientSession) -> None:
    add(server, "/fader")
    add(server, "/other")
    started = time.time()
    for value in (0.25, 0.5):
        async with client.put("/api/controls/fader", json={"value": value}):
            pass
    async with client.put("/api/controls/other", json={"value": 1}):
        pass
    async with client.get("/api/history?path=/fader") as answer:
        (record,) = (await answer.json())["records"]
    assert abs(record.pop("time") - started) < 5
    assert record.pop("seconds") < 5
    assert record == {
        "path": "/fader",
        "origin": {"kind": "rest", "name": "127.0.0.1", "shown": ""},
        "what": "value",
        "before": 0.0,
        "after": 0.5,
        "count": 2,
    }
    async with client.get("/api/history?limit=1") as answer:
        assert [record["path"] for record in (await answer.json())["records"]] == ["/other"]
    async with client.get("/api/history?limit=-1") as answer:
        assert answer.status == 400


@pytest.mark.parametrize("path", ["/api/peers/max/push", "/api/peers/max/send"])
@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"}],
    ids=lambda headers: next(iter(headers)),
)
async def test_pages_of_other_sites_can_have_peers_sent_nothing(
    client: aiohttp.ClientSession, path: str, headers: dict[str, str]
) -> None:
    async with client.post(path, json={"address": "/x"}, headers=headers) as answer:
        assert answer.status == 403
        assert (await answer.json())["error"] == "not_allowed"


async def test_health_is_answered(client: aiohttp.ClientSession) -> None:
    async with client.get("/healthz") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ok", "name": "Test"})


# Host and Origin


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "FOH.local:8080", "[::1]:80", "192.168.1.5", "foh.local."])
async def test_our_own_names_and_any_address_are_let_in(client: aiohttp.ClientSession, host: str) -> None:
    async with client.get("/", headers={"Host": host}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "", "127.0.0.1.evil.example", "a@localhost"])
@pytest.mark.parametrize("path", ["/", "/ws", "/api/controls", "/healthz", "/pages/sliders.html"])
async def test_a_name_that_was_rebound_to_us_is_refused(client: aiohttp.ClientSession, host: str, path: str) -> None:
    async with client.get(path, headers={"Host": host}) as answer:
        assert answer.status == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "https://localhost.evil.example", "file://", "http://["])
async def test_a_page_of_another_site_gets_no_socket(
    server: Server, client: aiohttp.ClientSession, origin: str
) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.ws_connect("/ws", headers={"Origin": origin})
    assert refused.value.status == 403
    add(server, "/a")
    async with client.put("/api/controls/a", json={"value": 1}, headers={"Origin": origin}) as answer:
        assert answer.status == 403


async def test_our_own_page_gets_a_socket(server: Server, client: aiohttp.ClientSession) -> None:
    async with client.ws_connect("/ws", headers={"Origin": server.url}) as socket:
        await socket.send_str('{"type":"hello"}')
        assert (await socket.receive_json())["type"] == "welcome"


async def test_every_answer_forbids_sniffing(client: aiohttp.ClientSession) -> None:
    for path in ("/", "/nothing", "/api/controls", "/api/controls/nothing", "/pages/"):
        async with client.get(path) as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
