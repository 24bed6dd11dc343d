"""Take the pictures of docs/screenshots/ from real daemons: `.venv/bin/python scripts/screenshots.py [NAME …]`.

Most show config.toml; values and meters come over OSC, as in a show; fingers are real touch points. Those of the desk
show the X32 example of docs/profiles.md, those of Live what the table alone gives, with the fakes of tests/fakes/ at
the other end.
"""

import asyncio
import math
import os
import re
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, Page, expect, sync_playwright  # noqa: E402
from pythonosc.osc_message_builder import OscMessageBuilder  # noqa: E402

from bridge.remote import Daemon as Here  # noqa: E402
from bridge.remote import request  # noqa: E402
from tests.daemon import Daemon  # noqa: E402
from tests.fakes.abletonosc import Live, opened_live  # noqa: E402
from tests.fakes.liveset import Clip, Scene, Song, Track  # noqa: E402
from tests.fakes.x32 import Desk, switched_on  # noqa: E402
from tests.peers import CHROMIUM_MAY, free_udp_port, require_chromium  # noqa: E402

OUT = ROOT / "docs" / "screenshots"
LEVELS = (-4.5, -8.2, -14.0, -6.1, -12.0, -11.4, -90.0, 1.2)
PANS = (0.0, -0.2, 0.0, 0.0, -0.75, 0.75, 0.3, 0.0)
SETTLE_MS = 700
DESK = {"desk", "desk-offline"}
LIVE = {"live", "live-clips"}
INSIDE = {"pair", "devices", "dashboard"}
GONE_MS = 30_000  # a desk is missed after its time-out
CHANNELS = ("Kick", "Snare", "Hi-Hat", "Tom", "Bass DI", "Gtr Anna", "Keys Ben", "Vox Anna")
COLORS = (1, 1, 3, 1, 4, 2, 6, 5)
TRACKS = ("Drums", "Perc", "Bass", "Keys", "Pads", "Guitar", "Vox", "Choir")
HUES = (0xE04F4F, 0xE0844F, 0xE0C34F, 0x7FC657, 0x4FBFA8, 0x4F8FE0, 0x8A6BE0, 0xD066B8)
CLIPS = ("Verse A", "Break", "Hook", "Fill", "Long", "End")
SCENES = ("Intro", "Verse", "Chorus", "Verse 2", "Bridge", "Outro")

# name, width, height, page, theme, fingers: (selector, px upwards) each
SHOTS: tuple[tuple[str, int, int, str, str, tuple[tuple[str, int], ...]], ...] = (
    ("mixer", 1180, 718, "Mixer", "dark", ()),
    (
        "mixer-held",
        1180,
        718,
        "Mixer",
        "dark",
        (('[path="/mixer/1/volume"] .body', 30), ('[path="/mixer/2/volume"] .body', -12)),
    ),
    ("mixer-sun", 1180, 718, "Mixer", "sun", ()),
    ("mixer-dim", 1024, 670, "Mixer", "dim", ()),
    ("mixer-small-tablet", 1024, 670, "Mixer", "dark", ()),
    ("mixer-portrait", 744, 1030, "Mixer", "dark", ()),
    ("mixer-phone", 390, 664, "Mixer", "dark", ()),
    ("mixer-phone-small", 320, 454, "Mixer", "dark", ()),
    ("mixer-phone-landscape", 664, 390, "Mixer", "dark", ()),
    ("play", 1180, 718, "Play", "dark", ()),
    ("play-held", 1024, 670, "Play", "dark", (('[path="/grain"] .body', 40),)),
    ("play-sun", 1180, 718, "Play", "sun", ()),
    ("play-portrait", 744, 1030, "Play", "dark", ()),
    ("play-phone", 390, 664, "Play", "dark", ()),
    ("play-phone-small", 320, 454, "Play", "dark", ()),
    ("play-phone-landscape", 844, 390, "Play", "dark", ()),
)


