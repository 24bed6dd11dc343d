import asyncio
import contextlib
import socket
from pathlib import Path

import aiohttp
import pytest
from pythonosc.osc_message import OscMessage

from bridge.app import KINDS, Bridge
from bridge.config import loading
from bridge.config.settings import Config
from bridge.errors import PortError
from bridge.store import Origin
from tests.peers import free_udp_port
from tests.server import Client
from tests.waiting import SOON_S

HTTP = '[auth]\nmode = "open"\n[http]\nhost = "127.0.0.1"\nport = {port}\npages = "{pages}"\n'
HAND = Origin("browser", "c1", "FOH")


async def parse(text: str, pages: Path, port: int = 0) -> Config:
    return await asyncio.to_thread(loading.parse, HTTP.format(port=port, pages=pages) + text, KINDS)


def osc_table(peer: socket.socket, listen: int) -> str:
    return f'[[osc]]\nname = "max"\nlisten = "127.0.0.1:{listen}"\nsend = ["127.0.0.1:{peer.getsockname()[1]}"]\n'


async def hear(peer: socket.socket) -> tuple[str, list[object]]:
    async with asyncio.timeout(SOON_S):
        message = OscMessage(await asyncio.get_running_loop().sock_recv(peer, 65536))
    return message.address, message.params


async def test_a_browser_and_an_osc_program_share_one_state(pages: Path, peer: socket.socket) -> None:
    listen = free_udp_port()
    text = osc_table(peer, listen) + '[[control]]\npath = "/fader"\n'
    async with (
        Bridge(await parse(text, pages)) as bridge,
        Client.connect(f"ws://127.0.0.1:{bridge.http_port}/ws") as browser,
    ):
        fader = bridge.store.get("/fader")
        await browser.say("set", n=1, values=[[fader.id, 0.5]])
        assert await hear(peer) == ("/fader", [0.5])
        await asyncio.get_running_loop().sock_sendto(peer, b"/fader\0\0,f\0\0\x3e\x80\0\0", ("127.0.0.1", listen))
        await browser.hear_value(fader.id, 0.25)
        assert fader.value == 0.25


async def test_the_inputs_of_own_pages_exist_before_any_browser(pages: Path) -> None:
    (pages / "mine.html").write_text('<input class="sync" id="slider1" type="range" min="0" max="50" value="25">')
    text = '[[control]]\npath = "/taken"\nrange = [0, 10]\n'
    (pages / "other.html").write_text('<input class="sync" id="taken" type="range" min="0" max="99">')
    async with Bridge(await parse(text, pages)) as bridge:
        slider = bridge.store.get("/slider1")
        assert (slider.control.range, slider.value, slider.control.owner) == ((0.0, 50.0), 25.0, "page")
        assert bridge.store.get("/taken").control.range == (0, 10)


async def test_an_edited_page_describes_its_controls_anew(pages: Path) -> None:
    page = pages / "mine.html"
    page.write_text('<input class="sync" id="slider1" type="range" min="0" max="50" value="25">')
    (pages / "later.html").write_text('<input class="sync" id="slider1" type="range" max="9">')
    async with (
        Bridge(await parse('[[control]]\npath = "/fader"\n', pages)) as bridge,
        Client.connect(f"ws://127.0.0.1:{bridge.http_port}/ws") as browser,
        aiohttp.ClientSession(f"http://127.0.0.1:{bridge.http_port}") as http,
    ):
        slider = bridge.store.get("/slider1")
        assert slider.control.range == (0, 9)  # "later.html" is the first by name
        (pages / "later.html").write_text('<input class="sync" id="slider1" type="range" max="90">')
        page.write_text('<input class="sync" id="slider1" type="range" max="70"><input class="sync" id="fader">')
        for name in ("mine.html", "later.html"):
            async with http.get(f"/pages/{name}") as answer:
                assert answer.status == 200
        assert slider.control.range == (0, 90)
        update = await browser.hear_until("update")
        assert update["controls"][0]["range"] == [0, 90]
        assert bridge.store.get("/fader").control.kind == "float"


