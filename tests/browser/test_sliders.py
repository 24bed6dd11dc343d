"""People's own pages, end to end: real Chromium, the real daemon, OSC on a real socket."""

import asyncio
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from playwright.async_api import Page, WebSocket, expect
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from tests.browser.places import box_of, middle_of
from tests.daemon import ROOT, Daemon
from tests.peers import free_tcp_port, free_udp_port
from tests.proxy import Proxy
from tests.waiting import SOON_S

HEAD = (
    '<!doctype html><meta charset="utf-8"><title>t</title><link rel="icon" href="data:,">'
    '<script type="module" src="/stagebridge.js"></script>'
)
PAGES = {
    "all.html": """
        <input class="sync" id="check" type="checkbox">
        <input class="sync" id="r1" type="radio" name="mode" value="calm" checked>
        <input class="sync" id="r2" type="radio" name="mode" value="wild">
        <select class="sync" id="pick"><option>one<option>two<option>three</select>
        <textarea class="sync" id="notes"></textarea>
        <input class="sync" id="bpm" type="number" min="20" max="300" step="0.1" value="120">
        <input class="sync" id="light" type="color" value="#102030">
        <input class="sync" id="words" type="text" maxlength="40">
        <form><input class="sync" id="amount" type="range" max="50" value="5">
        <button type="reset">reset</button></form>""",
    "bound.html": """
        <input class="sync" data-path="/mixer/1/volume" type="range" min="0" max="50">
        <input class="sync" data-path="/mixer/1/volume" id="num" type="number">
        <select class="sync" data-path="/scene"></select>
        <input class="sync" data-path="/shown" id="shown" type="range">
        <input class="strange" data-path="/title" id="title-slider" type="range" value="70">
        <input class="strange" data-path="/title" id="title-number" type="number">
        <input class="strange" data-path="/title" id="title-text">
        <sb-fader path="/mixer/1/volume" style="display: block; width: 100px; height: 400px"></sb-fader>
        <div style="height: 5000px"></div>
        <sb-meter path="/level" style="display: block; width: 40px; height: 100px"></sb-meter>""",
    "buttons.html": """
        <form action="/elsewhere"><button class="sync" id="bang"><b>Bang</b></button></form>
        <button class="sync" data-path="/go" id="go">Go</button>
        <button class="strange" data-path="/title" id="title">Title</button>
        <p>beside</p>
        <script>
            window.fired = [];
            addEventListener("control-trigger", ({ detail }) => window.fired.push([detail.path, detail.args]));
        </script>""",
    "restored.html": """
        <form autocomplete="on">
        <input id="plain" type="text">
        <input class="sync" id="kept" type="text" autocomplete="on" value="author">
        <input class="sync" id="gain" type="range" autocomplete="on" max="50" value="25">
        <input class="sync" id="mute" type="checkbox" autocomplete="on"></form>""",
}
CONTROLS = """
[[control]]
path = "/mixer/1/volume"
range = [-60, 10]
step = 0.5

[[control]]
path = "/scene"
choices = ["intro", "verse", "end"]

[[control]]
path = "/title"
kind = "string"
default = "Act one"

[[control]]
path = "/shown"
access = "read"

[[control]]
path = "/level"
kind = "meter"

[[control]]
path = "/go"
kind = "trigger"
"""


class OscEnd:
    """A program at the other end of OSC: one UDP socket."""

    def __init__(self, bridge_port: int) -> None:
        self._bridge = ("127.0.0.1", bridge_port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(5)

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.close()

    def send(self, address: str, *args: Any) -> None:
        builder = OscMessageBuilder(address)
        for arg in args:
            builder.add_arg(arg)
        self._socket.sendto(builder.build().dgram, self._bridge)

    def receive_until(self, address: str, value: Any) -> list[Any]:
        """Values that arrive at this address, up to and with this one."""
        values: list[Any] = []
        while True:
            message = OscMessage(self._socket.recv(65536))
            if message.address == address:
                values.append(message.params[0])
                if values[-1] == value:
                    return values


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Daemon, OscEnd]]:
    """A daemon with our pages and the example's, and a program that it talks OSC with."""
    folder = tmp_path_factory.mktemp("stage")
    listen = free_udp_port()
    with OscEnd(listen) as osc, Daemon.start(config_text(folder, osc, listen), folder) as daemon:
        yield daemon, osc


