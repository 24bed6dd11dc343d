"""Our elements on a person's own page, under real fingers and keys: what they do is what the bridge hears."""

import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Fingers
from tests.browser.places import middle_of
from tests.daemon import Daemon
from tests.waiting import SOON_S

OpenPage = Callable[..., Awaitable[Page]]
FingersOn = Callable[[Page], Awaitable[Fingers]]
TOUCH: dict[str, Any] = {"viewport": {"width": 1180, "height": 718}, "has_touch": True}

CONFIG = """
[http]
pages = "mine"

[[control]]
repeat = 10
path = "/f/{n}"
default = 0.5

[[control]]
path = "/level"
range = [-90, 10]
curve = "db"
unit = "dB"
default = -10
label = "Level"

[[control]]
path = "/cutoff"
range = [20, 20000]
curve = "log"
unit = "Hz"
default = 1000

[[control]]
path = "/jump"
relative = false

[[control]]
path = "/pan"
widget = "knob"
range = [-1, 1]
default = 0.5
label = "Pan"

[[control]]
path = "/space"
kind = "vector"
default = [0.5, 0.5]

[[control]]
path = "/mute"
kind = "bool"

[[control]]
path = "/record"
kind = "bool"
guard = true

[[control]]
path = "/talk"
kind = "bool"
momentary = true

[[control]]
path = "/bang"
kind = "trigger"

[[control]]
path = "/scene"
choices = ["Verse", "Chorus", "Outro"]

[[control]]
path = "/caption"
kind = "string"

[[control]]
path = "/tempo"
widget = "number"
range = [20, 300]
step = 0.1
default = 120

[[control]]
path = "/light"
kind = "color"
default = "#ff0000"

[[control]]
path = "/meter"
kind = "meter"
"""
STYLE = "display: inline-block; width: 80px; height: 508px"  # name 40, value 32, gaps: the travel is 400
PAGE = f"""<!doctype html><meta charset="utf-8"><title>mine</title><link rel="icon" href="data:,">
<script type="module" src="/stagebridge.js"></script>
<body style="background: #0b0d10">
{"".join(f'<sb-fader path="/f/{n}" style="{STYLE}"></sb-fader> ' for n in range(1, 11))}
"""
OTHERS = """<!doctype html><meta charset="utf-8"><title>others</title><link rel="icon" href="data:,">
<script type="module" src="/stagebridge.js"></script>
<body style="background: #0b0d10">
<sb-fader path="/level"></sb-fader> <sb-knob path="/pan"></sb-knob> <sb-xy path="/space"></sb-xy>
<sb-toggle path="/mute"></sb-toggle> <sb-toggle path="/record"></sb-toggle> <sb-button path="/talk"></sb-button>
<sb-button path="/bang"></sb-button> <sb-select path="/scene"></sb-select> <sb-text path="/caption"></sb-text>
<sb-number path="/tempo"></sb-number> <sb-color path="/light"></sb-color> <sb-meter path="/meter"></sb-meter>
<sb-fader path="/cutoff" orientation="horizontal"></sb-fader> <sb-fader path="/jump"></sb-fader>
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = Path(tmp_path_factory.mktemp("elements"))
    (folder / "mine").mkdir()
    (folder / "mine" / "ten.html").write_text(PAGE)
    (folder / "mine" / "others.html").write_text(OTHERS)
    with Daemon.start(CONFIG, folder) as running:
        yield running


@pytest.fixture(autouse=True)
def defaults(daemon: Daemon) -> None:
    values = {"level": -10, "pan": 0.5, "mute": False, "record": False, "talk": False, "tempo": 120, "scene": "Verse"}
    for path, value in [*values.items(), *((f"f/{n}", 0.5) for n in range(1, 11))]:
        daemon.request("PUT", f"/api/controls/{path}", {"value": value})
    daemon.request("PUT", "/api/controls/space", {"value": [0.5, 0.5]})
    daemon.request("PUT", "/api/controls/light", {"value": "#ff0000"})
    daemon.request("PUT", "/api/controls/caption", {"value": ""})


async def opened(open_page: OpenPage, daemon: Daemon, name: str = "others", **options: Any) -> Page:
    page = await open_page(f"{daemon.url}pages/{name}.html", **(TOUCH | options))
    await page.wait_for_function(
        """() => [...document.querySelectorAll('[path]')].every((element) => element.control
          && (['trigger', 'meter'].includes(element.control.kind) || element.value !== undefined))"""
    )
    await page.evaluate(
        """() => {
          window.heard = [];
          for (const type of ['control-touch', 'control-input', 'control-trigger', 'control-release']) {
            document.addEventListener(type, ({ detail }) => window.heard.push([type, detail.path, detail.value]));
          }
        }"""
    )
    return page


async def middle(page: Page, path: str, selector: str) -> tuple[float, float]:
    return await middle_of(page.locator(f'[path="{path}"] {selector}'))


async def stored(page: Page, daemon: Daemon, path: str, wanted: Callable[[Any], bool]) -> Any:
    """The store's value, once it is what is wanted (the page's frame and the wire take a moment)."""
    deadline = time.monotonic() + SOON_S
    while not wanted(value := daemon.value(path)):
        assert time.monotonic() < deadline, f"{path} stays {value}"
        await page.wait_for_timeout(20)
    return value


async def events(page: Page, kind: str) -> list[Any]:
    return [event for event in await page.evaluate("window.heard") if event[0] == f"control-{kind}"]


async def test_ten_fingers_move_ten_faders_by_an_eighth(
    open_page: OpenPage, daemon: Daemon, fingers_on: FingersOn
) -> None:
    page = await opened(open_page, daemon, "ten")
    await page.wait_for_function("document.querySelector('sb-fader').travel > 0")  # laid out
    assert await page.evaluate("document.querySelector('sb-fader').travel") == 400
    fingers = await fingers_on(page)
    points = [await middle(page, f"/f/{n}", ".body") for n in range(1, 11)]
    for finger, (x, y) in enumerate(points):
        await fingers.down(finger, x, y)
    for step in range(1, 11):
        await fingers.move(*((finger, x, y - 5 * step) for finger, (x, y) in enumerate(points)))
    for finger in range(10):
        await fingers.up(finger)
    for n in range(1, 11):
        value = await stored(page, daemon, f"/f/{n}", lambda value: abs(value - 0.625) <= 1 / 400)
        shown = await page.evaluate(f"document.querySelector('[path=\"/f/{n}\"]').value")
        assert shown == pytest.approx(value)
    assert len(await events(page, "touch")) == 10
    assert len(await events(page, "release")) == 10


async def test_a_slow_device_draws_what_the_finger_holds_in_each_frame_and_the_others_in_turn(
    open_page: OpenPage, daemon: Daemon, fingers_on: FingersOn
) -> None:
    page = await opened(open_page, daemon, "ten")
    fingers = await fingers_on(page)
    await fingers.down(0, *await middle(page, "/f/1", ".body"))
    await page.wait_for_function("document.querySelector('sb-fader').isMine")
    drawn = await page.evaluate(
        """async () => {
          window.faders = [...document.querySelectorAll('sb-fader')];
          window.drawn = faders.map(() => 0);
          faders.forEach((fader, i) => {
            const draw = fader.drawNow;
            fader.drawNow = (time) => { drawn[i] += 1; draw.call(fader, time); };
          });
          for (let n = 0; n < 12; n += 1) {
            faders.forEach((fader) => { fader.value = n / 12; });
            await new Promise(requestAnimationFrame);
            for (const began = performance.now(); performance.now() - began < 60;);
          }
          return drawn;
        }"""
    )
    held, *others = drawn
    assert held == 12
    assert 3 <= min(others) <= max(others) < 9, others
    await fingers.up(0)
    await page.wait_for_function(
        """() => faders.map((fader) => fader.shadowRoot.querySelector('.carrier').style.transform)
          .every((place, _, places) => place === places[0])"""
    )


async def test_a_tap_sends_nothing(open_page: OpenPage, daemon: Daemon, fingers_on: FingersOn) -> None:
    page = await opened(open_page, daemon)
    fingers = await fingers_on(page)
    for path in ("/level", "/pan", "/space"):
        x, y = await middle(page, path, ".body")
        await fingers.down(0, x, y)
        await fingers.move((0, x + 2, y + 1))
        await fingers.up(0)
    assert await events(page, "input") == []
    assert len(await events(page, "release")) == 3


async def test_a_second_finger_makes_it_an_eighth_and_nothing_jumps(
    open_page: OpenPage, daemon: Daemon, fingers_on: FingersOn
) -> None:
    page = await opened(open_page, daemon, "ten")
    fingers = await fingers_on(page)
    x, y = await middle(page, "/f/3", ".body")
    await fingers.down(0, x, y)
    await fingers.down(1, x + 10, y + 120)
    for step in range(1, 9):
        await fingers.move((0, x, y - 10 * step))
    await stored(page, daemon, "/f/3", lambda value: abs(value - (0.5 + 80 / 400 / 8)) <= 1 / 400)
    await fingers.up(1)
    await fingers.move((0, x, y - 100))
    await stored(page, daemon, "/f/3", lambda value: abs(value - (0.5 + 80 / 400 / 8 + 20 / 400)) <= 1 / 400)
    await fingers.up(0)


async def test_shift_makes_the_mouse_fine(open_page: OpenPage, daemon: Daemon) -> None:
    page = await opened(open_page, daemon, "ten")
    x, y = await middle(page, "/f/4", ".body")
    await page.mouse.move(x, y)
    await page.keyboard.down("Shift")
    await page.mouse.down()
    await page.mouse.move(x, y - 80, steps=16)
    await page.mouse.up()
    await page.keyboard.up("Shift")
    await stored(page, daemon, "/f/4", lambda value: abs(value - (0.5 + 80 / 400 / 8)) <= 1 / 400)


async def test_what_the_system_takes_is_let_go(open_page: OpenPage, daemon: Daemon, fingers_on: FingersOn) -> None:
    page = await opened(open_page, daemon)
    fingers = await fingers_on(page)
    x, y = await middle(page, "/talk", ".face")
    await fingers.down(0, x, y)
    await stored(page, daemon, "/talk", lambda value: value is True)
    await fingers.cancel()
    await stored(page, daemon, "/talk", lambda value: value is False)
    assert len(await events(page, "release")) == 1


async def test_a_fader_that_is_not_relative_jumps_to_the_finger(
    open_page: OpenPage, daemon: Daemon, fingers_on: FingersOn
) -> None:
    page = await opened(open_page, daemon)
    fingers = await fingers_on(page)
    x, y = await middle(page, "/jump", ".body")
    await fingers.down(0, x, y)
    await stored(page, daemon, "/jump", lambda value: abs(value - 0.5) < 0.01)
    travel = await page.evaluate("document.querySelector('[path=\"/jump\"]').travel")
    await fingers.move((0, x, y - travel / 4))
    await stored(page, daemon, "/jump", lambda value: abs(value - 0.75) < 0.01)
    await fingers.up(0)


async def test_a_momentary_is_on_while_the_finger_is_down(
    open_page: OpenPage, daemon: Daemon, fingers_on: FingersOn
) -> None:
    page = await opened(open_page, daemon)
    fingers = await fingers_on(page)
    x, y = await middle(page, "/talk", ".face")
    await fingers.down(0, x, y)
    await stored(page, daemon, "/talk", lambda value: value is True)
    await fingers.up(0)
    await stored(page, daemon, "/talk", lambda value: value is False)


async def test_a_toggle_acts_on_the_way_down_and_once(
    open_page: OpenPage, daemon: Daemon, fingers_on: FingersOn
) -> None:
    page = await opened(open_page, daemon)
    fingers = await fingers_on(page)
    x, y = await middle(page, "/mute", ".face")
    await fingers.down(0, x, y)
    await stored(page, daemon, "/mute", lambda value: value is True)
    await fingers.up(0)
    await page.get_by_role("switch", name="mute").press("Space")
    await stored(page, daemon, "/mute", lambda value: value is False)
    assert len(await events(page, "input")) == 2


async def test_a_guarded_toggle_needs_half_a_second(open_page: OpenPage, daemon: Daemon, fingers_on: FingersOn) -> None:
    page = await opened(open_page, daemon)
    fingers = await fingers_on(page)
    x, y = await middle(page, "/record", ".face")
    while await fingers.press_ms(page, x, y, 150) >= 500:  # then it may have been long enough
        daemon.request("PUT", "/api/controls/record", {"value": False})
        await page.evaluate("window.heard = []")
    await page.wait_for_timeout(600)  # what must not happen needs its time not to
    assert await events(page, "input") == []
    await fingers.down(0, x, y)
    await stored(page, daemon, "/record", lambda value: value is True)
    await fingers.up(0)


async def test_a_double_tap_centres_a_bipolar_knob_and_leaves_a_fader_alone(
    open_page: OpenPage, daemon: Daemon, fingers_on: FingersOn
) -> None:
    page = await opened(open_page, daemon)
    fingers = await fingers_on(page)
    daemon.request("PUT", "/api/controls/pan", {"value": -0.75})
    await page.wait_for_function("document.querySelector('[path=\"/pan\"]').value === -0.75")
    for path in ("/pan", "/level"):
        x, y = await middle(page, path, ".body")
        await fingers.double_tap(x, y)
    assert [event[1:] for event in await events(page, "input")] == [["/pan", 0.5]]  # its default
    await stored(page, daemon, "/pan", lambda value: value == 0.5)


async def test_a_plane_follows_the_finger_and_a_second_one_locks_an_axis(
    open_page: OpenPage, daemon: Daemon, fingers_on: FingersOn
) -> None:
    page = await opened(open_page, daemon)
    fingers = await fingers_on(page)
    x, y = await middle(page, "/space", ".body")
    await fingers.down(0, x, y)
    await fingers.move((0, x + 10, y - 2))
    await fingers.move((0, x + 20, y - 4))
    await fingers.down(1, x - 60, y + 60)
    await fingers.move((0, x + 60, y - 50))
    width = await page.evaluate("document.querySelector('sb-xy').bodySize.width - 40")
    value = await stored(page, daemon, "/space", lambda value: value[0] > 0.7)
    assert value[0] == pytest.approx(0.5 + 60 / width, abs=2 / width)
    assert value[1] == pytest.approx(0.5, abs=6 / width)
    await fingers.up(1)
    await fingers.up(0)


async def test_a_drag_goes_on_from_where_keys_have_moved_the_fader_and_where_another_screen_has_put_the_finger(
    open_page: OpenPage, daemon: Daemon, fingers_on: FingersOn
) -> None:
    page = await opened(open_page, daemon, "ten")
    fingers = await fingers_on(page)
    x, y = await middle(page, "/f/5", ".body")
    await fingers.down(0, x, y)
    await fingers.move((0, x, y - 40))
    await page.locator('[path="/f/5"] [role="slider"]').press("PageUp")
    await stored(page, daemon, "/f/5", lambda value: abs(value - 0.7) <= 1 / 400)
    await fingers.move((0, x, y - 44))
    await stored(page, daemon, "/f/5", lambda value: abs(value - 0.71) <= 1 / 400)
    await page.set_viewport_size({"width": 718, "height": 1180})
    await fingers.move((0, x, y + 300))
    await fingers.move((0, x, y + 296))
    await stored(page, daemon, "/f/5", lambda value: abs(value - 0.72) <= 1 / 400)
    await fingers.up(0)


async def test_a_plane_goes_on_from_there_too(open_page: OpenPage, daemon: Daemon, fingers_on: FingersOn) -> None:
    page = await opened(open_page, daemon)
    fingers = await fingers_on(page)
    x, y = await middle(page, "/space", ".body")
    await fingers.down(0, x, y)
    await fingers.move((0, x + 20, y - 20))
    width, height = await page.evaluate("Object.values(document.querySelector('sb-xy').bodySize).map((px) => px - 40)")
    await page.get_by_role("slider", name="space Y").press("Home")
    await stored(page, daemon, "/space", lambda value: value[1] == 0)
    await fingers.move((0, x + 20, y - 40))
    await stored(page, daemon, "/space", lambda value: value[1] == pytest.approx(20 / height, abs=2 / height))
    await page.set_viewport_size({"width": 718, "height": 1180})
    await fingers.move((0, x + 200, y + 200))
    await fingers.move((0, x + 210, y + 200))
    value = await stored(page, daemon, "/space", lambda value: value[0] > 0.5 + 25 / width)
    assert value == pytest.approx([0.5 + 30 / width, 20 / height], abs=2 / width)
    await fingers.up(0)


async def test_keys_move_and_say_so_to_a_screen_reader(open_page: OpenPage, daemon: Daemon) -> None:
    page = await opened(open_page, daemon)
    slider = page.get_by_role("slider", name="Level")
    await expect(slider).to_have_attribute("aria-orientation", "vertical")
    await expect(slider).to_have_attribute("aria-valuetext", "−10.0 dB")
    assert await slider.get_attribute("aria-valuemin") == "-90"
    assert await slider.get_attribute("aria-valuemax") == "10"
    await slider.press("ArrowUp")
    await stored(page, daemon, "/level", lambda value: abs(value - -9.6) < 1e-6)  # a hundredth of the travel
    await slider.press("Shift+ArrowUp")
    await stored(page, daemon, "/level", lambda value: abs(value - -9.55) < 1e-6)
    await slider.press("PageDown")
    await stored(page, daemon, "/level", lambda value: value < -13)
    await slider.press("Home")
    await stored(page, daemon, "/level", lambda value: value == -90)
    await expect(slider).to_have_attribute("aria-valuetext", "−∞ dB")
    await slider.press("End")
    await stored(page, daemon, "/level", lambda value: value == 10)
    assert await page.get_by_role("slider", name="cutoff").get_attribute("aria-orientation") == "horizontal"
    assert await page.get_by_role("slider", name="space X").count() == 1
    assert await page.get_by_role("spinbutton", name="tempo").count() == 1
    assert await page.get_by_role("radio", name="Chorus").count() == 1
    assert await page.get_by_role("meter", name="meter").count() == 1


async def test_a_value_can_be_typed_with_fingers_or_keys(open_page: OpenPage, daemon: Daemon) -> None:
    page = await opened(open_page, daemon)
    await page.get_by_role("button", name="Level −10.0 dB: type a value").click()
    dialog = page.get_by_role("dialog", name="Level: type a value")
    for key in ("4", ".", "5", "change sign"):
        await dialog.get_by_role("button", name=key, exact=True).click()
    await dialog.get_by_role("button", name="Enter").click()
    await stored(page, daemon, "/level", lambda value: value == -4.5)
    await page.get_by_role("slider", name="cutoff").press("Enter")
    box = page.get_by_role("dialog").get_by_role("textbox")
    await box.fill("loud")
    await box.press("Enter")
    assert await page.get_by_role("dialog").count() == 1  # not a number: it stays
    await box.fill("1,2 kHz")
    await box.press("Enter")
    await stored(page, daemon, "/cutoff", lambda value: value == 1200)
    assert await page.get_by_role("dialog").count() == 0


async def test_choices_texts_numbers_colours_and_triggers_reach_the_bridge(open_page: OpenPage, daemon: Daemon) -> None:
    page = await opened(open_page, daemon)
    await page.get_by_role("radio", name="Outro").click()
    await stored(page, daemon, "/scene", lambda value: value == "Outro")
    await page.locator('[path="/caption"] input').fill("Good evening")
    await stored(page, daemon, "/caption", lambda value: value == "Good evening")
    await page.get_by_role("button", name="tempo more").click()
    await stored(page, daemon, "/tempo", lambda value: value == 120.1)
    x, y = await middle(page, "/light", ".light")
    await page.mouse.click(x, y)
    await stored(page, daemon, "/light", lambda value: value not in ("#ff0000", "#000000"))
    await page.get_by_role("button", name="bang").click()
    assert len(await events(page, "trigger")) == 1


async def test_a_value_from_outside_is_shown_and_is_nobodys_input(open_page: OpenPage, daemon: Daemon) -> None:
    page = await opened(open_page, daemon)
    await page.evaluate(
        """() => {
          window.values = [];
          document.addEventListener('control-value', ({ detail }) => window.values.push([detail.path, detail.value]));
          for (const type of ['input', 'change']) document.addEventListener(type, () => window.values.push(type));
        }"""
    )
    daemon.request("PUT", "/api/controls/level", {"value": 3})
    await page.wait_for_function("window.values.some(([path, value]) => path === '/level' && value === 3)")
    assert not {"input", "change"} & set(map(str, await page.evaluate("window.values")))
    assert await events(page, "input") == []


async def test_an_element_taken_out_lets_go(open_page: OpenPage, daemon: Daemon, fingers_on: FingersOn) -> None:
    page = await opened(open_page, daemon)
    fingers = await fingers_on(page)
    x, y = await middle(page, "/talk", ".face")
    await fingers.down(0, x, y)
    await stored(page, daemon, "/talk", lambda value: value is True)
    await page.evaluate("document.querySelector('[path=\"/talk\"]').remove()")
    await stored(page, daemon, "/talk", lambda value: value is False)
