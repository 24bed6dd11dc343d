"""What raw values become; nothing but BadValue is raised, whatever is given."""

import math
import sys
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bridge.coercion import MAX_ARG_TEXT, MAX_ARGS, plain_args, shown
from bridge.control import MAX_INT, Control, Kind
from bridge.errors import BadControl, BadValue
from bridge.osc.codec import IMPULSE, Double, Int64, Rgba, Symbol, TimeTag

HUGE = 10**400
TOO_LONG_TO_WRITE = 10 ** (sys.get_int_max_str_digits() + 1)
SURROGATE = "\ud800"


def nested(depth: int) -> list[Any]:
    made: list[Any] = []
    for _ in range(depth):
        made = [made]
    return made


HOSTILE: list[Any] = [
    None, "", "x", SURROGATE, "x" * 100_000, b"\x00\xff", math.nan, math.inf, -math.inf, HUGE, -HUGE,
    [], {}, [math.nan], [HUGE, HUGE], [None, None], [SURROGATE, 0.1], [1, 2, HUGE], [1, 2, "3"],
    nested(900), {"a": nested(300)}, object(), 1j, IMPULSE, Rgba(1, 2, 3, 4), Int64(2**63 - 1), Double(1e308),
    True, -0.0,
]  # fmt: skip
UNWRITABLE: list[Any] = [TOO_LONG_TO_WRITE, [TOO_LONG_TO_WRITE, 1]]
CONTROLS = {
    "float": Control(path="/a", step=0.1),
    "int": Control(path="/a", kind="int"),
    "meter": Control(path="/a", kind="meter"),
    "bool": Control(path="/a", kind="bool"),
    "choice": Control(path="/a", kind="choice", choices=("a", "b")),
    "string": Control(path="/a", kind="string", max_length=20),
    "color": Control(path="/a", kind="color"),
    "vector": Control(path="/a", kind="vector"),
    "trigger": Control(path="/a", kind="trigger"),
}

raws = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.sampled_from(HOSTILE),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=6,
)


@st.composite
def numbers(draw: st.DrawFn) -> Control:
    """Any control of one number, with limits and steps of every sort."""
    kind: Kind = draw(st.sampled_from(["float", "int", "meter"]))
    ends = (
        st.integers(-1000, 1000) if kind == "int" else st.floats(-1000, 1000) | st.decimals(-9, 9, places=2).map(float)
    )
    low, high = sorted((draw(ends) + 0, draw(ends) + 0))  # + 0: hypothesis tells −0 from 0
    inner = st.floats(low, high) if kind != "int" else st.integers(int(low), int(high))
    limit = draw(st.none() | st.tuples(inner, inner).map(lambda pair: (min(pair), max(pair))))
    steps = st.sampled_from([0.01, 0.1, 0.25, 1 / 3, 1 / 1024, 0.7]) | st.floats(1e-3, 100)
    step = draw(st.none() | (st.integers(1, 50) if kind == "int" else steps))
    try:
        return Control(path="/a", kind=kind, range=(low, high), limit=limit, step=step)
    except BadControl:
        assume(False)
        raise


# Nothing but BadValue


@pytest.mark.parametrize("kind", CONTROLS)
@pytest.mark.parametrize("raw", HOSTILE + UNWRITABLE, ids=lambda raw: type(raw).__name__)
def test_hostile_values_are_taken_or_refused_and_never_break_anything(kind: str, raw: Any) -> None:
    try:
        value = CONTROLS[kind].coerce(raw)
    except BadValue as exc:
        assert len(str(exc)) < 200
    else:
        assert CONTROLS[kind].coerce(value) == value


@given(st.sampled_from(list(CONTROLS.values())), raws)
def test_any_value_is_taken_or_refused_and_taking_it_twice_changes_nothing(control: Control, raw: Any) -> None:
    try:
        value = control.coerce(raw)
    except BadValue:
        return
    assert control.coerce(value) == value
    assert control.text(value) is not None


@pytest.mark.parametrize("raw", HOSTILE + UNWRITABLE, ids=lambda raw: type(raw).__name__)
def test_whatever_is_quoted_in_an_answer_is_short(raw: Any) -> None:
    assert len(shown(raw)) <= 70


