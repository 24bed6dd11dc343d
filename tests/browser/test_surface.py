"""The surface on every size of screen: what fits, what stays, and what a performer must not miss."""

import re
from collections.abc import Awaitable, Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Fingers
from tests.browser.places import box_of
from tests.daemon import ROOT, Daemon
from tests.peers import free_tcp_port, free_udp_port

OpenPage = Callable[..., Awaitable[Page]]
FingersOn = Callable[[Page], Awaitable[Fingers]]
pytestmark = pytest.mark.timeout(90)

SCREENS = [(1180, 718), (1024, 670), (744, 1030), (390, 664), (320, 454), (664, 390)]
LONG = "Keyboards & Samples 12/3"  # 24 letters

CONFIG = f"""
[[page]]
name = "Mixer"
layout = "strips"

[[page]]
name = "Play & more"
layout = "grid"

[[page]]
name = "Sends"
layout = "rows"

[[page]]
name = "Clips"
layout = "pads"

[[control]]
repeat = 12
path = "/ch/{{n}}/level"
page = "Mixer"
group = "{LONG} {{n}}"
label = "Level"
range = [-100, 10]
unit = "dB"
decimals = 1
default = -100

[[control]]
repeat = 12
path = "/ch/{{n}}/meter"
kind = "meter"
page = "Mixer"
group = "{LONG} {{n}}"

[[control]]
repeat = 12
path = "/ch/{{n}}/pan"
widget = "knob"
range = [-100, 100]
decimals = 1
default = -100
page = "Mixer"
group = "{LONG} {{n}}"

[[control]]
repeat = 12
path = "/ch/{{n}}/mute"
kind = "bool"
label = "Mute"
page = "Mixer"
group = "{LONG} {{n}}"

[[control]]
path = "/space"
kind = "vector"
label = "{LONG}"
page = "Play & more"
group = "{LONG}"
range = [-100, 10]
decimals = 1
default = [-100, -100]

[[control]]
path = "/bright"
page = "Play & more"
group = "{LONG}"
range = [-100, 0]
unit = "dB"
default = -100

[[control]]
path = "/scene"
choices = ["Verse", "Chorus", "{LONG}"]
label = "{LONG}"
page = "Play & more"
group = "{LONG}"

[[control]]
path = "/light"
kind = "color"
page = "Play & more"

[[control]]
path = "/caption"
kind = "string"
label = "{LONG}"
page = "Play & more"

[[control]]
path = "/tempo"
widget = "number"
range = [-100, 300]
step = 0.1
default = -100
label = "{LONG}"
page = "Play & more"

[[control]]
path = "/go"
kind = "trigger"
label = "{LONG}"
page = "Play & more"

[[control]]
path = "/drums"
choices = ["Kick", "Snare", "{LONG}", "Hat"]
widget = "pads"
page = "Play & more"

[[control]]
each = {{ track = [1, 8], row = [1, 8] }}
path = "/pad/{{track}}/{{row}}"
kind = "trigger"
widget = "pads"
label = "{LONG}"
page = "Clips"
group = "{LONG} {{track}}"

[[control]]
each = {{ wide = [10, 11] }}
path = "/wide/{{wide}}"
label = "{LONG}"
range = [-100, 10]
unit = "dB"
decimals = 1
default = -100
page = "Clips"
group = "Scenes"

[[control]]
repeat = 8
path = "/scene/{{n}}"
kind = "trigger"
label = "{LONG}"
page = "Clips"
group = "Scenes"

[[control]]
repeat = 9
path = "/send/{{n}}"
label = "{LONG} {{n}}"
range = [-100, 0]
default = -100
page = "Sends"
"""

