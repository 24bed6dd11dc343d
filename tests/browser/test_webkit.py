"""The gallery and the surface in WebKitGTK, the nearest to Safari that runs here: the engine, not the gestures.

WebKit's driver tells nobody what the console says, and its windows have a least width: so each page is a copy of the
real one with a spy as its first script, in a frame of the size that is wanted.
"""

import os
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.test_surface import CONFIG, GAPS, SPILLS
from tests.daemon import ROOT, Daemon
from tests.peers import free_tcp_port, missing, require_tool
from tests.waiting import SOON_S

MINI_BROWSERS = sorted(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"))
SCREENS = [(1180, 718), (1024, 670), (744, 1030), (390, 664), (320, 454), (844, 390)]
START_S = 15

SPY = """
window.said = [];
for (const kind of ['error', 'warn']) {
  const real = console[kind].bind(console);
  console[kind] = (...words) => { window.said.push(`${kind}: ${words.join(' ')}`); real(...words); };
}
addEventListener('error', (event) => window.said.push(`uncaught: ${event.message ?? event.target.src}`), true);
addEventListener('unhandledrejection', (event) => window.said.push(`rejected: ${event.reason}`));
document.addEventListener('securitypolicyviolation', (event) => window.said.push(`policy: ${event.violatedDirective}`));
"""
FRAME = '<!doctype html><title>frame</title><body style="margin: 0"><iframe style="border: 0"></iframe>'


def write_pages(folder: Path) -> None:
    for name in ("gallery.html", "index.html"):
        html = (ROOT / "web" / name).read_text(encoding="utf-8")
        spied = html.replace("<head>", '<head><base href="/"><script src="/pages/spy.js"></script>', 1)
        (folder / name).write_text(spied, encoding="utf-8")
    (folder / "spy.js").write_text(SPY, encoding="utf-8")
    (folder / "frame.html").write_text(FRAME, encoding="utf-8")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = Path(tmp_path_factory.mktemp("webkit"))
    (folder / "pages").mkdir()
    write_pages(folder / "pages")
    with Daemon.start('[http]\npages = "pages"\ntrust_pages = true\n' + CONFIG, folder) as running:
        yield running


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """An X server of our own; it picks a free number and says it."""
    path = require_tool("Xvfb", package="xvfb")
    said, says = os.pipe()
    command = [path, "-displayfd", str(says), "-screen", "0", "1700x1400x24", "-nolisten", "tcp"]
    server = subprocess.Popen(
        command, pass_fds=[says], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(says)
    try:
        with os.fdopen(said) as lines:
            number = lines.readline().strip()  # the whole line, else Xvfb dies of a broken pipe; "" when it has ended
        if not number:
            missing(f"{path} does not start")
        yield f":{number}"
    finally:
        server.terminate()
        server.wait(START_S)


@pytest.fixture(scope="module")
def webkit(display: str) -> Iterator[Any]:
    """One WebKitGTK with a driver port of its own."""
    path = require_tool("WebKitWebDriver", package="webkit2gtk-driver")
    if not MINI_BROWSERS:
        missing("WebKit's MiniBrowser is not installed: sudo apt install webkit2gtk-driver")
    from selenium import webdriver
    from selenium.webdriver.webkitgtk.options import Options
    from selenium.webdriver.webkitgtk.service import Service

    options = Options()
    options.binary_location = str(MINI_BROWSERS[-1])
    options.add_argument("--automation")
    environment = {**os.environ, "DISPLAY": display, "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1"}
    service = Service(path, port=free_tcp_port(), env=environment)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # selenium's, about itself
        driver = webdriver.WebKitGTK(options=options, service=service)
    try:
        driver.set_window_size(1600, 1300)
        driver.set_script_timeout(SOON_S)
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def show(webkit: Any, daemon: Daemon) -> Iterator[Callable[..., Any]]:
    """`show("gallery.html", (1180, 718))`: that page in a frame of that size; it may say nothing in its console."""

    def open_one(page: str, size: tuple[int, int]) -> Any:
        webkit.switch_to.default_content()
        webkit.get(f"{daemon.url}pages/frame.html?{time.monotonic_ns()}")
        webkit.execute_script(
            "const frame = document.querySelector('iframe');"
            "[frame.width, frame.height, frame.src] = [arguments[0], arguments[1], arguments[2]];",
            *size,
            f"/pages/{page}",
        )
        webkit.switch_to.frame(0)
        return webkit

    yield open_one
    assert webkit.execute_script("return window.said") == []


def wait_for(driver: Any, script: str) -> Any:
    """What this expression gives, as soon as it is true."""
    deadline = time.monotonic() + SOON_S
    while not (found := driver.execute_script(f"return {script}")):
        assert time.monotonic() < deadline, script
        time.sleep(0.05)
    return found


def settled(driver: Any) -> None:
    """Two frames have been drawn."""
    driver.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done))")


def ready(driver: Any) -> None:
    """The surface is online, everything in view is bound, and it has been drawn since."""
    wait_for(
        driver,
        """document.querySelector('#surface')?.dataset.state === 'online'
          && document.querySelectorAll('.stage [path]').length > 0
          && [...document.querySelectorAll('.stage [path]')]
            .every((element) => element.control && element.width > 0)""",
    )
    settled(driver)


