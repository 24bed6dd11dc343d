"""config.toml as a whole: what is accepted means what it says, and every mistake is told, at once, with its line."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from bridge import app
from bridge.access import Access
from bridge.config.loading import load, parse
from bridge.config.settings import Config
from bridge.config.tables import ControlTable
from bridge.control import Control
from bridge.errors import ConfigError
from bridge.port import Peer, PortContext, PortKind
from bridge.view import MAX_VIEWS


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    name: str
    listen: str = ""
    sources: str = Field("", alias="from")


class Binding(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    address: str = ""
    args: list[Any] = []
    range: list[float] | None = None
    component: int | None = None


def same_listen(peers: Sequence[Settings]) -> Iterator[tuple[int, str, str]]:
    for index, peer in enumerate(peers):
        if peer.listen and not peer.sources and any(peer.listen == each.listen for each in peers[:index]):
            yield index, "from", "is required"


def component_fits(peer: Settings | None, binding: Binding, control: Control) -> Iterable[tuple[str, str]]:
    if binding.component is not None and control.kind != "vector":
        yield "component", f"{binding.component} is of a vector, and this is a {control.kind}"


def nothing_opens(peers: Sequence[Peer], context: PortContext) -> NoReturn:
    raise AssertionError("a configuration opens no port")


KINDS: Mapping[str, PortKind] = {
    "osc": PortKind(
        "osc", Settings, Binding, lambda peers: {}, nothing_opens, check_peers=same_listen, check_binding=component_fits
    )
}
MAX = '[[osc]]\nname = "max"\n'


def read(text: str, **overrides: Any) -> Config:
    return parse(text, KINDS, overrides={name.replace("_", "."): value for name, value in overrides.items()})


def mistakes(text: str, **overrides: Any) -> list[str]:
    """The lines of the error, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        read(text, **overrides)
    *lines, count = str(caught.value).splitlines()
    assert count == ("1 mistake" if len(lines) == 1 else f"{len(lines)} mistakes")
    return [line.removeprefix("config.toml:") for line in lines]


def control(text: str, prefix: str = "") -> Control:
    """The one control that a [[control]] table of this text makes."""
    (one,) = read(f"{prefix}[[control]]\n{text}").controls
    return one


def control_mistakes(text: str) -> list[str]:
    """Mistakes of one control that starts with line 4; a peer named max stands above it."""
    return mistakes(f"{MAX}[[control]]\n{text}")


# What is accepted


def test_an_empty_file_is_a_configuration() -> None:
    config = read("")
    assert (config.http.host, config.http.port, config.http.pages, config.http.hosts) == ("0.0.0.0", 8080, None, ())
    assert config.auth.mode == "token"
    assert config.title == "stagebridge"
    assert (config.controls, config.peers, config.surface.pages) == ((), (), ())


def test_a_control_may_be_one_line() -> None:
    assert control('path = "/cutoff"') == Control(path="/cutoff")
    assert control('path = "/go"\nkind = "trigger"') == Control(path="/go", kind="trigger")


def test_choices_make_a_choice() -> None:
    assert control('path = "/w"\nchoices = ["sine", "saw"]') == Control(
        path="/w", kind="choice", choices=("sine", "saw")
    )


def test_a_db_curve_brings_the_range_of_its_table() -> None:
    assert control('path = "/v"\ncurve = "db"').range == (-90, 10)
    assert control('path = "/v"\ncurve = "db"\ntable = [[0, -60], [1, 0]]').range == (-60, 0)


def test_every_key_of_a_control_reaches_it() -> None:
    made = control(
        """
path = "/a/b"
kind = "vector"
range = [-2, 2]
limit = [-1, 1]
step = 0.5
unit = "m"
decimals = 3
default = [0.5, 1]
label = "Place"
color = "#abc"
access = "write"
widget = "xy"
components = 2
bipolar = true
reset = true
relative = false
hold = "first"
hold_timeout = 5
group = "G"
"""
    )
    assert made == Control(
        path="/a/b",
        kind="vector",
        range=(-2, 2),
        limit=(-1, 1),
        step=0.5,
        unit="m",
        decimals=3,
        default=(0.5, 1.0),
        label="Place",
        color="#aabbcc",
        access="write",
        widget="xy",
        size=2,
        bipolar=True,
        reset=True,
        relative=False,
        hold="first",
        hold_timeout=5,
        group="G",
    )
    assert control('path = "/b"\nkind = "bool"\nmomentary = true\nrest = true\nguard = true').rest is True
    assert control('path = "/t"\nkind = "string"\nmax_length = 9\ndefault = "x"').max_length == 9
    assert control('path = "/i"\nkind = "int"\nrange = [0, 9]').describe()["range"] == [0, 9]


def test_repeat_writes_copies_and_fills_their_texts() -> None:
    config = read(
        MAX
        + """
[[control]]
repeat = 3
path = "/ch/{n:02}/x{n0}"
label = "Ch {n}"
[control.osc.max]
address = "/cc/{n0+48}"
args = ["{n0}", "{value}", { s = "{n}" }]
"""
    )
    assert [one.path for one in config.controls] == ["/ch/01/x0", "/ch/02/x1", "/ch/03/x2"]
    assert [one.label for one in config.controls] == ["Ch 1", "Ch 2", "Ch 3"]
    assert config.peers[0].bindings["/ch/03/x2"] == (Binding(address="/cc/50", args=["2", "{value}", {"s": "3"}]),)


def test_each_makes_the_product_of_its_dimensions_and_a_page_for_each_name() -> None:
    config = read(
        """
[[page]]
name = "Mixer"
[[control]]
each = { mon = [{ who = "Anna", bus = 1, color = "#f00" }, { who = "Ben", bus = 3, color = "#0f0" }], ch = [1, 2] }
path = "/mon/{who}/{ch}"
label = "{bus:02}"
color = "{color}"
pages = ["{who}"]
"""
    )
    assert [(one.path, one.label, one.color) for one in config.controls] == [
        ("/mon/Anna/1", "01", "#ff0000"),
        ("/mon/Anna/2", "01", "#ff0000"),
        ("/mon/Ben/1", "03", "#00ff00"),
        ("/mon/Ben/2", "03", "#00ff00"),
    ]
    assert [page.name for page in config.surface.pages] == ["Mixer", "Anna", "Ben"]


