"""Profiles of controllers: names for what is on them, and what a binding that names a part becomes."""

import contextlib
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import resources
from bridge.config.loading import load, parse
from bridge.control import Control
from bridge.errors import BadControl, ConfigError
from bridge.midi.bind import Route, compile_routes
from bridge.midi.codec import Key
from bridge.midi.kind import KIND
from bridge.midi.profile import PROFILES
from bridge.midi.settings import SHIPPED, Binding, Settings
from bridge.store import Entry

from .profiles import settings_of
from .test_midibank import Device

FOLDER = resources.profiles_dir() / "midi"
PEER = '[[midi]]\nname = "it"\ndevice = "it"\n'


def routes(binding: dict[str, Any], profile: str | None = "mcu", parts: Any = (), **control: Any) -> list[Route]:
    made = Control(**({"path": "/a"} | control))
    table: dict[str, Any] = {"name": "it", "device": "it", "part": list(parts)}
    settings = settings_of(PROFILES, table | ({"profile": profile} if profile else {}))
    return compile_routes(Entry(1, made, made.default, 1), Binding.model_validate(binding), settings)


def mistakes(text: str, folder: Path | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, {"midi": KIND}, folder)
    return [problem.render("c").replace(f"{folder}/", "") for problem in caught.value.problems]


# ---------------------------------------------------------------------------------- files


def test_every_profile_that_is_named_in_the_schema_is_there_and_without_mistakes(tmp_path: Path) -> None:
    assert sorted(SHIPPED) == PROFILES.names(tmp_path)
    for path in FOLDER.iterdir():
        profile, problems = PROFILES.read(path)
        assert problems == []
        assert profile.description, path.name
        assert Settings.model_validate(PROFILES.merge({"name": "it", "device": "it"}, profile.defaults)).parts


def test_a_profile_of_ones_own_stands_beside_the_configuration_and_is_none_of_osc(tmp_path: Path) -> None:
    (tmp_path / "profiles" / "midi").mkdir(parents=True)
    (tmp_path / "profiles" / "midi" / "box.toml").write_text(
        'device = "Box"\nchannel = 3\n[[part]]\nname = "knob{n}"\nrepeat = 2\ncc = "{n0+20}"\n'
    )
    file = tmp_path / "config.toml"
    file.write_text(
        '[[midi]]\nname = "box"\nprofile = "box"\n'
        '[[control]]\nrepeat = 2\npath = "/{n}"\nmidi.box = { part = "knob{n}" }\n'
    )
    (peer,) = load(file, {"midi": KIND}).peers
    assert (peer.settings.device, peer.settings.profile) == ("Box", "box")
    made = [
        compile_routes(Entry(1, Control(path="/a"), 0.0, 1), peer.bindings[f"/{n}"][0], peer.settings) for n in (1, 2)
    ]
    assert [route.key for (route,) in made] == [Key("cc", 3, 20), Key("cc", 3, 21)]
    assert mistakes('[[midi]]\nname = "a"\nprofile = "bix"', tmp_path) == [
        'c:3: midi[0].profile = "bix": no such profile (did you mean "box"?)',
    ]


def test_mistakes_in_parts_are_told_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "profiles" / "midi").mkdir(parents=True)
    (tmp_path / "profiles" / "midi" / "bad.toml").write_text(
        'part = [\n  { name = "a", note = 200 },\n  { name = "b{n}", repeat = 2, cc = "{m}" },\n'
        '  { name = "c", repeat = 2, cc = 1 },\n  { name = "d", notte = 1 },\n  { name = "e", part = "a" },\n]\n'
    )
    assert mistakes('[[midi]]\nname = "a"\ndevice = "a"\nprofile = "bad"', tmp_path) == [
        "profiles/midi/bad.toml:2: part[0]: a: note: must be 0–127",
        "profiles/midi/bad.toml:3: part[1]: cc: no such placeholder: {m}",
        "profiles/midi/bad.toml:4: part[2]: c is there twice: write {n} into its name",
        "profiles/midi/bad.toml:5: part[3]: d: notte: unknown key",
        "profiles/midi/bad.toml:6: part[4]: part: is for a control's binding",
    ]
    assert mistakes(PEER + '[[midi.part]]\nname = "a"\ncc = 1\n[[midi.part]]\nname = "b"\ncc = 128\n') == [
        "c:7: midi[0].part[1]: b: cc: must be 0–127"
    ]


