"""Devices that are limited to pages: what they are told, what is refused them, and that nothing names the rest."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.access import Access, Grant
from bridge.allowance import Allowance
from bridge.control import Control
from bridge.frames import Frames
from bridge.session import Session, Shared
from bridge.store import REMOVED_REMEMBERED, TRIGGER_LIFE_S, Entry, Origin, Store

from .test_frames import Reader
from .test_session import Browser

OSC = Origin("osc", "max")
FOH = Origin("browser", "c99", "FOH iPad")
ANNA = Grant("control", access="Anna", device="d1")
ACCESSES = {
    access.name: access
    for access in (
        Access("Anna", "control", ("Anna",)),
        Access("Ben", "control", ("Ben",)),
        Access("Crowd", "view", ("Anna",)),
        Access("Tech", "control"),
        Access("Patch", "control", ("patch.html",)),
    )
}


def surface(banks: Sequence[dict[str, Any]] = (), **pages: Sequence[str]) -> dict[str, Any]:
    """A surface in which each page shows these paths."""
    made = [
        {"name": name, "layout": "grid", "groups": [{"name": "", "items": [{"path": path} for path in paths]}]}
        for name, paths in pages.items()
    ]
    return {"title": "Show", "pages": made, **({"banks": list(banks)} if banks else {})}


def bank(name: str, *strips: Sequence[str]) -> dict[str, Any]:
    return {"path": f"/bank/{name}", "name": name, "peers": ["desk"], "size": 1, "strips": [list(s) for s in strips]}


class Device(Browser):
    """A browser on a device with a grant."""

    def __init__(self, shared: Shared, grant: Grant, client: str = "c1") -> None:
        super().__init__(shared, client)
        self.session = Session(shared, client, grant)
        self.heard = 0

    def hear(self) -> list[dict[str, Any]]:
        messages = super().hear()
        self.heard = max([self.heard, *(message["rev"] for message in messages if "rev" in message)])
        return messages

    def ack(self) -> None:
        """It knows no revision but those that it was told."""
        self.say("ack", rev=self.heard)

    def answer(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        self.say(kind, **fields)
        return self.hear()


@pytest.fixture
def store() -> Store:
    store = Store("k3x9")
    for path in ("/anna/level", "/ben/level", "/both", "/stagebridge/panic"):
        store.add(Control(path=path), now=0.0)
    for name in ("anna", "ben"):
        store.add(Control(path=f"/{name}/go", kind="trigger"), now=0.0)
        store.add(Control(path=f"/{name}/meter", kind="meter"), now=0.0)
    store.set_surface(
        surface(Anna=["/anna/level", "/both", "/anna/go", "/anna/meter"], Ben=["/ben/level", "/both", "/ben/go"]),
        now=0.0,
    )
    return store


@pytest.fixture
def shared(store: Store) -> Shared:
    shared = Shared(store, Frames(store), "Show", "0.1.0")
    shared.views.configure(ACCESSES, {"patch.html": ["/ben/level", "/stagebridge/panic"]})
    return shared


@pytest.fixture
def anna(shared: Shared) -> Device:
    device = Device(shared, ANNA)
    device.hello()
    device.ack()
    return device


def paths(welcome: dict[str, Any]) -> list[str]:
    return [control["path"] for control in welcome["controls"]]


# What is told


def test_a_welcome_shows_what_stands_on_the_pages_and_nothing_else(store: Store, shared: Shared) -> None:
    store.touch(store.get("/ben/level"), FOH, 0.0)
    store.mark(store.get("/ben/level"), "text", "-3 dB", now=0.0)
    device = Device(shared, ANNA)
    welcome = device.hello()
    assert (welcome["role"], welcome["view"]) == ("control", "Anna")
    assert paths(welcome) == ["/anna/level", "/both", "/anna/go", "/anna/meter"]
    assert [page["name"] for page in welcome["surface"]["pages"]] == ["Anna"]
    assert "/ben" not in json.dumps(welcome)
    assert "holds" not in welcome
    assert "marks" not in welcome


def test_who_is_limited_to_no_pages_sees_everything(shared: Shared) -> None:
    welcome = Device(shared, Grant("control", access="Tech")).hello()
    assert welcome["view"] == "all"
    assert len(welcome["controls"]) == len(shared.store)


def test_an_access_that_there_is_not_any_more_shows_nothing(shared: Shared) -> None:
    welcome = Device(shared, Grant("control", access="Gone")).hello()
    assert (welcome["view"], welcome["controls"], welcome["surface"]["pages"]) == ("Gone", [], [])


def test_a_page_of_somebodys_own_shows_its_inputs_but_nothing_of_ours(shared: Shared) -> None:
    welcome = Device(shared, Grant("control", access="Patch")).hello()
    assert paths(welcome) == ["/ben/level"]
    assert welcome["surface"]["pages"] == []


def test_an_update_of_others_says_nothing_and_does_not_leave_the_session_behind(store: Store, anna: Device) -> None:
    store.set(store.get("/ben/level"), 0.5, OSC, 0.0)
    store.touch(store.get("/ben/level"), FOH, 0.0)
    store.mark(store.get("/ben/level"), "text", "x", now=0.0)
    store.trigger(store.get("/ben/go"), (), OSC, 0.0)
    store.remove(store.get("/ben/level"), now=0.0)
    store.add(Control(path="/ben/level"), now=0.0)
    assert anna.hear() == []
    assert anna.session.is_idle
    assert anna.session.revision == store.revision
    store.set(store.get("/both"), 0.25, OSC, 0.0)
    assert anna.hear() == [{"type": "update", "rev": store.revision, "values": [[store.get("/both").id, 0.25]]}]


def test_nothing_of_others_fills_the_window_of_what_is_under_way(store: Store, anna: Device) -> None:
    for step in range(200):
        store.set(store.get("/ben/level"), step / 200, OSC, 0.0)
        assert anna.hear() == []
    assert anna.session.is_idle


def test_devices_of_one_view_get_the_very_same_bytes(store: Store, shared: Shared) -> None:
    devices = [Device(shared, grant, f"c{n}") for n, grant in enumerate((ANNA, ANNA, Grant("view", access="Crowd")))]
    for device in devices:
        device.hello()
    store.set(store.get("/both"), 0.25, OSC, 0.0)
    frames = [device.session.poll_news(0.0) for device in devices]
    assert frames[0] is not None
    assert len({id(frame) for frame in frames}) == 1


def test_only_missed_triggers_of_the_pages_are_counted(store: Store, anna: Device) -> None:
    for path in ("/ben/go", "/anna/go", "/ben/go"):
        store.trigger(store.get(path), (), OSC, 0.0)
    store.set(store.get("/both"), 0.5, OSC, 0.0)
    anna.now = TRIGGER_LIFE_S + 0.1
    (update,) = anna.hear()
    assert update["missed"] == 1
    store.trigger(store.get("/ben/go"), (), OSC, anna.now)
    store.trigger(store.get("/anna/go"), (), OSC, anna.now)
    anna.ack()
    (update,) = anna.hear()
    assert [trigger[0] for trigger in update["triggers"]] == [store.get("/anna/go").id]
    assert "missed" not in update


def test_a_bank_is_shown_where_all_that_it_holds_is(store: Store, shared: Shared) -> None:
    for path in ("/bank/own", "/bank/mixed"):
        store.add(Control(path=path, kind="int", range=(1, 2), default=1), now=0.0)
    banks = [bank("own", ["/anna/level"], ["/both"]), bank("mixed", ["/anna/level"], ["/ben/level"])]
    store.set_surface(surface(banks, Anna=["/anna/level", "/both"], Ben=["/ben/level"]), now=0.0)
    device = Device(shared, ANNA)
    welcome = device.hello()
    assert [each["name"] for each in welcome["surface"]["banks"]] == ["own"]
    assert paths(welcome) == ["/anna/level", "/both", "/bank/own"]
    (refusal, _) = device.answer("set", n=1, values=[["/bank/mixed", 2]])
    assert refusal["code"] == "unknown_control"
    assert store.get("/bank/mixed").value == 1


# What the pages show can change


def test_another_place_for_a_control_is_told_in_a_new_welcome(store: Store, anna: Device) -> None:
    level = store.get("/both")
    anna.say("touch", ids=[level.id])
    anna.say("touch", ids=["/anna/level"])
    anna.say("show", ids=["/anna/meter"])
    anna.hear()
    anna.ack()
    store.set_surface(surface(Anna=["/anna/level"], Ben=["/both", "/anna/meter"]), now=0.0)
    meter = store.get("/anna/meter")
    store.set(meter, -6.0, OSC, 0.0)
    assert anna.session.poll_meters({meter}) is None
    (welcome,) = anna.hear()
    assert paths(welcome) == ["/anna/level"]
    assert not level.holders
    assert store.get("/anna/level").holders
    assert anna.session.shown == ()
    anna.ack()
    store.set_surface(surface(Anna=["/anna/level", "/ben/level"]), now=0.0)
    (welcome,) = anna.hear()
    assert paths(welcome) == ["/anna/level", "/ben/level"]


def test_what_is_hidden_while_a_long_truth_is_on_its_way_does_not_come_after_all(store: Store, shared: Shared) -> None:
    many = [f"/many/{number}" for number in range(2000)]
    for path in many:
        store.add(Control(path=path), now=0.0)
    store.set_surface(surface(Anna=["/both", *many]), now=0.0)
    device = Device(shared, ANNA)
    device.say("hello")
    (part,) = device.hear()
    assert (part["rev"], len(part["controls"]) < len(many)) == (0, True)
    store.set_surface(surface(Anna=["/both"]), now=0.0)
    device.now = 2.0
    (welcome,) = device.hear()
    assert (welcome["type"], paths(welcome)) == ("welcome", ["/both"])
    device.ack()
    assert device.hear() == []


def test_another_look_of_the_same_page_is_an_update_and_that_of_others_is_none(store: Store, anna: Device) -> None:
    made = surface(Anna=["/anna/level", "/both", "/anna/go", "/anna/meter"], Ben=[])
    made["pages"][0]["layout"] = "rows"
    store.set_surface(made, now=0.0)
    store.set_surface({**made, "pages": [*made["pages"], {"name": "New", "layout": "grid", "groups": []}]}, now=0.0)
    (update,) = anna.hear()
    assert (update["type"], [page["layout"] for page in update["surface"]["pages"]]) == ("update", ["rows"])
    anna.ack()
    store.set_surface(made, now=0.0)
    assert anna.hear() == []


def test_a_device_resumes_in_its_own_view_only_and_only_while_that_is_the_same(store: Store, shared: Shared) -> None:
    revision = store.revision
    store.set(store.get("/both"), 0.5, OSC, 0.0)
    for view, is_resumed in (("Anna", True), ("all", False), (None, False), ("Ben", False)):
        assert Device(shared, ANNA).hello(since=["k3x9", revision], view=view)["resumed"] is is_resumed
    assert Device(shared, Grant("control")).hello(since=["k3x9", revision], view="Anna")["resumed"] is False
    shared.views.configure({**ACCESSES, "Anna": Access("Anna", "control", ("Anna", "Ben"))}, {})
    assert Device(shared, ANNA).hello(since=["k3x9", revision], view="Anna")["resumed"] is False
    revision = store.revision
    store.set_surface(surface(Ben=["/anna/level"]), now=0.0)
    assert Device(shared, ANNA).hello(since=["k3x9", revision], view="Anna")["resumed"] is False


def test_other_pages_for_an_access_reach_who_has_it(shared: Shared, anna: Device) -> None:
    other = {**ACCESSES, "Anna": Access("Anna", "control", ("Ben",))}
    shared.views.configure(other, {})
    anna.session.set_grant(ANNA, 0.0)
    (welcome,) = anna.hear()
    assert paths(welcome) == ["/ben/level", "/both", "/ben/go"]
    shared.views.configure(dict(other), {})
    anna.session.set_grant(ANNA, 0.0)
    assert anna.session.is_idle  # it means the same


def test_a_stalled_device_is_told_anew_when_too_much_was_removed(store: Store, anna: Device) -> None:
    for number in range(REMOVED_REMEMBERED + 1):
        store.remove(store.add(Control(path=f"/ben/{number}"), now=0.0), now=0.0)
    (welcome,) = anna.hear()
    assert (welcome["type"], "/ben" in json.dumps(welcome)) == ("welcome", False)


# What is refused


def test_what_others_have_is_as_if_it_did_not_exist(store: Store, shared: Shared, anna: Device) -> None:
    shared.views.hints = Allowance(100, 1)
    hidden = store.get("/ben/level")
    go, meter = store.get("/ben/go"), store.get("/ben/meter")
    for kind, fields in (
        ("set", lambda key: {"n": 1, "values": [[key, 0.9]]}),
        ("trigger", lambda key: {"n": 1, "id": key}),
        ("touch", lambda key: {"ids": [key]}),
        ("release", lambda key: {"ids": [key]}),
        ("show", lambda key: {"ids": [key]}),
        ("learn", lambda key: {"id": key}),
    ):
        for entry in (hidden, go, meter):
            for key, missing in ((entry.id, 99_999), (entry.path, entry.path.replace("/ben/", "/zen/"))):
                answers, expected = (
                    json.dumps(anna.answer(kind, **fields(one))).replace(f"control {one}", "control KEY")
                    for one in (key, missing)
                )
                assert answers == expected
    assert not hidden.holders
    assert hidden.value == 0.0
    assert store.trigger_sequence == 0
    assert anna.session.shown == ()


def test_no_hint_leads_to_what_others_have(anna: Device) -> None:
    (refusal, _) = anna.answer("set", n=1, values=[["/ben/leve", 0.9]])
    assert refusal["message"] == "no control /ben/leve"
    (refusal, _) = anna.answer("set", n=2, values=[["/anna/leve", 0.9]])
    assert refusal["message"] == "no control /anna/leve: did you mean /anna/level?"


def test_declaring_tells_a_limited_device_nothing(store: Store, anna: Device) -> None:
    before = len(store)
    for path in ("/ben/level", "/new", "/stagebridge/panic"):
        (refusal,) = anna.answer("declare", controls=[{"path": path, "kind": "string"}])
        assert (refusal["code"], refusal["message"]) == ("not_allowed", f"{path}: this device may only use its pages")
    assert anna.answer("declare", controls=[{"path": "/anna/level"}]) == []
    assert len(store) == before


def test_a_limited_device_describes_nothing_anew(store: Store, shared: Shared, anna: Device) -> None:
    entry = store.get("/anna/level")
    store.describe(entry, replace(entry.control, owner="page"), now=0.0)
    anna.hear()
    shared.unclaimed["/anna/level"] = None
    (refusal,) = anna.answer("declare", controls=[{"path": "/anna/level", "range": [0, 5]}])
    assert refusal["code"] == "declared_otherwise"
    assert "/anna/level" in shared.unclaimed


def test_a_limited_device_moves_what_it_sees(store: Store, anna: Device) -> None:
    update, applied = anna.answer("set", n=1, values=[["/anna/level", 0.5]])
    assert (update["values"], applied["n"]) == ([[store.get("/anna/level").id, 0.5]], 1)


# No frame names what is hidden

NAMES = [f"/c{number}" for number in range(6)]
numbers = st.integers(0, len(NAMES) - 1)
places = st.lists(numbers, max_size=4, unique=True)
steps = st.one_of(
    st.tuples(st.sampled_from(["set", "touch", "release", "fire", "mark", "rename", "toggle"]), numbers),
    st.tuples(st.just("lay out"), st.tuples(places, places, places)),
    st.tuples(st.sampled_from(["hear", "ack", "late", "reconnect", "attack"]), numbers),
    st.tuples(st.just("regrant"), st.sampled_from(["Anna", "Ben", "Gone"])),
)


class World:
    """A store that changes at random, and one device that is limited to pages of it."""

    def __init__(self, keys: str) -> None:
        self.store = Store("k3x9")
        self.shared = Shared(self.store, Frames(self.store), "Show", "0.1.0")
        self.shared.views.configure(ACCESSES, {})
        self.path_of: dict[int, str] = {}
        self.seen: dict[str, set[str]] = {"Gone": set()}
        self.keys = keys
        self.access = "Anna"
        self.now = 0.0
        for number in range(len(NAMES)):
            self.toggle(number)
        self.lay_out(([0, 1], [2, 3], [0, 1]))
        self.connect({})

    def connect(self, resume: dict[str, Any]) -> None:
        self.device = Device(self.shared, Grant("control", access=self.access))
        self.device.now = self.now
        self.reader = Reader(self.keys)
        self.device.say("hello", keys=self.keys, **resume)
        self.hear()

    def toggle(self, number: int) -> None:
        entry = self.store.find(NAMES[number])
        if entry is not None:
            self.store.remove(entry, now=self.now)
        else:
            kind = "trigger" if number % 3 == 2 else "float"
            made = self.store.add(Control(path=NAMES[number], kind=kind), now=self.now)  # type: ignore[arg-type]
            self.path_of[made.id] = made.path

    def lay_out(self, places: tuple[list[int], list[int], list[int]]) -> None:
        anna, ben, banked = ([NAMES[number] for number in each] for each in places)
        self.seen |= {"Anna": set(anna), "Ben": set(ben)}
        for page in ("Anna", "Ben"):
            if banked and set(banked) <= self.seen[page]:
                self.seen[page] |= {"/bank/b", "/bank/b/next", "/bank/b/previous"}
        self.store.set_surface(surface([bank("b", banked)], Anna=anna, Ben=ben), now=self.now)

    def hear(self) -> None:
        sent = [json.dumps(message).encode() for message in self.device.hear()]
        seen = self.seen[self.access]
        for frame in sent:
            message = json.loads(frame)
            for path in NAMES if message.get("code") != "unknown_control" else ():  # which says what was asked for
                assert path in seen or path.encode() not in frame, frame
            for part in ("values", "holds", "marks", "triggers", "removed"):
                for one in message.get(part, ()):
                    key = one[0] if isinstance(one, list) else one
                    assert (self.path_of[key] if self.keys == "id" else key) in seen, frame
        if sent:
            self.reader.read([frame for frame in sent if json.loads(frame)["type"] in ("welcome", "update")])

    def step(self, what: str, about: Any) -> None:
        store, entry = self.store, self.store.find(NAMES[about]) if isinstance(about, int) else None
        self.now = self.device.now = self.now + 0.01
        if what == "lay out":
            self.lay_out(about)
        elif what == "toggle":
            self.toggle(about)
        elif what == "hear":
            self.hear()
        elif what == "ack":
            self.device.ack()
        elif what == "late":
            self.now = self.device.now = self.now + 1.5
        elif what == "attack":
            self.device.say("set", n=1, values=[[NAMES[about], 0.7], [NAMES[about], "loud"]])
            self.device.say("touch", ids=[NAMES[about]])
        elif what == "reconnect":
            self.hear()
            since = ["k3x9", self.reader.rev]
            reader = self.reader
            self.device.session.close(self.now)
            self.connect({"since": since, "view": self.access})
            if self.reader.rev == reader.rev and not self.reader.controls:
                self.reader = reader  # resumed: what it knew still stands
        elif what == "regrant":
            self.access = about
            self.device.session.set_grant(Grant("control", access=about), self.now)
        elif entry is not None:
            self.change(store, entry, what)

    def change(self, store: Store, entry: Entry, what: str) -> None:
        if what == "set" and entry.control.kind == "float":
            store.set(entry, (store.revision % 97) / 97, OSC, self.now)
        elif what == "touch":
            store.touch(entry, FOH, self.now)
        elif what == "release":
            store.release(entry, FOH, self.now)
        elif what == "fire" and entry.control.kind == "trigger":
            store.trigger(entry, (), OSC, self.now)
        elif what == "mark":
            store.mark(entry, "text", f"{store.revision} dB", now=self.now)
        elif what == "rename":
            store.describe(
                entry, Control(path=entry.path, kind=entry.control.kind, label=f"L{store.revision}"), now=self.now
            )


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, max_size=40), st.sampled_from(["id", "path"]))
def test_no_frame_names_what_is_hidden_and_in_the_end_all_that_is_seen_is_told(
    made: list[tuple[str, Any]], keys: str
) -> None:
    world = World(keys)
    for what, about in made:
        world.step(what, about)
    for _ in range(3):
        world.step("late", 0)
        world.step("hear", 0)
        world.step("ack", 0)
    assert world.device.session.is_idle
    seen = [entry for entry in world.store if entry.path in world.seen[world.access]]
    told = world.reader
    assert {control["path"] for control in told.controls.values()} == {entry.path for entry in seen}
    assert {control["label"] for control in told.controls.values()} == {entry.control.label for entry in seen}
    key = (lambda entry: entry.id) if keys == "id" else (lambda entry: entry.path)
    assert told.values == {key(entry): entry.value for entry in seen if entry.value is not None}
    assert set(told.holds) == {key(entry) for entry in seen if entry.holders}
    assert set(told.marks) == {key(entry) for entry in seen if entry.marks}
    shown = {item["path"] for page in told.surface["pages"] for group in page["groups"] for item in group["items"]}
    assert shown == {path for path in world.seen[world.access] if not path.startswith("/bank")}