def test_bindings_come_one_or_several_and_false_leaves_a_peer_out() -> None:
    config = read(
        MAX
        + """
[[osc]]
name = "pd"
[[control]]
path = "/a"
kind = "vector"
osc.pd = false
[[control.osc.max]]
address = "/x"
component = 0
[[control.osc.max]]
address = "/y"
component = 1
[[control]]
path = "/b"
"""
    )
    to_max, to_pd = config.peers
    assert (to_max.table, to_max.name, to_max.settings) == ("osc", "max", Settings(name="max"))
    assert to_max.bindings == {"/a": (Binding(address="/x", component=0), Binding(address="/y", component=1))}
    assert (to_max.excluded, to_pd.excluded, to_pd.bindings) == (frozenset(), frozenset({"/a"}), {})


def test_a_control_of_bindings_alone_adds_to_the_one_above() -> None:
    text = (
        MAX
        + """
[[control]]
repeat = 2
path = "/{n}"
[control.osc.max]
address = "/x"
[[control]]
path = "/2"
[[control.osc.max]]
address = "/y"
"""
    )
    (to_max,) = read(text).peers
    assert to_max.bindings == {
        "/1": (Binding(address="/x"),),
        "/2": (Binding(address="/x"), Binding(address="/y")),
    }
    again = text + '[[control]]\npath = "/2"\nlabel = "mine"\n[[control.osc.max]]\naddress = "/z"\n'
    assert mistakes(again) == ['14: control[2].path = "/2": is control[0] already']
    assert mistakes(text + "componet = 1\n") == [
        '13: control[1].osc.max[0].componet = 1: unknown key (did you mean "component"?)'
    ]


def test_pages_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    file = tmp_path / "show.toml"
    file.write_text('[http]\npages = "own"\nhosts = ["desk.lan"]\ntitle = "Show"', encoding="utf-8")
    config = load(file, KINDS)
    assert (config.file, config.http.pages) == (file, tmp_path / "own")
    assert (config.http.hosts, config.title, config.surface.title) == (("desk.lan",), "Show", "Show")


def test_overrides_beat_the_file() -> None:
    config = read("[http]\nport = 99999\n", http_port=8081, http_host="127.0.0.1")
    assert (config.http.port, config.http.host) == (8081, "127.0.0.1")


def test_a_text_with_braces_that_are_no_placeholder_is_left_alone() -> None:
    assert control("path = '/j'\nkind = 'string'\ndefault = '{\"a\": [1]} {} {'").default == '{"a": [1]} {} {'


