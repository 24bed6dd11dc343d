from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.control import Control
from bridge.history import MAX_KNOWN, MAX_ORIGINS, MERGE_S, History
from bridge.store import Change, Entry, Origin, Store

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


class Ledger:
    """What a history of so many records says, without anything at hand."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.rows: list[dict[str, Any]] = []

    def note(self, changes: Sequence[Change]) -> None:
        for change in changes:
            what, before, after = change.what, change.previous, change.value
            if change.what == "trigger":
                before, after = None, change.args
            elif change.what == "hold":
                what, before, after = "touch" if change.origin in change.entry.holders else "release", None, None
            elif change.what != "value":
                continue
            who = change.entry.path, what, change.origin
            kept = [row for row in self.rows[-self.size :] if row["who"] == who]
            if kept and change.time - kept[-1]["ended"] <= MERGE_S:
                kept[-1].update(ended=change.time, after=after, count=kept[-1]["count"] + 1)
            else:
                row = {"who": who, "began": change.time, "ended": change.time, "before": before, "after": after}
                self.rows.append({**row, "count": 1})


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("set", "set", "set", "touch", "release", "trigger")),
            st.integers(0, 3),
            st.integers(0, 1),
            st.sampled_from((0.0, 0.4, MERGE_S, 1.2)),
        ),
        max_size=40,
    )
)
@example([("set", which, 0, 0.0) for which in (0, 1, 2, 3, 0, 1)])
@example([("set", which, by, 0.0) for which, by in ((0, 0), (0, 1), (1, 0), (2, 0), (3, 0), (0, 0))])
@example([("set", 0, by, 0.0) for by in (0, 1, 0, 0, 1, 1, 0, 1)])
def test_it_says_what_a_plain_list_would(steps: list[tuple[str, int, int, float]]) -> None:
    store, history, ledger = Store("e1"), History(size=3), Ledger(3)
    store.subscribe(history.note)
    store.subscribe(ledger.note)
    entries = [add(store, path, kind=kind) for path, kind in (("/a", "float"), ("/b", "float"), ("/c", "string"))]
    bang = add(store, "/d", kind="trigger")
    now = 0.0
    for number, (what, which, by, pause) in enumerate(steps, 1):
        now += pause
        origin = (ANNA, MAX)[by]
        if what == "trigger" or (what == "set" and which == 3):
            store.trigger(bang, (number,), origin, now)
        elif what == "set":
            store.set(entries[which], number / 100 if which < 2 else f"text {number}", origin, now)
        elif what == "touch":
            store.touch((*entries, bang)[which], origin, now)
        else:
            store.release((*entries, bang)[which], origin, now)
    latest_first = ledger.rows[-3:][::-1]
    expected = sorted(latest_first, key=lambda row: row["ended"], reverse=True)
    assert [
        {"who": (r.path, r.what, r.origin), "began": r.began, "ended": r.ended, "before": r.before, "after": r.after,
         "count": r.count}
        for r in history.latest()
    ] == expected  # fmt: skip


def test_what_is_at_hand_is_bounded(store: Store) -> None:
    history = History()
    fader = add(store, "/fader")
    for number in range(MAX_ORIGINS + 5):
        history.note([Change("value", fader, number, 0.0, Origin("osc", f"p{number}"), 0.5, 0.4)])
    assert len(history._latest[fader]) == MAX_ORIGINS
    most = 0
    for number in range(MAX_KNOWN + 5):
        other = Entry(number, Control(path=f"/{number}"), 0.0, 0)
        history.note([Change("value", other, number, 0.0, ANNA, 0.5, 0.4)])
        most = max(most, len(history._latest), len(history._last))
    assert most == MAX_KNOWN
    assert len(history) == 1000
