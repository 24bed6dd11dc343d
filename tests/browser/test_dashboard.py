"""The dashboard, and what the surface says while something is wrong, from the real daemon."""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from playwright.async_api import Page, expect

from bridge.osc.codec import encode_message
from tests.daemon import Daemon
from tests.peers import free_udp_port
from tests.waiting import SOON_S


async def test_an_operator_sees_what_is_wrong_until_it_is_mended(
    tmp_path: Path, open_page: Callable[..., Awaitable[Page]]
) -> None:
    listen, in_the_way = free_udp_port(), tmp_path / "disk"
    in_the_way.write_text("a file where a folder should be")
    config = f"""
[state]
file = "{in_the_way / "state.db"}"

[[osc]]
name = "max"
listen = "127.0.0.1:{listen}"

[[osc]]
name = "live"
listen = "127.0.0.1:0"
send = ["127.0.0.1:{free_udp_port()}"]

[[page]]
name = "Mixer"

[[control]]
path = "/fader"
"""
    with Daemon.start(config, tmp_path) as daemon, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program:

        def move(count: int) -> None:
            for step in range(count):
                program.sendto(encode_message("/fader", (step / count,)), ("127.0.0.1", listen))
            program.sendto(encode_message("/nowhere"), ("127.0.0.1", listen))

        surface = await open_page(daemon.url)
        banner = surface.locator(".banner")
        await expect(banner).to_contain_text("Moves are not saved:")
        await surface.get_by_role("button", name="Menu", exact=True).click()
        await expect(surface.get_by_role("dialog")).to_contain_text("Moves are not saved:")
        await surface.get_by_role("link", name="Dashboard").click()
        page = surface
        move(50)
        await expect(page.locator(".verdict")).to_contain_text("2 things are wrong")
        reasons = page.locator("#reasons li")
        await expect(reasons.first).to_contain_text("moves are not saved")
        await expect(reasons.last).to_contain_text("live silent")
        peers = page.locator("#peers tr")
        await expect(peers.first).to_contain_text("max")
        await expect(peers.first).to_contain_text("1 unknown")
        await expect(peers.nth(1)).to_have_class("is-gone")
        async with asyncio.timeout(SOON_S):
            while await page.locator("canvas").first.get_attribute("aria-label") is None:
                await asyncio.sleep(0.05)
        label = "canvas[aria-label*='the highest of 10 minutes is ']:not([aria-label$=' is 0'])"
        await expect(page.locator(f"figure:has-text('Messages a second') {label}")).to_have_count(1)
        await expect(page.locator(".tile", has_text="memory")).to_contain_text("MB")
        drawn = await page.locator("canvas").evaluate_all(
            "all => all.map((one) => new Set(one.getContext('2d').getImageData(0, 0, one.width, one.height).data).size)"
        )
        assert min(drawn) > 2, drawn  # lines, not only a background

        other = await open_page(daemon.url)
        await expect(other.locator(".banner")).to_contain_text("Moves are not saved:")
        in_the_way.unlink()
        in_the_way.mkdir()
        await expect(other.locator(".banner")).to_be_hidden()
        await expect(page.locator(".verdict")).to_contain_text("Something is wrong")
        await expect(page.locator("#state")).to_contain_text("saved")
        await expect(reasons).to_have_count(1)
        daemon.stop()
        await expect(page.locator("#server")).to_contain_text("no answer")
        await expect(page.locator("#tiles")).to_have_css("opacity", "0.45")


async def test_a_bridge_that_hangs_is_not_well(tmp_path: Path, open_page: Callable[..., Awaitable[Page]]) -> None:
    with Daemon.start('[[control]]\npath = "/fader"\n', tmp_path) as daemon:
        page = await open_page(f"{daemon.url}dashboard.html")
        verdict = page.locator(".verdict h2")
        await expect(verdict).to_have_text("All is well")
        await page.evaluate("""() => {
            const verdict = document.querySelector('.verdict h2');
            globalThis.said = [];
            const note = () => said.push(verdict.textContent);
            new MutationObserver(note).observe(verdict, { childList: true, subtree: true, characterData: true });
            globalThis.show = (isShown) => {
                Object.defineProperty(document, 'hidden', { value: !isShown, configurable: true });
                document.dispatchEvent(new Event('visibilitychange'));
            };
        }""")
        before = await page.locator("#server").inner_text()
        await page.evaluate("show(false); show(true)")
        await expect(page.locator("#server")).not_to_have_text(before)  # how long it is up
        assert await page.evaluate("said") == [], "whoever comes back is told nothing wrong"
        await page.evaluate("show(false)")
        daemon.process.send_signal(signal.SIGSTOP)
        try:
            await page.evaluate("show(true)")
            await expect(verdict).to_have_text("Nothing is heard")
            await expect(page.locator("#server")).to_contain_text("no answer")
        finally:
            daemon.process.send_signal(signal.SIGCONT)
        await expect(verdict).to_have_text("All is well")