# All mistakes at once


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """
[http]
port = 99999
hsot = "x"
pages = "nowhere"
[[osc]]
name = "max"
[[page]]
name = "Mixer"
[[control]]
path = "/cutoff"
range = [20,
  2]
unti = "Hz"
pages = ["Mixr"]
[control.osc.max]
unit = "dB"
[control.osc.amx]
[[control]]
kind = "flaot"
"""
    with pytest.raises(ConfigError) as caught:
        parse(text, KINDS, tmp_path, "show.toml")
    assert str(caught.value).splitlines() == [
        "show.toml:3: http.port = 99999: must be 0–65535",
        'show.toml:4: http.hsot = "x": unknown key (did you mean "host"?)',
        f'show.toml:5: http.pages = "nowhere": no such folder: {tmp_path / "nowhere"}',
        "show.toml:12: control[0].range = [20, 2]: low must be below high",
        'show.toml:14: control[0].unti = "Hz": unknown key (did you mean "unit"?)',
        'show.toml:15: control[0].pages[0] = "Mixr": there is no such page (did you mean "Mixer"?)',
        (
            'show.toml:17: control[0].osc.max.unit = "dB": unknown key '
            "(it belongs to the control: move it above [control.osc.max])"
        ),
        'show.toml:18: control[0].osc.amx: there is no [[osc]] with this name (did you mean "max"?)',
        "show.toml:19: control[1].path: is required",
        (
            'show.toml:20: control[1].kind = "flaot": must be "float", "int", "bool", "choice", "string", "color", '
            '"vector", "trigger" or "meter" (did you mean "float"?)'
        ),
        "10 mistakes",
    ]
    problem = caught.value.problems[3]
    assert (problem.where, problem.line, problem.value) == ("control[0].range", 12, "[20, 2]")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("port = 80", ["1: port = 80: unknown key (it belongs below [http])"]),
        ("[contrl]", ['1: contrl: unknown table (did you mean "control"?)']),
        ("[zzz]", ["1: zzz: unknown table"]),
        ("[state]\nfile = 'x.toml'", ["2: state.file = \"x.toml\": is a database, not TOML: call it state.db"]),
        ("[state]\nfolder = 'x'", ['2: state.folder = "x": unknown key (did you mean "file"?)']),
        ("[access]\nname = 'a'", ["1: access: there may be several of it: write [[access]]"]),
        ("[[acces]]\nname = 'a'", ['1: acces: unknown table (did you mean "access"?)']),
        ("[[access]]\npages = ['Main']", ["1: access[0].name: is required"]),
        (
            "[[access]]\nname = 'a'\nrole = 'contol'",
            ['3: access[0].role = "contol": must be "view", "control" or "admin" (did you mean "control"?)'],
        ),
        ("[[access]]\nname = 'all'", ['2: access[0].name = "all": is what clients call the view of everything']),
        (
            "[[access]]\nname = 'a'\n[[access]]\nname = 'a'",
            ['4: access[1].name = "a": is another entry\'s name already'],
        ),
        (
            "[[access]]\nname = 'a'\npages = []",
            ["3: access[0].pages = []: names no page (without pages it may see all of them)"],
        ),
        (
            "[[access]]\nname = 'a'\npages = ['Main', 'Main', 'Man']\n[[control]]\npath = '/a'",
            [
                '3: access[0].pages[1] = "Main": is named twice',
                '3: access[0].pages[2] = "Man": no such page (did you mean "Main"?)',
            ],
        ),
        (
            "[[access]]\nname = 'a'\nrole = 'admin'\npages = ['M']\n[[control]]\npath = '/a'\npage = 'M'",
            ['4: access[0].pages = ["M"]: stands beside the role admin, which sees everything (leave one of them out)'],
        ),
        ("[[http]]", ["1: http: must be one table: write [http]"]),
        ("http = 3", ["1: http = 3: must be one table: write [http]"]),
        ("[control]\npath = '/a'", ["1: control: there may be several of it: write [[control]]"]),
        ("[osc]\nname = 'a'", ["1: osc: there may be several of it: write [[osc]]"]),
        ("control = [3]", ["1: control[0] = 3: must be a table"]),
        ("osc = [3]\npage = ['a']", ["1: osc[0] = 3: must be a table", '2: page[0] = "a": must be a table']),
        ("[http]\nport = '8080'", ['2: http.port = "8080": must be a whole number']),
        ("[http]\nport = true", ["2: http.port = true: must be a whole number"]),
        ("[http]\nhost = 'a b'", ['2: http.host = "a b": must be an address or a host name, without port']),
        ("[http]\nhost = '1.2.3.4:80'", [
            '2: http.host = "1.2.3.4:80": must be an address or a host name, without port'
        ]),
        ("[http]\nhosts = ['a', 3]", ["2: http.hosts[1] = 3: must be text in quotes"]),
        ("[http]\ntitle = ''", ['2: http.title = "": must be 1–60 characters']),
        ("[http]\npages = '\\u0000'", None),
        ("[auth]\nmode = 'opne'", ['2: auth.mode = "opne": must be "token" or "open" (did you mean "open"?)']),
        ("[[page]]\nname = 'A'\n[[page]]\nname = 'A'", ['4: page[1].name = "A": is another page\'s name already']),
        ("[[page]]\nlayout = 'strip'", [
            "1: page[0].name: is required",
            '2: page[0].layout = "strip": must be "strips", "grid", "rows" or "pads" (did you mean "strips"?)',
        ]),
        ("[[page]]\nname = 'A'\nlayout = 'rows'\ncolumns = 3", ['4: page[0].columns = 3: is for layout = "grid"']),
        ("[[page]]\nname = 'A'\ncolumns = 99", ["3: page[0].columns = 99: must be 1–24"]),
        ("[[osc]]\nlisten = 3", ["1: osc[0].name: is required", "2: osc[0].listen = 3: must be text in quotes"]),
        (MAX + "fro = 'x'", ['3: osc[0].fro = "x": unknown key (did you mean "from"?)']),
        (MAX + MAX, ['4: osc[1].name = "max": is the name of osc[0] already']),
        (
            "[[osc]]\nname = 'a'\nlisten = 'x'\n[[osc]]\nname = 3\n[[osc]]\nname = 'b'\nlisten = 'x'",
            ["5: osc[1].name = 3: must be text in quotes", "6: osc[2].from: is required"],
        ),
    ],
)  # fmt: skip
def test_a_mistake_in_a_table_is_told(text: str, said: list[str] | None) -> None:
    if said is None:  # a control character is already refused by TOML
        text = '[http]\npages = "a\\u0000b"'
        said = ['2: http.pages = "a\\u0000b": cannot be used as a folder']
    assert mistakes(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind = 'int'", ["3: control[0].path: is required"]),
        ("path = 'a'", ['4: control[0].path = "a": must start with "/"']),
        ("path = '/a b'", ['4: control[0].path = "/a b": may not contain \' \': OSC gives it another meaning']),
        ("path = '/a/'", ['4: control[0].path = "/a/": has an empty part']),
        ("path = '/stagebridge/x'", [
            '4: control[0].path = "/stagebridge/x": /stagebridge is reserved for the bridge itself'
        ]),
        ("path = '/a'\n[[control]]\npath = '/a'", ['6: control[1].path = "/a": is control[0] already']),
        ("path = '/a'\nkind = 'slider'", [
            ('5: control[0].kind = "slider": must be "float", "int", "bool", "choice", "string", "color", "vector", '
            '"trigger" or "meter" (a widget is widget = "fader")')
        ]),
        ("path = '/a'\nwidget = 'slider'", [
            ('5: control[0].widget = "slider": must be "fader", "knob", "button", "toggle", "xy", "color", "select", '
            '"text", "number", "pads", "meter" or "label" (did you mean "fader"?)')
        ]),
        ("path = '/a'\nwidget = 'xy'", [
            '5: control[0].widget = "xy": cannot draw a float: fader, knob, number, button, label can'
        ]),
        ("path = '/a'\ncurve = 'logarithmic'", [
            '5: control[0].curve = "logarithmic": must be "linear", "log" or "db" (did you mean "log"?)'
        ]),
        ("path = '/a'\ntype = 'int'", ['5: control[0].type = "int": unknown key (did you mean kind?)']),
        ("path = '/a'\nmin = 0", ["5: control[0].min = 0: unknown key (write range = [low, high])"]),
        ("path = '/a'\naddress = '/b'", [
            ('5: control[0].address = "/b": unknown key '
            "(it belongs to a binding: write it below [control.osc.max])")
        ]),
        ("path = '/a'\nrange = [1]", ["5: control[0].range = [1]: must be two numbers, [low, high]"]),
        ("path = '/a'\nrange = [0, '1']", ['5: control[0].range = [0, "1"]: must be two numbers, [low, high]']),
        ("path = '/a'\nrange = [1, 1]", ["5: control[0].range = [1, 1]: low must be below high"]),
        ("path = '/a'\nrange = [0, inf]", ["5: control[0].range[1] = inf: must be a finite number"]),
        ("path = '/a'\nrange = [0, 99999999999999999999]", [
            "5: control[0].range[1] = 99999999999999999999: is beyond 64 bits"
        ]),
        ("path = '/a'\nlimit = [0, 2]", ["5: control[0].limit = [0, 2]: must lie inside the range [0, 1]"]),
        ("path = '/a'\nstep = 0", ["5: control[0].step = 0: must be above 0 and at most the range, 1"]),
        ("path = '/a'\nstep = -1", ["5: control[0].step = -1: must be above 0 and at most the range, 1"]),
        ("path = '/a'\nrange = [0, 9]\ncurve = 'log'", [
            "5: control[0].range = [0, 9]: a log curve needs a low above 0, not 0"
        ]),
        ("path = '/a'\ncurve = 'log'", ['5: control[0].curve = "log": a log curve needs a low above 0, not 0']),
        ("path = '/a'\ntable = [[0, 1], [1, 2]]", ['5: control[0].table = [[0, 1], [1, 2]]: is for curve = "db"']),
        ("path = '/a'\ncurve = 'db'\ntable = [[0, 1], [1, 0]]", [
            "6: control[0].table = [[0, 1], [1, 0]]: positions and values must both rise from point to point"
        ]),
        ("path = '/a'\ncurve = 'db'\ntable = 3", ["6: control[0].table = 3: must be points, [[position, dB], …]"]),
        ("path = '/a'\ndefault = 7", ["5: control[0].default = 7: is outside the range [0, 1]"]),
        ("path = '/a'\ndefault = 'x'", ['5: control[0].default = "x": must be a number']),
        ("path = '/a'\ndefault = 2020-01-01", [
            "5: control[0].default = 2020-01-01: must be a value that the control can have"
        ]),
        ("path = '/a'\nchoices = []", ["5: control[0].choices = []: a choice needs 1…1024 of them, not 0"]),
        ("path = '/a'\nchoices = ['x', 'y', 'x']", [
            '5: control[0].choices = ["x", "y", "x"]: x stands there more than once'
        ]),
        ("path = '/a'\nchoices = ['x', 'x']\ndefault = 'x'", [
            '5: control[0].choices = ["x", "x"]: x stands there more than once'
        ]),
        ("path = '/a'\nchoices = ['x']\ndefault = 'y'", ["6: control[0].default = \"y\": 'y' is none of x"]),
        ("path = '/a'\nkind = 'bool'\nchoices = ['x']", ['6: control[0].choices = ["x"]: a bool has none']),
        ("path = '/a'\nkind = 'bool'\nrange = [0, 1]\nunit = 'x'", [
            "6: control[0].range = [0, 1]: a bool has none",
            '7: control[0].unit = "x": a bool has none',
        ]),
        ("path = '/a'\nkind = 'string'\nmomentary = true", [
            "6: control[0].momentary = true: a string cannot be momentary"
        ]),
        ("path = '/a'\nrest = 0", ["5: control[0].rest = 0: is for momentary = true"]),
        ("path = '/a'\nguard = true", ["5: control[0].guard = true: a fader has none (toggle, button have)"]),
        ("path = '/a'\ncomponents = 3", ["5: control[0].components = 3: a float has none"]),
        ("path = '/a'\nkind = 'vector'\nsize = 3", [
            '6: control[0].size = 3: must be "s", "m" or "l"; how many numbers a vector has is said by components'
        ]),
        ("path = '/a'\ncolor = 'red'", [
            "5: control[0].color = \"red\": expected a colour such as \"#ff8800\", got 'red'"
        ]),
        ("path = '/a'\nspan = [0, 13]", ["5: control[0].span = [0, 13]: must be [columns, rows], each 1–12"]),
        ("path = '/a'\ndecimals = 10", ["5: control[0].decimals = 10: must be 0–9"]),
        ("path = '/a'\nunit = 'longer than 16 chars'", [
            '5: control[0].unit = "longer than 16 chars": must be at most 16 characters'
        ]),
        ("path = '/a'\npage = 'A'\npages = ['B']", [
            '5: control[0].page = "A": stands beside pages: write one of them'
        ]),
        ("path = '/a'\npages = ['B', 'B']", ['5: control[0].pages[1] = "B": names B twice']),
    ],
)  # fmt: skip
def test_a_mistake_in_a_control_is_told(text: str, said: list[str]) -> None:
    assert control_mistakes(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[control.osc.max]\nunit = 'dB'", [
            ('6: control[0].osc.max.unit = "dB": unknown key '
            "(it belongs to the control: move it above [control.osc.max])")
        ]),
        ("[control.osc.max]\nlabel = '/name'", [
            ('6: control[0].osc.max.label = "/name": unknown key '
            "(it belongs to the control: move it above [control.osc.max])"),
        ]),
        ("[control.osc]\nunit = 'dB'", [
            '6: control[0].osc.unit = "dB": unknown key (it belongs to the control: move it above [control.osc])'
        ]),
        ("[control.osc]\naddress = '/x'", [
            '6: control[0].osc.address = "/x": unknown key (it belongs to a binding: write it below [control.osc.max])'
        ]),
        ("[control.osc.max]\nadress = '/x'", [
            '6: control[0].osc.max.adress = "/x": unknown key (did you mean "address"?)'
        ]),
        ("[control.osc.mxa]", ['5: control[0].osc.mxa: there is no [[osc]] with this name (did you mean "max"?)']),
        ("[control.osc.live]", ["5: control[0].osc.live: there is no [[osc]] with this name (there is max)"]),
        ("osc = false", ["5: control[0].osc = false: must be tables, one for each peer: [control.osc.max]"]),
        ("osc.max = true", ["5: control[0].osc.max = true: must be a table, or false to leave the peer out"]),
        ("osc.max = [3]", ["5: control[0].osc.max = [3]: must be a table, or false to leave the peer out"]),
        ("[[control.osc.max]]\naddress = 3\n[[control.osc.max]]\nargs = 4", [
            "6: control[0].osc.max[0].address = 3: must be text in quotes",
            "8: control[0].osc.max[1].args = 4: must be a list",
        ]),
        ("[control.osc.max]\ncomponent = 1", [
            "6: control[0].osc.max.component = 1: is of a vector, and this is a float"
        ]),
    ],
)  # fmt: skip
def test_a_mistake_in_a_binding_is_told(text: str, said: list[str]) -> None:
    assert control_mistakes(f"path = '/a'\n{text}") == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("repeat = 0\npath = '/{n}'", ["4: control[0].repeat = 0: must be a whole number from 1"]),
        ("repeat = true\npath = '/{n}'", ["4: control[0].repeat = true: must be a whole number from 1"]),
        ("repeat = 5000\npath = '/{n}'", ["4: control[0].repeat = 5000: makes more than 4096 controls"]),
        ("repeat = 1000000000000\npath = '/{n}'", [
            "4: control[0].repeat = 1000000000000: makes more than 4096 controls"
        ]),
        ("repeat = 4000\npath = '/{n}'\n[[control]]\nrepeat = 97\npath = '/x{n}'", [
            "7: control[1].repeat = 97: makes more than 4096 controls"
        ]),
        ("each = { a = [1, 100], b = [1, 100] }\npath = '/{a}/{b}'", [
            "4: control[0].each: makes more than 4096 controls"
        ]),
        ("repeat = 2\npath = '/a'", ['5: control[0].path = "/a": has no {n}: all 2 copies would be one control']),
        ("each = { a = [1, 2], b = [1, 2] }\npath = '/{a}'", [
            ('5: control[0].path = "/{a}": "/1" is another copy\'s already (each copy needs its own; '
            "and 1 more of its copies)")
        ]),
        ("path = '/{n}'", ['4: control[0].path = "/{n}": {n} has nothing to count (repeat = 8 brings {n} and {n0})']),
        ("repeat = 2\npath = '/{m}'", [
            '5: control[0].path = "/{m}": no such placeholder: {m} (known here: {n}, {n0})'
        ]),
        ("each = { who = ['a'] }\npath = '/{hwo}'", [
            '5: control[0].path = "/{hwo}": no such placeholder: {hwo} (did you mean {who}?)'
        ]),
        ("repeat = 2\npath = '/{n*2}'", [
            '5: control[0].path = "/{n*2}": {n*2} cannot be filled ({n}, {n:02} and {n+48} can)'
        ]),
        ("repeat = 2\npath = '/{n:0999}'", [
            '5: control[0].path = "/{n:0999}": {n:0999} cannot be filled ({n}, {n:02} and {n+48} can)'
        ]),
        ("each = { who = ['a'] }\npath = '/{who:02}'", [
            '5: control[0].path = "/{who:02}": {who:02} needs a whole number, and who is text'
        ]),
        ("repeat = 2\npath = '/{n}'\nlabel = '{value}'", [
            '6: control[0].label = "{value}": no such placeholder: {value} (known here: {n}, {n0})'
        ]),
        ("repeat = 2\npath = '/{n}'\neach = { a = [1, 2] }", [
            "6: control[0].each: stands beside repeat: write one of them (each = { n = [1, 8] } counts too)"
        ]),
        ("repeat = 3\npath = '/{n}'\ndefault = 2\nunit = 3", [
            "6: control[0].default = 2: is outside the range [0, 1] (and 2 more of its copies)",
            "7: control[0].unit = 3: must be text in quotes (and 2 more of its copies)",
        ]),
        ("repeat = 3\npath = '/{nn}'\ndefault = 2\nosc.pd = false", [
            '5: control[0].path = "/{nn}": no such placeholder: {nn} (did you mean {n}?)',
            "6: control[0].default = 2: is outside the range [0, 1]",
            "7: control[0].osc.pd = false: there is no [[osc]] with this name (there is max)",
        ]),
    ],
)  # fmt: skip
def test_a_mistake_in_copies_is_told_once(text: str, said: list[str]) -> None:
    assert control_mistakes(text) == said


