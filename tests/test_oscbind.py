"""Bindings: values ↔ arguments, and finding the control that a message means."""

from typing import Any

import pytest

from bridge.control import Control
from bridge.errors import BadValue
from bridge.osc.bind import check_binding, compile_route, is_button_up, is_mirrored
from bridge.osc.codec import IMPULSE, Char, Double, Int64, Message, Midi, Rgba, Symbol, TimeTag, decode
from bridge.osc.forms import plain_args
from bridge.osc.routes import RouteTable, values_of
from bridge.osc.settings import Binding, Settings
from bridge.store import Entry

SETTINGS = Settings.model_validate({"name": "max"})


def route(control: dict[str, Any], **binding: Any) -> Any:
    made = Control(**{"path": "/x", **control})
    return compile_route(Entry(1, made, made.default, 1), Binding.model_validate(binding))


def sent(route: Any, value: Any) -> tuple[str, tuple[Any, ...]]:
    message = decode(route.packet(value))
    assert isinstance(message, Message)
    return message.address, message.args


FLOAT: dict[str, Any] = {"kind": "float"}
INT: dict[str, Any] = {"kind": "int"}
BOOL: dict[str, Any] = {"kind": "bool"}
XY: dict[str, Any] = {"kind": "vector"}
MODE: dict[str, Any] = {"kind": "choice", "choices": ("sine", "saw")}


@pytest.mark.parametrize(
    ("control", "binding", "value", "args"),
    [
        (FLOAT, {}, 0.5, (0.5,)),
        (FLOAT, {"type": "i", "range": [0, 127]}, 0.5, (64,)),
        (FLOAT, {"range": [-1, 1]}, 0.75, (0.5,)),
        (FLOAT, {"range": [1, 0]}, 0.25, (0.75,)),
        ({"range": (20, 20000), "curve": "log"}, {"range": [0, 1]}, 20000, (1.0,)),
        ({"range": (-90, 10), "curve": "db"}, {"range": [0, 1]}, -10.0, (0.5,)),
        (FLOAT, {"range": [1, 16], "curve": "log"}, 0.5, (4.0,)),
        (FLOAT, {"args": ["0"]}, 0.5, (0, 0.5)),
        (FLOAT, {"args": [{"s": "0"}, "{value}", 2.5]}, 0.5, ("0", 0.5, 2.5)),
        (INT, {}, 7, (7,)),
        (INT, {"range": [0, 1]}, 127, (1.0,)),
        (INT, {"range": [0, 16383]}, 127, (16383,)),
        (INT, {"type": "f"}, 7, (7.0,)),
        ({"kind": "int", "range": (0, 2**36)}, {}, 2**36, (float(2**36),)),
        (BOOL, {}, True, (1,)),
        (BOOL, {"range": [0, 127]}, True, (127,)),
        (BOOL, {"range": [1, 0]}, True, (0,)),
        (BOOL, {"type": "f"}, True, (1.0,)),
        (MODE, {}, "saw", (1,)),
        (MODE, {"as": "text"}, "saw", ("saw",)),
        (MODE, {"type": "f"}, "saw", (1.0,)),
        ({"kind": "string"}, {}, "hi there", ("hi there",)),
        ({"kind": "color"}, {}, "#ff0033", (1.0, 0.0, pytest.approx(0.2), 1.0)),
        ({"kind": "color"}, {}, "#ff003300", (1.0, 0.0, pytest.approx(0.2), 0.0)),
        (XY, {}, (0.25, 0.5), (0.25, 0.5)),
        (XY, {"component": 1}, (0.25, 0.5), (0.5,)),
        (FLOAT, {"table": [[0, 10], [0.5, 20], [1, 100]]}, 0.75, (60.0,)),
        (XY, {"component": 1, "range": [0, 100], "type": "i"}, (0.25, 0.5), (50,)),
        ({"kind": "trigger"}, {}, (), (1,)),
        ({"kind": "trigger"}, {}, (3, "x"), (3, "x")),
        ({"kind": "trigger"}, {"args": []}, (), ()),
        ({"kind": "trigger"}, {"args": ["2"]}, (), (2,)),
        ({"kind": "trigger"}, {"args": ["2"]}, ("x",), (2, "x")),
    ],
)
def test_a_value_becomes_arguments(control: dict[str, Any], binding: Any, value: Any, args: Any) -> None:
    address, got = sent(route(control, **binding), value)
    assert address == "/x"
    assert got == args
    assert [type(part) for part in got] == [type(part) for part in args] or any(
        not isinstance(part, (int, float, str)) for part in args
    )


