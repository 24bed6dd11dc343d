"""Profiles: data for each kind of program or desk, ours and people's own, and what is said about mistakes in them."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import resources
from bridge.config.loading import load, parse
from bridge.errors import ConfigError
from bridge.osc.port import KIND
from bridge.osc.profile import PROFILES
from bridge.osc.settings import SHIPPED, Call, Endpoint, Settings
from tests.profiles import settings_of

KINDS = {"osc": KIND}
KNOW_THEIR_PORT = {
    "supercollider": 57120, "x32": 10023, "xair": 10024, "touchosc": 9000, "qlab": 53000, "reaper": 8000,
    "ardour": 3819, "eos": 3037, "abletonosc": 11000,
}  # fmt: skip


def mistakes(folder: Path, peer: str, **profiles: str) -> list[str]:
    """What is said about a configuration of one peer beside these profiles."""
    (folder / "profiles").mkdir(exist_ok=True)
    for name, text in profiles.items():
        (folder / "profiles" / f"{name}.toml").write_text(text, encoding="utf-8")
    file = folder / "config.toml"
    file.write_text(f'[[osc]]\nname = "it"\n{peer}\n', encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file, KINDS)
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def test_every_profile_that_is_named_in_the_schema_is_there_and_without_mistakes(tmp_path: Path) -> None:
    assert sorted(SHIPPED) == PROFILES.names(tmp_path)
    for path in resources.profiles_dir().glob("*.toml"):
        profile, problems = PROFILES.read(path)
        assert problems == []
        assert profile.description, path.name


@pytest.mark.parametrize("name", SHIPPED)
def test_a_host_is_enough_for_every_profile_that_knows_its_port(name: str) -> None:
    table = {"name": "it", "profile": name, "host": "192.168.1.32"}
    if name in KNOW_THEIR_PORT:
        assert settings_of(PROFILES, table).targets == (Endpoint("192.168.1.32", KNOW_THEIR_PORT[name]),)
    else:
        with pytest.raises(ValueError, match=r"which the profile .* does not know"):
            settings_of(PROFILES, table)
        assert settings_of(PROFILES, {**table, "port": 9001}).targets == (Endpoint("192.168.1.32", 9001),)


@pytest.mark.parametrize("name", SHIPPED)
def test_only_general_programs_and_controllers_get_every_control(name: str) -> None:
    table = {"name": "it", "profile": name, "host": "192.168.1.32", "port": 9001}
    assert settings_of(PROFILES, table).mirror is (name in ("generic", "max", "pd", "supercollider", "touchosc"))


def test_what_is_written_beats_the_profile() -> None:
    desk = settings_of(
        PROFILES, {"name": "desk", "profile": "x32", "host": "1.2.3.4", "keepalive_s": 5, "mirror": True}
    )
    assert (desk.keepalive, desk.keepalive_s, desk.mirror) == ((Call("/xremote"),), 5.0, True)
    assert (desk.profile, desk.query, desk.on_connect, desk.echoes) == ("x32", "address", "pull", "no")
    assert (
        settings_of(PROFILES, {"name": "desk", "profile": "x32", "host": "1.2.3.4", "port": 1}).targets[0].udp_port == 1
    )
    assert settings_of(PROFILES, {"name": "desk", "profile": "x32", "send": ["1.2.3.4:7"]}).targets == (
        Endpoint("1.2.3.4", 7),
    )


def test_types_are_taken_one_by_one() -> None:
    daw = settings_of(PROFILES, {"name": "daw", "profile": "reaper", "host": "1.2.3.4", "types": {"string": "S"}})
    assert (daw.types.bool, daw.types.string) == ("f", "S")


def test_touchosc_without_a_host_is_whoever_speaks() -> None:
    tablet = settings_of(PROFILES, {"name": "tablet", "profile": "touchosc"})
    assert (tablet.send, tablet.reply_port, tablet.listen) == ("last", 9000, "0.0.0.0:8000")
    known = settings_of(PROFILES, {"name": "tablet", "profile": "touchosc", "host": "1.2.3.4"})
    assert (known.send, known.targets) == ((), (Endpoint("1.2.3.4", 9000),))
    tcp = settings_of(PROFILES, {"name": "tablet", "profile": "touchosc", "transport": "tcp-slip"})
    assert (tcp.is_server, tcp.send, tcp.reply_port) == (True, (), None)


def test_a_desk_that_nobody_can_find_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="keepalive needs somebody to send it to") as caught:
        settings_of(PROFILES, {"name": "desk", "profile": "x32"})
    assert "write host" in str(caught.value)


def test_a_profile_of_ones_own_is_found_beside_the_configuration_and_beats_ours(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "synth.toml").write_text('port = 7000\ntypes = { bool = "T" }\n')
    (tmp_path / "profiles" / "x32.toml").write_text("port = 7001\nmirror = false\n")
    file = tmp_path / "config.toml"
    tables = (
        'name = "a"\nprofile = "synth"\nhost = "::1"\nlisten = "[::]:0"',
        'name = "b"\nprofile = "x32"\nhost = "h"',
    )
    file.write_text("".join(f"[[osc]]\n{table}\n" for table in tables))
    synth, desk = (peer.settings for peer in load(file, KINDS).peers)
    assert (synth.targets, synth.types.bool) == ((Endpoint("::1", 7000),), "T")
    assert (desk.targets, desk.keepalive) == ((Endpoint("h", 7001),), ())
    assert "synth" in PROFILES.names(tmp_path)


def test_an_unknown_profile_is_told_with_the_nearest(tmp_path: Path) -> None:
    assert mistakes(tmp_path, 'profile = "x23"\nhost = "192.168.1.32"\non_connect = "pull"', own="") == [
        'config.toml:3: osc[0].profile = "x23": no such profile (did you mean "x32"?)',
        "1 mistake",
    ]
    (said, _) = mistakes(tmp_path, 'profile = "../config"')
    assert "no such profile (there is abletonosc, ardour, eos, generic, max, own, pd," in said
    (said, _) = mistakes(tmp_path, "profile = 3")
    assert said == "config.toml:3: osc[0].profile = 3: must be text in quotes"


def test_mistakes_in_a_profile_are_told_with_its_file_and_line(tmp_path: Path) -> None:
    text = 'description = "a\\nb"\nport = 99999\nmirrow = true\nhost = "1.2.3.4"\nkeepalive = "/x"\nrate = inf\n'
    text += '[types]\nbool = "i32"\ncolour = "r"\n'
    assert mistakes(tmp_path, 'profile = "bad"\nhost = "1.2.3.4"\nprot = 1', bad=text) == [
        'config.toml:5: osc[0].prot = 1: unknown key (did you mean "port"?)',
        'profiles/bad.toml:1: description = "a\\nb": must be a text of one line, at most 200 characters',
        "profiles/bad.toml:2: port = 99999: must be 1–65535",
        'profiles/bad.toml:3: mirrow = true: unknown key (did you mean "mirror"?)',
        'profiles/bad.toml:4: host = "1.2.3.4": is no key of a profile: each peer has its own',
        'profiles/bad.toml:5: keepalive = "/x": must be messages: [["/address", argument, …], …]',
        "profiles/bad.toml:6: rate = inf: must be a finite number",
        'profiles/bad.toml:8: types.bool = "i32": must be "i", "f" or "T"',
        'profiles/bad.toml:9: types.colour = "r": unknown key (did you mean "color"?)',
        "9 mistakes",
    ]


def test_what_a_wrong_profile_does_not_say_is_not_missed_in_the_table(tmp_path: Path) -> None:
    assert mistakes(tmp_path, 'profile = "bad"\nhost = "1.2.3.4"', bad="port = 99999\n") == [
        "profiles/bad.toml:1: port = 99999: must be 1–65535",
        "1 mistake",
    ]


def test_a_profile_that_is_no_toml_or_makes_no_sense_is_told(tmp_path: Path) -> None:
    assert mistakes(tmp_path, 'profile = "bad"\nhost = "1.2.3.4"\nport = 1', bad="port = \n")[0].startswith(
        "profiles/bad.toml:1: not valid TOML"
    )
    assert mistakes(tmp_path, 'profile = "bad"\nhost = "1.2.3.4"\nport = 1', bad='on_connect = "pull"\n') == [
        'profiles/bad.toml: on_connect = "pull" needs to know how to ask: write query = "address"',
        "1 mistake",
    ]


def test_two_peers_with_one_bad_profile_are_one_mistake(tmp_path: Path) -> None:
    peers = 'profile = "bad"\nhost = "1.2.3.4"\n[[osc]]\nname = "b"\nprofile = "bad"\nhost = "1.2.3.5"'
    assert len(mistakes(tmp_path, peers, bad="port = 7000\nmirrow = true\n")) == 2


def test_a_table_without_profile_reads_no_file(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "generic.toml").write_text("port = 7000\n")
    with pytest.raises(ConfigError, match="host needs a port"):
        parse('[[osc]]\nname = "a"\nhost = "h"\n', KINDS, tmp_path)
    assert parse('[[osc]]\nname = "a"\nhost = "h"\nprofile = "generic"\n', KINDS, tmp_path).peers
    assert PROFILES.find("generic", tmp_path) == tmp_path / "profiles" / "generic.toml"


def made(name: str, **keys: Any) -> Settings:
    return settings_of(PROFILES, {"name": "it", "profile": name, "host": "192.168.1.32", **keys})


def test_the_x32_is_kept_awake_asked_and_paced() -> None:
    desk = made("x32")
    assert desk.keepalive == (Call("/xremote"),)
    assert 2 * desk.keepalive_s < 10, "it forgets us after 10 s, and one may be lost"
    assert desk.probe == Call("/info")
    assert (desk.query, desk.on_connect, desk.echoes, desk.bare_addresses) == ("address", "pull", "no", True)
    assert desk.rate is not None
    assert desk.control_rate is not None
    assert len(desk.colors) == 16
    air = made("xair")
    assert {**desk.model_dump(), "port": 10024, "profile": "xair", "advice": air.advice} == air.model_dump()


def test_programs_over_tcp_are_connected_to() -> None:
    assert made("qlab").transport == made("eos").transport == "tcp-slip"
    assert not made("qlab").is_server
    assert made("eos").hello[-1] == Call("/eos/subscribe", (1,))


KEYS = [field.alias or name for name, field in Settings.model_fields.items()]
JUNK = [
    "1", "0", "-5", "1e9", "nan", "true", '""', '"/x"', '"last"', '"{path}/z"', '"::1"', '"tcp-slip"', '"pull"', "[]",
    '"address"', '["/x"]', '[["/x", 1]]', "[[]]", "[1]", '{ bool = "T" }', "{ a = 1 }", '"i"', '"\\u0000"', '"../x"',
    '["#ff0000", ""]', '"[::]:0"', '["[::1]:5"]', '"x32"', '"own"', "99999999999999999999", "1979-05-27",
]  # fmt: skip


@given(st.data())
def test_whatever_stands_in_a_table_and_its_profile_is_understood_or_told(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    def table(keys: list[str]) -> str:
        chosen = data.draw(st.lists(st.sampled_from(keys), unique=True, max_size=5))
        return "".join(f"{key} = {data.draw(st.sampled_from(JUNK))}\n" for key in chosen)

    folder = tmp_path_factory.getbasetemp() / "junk"
    (folder / "profiles").mkdir(parents=True, exist_ok=True)
    (folder / "profiles" / "own.toml").write_text(table([*KEYS, "description"]), encoding="utf-8")
    name = '[[osc]]\nname = "it"\nprofile = "own"\n'
    try:
        config = parse(name + table([key for key in KEYS if key not in ("name", "profile")]), KINDS, folder)
    except ConfigError as exc:
        assert exc.problems
        assert "Traceback" not in str(exc)
    else:
        assert config.peers[0].settings.profile == "own"
