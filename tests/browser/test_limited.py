"""Devices that may not do everything, in real Chromium: a screen that only watches, a musician's tablet."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from bridge.remote import Daemon as Here
from bridge.remote import request
from tests.browser.places import middle_of
from tests.daemon import Daemon
from tests.waiting import SOON_S

CONFIG = """
[auth]
mode = "token"

[[page]]
name = "Anna"

[[page]]
name = "Ben"

[[control]]
path = "/anna/level"
page = "Anna"

[[control]]
path = "/anna/mute"
kind = "bool"
page = "Anna"

[[control]]
path = "/ben/level"
page = "Ben"

[[access]]
name = "Anna"
pages = ["Anna"]

[[access]]
name = "foyer"
role = "view"
pages = ["Anna"]
"""
OpenPage = Callable[..., Awaitable[Page]]
Ask = Callable[..., Awaitable[Any]]
FADER = 'sb-fader[path="/anna/level"]'


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon.start(CONFIG, tmp_path_factory.mktemp("limited")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def ask(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ask]:
    """What the command line asks, over its socket."""
    monkeypatch.setenv("XDG_STATE_HOME", daemon.home["XDG_STATE_HOME"])

    async def one(method: str, path: str, body: Any = None) -> Any:
        return await asyncio.to_thread(request, Here(daemon.http_port), method, path, body)

    yield one


async def let_in(open_page: OpenPage, daemon: Daemon, ask: Ask, access: str) -> Page:
    code = (await ask("POST", "/api/codes", {"access": access}))["code"]
    page = await open_page(f"{daemon.url}pair#code={code}")
    await page.wait_for_selector(FADER)
    await page.wait_for_function("path => document.querySelector(path).value !== undefined", arg=FADER)
    return page


async def drag(page: Page) -> None:
    x, y = await middle_of(page.locator(FADER))
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x, y - 80, steps=8)
    await page.mouse.up()


async def menu_of(page: Page) -> str:
    await page.locator(".badge").click()
    text = await page.locator(".sheet").inner_text()
    await page.keyboard.press("Escape")
    return text


async def until(ask: Ask, path: str, is_right: Callable[[Any], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not is_right((await ask("GET", f"/api/controls{path}"))["value"]):
            await asyncio.sleep(0.02)


async def test_a_screen_that_watches_says_so_shows_everything_live_and_moves_nothing(
    daemon: Daemon, open_page: OpenPage, ask: Ask
) -> None:
    page = await let_in(open_page, daemon, ask, "foyer")
    await expect(page.locator(".watching")).to_be_visible()
    await expect(page.locator(".watching")).to_have_text("watching")
    for gone in (".panic", ".tool.lock", 'sb-fader[path="/ben/level"]'):
        await expect(page.locator(gone)).to_be_hidden()
    assert await page.locator(".tab").count() == 1
    menu = await menu_of(page)
    assert not any(word in menu for word in ("Monitor", "Learn", "Lock"))
    before = (await ask("GET", "/api/controls/anna/level"))["value"]
    await drag(page)
    await page.locator('[path="/anna/mute"]').click(force=True)
    await page.locator(FADER).press("ArrowUp")
    assert await page.evaluate("document.querySelectorAll('[path]').length") == 2
    assert await page.evaluate("[...document.querySelectorAll('[path]')].every((one) => one.isReadonly && !one.isFree)")
    await ask("PUT", "/api/controls/anna/level", {"value": 0.75})
    await page.wait_for_function("path => document.querySelector(path).value === 0.75", arg=FADER)
    assert before == 0.0
    assert (await ask("GET", "/api/controls/anna/mute"))["value"] is False
    assert (await ask("GET", "/api/holds"))["holds"] == []
    behind = await page.context.new_page()
    await behind.goto(f"{daemon.url}monitor.html")
    await expect(behind.locator("#server")).to_have_text("only an admin's device may see this")
    for table in ("#peers", "#clients", "#history"):
        await expect(behind.locator(table)).to_have_text("only an admin's device may see this")
    await behind.close()
    # Whoever may move by now sees it at once.
    (device,) = [one for one in (await ask("GET", "/api/devices"))["devices"] if one["access"] == "foyer"]
    await ask("PATCH", f"/api/devices/{device['id']}", {"access": "Anna"})
    await expect(page.locator(".watching")).to_be_hidden()
    await page.locator('[path="/anna/mute"]').click()
    await until(ask, "/anna/mute", lambda value: value is True)


async def test_a_musicians_tablet_has_its_page_and_no_more(daemon: Daemon, open_page: OpenPage, ask: Ask) -> None:
    page = await let_in(open_page, daemon, ask, "Anna")
    await ask("PUT", "/api/controls/anna/level", {"value": 0.25})
    await page.wait_for_function("path => document.querySelector(path).value === 0.25", arg=FADER)
    await drag(page)
    await until(ask, "/anna/level", lambda value: value > 0.25)
    await expect(page.locator(".watching")).to_be_hidden()
    await expect(page.locator(".panic")).to_be_hidden()
    assert await page.locator(".tab").count() == 1
    menu = await menu_of(page)
    assert not any(word in menu for word in ("Monitor", "Learn", "Ben"))
    answers = await page.evaluate(
        "Promise.all(['api/controls/ben/level', 'api/controls/zen/level', 'api/history', 'healthz']"
        ".map(async (path) => { const answer = await fetch(path); return [answer.status, await answer.text()]; }))"
    )
    assert [status for status, _ in answers] == [404, 404, 403, 200]
    assert answers[0][1].replace("/ben/", "/zen/") == answers[1][1]
    assert answers[3][1] == '{"status":"ok"}'
