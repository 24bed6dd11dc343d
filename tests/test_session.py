import itertools
import json
import sys
from typing import Any

import pytest

from bridge.access import EVERYTHING, Grant, Role
from bridge.ackwindow import FIRST_WINDOW, LIGHT_BYTES, ack_s_for, ping_s_for
from bridge.control import Control
from bridge.declaring import MAX_DECLARED
from bridge.frames import Frames
from bridge.messages import MAX_MESSAGE_BYTES
from bridge.monitor import MAX_WATCHERS, Line
from bridge.session import NOT_PAIRED, PANICS, Close, Session, Shared
from bridge.store import REMOVED_REMEMBERED, Entry, Origin, Store
from bridge.view import HINTS, HINTS_PER_S, Views

OSC = Origin("osc", "max")
PAGE_CLOCK_MS = 5000.0  # what the page's clock shows when ours shows 0


class Browser:
    """A session and what a browser would have received from it, with time in our hands."""

    def __init__(self, shared: Shared, client: str = "c1", role: Role = "control", device: str = "") -> None:
        self.session = Session(shared, client, Grant(role, device=device))
        self.now = 0.0
        self.is_writable = True

    def say(self, kind: str, **fields: Any) -> Close | None:
        return self.session.receive(json.dumps({"type": kind, **fields}), self.now)

    def hear(self) -> list[dict[str, Any]]:
        """One turn, as the hub takes it: the short way where that is all."""
        if self.is_writable and (news := self.session.poll_news(self.now)) is not None:
            return [json.loads(frame) for frame in (news, *self.session.take_answers())]
        return [json.loads(frame) for frame in self.session.poll(self.now, self.is_writable)]

    def hello(self, **fields: Any) -> dict[str, Any]:
        self.say("hello", name="FOH iPad", page="b81f", t=self.clock, **fields)
        (welcome,) = self.hear()
        return welcome

    def ack(self) -> None:
        self.say("ack", rev=self.session.revision)

    @property
    def clock(self) -> float:
        return self.now * 1000 + PAGE_CLOCK_MS


@pytest.fixture
def store() -> Store:
    return Store("k3x9")


@pytest.fixture
def shared(store: Store) -> Shared:
    return Shared(store, Frames(store), "Show", "0.1.0")


@pytest.fixture
def browser(shared: Shared) -> Browser:
    return Browser(shared)


@pytest.fixture
def volume(store: Store) -> Entry:
    return store.add(Control(path="/mixer/1/volume"), now=0.0)


def add(store: Store, path: str, **fields: Any) -> Entry:
    return store.add(Control(path=path, **fields), now=0.0)


# Hello and welcome


def test_welcome_is_the_whole_truth(store: Store, browser: Browser, volume: Entry) -> None:
    store.set(volume, 0.5, OSC, 0.0)
    assert browser.hello() == {
        "type": "welcome",
        "protocol": 1,
        "epoch": "k3x9",
        "rev": 2,
        "client": "c1",
        "role": "control",
        "view": "all",
        "ack_ms": 50,
        "ping_ms": 1000,
        "ack_bytes": 0,
        "server": {"name": "Show", "version": "0.1.0", "auth": "token"},
        "resumed": False,
        "surface": {"pages": []},
        "controls": [
            {
                "id": 1,
                "path": "/mixer/1/volume",
                "kind": "float",
                "label": "volume",
                "widget": "fader",
                "range": [0.0, 1.0],
                "decimals": 2,
                "default": 0.0,
            }
        ],
        "values": [[1, 0.5]],
    }


def test_nothing_is_executed_before_hello(store: Store, browser: Browser, volume: Entry) -> None:
    close = browser.say("set", n=1, values=[[1, 0.7]])
    assert close == Close(1008, "hello_first")
    assert [message["code"] for message in browser.hear()] == ["hello_first"]
    assert volume.value == 0.0


def test_a_second_hello_on_one_connection_is_refused(browser: Browser) -> None:
    browser.hello()
    assert browser.say("hello") is None
    assert [message["code"] for message in browser.hear()] == ["bad_message"]


def test_same_epoch_resumes_by_what_changed_since(store: Store, browser: Browser, volume: Entry) -> None:
    other = add(store, "/pan", range=(-1, 1))
    seen = store.revision
    store.set(volume, 0.25, OSC, 0.0)
    welcome = browser.hello(since=["k3x9", seen])
    assert (welcome["resumed"], welcome["rev"]) == (True, seen)
    assert "controls" not in welcome
    assert "values" not in welcome
    assert browser.hear() == [{"type": "update", "rev": 3, "values": [[volume.id, 0.25]]}]
    assert other.value == 0.0


@pytest.mark.parametrize("since", [["other", 1], ["k3x9", 99], ["k3x9", -1]])
def test_anything_else_is_a_snapshot(browser: Browser, volume: Entry, since: list[Any]) -> None:
    welcome = browser.hello(since=since)
    assert welcome["resumed"] is False
    assert welcome["values"] == [[1, 0.0]]


def test_another_view_is_a_snapshot(browser: Browser, volume: Entry) -> None:
    assert browser.hello(since=["k3x9", 1], view="Anna")["resumed"] is False


def test_a_resume_brings_no_triggers(store: Store, browser: Browser) -> None:
    bang = add(store, "/bang", kind="trigger")
    seen = store.revision
    store.trigger(bang, (), OSC, 0.0)
    browser.hello(since=["k3x9", seen])
    assert browser.hear() == []


def test_a_truth_too_long_for_one_frame_comes_in_parts(store: Store, browser: Browser) -> None:
    texts = {add(store, f"/text/{n}", kind="string", default="x" * 1000).path for n in range(400)}
    browser.say("hello")
    parts = []
    while frames := browser.session.poll(browser.now, True):
        assert len(frames) == 1
        assert len(frames[0]) <= MAX_MESSAGE_BYTES
        parts.append(json.loads(frames[0]))
        browser.now += 1.0
    assert len(parts) > 1
    assert [part["rev"] for part in parts] == [0] * (len(parts) - 1) + [store.revision]
    assert {control["path"] for part in parts for control in part["controls"]} == texts