def config_text(folder: Path, osc: OscEnd, listen: int) -> str:
    pages = folder / "pages"
    pages.mkdir()
    for name, body in PAGES.items():
        (pages / name).write_text(HEAD + body, encoding="utf-8")
    example = (ROOT / "pages" / "sliders.html").read_text(encoding="utf-8")
    (pages / "sliders.html").write_text(example, encoding="utf-8")
    return (
        '[http]\npages = "pages"\n[auth]\nmode = "open"\n'
        f'[[osc]]\nname = "max"\nlisten = "127.0.0.1:{listen}"\nsend = ["127.0.0.1:{osc.port}"]\n{CONTROLS}'
    )


@pytest.fixture
def opened(stage, open_page):
    """``page = await opened("all.html")``: online, every input has its control."""

    async def make(name: str, **options: Any) -> Page:
        page = await open_page(f"{stage[0].url}pages/{name}", **options)
        await online(page)
        return page

    return make


async def online(page: Page) -> None:
    await expect(page.locator(".sync:not([data-sync='online'])")).to_have_count(0)


async def truth(daemon: Daemon, path: str, value: Any) -> None:
    """The server has this value now, or within the waiting time."""
    deadline = time.monotonic() + SOON_S
    while (found := await asyncio.to_thread(daemon.value, path)) != value:
        assert time.monotonic() < deadline, f"{path} is {found!r}, not {value!r}"
        await asyncio.sleep(0.02)


async def put(daemon: Daemon, path: str, value: Any) -> None:
    status, answer = await asyncio.to_thread(daemon.request, "PUT", f"/api/controls{path}", {"value": value})
    assert status == 200, answer


async def place_of(page: Page, selector: str, share: float) -> tuple[float, float]:
    """A point on a horizontal slider, by share of its width."""
    box = await box_of(page.locator(selector))
    return box["x"] + box["width"] * share, box["y"] + box["height"] / 2


async def test_a_drag_moves_the_other_page_while_it_lasts_and_arrives_as_osc_in_order(stage, opened):
    daemon, osc = stage
    here, there = await opened("sliders.html"), await opened("sliders.html")
    await here.mouse.move(*await place_of(here, "#slider1", 0.5))
    await here.mouse.down()
    for step in range(1, 21):
        await here.mouse.move(*await place_of(here, "#slider1", 0.5 + step * 0.02))
    dragged = await here.input_value("#slider1")
    assert 43 <= int(dragged) <= 47
    await expect(there.locator("#slider1")).to_have_value(dragged)
    device = re.compile(r"^(?!c\d)\w")  # "Linux": whom to shout at, not the connection's number
    await expect(there.locator("#slider1")).to_have_attribute("data-held-by", device)
    await expect(here.locator("#slider1")).not_to_have_attribute("data-held-by", re.compile("."))
    await here.mouse.up()
    await expect(there.locator("#slider1")).not_to_have_attribute("data-held-by", re.compile("."))
    await truth(daemon, "/slider1", int(dragged))
    values = await asyncio.to_thread(osc.receive_until, "/slider1", int(dragged))
    assert values == sorted(values)
    assert len(values) > 5
    assert await here.input_value("#slider1") == await there.input_value("#slider1") == dragged


async def test_a_finger_drags_too(opened, fingers_on):
    here, there = await opened("sliders.html", has_touch=True), await opened("sliders.html")
    fingers = await fingers_on(here)
    await fingers.down(1, *await place_of(here, "#slider2", 0.2))
    for step in range(1, 11):
        await fingers.move((1, *await place_of(here, "#slider2", 0.2 + step * 0.05)))
    dragged = await here.input_value("#slider2")
    assert 30 <= int(dragged) <= 40
    await expect(there.locator("#slider2")).to_have_value(dragged)
    await fingers.up(1)
    await expect(there.locator("#slider2")).not_to_have_attribute("data-held-by", re.compile("."))


async def test_osc_moves_every_page_and_a_later_page_shows_it(stage, opened):
    _, osc = stage
    pages = [await opened("sliders.html"), await opened("sliders.html")]
    osc.send("/slider1", 41)
    osc.send("/slider2", 12.0)
    osc.send("/txt1", "go on")
    for _ in range(2):
        for page in pages:
            await expect(page.locator("#slider1")).to_have_value("41")
            await expect(page.locator("#slider2")).to_have_value("12")
            await expect(page.locator("#txt1")).to_have_value("go on")
        pages.append(await opened("sliders.html"))


