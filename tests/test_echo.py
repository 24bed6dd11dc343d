from math import inf
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.echo import MAX_ANSWERS, MAX_TOLD, EchoBook, EchoGuard, EchoRules, Settlement, TriggerEchoes


def seven_bits(value: float) -> tuple[int]:
    return (round(value * 127),)


@pytest.fixture
def guard() -> EchoGuard:
    """A float 0…1 on a peer of floats, within 1 %."""
    return EchoGuard(EchoRules(lambda value: (value,), tolerance=0.01))


def test_a_report_of_the_present_value_is_never_a_change(guard: EchoGuard) -> None:
    assert guard.hear((0.5,), True, 100.0) == "confirmed"
    guard.sent(0.5, 0.0)
    assert guard.hear((0.5,), True, 100.0) == "confirmed"
    assert guard.due_at is None


def test_late_echo_is_not_applied_during_a_drag(guard: EchoGuard) -> None:
    for step in range(20):
        guard.sent(step / 20, step / 60)
        if step >= 2:
            assert guard.hear(((step - 2) / 20,), False, step / 60) == "remembered"


def test_a_quantised_echo_is_near_what_was_sent() -> None:
    guard = EchoGuard(EchoRules(seven_bits, tolerance=1))
    guard.sent(0.501, 0.0)
    assert guard.hear((63,), False, 0.03) == "remembered"
    assert guard.hear((62,), False, 0.03) == "apply"


def test_a_report_unlike_anything_sent_is_a_move_of_its_own(guard: EchoGuard) -> None:
    guard.sent(0.5, 0.0)
    assert guard.hear((0.9,), False, 0.01) == "apply"


def test_a_report_after_the_window_is_a_move_of_its_own(guard: EchoGuard) -> None:
    guard.sent(0.5, 0.0)
    assert guard.hear((0.505,), False, 0.26) == "apply"


def test_what_the_peer_has_made_of_our_value_is_adopted_when_the_window_closes(guard: EchoGuard) -> None:
    guard.sent(0.5, 0.0)
    guard.hear((0.504,), False, 0.1)
    assert guard.due_at == 0.25
    assert guard.settle(0.24) is None
    assert guard.settle(0.25) == Settlement((0.504,))
    assert guard.settle(0.30) is None


def test_a_peer_that_confirmed_and_differed_is_only_told_again(guard: EchoGuard) -> None:
    guard.sent(0.5, 0.0)
    guard.hear((0.5,), True, 0.05)
    guard.hear((0.495,), False, 0.06)
    assert guard.settle(0.25) == Settlement(None)


def test_the_last_report_is_the_one_adopted(guard: EchoGuard) -> None:
    guard.sent(0.5, 0.0)
    guard.hear((0.504,), False, 0.1)
    guard.hear((0.497,), False, 0.1)
    assert guard.settle(0.25) == Settlement((0.497,))


def test_a_new_move_clears_what_was_remembered(guard: EchoGuard) -> None:
    guard.sent(0.5, 0.0)
    guard.hear((0.504,), False, 0.1)
    guard.sent(0.8, 0.2)
    assert guard.due_at is None
    assert guard.settle(1.0) is None


def test_a_move_of_the_peers_own_clears_it_too(guard: EchoGuard) -> None:
    guard.sent(0.5, 0.0)
    guard.hear((0.504,), False, 0.1)
    assert guard.hear((0.9,), False, 0.12) == "apply"
    assert guard.settle(0.3) is None
    assert guard.settle(0.37) == Settlement(None)  # it may have crossed our own: the peer is told what holds now


def test_the_window_counts_from_the_last_send(guard: EchoGuard) -> None:
    guard.sent(0.1, 0.0)
    guard.sent(0.5, 0.2)
    guard.hear((0.504,), False, 0.3)
    assert guard.due_at == pytest.approx(0.45)


def test_a_peer_that_does_not_echo_is_always_believed() -> None:
    guard = EchoGuard(EchoRules(lambda value: (value,), tolerance=0.01, echoes=False))
    guard.sent(0.5, 0.0)
    assert guard.hear((0.501,), False, 0.01) == "apply"
    assert guard.hear((0.5,), True, 0.01) == "confirmed"


def test_texts_are_compared_whole() -> None:
    guard = EchoGuard(EchoRules(lambda value: (value,), tolerance=0.01))
    guard.sent("lead", 0.0)
    guard.sent("bass", 0.1)
    assert guard.hear(("lead",), False, 0.15) == "remembered"
    assert guard.hear(("drum",), False, 0.15) == "apply"


def test_a_report_of_another_length_is_no_echo() -> None:
    guard = EchoGuard(EchoRules(lambda value: value, tolerance=0.01))
    guard.sent((0.1, 0.2), 0.0)
    assert guard.hear((0.1,), False, 0.0) == "apply"
    assert guard.hear((0.105, 0.2), False, 0.0) == "remembered"


