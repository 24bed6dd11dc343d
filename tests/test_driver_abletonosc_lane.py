"""Which controls go to Live by the lane, and as which CC: what is told to Live, and to the port."""

from typing import Any

from bridge.control import Control
from bridge.driver import Add, Bind, Carry, Effect, Remove, Send, Way
from bridge.drivers.abletonosc.lane import Lanes
from bridge.osc.settings import Binding

NAMES = ["Drums", "Bass"]


def lanes(**by_hand: int) -> Lanes:
    found = Lanes({name.replace("_", "/"): cc for name, cc in by_hand.items()}, 16, dict(enumerate(NAMES)).get)
    found.connected()
    return found


def bound(address: str, *ids: Any, span: tuple[float, float] = (0.0, 1.0)) -> tuple[Binding, ...]:
    return (Binding(address=address, args=list(ids), range=span),)


def along(one: Lanes, *effects: Effect) -> list[Effect]:
    """What is said beside the effects themselves."""
    return [said for effect in effects for said in one.follow(effect)]


def volume(index: int) -> tuple[Binding, ...]:
    return bound("/live/track/set/volume", index)


def parameter(path: str, number: int) -> Bind:
    """Its range there is larger than that of its binding."""
    return Bind(path, bound("/live/device/set/parameter/value", 1, 0, number, span=(30.0, 40.0)), (20.0, 200.0))


def test_what_was_mapped_by_hand_goes_as_its_cc_wherever_its_track_stands() -> None:
    one = lanes(drums_volume=20, Bass_pan=21, Bass_send_b=22)
    said = along(
        one,
        Add(Control(path="/d"), volume(0)),
        Bind("/b", volume(1)),
        Bind("/n", bound("/live/track/set/volume", 0, span=(0.0, 0.8))),
        Bind("/p", bound("/live/track/set/panning", 1, span=(-1.0, 1.0))),
        Bind("/s", bound("/live/track/set/send", 1, 1)),
        Bind("/a", bound("/live/track/set/send", 1, 0)),
    )
    assert said == [
        Carry("/d", Way(16, 20, 0.0, 1.0)),
        Carry("/b"),
        Carry("/n", Way(16, 20, 0.0, 1.0)),
        Carry("/p", Way(16, 21, -1.0, 1.0)),
        Carry("/s", Way(16, 22, 0.0, 1.0)),
        Carry("/a"),
    ]


def test_a_parameter_of_a_device_is_mapped_to_a_cc_that_is_free() -> None:
    one = lanes(drums_volume=0)
    assert along(one, parameter("/1", 5), parameter("/2", 6)) == [
        Send("/live/midimap/map_cc", (1, 0, 5, 15, 1)),
        Carry("/1", Way(16, 1, 20.0, 200.0)),
        Send("/live/midimap/map_cc", (1, 0, 6, 15, 2)),
        Carry("/2", Way(16, 2, 20.0, 200.0)),
    ]


def test_the_selected_device_s_numbers_are_mapped_and_its_switches_are_not() -> None:
    one, where = lanes(), (Binding(address="/live/device/set/parameter/value", args=[0, 0, 1]),)
    said = along(one, Add(Control(path="/f", range=(-3.0, 5.0)), where), Add(Control(path="/b", kind="bool"), where))
    assert said == [Send("/live/midimap/map_cc", (0, 0, 1, 15, 0)), Carry("/f", Way(16, 0, -3.0, 5.0)), Carry("/b")]


def test_another_parameter_gets_the_cc_of_its_control_and_live_is_told_once() -> None:
    one = lanes()
    along(one, parameter("/1", 5))
    assert along(one, parameter("/1", 5)) == [Carry("/1", Way(16, 0, 20.0, 200.0))]
    assert along(one, parameter("/1", 7))[0] == Send("/live/midimap/map_cc", (1, 0, 7, 15, 0))
    one.connected()
    assert along(one, parameter("/1", 7))[0] == Send("/live/midimap/map_cc", (1, 0, 7, 15, 0))


def test_a_cc_of_a_control_that_has_gone_is_free_again_and_when_all_are_taken_osc_remains() -> None:
    one = lanes()
    said = along(one, *(parameter(f"/{n}", n) for n in range(121)))
    assert said[-1] == Carry("/120")
    assert along(one, Remove("/7")) == [Carry("/7")]
    assert along(one, parameter("/120", 120))[-1] == Carry("/120", Way(16, 7, 20.0, 200.0))


def test_what_is_no_number_of_the_mixer_goes_by_osc() -> None:
    one = lanes(drums_volume=20)
    mute = (Binding(address="/live/track/set/mute", args=[0]),)
    assert along(one, Bind("/m", mute), Bind("/t", bound("/live/song/set/tempo", span=(20.0, 999.0))), Bind("/n")) == [
        Carry("/m"),
        Carry("/t"),
        Carry("/n"),
    ]