# ---------------------------------------------------------------------------------- bindings that name a part


def test_a_part_is_the_messages_that_the_profile_says() -> None:
    (fader,) = routes({"part": "fader3"})
    assert (fader.key, fader.touched_by) == (Key("bend", 3), Key("note", 1, 106))
    (mute,) = routes({"part": "mute8"}, kind="bool")
    assert mute.key == Key("note", 1, 23)


def test_what_is_written_beside_a_part_beats_the_profile() -> None:
    (fader,) = routes({"part": "fader1", "range": [16383, 0], "feedback": "always"})
    assert (fader.to_wire(0.0), fader.feedback) == (16383, "always")
    (heard,) = routes({"part": "fader1", "direction": "in"})
    assert not heard.speaks


def test_a_key_goes_to_those_messages_of_a_part_that_it_suits() -> None:
    knob = {
        "name": "knob",
        "bindings": [{"cc": 1, "relative": "sign", "direction": "in"}, {"cc": 2, "direction": "out"}],
    }
    turn, ring = routes({"part": "knob", "step": 0.05, "range": [1, 11]}, None, [knob])
    assert (turn.step, turn.hears, turn.speaks) == (0.05, True, False)
    assert (ring.low, ring.high, ring.hears, ring.speaks) == (1, 11, False, True)
    assert [route.key.number for route in routes({"part": "knob", "direction": "out"}, None, [knob])] == [2]
    with pytest.raises(BadControl, match="is for a fader that is heard"):
        routes({"part": "knob", "settle_ms": 5}, None, [knob])


def test_a_part_of_the_peers_own_beats_its_profiles() -> None:
    (fader,) = routes({"part": "fader1"}, "mcu", [{"name": "fader1", "cc": 7}])
    assert fader.key == Key("cc", 1, 7)


def test_a_part_that_is_not_there_or_does_not_suit_is_told() -> None:
    control = '[[control]]\npath = "/a"\n'
    mcu = PEER + 'profile = "mcu"\n' + control
    assert mistakes(mcu + 'midi.it = { part = "fadr1" }') == [
        'c:7: control[0].midi.it.part = "fadr1": it has no such part: did you mean "fader1"?'
    ]
    assert mistakes(mcu + 'kind = "bool"\nmidi.it = { part = "fader1" }') == [
        'c:8: control[0].midi.it.part = "fader1": a bool is a button: write note or cc'
    ]
    assert mistakes(mcu + 'midi.it = { part = "vpot1", direction = "out", feedback = "off", takeover = "jump" }')
    assert mistakes(mcu + 'midi.it = { part = "fader1", cc = 1 }') == [
        "c:7: control[0].midi.it: part and cc stand together: the part says which message it is"
    ]
    assert mistakes(PEER + control + 'midi.it = { part = "fader1" }') == [
        'c:6: control[0].midi.it.part = "fader1": it has no parts: write profile below its [[midi]]'
    ]


# ---------------------------------------------------------------------------------- what ours know