class Show:
    """What happens on stage: levels, pans and meters over OSC."""

    def __init__(self, osc_port: int) -> None:
        self._to = ("127.0.0.1", osc_port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))  # somebody listens there, so nothing says "max offline"
        self.udp_port = self._socket.getsockname()[1]
        self._tick = 0

    def close(self) -> None:
        self._socket.close()

    def send(self, address: str, *args: Any) -> None:
        builder = OscMessageBuilder(address)
        for arg in args:
            builder.add_arg(arg)
        self._socket.sendto(builder.build().dgram, self._to)

    def start(self) -> None:
        for n, (level, pan) in enumerate(zip(LEVELS, PANS, strict=True), 1):
            self.send(f"/mixer/{n}/volume", level)
            self.send(f"/mixer/{n}/pan", pan)
            self.send(f"/mixer/{n}/mute", 1 if n == 5 else 0)
        self.send("/grain", 0.62, 0.38)

    def play(self) -> None:
        """One step of the meters."""
        self._tick += 1
        for n in range(1, 9):
            level = -52 if n == 5 else -18 + 3 * (n % 3)
            self.send(f"/mixer/{n}/meter", level + 7 * math.sin(self._tick / 4 + 2 * n))


def tablet(browser: Browser, width: int = 1180, height: int = 718) -> Page:
    """An empty page of a device with fingers."""
    return browser.new_page(viewport={"width": width, "height": height}, has_touch=True, permissions=CHROMIUM_MAY)


def let_in(page: Page, daemon: Daemon, name: str, role: str = "control") -> None:
    """Have the page's device let in by a code, typed as people do; it shows the first page then."""
    os.environ |= daemon.home  # its socket is there
    code = request(Here(daemon.http_port), "POST", "/api/codes", {"role": role})["code"]
    page.goto(f"{daemon.url}pair")
    page.get_by_label("This device is called").fill(name)
    page.get_by_label("Six digits").fill(code)
    page.get_by_role("button", name="Let me in").click()
    expect(page.locator("sb-fader").first).to_be_visible()


def take(browser: Browser, daemon: Daemon, show: Show, shot: tuple[Any, ...]) -> None:
    name, width, height, page_name, theme, fingers = shot
    page = tablet(browser, width, height)
    page.add_init_script(f"localStorage.setItem('stagebridge.theme', '{theme}')")
    let_in(page, daemon, "tablet")
    page.goto(f"{daemon.url}#/{page_name}")
    wait(page, show.play, SETTLE_MS)
    touch(page, fingers, show.play)
    # A bored machine answers in half a millisecond, a busy one in fifty: wait for an ordinary moment.
    for _ in range(40):
        number = page.locator(".state").inner_text().removesuffix(" ms") if width >= 744 else "0"
        if number.replace(".", "").isdecimal() and float(number) < 10:
            break
        wait(page, show.play, 250)
    page.screenshot(path=OUT / f"{name}.png")
    page.close()
    print(f"{name}.png: {(OUT / f'{name}.png').stat().st_size // 1000} kB")


