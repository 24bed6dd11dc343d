"""Soft takeover: a fader without motor, and a control that stands elsewhere."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.midi.takeover import TOLERANCE, SoftTakeover

POSITIONS = st.floats(0, 1)


def test_a_fader_that_nobody_has_seen_is_loose() -> None:
    takeover = SoftTakeover("pickup")
    assert takeover.move(0.2, 0.5) is None
    assert (takeover.hardware, takeover.is_caught) == (0.2, False)


def test_pickup_takes_over_near_the_control() -> None:
    takeover = SoftTakeover("pickup")
    assert takeover.move(0.5 - TOLERANCE / 2, 0.5) == 0.5 - TOLERANCE / 2
    assert takeover.is_caught


def test_pickup_takes_over_when_the_fader_passes_between_two_messages() -> None:
    takeover = SoftTakeover("pickup")
    assert takeover.move(0.1, 0.5) is None
    assert takeover.move(0.9, 0.5) == 0.9
    assert takeover.move(0.1, 0.9) == 0.1  # caught: it need not pass again


def test_a_change_from_elsewhere_lets_it_go() -> None:
    takeover = SoftTakeover("pickup")
    takeover.move(0.5, 0.5)
    takeover.moved_elsewhere(0.5 + TOLERANCE / 2)
    assert takeover.is_caught  # hardly
    takeover.moved_elsewhere(0.9)
    assert takeover.move(0.6, 0.9) is None


def test_a_device_that_has_gone_may_come_back_moved() -> None:
    takeover = SoftTakeover("pickup")
    takeover.move(0.5, 0.5)
    takeover.lost()
    assert takeover.move(0.9, 0.5) is None


def test_scale_moves_by_the_same_part_of_what_is_left() -> None:
    takeover = SoftTakeover("scale")
    assert takeover.move(0.5, 0.2) is None
    assert takeover.move(0.25, 0.2) == pytest.approx(0.1)
    assert takeover.move(0.625, 0.1) == pytest.approx(0.55)
    assert not takeover.is_caught


@given(st.sampled_from(["pickup", "scale"]), POSITIONS, st.lists(POSITIONS, max_size=30))
def test_at_an_end_hardware_and_control_are_together(
    mode: Literal["pickup", "scale"], control: float, moves: list[float]
) -> None:
    takeover = SoftTakeover(mode)
    for to in [*moves, 0.0, 1.0]:
        went = takeover.move(to, control)
        assert went is None or 0 <= went <= 1
        control = control if went is None else went
    assert control == 1.0
    assert takeover.is_caught