GOLDEN = {
    "mcu": {
        "fader1": ["bend on channel 1"],
        "fader8": ["bend on channel 8"],
        "master": ["bend on channel 9"],
        "vpot8": ["cc 23 on channel 1", "cc 55 on channel 1"],
        "rec1": ["note 0 on channel 1"],
        "solo1": ["note 8 on channel 1"],
        "mute1": ["note 16 on channel 1"],
        "select8": ["note 31 on channel 1"],
        "push8": ["note 39 on channel 1"],
        "bank_left": ["note 46 on channel 1"],
        "rewind": ["note 91 on channel 1"],
        "play": ["note 94 on channel 1"],
        "record": ["note 95 on channel 1"],
        "display8": ["sysex 00 00 66 14 12 31", "sysex 00 00 66 14 12 69"],
        "meter8": ["pressure on channel 1"],
    },
    "nanokontrol2": {
        "fader8": ["cc 7 on channel 1"],
        "knob1": ["cc 16 on channel 1"],
        "solo8": ["cc 39 on channel 1"],
        "mute8": ["cc 55 on channel 1"],
        "rec8": ["cc 71 on channel 1"],
        "play": ["cc 41 on channel 1"],
        "marker_right": ["cc 62 on channel 1"],
    },
    "launchcontrol-xl": {
        "send_a1": ["cc 13 on channel 9"],
        "send_b8": ["cc 36 on channel 9"],
        "pan1": ["cc 49 on channel 9"],
        "fader8": ["cc 84 on channel 9"],
        "focus4": ["note 44 on channel 9"],
        "focus5": ["note 57 on channel 9"],
        "control4": ["note 76 on channel 9"],
        "control8": ["note 92 on channel 9"],
        "right": ["cc 107 on channel 9"],
        "light_a8": ["sysex 00 20 29 02 11 78 08 07"],
        "light_b8": ["sysex 00 20 29 02 11 78 08 0f"],
        "light_pan8": ["sysex 00 20 29 02 11 78 08 17"],
    },
    "x-touch-mini": {
        "encoder8": ["cc 8 on channel 11"],
        "push1": ["note 0 on channel 11"],
        "button16": ["note 23 on channel 11", "note 15 on channel 1"],
        "fader": ["cc 9 on channel 11"],
        "encoder_b1": ["cc 11 on channel 11"],
        "button_b16": ["note 47 on channel 11"],
    },
}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_parts_of_our_profiles_are_the_messages_of_the_makers_tables(name: str) -> None:
    settings = settings_of(PROFILES, {"name": "it", "device": "it", "profile": name})
    for part, messages in GOLDEN[name].items():
        found = settings.parts[part]
        heads = [f"sysex {each.sysex.hex(' ')}" if each.sysex else str(each.key(settings.channel)) for each in found]
        assert heads == messages, part


@pytest.mark.parametrize("name", SHIPPED)
def test_every_part_of_our_profiles_suits_some_control(name: str) -> None:
    settings = settings_of(PROFILES, {"name": "it", "device": "it", "profile": name})
    kinds: list[dict[str, Any]] = [{}, {"kind": "bool"}, {"kind": "meter"}]
    for part in settings.parts:
        for kind in kinds:
            made = Control(path="/a", **kind)
            with contextlib.suppress(BadControl):
                compile_routes(Entry(1, made, made.default, 1), Binding(part=part), settings)
                break
        else:
            pytest.fail(f"{part} suits nothing")


def test_no_two_parts_of_one_strip_are_the_same_message() -> None:
    for name in SHIPPED:
        settings = settings_of(PROFILES, {"name": "it", "device": "it", "profile": name})
        heard = Counter(
            each.key(settings.channel) for part in settings.parts.values() for each in part if each.direction != "out"
        )
        assert [key for key, count in heard.items() if count > 1] == []


def test_an_mcus_parts_override_rows_rings_and_leds() -> None:
    turn, ring = routes({"part": "vpot1", "ring": "pan", "step": 0.02})
    assert (turn.step, ring.to_wire(0.5)) == (0.02, 0x16)
    upper, lower = routes({"part": "display1"}, label="Kick")
    assert (upper.shown, lower.shown) == (b"Kick   ", b"0.00   ")
    (group,) = routes({"part": "upper1", "text": "group"}, group="Drums")
    assert group.shown == b"Drums  "
    (rec,) = routes({"part": "rec1", "leds": [0, 1, 127]}, kind="choice", choices=("off", "armed", "on"))
    assert rec.to_wire("armed") == 1
    (blinks,) = routes({"part": "rec1", "on": 1}, kind="bool")
    assert blinks.to_wire(True) == 1


