"""Passes over browsers that come, go, join and leave in the middle of one: the real hub, on a loop and a clock in our
hands, so that a pass is cut into slices where a test wants it."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from bridge.access import EVERYTHING
from bridge.cohort import MOST
from bridge.connection import Connection
from bridge.control import Control
from bridge.frames import Frames
from bridge.http.wsframes import TEXT
from bridge.session import Session, Shared
from bridge.store import Entry, Origin, Store
from bridge.ws import SLICE_S, Hub

from .simulation.clock import Alarm, Clock

OSC = Origin("osc", "max")


class Loop(Clock):
    """``late()``: how much later it is whenever somebody asks."""

    def __init__(self) -> None:
        super().__init__()
        self.late: Callable[[], float] = lambda: 0.0

    def clock(self) -> float:
        self.now += self.late()
        return self.now

    def call_soon(self, call: Callable[[], None]) -> Alarm:
        return self.call_later(0.0, call)

    def run(self, seconds: float) -> None:
        self.run_until(self.now + seconds)


class Screen:
    """A browser, its WebSocket as the hub sees it, and what it shows."""

    def __init__(self, room: "Room", name: str) -> None:
        self.room = room
        self.waiting = 0
        """Bytes that its kernel does not take."""
        self.is_closing = self.is_gone = False
        self.on_closing: Callable[[], None] = lambda: None
        self.rev = self.n = self.applied = 0
        self.values: dict[int, Any] = {}
        self.triggers: list[int] = []
        self.errors: list[str] = []
        self.session = Session(room.shared, name, EVERYTHING, unacknowledged=lambda: 0)
        self.connection = Connection(self.session, self, "here", room.loop.now)  # type: ignore[arg-type]
        self.on_closing = self.session.leave
        room.hub._add(self.connection)
        self.say("hello", name=name)

    @property
    def transport(self) -> Any:
        return Transport(self)

    def allow(self, max_bytes: int) -> None:
        pass

    def say(self, kind: str, **fields: Any) -> None:
        self.room.hub._heard(self.connection, TEXT, json.dumps({"type": kind, **fields}).encode())

    def ack(self) -> None:
        self.say("ack", rev=self.rev)

    def set(self, entry: Entry, value: float) -> None:
        self.n += 1
        self.say("set", n=self.n, values=[[entry.id, value]])

    def hear(self, data: bytes) -> None:
        assert not self.is_closing, "something came after Close"
        while data:
            start, size = (2, data[1]) if data[1] < 126 else (4, int.from_bytes(data[2:4], "big"))
            message, data = json.loads(data[start : start + size]), data[start + size :]
            if message["type"] in ("welcome", "update"):
                assert message["rev"] >= self.rev
                self.rev = message["rev"]
                self.values.update(map(tuple, message.get("values", ())))
                self.triggers += [trigger[1] for trigger in message.get("triggers", ())]
            elif message["type"] == "applied":
                self.applied = message["n"]
            elif message["type"] == "error":
                self.errors.append(message["code"])

    @property
    def is_true(self) -> bool:
        truth = {entry.id: entry.value for entry in self.room.store if entry.value is not None}
        return self.values == truth and self.rev == self.room.store.revision and self.applied == self.n


class Transport:
    """What the hub sees of a screen's transport and socket."""

    family = 0

    def __init__(self, screen: Screen) -> None:
        self.screen = screen

    def write(self, data: bytes) -> None:
        if self.screen.is_gone:
            raise RuntimeError("the handler is closed")  # as uvloop says it
        self.screen.hear(data)

    def get_write_buffer_size(self) -> int:
        return self.screen.waiting

    def is_closing(self) -> bool:
        return self.screen.is_gone

    def get_extra_info(self, name: str) -> Any:
        return self if name == "socket" else None

    def setsockopt(self, *args: object) -> None:
        pass


class Room:
    def __init__(self, browsers: int) -> None:
        self.loop = Loop()
        self.store = Store("k3x9")
        self.shared = Shared(self.store, Frames(self.store), "Show", "0.1.0")
        self.hub = Hub(self.shared, clock=self.loop.clock)
        self.hub._loop = self.loop  # type: ignore[assignment]
        self.store.subscribe(self.hub._on_changes)
        self.fader, self.other = (self.store.add(Control(path=path), now=0.0) for path in ("/fader", "/other"))
        self.go = self.store.add(Control(path="/go", kind="trigger"), now=0.0)
        self.screens = [Screen(self, f"c{n}") for n in range(browsers)]
        self.loop.run(0.01)
        for screen in self.screens:
            screen.ack()

    def move(self, value: float) -> None:
        self.store.set(self.fader, value, OSC, self.loop.now)

    def begin_pass(self) -> None:
        """A change, and only the first slice of the pass that tells it."""
        self.move(0.77)
        self.loop.late = lambda: 1.25 * SLICE_S
        while self.hub._rest is None:
            assert self.loop.step(self.loop.now + 1)
        self.loop.late = lambda: 0.0


