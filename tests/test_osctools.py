"""Fault-finding on real sockets: what the monitor shows of a peer."""

import asyncio
import json
from typing import Any

import pytest
import uvloop

from bridge import frames
from bridge.control import Control
from bridge.osc.codec import Bundle, Message, TimeTag, encode

from .port_contract import until
from .test_osc import Bridge, Voice, level, voice
from .test_osctcp import started

LOOPS = {"uvloop": uvloop.new_event_loop}
pytestmark = pytest.mark.asyncio(loop_factories=["uvloop"])


class Watcher:
    def __init__(self, bridge: Bridge, peer: str | None = None, address: str | None = None) -> None:
        watch = bridge.context.monitor.watch(peer, address, lambda: None)
        assert watch is not None
        self.watch = watch

    def lines(self) -> list[dict[str, Any]]:
        """What has been shown until now."""
        found: list[dict[str, Any]] = []
        while not self.watch.is_empty:
            found += json.loads(frames.monitor(self.watch))["lines"]
        return found


@pytest.fixture
def bridge() -> Bridge:
    return Bridge(level(), level("/mark"), Control(path="/go", kind="trigger"))


async def all_heard(bridge: Bridge, max_: Voice) -> None:
    """Everything that was sent before has been taken."""
    max_.send("/mark", 0.5)
    await bridge.reaches("/mark", 0.5)


async def test_everything_in_and_out_is_shown_with_what_came_of_it(bridge: Bridge) -> None:
    watcher = Watcher(bridge)
    async with bridge.with_max() as (port, max_):
        max_.send("/level", 0.25)
        max_.send("/level", 0.25)
        max_.send("/lewel", 1.0)
        max_.send("/level", "loud")
        max_.send_raw(b"/a\0\0,x\0\0")
        max_.send_raw(encode(Bundle(TimeTag(1), (Message("/level", (0.75,)), Message("/lewel")))))
        await all_heard(bridge, max_)
        bridge.set("/level", 0.5)
        await max_.hear()
        shown = [
            (line["way"], line.get("address", ""), line.get("types"), line.get("args", []), line.get("note", ""))
            for line in watcher.lines()
        ]
        assert shown == [
            ("in", "/level", ",f", [0.25], ""),
            ("in", "/level", ",f", [0.25], "nothing new: what we have, or an echo"),
            ("in", "/lewel", ",f", [1.0], "no such control"),
            ("in", "/level", ",s", ["loud"], "expected a number, got 'loud'"),
            ("in", "", None, [], ""),
            ("in", "/level", ",f", [0.75], ""),
            ("in", "/lewel", ",", [], "no such control"),
            ("in", "/mark", ",f", [0.5], ""),
            ("out", "/level", ",f", [0.5], ""),
        ]
        assert port.health()[0]["received"] == 7


async def test_garbage_and_bundles_are_shown_as_what_they_are(bridge: Bridge) -> None:
    watcher = Watcher(bridge, peer="max")
    async with bridge.with_max() as (_, max_):
        max_.send_raw(b"/a\0\0,x\0\0")
        max_.send_raw(encode(Bundle(TimeTag(1), (Message("/level", (0.75,)),))))
        await all_heard(bridge, max_)
        garbage, bundled, _ = watcher.lines()
        assert (garbage["error"], garbage["offset"]) == ("unknown type tag 'x'", 5)
        assert garbage["where"] == bundled["where"] == max_.shown
        assert bundled["bundle"] == {"number": 1}


async def test_a_prefix_is_shown_as_it_stands_on_the_wire(bridge: Bridge) -> None:
    watcher = Watcher(bridge)
    async with bridge.with_max(prefix="/gma3") as (_, max_):
        max_.send("/gma3/lewel", 0.5)
        max_.send("/mark", 0.5)
        await bridge.reaches("/mark", 0.5)
        unknown, _ = watcher.lines()
        assert (unknown["address"], unknown.get("note")) == ("/gma3/lewel", "no such control")


async def test_a_stranger_is_shown_too(bridge: Bridge) -> None:
    watcher = Watcher(bridge)
    async with bridge.with_max(**{"from": ["10.0.0.1"]}) as (port, max_):
        max_.send("/level", 0.25)
        while not (lines := watcher.lines()):
            await asyncio.sleep(0.005)
        assert (lines[0]["peer"], lines[0]["where"]) == ("", max_.shown)
        assert "no [[osc]] table" in lines[0]["note"]
        assert port.health()[0]["received"] == 0


@pytest.mark.parametrize("transport", ["tcp-slip", "tcp-length"])
async def test_a_stream_is_shown_as_datagrams_are_and_where_it_breaks(bridge: Bridge, transport: str) -> None:
    watcher = Watcher(bridge)
    async with started(transport) as program:
        peer = bridge.peer(transport=transport, send=[program.shown])
        async with bridge.running(peer):
            stream = await program.stream()
            stream.send("/level", 0.5)
            await bridge.reaches("/level", 0.5)
            bridge.set("/mark", 0.25)
            assert await stream.hear() == Message("/mark", (0.25,))
            heard, sent = watcher.lines()
            assert (heard["way"], heard["where"], heard["address"]) == ("in", program.shown, "/level")
            assert (sent["way"], sent["where"], sent["args"]) == ("out", program.shown, [0.25])
            stream.writer.write(b"\xc0\xdbbroken\xc0" if transport == "tcp-slip" else b"\x7f\xff\xff\xff")
            while not (lines := watcher.lines()):
                await asyncio.sleep(0.005)
            assert lines[0]["peer"] == "max"
            assert "frames" in lines[0]["note"] or "closed" in lines[0]["note"]


