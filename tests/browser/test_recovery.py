"""Real Chromium loses the bridge and finds it again: nothing of the hand outlives the loss, and the page ends right."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import CDPSession, Page

from tests.browser.places import middle_of
from tests.daemon import Daemon
from tests.peers import free_tcp_port, free_udp_port
from tests.proxy import Proxy
from tests.waiting import SOON_S

OpenPage = Callable[..., Awaitable[Page]]
SILENCE_S = 3.0
SLACK_S = 0.7
"""What two busy cores may add to a time."""
CONTROLS = """
[[page]]
name = "Mixer"
layout = "strips"

[[control]]
path = "/left"

[[control]]
path = "/first"
hold = "first"

[[control]]
path = "/flash"
kind = "bool"
momentary = true
"""


def config(osc_port: int = 0, ear: int = 0) -> str:
    peer = f'[[osc]]\nname = "ear"\nlisten = "127.0.0.1:{osc_port}"\nsend = ["127.0.0.1:{ear}"]\n' if ear else ""
    return f'[auth]\nmode = "open"\n{peer}{CONTROLS}'


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon.start(config(), tmp_path) as daemon:
        yield daemon


@pytest_asyncio.fixture(loop_scope="session")
async def proxy(daemon: Daemon) -> AsyncIterator[Proxy]:
    async with Proxy.start(daemon.http_port) as proxy:
        yield proxy


async def online(page: Page) -> Page:
    await until_state(page, "online")
    await page.wait_for_selector('sb-fader[path="/left"]')
    return page


async def until_state(page: Page, state: str) -> None:
    await page.wait_for_function("state => document.getElementById('surface')?.dataset.state === state", arg=state)


async def shown(page: Page, path: str) -> Any:
    return await page.locator(f'[path="{path}"]').evaluate("element => element.value")


async def until_agreed(page: Page, daemon: Daemon, path: str = "/left") -> Any:
    """The page shows what the daemon has, and may be used again."""
    async with asyncio.timeout(SOON_S):
        while await shown(page, path) != (value := daemon.value(path)):
            await asyncio.sleep(0.02)
    assert not (await status(page, path))["locked"]
    return value


async def status(page: Page, path: str = "/left") -> dict[str, Any]:
    found: dict[str, Any] = await page.locator(f'[path="{path}"]').evaluate("element => element.status")
    return found


async def grab(page: Page, path: str = "/left") -> tuple[float, float]:
    """Press the mouse in the middle of a widget; where that is."""
    x, y = await middle_of(page.locator(f'[path="{path}"]'))
    await page.mouse.move(x, y)
    await page.mouse.down()
    return x, y


async def drag(page: Page, path: str = "/left", up: float = 100, steps: int = 20) -> None:
    x, y = await grab(page, path)
    await page.mouse.move(x, y - up, steps=steps)
    await page.mouse.up()


async def until(condition: Callable[[], bool], limit_s: float) -> float:
    """Seconds until the condition holds; fails after ``limit_s``."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < limit_s, f"not within {limit_s} s"
        await asyncio.sleep(0.02)
    return time.monotonic() - start


def put(daemon: Daemon, value: float, path: str = "/left") -> None:
    assert daemon.request("PUT", "/api/controls" + path, {"value": value})[0] == 200


async def devtools(page: Page) -> CDPSession:
    return await page.context.new_cdp_session(page)


@pytest.mark.alone  # it measures a time
async def test_twenty_moves_made_while_offline_change_nothing(daemon: Daemon, open_page: OpenPage) -> None:
    page = await online(await open_page(daemon.url))
    await drag(page)
    before = await until_agreed(page, daemon)
    assert before > 0
    await page.context.set_offline(True)
    started = time.monotonic()
    await until_state(page, "offline")
    assert time.monotonic() - started < SILENCE_S + SLACK_S
    bar = page.locator(".offline-bar")
    assert await bar.is_visible()
    assert "OFFLINE" in await bar.inner_text()
    red, green, blue = await bar.evaluate(
        "bar => getComputedStyle(bar).backgroundColor.match(/[\\d.]+/g).slice(0, 3).map(Number)"
    )
    assert red > 2 * green
    assert red > 2 * blue
    assert (await status(page))["locked"]
    await drag(page, up=-80, steps=20)
    assert await shown(page, "/left") == before
    put(daemon, 0.125)
    await page.context.set_offline(False)
    await until_state(page, "online")
    assert await until_agreed(page, daemon) == 0.125
    assert not await bar.is_visible()
    await drag(page)
    assert await until_agreed(page, daemon) > 0.125


