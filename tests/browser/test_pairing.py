"""How devices come in, as people do it: a printed link, a scanned code, six digits on a phone; how one is cut off."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from bridge.localsocket import candidates
from bridge.statefolder import state_folder
from tests.daemon import Daemon

OpenPage = Callable[..., Awaitable[Page]]

CONFIG = """
[auth]
mode = "token"
[http]
pages = "pages"
[[page]]
name = "Mixer"
[[page]]
name = "Play it"
[[control]]
path = "/level"
page = "Mixer"
[[control]]
path = "/go"
kind = "trigger"
page = "Play it"
"""
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("pairing")
    (folder / "pages").mkdir()
    (folder / "pages" / "mine.html").write_text('<!doctype html><title>mine</title><p id="mine">mine</p>')
    with Daemon.start(CONFIG, folder) as running:
        yield running


Ask = Callable[..., Awaitable[Any]]


@pytest_asyncio.fixture(loop_scope="session")
async def ask(daemon: Daemon) -> AsyncIterator[Ask]:
    """`await ask("POST", "/api/codes", role="admin")`: as the command line does, through its socket."""
    path = next(path for path in candidates(daemon.http_port, daemon.home, state_folder(daemon.home)) if path.exists())
    async with aiohttp.ClientSession("http://stagebridge", connector=aiohttp.UnixConnector(str(path))) as client:

        async def one(method: str, path: str, **body: Any) -> Any:
            async with client.request(method, path, json=body) as answer:
                assert answer.status == 200
                return await answer.json()

        yield one


def shown(page: Page) -> Any:
    return page.locator("#said")


async def type_code(page: Page, digits: str) -> None:
    await page.get_by_label("Six digits").fill(digits)
    await page.get_by_role("button", name="Let me in").click()


async def test_a_link_a_scan_and_six_digits_let_devices_in(daemon: Daemon, ask: Ask, open_page: OpenPage) -> None:
    # This computer: the link that stands in the terminal.
    link = (await ask("POST", "/api/codes", role="admin"))["url"]
    computer = await open_page(link)
    await computer.wait_for_url(f"{daemon.url}#/Mixer")
    await expect(computer.locator(".badge")).to_have_attribute("data-state", "online")
    assert "code" not in await computer.evaluate("JSON.stringify(performance.getEntriesByType('navigation')[0].name)")
    assert await computer.evaluate("document.cookie") == "", "no script can read it"
    await computer.get_by_role("button", name="Menu", exact=True).click()
    await expect(computer.get_by_role("button", name="Learn from hardware")).to_be_visible()
    await expect(computer.get_by_role("button", name="open")).to_have_count(0)

    # A tablet: what its camera reads leads to the page that it is for, and the code is gone from the address.
    scanned = (await ask("POST", "/api/codes", page="Play it"))["url"]
    tablet = await open_page(scanned, viewport={"width": 1024, "height": 768}, has_touch=True)
    await tablet.wait_for_url(f"{daemon.url}#/Play%20it")
    await expect(tablet.locator(".badge")).to_have_attribute("data-state", "online")

    # A phone: types them; what is wrong is said.
    phone = await open_page(daemon.url, **PHONE)
    await phone.wait_for_url(f"{daemon.url}pair")
    code = (await ask("POST", "/api/codes"))["code"]
    await phone.get_by_label("This device is called").fill("Anna")
    await type_code(phone, f"{(int(code) + 1) % 1_000_000:06}")
    await expect(shown(phone)).to_contain_text("not a code that is valid now")
    await type_code(phone, scanned[-6:])
    await expect(shown(phone)).to_contain_text("has let a device in already")
    await type_code(phone, "12")
    await expect(shown(phone)).to_contain_text("6 digits")
    await type_code(phone, code)
    await phone.wait_for_url(f"{daemon.url}#/Mixer")
    await expect(phone.locator("#surface")).to_have_attribute("data-state", "online")

    devices = (await ask("GET", "/api/devices"))["devices"]
    assert [(device["role"], device["connected"]) for device in devices] == [
        ("admin", 1),
        ("control", 1),
        ("control", 1),
    ]
    assert [device["name"] for device in devices] == ["Linux", "Linux 2", "Anna"]
    await tablet.locator(".badge").click()
    await expect(tablet.get_by_label("This device is called")).to_have_value("Linux 2")
    # Nothing that lets anybody in is in what the daemon wrote.
    said = daemon.stdout + daemon.stderr
    assert "Anna was let in from 127.0.0.1" in said
    for secret in (code, link[-6:], scanned[-6:], *[cookie["value"] for cookie in await phone.context.cookies()]):
        assert secret not in said

    # One is cut off, at once, and told why; the others stay.
    await ask("DELETE", f"/api/devices/{devices[1]['id']}")
    await tablet.wait_for_url(f"{daemon.url}pair?why=revoked&to=%2F%23%2FPlay%2520it")
    await expect(shown(tablet)).to_contain_text("let in no longer")
    await expect(phone.locator("#surface")).to_have_attribute("data-state", "online")
    await type_code(tablet, (await ask("POST", "/api/codes"))["code"])
    await tablet.wait_for_url(f"{daemon.url}#/Play%20it")


async def test_after_the_code_a_device_is_where_it_was_going_and_nowhere_else(
    daemon: Daemon, ask: Ask, open_page: OpenPage
) -> None:
    page = await open_page(f"{daemon.url}pages/mine.html")
    await page.wait_for_url(f"{daemon.url}pair?to=/pages/mine.html")
    await type_code(page, (await ask("POST", "/api/codes"))["code"])
    await page.wait_for_url(f"{daemon.url}pages/mine.html")
    await expect(page.locator("#mine")).to_be_visible()
    # A link of somebody who means ill, opened by a device that is in.
    for evil in ("//evil.example/", "http://evil.example/", "/\\evil.example", "javascript:alert(1)"):
        await page.goto(f"{daemon.url}pair?to={evil}")
        await page.wait_for_url(f"{daemon.url}#/Mixer")


async def test_a_browser_without_cookies_is_told_so(daemon: Daemon, ask: Ask, open_page: OpenPage) -> None:
    page = await open_page(f"{daemon.url}pair")

    async def strip(route: Any) -> None:
        answer = await route.fetch()
        headers = {name: value for name, value in answer.headers.items() if name != "set-cookie"}
        await page.context.clear_cookies()
        await route.fulfill(status=answer.status, headers=headers, body=await answer.body())
        await page.context.clear_cookies()

    await page.route("**/api/pair", strip)
    await type_code(page, (await ask("POST", "/api/codes"))["code"])
    await expect(shown(page)).to_contain_text("keeps no cookies")


async def test_an_open_door_is_said_on_the_page(open_page: OpenPage, tmp_path: Path) -> None:
    with Daemon.start('[[control]]\npath = "/level"\n', tmp_path) as daemon:
        page = await open_page(daemon.url, viewport={"width": 1024, "height": 768})
        door = page.get_by_role("button", name="Open: everybody on this network can move everything")
        await expect(door).to_be_visible()
        await door.click()
        await expect(page.locator(".banner")).to_contain_text("everybody on this network can move everything")
        phone = await open_page(daemon.url, **PHONE)
        for width, shows in [(PHONE["viewport"]["width"], ".page-button"), (600, ".badge")]:
            await phone.set_viewport_size({"width": width, "height": 664})
            await expect(phone.locator(f".says-open {shows}")).to_be_visible()
            said = "node => getComputedStyle(node, '::after').content"
            assert await phone.locator(shows).evaluate(said) == '"open"'
        await phone.locator(".badge").click()
        await expect(phone.locator(".sheet")).to_contain_text("everybody on this network can move everything")