async def test_a_button_fires_once_for_each_press_however_it_is_pressed(stage, opened, fingers_on):
    _, osc = stage
    here, there = await opened("buttons.html", has_touch=True), await opened("buttons.html")
    fired = 0

    async def is_fired(path: str, args: list[object]) -> None:
        nonlocal fired
        fired += 1
        for page in (here, there):
            await page.wait_for_function("(count) => window.fired.length >= count", arg=fired)
            assert (await page.evaluate("window.fired"))[fired - 1 :] == [[path, args]], "once"

    button = here.locator("#bang b")  # what is in a button is the button
    await button.click()
    await is_fired("/bang", [])
    assert (await asyncio.to_thread(osc.receive_until, "/bang", 1))[-1] == 1
    fingers = await fingers_on(here)
    await fingers.down(1, *await middle_of(button))
    await is_fired("/bang", [])  # on the way down
    await fingers.up(1)
    await here.locator("#go").focus()
    for _ in range(3):
        await here.keyboard.down("Enter")  # held: what follows the first is its repetition
        await asyncio.sleep(0.04)
    await here.keyboard.up("Enter")
    await is_fired("/go", [])
    await here.mouse.move(*await middle_of(button))
    await here.mouse.down()
    await is_fired("/bang", [])
    await here.mouse.move(*await middle_of(here.locator("p")))  # it goes up beside the button: no click follows
    await here.mouse.up()
    osc.send("/go", "now", 2)
    await is_fired("/go", ["now", 2])
    assert here.url.endswith("/pages/buttons.html"), "it sends no form"
    await expect(here.locator("[data-fired]")).to_have_count(0)


async def test_a_button_for_what_is_no_trigger_says_so_and_is_locked(opened):
    page = await opened("buttons.html")
    await page.locator("#title").evaluate("(node) => node.classList.add('sync')")
    await expect(page.locator("#title")).to_have_attribute("data-sync", "mismatch")
    await expect(page.locator("#title")).to_be_disabled()
    assert any("/title: a string cannot be shown by this element" in line for line in page.console_lines)


async def test_typed_text_goes_everywhere(stage, opened):
    daemon, osc = stage
    here, there = await opened("sliders.html"), await opened("sliders.html")
    await put(daemon, "/txt1", "")
    await here.locator("#txt1").press_sequentially("Grüße 8")
    await expect(there.locator("#txt1")).to_have_value("Grüße 8")
    await truth(daemon, "/txt1", "Grüße 8")
    assert (await asyncio.to_thread(osc.receive_until, "/txt1", "Grüße 8"))[-1] == "Grüße 8"


async def test_nothing_moves_under_a_finger_and_after_it_the_truth_is_shown(stage, opened):
    _, osc = stage
    here, there = await opened("sliders.html"), await opened("sliders.html")
    await here.mouse.move(*await place_of(here, "#slider1", 0.8))
    await here.mouse.down()
    held = await here.input_value("#slider1")
    await expect(there.locator("#slider1")).to_have_value(held)
    osc.send("/slider1", 7)
    await expect(there.locator("#slider1")).to_have_value("7")
    assert await here.input_value("#slider1") == held
    await here.mouse.up()
    await expect(here.locator("#slider1")).to_have_value("7")


async def test_typing_holds_the_text_until_enter_or_a_pause_and_focus_alone_does_not(stage, opened):
    daemon, _ = stage
    page = await opened("all.html")
    words = page.locator("#words")
    await words.focus()
    await put(daemon, "/words", "outside")
    await expect(words).to_have_value("outside")
    await words.press("End")
    await words.evaluate(
        """node => {
            let typed = 0;
            window.shown = [];
            node.addEventListener("input", () => { typed = performance.now(); });
            node.addEventListener("control-value", ({ detail }) => {
                window.shown.push([detail.value, performance.now() - typed]);
            });
        }"""
    )
    await words.press_sequentially("!")
    await truth(daemon, "/words", "outside!")
    await put(daemon, "/words", "again")
    await page.wait_for_timeout(300)  # nothing may come in this time, nor in the whole second of rest
    assert [shown for shown in await page.evaluate("window.shown") if shown[1] < 990] == []
    await words.press("Enter")
    await expect(words).to_have_value("again")
    await words.press_sequentially("?")
    await put(daemon, "/words", "third")
    await expect(words).to_have_value("third")  # after a second of rest


