"""Every route and every message with every role: one that comes without a decision here fails the test."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import aiohttp
import pytest

from bridge import messages
from bridge.access import Grant, Mode, Role
from bridge.allowance import Allowance
from bridge.app import Bridge

from .server import Client
from .test_pairing import Device, House, house

CONFIG = """
[http]
host = "127.0.0.1"
port = 0
pages = "pages"
announce = false
[auth]
mode = "token"
[state]
file = ""
[[osc]]
name = "max"
host = "127.0.0.1"
port = 9
[[page]]
name = "Anna"
[[page]]
name = "Ben"
[[access]]
name = "anna"
pages = ["Anna", "anna.html"]
[[access]]
name = "crowd"
role = "view"
pages = ["Anna", "anna.html"]
[[control]]
path = "/anna/level"
page = "Anna"
[[control]]
path = "/anna/go"
kind = "trigger"
page = "Anna"
[[control]]
path = "/ben/level"
page = "Ben"
[[control]]
path = "/ben/go"
kind = "trigger"
page = "Ben"
"""
WHO = ("stranger", "crowd", "view", "anna", "control", "page", "admin")
GRANTS: dict[str, Grant] = {
    "crowd": Grant("view", "crowd"),
    "view": Grant("view"),
    "anna": Grant("control", "anna"),
    "control": Grant("control"),
    "admin": Grant("admin"),
}
LEVEL, OTHER = {"value": 0.5}, {"value": 0.7}
NOBODY = (401, 403, 403, 403, 403, 403)  # but an admin
MOVES = (401, 403, 403, 200, 200, 200, 200)
HIDDEN = (401, 404, 403, 404, 200, 200, 200)  # from devices that are limited to other pages
OTHERS = (401, 404, 200, 404, 200, 200, 200)  # the same, to be looked at
OURS = (302, 200, 200, 200, 200, 403, 200)  # a page of ours: none of people's own pages reads it
PUBLIC = (200,) * 7

Row = tuple[str, str, str, Any, tuple[int, ...]]
ROUTES: list[Row] = [  # what is asked for, by which route, with which body, and the answers to WHO
    ("GET", "/api/controls", "/api/controls", None, (401, *[200] * 6)),
    ("GET", "/api/controls/{path}", "/api/controls/anna/level", None, (401, *[200] * 6)),
    ("GET", "/api/controls/{path}", "/api/controls/ben/level", None, OTHERS),
    ("PUT", "/api/controls/{path}", "/api/controls/anna/level", LEVEL, MOVES),
    ("PUT", "/api/controls/{path}", "/api/controls/ben/level", OTHER, HIDDEN),
    ("POST", "/api/controls/{path}", "/api/controls/anna/go", None, MOVES),
    ("POST", "/api/controls/{path}", "/api/controls/ben/go", None, HIDDEN),
    ("POST", "/api/controls/{path}", "/api/controls/stagebridge/panic", None, HIDDEN),
    ("DELETE", "/api/controls/{path}", "/api/controls/anna/level", None, (*NOBODY, 403)),
    ("GET", "/api/holds", "/api/holds", None, (401, *[200] * 6)),
    ("POST", "/api/holds/{path}", "/api/holds/anna/level", None, MOVES),
    ("DELETE", "/api/holds/{path}", "/api/holds/anna/level", None, MOVES),
    ("POST", "/api/holds/{path}", "/api/holds/ben/level", None, HIDDEN),
    ("DELETE", "/api/holds/{path}", "/api/holds/ben/level", None, HIDDEN),
    ("GET", "/api/history", "/api/history", None, (*NOBODY, 200)),
    ("GET", "/api/peers", "/api/peers", None, (*NOBODY, 200)),
    ("GET", "/api/learnt", "/api/learnt", None, (*NOBODY, 200)),
    ("GET", "/api/peers/{name}", "/api/peers/max", None, (*NOBODY, 200)),
    ("GET", "/api/peers/{name}", "/api/peers/none", None, (*NOBODY, 404)),
    ("POST", "/api/peers/{name}/push", "/api/peers/max/push", None, (*NOBODY, 200)),
    ("POST", "/api/peers/{name}/send", "/api/peers/max/send", {"address": "/x"}, (*NOBODY, 200)),
    ("GET", "/api/pair", "/api/pair", None, (200, 200, 200, 200, 200, 403, 200)),
    ("POST", "/api/pair", "/api/pair", {"code": "what"}, (400, 400, 400, 400, 400, 403, 400)),
    ("PATCH", "/api/pair", "/api/pair", {"name": "me"}, (404, 200, 200, 200, 200, 403, 200)),
    ("POST", "/api/codes", "/api/codes", {"role": "admin"}, (*NOBODY, 200)),
    ("GET", "/api/devices", "/api/devices", None, (*NOBODY, 200)),
    ("POST", "/api/devices", "/api/devices", {"name": "script"}, (*NOBODY, 200)),
    ("PATCH", "/api/devices/{id}", "/api/devices/0123456789", {"role": "admin"}, (*NOBODY, 404)),
    ("DELETE", "/api/devices/{id}", "/api/devices/0123456789", None, (*NOBODY, 404)),
    ("POST", "/api/reload", "/api/reload", None, (*NOBODY, 200)),
    ("GET", "/metrics", "/metrics", None, (*NOBODY, 200)),
    ("GET", "/healthz", "/healthz", None, (200, 200, 200, 200, 200, 403, 200)),
    ("GET", "/ca.crt", "/ca.crt", None, (404,) * 7),
    ("GET", "/ca.pem", "/ca.pem", None, (404,) * 7),
    ("GET", "/pages", "/pages", None, (302, 302, 302, 302, 302, 403, 302)),
    ("GET", "/pages/{path}", "/pages/", None, OURS),
    ("GET", "/pages/{path}", "/pages/anna.html", None, OURS),
    ("GET", "/pages/{path}", "/pages/ben.html", None, (302, 404, 200, 404, 200, 403, 200)),
    ("GET", "/pages/{path}", "/pages/shared.js", None, PUBLIC),
    ("GET", "/favicon.ico", "/favicon.ico", None, (302,) * 7),
    ("GET", "/pair", "/pair", None, (200, 200, 200, 200, 200, 403, 200)),
    ("GET", "/{path}", "/", None, OURS),
    ("GET", "/{path}", "/monitor.html", None, OURS),
    ("GET", "/{path}", "/dashboard.html", None, OURS),
    ("GET", "/{path}", "/surface.js", None, PUBLIC),
]
BY_SOCKET = {("GET", "/ws")}  # by MESSAGES

Outcome = str  # "" for what is done, else the code of the error
MESSAGES: list[tuple[type, dict[str, Any], dict[str, Outcome]]] = [
    (messages.Set, {"values": [["/anna/level", 0.2]]}, {"view": "not_allowed", "crowd": "not_allowed"}),
    (messages.Set, {"values": [["/ben/level", 0.2]]}, {"view": "not_allowed", "crowd": "unknown", "anna": "unknown"}),
    (messages.Touch, {"ids": ["/anna/level"]}, {"view": "not_allowed", "crowd": "not_allowed"}),
    (messages.Touch, {"ids": ["/ben/level"]}, {"view": "not_allowed", "crowd": "unknown", "anna": "unknown"}),
    (messages.Release, {"ids": ["/anna/level"]}, {}),
    (messages.Release, {"ids": ["/ben/level"]}, {"crowd": "unknown", "anna": "unknown"}),
    (messages.Trigger, {"id": "/anna/go"}, {"view": "not_allowed", "crowd": "not_allowed"}),
    (messages.Trigger, {"id": "/ben/go"}, {"view": "not_allowed", "crowd": "unknown", "anna": "unknown"}),
    (messages.Trigger, {"id": "/stagebridge/panic"}, {"view": "not_allowed", "crowd": "unknown", "anna": "unknown"}),
    (messages.Declare, {"controls": [{"path": "/anna/level"}]}, {}),
    (messages.Declare, {"controls": [{"path": "/ben/level"}]}, {"crowd": "not_allowed", "anna": "not_allowed"}),
    (messages.Declare, {"controls": [{"path": "/stagebridge/new"}]}, dict.fromkeys(WHO, "not_allowed")),
    (messages.Show, {"ids": ["/anna/level"]}, {}),
    (messages.Show, {"ids": ["/ben/level"]}, {"crowd": "unknown", "anna": "unknown"}),
    (messages.Subscribe, {"what": ["monitor"]}, {"admin": ""}),
    (messages.Subscribe, {"what": ["metrics"]}, {"admin": ""}),
    (messages.Subscribe, {"what": ["learn"]}, {"admin": ""}),
    (messages.Subscribe, {"what": []}, dict.fromkeys(WHO, "")),
    (messages.Learn, {"id": None}, {"admin": ""}),
    (messages.Forget, {"bindings": [1]}, {"admin": ""}),
    (messages.Ack, {"rev": 0}, dict.fromkeys(WHO, "")),
    (messages.Ping, {"t": 1.0}, dict.fromkeys(WHO, "")),
    (messages.Hello, {}, dict.fromkeys(WHO, "bad_message")),  # a second one
]
FOR_ADMINS = (messages.Subscribe, messages.Learn, messages.Forget)
assert set(get_args(Role)) <= set(WHO)  # a new role needs decisions here, and so does a mode
assert get_args(Mode) == ("token", "open")


class Guests:
    """One device of each kind, and a page that an admin's has open."""

    def __init__(self, house: House, devices: dict[str, Device], ticket: str) -> None:
        self.bridge: Bridge = house.bridge
        self.devices = devices
        self.ticket = ticket

    async def ask(self, who: str, method: str, path: str, body: Any) -> tuple[int, Any]:
        headers = {"Origin": "null", "Authorization": f"Bearer {self.ticket}"} if who == "page" else None
        device = self.devices["stranger" if who == "page" else who]
        return await device.ask(method, path.lstrip("/"), body, headers)

    def token(self, who: str) -> str | None:
        return self.ticket if who == "page" else None if who == "stranger" else self.devices[who].cookie().value


