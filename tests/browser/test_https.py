"""The page over https, in a Chromium that trusts this machine's authority and nothing else of ours (docs/tls.md)."""

import asyncio
import datetime
import json
import os
import signal
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import websockets
from playwright.async_api import Browser, Error, Page, async_playwright, expect

from bridge import authority
from bridge.certificate import AUTHORITY, FOLDER
from bridge.localsocket import candidates
from bridge.statefolder import state_folder
from tests.daemon import Daemon
from tests.peers import require_tool

from .conftest import ARGS
from .test_policy import OWN, VIOLATIONS

STOP_S = 5.0
CONFIG = """
[auth]
mode = "token"

[http]
pages = "pages"

[http.tls]
port = 0

[[control]]
path = "/fader"
"""


class Show:
    """A daemon with https, and those who may open it."""

    def __init__(self, daemon: Daemon, trusted: Path) -> None:
        self.daemon = daemon
        self.trusted = trusted
        self.path = next(
            path for path in candidates(daemon.http_port, daemon.home, state_folder(daemon.home)) if path.exists()
        )
        self.secure = ""
        """Its address over https."""

    async def ask(self, method: str, path: str, **body: Any) -> Any:
        """As the command line does, through its socket."""
        connector = aiohttp.UnixConnector(str(self.path))
        async with (
            aiohttp.ClientSession("http://stagebridge", connector=connector) as client,
            client.request(method, path, json=body) as answer,
        ):
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def link(self, base: str) -> str:
        """What the code that is scanned says, for this address of ours."""
        return base + str((await self.ask("POST", "/api/codes"))["url"]).removeprefix(self.daemon.url)


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Show]:
    folder = tmp_path_factory.mktemp("https")
    (folder / "pages").mkdir()
    (folder / "pages/own.html").write_text(OWN)
    (folder / "pages/mine.css").write_text("")
    (folder / "pages/mine.js").write_text("")
    (folder / "pages/mine.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    tls = folder / "state/stagebridge" / FOLDER
    authority.make(tls, ["127.0.0.1"], "box", datetime.datetime.now(datetime.UTC))
    with Daemon.start(CONFIG, folder) as daemon:
        yield Show(daemon, tls / AUTHORITY)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tablet(show: Show, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """A Chromium whose user did what docs/tls.md says for Linux."""
    chromium = require_tool("chromium", "chromium-browser", "google-chrome", package="chromium")
    certutil = require_tool("certutil", package="libnss3-tools")
    home = tmp_path_factory.mktemp("home")
    database = home / ".pki/nssdb"
    database.mkdir(parents=True)
    command = [certutil, "-d", f"sql:{database}", "-A", "-t", "C,,", "-n", "stagebridge", "-i", show.trusted]
    await asyncio.to_thread(subprocess.run, command, stdin=subprocess.DEVNULL, check=True, timeout=10)
    port = (await show.ask("GET", "/healthz"))["https"]["port"]
    show.secure = f"https://127.0.0.1:{port}/"
    async with async_playwright() as playwright:
        environment = {**os.environ, "HOME": str(home)}
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGS, env=environment)
        yield browser
        await browser.close()


async def device(browser: Browser, url: str) -> tuple[Page, list[str]]:
    """A page on a device of its own, and everything that went wrong in it."""
    page = await (await browser.new_context(viewport={"width": 1024, "height": 768})).new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    await page.add_init_script(VIOLATIONS)
    await page.goto(url)
    return page, wrong


async def test_the_surface_works_over_https_beside_a_page_over_http(show: Show, tablet: Browser) -> None:
    page, wrong = await device(tablet, "about:blank")
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    await page.goto(await show.link(show.secure))  # pairs
    await page.wait_for_url(f"{show.secure}**")
    plain, plain_wrong = await device(tablet, await show.link(show.daemon.url))
    for each in (page, plain):
        await expect(each.locator("#surface")).to_have_attribute("data-state", "online")
        await expect(each.locator("sb-fader")).to_be_visible()
    assert sockets[-1] == show.secure.replace("https", "wss") + "ws"
    assert await page.evaluate("isSecureContext")  # so the screen may be kept awake

    for mover, follower, key, value in ((page, plain, "End", "1"), (plain, page, "Home", "0")):
        await mover.get_by_role("slider").press(key)
        await expect(follower.get_by_role("slider")).to_have_attribute("aria-valuenow", value)
    for each in (page, plain):
        assert await each.evaluate("window.violations") == []
    assert (wrong, plain_wrong) == ([], [])


async def test_an_own_page_works_over_https_by_its_ticket(show: Show, tablet: Browser) -> None:
    page, wrong = await device(tablet, f"{show.secure}pages/own.html")
    await page.wait_for_url(f"{show.secure}pair?to=/pages/own.html")
    await page.get_by_label("Six digits").fill((await show.ask("POST", "/api/codes"))["code"])
    await page.get_by_role("button", name="Let me in").click()
    await page.wait_for_url(f"{show.secure}pages/own.html")
    await expect(page.locator("#amount")).to_have_attribute("data-sync", "online")
    await page.locator("#amount").fill("44")
    await page.wait_for_function("stagebridge.get('/amount') === 44")
    assert (await show.ask("GET", "/api/controls/amount"))["value"] == 44
    assert await page.evaluate("window.violations") == []
    assert wrong == []


async def test_who_does_not_trust_the_authority_is_told_so(show: Show, browser: Browser, tablet: Browser) -> None:
    page = await browser.new_page()
    with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
        await page.goto(show.secure)
    await page.context.close()
    page = await tablet.new_page()
    with pytest.raises(Error, match="ERR_CERT_COMMON_NAME_INVALID"):  # trusted, but not for whatever name
        await page.goto(show.secure.replace("127.0.0.1", "localhost"))
    await page.context.close()


async def test_it_ends_in_time_with_twenty_screens_over_https(show: Show, tablet: Browser) -> None:
    token = (await show.ask("POST", "/api/devices", name="screens", role="control"))["token"]
    trusted = await asyncio.to_thread(ssl.create_default_context, cafile=show.trusted)
    url = show.secure.replace("https", "wss") + "ws"

    async def screen(number: int) -> websockets.ClientConnection:
        one = await websockets.connect(url, ssl=trusted, proxy=None, close_timeout=STOP_S)
        await one.send(json.dumps({"type": "hello", "name": f"screen {number}", "token": token}))
        assert json.loads(await one.recv())["type"] == "welcome"
        return one

    screens = await asyncio.gather(*map(screen, range(20)))
    assert len(tablet.contexts) >= 3  # the pages above are still there too
    show.daemon.process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    assert await asyncio.to_thread(show.daemon.process.wait, STOP_S) == 0, show.daemon.stderr
    assert time.monotonic() - began < STOP_S
    async with asyncio.timeout(STOP_S):
        await asyncio.gather(*(one.wait_closed() for one in screens))
    assert {one.close_code for one in screens} == {1001}
    assert "Traceback" not in show.daemon.stderr