# Every text must lie inside the box that is there for it, and every control inside the screen.
SPILLS = """() => {
  const out = [];
  const screen = { left: 0, top: 0, right: innerWidth, bottom: innerHeight };
  const inside = (inner, outer, slack) => inner.left >= outer.left - slack && inner.right <= outer.right + slack
    && inner.top >= outer.top - slack && inner.bottom <= outer.bottom + slack;
  const texts = (root, host) => {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const parent = walker.currentNode.parentElement;
      const style = getComputedStyle(parent);
      if (!walker.currentNode.textContent.trim() || !parent.getClientRects().length) continue;
      if (style.visibility === 'hidden') continue;
      if (parent.closest('option, .only .value')) continue;
      const range = document.createRange();
      range.selectNodeContents(walker.currentNode);
      const box = range.getBoundingClientRect();
      const places = '.value, .face, .pad, .segment, .tab, .strip-name, .row-name, .heading, button';
      const frame = (parent.closest(places) ?? host).getBoundingClientRect();
      if (!inside(box, frame, 1)) {
        const shown = ({ left, right, top, bottom }) => [left, right, top, bottom].map(Math.round);
        const text = walker.currentNode.textContent;
        out.push(`${host.path ?? host.className} "${text}" ${shown(box)} is not inside ${shown(frame)}`);
      }
    }
  };
  for (const element of document.querySelectorAll('.stage [path]')) {
    const box = element.getBoundingClientRect();
    if (!inside(box, screen, 0.5)) out.push(`${element.path} is off the screen: ${JSON.stringify(box)}`);
    const cell = element.closest('.strip, .cell, .row').getBoundingClientRect();
    if (!inside(box, cell, 0.5)) out.push(`${element.path} is outside its place`);
    texts(element.shadowRoot, element);
  }
  for (const button of document.querySelectorAll('.bar button')) {
    if (!button.getClientRects().length || inside(button.getBoundingClientRect(), screen, 0.5)) continue;
    out.push(`${button.className} is off the screen`);
  }
  texts(document.querySelector('.bar'), document.querySelector('.bar'));
  texts(document.querySelector('.stage'), document.querySelector('.stage'));
  const scroller = document.scrollingElement;
  if (scroller.scrollHeight > innerHeight || scroller.scrollWidth > innerWidth) out.push('the page scrolls');
  return out;
}"""

