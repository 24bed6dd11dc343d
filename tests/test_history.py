from typing import Any

import pytest

from bridge.control import Control
from bridge.history import History
from bridge.store import Entry, Origin, Store

ANNA = Origin("browser", "c1", "Anna")
MAX = Origin("osc", "max")


@pytest.fixture
def store() -> Store:
    return Store("e1")


@pytest.fixture
def history(store: Store) -> History:
    history = History(size=8)
    store.subscribe(history.note)
    return history


def add(store: Store, path: str, **fields: Any) -> Entry:
    return store.add(Control(path=path, **fields), now=0.0)


def told(history: History) -> list[tuple[Any, ...]]:
    return [(r.path, str(r.origin), r.what, r.before, r.after, r.count) for r in history.latest()]


def test_a_drag_is_one_record(store: Store, history: History) -> None:
    fader = add(store, "/fader")
    for step in range(1, 101):
        store.set(fader, step / 100, ANNA, step / 60)
    assert told(history) == [("/fader", "browser:c1@Anna", "value", 0.0, 1.0, 100)]


def test_a_pause_begins_another(store: Store, history: History) -> None:
    fader = add(store, "/fader")
    store.set(fader, 0.5, ANNA, 0.0)
    store.set(fader, 0.6, ANNA, 2.0)
    assert [record.after for record in history.latest()] == [0.6, 0.5]


def test_two_hands_are_told_apart(store: Store, history: History) -> None:
    fader = add(store, "/fader")
    store.set(fader, 0.5, ANNA, 0.0)
    store.set(fader, 0.7, MAX, 0.1)
    store.set(fader, 0.6, ANNA, 0.2)
    # Hers began first and ended last: who is named first is who moved it last.
    assert [(str(r.origin), r.after) for r in history.latest()] == [("browser:c1@Anna", 0.6), ("osc:max", 0.7)]


def test_triggers_and_holds_are_told(store: Store, history: History) -> None:
    bang = add(store, "/bang", kind="trigger")
    store.touch(bang, ANNA, 0.0)
    store.trigger(bang, (1, "go"), ANNA, 0.0)
    store.release(bang, ANNA, 0.1)
    assert [(r.what, r.after) for r in history.latest()] == [("release", None), ("trigger", (1, "go")), ("touch", None)]


def test_meters_are_not(store: Store, history: History) -> None:
    store.set(add(store, "/level", kind="meter"), -12, MAX, 0.0)
    assert len(history) == 0


def test_the_oldest_leaves(store: Store, history: History) -> None:
    faders = [add(store, f"/fader/{n}") for n in range(20)]
    for fader in faders:
        store.set(fader, 1, ANNA, 0.0)
    assert [record.path for record in history.latest()] == [f"/fader/{n}" for n in range(19, 11, -1)]
    store.set(faders[0], 0.5, ANNA, 0.1)
    assert history.latest(1)[0].count == 1


def test_one_control_can_be_asked_for(store: Store, history: History) -> None:
    one, two = add(store, "/one"), add(store, "/two")
    store.set(one, 0.5, ANNA, 0.0)
    store.set(two, 0.5, ANNA, 0.0)
    assert [record.path for record in history.latest(path="/one")] == ["/one"]


def test_a_long_text_is_cut(store: Store, history: History) -> None:
    store.set(add(store, "/text", kind="string"), "x" * 1000, ANNA, 0.0)
    assert len(history.latest()[0].after) == 100