def test_a_page_that_is_written_out_must_exist_where_any_is_declared() -> None:
    assert [page.name for page in read("[[control]]\npath = '/a'\npage = 'Any'").surface.pages] == ["Any"]
    text = "[[page]]\nname = 'Mixer'\n[[control]]\npath = '/a'\npage = 'Any'"
    assert mistakes(text) == ['5: control[0].page = "Any": there is no such page ([[page]] has Mixer)']


def test_a_wrong_peer_or_page_does_not_make_its_controls_wrong() -> None:
    text = "[[osc]]\nname = 'pd'\nlisten = 3\n[[page]]\nname = 'P'\nlayout = 3\n[[control]]\npath = '/a'\npage = 'P'\n"
    text += "osc.pd = false"
    assert [line.split(":")[1] for line in mistakes(text)] == [" osc[0].listen = 3", " page[0].layout = 3"]


def test_a_wrong_override_says_where_it_came_from() -> None:
    said = mistakes("[http]\nport = 80\n", http_port=99999)
    assert said == [" http.port = 99999: must be 0–65535 (given on the command line)"]
    assert mistakes("http = 3", http_port=80) == ["1: http = 3: must be one table: write [http]"]


def test_a_misspelt_folder_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    with pytest.raises(ConfigError) as caught:
        parse('[http]\npages = "pagse"', KINDS, tmp_path)
    assert caught.value.problems[0].hint == 'did you mean "pages"?'