# Two things to touch are 8 px apart, and 12 px stay free below them.
GAPS = """() => {
  const targets = [...document.querySelectorAll('.stage [path]')].flatMap((element) =>
    [...element.shadowRoot.querySelectorAll('.body, button.face, .by, .pad, input, select, .plane, .light')]
      .filter((node) => node.getClientRects().length && element.localName !== 'sb-meter'
        && !(['sb-pads', 'sb-color'].includes(element.localName) && node.matches('.body')))
      .map((node) => ({ path: element.path, box: node.getBoundingClientRect() })));
  const out = [];
  targets.forEach(({ path, box }, i) => {
    if (box.bottom > innerHeight - 12 + 0.5) out.push(`${path} ends ${innerHeight - box.bottom} px above the edge`);
    for (const other of targets.slice(i + 1)) {
      const dx = Math.max(box.left - other.box.right, other.box.left - box.right);
      const dy = Math.max(box.top - other.box.bottom, other.box.top - box.bottom);
      if (Math.max(dx, dy) < 7.5) out.push(`${path} and ${other.path} are ${Math.max(dx, dy)} px apart`);
    }
  });
  return out;
}"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon.start(CONFIG, Path(tmp_path_factory.mktemp("surface"))) as running:
        yield running


async def surface(open_page: OpenPage, daemon: Daemon, size: tuple[int, int], page: str = "", **options: Any) -> Page:
    viewport = {"width": size[0], "height": size[1]}
    opened = await open_page(daemon.url + (f"#/{page}" if page else ""), viewport=viewport, has_touch=True, **options)
    await ready(opened)
    return opened


async def ready(page: Page) -> None:
    """The page is online, everything in view is bound, and it has been drawn since."""
    await page.wait_for_function(
        """() => document.querySelector('#surface')?.dataset.state === 'online'
          && document.querySelectorAll('.stage [path]').length > 0
          && [...document.querySelectorAll('.stage [path]')].every((element) => element.control && element.width > 0)"""
    )
    await page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


async def travels(page: Page) -> list[float]:
    found = await page.evaluate("[...document.querySelectorAll('.stage sb-fader')].map((fader) => fader.travel)")
    return [float(travel) for travel in found]


@pytest.mark.parametrize(
    ("name", "size"),
    [*product(["Mixer", "Play%20%26%20more", "Sends"], SCREENS), *product(["Clips"], SCREENS[1::2])],
    ids=lambda one: one if isinstance(one, str) else f"{one[0]}x{one[1]}",
)
async def test_nothing_spills_and_nothing_scrolls(
    open_page: OpenPage, daemon: Daemon, size: tuple[int, int], name: str
) -> None:
    page = await surface(open_page, daemon, size, name)
    seen = 0
    while True:
        spills = await page.evaluate(SPILLS)
        assert spills == [], "\n".join(spills)
        gaps = await page.evaluate(GAPS)
        assert gaps == [], "\n".join(gaps)
        seen += 1
        forth = page.get_by_role("button", name="Next bank")
        if not await forth.count() or await forth.is_disabled():
            break
        await forth.click()
        await ready(page)
    assert seen <= 12


async def test_strips_reach_the_travels_of_the_reference(open_page: OpenPage, tmp_path: Path) -> None:
    config = '[[page]]\nname = "Mixer"\nlayout = "strips"\n'
    for path, more in (("level", 'curve = "db"\nrange = [-90, 10]\nunit = "dB"'), ("mute", 'kind = "bool"')):
        config += f'[[control]]\nrepeat = 8\npath = "/{{n}}/{path}"\ngroup = "Ch {{n}}"\n{more}\n'
    with Daemon.start(config, tmp_path) as daemon:
        for size, strip, travel in (
            ((1180, 718), 136, 418),
            ((1024, 670), 118, 370),
            ((744, 1030), 83, 730),
            ((320, 454), 72, 252),
        ):
            page = await surface(open_page, daemon, size)
            assert min(await travels(page)) >= travel
            box = await page.locator(".strip").first.bounding_box()
            assert box is not None
            assert box["width"] == strip
            mute = await page.locator("sb-toggle").first.bounding_box()
            assert mute is not None
            assert mute["width"] >= 64
            assert mute["height"] >= (56 if size[1] > 670 or size[0] > 600 else 48)
            bar = await page.locator(".bar").bounding_box()
            assert bar is not None
            assert bar["height"] == 52


async def test_the_demo_reaches_the_sizes_of_the_reference(open_page: OpenPage, tmp_path: Path) -> None:
    config = (ROOT / "config.toml").read_text().replace("0.0.0.0:9000", f"127.0.0.1:{free_udp_port()}")
    with Daemon.start(config, tmp_path, auth="open") as daemon:
        for size, travel in (((1180, 718), 418), ((1024, 670), 370), ((744, 1030), 730), ((320, 454), 252)):
            page = await surface(open_page, daemon, size, "Mixer")
            assert min(await travels(page)) >= travel, size
        covered = """[...document.querySelectorAll('.strip')].filter((strip) => {
          const [bar, cap] = [['sb-meter', '.bar'], ['sb-fader', '.cap']].map(([element, part]) =>
            strip.querySelector(element).shadowRoot.querySelector(part).getBoundingClientRect());
          return cap.right > bar.left || bar.width < 12 || cap.width < 54;
        }).length"""
        assert await page.evaluate(covered) == 0
        for size in ((844, 340), (844, 390), (664, 390), (834, 1100), (1180, 718)):
            page = await surface(open_page, daemon, size, "Play")
            spills = await page.evaluate(SPILLS)  # at 834 px the narrowest fader that has a scale
            assert spills == [], "\n".join(spills)
            plane = await page.evaluate(
                "(({ width, height }) => [width, height])(document.querySelector('sb-xy').body.getBoundingClientRect())"
            )
            assert min(plane) >= 240, size
            for value in (20, 20000):
                daemon.request("PUT", "/api/controls/grain/cutoff", {"value": value})
                await page.wait_for_function(
                    f"""() => {{
                      const fader = document.querySelector('[path="/grain/cutoff"]');
                      const [cap, cell] = [fader.shadowRoot.querySelector('.cap'), fader.closest('.cell')]
                        .map((node) => node.getBoundingClientRect());
                      const ring = 5;  // of a cap that somebody holds
                      return fader.value === {value} && cap.left - ring >= cell.left && cap.right + ring <= cell.right
                        && cap.top >= cell.top && cap.bottom <= cell.bottom;
                    }}"""
                )


async def test_the_menu_leads_to_the_monitor(open_page: OpenPage, daemon: Daemon) -> None:
    for size in ((1180, 718), (390, 664)):
        page = await surface(open_page, daemon, size)
        button = page.locator(".badge") if size[0] == 1180 else page.get_by_role("button", name="Menu", exact=True)
        if not await button.is_visible():
            button = page.locator(".page-button")
        await button.click()
        await page.get_by_role("button", name="Put this away").click()
        await expect(page.get_by_role("dialog")).to_be_hidden()
        await button.click()
        await page.get_by_role("dialog").get_by_role("link", name=re.compile("Monitor")).click()
        await expect(page.get_by_role("heading", name="Monitor")).to_be_visible()
        await page.get_by_role("link", name="Surface").click()
        await ready(page)


async def test_pages_of_ones_own_are_found_from_the_menu_and_from_an_empty_surface(
    open_page: OpenPage, daemon: Daemon, tmp_path: Path
) -> None:
    page = await surface(open_page, daemon, (1180, 718))
    await expect(page.locator(".empty")).to_be_hidden()
    await page.get_by_role("button", name="Menu", exact=True).click()
    await page.get_by_role("dialog").get_by_role("link", name="Pages of your own").click()
    await page.get_by_role("link", name="Surface").click()
    await ready(page)
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "three.html").write_text("<!doctype html><title>t</title><h1>Three sliders</h1>", encoding="utf-8")
    with Daemon.start('[http]\npages = "pages"\n', tmp_path) as empty:
        assert f"pages of your own: {empty.url}pages/" in empty.stdout
        page = await open_page(empty.url)
        await expect(page.locator(".empty")).to_contain_text("Nothing on the surface yet")
        await page.get_by_role("link", name="a page of your own").click()
        await page.get_by_role("link", name="three.html").click()
        await expect(page.get_by_role("heading", name="Three sliders")).to_be_visible()


async def test_the_round_trip_is_not_the_time_that_the_page_took_to_start(open_page: OpenPage, daemon: Daemon) -> None:
    page = await open_page("about:blank", viewport={"width": 1180, "height": 718})
    await page.add_init_script(
        """window.said = [];
        new MutationObserver(() => {
          const text = document.querySelector('.state')?.textContent;
          if (text && text !== window.said.at(-1)) window.said.push(text);
        }).observe(document, { childList: true, characterData: true, subtree: true });"""
    )
    await page.goto(daemon.url)
    await page.wait_for_function("() => window.said.some((text) => text.endsWith(' ms'))")
    said = await page.evaluate("window.said")
    assert re.fullmatch(r"[\d.]+ ms", said[said.index("online") + 1])


async def test_tabs_are_big_and_the_address_keeps_the_page(open_page: OpenPage, daemon: Daemon) -> None:
    page = await surface(open_page, daemon, (1180, 718))
    for tab in await page.get_by_role("tab").all():
        box = await tab.bounding_box()
        assert box is not None
        assert box["width"] >= 72
        assert box["height"] >= 44
    history = await page.evaluate("history.length")
    await page.get_by_role("tab", name="Sends").click()
    assert page.url.endswith("#/Sends")
    await page.get_by_role("tab", name="Play & more").click()
    assert page.url.endswith("#/Play%20%26%20more")
    assert await page.evaluate("history.length") == history
    await page.reload()
    await ready(page)
    await expect(page.get_by_role("tab", name="Play & more")).to_have_attribute("aria-selected", "true")


async def test_where_tabs_do_not_fit_one_button_offers_the_pages(open_page: OpenPage, daemon: Daemon) -> None:
    page = await surface(open_page, daemon, (320, 454))
    assert await page.get_by_role("tab").count() == 0
    await page.get_by_role("button", name="Page Mixer: choose another").click()
    await page.get_by_role("dialog").get_by_role("button", name="Sends").click()
    await ready(page)
    assert page.url.endswith("#/Sends")
    assert await page.get_by_role("dialog").count() == 0


async def test_turning_the_tablet_keeps_page_bank_and_finger(
    open_page: OpenPage, daemon: Daemon, fingers_on: FingersOn
) -> None:
    page = await surface(open_page, daemon, (1180, 718))
    await page.get_by_role("button", name="Next bank").click()
    await ready(page)
    fader = page.locator('[path="/ch/9/level"]')
    box = await box_of(fader.locator(".body"))
    fingers = await fingers_on(page)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await fingers.down(0, x, y)
    await fingers.move((0, x, y - 20))
    before = await fader.evaluate("fader => { window.held = fader; return fader.value; }")
    await page.set_viewport_size({"width": 744, "height": 1030})
    await ready(page)
    assert await page.evaluate("document.querySelector('[path=\"/ch/9/level\"]') === window.held && held.drag !== null")
    await fingers.move((0, x, y - 21))
    await fingers.move((0, x, y - 60))
    await page.wait_for_function(f"() => window.held.value > {before}")
    await fingers.up(0)
    await page.set_viewport_size({"width": 390, "height": 664})
    await ready(page)
    assert await page.locator('[path="/ch/9/level"]').count() == 1


async def test_knobs_move_to_a_layer_of_their_own_where_faders_would_be_short(
    open_page: OpenPage, daemon: Daemon
) -> None:
    page = await surface(open_page, daemon, (320, 454))
    names = []
    more = page.locator(".bank-name")
    await expect(more).to_have_attribute("aria-pressed", "false")
    await more.click()  # what is not in view of this very bank
    await ready(page)
    paths = await page.evaluate("[...document.querySelectorAll('.stage sb-knob')].map((knob) => knob.path)")
    assert paths == [f"/ch/{n}/pan" for n in range(1, 5)]
    await expect(more).to_have_attribute("aria-pressed", "true")
    await more.click()
    await ready(page)
    assert await page.locator("sb-fader").count() == 4
    for _ in range(6):
        on = "on " if await more.get_attribute("aria-pressed") == "true" else ""
        names.append(on + (await more.inner_text()).replace("\n", " "))
        if not await page.get_by_role("button", name="Next bank").is_disabled():
            await page.get_by_role("button", name="Next bank").click()
            await ready(page)
    assert names == ["1–4 pan", "5–8 pan", "9–12 pan", "on 1–4 pan", "on 5–8 pan", "on 9–12 pan"]
    assert await page.locator("sb-knob").count() == 4
    assert await page.locator("sb-fader").count() == 0


async def test_a_locked_page_moves_nothing_until_it_is_held_for_a_second(
    open_page: OpenPage, daemon: Daemon, fingers_on: FingersOn
) -> None:
    page = await surface(open_page, daemon, (1180, 718))
    lock = page.locator(".lock")
    await lock.click()
    await expect(lock).to_have_attribute("aria-pressed", "true")
    mute = page.locator('[path="/ch/1/mute"]')
    before = daemon.value("/ch/1/mute")
    await mute.locator(".face").click(force=True)
    await lock.click()  # a tap does not unlock
    await expect(lock).to_have_attribute("aria-pressed", "true")
    assert daemon.value("/ch/1/mute") == before
    box = await box_of(lock)
    fingers = await fingers_on(page)
    await fingers.down(0, box["x"] + 20, box["y"] + 20)
    await expect(lock).to_have_attribute("aria-pressed", "false")
    await fingers.up(0)
    await expect(lock).to_have_attribute("aria-pressed", "false")
    await mute.locator(".face").click()
    await page.wait_for_function(
        f"() => document.querySelector('[path=\"/ch/1/mute\"]').value !== {str(before).lower()}"
    )


async def test_panic_is_held_for_four_tenths_of_a_second(
    open_page: OpenPage, daemon: Daemon, fingers_on: FingersOn
) -> None:
    sent: list[str] = []
    page = await open_page("about:blank", viewport={"width": 1180, "height": 718}, has_touch=True)
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))))
    await page.goto(daemon.url)
    await ready(page)
    box = await box_of(page.get_by_role("button", name="Panic: hold"))
    fingers = await fingers_on(page)
    x, y = box["x"] + 40, box["y"] + 20
    while True:
        lasted_ms = await fingers.press_ms(page, x, y, 200)  # half of what it takes
        await page.wait_for_timeout(400)  # what must not happen needs its time not to
        if lasted_ms < 400:
            break
        sent.clear()
    assert not [frame for frame in sent if '"trigger"' in frame]
    await fingers.down(0, x, y)
    while not [frame for frame in sent if '"trigger"' in frame]:  # until the test's own limit
        await page.wait_for_timeout(40)
    await fingers.up(0)
    assert len([frame for frame in sent if '"trigger"' in frame]) == 1


async def test_offline_is_unmistakable_and_locks_everything(open_page: OpenPage, tmp_path: Path) -> None:
    with Daemon.start(CONFIG, tmp_path) as daemon:
        page = await surface(open_page, daemon, (1180, 718))
        await expect(page.locator(".badge")).to_have_attribute("data-state", "online")
        await expect(page.locator(".badge")).to_contain_text(re.compile(r"\d ms"))
        daemon.stop()
        bar = page.get_by_role("alert")
        await expect(bar).to_have_text(re.compile(r"OFFLINE\s\d\d:\d\d, reconnecting"))
        box = await bar.bounding_box()
        assert box is not None
        assert (box["x"], box["width"]) == (0, 1180)
        slider = page.get_by_role("slider", name=f"{LONG} 1 Level")
        await expect(slider).to_have_attribute("aria-disabled", "true")
        assert await page.locator('[path="/ch/1/level"]').evaluate("fader => fader.isFree") is False


async def test_a_number_that_was_typed_while_the_connection_went_is_kept_and_said_not_to_be_taken(
    open_page: OpenPage, tmp_path: Path
) -> None:
    port = free_tcp_port()
    with Daemon.start(CONFIG, tmp_path, "--port", str(port), stop=False) as first:
        page = await surface(open_page, first, (1180, 718))
        await page.get_by_role("slider", name=f"{LONG} 1 Level").press("Enter")
        entry = page.get_by_role("dialog").get_by_role("textbox")
        await entry.fill("-20")
        first.process.kill()
        await expect(page.get_by_role("alert")).to_contain_text("OFFLINE")
        await entry.press("Enter")
        await expect(page.get_by_role("dialog").get_by_role("status")).to_have_text("not taken: offline")
        await expect(entry).to_have_value("-20")
    with Daemon.start(CONFIG, tmp_path, "--port", str(port)):
        await expect(page.locator(".badge")).to_have_attribute("data-state", "online")
        await entry.press("Enter")
        await expect(entry).to_have_count(0)
        await page.wait_for_function(
            "fetch('/api/controls/ch/1/level').then((a) => a.json()).then((a) => a.value === -20)"
        )


async def test_four_cancelled_fingers_show_the_setting_to_switch_off(
    open_page: OpenPage, daemon: Daemon, fingers_on: FingersOn
) -> None:
    page = await surface(open_page, daemon, (1180, 718))
    fingers = await fingers_on(page)
    for n in range(1, 5):
        box = await box_of(page.locator(f'[path="/ch/{n}/level"] .body'))
        await fingers.down(n, box["x"] + 30, box["y"] + 200)
    await fingers.cancel()
    banner = page.locator(".banner")
    await expect(banner).to_contain_text("Four & Five Finger Gestures")
    await banner.get_by_role("button", name="Put away").click()
    await expect(banner).to_be_hidden()


async def test_the_theme_is_this_devices_own_and_stays(open_page: OpenPage, daemon: Daemon) -> None:
    page = await surface(open_page, daemon, (1180, 718))
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    assert await page.evaluate(ground) == "rgb(11, 13, 16)"
    for theme, color in (("dim", "rgb(4, 5, 7)"), ("sun", "rgb(255, 255, 255)")):
        await page.get_by_role("button", name=re.compile("^Theme")).click()
        assert await page.evaluate("document.documentElement.dataset.theme") == theme
        assert await page.evaluate(ground) == color
    await page.reload()
    assert await page.evaluate(ground) == "rgb(255, 255, 255)"
    other = await surface(open_page, daemon, (1180, 718))
    assert await other.evaluate(ground) == "rgb(11, 13, 16)"


async def test_a_held_value_is_large_in_the_bar_where_strips_are_narrow(
    open_page: OpenPage, daemon: Daemon, fingers_on: FingersOn
) -> None:
    page = await surface(open_page, daemon, (744, 1030))
    box = await box_of(page.locator('[path="/ch/2/level"] .body'))
    fingers = await fingers_on(page)
    await fingers.down(0, box["x"] + 30, box["y"] + 300)
    await fingers.move((0, box["x"] + 30, box["y"] + 200))
    held = page.locator(".held-num")
    await expect(held).to_be_visible()
    assert await held.evaluate("node => getComputedStyle(node).fontSize") == "40px"
    value = await page.locator('[path="/ch/2/level"] .num').inner_text()
    await expect(held).to_have_text(value)
    await fingers.up(0)
    await expect(held).to_be_hidden()
    await fingers.down(0, box["x"] + 30, box["y"] + 300)
    await expect(held).to_be_visible()
    await page.locator('[path="/ch/2/level"]').evaluate("node => node.remove()")  # as a surface without it does
    await expect(held).to_be_hidden()


async def test_another_screens_finger_is_outlined_and_named(
    open_page: OpenPage, daemon: Daemon, fingers_on: FingersOn
) -> None:
    page = await surface(open_page, daemon, (1180, 718))
    other = await surface(open_page, daemon, (1180, 718))
    await other.evaluate("localStorage.setItem('stagebridge.name', 'FOH iPad')")
    await other.reload()
    await ready(other)
    box = await box_of(other.locator('[path="/ch/3/level"] .body'))
    fingers = await fingers_on(other)
    await fingers.down(0, box["x"] + 30, box["y"] + 200)
    strip = page.locator(".strip").nth(2)
    await expect(strip.locator(".notice").first).to_have_text("FOH iPad")
    cap = page.locator('[path="/ch/3/level"] .cap')
    assert "rgb(255, 178, 36)" in await cap.evaluate("cap => getComputedStyle(cap).boxShadow")
    await fingers.up(0)
    await expect(strip.locator(".notice").first).to_have_text("")


async def test_boxes_stay_where_they_are_while_values_run(open_page: OpenPage, daemon: Daemon) -> None:
    page = await surface(open_page, daemon, (1024, 670))
    boxes = """[...document.querySelectorAll('.stage [path], .strip, .strip-name')].concat(
      ...[...document.querySelectorAll('.stage [path]')]
        .map((element) => [...element.shadowRoot.querySelectorAll('.value, .body')]))
      .map((node) => Object.values(node.getBoundingClientRect().toJSON()).join())"""
    before = await page.evaluate(boxes)
    for value in (-100, -9.9, 0, 10):
        for n in range(1, 5):
            daemon.request("PUT", f"/api/controls/ch/{n}/level", {"value": value})
        await page.wait_for_function(f"() => document.querySelector('[path=\"/ch/4/level\"]').value === {value}")
        await page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert await page.evaluate(boxes) == before


async def test_meters_out_of_view_are_not_in_the_document(open_page: OpenPage, daemon: Daemon) -> None:
    page = await surface(open_page, daemon, (1180, 718))
    assert await page.locator("sb-meter").count() == 8
    await page.get_by_role("tab", name="Sends").click()
    await ready(page)
    assert await page.locator("sb-meter").count() == 0


def test_everything_the_surface_imports_is_loaded_ahead() -> None:
    """Without modulepreload each level of imports costs a round trip."""
    web = ROOT / "web"
    found: set[Path] = set()
    waiting = [web / "main.js"]
    while waiting:
        module = waiting.pop()
        for name in re.findall(r"""(?:from|import)\s+['"](\.[^'"]+)['"]""", module.read_text()):
            target = (module.parent / name).resolve()
            if target not in found:
                found.add(target)
                waiting.append(target)
    html = (web / "index.html").read_text()
    ahead = {(web / name).resolve() for name in re.findall(r'rel="modulepreload" href="([^"]+)"', html)}
    assert ahead == found


async def test_the_page_keeps_to_its_policy_and_loads_little(open_page: OpenPage, daemon: Daemon) -> None:
    page = await surface(open_page, daemon, (1180, 718))
    lines: list[str] = page.console_lines  # type: ignore[attr-defined]
    assert [line for line in lines if line.startswith(("error", "warning"))] == []
    sizes = await page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.transferSize)")
    assert sum(sizes) < 200_000
