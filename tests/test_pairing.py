"""Nobody gets in who was not let in: pairing over HTTP, each test an attack or what an honest device does."""

import asyncio
import json
import logging
import os
import stat
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http.cookies import Morsel
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.access import HERE, Grant
from bridge.app import KINDS, Bridge
from bridge.codes import CODE_S, Codes
from bridge.config.loading import load
from bridge.devices import MAX_DEVICES
from bridge.errors import PairingError
from bridge.pairing import Pairing

from .waiting import SOON_S

CONFIG = '[http]\nhost = "127.0.0.1"\nport = 0\n[auth]\nmode = "token"\n[state]\nfile = ""\n[[control]]\npath = "/a"\n'
CONTROL, ADMIN = Grant("control"), Grant("admin")


class Device:
    """One browser: its cookies, and what it asks."""

    def __init__(self, url: str, client: aiohttp.ClientSession) -> None:
        self.url = url
        self.client = client

    async def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        async with self.client.request(
            method, self.url + path, json=body, headers=headers, allow_redirects=False
        ) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if answer.content_type == "application/json" else text

    async def pair(self, digits: str, name: str = "tablet") -> tuple[int, Any]:
        return await self.ask("POST", "api/pair", {"code": digits, "name": name})

    async def where_to(self, path: str) -> str:
        """The status, or where it is sent."""
        async with self.client.get(self.url + path, allow_redirects=False) as answer:
            return answer.headers.get("Location", str(answer.status))

    def cookie(self) -> Morsel[str]:
        (one,) = self.client.cookie_jar
        return one


class House:
    """A bridge, and devices that come to it."""

    def __init__(self, bridge: Bridge, stack: list[aiohttp.ClientSession]) -> None:
        self.bridge = bridge
        self._stack = stack

    def device(self) -> Device:
        client = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self._stack.append(client)
        return Device(f"http://127.0.0.1:{self.bridge.http_port}/", client)

    def code(self, grant: Grant = CONTROL) -> str:
        return self.bridge.pairing.code(grant).digits

    async def let_in(self, grant: Grant = CONTROL) -> Device:
        device = self.device()
        assert (await device.pair(self.code(grant)))[0] == 200
        return device


@asynccontextmanager
async def house(state: Path | None, text: str = CONFIG) -> AsyncIterator[House]:
    file = (state or Path("/")) / "config.toml"
    if state is not None:
        await asyncio.to_thread(file.write_text, text)
        settings = await asyncio.to_thread(load, file, KINDS)
    clients: list[aiohttp.ClientSession] = []
    async with Bridge(settings, state=state) as bridge:
        try:
            yield House(bridge, clients)
        finally:
            for client in clients:
                await client.close()