# No mistake hides another, and none is made up because of another


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[panic]\n"/s" = 77\n[[control]]\npath = "/s"\nstep = 0', [
            '2: panic."/s" = 77: is outside the range [0, 1]',
            "5: control[0].step = 0: must be above 0 and at most the range, 1",
        ]),
        ('[panic]\n"/s" = 77\n[[control]]\npath = "/s"\nrange = [5, 1]', [
            "5: control[0].range = [5, 1]: low must be below high"
        ]),
        ('[panic]\n"/s" = true\n[[control]]\npath = "/s"\nrange = [5, 1]', [
            '2: panic."/s" = true: must be a number',
            "5: control[0].range = [5, 1]: low must be below high",
        ]),
        ('[panic]\n"/s7" = 0\n"/x" = 0\n[[control]]\nrepeat = 0\npath = "/s{n}"', [
            '3: panic."/x" = 0: no such control in this file',
            "5: control[0].repeat = 0: must be a whole number from 1",
        ]),
        ('[panic]\n"/s" = 0\n[[control]]\npath = "s"', ['4: control[0].path = "s": must start with "/"']),
        ('[panic]\n"/s" = 0\n[control]\npath = "/s"\nunti = 3', [
            "3: control: there may be several of it: write [[control]]",
            '5: control[0].unti = 3: unknown key (did you mean "unit"?)',
        ]),
    ],
)  # fmt: skip
def test_panic_knows_controls_that_have_mistakes(text: str, said: list[str]) -> None:
    assert mistakes(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[control.osc.mx]\nunit = 'dB'\nadress = 3\ncomponent = 7", [
            '5: control[0].osc.mx: there is no [[osc]] with this name (did you mean "max"?)',
            '6: control[0].osc.mx.unit = "dB": unknown key (it belongs to the control: move it above [control.osc.mx])',
            '7: control[0].osc.mx.adress = 3: unknown key (did you mean "address"?)',
            "8: control[0].osc.mx.component = 7: is of a vector, and this is a float",
        ]),
        ("[control.osc]\nargs = [{ s = '7' }]", [
            "6: control[0].osc.args: unknown key (it belongs to a binding: write it below [control.osc.max])"
        ]),
        ("widget = 'xy'\n[control.osc.max]\ncomponent = 7", [
            '5: control[0].widget = "xy": cannot draw a float: fader, knob, number, button, label can',
            "7: control[0].osc.max.component = 7: is of a vector, and this is a float",
        ]),
        ("range = [5, 1]\nstep = 0\nlimit = [3, 2]\ndefault = 'x'", [
            "5: control[0].range = [5, 1]: low must be below high",
            "6: control[0].step = 0: must be above 0",
            "7: control[0].limit = [3, 2]: low must be below high",
            '8: control[0].default = "x": must be a number',
        ]),
        ("range = 7\nstep = 0.1\ndefault = 50\nrest = 1\ntable = []", [
            "5: control[0].range = 7: must be two numbers, [low, high]",
            "8: control[0].rest = 1: is for momentary = true",
            '9: control[0].table = []: is for curve = "db"',
        ]),
        ("range = 7\ncurve = 'db'\ntable = [[0, 1], [1, 0]]", [
            "5: control[0].range = 7: must be two numbers, [low, high]",
            "7: control[0].table = [[0, 1], [1, 0]]: positions and values must both rise from point to point",
        ]),
        ("curve = 'lgo'\ndefault = -30\nstep = 5", [
            '5: control[0].curve = "lgo": must be "linear", "log" or "db" (did you mean "log"?)'
        ]),
        ("curve = 'log'\nwidget = 'xy'", [
            '5: control[0].curve = "log": a log curve needs a low above 0, not 0',
            '6: control[0].widget = "xy": cannot draw a float: fader, knob, number, button, label can',
        ]),
        ("kind = 'flaot'\nstep = 5\nlimit = [2, 1]\ndefault = true\nchoices = ['a']", [
            ('5: control[0].kind = "flaot": must be "float", "int", "bool", "choice", "string", "color", "vector", '
            '"trigger" or "meter" (did you mean "float"?)'),
            "7: control[0].limit = [2, 1]: low must be below high",
        ]),
        ("kind = 'bool'\nchoices = ['x']\nwidget = 'xy'\ndefault = 3", [
            '6: control[0].choices = ["x"]: a bool has none',
            '7: control[0].widget = "xy": cannot draw a bool: toggle, button, label can',
            "8: control[0].default = 3: must be true or false",
        ]),
        ("kind = 'choice'\nwidget = 'xy'", [
            "3: control[0].choices: a choice needs 1…1024 of them, not 0",
            '6: control[0].widget = "xy": cannot draw a choice: select, pads, label can',
        ]),
        ("kind = 'vector'\ncomponents = 0\nwidget = 'fader'\n[control.osc.max]\ncomponent = 7", [
            "6: control[0].components = 0: must be 1–64",
            '7: control[0].widget = "fader": cannot draw a vector: xy, label can',
        ]),
        ("kind = 'string'\nmomentary = true\nrest = ''", [
            "6: control[0].momentary = true: a string cannot be momentary"
        ]),
    ],
)  # fmt: skip
def test_no_mistake_of_a_control_hides_another_or_makes_one_up(text: str, said: list[str]) -> None:
    assert control_mistakes(f"path = '/a'\n{text}") == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("repeat = 99999999\npath = '/{m}'", [
            "4: control[0].repeat = 99999999: makes more than 4096 controls",
            '5: control[0].path = "/{m}": no such placeholder: {m} (known here: {n}, {n0})',
        ]),
        ("each = { ch = [1, 99999], who = [{ x = 'a' }] }\npath = '/{x}/{m}'", [
            "4: control[0].each.ch = [1, 99999]: makes more than 4096 controls",
            '5: control[0].path = "/{x}/{m}": no such placeholder: {m} (known here: {ch}, {x})',
        ]),
        ("each = { ch = [1, 2] }\nrepeat = 3\npath = '/{n}/{ch}'\nlabel = '{m}'", [
            "4: control[0].each: stands beside repeat: write one of them (each = { n = [1, 8] } counts too)",
            '7: control[0].label = "{m}": no such placeholder: {m} (known here: {n}, {n0}, {ch})',
        ]),
        ("each = 3\npath = '/{m}'", [
            ('4: control[0].each = 3: must be a table of what to count through (ch = [1, 16] counts, '
            'who = ["Anna", "Ben"] names, mon = [{ who = "Anna", bus = 1 }] brings both)')
        ]),
    ],
)  # fmt: skip
def test_a_wrong_count_hides_no_wrong_placeholder(text: str, said: list[str]) -> None:
    assert control_mistakes(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[page]\nname = 'P'\n", ["1: page: there may be several of it: write [[page]]"]),
        ("[[page]]\nnmae = 'P'\n", [
            "1: page[0].name: is required", '2: page[0].nmae = "P": unknown key (did you mean "name"?)'
        ]),
    ],
)  # fmt: skip
def test_a_page_whose_name_is_unsure_is_not_said_to_be_missing(text: str, said: list[str]) -> None:
    assert mistakes(f"{text}[[control]]\npath = '/a'\npage = 'P'") == said


