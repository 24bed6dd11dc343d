"""Moves that are measured, with a clock in the test's hands."""

from collections.abc import Callable

import pytest

from bridge.control import Control
from bridge.latency import Latencies
from bridge.store import Change, Origin, Store

MAX = Origin("osc", "max")


class Stage:
    """A store whose changes leave by OSC after 2 ms, at 100 s."""

    def __init__(self) -> None:
        self.now = 100.0
        self.sent = {"osc": 0, "midi": 0}
        self.told: Callable[[float], None] | None = None
        self.browsers = 1
        self.store = Store("e1")
        self.fader = self.store.add(Control(path="/fader"), now=0.0)
        self.level = self.store.add(Control(path="/level", kind="meter"), now=0.0)
        self.store.subscribe(self.send, is_urgent=True)
        self.latencies = Latencies(
            self.store, lambda: self.now, lambda: dict(self.sent), self.set_told, lambda: self.browsers > 0
        )

    def set_told(self, call: Callable[[float], None] | None) -> None:
        self.told = call

    def send(self, changes: list[Change]) -> None:
        if changes[0].entry.path == "/fader" and changes[0].what == "value":
            self.now += 0.002
            self.sent["osc"] += 1

    def move(self, value: float, origin: Origin = MAX) -> None:
        self.store.set(self.fader, value, origin, self.now)

    def measured(self) -> dict[tuple[str, str], float]:
        return {way: one.sum_s for way, one in self.latencies.histograms.items() if len(one)}


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_move_is_measured_from_its_message_to_what_has_left(stage: Stage) -> None:
    stage.latencies.arm()
    stage.move(0.5)
    assert stage.measured() == {("osc", "osc"): pytest.approx(0.002)}


def test_one_move_is_measured_for_each_time_it_is_armed(stage: Stage) -> None:
    subscribers = stage.store._subscribers
    stage.latencies.arm()
    stage.latencies.arm()
    stage.move(0.5)
    assert stage.store._subscribers == subscribers  # nobody is called for the next one
    stage.move(0.6)
    assert len(stage.latencies.histograms["osc", "osc"]) == 1
    stage.latencies.arm()
    stage.move(0.7, Origin("browser", "c1"))
    assert len(stage.latencies.histograms["browser", "osc"]) == 1


def test_browsers_count_when_the_pass_is_over_that_began_after_the_move(stage: Stage) -> None:
    stage.latencies.arm()
    stage.move(0.5)  # at 100 s
    assert stage.told is not None
    stage.now = 100.004
    stage.told(99.999)  # under way when it came
    assert ("osc", "browser") not in stage.measured()
    stage.now = 100.006
    stage.told(100.003)
    assert stage.measured()["osc", "browser"] == pytest.approx(0.006)
    assert stage.told is None


def test_nothing_counts_where_no_browser_is(stage: Stage) -> None:
    stage.browsers = 0
    stage.latencies.arm()
    stage.move(0.5)
    assert stage.told is None


def test_what_is_no_move_of_a_hand_is_not_measured(stage: Stage) -> None:
    stage.latencies.arm()
    stage.move(0.5, Origin("bridge", "panic"))
    stage.store.add(Control(path="/new"), now=stage.now, origin=Origin("osc", "max"))
    assert not stage.measured()
    stage.move(0.6)  # it waited for this one
    assert stage.measured()


def test_a_meter_goes_out_and_to_no_browser_in_a_pass(stage: Stage) -> None:
    stage.latencies.arm()
    stage.store.set(stage.level, 0.5, Origin("osc", "max"), stage.now)
    assert not stage.measured()
    assert stage.told is None


def test_disarmed_it_leaves_nothing_behind(stage: Stage) -> None:
    subscribers = stage.store._subscribers
    stage.latencies.arm()
    stage.latencies.disarm()
    assert stage.store._subscribers == subscribers