# Numbers


@given(numbers(), st.floats(allow_nan=False, allow_infinity=False) | st.integers(-2000, 2000) | st.booleans())
def test_a_number_ends_inside_the_limit_on_a_step_and_stays_there(control: Control, raw: float) -> None:
    assert control.limit is not None
    value = control.coerce(raw)
    assert type(value) is (int if control.kind == "int" else float)
    assert control.limit[0] <= value <= control.limit[1]
    assert control.coerce(value) == value
    assert math.copysign(1, value) == 1 or value != 0  # never −0
    if control.step is not None:
        steps = (value - control.low) / control.step
        assert math.isclose(steps, round(steps), abs_tol=1e-5)


@given(numbers(), st.floats(-1000, 1000))
def test_no_other_step_inside_the_limit_is_nearer(control: Control, raw: float) -> None:
    assume(control.step is not None)
    assert control.limit is not None
    assert control.step is not None
    value = control.coerce(raw)
    inside = min(max(raw, control.limit[0]), control.limit[1])
    for other in (value - control.step, value + control.step):
        if control.limit[0] <= other <= control.limit[1]:
            assert abs(value - inside) <= abs(other - inside) * (1 + 1e-9) + 1e-9


@pytest.mark.parametrize(
    ("fields", "raw", "value"),
    [
        ({"step": 0.1}, 0.30000000000000004, 0.3),
        ({"step": 0.1}, 0.25, 0.3),
        ({"range": (0.05, 1.05), "step": 0.25}, 0.5, 0.55),  # steps count from low
        ({"range": (0, 1), "step": 0.3}, 1, 0.9),  # as in <input type=range>: the last step, not the end
        ({"limit": (0, 0.72), "step": 0.1}, 0.9, 0.7),
        ({"limit": (0.11, 1), "step": 0.1}, 0, 0.2),
        ({"step": 1 / 3}, 1, 1.0),
        ({"step": 1 / 3}, 0.7, 2 / 3),
        ({"range": (0, 0.9), "step": 0.9 / 7}, 1, 0.9),  # seven times it is a bit above 0.9
        ({"range": (-1, 1), "step": 0.1}, -0.01, 0.0),
        ({"range": (-1, 1)}, -0.0, 0.0),
        ({"limit": (0, 0.75)}, 5, 0.75),
        ({"limit": (0, 0.75)}, 1e308, 0.75),
        ({"step": 1e-9, "range": (0, 1)}, 1e308, 1.0),
        ({"kind": "int"}, 3.5, 4),
        ({"kind": "int"}, True, 1),
        ({"kind": "int"}, 1e300, 127),
        ({"kind": "int", "range": (0, 30), "step": 7}, 99, 28),
        ({"kind": "int", "range": (-MAX_INT, MAX_INT)}, MAX_INT - 1, MAX_INT - 1),
        ({}, True, 1.0),
        ({}, Double(0.5), 0.5),
        ({}, Int64(1), 1.0),
    ],
)
def test_numbers_go_to_the_nearest_that_the_control_can_hold(fields: dict[str, Any], raw: Any, value: float) -> None:
    made = Control(path="/a", **fields).coerce(raw)
    assert made == value
    assert type(made) is type(value)
    assert str(made) == str(value)  # no −0, no binary dust


# Vectors


def test_null_leaves_a_component_of_a_vector() -> None:
    vector = CONTROLS["vector"]
    assert vector.coerce([None, 0.4], (0.1, 0.2)) == (0.1, 0.4)
    assert vector.coerce([0.3, None], (0.1, 0.2)) == (0.3, 0.2)
    with pytest.raises(BadValue, match="there is none yet"):
        vector.coerce([None, 0.4])


@pytest.mark.parametrize(
    "raw", [[0.1], [0.1, 0.2, 0.3], [0.1, "x"], [0.1, math.nan], [math.inf, 0], 0.5, "ab", [[1], 2]]
)
def test_a_vector_takes_exactly_its_components(raw: Any) -> None:
    with pytest.raises(BadValue):
        CONTROLS["vector"].coerce(raw, (0.1, 0.2))


