"""Live's set on two screens: a fake Live that speaks AbletonOSC, the real daemon, two pages in Chromium."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.conftest import Fingers
from tests.browser.places import middle_of
from tests.daemon import Daemon
from tests.fakes.abletonosc import Live, opened_live
from tests.fakes.liveset import Clip, Device, Parameter, Scene, Song, Track
from tests.peers import free_udp_port
from tests.waiting import SOON_S

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
        await expect(page.locator(".badge")).to_have_attribute("data-state", "online")
    return here, there


async def reaches(daemon: Daemon, path: str, is_so: Callable[[Any], bool]) -> None:
    """Return when the store's value of this control is so."""
    deadline = time.monotonic() + SOON_S
    while True:
        status, answer = await asyncio.to_thread(daemon.request, "GET", "/api/controls" + path)
        if status == 200 and is_so(answer["value"]):
            return
        assert time.monotonic() < deadline, f"{path} is {answer!r}"
        await asyncio.sleep(0.02)


async def shows(page: Page, path: str, value: float) -> None:
    """This page's widget comes to stand here."""
    await page.wait_for_function(
        '([path, value]) => Math.abs(document.querySelector(`[path="${path}"]`).value - value) < 0.05',
        arg=[path, value],
    )


async def watch(page: Page, path: str) -> None:
    """Note where this widget stands in each frame, until ``watched``."""
    await page.evaluate(
        """path => {
            const widget = document.querySelector(`[path="${path}"]`), seen = (window.seen = []);
            const note = () => { if (widget.value !== seen.at(-1)) seen.push(widget.value); };
            (function frame() { note(); if (window.seen === seen) requestAnimationFrame(frame); })();
        }""",
        path,
    )


async def watched(page: Page) -> list[float]:
    """All the places where it stood, in order."""
    seen: list[float] = await page.evaluate("() => { const all = window.seen; window.seen = null; return all; }")
    return seen


def decibels(volume: float) -> float:
    """Of the upper part of the fader."""
    return 40 * volume - 34


async def test_faders_follow_both_ways_and_tracks_are_called_as_in_live(
    stage: Stage, screens: tuple[Page, Page]
) -> None:
    _, live = stage
    here, there = screens
    await expect(here.locator(".strip-name")).to_have_text(["Drums", "Bass", "Vox"])
    live.move("Drums", "volume", 0.55)
    for page in screens:
        await shows(page, DRUMS, -12.0)
    live.move("Bass", "mute", True)
    mute = '[path="/live/track/bass/mute"]'
    for page in screens:
        await page.wait_for_function("mute => document.querySelector(mute).value === true", arg=mute)
    await here.locator(mute).tap()
    await live.reaches(lambda: not live.song.track("Bass").mute)
    await there.wait_for_function("mute => document.querySelector(mute).value === false", arg=mute)
    # A new name, another place, one track more: the same faders, and no page was loaded anew.
    await here.evaluate("window.isTheSame = true")
    live.song.track("Vox").put("name", "Choir")
    for page in screens:
        await expect(page.locator(".strip-name")).to_have_text(["Drums", "Bass", "Choir"])
    live.song.move_track("Bass", 0)
    live.song.add_track(Track("Pads", 0xAA66CC))
    for page in screens:
        await expect(page.locator(".strip-name")).to_have_text(["Bass", "Drums", "Choir", "Pads"])
    live.move("Bass", "volume", 0.7)
    live.move("Choir", "volume", 0.6)
    for page in screens:
        await shows(page, BASS, -6.0)
        await shows(page, "/live/track/vox/volume", -10.0)
        await shows(page, DRUMS, -12.0)
    assert await here.evaluate("window.isTheSame")


async def test_knobs_say_what_they_are_where_strips_are_narrow(stage: Stage, open_page: OpenPage) -> None:
    page = await open_page(stage[0].url, viewport={"width": 744, "height": 1030}, has_touch=True)
    for what, name in (("pan", "Pan"), ("send/a", "Send A")):
        label = page.locator(f'[path="/live/track/drums/{what}"] .side-name')
        await expect(label).to_have_text(name)
        await expect(label).to_be_visible()