def test_a_peer_whose_name_is_unsure_is_not_said_to_be_missing() -> None:
    binding = "[[control]]\npath = '/a'\n[control.osc.max]\nadress = '/x'"
    wrong = '{}: control[0].osc.max.adress = "/x": unknown key (did you mean "address"?)'
    assert mistakes(f"[osc]\nname = 'max'\n{binding}") == [
        "1: osc: there may be several of it: write [[osc]]",
        wrong.format(6),
    ]
    assert mistakes(f"[[osc]]\nnmae = 'max'\n{binding}") == [
        "1: osc[0].name: is required",
        '2: osc[0].nmae = "max": unknown key (did you mean "name"?)',
        wrong.format(6),
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("kind = 'bool'\ndefault = 1", True),
        ("kind = 'string'\ndefault = 5", "5"),
        ("choices = ['a', 'b']\ndefault = 1", "b"),
        ("kind = 'int'\ndefault = 5.0", 5),
        ("kind = 'color'\ndefault = [1, 0, 0]", "#ff0000"),
    ],
)
def test_a_value_that_can_only_mean_one_thing_is_taken(text: str, value: object) -> None:
    assert control(f"path = '/a'\n{text}").default == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("default = true", "5: control[0].default = true: must be a number"),
        ("kind = 'int'\ndefault = 1.5", "6: control[0].default = 1.5: must be a whole number"),
        ("kind = 'bool'\ndefault = 0.3", "6: control[0].default = 0.3: must be true or false"),
        ("kind = 'string'\ndefault = true", "6: control[0].default = true: must be text in quotes"),
        ("choices = ['a', 'b']\ndefault = true", "6: control[0].default = true: must be one of its texts, in quotes"),
        ("choices = ['1', '2']\ndefault = 1", '6: control[0].default = 1: must be in quotes: "1" is one of its texts'),
        ("kind = 'vector'\ndefault = [0, true]", "6: control[0].default = [0, true]: must be a list of numbers"),
        ("kind = 'color'\ndefault = 3", '6: control[0].default = 3: must be a colour such as "#ff8800"'),
        ("momentary = true\nrest = true", "6: control[0].rest = true: must be a number"),
        ("momentary = true\nrest = 7", "6: control[0].rest = 7: is outside the range [0, 1]"),
        ("[panic]\n'/a' = true", '6: panic."/a" = true: must be a number'),
        ("[panic]\n'/a' = 7", '6: panic."/a" = 7: is outside the range [0, 1]'),
    ],
)
def test_a_value_of_another_kind_is_a_mistake_in_a_file(text: str, said: str) -> None:
    assert control_mistakes(f"path = '/a'\n{text}") == [said]


