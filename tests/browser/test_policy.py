"""Our pages under their policy, and people's own in their sandbox: what they can do in real Chromium, and what not."""

import asyncio
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from playwright.async_api import Page, expect

from bridge.access import Grant
from bridge.devices import Devices
from bridge.pairing import FILE
from tests.daemon import Daemon
from tests.peers import free_tcp_port
from tests.waiting import SOON_S

ROOT = Path(__file__).parent.parent.parent
HEAD = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>t</title><link rel="icon" href="data:,">'
OWN = f"""{HEAD}
<link rel="stylesheet" href="/stagebridge.css"><link rel="stylesheet" href="mine.css">
<style>h1 {{ color: rgb(1, 2, 3) }}</style></head>
<h1 onclick="this.textContent = 'clicked'">mine</h1>
<img src="mine.svg" alt="" width="10" height="10">
<input class="sync" id="amount" type="range" max="50" value="5">
<sb-fader path="/fader" style="display: block; width: 100px; height: 300px"></sb-fader>
<script type="module" src="/stagebridge.js"></script>
<script type="module" src="mine.js"></script>
"""
CONFIG = """
[http]
host = "127.0.0.1"
port = 0
pages = "pages"
announce = false

[auth]
mode = "token"

[[osc]]
name = "max"
listen = "127.0.0.1:0"
send = ["127.0.0.1:9"]

[[control]]
path = "/fader"
"""
VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""


class Show:
    """A daemon that has let some devices in."""

    def __init__(self, daemon: Daemon, cookie: str, tokens: dict[str, str]) -> None:
        self.url = daemon.url.rstrip("/")
        self.cookie = cookie
        self.tokens = tokens
        self._headers = {"Authorization": f"Bearer {tokens['admin']}"}

    async def ask(self, path: str, method: str = "GET") -> Any:
        """As an admin's script."""
        async with aiohttp.request(method, self.url + path, headers=self._headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def value(self, path: str) -> Any:
        return (await self.ask(f"/api/controls{path}"))["value"]


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Show]:
    folder = tmp_path_factory.mktemp("policy")
    pages, state = folder / "pages", folder / "state" / "stagebridge"
    pages.mkdir()
    state.mkdir(parents=True)
    (pages / "own.html").write_text(OWN)
    (pages / "mine.css").write_text("h1 { font-size: 33px }")
    (pages / "mine.js").write_text("import { get } from '/stagebridge.js'; window.mine = () => get('/fader');")
    (pages / "mine.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg"><script>document.title = origin</script></svg>'
    )
    devices = Devices(secrets.token_bytes)
    tokens = {name: devices.add(name, Grant("admin"), time.time())[1] for name in ("admin", "lost")}
    (state / FILE).write_bytes(msgspec.json.encode(devices.kept()))
    (state / FILE).chmod(0o600)
    with Daemon.start(CONFIG, folder) as daemon:
        yield Show(daemon, f"stagebridge-{devices.instance}", tokens)


@pytest.fixture
def open_as(show: Show, open_page: Any) -> Any:
    """A page on a device that was let in."""

    async def open_one(path: str, device: str = "admin", **options: Any) -> Page:
        cookie = {"name": show.cookie, "value": show.tokens[device], "url": show.url, "sameSite": "Lax"}
        page: Page = await open_page("about:blank", **options)
        await page.context.add_cookies([{**cookie, "httpOnly": True}])  # type: ignore[list-item]
        await page.context.add_init_script(VIOLATIONS)
        await page.goto(show.url + path)
        return page

    return open_one


OURS = sorted(file.name for file in (ROOT / "web").glob("*.html"))


@pytest.mark.parametrize("path", ["/", "/pages/", *(f"/{name}" for name in OURS if name != "index.html")])
async def test_our_pages_break_no_line_of_their_policy(open_as: Any, path: str) -> None:
    page = await open_as(path, errors_allowed=True)
    if path == "/":
        await expect(page.locator("sb-fader").first).to_be_visible()
    await page.wait_for_load_state("networkidle")
    assert await page.evaluate("window.violations") == []
    assert not [line for line in page.console_lines if "Content Security Policy" in line or "Refused to" in line]


