"""What a control infers, what it refuses, and how it is described."""

import json
import math
from dataclasses import FrozenInstanceError
from typing import Any

import msgspec
import pytest

from bridge.control import MAX_CHOICES, MAX_LABEL, WIDGETS, Control, check_path
from bridge.errors import BadControl
from bridge.law import DB_TABLE


def described(**fields: Any) -> dict[str, Any]:
    return Control(path="/a/volume", **fields).describe()


# Paths


@pytest.mark.parametrize("path", ["/a", "/mixer/1/volume", "/ä/ö", "/a.b:c-d_e", "/" + "x" * 254])
def test_a_path_that_is_an_osc_address_is_taken(path: str) -> None:
    check_path(path)


@pytest.mark.parametrize(
    "path",
    ["", "a", "/", "//a", "/a//b", "/a/", "/a b", "/a#", "/a*", "/a,b", "/a?", "/[a]", "/{a}", "/a\n", "/a\x00",
     "/" + "x" * 255, "/" + "é" * 128, "/\ud800", "x" * 300_000],
)  # fmt: skip
def test_any_other_path_is_refused_in_few_words(path: str) -> None:
    with pytest.raises(BadControl) as caught:
        check_path(path)
    assert caught.value.field == "path"
    assert len(str(caught.value)) < 400
    str(caught.value).encode()


# Inference


@pytest.mark.parametrize(
    ("fields", "inferred"),
    [
        ({}, {"range": (0.0, 1.0), "limit": (0.0, 1.0), "step": None, "decimals": 2, "default": 0.0}),
        ({"kind": "int"}, {"range": (0, 127), "step": 1, "decimals": 0, "default": 0, "widget": "number"}),
        ({"kind": "bool"}, {"default": False, "widget": "toggle", "range": None}),
        ({"kind": "choice", "choices": ("x", "y")}, {"default": "x", "widget": "select"}),
        ({"kind": "string"}, {"default": "", "widget": "text", "max_length": 1000}),
        ({"kind": "color"}, {"default": "#000000", "widget": "color"}),
        ({"kind": "vector"}, {"default": (0.0, 0.0), "widget": "xy"}),
        ({"kind": "vector", "size": 3}, {"default": (0.0, 0.0, 0.0), "widget": "label"}),
        ({"kind": "trigger"}, {"default": None, "widget": "button"}),
        ({"kind": "meter"}, {"default": None, "widget": "meter", "access": "read", "range": (-60.0, 0.0)}),
        ({"range": (-1, 1)}, {"bipolar": True, "default": 0.0}),
        ({"range": (-1, 1), "widget": "knob"}, {"reset": True}),
        ({"range": (-1, 1), "widget": "fader"}, {"reset": False}),
        ({"range": (20, 20000)}, {"decimals": 0, "default": 20.0}),
        ({"range": (0, 50)}, {"decimals": 1}),
        ({"range": (0, 0.05)}, {"decimals": 4}),
        ({"step": 0.05}, {"decimals": 2}),
        ({"step": 1 / 3}, {"decimals": 2}),  # not nine of them
        ({"range": (0, 100), "step": 10}, {"decimals": 0}),
        ({"range": (0, 1), "limit": (0.25, 1)}, {"default": 0.25}),
        ({"kind": "bool", "momentary": True}, {"widget": "button", "rest": False, "default": False}),
        ({"momentary": True, "rest": 0.5}, {"rest": 0.5, "default": 0.5}),
        ({"kind": "int", "range": (0.0, 12.0)}, {"range": (0, 12), "limit": (0, 12)}),
    ],
)  # fmt: skip
def test_what_is_not_written_is_inferred(fields: dict[str, Any], inferred: dict[str, Any]) -> None:
    control = Control(path="/a/volume", **fields)
    assert {name: getattr(control, name) for name in inferred} == inferred
    assert control.label == "volume"


def test_an_int_has_whole_numbers_in_its_description_whatever_it_was_given() -> None:
    control = Control(path="/a", kind="int", range=(0.0, 12.0), step=2.0)
    assert json.dumps([control.range, control.limit, control.step, control.default]) == "[[0, 12], [0, 12], 2, 0]"


def test_the_first_widget_of_a_kind_is_its_default_and_all_can_be_asked_for() -> None:
    for kind, widgets in WIDGETS.items():
        choices = ("a",) if kind == "choice" else ()
        assert Control(path="/a", kind=kind, choices=choices).widget == widgets[0]
        for widget in widgets:
            assert Control(path="/a", kind=kind, choices=choices, widget=widget).widget == widget


