"""MIDI learn as somebody does it: the page, the daemon, and a controller on JACK that is another process."""

import asyncio
import os
import signal
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from bridge.app import KINDS
from bridge.config.loading import load
from tests.daemon import Daemon
from tests.jack import Controller

OpenPage = Callable[..., Awaitable[Page]]
pytestmark = [pytest.mark.timeout(90), pytest.mark.alone]

CONFIG = """
[state]
file = ""                # values are not kept; what is learnt is

[[midi]]
name = "nano"
device = "nano"
api = "jack"

[[control]]
path = "/level"
label = "Level"
range = [0, 100]
default = 50
[[control]]
path = "/on"
kind = "bool"
label = "On"
[[control]]
path = "/cutoff"
label = "Cutoff"
widget = "knob"
[[control]]
path = "/space"
kind = "vector"
label = "Space"
[[control]]
path = "/name"
kind = "string"
label = "Name"
"""


@pytest_asyncio.fixture(loop_scope="session")
async def nano(jack: str) -> AsyncIterator[Controller]:
    async with Controller.start(jack, "nano") as nano:
        yield nano


def cc(number: int, *values: int) -> list[str]:
    return [f"b0 {number:02x} {value:02x}" for value in values]


async def test_tap_a_control_move_the_hardware_done(
    tmp_path: Path, open_page: OpenPage, jack: str, nano: Controller
) -> None:
    with Daemon.start(CONFIG, tmp_path, stop=False) as daemon:
        page = await open_page(daemon.url, viewport={"width": 1024, "height": 670}, permissions=["clipboard-read"])
        level, on = page.locator("sb-fader[path='/level']"), page.locator("sb-toggle[path='/on']")
        fader = level.get_by_role("slider")
        panel, sheet = page.get_by_label("Learn from hardware"), page.get_by_role("dialog")
        await expect(fader).to_have_attribute("aria-valuenow", "50")
        await page.get_by_role("button", name="Menu").first.click()
        await sheet.get_by_role("button", name="Learn from hardware").click()
        await expect(panel).to_contain_text("Tap a control, then move the hardware.")
        await expect(page.locator(".page").last).to_be_in_viewport()
        for element in await page.locator(".stage [path]").all():  # nothing stands below the panel
            assert await edge(element, bottom=True) <= await edge(panel) + 1

        # A fader of fourteen bits: the tap itself moves nothing.
        await level.click()
        await expect(level).to_have_attribute("data-learn", "armed")
        await expect(panel).to_contain_text("Level Move it on the hardware")
        assert daemon.value("/level") == 50
        for value in range(2000, 6000, 500):
            nano.send(f"b0 07 {value >> 7:02x}", f"b0 27 {value & 127:02x}")
        await expect(panel).to_contain_text("Level learnt: nano: cc14 = 7")
        await expect(level).to_have_attribute("data-learn", "learnt")

        # A button, by the keyboard; an encoder in two directions; a text is refused.
        await on.get_by_role("switch").focus()
        await page.keyboard.press("Enter")
        await expect(panel).to_contain_text("On Move it on the hardware")
        nano.send("90 24 7f", "80 24 00")
        await expect(panel).to_contain_text("On learnt: nano: note = 36")
        assert daemon.value("/on") is False
        await page.locator("sb-knob[path='/cutoff']").click()
        nano.send(*cc(16, 1, 1, 1, 1))
        await expect(panel).to_contain_text("an encoder. Now turn it to the left.")
        nano.send(*cc(16, 65, 65))
        await expect(panel).to_contain_text('Cutoff learnt: nano: cc = 16, relative = "sign"')
        space = page.locator("sb-xy[path='/space']")
        for number, component in ((20, 1), (21, 2)):
            await space.click()
            await expect(panel).to_contain_text(f"Space {component} Move it on the hardware")
            nano.send(*cc(number, 20, 40, 60))
            await expect(panel).to_contain_text(f"learnt: nano: cc = {number}, component = {component - 1}")
        await page.locator("sb-text[path='/name']").click()
        await expect(panel).to_contain_text("/name: a string cannot be carried by MIDI messages")

        # What was learnt can be copied into the configuration, and forgotten.
        await panel.get_by_role("button", name="Show all").click()
        text = await sheet.get_by_label("For the configuration").input_value()
        assert tomllib.loads(text)["control"][0] == {"path": "/level", "midi": {"nano": [{"cc14": 7}]}}
        (tmp_path / "pasted.toml").write_text(CONFIG + text)
        (peer,) = (await asyncio.to_thread(load, tmp_path / "pasted.toml", KINDS)).peers
        assert {path: len(bindings) for path, bindings in peer.bindings.items()} == {
            "/level": 1, "/on": 1, "/cutoff": 1, "/space": 2,
        }  # fmt: skip
        await sheet.get_by_role("button", name="Copy").click()
        await expect(sheet.get_by_role("button", name="Copy")).to_contain_text("✓")
        assert await page.evaluate("navigator.clipboard.readText()") == text
        await sheet.locator(".learnt-one", has_text="/on").get_by_role("button", name="Forget").click()
        await expect(sheet.locator(".learnt-one")).to_have_count(4)
        await sheet.get_by_role("button", name="Close").click()
        await space.click()
        await panel.get_by_role("button", name="Forget").click()
        await expect(space).not_to_have_attribute("data-learn", "learnt")
        await panel.get_by_role("button", name="Done").click()
        await expect(panel).to_be_hidden()

        # And now it works, both ways; what is forgotten does not.
        nano.send("90 24 7f", "80 24 00", *cc(20, 127), "b0 07 7f", "b0 27 7f")
        await expect(fader).to_have_attribute("aria-valuenow", "100")
        assert (daemon.value("/on"), daemon.value("/space")) == (False, [0.0, 0.0])
        await fader.focus()
        await page.keyboard.press("Home")
        await expect(fader).to_have_attribute("aria-valuenow", "0")
        await nano.hear_until("b0 27 00")
        os.kill(daemon.pid, signal.SIGKILL)
        daemon.process.wait()
    with Daemon.start(CONFIG, tmp_path) as daemon:  # in the next run too
        page = await open_page(daemon.url)
        fader = page.locator("sb-fader[path='/level']").get_by_role("slider")
        await nano.hear_until("b0 27 00")  # where it stands: in the middle; found again
        nano.send("b0 07 7f", "b0 27 7f")
        await expect(fader).to_have_attribute("aria-valuenow", "100")


