"""Encoders: slowly each step is one, fast it is more, and how messages are bundled on the way does not matter."""

from bridge.midi.encoder import Spin


def turned(spin: Spin, steps: int, a_second: float, at_once: int = 1, start: float = 10.0) -> float:
    """How far so many steps go, so many a second, of which some arrive together."""
    return sum(spin.turn(1, start + index // at_once * at_once / a_second) for index in range(steps))


def test_a_careful_hand_moves_step_by_step() -> None:
    assert turned(Spin(8), 100, 10) == 100


def test_a_flick_goes_far_and_no_further_than_it_may() -> None:
    assert 0.7 * 8 * 100 < turned(Spin(8), 100, 120) <= 8 * 100
    assert turned(Spin(1), 100, 120) == 100


def test_the_faster_the_further() -> None:
    goes = [turned(Spin(8), 50, rate) for rate in (10, 30, 50, 70, 90)]
    assert goes == sorted(set(goes))


def test_what_arrives_together_is_not_taken_for_fast() -> None:
    """A sound system hands over what came in 20 ms at once."""
    alone, together = turned(Spin(8), 100, 50), turned(Spin(8), 100, 50, at_once=2)
    assert abs(together / alone - 1) < 0.25


def test_the_other_way_begins_anew() -> None:
    spin = Spin(8)
    turned(spin, 30, 120)
    assert spin.turn(-1, 10.26) == -1


def test_a_large_step_is_as_fast_as_many_small_ones() -> None:
    assert Spin(8).turn(12, 10.0) > 12 * 7
