"""The names and colours that a desk gives its channels, on the page."""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from playwright.async_api import Locator, Page, expect

from bridge.osc.codec import encode_message
from tests.browser.places import box_of
from tests.daemon import Daemon
from tests.peers import free_udp_port
from tests.waiting import SOON_S

OpenPage = Callable[..., Awaitable[Page]]

CONFIG = """
[[osc]]
name = "desk"
listen = "127.0.0.1:{udp_port}"
mirror = false
colors = ["", "#ff3030", "#30d030"]

[[page]]
name = "Mixer"
layout = "strips"

[[page]]
name = "Grid"

[[control]]
repeat = 2
path = "/ch/{{n}}/fader"
page = "Mixer"
group = "Channel {{n}}"
[control.osc.desk]
address = "/ch/{{n:02}}/mix/fader"
label = "/ch/{{n:02}}/config/name"
color = "/ch/{{n:02}}/config/color"

[[control]]
repeat = 2
path = "/ch/{{n}}/mute"
kind = "bool"
page = "Mixer"
group = "Channel {{n}}"

[[control]]
path = "/send"
widget = "knob"
page = "Grid"
label = "Send"
osc.desk = {{ label = "/bus/01/config/name", color = "/bus/01/config/color" }}
"""


async def color_of(strip: Locator) -> str:
    return str(await strip.evaluate("node => getComputedStyle(node).getPropertyValue('--group').trim()"))


async def test_a_strip_and_a_knob_are_called_and_coloured_as_on_the_desk(open_page: OpenPage, tmp_path: Path) -> None:
    udp_port = free_udp_port()
    with (
        Daemon.start(CONFIG.format(udp_port=udp_port), tmp_path) as daemon,
        socket.socket(type=socket.SOCK_DGRAM) as desk,
    ):

        def say(address: str, value: Any) -> None:
            desk.sendto(encode_message(address, (value,)), ("127.0.0.1", udp_port))

        page = await open_page(daemon.url)
        strips = page.locator(".strip")
        await expect(strips.first.locator(".strip-name")).to_have_text("Channel 1")
        say("/ch/01/config/name", "Anna")
        say("/ch/01/config/color", 2)
        await expect(strips.first.locator(".strip-name")).to_have_text("Anna")
        await expect(page.get_by_role("group", name="Anna")).to_have_class(re.compile(r"\bcolored\b"))
        await expect(strips.nth(1).locator(".strip-name")).to_have_text("Channel 2")
        green = await color_of(strips.first)
        say("/ch/01/config/color", 1)
        await page.wait_for_function(
            "green => getComputedStyle(document.querySelector('.strip')).getPropertyValue('--group').trim() !== green",
            arg=green,
        )
        say("/ch/01/config/name", "")
        await expect(strips.first.locator(".strip-name")).to_have_text("Channel 1")

        say("/bus/01/config/name", "Hall")
        await page.get_by_role("tab", name="Grid").click()
        await expect(page.locator("sb-knob")).to_contain_text("Hall")


async def test_a_new_name_does_not_take_a_fader_from_the_finger(open_page: OpenPage, tmp_path: Path) -> None:
    udp_port = free_udp_port()
    with (
        Daemon.start(CONFIG.format(udp_port=udp_port), tmp_path) as daemon,
        socket.socket(type=socket.SOCK_DGRAM) as desk,
    ):

        def value() -> float:
            _, control = daemon.request("GET", "/api/controls/ch/1/fader")
            return float(control["value"])

        page = await open_page(daemon.url)
        fader = page.locator("sb-fader").first
        box = await box_of(fader)
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.8
        await page.mouse.move(x, y)
        await page.mouse.down()
        await page.mouse.move(x, y - 40, steps=4)
        for name in ("Anna", "Ben"):
            desk.sendto(encode_message("/ch/01/config/name", (name,)), ("127.0.0.1", udp_port))
            await expect(page.locator(".strip-name").first).to_have_text(name)
            await expect(fader).to_be_visible()
            before = value()
            y -= 60
            await page.mouse.move(x, y, steps=4)
            async with asyncio.timeout(SOON_S):
                while value() <= before:
                    await asyncio.sleep(0.02)
        await page.mouse.up()