def test_memory_is_bounded(guard: EchoGuard) -> None:
    for step in range(1000):
        guard.sent(step / 1000, 0.0)
    assert guard.hear((0.5,), False, 0.0) == "apply"  # long pushed out
    assert guard.hear((0.99,), False, 0.0) == "remembered"


def test_a_book_settles_each_binding_in_its_time() -> None:
    book: EchoBook[str] = EchoBook()
    rules = EchoRules(lambda value: (value,), tolerance=0.01)
    assert book.hear("never sent", (0.5,), False, 0.0) == "apply"
    book.sent("a", rules, 0.5, 0.0)
    book.sent("b", rules, 0.5, 0.1)
    assert book.next_due is None
    book.hear("b", (0.504,), False, 0.15)
    book.hear("a", (0.506,), False, 0.16)
    assert book.next_due == 0.25
    assert list(book.settle(0.2)) == []
    assert list(book.settle(0.3)) == [("a", Settlement((0.506,)))]
    assert book.next_due == pytest.approx(0.35)
    book.forget("b")
    assert book.next_due is None
    assert list(book.settle(1.0)) == []


def test_a_book_does_not_wait_for_what_a_new_move_has_cleared() -> None:
    book: EchoBook[str] = EchoBook()
    rules = EchoRules(lambda value: (value,), tolerance=0.01)
    book.sent("a", rules, 0.5, 0.0)
    book.hear("a", (0.504,), False, 0.1)
    book.sent("a", rules, 0.8, 0.2)
    assert book.next_due is None
    assert list(book.settle(5.0)) == []


def test_echoed_triggers_are_cancelled_by_count() -> None:
    echoes = TriggerEchoes()
    echoes.sent((), 0.0)
    echoes.sent((), 0.1)
    assert [echoes.is_echo((1.0,), 0.2) for _ in range(3)] == [True, True, False]
    echoes.sent((), 1.0)
    assert echoes.is_echo((), 1.3) is False


def test_a_trigger_with_other_arguments_is_no_echo() -> None:
    echoes = TriggerEchoes()
    echoes.sent(("scene", 0.1), 0.0)
    assert echoes.is_echo(("scene", 0.2), 0.1) is False
    assert echoes.is_echo((), 0.1) is False
    assert echoes.is_echo(("scene", 0.10000000149011612), 0.1) is True


def test_a_release_of_a_momentary_is_always_applied(guard: EchoGuard) -> None:
    guard.sent(0.0, 0.0)
    assert guard.hear((0.0,), False, 0.01, is_rest=True) == "apply"


def test_a_press_after_our_own_was_echoed_is_a_press() -> None:
    guard = EchoGuard(EchoRules(lambda value: (value,), is_counted=True))
    guard.sent(True, 0.0)
    guard.sent(False, 0.05)
    assert guard.hear((True,), False, 0.08) == "remembered"
    assert guard.hear((False,), True, 0.09) == "confirmed"
    assert guard.hear((True,), False, 0.12) == "apply"


def test_an_echo_that_came_while_it_was_true_explains_no_later_press() -> None:
    guard = EchoGuard(EchoRules(lambda value: (value,), is_counted=True))
    guard.sent(True, 0.0)
    assert guard.hear((True,), True, 0.03) == "confirmed"
    guard.sent(False, 0.05)
    assert guard.hear((False,), True, 0.07) == "confirmed"
    assert guard.hear((True,), False, 0.08) == "apply"


def test_a_press_before_any_echo_cannot_be_told_from_one() -> None:
    guard = EchoGuard(EchoRules(lambda value: (value,), is_counted=True))
    guard.sent(True, 0.0)
    guard.sent(False, 0.05)
    assert guard.hear((True,), False, 0.12) == "remembered"  # DESIGN's 1 %: a toggle whose press crosses our own


# What insists, what is refused, what answers itself


def test_what_says_the_same_whatever_it_is_sent_insists(guard: EchoGuard) -> None:
    guard.sent(0.85, 0.0)
    assert guard.hear((0.8,), False, 0.01) == "apply"
    guard.sent(0.9, 0.02)
    assert guard.hear((0.8,), False, 0.03) == "remembered"
    assert guard.settle(0.27) == Settlement((0.8,))


def test_what_insists_is_told_a_few_times_and_left(guard: EchoGuard) -> None:
    guard.sent(0.5, 0.0)
    guard.hear((0.506,), False, 0.01)
    told = []
    now = 0.0
    while (due_at := guard.due_at) is not None and now < 100:
        now = due_at
        if (settlement := guard.settle(now)) is not None:
            told.append((now, settlement.adopt))
            guard.sent(0.5, now, is_settling=True)
            guard.hear((0.506,), False, now + 0.01)
    assert told == [(0.25, (0.506,)), (0.75, None), (1.75, None), (3.75, None)]


