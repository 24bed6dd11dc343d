"""The tables [[osc]] and [control.osc.NAME]: what is accepted, and what is said about the rest."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bridge.config import parse
from bridge.osc import KIND
from bridge.oscsettings import Arguments, Binding, Endpoint, Settings, check_peers, parse_endpoint


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("192.168.1.20:9001", ("192.168.1.20", 9001)),
        ("max.local:9001", ("max.local", 9001)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:9000", ("::1", 9000)),
    ],
)
def test_an_endpoint_is_host_and_port(text: str, endpoint: tuple[str, int]) -> None:
    assert parse_endpoint(text) == Endpoint(*endpoint)
    assert str(parse_endpoint(text)) == text


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"listen": "0.0.0.0:99999"}, "port must be 1–65535"),
        ({"listen": "9000"}, 'must be "host:port"'),
        ({"listen": "192.168.1.300:9000"}, "192.168.1.300 is no IP address"),
        ({"listen": "::1:9000"}, "an IPv6 address stands in brackets"),
        ({"listen": "[max]:9000"}, "[max] is no IPv6 address"),
        ({"listen": "max.local:9000"}, "must be an address of this computer"),
        ({"listen": "ma x:9000"}, "is no host"),
        ({"send": "1.2.3.4:9001"}, 'must be "last" or a list: ["1.2.3.4:9001"]'),
        ({"send": ["1.2.3.4"]}, '"1.2.3.4": must be "host:port"'),
        ({"send": ["1.2.3.4:0"]}, "port must be 1–65535"),
        ({"send": ["1.2.3.4:5", "1.2.3.4:5"]}, "stands there twice"),
        ({"send": [f"1.2.3.4:{n}" for n in range(1, 20)]}, "at most 16 targets"),
        ({"send": ["[::1]:9001"]}, "has the IPv6 address [::1]:9001"),
        ({"from": "1.2.3.4"}, 'must be a list: ["1.2.3.4"]'),
        ({"from": ["max.local"]}, '"max.local" is no address'),
        ({"from": []}, "must be a list of"),
        ({"host": "1.2.3.4"}, 'send = ["1.2.3.4:PORT"]'),
        ({"host": "1.2.3.4", "profile": "supercollider", "send": ["1.2.3.4:1"]}, "write one of them"),
        ({"profile": "x32"}, "not built yet"),
        ({"profile": "maxx"}, "'generic', 'max', 'pd' or 'supercollider'"),
        ({"name": "my max"}, "must be 1–60 letters"),
        ({"sned": []}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_setting_is_told(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"name": "max"} | settings)
    assert said in str(caught.value)


def test_settings_have_targets_and_networks() -> None:
    one = Settings.model_validate({"name": "max", "send": ["1.2.3.4:9001"], "from": ["1.2.3.0/24", "::1"]})
    assert one.targets == (Endpoint("1.2.3.4", 9001),)
    assert [str(network) for network in one.networks] == ["1.2.3.0/24", "::1/128"]
    assert Settings.model_validate({"name": "max", "send": "last"}).targets == ()
    sclang = Settings.model_validate({"name": "sc", "profile": "supercollider", "host": "1.2.3.4"})
    assert sclang.targets == (Endpoint("1.2.3.4", 57120),)
    assert Settings.model_validate({"name": "a", "listen": "[::]:9000", "send": ["[::1]:1", "1.2.3.4:1"]}).mirror


@pytest.mark.parametrize(
    ("args", "parsed"),
    [
        (["0"], Arguments((0,), (), False)),
        (["{value}", "x"], Arguments((), ("x",), True)),
        ([{"s": "7"}, 2.5, "-3", "{value}"], Arguments(("7", 2.5, -3), (), True)),
        (["99999999999"], Arguments(("99999999999",), (), False)),
    ],
)
def test_fixed_arguments_are_numbers_and_texts(args: list[Any], parsed: Arguments) -> None:
    assert Binding.model_validate({"args": args}).args == parsed


@pytest.mark.parametrize(
    ("binding", "said"),
    [
        ({"address": "x"}, 'must start with "/"'),
        ({"address": "/x/*"}, "must be one address"),
        ({"address": "/a b"}, "must be one address"),
        ({"reply": "/stagebridge/refresh"}, "reserved"),
        ({"address": "/" + "x" * 255}, "at most 255 bytes"),
        ({"args": ["{value}", "{value}"]}, "once"),
        ({"args": [{"i": 7}]}, "each must be"),
        ({"args": "7"}, "must be a list"),
        ({"args": [1] * 17}, "at most 16"),
        ({"range": [0]}, "must be two numbers"),
        ({"range": [0, True]}, "must be two numbers"),
        ({"range": [1, 1]}, "both ends are the same"),
        ({"range": [0, 1], "curve": "log"}, "above 0"),
        ({"direction": "sideways"}, "'in', 'out' or 'both'"),
        ({"component": -1}, "greater than or equal to 0"),
        ({"as": "number"}, "'index' or 'text'"),
        ({"label": "/x"}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_binding_is_told(binding: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Binding.model_validate(binding)
    assert said in str(caught.value)


def peers(*tables: dict[str, Any]) -> list[Settings]:
    return [Settings.model_validate({"name": f"p{index}", **table}) for index, table in enumerate(tables)]


def test_tables_that_share_a_port_need_from() -> None:
    same = {"listen": "0.0.0.0:9000"}
    assert list(check_peers(peers(same, {"listen": "0.0.0.0:9001"}))) == []
    assert list(check_peers(peers(same, same | {"from": ["1.2.3.4"]}))) == [
        (0, "from", "is required: p1 listens on 0.0.0.0:9000 too")
    ]
    assert list(check_peers(peers(same | {"from": ["1.2.3.5"]}, same | {"from": ["1.2.3.4"]}))) == []
    assert [
        index for index, _, _ in check_peers(peers(same | {"from": ["1.2.3.0/24"]}, same | {"from": ["1.2.3.4"]}))
    ] == [0, 1]
    assert list(check_peers(peers(same, {"listen": "127.0.0.1:9000"}))) == [
        (1, "listen", "has the port of 0.0.0.0:9000, which is every network: write the same in both")
    ]
    assert list(check_peers(peers({}, {}))) == []  # any free port: each its own


def test_both_tables_have_a_schema() -> None:
    assert "from" in Settings.model_json_schema()["properties"]
    assert "as" in Binding.model_json_schema()["properties"]


DOC = Path(__file__).parent.parent / "docs" / "osc.md"


def test_the_examples_of_the_manual_are_right() -> None:
    examples = re.findall(r"```toml\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 2
    for text in examples:
        config = parse(text, {"osc": KIND}, name="docs/osc.md")
        assert config.controls
    wave = config.peers[1].bindings["/wave"][0]
    assert wave.args == Arguments(("shape",), ("7",), True)
    assert config.peers[1].excluded == {"/private"}


def test_the_application_gets_the_tables_from_the_port() -> None:
    assert (KIND.table, KIND.settings, KIND.binding) == ("osc", Settings, Binding)
