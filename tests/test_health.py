"""What is wrong, and what was dropped."""

from typing import Any

from bridge.health import LastMessages, drops, reasons

WELL: dict[str, Any] = {
    "config": {"file": "show.toml", "trouble": ""},
    "state": {"state": "saved"},
    "ports": [{"name": "osc live", "state": "open", "text": ""}],
    "peers": [{"name": "live", "state": "online", "text": "heard"}, {"name": "max", "state": "connecting", "text": ""}],
}


def test_nothing_is_wrong() -> None:
    assert reasons(WELL) == []
    assert reasons({**WELL, "state": {"state": "off"}}) == []


def test_everything_is_wrong_and_said() -> None:
    ill = {
        "config": {"file": "show.toml", "trouble": "osc[0].listen: no port"},
        "state": {"state": "unsaved: the disk is full"},
        "ports": [{"name": "osc live", "state": "trying again", "text": "UDP 9000 is taken by max"}],
        "peers": [{"name": "live", "state": "silent", "text": "nothing heard for 3 s"}],
    }
    assert reasons(ill) == [
        "the configuration has mistakes: osc[0].listen: no port",
        "moves are not saved: the disk is full",
        "osc live: UDP 9000 is taken by max",
        "live silent: nothing heard for 3 s",
    ]


def test_drops_are_counted_by_cause() -> None:
    entry = {"bad": 1, "unknown": 2, "lost": 0, "dropped": None, "refused": {"allow": 7}, "received": 100}
    assert drops(entry) == {"bad": 1, "unknown": 2, "lost": 0, "allow": 7}


def test_when_a_peer_was_heard_and_sent_to_is_read_from_its_counters() -> None:
    last = LastMessages()
    last.note([{"name": "nano", "received": 0, "sent": 0}], 1.0)
    assert last.of("nano", 2.0) == {"heard_s_ago": None, "sent_s_ago": None}
    last.note([{"name": "nano", "received": 4, "sent": 0}], 3.0)
    last.note([{"name": "nano", "received": 4, "sent": 9}], 5.0)
    assert last.of("nano", 6.5) == {"heard_s_ago": 3.5, "sent_s_ago": 1.5}
    assert last.of("unknown", 6.5) == {"heard_s_ago": None, "sent_s_ago": None}
    last.note([], 7.0)
    assert last.of("nano", 8.0)["sent_s_ago"] is None