def test_what_was_told_and_not_denied_is_not_held_against_a_peer(guard: EchoGuard) -> None:
    for number in range(1, MAX_TOLD + 1):  # each for another's sake; and it never says what it has
        guard.sent(number / 10, number / 10, is_settling=True)
    assert guard.hear((0.2,), False, 0.41) == "remembered"  # a hand sets it to what is like an older one
    assert guard.settle(0.9) == Settlement((0.2,))  # else it shows that for ever, and the store has another


def test_a_truth_is_denied_once_however_often_the_peer_speaks(guard: EchoGuard) -> None:
    guard.sent(0.5, 0.0, is_settling=True)
    for step in range(1, 6):
        guard.hear((0.5 + step / 1000,), False, step / 100)
    assert guard.due_at == 0.5


def test_what_a_grid_makes_of_what_was_adopted_for_another_is_adopted_once(guard: EchoGuard) -> None:
    guard.sent(0.9, 0.0)
    guard.hear((0.9,), True, 0.01)
    guard.sent(0.496, 0.1, is_settling=True)
    guard.hear((0.5,), False, 0.11)
    assert guard.settle(0.6) == Settlement((0.5,))
    guard.sent(0.496, 0.7, is_settling=True)  # two grids would go on like that
    guard.hear((0.5,), False, 0.71)
    assert guard.due_at is not None
    assert guard.settle(guard.due_at) == Settlement(None)


def test_what_a_grid_makes_of_a_hands_next_move_is_adopted_though_it_may_be_an_answer(guard: EchoGuard) -> None:
    guard.sent(0.5, 0.0)
    guard.hear((0.504,), False, 0.01)
    assert guard.settle(0.25) == Settlement((0.504,))
    guard.sent(0.7, 0.35, answers=1)  # of a program that was told 0.504 just before
    guard.hear((0.701,), False, 0.36)
    assert guard.settle(0.6) == Settlement((0.701,))


def test_noise_is_adopted_once(guard: EchoGuard) -> None:
    guard.sent(0.5, 0.0)
    guard.hear((0.504,), False, 0.01)
    adopted = []
    now = 0.0
    for number in range(20):
        if guard.due_at is None:
            break
        now = guard.due_at
        if (settlement := guard.settle(now)) is not None:
            adopted.append(settlement.adopt)
            guard.sent(0.504, now, is_settling=True)
            guard.hear((0.504 + 0.0001 * (number + 1),), False, now + 0.01)
    assert adopted == [(0.504,), None, None, None]


def test_a_move_soon_after_the_truth_was_told_is_applied(guard: EchoGuard) -> None:
    guard.sent(0.5, 0.0, is_settling=True)
    assert guard.hear((0.9,), False, 0.1) == "apply"


def test_what_was_refused_is_told_after_quiet_and_later_each_time(guard: EchoGuard) -> None:
    times = []
    now = 0.0
    for _ in range(10):
        guard.hear((1.0,), False, now)
        guard.refused(now)
        if guard.due_at is None or guard.settle(guard.due_at - 1e-6) is not None:
            break
        due_at, settlement = guard.due_at, guard.settle(guard.due_at)
        if settlement is None:
            break
        times.append(round(due_at - now, 3))
        guard.sent(0.75, due_at, is_settling=True)
        now = due_at + 0.3  # later than the window: no answer that could be known by its time
    assert times == [0.25, 0.5, 1.0, 2.0]


def test_a_different_move_begins_the_count_anew(guard: EchoGuard) -> None:
    guard.hear((1.0,), False, 0.0)
    guard.refused(0.0)
    guard.settle(0.25)
    guard.sent(0.75, 0.25, is_settling=True)
    guard.hear((0.9,), False, 1.0)
    guard.refused(1.0)
    assert guard.due_at == 1.25


def test_each_report_puts_the_truth_off_while_a_hand_goes_on(guard: EchoGuard) -> None:
    for step in range(10):
        guard.hear((0.8 + step / 100,), False, step / 10)
        guard.refused(step / 10)
    assert guard.due_at == pytest.approx(1.15)


def test_two_that_answer_each_others_answers_are_cut(guard: EchoGuard) -> None:
    book: EchoBook[str] = EchoBook()
    rules = EchoRules(lambda value: (value,), tolerance=0.01)
    book.sent("a", rules, 0.5, 0.0)
    seen = 0
    verdict = ""
    for step in range(1, 20):
        now = step / 1000
        here, other = ("a", "b") if step % 2 else ("b", "a")
        verdict = book.hear(here, (step / 20,), False, now)
        if verdict != "apply":
            break
        seen = book.answers(here, now)
        assert seen == step
        book.sent(other, rules, step / 20 - 0.02, now, False, seen)
    assert (seen, verdict) == (MAX_ANSWERS, "remembered")
    assert book.next_due == pytest.approx(0.004 + 0.25)