def test_the_gallery_is_drawn_with_the_sizes_that_fingers_need(show: Callable[..., Any]) -> None:
    page = show("gallery.html", (1500, 900))
    wait_for(page, "document.querySelectorAll('main [path]').length > 180")
    settled(page)
    assert (
        page.execute_script(
            "return [...document.querySelectorAll('main [path]')].filter((element) => element.width === 0).length"
        )
        == 0
    )
    size = """const node = document.querySelector(`[path="${arguments[0]}"]`).shadowRoot.querySelector(arguments[1]);
      const { width, height } = node.getBoundingClientRect(); return [width, height];"""
    assert page.execute_script(size, "/fader/normal", ".cap") == [64, 36]
    assert page.execute_script(size, "/knob/normal", "svg") == [64, 64]
    assert page.execute_script(size, "/knob/normal", ".body") == [72, 72]
    assert min(page.execute_script(size, "/xy/normal", ".body")) >= 240
    width, height = page.execute_script(size, "/toggle-off/normal", ".face")
    assert width >= 64
    assert height >= 56


def test_the_states_of_the_gallery_look_different(show: Callable[..., Any]) -> None:
    page = show("gallery.html", (1500, 900))
    wait_for(page, "document.querySelectorAll('main [path]').length > 180")
    settled(page)
    looks = page.execute_script(
        """const parts = {
          fader: '.cap, .fill, .value .num', knob: '.body, .hand, .face, .ring', 'toggle-on': '.face',
        };
        const seen = ['outline', 'boxShadow', 'backgroundColor', 'backgroundImage', 'borderStyle', 'borderColor',
          'color', 'visibility', 'stroke', 'fill', 'strokeDasharray', 'height', 'opacity'];
        const states = ['normal', 'mine', 'held', 'unconfirmed', 'locked', 'offline'];
        const look = (node) => seen.map((what) => getComputedStyle(node)[what]).join('|');
        const root = (name, state) => document.querySelector(`[path="/${name}/${state}"]`).shadowRoot;
        return Object.entries(parts).map(([name, part]) =>
          states.map((state) => [...root(name, state).querySelectorAll(part)].map(look).join('||')));"""
    )
    for states in looks:
        assert len(set(states)) == len(states)


def test_no_text_of_the_gallery_leaves_its_widget(show: Callable[..., Any]) -> None:
    page = show("gallery.html", (1500, 900))
    wait_for(page, "document.querySelectorAll('main [path]').length > 180")
    settled(page)
    spilled = page.execute_script(
        """const out = [];
        for (const element of document.querySelectorAll('main [path]')) {
          const host = element.getBoundingClientRect();
          const texts = '.num, .unit, .name-text, .face-text, .pad span, .segment';
          for (const node of element.shadowRoot.querySelectorAll(texts)) {
            const box = node.getBoundingClientRect();
            if (!box.width || getComputedStyle(node).visibility === 'hidden') continue;
            if (getComputedStyle(node.parentElement).overflow === 'hidden') continue;  // cut with an ellipsis
            const isWide = box.left < host.left - 1 || box.right > host.right + 1;
            const isHigh = box.top < host.top - 6 || box.bottom > host.bottom + 6;
            if (isWide || isHigh) out.push(`${element.path} ${node.className} ${node.textContent}`);
          }
        }
        return out;"""
    )
    assert spilled == []


@pytest.mark.parametrize("name", ["Mixer", "Play%20%26%20more", "Sends"])
def test_nothing_spills_on_any_screen(show: Callable[..., Any], name: str) -> None:
    for size in SCREENS:
        page = show(f"index.html#/{name}", size)
        ready(page)
        assert page.execute_script("return [innerWidth, innerHeight]") == list(size)
        spills = page.execute_script(f"return ({SPILLS})()")
        assert spills == [], f"{size}: " + "\n".join(spills)
        gaps = page.execute_script(f"return ({GAPS})()")
        assert gaps == [], f"{size}: " + "\n".join(gaps)


def test_the_mixer_follows_a_change_and_moves_what_a_key_moves(show: Callable[..., Any], daemon: Daemon) -> None:
    page = show("index.html#/Mixer", (1180, 718))
    ready(page)
    fader = """document.querySelector('[path="/ch/1/level"]')"""
    for value, text in ((-20, "\u221220.0"), (-35.5, "\u221235.5")):
        daemon.request("PUT", "/api/controls/ch/1/level", {"value": value})
        wait_for(
            page, f"{fader}.value === {value} && {fader}.shadowRoot.querySelector('.num').textContent === '{text}'"
        )
    top = f"{fader}.shadowRoot.querySelector('.cap').getBoundingClientRect().top"
    before = page.execute_script(f"return {top}")
    page.execute_script(f"{fader}.area.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'Home', bubbles: true }}));")
    wait_for(page, f"{top} > {before} + 20")
    deadline = time.monotonic() + SOON_S
    while daemon.value("/ch/1/level") != -100:
        assert time.monotonic() < deadline
        time.sleep(0.02)
