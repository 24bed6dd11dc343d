"""What a target is owed, in which order and how fast: in virtual time."""

from collections import Counter
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.control import Control
from bridge.osc.pace import DEPTH_S, JUST_BEFORE_S, Bucket, Owed
from bridge.store import TRIGGER_LIFE_S, TRIGGER_RING, Change, Entry, Origin

HAND = Origin("browser", "c1")
PAUSE_S = 0.002


def change(key: int, now: float = 0.0, value: Any = 0.0, args: tuple[Any, ...] = ()) -> Change:
    entry = Entry(key, Control(path=f"/c/{key}"), value, 0)
    return Change("trigger" if args else "value", entry, 0, now, HAND, value=value, args=args)


def take(owed: Owed, now: float) -> list[int]:
    """What leaves now."""
    keys = [key for key, _ in owed.first(owed.room(now, 32))]
    for key in keys:
        owed.sent(key, now)
    return keys


def drain(owed: Owed, now: float, until: float) -> list[tuple[float, int]]:
    """(when, what) leaves, if somebody comes whenever something is due."""
    left = []
    while now <= until:
        left += [(now, key) for key in take(owed, now)]
        due_at = owed.due_at(now, PAUSE_S)
        if due_at == float("inf"):
            break
        now = max(due_at, now + 0.001)
    return left


# How fast


@given(rate=st.floats(1, 20_000), steps=st.lists(st.floats(0.0005, 0.5), min_size=1, max_size=60))
def test_no_second_has_more_than_the_rate_and_what_one_go_may_have(rate: float, steps: list[float]) -> None:
    bucket, now, left = Bucket(rate), 0.0, []
    for step in steps:
        now += step
        room = bucket.room(now)
        bucket.spend(room)
        left.append((now, room))
    for start, _ in left:
        assert sum(room for at, room in left if start <= at <= start + 1) <= rate + max(1, rate * DEPTH_S) + 1


def test_a_burst_leaves_as_fast_as_the_rate_allows() -> None:
    owed = Owed(rate=500)
    for key in range(1000):
        owed.owe(key, 0.0, change(key))
    left = drain(owed, 0.0, 10.0)
    assert [key for _, key in left] == list(range(1000))
    assert 1.9 <= left[-1][0] <= 2.0  # 1,000 at 500 a second


def test_a_late_timer_is_made_up_for_within_limits() -> None:
    owed = Owed(rate=1000)
    for key in range(100):
        owed.owe(key, 0.0, change(key))
    assert len(take(owed, 0.0)) == 20
    assert len(take(owed, 0.015)) == 15
    assert len(take(owed, 5.0)) == 20


# In which order


@given(st.lists(st.integers(0, 20), max_size=200))
def test_each_control_leaves_once_in_the_order_of_last_changes(moved: list[int]) -> None:
    owed = Owed(rate=1000)
    for key in moved:
        owed.owe(key, 0.0, change(key))
    last = {key: at for at, key in enumerate(moved)}
    assert [key for _, key in drain(owed, 0.0, 10.0)] == sorted(last, key=lambda key: last[key])


def test_a_control_that_has_waited_long_keeps_its_place() -> None:
    owed = Owed(rate=100)
    left: list[int] = []
    for step in range(2000):  # 20 controls that never rest, and one that moves at every step
        now = step * 0.005
        owed.owe(99, now, change(99))
        owed.owe(step % 20, now, change(step % 20))
        left += take(owed, now)
    assert Counter(left)[99] > 10


def test_what_is_asked_for_does_not_move_what_is_owed_already() -> None:
    owed = Owed(rate=10)
    owed.owe(2, 0.0, change(2))
    owed.owe_all([1, 2, 3], 0.0)
    assert list(owed.pending) == [2, 1, 3]


def test_a_hands_move_that_waits_is_not_forgotten_for_what_has_to_be_settled() -> None:
    owed = Owed(rate=10)
    move = change(1)
    owed.owe(1, 0.0, move)
    owed.owe(1, 0.01, is_settling=True)
    owed.owe(2, 0.01, is_settling=True)
    owed.owe(2, 0.02, change(2))
    assert [(due.change is not None, due.is_settling) for due in owed.pending.values()] == [(True, False)] * 2
    assert owed.pending[1].change is move