@pytest.mark.parametrize(
    ("control", "binding", "values", "value"),
    [
        (FLOAT, {}, (1,), 1.0),
        (FLOAT, {"range": [0, 127]}, (127.0,), 1.0),
        (FLOAT, {"range": [1, 0]}, (0.75,), 0.25),
        ({"range": (20, 20000), "curve": "log"}, {"range": [0, 1]}, (0.0,), 20.0),
        (FLOAT, {"range": [0, 1]}, (7.0,), 1.0),
        (INT, {}, (7.0,), 7),
        (BOOL, {}, (1.0,), True),
        (BOOL, {}, (False,), False),
        (BOOL, {"range": [0, 127]}, (63,), False),
        (BOOL, {"range": [0, 127]}, (64,), True),
        (BOOL, {"range": [1, 0]}, (0.0,), True),
        (MODE, {}, (1.0,), "saw"),
        (MODE, {}, ("sine",), "sine"),
        ({"kind": "choice", "choices": ("soft clip", "off")}, {}, ("soft", "clip"), "soft clip"),
        ({"kind": "string"}, {}, ("hi", "there", 2.0), "hi there 2"),
        ({"kind": "string"}, {}, (Symbol("x"),), "x"),
        ({"kind": "color"}, {}, (1.0, 0.0, 0.2), "#ff0033"),
        ({"kind": "color"}, {}, (255.0, 0.0, 51.0), "#ff0033"),
        ({"kind": "color"}, {}, (Rgba(255, 0, 51, 255),), "#ff0033"),
        ({"kind": "color"}, {}, ("#f00",), "#ff0000"),
        (XY, {}, (0.25, 1), (0.25, 1.0)),
        (XY, {}, ((0.25, 0.5),), (0.25, 0.5)),
        (XY, {"component": 1}, (0.5,), (0.0, 0.5)),
        ({"kind": "meter", "range": (-60, 0)}, {}, (-6.0,), -6.0),
    ],
)
def test_arguments_become_a_value(control: dict[str, Any], binding: Any, values: Any, value: Any) -> None:
    made = route(control, **binding)
    got = made.entry.control.coerce(made.raw(values), made.entry.value)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("control", "binding", "values"),
    [
        (FLOAT, {}, ("0.5",)),
        (FLOAT, {}, (0.5, 0.5)),
        (FLOAT, {}, (float("nan"),)),
        (FLOAT, {}, (b"x",)),
        (FLOAT, {}, (IMPULSE,)),
        (FLOAT, {"range": [0, 127]}, (float("inf"),)),
        (FLOAT, {"range": [0, 127]}, ("x",)),
        ({"step": 0.001}, {}, (Double(1e308),)),
        (BOOL, {"range": [0, 127]}, (float("nan"),)),
        (MODE, {}, ("square",)),
        (MODE, {}, (2,)),
        ({"kind": "string"}, {}, (b"x",)),
        ({"kind": "string"}, {}, ("x", b"x")),
        ({"kind": "color"}, {}, (1.0,)),
        ({"kind": "color"}, {}, (1.0, float("nan"), 0.0)),
        (XY, {}, (0.5,)),
        (XY, {}, (0.5, "x")),
        (XY, {}, (0.5, float("nan"))),
        (XY, {"component": 0}, (0.5, 0.5)),
    ],
)
def test_what_does_not_fit_is_a_bad_value(control: dict[str, Any], binding: Any, values: Any) -> None:
    made = route(control, **binding)
    try:
        value = made.entry.control.coerce(made.raw(values), made.entry.value)
    except BadValue:
        return
    assert values == (1e308,)  # a double beyond every range is clamped, not an error
    assert value == 1.0