# Nothing else than ConfigError

KEYS = st.sampled_from(
    [*ControlTable.model_fields, "osc", "midi", "max", "pd", "name", "listen", "address", "args", "http", "zzz", "ch"]
)
SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [
            "/a",
            "/{n}",
            "{n0+1}",
            "{value}",
            "max",
            "fader",
            "db",
            "log",
            "vector",
            "choice",
            "bool",
            "Mixer",
            "#fff",
            "",
            "s",
        ]
    ),
    st.integers(-3, 5),
    st.sampled_from([0, 1, 10**30, -(2**63), 0.5, 1e308, -1e308, float("nan"), float("inf"), True, False]),
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=6),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
TABLES = st.dictionaries(KEYS, VALUES, max_size=7)
FILES = st.fixed_dictionaries(
    {},
    optional={
        "http": st.dictionaries(st.sampled_from(["host", "port", "pages", "hosts", "title"]), VALUES, max_size=3)
        | VALUES,
        "auth": st.dictionaries(st.just("mode"), VALUES) | VALUES,
        "osc": st.lists(TABLES | VALUES, max_size=3) | VALUES,
        "page": st.lists(st.dictionaries(st.sampled_from(["name", "layout", "columns"]), VALUES), max_size=3) | VALUES,
        "control": st.lists(TABLES, max_size=4) | VALUES,
        "junk": VALUES,
    },
)


