"""The main job: two tablets, liblo's tools and Pd share one live state with the daemon's own surface."""

import asyncio
import contextlib
import re
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page

from tests.browser.places import middle_of
from tests.daemon import Daemon
from tests.peers import free_udp_port, require_tool
from tests.waiting import SOON_S

PATCH = Path(__file__).parent.parent / "fakes" / "double.pd"
OpenPage = Callable[..., Awaitable[Page]]
pytestmark = pytest.mark.timeout(120)


@dataclass
class Stage:
    """A running daemon with a listener (oscdump) and a program that answers (Pd)."""

    daemon: Daemon
    osc_port: int
    dump: Path
    oscsend: str

    def received(self, address: str) -> list[float]:
        """What oscdump has printed for an address so far."""
        found = re.findall(rf"{re.escape(address)} f (\S+)", self.dump.read_text())
        return [float(number) for number in found]

    def send(self, address: str, *typed: str) -> None:
        subprocess.run([self.oscsend, "127.0.0.1", str(self.osc_port), address, *typed], check=True, timeout=SOON_S)


def config(osc_port: int, dump_port: int, pd_port: int) -> str:
    return f"""
[[osc]]
name = "stage"
listen = "127.0.0.1:{osc_port}"
send = ["127.0.0.1:{dump_port}", "127.0.0.1:{pd_port}"]

[[page]]
name = "Mixer"
layout = "strips"

[[control]]
path = "/left"
group = "Left"

[[control]]
path = "/right"
group = "Right"

[[control]]
path = "/answer"
kind = "float"
range = [0, 2]
group = "Pd"
"""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    oscdump = require_tool("oscdump", package="liblo-tools")
    oscsend = require_tool("oscsend", package="liblo-tools")
    pd = require_tool("pd", "puredata", package="puredata-core")
    osc_port, dump_port, pd_port = free_udp_port(), free_udp_port(), free_udp_port()
    patch = tmp_path / "answer.pd"
    patch.write_text(PATCH.read_text().replace("LISTEN", str(pd_port)).replace("ANSWER", str(osc_port)))
    dump = tmp_path / "dump.txt"
    with contextlib.ExitStack() as stack:
        daemon = stack.enter_context(Daemon.start(config(osc_port, dump_port, pd_port), tmp_path))
        out = stack.enter_context(dump.open("wb"))
        stack.enter_context(running([oscdump, "-L", str(dump_port)], out))
        pd_args = ["-nogui", "-noaudio", "-nomidi", "-nrt", "-noprefs", "-stderr", "-sleepgrain", "1", "-open"]
        pd_log = stack.enter_context((tmp_path / "pd.txt").open("wb"))
        stack.enter_context(running([pd, *pd_args, str(patch)], pd_log))
        yield Stage(daemon, osc_port, dump, oscsend)


@contextlib.contextmanager
def running(command: list[str], out: Any) -> Iterator[None]:
    with subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest_asyncio.fixture(loop_scope="session")
async def peers_are_up(stage: Stage) -> AsyncIterator[None]:
    """Both programs hear us: one has printed, the other has answered."""
    async with asyncio.timeout(SOON_S):
        value = 0.25
        while not stage.received("/left") or stage.daemon.value("/answer") == 0:
            value = 0.5 if value == 0.25 else 0.25
            stage.daemon.request("PUT", "/api/controls/left", {"value": value})
            await asyncio.sleep(0.1)
        stage.daemon.request("PUT", "/api/controls/left", {"value": 0})
        while stage.received("/left")[-1] != 0:
            await asyncio.sleep(0.02)
    yield


async def shown(page: Page, path: str) -> float:
    return float(await page.locator(f'sb-fader[path="{path}"]').evaluate("fader => fader.value"))


async def until_shown(page: Page, path: str, value: float) -> None:
    await page.wait_for_function(
        "([path, value]) => Math.abs(document.querySelector(`sb-fader[path='${path}']`)?.value - value) < 1e-6",
        arg=[path, value],
    )


async def grab(page: Page, path: str) -> tuple[float, float]:
    """Press the mouse on a fader's column, in its middle; where that is."""
    x, y = await middle_of(page.locator(f'sb-fader[path="{path}"]'))
    await page.mouse.move(x, y)
    await page.mouse.down()
    return x, y


async def drag(page: Page, path: str, up_px: float, steps: int = 20) -> None:
    x, y = await grab(page, path)
    await page.mouse.move(x, y - up_px, steps=steps)
    await page.mouse.up()


async def until_quiet(stage: Stage, *pages: Page, path: str) -> float:
    """Wait until the pages, the store and oscdump agree; the value."""
    async with asyncio.timeout(SOON_S):
        while True:
            value = stage.daemon.value(path)
            values = [await shown(page, path) for page in pages] + stage.received(path)[-1:]
            if all(abs(one - value) < 1e-6 for one in values):
                return float(value)
            await asyncio.sleep(0.02)


@pytest.mark.usefixtures("peers_are_up")
async def test_a_slider_dragged_in_one_page_moves_the_other_and_osc(stage: Stage, open_page: OpenPage) -> None:
    one, two = await open_page(stage.daemon.url), await open_page(stage.daemon.url)
    await until_shown(one, "/left", 0)
    await until_shown(two, "/left", 0)
    before = len(stage.received("/left"))
    await drag(one, "/left", 150)
    value = await until_quiet(stage, one, two, path="/left")
    assert value > 0.1
    printed = stage.received("/left")[before:]
    assert len(printed) > 3
    assert printed == sorted(printed)  # in order, as the finger went
    assert printed[-1] == pytest.approx(value, abs=1e-6)


@pytest.mark.usefixtures("peers_are_up")
async def test_osc_and_pds_answer_move_both_pages_and_a_later_one_shows_it_all(
    stage: Stage, open_page: OpenPage
) -> None:
    one, two = await open_page(stage.daemon.url), await open_page(stage.daemon.url)
    stage.send("/left", "f", "0.75")
    for page in (one, two):
        await until_shown(page, "/left", 0.75)
        await until_shown(page, "/answer", 1.5)  # Pd doubles what it hears
    await drag(two, "/right", 60)
    value = await until_quiet(stage, one, two, path="/right")
    third = await open_page(stage.daemon.url)
    await until_shown(third, "/left", 0.75)
    await until_shown(third, "/right", value)
    await until_shown(third, "/answer", stage.daemon.value("/answer"))


@pytest.mark.usefixtures("peers_are_up")
async def test_two_pages_drag_one_fader_across_each_other_fifty_times(stage: Stage, open_page: OpenPage) -> None:
    one, two = await open_page(stage.daemon.url), await open_page(stage.daemon.url)
    await until_shown(one, "/left", 0)
    await until_shown(two, "/left", 0)
    for turn in range(50):
        up = 60 + turn % 7 * 10
        await asyncio.gather(
            drag(one, "/left", up if turn % 2 else -up, steps=6),
            drag(two, "/left", -up if turn % 2 else up, steps=6),
        )
        await until_quiet(stage, one, two, path="/left")