def test_news_too_long_for_one_frame_come_in_parts_once(store: Store, browser: Browser) -> None:
    texts = [add(store, f"/text/{n}", kind="string") for n in range(400)]
    browser.hello()
    store.apply([(text, "x" * 1000) for text in texts], OSC, 0.0)
    parts = []
    while heard := browser.hear():
        parts += heard
        browser.now += 1.0
        assert len(parts) < 10
    assert len(parts) > 1
    assert {part["type"] for part in parts} == {"update"}
    assert sorted(number for part in parts for number, _ in part["values"]) == [text.id for text in texts]
    assert browser.session.is_idle


def test_a_joining_browser_costs_a_few_calls_a_control(store: Store, shared: Shared) -> None:
    """The time of a snapshot is what a join storm takes from everybody: 200 browsers, 500 controls."""
    for number in range(500):
        add(store, f"/mixer/{number}/volume", label=f"Channel {number}", unit="dB")
    Browser(shared).hello()  # descriptors are encoded once
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    browser = Browser(shared, "c2")
    sys.setprofile(count)
    try:
        browser.say("hello")
        frames = browser.session.poll(0.0, True)
    finally:
        sys.setprofile(None)
    assert len(json.loads(frames[0])["controls"]) == 500
    assert calls < 5 * 500, calls


def test_paths_are_given_to_who_asks_for_them(store: Store, browser: Browser, volume: Entry) -> None:
    assert browser.hello(keys="path")["values"] == [["/mixer/1/volume", 0.0]]
    browser.say("set", n=1, values=[["/mixer/1/volume", 1]])
    assert browser.hear()[0]["values"] == [["/mixer/1/volume", 1.0]]


# Sets


def test_a_set_is_applied_with_the_update_that_shows_it(browser: Browser, volume: Entry) -> None:
    browser.hello()
    browser.say("set", n=17, t=browser.clock, values=[[volume.id, 0.62]])
    assert browser.hear() == [
        {"type": "update", "rev": 2, "values": [[1, 0.62]]},
        {"type": "applied", "n": 17},
    ]


def test_a_set_that_changes_nothing_is_applied_too(browser: Browser, volume: Entry) -> None:
    browser.hello()
    browser.say("set", n=1, values=[[volume.id, 0]])
    assert browser.hear() == [{"type": "applied", "n": 1}]


def test_applied_is_cumulative(browser: Browser, volume: Entry) -> None:
    browser.hello()
    for n in range(1, 9):
        browser.say("set", n=n, values=[[volume.id, n / 10]])
    assert browser.hear() == [
        {"type": "update", "rev": 9, "values": [[1, 0.8]]},
        {"type": "applied", "n": 8},
    ]


def test_a_value_out_of_range_is_clamped_and_shown(browser: Browser, volume: Entry) -> None:
    browser.hello()
    browser.say("set", n=1, values=[[volume.id, 7]])
    assert browser.hear()[0]["values"] == [[1, 1.0]]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ([[99, 0.5]], "unknown_control"),
        ([["/mixer/1/volum", 0.5]], "unknown_control"),
        ([[1, "loud"]], "bad_value"),
        ([[1, None]], "bad_value"),
        ([[1, [1, 2]]], "bad_value"),
        ([[2, 0.5]], "read_only"),
        ([[3, 1]], "bad_value"),
    ],
)
def test_a_refused_set_gets_an_error_and_then_its_answer(
    store: Store, browser: Browser, volume: Entry, values: list[Any], code: str
) -> None:
    add(store, "/level", kind="meter")
    add(store, "/bang", kind="trigger")
    browser.hello()
    revision = store.revision
    browser.say("set", n=5, values=values)
    error, applied = browser.hear()
    assert (error["type"], error["code"], error["n"]) == ("error", code, 5)
    assert applied == {"type": "applied", "n": 5}
    assert store.revision == revision


def test_one_bad_value_does_not_keep_the_others_out(store: Store, browser: Browser, volume: Entry) -> None:
    pan = add(store, "/pan", range=(-1, 1))
    browser.hello()
    browser.say("set", n=1, values=[[volume.id, "loud"], [77, 1], [pan.id, -0.5]])
    assert (volume.value, pan.value) == (0.0, -0.5)
    assert [message["type"] for message in browser.hear()] == ["update", "error", "error", "applied"]


def test_null_leaves_a_component_of_a_vector(store: Store, browser: Browser) -> None:
    xy = add(store, "/xy", kind="vector", default=(0.1, 0.2))
    browser.hello()
    browser.say("set", n=1, values=[[xy.id, [None, 0.4]], [xy.id, [0.3, None]]])
    assert xy.value == (0.3, 0.4)


def test_a_removed_id_is_an_error_and_never_another_control(store: Store, browser: Browser, volume: Entry) -> None:
    browser.hello()
    store.remove(volume, now=0.0)
    other = add(store, "/mixer/2/volume")
    browser.say("set", n=1, values=[[volume.id, 0.9]])
    messages = browser.hear()
    assert messages[0]["removed"] == [volume.id]
    assert messages[1]["code"] == "unknown_control"
    assert other.value == 0.0


def test_a_gesture_more_than_a_second_late_is_refused(browser: Browser, volume: Entry) -> None:
    browser.hello()
    moved_at = browser.clock
    browser.now += 1.001
    browser.say("set", n=1, t=moved_at, values=[[volume.id, 0.9]])
    error, applied = browser.hear()
    assert error["code"] == "stale"
    assert applied == {"type": "applied", "n": 1}
    assert volume.value == 0.0