async def test_a_text_field_keeps_its_caret_when_others_type(opened):
    here, there = await opened("all.html"), await opened("all.html")
    await here.locator("#words").fill("hello world")
    await expect(there.locator("#words")).to_have_value("hello world")
    await there.locator("#words").focus()
    await there.evaluate("document.querySelector('#words').setSelectionRange(6, 11)")
    await here.locator("#words").fill("hello brave world")
    await expect(there.locator("#words")).to_have_value("hello brave world")
    caret = await there.evaluate(
        "(({selectionStart, selectionEnd}) => [selectionStart, selectionEnd])(document.querySelector('#words'))"
    )
    assert caret == [12, 17]


async def test_half_composed_characters_are_not_sent(stage, opened):
    daemon, _ = stage
    here, there = await opened("all.html"), await opened("all.html")
    await put(daemon, "/words", "")
    await expect(here.locator("#words")).to_have_value("")
    await there.evaluate("() => { window.heard = []; stagebridge.on('/words', (value) => heard.push(value)); }")
    await here.locator("#words").focus()
    cdp = await here.context.new_cdp_session(here)
    for part in ("n", "ni", "nih"):
        await cdp.send(
            "Input.imeSetComposition", {"text": part, "selectionStart": len(part), "selectionEnd": len(part)}
        )
    assert await here.input_value("#words") == "nih"
    await put(daemon, "/words", "meanwhile")  # and nothing from outside disturbs the composition
    await expect(there.locator("#words")).to_have_value("meanwhile")
    assert await here.input_value("#words") == "nih"
    await cdp.send("Input.insertText", {"text": "日本"})
    await expect(there.locator("#words")).to_have_value("日本")
    assert await there.evaluate("heard") == ["", "meanwhile", "日本"]


async def test_every_kind_of_input_follows(stage, opened):
    daemon, osc = stage
    here, there = await opened("all.html"), await opened("all.html")
    await here.check("#check")
    await here.check("#r2")
    await here.select_option("#pick", "three")
    await here.fill("#notes", "two\nlines")
    await here.fill("#bpm", "98.5")
    await here.fill("#light", "#ff8800")
    await expect(there.locator("#check")).to_be_checked()
    await expect(there.locator("#r2")).to_be_checked()
    await expect(there.locator("#pick")).to_have_value("three")
    await expect(there.locator("#notes")).to_have_value("two\nlines")
    await expect(there.locator("#bpm")).to_have_value("98.5")
    await expect(there.locator("#light")).to_have_value("#ff8800")
    for path, value in {"/check": True, "/mode": "wild", "/pick": "three", "/bpm": 98.5, "/light": "#ff8800"}.items():
        await truth(daemon, path, value)
    osc.send("/check", 0)
    osc.send("/mode", "calm")
    osc.send("/pick", 1)
    osc.send("/bpm", 500.0)
    for page in (here, there):
        await expect(page.locator("#check")).not_to_be_checked()
        await expect(page.locator("#r1")).to_be_checked()
        await expect(page.locator("#pick")).to_have_value("two")
        await expect(page.locator("#bpm")).to_have_value("300")


async def test_a_number_out_of_range_shows_the_truth_when_typing_ends(opened):
    page = await opened("all.html")
    await page.locator("#bpm").fill("999")
    await page.locator("#bpm").press("Enter")
    await expect(page.locator("#bpm")).to_have_value("300")


async def test_a_reset_button_is_a_hand_on_every_input_of_its_form(stage, opened):
    daemon, _ = stage
    await put(daemon, "/amount", 40)
    page = await opened("all.html")
    await expect(page.locator("#amount")).to_have_value("40")
    await page.click("button[type=reset]")
    await truth(daemon, "/amount", 5)


async def test_a_value_from_outside_is_a_control_value_event_and_never_input_or_change(stage, opened):
    daemon, _ = stage
    page = await opened("all.html")
    await page.evaluate("""() => {
        window.events = [];
        for (const type of ["control-value", "input", "change"]) {
            document.addEventListener(type, (event) => events.push([type, event.target.id, event.detail?.value]));
        }
    }""")
    await put(daemon, "/amount", 33)
    await put(daemon, "/pick", "one")
    await put(daemon, "/words", "from REST")
    await expect(page.locator("#words")).to_have_value("from REST")
    found = await page.evaluate("events")
    assert found == [
        ["control-value", "amount", 33],
        ["control-value", "pick", "one"],
        ["control-value", "words", "from REST"],
    ]


