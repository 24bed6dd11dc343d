"""Server messages as bytes: exact, at most 256 kB each, encoded once, and together the whole truth."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import frames as frames_module
from bridge.control import Control
from bridge.frames import MAX_FRAME_BYTES, Frames, applied, error, holder, pong
from bridge.store import REMOVED_REMEMBERED, Entry, Origin, Store

MAX = Origin("osc", "max")
ANNA = Origin("browser", "c7", "Anna")
HEAD = {"protocol": 1, "client": "c1"}


@pytest.fixture
def store() -> Store:
    return Store("k3x9")


@pytest.fixture
def frames(store: Store) -> Frames:
    return Frames(store)


def add(store: Store, path: str, **fields: Any) -> Entry:
    return store.add(Control(path=path, **fields), now=0.0)


class Reader:
    """What a page makes of frames, in the order that docs/protocol.md gives."""

    def __init__(self, keys: str = "id") -> None:
        self.keys = keys
        self.rev = 0
        self.controls: dict[Any, dict[str, Any]] = {}
        self.values: dict[Any, Any] = {}
        self.holds: dict[Any, Any] = {}
        self.marks: dict[Any, Any] = {}
        self.triggers: list[Any] = []
        self.missed = 0
        self.surface: Any = None

    def read(self, sent: list[bytes]) -> "Reader":
        for frame in sent:
            assert len(frame) <= MAX_FRAME_BYTES
            message = json.loads(frame)
            if message["type"] == "welcome" and not message["resumed"]:
                keys, self.keys = self.keys, self.keys
                self.__init__(keys)  # type: ignore[misc]  # a snapshot replaces everything
            for key in message.get("removed", ()):
                for table in (self.controls, self.values, self.holds, self.marks):
                    table.pop(key, None)
            for control in message.get("controls", ()):
                self.controls[control[self.keys]] = control
                self.values.pop(control[self.keys], None)
            self.values |= dict(message.get("values", ()))
            for table, name in ((self.holds, "holds"), (self.marks, "marks")):
                for key, what in message.get(name, ()):
                    table[key] = what
                    if not what:
                        del table[key]
            self.triggers += message.get("triggers", ())
            self.missed += message.get("missed", 0)
            self.surface = message.get("surface", self.surface)
            self.rev = message["rev"]
        return self

    def state(self) -> tuple[Any, ...]:
        return self.rev, self.controls, self.values, self.holds, self.marks, self.surface


def welcomed(frames: Frames, keys: Any = "id") -> Reader:
    return Reader(keys).read(frames.welcome(HEAD, frames.lens(keys), 0.0, None))


# Small frames, to the byte


def test_answers_are_exact() -> None:
    assert applied(17) == b'{"type":"applied","n":17}'
    assert pong(48211.5, 50, 1000) == b'{"type":"pong","t":48211.5,"ack_ms":50,"ping_ms":1000}'
    assert error("held", "no", 3, "/a") == b'{"type":"error","code":"held","message":"no","n":3,"path":"/a"}'
    assert error("held", "no") == b'{"type":"error","code":"held","message":"no"}'


def test_an_error_quotes_no_more_than_fits() -> None:
    assert len(error("bad_value", "é" * 300_000, 1, "/" + "x" * 300_000)) < 2_000


def test_an_update_is_the_values_that_changed(store: Store, frames: Frames) -> None:
    a, xy = add(store, "/a"), add(store, "/xy", kind="vector")
    store.set(a, 0.5, MAX, 0.0)
    store.set(xy, (0.25, 1), MAX, 0.0)
    assert frames.updates(2, 0, frames.lens("id"), 0.0) == [
        b'{"type":"update","rev":4,"values":[[1,0.5],[2,[0.25,1.0]]]}'
    ]
    assert frames.updates(3, 0, frames.lens("path"), 0.0) == [
        b'{"type":"update","rev":4,"values":[["/xy",[0.25,1.0]]]}'
    ]
    assert frames.updates(4, 0, frames.lens("id"), 0.0) == []


def test_a_control_always_comes_with_its_value(store: Store, frames: Frames) -> None:
    entry = add(store, "/a", default=0.25)
    (frame,) = frames.updates(0, 0, frames.lens("id"), 0.0)
    assert json.loads(frame) == {
        "type": "update", "rev": 1, "controls": [{"id": 1, **entry.control.describe()}], "values": [[1, 0.25]],
    }  # fmt: skip
    store.describe(entry, Control(path="/a", default=0.25, label="Cut-off"), now=0.0)
    (frame,) = frames.updates(1, 0, frames.lens("id"), 0.0)
    message = json.loads(frame)
    assert (message["controls"][0]["label"], message["values"]) == ("Cut-off", [[1, 0.25]])


def test_holds_marks_triggers_and_removals_have_their_own_fields(store: Store, frames: Frames) -> None:
    a, bang, gone = add(store, "/a"), add(store, "/bang", kind="trigger"), add(store, "/gone")
    start = store.revision
    store.remove(gone, now=0.0)
    store.touch(a, ANNA, 0.0)
    store.mark(a, "text", "-3 dB", now=0.0)
    store.trigger(bang, (1, "x"), MAX, 0.0)
    store.trigger(bang, (), MAX, 0.0)
    store.set_surface({"title": "T", "pages": []}, now=0.0)
    (frame,) = frames.updates(start, 0, frames.lens("id"), 0.0)
    assert json.loads(frame) == {
        "type": "update", "rev": start + 6, "removed": [3], "surface": {"title": "T", "pages": []},
        "holds": [[1, {"client": "c7", "name": "Anna"}]], "marks": [[1, {"text": "-3 dB"}]],
        "triggers": [[2, 1, [1, "x"]], [2, 2]],
    }  # fmt: skip
    (frame,) = frames.updates(start, 0, frames.lens("path"), 0.0)
    assert json.loads(frame)["removed"] == ["/gone"]
    store.release(a, ANNA, 0.0)
    store.mark(a, "text", None, now=0.0)
    (frame,) = frames.updates(start + 6, 2, frames.lens("id"), 2.0)
    assert json.loads(frame) == {"type": "update", "rev": start + 8, "holds": [[1, None]], "marks": [[1, {}]]}


def test_missed_triggers_are_counted(store: Store, frames: Frames) -> None:
    bang = add(store, "/bang", kind="trigger")
    for now in (0.0, 5.0):
        store.trigger(bang, (), MAX, now)
    (frame,) = frames.updates(1, 0, frames.lens("id"), 5.5)
    assert json.loads(frame) == {"type": "update", "rev": 3, "triggers": [[1, 2]], "missed": 1}


def test_a_holder_is_named_for_people() -> None:
    assert holder(ANNA) == {"client": "c7", "name": "Anna"}
    assert holder(Origin("midi", "nano")) == {"client": "midi:nano", "name": "nano"}
    assert holder(None) is None


def test_meters_are_outside_the_log(store: Store, frames: Frames) -> None:
    meter, silent = add(store, "/level", kind="meter"), add(store, "/silent", kind="meter")
    store.set(meter, -12.5, MAX, 0.0)
    assert frames.meters([meter, silent], "id") == b'{"type":"meters","values":[[1,-12.5]]}'
    assert frames.updates(2, 0, frames.lens("id"), 0.0) == []


# Welcome


def test_a_snapshot_holds_what_is_true_now_and_nothing_that_was(store: Store, frames: Frames) -> None:
    a, b, bang = add(store, "/a"), add(store, "/b"), add(store, "/bang", kind="trigger")
    store.touch(a, ANNA, 0.0)
    for act in (store.touch, store.release):
        act(b, ANNA, 0.0)
    for value in ("x", None):
        store.mark(b, "text", value, now=0.0)
    store.trigger(bang, (), MAX, 0.0)
    store.remove(add(store, "/gone"), now=0.0)
    (frame,) = frames.welcome(HEAD, frames.lens("id"), 0.0, None)
    message = json.loads(frame)
    assert {name: value for name, value in message.items() if name != "controls"} == {
        "type": "welcome", "protocol": 1, "client": "c1", "epoch": "k3x9", "rev": store.revision, "resumed": False,
        "surface": {"pages": []}, "values": [[1, 0.0], [2, 0.0]], "holds": [[1, {"client": "c7", "name": "Anna"}]],
    }  # fmt: skip
    assert [control["path"] for control in message["controls"]] == ["/a", "/b", "/bang"]
    assert HEAD == {"protocol": 1, "client": "c1"}


def test_a_resumed_welcome_holds_nothing_but_its_head(store: Store, frames: Frames) -> None:
    store.set(add(store, "/a"), 0.5, MAX, 0.0)
    (frame,) = frames.welcome(HEAD, frames.lens("id"), 0.0, 1)
    assert json.loads(frame) == {
        "type": "welcome", "protocol": 1, "client": "c1", "epoch": "k3x9", "rev": 1, "resumed": True,
    }  # fmt: skip


# Parts


def test_a_large_truth_comes_in_parts_of_which_the_last_alone_advances(store: Store, frames: Frames) -> None:
    start = store.revision
    store.set_surface({"pages": [{"name": "x" * 100_000}]}, now=0.0)
    for number in range(3000):
        add(store, f"/mixer/{number}/volume", label="é" * 40)
    for sent, before in (
        (frames.updates(start, 0, frames.lens("id"), 0.0), start),
        (frames.welcome(HEAD, frames.lens("id"), 0.0, None), 0),
    ):
        assert len(sent) > 2
        assert all(len(frame) <= MAX_FRAME_BYTES for frame in sent)
        assert [json.loads(frame)["rev"] for frame in sent] == [before] * (len(sent) - 1) + [store.revision]
        reader = Reader().read(sent)
        assert reader.values == {entry.id: entry.value for entry in store}
        assert list(reader.controls) == [entry.id for entry in store]


@pytest.mark.parametrize("keys", ["id", "path"])
def test_all_removals_that_are_remembered_are_told_whatever_their_length(
    store: Store, frames: Frames, keys: Any
) -> None:
    for number in range(REMOVED_REMEMBERED):
        add(store, f"/{number:0254}")
    reader = welcomed(frames, keys)
    for entry in list(store):
        store.remove(entry, now=0.0)
    reader.read(frames.updates(reader.rev, 0, frames.lens(keys), 0.0))
    assert (reader.controls, reader.values, reader.rev) == ({}, {}, store.revision)


def test_the_longest_texts_are_told_in_parts(store: Store, frames: Frames) -> None:
    entries = [add(store, f"/{number}", kind="string", max_length=10_000) for number in range(12)]
    for entry in entries:
        store.set(entry, "\x01" * 10_000, MAX, 0.0)  # six bytes each in JSON
    sent = frames.updates(12, 0, frames.lens("id"), 0.0)
    assert len(sent) > 1
    assert Reader().read(sent).values == {entry.id: entry.value for entry in entries}


operations = st.tuples(
    st.sampled_from(["add", "remove", "describe", "set", "set", "touch", "release", "mark", "surface"]),
    st.integers(0, 5),
    st.integers(0, 4),
)


def perform(store: Store, name: str, path: int, number: int) -> None:
    entry = store.find(f"/{path}")
    if name == "surface":
        store.set_surface({"title": "x" * 40 * number}, now=0.0)
    elif name == "add" and entry is None:
        add(store, f"/{path}", kind="string", label="l" * 40 * number)
    elif entry is None:
        return
    elif name == "remove":
        store.remove(entry, now=0.0)
    elif name == "describe":
        store.describe(entry, Control(path=f"/{path}", kind="string", label="d" * 40 * number), now=0.0)
    elif name == "set":
        store.set(entry, "é" * 40 * number, MAX, 0.0)
    elif name == "touch":
        store.touch(entry, ANNA, 0.0)
    elif name == "release":
        store.release(entry, ANNA, 0.0)
    elif name == "mark":
        store.mark(entry, "text", "m" * 40 * number or None, now=0.0)


@settings(max_examples=100)
@given(st.lists(operations, max_size=30), st.sampled_from(["id", "path"]), st.data())
def test_updates_at_any_moments_in_any_parts_lead_to_the_snapshot(
    history: list[tuple[str, int, int]], keys: Any, data: st.DataObject
) -> None:
    store = Store("k3x9")
    frames = Frames(store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames_module, "_PART_BYTES", 300)
        patch.setattr(frames_module, "_SHORT", 2)
        reader = welcomed(frames, keys)
        for operation in history:
            perform(store, *operation)
            if data.draw(st.booleans()):
                sent = frames.updates(reader.rev, 0, frames.lens(keys), 0.0)
                cut = data.draw(st.integers(0, len(sent)))  # the socket goes, and the page comes back where it was
                reader.read(sent[:cut])
        reader.read(frames.updates(reader.rev, 0, frames.lens(keys), 0.0))
        fresh = welcomed(frames, keys)
    assert reader.state()[1:] == fresh.state()[1:]


# Encoded once


def test_browsers_at_one_revision_share_the_very_same_bytes(store: Store, frames: Frames) -> None:
    entry = add(store, "/a")
    store.set(entry, 0.5, MAX, 0.0)
    (first,) = frames.updates(1, 0, frames.lens("id"), 0.0)
    (second,) = frames.updates(1, 0, frames.lens("id"), 0.05)
    assert first is second
    assert frames.updates(1, 0, frames.lens("path"), 0.0) != [first]


@pytest.mark.parametrize(
    ("fields", "value"),
    [({}, 0.1), ({"kind": "int", "range": (0, 9)}, 7), ({"kind": "bool"}, True), ({"kind": "string"}, "é")],
)
def test_the_short_way_to_one_new_value_says_what_the_long_way_says(
    store: Store, frames: Frames, fields: dict[str, Any], value: Any
) -> None:
    entry = add(store, "/a", **fields)
    for keys in ("id", "path"):
        before = store.revision
        store.set(entry, value, MAX, 0.0)
        assert (
            frames.news(before, 0, frames.lens(keys), 0.0).frame == frames.updates(before, 0, frames.lens(keys), 0.0)[0]
        )
        store.set(entry, entry.control.default, MAX, 0.0)
    began = store.revision
    for step in range(3):  # together, they are no single one
        store.set(entry, value if step % 2 == 0 else entry.control.default, MAX, 0.0)
    assert frames.news(began, 0, frames.lens("id"), 0.0).frame == frames.updates(began, 0, frames.lens("id"), 0.0)[0]


def test_what_is_remembered_is_true_after_every_change(store: Store, frames: Frames) -> None:
    entry, bang = add(store, "/a"), add(store, "/bang", kind="trigger")
    acts = [
        lambda: store.set(entry, 0.5, MAX, 0.0),
        lambda: store.touch(entry, ANNA, 0.0),
        lambda: store.touch(entry, MAX, 0.0),
        lambda: store.release(entry, ANNA, 0.0),
        lambda: store.mark(entry, "text", "x", now=0.0),
        lambda: store.mark(entry, "text", "y", now=0.0),
        lambda: store.mark(entry, "text", None, now=0.0),
        lambda: store.describe(entry, Control(path="/a", label="A"), now=0.0),
        lambda: store.trigger(bang, (), MAX, 0.0),
        lambda: store.set_surface({"title": "T"}, now=0.0),
        lambda: store.remove(entry, now=0.0),
    ]
    for act in acts:
        before = frames.updates(2, 0, frames.lens("id"), 0.0)
        act()
        fresh = Frames(store)
        after = frames.updates(2, 0, frames.lens("id"), 0.0)
        assert after == fresh.updates(2, 0, fresh.lens("id"), 0.0)
        assert after != before


def test_a_trigger_ages_in_a_frame_that_is_remembered(store: Store, frames: Frames) -> None:
    bang = add(store, "/bang", kind="trigger")
    store.trigger(bang, (), MAX, 0.0)
    assert "triggers" in json.loads(frames.updates(1, 0, frames.lens("id"), 0.95)[0])
    assert json.loads(frames.updates(1, 0, frames.lens("id"), 1.2)[0]) == {"type": "update", "rev": 2, "missed": 1}


def test_what_is_remembered_is_bounded_in_number_and_bytes(store: Store, frames: Frames) -> None:
    for number in range(12):
        store.set(add(store, f"/{number}", kind="string", max_length=10_000), "x" * 10_000, MAX, 0.0)
    for revision in range(store.revision):
        for triggers in range(100):
            frames.updates(revision, -triggers, frames.lens("id"), 0.0)
            sizes = [sum(map(len, sent)) for sent in frames._cache.values()]
            assert len(sizes) <= frames_module._CACHE_SIZE
            assert sum(sizes) <= frames_module._CACHE_BYTES + max(sizes)


def test_a_removed_controls_description_is_forgotten(store: Store, frames: Frames) -> None:
    entry = add(store, "/a")
    welcomed(frames)
    store.remove(entry, now=0.0)
    frames.forget(entry)
    assert frames._descriptors == {}


def test_rest_shows_one_control_with_its_value(store: Store, frames: Frames) -> None:
    entry = add(store, "/xy", kind="vector")
    assert msgspec.json.decode(msgspec.json.encode(frames.control(entry))) == {
        "id": 1, "path": "/xy", "kind": "vector", "label": "xy", "widget": "xy", "range": [0.0, 1.0], "decimals": 2,
        "default": [0.0, 0.0], "size": 2, "value": [0.0, 0.0],
    }  # fmt: skip
