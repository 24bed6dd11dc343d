"""``[[bank]]``: what may be written, and what becomes of it."""

import re
from pathlib import Path

import pytest

from bridge.bank import Seat
from bridge.config.loading import parse
from bridge.config.settings import Config
from bridge.errors import ConfigError
from bridge.midi.codec import Key
from bridge.midi.kind import KIND
from bridge.midi.settings import Binding
from bridge.osc.port import KIND as OSC

KINDS = {"midi": KIND, "osc": OSC}
MCU = """[[midi]]
name = "mcu"
device = "mcu"
[[midi]]
name = "xt"
device = "xt"
[[control]]
repeat = 20
path = "/mixer/{n}/volume"
[[control]]
repeat = 20
path = "/mixer/{n}/mute"
kind = "bool"
"""
BANK = '[[bank]]\nname = "mixer"\nstrips = 20\n'
FADERS = '[[bank.midi.mcu]]\npath = "/mixer/{n}/volume"\nbend = true\nchannel = "{s}"\n'
NO_SUCH = (
    '18: bank[0].midi.mcu[0].path = "/mixer/{n}/volum": no such control in this file (did you mean "/mixer/1/volume"?)'
)


def read(text: str) -> Config:
    return parse(MCU + text, KINDS)


def mistakes(text: str) -> list[str]:
    """Of the text below MCU, which begins in line 14."""
    with pytest.raises(ConfigError) as caught:
        read(text)
    return [problem.render("c").removeprefix("c:") for problem in caught.value.problems]


def test_every_strip_has_its_window_and_its_place_on_the_hardware() -> None:
    config = read(BANK + FADERS + '[[bank.midi.mcu]]\npath = "/mixer/{n}/mute"\nnote = "{s0+16}"\n')
    mcu, xt = config.peers
    ((seat, binding),) = mcu.banked["/mixer/20/volume"]
    assert seat == Seat("/bank/mixer", 3, (0, 4))
    assert binding.key(1) == Key("bend", 4, 0)
    ((seat, binding),) = mcu.banked["/mixer/9/mute"]
    assert (seat, binding.key(1)) == (Seat("/bank/mixer", 2, (1, 1)), Key("note", 1, 16))
    assert len(mcu.banked) == 40
    assert not xt.banked
    (bank,) = config.banks
    assert (bank.path, bank.windows, bank.peers) == ("/bank/mixer", 3, ("mcu",))
    assert bank.strips[8] == ("/mixer/9/volume", "/mixer/9/mute")
    assert [control.path for control in config.controls[-3:]] == [
        "/bank/mixer", "/bank/mixer/next", "/bank/mixer/previous",
    ]  # fmt: skip
    assert config.surface.to_wire()["banks"] == [bank.to_wire()]
    assert "banks" not in read("").surface.to_wire()


def test_a_controller_and_its_extender_share_a_window() -> None:
    text = BANK.replace("20", "20\nsize = 16") + "\n".join(
        f'[[bank.midi.{name}]]\npath = "/mixer/{{n}}/volume"\nslots = [{first}, {first + 7}]\ncc = "{{s}}"\n'
        for name, first in (("mcu", 1), ("xt", 9))
    )
    mcu, xt = read(text).peers
    assert {path: seats[0][1].cc for path, seats in xt.banked.items()} == {
        f"/mixer/{n}/volume": n - 8 for n in range(9, 17)
    }
    ((seat, binding),) = mcu.banked["/mixer/17/volume"]
    assert (seat.window, binding.cc) == (2, 1)


def test_the_buttons_are_triggers_that_any_port_may_bind() -> None:
    config = read(
        BANK
        + FADERS
        + "[bank.next.midi.mcu]\nnote = 47\n[bank.previous.midi.mcu]\nnote = 46\n"
        + '[bank.next.osc.desk]\naddress = "/right"\n'
        + '[[osc]]\nname = "desk"\nsend = ["127.0.0.1:9"]\nmirror = false\n'
    )
    desk = next(peer for peer in config.peers if peer.name == "desk")
    mcu = next(peer for peer in config.peers if peer.name == "mcu")
    assert {path: made[0].note for path, made in mcu.bindings.items()} == {
        "/bank/mixer/next": 47,
        "/bank/mixer/previous": 46,
    }
    assert list(desk.bindings) == ["/bank/mixer/next"]


def test_strips_without_a_control_are_dark_and_no_mistake() -> None:
    config = read(BANK.replace("20", "32") + FADERS)
    assert config.banks[0].windows == 4
    assert config.banks[0].strips[20:] == ((),) * 12


