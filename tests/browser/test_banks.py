"""What hardware holds of a page: its bracket, the bracket's arrows, and that nothing else turns the window."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.places import box_of
from tests.daemon import Daemon
from tests.jack import Controller

from .conftest import OpenPage
from .test_surface import ready, travels

CONFIG = """
[[midi]]
name = "desk"
device = "desk"
api = "jack"
[[page]]
name = "Mixer"
layout = "strips"
[[page]]
name = "Rows"
layout = "rows"
[[page]]
name = "Grid"
[[page]]
name = "Other"
[[control]]
repeat = 20
path = "/mixer/{n}/volume"
label = "Channel {n}"
pages = ["Mixer", "Rows"]
[[control]]
repeat = 20
path = "/mixer/{n}/mute"
kind = "bool"
label = "Mute {n}"
pages = ["Grid"]
[[control]]
path = "/elsewhere"
pages = ["Other"]
[[bank]]
name = "mixer"
strips = 20
[[bank.midi.desk]]
path = "/mixer/{n}/volume"
cc = "{s}"
[[bank.midi.desk]]
path = "/mixer/{n}/mute"
note = "{s}"
[bank.next.midi.desk]
note = 47
"""
WIDE, TABLET, PHONE = (1700, 800), (1024, 670), (320, 454)


@pytest.fixture(scope="module")
def daemon(jack: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon.start(CONFIG, Path(tmp_path_factory.mktemp("banks"))) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(jack: str, daemon: Daemon) -> AsyncIterator[Controller]:
    async with Controller.start(jack, "desk") as controller:
        await controller.hear()  # it is there
        yield controller


async def mixer(open_page: OpenPage, daemon: Daemon, size: tuple[int, int], page: str = "Mixer") -> Page:
    daemon.request("PUT", "/api/controls/bank/mixer", {"value": 1})
    viewport = {"width": size[0], "height": size[1]}
    opened = await open_page(f"{daemon.url}#/{page}", viewport=viewport, has_touch=True)
    await ready(opened)
    return opened


async def box(page: Page, selector: str, at: int = 0) -> dict[str, Any]:
    found = await box_of(page.locator(selector).nth(at))
    return dict(found)


async def brackets(page: Page, first: int, last: int) -> None:
    """Until the bracket stands over these strips of the page, counted from 1."""
    await page.wait_for_function(
        """([first, last]) => {
          const strips = [...document.querySelectorAll('.strip')].map((strip) => strip.getBoundingClientRect());
          const lines = [...document.querySelectorAll('.bracket-line')].map((line) => line.getBoundingClientRect());
          return lines.length === 1 && Math.abs(lines[0].left - strips[first - 1].left) < 1
            && Math.abs(lines[0].right - strips[last - 1].right) < 1;
        }""",
        arg=[first, last],
    )


def window(daemon: Daemon) -> Any:
    return daemon.request("GET", "/api/controls/bank/mixer")[1]["value"]


async def test_the_bracket_stands_over_what_the_hardware_holds(
    open_page: OpenPage, daemon: Daemon, desk: Controller
) -> None:
    page = await mixer(open_page, daemon, WIDE)
    await brackets(page, 1, 8)
    await expect(page.locator(".bracket-name")).to_have_text("mixer 1–8 · desk")
    desk.send("90 2f 7f", "90 2f 00")
    await brackets(page, 9, 16)
    await expect(page.locator(".bracket-name")).to_have_text("mixer 9–16 · desk")
    await page.get_by_role("button", name="Next bank").click()
    await expect(page.locator(".bracket-line")).to_have_count(0)  # they are not in view
    await page.locator(".bracket-name").click()
    await brackets(page, 9, 16)
    assert window(daemon) == 2


async def test_its_arrows_turn_the_hardware_and_nothing_else_does(
    open_page: OpenPage, daemon: Daemon, desk: Controller
) -> None:
    daemon.request("PUT", "/api/controls/mixer/20/volume", {"value": 1})
    page = await mixer(open_page, daemon, TABLET, "Other")
    await expect(page.locator(".bracket")).to_have_count(0)  # nothing of it stands there
    for name, mark in (("Rows", ".row"), ("Grid", ".cell")):
        await page.get_by_role("tab", name=name).click()
        await expect(page.locator(f"{mark}.by-hardware")).to_have_count(7 if name == "Rows" else 8)
    await page.get_by_role("tab", name="Mixer").click()
    await has_room(page, TABLET)
    await page.get_by_role("button", name="Next bank").click()
    assert window(daemon) == 1
    forth = page.get_by_role("button", name="mixer: next window")
    await forth.click()
    await expect(page.locator(".bracket-name")).to_have_text("mixer 9–16 · desk")
    await brackets(page, 1, 8)
    await forth.click()
    assert await desk.hear_until("b0 04 7f")
    await expect(forth).to_be_disabled()
    await page.locator(".lock").click()
    await page.get_by_role("button", name="mixer: previous window").click()
    await page.get_by_role("tab", name="Other").click()
    assert window(daemon) == 3


async def has_room(page: Page, size: tuple[int, int]) -> None:
    assert min(await travels(page)) >= 200
    tag, strip = await box(page, ".bracket-tag"), await box(page, ".strip")
    assert tag["y"] + tag["height"] <= strip["y"]
    assert tag["x"] >= 0
    assert tag["x"] + tag["width"] <= size[0]
    assert await page.evaluate("document.documentElement.scrollWidth") == size[0]
    assert (await box(page, ".bracket-turn"))["height"] >= 44


async def test_there_is_room_for_it_on_a_phone(open_page: OpenPage, daemon: Daemon, desk: Controller) -> None:
    page = await mixer(open_page, daemon, PHONE)
    await brackets(page, 1, 4)
    await has_room(page, PHONE)
    assert await page.locator(".bracket-line.goes-on").count() == 1  # four more are beside the screen


async def test_a_device_that_goes_leaves_its_bracket_and_nothing_moves(
    open_page: OpenPage, daemon: Daemon, desk: Controller
) -> None:
    page = await mixer(open_page, daemon, TABLET)
    await brackets(page, 1, 8)
    before = await box(page, "sb-fader")
    await desk.pull()
    await expect(page.locator(".bracket-name")).to_have_text("mixer 1–8 · desk offline")
    await expect(page.locator(".bracket-line")).to_have_count(0)
    assert await box(page, "sb-fader") == before