def test_a_gesture_just_under_a_second_late_counts(browser: Browser, volume: Entry) -> None:
    browser.hello()
    moved_at = browser.clock
    browser.now += 0.999
    browser.say("set", n=1, t=moved_at, values=[[volume.id, 0.9]])
    assert volume.value == 0.9


def test_lateness_is_measured_from_the_quickest_message(store: Store, browser: Browser) -> None:
    bang = add(store, "/bang", kind="trigger")
    browser.now = 2.0
    browser.say("hello", t=PAGE_CLOCK_MS)  # its hello took 2 s; the ping comes at once
    browser.hear()
    browser.say("ping", t=browser.clock)
    browser.say("trigger", n=1, id=bang.id, t=browser.clock - 1500)
    assert [message.get("code") for message in browser.hear() if message["type"] == "error"] == ["stale"]
    assert store.trigger_sequence == 0


# Triggers


def test_each_trigger_arrives_once_and_in_order(store: Store, browser: Browser) -> None:
    bang = add(store, "/bang", kind="trigger")
    browser.hello()
    for number in range(3):
        store.trigger(bang, (number,), OSC, 0.0)
    assert browser.hear() == [
        {"type": "update", "rev": 4, "triggers": [[1, 1, [0]], [1, 2, [1]], [1, 3, [2]]]},
    ]
    assert browser.hear() == []


def test_an_old_trigger_is_counted_as_missed(store: Store, browser: Browser) -> None:
    bang = add(store, "/bang", kind="trigger")
    browser.hello()
    store.trigger(bang, (), OSC, 0.0)
    browser.now = 1.5
    store.trigger(bang, (), OSC, 1.4)
    (update,) = browser.hear()
    assert update["missed"] == 1
    assert update["triggers"] == [[1, 2]]


def test_a_trigger_fired_by_the_browser_is_answered(store: Store, browser: Browser) -> None:
    bang = add(store, "/bang", kind="trigger")
    browser.hello()
    browser.say("trigger", n=4, t=browser.clock, id=bang.id, args=[1, "go"])
    assert browser.hear() == [
        {"type": "update", "rev": 2, "triggers": [[1, 1, [1, "go"]]]},
        {"type": "applied", "n": 4},
    ]


def test_a_value_cannot_be_fired(browser: Browser, volume: Entry) -> None:
    browser.hello()
    browser.say("trigger", n=4, id=volume.id)
    assert [message.get("code") for message in browser.hear()] == ["bad_value", None]


# Holds


def test_who_holds_is_told_by_name(shared: Shared, browser: Browser, volume: Entry) -> None:
    other = Browser(shared, "c2")
    browser.hello()
    other.hello()
    browser.say("touch", ids=[volume.id])
    assert other.hear()[0]["holds"] == [[1, {"client": "c1", "name": "FOH iPad"}]]
    browser.say("release", ids=[volume.id])
    other.ack()
    assert other.hear()[0]["holds"] == [[1, None]]


def test_a_momentary_returns_to_rest_when_its_holder_is_lost(store: Store, browser: Browser) -> None:
    flash = add(store, "/flash", kind="bool", momentary=True)
    browser.hello()
    browser.say("touch", ids=[flash.id])
    browser.say("set", n=1, values=[[flash.id, True]])
    assert flash.value is True
    browser.session.close(browser.now)
    assert flash.value is False


def test_the_first_toucher_keeps_a_control_that_says_so(store: Store, shared: Shared, browser: Browser) -> None:
    fader = add(store, "/main", hold="first")
    other = Browser(shared, "c2")
    browser.hello()
    other.hello()
    browser.say("touch", ids=[fader.id])
    other.say("set", n=1, values=[[fader.id, 0.9]])
    assert "held" in [message.get("code") for message in other.hear()]
    browser.say("set", n=1, values=[[fader.id, 0.4]])
    assert fader.value == 0.4


def test_a_viewer_moves_nothing(shared: Shared, volume: Entry) -> None:
    viewer = Browser(shared, role="view")
    viewer.hello()
    viewer.say("set", n=1, values=[[volume.id, 0.9]])
    viewer.say("touch", ids=[volume.id])
    viewer.say("declare", controls=[{"path": "/mine"}])
    assert [message.get("code") for message in viewer.hear()] == ["not_allowed"] * 3 + [None]
    assert volume.value == 0.0
    assert not volume.holders


def test_a_finger_whose_hold_was_taken_away_is_dead_until_it_lifts(store: Store, browser: Browser) -> None:
    fader = add(store, "/main", default=0.5)
    browser.hello()
    browser.say("touch", ids=[fader.id])
    browser.say("set", n=1, values=[[fader.id, 0.9]])
    browser.hear()
    store.let_go(Origin("bridge", "panic"), 0.0)
    store.set(fader, 0.0, Origin("bridge", "panic"), 0.0)
    told = [message for message in browser.hear() if message["type"] == "error"]
    assert [(error["code"], error["path"]) for error in told] == [("held", "/main")]
    browser.now += 1.0
    store.set(fader, 0.2, OSC, 0.0)
    assert [message["type"] for message in browser.hear()] == ["update"]
    browser.now += 1.0
    store.set(fader, 0.0, OSC, 0.0)
    browser.say("set", n=2, values=[[fader.id, 0.95]])
    assert "held" in [message.get("code") for message in browser.hear()]
    assert fader.value == 0.0
    browser.say("release", ids=[fader.id])
    browser.say("touch", ids=[fader.id])
    browser.say("set", n=3, values=[[fader.id, 0.1]])
    assert fader.value == 0.1


def test_a_finger_on_what_is_gone_is_not_told_of_its_hold(store: Store, browser: Browser) -> None:
    fader = add(store, "/main")
    browser.hello()
    browser.say("touch", ids=[fader.id])
    browser.hear()
    store.remove(fader, now=0.0)
    assert [message["type"] for message in browser.hear()] == ["update"]
    assert browser.hear() == []


