"""The tables [[osc]] and [control.osc.NAME]: what is accepted, and what is said about the rest."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bridge.config.loading import parse
from bridge.errors import ConfigError
from bridge.osc.port import KIND
from bridge.osc.settings import Arguments, Binding, Call, Endpoint, Settings, check_peers, parse_endpoint


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
        ({"listen": "0.0.0.0:0", "send": ["[::1]:9001"]}, "has the IPv6 address [::1]:9001"),
        ({"from": "1.2.3.4"}, 'must be a list: ["1.2.3.4"]'),
        ({"from": ["max.local"]}, '"max.local" is no address'),
        ({"from": []}, "must be a list of"),
        ({"host": "1.2.3.4"}, "host needs a port, which the profile generic does not know"),
        ({"host": "1.2.3.4:9000"}, "without port"),
        ({"host": "1.2.3.400", "port": 9000}, "without port"),
        ({"port": 9000}, "port needs host"),
        ({"host": "1.2.3.4", "port": 0}, "greater than or equal to 1"),
        ({"host": "1.2.3.4", "port": 1, "send": ["1.2.3.4:1"]}, "write one of them"),
        ({"listen": "0.0.0.0:0", "host": "::1", "port": 9000}, "has the IPv6 address [::1]:9000"),
        ({"profile": "../x32"}, "it is the name of a profile's file"),
        ({"transport": "tcp"}, "'udp', 'tcp-slip' or 'tcp-length'"),
        ({"transport": "tcp-slip"}, "a TCP peer needs send or host"),
        (
            {"transport": "tcp-slip", "send": ["1.2.3.4:5"], "from": ["1.2.3.4"]},
            "from says who may connect to us: it needs listen",
        ),
        ({"transport": "tcp-slip", "send": "last"}, "is for UDP"),
        ({"transport": "tcp-slip", "send": ["1.2.3.4:5"], "reply_port": 9}, "reply_port is for UDP"),
        ({"prefix": "gma3"}, 'must start with "/"'),
        ({"prefix": "/gma3/"}, 'must not end with "/"'),
        ({"touch": "/z"}, 'once: "{path}/z"'),
        ({"touch": "{path}/{path}"}, 'once: "{path}/z"'),
        ({"touch": "{path} z"}, "must be one address"),
        ({"types": {"bool": "d"}}, "'i', 'f' or 'T'"),
        ({"types": {"colour": "r"}}, "Extra inputs are not permitted"),
        ({"colors": ["red"]}, "must be a list of colours"),
        ({"colors": ["#000000"] * 257}, "at most 256 colours"),
        ({"rate": 0}, "greater than or equal to 1"),
        ({"datagram_bytes": 64}, "greater than or equal to 128"),
        ({"on_connect": "pull"}, "needs to know how to ask"),
        ({"hello": "/eos/reset"}, "must be messages"),
        ({"hello": [["eos"]]}, '"eos": must start with "/"'),
        ({"hello": [["/eos", [1]]]}, "arguments must be"),
        ({"hello": [["/x"]] * 65}, "at most 64 messages"),
        ({"keepalive": ["/xremote"]}, "keepalive needs somebody to send it to"),
        ({"probe": []}, "must be a message"),
        ({"probe": ["/info", *range(17)]}, "at most 16 arguments"),
        ({"probe": ["/info"], "probe_s": 12, "host": "1.2.3.4", "port": 1}, "it would always be silent"),
        ({"keepalive_s": 5}, "keepalive_s does nothing without keepalive"),
        ({"probe_s": 5}, "probe_s does nothing without probe"),
        ({"auto_max": 5}, "auto_max does nothing without auto"),
        ({"auto_max": 0}, "greater than or equal to 1"),
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
    sclang = Settings.model_validate({"name": "sc", "host": "1.2.3.4", "port": 57120})
    assert sclang.targets == (Endpoint("1.2.3.4", 57120),)
    assert Settings.model_validate({"name": "a", "listen": "[::]:9000", "send": ["[::1]:1", "1.2.3.4:1"]}).mirror


def test_a_peer_that_can_be_asked_is_asked_when_it_comes() -> None:
    def policy(**keys: Any) -> str:
        return Settings.model_validate({"name": "desk", **keys}).on_connect

    assert policy() == "none"
    assert policy(query="address") == "pull"
    assert policy(query="address", on_connect="push") == "push"


def test_messages_are_written_with_the_types_that_toml_has() -> None:
    desk = Settings.model_validate(
        {
            "name": "desk", "host": "desk.local", "port": 10023, "keepalive": ["/xremote"], "probe": ["/info"],
            "hello": [["/eos/reset"], ["/eos/user", 1], ["/x", 0.5, "7", True]],
        }
    )  # fmt: skip
    assert desk.targets == (Endpoint("desk.local", 10023),)
    assert desk.hello == (Call("/eos/reset"), Call("/eos/user", (1,)), Call("/x", (0.5, "7", True)))
    assert desk.keepalive == (Call("/xremote"),)
    assert desk.probe == Call("/info")


@pytest.mark.parametrize("keys", [{"host": "::1", "port": 9000}, {"send": ["1.2.3.4:1", "[::1]:9000"]}])
def test_an_ipv6_target_is_sent_to_from_an_ipv6_socket(keys: dict[str, Any]) -> None:
    assert Settings.model_validate({"name": "it"} | keys).listen == "[::]:0"


def test_a_tcp_peer_connects_or_is_connected_to() -> None:
    client = Settings.model_validate({"name": "qlab", "transport": "tcp-slip", "send": ["[::1]:53000"]})
    assert (client.is_tcp, client.is_server, client.targets) == (True, False, (Endpoint("::1", 53000),))
    server = Settings.model_validate({"name": "tablet", "transport": "tcp-length", "listen": "127.0.0.1:0"})
    assert (server.is_tcp, server.is_server, server.targets) == (True, True, ())
    assert not Settings.model_validate({"name": "max", "listen": "127.0.0.1:0"}).is_server


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
        ({"label": "Vox"}, "the control's own stands above, beside its path"),
        ({"color": "/a b"}, "must be one address"),
        ({"table": [[0, 1]]}, "needs two points or more"),
        ({"table": [[0, 1], [0.5, 2]]}, "from position 0 to position 1"),
        ({"table": [[0, 1], [1, 1]]}, "must both rise"),
        ({"table": [[0, 1], [1, "x"]]}, "must be points"),
        ({"table": [[0, 1], [1, 2]], "curve": "log"}, 'table is for curve = "table"'),
        ({"curve": "table"}, "needs table"),
        ({"type": "s"}, "'i', 'f', 'h', 'd' or 'T'"),
    ],
)
def test_a_wrong_binding_is_told(binding: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Binding.model_validate(binding)
    assert said in str(caught.value)


def test_a_peers_key_below_a_binding_is_sent_to_where_it_belongs() -> None:
    text = '[[osc]]\nname = "max"\n[[control]]\npath = "/x"\n[control.osc.max]\nrate = 5\n'
    with pytest.raises(ConfigError) as caught:
        parse(text, {"osc": KIND})
    assert [str(problem.hint) for problem in caught.value.problems] == [
        "it belongs to the peer: write it below [[osc]]"
    ]


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


def test_a_tcp_port_is_no_udp_port_and_is_one_tables() -> None:
    tcp = {"listen": "0.0.0.0:9000", "transport": "tcp-slip"}
    assert list(check_peers(peers(tcp, {"listen": "0.0.0.0:9000"}))) == []
    assert list(check_peers(peers(tcp, tcp | {"transport": "tcp-length"}))) == [
        (0, "listen", "is the TCP port of p1 too: each needs its own"),
        (1, "listen", "is the TCP port of p0 too: each needs its own"),
    ]


@pytest.mark.parametrize(
    ("peer", "binding", "said"),
    [
        ('profile = "abletonosc"', 'live = "Drums"', 'must be a track and what of it, such as "Drums/volume"'),
        ('profile = "abletonosc"', 'live = "A/pan"\nargs = ["1"]', "leave out address, reply and args"),
        ('profile = "max"\nhost = "h"\nport = 1', 'live = "A/pan"', 'it is not Live: that has profile = "abletonosc"'),
        ('profile = "max"\nhost = "h"\nport = 1\ntracks = ["A"]', "", "tracks does nothing without driver"),
        ('profile = "abletonosc"\nshow = ["volum"]', "", "must be a list of volume, pan,"),
        ('profile = "abletonosc"\ntracks = "Drums"', "", 'must be a list of names, such as ["Drums", "Bass*"]'),
    ],
)
def test_what_does_not_suit_live_is_told(peer: str, binding: str, said: str) -> None:
    text = f'[[osc]]\nname = "it"\n{peer}\n[[control]]\npath = "/a"\n[control.osc.it]\n{binding}\n'
    with pytest.raises(ConfigError) as caught:
        parse(text, {"osc": KIND})
    assert said in str(caught.value)


def test_both_tables_have_a_schema() -> None:
    assert "from" in Settings.model_json_schema()["properties"]
    assert "as" in Binding.model_json_schema()["properties"]


DOC = Path(__file__).parent.parent / "docs" / "osc.md"


def test_the_examples_of_the_manual_are_right() -> None:
    examples = re.findall(r"```toml\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    assert examples
    peers = {}
    for text in examples:
        config = parse(text, {"osc": KIND}, name="docs/osc.md")
        peers |= {peer.name: peer for peer in config.peers}
    wave = peers["synth"].bindings["/wave"][0]
    assert wave.args == Arguments(("shape",), ("7",), True)
    assert peers["synth"].excluded == {"/private"}


def test_the_application_gets_the_tables_from_the_port() -> None:
    assert (KIND.table, KIND.settings, KIND.binding) == ("osc", Settings, Binding)