def test_panic_may_turn_to_a_window() -> None:
    config = read(BANK + FADERS + '[panic]\n"/bank/mixer" = 1\n')
    assert config.panic == {"/bank/mixer": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[bank]\nname = 'a'",
            ["14: bank: there may be several of it: write [[bank]]", "14: bank[0].strips: is required"],
        ),
        ("[[bank]]", ["14: bank[0].name: is required", "14: bank[0].strips: is required"]),
        (
            '[[bank]]\nname = "a b"\nstrips = 0',
            [
                '15: bank[0].name = "a b": must be 1–60 letters, digits, - or _: it stands in addresses',
                "16: bank[0].strips = 0: must be 1–512",
            ],
        ),
        (BANK + 'part = "fader{s}"', [
            '17: bank[0].part = "fader{s}": unknown key (it belongs to a strip: write it below [[bank.midi.NAME]])'
        ]),
        (BANK + "siez = 4", ['17: bank[0].siez = 4: unknown key (did you mean "size"?)']),
        (BANK, ["14: bank[0]: has no strips (write [[bank.midi.NAME]])"]),
        (BANK + FADERS + BANK + FADERS, ['22: bank[1].name = "mixer": is the name of bank[0] already']),
        (
            BANK + FADERS + '[[control]]\npath = "/bank/mixer"',
            ['15: bank[0].name = "mixer": makes /bank/mixer, which is a [[control]] already'],
        ),
        (BANK + "[bank.osc.x]", ["17: bank[0].osc: has no banks (midi has)"]),
        (
            BANK + '[[bank.midi.mc]]\npath = "/mixer/{n}/volume"\ncc = "{s}"',
            ['17: bank[0].midi.mc: there is no [[midi]] with this name (did you mean "mcu"?)'],
        ),
        (BANK + "midi.mcu = false", ["17: bank[0].midi.mcu = false: must be tables: write [[bank.midi.mcu]]"]),
        (
            BANK + "midi = 3",
            ["17: bank[0].midi = 3: must be tables, one for each peer: [bank.midi.mcu]"],
        ),
        (BANK + "[[bank.midi.mcu]]\ncc = 3", ["17: bank[0].midi.mcu[0].path: is required"]),
        (
            BANK + FADERS.replace("volume", "volum"),
            [NO_SUCH],
        ),
        (
            BANK + FADERS.replace("{n}", "1"),
            [
                '18: bank[0].midi.mcu[0].path = "/mixer/1/volume": has no {n}: all strips would be one control'
            ],
        ),
        (
            BANK + FADERS.replace("{s}", "{n}"),
            ['20: bank[0].midi.mcu[0].channel = "{n}": no such placeholder: {n} (known here: {s}, {s0})'],
        ),
        (
            BANK + FADERS.replace("bend", "bnd"),
            [
                '19: bank[0].midi.mcu[0].bnd = true: unknown key (did you mean "bend"?; and 19 more of its copies)'
            ],
        ),
        (BANK + FADERS + "slots = [1, 9]", ["21: bank[0].midi.mcu[0].slots = [1, 9]: must be [first, last] of 1–8"]),
        (BANK + FADERS + "slots = [0, 8]", ["21: bank[0].midi.mcu[0].slots = [0, 8]: must be [first, last] of 1–8"]),
        (
            BANK + '[[bank.midi.mcu]]\npath = "/mixer/{n}/mute"\nbend = true',
            [
                "19: bank[0].midi.mcu[0].bend = true: a bool is a button: write note or cc (and 19 more of its copies)"
            ],
        ),
        (
            BANK + FADERS.replace("bend = true\nchannel = \"{s}\"", 'clock = "tempo"'),
            ['19: bank[0].midi.mcu[0].clock = "tempo": stands in no bank (write it below [control.midi.mcu])'],
        ),
        (BANK + FADERS + "[bank.next.midi.mcu]\nbend = true", [
            "22: bank[0].next.midi.mcu.bend = true: a trigger is a button: write note or cc"
        ]),
        (BANK + FADERS + "[bank.next.mdi.mcu]\nnote = 1", ['21: bank[0].next.mdi: is no port (did you mean "midi"?)']),
        (BANK + "next = 3", ["17: bank[0].next = 3: must be a table"]),
    ],
)  # fmt: skip
def test_a_mistake_in_a_bank_is_told(text: str, said: list[str]) -> None:
    assert mistakes(text) == said


def test_the_example_of_the_manual_is_right() -> None:
    doc = (Path(__file__).resolve().parent.parent / "docs" / "midi.md").read_text(encoding="utf-8")
    (text,) = (one for one in re.findall(r"```toml\n(.*?)```", doc, re.DOTALL) if "[[bank]]" in one)
    config = parse(text, KINDS, name="docs/midi.md")
    assert config.banks[0].windows > 1
    assert all(isinstance(binding, Binding) for seats in config.peers[0].banked.values() for _, binding in seats)
