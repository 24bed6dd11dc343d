"""What outlives a run of the whole bridge, and that nobody is told of it who did not ask."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from bridge.app import KINDS, Bridge
from bridge.config.loading import parse
from bridge.control import Control
from bridge.declaring import MAX_DECLARED
from bridge.persist import PATH, Persistence
from bridge.store import Origin, Store
from tests.server import Client
from tests.waiting import SOON_S, eventually

HAND = Origin("browser", "c1", "FOH")
QUIET_S = 0.1
"""What is sent at start is sent before the bridge is ready, or just after."""


@asynccontextmanager
async def running(tmp_path: Path, text: str) -> AsyncIterator[Bridge]:
    head = f'[auth]\nmode = "open"\n[http]\nhost = "127.0.0.1"\nport = 0\npages = "{tmp_path / "pages"}"\n'
    config = await asyncio.to_thread(parse, head + text, KINDS)
    async with Bridge(config, state=tmp_path / "state") as bridge:
        yield bridge


def osc(peer: socket.socket, **keys: str) -> str:
    more = "".join(f"{key} = {value}\n" for key, value in keys.items())
    return f'[[osc]]\nname = "max"\nlisten = "127.0.0.1:0"\nsend = ["127.0.0.1:{peer.getsockname()[1]}"]\n{more}'


async def heard(peer: socket.socket, within_s: float = SOON_S) -> list[tuple[str, list[Any]]]:
    """What comes until nothing comes for QUIET_S."""
    messages = []
    while True:
        try:
            async with asyncio.timeout(QUIET_S if messages or within_s < 1 else within_s):
                data = await asyncio.get_running_loop().sock_recv(peer, 65536)
        except TimeoutError:
            return messages
        messages.append((OscMessage(data).address, OscMessage(data).params))


def say(peer: socket.socket, bridge: Bridge, address: str, *values: Any) -> None:
    message = OscMessageBuilder(address)
    for value in values:
        message.add_arg(value)
    udp_port = bridge.health()["peers"][0]["udp_port"]
    peer.sendto(message.build().dgram, ("127.0.0.1", udp_port))


CONTROLS = """
[[control]]
path = "/a"
[[control]]
path = "/b"
on_start = "default"
[[control]]
path = "/flash"
kind = "bool"
momentary = true
"""


async def moved(tmp_path: Path, text: str) -> None:
    """A run in which somebody moves everything, and holds a button at the end."""
    async with running(tmp_path, text) as bridge:
        for path, value in (("/a", 0.5), ("/b", 0.75), ("/flash", True)):
            bridge.store.set(bridge.store.get(path), value, HAND, bridge.clock())


@pytest.mark.parametrize(
    ("policy", "expected"), [('"none"', [("/flash", [0])]), ('"push"', [("/a", [0.5]), ("/b", [0.0]), ("/flash", [0])])]
)
async def test_what_is_restored_is_sent_only_to_who_wants_it(
    tmp_path: Path, pages: Path, peer: socket.socket, policy: str, expected: list[Any]
) -> None:
    text = osc(peer, on_connect=policy) + CONTROLS
    await moved(tmp_path, text)
    await heard(peer)
    async with running(tmp_path, text) as bridge:
        assert {path: bridge.store.get(path).value for path in ("/a", "/b", "/flash")} == {
            "/a": 0.5,
            "/b": 0.0,
            "/flash": False,
        }
        assert (
            sorted(message for message in await heard(peer, QUIET_S) if message[0] != "/stagebridge/state") == expected
        )
        say(peer, bridge, "/a", 0.5)  # it is heard for the first time, and says what is so already
        after = await heard(peer, QUIET_S)
        assert ("/a", [0.5]) not in after or policy == '"push"'


async def test_a_program_that_can_be_asked_wins_over_what_is_restored(
    tmp_path: Path, pages: Path, peer: socket.socket
) -> None:
    text = osc(peer, query='"address"', on_connect='"pull"') + CONTROLS
    await moved(tmp_path, text)
    await heard(peer)
    async with running(tmp_path, text) as bridge:
        before = await heard(peer, QUIET_S)
        assert all(params == [] for address, params in before if address != "/flash")  # questions at most, and its rest
        say(peer, bridge, "/b", 0.25)
        asked = {address for address, _ in [*before, *await heard(peer)]}
        assert "/a" in asked
        say(peer, bridge, "/a", 0.125)
        await eventually(lambda: bridge.store.get("/a").value == 0.125)


async def test_a_control_that_a_program_has_taught_us_still_goes_to_it(
    tmp_path: Path, pages: Path, peer: socket.socket
) -> None:
    text = osc(peer, mirror="false", auto="true")
    async with running(tmp_path, text) as bridge:
        say(peer, bridge, "/synth/cutoff", 440.0)
        await eventually(lambda: bridge.store.find("/synth/cutoff") is not None)
    await heard(peer, QUIET_S)
    async with running(tmp_path, text) as bridge:
        entry = bridge.store.get("/synth/cutoff")
        assert (entry.value, entry.control.owner, entry.control.range) == (440.0, "learn", (0.0, 500.0))
        assert bridge.peer("max").learnt == ["/synth/cutoff"]
        assert await heard(peer, QUIET_S) == []
        bridge.store.set(entry, 220.0, HAND, bridge.clock())
        assert await heard(peer) == [("/synth/cutoff", [220.0])]


async def test_what_a_page_declared_is_kept_and_the_page_may_say_it_anew(tmp_path: Path, pages: Path) -> None:
    async with (
        running(tmp_path, "") as bridge,
        Client.connect(f"ws://127.0.0.1:{bridge.http_port}/ws") as page,
    ):
        await page.say("declare", controls=[{"path": "/x", "range": [0, 50]}, {"path": "/y"}])
        await page.say("set", n=1, values=[["/x", 40]])
        await page.hear_until("applied", n=1)
    async with (
        running(tmp_path, "") as bridge,
        Client.connect(f"ws://127.0.0.1:{bridge.http_port}/ws") as page,
    ):
        x = bridge.store.get("/x")
        assert (x.value, x.control.range, x.control.owner) == (40.0, (0.0, 50.0), "page")
        await page.say("declare", controls=[{"path": "/x", "range": [0, 30]}])
        await eventually(lambda: x.control.range == (0.0, 30.0))
        assert x.value == 30.0
        # Those that no page declares any more give their places to those that one does.
        many = [{"path": f"/new/{n}"} for n in range(MAX_DECLARED - 1)]
        await page.say("declare", controls=many)
        await eventually(lambda: bridge.store.find(f"/new/{MAX_DECLARED - 2}") is not None)
        assert bridge.store.find("/y") is None
        assert bridge.store.find("/x") is x


async def test_a_file_that_is_not_wanted_is_not_made(tmp_path: Path, pages: Path) -> None:
    text = '[state]\nfile = ""\n' + CONTROLS
    await moved(tmp_path, text)
    async with running(tmp_path, text) as bridge:
        assert bridge.store.get("/a").value == 0.0
        assert bridge.store.get(PATH).value == "off"
        assert bridge.health()["state"] == {
            "state": "off", "file": None, "writes": 0, "written_s_ago": None, "failures": 0,
        }  # fmt: skip
    assert not (tmp_path / "state").exists()


async def test_two_shows_may_have_two_files(tmp_path: Path, pages: Path) -> None:
    await moved(tmp_path, '[state]\nfile = "monday.db"\n' + CONTROLS)
    async with running(tmp_path, '[state]\nfile = "tuesday.db"\n' + CONTROLS) as bridge:
        assert bridge.store.get("/a").value == 0.0
    async with running(tmp_path, '[state]\nfile = "monday.db"\n' + CONTROLS) as bridge:
        assert bridge.store.get("/a").value == 0.5
        async with running(tmp_path, '[state]\nfile = "monday.db"\n' + CONTROLS) as second:
            state = second.store.get(PATH).value
            assert (
                state
                == f"unsaved: {tmp_path / 'state' / 'monday.db'} is open in another program: a second stagebridge?"
            )
            assert second.health()["state"]["state"] == state


async def test_a_broken_file_is_said_once_and_the_show_begins_without(
    tmp_path: Path, pages: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await moved(tmp_path, CONTROLS)
    file = tmp_path / "state" / "state.db"
    await asyncio.to_thread(file.write_bytes, b"x" * 5000)
    async with running(tmp_path, CONTROLS) as bridge:
        assert bridge.store.get("/a").value == 0.0
        assert bridge.store.get(PATH).value == "saved"
    said = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert said == [f"{file} was broken: it is state.broken-1.db now, and a new one is begun"]
    await moved(tmp_path, CONTROLS)
    async with running(tmp_path, CONTROLS) as bridge:
        assert bridge.store.get("/a").value == 0.5


async def test_what_does_not_fit_any_more_is_one_line(
    tmp_path: Path, pages: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await moved(tmp_path, CONTROLS)
    async with running(tmp_path, '[[control]]\npath = "/a"\nkind = "choice"\nchoices = ["x", "y"]\n') as bridge:
        assert bridge.store.get("/a").value == "x"
    said = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert said == ["not everything is as it was at the end of the last run: /a was 0.5 and is 'x'"]


def persistence(store: Store, folder: Path | None, states: list[str], period_s: float = 0.01) -> Persistence:
    return Persistence(
        store, folder, "state.db", states.append, asyncio.get_running_loop().time, {}, (), period_s, retry_s=0.02
    )


async def test_a_show_goes_on_while_nothing_can_be_kept_and_is_kept_as_soon_as_it_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    store, states = Store("e1"), list[str]()
    entry = store.add(Control(path="/a"), now=0)
    folder = tmp_path / "state"
    await asyncio.to_thread(folder.write_text, "in its place")
    keeper = persistence(store, folder, states)
    async with keeper.kept():
        trouble = f"{folder / 'state.db'} cannot be used: File exists"
        assert states == [f"unsaved: {trouble}"]
        store.set(entry, 0.5, HAND, 0)
        await eventually(lambda: keeper.health()["failures"] > 2)
        await asyncio.to_thread(folder.unlink)
        await eventually(lambda: states[-1] == "saved")
        store.set(entry, 0.75, HAND, 0)
        await eventually(lambda: keeper.health()["writes"] > 1)
        await asyncio.to_thread((folder / "state.db").unlink)
        store.set(entry, 0.25, HAND, 0)
        await eventually(lambda: states[-1] != "saved")
        await eventually(lambda: states[-1] == "saved")
    said = [record.message for record in caplog.records]
    again = f"moves are kept again, in {folder / 'state.db'}"
    gone = f"{folder / 'state.db'} is not there any more"
    head = "moves are kept in memory alone: "
    tail = "; tried again every 0.02 s"
    assert said == [head + trouble + tail, again, head + gone + tail, again]
    other = Store("e2")
    other.add(Control(path="/a"), now=0)
    async with persistence(other, folder, states).kept():
        assert other.get("/a").value == 0.25


async def test_what_is_moved_last_is_written_at_the_end(tmp_path: Path) -> None:
    store, states = Store("e1"), list[str]()
    entry = store.add(Control(path="/a"), now=0)
    keeper = persistence(store, tmp_path, states, period_s=60)
    async with keeper.kept():
        store.set(entry, 0.5, HAND, 0)
    assert keeper.health()["writes"] == 1
    other = Store("e2")
    other.add(Control(path="/a"), now=0)
    async with persistence(other, tmp_path, states, period_s=60).kept():
        assert other.get("/a").value == 0.5


async def test_moves_cost_one_write_a_period_and_rest_costs_none(tmp_path: Path) -> None:
    store, states = Store("e1"), list[str]()
    entry = store.add(Control(path="/a"), now=0)
    keeper = persistence(store, tmp_path, states, period_s=0.05)
    loop = asyncio.get_running_loop()
    async with keeper.kept():
        began = loop.time()
        for number in range(100):
            store.set(entry, number / 100, HAND, 0)
            await asyncio.sleep(0.002)
        most = (loop.time() - began) / 0.05 + 1
        await eventually(lambda: keeper.health()["writes"] > 0)
        writes = keeper.health()["writes"]
        assert writes <= most
        await asyncio.sleep(0.12)
        assert keeper.health()["writes"] <= writes + 1


async def test_without_a_folder_the_show_is_in_memory_and_that_is_said(
    pages: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store, states = Store("e1"), list[str]()
    async with persistence(store, None, states).kept():
        assert states == [
            "unsaved: there is no folder for it: neither $STATE_DIRECTORY nor $XDG_STATE_HOME nor $HOME is set"
        ]
    assert len(caplog.records) == 1
