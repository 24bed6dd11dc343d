"""Live's set on two screens: a fake Live that speaks AbletonOSC, the real daemon, two pages in Chromium."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.conftest import Fingers
from tests.daemon import Daemon
from tests.fakes.abletonosc import Live, opened_live
from tests.fakes.liveset import Clip, Device, Parameter, Scene, Song, Track
from tests.peers import free_udp_port

pytestmark = pytest.mark.timeout(90)

DRUMS, BASS = "/live/track/drums/volume", "/live/track/bass/volume"
OpenPage = Callable[..., Awaitable[Page]]
FingersOn = Callable[[Page], Awaitable[Fingers]]
Stage = tuple[Daemon, Live]


def song() -> Song:
    cutoff = Parameter("Frequency", 1000.0, 20.0, 20000.0, text=lambda hertz: f"{hertz:.0f} Hz")
    return Song(
        [
            Track("Drums", 0xCC3333, [Clip("Beat"), Clip("Fill")], [Device("Auto Filter", [cutoff])]),
            Track("Bass", 0x3366CC, [Clip("Line")]),
            Track("Vox", 0x33AA55),
        ],
        [Scene("Intro"), Scene("Verse")],
    )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A Live, and a daemon that has found its set."""
    port = free_udp_port()
    async with opened_live(song(), port) as live:
        config = f"""
[[osc]]
name = "live"
profile = "abletonosc"
send = ["127.0.0.1:{live.udp_port}"]
listen = "127.0.0.1:{port}"
"""
        with Daemon.start(config, tmp_path_factory.mktemp("live")) as daemon:
            await reaches(daemon, DRUMS, lambda value: value is not None)
            yield daemon, live


@pytest_asyncio.fixture(loop_scope="session")
async def screens(stage: Stage, open_page: OpenPage) -> tuple[Page, Page]:
    """Two tablets on the mixer."""
    here, there = [await open_page(stage[0].url, viewport={"width": 1180, "height": 718}, has_touch=True) for _ in "12"]
    for page in (here, there):
        await expect(page.locator(f'[path="{DRUMS}"]')).to_be_visible()
    return here, there


async def reaches(daemon: Daemon, path: str, is_so: Callable[[Any], bool]) -> None:
    """Return when the store's value of this control is so."""
    found = None
    for _ in range(250):
        status, answer = await asyncio.to_thread(daemon.request, "GET", "/api/controls" + path)
        found = answer["value"] if status == 200 else None
        if status == 200 and is_so(found):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{path} is {found!r}")


async def shows(page: Page, path: str, value: float) -> None:
    """This page's widget comes to stand here."""
    await page.wait_for_function(
        '([path, value]) => Math.abs(document.querySelector(`[path="${path}"]`).value - value) < 0.05',
        arg=[path, value],
    )


async def cap_of(page: Page, path: str) -> tuple[float, float]:
    box = await page.locator(f'[path="{path}"]').bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