async def test_what_is_wrong_with_a_page_is_said_once_until_it_is_edited(
    pages: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (pages / "index.html").write_text('<input class="sync" id="none" type="image">')
    page = pages / "mine.html"
    page.write_bytes(b'<input class="sync" id="bad"\r\n type="password"> \xff')
    async with (
        Bridge(await parse("", pages)) as bridge,
        aiohttp.ClientSession(f"http://127.0.0.1:{bridge.http_port}") as http,
    ):
        said = []
        for body in (None, None, b'<input class="sync" id="worse" type="file">'):
            if body is not None:
                page.write_bytes(body)
            async with http.get("/pages/mine.html") as answer:
                assert answer.status == 200
            async with http.get("/pages/") as answer:  # index.html
                assert answer.status == 200
            said.append([message for message in caplog.messages if " cannot be synced" in message])
        first = [
            'index.html: /none: an input of type "image" cannot be synced',
            'mine.html: /bad: an input of type "password" cannot be synced',
        ]
        assert said == [first, first, [*first, 'mine.html: /worse: an input of type "file" cannot be synced']]


async def test_a_taken_http_port_ends_the_start_and_says_who_has_it(pages: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortError, match=rf"HTTP port {port} is taken by .*: choose another with --port {port + 1}"):
            async with Bridge(await parse("", pages, port)):
                pass


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
async def test_a_host_that_is_not_this_machine_ends_the_start_and_says_what_is(pages: Path, host: str) -> None:
    settings = await asyncio.to_thread(loading.parse, f'[http]\nhost = "{host}"\nport = 0', KINDS)
    with pytest.raises(PortError) as caught:
        async with Bridge(settings):
            pass
    own, what_to_do = str(caught.value).removeprefix(f"HTTP: {host} is no address of this machine; ").split("; ")
    assert own.startswith("its own are ")
    assert own.endswith("127.0.0.1")
    assert what_to_do == 'all of them: --host 0.0.0.0, or [http] host = "0.0.0.0"'


async def test_a_busy_osc_port_is_a_state_and_is_tried_again(pages: Path, peer: socket.socket) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        listen = taken.getsockname()[1]
        text = osc_table(peer, listen) + '[[control]]\npath = "/fader"\n'
        async with Bridge(await parse(text, pages)) as bridge:
            state = bridge.store.get("/stagebridge/peers/max")
            assert str(listen) in str(state.value)
            assert bridge.health()["peers"][0]["state"] == "offline"
            taken.close()
            async with asyncio.timeout(SOON_S):
                while "we listen on UDP" not in str(state.value):
                    await asyncio.sleep(0.01)
            bridge.store.set(bridge.store.get("/fader"), 0.5, HAND, bridge.clock())
            assert await hear(peer) == ("/fader", [0.5])


async def test_how_far_each_value_has_come_is_told_of_a_peer(pages: Path, peer: socket.socket) -> None:
    text = osc_table(peer, free_udp_port()) + '[[control]]\npath = "/fader"\n'
    async with Bridge(await parse(text, pages)) as bridge, aiohttp.ClientSession() as client:
        bridge.store.set(bridge.store.get("/fader"), 0.5, HAND, bridge.clock())
        url = f"http://127.0.0.1:{bridge.http_port}/api/peers"
        async with client.get(f"{url}/max") as answer:
            told = await answer.json()
        assert (told["name"], told["state"], told["controls"]) == ("max", "connecting", {"/fader": "sent"})
        async with client.get(f"{url}/mix") as answer:
            assert (answer.status, (await answer.json())["message"]) == (404, "no peer mix: did you mean max?")


async def test_leaving_releases_momentaries_to_the_peers(pages: Path, peer: socket.socket) -> None:
    text = osc_table(peer, free_udp_port()) + '[[control]]\npath = "/flash"\nkind = "bool"\nmomentary = true\n'
    async with contextlib.AsyncExitStack() as stack:
        bridge = await stack.enter_async_context(Bridge(await parse(text, pages)))
        browser = await stack.enter_async_context(Client.connect(f"ws://127.0.0.1:{bridge.http_port}/ws"))
        flash = bridge.store.get("/flash")
        assert await hear(peer) == ("/flash", [0]), "as momentaries rest"
        await browser.say("touch", ids=[flash.id])
        await browser.say("set", n=1, values=[[flash.id, True]])
        assert await hear(peer) == ("/flash", [1])
        await bridge.__aexit__(None, None, None)
        assert await hear(peer) == ("/flash", [0])


async def test_the_surface_and_the_peers_states_are_part_of_the_welcome(pages: Path, peer: socket.socket) -> None:
    text = osc_table(peer, free_udp_port()) + '[[page]]\nname = "Mixer"\n[[control]]\npath = "/fader"\npage = "Mixer"\n'
    async with (
        Bridge(await parse(text, pages)) as bridge,
        Client.connect(f"ws://127.0.0.1:{bridge.http_port}/ws") as browser,
    ):
        surface = browser.welcome["surface"]
        assert [page["name"] for page in surface["pages"]] == ["Mixer"]
        assert surface["pages"][0]["groups"][0]["items"] == [{"path": "/fader"}]
        states = [control for control in browser.welcome["controls"] if control["path"] == "/stagebridge/peers/max"]
        assert states[0]["access"] == "read"


async def test_a_banks_window_is_turned_by_osc_and_by_a_browser(pages: Path, peer: socket.socket) -> None:
    listen = free_udp_port()
    text = (
        osc_table(peer, listen)
        + """
        [[midi]]
        name = "mcu"
        device = "nobody has this"
        [[control]]
        repeat = 20
        path = "/volume/{n}"
        [[bank]]
        name = "mixer"
        strips = 20
        [[bank.midi.mcu]]
        path = "/volume/{n}"
        cc = "{s}"
        """
    )
    async with (
        Bridge(await parse(text, pages)) as bridge,
        Client.connect(f"ws://127.0.0.1:{bridge.http_port}/ws") as browser,
    ):
        window = bridge.store.get("/bank/mixer")
        (bank,) = browser.welcome["surface"]["banks"]
        assert (bank["path"], bank["size"], bank["peers"]) == ("/bank/mixer", 8, ["mcu"])
        assert bank["strips"][8] == ["/volume/9"]
        press = b"/bank/mixer/next\0\0\0\0,\0\0\0"
        await asyncio.get_running_loop().sock_sendto(peer, press, ("127.0.0.1", listen))
        await browser.hear_value(window.id, 2)
        assert await hear(peer) == ("/bank/mixer", [2])
        await browser.say("set", n=1, values=[[window.id, 9]])
        assert await hear(peer) == ("/bank/mixer", [3])


async def test_panic_releases_everything_and_sets_what_the_file_says(pages: Path, peer: socket.socket) -> None:
    text = (
        osc_table(peer, free_udp_port())
        + '[panic]\n"/main" = -90\n'
        + '[[control]]\npath = "/main"\nrange = [-90, 10]\ndefault = 0\n'
        + '[[control]]\npath = "/flash"\nkind = "bool"\nmomentary = true\n'
    )
    async with (
        Bridge(await parse(text, pages)) as bridge,
        Client.connect(f"ws://127.0.0.1:{bridge.http_port}/ws") as one,
    ):
        main, flash = bridge.store.get("/main"), bridge.store.get("/flash")
        assert await hear(peer) == ("/flash", [0]), "as momentaries rest"
        await one.say("touch", ids=[main.id, flash.id])
        await one.say("set", n=1, values=[[flash.id, True]])
        await one.hear_until("applied", n=1)
        assert await hear(peer) == ("/flash", [1])
        await one.say("trigger", n=2, id="/stagebridge/panic")
        await one.hear_until("applied", n=2)
        assert (main.value, flash.value) == (-90, False)
        assert not main.holders
        assert not flash.holders
        assert await hear(peer) == ("/flash", [0])
        assert await hear(peer) == ("/main", [-90.0])
        done = [(record.path, str(record.origin)) for record in bridge.history.latest()]
        assert ("/main", "bridge:panic") in done


@pytest.mark.parametrize("pace", ["", "bundles = true\n", "control_rate = 10\n"])
async def test_nothing_stays_pressed_when_it_stops(pages: Path, peer: socket.socket, pace: str) -> None:
    text = (
        osc_table(peer, free_udp_port())
        + pace
        + '[[control]]\npath = "/flash"\nkind = "bool"\nmomentary = true\n'
        + '[[control]]\npath = "/strobe"\nkind = "bool"\nmomentary = true\n'
    )
    async with Bridge(await parse(text, pages)) as bridge:
        bridge.store.set(bridge.store.get("/flash"), True, Origin("rest", "lights"), bridge.clock())
        bridge.store.set(bridge.store.get("/strobe"), True, Origin("osc", "desk"), bridge.clock())
    said = b""
    while not (b"/flash\0\0,i\0\0\0\0\0\0" in said and b"/strobe\0,i\0\0\0\0\0\0" in said):
        async with asyncio.timeout(SOON_S):
            said += await asyncio.get_running_loop().sock_recv(peer, 65536)


async def test_it_runs_without_any_peer(pages: Path) -> None:
    async with Bridge(await parse('[[control]]\npath = "/fader"\n', pages)) as bridge:
        assert bridge.peer_lines() == []
        assert bridge.health()["peers"] == []


async def test_a_hold_that_nobody_ends_expires_and_others_may_move_the_control(pages: Path) -> None:
    """A program that came over REST cannot disconnect: the daemon has to look."""
    text = '[[control]]\npath = "/fader"\nhold = "first"\nhold_timeout = 0.2\n'
    was_held = []
    async with (
        Bridge(await parse(text, pages)) as bridge,
        aiohttp.ClientSession(f"http://127.0.0.1:{bridge.http_port}") as http,
    ):
        fader = bridge.store.get("/fader")
        bridge.store.subscribe(lambda changes: was_held.extend(bool(fader.holders) for _ in changes))
        async with http.post("/api/holds/fader", headers={"X-Client": "one"}) as answer:
            assert answer.status == 200
        async with asyncio.timeout(SOON_S):
            while fader.holders:
                await asyncio.sleep(0.01)
        assert was_held == [True, False]
        async with http.put("/api/controls/fader", json={"value": 0.5}, headers={"X-Client": "two"}) as answer:
            assert answer.status == 200


async def test_what_peers_teach_comes_to_a_page_of_its_own(pages: Path, peer: socket.socket) -> None:
    listen = free_udp_port()
    text = osc_table(peer, listen) + 'auto = true\n[[control]]\npath = "/fader"\n'
    async with (
        Bridge(await parse(text, pages)) as bridge,
        Client.connect(f"ws://127.0.0.1:{bridge.http_port}/ws") as browser,
    ):
        assert [page["name"] for page in browser.welcome["surface"]["pages"]] == ["Main"]
        await asyncio.get_running_loop().sock_sendto(peer, b"/1/new\0\0,f\0\0\x3e\x80\0\0", ("127.0.0.1", listen))
        while "surface" not in (update := await browser.hear_until("update")):
            pass
        main, learnt = update["surface"]["pages"]
        assert main["name"] == "Main"
        assert learnt == {
            "name": "Learnt",
            "layout": "grid",
            "groups": [{"name": "1", "items": [{"path": "/1/new"}]}],
        }
        new = bridge.store.get("/1/new")
        await browser.say("set", n=1, values=[[new.id, 0.5]])
        assert await hear(peer) == ("/1/new", [0.5])