async def test_what_a_browser_restored_is_never_sent(stage, opened):
    daemon, _ = stage
    page = await opened("restored.html")
    await put(daemon, "/kept", "truth")
    await expect(page.locator("#kept")).to_have_value("truth")
    await page.evaluate("""() => {
        for (const id of ["plain", "kept"]) document.getElementById(id).value = "old visit";
        document.getElementById("gain").value = 49;
        document.getElementById("mute").checked = true;
    }""")
    revision = (await asyncio.to_thread(daemon.request, "GET", "/healthz"))[1]["rev"]
    await page.goto("about:blank")
    await page.go_back()
    await online(page)
    await expect(page.locator("#plain")).to_have_value("old visit")  # so it does restore
    await expect(page.locator("#kept")).to_have_value("truth")
    await expect(page.locator("#gain")).to_have_value("25")
    await expect(page.locator("#mute")).not_to_be_checked()
    assert (await asyncio.to_thread(daemon.request, "GET", "/healthz"))[1]["rev"] == revision


async def test_a_control_that_exists_sets_the_limits_of_elements_and_fills_a_select(stage, opened):
    daemon, _ = stage
    page = await opened("bound.html")
    slider = page.locator("input[type=range][data-path='/mixer/1/volume']")
    limits = await slider.evaluate("(node) => [node.min, node.max, node.step]")
    assert limits == ["-60", "10", "0.5"]
    assert await page.locator("#num").evaluate("(node) => [node.min, node.max, node.step]") == limits
    assert await page.locator("select").evaluate("(node) => [...node.options].map((o) => o.value)") == [
        "intro",
        "verse",
        "end",
    ]
    await expect(page.locator("#shown")).to_be_disabled()
    await put(daemon, "/mixer/1/volume", -12.5)
    await expect(slider).to_have_value("-12.5")
    await expect(page.locator("#num")).to_have_value("-12.5")
    said = [line for line in page.console_lines if "/mixer/1/volume" in line]
    assert said == ["warning: stagebridge: /mixer/1/volume: the page says min 0, the config -60"]


async def test_an_element_that_cannot_show_its_control_is_locked_and_says_so(stage, opened):
    daemon, _ = stage
    page = await opened("bound.html")
    await page.evaluate("document.querySelectorAll('.strange').forEach((node) => node.classList.add('sync'))")
    await expect(page.locator("#title-text")).to_have_value("Act one")
    await expect(page.locator("#title-slider")).to_have_attribute("data-sync", "mismatch")
    await expect(page.locator("#title-slider")).to_be_disabled()
    await expect(page.locator("#title-number")).to_have_attribute("data-sync", "mismatch")
    await expect(page.locator("#title-number")).to_have_js_property("readOnly", True)
    await expect(page.locator("#title-text")).to_have_attribute("data-sync", "online")
    assert [line for line in page.console_lines if "/title" in line] == [
        "warning: stagebridge: /title: a string cannot be shown by this element"
    ]
    assert daemon.value("/title") == "Act one"


async def test_our_own_elements_work_on_such_a_page(stage, opened):
    daemon, _ = stage
    page = await opened("bound.html")
    await put(daemon, "/mixer/1/volume", -1)  # as no fader stands before it has its control
    fader = page.locator("sb-fader")
    await page.wait_for_function("document.querySelector('sb-fader').value === -1")
    x, y = await middle_of(fader)
    await page.mouse.move(x, y)
    await page.mouse.down()
    for step in range(1, 11):
        await page.mouse.move(x, y + step * 10)
    await page.mouse.up()
    moved = await page.evaluate("document.querySelector('sb-fader').value")
    assert moved < -5
    await expect(page.locator("#num")).to_have_value(f"{moved:g}")
    await truth(daemon, "/mixer/1/volume", moved)


