"""Browsers that are told the same, together. That all agree whatever happens is in tests/test_convergence.py, and what
links, cuts and hanging clients do to one of them in tests/test_bad_link.py, test_cuts.py and test_stuck_client.py."""

import itertools
import json
from collections.abc import Iterable
from random import Random
from typing import Any

import pytest

from bridge.access import EVERYTHING
from bridge.ackwindow import LIGHT_BYTES, AckWindow, Flights, Recent
from bridge.cohort import MOST, Cohorts
from bridge.control import Control
from bridge.frames import Frames
from bridge.session import Session, Shared
from bridge.store import Entry, Origin, Store

OSC = Origin("osc", "max")
FRAME_S = 1 / 60


class Screen:
    """A browser's session, the bytes that its TCP keeps, and what it was told."""

    def __init__(self, room: "Room", name: str) -> None:
        self.kept = 0
        self.is_cut = False
        self.heard: list[dict[str, Any]] = []
        self.room = room
        self.session = Session(room.shared, name, EVERYTHING, unacknowledged=lambda: self.kept)
        room.cohorts.alone[self.session] = None

    def say(self, kind: str, **fields: Any) -> None:
        self.session.receive(json.dumps({"type": kind, **fields}), self.room.now)

    def take(self, frames: Iterable[bytes]) -> None:
        for frame in frames:
            self.heard.append(json.loads(frame))
            self.kept += len(frame) * self.is_cut

    def ack(self, **fields: Any) -> None:
        """What it has heard; then it may join others."""
        self.say("ack", rev=max(message.get("rev", 0) for message in self.heard), **fields)
        if self.session.may_join:
            self.room.cohorts.admit(self.session, self)


class Room:
    """Screens on one store, told as the hub does it, with time in our hands."""

    def __init__(self) -> None:
        self.store = Store("k3x9")
        self.shared = Shared(self.store, Frames(self.store), "Show", "0.1.0")
        self.cohorts = Cohorts(self.shared)
        self.fader = self.store.add(Control(path="/fader"), now=0.0)
        self.text = self.store.add(Control(path="/text", kind="string", max_length=4000), now=0.0)
        self.now = 0.0
        self.screens: dict[Session, Screen] = {}

    def enter(self, count: int) -> list[Screen]:
        """New screens, which are near: each joins with its first ack."""
        new = [Screen(self, f"c{len(self.screens) + i}") for i in range(count)]
        for screen in new:
            self.screens[screen.session] = screen
            screen.say("hello", name="")
            screen.take(screen.session.poll(self.now, True))
            screen.ack()
        return new

    def tell(self) -> None:
        for cohort in self.cohorts:
            cohort.look(self.now)
            news = cohort.news(self.now)
            assert news is not None
            for screen in cohort.members.values():
                screen.take([news] if news else [])
            cohort.told(news, self.now)
        for session in list(self.cohorts.alone):
            news = session.poll_news(self.now)
            answers = session.poll(self.now, True) if news is None else [news, *session.take_answers()]
            self.screens[session].take(answers)

    def play(self, seconds: float, entry: Entry | None = None, bytes_each: int = 0) -> None:
        """Something moves, 60 times a second."""
        for step in range(round(seconds / FRAME_S)):
            self.now += FRAME_S
            value = str(step % 10) * bytes_each if bytes_each else (step + 1) % 97 / 97
            self.store.set(entry or self.fader, value, OSC, self.now)
            self.tell()

    @property
    def sizes(self) -> list[int]:
        return [len(cohort.members) for cohort in self.cohorts]


@pytest.fixture
def room() -> Room:
    return Room()


def values(screen: Screen) -> list[Any]:
    return [value for message in screen.heard for _, value in message.get("values", ())]


def test_browsers_that_are_alike_move_together_and_are_told_all(room: Room) -> None:
    screens = room.enter(3)
    assert room.sizes == [3]
    room.play(0.5)
    assert len(values(screens[0])) == 2 + 30  # of the welcome, and each step
    assert values(screens[0]) == values(screens[1]) == values(screens[2])
    (late,) = room.enter(1)
    assert room.sizes == [4]
    room.play(0.1)
    assert values(late)[2:] == values(screens[0])[-6:]


def test_so_many_are_told_at_one_go_and_no_more(room: Room) -> None:
    room.enter(MOST + 1)
    assert room.sizes == [MOST, 1]


def test_an_ack_counts_for_who_sends_it(room: Room) -> None:
    one, other = room.enter(2)
    room.play(0.5)
    one.ack()
    assert one.session.status()["frames_under_way"] == 0
    assert other.session.status()["frames_under_way"] == 30
    one.say("ack", rev=room.store.revision + 1)
    assert "above" in json.loads(one.session.take_answers()[0])["message"]