def test_who_is_refused_does_not_wait_in_line(store: Store, shared: Shared, browser: Browser) -> None:
    flash = add(store, "/flash", kind="bool", momentary=True, hold="first")
    other = Browser(shared, "c2")
    browser.hello()
    other.hello()
    browser.say("touch", ids=[flash.id])
    browser.say("set", n=1, values=[[flash.id, True]])
    other.say("touch", ids=[flash.id])
    assert "held" in [message.get("code") for message in other.hear()]
    browser.say("release", ids=[flash.id])
    assert (flash.value, flash.holders) == (False, {})


def test_letting_a_momentary_go_is_never_too_late(store: Store, browser: Browser) -> None:
    flash = add(store, "/flash", kind="bool", momentary=True)
    browser.hello()
    browser.now = 5.0
    browser.say("set", n=1, t=browser.clock, values=[[flash.id, True]])
    browser.say("set", n=2, t=browser.clock - 1500, values=[[flash.id, False]])
    assert flash.value is False
    assert "stale" in [message.get("code") for message in browser.hear()]


def test_panic_is_never_too_late(store: Store, browser: Browser) -> None:
    panic = add(store, "/stagebridge/panic", kind="trigger")
    browser.hello()
    browser.now = 5.0
    browser.say("ping", t=browser.clock)
    browser.say("trigger", n=1, id=panic.id, t=browser.clock - 2000)
    assert store.trigger_sequence == 1


def test_who_panics_without_end_is_heard_as_often_as_a_hand_can(store: Store, shared: Shared, browser: Browser) -> None:
    panic = add(store, "/stagebridge/panic", kind="trigger")
    browser.hello()
    for n in range(100):
        browser.say("trigger", n=n, id=panic.id)
    assert store.trigger_sequence == PANICS
    assert {message["code"] for message in browser.hear() if message["type"] == "error"} == {"too_many"}
    other = Browser(shared, "c2")
    other.hello()
    other.say("trigger", id=panic.id)
    browser.now += 1.0
    browser.say("trigger", id=panic.id)
    assert store.trigger_sequence == PANICS + 2


@pytest.mark.parametrize("drift", [-500e-6, 500e-6])
def test_clocks_that_drift_apart_make_no_gesture_stale(store: Store, browser: Browser, drift: float) -> None:
    fader = add(store, "/main")
    browser.hello()
    for minute in range(1, 12 * 60):  # a long evening, a ping a minute, at 500 ppm
        browser.now = minute * 60.0
        t = browser.now * 1000 * (1 + drift) + PAGE_CLOCK_MS
        browser.say("ping", t=t)
        browser.say("set", n=minute, t=t, values=[[fader.id, minute % 2]])
        assert fader.value == minute % 2
        browser.hear()
        browser.ack()


# Declared controls


def test_a_page_declares_what_only_it_names(store: Store, browser: Browser) -> None:
    browser.hello()
    browser.say("declare", controls=[{"path": "/slider1", "range": [0, 50], "step": 1, "default": 25}])
    (update,) = browser.hear()
    assert update["controls"][0]["path"] == "/slider1"
    assert update["controls"][0]["owner"] == "page"
    assert update["values"] == [[1, 25.0]]


def test_who_declared_first_is_right(store: Store, browser: Browser, volume: Entry) -> None:
    browser.hello()
    browser.say("declare", controls=[{"path": volume.path, "kind": "float", "range": [0, 50]}])
    (error,) = browser.hear()
    assert (error["code"], error["path"]) == ("declared_otherwise", volume.path)
    assert volume.control.range == (0.0, 1.0)


@pytest.mark.parametrize(
    ("descriptor", "difference"),
    [
        ({"path": "/steps"}, None),
        ({"path": "/steps", "kind": "int", "range": [0, 8]}, None),
        ({"path": "/steps", "kind": "float", "range": [0, 8]}, "the page says float, the config int"),
        ({"path": "/steps", "kind": "int", "range": [0, 9]}, "the page says range"),
        ({"path": "/wave"}, None),
        ({"path": "/wave", "kind": "choice", "choices": ["sine", "saw"]}, None),
        ({"path": "/wave", "kind": "choice", "choices": ["sine", "tri"]}, "the page has other choices than the config"),
    ],
)
def test_a_page_may_say_less_of_a_control_but_nothing_else(
    store: Store, browser: Browser, descriptor: dict[str, Any], difference: str | None
) -> None:
    add(store, "/steps", kind="int", range=(0, 8))
    add(store, "/wave", kind="choice", choices=("sine", "saw"))
    browser.hello()
    browser.say("declare", controls=[descriptor])
    refused = [message["message"] for message in browser.hear()]
    assert len(refused) == (0 if difference is None else 1)
    assert all(difference is not None and difference in text for text in refused)


@pytest.mark.parametrize(
    ("descriptor", "code"),
    [
        ({"path": "no slash"}, "bad_value"),
        ({"path": "/a", "range": [1, 0]}, "bad_value"),
        ({"path": "/a", "kind": "choice"}, "bad_value"),
        ({"path": "/stagebridge/panic"}, "not_allowed"),
    ],
)
def test_a_bad_declaration_is_answered(store: Store, browser: Browser, descriptor: dict[str, Any], code: str) -> None:
    browser.hello()
    browser.say("declare", controls=[descriptor])
    assert [message["code"] for message in browser.hear()] == [code]
    assert len(store) == 0


def test_declared_controls_are_capped(store: Store, browser: Browser) -> None:
    browser.hello()
    browser.say("declare", controls=[{"path": f"/made/{n}"} for n in range(MAX_DECLARED + 3)])
    assert len(store) == MAX_DECLARED
    codes = [message.get("code") for message in browser.hear()]
    assert codes.count("too_many") == 3


