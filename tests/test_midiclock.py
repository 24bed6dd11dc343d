"""MIDI clock in virtual time: a tempo that is steady under jitter and follows, and our own ticks, none too many."""

import random
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.midi.clock import CLOCK, CONTINUE, LOST_S, ClockIn, Pulse, Said, Tempo
from bridge.midi.codec import Message, decode

TICK = Message("clock")


def told(parts: Iterable[tuple[float, float]], jitter_s: float, period_s: float = 0.0, seed: int = 1) -> list[Said]:
    """What is told of the tempo while (bpm, seconds) are played; each tick late by a jitter, and by a sound system's
    period. ``Said.word`` is when."""
    chance, tempo, at, found = random.Random(seed), Tempo(), 1.0, []
    for bpm, seconds in parts:
        end = at + seconds
        while at < end:
            at += 2.5 / bpm
            heard = at + chance.uniform(0, jitter_s)
            if period_s:
                heard = (heard // period_s + 1) * period_s
            if (news := tempo.tick(heard)) is not None:
                found.append((at - 1.0, news))
    return found  # type: ignore[return-value]


@pytest.mark.parametrize("period_s", [0.0, 0.0027, 0.0053, 0.0213])
@pytest.mark.parametrize("bpm", [60.0, 97.5, 120.0, 174.0])
def test_a_tempo_is_found_in_a_beat_and_is_steady_under_jitter(bpm: float, period_s: float) -> None:
    found = told([(bpm, 20)], 0.002, period_s)
    assert found[0][0] < 60 / bpm + 0.1
    assert found[-1][1] == bpm  # to the last digit, and it is round
    assert [news for at, news in found if at > 9] == []


def test_a_new_tempo_is_followed_within_two_beats() -> None:
    for bpm in (60, 117, 123, 140):
        found = told([(120, 10), (bpm, 10)], 0.001)
        assert found[-1][1] == bpm
        assert found[-1][0] < 10 + 2 * 60 / bpm + 0.1


def test_a_small_change_is_followed_without_a_jump() -> None:
    found = told([(120, 10), (121, 10)], 0.001)
    news = [bpm for at, bpm in found if at > 10]
    assert news == sorted(news)
    assert news[-1] == 121


def test_a_sound_system_that_slips_by_a_period_is_no_new_tempo() -> None:
    """117.2 bpm has a tick in nearly every period of 21.3 ms, and seldom none."""
    found = told([(117.3, 30)], 0.0005, 1024 / 48000, seed=3)
    assert max(abs(bpm - 117.3) for at, bpm in found if at > 5) < 1


@pytest.mark.parametrize("held_s", [0.085, 0.2, 0.4])
@pytest.mark.parametrize("what", ["slips", "comes at once", "is lost"])
@pytest.mark.parametrize("period_s", [0.0, 0.0213])
def test_ticks_that_something_has_held_up_are_no_new_tempo(held_s: float, what: str, period_s: float) -> None:
    tempo, told = Tempo(), []
    due = [tick * 60 / 128 / 24 for tick in range(24 * 20)]
    start = due[240]
    for at in due:
        if start <= at and what == "slips":
            at += held_s
        elif start <= at < start + held_s:
            if what == "is lost":
                continue
            at = start + held_s
        bpm = tempo.tick(at if not period_s else (at // period_s + 1) * period_s)
        if bpm is not None and at >= start:
            told.append(bpm)
    assert (tempo.bpm, told) == (128, [])


def test_much_slower_ticks_are_no_hole() -> None:
    tempo, at = Tempo(), 0.0
    for bpm, beats in ((300, 4), (40, 2)):
        for _ in range(24 * beats):
            at += 60 / bpm / 24
            tempo.tick(at)
    assert tempo.bpm == 40


@settings(max_examples=20)
@given(st.floats(20, 300), st.integers())
def test_any_tempo_is_found(bpm: float, seed: int) -> None:
    found = told([(bpm, 16 * 60 / bpm)], 0.001, seed=seed)
    assert found[-1][1] == pytest.approx(bpm, rel=0.002)


def test_the_messages_of_a_song() -> None:
    clock = ClockIn()
    now = 0.0

    def play(ticks: int) -> list[Said]:
        nonlocal now
        found = []
        for _ in range(ticks):
            now += 0.02
            found += [said for said in clock.hear(TICK, now) if said.word != "tempo"]
        return found

    assert play(30) == []
    assert clock.hear(Message("start"), now) == [("beat", 0), ("running", True), ("start", None)]
    assert play(25) == [("beat", 0), ("beat", 1)]  # the first tick is the first beat
    assert clock.hear(Message("stop"), now) == [("running", False), ("stop", None)]
    assert play(48) == []
    assert clock.hear(Message("continue"), now) == [("running", True), ("continue", None)]
    assert play(24) == [("beat", 2)]
    assert clock.hear(Message("position", value=33), now) == [("beat", 8)]  # in sixteenths
    assert play(19) == [("beat", 9)]


def test_a_clock_that_stops_is_seen_and_nothing_runs() -> None:
    clock = ClockIn()
    clock.hear(Message("start"), 1.0)
    assert clock.flush(100.0) == []  # some start and stop without any ticks
    clock.hear(TICK, 101.0)
    assert clock.next_due == 101 + LOST_S
    assert clock.flush(101.4) == []
    assert clock.flush(101.5) == [("running", False)]
    assert (clock.next_due, clock.is_ticking) == (None, False)
    said = [one for at in range(96) for one in clock.hear(TICK, 200 + at / 40)]
    assert [word for word, _ in said] == ["tempo"] * len(said)
    assert said[0] == said[-1] == ("tempo", 100)  # what was before is no part of it


# ---------------------------------------------------------------------------------- ours


def played(pulse: Pulse, start: float, end: float, late: random.Random | None = None) -> list[tuple[float, str]]:
    """(when it was due, what) of all that leaves from ``start`` until ``end``, asked for a little late."""
    found, now = [], start
    while (due := pulse.next_at) is not None and max(due, now) < end:
        now = max(due, now) + (late.uniform(0, 0.03) if late else 0)
        found += [(due, decode(message).kind) for message in pulse.due(now)]
    return found


@settings(max_examples=20)
@given(st.floats(20, 300), st.integers())
def test_ours_never_drifts_however_late_it_is_asked(bpm: float, seed: int) -> None:
    pulse = Pulse()
    pulse.set_tempo(bpm, 0.0)
    ticks = played(pulse, 0.0, 100.0, random.Random(seed))
    a_second = bpm * 24 / 60
    assert len(ticks) == pytest.approx(100 * a_second, abs=2 + 0.03 * a_second)  # the last ones may be asked for later


def test_a_change_of_tempo_bends_the_line_and_breaks_nothing() -> None:
    pulse = Pulse()
    pulse.set_tempo(120, 0.0)
    tick_s = 60 / 24 / 120
    assert pulse.next_at == pytest.approx(tick_s)
    pulse.due(tick_s)
    pulse.set_tempo(60, tick_s * 1.5)
    assert pulse.next_at == pytest.approx(tick_s * 2.5)  # half a tick is left, at half the tempo
    pulse.set_tempo(120, tick_s * 3)  # too late: that tick is due
    assert pulse.due(tick_s * 3) == [CLOCK]
    pulse.set_tempo(1e9, 1.0)
    assert len(played(pulse, 1.0, 2.0)) <= 401  # 1,000 bpm at most


def test_a_start_is_the_downbeat_and_a_stop_stays_where_it_is() -> None:
    pulse = Pulse()
    pulse.set_tempo(120, 0.0)
    pulse.due(0.03)
    pulse.start(0.035)
    assert pulse.next_at == pytest.approx(0.037)
    assert [kind for _, kind in played(pulse, 0.035, 0.1)] == ["clock"] * 4
    pulse.stop()
    assert {kind for _, kind in played(pulse, 0.1, 1.0)} == {"clock"}  # it ticks on, as devices like it


def test_who_comes_back_in_the_middle_is_told_where_the_song_is() -> None:
    pulse = Pulse()
    pulse.set_tempo(120, 0.0)
    pulse.start(0.0)
    played(pulse, 0.0, 1.0)
    pulse.rejoin()
    messages = pulse.due(4.36)  # it was away for seconds: nothing of them is sent
    while len(messages) < 3:
        assert pulse.next_at is not None
        messages = pulse.due(pulse.next_at)
    position, go, tick = messages
    assert (decode(position), go, tick) == (Message("position", value=35), CONTINUE, CLOCK)
    assert pulse._song == 35 * 6 + 1
    assert pulse.next_at == pytest.approx(0.002 + (35 * 6 + 1) * 60 / 24 / 120)  # where it would have been


def test_without_a_tempo_there_are_no_ticks() -> None:
    pulse = Pulse()
    pulse.start(0.0)
    assert (pulse.next_at, pulse.due(10.0)) == (None, [])


@settings(max_examples=50)
@given(st.integers())
def test_a_pulse_elsewhere_that_is_told_the_same_is_where_ours_is(seed: int) -> None:
    chance, ours, theirs, now = random.Random(seed), Pulse(), Pulse(), 1.0
    ours.set_tempo(120, now)
    theirs.take(*ours.state)
    for _ in range(30):
        now += chance.uniform(0.001, 0.1)
        theirs.due(now - chance.uniform(0, 0.03))  # it beats all the time
        what = chance.choice(["set_tempo", "set_tempo", "start", "resume", "stop"])
        args = {"set_tempo": (chance.uniform(20, 300), now), "start": (now,)}.get(what, ())
        ours.due(now)
        getattr(ours, what)(*args)
        theirs.due(now)
        getattr(theirs, what)(*args)
        for pulse in (ours, theirs):
            pulse.due(now + 0.003)
        assert theirs.next_at == pytest.approx(ours.next_at)
        assert theirs.state[3:] == ours.state[3:]  # where the song is, and whether it runs