def test_null_in_a_vector_that_had_another_size_is_refused() -> None:
    with pytest.raises(BadValue):
        Control(path="/a", kind="vector", size=3).coerce([None, 1, 1], (0.1, 0.2))


# Other kinds


@pytest.mark.parametrize(
    ("raw", "value"), [(1, True), (0, False), (1.0, True), (0.49, False), (0.5, True), (-3, False), (127, True)]
)
def test_a_bool_is_on_from_a_half(raw: Any, value: bool) -> None:
    assert CONTROLS["bool"].coerce(raw) is value


@pytest.mark.parametrize(("raw", "value"), [("b", "b"), (0, "a"), (1.0, "b"), (True, "b"), (Symbol("a"), "a")])
def test_a_choice_comes_by_text_or_index(raw: Any, value: str) -> None:
    made = CONTROLS["choice"].coerce(raw)
    assert (made, type(made)) == (value, str)


@pytest.mark.parametrize("raw", ["c", "A", 2, -1, 0.5, None, math.nan, HUGE])
def test_what_is_no_choice_is_refused_and_the_choices_are_named(raw: Any) -> None:
    with pytest.raises(BadValue, match="a, b"):
        CONTROLS["choice"].coerce(raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("hé", "hé"),
        ("x" * 30, "x" * 20),
        (5, "5"),
        (5.0, "5"),
        (0.1, "0.1"),
        (-0.0, "0"),
        (Symbol("s"), "s"),
    ],
)
def test_a_text_is_cut_and_numbers_are_written_as_people_do(raw: Any, value: str) -> None:
    made = CONTROLS["string"].coerce(raw)
    assert (made, type(made)) == (value, str)


@pytest.mark.parametrize("raw", [None, True, [], SURROGATE, "ab" + SURROGATE, HUGE, math.nan, b"x"])
def test_what_is_no_text_is_refused(raw: Any) -> None:
    with pytest.raises(BadValue):
        CONTROLS["string"].coerce(raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("#F80", "#ff8800"),
        ("#FF8800", "#ff8800"),
        ("#ff8800ff", "#ff8800"),
        ("#ff880080", "#ff880080"),
        ([1, 0.5, 0], "#ff8000"),
        ((1, 0.5, 0, 0.5), "#ff800080"),
        ([2, -1, 0.2], "#ff0033"),
        (Rgba(255, 136, 1, 255), "#ff8801"),  # counts to 255: not white
        (Rgba(1, 2, 3, 4), "#01020304"),
    ],
)
def test_a_color_becomes_lower_case_hex_without_full_alpha(raw: Any, value: str) -> None:
    assert CONTROLS["color"].coerce(raw) == value


@pytest.mark.parametrize(
    "raw", ["red", "#ff", "#ff88", "#ff8800\n", "ff8800", "#gggggg", [1, 2], [1, 2, math.nan], 5, None]
)
def test_what_is_no_color_is_refused(raw: Any) -> None:
    with pytest.raises(BadValue):
        CONTROLS["color"].coerce(raw)


# Arguments of triggers


def test_arguments_become_plain_types_that_every_encoder_knows() -> None:
    args = plain_args((True, 7, 0.5, None, "x", Int64(5), Double(0.25), Symbol("sym"), TimeTag(3), -0.0))
    assert args == (True, 7, 0.5, None, "x", 5, 0.25, "sym", 3, 0.0)
    assert [type(arg) for arg in args] == [bool, int, float, type(None), str, int, float, str, int, float]


@pytest.mark.parametrize(
    "arg",
    [
        math.nan,
        math.inf,
        HUGE,
        2**53,
        b"blob",
        [1],
        SURROGATE,
        "x" * (MAX_ARG_TEXT + 1),
        IMPULSE,
        Rgba(1, 2, 3, 4),
    ],
)
def test_arguments_that_cannot_travel_are_refused(arg: Any) -> None:
    with pytest.raises(BadValue):
        plain_args((arg,))


def test_arguments_are_counted() -> None:
    assert len(plain_args((1,) * MAX_ARGS)) == MAX_ARGS
    with pytest.raises(BadValue, match=str(MAX_ARGS)):
        plain_args((1,) * (MAX_ARGS + 1))