def test_what_pages_declare_is_not_long_for_whoever_comes(store: Store, shared: Shared, browser: Browser) -> None:
    browser.hello()
    errors = []
    for number in range(MAX_DECLARED):
        choices = [f"{n:03}".ljust(64) for n in range(1000)]
        browser.say("declare", controls=[{"path": f"/made/{number}", "kind": "choice", "choices": choices}])
        errors += [message for message in browser.hear() if message["type"] == "error"]
        browser.ack()
    assert {error["code"] for error in errors} == {"too_large"}
    guest = Browser(shared, "c2")
    guest.say("hello")
    assert sum(len(json.dumps(guest.hear())) for _ in range(8)) < 600_000
    for number in range(MAX_DECLARED):
        browser.say("declare", controls=[{"path": f"/text/{number}", "kind": "string", "max_length": 10_000}])
    assert sum(entry.control.max_length for entry in store if entry.control.kind == "string") < 512 * 1024


def test_one_device_leaves_half_of_what_pages_may_declare_to_others(store: Store, shared: Shared) -> None:
    guest, artist = (Browser(shared, f"c{n}", device=f"d{n}") for n in (1, 2))
    guest.hello()
    artist.hello()
    for browser, name in ((guest, "guest"), (guest, "more"), (artist, "show")):
        browser.say("declare", controls=[{"path": f"/{name}/{n}"} for n in range(MAX_DECLARED // 2)])
    errors = [message for message in guest.hear() if message["type"] == "error"]
    assert errors[0]["message"].startswith("/more/0: this device has declared 128 already")
    assert len([entry for entry in store if entry.path.startswith("/show/")]) == MAX_DECLARED // 2


def test_what_a_page_of_an_earlier_run_left_is_described_anew_once(store: Store, shared: Shared) -> None:
    left = add(store, "/left", owner="page")
    shared.unclaimed["/left"] = None
    viewer, artist, other = (
        Browser(shared, f"c{n}", role=role) for n, role in enumerate(("view", "control", "control"))
    )
    for browser, expected in ((viewer, (0, 1)), (artist, (0, 50)), (other, (0, 50))):
        browser.hello()
        upper = 50 if browser is artist else 9
        browser.say("declare", controls=[{"path": "/left", "range": [0, upper]}])
        codes = [message["code"] for message in browser.hear() if message["type"] == "error"]
        assert codes == ([] if browser is artist else ["declared_otherwise"])
        assert left.control.range == expected
    assert not shared.unclaimed


@pytest.mark.parametrize("fields", [{}, {"kind": "string", "max_length": 10_000}], ids=["places", "bytes"])
def test_what_is_forgotten_leaves_its_room_to_others(store: Store, shared: Shared, fields: dict[str, Any]) -> None:
    guest = Browser(shared, "c1", device="d1")
    guest.hello()

    def declared(name: str) -> int:
        guest.say("declare", controls=[{"path": f"/{name}/{n}", **fields} for n in range(MAX_DECLARED)])
        guest.hear()
        guest.ack()
        return sum(entry.path.startswith(f"/{name}/") for entry in store)

    most = declared("a")
    assert 0 < most < MAX_DECLARED
    for _ in range(3):
        for entry in list(store):
            store.remove(entry, now=0.0)
        assert declared("b") == most


def test_what_the_configuration_has_by_now_is_no_page_s_any_more(
    store: Store, shared: Shared, browser: Browser
) -> None:
    mine = add(store, "/made/0")
    shared.unclaimed |= dict.fromkeys(["/gone", "/made/0"])  # pages had them in an earlier run
    browser.hello()
    browser.say("declare", controls=[{"path": "/made/0", "range": [0, 9]}])
    assert [message["code"] for message in browser.hear()] == ["declared_otherwise"]
    browser.say("declare", controls=[{"path": f"/made/{n}"} for n in range(1, MAX_DECLARED + 2)])
    assert [message["code"] for message in browser.hear() if message["type"] == "error"] == ["too_many"]
    assert store.get("/made/0") is mine
    assert mine.control.range == (0.0, 1.0)


def test_who_names_what_is_not_there_again_and_again_gets_few_hints(
    store: Store, shared: Shared, browser: Browser
) -> None:
    """A hint takes some ms among thousands of controls, and a guest's phone can ask for a thousand a second."""
    for number in range(500):
        add(store, f"/mixer/{number}/volume")
    now = 0.0
    shared.views = Views(store, lambda: now)
    browser.hello()

    def hints() -> int:
        browser.say("set", values=[[f"/mixer/{number}/volumn", 1] for number in range(20)])
        return sum("did you mean" in message["message"] for message in browser.hear())

    assert [hints() for _ in range(3)] == [HINTS, 0, 0]
    now += 2.0
    assert hints() == 2 * HINTS_PER_S


# Far behind


def test_a_browser_behind_what_is_remembered_of_removals_gets_a_new_welcome(store: Store, browser: Browser) -> None:
    kept = add(store, "/kept")
    gone = [add(store, f"/gone/{number}") for number in range(REMOVED_REMEMBERED + 1)]
    browser.hello()
    browser.is_writable = False
    for entry in gone:
        store.remove(entry, now=0.0)
    assert browser.hear() == []
    browser.is_writable = True
    (welcome,) = browser.hear()
    assert (welcome["type"], welcome["resumed"], welcome["rev"]) == ("welcome", False, store.revision)
    assert [control["id"] for control in welcome["controls"]] == [kept.id]
    store.set(kept, 0.5, OSC, 0.0)
    browser.now += 1.0
    (update,) = browser.hear()
    assert update["values"] == [[kept.id, 0.5]]


# Meters


def test_meters_go_only_to_pages_that_show_them(store: Store, browser: Browser) -> None:
    meter = add(store, "/level", kind="meter")
    browser.hello()
    store.set(meter, -12.0, OSC, 0.0)
    assert browser.hear() == []  # a meter is no part of the log
    assert browser.session.poll_meters({meter}) is None
    browser.say("show", ids=[meter.id])
    frame = browser.session.poll_meters({meter})
    assert frame is not None
    assert json.loads(frame) == {"type": "meters", "values": [[1, -12.0]]}


# Bad input


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "bad_message"),
        ("{", "bad_message"),
        ("[]", "bad_message"),
        ("null", "bad_message"),
        ('{"type": 7}', "bad_message"),
        ('{"type": "dance"}', "unknown_type"),
        ('{"type": "set"}', "bad_message"),
        ('{"type": "set", "values": [[1]]}', "bad_message"),
        ('{"type": "set", "values": [[1, NaN]]}', "bad_message"),
        ('{"type": "set", "n": "x", "values": []}', "bad_message"),
        ("[" * 50_000, "bad_message"),
        ('{"type": "ack", "rev": 1000}', "bad_message"),
        ('{"type": "set", "values": [[1, "' + "x" * MAX_MESSAGE_BYTES + '"]]}', "too_large"),
    ],
)
def test_bad_input_is_answered_and_changes_nothing(store: Store, browser: Browser, text: str, code: str) -> None:
    add(store, "/a")
    browser.hello()
    revision = store.revision
    assert browser.session.receive(text, 0.0) is None
    assert [message["code"] for message in browser.hear()] == [code]
    assert store.revision == revision


