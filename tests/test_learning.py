"""What waits for a hand, what is learnt, and what browsers say and are told of it."""

import tomllib
from typing import Any

import pytest

from bridge.access import Role
from bridge.control import Control
from bridge.errors import BadControl
from bridge.frames import Frames
from bridge.learning import MAX_LEARNT, Learning, Learnt, bindings_toml
from bridge.midi.settings import Binding
from bridge.session import Shared
from bridge.store import Store

from .test_session import Browser

LEVEL = Control(path="/level")


@pytest.fixture
def learning() -> Learning:
    made = Learning()
    made.teachers.add("nano")
    return made


def arm(learning: Learning, control: Control = LEVEL, component: int | None = None, by: str = "c1") -> None:
    learning.arm(control, component, by, "FOH iPad")


def learn(learning: Learning, control: Control = LEVEL, **table: Any) -> Learnt | None:
    arm(learning, control)
    return learning.learn("nano", table, Binding.model_validate(table))


def test_what_is_learnt_is_added_and_forgotten_one_by_one(learning: Learning) -> None:
    first, second = learn(learning, cc=7), learn(learning, cc=8)
    assert first is not None
    assert second is not None
    assert [binding.cc for binding in learning.of("nano", "/level")] == [7, 8]
    assert learning.forget(first.number) is first
    assert [binding.cc for binding in learning.of("nano", "/level")] == [8]
    assert learning.forget(first.number) is None
    learning.forget(second.number)
    assert learning.of("nano", "/level") == ()


def test_the_same_move_is_learnt_once(learning: Learning) -> None:
    assert learn(learning, cc=7) is not None
    assert learn(learning, cc=7) is None
    assert learning.to_wire()["state"] == "learnt"
    assert len(learning) == 1


