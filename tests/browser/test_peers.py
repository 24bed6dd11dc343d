"""What a performer sees of a peer that is not there: on the widget, in the bar, in the menu."""

import re
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.daemon import Daemon
from tests.peers import free_udp_port


def _has(word: str) -> re.Pattern[str]:
    return re.compile(rf"(^|\s){word}(\s|$)")


pytestmark = pytest.mark.timeout(90)


@pytest.mark.parametrize("size", [(1180, 718), (320, 454)])
async def test_a_widget_says_that_nobody_hears_it_until_somebody_does(
    tmp_path: Path, open_page: Callable[..., Awaitable[Page]], size: tuple[int, int]
) -> None:
    udp_port = free_udp_port()
    config = f"""
[[osc]]
name = "Live"
send = ["127.0.0.1:{udp_port}"]

[[page]]
name = "Mixer"
layout = "strips"

[[control]]
path = "/volume"
page = "Mixer"

[[control]]
path = "/here"
page = "Mixer"
osc.Live = false
"""
    with Daemon.start(config, tmp_path) as daemon:
        page = await open_page(daemon.url, viewport={"width": size[0], "height": size[1]})
        is_small = size[0] < 400
        badge = page.locator(".page-button" if is_small else ".badge")
        strips = page.locator(".strip")
        await expect(strips).to_have_count(2)
        await expect(badge).to_have_attribute("data-state", "online")
        await expect(page.locator(".has-gone")).to_have_count(0)
        daemon.request("PUT", "/api/controls/volume", {"value": 0.5})
        volume = page.locator('[path="/volume"]')
        await expect(badge).to_have_class(_has("has-gone"))
        await expect(volume.locator(".root")).to_have_class(_has("silent"))
        await expect(page.get_by_text("Live offline" if size[0] > 744 else "✕ Live")).to_be_visible()
        await expect(page.locator('[path="/here"] .root')).not_to_have_class(_has("silent"))
        if size[0] > 744:
            await expect(badge).to_have_text("Live silent")
        await badge.click()
        await expect(page.get_by_role("dialog")).to_contain_text(f"nobody listens on UDP {udp_port}")
        daemon.request("PUT", "/api/controls/volume", {"value": 0.75})  # the store still moves
        await page.wait_for_function("document.querySelector('[path=\"/volume\"]').value === 0.75")
        own = await open_page(daemon.url + "pages/sliders.html")
        await expect(own.locator("#slider1")).to_have_attribute("data-silent", "Live")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as live:
            live.bind(("127.0.0.1", udp_port))
            await expect(own.locator("#slider1[data-silent]")).to_have_count(0)
            await expect(page.locator(".has-gone")).to_have_count(0)
            await expect(volume.locator(".root")).not_to_have_class(_has("silent"))
