"""MIDI learn with a real device: JACK, and a controller that is another process. Telling moves apart: midilearn."""

import pytest

from bridge.control import Control

from .jack import Controller
from .test_midi import Bridge

pytestmark = pytest.mark.waits


def moves(number: int, *values: int) -> list[str]:
    return [f"b0 {number:02x} {value:02x}" for value in values]


async def test_a_learnt_binding_is_added_hears_and_speaks_at_once_and_is_forgotten(jack: str) -> None:
    level, other = Control(path="/level", default=0.5), Control(path="/other")
    bridge = Bridge(jack, level, other, Control(path="/push", kind="bool", momentary=True))
    learning = bridge.context.learning
    bindings = {"/level": {"cc": 20}, "/other": {"cc": 7}, "/push": {"note": 1}}
    async with bridge.with_nano(bindings, settle_ms=0) as (_, nano):
        assert await nano.hear_all(3) == ["b0 14 40", "b0 07 00", "90 01 00"]
        nano.send("90 01 7f")
        await bridge.reaches("/push", True)
        learning.arm(level, None, "c1", "FOH iPad")
        nano.send("80 01 00", *moves(7, 40, 50, 60))
        await nano.hear_until("b0 07 40")  # the fader is told where its new control stands
        (learnt,) = learning
        assert (learnt.peer, learnt.path, learnt.table) == ("nano", "/level", {"cc": 7})
        assert bridge.value("/push") is False  # who was pressed before may lift
        assert bridge.value("/other") == 0.0  # and nothing else is moved meanwhile
        assert bridge.value("/level") == 0.5

        nano.send("b0 07 7f")
        await bridge.reaches("/level", 1.0)
        assert bridge.value("/other") == 1.0  # the configuration's bindings hold on
        assert await nano.hear() == "b0 14 7f"
        bridge.set("/level", 0.0)
        assert sorted(await nano.hear_all(2)) == ["b0 07 00", "b0 14 00"]

        learning.forget(learnt.number)
        nano.send("b0 07 7e")
        await bridge.reaches("/other", 126 / 127)
        assert bridge.value("/level") == 0.0
        nano.send("b0 14 7f")
        await bridge.reaches("/level", 1.0)


async def test_a_motor_fader_is_learnt_with_its_touch_and_what_is_not_there_yet_is_waited_for(jack: str) -> None:
    level = Control(path="/level", default=1.0)
    bridge = Bridge(jack, level)
    learning = bridge.context.learning
    learning.restore([("nano", "/later", {"cc": 9}, bridge.peer({"/later": {"cc": 9}}).bindings["/later"][0])])
    async with bridge.with_nano({}) as (_, nano):
        learning.arm(level, None, "c1", "FOH iPad")
        nano.send("90 68 7f", "e0 00 10", "e0 00 12", "e0 00 14")
        await bridge.until(lambda: bridge.store.get("/level").holder is not None)  # the finger is on it already
        assert [one.table for one in learning][-1] == {"bend": True, "touch": 104}
        bridge.set("/level", 0.5)
        nano.send("90 68 00")
        assert await nano.hear() == "e0 00 40"  # it has let go: now, and not before, the motor may pull
        bridge.store.add(Control(path="/later", default=1.0), now=0.0)
        assert await nano.hear() == "b0 09 7f"


async def test_what_was_pasted_into_the_configuration_does_not_count_twice(jack: str) -> None:
    bridge = Bridge(jack, Control(path="/on", kind="bool"))
    peer = bridge.peer({"/on": {"note": 1}})
    bridge.context.learning.restore([("nano", "/on", {"note": 1}, peer.bindings["/on"][0])])
    async with bridge.with_nano({"/on": {"note": 1}}) as (_, nano):
        assert await nano.hear() == "90 01 00"
        nano.send("90 01 7f")
        assert await nano.hear() == "90 01 7f"
        assert bridge.value("/on") is True


async def test_a_control_whose_other_device_is_away_is_silent_no_more_while_it_is_learnt_here(jack: str) -> None:
    level = Control(path="/level")
    bridge = Bridge(jack, level)
    marks = bridge.store.get("/level").marks
    learning = bridge.context.learning
    away, here = bridge.peer({"/level": {"cc": 1}}, name="away"), bridge.peer({}, name="nano")
    async with Controller.start(jack, "nano") as nano, bridge.running(away, here):
        await bridge.states_until("nano", "online")
        await bridge.until(lambda: marks.get("silent") == "away")
        learning.arm(level, None, "c1", "FOH iPad")
        nano.send(*moves(7, 40, 50, 60))
        await bridge.until(lambda: "silent" not in marks)
        (learnt,) = learning
        learning.forget(learnt.number)
        assert marks["silent"] == "away"