def wait(page: Page, step: Callable[[], None], ms: int) -> None:
    for _ in range(ms // 40):
        step()
        page.wait_for_timeout(40)


def touch(page: Page, fingers: tuple[tuple[str, int], ...], step: Callable[[], None]) -> None:
    cdp = page.context.new_cdp_session(page)
    points: list[dict[str, float]] = []
    for number, (selector, _) in enumerate(fingers):
        box = page.locator(selector).bounding_box()
        assert box is not None
        points.append({"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] * 0.6, "id": number})
        cdp.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": points})
    for part in range(1, 11) if fingers else ():
        moved = [{**point, "y": point["y"] - up * part / 10} for point, (_, up) in zip(points, fingers, strict=True)]
        cdp.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": moved})
        step()


@contextmanager
def at_work(opening: Callable[[], AbstractAsyncContextManager[Any]]) -> Iterator[tuple[Any, Callable[..., None]]]:
    """A fake on a loop of its own; and how to do something there."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fake")
    thread.start()

    def run(doing: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(doing, loop).result(10)

    async def enter() -> tuple[AbstractAsyncContextManager[Any], Any]:
        is_open = opening()
        return is_open, await is_open.__aenter__()

    is_open, fake = run(enter())
    try:
        yield fake, loop.call_soon_threadsafe
    finally:
        run(is_open.__aexit__(None, None, None))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def take_desk(browser: Browser) -> None:
    """The page of the X32 example: with the desk, and just after it was unplugged."""
    found = re.search(
        r"^## x32$.*?```toml\n(.*?)```", (ROOT / "docs" / "profiles.md").read_text(), re.DOTALL | re.MULTILINE
    )
    assert found is not None
    with at_work(switched_on) as (desk, at_desk), tempfile.TemporaryDirectory() as folder:
        at_desk(set_up, desk)
        config = found[1].replace('host = "192.168.1.32"', f'host = "127.0.0.1"\nport = {desk.udp_port}')
        with Daemon.start(config, Path(folder)) as daemon:
            page = tablet(browser)
            page.goto(daemon.url)
            expect(page.get_by_role("group", name=CHANNELS[-1])).to_be_visible()
            expect(page.locator(".state")).to_have_text(re.compile(r"^\d(\.\d)? ms$"), timeout=GONE_MS)
            page.wait_for_timeout(SETTLE_MS)
            page.screenshot(path=OUT / "desk.png")
            at_desk(setattr, desk, "is_plugged", False)
            expect(page.locator(".badge")).to_have_class(re.compile("has-gone"), timeout=GONE_MS)
            page.wait_for_timeout(SETTLE_MS)
            page.screenshot(path=OUT / "desk-offline.png")
            page.close()


def set_up(desk: Desk) -> None:
    """A show."""
    for n, (name, color, level) in enumerate(zip(CHANNELS, COLORS, LEVELS, strict=True), 1):
        desk.values |= {f"/ch/{n:02}/config/name": name, f"/ch/{n:02}/config/color": color}
        desk.values |= {f"/ch/{n:02}/mix/fader": max(0.0, 0.75 + level / 40), f"/ch/{n:02}/mix/on": int(n != 5)}


def song() -> Song:
    """A set with eight tracks and six scenes."""
    found = []
    for track, (name, hue, level) in enumerate(zip(TRACKS, HUES, LEVELS, strict=True)):
        clips = [None if (track + row) % 4 == 3 else Clip(CLIPS[(2 * track + row) % 6], hue) for row in range(6)]
        found.append(Track(name, hue, clips))
        found[-1].volume.value = max(0.0, min(1.0, (level + 34) / 40))
        found[-1].mute = track == 4
    return Song(found, [Scene(name) for name in SCENES])


def play(live: Live) -> None:
    """Some clips play, one waits, and the meters move."""
    for number, track in enumerate(live.song.tracks):
        track.put("output_meter_level", 0.0 if track.mute else 0.6 + 0.2 * math.sin(time.monotonic() + number))
        playing = next(row for row in (1, 0) if track.clips[row] is not None)
        track.put("playing_slot_index", playing if number != 6 else -1)


def take_live(browser: Browser) -> None:
    """The pages that Live's table alone gives."""
    port = free_udp_port()
    opening = at_work(lambda: opened_live(song(), port))
    with opening as (live, at_live), tempfile.TemporaryDirectory() as folder:
        config = (
            f'[[osc]]\nname = "live"\nprofile = "abletonosc"\nhost = "127.0.0.1"\nport = {live.udp_port}\n'
            f'listen = "127.0.0.1:{port}"\n'
        )
        with Daemon.start(config, Path(folder)) as daemon:
            page = tablet(browser)
            page.goto(daemon.url)
            expect(page.get_by_role("group", name=TRACKS[-1])).to_be_visible()
            for name, tab in (("live", "Live"), ("live-clips", "Live clips")):
                page.get_by_role("tab", name=tab, exact=True).click()
                wait(page, lambda: at_live(play, live), 4 * SETTLE_MS)
                expect(page.locator(".state")).to_have_text(re.compile(r"^\d(\.\d)? ms$"), timeout=GONE_MS)
                page.screenshot(path=OUT / f"{name}.png")
            page.close()


def take_inside(browser: Browser) -> None:
    """How a phone comes in, who is in, and how all is."""
    osc_port = free_udp_port()
    show = Show(osc_port)
    config = (ROOT / "config.toml").read_text(encoding="utf-8")
    config = config.replace("0.0.0.0:9000", f"127.0.0.1:{osc_port}")
    config = config.replace("127.0.0.1:9001", f"127.0.0.1:{show.udp_port}")
    with tempfile.TemporaryDirectory() as folder, Daemon.start(config, Path(folder), auth=None) as daemon:
        show.start()
        phone = tablet(browser, 390, 664)
        phone.goto(daemon.url)
        phone.get_by_label("Six digits").fill("123 456")
        phone.get_by_label("This device is called").fill("Anna's phone")
        phone.screenshot(path=OUT / "pair.png")
        page = tablet(browser)
        for name, role, tab in (("FOH laptop", "admin", page), ("Anna's phone", "control", phone)):
            let_in(tab, daemon, name, role)
        page.get_by_role("button", name="Menu", exact=True).click()
        page.get_by_role("button", name="Devices").click()
        wait(page, show.play, SETTLE_MS)
        page.screenshot(path=OUT / "devices.png")
        page.goto(f"{daemon.url}dashboard.html")
        for step in range(30):
            show.send("/mixer/1/volume", -10 - step % 7)
            wait(page, show.play, SETTLE_MS)
        page.screenshot(path=OUT / "dashboard.png")
        page.close()
        phone.close()
    show.close()


def main(names: set[str]) -> None:
    """Take these pictures, or all."""
    OUT.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=require_chromium(), args=["--no-sandbox", "--disable-gpu", "--no-first-run"]
        )
        if not names or names - DESK - LIVE - INSIDE:
            take_demo(browser, names)
        if not names or names & DESK:
            take_desk(browser)
        if not names or names & LIVE:
            take_live(browser)
        if not names or names & INSIDE:
            take_inside(browser)
        browser.close()


def take_demo(browser: Browser, names: set[str]) -> None:
    osc_port = free_udp_port()
    show = Show(osc_port)
    config = (ROOT / "config.toml").read_text(encoding="utf-8")
    config = config.replace("0.0.0.0:9000", f"127.0.0.1:{osc_port}")
    config = config.replace("127.0.0.1:9001", f"127.0.0.1:{show.udp_port}")
    with tempfile.TemporaryDirectory() as folder, Daemon.start(config, Path(folder)) as daemon:
        for shot in SHOTS:
            if not names or shot[0] in names:
                show.start()
                take(browser, daemon, show, shot)
        page = browser.new_page(viewport={"width": 1320, "height": 900})
        let_in(page, daemon, "FOH laptop", "admin")
        if not names or "monitor" in names:
            other = browser.new_page()  # somebody for the monitor to show
            let_in(other, daemon, "FOH iPad")
            page.goto(f"{daemon.url}monitor.html")
            show.start()
            wait(page, show.play, 2 * SETTLE_MS)
            page.screenshot(path=OUT / "monitor.png")
            other.close()
        if not names or "states" in names:
            page.goto(f"{daemon.url}gallery.html")
            page.wait_for_timeout(SETTLE_MS)
            clip = page.locator("main section").first.bounding_box()
            assert clip is not None
            page.screenshot(
                path=OUT / "states.png",
                clip={**clip, "x": 0, "y": clip["y"] - 8, "width": 1320, "height": clip["height"] + 16},
            )
        page.close()
    show.close()


if __name__ == "__main__":
    main(set(sys.argv[1:]))
