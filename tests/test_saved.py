"""What is kept of the controls, and how a run begins with it."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.control import Control
from bridge.declaring import MAX_DECLARED
from bridge.errors import BadValue
from bridge.messages import Descriptor
from bridge.osc.learn import learnt
from bridge.saved import MAX_STRAYS, Row, Saved, is_saved, rows_of, told
from bridge.store import MAX_CONTROLS, Origin, Store

HAND = Origin("browser", "c1", "FOH")
NOW = 1.0


def begun(
    *controls: Control,
    rows: Mapping[str, Row] | None = None,
    taught: dict[str, set[str]] | None = None,
    drawn: tuple[str, ...] = (),
) -> tuple[Store, Saved, list[str]]:
    store = Store("e1")
    for control in controls:
        store.add(control, now=NOW)
    saved = Saved({} if taught is None else taught, drawn)
    return store, saved, saved.restore(store, rows or {}, NOW)


def noted(store: Store, saved: Saved) -> dict[str, Row]:
    saved.note(store)
    return rows_of(saved.take())


def test_a_moved_control_is_kept_once_and_begins_there_again() -> None:
    store, saved, _ = begun(Control(path="/a"), Control(path="/b"))
    for value in (0.25, 0.5):
        store.set(store.get("/a"), value, HAND, NOW)
    assert noted(store, saved) == {"/a": Row("0.5")}
    assert noted(store, saved) == {}
    again, _, problems = begun(Control(path="/a"), Control(path="/b"), rows={"/a": Row("0.5")})
    assert (again.get("/a").value, again.get("/b").value, problems) == (0.5, 0.0, [])


def test_nobody_is_told_of_what_is_restored_but_a_cursor_from_before_sees_it() -> None:
    store = Store("e1")
    store.add(Control(path="/a"), now=NOW)
    told_of: list[Any] = []
    store.subscribe(told_of.extend)
    before = store.revision
    Saved({}, ()).restore(store, {"/a": Row("0.5")}, NOW)
    assert told_of == []
    assert [entry.path for entry in store.since(before, 0, NOW).values] == ["/a"]


def test_what_has_no_value_to_keep_is_not_kept() -> None:
    kinds = [
        Control(path="/flash", kind="bool", momentary=True),
        Control(path="/level", kind="meter"),
        Control(path="/go", kind="trigger"),
        Control(path="/stagebridge/peers/max", kind="string", owner="bridge"),
        Control(path="/live/tempo", owner="live"),
    ]
    store, saved, _ = begun(*kinds)
    store.touch(store.get("/flash"), HAND, NOW)
    for path, value in (("/flash", True), ("/level", -6.0), ("/stagebridge/peers/max", "online"), ("/live/tempo", 1)):
        store.set(store.get(path), value, HAND, NOW)
    store.trigger(store.get("/go"), (), HAND, NOW)
    assert noted(store, saved) == {}
    rows = {control.path: Row("true") for control in kinds}
    again, _, _ = begun(*kinds, rows=rows)
    assert not any(again.get(control.path).value for control in kinds)


def test_which_window_a_bank_shows_is_kept() -> None:
    assert is_saved(Control(path="/bank/mixer", kind="int", range=(1, 4)))


def test_a_control_that_never_left_its_default_follows_a_new_one() -> None:
    store, saved, _ = begun(Control(path="/a", default=0.5), Control(path="/b", default=0.5))
    store.describe(store.get("/a"), Control(path="/a", default=0.5, label="A"), now=NOW)
    store.set(store.get("/b"), 0.25, HAND, NOW)
    noted(store, saved)
    store.set(store.get("/b"), 0.5, HAND, NOW)  # it was moved: where it is now is somebody's wish
    rows = noted(store, saved)
    assert rows == {"/b": Row("0.5")}
    again, _, _ = begun(Control(path="/a", default=0.75), Control(path="/b", default=0.75), rows=rows)
    assert (again.get("/a").value, again.get("/b").value) == (0.75, 0.5)


def test_on_start_default_begins_at_the_default_and_is_kept_all_the_same() -> None:
    control = Control(path="/a", on_start="default")
    store, saved, problems = begun(control, rows={"/a": Row("0.5")})
    assert (store.get("/a").value, problems) == (0.0, [])
    store.set(store.get("/a"), 0.25, HAND, NOW)
    assert noted(store, saved) == {"/a": Row("0.25")}


@pytest.mark.parametrize(
    ("control", "row", "value", "said"),
    [
        (Control(path="/a", range=(0, 1)), "5.0", 1.0, ["/a was 5.0 and is 1.0"]),
        (Control(path="/a", kind="int"), "3.7", 4, ["/a was 3.7 and is 4"]),
        (Control(path="/a", kind="int"), "4.0", 4, []),
        (Control(path="/a", kind="bool"), '"on"', False, ["/a was 'on' and is False"]),
        (Control(path="/a", kind="choice", choices=("x", "y"), default="y"), '"z"', "y", ["/a was 'z' and is 'y'"]),
        (Control(path="/a", kind="choice", choices=("x", "y")), '"y"', "y", []),
        (Control(path="/a", kind="vector", size=1), "[0.5,0.5]", (0,), ["/a was [0.5, 0.5] and is (0.0,)"]),
        (Control(path="/a", kind="vector"), "[0.5,0.25]", (0.5, 0.25), []),
        (Control(path="/a", kind="string", max_length=2), '"abc"', "ab", ["/a was 'abc' and is 'ab'"]),
        (Control(path="/a", limit=(0, 0.5)), "0.75", 0.5, ["/a was 0.75 and is 0.5"]),
        (Control(path="/a"), "{nonsense", 0.0, ["what is kept of /a cannot be read"]),
    ],
)  # fmt: skip
def test_what_does_not_fit_any_more_is_coerced_or_at_its_default_and_said(
    control: Control, row: str, value: Any, said: list[str]
) -> None:
    store, _, problems = begun(control, rows={"/a": Row(row)})
    assert (store.get("/a").value, problems) == (value, said)


def test_many_misfits_are_one_line() -> None:
    assert told(["a", "b"]) == "a; b"
    assert told(["a", "b", "c", "d", "e"]) == "a; b; c; and 2 more"


def test_what_a_page_declared_is_there_again_until_a_file_describes_it() -> None:
    declared = Control(path="/x", kind="choice", choices=("a", "b"), owner="page", label="X")
    store, saved, _ = begun()
    store.add(declared, now=NOW, origin=HAND)
    store.set(store.get("/x"), "b", HAND, NOW)
    rows = noted(store, saved)
    again, saved, problems = begun(rows=rows)
    assert (again.get("/x").control, again.get("/x").value, problems) == (declared, "b", [])
    assert list(saved.unclaimed) == ["/x"]
    ours = Control(path="/x", kind="choice", choices=("a", "b", "c"))
    third, saved, problems = begun(ours, rows=rows)
    assert (third.get("/x").control, third.get("/x").value, problems) == (ours, "b", [])
    assert noted(third, saved) == {"/x": Row('"b"')}


def test_what_a_page_s_file_describes_is_not_described_by_ours() -> None:
    control = Control(path="/x", owner="page")
    store, saved, _ = begun(control, drawn=("/x",), rows={"/x": Row("0.5")})
    assert store.get("/x").value == 0.5
    store.describe(store.get("/x"), Control(path="/x", owner="page", label="New"), now=NOW)
    store.set(store.get("/x"), 0.25, HAND, NOW)
    assert noted(store, saved) == {"/x": Row("0.25")}


def test_a_declared_control_that_leaves_takes_its_description_and_leaves_its_value() -> None:
    store, saved, _ = begun()
    entry = store.add(Control(path="/x", owner="page"), now=NOW)
    store.set(entry, 0.5, HAND, NOW)
    noted(store, saved)
    store.remove(entry, now=NOW)
    assert noted(store, saved) == {"/x": Row("0.5")}
    assert store.add(Control(path="/x", owner="page"), now=NOW).value == 0.5  # and it is back where it was


def test_pages_have_no_more_than_their_share_back() -> None:
    described = msgspec.json.encode({"control": {"path": "/x"}, "owner": "page"}).decode()
    rows = {f"/p/{n:03}": Row("0.5", described.replace("/x", f"/p/{n:03}")) for n in range(MAX_DECLARED + 2)}
    store, _, problems = begun(Control(path="/html", owner="page"), rows=rows)
    assert sum(entry.control.owner == "page" for entry in store) == MAX_DECLARED
    assert problems[0].startswith(f"left out: /p/255: pages have declared {MAX_DECLARED} already")
    assert len(problems) == 3


def test_what_pages_have_back_is_not_long_for_whoever_comes() -> None:
    described = {"control": {"path": "/x", "kind": "string", "max_length": 10_000}, "owner": "page"}
    text = msgspec.json.encode(described).decode()
    rows = {f"/p/{n:03}": Row(None, text.replace("/x", f"/p/{n:03}")) for n in range(100)}
    store, _, problems = begun(rows=rows)
    assert len(store) == 51
    assert problems[0].startswith("left out: /p/051: what pages declare has 512 kB at most")


def test_what_a_peer_taught_us_comes_back_while_it_may_teach() -> None:
    taught: dict[str, set[str]] = {"max": {"/t"}}
    store, saved, _ = begun(taught=taught)
    control = learnt("/t", (0.5, 3.0))
    assert control is not None
    store.add(control, now=NOW)
    rows = noted(store, saved)
    again_taught: dict[str, set[str]] = {"max": set(), "pd": set()}
    again, _, problems = begun(rows=rows, taught=again_taught)
    assert (again.get("/t").control, problems, again_taught) == (control, [], {"max": {"/t"}, "pd": set()})
    without, saved, problems = begun(rows=rows, taught={"pd": set()})  # auto = true was taken out
    assert (without.find("/t"), problems) == (None, [])
    assert rows_of(saved.all()) == rows  # and nothing of it is lost


def test_a_description_that_is_nonsense_is_said_and_costs_the_others_nothing() -> None:
    wrong = '{"control":{"path":"/w","kind":"choice"},"owner":"page"}'
    store, _, problems = begun(
        Control(path="/a"), rows={"/a": Row("0.5"), "/w": Row(None, wrong), "/v": Row(None, "[]")}
    )
    assert store.get("/a").value == 0.5
    assert len(problems) == 2


def test_what_could_not_be_written_is_written_with_what_came_since() -> None:
    store, saved, _ = begun(Control(path="/a"), Control(path="/b"))
    store.set(store.get("/a"), 0.5, HAND, NOW)
    saved.note(store)
    taken = saved.take()
    store.set(store.get("/a"), 0.75, HAND, NOW)
    store.set(store.get("/b"), 0.25, HAND, NOW)
    saved.note(store)
    saved.put_back(taken)
    assert rows_of(saved.take()) == {"/a": Row("0.75"), "/b": Row("0.25")}


def test_strays_are_kept_up_to_a_number() -> None:
    rows = {f"/{n:05}": Row("0.5") for n in range(MAX_STRAYS + 3)}
    store, saved, _ = begun(Control(path="/00000"), rows=rows)
    assert rows_of(saved.take()) == {f"/{n:05}": Row() for n in (1, 2)}
    assert store.get("/00000").value == 0.5
    assert MAX_STRAYS >= MAX_CONTROLS


# Any values, any controls


ranges = st.tuples(st.integers(-1000, 1000), st.integers(1, 2000)).map(lambda pair: (pair[0], pair[0] + pair[1]))
controls = st.one_of(
    st.builds(lambda r: Control(path="/a", range=r), ranges),
    st.builds(lambda r, step: Control(path="/a", range=r, step=step), ranges, st.sampled_from([0.1, 0.25, 1])),
    st.builds(lambda r: Control(path="/a", kind="int", range=r), ranges),
    st.just(Control(path="/a", kind="bool")),
    st.builds(lambda n: Control(path="/a", kind="choice", choices=tuple("abcdef"[:n])), st.integers(1, 6)),
    st.builds(lambda n: Control(path="/a", kind="string", max_length=n), st.integers(1, 40)),
    st.just(Control(path="/a", kind="color")),
    st.builds(lambda n, r: Control(path="/a", kind="vector", size=n, range=r), st.integers(1, 4), ranges),
)
raw_values = st.one_of(
    st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=50),
    st.sampled_from([*"abcdef", "#ff8800"]), st.lists(st.floats(-1000, 1000), max_size=5),
)  # fmt: skip
json_values = st.recursive(
    st.none() | raw_values, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner)
)


@settings(max_examples=50)
@given(controls, st.lists(raw_values, max_size=5))
def test_whatever_a_control_was_it_is_exactly_that_again(control: Control, moves: list[Any]) -> None:
    store, saved, _ = begun(control)
    for move in moves:
        try:
            store.set(store.get("/a"), move, HAND, NOW)
        except BadValue:
            continue  # what it cannot be is no move
    again, saved, problems = begun(control, rows=noted(store, saved))
    assert problems == []
    assert again.get("/a").value == store.get("/a").value
    assert type(again.get("/a").value) is type(store.get("/a").value)
    assert noted(again, saved) == {}


@given(controls, json_values)
def test_whatever_the_file_says_a_control_begins_with_a_value_that_it_can_have(control: Control, kept: Any) -> None:
    try:
        text = msgspec.json.encode(kept).decode()
    except (UnicodeError, OverflowError):
        text = "?"
    store, _, _ = begun(control, rows={"/a": Row(text, text)})
    value = store.get("/a").value
    assert value is not None
    assert control.coerce(value) == value


@given(st.text(), st.text())
def test_no_row_stops_a_start(value: str, described: str) -> None:
    store, _, _ = begun(Control(path="/a"), rows={"/a": Row(value, described), "/b": Row(None, described)})
    assert store.get("/a").control.coerce(store.get("/a").value) == store.get("/a").value


@given(controls, st.lists(st.tuples(st.sampled_from(["move", "note", "fail", "run"]), st.integers(0, 9)), max_size=20))
def test_after_any_run_of_moves_failures_and_restarts_the_file_says_the_truth(
    control: Control, steps: list[tuple[str, int]]
) -> None:
    paths = ["/a", "/b", "/c"]
    fields = {name: getattr(control, name) for name in Descriptor.__struct_fields__ if name != "path"}
    everything = [Control(path=path, **fields) for path in paths]
    store, saved, _ = begun(*everything)
    file: dict[str, Row] = {}
    for what, number in steps:
        entry = store.get(paths[number % 3])
        if what == "move":
            for raw in (number / 9, number, "abcdef"[number % 6], "#00ff0" + str(number), [number] * control.size):
                try:
                    store.set(entry, raw, HAND, NOW)
                except BadValue:
                    continue
        saved.note(store)
        taken = saved.take()
        if what == "fail":
            saved.put_back(taken)
        else:
            file |= rows_of(taken)
        if what == "run":
            values = {entry.path: entry.value for entry in store}
            store, saved, problems = begun(*everything, rows=file)
            assert problems == []
            assert {entry.path: entry.value for entry in store} == values
    saved.note(store)
    file |= rows_of(saved.take())
    assert {path: msgspec.json.decode(row.value or "0") for path, row in file.items()} == {
        path: msgspec.json.decode(msgspec.json.encode(store.get(path).value)) for path in file
    }
    assert all(entry.value == entry.control.default for entry in store if entry.path not in file)
