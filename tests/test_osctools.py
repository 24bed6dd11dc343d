"""Fault-finding on real sockets: what the monitor shows of a peer."""

import asyncio
import json
from typing import Any

import pytest
import uvloop

from bridge import frames
from bridge.control import Control
from bridge.monitor import Watch
from bridge.osccodec import Bundle, Message, TimeTag, encode

from .test_osc import Bridge, Voice, level

LOOPS = {"uvloop": uvloop.new_event_loop}
pytestmark = pytest.mark.asyncio(loop_factories=["uvloop"])


class Watcher:
    def __init__(self, bridge: Bridge, peer: str | None = None, address: str | None = None) -> None:
        watch = bridge.context.monitor.watch(peer, address, lambda: None)
        assert watch is not None
        self.watch: Watch = watch

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


async def test_a_stranger_is_shown_too(bridge: Bridge) -> None:
    watcher = Watcher(bridge)
    async with bridge.with_max(**{"from": ["10.0.0.1"]}) as (port, max_):
        max_.send("/level", 0.25)
        while not (lines := watcher.lines()):
            await asyncio.sleep(0.005)
        assert (lines[0]["peer"], lines[0]["where"]) == ("", max_.shown)
        assert "no [[osc]] table" in lines[0]["note"]
        assert port.health()[0]["received"] == 0
