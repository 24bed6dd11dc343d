"""The laws of position and value by numbers that were worked out by hand, and their inverse for all others."""

import json
import math

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bridge.law import DB_TABLE, Curve, position_of, text_of, value_at
from tests.vectors import laws

finite = st.floats(-1e9, 1e9)
positions = st.floats(0, 1)


@st.composite
def ranges(draw: st.DrawFn) -> tuple[Curve, float, float]:
    """A curve and a range that a Control would take for it."""
    curve: Curve = draw(st.sampled_from(["linear", "log", "db"]))
    if curve == "linear":
        low, high = draw(finite), draw(finite)
    elif curve == "log":
        low, high = draw(st.floats(1e-3, 1e6)), draw(st.floats(1e-3, 1e6))
    else:
        low, high = draw(st.floats(-90, 10)), draw(st.floats(-90, 10))
    assume(high - low > 1e-3 * max(1.0, abs(low), abs(high)))
    return curve, low, high


# Laws


def test_linear_is_a_straight_line() -> None:
    assert [value_at(p, "linear", -20, 30) for p in (0, 0.25, 0.5, 1)] == [-20, -7.5, 5, 30]


def test_log_gives_every_octave_the_same_travel() -> None:
    assert [value_at(p, "log", 20, 20480) for p in (0, 0.1, 0.5, 1)] == pytest.approx([20, 40, 640, 20480])


@pytest.mark.parametrize(("position", "db"), [*DB_TABLE, (0.75, 0.0), (0.125, -50.0), (0.03125, -75.0)])
def test_db_follows_the_x32_fader(position: float, db: float) -> None:
    assert value_at(position, "db", -90, 10) == db
    assert position_of(db, "db", -90, 10) == position


def test_db_is_rescaled_to_the_ranges_own_ends() -> None:
    # −60 stands at 0.0625 of the table, +6 at 0.9: half way between is 0.48125, on the piece from −30 to −10.
    assert value_at(0, "db", -60, 6) == -60
    assert value_at(1, "db", -60, 6) == 6
    assert value_at(0.5, "db", -60, 6) == pytest.approx(-30 + (0.48125 - 0.25) * 80)


def test_positions_and_values_beyond_the_ends_are_the_ends() -> None:
    assert value_at(-0.1, "log", 20, 200) == 20
    assert value_at(1.1, "log", 20, 200) == 200
    assert position_of(19, "log", 20, 200) == 0
    assert position_of(201, "log", 20, 200) == 1


@given(ranges(), positions)
@example(("db", 0.5, 1.0), 4.7e-244)  # without care a bit below the low end
def test_a_value_leads_back_to_its_position(law: tuple[Curve, float, float], position: float) -> None:
    value = value_at(position, *law)
    assert law[1] <= value <= law[2]
    assert math.isclose(position_of(value, *law), position, abs_tol=1e-9)


@given(ranges(), finite)
def test_a_position_leads_back_to_its_value(law: tuple[Curve, float, float], value: float) -> None:
    _, low, high = law
    inside = min(high, max(low, value))
    position = position_of(value, *law)
    assert 0 <= position <= 1
    assert math.isclose(value_at(position, *law), inside, rel_tol=1e-9, abs_tol=1e-9 * (high - low))


@given(ranges())
def test_the_ends_are_exact(law: tuple[Curve, float, float]) -> None:
    _, low, high = law
    assert (value_at(0.0, *law), value_at(1.0, *law)) == (low, high)
    assert (position_of(low, *law), position_of(high, *law)) == (0.0, 1.0)


@given(ranges(), positions, positions)
def test_further_along_is_never_less(law: tuple[Curve, float, float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    slack = 1e-12 * (abs(law[1]) + abs(law[2]))
    assert value_at(low, *law) <= value_at(high, *law) + slack


# Texts


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.5, 2, "0.50"),
        (-0.5, 1, "\u22120.5"),
        (-0.0, 2, "0.00"),
        (-0.004, 2, "0.00"),  # what reads as nothing has no sign
        (-0.006, 2, "\u22120.01"),
        (1234.5, 0, "1234"),  # a tie goes to the even digit, as in Python's format
        (1235.5, 0, "1236"),
        (0.125, 2, "0.12"),
        (-10.0, 0, "\u221210"),
        (100.0, 0, "100"),
    ],
)
def test_numbers_read_with_a_real_minus_and_no_negative_zero(value: float, decimals: int, text: str) -> None:
    assert text_of(value, decimals) == text


def test_only_the_bottom_of_the_db_table_reads_as_minus_infinity() -> None:
    assert text_of(-90.0, 1, "db") == "\u2212\u221e"
    assert text_of(-89.9, 1, "db") == "\u221289.9"
    assert text_of(-60.0, 1, "db") == "\u221260.0"
    assert text_of(-40.0, 1, "db", ((0.0, -40.0), (1.0, 0.0))) == "\u2212\u221e"
    assert text_of(-90.0, 1, "linear") == "\u221290.0"


# The vectors that the page is held to as well


def test_laws_json_is_what_the_laws_give() -> None:
    known, made = json.loads(laws.FILE.read_text(encoding="utf-8")), laws.vectors()
    assert len(known) == len(made) == len(laws.CONTROLS) * len(laws.POSITIONS)
    for old, new in zip(known, made, strict=True):
        assert old["control"] == new["control"]
        assert (old["position"], old["text"]) == (new["position"], new["text"])
        for number in ("value", "back"):  # another C library may round its logarithm otherwise
            assert old[number] == pytest.approx(new[number], rel=1e-12, abs=1e-12)
