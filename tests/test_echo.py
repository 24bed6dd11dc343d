import pytest

from bridge.echo import EchoBook, EchoGuard, EchoRules, Settlement, TriggerEchoes


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
