"""A configuration that is edited during the show: open pages change in place, under a finger too."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Fingers
from tests.browser.places import box_of, middle_of
from tests.daemon import Daemon
from tests.waiting import SOON_S

CONFIG = """
[[page]]
name = "Mixer"
layout = "strips"
[[control]]
path = "/stays"
[[control]]
path = "/goes"
[[control]]
path = "/is/described"
range = [0, 10]
default = 8
"""
EDITED = CONFIG.replace('"/goes"', '"/comes"').replace("[0, 10]\ndefault = 8", '[0, 5]\nlabel = "Narrow"')
OpenPage = Callable[..., Awaitable[Page]]
MARK = "element => { element.mark = 'the same'; }"


async def test_a_page_changes_in_place_with_a_finger_down(
    tmp_path: Path, open_page: OpenPage, fingers_on: Callable[[Page], Awaitable[Fingers]]
) -> None:
    with Daemon.start(CONFIG, tmp_path) as daemon:
        page = await open_page(daemon.url, viewport={"width": 1024, "height": 670}, has_touch=True)
        fader, other = page.locator('[path="/stays"]'), page.locator('[path="/is/described"]')
        for element in (fader, other):
            await expect(element).to_be_visible()
            await element.evaluate(MARK)
        fingers = await fingers_on(page)
        box = await box_of(fader)
        x, middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        await fingers.down(1, x, middle)
        await fingers.move((1, x, middle - 40))
        await page.wait_for_function("() => fetch('/api/controls/stays').then(a => a.json()).then(a => a.value > 0.05)")
        held = daemon.value("/stays")

        (tmp_path / "config.toml").write_text(EDITED)
        daemon.process.send_signal(signal.SIGHUP)
        await expect(page.locator('[path="/comes"]')).to_be_visible()
        await expect(page.locator('[path="/goes"]')).to_have_count(0)
        await expect(page.get_by_role("slider", name="Narrow")).to_be_visible()
        assert [await each.evaluate("element => element.mark") for each in (fader, other)] == ["the same"] * 2
        assert (daemon.value("/stays"), daemon.value("/is/described")) == (held, 5)

        await fingers.move((1, x, middle - 80))  # the finger has it still
        await page.wait_for_function(
            "held => fetch('/api/controls/stays').then(a => a.json()).then(a => a.value > held + 0.05)", arg=held
        )
        await fingers.up(1)
        assert await page.locator(".banner").count() == 0 or await page.locator(".banner").is_hidden()

        (tmp_path / "config.toml").write_text(EDITED + "rang = 1\n")
        daemon.process.send_signal(signal.SIGHUP)
        await expect(page.locator(".banner")).to_contain_text("what was there before runs on: config.toml:")
        (tmp_path / "config.toml").write_text(EDITED)
        daemon.process.send_signal(signal.SIGHUP)
        await expect(page.locator(".banner")).to_be_hidden()


async def test_a_finger_on_what_goes_or_is_another_control_now_is_dead_until_it_lifts(
    tmp_path: Path, open_page: OpenPage, fingers_on: Callable[[Page], Awaitable[Fingers]]
) -> None:
    pressed = '[[control]]\npath = "{}"\nwidget = "button"\nmomentary = true\n'
    talk, solo = pressed.format("/talk"), pressed.format("/solo")
    level = '[[control]]\npath = "/level"\nwidget = "fader"\n'
    with Daemon.start(talk + solo + 'kind = "bool"\n' + level, tmp_path) as daemon:
        page = await open_page(daemon.url, viewport={"width": 1024, "height": 670}, has_touch=True)
        fingers = await fingers_on(page)
        for finger, (path, part) in enumerate([("/talk", ".face"), ("/solo", ".face"), ("/level", ".body")]):
            x, y = await middle_of(page.locator(f'[path="{path}"] {part}'))
            await fingers.down(finger, x, y)
        await fingers.move((2, x, y - 40))
        mine = page.locator("css=.root.mine")
        await expect(mine).to_have_count(3)

        solo += "range = [0, 10]\nrest = 5\n"
        (tmp_path / "config.toml").write_text(solo + level + 'kind = "int"\ndefault = 8\n')
        daemon.process.send_signal(signal.SIGHUP)
        await expect(page.locator('[path="/talk"]')).to_have_count(0)
        await expect(mine).to_have_count(0)
        await fingers.move((2, x, y - 80))
        await expect(page.locator('[path="/level"]')).to_have_js_property("value", 8)
        for finger in (1, 2):
            await fingers.up(finger)
        await expect(page.locator('[path="/solo"]')).to_have_js_property("value", 5)
        assert (daemon.value("/solo"), daemon.value("/level")) == (5, 8)


async def test_a_fader_stays_with_its_finger_though_its_group_has_another_name_and_place(
    tmp_path: Path, open_page: OpenPage, fingers_on: Callable[[Page], Awaitable[Fingers]]
) -> None:
    strip = '[[control]]\npath = "{}"\ngroup = "{}"\n'
    with Daemon.start(strip.format("/level", "Lead"), tmp_path) as daemon:
        page = await open_page(daemon.url, viewport={"width": 1024, "height": 670}, has_touch=True)
        fader = page.locator('[path="/level"]')
        fingers = await fingers_on(page)
        x, y = await middle_of(fader.locator(".body"))
        await fingers.down(1, x, y)
        await fader.evaluate(MARK)
        (tmp_path / "config.toml").write_text(strip.format("/before", "Band") + strip.format("/level", "Anna"))
        daemon.process.send_signal(signal.SIGHUP)
        await expect(page.get_by_role("slider", name="Anna level")).to_be_visible()
        assert await fader.evaluate("fader => fader.mark === 'the same' && fader.drag !== null")
        await fingers.move((1, x, y - 40))
        await expect(fader.locator(".num").first).not_to_have_text("0.00")
        await fingers.up(1)


@pytest.mark.parametrize("is_there", [False, True], ids=["comes", "goes"])
async def test_fingers_stay_in_a_strip_whose_fader_comes_or_goes(
    tmp_path: Path, open_page: OpenPage, fingers_on: Callable[[Page], Awaitable[Fingers]], is_there: bool
) -> None:
    strip = '[[control]]\npath = "/{}"\npage = "Mixer"\ngroup = "Lead"\nwidget = "{}"\n'
    held = (
        '[[page]]\nname = "Mixer"\nlayout = "strips"\n'
        + strip.format("pan", "knob")
        + strip.format("talk", "button")
        + "momentary = true\n"
    )
    fader = strip.format("level", "fader")
    with Daemon.start(held + (fader if is_there else ""), tmp_path) as daemon:
        page = await open_page(daemon.url, viewport={"width": 1024, "height": 670}, has_touch=True)
        fingers = await fingers_on(page)
        x, y = await middle_of(page.locator('[path="/talk"] .face'))
        await fingers.down(0, x, y)
        x, y = await middle_of(page.locator('[path="/pan"] .body'))
        await fingers.down(1, x, y)
        await expect(page.locator("css=.root.mine")).to_have_count(2)
        (tmp_path / "config.toml").write_text(held + ("" if is_there else fader))
        daemon.process.send_signal(signal.SIGHUP)
        await expect(page.locator('[path="/level"]')).to_have_count(0 if is_there else 1)
        await fingers.move((1, x, y - 40))
        await expect(page.locator('[path="/pan"]')).not_to_have_js_property("value", 0)
        await expect(page.locator("css=.root.mine")).to_have_count(2)
        assert daemon.value("/talk") == 1
        for finger in (0, 1):
            await fingers.up(finger)


async def test_a_finger_goes_on_from_where_another_range_has_put_its_fader(
    tmp_path: Path, open_page: OpenPage, fingers_on: Callable[[Page], Awaitable[Fingers]]
) -> None:
    with Daemon.start(CONFIG, tmp_path) as daemon:
        page = await open_page(daemon.url, viewport={"width": 1024, "height": 670}, has_touch=True)
        fader = page.locator('[path="/is/described"]')
        await expect(fader).to_be_visible()
        fingers = await fingers_on(page)
        x, y = await middle_of(fader.locator(".body"))
        await fingers.down(1, x, y)
        (tmp_path / "config.toml").write_text(EDITED)
        daemon.process.send_signal(signal.SIGHUP)
        await expect(page.get_by_role("slider", name="Narrow")).to_be_visible()
        await fingers.move((1, x, y + 10))
        await expect(fader).to_have_js_property("value", 5 * (1 - 10 / await fader.evaluate("fader => fader.travel")))
        await fingers.up(1)


async def test_a_page_keeps_nothing_of_controls_that_are_gone(tmp_path: Path, open_page: OpenPage) -> None:
    with Daemon.start(CONFIG, tmp_path) as daemon:
        page = await open_page(daemon.url, viewport={"width": 1024, "height": 670})
        await page.wait_for_function(
            """() => {
                const element = document.querySelector('[path="/goes"]');
                if (element) window.gone = new WeakRef(element);
                return element !== null;
            }"""
        )
        (tmp_path / "config.toml").write_text(EDITED)
        daemon.process.send_signal(signal.SIGHUP)
        await expect(page.locator('[path="/comes"]')).to_be_visible()
        cdp = await page.context.new_cdp_session(page)
        async with asyncio.timeout(SOON_S):
            while await page.evaluate("window.gone.deref() !== undefined"):
                await cdp.send("HeapProfiler.collectGarbage")