def test_a_profile_leaves_out_what_a_peer_cannot_use() -> None:
    def made(**table: Any) -> Settings:
        return settings_of(PROFILES, {"name": "it", "profile": "launchcontrol-xl", **table})

    assert made().in_port == made().out_port == "Launch Control XL"
    assert len(made().hello) == 2
    assert (made(out=False).out_port, made(out=False).hello) == (None, ())
    assert (len(made(**{"in": False}).hello), made(**{"in": False}).mode) == (2, ())
    assert made(virtual=True).in_port == "it"
    assert made(virtual=True, out=False).hello == ()
    assert made(mode=[{"looks_like": "x", "sends": ["bend"]}]).mode[0].looks_like == "x"


@pytest.mark.parametrize("raw", ["note x", "cc 5-3", "cc 128", "bend 1", "cc on channel 17", "cc on channel 3-2", 3])
def test_what_a_mode_sends_is_messages(raw: Any) -> None:
    with pytest.raises(ValueError, match=r"must be messages|numbers are 0–127"):
        Settings.model_validate({"name": "a", "device": "a", "mode": [{"looks_like": "x", "sends": [raw]}]})


@pytest.mark.parametrize("raw", ["", "b0 07", "b0 07 7f b0 07 7f", "07 7f", "zz", 3])
def test_hello_is_whole_messages_in_hex(raw: Any) -> None:
    with pytest.raises(ValueError, match="must be one message in hex"):
        Settings.model_validate({"name": "a", "device": "a", "hello": [raw]})


@pytest.mark.parametrize("name", SHIPPED)
def test_the_manual_names_the_parts_that_there_are(name: str) -> None:
    docs = (Path(__file__).resolve().parent.parent / "docs" / "midi.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| `{name}` \|(.*)$", docs, re.MULTILINE)
    parts = settings_of(PROFILES, {"name": "it", "device": "it", "profile": name}).parts
    written = {word.rstrip("0123456789…") for word in re.findall(r"`([a-z_0-9…]+)`", row.split("|")[1])} - {""}
    known = {part.rstrip("0123456789") for part in parts}
    assert written <= known
    assert name == "mcu" or written == known


# ---------------------------------------------------------------------------------- wrong modes


STRANGE = {
    "mcu": (["b0 46 10"], "this looks like its MIDI mode, or another preset: choose MC", ["e0 00 00"]),
    "nanokontrol2": (["e0 00 10", "90 10 7f"], "this looks like its DAW mode: hold SET MARKER and CYCLE", ["b0 00 10"]),
    "launchcontrol-xl": (["b0 0d 10"], "this looks like one of its user templates", ["b8 0d 10"]),
    "x-touch-mini": (["b0 10 01", "e8 00 10"], "this looks like its MC mode: hold its MC button", ["ba 01 10"]),
}
"""By profile: what it sends in a wrong mode, what is said of it, and what it sends in the right one."""


def device_of(name: str) -> Device:
    """A controller of which one part is bound."""
    profile, _ = PROFILES.read(FOLDER / f"{name}.toml")
    part = {"launchcontrol-xl": "send_a1", "x-touch-mini": "encoder1"}.get(name, "fader1")
    return Device({"part": part}, **profile.defaults)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_wrong_mode_is_named_and_over_with_a_message_of_the_right_one(name: str) -> None:
    wrong, said, right = STRANGE[name]
    device = device_of(name)
    device.hear(*wrong * 8)
    assert device.peer.looks_like.startswith(said)
    device.hear(*right)
    assert device.peer.looks_like == ""


def test_what_its_parts_send_is_no_wrong_mode_though_nobody_bound_them() -> None:
    device = device_of("nanokontrol2")
    device.hear(*["b0 10 20", "b0 20 7f", "b0 2a 7f"] * 10)
    assert device.peer.looks_like == ""
    device.hear(*["e0 00 20"] * 7)
    assert device.peer.looks_like == ""
    device.hear("e0 00 20")
    assert device.peer.looks_like.startswith("this looks like its DAW mode: hold SET MARKER")