@pytest.fixture
async def guests(tmp_path: Path) -> AsyncIterator[Guests]:
    (tmp_path / "pages").mkdir()
    for name in ("anna.html", "ben.html", "shared.js"):
        (tmp_path / "pages" / name).write_text("<!doctype html>")
    async with house(tmp_path, CONFIG) as one:
        devices = {"stranger": one.device()}
        for who, grant in GRANTS.items():
            devices[who] = await one.let_in(grant)
        _, html = await devices["admin"].ask("GET", "pages/anna.html")
        yield Guests(one, devices, html.partition('content="')[2].partition('"')[0])


async def test_every_route_answers_every_role_as_was_decided(guests: Guests) -> None:
    site = guests.bridge._site
    assert site is not None
    there = {
        (route.method, route.resource.canonical if route.resource is not None else "")
        for route in site.application().router.routes()
        if route.method != "HEAD"  # that of its GET
    }
    assert {row[:2] for row in ROUTES} | BY_SOCKET == there
    wrong = []
    for method, _, path, body, expected in ROUTES:
        for who, status in zip(WHO, expected, strict=True):
            found = (await guests.ask(who, method, path, body))[0]
            if found != status:
                wrong.append(f"{who}: {method} {path}: {found}, not {status}")
    assert not wrong, "\n".join(wrong)


