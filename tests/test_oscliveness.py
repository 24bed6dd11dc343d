"""Whether a peer is there, and what is due to find out."""

from bridge.osc.liveness import (
    DEAF_S,
    KNOCK_S,
    REFUSED_AGAIN_S,
    UNREACHABLE_AGAIN_S,
    Greeting,
    Liveness,
    Rules,
    opening,
    returning,
)

PROBED = Rules(probe_s=5, timeout_s=12)


def opened(rules: Rules = Rules(), *targets: str) -> Liveness[str]:  # noqa: B008 - frozen
    life = Liveness(rules, targets or ("a",))
    life.opened(0.0)
    return life


def test_a_peer_that_was_never_heard_is_connecting_for_ever_unless_it_is_probed() -> None:
    life = opened()
    life.tick(10_000.0)
    assert (life.state, life.is_gone, life.next_due) == ("connecting", False, float("inf"))


def test_what_is_heard_is_online_and_needs_no_second_look() -> None:
    life = opened()
    assert not life.is_well
    assert life.heard(1.0, "a") == ["a"]
    assert (life.state, life.is_well) == ("online", True)
    life.tick(10_000.0)  # without a probe, silence means nothing
    assert (life.state, life.is_well) == ("online", True)


def test_keepalive_and_probe_are_due_at_once_and_then_at_their_pace() -> None:
    life = Liveness(Rules(keepalive_s=9, probe_s=5), ("a",))
    due = life.opened(0.0)
    assert (due.keepalive, due.probe) == (True, True)
    assert life.next_due == 5
    assert (life.tick(4.9).probe, life.tick(5.0).probe, life.tick(5.1).probe) == (False, True, False)
    assert (life.tick(8.9).keepalive, life.tick(9.0).keepalive, life.tick(9.1).keepalive) == (False, True, False)


def test_who_refuses_from_the_first_on_is_awaited_and_gone_only_after_it_was_there() -> None:
    life = opened()
    life.sent(1.0)
    life.refused("a", 1.2)
    assert (life.state, life.is_gone, life.is_awaited) == ("silent", True, True)
    life.sent(2.0)
    assert life.tick(3.2).knock == ["a"]
    assert life.tick(3.7).greet == ["a"]  # it takes it: there it is
    life.refused("a", 9.0)
    assert (life.is_gone, life.is_awaited) == (True, False)


def test_who_takes_what_it_is_sent_was_there_though_it_never_spoke() -> None:
    life = opened()
    life.sent(1.0)
    life.tick(1.6)
    life.refused("a", 5.0)
    assert (life.is_gone, life.is_awaited) == (True, False)


def test_who_should_answer_or_connect_and_where_our_own_port_is_shut_nobody_is_merely_awaited() -> None:
    probed, linked, shut = opened(PROBED), opened(Rules(needs_link=True)), opened()
    probed.refused("a", 1.0)
    shut.refused("a", 1.0)
    shut.closed()
    assert [(life.is_gone, life.is_awaited) for life in (probed, linked, shut)] == [(True, False)] * 3


def test_a_probed_peer_that_never_answers_is_silent() -> None:
    life = opened(PROBED)
    assert life.tick(12.0).greet == []
    assert life.state == "connecting"
    life.tick(12.1)
    assert (life.state, life.is_gone) == ("silent", True)


def test_silence_longer_than_the_time_out_is_silent_until_anything_is_heard() -> None:
    life = opened(PROBED)
    life.heard(1.0, "a")
    life.tick(5.0)
    life.tick(13.0)
    assert (life.state, life.is_well) == ("online", False)  # it has left probes unanswered
    life.tick(13.1)
    assert life.state == "silent"
    assert life.heard(20.0, "a") == ["a"]
    assert (life.state, life.is_well) == ("online", True)


def test_anything_heard_counts_as_life() -> None:
    life = opened(PROBED)
    life.heard(1.0, "a")
    for now in range(2, 100):
        life.heard_at = float(now)  # what the receiver writes
        life.tick(now + 0.5)
    assert (life.state, life.is_well) == ("online", True)


def test_who_left_a_probe_unanswered_may_have_been_restarted_and_is_greeted() -> None:
    life = opened(PROBED)
    life.heard(1.0, "a")
    life.tick(5.0)
    life.heard_at = 5.01
    life.tick(10.0)
    assert life.is_well
    life.tick(15.0)  # nothing since the probe at 10
    assert (life.state, life.is_well) == ("online", False)
    assert life.heard(15.1, "a") == ["a"]
    assert life.is_well


def test_a_port_where_nobody_listens_is_silent_and_tried_until_it_takes() -> None:
    life = opened()
    life.refused("a", 1.0)
    assert life.state == "silent"
    assert life.tick(1.0 + KNOCK_S).knock == ["a"]
    life.refused("a", 3.1)  # still nobody
    assert life.tick(3.2).knock == []
    assert life.tick(3.1 + KNOCK_S).knock == ["a"]
    assert life.next_due == 3.1 + KNOCK_S + REFUSED_AGAIN_S
    assert life.tick(life.next_due).greet == ["a"]
    assert (life.state, life.next_due) == ("connecting", float("inf"))