def test_a_malformed_set_is_answered_by_its_number(browser: Browser) -> None:
    browser.hello()
    browser.say("set", n=9, values="all")
    error, applied = browser.hear()
    assert (error["n"], applied) == (9, {"type": "applied", "n": 9})


def test_errors_for_who_does_not_read_are_bounded(browser: Browser) -> None:
    browser.hello()
    for _ in range(1000):
        browser.say("dance")
    messages = browser.hear()
    assert len(messages) == 33
    assert messages[-1]["message"] == "968 more errors are not listed"


# Pace


def test_nothing_is_written_behind_a_full_buffer(store: Store, browser: Browser, volume: Entry) -> None:
    browser.hello()
    browser.is_writable = False
    for value in range(100):
        store.set(volume, value / 100, OSC, 0.0)
        assert browser.hear() == []
    browser.is_writable = True
    assert browser.hear() == [{"type": "update", "rev": store.revision, "values": [[1, 0.99]]}]


def test_a_browser_that_does_not_ack_gets_its_window_and_then_one_frame_a_second(
    store: Store, browser: Browser, volume: Entry
) -> None:
    browser.hello()  # the first of 16
    sent = 0
    for step in range(250):
        browser.now = step * 0.01
        store.set(volume, step / 250, OSC, browser.now)
        sent += len(browser.hear())
    assert sent == 15 + 1


def test_before_the_first_ack_a_few_frames_go_at_once_and_nothing_freezes(
    store: Store, browser: Browser, volume: Entry
) -> None:
    browser.hello()
    left = []
    for step in range(250):  # half a second, the round trip of a link that has not told it yet
        browser.now = step * 0.002
        store.set(volume, (step + 1) / 250, OSC, browser.now)
        if browser.hear():
            left.append(browser.now)
    assert left[:2] == [0.0, 0.002]
    assert max(after - before for before, after in itertools.pairwise([*left, 0.5])) < 0.1
    assert len(left) < 10  # with the welcome no more than TCP sends ahead at first


def test_after_a_black_out_the_first_old_ack_lets_the_truth_go(store: Store, browser: Browser, volume: Entry) -> None:
    cut(browser, store, volume)
    store.set(volume, 0.99, OSC, browser.now)
    assert browser.hear() == []
    browser.say("ack", rev=browser.session.revision - 1)  # one before the last: the last is still under way
    assert browser.hear() == [{"type": "update", "rev": store.revision, "values": [[volume.id, 0.99]]}]


def cut(browser: Browser, store: Store, entry: Entry) -> None:
    """A link of 10 ms is cut during a motion; 0.7 s later we have sent nothing for a while."""
    browser.hello()
    browser.now += 0.01
    browser.ack()
    drive(browser, store, entry, 0.01, 1.0)
    start = browser.now
    for step in range(70):
        browser.now = start + step * 0.01
        store.set(entry, step / 100, OSC, browser.now)
        browser.hear()


def test_what_was_kept_back_comes_merged(store: Store, browser: Browser, volume: Entry) -> None:
    pan = add(store, "/pan", range=(-1, 1))
    browser.hello()
    for step in range(40):
        store.set(volume, step / 100, OSC, 0.0)
        store.set(pan, step / 100, OSC, 0.0)
        browser.hear()
    browser.ack()
    browser.now = 1.1
    assert browser.hear()[0]["values"] == [[volume.id, 0.39], [pan.id, 0.39]]


def drive(browser: Browser, store: Store, entry: Entry, trip_s: float, seconds: float) -> list[float]:
    """Change one control at 100 Hz, ack each frame after ``trip_s``; when frames left."""
    under_way: list[tuple[float, int]] = []
    left = []
    for step in range(round(seconds * 500)):
        browser.now += 0.002
        while under_way and under_way[0][0] <= browser.now:
            browser.say("ack", rev=under_way.pop(0)[1])
        if step % 5 == 0:
            store.set(entry, (step % 97) / 97, OSC, browser.now)
        if browser.hear():
            left.append(browser.now)
            under_way.append((browser.now + trip_s, browser.session.revision))
    return left


@pytest.mark.parametrize("trip_s", [0.002, 0.05, 0.3, 0.5])
def test_a_long_round_trip_does_not_freeze(store: Store, browser: Browser, volume: Entry, trip_s: float) -> None:
    browser.hello()
    browser.now += trip_s
    browser.ack()
    left = drive(browser, store, volume, trip_s, 5.0)
    gaps = [after - before for before, after in itertools.pairwise(left)]
    assert max(gaps) < 0.1
    assert len(left) > 100


