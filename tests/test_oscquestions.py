"""What a peer is asked, and whose value wins."""

from bridge.osc.questions import ANSWER_S, DOUBT_S, MAX_ASKED, MAX_TRIES, Questions


def asked(*keys: str) -> Questions[str]:
    questions: Questions[str] = Questions()
    questions.ask(keys)
    questions.take(0.0)
    return questions


def test_few_are_out_at_a_time_and_answers_let_more_go() -> None:
    questions: Questions[str] = Questions()
    keys = [f"/{number}" for number in range(MAX_ASKED + 10)]
    questions.ask(keys)
    assert questions.take(0.0) == keys[:MAX_ASKED]
    assert questions.take(0.0) == []
    for key in keys[:5]:
        assert questions.answered(key)
    assert questions.take(0.1) == keys[MAX_ASKED : MAX_ASKED + 5]
    for key in keys:
        questions.answered(key)
    assert not questions.is_busy


def test_a_hands_move_wins_over_the_answer_that_is_under_way() -> None:
    questions = asked("/a", "/b")
    questions.moved(["/a"])
    assert not questions.answered("/a")
    assert questions.answered("/b")
    assert questions.answered("/a")  # later it moves as it likes


def test_what_a_hand_has_moved_is_not_asked_for_any_more() -> None:
    questions: Questions[str] = Questions()
    questions.ask(["/a", "/b"])
    questions.moved(["/a"])
    assert questions.take(0.0) == ["/b"]


def test_what_is_not_answered_is_asked_again_and_then_given_up() -> None:
    questions = asked("/a")
    now = 0.0
    for _ in range(MAX_TRIES - 1):
        assert questions.expire(now + ANSWER_S / 2) == []
        now += ANSWER_S
        assert questions.expire(now) == []
        assert questions.take(now) == ["/a"]
    assert questions.expire(now + ANSWER_S) == ["/a"]
    assert (list(questions.unanswered), questions.is_busy) == (["/a"], False)
    questions.ask(["/a"])
    assert not questions.unanswered


def test_an_old_answer_that_never_comes_is_not_waited_for() -> None:
    questions = asked("/a")
    questions.moved(["/a"])
    questions.expire(ANSWER_S)
    assert not questions.is_busy
    assert questions.answered("/a")


def test_what_is_being_asked_is_not_asked_twice() -> None:
    questions = asked("/a")
    questions.ask(["/a"])
    assert questions.take(0.0) == []
    assert questions.waiting == 1
    questions.forget("/a")
    assert not questions.is_busy


def test_nothing_is_left_when_the_peer_is_gone() -> None:
    questions = asked("/a")
    questions.ask(["/b"])
    questions.clear()
    assert not questions.is_busy
    assert questions.take(1.0) == []


# Audits


def audited(questions: Questions[str], keys: list[str], part: float, now: float = 0.0) -> list[str]:
    questions.audit(keys, part)
    return questions.take(now)


def test_an_audit_goes_round_all_in_parts() -> None:
    questions: Questions[str] = Questions()
    keys = [f"/{number}" for number in range(10)]
    seen = []
    for _ in range(5):
        part = audited(questions, keys, 0.2)
        assert len(part) == 2
        for key in part:
            assert questions.is_audit(key)
            assert questions.answered(key)
        seen += part
    assert sorted(seen) == keys
    assert len(audited(questions, keys, 0.001)) == 1
    assert audited(questions, keys, 1.0) == []  # something is asked already


def test_what_was_given_up_is_asked_for_once_with_each_audit_until_it_is_answered() -> None:
    questions: Questions[str] = Questions()
    keys = [f"/{number}" for number in range(6)]
    questions.ask(keys)
    questions.take(0.0)
    for key in keys[2:]:
        assert questions.answered(key)
    now = 0.0
    while len(questions.unanswered) < 2:
        questions.expire(now := now + ANSWER_S)
        questions.take(now)
    seen = set()
    for _ in range(4):
        again, *_ = audited(questions, keys, 0.001, now)
        assert again in keys[:2]
        assert not questions.is_audit(again), "its answer is its value, and no doubt"
        seen.add(again)
        now += ANSWER_S
        assert questions.expire(now) == [again]
        assert not questions.is_busy, "once"
    assert seen == set(keys[:2])
    again, *_ = audited(questions, keys, 0.001, now)
    assert questions.answered(again)
    assert set(questions.unanswered) == set(keys[:2]) - {again}


def test_an_answer_that_is_news_and_is_not_told_again_was_missed() -> None:
    questions: Questions[str] = Questions()
    (key,) = audited(questions, ["/a"], 1.0)
    questions.answered(key)
    questions.doubt(key, 0.1)
    assert questions.is_busy
    assert not questions.has_missed(0.1 + DOUBT_S / 2)
    assert questions.has_missed(0.1 + DOUBT_S)
    assert not questions.has_missed(10.0)
    assert not questions.is_busy


def test_a_move_that_is_told_too_was_not_missed() -> None:
    questions: Questions[str] = Questions()
    (key,) = audited(questions, ["/a"], 1.0)
    questions.answered(key)
    questions.doubt(key, 0.1)
    questions.answered(key)  # the move itself
    assert not questions.has_missed(10.0)
    assert not questions.is_busy


def test_an_audit_that_is_not_answered_is_not_asked_again_at_once() -> None:
    questions: Questions[str] = Questions()
    audited(questions, ["/a"], 1.0)
    assert questions.expire(ANSWER_S) == []
    assert not questions.is_busy
    assert not questions.unanswered


def test_what_is_audited_and_then_pulled_is_asked_until_it_is_answered() -> None:
    questions: Questions[str] = Questions()
    audited(questions, ["/a"], 1.0)
    questions.ask(["/a"])
    questions.expire(ANSWER_S)
    assert questions.take(ANSWER_S) == ["/a"]
    assert not questions.is_audit("/a")