@pytest.mark.parametrize(
    ("control", "binding", "value", "values", "is_same"),
    [
        (FLOAT, {}, 0.73, (0.7300000190734863,), True),
        (FLOAT, {}, 0.73, (Double(0.73),), True),
        (FLOAT, {}, 0.73, (0.73000007,), False),
        (FLOAT, {}, 0.73, ("x",), False),
        (FLOAT, {"range": [0, 127], "type": "i"}, 0.73, (93,), True),
        (FLOAT, {"range": [0, 127], "type": "i"}, 0.73, (93.0,), True),
        (FLOAT, {"range": [0, 127], "type": "i"}, 0.73, (94,), False),
        (FLOAT, {"range": [0, 127]}, 0.73, (92.70999908447266,), True),
        (INT, {"range": [0, 7]}, 99, (5.488189,), False),
        (XY, {}, (0.1, 0.73), (0.10000000149011612, 0.7300000190734863), True),
        (XY, {"component": 1}, (0.1, 0.73), (0.7300000190734863,), True),
        (XY, {}, (0.1, 0.73), (0.1, 0.5), False),
    ],
)
def test_a_report_in_the_precision_of_the_wire_confirms_the_value(
    control: dict[str, Any], binding: Any, value: Any, values: Any, is_same: bool
) -> None:
    assert route(control, **binding).confirms(value, values) is is_same


@pytest.mark.parametrize(
    ("control", "binding", "key"),
    [
        (MODE, {"range": [0, 1]}, "range"),
        ({"kind": "string"}, {"curve": "log"}, "curve"),
        ({"kind": "string"}, {"type": "i"}, "type"),
        (MODE, {"as": "text", "type": "i"}, "type"),
        (BOOL, {"curve": "log"}, "curve"),
        (FLOAT, {"curve": "log"}, "curve"),
        (FLOAT, {"curve": "db", "range": [0, 100]}, "range"),
        (FLOAT, {"component": 0}, "component"),
        (XY, {"component": 2}, "component"),
        (FLOAT, {"as": "text"}, "as"),
        ({"kind": "meter"}, {"direction": "out"}, "direction"),
        (FLOAT, {"direction": "out", "reply": "/y"}, "reply"),
        ({"kind": "trigger"}, {"args": ["{value}"]}, "args"),
    ],
)
def test_a_binding_that_does_not_suit_its_control_names_the_key(
    control: dict[str, Any], binding: Any, key: str
) -> None:
    made = Control(**{"path": "/x", **control})
    assert [name for name, _ in check_binding(SETTINGS, Binding.model_validate(binding), made)] == [key]


def test_a_good_binding_has_no_mistakes() -> None:
    assert list(check_binding(SETTINGS, Binding(), Control(path="/x"))) == []


def test_the_release_of_a_button_is_known() -> None:
    assert all(is_button_up(values) for values in [(0,), (0.0,), (False,)])
    assert not any(is_button_up(values) for values in [(), (1,), (0, 0), ("0",), (True,), (None,)])


def test_arguments_of_a_trigger_are_plain_and_in_a_row() -> None:
    args = (Symbol("a"), Char(65), Int64(2), Double(0.5), TimeTag(1), Rgba(1, 2, 3, 4), None, IMPULSE)
    got = plain_args((*args, (Symbol("b"), (Int64(1),)), Midi(0, 1, 2, 3)))
    assert got == ("a", "A", 2, 0.5, 1, "#01020304", None, True, "b", 1, 0, 1, 2, 3)
    kinds = [str, str, int, float, int, str, type(None), bool, str, int, int, int, int, int]
    assert [type(value) for value in got] == kinds
    assert plain_args((None,)) == plain_args(((None,),)) == ()