def test_a_link_that_becomes_slow_gets_less(store: Store, browser: Browser, volume: Entry) -> None:
    browser.hello()
    browser.now += 0.01
    browser.ack()
    quick = drive(browser, store, volume, 0.01, 2.0)
    drive(browser, store, volume, 0.8, 1.0)
    slow = drive(browser, store, volume, 0.8, 4.0)
    assert len(quick) > 150
    assert len(slow) < 10


def test_a_client_without_acks_is_paced_by_its_buffer_alone(store: Store, browser: Browser, volume: Entry) -> None:
    browser.hello(acks=False)
    sent = 0
    for step in range(100):
        store.set(volume, (step + 1) / 100, OSC, 0.0)
        sent += len(browser.hear())
    assert sent == 100


def test_a_ping_is_an_ack_too_and_its_pong_says_how_rare_acks_are(
    store: Store, shared: Shared, browser: Browser, volume: Entry
) -> None:
    browser.hello()
    store.set(volume, 0.5, OSC, 0.0)
    browser.hear()
    assert browser.session.status()["frames_under_way"] == 2
    shared.ack_s, shared.ping_s = ack_s_for(100), ping_s_for(100)
    browser.say("ping", t=1, rev=store.revision)
    assert browser.session.status()["frames_under_way"] == 0
    assert browser.hear() == [{"type": "pong", "t": 1.0, "ack_ms": 200, "ping_ms": 2000}]
    browser.say("ping", t=2, rev=store.revision + 1)
    assert [message["type"] for message in browser.hear()] == ["pong", "error"]


class Kernel(Browser):
    """A browser whose TCP says how many bytes its other end has not taken."""

    def __init__(self, shared: Shared, trip_s: float = 0.01) -> None:
        super().__init__(shared)
        self.queued = 0
        self.session = Session(shared, "c1", EVERYTHING, unacknowledged=lambda: self.queued)
        self.hello()
        self.now = trip_s
        self.ack()

    def play(self, store: Store, entry: Entry, seconds: float, is_cut: bool = False) -> list[float]:
        """60 moves a second, and no ack; when frames left."""
        start, left = self.now, []
        for step in range(round(seconds * 60)):
            self.now = start + step / 60
            store.set(entry, (step + 1) % 97 / 97, OSC, self.now)
            for frame in self.hear():
                left.append(self.now - start)
                if is_cut:
                    self.queued += len(json.dumps(frame))
        return left


def test_while_little_is_under_way_a_second_may_pass_without_an_ack(
    store: Store, shared: Shared, volume: Entry
) -> None:
    browser = Kernel(shared)
    left = browser.play(store, volume, 0.6)
    assert len(left) == 36  # some 50 bytes each
    assert browser.session.status()["frames_under_way"] == 18  # two that are so short and close count as one
    browser.say("ack", rev=store.revision, held=500)
    assert browser.session.status()["round_trip_ms"] == 0.0


def test_over_a_long_round_trip_even_little_is_spread(store: Store, shared: Shared, volume: Entry) -> None:
    """TCP starts with ten packets: what is more at once stands still for a round trip."""
    left = Kernel(shared, trip_s=0.5).play(store, volume, 0.5)
    assert 8 <= len(left) <= 14


def test_a_cut_link_is_noticed_by_its_tcp_as_soon_as_with_acks(store: Store, shared: Shared, volume: Entry) -> None:
    browser = Kernel(shared)
    browser.play(store, volume, 0.5)
    left = browser.play(store, volume, 2.0, is_cut=True)
    assert 0.2 < max(at for at in left if at < 1.0) < 0.3  # then one a second, as ever
    window = browser.session.window
    assert window.is_held_back(browser.now)
    window.look_at_link()
    for value in (0.97, 0.98, 0.99):  # TCP's first steps let one frame go, and no more before an ack
        browser.queued -= 1
        window.look_at_link()
        store.set(volume, value, OSC, browser.now)
        heard = browser.hear()
        assert [message["values"] for message in heard] == ([[[volume.id, 0.97]]] if value == 0.97 else [])


def test_a_cut_is_noticed_as_soon_when_more_is_sent_into_it(store: Store, shared: Shared) -> None:
    browser = Kernel(shared)
    text = add(store, "/text", kind="string", max_length=1000)
    left = []
    for step in range(60):
        browser.now = 1 + step / 60
        store.set(text, f"{step:03}" * 40, OSC, browser.now)
        for frame in browser.hear():
            left.append(browser.now - 1)
            browser.queued += len(json.dumps(frame))
    assert 0.24 < max(left) < 0.3  # light, and no ack is due: what TCP keeps says it


def test_a_page_that_acks_nothing_is_sent_little_though_its_tcp_takes_all(
    store: Store, shared: Shared, volume: Entry
) -> None:
    browser = Kernel(shared)
    left = browser.play(store, volume, 3.0)
    assert len(left) < LIGHT_BYTES / 50 + FIRST_WINDOW + 3
    assert max(after - before for before, after in itertools.pairwise(left)) > 0.9


def test_a_rare_ack_opens_the_window_as_far_as_several(store: Store, shared: Shared) -> None:
    browser = Kernel(shared)
    text = add(store, "/text", kind="string", max_length=1000)
    for step in range(9):
        browser.now += 0.02
        store.set(text, f"{step}" * 900, OSC, browser.now)
        assert len(browser.hear()) == 1
    browser.say("ack", rev=store.revision)
    assert browser.session.status()["window"] == FIRST_WINDOW + 1 + 3


def test_pongs_are_merged_while_nothing_can_be_written(browser: Browser) -> None:
    browser.hello()
    browser.is_writable = False
    for t in range(1000):
        browser.say("ping", t=t)
        assert browser.hear() == []
    browser.is_writable = True
    assert browser.hear() == [{"type": "pong", "t": 999.0, "ack_ms": 50, "ping_ms": 1000}]