# ---------------------------------------------------------------------------------- learn


def learnt(bridge: Bridge) -> dict[str, tuple[str, Any, Any]]:
    """Path → kind, range, value of what was learnt."""
    return {
        entry.path: (entry.control.kind, entry.control.range, entry.value)
        for entry in bridge.store
        if entry.control.owner == "learn"
    }


async def appears(bridge: Bridge, path: str, value: Any) -> None:
    """The control is there, with this value."""
    await until(bridge.store, lambda: (entry := bridge.store.find(path)) is not None and entry.value == value)


async def test_an_unknown_address_becomes_a_control_that_speaks_to_its_peer(bridge: Bridge) -> None:
    async with bridge.with_max(auto=True, mirror=False) as (port, max_):
        max_.send("/1/fader1", 0.25)
        await appears(bridge, "/1/fader1", 0.25)
        assert learnt(bridge) == {"/1/fader1": ("float", (0, 1), 0.25)}
        assert await max_.hears_nothing_before(bridge, "/1/fader1") == []
        max_.send("/level", 0.75)  # ours, and not mirrored: it stays unknown to this peer
        max_.send("/1/fader1", 0.5)
        await appears(bridge, "/1/fader1", 0.5)
        assert bridge.value("/level") == 0.0
        (health,) = port.health()
        assert (health["learnt"], health["unknown"]) == (1, 1)


async def test_what_one_peer_teaches_the_others_hear_and_may_say_too(bridge: Bridge) -> None:
    async with bridge.with_max(auto=True) as (_, max_), voice() as pd:
        strict = bridge.peer("strict", mirror=False, auto=True, send=[pd.shown])
        async with bridge.running(bridge.peer("pd", send=[pd.shown]), strict) as (_, port):
            max_.send("/x", 7)
            await appears(bridge, "/x", 7)
            assert await pd.hear() == Message("/x", (7,))
            pd.goal = ("127.0.0.1", port.udp_port or 0)
            pd.send("/x", 9)
            await appears(bridge, "/x", 9)
            assert port.health()[0]["learnt"] == 1


async def test_a_learnt_range_grows_with_what_comes_before_it_is_applied(bridge: Bridge) -> None:
    async with bridge.with_max(auto=True) as (_, max_):
        max_.send("/f", 0.5)
        await appears(bridge, "/f", 0.5)
        entry = bridge.store.get("/f")
        max_.send_raw(
            encode(Bundle(TimeTag(1), (Message("/f", (0.75,)), Message("/f", (300.0,)), Message("/g", (1,)))))
        )
        await appears(bridge, "/g", 1)
        assert learnt(bridge) == {"/f": ("float", (0, 500), 300.0), "/g": ("int", (0, 1), 1)}
        assert bridge.store.get("/f") is entry
        max_.send("/g", 0.5)
        await appears(bridge, "/g", 0.5)
        assert [change.what for change in bridge.changes if change.entry is entry] == [
            "added", "value", "value", "described", "value"
        ]  # fmt: skip
        bridge.set("/f", 400.0)
        assert await max_.hear() == Message("/f", (400.0,))


async def test_a_learnt_trigger_fires_at_once(bridge: Bridge) -> None:
    async with bridge.with_max(auto=True) as (_, max_):
        max_.send("/bang")
        max_.send("/say", "go", 3)
        await all_heard(bridge, max_)
        fired = [(change.entry.path, change.args) for change in bridge.changes if change.what == "trigger"]
        assert fired == [("/bang", ()), ("/say", ("go", 3))]


async def test_learning_ends_at_its_cap_with_one_clear_line(bridge: Bridge, caplog: pytest.LogCaptureFixture) -> None:
    async with bridge.with_max(auto=True, auto_max=2) as (port, max_):
        for number in range(5):
            max_.send(f"/new/{number}", 0.5)
        await all_heard(bridge, max_)
        assert list(learnt(bridge)) == ["/new/0", "/new/1"]
        assert port.health()[0]["unknown"] == 3
        (line,) = [record.getMessage() for record in caplog.records if "auto_max" in record.getMessage()]
        assert line == (
            "osc max: 2 controls are learnt, and no more will be, such as /new/2 (auto_max = 2); "
            "stagebridge learn prints them"
        )
        max_.send("/new/1", 0.75)
        await appears(bridge, "/new/1", 0.75)


async def test_what_is_no_control_is_not_learnt(bridge: Bridge) -> None:
    async with bridge.with_max(auto=True, touch="{path}/z") as (port, max_):
        max_.send("/blob", b"\x00")
        max_.send("/a b", 1.0)
        max_.send("/new/*", 1.0)
        max_.send("/stagebridge/peers/max", "x")
        max_.send("/1/fader1/z", 1)
        await all_heard(bridge, max_)
        assert learnt(bridge) == {}
        assert port.health()[0]["unknown"] == 5
        max_.send("/1/fader1", 0.5)
        await appears(bridge, "/1/fader1", 0.5)
        max_.send("/1/fader1/z", 1)  # now it is one of its fingers
        await until(bridge.store, lambda: bool(bridge.store.get("/1/fader1").holders))


async def test_nothing_is_learnt_from_who_may_not_teach(bridge: Bridge) -> None:
    async with bridge.with_max() as (port, max_):
        max_.send("/new", 0.5)
        await all_heard(bridge, max_)
        assert learnt(bridge) == {}
        assert port.health()[0]["unknown"] == 1