async def test_only_meters_in_view_are_sent(stage, opened):
    _, osc = stage
    page = await opened("bound.html")
    frames: list[str] = []

    def listen(opened_socket: WebSocket) -> None:
        opened_socket.on("framereceived", lambda frame: frames.append(str(frame)))

    page.on("websocket", listen)
    await page.reload()
    await online(page)
    osc.send("/level", -20.0)
    osc.send("/mixer/1/volume", 3)
    await expect(page.locator("#num")).to_have_value("3")
    assert not any("meters" in frame for frame in frames)
    await page.locator("sb-meter").scroll_into_view_if_needed()
    level, deadline = -30.0, time.monotonic() + SOON_S
    while not any("meters" in frame for frame in frames):  # until the bridge knows that it is looked at
        assert time.monotonic() < deadline
        osc.send("/level", level := -30.0 if level < -40 else level - 0.1)
        await page.wait_for_timeout(20)
    await page.wait_for_function("document.querySelector('sb-meter').value <= -30")


async def test_an_input_that_is_added_later_makes_its_control_once_and_the_first_page_has_it(stage, opened):
    daemon, _ = stage
    add = """(max) => {
        const node = document.createElement("input");
        Object.assign(node, { id: "late", type: "range", className: "sync", max });
        node.setAttribute("value", 3);
        document.body.append(node);
    }"""
    first, second = await opened("all.html"), await opened("all.html")
    await first.evaluate(add, 10)
    await online(first)
    await expect(first.locator("#late")).to_have_value("3")
    await second.evaluate(add, 99)
    await online(second)
    assert await second.locator("#late").evaluate("(node) => node.max") == "10"
    _, control = await asyncio.to_thread(daemon.request, "GET", "/api/controls/late")
    assert (control["kind"], control["range"], control["value"], control["owner"]) == ("int", [0, 10], 3, "page")
    assert [line for line in second.console_lines if "/late" in line] == [
        "warning: stagebridge: /late: the page says max 99, the page 10"
    ]
    await second.locator("#late").fill("9")
    await expect(first.locator("#late")).to_have_value("9")


async def test_an_input_that_loses_its_class_or_its_place_is_left_alone(stage, opened):
    daemon, _ = stage
    page = await opened("all.html")
    await put(daemon, "/amount", 11)
    await expect(page.locator("#amount")).to_have_value("11")
    await page.evaluate("document.querySelector('#amount').classList.remove('sync')")
    await expect(page.locator("#amount[data-sync]")).to_have_count(0)
    await put(daemon, "/amount", 22)
    await put(daemon, "/words", "after")
    await expect(page.locator("#words")).to_have_value("after")
    await expect(page.locator("#amount")).to_have_value("11")


async def test_what_cannot_be_synced_is_named_in_the_console(opened):
    page = await opened("all.html")
    await page.evaluate("document.body.insertAdjacentHTML('beforeend', '<input class=sync type=password id=secret>')")
    await page.wait_for_function("true")
    assert 'warning: stagebridge: /secret: an input of type "password" cannot be synced' in " ".join(page.console_lines)
    assert await page.locator("#secret").get_attribute("data-sync") is None


async def test_the_small_api(stage, opened):
    daemon, osc = stage
    page = await opened("all.html")
    await put(daemon, "/amount", 5)
    await page.wait_for_function("stagebridge.get('/amount') === 5")
    await page.evaluate("""() => {
        window.heard = [];
        window.off = stagebridge.on("/amount", (value, { from }) => heard.push([value, from]));
        stagebridge.on("/go", (args) => heard.push(["go", args]));
        stagebridge.on("state", (state) => heard.push(["state", state]));
    }""")
    assert await page.evaluate("stagebridge.set('/amount', 6)")
    await truth(daemon, "/amount", 6)
    osc.send("/amount", 7)
    await page.wait_for_function("stagebridge.get('/amount') === 7")
    osc.send("/go", "intro", 4)
    await page.wait_for_function("heard.some(([what]) => what === 'go')")
    await page.evaluate("off()")
    assert await page.evaluate("stagebridge.set('/amount', 8) && stagebridge.trigger('/go', 1, 'x')")
    await page.wait_for_function("heard.filter(([what]) => what === 'go').length === 2")
    assert await page.evaluate("heard") == [
        [5, "server"],
        ["state", "online"],
        [6, "mine"],
        [7, "server"],
        ["go", ["intro", 4]],
        ["go", [1, "x"]],
    ]
    assert await page.evaluate("[stagebridge.state, stagebridge.get('/nobody'), stagebridge.set('/nobody', 1)]") == [
        "online",
        None,
        False,
    ]
    assert (
        await page.evaluate(
            "import('/stagebridge.js').then((module) => module.default === stagebridge && module.get('/amount'))"
        )
        == 8
    )


