"""The store: what changed since, who hears what in which order, holds, triggers, and what is forgotten."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import store as store_module
from bridge.control import Control
from bridge.errors import BadValue, ControlExists, UnknownControl
from bridge.osc.codec import Int64, Symbol
from bridge.store import (
    JOURNAL,
    MAX_BATCHES,
    MAX_HOLDERS,
    MAX_LINKS,
    REMOVED_REMEMBERED,
    TRIGGER_LIFE_S,
    TRIGGER_RING,
    Change,
    Delta,
    Entry,
    Origin,
    RevisionLog,
    Store,
)

MAX = Origin("osc", "max")
ANNA = Origin("browser", "c1", "Anna")
BEN = Origin("browser", "c2", "Ben")


@pytest.fixture
def store() -> Store:
    return Store("e1")


def add(store: Store, path: str, **fields: Any) -> Entry:
    return store.add(Control(path=path, **fields), now=0.0)


def listen(store: Store) -> list[Change]:
    """Everything that a subscriber hears from now on."""
    heard: list[Change] = []
    store.subscribe(heard.extend)
    return heard


# What changed since: for any history and any earlier revision


@dataclass
class Copy:
    """What somebody who knew the store at ``revision`` knows: id → what a browser would show."""

    revision: int = 0
    shown: dict[int, Any] = field(default_factory=dict)
    surface: Any = None

    @classmethod
    def of(cls, store: Store) -> "Copy":
        return cls(store.revision, {entry.id: look(entry) for entry in store}, store.surface)

    def apply(self, delta: Delta) -> "Copy":
        shown = {key: dict(value) for key, value in self.shown.items()}
        for control_id, path in delta.removed:
            assert shown.pop(control_id, {"path": path})["path"] == path
        for entry in delta.described:
            shown[entry.id] = shown.get(entry.id, {"holder": None, "marks": {}}) | {
                "path": entry.path, "control": entry.control, "value": value_of(entry),
            }  # fmt: skip
        for entry in delta.values:
            shown[entry.id]["value"] = value_of(entry)
        for entry in delta.holds:
            shown[entry.id]["holder"] = entry.holder
        for entry in delta.marks:
            shown[entry.id]["marks"] = dict(entry.marks)
        return Copy(delta.revision, shown, delta.surface if delta.surface is not None else self.surface)


def value_of(entry: Entry) -> Any:
    return entry.value if entry.control.is_valued else None


def look(entry: Entry) -> dict[str, Any]:
    return {
        "path": entry.path, "control": entry.control, "value": value_of(entry),
        "holder": entry.holder, "marks": dict(entry.marks),
    }  # fmt: skip


PATHS = ("/a", "/b", "/c", "/d")
CONTROLS: list[dict[str, Any]] = [
    {"kind": "float"}, {"kind": "float", "step": 0.25}, {"kind": "bool", "momentary": True}, {"kind": "vector"},
    {"kind": "choice", "choices": ("0", "1")}, {"kind": "trigger"}, {"kind": "meter", "range": (0, 1)},
    {"kind": "string"},
]  # fmt: skip
operations = st.tuples(
    st.sampled_from(
        ["add", "remove", "describe", "set", "set", "set", "touch", "release", "mark", "surface", "trigger"]
    ),
    st.integers(0, len(PATHS) - 1),
    st.integers(0, len(CONTROLS) - 1),
    st.sampled_from([ANNA, BEN, MAX]),
)


def perform(store: Store, operation: tuple[str, int, int, Origin], now: float) -> None:
    name, path, number, origin = operation
    entry = store.find(PATHS[path])
    control = Control(path=PATHS[path], **CONTROLS[number])
    if name == "surface":
        store.set_surface({"title": str(number)}, now=now)
    elif name == "add":
        if entry is None:
            store.add(control, now=now)
    elif entry is None:
        return
    elif name == "remove":
        store.remove(entry, now=now)
    elif name == "describe":
        store.describe(entry, control, now=now)
    elif name == "touch":
        store.touch(entry, origin, now)
    elif name == "release":
        store.release(entry, origin, now)
    elif name == "mark":
        store.mark(entry, f"m{number % 2}", number or None, now=now)
    elif entry.control.kind == "trigger":
        store.trigger(entry, (number,), origin, now)
    elif name == "set":
        size = 2 if entry.control.kind == "vector" else 0
        store.set(entry, [number / 8, None] if size else number % 2, origin, now)


@settings(max_examples=100)
@given(st.lists(operations, max_size=40))
def test_what_changed_since_any_revision_makes_any_copy_the_store(history: list[tuple[str, int, int, Origin]]) -> None:
    store = Store("e1")
    copies = [Copy.of(store)]
    for operation in history:
        perform(store, operation, 0.0)
        copies.append(Copy.of(store))
    now = Copy.of(store)
    for copy in copies:
        assert store.can_resume(copy.revision)
        delta = store.since(copy.revision, store.trigger_sequence, 0.0)
        assert copy.apply(delta) == now
        assert [entry.revision for entry in delta.values] == sorted(entry.revision for entry in delta.values)


@settings(max_examples=60)
@given(st.lists(operations, max_size=30), st.data())
def test_every_subscriber_hears_every_revision_once_and_in_order(
    history: list[tuple[str, int, int, Origin]], data: st.DataObject
) -> None:
    store = Store("e1")
    before, after = listen(store), []
    answers = iter(data.draw(st.lists(operations, max_size=10)))

    def answer(changes: Sequence[Change]) -> None:
        if (operation := next(answers, None)) is not None:
            perform(store, operation, 0.0)

    store.subscribe(answer)
    store.subscribe(after.extend)
    for operation in history:
        perform(store, operation, 0.0)
    assert before == after
    logged = [change.revision for change in before]
    assert logged == sorted(logged)
    assert set(logged) == set(range(1, store.revision + 1))


def test_a_change_moves_its_control_to_the_end_and_is_told_once(store: Store) -> None:
    a, b = add(store, "/a"), add(store, "/b")
    start = store.revision
    for value in (0.1, 0.2, 0.3):
        store.set(a, value, MAX, 0.0)
        store.set(b, value, MAX, 0.0)
    store.set(a, 0.4, MAX, 0.0)
    delta = store.since(start, 0, 0.0)
    assert delta.values == [b, a]
    assert delta.is_values_only
    assert delta.revision == store.revision == start + 7
    assert not store.since(store.revision, 0, 0.0)


def test_what_changed_longer_ago_than_the_journal_reaches_is_told_all_the_same(store: Store) -> None:
    early, late, moving = (add(store, f"/{name}") for name in ("early", "late", "moving"))
    start = store.revision
    store.set(early, 0.5, MAX, 0.0)
    for step in range(JOURNAL * 5 // 2):
        store.set(moving, step % 97 / 97 + 0.001, MAX, 0.0)
    between = store.revision
    store.set(late, 0.5, MAX, 0.0)
    store.set(moving, 0.9999, MAX, 0.0)
    gone = add(store, "/gone")
    store.set(gone, 0.5, MAX, 0.0)
    store.remove(gone, now=0.0)
    assert store.since(start, 0, 0.0).values == [early, late, moving]
    assert store.since(start + 1, 0, 0.0).values == [late, moving]
    assert store.since(between, 0, 0.0).values == [late, moving]
    assert store.since(between + 1, 0, 0.0).values == [moving]
    assert store.since(between + 2, 0, 0.0).values == []
    assert len(store._journal) <= 2 * JOURNAL


# The log by itself


def test_a_dropped_key_is_not_told_and_comes_back_when_it_is_noted_again() -> None:
    log: RevisionLog[str, str] = RevisionLog()
    log.note("a", 1, "A")
    log.note("b", 2, "B")
    log.drop("a")
    log.drop("never there")
    assert log.since(0) == [(2, "B")]
    log.note("a", 3, "A again")
    assert log.since(1) == [(2, "B"), (3, "A again")]


def test_a_bounded_log_tells_what_it_has_forgotten() -> None:
    log: RevisionLog[int, int] = RevisionLog(limit=2)
    for number in (1, 2, 3):
        log.note(number, number * 10, number)
    assert log.forgotten == 10
    assert log.since(0) == [(20, 2), (30, 3)]


# Controls that come, change and go


def test_ids_grow_and_are_never_given_again(store: Store) -> None:
    first = add(store, "/a")
    store.remove(first, now=0.0)
    second = add(store, "/a")
    assert (first.id, second.id) == (1, 2)
    assert store.find(1) is None
    assert store.find("/a") is second


def test_a_path_is_taken_once(store: Store) -> None:
    add(store, "/a", owner="page")
    with pytest.raises(ControlExists, match="page"):
        add(store, "/a")


def test_a_value_that_no_longer_fits_starts_at_the_default(store: Store) -> None:
    assert store.add(Control(path="/a", default=0.25), now=0.0, value="loud").value == 0.25
    assert store.add(Control(path="/b"), now=0.0, value=7).value == 1.0
    assert store.add(Control(path="/c", kind="bool", momentary=True), now=0.0, value=True).value is False


def test_the_number_of_controls_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "MAX_CONTROLS", 2)
    add(store, "/a")
    add(store, "/b")
    with pytest.raises(BadValue, match="2 controls"):
        add(store, "/c")


def test_a_resume_is_possible_as_long_as_all_removals_are_remembered(store: Store) -> None:
    start = store.revision
    for number in range(REMOVED_REMEMBERED):
        store.remove(add(store, f"/a/{number}"), now=0.0)
    assert store.can_resume(start)
    assert len(store.since(start, 0, 0.0).removed) == REMOVED_REMEMBERED
    store.remove(add(store, "/one/more"), now=0.0)
    assert not store.can_resume(start)
    assert not store.can_resume(1)  # just before the first removal, which is forgotten
    assert store.can_resume(2)  # it was told this one
    assert store.can_resume(store.revision)
    assert not store.can_resume(store.revision + 1)


def test_a_control_that_is_gone_takes_nothing_more(store: Store) -> None:
    gone, bang = add(store, "/a"), add(store, "/bang", kind="trigger")
    for entry in (gone, bang):
        store.remove(entry, now=0.0)
    revision, heard = store.revision, listen(store)
    assert store.set(gone, 0.5, MAX, 0.0) is None
    assert store.apply([(gone, 0.5)], MAX, 0.0) == []
    assert store.trigger(bang, (), MAX, 0.0) is None
    assert not store.touch(gone, MAX, 0.0)
    assert not store.release(gone, MAX, 0.0)
    store.mark(gone, "text", "loud", now=0.0)
    for act in (
        lambda: store.describe(gone, Control(path="/a", label="b"), now=0.0),
        lambda: store.remove(gone, now=0.0),
    ):
        with pytest.raises(UnknownControl, match="gone already"):
            act()
    assert (store.revision, heard) == (revision, [])
    delta = store.since(0, 0, 0.0)
    assert [delta.described, delta.values, delta.holds, delta.marks, delta.triggers] == [[]] * 5


def test_a_described_control_keeps_id_and_value_where_it_fits(store: Store) -> None:
    entry = add(store, "/a", range=(0, 10))
    store.set(entry, 7, MAX, 0.0)
    heard = listen(store)
    store.describe(entry, Control(path="/a", range=(0, 5)), now=1.0)
    assert (entry.id, entry.value) == (1, 5.0)
    assert [(change.what, change.value, change.previous) for change in heard] == [
        ("described", None, None), ("value", 5.0, 7.0),
    ]  # fmt: skip
    store.describe(entry, Control(path="/a", range=(0, 5)), now=1.0)
    assert len(heard) == 2  # nothing changed: nobody is told


def test_a_control_can_become_another_kind_and_back(store: Store) -> None:
    entry = add(store, "/a")
    store.set(entry, 0.5, MAX, 0.0)
    store.describe(entry, Control(path="/a", kind="trigger"), now=0.0)
    assert entry.value is None
    assert store.since(0, 0, 0.0).values == []
    with pytest.raises(BadValue):
        store.set(entry, 0.5, MAX, 0.0)
    store.describe(entry, Control(path="/a", kind="meter"), now=0.0)
    store.set(entry, -12.0, MAX, 0.0)
    store.describe(entry, Control(path="/a", range=(-60, 0), default=-40), now=0.0)
    assert entry.value == -40.0  # a level that was heard is no setting
    assert store.since(0, 0, 0.0).values == [entry]
    store.describe(entry, Control(path="/a", kind="string"), now=0.0)
    assert entry.value == "-40"


def test_a_controls_path_never_changes(store: Store) -> None:
    with pytest.raises(UnknownControl, match="identity"):
        store.describe(add(store, "/a"), Control(path="/b"), now=0.0)


def test_a_momentary_that_is_held_keeps_its_value_when_it_is_described(store: Store) -> None:
    entry = add(store, "/a", kind="bool", momentary=True)
    store.touch(entry, ANNA, 0.0)
    store.set(entry, True, ANNA, 0.0)
    store.describe(entry, replace(entry.control, label="Flash"), now=0.0)
    assert entry.value is True
    store.release(entry, ANNA, 0.0)
    assert entry.value is False


def test_an_unknown_path_is_answered_with_the_nearest(store: Store) -> None:
    add(store, "/mixer/1/volume")
    add(store, "/cutoff")
    with pytest.raises(UnknownControl, match="did you mean /cutoff"):
        store.get("/cutof")
    assert store.nearest("/Mixer/1/Volume") == "/mixer/1/volume"
    assert store.nearest("/mixr/1/volume") == "/mixer/1/volume"
    assert store.nearest("/elsewhere") is None
    assert store.nearest("x" * 100_000) is None


# Values


def test_apply_commits_all_and_then_tells_once(store: Store) -> None:
    a, b = add(store, "/a"), add(store, "/b")
    told: list[list[tuple[str, Any, Any]]] = []
    store.subscribe(lambda changes: told.append([(c.entry.path, c.value, (a.value, b.value)) for c in changes]))
    made = store.apply([(a, 0.1), (b, 0.2), (a, 0.3)], MAX, 0.0)
    assert told == [[("/a", 0.3, (0.3, 0.2)), ("/b", 0.2, (0.3, 0.2))]]
    assert [(change.entry, change.previous, change.origin) for change in made] == [(a, 0.0, MAX), (b, 0.0, MAX)]


def test_apply_commits_nothing_when_one_value_is_bad(store: Store) -> None:
    a, b = add(store, "/a"), add(store, "/b")
    revision = store.revision
    with pytest.raises(BadValue):
        store.apply([(a, 0.5), (b, float("nan"))], MAX, 0.0)
    assert (a.value, b.value, store.revision) == (0.0, 0.0, revision)


def test_components_of_a_vector_that_come_one_by_one_build_on_each_other(store: Store) -> None:
    xy = add(store, "/xy", kind="vector")
    store.apply([(xy, [0.1, None]), (xy, [None, 0.2])], MAX, 0.0)
    assert xy.value == (0.1, 0.2)


def test_nothing_changed_and_nobody_is_told(store: Store) -> None:
    entry = add(store, "/a", limit=(0, 0.5))
    store.set(entry, 0.5, MAX, 0.0)
    revision, heard = store.revision, listen(store)
    assert store.set(entry, 0.9, MAX, 0.0) is None
    assert store.apply([(entry, 0.5)], MAX, 0.0) == []
    assert (store.revision, heard) == (revision, [])


def test_a_meter_is_told_live_and_leaves_the_log_alone(store: Store) -> None:
    meter = add(store, "/level", kind="meter")
    revision, heard = store.revision, listen(store)
    store.set(meter, -12, MAX, 0.0)
    assert (store.revision, meter.value) == (revision, -12.0)
    assert [(change.what, change.value) for change in heard] == [("value", -12.0)]
    assert not store.since(revision, 0, 0.0)


# Telling


def test_sets_made_in_a_notification_commit_at_once_and_are_told_in_turn(store: Store) -> None:
    a, b, c = (add(store, path) for path in ("/a", "/b", "/c"))
    seen: list[Any] = []

    def follow(changes: Sequence[Change]) -> None:
        if changes[0].entry is a:
            store.set(b, a.value, MAX, 0.0)
            seen.append(("at once", b.value))
            store.set(c, a.value, MAX, 0.0)

    store.subscribe(follow)
    store.subscribe(lambda changes: seen.extend((change.entry.path, change.revision) for change in changes))
    start = store.revision
    store.set(a, 0.5, MAX, 0.0)
    assert seen == [("at once", 0.5), ("/a", start + 1), ("/b", start + 2), ("/c", start + 3)]


def test_two_rules_that_answer_each_other_are_cut_counted_and_named(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = add(store, "/a", range=(0, 1e6)), add(store, "/b", range=(0, 1e6))
    heard = listen(store)

    def answer(changes: Sequence[Change]) -> None:
        for change in changes:
            assert isinstance(change.value, float)
            store.set(b if change.entry is a else a, change.value + 1, MAX, 0.0)

    store.subscribe(answer)
    with caplog.at_level(logging.WARNING, "bridge.store"):
        store.set(a, 1, MAX, 0.0)
    assert len(heard) == MAX_LINKS
    assert store.chains_cut == 1
    assert "was cut at /a, set by osc:max" in caplog.text
    store.set(a, 0, MAX, 0.0)  # and the next one starts afresh
    assert len(heard) == 2 * MAX_LINKS


@pytest.mark.parametrize("what", ["mark", "touch", "trigger", "describe"])
def test_chains_of_anything_are_cut(store: Store, what: str) -> None:
    entry, bang = add(store, "/a"), add(store, "/bang", kind="trigger")
    numbers = iter(range(10_000))
    acts: dict[str, Callable[[], Any]] = {
        "mark": lambda: store.mark(entry, "n", next(numbers), now=0.0),
        "touch": lambda: store.touch(entry, Origin("osc", str(next(numbers))), 0.0),
        "trigger": lambda: store.trigger(bang, (), MAX, 0.0),
        "describe": lambda: store.describe(entry, Control(path="/a", label=str(next(numbers))), now=0.0),
    }
    heard = listen(store)
    store.subscribe(lambda _: acts[what]())
    acts[what]()
    assert len(heard) == MAX_LINKS
    assert store.chains_cut == 1


def test_chains_that_branch_end_too(store: Store) -> None:
    entries = [add(store, f"/{name}", range=(0, 1e9)) for name in "ab"]
    count = 0

    def branch(changes: Sequence[Change]) -> None:
        nonlocal count
        count += 1
        for entry in entries:
            store.set(entry, count * 2 + entry.id, MAX, 0.0)

    store.subscribe(branch)
    store.set(entries[0], 1, MAX, 0.0)
    assert MAX_BATCHES < count <= 4 * MAX_BATCHES
    assert store.chains_cut > 0


def test_a_failing_subscriber_keeps_nobody_from_hearing_and_is_logged_once(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    entry = add(store, "/a")

    def broken(changes: Sequence[Change]) -> None:
        raise ZeroDivisionError("port")

    store.subscribe(broken)
    heard = listen(store)
    for value in (0.1, 0.2, 0.3):
        store.set(entry, value, MAX, 0.0)
    assert [change.value for change in heard] == [0.1, 0.2, 0.3]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "broken failed on a change" in caplog.text


def test_what_was_queued_when_the_program_is_interrupted_is_told_next_time(store: Store) -> None:
    a, b = add(store, "/a"), add(store, "/b")

    def interrupted(changes: Sequence[Change]) -> None:
        if changes[0].value == 0.5:
            store.set(b, 0.25, MAX, 0.0)
            raise KeyboardInterrupt

    store.subscribe(interrupted)
    heard = listen(store)
    with pytest.raises(KeyboardInterrupt):
        store.set(a, 0.5, MAX, 0.0)
    store.set(a, 0.75, MAX, 0.0)
    assert [(change.entry.path, change.value) for change in heard] == [("/b", 0.25), ("/a", 0.75)]


def test_who_is_urgent_hears_before_those_who_were_there(store: Store) -> None:
    entry = add(store, "/a")
    heard: list[str] = []
    store.subscribe(lambda changes: heard.append("books"))
    store.subscribe(lambda changes: heard.append("port"), is_urgent=True)
    store.set(entry, 0.5, MAX, 0.0)
    assert heard == ["port", "books"]


def test_who_hears_no_values_is_called_for_everything_else(store: Store) -> None:
    heard: list[str] = []
    unsubscribe = store.subscribe(lambda changes: heard.extend(change.what for change in changes), hears_values=False)
    entry = add(store, "/a")
    store.set(entry, 0.5, MAX, 0.0)
    store.apply([(entry, 0.25)], MAX, 0.0)
    store.touch(entry, MAX, 0.0)
    described = replace(entry.control, range=(0.5, 1.0), limit=(0.5, 1.0), default=0.75)
    store.describe(entry, described, now=0.0)
    assert heard == ["added", "hold", "described", "value"]  # what became of its value belongs to its description
    unsubscribe()
    store.release(entry, MAX, 0.0)
    assert len(heard) == 4


def test_who_has_unsubscribed_hears_nothing_more(store: Store) -> None:
    entry, heard = add(store, "/a"), []
    others = listen(store)
    unsubscribe = store.subscribe(heard.extend)
    unsubscribe()
    unsubscribe()
    store.set(entry, 0.5, MAX, 0.0)
    assert (len(heard), len(others)) == (0, 1)


# Triggers


def test_each_trigger_is_told_in_order_and_never_merged(store: Store) -> None:
    bang = add(store, "/bang", kind="trigger")
    revision, heard = store.revision, listen(store)
    for number in range(3):
        store.trigger(bang, (number,), MAX, 0.0)
    assert [(change.args, change.sequence, change.revision) for change in heard] == [
        ((0,), 1, revision + 1), ((1,), 2, revision + 2), ((2,), 3, revision + 3),
    ]  # fmt: skip
    delta = store.since(revision, 1, 0.0)
    assert [change.args for change in delta.triggers] == [(1,), (2,)]
    assert delta.missed == 0


@given(st.lists(st.tuples(st.floats(0, 0.6), st.booleans(), st.booleans()), max_size=60))
def test_every_trigger_is_told_once_or_counted_as_missed(steps: list[tuple[float, bool, bool]]) -> None:
    store = Store("e1")
    bang = add(store, "/bang", kind="trigger")
    now, told, missed, known, revision = 0.0, [], 0, 0, store.revision
    for pause, fires, asks in [*steps, (0.0, False, True)]:
        now += pause
        if fires:
            store.trigger(bang, (), MAX, now)
        if asks:
            delta = store.since(revision, known, now)
            assert all(now - change.time <= TRIGGER_LIFE_S for change in delta.triggers)
            told += [change.sequence for change in delta.triggers]
            missed += delta.missed
            known, revision = store.trigger_sequence, store.revision
    assert told == sorted(set(told))
    assert len(told) + missed == store.trigger_sequence


def test_what_the_ring_has_lost_is_counted_as_missed(store: Store) -> None:
    bang = add(store, "/bang", kind="trigger")
    for _ in range(TRIGGER_RING + 5):
        store.trigger(bang, (), MAX, 0.0)
    delta = store.since(0, 0, 0.0)
    assert (len(delta.triggers), delta.missed) == (TRIGGER_RING, 5)


def test_a_trigger_of_a_control_that_is_gone_is_missed(store: Store) -> None:
    bang, other = add(store, "/bang", kind="trigger"), add(store, "/other", kind="trigger")
    revision = store.revision
    store.trigger(bang, (), MAX, 0.0)
    store.trigger(other, (), MAX, 0.0)
    store.remove(bang, now=0.0)
    delta = store.since(revision, 0, 0.0)
    assert [change.entry for change in delta.triggers] == [other]
    assert delta.missed == 1


def test_arguments_are_plain_before_anybody_hears_them(store: Store) -> None:
    bang, heard = add(store, "/bang", kind="trigger"), listen(store)
    store.trigger(bang, (Int64(5), Symbol("x")), MAX, 0.0)
    assert [type(arg) for arg in heard[0].args] == [int, str]
    with pytest.raises(BadValue):
        store.trigger(bang, (b"blob",), MAX, 0.0)
    with pytest.raises(BadValue, match="cannot be fired"):
        store.trigger(add(store, "/a"), (), MAX, 0.0)
    assert store.trigger_sequence == 1


# Holds


def test_a_hold_is_told_when_it_starts_and_ends(store: Store) -> None:
    entry = add(store, "/a")
    heard = listen(store)
    assert store.touch(entry, ANNA, 1.0)
    assert not store.touch(entry, ANNA, 2.0)
    assert entry.holders == {ANNA: 2.0}
    assert store.release(entry, ANNA, 3.0)
    assert not store.release(entry, ANNA, 3.0)
    assert [change.what for change in heard] == ["hold", "hold"]
    assert entry.holder is None


def test_a_control_has_room_for_so_many_fingers(store: Store) -> None:
    entry = add(store, "/a")
    many = [Origin("osc", "max", f"10.0.0.1:{number}") for number in range(MAX_HOLDERS + 1)]
    assert [store.touch(entry, origin, 1.0) for origin in many] == [True] * MAX_HOLDERS + [False]
    assert store.release(entry, many[0], 2.0)
    assert store.touch(entry, many[-1], 2.0)


def test_with_hold_first_only_who_touched_first_moves_it(store: Store) -> None:
    entry = add(store, "/a", hold="first")
    store.touch(entry, ANNA, 0.0)
    store.touch(entry, BEN, 0.0)
    assert store.blocked_by(entry, BEN) == ANNA
    assert store.blocked_by(entry, ANNA) is None
    assert store.set(entry, 0.5, BEN, 0.0) is None
    assert store.set(entry, 0.6, ANNA, 0.0) is not None
    store.release(entry, ANNA, 0.0)
    assert entry.holder is None  # who was refused does not wait in line
    assert store.set(entry, 0.5, BEN, 0.0) is not None


def test_with_hold_first_only_who_touched_first_fires_it(store: Store) -> None:
    go = add(store, "/go", kind="trigger", hold="first")
    heard = listen(store)
    store.touch(go, ANNA, 0.0)
    assert store.trigger(go, (), MAX, 0.0) is None
    assert store.trigger(go, (), ANNA, 0.0) is not None
    store.release(go, ANNA, 0.0)
    assert store.trigger(go, (), MAX, 0.0) is not None
    assert [change.origin for change in heard if change.what == "trigger"] == [ANNA, MAX]


def test_with_hold_last_the_last_writer_wins(store: Store) -> None:
    entry = add(store, "/a")
    store.touch(entry, ANNA, 0.0)
    assert store.blocked_by(entry, BEN) is None
    store.set(entry, 0.6, ANNA, 0.0)
    store.set(entry, 0.5, BEN, 0.0)
    assert entry.value == 0.5


def test_a_momentary_rests_when_its_last_holder_goes(store: Store) -> None:
    entry = add(store, "/flash", kind="bool", momentary=True)
    for origin in (ANNA, BEN):
        store.touch(entry, origin, 0.0)
        store.set(entry, True, origin, 0.0)
    store.set(entry, False, ANNA, 0.0)  # one finger of two goes up
    store.release(entry, ANNA, 0.0)
    assert entry.value is True
    store.release_all(BEN, 0.0)
    assert entry.value is False
    assert entry.holders == {}


def test_a_steady_meter_is_told_each_time(store: Store) -> None:
    meter = add(store, "/level", kind="meter")
    heard = listen(store)
    for _ in range(3):
        store.set(meter, -12, MAX, 0.0)
    assert [change.value for change in heard] == [-12.0] * 3
    assert store.revision == meter.revision  # and is no part of the log


def test_the_same_value_again_is_a_sign_of_life(store: Store) -> None:
    fader = add(store, "/main", hold_timeout=2)
    store.touch(fader, MAX, 0.0)
    store.set(fader, 0.5, MAX, 1.0)
    store.set(fader, 0.5, MAX, 2.0)
    store.expire_holds(3.5)
    assert list(fader.holders) == [MAX]
    store.expire_holds(4.5)
    assert not fader.holders


def test_panic_finds_what_became_momentary_and_leaves_what_is_so_no_more(store: Store) -> None:
    now_momentary, no_more, gone = (
        add(store, path, kind="bool", momentary=momentary)
        for path, momentary in (("/a", False), ("/b", True), ("/c", True))
    )
    store.describe(now_momentary, Control(path="/a", kind="bool", momentary=True), now=0.0)
    store.describe(no_more, Control(path="/b", kind="bool"), now=0.0)
    store.remove(gone, now=0.0)
    store.restore([(now_momentary, True), (no_more, True)])
    store.let_go(Origin("bridge", "panic"), 1.0)
    assert (now_momentary.value, no_more.value) == (False, True)


def test_what_panic_brings_to_rest_is_panics_doing(store: Store) -> None:
    flash = add(store, "/flash", kind="bool", momentary=True)
    store.touch(flash, ANNA, 0.0)
    store.set(flash, True, ANNA, 0.0)
    heard = listen(store)
    panic = Origin("bridge", "panic")
    store.let_go(panic, 1.0)
    assert [(change.what, change.origin) for change in heard] == [("hold", ANNA), ("value", panic)]
    assert flash.value is False


def test_who_moves_a_momentary_without_a_touch_holds_it_until_it_rests(store: Store) -> None:
    flash = add(store, "/flash", kind="bool", momentary=True)
    store.set(flash, True, ANNA, 0.0)
    assert list(flash.holders) == [ANNA]
    store.set(flash, False, ANNA, 0.1)
    assert not flash.holders
    store.apply([(flash, True)], ANNA, 1.0)
    store.release_all(ANNA, 2.0)  # she is lost
    assert (flash.value, flash.holders) == (False, {})


def test_a_program_that_presses_and_dies_leaves_nothing_stuck(store: Store) -> None:
    flash = add(store, "/flash", kind="bool", momentary=True, hold_timeout=10)
    store.set(flash, True, MAX, 0.0)
    store.expire_holds(9.9)
    assert flash.value is True
    store.expire_holds(10.1)
    assert flash.value is False


def test_two_presses_without_touch_rest_with_the_last_release(store: Store) -> None:
    flash = add(store, "/flash", kind="bool", momentary=True)
    store.set(flash, True, MAX, 0.0)
    store.touch(flash, ANNA, 0.1)
    store.set(flash, False, MAX, 0.2)
    assert (flash.value, list(flash.holders)) == (True, [ANNA])
    store.release(flash, ANNA, 0.3)
    assert flash.value is False


def test_a_finger_that_drags_a_momentary_through_its_rest_still_holds_it(store: Store) -> None:
    bend = add(store, "/bend", momentary=True, range=(-1, 1), rest=0)
    store.touch(bend, ANNA, 0.0)
    for value in (0.5, 0.0, -0.5):
        store.set(bend, value, ANNA, 0.1)
        assert list(bend.holders) == [ANNA]


def test_a_momentary_never_sticks_because_a_chain_was_cut(store: Store) -> None:
    flash, a = add(store, "/flash", kind="bool", momentary=True), add(store, "/a", range=(0, 1e6))
    store.touch(flash, ANNA, 0.0)
    store.set(flash, True, ANNA, 0.0)

    def rule(changes: Sequence[Change]) -> None:
        store.set(a, a.value + 1, MAX, 0.0)  # type: ignore[operator]
        if store.chains_cut:
            store.release(flash, ANNA, 0.0)

    store.subscribe(rule)
    store.set(a, 1, MAX, 0.0)
    assert store.chains_cut
    assert flash.value is False


def test_a_hold_without_a_sign_of_life_ends_unless_a_browser_has_it(store: Store) -> None:
    entry = add(store, "/a", hold_timeout=5)
    for origin in (ANNA, MAX):
        store.touch(entry, origin, 0.0)
    store.set(entry, 0.5, MAX, 3.0)
    store.expire_holds(8.0)
    assert set(entry.holders) == {ANNA, MAX}
    store.expire_holds(8.1)
    assert set(entry.holders) == {ANNA}
    store.expire_holds(1e6)
    assert set(entry.holders) == {ANNA}


def test_a_removed_control_is_held_by_nobody(store: Store) -> None:
    entry = add(store, "/a")
    store.touch(entry, MAX, 0.0)
    store.remove(entry, now=0.0)
    heard = listen(store)
    store.release_all(MAX, 0.0)
    store.expire_holds(1e6)
    assert heard == []


# Marks and the surface


def test_a_mark_is_told_when_it_changes_and_taken_away_with_none(store: Store) -> None:
    entry, heard = add(store, "/a"), listen(store)
    for value in ("-3 dB", "-3 dB", True, 1, None, None):
        store.mark(entry, "text", value, now=0.0)
    assert len(heard) == 4
    assert entry.marks == {}
    with pytest.raises(BadValue):
        store.mark(entry, "text", object(), now=0.0)


def test_the_surface_is_told_when_it_changes(store: Store) -> None:
    heard = listen(store)
    store.set_surface({"title": "A"}, now=0.0)
    store.set_surface({"title": "A"}, now=0.0)
    assert [change.what for change in heard] == ["surface"]
    assert store.since(0, 0, 0.0).surface == {"title": "A"}
    assert store.since(1, 0, 0.0).surface is None


def test_an_origin_reads_as_kind_name_and_target() -> None:
    assert (str(MAX), str(Origin("osc", "max", "10.0.0.2:9001"))) == ("osc:max", "osc:max@10.0.0.2:9001")


# What echo guards say of a change


def test_a_settled_change_says_that_nobody_moved(store: Store) -> None:
    level = add(store, "/level")
    heard = listen(store)
    store.settle(level, 0.504, MAX, 0.0)
    store.set(level, 0.6, MAX, 0.0, 2)
    store.apply([(level, 0.7)], MAX, 0.0, 3)
    store.set(level, 0.8, ANNA, 0.0)
    assert [(c.value, c.is_settling, c.answers) for c in heard] == [
        (0.504, True, 0), (0.6, False, 2), (0.7, False, 3), (0.8, False, 0),
    ]  # fmt: skip
    assert store.settle(level, 0.8, MAX, 0.0) is None


def test_what_a_peer_makes_of_a_held_momentary_is_no_press_of_its_own(store: Store) -> None:
    push = add(store, "/push", momentary=True)
    store.touch(push, ANNA, 0.0)
    store.set(push, 0.9, ANNA, 0.0)
    store.set(push, 0.8, MAX, 0.1)
    store.release(push, ANNA, 0.2)
    assert (push.value, push.holders) == (0.0, {})