@pytest.mark.parametrize("what", ["alive", "reloaded", "closed"])
async def test_moves_between_the_cut_and_its_detection_come_too_late(
    tmp_path: Path, open_page: OpenPage, what: str
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.setblocking(False)
        with Daemon.start(config(free_udp_port(), ear.getsockname()[1]), tmp_path) as daemon:
            async with Proxy.start(daemon.http_port) as proxy:
                page = await online(await open_page(f"http://127.0.0.1:{proxy.port}/"))
                x, y = await grab(page)
                await page.mouse.move(x, y - 40, steps=8)
                await until(lambda: daemon.value("/left") > 0, SOON_S)
                await asyncio.sleep(0.1)  # what is under way has arrived
                before = daemon.value("/left")
                drain(ear)
                proxy.cut()
                await page.mouse.move(x, y - 120, steps=8)
                assert await shown(page, "/left") != before  # the page does not know yet
                reloading = None
                if what == "alive":
                    await page.wait_for_function(  # unconfirmed, until the page is offline
                        """() => getComputedStyle(document.querySelector('sb-fader[path="/left"]')
                          .shadowRoot.querySelector('.cap')).borderStyle === 'dashed'"""
                    )
                elif what == "reloaded":
                    reloading = asyncio.create_task(page.reload())
                elif what == "closed":
                    await page.close()
                await asyncio.sleep(1.3)
                proxy.mend()
                if reloading is not None:
                    await reloading
                await asyncio.sleep(0.5)
                assert daemon.value("/left") == before
                assert drain(ear) == 0
                if what != "closed":
                    await page.mouse.up()
                    await online(page)
                    assert await until_agreed(page, daemon) == before


def drain(sock: socket.socket) -> int:
    """How many packets were waiting."""
    count = 0
    try:
        while sock.recv(2048):
            count += 1
    except BlockingIOError:
        pass
    return count


async def test_a_page_that_was_hidden_shows_the_truth(daemon: Daemon, open_page: OpenPage) -> None:
    page = await online(await open_page(daemon.url))
    await grab(page, "/flash")
    await until(lambda: daemon.value("/flash") is True, SOON_S)
    await set_visibility(page, "hidden")
    await until(lambda: daemon.value("/flash") is False, SOON_S)  # of itself: the button is still down
    await page.mouse.up()
    put(daemon, 0.75)
    await asyncio.sleep(SILENCE_S + SLACK_S)  # longer than any time-out
    await set_visibility(page, "visible")
    await online(page)
    assert await until_agreed(page, daemon) == 0.75


async def set_visibility(page: Page, state: str) -> None:
    await page.evaluate(
        """state => {
            Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        state,
    )


async def test_a_page_that_was_frozen_shows_the_truth(daemon: Daemon, open_page: OpenPage) -> None:
    page = await online(await open_page(daemon.url))
    cdp = await devtools(page)
    await set_visibility(page, "hidden")
    await cdp.send("Page.setWebLifecycleState", {"state": "frozen"})
    put(daemon, 0.25)
    await asyncio.sleep(SILENCE_S + SLACK_S)
    await cdp.send("Page.setWebLifecycleState", {"state": "active"})
    await set_visibility(page, "visible")
    await online(page)
    assert await until_agreed(page, daemon) == 0.25


@pytest.mark.alone  # it measures a time
async def test_a_page_that_hangs_holds_nothing(daemon: Daemon, open_page: OpenPage) -> None:
    """Nothing of it runs, and Chromium's network process goes on answering our pings."""
    page = await online(await open_page(daemon.url))
    cdp = await devtools(page)
    await grab(page, "/flash")
    await until(lambda: daemon.value("/flash") is True, SOON_S)
    await cdp.send("Debugger.enable")
    await cdp.send("Debugger.pause")
    await until(lambda: daemon.value("/flash") is False, SILENCE_S + SLACK_S)
    put(daemon, 0.25)
    await cdp.send("Debugger.resume")
    await page.mouse.up()
    await online(page)
    assert await until_agreed(page, daemon) == 0.25
    assert await until_agreed(page, daemon, "/flash") is False
    await drag(page)
    assert await until_agreed(page, daemon) > 0.25


async def test_a_server_that_was_killed_comes_back_to_the_open_page(tmp_path: Path, open_page: OpenPage) -> None:
    port = free_tcp_port()
    with Daemon.start(config(), tmp_path, "--port", str(port), stop=False) as first:
        page = await online(await open_page(first.url))
        await page.evaluate("() => { window.notReloaded = true; }")
        await drag(page)
        await until_agreed(page, first)
        first.process.kill()
        await until_state(page, "offline")
    await drag(page)  # at nobody
    with Daemon.start(config(), tmp_path, "--port", str(port)) as second:
        put(second, 0.5)
        async with asyncio.timeout(SOON_S):
            await online(page)
        assert await until_agreed(page, second) == 0.5
        assert await page.evaluate("window.notReloaded")
        await drag(page)
        assert await until_agreed(page, second) > 0.5


async def test_two_pages_drag_one_fader_and_one_is_cut(daemon: Daemon, proxy: Proxy, open_page: OpenPage) -> None:
    one = await online(await open_page(daemon.url))
    two = await online(await open_page(f"http://127.0.0.1:{proxy.port}/"))
    for turn in range(3):
        (x, y), (x2, y2) = await grab(one), await grab(two)
        sign = -1 if turn % 2 else 1
        await asyncio.gather(
            one.mouse.move(x, y - sign * 50, steps=10),
            two.mouse.move(x2, y2 + sign * 50, steps=10),
        )
        proxy.cut()
        await asyncio.gather(
            one.mouse.move(x, y - sign * (90 + turn), steps=10),
            two.mouse.move(x2, y2 + sign * 90, steps=10),
        )
        await one.mouse.up()
        if turn == 1:
            await until_state(two, "offline")
        else:
            await asyncio.sleep(0.4 + turn * 0.5)
        proxy.mend()
        await two.mouse.up()
        await online(two)
        await asyncio.sleep(0.3)  # what was kept back has arrived, or been refused
        await until_agreed(one, daemon)
        await until_agreed(two, daemon)


@pytest.mark.alone  # it measures a time
async def test_a_momentary_of_a_lost_holder_is_released(daemon: Daemon, proxy: Proxy, open_page: OpenPage) -> None:
    page = await online(await open_page(f"http://127.0.0.1:{proxy.port}/"))
    await grab(page, "/flash")
    await until(lambda: daemon.value("/flash") is True, SOON_S)
    proxy.cut()
    await until(lambda: daemon.value("/flash") is False, SILENCE_S + SLACK_S)
    proxy.mend()
    await page.mouse.up()
    await online(page)
    assert daemon.value("/flash") is False


@pytest.mark.alone  # it measures a time
async def test_a_tablet_that_changes_networks_is_not_refused_by_its_own_ghost(
    daemon: Daemon, proxy: Proxy, open_page: OpenPage
) -> None:
    page = await online(await open_page(f"http://127.0.0.1:{proxy.port}/"))
    other = await online(await open_page(daemon.url))
    x, y = await grab(page, "/first")
    await page.mouse.move(x, y - 40, steps=5)
    await until(lambda: daemon.value("/first") > 0, SOON_S)
    assert (await status(other, "/first"))["held"] == {"mine": False, "name": (await name_of(page))}
    proxy.change_network()
    changed = time.monotonic()
    # A second socket after 1.5 s of silence; the finger that was down is dead until it lifts.
    await page.wait_for_function("() => document.querySelector('[path=\"/first\"]').status.held === null")
    await page.mouse.up()
    await online(page)
    assert time.monotonic() - changed < SILENCE_S  # before the server can have missed the ghost
    before = daemon.value("/first")
    await drag(page, "/first", up=60)
    assert await until_agreed(page, daemon, "/first") > before
    assert await shown(other, "/first") == daemon.value("/first")


async def name_of(page: Page) -> str:
    name: str = await page.evaluate("async () => (await import('/surface/device.js')).deviceName()")
    return name