def as_toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {as_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(as_toml(item) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False)


@settings(max_examples=150, deadline=None)
@given(FILES)
def test_junk_of_the_right_shape_raises_nothing_but_config_error(data: dict[str, Any]) -> None:
    text = "\n".join(f"{key} = {as_toml(value)}" for key, value in data.items())
    try:
        config = read(text)
    except ConfigError as exc:
        for problem in exc.problems:
            assert problem.line is not None or problem.where == "", problem
            assert "\n" not in problem.render("config.toml")
    else:
        assert config.surface.to_wire()["title"] == config.title


@settings(max_examples=100, deadline=None)
@given(TABLES, st.sampled_from(sorted(ControlTable.model_fields)), VALUES)
def test_one_key_with_any_value_is_accepted_or_told(table: dict[str, Any], key: str, value: Any) -> None:
    text = f'[[osc]]\nname = "max"\n[[control]]\npath = "/a"\n{key if key != "path" else "unit"} = {as_toml(value)}\n'
    try:
        read(text)
    except ConfigError as exc:
        assert all(problem.line in (3, 4, 5) for problem in exc.problems), exc


def test_panic_sets_values_of_this_files_controls() -> None:
    text = '[panic]\n"/a" = 0.7\n"/b" = true\n[[control]]\npath = "/a"\n[[control]]\npath = "/b"\nkind = "bool"\n'
    assert read(text).panic == {"/a": 0.7, "/b": True}
    assert read("").panic == {}


def test_what_panic_cannot_set_is_told() -> None:
    text = '[[control]]\npath = "/main"\n[[control]]\npath = "/go"\nkind = "trigger"\n'
    assert mistakes(text + '[panic]\n"/mian" = 0\n"/main" = "loud"\n"/go" = 1\n') == [
        '7: panic."/mian" = 0: no such control in this file (did you mean "/main"?)',
        '8: panic."/main" = "loud": must be a number',
        '9: panic."/go" = 1: is a trigger, which keeps no value',
    ]
    assert mistakes("panic = 1") == ["1: panic = 1: must be one table: write [panic]"]


def test_the_patience_with_a_stuck_browser_is_a_setting() -> None:
    assert read("").http.client_timeout_s == 10
    assert read("[http]\nclient_timeout_s = 5").http.client_timeout_s == 5
    assert mistakes("[http]\nclient_timeout_s = 0") == ["2: http.client_timeout_s = 0: must be 1–3600"]


LIVE = '[[osc]]\nname = "live"\nprofile = "abletonosc"\nlane = "iac"\n'
IAC = '[[midi]]\nname = "iac"\ndevice = "IAC"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (IAC + LIVE + 'lane_channel = 3\nlane_cc = { "Drums/volume" = 20 }', []),
        (LIVE + IAC, []),
        (LIVE + IAC + "in = 3", ['8: midi[0].in = 3: must be a part of a port\'s name, or false for none']),
        (LIVE, ['4: osc[0].lane = "iac": no such peer']),
        (LIVE + IAC.replace("iac", "iak"), ['4: osc[0].lane = "iac": no such peer (did you mean "iak"?)']),
        (LIVE + IAC + "out = false", [
            '4: osc[0].lane = "iac": iac cannot carry moves: that is a [[midi]] peer with a port to send to'
        ]),
        (LIVE.replace('"iac"', '"live"'), [
            '4: osc[0].lane = "live": live cannot carry moves: that is a [[midi]] peer with a port to send to'
        ]),
        (IAC + '[[osc]]\nname = "max"\nlane = "iac"', ["4: osc[0]: lane does nothing without driver"]),
        (LIVE.replace('lane = "iac"', "lane_channel = 2"), ["1: osc[0]: lane_channel does nothing without lane"]),
        (IAC + LIVE + "lane_channel = 17", ["8: osc[0].lane_channel = 17: must be 1–16"]),
        (IAC + LIVE + 'lane_cc = { "Drums" = 20 }', [
            '8: osc[0].lane_cc: must be a track and what of it, such as "Drums/volume"'
        ]),
        (IAC + LIVE + 'lane_cc = { "Drums/volume" = 120 }', ["8: osc[0].lane_cc: Drums/volume must be a CC, 0–119"]),
        (IAC + LIVE + 'lane_cc = { "Drums/volume" = 1, "Bass/volume" = 1 }', [
            "8: osc[0].lane_cc: a CC stands twice: each moves one thing"
        ]),
    ],
)  # fmt: skip
def test_a_lane_is_a_midi_peer_that_can_be_sent_to(text: str, said: list[str], tmp_path: Path) -> None:
    try:
        parse(text, app.KINDS, tmp_path)
    except ConfigError as exc:
        assert [line.removeprefix("config.toml:") for line in str(exc).splitlines()[:-1]] == said
    else:
        assert said == []


# Who may see what


ACCESS = """
[[page]]
name = "Anna"

[[control]]
path = "/a"
page = "Anna"

[[osc]]
name = "live"
profile = "abletonosc"
host = "127.0.0.1"

[[access]]
name = "Anna"
role = "view"
pages = ["Anna", "Live song", "Learnt", "sliders.html"]

[[access]]
name = "Tech"
"""


def test_an_entry_may_name_pages_that_come_later_and_files_of_pages() -> None:
    access = parse(ACCESS, app.KINDS).access
    assert access["Anna"] == Access("Anna", "view", ("Anna", "Live song", "Learnt", "sliders.html"))
    assert access["Tech"] == Access("Tech", "control", None)


def test_pages_that_a_wrong_table_may_bring_are_no_mistakes_of_their_own(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(ACCESS.replace('host = "127.0.0.1"', "port = 'x'").replace("sliders.html", "slider.html"), app.KINDS)
    assert [problem.where for problem in caught.value.problems][-1] == "access[0].pages[3]"
    assert "access[0].pages[1]" not in [problem.where for problem in caught.value.problems]
    assert caught.value.problems[-1].hint == 'did you mean "sliders.html"?'


def test_there_are_at_most_so_many_views() -> None:
    controls = "[[control]]\nrepeat = 17\npath = '/c{n}'\npages = ['{n}']\n"
    entry = "[[access]]\nname = '{0}'\npages = ['{0}']\n"
    text = controls + "".join(entry.format(number) for number in range(1, MAX_VIEWS + 1))
    assert len(parse(text + "[[access]]\nname = 'again'\npages = ['1']", KINDS).access) == MAX_VIEWS + 1
    with pytest.raises(ConfigError, match="one view too many: there may be 16 different lists of pages"):
        parse(text + entry.format(17), KINDS)