def test_the_bridges_own_status_is_not_mirrored() -> None:
    assert is_mirrored(Control(path="/x"))
    assert not is_mirrored(Control(path="/stagebridge/peers/max", kind="string"))


# ---------------------------------------------------------------------------------- finding


def table(*bindings: dict[str, Any]) -> tuple[RouteTable, list[Entry]]:
    routes = RouteTable()
    entries = []
    for number, binding in enumerate(bindings, 1):
        control = Control(path=f"/c/{number}")
        entry = Entry(number, control, control.default, number)
        entries.append(entry)
        routes.put(entry, [compile_route(entry, Binding.model_validate(binding))])
    return routes, entries


def ids(routes: RouteTable, address: str, *args: Any) -> list[int] | None:
    found = routes.find(address, args)
    return None if found is None else [route.entry.id for route in found]


def test_leading_arguments_pick_the_control() -> None:
    one = {"address": "/track/set/volume", "reply": "/track/get/volume", "args": ["0"]}
    routes, _ = table(one, one | {"args": ["1"]}, {"address": "/track/get/volume", "args": ["1", "2"]})
    assert ids(routes, "/track/get/volume", 0, 0.5) == [1]
    assert ids(routes, "/track/get/volume", 1.0, 0.5) == [2]  # Pd has floats alone
    assert sorted(ids(routes, "/track/get/volume", 1, 2, 0.5) or []) == [2, 3]
    assert ids(routes, "/track/get/volume", 7, 0.5) == []
    assert ids(routes, "/track/get/volume") == []
    assert ids(routes, "/track/set/volume", 0, 0.5) is None  # reports come at the reply address alone
    found = routes.find("/track/get/volume", (0, 0.5))
    assert found is not None
    assert values_of(found[0], (0, 0.5)) == (0.5,)
    assert values_of(found[0], (0,)) == ()


def test_arguments_after_the_value_must_fit_too() -> None:
    routes, _ = table({"address": "/x", "args": ["1", "{value}", "9"]})
    assert ids(routes, "/x", 1, 0.5, 9) == [1]
    assert ids(routes, "/x", 1, 0.5, 8) == []
    assert ids(routes, "/x", 1) == [1]  # a question
    found = routes.find("/x", (1, 0.5, 9))
    assert found is not None
    assert values_of(found[0], (1, 0.5, 9)) == (0.5,)


def test_what_is_only_sent_is_not_heard_and_the_other_way_round() -> None:
    routes, _ = table({"direction": "out"}, {"direction": "in"})
    assert ids(routes, "/c/1", 0.5) is None
    assert ids(routes, "/c/2", 0.5) == [2]
    assert list(routes.spoken()) == [1]
    assert list(routes.spoken("/c/*")) == [1]


def test_a_control_that_goes_leaves_nothing_behind() -> None:
    routes, entries = table({"address": "/same"}, {"address": "/same"}, {"args": ["3"]})
    routes.drop(entries[0])
    assert ids(routes, "/same", 0.5) == [2]
    routes.drop(entries[1])
    routes.drop(entries[1])
    routes.drop(entries[2])
    assert ids(routes, "/same", 0.5) is None
    assert list(routes.addresses) == list(routes.spoken()) == []
    assert routes.tree.find("//") == ()


def test_a_control_that_is_sent_and_heard_by_two_bindings_at_one_address_can_go() -> None:
    control = Control(path="/x")
    entry = Entry(1, control, 0.0, 1)
    routes = RouteTable()
    both = [compile_route(entry, Binding.model_validate({"direction": way})) for way in ("out", "in")]
    routes.put(entry, both)
    assert list(routes.drop(entry)) == both
    assert ids(routes, "/x", 0.5) is None


def test_an_address_that_is_a_controls_own_is_no_touch_of_another() -> None:
    routes, _ = table({"touch": "/c/2"}, {"address": "/c/2"}, {"touch": "/t"})
    assert list(routes.touched("/c/2")) == []
    assert [entry.id for entry in routes.touched("/t")] == [3]
