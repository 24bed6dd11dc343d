"""What a message to an unknown address makes, and how it grows. That it is made: test_osctools."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.control import Control
from bridge.osc.learn import grown, learnt
from bridge.osc.types import IMPULSE, Char, Double, Int64, Midi, Rgba, Symbol, TimeTag


def made(*args: Any) -> Control:
    control = learnt("/x", args)
    assert control is not None
    assert control.owner == "learn"
    return control


@pytest.mark.parametrize(
    ("args", "kind", "interval"),
    [
        ((0.5,), "float", (0, 1)),
        ((0.0,), "float", (0, 1)),
        ((440.0,), "float", (0, 500)),
        ((-0.3,), "float", (-1, 1)),
        ((-20.0,), "float", (-20, 0)),
        ((Double(0.5),), "float", (0, 1)),
        ((1,), "int", (0, 1)),
        ((64,), "int", (0, 127)),
        ((200,), "int", (0, 255)),
        ((-5,), "int", (-127, 0)),
        ((Int64(70_000),), "int", (0, 100_000)),
        ((True,), "bool", None),
        (("hello",), "string", None),
        (("two", Symbol("words"), Char(65)), "string", None),
        ((Rgba(1, 2, 3, 4),), "color", None),
        ((0.1, 0.2), "vector", (0, 1)),
        (((0.1, 0.2, 30.0),), "vector", (0, 50)),
        ((1, 2.5), "vector", (0, 5)),
        ((), "trigger", None),
        ((None,), "trigger", None),
        ((IMPULSE,), "trigger", None),
        (("go", 3), "trigger", None),
        ((Midi(0, 144, 60, 100),), "trigger", None),
    ],
)
def test_the_first_message_decides_the_kind_and_the_first_range(
    args: tuple[Any, ...], kind: str, interval: tuple[float, float] | None
) -> None:
    control = made(*args)
    assert (control.kind, control.range) == (kind, interval)


@pytest.mark.parametrize(
    "args", [(b"blob",), (math.nan,), (math.inf, 1.0), (TimeTag(1),), (1.0, (2.0,)), ("a", b"b"), (1.0,) * 65]
)
def test_what_no_control_can_hold_makes_none(args: tuple[Any, ...]) -> None:
    assert learnt("/x", args) is None


@pytest.mark.parametrize(
    "path", ["/a b", "/a/", "/a//b", "/" + "a" * 300, "a", "/a#b", "/a\x07", "/stagebridge", "/stagebridge/new"]
)
def test_what_cannot_be_a_path_makes_no_control(path: str) -> None:
    assert learnt(path, (0.5,)) is None


@pytest.mark.parametrize(
    ("first", "then", "kind", "interval"),
    [
        ((0.5,), (1.5,), "float", (0, 2)),
        ((0.5,), (-0.2,), "float", (-1, 1)),
        ((440.0,), (20_000.0,), "float", (0, 20_000)),
        ((-20.0,), (6.0,), "float", (-20, 10)),
        ((1,), (100,), "int", (0, 127)),
        ((100,), (0.5,), "float", (0, 127)),
        ((1,), (300.5,), "float", (0, 500)),
        ((True,), (0.3,), "float", (0, 1)),
        ((True,), (7,), "int", (0, 127)),
        ((), (0.3,), "float", (0, 1)),
        ((), (0.3, 0.4), "vector", (0, 1)),
        ((0.5,), (0.5, 3.0), "vector", (0, 5)),
        ((0.5, 0.5), (0.5, 0.5, 0.5), "vector", (0, 1)),
        ((0.5, 0.5), (0.5, -3.0), "vector", (-5, 1)),
        ((0.5,), (3.0e38,), "float", (0, 5e37)),
    ],
)
def test_a_control_grows_with_what_is_said_to_it(
    first: tuple[Any, ...], then: tuple[Any, ...], kind: str, interval: tuple[float, float]
) -> None:
    control = grown(made(*first), then)
    assert control is not None
    assert (control.path, control.owner, control.kind, control.range) == ("/x", "learn", kind, interval)
    assert grown(control, then) is None
    assert grown(control, first) is None


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ((0.5,), (0.7,)),
        ((0.5,), ("loud",)),
        ((0.5,), (math.nan,)),
        ((0.5, 0.5), (0.5,)),
        (("text",), (0.5,)),
        ((True,), (1,)),
        ((), (1,)),
        ((), ("why",)),
        ((100,), (True,)),
        ((Rgba(1, 2, 3, 4),), (0.1, 0.2, 0.3)),
    ],
)
def test_what_fits_or_never_will_changes_nothing(first: tuple[Any, ...], then: tuple[Any, ...]) -> None:
    assert grown(made(*first), then) is None


numbers = st.one_of(st.floats(allow_nan=False, allow_infinity=False, width=32), st.integers(-(2**31), 2**31 - 1))


@given(st.lists(st.lists(numbers, min_size=1, max_size=4), min_size=1, max_size=12))
def test_it_settles_and_then_holds_all_that_was_said(said: list[list[float]]) -> None:
    control = made(*said[0])
    described = 0
    for _ in range(2):
        for numbers in said:
            if (larger := grown(control, tuple(numbers))) is not None:
                control = larger
                described += 1
    assert control.range is not None
    low, high = control.range
    for numbers in said:
        assert grown(control, tuple(numbers)) is None
        assert all(low <= max(-5e37, min(number, 5e37)) <= high for number in numbers)
    assert described <= len(said)