# Refusals


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("kind", {"kind": "number"}),
        ("range", {"range": (1, 0)}),
        ("range", {"range": (1, 1)}),
        ("range", {"range": (0, math.nan)}),
        ("range", {"range": (0, math.inf)}),
        ("range", {"range": (-1e308, 1e308)}),  # the way between them is no number
        ("range", {"range": (0, 10**400)}),
        ("range", {"range": (0, 1), "kind": "bool"}),
        ("range", {"range": (0.5, 10), "kind": "int"}),
        ("range", {"range": (0, 10**12 + 1), "kind": "int"}),
        ("range", {"range": (0, 1), "curve": "log"}),
        ("range", {"range": (5e-324, 1e300), "curve": "log"}),
        ("range", {"range": (-100, 10), "curve": "db"}),
        ("limit", {"limit": (0.5, 2)}),
        ("limit", {"limit": (0.5, 0.2)}),
        ("limit", {"limit": (0.11, 0.19), "step": 0.1}),
        ("limit", {"limit": (1.5, 3), "kind": "int"}),
        ("limit", {"limit": (0, 1), "kind": "string"}),
        ("step", {"step": 0}),
        ("step", {"step": -0.1}),
        ("step", {"step": 2}),
        ("step", {"step": math.nan}),
        ("step", {"step": 1e-320}),
        ("step", {"step": 1e-9, "range": (0, 1e6)}),
        ("step", {"step": 0.5, "kind": "int"}),
        ("decimals", {"decimals": 10}),
        ("decimals", {"decimals": -1}),
        ("table", {"curve": "db", "table": ((0, -90), (1, math.nan)), "range": (-90, 0)}),
        ("table", {"curve": "db", "table": ((0, -90), (0.5, -90), (1, 0)), "range": (-90, 0)}),
        ("table", {"curve": "db", "table": ((0, -90),), "range": (-90, 0)}),
        ("choices", {"kind": "choice"}),
        ("choices", {"kind": "choice", "choices": ("a", "b", "a")}),
        ("choices", {"kind": "choice", "choices": tuple(map(str, range(MAX_CHOICES + 1)))}),
        ("choices", {"kind": "choice", "choices": ("x" * (MAX_LABEL + 1),)}),
        ("choices", {"kind": "choice", "choices": tuple(f"{n:0255}" for n in range(300))}),
        ("choices", {"kind": "choice", "choices": ("a\n",)}),
        ("choices", {"kind": "choice", "choices": ("\ud800",)}),
        ("choices", {"choices": ("a",)}),
        ("size", {"kind": "vector", "size": 0}),
        ("size", {"kind": "vector", "size": 10**9}),
        ("widget", {"widget": "select"}),
        ("widget", {"kind": "vector", "size": 3, "widget": "xy"}),
        ("label", {"label": "x" * (MAX_LABEL + 1)}),
        ("label", {"label": "a\x00"}),
        ("unit", {"unit": "\ud800"}),
        ("group", {"group": "a\tb"}),
        ("color", {"color": "red"}),
        ("default", {"default": 2}),
        ("default", {"default": math.nan}),
        ("default", {"default": "x"}),
        ("default", {"default": (0.1, 2), "kind": "vector"}),
        ("default", {"default": (0.1,), "kind": "vector"}),
        ("default", {"default": "c", "kind": "choice", "choices": ("a", "b")}),
        ("default", {"default": 1, "kind": "trigger"}),
        ("rest", {"rest": "x", "momentary": True}),
        ("momentary", {"momentary": True, "kind": "color"}),
        ("max_length", {"kind": "string", "max_length": 0}),
        ("hold_timeout", {"hold_timeout": 0}),
        ("hold_timeout", {"hold_timeout": math.inf}),
    ],
)
def test_a_description_that_contradicts_itself_names_the_field(field: str, fields: dict[str, Any]) -> None:
    with pytest.raises(BadControl) as caught:
        Control(path="/a", **fields)
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: ")


# Description


def test_a_description_leaves_out_what_says_nothing() -> None:
    assert described() == {
        "path": "/a/volume", "kind": "float", "label": "volume", "widget": "fader",
        "range": [0.0, 1.0], "decimals": 2, "default": 0.0,
    }  # fmt: skip


def test_a_description_says_everything_else() -> None:
    assert described(
        kind="float", owner="page", access="write", range=(-90, 10), limit=(-90, 0), step=0.5, curve="db", unit="dB",
        default=-10, label="Volume", color="#4DB5FF", group="1", widget="knob", guard=True, reset=True, relative=False,
        hold="first", hold_timeout=5,
    ) == {
        "path": "/a/volume", "kind": "float", "owner": "page", "access": "write", "range": [-90, 10],
        "limit": [-90, 0], "step": 0.5, "curve": "db", "table": [list(point) for point in DB_TABLE], "unit": "dB",
        "decimals": 1, "default": -10.0, "label": "Volume", "color": "#4db5ff", "group": "1", "widget": "knob",
        "guard": True, "reset": True, "relative": False, "hold": "first", "hold_timeout": 5,
    }  # fmt: skip


@pytest.mark.parametrize("kind", WIDGETS)
def test_every_description_is_plain_json(kind: Any) -> None:
    made = described(kind=kind, choices=("a", "b") if kind == "choice" else ())
    assert json.loads(json.dumps(made)) == made == msgspec.json.decode(msgspec.json.encode(made))


def test_a_momentary_says_its_rest() -> None:
    assert described(kind="bool", momentary=True) | {"momentary": True, "rest": False} == described(
        kind="bool", momentary=True
    )


def test_the_largest_description_fits_into_a_frame() -> None:
    choices = tuple(f"{n:04}" + "\U0001f600" * 14 for n in range(MAX_CHOICES))
    made = msgspec.json.encode(described(kind="choice", choices=choices, label="x" * MAX_LABEL))
    assert len(made) < 128 * 1024


# A value, not a thing


def test_controls_are_equal_by_what_they_say_and_cannot_change() -> None:
    one, other = Control(path="/a", range=(0, 1)), Control(path="/a")
    assert one == other
    assert hash(one) == hash(other)
    with pytest.raises(FrozenInstanceError):
        one.label = "b"  # type: ignore[misc]


# Texts


def test_values_read_as_a_person_reads_them() -> None:
    assert Control(path="/a", range=(-1, 1)).text(-0.5) == "\u22120.50"
    assert Control(path="/a", kind="bool").text(True) == "on"
    assert Control(path="/a", kind="vector", range=(-1, 1)).text((0.5, -1.0)) == "0.50, \u22121.00"
    assert Control(path="/a", kind="choice", choices=("x",)).text("x") == "x"
    assert Control(path="/a", kind="trigger").text(None) == ""
    assert Control(path="/a", range=(-90, 10), curve="db").text(-90.0) == "\u2212\u221e"