async def test_every_message_of_every_role_is_answered_as_was_decided(guests: Guests) -> None:
    assert {kind for kind, _, _ in MESSAGES} == set(get_args(messages.Message))
    url = f"ws://127.0.0.1:{guests.bridge.http_port}/ws"
    wrong = []
    for who in WHO[1:]:
        async with Client.connect(url, token=guests.token(who), keys="path") as client:
            for kind, fields, outcomes in MESSAGES:
                name = kind.__struct_config__.tag
                otherwise = "not_allowed" if kind in FOR_ADMINS else ""
                expected = outcomes.get(who, otherwise).replace("unknown", "unknown_control")
                await client.say(name, **fields)
                found = await answer_of(client)
                if found != expected:
                    wrong.append(f"{who}: {name} {fields}: {found or 'done'}, not {expected or 'done'}")
    assert not wrong, "\n".join(wrong)


async def answer_of(client: Client) -> str:
    """The code of the error that the message before was refused with; "" where it was not."""
    await client.say("set", values=[], n=7)
    code = ""
    while (message := await client.hear())["type"] != "applied":
        if message["type"] == "error":
            code = message["code"]
    return code


async def test_what_is_hidden_and_what_is_not_there_are_answered_alike(guests: Guests) -> None:
    guests.bridge.hub.shared.views.hints = Allowance(100, 1)
    for method in ("GET", "PUT", "POST", "DELETE"):
        for folder in ("controls", "holds"):
            if folder == "holds" and method in ("GET", "PUT"):
                continue
            answers = [
                str(await guests.ask("anna", method, f"/api/{folder}{path}", LEVEL)).replace(path, "…")
                for path in ("/ben/level", "/ken/level")
            ]
            assert answers[0] == answers[1]
    async with aiohttp.ClientSession() as client:  # and a page: no header tells them apart
        cookie = guests.devices["anna"].cookie()
        seen = []
        for name in ("ben.html", "ken.html"):
            url = f"http://127.0.0.1:{guests.bridge.http_port}/pages/{name}"
            async with client.get(url, headers={"Cookie": f"{cookie.key}={cookie.value}"}) as answer:
                headers = {name: value for name, value in answer.headers.items() if name != "Date"}
                seen.append((answer.status, await answer.text(), headers))
        assert seen[0] == seen[1]