@pytest.fixture
async def open_house(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as one:
        yield one


# Who was not let in


async def test_a_stranger_sees_the_page_for_pairing_and_nothing_else(open_house: House) -> None:
    stranger = open_house.device()
    assert await stranger.where_to("") == "/pair"
    for path in ("monitor.html", "index.html", "pages/", "pages/a.html", "nothing"):
        assert (await stranger.where_to(path)).startswith("/pair?to="), path
    for path in ("pair", "pair.js", "pair.css", "tokens.css", "lib/pairing.js", "icons/icon.svg", "healthz"):
        assert await stranger.where_to(path) == "200", path
    for method, path in (
        ("GET", "api/controls"), ("GET", "api/controls/a"), ("PUT", "api/controls/a"), ("GET", "api/history"),
        ("POST", "api/peers/max/send"), ("POST", "api/codes"), ("GET", "api/devices"), ("POST", "api/devices"),
        ("DELETE", "api/devices/x"), ("GET", "metrics"), ("GET", "api/controls.css"), ("GET", "api/pair.css"),
    ):  # fmt: skip
        status, answer = await stranger.ask(method, path, {} if method != "GET" else None)
        assert status == 401, path
        assert path == "metrics" or answer["error"] == "not_paired", path
    assert await stranger.ask("GET", "api/pair") == (200, {"mode": "token", "paired": False})


@pytest.mark.parametrize(
    "path", ["index%2ehtml", "INDEX.HTML", "pages/a.HTM", "pages%2fa.html", "./index.html", "x.css/"]
)
async def test_no_spelling_of_a_page_passes_by_the_door(open_house: House, path: str) -> None:
    from yarl import URL

    stranger = open_house.device()
    url = URL(stranger.url + path, encoded=True)
    async with stranger.client.get(url, allow_redirects=False) as answer:
        assert answer.status in (302, 404), answer.status
        assert "surface" not in await answer.text()


async def test_the_way_back_comes_along_whole(open_house: House) -> None:
    from urllib.parse import parse_qs, urlsplit

    stranger = open_house.device()
    where = await stranger.where_to("pages/a.html?x=1&y=%26%23")
    assert parse_qs(urlsplit(where).query)["to"] == ["/pages/a.html?x=1&y=%26%23"]


async def test_a_header_that_says_where_to_go_is_not_believed(open_house: House) -> None:
    stranger = open_house.device()
    async with stranger.client.get(
        stranger.url + "x", headers={"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"},
        allow_redirects=False,
    ) as answer:  # fmt: skip
        assert answer.headers["Location"] == "/pair?to=/x"
    async with stranger.client.get(f"{stranger.url}/evil.example/", allow_redirects=False) as answer:
        assert answer.headers["Location"].startswith("/pair?to=")


async def test_a_socket_without_cookie_is_told_and_closed(open_house: House) -> None:
    stranger = open_house.device()
    for hello in ({"type": "hello"}, {"type": "hello", "token": "x.y"}, {"type": "hello", "token": ""}):
        async with stranger.client.ws_connect(stranger.url + "ws") as ws:
            await ws.send_json(hello)
            assert (await ws.receive_json())["code"] == "not_paired"
            assert (await ws.receive()).data == 4401


async def test_a_cookie_of_another_instance_or_made_up_lets_nobody_in(open_house: House) -> None:
    paired = await open_house.let_in()
    token = paired.cookie().value
    stranger = open_house.device()
    ours = open_house.bridge.pairing.cookie
    number = token.partition(".")[0]
    for cookie in (f"stagebridge-other={token}", f"{ours}=x", f"{ours}={number}.0", f"{ours}={token[:-1]}", f"{ours}="):
        status, _ = await stranger.ask("GET", "api/controls", headers={"Cookie": cookie})
        assert status == 401, cookie
    assert (await stranger.ask("GET", "api/controls", headers={"Cookie": f"{ours}={token}; a=b"}))[0] == 200


# Codes


async def test_a_code_lets_one_device_in_and_its_cookie_is_what_it_should_be(open_house: House) -> None:
    device = open_house.device()
    async with device.client.post(
        device.url + "api/pair", json={"code": open_house.code(), "name": "FOH iPad"}
    ) as answer:
        assert answer.status == 200
        said = answer.headers["Set-Cookie"]
        body = await answer.text()
    assert said.startswith(f"stagebridge-{open_house.bridge.pairing.devices.instance}=")
    flags = {flag.strip() for flag in said.split(";")[1:]}
    assert flags == {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=31536000"}
    secret = device.cookie().value.partition(".")[2]
    assert secret not in body, "scripts of a page cannot read it"
    assert json.loads(body) | {"device": ""} == {"device": "", "name": "FOH iPad", "role": "control", "access": ""}
    assert await device.where_to("") == "200"
    _, about = await device.ask("GET", "api/pair")
    assert (about["paired"], about["role"], about["name"]) == (True, "control", "FOH iPad")


async def test_a_code_used_twice_lets_one_in(open_house: House) -> None:
    code = open_house.code()
    assert (await open_house.device().pair(code))[0] == 200
    status, answer = await open_house.device().pair(code)
    assert (status, answer["error"]) == (403, "used_code")


async def test_of_two_devices_that_race_for_one_code_one_gets_in(open_house: House) -> None:
    code = open_house.code()
    said = await asyncio.gather(*(open_house.device().pair(code) for _ in range(8)))
    assert sorted(status for status, _ in said) == [200, *[403] * 7]
    assert len(open_house.bridge.pairing.devices) == 1


async def test_a_code_guessed_a_thousand_times_is_not_found_and_locks_nobody_out(open_house: House) -> None:
    inside = await open_house.let_in()
    code = open_house.code()
    guesser = open_house.device()
    said = []
    for n in range(1000):
        status, answer = await guesser.pair(f"{(int(code) + 1 + n) % 1_000_000:06}")
        said.append((status, answer["error"]))
    assert said.count((403, "wrong_code")) <= 11
    assert said.count((429, "too_many")) >= 989
    counted = open_house.bridge.health()["refusals"]["pairing"]
    assert counted == {error: said.count((status, error)) for status, error in set(said)}
    assert (await inside.ask("GET", "api/controls/a"))[0] == 200
    assert (await inside.ask("PUT", "api/controls/a", {"value": 0.5}))[0] == 200
    status, answer = await guesser.pair(code)
    assert (status, answer["error"]) == (429, "too_many")
    calm = await asyncio.to_thread(pair_from, "127.0.0.2", open_house.bridge.http_port, code)
    assert calm == 200, "from another address the code is as good as ever"


def test_who_guesses_from_fifty_addresses_or_from_all_of_ipv6_keeps_no_tablet_out() -> None:
    codes = Codes(os.urandom)
    code = codes.make(CONTROL, 0.0).digits
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    guesses = 0
    for second in range(599):
        fifty = [f"10.0.0.{n}" for n in range(50)]
        for address in (*fifty, *(f"fd00::{second:x}:{n:x}" for n in range(50))):
            with pytest.raises(PairingError) as refused:
                codes.look_up(wrong, address, float(second))
            guesses += refused.value.code == "wrong_code"
        if second > 60:
            assert codes.look_up(code, "10.0.1.1", float(second)).digits == code
    assert guesses <= 480


def pair_from(address: str, port: int, code: str) -> int:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SOON_S, source_address=(address, 0))
    body = json.dumps({"code": code, "name": "calm"})
    try:
        connection.request("POST", "/api/pair", body, {"Content-Type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


async def test_who_guesses_through_a_proxy_has_ten_guesses_and_uses_up_nobody_elses(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        device, wrong = one.device(), f"{(int(one.code()) + 1) % 1_000_000:06}"

        async def guess(client: str) -> int:
            headers = {"X-Forwarded-For": client}
            async with device.client.post(device.url + "api/pair", json={"code": wrong}, headers=headers) as answer:
                return answer.status

        assert [await guess(f"10.0.0.{n}") for n in range(11)][10] == 429, "nobody is believed who is not named"
        text = CONFIG.replace("[http]", '[http]\nproxies = ["127.0.0.1"]', 1)
        assert text != CONFIG
        await asyncio.to_thread((tmp_path / "config.toml").write_text, text)
        assert not (await one.bridge.reload()).problems
        assert [await guess("10.0.0.1") for _ in range(11)] == [403] * 10 + [429]
        assert await guess("10.0.0.2") == 403


async def test_what_is_no_code_costs_no_guess_and_is_refused(open_house: House) -> None:
    device = open_house.device()
    for body in (
        {},
        {"code": ""},
        {"code": 123456},
        {"code": "12345"},
        {"code": "1234567"},
        {"code": "１２３４５６"},
        {"code": None},
    ):
        assert (await device.ask("POST", "api/pair", body))[0] == 400, body
    code = open_house.code()
    assert (await device.pair(f"{code[:3]} {code[3:]}"))[0] == 200


async def test_another_site_cannot_pair_a_browser(open_house: House) -> None:
    device = open_house.device()
    code = open_house.code()
    body = {"code": code, "name": "x"}
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert (await device.ask("POST", "api/pair", body, headers))[0] == 403, headers
    async with device.client.post(device.url + "api/pair", data=json.dumps(body)) as answer:  # as a form would send it
        assert answer.status == 415
    assert (await device.pair(code))[0] == 200


async def test_a_device_that_is_in_keeps_what_it_has_and_the_code_waits_on(open_house: House) -> None:
    device = await open_house.let_in(ADMIN)
    before, code = device.cookie().value, open_house.code(CONTROL)
    status, answer = await device.pair(code)
    assert (status, answer["role"]) == (200, "admin")
    assert device.cookie().value == before
    assert (await open_house.device().pair(code))[0] == 200, "it was not used up"


async def test_a_code_that_is_worth_more_raises_the_device_and_changes_its_secret(open_house: House) -> None:
    device = await open_house.let_in(CONTROL)
    before = device.cookie().value
    async with device.client.ws_connect(device.url + "ws") as ws:
        await ws.send_json({"type": "hello"})
        assert (await ws.receive_json())["role"] == "control"
        assert (await device.pair(open_house.code(ADMIN)))[1]["role"] == "admin"
        assert (await ws.receive_json())["role"] == "admin", "a welcome of its own, in place"
    assert len(open_house.bridge.pairing.devices) == 1
    assert (await open_house.device().ask("GET", "api/controls", headers={"Authorization": f"Bearer {before}"}))[
        0
    ] == 401


# Devices


async def test_only_an_admin_makes_codes_and_sees_devices(open_house: House) -> None:
    device, admin = await open_house.let_in(CONTROL), await open_house.let_in(ADMIN)
    for method, path in (
        ("POST", "api/codes"), ("GET", "api/devices"), ("POST", "api/devices"), ("DELETE", "api/devices/x"),
        ("PATCH", "api/devices/x"),
    ):  # fmt: skip
        status, answer = await device.ask(method, path, {} if method != "GET" else None)
        assert (status, answer["error"]) == (403, "not_allowed"), path
    status, made = await admin.ask("POST", "api/codes", {"role": "view", "page": "Main"})
    assert status == 200
    assert made["url"] == f"{admin.url}pair?to=%2F%23%2FMain#code={made['code']}"
    assert (await open_house.device().pair(made["code"]))[1]["role"] == "view"
    for body in ({"role": "god"}, {"access": "Anna"}, {"page": "Nowhere"}, {"role": 3}):
        assert (await admin.ask("POST", "api/codes", body))[0] == 400, body
    _, listed = await admin.ask("GET", "api/devices")
    assert [one["role"] for one in listed["devices"]] == ["control", "admin", "view"]
    assert listed["kept"] == ""
    assert "hash" not in json.dumps(listed)


async def test_a_revoked_device_is_cut_off_at_once_everywhere(open_house: House) -> None:
    device, admin = await open_house.let_in(), await open_house.let_in(ADMIN)
    sockets = [await device.client.ws_connect(device.url + "ws") for _ in range(2)]
    for ws in sockets:
        await ws.send_json({"type": "hello"})
        assert (await ws.receive_json())["type"] == "welcome"
    _, listed = await admin.ask("GET", "api/devices")
    (number,) = [one["id"] for one in listed["devices"] if one["role"] == "control"]
    assert [one["connected"] for one in listed["devices"]] == [2, 0]
    began = time.monotonic()
    assert (await admin.ask("DELETE", f"api/devices/{number}"))[0] == 200
    for ws in sockets:
        while (heard := await ws.receive()).type == aiohttp.WSMsgType.TEXT:
            pass
        assert heard.data == 4403
    assert time.monotonic() - began < 5.0, "at once, and not when somebody looks"
    assert (await device.ask("GET", "api/controls"))[0] == 401
    assert await device.where_to("") == "/pair"
    assert (await admin.ask("DELETE", f"api/devices/{number}"))[0] == 404


@pytest.mark.parametrize("how", ["revoked", "may only watch"])
async def test_codes_of_who_may_let_nobody_in_any_more_are_worth_nothing(open_house: House, how: str) -> None:
    admin, other = await open_house.let_in(ADMIN), await open_house.let_in(ADMIN)
    codes = {
        name: (await device.ask("POST", "api/codes", {}))[1]["code"] for name, device in (("a", admin), ("o", other))
    }
    _, listed = await other.ask("GET", "api/devices")
    first = listed["devices"][0]["id"]
    if how == "revoked":
        assert (await other.ask("DELETE", f"api/devices/{first}"))[0] == 200
    else:
        assert (await other.ask("PATCH", f"api/devices/{first}", {"role": "view"}))[0] == 200
    status, answer = await open_house.device().pair(codes["a"])
    assert (status, answer["error"]) == (403, "expired_code")
    assert (await open_house.device().pair(codes["o"]))[0] == 200


async def test_codes_end_with_the_access_entry_that_made_their_admin_one(tmp_path: Path) -> None:
    entry = '[[access]]\nname = "boss"\nrole = "{}"\n'
    async with house(tmp_path, CONFIG + entry.format("admin")) as one:
        boss = await one.let_in(Grant("admin", "boss"))
        _, made = await boss.ask("POST", "api/codes", {"role": "admin"})
        await asyncio.to_thread((tmp_path / "config.toml").write_text, CONFIG + entry.format("view"))
        assert not (await one.bridge.reload()).problems
        status, answer = await one.device().pair(made["code"])
        assert (status, answer["error"]) == (403, "expired_code")


@pytest.mark.parametrize("how", ["revoked", "may only watch"])
async def test_what_a_device_holds_over_rest_ends_with_its_leave_to(tmp_path: Path, how: str) -> None:
    async with house(tmp_path, CONFIG + '[[control]]\npath = "/b"\nmomentary = true\n') as one:
        device, admin = await one.let_in(CONTROL), await one.let_in(ADMIN)
        await device.ask("POST", "api/holds/a", headers={"X-Client": "script"})
        await device.ask("PUT", "api/controls/b", {"value": 1.0}, headers={"X-Client": "script"})
        await admin.ask("POST", "api/holds/a", headers={"X-Client": "other"})
        assert len((await admin.ask("GET", "api/holds"))[1]["holds"]) == 2
        number = (await device.ask("GET", "api/pair"))[1]["device"]
        if how == "revoked":
            await admin.ask("DELETE", f"api/devices/{number}")
        else:
            await admin.ask("PATCH", f"api/devices/{number}", {"role": "view"})
        holds = (await admin.ask("GET", "api/holds"))[1]["holds"]
        assert [(hold["path"], len(hold["holders"])) for hold in holds] == [("/a", 1)]
        assert (await admin.ask("GET", "api/controls/b"))[1]["value"] == 0.0


async def test_a_script_is_let_in_by_a_token(open_house: House) -> None:
    admin = await open_house.let_in(ADMIN)
    status, made = await admin.ask("POST", "api/devices", {"name": "prometheus", "role": "view"})
    assert status == 200
    script = open_house.device()
    bearer = {"Authorization": f"Bearer {made['token']}"}
    assert (await script.ask("GET", "api/controls", headers=bearer))[0] == 200
    assert (await script.ask("GET", "api/controls", headers={"Authorization": "Bearer x"}))[0] == 401
    async with script.client.get(script.url + "api/controls") as answer:
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    async with script.client.ws_connect(script.url + "ws") as ws:
        await ws.send_json({"type": "hello", "token": made["token"]})
        assert (await ws.receive_json())["role"] == "view"
    number = made["device"]["id"]
    status, changed = await admin.ask("PATCH", f"api/devices/{number}", {"name": "graphs", "role": "control"})
    assert (status, changed["device"]["name"], changed["device"]["role"]) == (200, "graphs", "control")


async def test_a_device_may_say_its_own_name_and_its_cookie_is_prolonged(open_house: House) -> None:
    device = await open_house.let_in()
    assert (await device.ask("PATCH", "api/pair", {"name": "Anna's phone"}))[1]["name"] == "Anna's phone"
    assert (await open_house.device().ask("PATCH", "api/pair", {"name": "x"}))[0] == 404
    async with device.client.get(device.url) as answer:
        assert "Max-Age=31536000" in answer.headers["Set-Cookie"]
    known = {"If-None-Match": answer.headers["ETag"]}  # every load but the first
    async with device.client.get(device.url, headers=known) as answer:
        assert answer.status == 304
        assert "Max-Age=31536000" in answer.headers["Set-Cookie"]
    async with device.client.get(device.url + "surface.js") as answer:
        assert "Set-Cookie" not in answer.headers


async def test_an_open_door_lets_everybody_in_and_says_so(tmp_path: Path) -> None:
    async with house(tmp_path, CONFIG.replace('"token"', '"open"')) as open_one:
        device = open_one.device()
        assert (await device.ask("GET", "api/pair"))[1] | {"device": ""} == {
            "mode": "open", "paired": True, "role": "admin", "access": "", "device": "", "name": "",
        }  # fmt: skip
        _, made = await device.ask("POST", "api/codes", {"page": "Main"})
        assert (made["code"], made["url"]) == (None, f"{device.url}#/Main")
        async with device.client.ws_connect(device.url + "ws") as ws:
            await ws.send_json({"type": "hello", "token": "made up"})
            assert (await ws.receive_json())["server"]["auth"] == "open"


async def test_a_reload_that_shuts_the_door_cuts_off_whom_nobody_has_let_in(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(tmp_path, CONFIG.replace('"token"', '"open"')) as one:
        stranger, paired = one.device(), await one.let_in(CONTROL)
        assert (await paired.ask("GET", "api/pair"))[1]["role"] == "admin"
        sockets = [await device.client.ws_connect(device.url + "ws") for device in (stranger, paired)]
        for ws in sockets:
            await ws.send_json({"type": "hello"})
            assert (await ws.receive_json())["role"] == "admin"
        await asyncio.to_thread((tmp_path / "config.toml").write_text, CONFIG)
        outcome = await one.bridge.reload()
        assert not outcome.problems
        assert 'auth mode "open"' not in caplog.text
        assert (await sockets[0].receive()).data == 4403
        welcome = await sockets[1].receive_json()
        assert (welcome["role"], welcome["server"]["auth"]) == ("control", "token")
        assert await stranger.where_to("") == "/pair"
        assert one.bridge.pairing.grant_again(HERE) == HERE
        await asyncio.to_thread((tmp_path / "config.toml").write_text, CONFIG.replace('"token"', '"open"'))
        await one.bridge.reload()
        assert (await sockets[1].receive_json())["role"] == "admin"
        assert await stranger.where_to("") == "200"
        assert 'auth mode "open": whoever reaches this port can move every control now' in caplog.text


# What is kept


async def test_devices_outlive_a_run_and_their_file_is_ours_alone(tmp_path: Path) -> None:
    async with house(tmp_path) as before:
        device = await before.let_in()
        token, cookie = device.cookie().value, before.bridge.pairing.cookie
        file = tmp_path / "devices.json"
        assert {stat.S_IMODE(one.stat().st_mode) for one in (file, file.with_suffix(".lock"))} == {0o600}
        assert token.partition(".")[2] not in file.read_text(), "it is there before the answer, and hashed"
    async with house(tmp_path) as after:
        assert after.bridge.pairing.cookie == cookie
        again = after.device()
        assert (await again.ask("GET", "api/controls", headers={"Cookie": f"{cookie}={token}"}))[0] == 200


async def test_a_revoked_device_stays_out_after_a_restart(tmp_path: Path) -> None:
    async with house(tmp_path) as before:
        device = await before.let_in()
        token, cookie = device.cookie().value, before.bridge.pairing.cookie
        before.bridge.pairing.revoke(token.partition(".")[0])
    async with house(tmp_path) as after:
        assert (await after.device().ask("GET", "api/controls", headers={"Cookie": f"{cookie}={token}"}))[0] == 401


@pytest.mark.parametrize(
    ("content", "mode"),
    [("{", 0o600), ("[]", 0o600), ('{"instance": "a\\r\\nb", "devices": []}', 0o600), (None, 0o666), (None, 0o620)],
)
async def test_a_file_that_is_broken_or_that_others_may_write_is_set_aside(
    tmp_path: Path, content: str | None, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(tmp_path) as before:
        device = await before.let_in()
        token, cookie = device.cookie().value, before.bridge.pairing.cookie
    file = tmp_path / "devices.json"
    if content is not None:
        file.write_text(content)
    file.chmod(mode)
    async with house(tmp_path) as after:
        assert (await after.device().ask("GET", "api/controls", headers={"Cookie": f"{cookie}={token}"}))[0] == 401
        await after.let_in()
    assert (tmp_path / "devices.broken-1.json").exists()
    assert "every device has to be let in again" in caplog.text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_second_stagebridge_on_the_same_folder_leaves_the_file_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(tmp_path) as first:
        await first.let_in()
        kept = (tmp_path / "devices.json").read_text()
        async with house(tmp_path) as second:
            assert "belongs to another stagebridge" in second.bridge.pairing.trouble
            assert second.bridge.pairing.cookie != first.bridge.pairing.cookie
            await second.let_in()
        assert (tmp_path / "devices.json").read_text() == kept
    assert "forgotten when stagebridge ends" in caplog.text


async def test_a_disk_that_takes_nothing_keeps_nobody_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pairing = Pairing(tmp_path / "state", "token")
    async with pairing.kept():
        (tmp_path / "state" / "devices.json").mkdir(parents=True)  # nothing can be put there, whoever we are
        device, token = pairing.add("FOH", CONTROL)
        await pairing.written()
        assert "cannot be written" in pairing.trouble
        grant = pairing.grant_of_token(token)
        assert grant is not None
        assert grant.device == device.id
    assert caplog.text.count("is forgotten when stagebridge ends") == 1


async def test_without_a_folder_devices_are_in_memory_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    pairing = Pairing(None, "token", fallback="port-8080")
    async with pairing.kept():
        _, token = pairing.add("FOH", CONTROL)
        await pairing.written()
        assert pairing.grant_of_token(token) is not None
        assert pairing.cookie == "stagebridge-port-8080"
    assert "forgotten when stagebridge ends: there is no folder" in caplog.text


async def test_a_device_that_stays_connected_is_seen_as_long(tmp_path: Path) -> None:
    here: list[str] = []
    pairing = Pairing(tmp_path, "token", connected=lambda: here, seen_s=0.02)
    async with pairing.kept():
        device, _ = pairing.add("FOH", CONTROL)
        await pairing.written()
        began = device.seen
        here.append(device.id)
        async with asyncio.timeout(SOON_S):
            while json.loads((tmp_path / "devices.json").read_text())["devices"][0]["seen"] <= began:
                await asyncio.sleep(0.01)


async def test_who_has_no_room_any_more_is_cut_off(tmp_path: Path) -> None:
    revoked: list[str] = []
    pairing = Pairing(None, "token", revoked=revoked.append)
    first, _ = pairing.add("first", CONTROL)
    for _ in range(MAX_DEVICES):
        pairing.add("more", CONTROL)
    assert revoked == [first.id]


async def test_an_access_entry_that_is_gone_lets_nobody_in() -> None:
    roles: dict[str, Any] = {"Anna": "control"}
    pairing = Pairing(None, "token", roles=lambda: roles)
    _, token = pairing.add("Anna's phone", Grant("control", "Anna"))
    grant = pairing.grant_of_token(token)
    assert grant is not None
    assert (grant.role, grant.access) == ("control", "Anna")
    roles["Anna"] = "view"
    assert pairing.grant_of_token(token) != grant
    del roles["Anna"]
    assert pairing.grant_of_token(token) is None


async def test_an_expired_code_says_so() -> None:
    now = [0.0]
    pairing = Pairing(None, "token", clock=lambda: now[0])
    code = pairing.code(CONTROL)
    now[0] = CODE_S + 1
    with pytest.raises(Exception, match="this code is over"):
        pairing.redeem(code.digits, "10.0.0.1", "late", None)


async def test_neither_secret_nor_code_is_ever_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with house(tmp_path) as one:
        code, wrong = one.code(), one.code()
        device = one.device()
        await device.pair(code, "FOH iPad")
        await device.pair(code)
        await device.pair("000000" if wrong != "000000" else "000001")
        token = device.cookie().value
        await device.ask("GET", "api/controls", headers={"Authorization": "Bearer made.up"})
        one.bridge.pairing.revoke(token.partition(".")[0])
        await device.ask("GET", "api/controls")
    assert "FOH iPad was let in from 127.0.0.1" in caplog.text
    for secret in (code, wrong, token, token.partition(".")[2], "made.up"):
        assert secret not in caplog.text
    assert os.name != "posix" or stat.S_IMODE((tmp_path / "devices.json").stat().st_mode) == 0o600