def test_a_report_that_answers_nothing_counts_from_nought() -> None:
    book: EchoBook[str] = EchoBook()
    rules = EchoRules(lambda value: (value,), tolerance=0.01)
    assert book.answers("a", 0.0) == 0
    book.sent("a", rules, 0.5, 0.0, False, 3)
    assert book.answers("a", 0.1) == 4
    assert book.answers("a", 0.3) == 0


def test_a_book_evaluates_each_settlement_after_the_one_before() -> None:
    book: EchoBook[str] = EchoBook()
    rules = EchoRules(lambda value: (value,), tolerance=0.01)
    for key in "ab":
        book.sent(key, rules, 0.5, 0.0)
        book.hear(key, (0.504,), False, 0.1)
    settled = []
    for key, settlement in book.settle(0.25):
        settled.append((key, settlement))
        book.sent("b", rules, 0.504, 0.25, True)  # adopting for a has sent to b
    assert settled == [("a", Settlement((0.504,)))]
    assert book.next_due is None


def test_a_book_knows_what_is_due_soonest_without_a_search() -> None:
    book: EchoBook[str] = EchoBook()
    rules = EchoRules(lambda value: (value,), tolerance=0.01)
    assert book.soonest == inf
    book.refused("late", rules, 1.0)
    book.refused("soon", rules, 0.5)
    assert book.soonest == book.next_due == 0.75
    assert [key for key, _ in book.settle(0.75)] == ["soon"]
    assert book.soonest == book.next_due == 1.25
    assert [key for key, _ in book.settle(1.25)] == ["late"]
    assert book.soonest == inf


LEVELS = st.sampled_from((0.2, 0.504, 0.51, 0.9))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("hand"), LEVELS),
        st.tuples(st.just("answer"), LEVELS, st.integers(1, MAX_ANSWERS + 1)),
        st.tuples(st.just("told for another's sake"), LEVELS),
        st.tuples(st.just("hear"), LEVELS, st.booleans()),
        st.tuples(st.just("refuse")),
        st.tuples(st.just("settle")),
        st.tuples(st.just("wait"), st.sampled_from((0.03, 0.2, 0.6))),
    ),
    max_size=30,
)


@given(STEPS)
@example([("hand", 0.9), ("hear", 0.504, False), ("settle",), ("hand", 0.2), ("hear", 0.504, False)])
@example([("told for another's sake", 0.2), ("hear", 0.9, False), ("wait", 0.3), ("settle",), ("hear", 0.51, False)])
@example([("hand", 0.9), ("answer", 0.2, MAX_ANSWERS), ("hand", 0.9), ("hear", 0.504, False)])
def test_the_short_way_of_a_hands_move_is_the_guards_own(steps: list[tuple[Any, ...]]) -> None:
    rules = EchoRules(lambda value: (value,), tolerance=0.01)
    book: EchoBook[str] = EchoBook()
    guard = EchoGuard(rules)
    now = 0.0
    book.sent("a", rules, 0.5, now)
    guard.sent(0.5, now)
    for what, *about in steps:
        if what == "wait":
            now += about[0]
        elif what == "hand":
            book.sent("a", rules, about[0], now)
            guard.sent(about[0], now)
        elif what == "answer":
            book.sent("a", rules, about[0], now, answers=about[1])
            guard.sent(about[0], now, answers=about[1])
        elif what == "told for another's sake":
            book.sent("a", rules, about[0], now, is_settling=True)
            guard.sent(about[0], now, is_settling=True)
        elif what == "hear":
            assert book.hear("a", (about[0],), about[1], now) == guard.hear((about[0],), about[1], now)
        elif what == "refuse":
            book.refused("a", rules, now)
            guard.refused(now)
        elif (settlement := guard.settle(now)) is None:
            assert list(book.settle(now)) == []
        else:
            assert list(book.settle(now)) == [("a", settlement)]
            book.sent("a", rules, 0.5, now, is_settling=True)
            guard.sent(0.5, now, is_settling=True)
        mine = book.guards["a"]
        assert (mine.due_at, mine.answers, mine.is_confirmed) == (guard.due_at, guard.answers, guard.is_confirmed)


def test_a_book_can_be_cleared() -> None:
    book: EchoBook[str] = EchoBook()
    rules = EchoRules(lambda value: (value,), tolerance=0.01)
    book.refused("a", rules, 0.0)
    assert book.next_due == 0.25
    book.clear()
    assert book.next_due is None
    assert book.hear("a", (0.5,), False, 0.0) == "apply"
