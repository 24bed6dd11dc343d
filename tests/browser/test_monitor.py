"""The monitor page: peers, browsers and who did what, from the real daemon."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from playwright.async_api import Page, expect

from tests.daemon import Daemon
from tests.peers import free_udp_port


async def test_the_monitor_says_who_did_what(tmp_path: Path, open_page: Callable[..., Awaitable[Page]]) -> None:
    config = f"""
[[osc]]
name = "max"
listen = "127.0.0.1:{free_udp_port()}"
send = ["127.0.0.1:{free_udp_port()}"]

[[control]]
path = "/fader"

[[control]]
path = "/cue"
kind = "string"
"""
    with Daemon.start(config, tmp_path) as daemon:
        await open_page(daemon.url)
        page = await open_page(daemon.url + "monitor.html")
        await expect(page.locator("#server")).to_contain_text("controls")
        await expect(page.locator("#peers")).to_contain_text("never heard")
        await expect(page.locator("#clients tr")).to_have_count(1)
        daemon.request("PUT", "/api/controls/fader", {"value": 0.5})
        daemon.request("PUT", "/api/controls/cue", {"value": "<b>Act two</b>"})
        rows = page.locator("#history tr")
        await expect(rows.filter(has_text="/cue")).to_contain_text("→ <b>Act two</b>")
        await expect(rows.filter(has_text="/fader")).to_contain_text("0 → 0.5")
        await page.fill("#filter", "/fader")
        await expect(rows).to_have_count(1)
        daemon.stop()
        await expect(page.locator("#server")).to_contain_text("no answer")
