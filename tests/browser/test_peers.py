"""What a performer sees of a peer that is not there: on the widget, in the bar, in the menu."""

import asyncio
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
        await expect(volume.locator(".root")).to_have_class(_has("awaited"))  # it was not there yet: nothing is hatched
        await expect(page.locator(".strip.is-awaited")).to_have_count(1)
        own = await open_page(daemon.url + "pages/sliders.html")
        await expect(own.locator("#slider1")).to_have_attribute("data-awaited", "Live")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as live:
            live.bind(("127.0.0.1", udp_port))
            await expect(page.locator(".has-gone, .is-awaited")).to_have_count(0)
            await expect(own.locator("#slider1[data-awaited]")).to_have_count(0)
        daemon.request("PUT", "/api/controls/volume", {"value": 0.25})
        await expect(volume.locator(".root")).to_have_class(_has("silent"))
        await expect(page.get_by_text("Live offline" if size[0] > 744 else "✕ Live")).to_be_visible()
        await expect(page.locator('[path="/here"] .root')).not_to_have_class(_has("silent"))
        if size[0] > 744:
            await expect(badge).to_have_text("Live silent")
        await badge.click()
        await expect(page.get_by_role("dialog")).to_contain_text(f"nobody listens on UDP {udp_port}")
        daemon.request("PUT", "/api/controls/volume", {"value": 0.75})  # the store still moves
        await page.wait_for_function("document.querySelector('[path=\"/volume\"]').value === 0.75")
        await expect(own.locator("#slider1")).to_have_attribute("data-silent", "Live")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as live:
            live.bind(("127.0.0.1", udp_port))
            await expect(own.locator("#slider1[data-silent]")).to_have_count(0)
            await expect(page.locator(".has-gone")).to_have_count(0)
            await expect(volume.locator(".root")).not_to_have_class(_has("silent"))


def _crowd(ports: list[int]) -> str:
    names = ["desk", "monitor-desk-left", *(f"player{n}" for n in range(3, len(ports) + 1))]
    peers = "".join(
        f'[[osc]]\nname = "{name}"\nsend = ["127.0.0.1:{port}"]\n' for name, port in zip(names, ports, strict=True)
    )
    pages = "".join(f'[[page]]\nname = "Page {n}"\nlayout = "strips"\n' for n in range(1, 8))
    others = "".join(f'"{name}" = false\n' for name in names[1:])
    return f"""
{peers}
{pages}
[[control]]
repeat = 8
path = "/ch/{{n}}/level"
group = "Ch {{n}}"
page = "Page 1"
[control.osc]
{others}
[[control]]
repeat = 8
path = "/ch/{{n}}/mute"
kind = "bool"
group = "Ch {{n}}"
page = "Page 1"
[control.osc]
{others}
[[control]]
path = "/all"
page = "Page 2"
"""


@pytest.mark.parametrize("size", [(1180, 718), (744, 1030), (320, 454)])
async def test_a_crowd_of_peers_goes_and_nothing_jumps_or_is_cut(
    tmp_path: Path, open_page: Callable[..., Awaitable[Page]], size: tuple[int, int]
) -> None:
    with Daemon.start(_crowd([free_udp_port() for _ in range(8)]), tmp_path) as daemon:
        desk = daemon.request("GET", "/healthz")[1]["peers"][0]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:  # it was there
            sock.bind(("127.0.0.1", int(desk["targets"][0].rpartition(":")[2])))
            sock.sendto(b"/hello\0\0,\0\0\0", ("127.0.0.1", desk["udp_port"]))
            while daemon.request("GET", "/healthz")[1]["peers"][0]["state"] != "online":
                await asyncio.sleep(0.02)
        page = await open_page(daemon.url, viewport={"width": size[0], "height": size[1]})
        badge = page.locator(".page-button" if size[0] < 400 else ".badge")
        tabs = page.locator(".tabs")
        await expect(page.locator(".strip").first).to_be_visible()
        places = """() => [...document.querySelectorAll('.tab, .tool, .panic, .strip, .strip *')].map((node) => {
            const { x, y, width, height } = node.getBoundingClientRect();
            return node.closest('.strip-name') ? 0 : [x, y, width, height].join();
        })"""
        before = [await tabs.is_visible(), await page.evaluate(places)]
        daemon.request("PUT", "/api/controls/ch/1/level", {"value": 0.5})
        await expect(badge).to_have_class(_has("has-gone"))
        mute = page.locator('[path="/ch/1/mute"]')
        await expect(mute.locator(".root")).to_have_class(_has("silent"))
        await expect(mute.locator(".face-text")).to_have_text("mute")
        await expect(mute.locator(".sub")).to_have_text("desk offline" if size[0] > 744 else "✕ desk")
        for words in (".face-text", ".sub"):
            assert await mute.locator(words).evaluate("node => node.scrollWidth <= node.clientWidth"), words
        assert [await tabs.is_visible(), await page.evaluate(places)] == before
        daemon.request("PUT", "/api/controls/all", {"value": 0.5})
        if size[0] > 400:
            await expect(page.locator(".state")).to_have_text(re.compile("^(8 peers gone|✕ 8)$"))
            assert await badge.evaluate("node => node.scrollWidth <= node.clientWidth")
        assert [await tabs.is_visible(), await page.evaluate(places)] == before
        await badge.click()
        menu = page.get_by_role("group", name="Peers").locator("p")
        await expect(menu).to_have_count(8)
        await expect(menu.first).to_contain_text("desk silent")
        assert all(" silent " in text for text in await menu.all_inner_texts())
        link = page.get_by_role("link", name=re.compile("Monitor"))
        await link.scroll_into_view_if_needed()
        await expect(link).to_be_in_viewport()
