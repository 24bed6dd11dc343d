"""What a peer teaches comes to the page, grows there, and goes back to the peer."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from bridge.osc.codec import Message, decode, encode_message
from tests.daemon import Daemon
from tests.peers import free_udp_port
from tests.waiting import SOON_S

pytestmark = pytest.mark.timeout(60)


async def test_a_learnt_control_is_drawn_and_moved(tmp_path: Path, open_page: Callable[..., Awaitable[Page]]) -> None:
    listen = free_udp_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program:
        program.bind(("127.0.0.1", 0))
        program.setblocking(False)
        config = f"""
[[osc]]
name = "touch"
listen = "127.0.0.1:{listen}"
send = ["127.0.0.1:{program.getsockname()[1]}"]
mirror = false
auto = true

[[control]]
path = "/level"
"""

        def say(address: str, *args: float) -> None:
            program.sendto(encode_message(address, args), ("127.0.0.1", listen))

        with Daemon.start(config, tmp_path) as daemon:
            page = await open_page(daemon.url)
            await expect(page.locator("sb-fader[path='/level']")).to_be_visible()
            say("/1/fader1", 0.25)
            say("/1/xy", 3)
            await page.get_by_role("tab", name="Learnt").click()
            fader = page.locator("sb-fader[path='/1/fader1']").get_by_role("slider")
            await expect(fader).to_have_attribute("aria-valuenow", "0.25")
            say("/1/fader1", 300.0)
            await expect(fader).to_have_attribute("aria-valuemax", "500")
            await expect(fader).to_have_attribute("aria-valuenow", "300")
            await expect(page.locator("sb-number[path='/1/xy']")).to_be_visible()
            say("/1/xy", 0.5, 0.75)  # it was no number after all
            await expect(page.locator("sb-xy[path='/1/xy']")).to_be_visible()
            await fader.focus()
            await page.keyboard.press("End")
            async with asyncio.timeout(SOON_S):
                heard = decode(await asyncio.get_running_loop().sock_recv(program, 4096))
            assert heard == Message("/1/fader1", (500.0,))
