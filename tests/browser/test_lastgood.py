"""Whoever stands at a screen sees that the configuration is not the one that was written."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from playwright.async_api import Page, expect

from bridge import app
from bridge.config import lastgood
from tests.daemon import Daemon

GOOD = '[[page]]\nname = "Mixer"\n[[control]]\npath = "/volume"\n'


async def test_a_page_says_that_the_last_good_configuration_runs(
    tmp_path: Path, open_page: Callable[..., Awaitable[Page]]
) -> None:
    file, state = tmp_path / "config.toml", tmp_path / "state" / "stagebridge"
    file.write_text(GOOD)
    started = await asyncio.to_thread(lastgood.start, file, state, app.KINDS, {})
    await asyncio.to_thread(lastgood.keep, state, file, started)
    with Daemon.start(GOOD + "rang = 1\n", tmp_path, "--last-good") as daemon:
        page = await open_page(daemon.url, viewport={"width": 320, "height": 454})
        banner = page.locator(".banner")
        await expect(banner).to_contain_text("The configuration has mistakes: the last good copy")
        await expect(banner).to_contain_text("config.toml:5: control[0].rang = 1: unknown key")
        await expect(page.locator('[path="/volume"]')).to_be_visible()
        await page.get_by_role("button", name="Panic: hold").click(trial=True)  # nothing lies over it
        await banner.get_by_role("button", name="Put away").click()
        await expect(banner).to_be_hidden()
        await page.locator(".page-button").click()
        await expect(page.get_by_role("dialog")).to_contain_text("The configuration has mistakes: the last good copy")
