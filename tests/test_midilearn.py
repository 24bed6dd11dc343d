"""What a hand has just moved, from what devices really send."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.control import Control
from bridge.midi.codec import Assembler, Key, Parser
from bridge.midi.kind import KIND
from bridge.midi.learn import MAX_TRAILS, MAX_VALUES, Ear, Guess
from bridge.midi.settings import Settings

FADER = Control(path="/level")
NANO = Settings(name="nano", device="nano")


def listen(
    *messages: str, control: Control = FADER, component: int | None = None, settings: Settings = NANO, before: str = ""
) -> list[Guess]:
    """What is said of these messages, in hex; ``before`` came before anything was armed."""
    parser, assembler = Parser(), Assembler()
    for message in parser.feed(bytes.fromhex(before)):
        assembler.feed(message, 0.0)
    ear = Ear(control, component, settings)
    guesses = []
    for message in parser.feed(bytes.fromhex("".join(messages))):
        assembler.feed(message, 0.0)
        guess = ear.hear(message, assembler.parameter(message.channel))
        if guess is not None:
            guesses.append(guess)
            if guess.table is not None:
                break
    return guesses


def learn(*messages: str, **options: Any) -> dict[str, Any] | None:
    """The binding, once it is certain."""
    guesses = listen(*messages, **options)
    return None if not guesses or guesses[-1].table is None else dict(guesses[-1].table)


def cc(number: int, values: Iterable[int], channel: int = 1) -> str:
    return "".join(f"{0xAF + channel:02x}{number:02x}{value:02x}" for value in values)


def pairs(number: int, values: Iterable[int], *, lsb_first: bool = False) -> str:
    halves = [(f"b0{number:02x}{value >> 7:02x}", f"b0{number + 32:02x}{value & 127:02x}") for value in values]
    return "".join(low + high if lsb_first else high + low for high, low in halves)


def bend(values: Iterable[int], channel: int = 1) -> str:
    return "".join(f"{0xDF + channel:02x}{value & 127:02x}{value >> 7:02x}" for value in values)


MOVES = {
    "a fader of seven bits": (cc(7, range(20, 60, 3)), {"cc": 7}),
    "on another channel": (cc(7, range(20, 60, 3), channel=3), {"cc": 7, "channel": 3}),
    "a slow one, from the bottom": (cc(1, range(30)), {"cc": 1}),
    "one whose number could be a lower half": (cc(33, range(20, 60, 3)), {"cc": 33}),
    "a high number": (cc(77, [40, 44, 48]), {"cc": 77}),
    "fourteen bits": (pairs(7, range(2000, 9000, 700)), {"cc14": 7}),
    "fourteen bits, the lower half first": (pairs(0, range(2000, 9000, 700), lsb_first=True), {"cc14": 0}),
    "fourteen bits, slowly": (pairs(5, range(2000, 2200, 25)), {"cc14": 5}),
    "nrpn": ("b06301 b06202" + cc(6, [10, 20, 30]), {"nrpn": 130}),
    "nrpn in full each time": (
        "".join(f"b06301 b06202 b006{value:02x} b02600" for value in (10, 20, 30)),
        {"nrpn": 130},
    ),
    "rpn": ("b06500 b06401" + cc(6, [60, 62, 64]), {"rpn": 1}),
    "nrpn by steps": ("b06300 b06205" + cc(96, [0, 0, 0]), {"nrpn": 5}),
    "bend": (bend(range(8192, 12000, 500)), {"bend": True}),
    "a motor fader that says who touches it": (
        "90687f" + bend(range(100, 4000, 300)),
        {"bend": True, "touch": 104},
    ),
    "that on a channel of its own": (
        "906a7f" + bend(range(100, 4000, 300), channel=3),
        {"bend": True, "channel": 3, "touch": 106},
    ),
    "touch on a channel that a binding cannot say": ("916a7f" + cc(7, range(20, 60, 5)), {"cc": 7}),
    "aftertouch": ("d010 d020 d030 d040", {"pressure": True}),
    "a pad that says how hard": ("903c40 803c00", {"note": 60}),
    "a pad with aftertouch": ("903c40 d010 d020 d030 d040 803c00", {"note": 60}),
    "programs": ("c005", {"program": True}),
    "programs behind a choice of bank": ("b00001 b02002 c005", {"program": True}),
    "an encoder in two's complement": (cc(16, [1, 1, 1, 2, 127, 127]), {"cc": 16, "relative": "twos"}),
    "one that is turned to the left at once": (cc(16, [127, 127, 126, 127, 127]), {"cc": 16, "relative": "twos"}),
    "binary offset": (cc(16, [65, 65, 66, 65, 63, 63]), {"cc": 16, "relative": "offset"}),
    "sign and magnitude": (cc(16, [1, 1, 1, 65, 65]), {"cc": 16, "relative": "sign"}),
    "that the other way round": (cc(16, [65, 65, 65, 1, 1]), {"cc": 16, "relative": "sign2"}),
    "one that accelerates": (cc(16, [1, 2, 4, 4, 3, 3, 1, 126, 124, 127]), {"cc": 16, "relative": "twos"}),
    "with a clock in between": ("f8".join(f"b007{value:02x}" for value in range(20, 60, 5)), {"cc": 7}),
    "while another pot trembles": (
        "".join(f"b009{40 + value % 2:02x} b007{value:02x}" for value in range(20, 60)),
        {"cc": 7},
    ),
}


@pytest.mark.parametrize("name", MOVES)
def test_a_move_is_recognised(name: str) -> None:
    messages, table = MOVES[name]
    assert learn(messages) == table


UNCERTAIN = {
    "a pot that trembles": cc(7, [40, 41] * 20),
    "an encoder in one direction": cc(16, [1, 1, 1, 1, 2]),
    "a fader in the steps of an encoder": cc(16, range(1, 15)),
    "a finger on a motor fader": "90687f 906800",
    "a lower half alone": cc(39, [10, 20, 30]),
    "a bank alone": "b00001 b02002",
    "a selection alone": "b06301 b06202",
    "what no binding can say": "a03c40 f000206633f7 f8 fe fa",
}


@pytest.mark.parametrize("name", UNCERTAIN)
def test_nothing_is_learnt_of_what_is_not_certain(name: str) -> None:
    assert learn(UNCERTAIN[name]) is None


def test_an_nrpn_that_was_selected_before_is_known() -> None:
    assert learn(cc(6, [10, 20, 30]), before="b06301b06202") == {"nrpn": 130}


def test_an_encoder_is_to_be_turned_back() -> None:
    said = listen(cc(16, [1, 1, 1]))
    assert said[-1].text == "nano: cc 16 on channel 1: an encoder. Now turn it to the left."


@pytest.mark.parametrize("kind", ["bool", "trigger"])
def test_a_button_is_known_by_its_press(kind: Any) -> None:
    control = Control(path="/go", kind=kind)
    assert learn("902464", control=control) == {"note": 36}
    assert learn("992464", control=control) == {"note": 36, "channel": 10}
    assert learn("b0147f", control=control) == {"cc": 20}
    assert learn("b01400", control=control) is None
    assert learn("b06301 b06202 b0067f", control=control) is None  # an NRPN is no button


def test_a_program_fires_a_trigger_and_is_nothing_to_a_bool() -> None:
    assert learn("c005", control=Control(path="/go", kind="trigger")) == {"program": 5}
    (said,) = listen("c005", control=Control(path="/on", kind="bool"))
    assert said.is_refused
    assert said.text == "nano: program on channel 1: a bool is a button: write note or cc"


def test_what_does_not_suit_is_refused_and_another_move_is_taken() -> None:
    control = Control(path="/scene", kind="choice", choices=("a", "b"))
    said = listen("903c40 803c00", cc(7, [20, 40, 60]), control=control)
    assert [one.is_refused for one in said if one.is_refused] == [True]
    assert said[-1].table == {"cc": 7}


def test_a_number_of_a_vector_is_named() -> None:
    control = Control(path="/xy", kind="vector")
    assert learn(cc(7, [20, 40, 60]), control=control, component=1) == {"cc": 7, "component": 1}


def test_what_cannot_be_turned_is_no_encoder() -> None:
    assert learn(cc(16, [1, 1, 1, 65, 65]), control=Control(path="/push", momentary=True)) is None
    assert learn(cc(16, [1, 1, 1, 65, 65]), control=Control(path="/vu", kind="meter")) is None


def test_a_part_of_the_profile_is_called_by_its_name() -> None:
    parts = [
        {"name": "fader{n}", "repeat": 8, "bend": True, "channel": "{n}", "touch": "{n0+104}"},
        {"name": "pot{n}", "repeat": 8, "bindings": [
            {"cc": "{n0+16}", "relative": "sign", "direction": "in"}, {"cc": "{n0+48}", "direction": "out"},
        ]},
        {"name": "play", "note": 94},
    ]  # fmt: skip
    desk = Settings.model_validate({"name": "mcu", "device": "mcu", "part": parts})
    assert learn("906a7f" + bend(range(100, 4000, 300), channel=3), settings=desk) == {"part": "fader3"}
    assert learn(cc(17, [1, 1, 1]), settings=desk) == {"part": "pot2"}  # whichever way it is turned
    assert learn("905e7f", settings=desk, control=Control(path="/play", kind="trigger")) == {"part": "play"}
    assert learn("905d7f", settings=desk, control=Control(path="/stop", kind="trigger")) == {"note": 93}
    assert learn(cc(49, range(20, 60, 3)), settings=desk) == {"cc": 49}  # a ring is not turned


def test_parts_of_the_profiles_that_come_with_it_are_learnt() -> None:
    def of(profile: str) -> Settings:
        assert KIND.complete is not None
        table = {"name": "desk", "device": "desk", "profile": profile}
        return Settings.model_validate(KIND.complete(table, Path()).table)

    mcu = of("mcu")
    assert learn("906a7f" + bend(range(100, 4000, 300), channel=3), settings=mcu) == {"part": "fader3"}
    assert learn(cc(17, [1, 1, 1]), settings=mcu) == {"part": "vpot2"}
    assert learn("90107f", settings=mcu, control=Control(path="/mute", kind="bool")) == {"part": "mute1"}
    nano = of("nanokontrol2")
    assert learn(cc(2, [40, 41] * 8), settings=nano) is None  # it trembles
    assert learn(cc(2, range(40, 50)), settings=nano) == {"part": "fader3"}


CONTROLS = [
    FADER,
    Control(path="/i", kind="int", range=(0, 10)),
    Control(path="/b", kind="bool"),
    Control(path="/m", kind="bool", momentary=True),
    Control(path="/t", kind="trigger"),
    Control(path="/c", kind="choice", choices=("a", "b", "c")),
    Control(path="/v", kind="meter"),
]


@given(st.binary(max_size=400), st.sampled_from(CONTROLS))
def test_any_bytes_are_survived_and_what_is_learnt_is_a_binding(data: bytes, control: Control) -> None:
    parser, assembler = Parser(), Assembler()
    ear = Ear(control, None, NANO)
    for message in parser.feed(data):
        assembler.feed(message, 0.0)
        guess = ear.hear(message, assembler.parameter(message.channel))
        assert guess is None or (guess.table is None) == (guess.binding is None)


def test_memory_is_bounded_whatever_comes() -> None:
    ear = Ear(FADER, None, NANO)
    for number in range(128):
        for channel in range(1, 17):
            for message in Parser().feed(bytes([0xAF + channel, number, 40, 0x8F + channel, number, 64])):
                ear.hear(message, None)
    for value in range(0, 16384, 8):
        for message in Parser().feed(bytes([0xB0, 6, value >> 7, 0xB0, 38, value & 127])):
            ear.hear(message, Key("nrpn", 1, value & 3))
    assert len(ear._trails) <= MAX_TRAILS
    assert len(ear.down) <= 16
    assert all(len(trail.values) <= MAX_VALUES for trail in ear._trails.values())