def test_a_wrong_mode_is_over_with_what_it_does_not_send() -> None:
    device = device_of("nanokontrol2")
    device.hear(*["90 10 7f"] * 8)
    device.hear("b0 10 01")  # a knob: in both modes
    assert "DAW mode" in device.peer.looks_like
    device.hear("b0 00 01")
    assert device.peer.looks_like == ""
    device.hear(*["90 10 7f"] * 8)
    assert "DAW mode" in device.peer.looks_like


def test_the_first_mode_that_sends_it_is_meant() -> None:
    device = device_of("nanokontrol2")
    device.hear(*["90 00 7f", "b3 10 7f"] * 7)
    assert device.peer.looks_like == ""
    device.hear("b3 10 7f")
    assert "a scene of its owner" in device.peer.looks_like


KEYS = [field.alias or name for name, field in Settings.model_fields.items()]
BINDING_KEYS = list(Binding.model_fields)
JUNK = [
    "1", "0", "-5", "1e9", "nan", "true", "false", '""', '"x"', '"{n}"', '"b0 07 7f"', '"mcu"', '"own"', "[]", "[1]",
    '["b0 07 7f"]', "[0, 127]", '[{ name = "x{n}", repeat = 2, cc = "{n}" }]', '[{ name = "x", bindings = [{}] }]',
    '[{ name = "x", each = { n = 3 }, note = 1 }]', '[{ looks_like = "x", sends = ["bend"] }]', '"fader1"', '"dot"',
    '[{ name = "x", bindings = [{ sysex = "01", text = "value" }, { cc = 1, relative = "sign" }] }]', '"in"', '"out"',
    '[{ name = "x", repeat = 99999999999999999999, cc = 1 }]', "[[]]", "{ a = 1 }", "1979-05-27", '"\\u0000"',
    '"label"', '"value"', "[0, 1, 127]", '"01"',
]  # fmt: skip


@settings(max_examples=40)
@given(st.data())
def test_whatever_stands_in_a_table_its_profile_and_its_bindings_is_understood_or_told(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    def table(keys: list[str], most: int = 5) -> str:
        chosen = data.draw(st.lists(st.sampled_from(keys), unique=True, max_size=most))
        return "".join(f"{key} = {data.draw(st.sampled_from(JUNK))}\n" for key in chosen)

    folder = tmp_path_factory.getbasetemp() / "midi-junk"
    (folder / "profiles" / "midi").mkdir(parents=True, exist_ok=True)
    (folder / "profiles" / "midi" / "own.toml").write_text(table([*KEYS, "description"]), encoding="utf-8")
    profile = data.draw(st.sampled_from(["own", *SHIPPED]))
    text = f'[[midi]]\nname = "it"\ndevice = "it"\nprofile = "{profile}"\n'
    text += table([key for key in KEYS if key not in ("name", "device", "profile")], 3)
    kind = data.draw(st.sampled_from(["float", "int", "bool", "string", "vector", "trigger", "meter"]))
    text += f'[[control]]\npath = "/a"\nkind = "{kind}"\n[control.midi.it]\n{table(BINDING_KEYS)}'
    try:
        config = parse(text, {"midi": KIND}, folder)
    except ConfigError as exc:
        assert exc.problems
        assert "Traceback" not in str(exc)
    else:
        (control,), (one,) = config.controls, config.peers
        for binding in one.bindings.get("/a", ()):
            for route in compile_routes(Entry(1, control, control.default, 1), binding, one.settings):
                route.shown  # noqa: B018 - raises


def test_without_a_profile_too_it_is_named_until_something_comes_that_is_bound() -> None:
    device = Device({"cc": 7})
    device.hear(*["90 10 7f", "90 10 00"] * 4)
    assert device.peer.looks_like.startswith("it sends notes, and none is bound: this looks like its DAW mode")
    device.hear("b0 07 01")
    assert device.peer.looks_like == ""
