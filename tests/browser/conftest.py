"""Real Chromium for the tests in this directory (Debian's, driven by Playwright for Python).

One Chromium serves the whole session, so every async test and fixture in this directory runs on the session's loop:
write your own async fixtures here with `@pytest_asyncio.fixture(loop_scope="session")`. Each page from `open_page` is
in a context of its own, which is what makes it another device.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, CDPSession, Error, Page, async_playwright, expect

from tests.peers import CHROMIUM_MAY, missing, require_chromium
from tests.waiting import SOON_S

HERE = Path(__file__).parent
ARGS = [
    "--no-sandbox",  # the tests may run as root in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
OpenPage = Callable[..., Awaitable[Page]]
expect.set_options(timeout=1000 * SOON_S)


SESSION_LOOP = pytest.mark.asyncio(loop_scope="session")


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Said before pytest-asyncio makes each test's loop a parameter: of a function's, there would be a loop for each
    test, and with it another Chromium."""
    metafunc.definition.add_marker(SESSION_LOOP, append=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(60))
            if isinstance(item, pytest.Function) and pytest_asyncio.is_async_test(item):
                item.add_marker(SESSION_LOOP, append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, started once."""
    path = require_chromium()
    async with async_playwright() as playwright:
        try:
            chromium = await playwright.chromium.launch(executable_path=path, args=ARGS)
        except Error as exc:
            missing(f"{path} does not start: {exc.message.splitlines()[0]}")
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser) -> AsyncIterator[OpenPage]:
    """`await open_page(url, **context_options)`: a page on a device of its own (`viewport=…`, `has_touch=True`, …).

    An exception that a page does not catch fails the test, unless `errors_allowed=True`. `page.console_lines` collects
    what the page says in its console, as "warning: text".
    """
    contexts = []
    errors: list[str] = []

    async def open_one(url: str, *, errors_allowed: bool = False, **options: Any) -> Page:
        may = [*CHROMIUM_MAY, *options.pop("permissions", ())]
        context = await browser.new_context(permissions=may, **options)
        contexts.append(context)
        page = await context.new_page()
        lines: list[str] = []
        page.console_lines = lines  # type: ignore[attr-defined]
        page.on("console", lambda message: lines.append(f"{message.type}: {message.text}"))
        if not errors_allowed:
            page.on("pageerror", lambda error: errors.append(f"{page.url}: {error}"))
        await page.goto(url)
        return page

    yield open_one
    for context in contexts:
        await context.close()
    assert not errors, "uncaught in a page: " + "; ".join(errors)


class Fingers:
    """Real touch points on one page, through CDP: any number at once. The context needs `has_touch=True`."""

    def __init__(self, cdp: CDPSession) -> None:
        self._cdp = cdp
        self._down: dict[int, tuple[float, float]] = {}

    async def down(self, finger: int, x: float, y: float) -> None:
        self._down[finger] = (x, y)
        await self._send("touchStart")

    async def double_tap(self, x: float, y: float) -> None:
        """Two taps 100 ms apart by their own times, however long a busy machine takes for them."""
        began = time.time()
        for down_s, up_s in ((0, 0.05), (0.15, 0.2)):
            self._down[0] = (x, y)
            await self._send("touchStart", at_s=began + down_s)
            self._down.clear()
            await self._send("touchEnd", at_s=began + up_s)

    async def press_ms(self, page: Page, x: float, y: float, ms: float) -> float:
        """Press for about this long; how long it was for the page, which on a busy machine is longer."""
        await page.evaluate(
            """() => {
                window.pressed = [];
                const note = () => { window.pressed.push(performance.now()); };
                for (const type of ['pointerdown', 'pointerup']) {
                    window.addEventListener(type, note, { capture: true, once: true });
                }
            }"""
        )
        await self.down(0, x, y)
        await page.wait_for_timeout(ms)
        await self.up(0)
        began, ended = await page.evaluate("window.pressed")
        return float(ended - began)

    async def move(self, *moves: tuple[int, float, float]) -> None:
        """Move these fingers (finger, x, y) in one event."""
        for finger, x, y in moves:
            assert finger in self._down
            self._down[finger] = (x, y)
        await self._send("touchMove")

    async def up(self, finger: int) -> None:
        x, y = self._down.pop(finger)
        if self._down:  # CDP: touchEnd lists the fingers that lift
            await self._send("touchEnd", {finger: (x, y)})
        else:
            await self._send("touchEnd", {})

    async def cancel(self) -> None:
        """The system takes all of them, as for a gesture of its own."""
        self._down.clear()
        await self._send("touchCancel", {})

    async def _send(
        self, kind: str, points: dict[int, tuple[float, float]] | None = None, at_s: float | None = None
    ) -> None:
        listed = self._down if points is None else points
        touch_points = [{"x": x, "y": y, "id": finger} for finger, (x, y) in listed.items()]
        stamp = {} if at_s is None else {"timestamp": at_s}
        await self._cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touch_points, **stamp})


@pytest.fixture
def fingers_on() -> Callable[[Page], Awaitable[Fingers]]:
    """`fingers = await fingers_on(page)`."""

    async def make(page: Page) -> Fingers:
        return Fingers(await page.context.new_cdp_session(page))

    return make