def test_what_the_target_says_itself_is_not_owed_to_it() -> None:
    owed = Owed(rate=10)
    owed.owe(1, 0.0, change(1))
    owed.fire(change(9, args=("go",)), 0.0, "route")
    owed.owe(1, 0.01, change(1))
    owed.drop(1)
    assert (len(owed), len(owed.events)) == (1, 1)


# For one control


def test_a_control_leaves_at_once_and_then_rests_and_its_last_value_follows() -> None:
    owed = Owed(control_rate=10)
    owed.owe(1, 0.0, change(1))
    assert take(owed, 0.0) == [1]
    for step in range(1, 50):
        owed.owe(1, step / 1000, change(1))
        owed.owe(2, step / 1000, change(2))
        take(owed, step / 1000)
    owed.owe(2, 0.05, change(2))
    assert drain(owed, 0.05, 1.0) == [(0.1, 1), (0.101, 2)]


def test_a_control_that_moves_when_it_has_just_rested_is_owed_once_for_its_last_move() -> None:
    owed = Owed(control_rate=10)
    owed.owe(1, 0.0, change(1))
    take(owed, 0.0)
    owed.owe(1, 0.01, change(1))
    last = change(1)
    owed.owe(1, 0.11, last)
    assert (owed.room(0.11, 32), len(owed)) == (32, 1)
    assert owed.pending[1].change is last


def test_controls_that_have_rested_leave_in_the_order_of_their_last_changes() -> None:
    owed = Owed(control_rate=10)
    for key in (1, 2, 3):
        owed.owe(key, 0.0, change(key))
    take(owed, 0.0)
    for at, key in enumerate((2, 3, 1, 3, 1, 2)):
        owed.owe(key, 0.01 + at / 1000, change(key))
    assert [key for _, key in drain(owed, 0.05, 1.0)] == [3, 1, 2]


@given(st.lists(st.tuples(st.floats(0, 0.05), st.integers(0, 3)), max_size=100))
def test_no_control_leaves_faster_than_its_rate_and_every_last_value_leaves(moves: list[tuple[float, int]]) -> None:
    owed, now, left, last = Owed(control_rate=20), 0.0, [], {}
    for pause_s, key in moves:
        left += drain(owed, now, now + pause_s)
        now = max([now + pause_s, *(at for at, _ in left[-1:])])
        owed.owe(key, now, change(key))
        last[key] = now
        left += [(now, each) for each in take(owed, now)]
    left += drain(owed, now, now + 5)
    for key, moved_at in last.items():
        times = [at for at, each in left if each == key]
        assert times[-1] >= moved_at
        assert all(b - a >= 1 / 20 - 1e-9 for a, b in pairwise(times))


# Events


def test_an_event_leaves_first_but_for_what_changed_just_before_it() -> None:
    owed = Owed(rate=10)
    owed.owe(1, 0.0, change(1))
    owed.owe(2, 1.0, change(2, value=5))
    owed.fire(change(9, args=("go",)), 1.0, "route")
    owed.owe(2, 1.01, change(2, value=6))
    owed.fire(change(9, args=("again",)), 1.01, "route")
    said = [event.change.args or event.change.value for event in owed.events]
    assert said == [5, ("go",), 6, ("again",)]
    assert list(owed.pending) == [1]
    assert JUST_BEFORE_S < 1.0


def test_an_old_event_dies_and_the_value_beside_it_is_still_owed() -> None:
    owed = Owed(rate=10)
    owed.owe(2, 0.0, change(2))
    owed.fire(change(9, args=("go",)), 0.0, "route")
    assert owed.expired(TRIGGER_LIFE_S) == 0
    assert owed.expired(TRIGGER_LIFE_S + 0.01) == 1
    assert list(owed.pending) == [2]
    assert len(owed) == 1


def test_what_rests_or_stands_in_line_is_owed_too() -> None:
    owed = Owed(control_rate=10)
    owed.owe(1, 0.0, change(1))
    take(owed, 0.0)
    assert 1 not in owed
    owed.owe(1, 0.01, change(1))
    owed.fire(change(2), 0.01)
    assert [key in owed for key in (1, 2, 3)] == [True, True, False]


def test_events_are_bounded() -> None:
    owed = Owed(rate=10)
    taken = [owed.fire(change(9, args=(n,)), 0.0, "route") for n in range(1000)]
    assert sum(taken) == len(owed) == TRIGGER_RING