async def test_on_a_small_screen_the_panel_covers_nothing(tmp_path: Path, open_page: OpenPage) -> None:
    with Daemon.start(CONFIG, tmp_path, env={"JACK_DEFAULT_SERVER": "nobody"}) as daemon:
        page = await open_page(daemon.url, viewport={"width": 390, "height": 664}, has_touch=True)
        panel = page.get_by_label("Learn from hardware")
        await page.locator(".page-button").click()
        await page.get_by_role("dialog").get_by_role("button", name="Learn from hardware").click()
        await page.locator(".stage [path]").first.tap()
        await expect(panel).to_contain_text("Move it on the hardware")
        for width, height in ((390, 664), (664, 390), (320, 454)):
            await page.set_viewport_size({"width": width, "height": height})
            await expect(page.locator(".stage [path]").first).to_be_in_viewport()
            top = await edge(panel)
            assert await edge(panel, bottom=True) == height
            done = panel.get_by_role("button", name="Done")
            assert await edge(done, bottom=True) - await edge(done) >= 44
            assert await edge(done, bottom=True) <= height
            for element in await page.locator(".stage [path]").all():
                assert await edge(element, bottom=True) <= top + 1
        await page.keyboard.press("Escape")
        await expect(panel).to_be_hidden()


async def edge(element: Locator, *, bottom: bool = False) -> float:
    """Where it begins or ends, in px from the top."""
    box = await element.bounding_box()
    assert box is not None
    return box["y"] + (box["height"] if bottom else 0)