def test_a_host_that_cannot_be_reached_is_offline_and_given_longer_to_say_so() -> None:
    life = opened()
    life.heard(0.5, "a")
    life.unreachable("a", 1.0)
    assert (life.state, life.is_gone) == ("offline", True)
    assert life.tick(3.0).knock == ["a"]
    assert life.tick(3.0 + REFUSED_AGAIN_S).greet == []
    assert life.tick(3.0 + UNREACHABLE_AGAIN_S).greet == ["a"]
    assert life.state == "online"


def test_who_was_refused_and_speaks_is_back_at_once() -> None:
    life = opened()
    life.heard(0.5, "a")
    life.refused("a", 1.0)
    assert not life.is_well
    assert life.heard(60.0, "a") == ["a"]
    assert (life.state, life.is_well) == ("online", True)


def test_who_is_back_has_forgotten_us_and_is_kept_alive_at_once() -> None:
    kept = Rules(keepalive_s=9)
    life = opened(kept)
    life.heard(0.5, "a")
    assert life.tick(0.5).keepalive
    life.refused("a", 1.0)
    assert life.heard(4.0, "a") == ["a"]
    assert life.next_due == 4.0
    assert life.tick(4.0).keepalive
    life.refused("a", 7.0)
    assert not life.tick(7.0 + KNOCK_S).keepalive
    due = life.tick(7.0 + KNOCK_S + REFUSED_AGAIN_S)
    assert (due.greet, due.keepalive) == (["a"], True)


def test_who_speaks_but_listens_elsewhere_stays_silent_and_does_not_flap() -> None:
    life = opened()
    life.refused("a", 1.0)
    assert life.heard(2.0, "a") == ["a"]
    life.refused("a", 2.0 + DEAF_S / 2)
    assert (life.state, life.is_deaf("a"), life.is_well) == ("silent", True, True)
    assert life.heard(4.0, "a") == []
    assert life.state == "silent"
    knocked_at = life.next_due
    assert life.tick(knocked_at).knock == ["a"]
    assert life.tick(knocked_at + REFUSED_AGAIN_S).greet == ["a"]
    assert (life.state, life.is_deaf("a")) == ("online", False)


def test_one_of_two_targets_that_is_refused_leaves_the_peer_there() -> None:
    life = opened(Rules(), "a", "b")
    life.refused("a", 1.0)
    assert life.state == "connecting"
    assert life.heard(2.0, "b") == ["b"]
    assert life.state == "online"
    assert life.heard(3.0, "b") == []  # what b says is no sign of a
    assert life.heard(4.0, "a") == ["a"]
    life.refused("a", 10.0)
    life.unreachable("b", 10.0)
    assert life.state == "silent"


def test_a_peer_with_a_connection_is_offline_until_it_has_one() -> None:
    life = opened(Rules(keepalive_s=9, needs_link=True))
    assert life.state == "offline"
    assert life.is_back("a", 5.0) == ["a"]
    assert life.state == "connecting"
    assert life.tick(5.0).keepalive
    life.heard(5.1, "a")
    life.gone("a", 6.0)
    assert (life.state, life.is_well) == ("offline", True)
    assert life.tick(60.0).knock == []
    assert life.is_back("a", 61.0) == ["a"]
    assert life.state == "online"


def test_a_server_without_guests_is_offline_and_greets_each() -> None:
    life: Liveness[str] = Liveness(Rules(needs_link=True))
    life.opened(0.0)
    assert (life.state, life.is_gone) == ("offline", False)  # nobody is missed who never came
    assert life.put("a", 1.0) == ["a"]
    assert life.put("b", 2.0) == ["b"]
    assert life.state == "connecting"
    life.heard(3.0, "a")
    life.drop("a")
    life.drop("b")
    assert (life.state, life.is_gone) == ("offline", True)


def test_our_closed_port_is_offline_and_nothing_is_due() -> None:
    life = opened(PROBED)
    life.heard(1.0, "a")
    life.closed()
    assert (life.state, life.is_well, life.next_due) == ("offline", False, float("inf"))
    assert not life.tick(60.0).probe
    due = life.opened(100.0)
    assert (due.probe, life.state) == (True, "online")
    assert life.tick(112.0).greet == []
    life.tick(112.1)
    assert life.state == "silent"


def test_what_was_refused_before_our_port_closed_is_tried_anew() -> None:
    life = opened()
    life.refused("a", 1.0)
    life.closed()
    life.opened(2.0)
    assert life.state == "connecting"


def test_who_was_never_heard_is_sent_what_momentaries_rest_at_and_values_only_if_it_is_to_be_pushed_to() -> None:
    assert opening("none", was_heard=False, has_probe=False) == Greeting()
    push = opening("push", was_heard=False, has_probe=True)
    assert (push.push, push.pull, push.rest) == (True, False, True)


def test_a_pull_waits_for_the_answer_to_the_probe() -> None:
    assert not opening("pull", was_heard=True, has_probe=True).pull
    assert opening("pull", was_heard=False, has_probe=False).pull
    assert returning("pull").pull


def test_after_we_were_away_who_was_heard_is_sent_the_truth() -> None:
    assert opening("none", was_heard=True, has_probe=False).push
    assert not opening("pull", was_heard=True, has_probe=False).push