def test_who_has_a_finger_down_is_alone_until_it_lifts(room: Room) -> None:
    one, other = room.enter(2)
    one.say("touch", ids=[room.fader.id])
    assert room.sizes == [1]
    room.store.release_all(one.session.origin, 0.0)
    room.play(FRAME_S)  # as panic does it
    assert [message["code"] for message in one.heard if message["type"] == "error"] == ["held"]
    one.ack()
    assert room.sizes == [1]
    one.say("release", ids=[room.fader.id])
    one.ack()
    room.tell()
    one.ack()
    assert room.sizes == [2]
    assert other.heard[-1]["type"] == "update"


def test_a_trigger_reaches_each_of_them_once(room: Room) -> None:
    go = room.store.add(Control(path="/go", kind="trigger"), now=0.0)
    screens = room.enter(2)
    for _ in range(3):
        room.store.trigger(go, (), OSC, room.now)
        room.tell()
        room.tell()
    (late,) = room.enter(1)
    assert room.sizes == [3]
    room.play(0.1)
    assert [sum(len(message.get("triggers", ())) for message in one.heard) for one in (*screens, late)] == [3, 3, 0]


def test_whose_link_is_cut_is_sent_nothing_after_a_quarter_of_a_second_and_the_others_all(room: Room) -> None:
    one, other = room.enter(2)
    room.play(1.0)
    one.ack()
    other.ack()
    one.is_cut = True
    before = len(one.heard)
    room.play(0.9)
    assert 13 <= len(one.heard) - before <= 17
    assert len(other.heard) - before == 54
    assert room.sizes == [1]


def test_whose_acks_become_late_is_alone(room: Room) -> None:
    screens = room.enter(3)
    room.play(0.2)
    for screen in screens:
        screen.ack()
    assert room.sizes == [3]
    room.play(FRAME_S)
    room.now += 0.3
    screens[0].ack()
    assert screens[0].session.cohort is None
    assert room.sizes == [2]


def test_a_page_that_hangs_is_sent_little_though_its_tcp_takes_all(room: Room) -> None:
    one, other = room.enter(2)
    for _ in range(5):
        room.play(0.8)
        other.ack()
    assert room.sizes == [1]
    assert len(other.heard) == 1 + 240
    assert 70 <= len(one.heard) <= 95


def test_who_lets_much_lie_is_alone(room: Room) -> None:
    """Some frames more than are light, which is why acks come before that; then its window counts."""
    one, other = room.enter(2)
    for _ in range(10):
        room.play(2 * FRAME_S, room.text, 1000)
        other.ack()
    assert room.sizes == [1]
    assert 2 * LIGHT_BYTES < sum(len(json.dumps(message)) for message in one.heard[1:]) < 32 * 1024
    assert len(other.heard) == 1 + 20


def test_who_is_alone_and_acks_much_at_once_stays_alone(room: Room) -> None:
    (one,) = room.enter(1)
    room.play(10 * FRAME_S, room.text, 1000)
    one.ack()
    assert room.sizes == []
    room.play(2 * FRAME_S)
    one.ack()
    assert room.sizes == [1]


def test_what_is_too_long_for_one_frame_is_told_to_each(room: Room) -> None:
    one, _ = room.enter(2)
    (cohort,) = room.cohorts
    texts = [room.store.add(Control(path=f"/t/{n}", kind="string", max_length=4000), now=0.0) for n in range(80)]
    for text in texts:
        room.store.set(text, "x" * 4000, OSC, 0.0)
    assert cohort.news(room.now) is None
    cohort.disband()
    room.tell()
    assert len(one.heard) == 2  # the first of its parts
    assert room.sizes == []


@pytest.mark.parametrize("seed", range(30))
def test_a_window_that_was_with_others_is_as_it_would_have_been_alone(seed: int) -> None:
    rng = Random(seed)
    kept = 0
    alone, member = (AckWindow(Recent(), 0.05, lambda: kept) for _ in range(2))
    flights = Flights()
    now, revision, acked = 100.0, 0, 0
    is_joined = False
    for _ in range(120):
        now += rng.choice((0.021, 0.05, 0.2))
        what = rng.random()
        if what < 0.5:
            revision += rng.randint(1, 3)
            size = rng.randint(300, 500)
            alone.sent(revision, now, size)
            if is_joined:
                flights.add(revision, now, size)
            else:
                member.sent(revision, now, size)
        elif what < 0.8 and revision > acked:
            acked = rng.randint(acked, revision)
            held_s = rng.choice((0.0, 0.02))
            alone.acked(acked, held_s, now)
            member.acked(acked, held_s, now)
        elif is_joined:
            member.part()
            is_joined = False
        elif member.may_join:
            member.join(flights)
            is_joined = True
        assert member.revision == alone.revision
        assert member.status() == alone.status()
    member.part()
    for later, kept in itertools.product((0.0, 0.1, 0.3, 1.0, 1.5), (0, 400, 2000)):  # noqa: B007 - asked for above
        assert member.wait(now + later) == pytest.approx(alone.wait(now + later))
        assert member.is_held_back(now + later) == alone.is_held_back(now + later)
