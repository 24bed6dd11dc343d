"""The monitor page: peers, browsers, who did what, what goes in and out, from the real daemon."""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from playwright.async_api import Page, expect

from bridge.osc.codec import encode_message
from tests.daemon import Daemon
from tests.peers import free_udp_port
from tests.waiting import SOON_S


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
        await expect(page.locator("#peers")).to_contain_text("connecting, never heard")
        await expect(page.locator("#clients tr")).to_have_count(2)  # this page is one itself
        daemon.request("PUT", "/api/controls/fader", {"value": 0.5})
        daemon.request("PUT", "/api/controls/cue", {"value": "<b>Act two</b>"})
        rows = page.locator("#history tr")
        await expect(rows.filter(has_text="/cue")).to_contain_text("→ <b>Act two</b>")
        await expect(rows.filter(has_text="/fader")).to_contain_text("0 → 0.5")
        await page.fill("#filter", "/fader")
        await expect(rows).to_have_count(1)
        await expect(page.locator("#peers")).to_have_css("opacity", "1")
        daemon.stop()
        await expect(page.locator("#server")).to_contain_text("no answer")
        await expect(page.locator("#peers")).to_have_css("opacity", "0.45")  # nobody knows any more


async def test_the_monitor_shows_what_goes_in_and_out(
    tmp_path: Path, open_page: Callable[..., Awaitable[Page]]
) -> None:
    listen, other = free_udp_port(), free_udp_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program:
        program.bind(("127.0.0.1", 0))
        send = program.getsockname()[1]
        config = f"""
[[osc]]
name = "max"
listen = "127.0.0.1:{listen}"
send = ["127.0.0.1:{send}"]

[[osc]]
name = "pd"
listen = "127.0.0.1:{other}"

[[control]]
path = "/fader"
"""

        def say(data: bytes, port: int = listen) -> None:
            program.sendto(data, ("127.0.0.1", port))

        async def monitors_are(count: int) -> None:
            async with asyncio.timeout(SOON_S):
                while daemon.request("GET", "/healthz")[1]["monitors"] != count:
                    await asyncio.sleep(0.02)

        with Daemon.start(config, tmp_path) as daemon:
            page = await open_page(daemon.url + "monitor.html")
            await monitors_are(1)
            say(encode_message("/fader", (0.25,)))
            say(encode_message("/fadre", ("<b>loud</b>", 3)))
            say(b"/a\0\0,x\0\0")
            daemon.request("PUT", "/api/controls/fader", {"value": 0.75})
            rows = page.locator("#traffic tr")
            await expect(rows).to_have_count(4)
            await expect(page.locator("#peers")).to_contain_text(re.compile(r"online, heard \d+ s ago; .*we listen on"))
            columns = "[...document.querySelectorAll('#traffic-title ~ .scroll th')].map((th) => th.offsetLeft).join()"
            before = await page.evaluate(columns)
            say(encode_message("/a/name/that/is/so/long/that/it/has/to/be/broken/into/several/lines", ("word " * 40,)))
            await expect(rows).to_have_count(5)
            assert await page.evaluate(columns) == before  # nothing jumps aside, whatever comes by
            await expect(rows.filter(has_text="out →")).to_contain_text("/fader,f0.75")
            await expect(rows.filter(has_text="/fadre")).to_contain_text("<b>loud</b> 3no such control")
            await expect(rows.filter(has_text="not OSC")).to_contain_text("byte 5: unknown type tag 'x'")
            await expect(rows.last).to_contain_text("0.25")  # the newest stands first

            await page.click("#traffic-clear")
            await page.fill("#traffic-address", "/fa*")
            await page.select_option("#traffic-peer", "max")
            await page.click("#traffic-pause")
            await expect(page.locator("#traffic-state")).to_have_text("paused")
            await monitors_are(0)
            await page.click("#traffic-pause")
            await monitors_are(1)
            say(encode_message("/fader", (0.5,)), other)
            say(encode_message("/other", (1,)))
            say(encode_message("/fader", (0.125,)))
            heard = rows.filter(has_text="← in")
            await expect(heard.first).to_contain_text("0.125")
            await expect(heard).to_have_count(1)  # neither the other peer's nor the other address
            await page.fill("#traffic-address", "/fa[")
            await expect(page.locator("#traffic-state")).to_contain_text("is no pattern")

            button = page.locator("#peers tr", has_text="max").locator("button")
            width = "node => node.offsetWidth"
            before = await button.evaluate(width)
            await button.click()
            await expect(button).to_have_text(re.compile(r"\d+ sent"))
            assert await button.evaluate(width) == before
            nowhere = page.locator("#peers tr", has_text="pd").locator("button")
            await nowhere.click()
            await expect(nowhere).to_have_text("Not sent")
            await expect(nowhere).to_have_attribute("title", re.compile("pd cannot be sent anything: its table"))