async def test_no_fader_goes_back_under_a_finger_though_live_tells_its_moves_late(
    stage: Stage, screens: tuple[Page, Page], fingers_on: FingersOn
) -> None:
    _, live = stage
    here, there = screens
    live.move("Drums", "volume", 0.5)
    for page in screens:
        await shows(page, DRUMS, decibels(0.5))
        await watch(page, DRUMS)
    fingers = await fingers_on(here)
    x, y = await middle_of(here.locator(f'[path="{DRUMS}"]'))
    await fingers.down(1, x, y)
    sets, began = len(live.heard), time.monotonic()
    for _ in range(30):  # longer than three ticks of Live
        y -= 4
        await fingers.move((1, x, y))
        await asyncio.sleep(0.02)
    await fingers.up(1)
    took_s = time.monotonic() - began
    end = await here.evaluate('path => document.querySelector(`[path="${path}"]`).value', DRUMS)
    await live.reaches(lambda: abs(decibels(live.song.track("Drums").volume.value) - end) < 0.01)
    await shows(there, DRUMS, end)
    for page in screens:
        seen = await watched(page)
        assert len(seen) > 5
        assert seen == sorted(seen)
    told = [args for address, args in live.heard[sets:] if address == "/live/track/set/volume"]
    assert 2 <= len(told) <= 2 + 10 * took_s  # ten times a second, and the last


async def test_pads_light_as_their_clips_play(stage: Stage, screens: tuple[Page, Page]) -> None:
    _, live = stage
    here, _ = screens
    column = [track.name for track in live.song.tracks].index("Drums") + 1
    beat, fill = (f'[path="/live/pad/{column}/{row}"] .pad' for row in (1, 2))
    for page in screens:
        await page.get_by_role("tab", name="Live clips").click()
        await expect(page.locator(beat)).to_contain_text("Beat")
        await expect(page.locator(beat)).to_have_class(state("loaded"))
    await here.locator(beat).tap()
    for page in screens:
        await expect(page.locator(beat)).to_have_class(state("playing"))
    assert live.song.track("Drums").playing_slot_index == 0
    live.song.fire(live.song.track("Drums"), 1)  # a hand in Live
    for page in screens:
        await expect(page.locator(fill)).to_have_class(state("playing"))
        await expect(page.locator(beat)).to_have_class(state("loaded"))


def state(word: str) -> re.Pattern[str]:
    return re.compile(rf"(^|\s){word}(\s|$)")


async def test_what_live_complains_of_stands_over_every_page(stage: Stage, screens: tuple[Page, Page]) -> None:
    daemon, _ = stage
    wrong = {"address": "/live/song/set/tempo", "args": [5000.0]}
    assert (await asyncio.to_thread(daemon.request, "POST", "/api/peers/live/send", wrong))[0] == 200
    for page in screens:
        await expect(page.locator(".banner")).to_contain_text(re.compile("^live: Live says: .*tempo"))


async def test_a_live_that_is_closed_is_shown_and_one_that_is_opened_too(
    stage: Stage, screens: tuple[Page, Page]
) -> None:
    _, live = stage
    here, _ = screens
    await live.quit()
    await expect(here.locator('[path="/live/track/drums/volume"] .root')).to_have_class(state("silent"))
    await here.locator(".badge").click()
    menu = here.get_by_role("group", name="Peers")
    await expect(menu).to_contain_text("AbletonOSC chosen in its Settings")
    await live.open_set(Song([Track("Lead")]))
    await expect(here.locator(".strip-name")).to_have_text(["Lead"])
    await expect(menu).to_contain_text("1 track, 10 steps/s")  # it stays open while the page is another
    await live.quit()  # its socket is another one now
