"""``[[midi]]`` and ``[control.midi.NAME]``: what may be written, and what numbers become."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config.loading import parse
from bridge.control import Control
from bridge.errors import ConfigError
from bridge.midi.bind import Route, compile_route
from bridge.midi.codec import Key
from bridge.midi.devices import Place, bare, pick
from bridge.midi.kind import KIND
from bridge.midi.routes import RouteTable
from bridge.midi.settings import Binding, Settings
from bridge.store import Entry

DOC = Path(__file__).resolve().parent.parent / "docs" / "midi.md"
DEVICE = '[[midi]]\nname = "nano"\ndevice = "nano"\n'


def route(binding: dict[str, Any], settings: dict[str, Any] | None = None, **control: Any) -> Route:
    made = Control(**({"path": "/a"} | control))
    return compile_route(
        Entry(1, made, made.default, 1),
        Binding.model_validate(binding),
        Settings.model_validate({"name": "nano", "device": "nano"} | (settings or {})),
    )


def mistakes(text: str) -> list[str]:
    try:
        parse(text, {"midi": KIND})
    except ConfigError as exc:
        return [problem.render("c").removeprefix("c:") for problem in exc.problems]
    return []


# ---------------------------------------------------------------------------------- what may be written


def test_the_examples_of_the_manual_are_right() -> None:
    examples = re.findall(r"```toml\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    whole = [text for text in examples if "[[midi]]" in text]
    assert whole
    for text in whole:
        assert parse(text, {"midi": KIND}, name="docs/midi.md").peers[0].bindings


def test_placeholders_count_messages() -> None:
    config = parse(DEVICE + '[[control]]\nrepeat = 3\npath = "/{n}"\nmidi.nano = { cc = "{n0+16}" }', {"midi": KIND})
    keys = [binding.key(2) for (binding,) in config.peers[0].bindings.values()]
    assert keys == [Key("cc", 2, 16), Key("cc", 2, 17), Key("cc", 2, 18)]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", 'midi[0]: says no port: write device = "part of its name" (`stagebridge midi` lists them)'),
        ("device = ''", 'device = "": must be 1–120 characters of a port\'s name: `stagebridge midi` lists them'),
        ("in = true", "in = true: must be a part of a port's name, or false for none"),
        ("device = 'x'\nchannel = 17", "channel = 17: must be 1–16"),
        ("device = 'x'\nrate = 0", "rate = 0: must be 1–100000"),
        ("device = 'x'\nvirtual = true\nindex = 2", "exact and index choose among others' ports"),
        ("in = 'x'\nfeedback = 'off'", "has no port to send to: feedback does nothing"),
        ("out = 'x'\ntakeover = 'pickup'", "has no port that we hear: takeover does nothing"),
        ("device = 'x'\necho_tolerance = 0.1", 'echo_tolerance is for echoes = "yes"'),
        (
            "device = 'x'\ntakeover = 'jmp'",
            'takeover = "jmp": must be "jump", "pickup" or "scale" (did you mean "jump"?)',
        ),
        ("device = 'x'\nmirror = true", "mirror = true: unknown key"),
    ],
)
def test_a_mistake_in_a_device_is_told(table: str, said: str) -> None:
    (found,) = mistakes(f'[[midi]]\nname = "a"\n{table}')
    assert said in found


@pytest.mark.parametrize(
    ("control", "binding", "said"),
    [
        ("", "", "says no message: write one of note, cc, cc14, nrpn, rpn, bend, program, pressure"),
        ("", "cc = 1, note = 2", "note and cc stand together: one message carries one value"),
        ("", "cc = 128", "cc = 128: must be 0–127"),
        ("", "cc14 = 32", "cc14 = 32: must be 0–31"),
        ("", "bend = false", "bend = false: must be true"),
        ("", "cc = 1, range = [0, 128]", "range = [0, 128]: cc has 0…127"),
        ("", "cc = 1, range = [5, 5]", "both ends are the same"),
        ("", "cc = 1, curve = 'log'", "a log curve needs a range above 0, not [0, 127]"),
        ("", "cc = 1, mode = 'toggle'", "toggle is for a bool, not a float"),
        ("", "cc = 1, mode = 'velocity'", "velocity is for a number on a note"),
        ("", "bend = true, relative = 'twos'", "is for a cc"),
        ("", "cc = 1, step = 0.1", "is for an encoder: write relative too"),
        ("", "cc = 1, on = 3", "is for a button's LED"),
        ("", "cc = 1, component = 0", "a float has none"),
        ("", "cc = 1, direction = 'out', takeover = 'pickup'", "is for a fader that is heard"),
        ("", "cc = 1, direction = 'in', feedback = 'always'", "nothing is sent"),
        ("", "program = 5", "a number is for a trigger; a float follows them all with true"),
        ("kind = 'string'", "cc = 1", "a string cannot be carried by MIDI messages"),
        ("kind = 'bool'", "bend = true", "a bool is a button: write note or cc"),
        ("kind = 'bool'", "cc = 1, range = [0, 1]", "a bool has none"),
        ("kind = 'bool'", "cc = 1, touch = 3", "is for a fader"),
        ("kind = 'bool'\nmomentary = true", "cc = 1, mode = 'toggle'", "a momentary control is on while"),
        ("kind = 'trigger'", "program = true", "write the number of the program that fires it"),
        ("kind = 'vector'", "cc = 1", "is required: a message carries one number of a vector"),
        ("kind = 'vector'", "cc = 1, component = 2", "2: is none of 0…1"),
        ("kind = 'choice'\nchoices = ['a', 'b']", "note = 1", "a choice needs a message that carries a number"),
        ("", "cc = 1, acceleration = 4", "is for an encoder: write relative too"),
        ("", "cc = 1, relative = 'twos', acceleration = 0.5", "acceleration = 0.5: must be"),
        ("", "clock = 'tempo', direction = 'in'", "a tempo needs a range of beats a minute: range = [20, 300]"),
        ("range = [20, 300]", "clock = 'tempo'", 'is required: "in": we follow its clock; "out": it follows ours'),
        ("range = [20, 300]", "clock = 'beat', direction = 'out'", "a beat is only heard"),
        ("kind = 'bool'", "clock = 'start'", "start is a trigger"),
        ("kind = 'trigger'", "clock = 'running'", "running is a bool"),
        ("kind = 'string'", "clock = 'tempo'", "tempo is a float or an int"),
        ("kind = 'bool'", "clock = 'running', channel = 3", "a clock has none"),
        ("", "clock = 'bpm'", 'must be "tempo", "running"'),
    ],
)
def test_a_mistake_in_a_binding_is_told(control: str, binding: str, said: str) -> None:
    (found,) = mistakes(f'{DEVICE}[[control]]\npath = "/a"\n{control}\nmidi.nano = {{ {binding} }}')
    assert said in found


@pytest.mark.parametrize(
    ("device", "binding", "said"),
    [
        ("out = false\n", "cc = 1, direction = 'out'", "nano has no port to send to"),
        ("out = false\n", "cc = 1, feedback = 'always'", "nano has no port to send to"),
        ("out = false\n", "cc = 1, relative = 'sign', ring = 'dot'", "nano has no port to send to"),
        ("in = false\n", "cc = 1, direction = 'in'", "nano has no port that we hear"),
        ("in = false\n", "cc = 1, takeover = 'pickup'", "nano has no port that we hear"),
    ],
)
def test_a_binding_without_a_port_for_it_is_told(device: str, binding: str, said: str) -> None:
    (found,) = mistakes(f'{DEVICE}{device}[[control]]\npath = "/a"\nmidi.nano = {{ {binding} }}')
    assert said in found


# ---------------------------------------------------------------------------------- values ↔ numbers

KEYS = [
    {"cc": 1},
    {"cc14": 1},
    {"bend": True},
    {"cc": 1, "range": [100, 10]},
    {"cc": 1, "range": [1, 127], "curve": "log"},
]
CONTROLS: list[dict[str, Any]] = [
    {},
    {"range": (20, 20000), "curve": "log"},
    {"range": (-90, 10), "curve": "db"},
    {"range": (-1, 1)},
    {"kind": "choice", "choices": ("a", "b", "c", "d")},
]


@given(st.sampled_from(KEYS), st.sampled_from(CONTROLS), st.floats(0, 1))
def test_every_number_comes_back_as_it_is(binding: dict[str, Any], control: dict[str, Any], part: float) -> None:
    """What a device says, we would say too: else it would be told otherwise, and a motor would twitch."""
    made = route(binding, **control)
    wire = made.low + round(part * (made.high - made.low))
    if control.get("kind") != "choice":
        assert made.to_wire(made.entry.control.coerce(made.raw(wire))) == wire
    else:
        assert made.raw(made.to_wire(made.raw(wire))) == made.raw(wire)


def test_64_and_8192_are_the_centre() -> None:
    pan = {"range": (-1, 1)}
    assert route({"cc": 10}, **pan).raw(64) == 0.0
    assert route({"bend": True}, **pan).raw(8192) == 0.0
    assert route({"bend": True}, **pan).to_wire(0.0) == 8192
    assert [route({"cc": 10}, **pan).raw(end) for end in (0, 127)] == [-1.0, 1.0]


def test_the_top_of_a_bend_is_the_devices() -> None:
    fader = route({"bend": True}, {"bend_top": 15935})
    assert (fader.to_wire(1.0), fader.raw(15935), fader.raw(16383)) == (15935, 1.0, 1.0)


def test_a_program_is_the_index_of_a_choice() -> None:
    made = route({"program": True}, kind="choice", choices=("a", "b", "c"))
    assert [made.raw(number) for number in range(3)] == ["a", "b", "c"]
    assert route({"program": True}, kind="int", range=(0, 99)).to_wire(42) == 42


def test_a_momentary_number_comes_to_rest_though_its_wire_is_coarse() -> None:
    made = route({"cc": 1}, momentary=True, rest=0.3)
    assert made.raw(made.to_wire(0.3)) == 0.3


def test_an_encoder_passes_a_grid_that_is_coarser_than_its_step() -> None:
    made = route({"cc": 1, "relative": "twos"}, step=0.25)
    assert made.turned(0.5, 1) == 0.75
    assert made.turned(0.5, -1) == 0.25
    assert made.turned(1.0, 5) == 1.0


def test_routes_are_found_by_what_they_hear_and_forgotten_with_their_control() -> None:
    table, one, two = RouteTable(), route({"cc": 1, "touch": 9}), route({"cc": 1, "direction": "out"})
    table.add(one)
    table.add(two)
    assert table.heard == {Key("cc", 1, 1): (one,)}
    assert table.touches == {Key("note", 1, 9): (one,)}
    assert table.speakers == {1: (one, two)}
    table.remove(one)
    table.remove(two)
    assert (table.heard, table.touches, table.speakers, list(table)) == ({}, {}, {}, [])


# ---------------------------------------------------------------------------------- names of ports

NAMES = ["Midi Through:Midi Through Port-0 14:0", "nano:nano CTRL 20:0", "nano2:nano2 CTRL 24:0", "stagebridge nano:in"]


@pytest.mark.parametrize(
    ("wanted", "exact", "index", "number"),
    [
        ("through", False, 1, 0),
        ("nano", False, 1, 1),
        ("NANO", False, 2, 2),
        ("nano", False, 3, None),  # our own is none
        ("nano:nano ctrl", True, 1, 1),
        ("nano", True, 1, None),
        ("stagebridge nano", False, 1, 3),
        ("zzz", False, 1, None),
    ],
)
def test_a_port_is_found_by_its_name(wanted: str, exact: bool, index: int, number: int | None) -> None:
    place = pick(NAMES, wanted, exact, index)
    assert (None if place is None else NAMES.index(place.name)) == number


def test_a_port_is_kept_wherever_it_stands_and_that_of_a_twin_is_not_taken() -> None:
    two = pick(["pad 20:0", "pad 24:0"], "pad", index=2)
    assert two is not None
    assert pick(["new 16:0", "pad 24:0"], "pad", index=2, kept=two) == two
    assert pick(["pad 24:0"], "pad", taken=[two]) is None
    assert pick(["pad 24:0", "pad 28:0"], "pad", taken=[two]) == Place("pad 28:0")
    assert pick(["pad", "pad"], "pad", index=2) == Place("pad", 1, 2)  # macOS gives twins the same name
    assert pick(["pad"], "pad", kept=Place("pad", 0, 2)) == Place("pad")  # nobody knows which of them has gone


def test_a_name_on_windows_does_not_say_how_many_are_before_it() -> None:
    assert [bare(name, at) for at, name in enumerate(["pad 0", "nano 2 1", "pad 2"])] == ["pad", "nano 2", "pad"]