def test_all_of_them_move_together() -> None:
    room = Room(5)
    assert not room.hub._cohorts.alone
    room.move(0.5)
    room.loop.run(0.01)
    assert all(screen.is_true for screen in room.screens)


def test_who_joins_between_two_slices_of_a_pass_is_told_by_the_next() -> None:
    room = Room(140)
    for screen in room.screens[100:]:
        screen.session.leave()
    room.begin_pass()
    late = next(screen for screen in room.screens[100:] if screen.rev < room.store.revision)
    late.ack()
    room.loop.run(0.1)
    assert all(screen.is_true for screen in room.screens)


@pytest.mark.parametrize("what", ["touches what is not there", "sets the same again"])
def test_who_leaves_between_two_slices_of_a_pass_is_told_by_the_next(what: str) -> None:
    room = Room(2 * MOST + 1)
    room.begin_pass()
    screen = room.screens[-1]
    assert screen.rev < room.store.revision
    if what == "touches what is not there":
        screen.say("touch", ids=[999])
    else:
        screen.set(room.other, room.other.value)
    room.loop.run(0.1)
    assert all(screen.is_true for screen in room.screens)


def test_an_answer_that_finds_the_buffer_full_is_told_when_it_is_empty() -> None:
    room = Room(3)
    screen = room.screens[0]
    screen.waiting = 10
    screen.set(room.other, room.other.value)
    screen.say("set", values=[[999, 1]])
    room.loop.run(0.1)
    assert (screen.applied, screen.errors) == (0, [])
    screen.waiting = 0
    room.loop.run(0.1)
    assert (screen.applied, screen.errors) == (1, ["unknown_control"])


def test_whose_buffer_is_full_holds_up_nobody_and_gets_the_truth_when_it_is_empty() -> None:
    room = Room(4)
    room.screens[1].waiting = 10
    for value in (0.1, 0.2, 0.3):
        room.move(value)
        room.loop.run(0.02)
    assert [screen.is_true for screen in room.screens] == [True, False, True, True]
    room.screens[1].waiting = 0
    room.loop.run(0.02)
    assert all(screen.is_true for screen in room.screens)


def test_a_transport_that_is_gone_costs_the_others_nothing() -> None:
    room = Room(4)
    room.screens[1].is_gone = True
    for _ in range(3):
        room.store.trigger(room.go, (), OSC, room.loop.now)
        room.loop.run(0.02)
    assert [screen.triggers for screen in room.screens] == [[1, 2, 3], [], [1, 2, 3], [1, 2, 3]]


@pytest.mark.parametrize("seed", range(6))
def test_whatever_they_do_in_passes_that_are_cut_all_show_the_truth(seed: int) -> None:
    rng = Random(seed)
    room = Room(rng.choice((12, 150)))
    for _ in range(60):
        room.loop.late = lambda: rng.choice((0.0, 0.0, 0.0003, 0.003))
        for _ in range(rng.randint(1, 6)):
            screen, what = rng.choice(room.screens), rng.random()
            if what < 0.3:
                room.move(rng.random())
            elif what < 0.4:
                screen.set(rng.choice((room.fader, room.other)), rng.random())
            elif what < 0.5:
                screen.set(room.other, room.other.value)
            elif what < 0.6:
                screen.say(rng.choice(("touch", "release")), ids=[rng.choice((room.fader.id, 999))])
            elif what < 0.7:
                screen.say("ping", t=room.loop.now * 1000, rev=screen.rev)
            elif what < 0.75:
                screen.waiting = rng.choice((0, 10))
            elif what < 0.78:
                room.screens.remove(screen)
                screen.is_closing = True
                screen.on_closing()
                room.hub._forget(screen.connection)
            elif what < 0.8:
                room.screens.append(Screen(room, f"n{room.loop.now}"))
            else:
                screen.ack()
            room.loop.step(room.loop.now)
        room.loop.late = lambda: 0.0
        room.loop.run(rng.choice((0.0, 0.004, 0.016, 0.3)))
        if rng.random() < 0.2:
            for screen in room.screens:
                screen.waiting = 0
            room.loop.run(2.0)
            assert [screen.session.client for screen in room.screens if not screen.is_true] == []
