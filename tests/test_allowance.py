"""How much may be asked for in a short time."""

from bridge.allowance import Allowance


def test_it_is_full_at_the_beginning_and_not_fuller() -> None:
    allowance = Allowance(10, 2)
    assert allowance.take(10, 1_000.0)
    assert not allowance.take(1, 1_000.0)


def test_what_is_refused_takes_nothing() -> None:
    allowance = Allowance(10, 2)
    assert not allowance.take(11, 0.0)
    assert allowance.take(10, 0.0)


def test_it_fills_up_again_with_time() -> None:
    allowance = Allowance(10, 2)
    assert allowance.take(10, 0.0)
    assert not allowance.take(3, 1.0)
    assert allowance.take(3, 1.5)
    assert not allowance.take(1, 1.5)


def test_a_clock_that_goes_back_gives_nothing() -> None:
    allowance = Allowance(10, 2)
    assert allowance.take(10, 100.0)
    assert not allowance.take(1, 0.0)