REFUSED = {
    "a string cannot be carried by MIDI messages": (Control(path="/s", kind="string"), None),
    "a color cannot be carried by MIDI messages": (Control(path="/c", kind="color"), None),
    "what hardware says of it is not heard": (Control(path="/w", access="write"), None),
    "say which of the 2 is to be learnt, from 0": (Control(path="/v", kind="vector"), 2),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_no_hardware_can_move_is_not_armed(learning: Learning, why: str) -> None:
    with pytest.raises(BadControl, match=why):
        arm(learning, *REFUSED[why])
    assert learning.armed is None


def test_without_a_device_nothing_is_armed() -> None:
    with pytest.raises(BadControl, match="there is no MIDI device in the configuration"):
        arm(Learning())


def test_there_is_a_most(learning: Learning) -> None:
    learning.restore(("nano", f"/{number}", {"cc": 7}, Binding(cc=7)) for number in range(MAX_LEARNT))
    with pytest.raises(BadControl, match="forget one"):
        arm(learning)


def test_who_arms_last_has_it_and_only_that_one_can_disarm(learning: Learning) -> None:
    arm(learning, by="c1")
    arm(learning, Control(path="/other"), by="c2")
    learning.disarm("c1")
    assert learning.armed is not None
    assert learning.armed.control.path == "/other"
    learning.disarm("c2")
    assert learning.armed is None


def test_ports_are_told_what_has_come_and_gone(learning: Learning) -> None:
    told: list[Learnt | None] = []
    end = learning.subscribe(told.append)
    made = learn(learning, cc=7)
    assert told == [None, made]  # armed, learnt
    assert made is not None
    learning.forget(made.number)
    end()
    learn(learning, cc=8)
    assert told == [None, made, made]


def test_bindings_are_written_as_a_configuration_has_them() -> None:
    text = bindings_toml([
        ("/xy", "nano", {"cc": 1, "component": 0}), ("/level", "a b", {"bend": True, "touch": 104}),
        ("/xy", "nano", {"cc": 2, "relative": "sign"}),
    ])  # fmt: skip
    assert text.startswith('[[control]]\npath = "/xy"\n[[control.midi.nano]]\ncc = 1\ncomponent = 0\n')
    assert tomllib.loads(text) == {"control": [
        {"path": "/xy", "midi": {"nano": [{"cc": 1, "component": 0}, {"cc": 2, "relative": "sign"}]}},
        {"path": "/level", "midi": {"a b": [{"bend": True, "touch": 104}]}},
    ]}  # fmt: skip


# Browsers


@pytest.fixture
def shared(learning: Learning) -> Shared:
    store = Store("k3x9")
    store.add(LEVEL, now=0.0)
    store.add(Control(path="/name", kind="string"), now=0.0)
    return Shared(store, Frames(store), "Show", "0.1.0", learning=learning)


@pytest.fixture
def admin(shared: Shared) -> Browser:
    browser = Browser(shared, role="admin")
    browser.hello()
    browser.say("subscribe", what=["learn"])
    assert told(browser) == {"type": "learning", "state": "idle", "bindings": [], "toml": ""}
    return browser


def told(browser: Browser) -> Any:
    """The latest `learning`."""
    import json

    frame = browser.session.asides.poll()
    return None if frame is None else json.loads(frame)


def test_a_browser_arms_and_is_told_what_becomes_of_it(learning: Learning, admin: Browser) -> None:
    admin.say("learn", id=1)
    armed = told(admin)
    assert (armed["state"], armed["path"], armed["client"]) == ("waiting", "/level", "c1")
    learning.hear("nano: cc 7 on channel 1: go on moving it.")
    learning.hear("nano: cc 7 on channel 1: go on moving it.")
    assert (told(admin)["state"], told(admin)) == ("hearing", None)  # once
    learning.learn("nano", {"cc": 7}, Binding(cc=7))
    assert told(admin) == {
        "type": "learning", "state": "learnt", "path": "/level", "client": "c1", "text": "nano: cc = 7",
        "bindings": [{"binding": 1, "path": "/level", "text": "nano: cc = 7"}],
        "toml": '[[control]]\npath = "/level"\n[[control.midi.nano]]\ncc = 7\n',
    }  # fmt: skip
    admin.say("forget", bindings=[1, 99])
    assert told(admin)["bindings"] == []


def test_what_cannot_be_learnt_is_an_error(admin: Browser) -> None:
    admin.say("learn", id="/name")
    admin.say("learn", id="/nobody")
    errors = [(one["code"], one["message"]) for one in admin.hear()]
    assert errors == [
        ("bad_value", "/name: a string cannot be carried by MIDI messages"),
        ("unknown_control", "no control /nobody"),
    ]


@pytest.mark.parametrize("message", [{"what": []}, {"what": ["monitor"]}])
def test_who_stops_listening_learns_no_more(learning: Learning, admin: Browser, message: dict[str, Any]) -> None:
    admin.say("learn", id=1)
    admin.say("subscribe", **message)
    assert learning.armed is None
    assert told(admin) is None


def test_learning_and_the_monitor_go_together(shared: Shared, admin: Browser) -> None:
    admin.say("learn", id=1)
    admin.say("subscribe", what=["learn", "monitor"])
    assert shared.learning.armed is not None
    assert shared.monitor.is_watched
    assert told(admin)["state"] == "waiting"
    admin.session.asides.unsubscribe()
    assert not shared.monitor.is_watched


def test_no_id_and_the_end_of_the_connection_disarm(learning: Learning, admin: Browser) -> None:
    admin.say("learn", id=1)
    admin.say("learn")
    assert learning.armed is None
    admin.say("learn", id=1)
    admin.session.close(1.0)
    assert learning.armed is None


@pytest.mark.parametrize("role", ["control", "view"])
@pytest.mark.parametrize(
    "message", [("subscribe", {"what": ["learn"]}), ("learn", {"id": 1}), ("forget", {"bindings": [1]})]
)
def test_only_admins_learn(shared: Shared, role: Role, message: tuple[str, dict[str, Any]]) -> None:
    learn(shared.learning, cc=7)
    browser = Browser(shared, role=role)
    browser.hello()
    browser.say(message[0], **message[1])
    assert [one["code"] for one in browser.hear()] == ["not_allowed"]
    assert shared.learning.armed is None
    assert len(shared.learning) == 1
    assert told(browser) is None