async def test_offline_is_unmistakable_and_nothing_done_then_takes_effect(tmp_path, open_page):
    port, listen = free_tcp_port(), free_udp_port()
    with OscEnd(listen) as osc:
        config = config_text(tmp_path, osc, listen) + '[state]\nfile = ""\n'  # so that the next run has another truth
        with Daemon.start(config, tmp_path, "--port", str(port), stop=False) as daemon:
            page = await open_page(f"{daemon.url}pages/all.html")
            await online(page)
            await page.locator("#words").fill("before")
            await truth(daemon, "/words", "before")
            bar = page.get_by_role("status")
            await expect(bar).to_be_hidden()
            daemon.process.kill()
            await expect(bar).to_have_text(re.compile(r"OFFLINE \d\d:\d\d, reconnecting"))
            await expect(page.locator("#amount")).to_be_disabled()
            await expect(page.locator("#words")).to_have_js_property("readOnly", True)
            assert await page.locator("#amount").get_attribute("data-sync") == "offline"
            for _ in range(20):
                await page.locator("#words").press("x")
                assert not await page.evaluate("stagebridge.set('/amount', 44)")
        with Daemon.start(config, tmp_path, "--port", str(port)) as daemon:
            await online(page)  # it has loaded itself again: its ticket was of the run before
            await expect(bar).to_be_hidden()
            await expect(page.locator("#amount")).to_be_enabled()
            await expect(page.locator("#words")).to_be_editable()
            await expect(page.locator("#words")).to_have_value("")  # the truth of the new run
            assert await asyncio.to_thread(daemon.value, "/amount") == 5
            await page.locator("#words").fill("after")
            await truth(daemon, "/words", "after")


async def test_a_page_without_our_style_sheet_shows_too_who_holds_and_what_is_unconfirmed(stage, opened, open_page):
    async with Proxy.start(stage[0].http_port) as proxy:
        here, there = await open_page(f"http://127.0.0.1:{proxy.port}/pages/all.html"), await opened("all.html")
        await online(here)
        await here.mouse.move(*await place_of(here, "#amount", 0.5))
        await here.mouse.down()
        mine, others = here.locator("#amount"), there.locator("#amount")
        await expect(others).to_have_css("outline-style", "solid")
        await expect(mine).to_have_css("outline-style", "none")
        await there.add_style_tag(content="[data-held-by] { outline: 2px dotted }")  # the author's own word counts
        await expect(others).to_have_css("outline-style", "dotted")
        proxy.cut()
        await here.mouse.move(*await place_of(here, "#amount", 0.7))
        await here.wait_for_function(  # looked at in each frame: it is so for two seconds only
            """() => {
                const amount = document.getElementById('amount');
                return amount.dataset.sync === 'unconfirmed' && getComputedStyle(amount).outlineStyle === 'dashed';
            }"""
        )
        await expect(mine).to_have_attribute("data-sync", "offline")
        proxy.mend()
        await online(here)
        await expect(mine).to_have_css("outline-style", "none")
        await here.mouse.up()


async def test_a_stalled_link_is_offline_after_three_seconds_and_its_moves_are_lost(stage, opened):
    daemon, _ = stage
    await put(daemon, "/amount", 5)
    page = await opened("all.html")
    await expect(page.locator("#amount")).to_have_value("5")
    await page.mouse.move(*await place_of(page, "#amount", 0.5))
    await page.context.set_offline(True)
    await page.mouse.down()
    for step in range(20):
        await page.mouse.move(*await place_of(page, "#amount", 0.5 + step * 0.02))
    await expect(page.get_by_role("status")).to_have_text(re.compile("OFFLINE"))
    await page.mouse.move(*await place_of(page, "#amount", 0.1))
    await page.context.set_offline(False)
    await online(page)
    await page.mouse.move(*await place_of(page, "#amount", 0.2))  # this finger is dead until it lifts
    await page.mouse.up()
    await expect(page.locator("#amount")).to_have_value("5")
    assert await asyncio.to_thread(daemon.value, "/amount") == 5
