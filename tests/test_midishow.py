"""What a device is shown: rings, LEDs, meters, displays; without any device."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.control import Control
from bridge.errors import BadControl
from bridge.midi.bind import Route, compile_route
from bridge.midi.codec import Writer
from bridge.midi.outgoing import AGAIN_S, METER_S, TEXT_S
from bridge.midi.settings import Binding, Settings
from bridge.store import Entry

from .test_midibank import Device

SETTINGS = Settings.model_validate({"name": "it", "device": "it"})


def route(binding: dict[str, Any], value: Any = None, **control: Any) -> Route:
    made = Control(**({"path": "/a"} | control))
    entry = Entry(1, made, made.default if value is None else made.coerce(value), 1)
    return compile_route(entry, Binding.model_validate(binding), SETTINGS)


def sent(one: Route) -> list[str]:
    assert one.shown is not None
    return [message.hex(" ") for message in one.messages(Writer(), one.shown)]


def row(text: str = "value", value: Any = None, width: int | None = None, **control: Any) -> str:
    binding = {"sysex": "00 00 66 14 12 00", "text": text} | ({"width": width} if width else {})
    (message,) = sent(route(binding, value, **control))
    assert message.startswith("f0 00 00 66 14 12 00 ")
    assert message.endswith(" f7")
    return bytes.fromhex(message)[7:-1].decode()


@pytest.mark.parametrize(
    ("mode", "values"),
    [
        ("dot", ("01", "06", "0b")),
        ("pan", ("11", "16", "1b")),
        ("bar", ("21", "26", "2b")),
        ("spread", ("31", "34", "36")),
    ],
)
def test_a_ring_has_eleven_leds_and_four_ways_to_light_them(mode: str, values: tuple[str, ...]) -> None:
    binding = {"cc": 48, "ring": mode, "direction": "out"}
    assert [sent(route(binding, value))[0] for value in (0.0, 0.5, 1.0)] == [f"b0 30 {value}" for value in values]


def test_a_ring_that_may_choose_takes_what_suits_the_control() -> None:
    ring = {"cc": 48, "ring": "auto", "direction": "out"}
    assert sent(route(ring)) == ["b0 30 21"]
    assert sent(route(ring, range=(-1, 1))) == ["b0 30 16"]
    assert sent(route(ring, "c", kind="choice", choices=("a", "b", "c"))) == ["b0 30 0b"]
    assert sent(route(ring, 100, kind="int", range=(0, 100))) == ["b0 30 2b"]


def test_an_led_shows_each_of_a_choice_and_a_press_goes_to_the_next() -> None:
    light = route({"note": 3, "leds": [0, 1, 127]}, "armed", kind="choice", choices=("off", "armed", "on"))
    assert sent(light) == ["90 03 01"]
    assert [light.next(value) for value in ("off", "armed", "on")] == ["armed", "on", "off"]
    count = route({"cc": 3, "leds": [0, 127]}, 5, kind="int", range=(4, 5))
    assert (sent(count), count.next(4), count.next(5)) == (["b0 03 7f"], 5, 4)


@pytest.mark.parametrize(
    ("control", "binding", "said"),
    [
        ({}, {"cc": 1, "ring": "dot"}, 'is for a cc that is only sent (direction = "out")'),
        ({}, {"note": 1, "ring": "dot", "direction": "out"}, "is for a cc"),
        ({}, {"cc": 1, "ring": "dot", "direction": "out", "range": [1, 11]}, "ring says it"),
        ({"kind": "bool"}, {"cc": 1, "ring": "dot", "direction": "out"}, "a bool has none"),
        ({}, {"note": 1, "leds": [0, 1]}, "is for a choice or an int"),
        ({"kind": "bool"}, {"note": 1, "leds": [0, 1]}, "of a bool on and off"),
        ({"kind": "int", "range": (0, 2)}, {"note": 1, "leds": [0, 1]}, "must be 3: one for each that it can be"),
        ({"kind": "int", "range": (0, 900)}, {"note": 1, "leds": [0, 1]}, "must be fewer"),
        ({"kind": "int", "range": (0, 1)}, {"note": 1, "leds": [0, 1], "on": 5}, "leds says it"),
        ({}, {"sysex": "01", "direction": "in"}, "a sysex is only sent"),
        ({}, {"sysex": "01", "takeover": "pickup"}, "is nothing to a sysex"),
        ({"kind": "bool"}, {"sysex": "01", "mode": "momentary"}, "is nothing to a sysex"),
        ({}, {"sysex": "01", "channel": 3}, "is nothing to a sysex"),
        ({}, {"cc": 1, "text": "value"}, "is for a display: write sysex too"),
        ({}, {"sysex": "01", "width": 3}, "is for a display: write text too"),
        ({}, {"sysex": "01", "text": "label", "range": [0, 1]}, "is not for words"),
        ({"kind": "string"}, {"sysex": "01"}, "a string cannot be carried"),
    ],
)
def test_what_suits_neither_ring_nor_led_nor_display_is_told(
    control: dict[str, Any], binding: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadControl) as caught:
        route(binding, **control)
    assert said in str(caught.value)


@pytest.mark.parametrize("raw", ["", "f0 00", "0", "80", "00 " * 65, 3])
def test_a_sysex_is_bytes_of_seven_bits_in_hex(raw: Any) -> None:
    with pytest.raises(ValueError, match="must be 1–64 bytes in hex"):
        Binding.model_validate({"sysex": raw})


def test_a_number_or_a_button_may_be_the_last_byte_of_a_sysex() -> None:
    assert sent(route({"sysex": "00 20 29"}, 1.0)) == ["f0 00 20 29 7f f7"]
    assert sent(route({"sysex": "00 20 29", "on": 60}, True, kind="bool")) == ["f0 00 20 29 3c f7"]


def test_a_display_says_a_value_as_the_page_does_where_there_is_room() -> None:
    level = {"range": (-90, 10), "curve": "db", "unit": "dB"}
    assert row(value=-6.0, **level) == "-6.0 dB"
    assert row(value=-12.3, **level) == "-12.3dB"
    assert row(value=-90.0, **level) == "-oo dB "
    assert row(value=1234, range=(0, 20000), unit="Hz") == "1234 Hz"
    assert row(value=12345, range=(0, 20000), unit="Hz") == "12345Hz"
    assert row(value=123456, range=(0, 200000), unit="Hz") == "123456 "
    assert row(value=123456.78, range=(0, 200000), decimals=2) == "123456 "
    assert row(value=12345678, range=(0, 10**9)) == ">>>>>>>"
    assert row(value=True, kind="bool") == "on     "
    assert row(value="Großer Saal", kind="choice", choices=("Großer Saal",)) == "GrssrSl"
    assert row(value=(0.25, 0.5), kind="vector", width=12) == "0.25, 0.50  "
    assert row(value="Solo für Émilie", kind="string", width=20) == "Solo fur Emilie     "
    assert row(kind="trigger") == "       "


def test_a_display_says_a_name_in_seven_letters() -> None:
    assert row("label", label="Kick") == "Kick   "
    assert row("label", label="Lead Vocal") == "LeadVcl"
    assert row("label", label="Saxophone") == "Saxophn"
    assert row("label", label="Xylophonxy") == "Xylphnx"
    assert row("label") == "a      "
    assert row("group", label="volume", group="Drums") == "Drums  "
    assert row("group", label="volume") == "volume "


def test_a_display_shows_the_peers_own_words() -> None:
    one = route({"sysex": "01", "text": "value"}, 0.5)
    one.entry.marks["text"] = "-6.0 dB"
    assert one.shown == b"-6.0 dB"


@given(st.text(max_size=30), st.integers(1, 64))
def test_whatever_is_shown_has_seven_bits_and_always_as_many_characters(text: str, width: int) -> None:
    one = route({"sysex": "01", "text": "value", "width": width}, kind="string")
    one.entry.value = text
    assert isinstance(one.shown, bytes)
    assert len(one.shown) == width
    assert all(0x20 <= byte <= 0x7E for byte in one.shown)


def test_a_meter_is_a_level_above_its_strip() -> None:
    third = {"pressure": True, "direction": "out", "range": [32, 44]}
    assert [sent(route(third, level, kind="meter", range=(-60, 0))) for level in (-60, -30, 0)] == [
        ["d0 20"], ["d0 26"], ["d0 2c"],
    ]  # fmt: skip


def test_what_shows_nothing_is_off_or_at_its_bottom_or_blank() -> None:
    assert route({"bend": True}).dark == 0
    assert route({"cc": 1, "range": [127, 0]}).dark == 127
    assert route({"pressure": True, "range": [16, 28], "direction": "out"}, kind="meter").dark == 16
    assert route({"cc": 48, "ring": "bar", "direction": "out"}).dark == 0
    assert route({"note": 1, "off": 12}, kind="bool").dark == 12
    assert route({"note": 1, "leds": [12, 1]}, kind="int", range=(0, 1)).dark == 12
    assert route({"sysex": "01", "text": "label", "width": 4}).dark == b"    "


# ---------------------------------------------------------------------------------- on a device, in a bank of three

UPPER = {"sysex": "12 00", "text": "label"}
LOWER = {"sysex": "12 38", "text": "value"}


def said(*rows: bytes) -> list[str]:
    return [f"f0 12 {at} {text.ljust(7).hex(' ')} f7" for at, text in zip(("00", "38"), rows, strict=True)]


def test_both_rows_of_a_display_follow_the_window_and_are_blank_where_it_is_empty() -> None:
    device = Device({"part": "rows"}, part=[{"name": "rows", "bindings": [UPPER, LOWER]}], controls=2)
    assert device.news() == said(b"1", b"0.25")
    device.turn(2)
    assert device.news() == said(b"2", b"0.50")
    device.turn(3)
    device.wait(TEXT_S)
    assert device.news() == said(b"", b"")
    device.turn(1)
    device.wait(TEXT_S)
    assert device.news() == said(b"1", b"0.25")


def test_a_display_follows_a_new_name_and_the_peers_own_words() -> None:
    device = Device(UPPER, LOWER)
    device.news()
    device.wait(TEXT_S)
    entry = device.store.get("/1")
    device.store.describe(entry, replace(entry.control, label="Kick"), now=device.now)
    assert device.news() == said(b"Kick", b"0.25")[:1]
    device.store.mark(entry, "text", "-12 dB", now=device.now)
    assert device.news() == said(b"", b"-12 dB")[1:]
    device.wait(TEXT_S)
    device.store.mark(entry, "text", None, now=device.now)
    device.store.mark(entry, "silent", "desk", now=device.now)
    assert device.news() == said(b"", b"0.25")[1:]


def test_a_value_that_moves_fast_is_shown_at_the_devices_pace_and_its_last_one_always() -> None:
    device = Device(LOWER, rate=20)
    device.wait(1)
    device.news()
    for step in range(100):
        device.set("/1", step / 100)
        device.wait(0.01)
    shown = device.news()
    assert 4 < len(shown) < 9, "about a fifth of a second on its cable"
    device.wait(1)
    assert [*shown, *device.news()][-1] == said(b"", b"0.99")[1]


def test_a_meter_is_sent_at_most_thirty_times_a_second_and_again_while_it_stands() -> None:
    device = Device({"pressure": True, "range": [0, 12], "direction": "out"}, kind="meter")
    device.news()
    for step in range(100):
        device.set("/1", -60 + step / 2)
        device.wait(0.002)
    device.set("/1", 0)
    device.wait(METER_S)
    heard = device.news()
    assert 6 <= len(heard) <= 8
    assert heard[-1] == "d0 0c"
    device.wait(AGAIN_S)
    assert device.news() == ["d0 0c"]  # those of a Mackie Control fall by themselves
    device.set("/1", -60)
    device.wait(METER_S)
    assert device.news() == ["d0 00"]
    device.wait(2 * AGAIN_S)
    assert device.news() == []


def test_a_meter_in_a_bank_stands_at_its_strips_bottom_where_the_window_is_empty() -> None:
    device = Device({"pressure": True, "range": [32, 44], "direction": "out"}, controls=2, kind="meter")
    device.set("/1", 0.0)
    device.wait(0.1)
    assert device.news() == ["d0 20", "d0 2c"]
    device.wait(1)
    assert set(device.news()) == {"d0 2c"}, "it is told again, and nothing else"
    device.turn(3)
    device.wait(0.1)
    assert device.news() == ["d0 20"]
    device.wait(2)
    assert device.news() == []
