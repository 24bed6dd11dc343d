"""Moves that go by a lane, on an artificial clock."""

from math import inf

from bridge.driver import Way
from bridge.osc.lane import AGAIN_S, DEAF_S, REST_S, Carriage


class Lane:
    def __init__(self) -> None:
        self.is_there = True
        self.carried: list[tuple[int, int, int]] = []

    def carry(self, channel: int, cc: int, value: int) -> None:
        self.carried.append((channel, cc, value))


class Rig:
    def __init__(self) -> None:
        self.lane = Lane()
        self.complaints: list[str] = []
        self.carriage = Carriage("iac", {"iac": self.lane}.get, lambda path, way: self.complaints.append(path))
        self.carriage.put("/volume", Way(16, 20, 0.0, 1.0))


def test_a_move_goes_as_a_cc_and_when_it_has_rested_it_is_due_by_osc() -> None:
    rig = Rig()
    assert rig.carriage.carry("/volume", 0.5, now=0.0)
    assert rig.carriage.carry("/volume", 1.0, now=0.1)
    assert rig.lane.carried == [(16, 20, 64), (16, 20, 127)]
    assert rig.carriage.due_at == 0.1 + REST_S
    assert rig.carriage.rested(now=0.1 + REST_S / 2) == []
    assert rig.carriage.rested(now=0.1 + REST_S) == ["/volume"]
    assert rig.carriage.rested(now=9.0) == []
    assert rig.carriage.due_at == inf


def test_any_range_becomes_the_whole_cc_and_what_is_beyond_its_ends() -> None:
    way = Way(1, 0, -1.0, 1.0)
    assert [way.value(number) for number in (-2.0, -1.0, 0.0, 1.0, 3.0)] == [0, 0, 64, 127, 127]
    assert Way(1, 0, 20.0, 0.0).value(20.0) == 0


def test_without_a_lane_it_goes_by_osc() -> None:
    rig = Rig()
    assert not rig.carriage.carry("/other", 0.5, now=0.0)
    rig.lane.is_there = False
    assert not rig.carriage.carry("/volume", 0.5, now=0.0)
    assert not rig.carriage.is_there
    assert not Carriage("nobody", {}.get, lambda path, way: None).is_there
    assert rig.carriage.due_at == inf


def test_a_program_that_says_nothing_of_a_long_move_does_not_hear_the_lane() -> None:
    rig = Rig()
    assert rig.carriage.carry("/volume", 0.0, now=0.0)
    assert rig.carriage.carry("/volume", 0.5, now=DEAF_S - 0.1)
    assert not rig.carriage.carry("/volume", 0.6, now=DEAF_S + 0.1)
    assert rig.complaints == ["/volume"]
    assert not rig.carriage.carry("/volume", 0.7, now=DEAF_S + 1.0)
    assert rig.carriage.carry("/volume", 0.7, now=DEAF_S + 0.2 + AGAIN_S)
    assert rig.complaints == ["/volume"]


def test_one_that_answers_or_need_not_say_anything_hears_it() -> None:
    rig = Rig()
    rig.carriage.carry("/volume", 0.0, now=0.0)
    rig.carriage.heard("/volume")
    assert rig.carriage.carry("/volume", 1.0, now=DEAF_S + 1.0)
    rig.carriage.rested(now=9.0)
    rig.carriage.carry("/volume", 0.5, now=10.0)
    assert rig.carriage.carry("/volume", 0.505, now=10.0 + DEAF_S + 1.0)  # less than a step of the CC
    assert rig.complaints == []


def test_what_was_moved_there_since_is_not_sent_again() -> None:
    rig = Rig()
    rig.carriage.carry("/volume", 0.5, now=0.0)
    rig.carriage.left("/volume")
    assert rig.carriage.rested(now=1.0) == []


def test_a_control_that_has_gone_is_not_carried() -> None:
    rig = Rig()
    rig.carriage.carry("/volume", 0.5, now=0.0)
    rig.carriage.put("/volume", None)
    assert rig.carriage.rested(now=1.0) == []
    assert not rig.carriage.carry("/volume", 0.5, now=1.0)