def test_a_pong_that_goes_with_news_goes_once(store: Store, browser: Browser, volume: Entry) -> None:
    browser.hello()
    for t in (1, 2):
        browser.now += 1.0
        browser.ack()
        browser.say("ping", t=t)
        store.set(volume, t / 4, OSC, browser.now)
        assert [message["type"] for message in browser.hear()] == ["update", "pong"]
        browser.now += 1.0
        browser.say("set", n=t, values=[[volume.id, t / 3]])
        assert [message["type"] for message in browser.hear()] == ["update", "applied"]


def test_idle_means_that_there_is_nothing_to_say(store: Store, browser: Browser, volume: Entry) -> None:
    browser.hello()
    assert browser.session.is_idle
    browser.say("ack", rev=store.revision)
    assert browser.session.is_idle
    store.set(volume, 0.5, OSC, 0.0)
    assert not browser.session.is_idle


# The monitor


def watched(shared: Shared, address: str, peer: str = "max") -> None:
    for watch in shared.monitor.takers(peer, address, 1000.0):
        watch.put(Line(1000.0, "in", "osc", peer, "127.0.0.1:9001", 16, address=address))


def test_the_monitor_is_told_to_who_subscribes_and_until_it_goes(shared: Shared) -> None:
    browser = Browser(shared, role="admin")
    browser.hello()
    assert not shared.monitor.is_watched
    browser.say("subscribe", what=["monitor"], peer="max", address="/mixer")
    assert shared.monitor.is_watched
    for peer, address in (("max", "/mixer/1"), ("pd", "/mixer/1"), ("max", "/cutoff")):
        watched(shared, address, peer)
    frame = browser.session.asides.poll()
    assert frame is not None
    (line,) = json.loads(frame)["lines"]
    assert (line["peer"], line["address"]) == ("max", "/mixer/1")
    assert browser.session.asides.poll() is None
    assert browser.session.is_idle  # it is no news: no revision, no ack
    browser.session.asides.unsubscribe()
    assert not shared.monitor.is_watched


def test_a_subscription_replaces_the_one_before(shared: Shared) -> None:
    browser = Browser(shared, role="admin")
    browser.hello()
    browser.say("subscribe", what=["monitor"], address="/a")
    browser.say("subscribe", what=["monitor"], address="/b")
    assert len(shared.monitor) == 1
    watched(shared, "/b")
    browser.say("subscribe", what=["monitor"], address="/b")
    assert browser.session.asides.poll() is not None  # the same again loses nothing
    watched(shared, "/a")
    assert browser.session.asides.poll() is None
    browser.say("subscribe", what=[])
    assert not shared.monitor.is_watched


def test_only_so_many_watch_the_monitor_and_no_bad_pattern(shared: Shared) -> None:
    browsers = [Browser(shared, f"c{number}", "admin") for number in range(MAX_WATCHERS + 1)]
    for browser in browsers:
        browser.hello()
        browser.say("subscribe", what=["monitor"])
    (refusal,) = browsers[-1].hear()
    assert refusal["code"] == "too_many"
    browsers[0].say("subscribe", what=["monitor"], address="/a[")
    (refusal,) = browsers[0].hear()
    assert refusal["code"] == "bad_value"
    assert len(shared.monitor) == MAX_WATCHERS - 1


@pytest.mark.parametrize("role", ["view", "control"])
def test_only_admins_see_the_monitor(shared: Shared, role: Role) -> None:
    browser = Browser(shared, role=role)
    browser.hello()
    browser.say("subscribe", what=["monitor"])
    (refusal,) = browser.hear()
    assert refusal["code"] == "not_allowed"
    assert not shared.monitor.is_watched


# What a device may do


def test_whom_nobody_has_let_in_is_told_so_and_closed(shared: Shared, volume: Entry) -> None:
    stranger = Browser(shared)
    stranger.session = Session(shared, "c1", None)
    assert stranger.say("hello", token="guessed") == Close(NOT_PAIRED, "not_paired")
    assert [message["code"] for message in stranger.hear()] == ["not_paired"]
    assert not stranger.session.welcomed


def test_a_token_in_hello_says_what_its_device_may_do(shared: Shared) -> None:
    shared.admit = {"secret": Grant("view", device="d1")}.get
    browser = Browser(shared)
    browser.session = Session(shared, "c1", None)
    assert browser.hello(token="secret")["role"] == "view"
    assert browser.session.grant == Grant("view", device="d1")
    known = Browser(shared, role="control")
    assert known.hello(token="of another house")["role"] == "control"


def test_another_grant_is_told_in_a_new_welcome(store: Store, shared: Shared, volume: Entry) -> None:
    browser = Browser(shared, role="admin")
    browser.hello()
    browser.say("touch", ids=[volume.id])
    browser.say("subscribe", what=["monitor", "learn"])
    browser.say("learn", id=volume.id)
    browser.hear()
    browser.session.set_grant(Grant("admin"), 0.0)
    assert browser.session.is_idle
    browser.session.set_grant(Grant("view"), 0.0)
    assert not volume.holders
    assert shared.learning.armed is None
    assert browser.session.asides.is_empty
    assert not shared.monitor.is_watched
    (welcome,) = browser.hear()
    assert (welcome["type"], welcome["role"], welcome["resumed"]) == ("welcome", "view", False)
    assert welcome["rev"] == store.revision
    browser.say("set", n=1, values=[[volume.id, 0.9]])
    assert browser.hear()[0]["code"] == "not_allowed"
    browser.ack()
    store.set(volume, 0.5, OSC, 0.0)
    assert browser.hear()[0]["values"] == [[volume.id, 0.5]]


def test_a_page_of_somebodys_own_is_never_admin() -> None:
    assert Grant("admin", device="d1").for_page() == Grant("control", device="d1", is_page=True)
    assert Grant("view").for_page().role == "view"