async def test_inline_script_does_not_run_in_our_pages(open_as: Any) -> None:
    page = await open_as("/")
    await page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=/nothing.png onerror=\"window.evil=1\">')"
    )
    await page.wait_for_function("window.violations.length > 0")
    assert await page.evaluate("window.evil") is None


async def test_an_own_page_works_in_its_sandbox(open_as: Any, show: Show) -> None:
    page = await open_as("/pages/own.html")
    await expect(page.locator("#amount")).to_have_attribute("data-sync", "online")
    await page.locator("#amount").fill("44")
    await page.locator("h1").click()
    await expect(page.locator("h1")).to_have_text("clicked")  # its own inline script
    await expect(page.locator("h1")).to_have_css("color", "rgb(1, 2, 3)")
    await expect(page.locator("h1")).to_have_css("font-size", "33px")
    assert await page.evaluate(
        "document.querySelector('img').naturalWidth > 0 || document.querySelector('img').complete"
    )
    assert await page.evaluate("window.mine()") == 0
    assert await page.evaluate("document.compatMode") == "CSS1Compat"  # the ticket stands behind the doctype
    await expect(page.locator("sb-fader")).to_be_visible()
    await page.wait_for_function("stagebridge.get('/amount') === 44")
    assert await show.value("/amount") == 44
    (client,) = (await show.ask("/healthz"))["clients"]
    assert client["role"] == "control"  # its device is an admin's


ATTACK = """async () => {
  const tried = {};
  const attempt = async (name, call) => {
    try { tried[name] = await call(); } catch (error) { tried[name] = error.name; }
  };
  const ticket = document.querySelector('meta[name="stagebridge-ticket"]').content;
  const bearer = { Authorization: `Bearer ${ticket}` };
  const json = { ...bearer, "Content-Type": "application/json" };
  const status = async (path, options) => (await fetch(path, options)).status;
  await attempt("cookie", () => document.cookie);
  await attempt("storage", () => localStorage.length);
  await attempt("origin", () => origin);
  for (const path of ["/api/history", "/api/devices", "/api/peers", "/metrics", "/healthz", "/"]) {
    await attempt(`GET ${path}`, () => status(path, { headers: bearer }));
    await attempt(`GET ${path} with the cookie`, () => status(path, { credentials: "include" }));
  }
  const posts = {
    "/api/codes": { role: "admin" }, "/api/devices": { name: "x", role: "admin" }, "/api/peers/max/push": {},
  };
  for (const [path, body] of Object.entries(posts)) {
    await attempt(`POST ${path}`, () => status(path, { method: "POST", headers: json, body: JSON.stringify(body) }));
    await attempt(`POST ${path} unasked`, () =>
      status(path, { method: "POST", mode: "no-cors", credentials: "include", body: JSON.stringify(body) }));
  }
  const fader = "/api/controls/fader";
  await attempt("PUT without ticket", () => status(fader, { method: "PUT",
    headers: { "Content-Type": "application/json" }, body: '{"value": 0.9}' }));
  await attempt("PUT with ticket", () => status(fader, { method: "PUT", headers: json, body: '{"value": 0.25}' }));
  await attempt("GET with ticket", async () => (await (await fetch(fader, { headers: bearer })).json()).value);
  const frame = document.createElement("iframe");
  frame.src = "/";
  await attempt("frame", () => new Promise((resolve) => {
    frame.onload = () => resolve(frame.contentDocument === null ? "closed" : "open");
    document.body.append(frame);
  }));
  const talk = (hello, ...messages) => new Promise((resolve) => {
    const heard = [];
    const ws = new WebSocket(`ws://${location.host}/ws`);
    ws.onopen = () => [hello, ...messages].forEach((message) => ws.send(JSON.stringify(message)));
    ws.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      heard.push(message.type === "error" ? message.code : message.role ?? message.type);
      if (message.type === "pong") ws.close();
    };
    ws.onclose = ({ code }) => resolve([...heard, code]);
  });
  await attempt("socket without ticket", () => talk({ type: "hello" }));
  await attempt("socket", () => talk({ type: "hello", token: ticket }, { type: "learn", id: "/fader" },
    { type: "forget", bindings: [0] }, { type: "subscribe", what: ["monitor"] }, { type: "ping", t: 1 }));
  return tried;
}"""


