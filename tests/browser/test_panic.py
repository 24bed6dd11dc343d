"""Panic in real Chromium: what it takes from under a finger stays taken, until that finger lifts."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from playwright.async_api import Page

from tests.browser.places import middle_of
from tests.daemon import Daemon
from tests.waiting import SOON_S

CONFIG = """
[panic]
"/main" = 0.25

[[control]]
path = "/main"
default = 0.5

[[control]]
path = "/flash"
kind = "bool"
momentary = true
"""
OpenPage = Callable[..., Awaitable[Page]]


async def until_shown(page: Page, path: str, value: object) -> None:
    await page.wait_for_function(
        "([path, value]) => document.querySelector(`[path='${path}']`)?.value === value", arg=[path, value]
    )


async def test_a_finger_that_rests_on_a_fader_sees_what_panic_set_and_undoes_nothing(
    tmp_path: Path, open_page: OpenPage
) -> None:
    with Daemon.start(CONFIG, tmp_path) as daemon:
        page, other = await open_page(daemon.url), await open_page(daemon.url)
        await until_shown(page, "/main", 0.5)
        x, y = await middle_of(page.locator('sb-fader[path="/main"]'))
        await page.mouse.move(x, y)
        await page.mouse.down()
        await page.mouse.move(x, y - 80, steps=8)
        async with asyncio.timeout(SOON_S):
            while daemon.value("/main") <= 0.5:
                await asyncio.sleep(0.02)
        daemon.request("POST", "/api/controls/stagebridge/panic")
        await until_shown(page, "/main", 0.25)  # though the finger is still there
        await until_shown(other, "/main", 0.25)
        await page.mouse.move(x, y - 140, steps=8)
        await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert daemon.value("/main") == 0.25
        assert daemon.request("GET", "/api/holds")[1] == {"holds": []}
        await page.mouse.up()
        await page.mouse.move(x, y)
        await page.mouse.down()
        await page.mouse.move(x, y - 60, steps=8)
        await page.mouse.up()
        async with asyncio.timeout(SOON_S):
            while daemon.value("/main") == 0.25:
                await asyncio.sleep(0.02)


async def test_a_pressed_momentary_rests_at_panic(tmp_path: Path, open_page: OpenPage) -> None:
    with Daemon.start(CONFIG, tmp_path) as daemon:
        page = await open_page(daemon.url)
        await until_shown(page, "/flash", False)
        x, y = await middle_of(page.locator('[path="/flash"]'))
        await page.mouse.move(x, y)
        await page.mouse.down()
        async with asyncio.timeout(SOON_S):
            while daemon.value("/flash") is False:
                await asyncio.sleep(0.02)
        daemon.request("POST", "/api/controls/stagebridge/panic")
        await until_shown(page, "/flash", False)
        assert daemon.value("/flash") is False
        await page.mouse.up()
        assert daemon.value("/flash") is False
