"""What a peer is sent values as: tags of each kind by its ``types``; what it sends back is still understood."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.control import Control
from bridge.osc.bind import Route, compile_route
from bridge.osc.codec import IMPULSE, Double, Int64, Message, Rgba, Symbol, decode
from bridge.osc.policy import policy_of
from bridge.osc.routes import values_of
from bridge.osc.settings import Binding, Settings, Types
from bridge.store import Entry

FLOAT: dict[str, Any] = {"kind": "float"}
INT: dict[str, Any] = {"kind": "int"}
BOOL: dict[str, Any] = {"kind": "bool"}
TEXT: dict[str, Any] = {"kind": "string"}
COLOR: dict[str, Any] = {"kind": "color"}
XY: dict[str, Any] = {"kind": "vector"}
MODE: dict[str, Any] = {"kind": "choice", "choices": ("sine", "saw")}
GO: dict[str, Any] = {"kind": "trigger"}


def route(control: dict[str, Any], types: dict[str, str], **binding: Any) -> Route:
    made = Control(**{"path": "/x", **control})
    settings = Settings.model_validate({"name": "it", "types": types})
    return compile_route(Entry(1, made, made.default, 1), Binding.model_validate(binding), settings)


def message(route: Route, value: Any) -> Message:
    packet = decode(route.packet(value))
    assert isinstance(packet, Message)
    return packet


@pytest.mark.parametrize(
    ("control", "types", "binding", "value", "args"),
    [
        (BOOL, {"bool": "T"}, {}, True, (True,)),
        (BOOL, {"bool": "T"}, {}, False, (False,)),
        (BOOL, {"bool": "T"}, {"range": [1, 0]}, True, (False,)),
        (BOOL, {"bool": "f"}, {}, True, (1.0,)),
        (BOOL, {"bool": "T"}, {"type": "i"}, True, (1,)),
        (BOOL, {}, {"type": "T"}, True, (True,)),
        (BOOL, {}, {"type": "h"}, True, (Int64(1),)),
        (INT, {"int": "f"}, {}, 7, (7.0,)),
        (INT, {"int": "f"}, {"range": [0, 16383]}, 64, (8256.0,)),
        (INT, {"int": "h"}, {}, 7, (Int64(7),)),
        ({"kind": "int", "range": (0, 2**36)}, {"int": "h"}, {}, 2**36, (Int64(2**36),)),
        (INT, {"int": "h"}, {"type": "i"}, 7, (7,)),
        (FLOAT, {"float": "d"}, {}, 0.1, (Double(0.1),)),
        (FLOAT, {"float": "d"}, {"range": [0, 1000]}, 0.1, (Double(100.0),)),
        (FLOAT, {"float": "d"}, {"type": "f"}, 0.5, (0.5,)),
        (FLOAT, {}, {"type": "h", "range": [0, 2**40]}, 1.0, (Int64(2**40),)),
        (TEXT, {"string": "S"}, {}, "hi", (Symbol("hi"),)),
        (MODE, {"string": "S"}, {"as": "text"}, "saw", (Symbol("saw"),)),
        (MODE, {"int": "h"}, {}, "saw", (Int64(1),)),
        (MODE, {"int": "h"}, {"type": "f"}, "saw", (1.0,)),
        (COLOR, {"color": "fff"}, {}, "#ff0000", (1.0, 0.0, 0.0)),
        (COLOR, {"color": "r"}, {}, "#ff008040", (Rgba(255, 0, 128, 64),)),
        (COLOR, {"color": "s"}, {}, "#ff0080", ("#ff0080",)),
        (XY, {"vector": "array"}, {}, (0.25, 0.5), ((0.25, 0.5),)),
        (XY, {"vector": "array", "float": "d"}, {}, (0.25, 0.1), ((Double(0.25), Double(0.1)),)),
        (XY, {"vector": "array"}, {"component": 1}, (0.25, 0.5), (0.5,)),
        (GO, {"trigger": "none"}, {}, (), ()),
        (GO, {"trigger": "I"}, {}, (), (IMPULSE,)),
        (GO, {"trigger": "N"}, {}, (), (None,)),
        (GO, {"trigger": "T"}, {}, (), (True,)),
        (GO, {"trigger": "I"}, {"args": ["2"]}, (), (2,)),
        (GO, {"bool": "T", "int": "h", "float": "d"}, {}, (True, 3, 0.5), (True, Int64(3), Double(0.5))),
        (GO, {"trigger": "T"}, {}, (True, 3), (1, 3)),
    ],
)  # fmt: skip
def test_a_value_is_sent_as_the_peer_wants_it(
    control: dict[str, Any], types: dict[str, str], binding: Any, value: Any, args: Any
) -> None:
    got = message(route(control, types, **binding), value).args
    assert got == args
    assert [type(part) for part in got] == [type(part) for part in args]


VALUES: dict[str, Any] = {
    "float": st.floats(0, 1),
    "int": st.integers(0, 127),
    "bool": st.booleans(),
    "string": st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20),
    "color": st.binary(min_size=3, max_size=4).map(lambda raw: "#" + raw.hex()),
    "vector": st.tuples(st.floats(0, 1), st.floats(0, 1)),
    "choice": st.sampled_from(["sine", "saw"]),
}
TYPES = [
    dict(zip(("bool", "int", "float", "string", "color", "vector"), some, strict=True))
    for some in product("ifT", "ifh", "fd", "sS", ("ffff", "fff", "r", "s"), ("flat", "array"))
]


@given(st.data(), st.sampled_from(sorted(VALUES)), st.sampled_from(TYPES))
def test_what_comes_back_as_it_was_sent_is_the_value(data: st.DataObject, kind: str, types: dict[str, str]) -> None:
    made = route({"kind": kind} | ({"choices": ("sine", "saw")} if kind == "choice" else {}), types)
    value = made.entry.control.coerce(data.draw(VALUES[kind]))
    made.entry.value = value
    values = values_of(made, message(made, value).args)
    assert made.says(value, values, made.raw(values))
    report, wire = made.report(values, made.raw(values)), made.wire(value)
    assert report == (wire if made.is_exact else pytest.approx(wire, rel=1e-6))


def test_a_color_without_alpha_leaves_alpha_as_it_is() -> None:
    made = route(COLOR, {"color": "fff"})
    made.entry.value = "#10203040"
    assert made.entry.control.coerce(made.raw((1.0, 0.0, 0.0))) == "#ff000040"
    assert made.entry.control.coerce(route(COLOR, {}).raw((1.0, 0.0, 0.0))) == "#ff0000"


def test_a_truth_with_a_range_is_its_upper_end() -> None:
    made = route(BOOL, {"bool": "T"}, range=[0, 127])
    assert (made.raw((True,)), made.raw((False,)), made.raw((100,))) == (True, False, True)
    assert route(BOOL, {}, range=[1, 0]).raw((True,)) is False


def test_doubles_are_confirmed_in_either_precision() -> None:
    made = route(FLOAT, {"float": "d"})
    assert made.confirms(0.1, (0.1,))
    assert made.confirms(0.1, (0.10000000149011612,))
    assert not made.confirms(0.1, (0.100001,))
    array = route(XY, {"float": "d"})
    assert array.confirms((0.1, 0.5), (0.10000000149011612, 0.5))


def test_what_is_no_value_is_sent_as_the_peer_wants_it() -> None:
    mixed = [None, True, [1, "a"]]
    assert policy_of(Types()).arguments(mixed) == (1, 1, "a")
    assert policy_of(Types(nil="N", vector="array")).arguments(mixed) == (None, 1, (1, "a"))
    assert policy_of(Types(nil="0")).arguments([None]) == (0,)


def test_only_what_every_receiver_takes_is_sent_without_types() -> None:
    assert policy_of(Types()).tags == frozenset("ifsb")
    assert policy_of(Types(bool="T", color="r", nil="N")).tags == frozenset("ifsbTFrN")


def test_a_table_is_the_peers_own_law_along_the_travel() -> None:
    table = [[0, 0], [0.25, 100], [1, 1000]]
    made = route({"range": (0, 4)}, {}, table=table)
    assert [message(made, value).args[0] for value in (0, 0.5, 1, 2.5, 4)] == [0, 50, 100, 550, 1000]
    assert made.entry.control.coerce(made.raw((550.0,))) == 2.5
    turned = route({"range": (0, 4)}, {}, table=table, range=[1000, 0], type="i")
    assert [message(turned, value).args for value in (0, 3, 4)] == [(1000,), (100,), (0,)]
    assert turned.entry.control.coerce(turned.raw((100,))) == 3


def test_a_peers_template_says_where_its_fingers_are() -> None:
    def touched_at(control: dict[str, Any], **binding: Any) -> str | None:
        made = Control(**{"path": "/x", **control})
        settings = Settings.model_validate({"name": "it", "touch": "{path}/z"})
        return compile_route(Entry(1, made, made.default, 1), Binding.model_validate(binding), settings).touched_at

    assert touched_at(FLOAT) == "/x/z"
    assert touched_at(FLOAT, address="/1/fader1") == "/1/fader1/z"
    assert touched_at(FLOAT, touch="/t") == "/t"
    assert touched_at(GO) is touched_at({"kind": "meter"}) is touched_at({"access": "read"}) is None


def test_the_prefix_stands_before_what_is_sent_and_asked() -> None:
    made = Control(path="/x")
    settings = Settings.model_validate({"name": "it", "prefix": "/gma3", "query": "address"})
    one = compile_route(Entry(1, made, 0.0, 1), Binding.model_validate({"args": ["4"]}), settings)
    assert (one.heard_at, message(one, 0.5)) == ("/x", Message("/gma3/x", (4, 0.5)))
    assert one.question is not None
    assert decode(one.question) == Message("/gma3/x", (4,))