async def test_an_own_page_that_asks_for_admin_things_is_refused(open_as: Any, show: Show) -> None:
    page = await open_as("/pages/own.html", errors_allowed=True)
    await expect(page.locator("#amount")).to_have_attribute("data-sync", "online")
    devices = len((await show.ask("/api/devices"))["devices"])
    tried = await page.evaluate(ATTACK)
    assert tried.pop("cookie") == tried.pop("storage") == "SecurityError"
    assert tried.pop("origin") == "null"
    assert tried.pop("PUT with ticket") == 200
    assert tried.pop("GET with ticket") == 0.25
    assert tried.pop("PUT without ticket") == 401
    assert tried.pop("frame") == "closed"
    assert tried.pop("socket without ticket") == ["not_paired", 4401]
    assert tried.pop("socket")[:4] == ["control", "not_allowed", "not_allowed", "not_allowed"]
    unasked = {name: tried.pop(name) for name in list(tried) if name.endswith("unasked")}
    assert set(unasked.values()) <= {0, "TypeError"}  # an answer that it cannot see: see below what came of it
    assert set(tried.values()) == {"TypeError"}, tried  # not even the status can be read
    assert len((await show.ask("/api/devices"))["devices"]) == devices
    assert await show.value("/fader") == 0.25


async def test_a_picture_of_peoples_own_runs_no_script_as_us(open_as: Any) -> None:
    page = await open_as("/pages/mine.svg")
    assert await page.evaluate("origin") == "null"


async def test_a_link_from_an_own_page_leads_to_ours_which_works(open_as: Any, show: Show) -> None:
    page = await open_as("/pages/own.html")
    async with page.expect_popup() as opened:
        await page.evaluate("void window.open('/')")
    popup = await opened.value
    await expect(popup.locator("sb-fader").first).to_be_visible()
    assert await popup.evaluate("origin") == show.url


async def test_an_own_page_outlives_a_crash_without_loading_itself_again(open_page: Any, tmp_path: Path) -> None:
    """In mode open, too, where no device stands in the file."""
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "own.html").write_text(OWN)
    text, port = CONFIG.replace('"token"', '"open"'), str(free_tcp_port())
    with Daemon.start(text, tmp_path, "--port", port, stop=False) as daemon:
        page = await open_page(f"{daemon.url}pages/own.html", errors_allowed=True)
        await expect(page.locator("#amount")).to_have_attribute("data-sync", "online")
        await page.evaluate("window.drawn = 'by the sketch'")
        kept = tmp_path / "state" / "stagebridge" / FILE
        async with asyncio.timeout(SOON_S):
            while not kept.exists():
                await asyncio.sleep(0.02)
        assert kept.stat().st_mode & 0o777 == 0o600
    await expect(page.locator("#amount")).to_have_attribute("data-sync", "offline")
    with Daemon.start(text, tmp_path, "--port", port):
        await expect(page.locator("#amount")).to_have_attribute("data-sync", "online")
        assert await page.evaluate("window.drawn") == "by the sketch"


async def test_a_page_of_a_device_that_was_revoked_leads_to_the_code(open_as: Any, show: Show) -> None:
    page = await open_as("/pages/own.html", "lost")
    await expect(page.locator("#amount")).to_have_attribute("data-sync", "online")
    await show.ask(f"/api/devices/{show.tokens['lost'].partition('.')[0]}", "DELETE")
    await page.wait_for_url(re.compile(r"/pair\?to=/pages/own.html$"))


async def test_a_page_from_a_file_is_told_where_it_belongs(open_page: Any, show: Show, tmp_path: Path) -> None:
    (tmp_path / "own.html").write_text(OWN.replace('"/stagebridge', f'"{show.url}/stagebridge'))
    page = await open_page((tmp_path / "own.html").as_uri(), errors_allowed=True)
    async with page.expect_console_message(lambda message: "was not let in" in message.text) as said:
        pass
    assert f"open it at {show.url}/pages/" in (await said.value).text
