"""The monitor's watchers: filters, rate, bounds. Lines of OSC are in test_osctap, its frames in test_session."""

import json
from typing import Any

import pytest

from bridge import frames
from bridge.errors import OscError
from bridge.monitor import (
    LINES_PER_S,
    LOOK_UPS_PER_S,
    MAX_KNOWN,
    MAX_WAITING,
    MAX_WATCHERS,
    Line,
    Monitor,
)


class Looker:
    """Somebody who watches, and how often there was reason to fetch."""

    def __init__(self, monitor: Monitor, peer: str | None = None, address: str | None = None) -> None:
        self.woken = 0
        watch = monitor.watch(peer, address, self._wake)
        assert watch is not None
        self.watch = watch

    def _wake(self) -> None:
        self.woken += 1

    def fetch(self) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(frames.monitor(self.watch))
        return frame

    def addresses(self) -> list[str]:
        return [line.get("address", "") for line in self.fetch()["lines"]]


def note(monitor: Monitor, address: str | None, peer: str = "max", now: float = 1000.0) -> None:
    for watch in monitor.takers(peer, address, now):
        watch.put(Line(now, "in", "osc", peer, "127.0.0.1:9001", 16, address=address or ""))


def test_nobody_watches_until_somebody_does() -> None:
    monitor = Monitor()
    assert not monitor.is_watched
    one, two = Looker(monitor), Looker(monitor)
    assert monitor.is_watched
    monitor.unwatch(one.watch)
    monitor.unwatch(one.watch)
    assert monitor.is_watched
    monitor.unwatch(two.watch)
    assert not monitor.is_watched


def test_each_sees_what_it_asked_for() -> None:
    monitor = Monitor()
    everything, of_pd = Looker(monitor), Looker(monitor, peer="pd")
    mixer, volumes = Looker(monitor, address="mixer"), Looker(monitor, address="/mixer/*/volume")
    for peer, address in (("max", "/mixer/1/volume"), ("pd", "/mixer/1/mute"), ("pd", "/cutoff"), ("pd", None)):
        note(monitor, address, peer)
    assert everything.addresses() == ["/mixer/1/volume", "/mixer/1/mute", "/cutoff", ""]
    assert of_pd.addresses() == ["/mixer/1/mute", "/cutoff", ""]
    assert mixer.addresses() == ["/mixer/1/volume", "/mixer/1/mute"]
    assert volumes.addresses() == ["/mixer/1/volume"]


def test_what_waits_wakes_once() -> None:
    monitor = Monitor()
    looker = Looker(monitor)
    for _ in range(3):
        note(monitor, "/a")
    assert looker.woken == 1
    assert len(looker.addresses()) == 3
    note(monitor, "/a")
    assert looker.woken == 2


def test_a_slow_watcher_keeps_a_bounded_number_and_is_told_how_many_it_lost() -> None:
    monitor = Monitor()
    looker = Looker(monitor)
    for number in range(MAX_WAITING * 4):
        note(monitor, "/a", now=1000.0 + number)  # slow enough for the rate: it is the watcher that does not fetch
    lines, lost = 0, 0
    while not looker.watch.is_empty:
        frame = looker.fetch()
        lines, lost = lines + len(frame["lines"]), lost + frame.get("lost", 0)
    assert (lines, lost) == (MAX_WAITING, MAX_WAITING * 3)


def test_a_flood_is_shown_at_its_cap_and_the_rest_counted() -> None:
    monitor = Monitor()
    looker = Looker(monitor)
    shown = lost = 0
    for number in range(40_000):  # two seconds of 20,000 a second
        note(monitor, "/a", now=1000.0 + number / 20_000)
        if number % 1000 == 999:
            while not looker.watch.is_empty:
                frame = looker.fetch()
                shown, lost = shown + len(frame["lines"]), lost + frame.get("lost", 0)
    assert shown + lost == 40_000
    assert shown == pytest.approx(MAX_WAITING + 2 * LINES_PER_S, abs=2)


def test_a_flood_elsewhere_does_not_cost_a_filter_its_lines() -> None:
    monitor = Monitor()
    looker = Looker(monitor, address="/go")
    for _ in range(5000):
        note(monitor, "/fader")
    note(monitor, "/go")
    frame = looker.fetch()
    assert [line["address"] for line in frame["lines"]] == ["/go"]
    assert "lost" not in frame


def test_new_addresses_without_end_are_looked_at_within_a_budget() -> None:
    monitor = Monitor()
    looker = Looker(monitor, address="/mixer/*/volume")
    for number in range(LOOK_UPS_PER_S + 100):
        note(monitor, f"/junk/{number}")
    assert looker.fetch() == {"type": "monitor", "lines": [], "lost": 100}
    note(monitor, "/mixer/1/volume", now=1001.0)
    assert looker.addresses() == ["/mixer/1/volume"]
    for second in range(1, 4):
        for number in range(LOOK_UPS_PER_S):
            note(monitor, f"/more/{second}/{number}", now=1001.0 + second)
    assert len(looker.watch._known) <= MAX_KNOWN


def test_an_address_longer_than_any_controls_is_not_looked_at() -> None:
    monitor = Monitor()
    looker = Looker(monitor, address="//volume")
    deep = "/a" * 30_000 + "/volume"
    assert deep.startswith("/a")
    note(monitor, deep)
    note(monitor, "/a/volume")
    assert looker.addresses() == ["/a/volume"]
    assert deep not in looker.watch._known


def test_a_frame_takes_only_so_many_lines() -> None:
    monitor = Monitor()
    looker = Looker(monitor)
    for watch in monitor.takers("max", "/a", 1000.0) * 100:
        watch.put(Line(1000.0, "in", "osc", "max", "here", 9000, address="/a", args=["\x01" * 200] * 32))
    sizes = []
    while not looker.watch.is_empty:
        sizes.append(len(frames.monitor(looker.watch)))
    assert len(sizes) > 2
    assert max(sizes) < frames.MAX_FRAME_BYTES / 2


def test_only_so_many_may_watch() -> None:
    monitor = Monitor()
    lookers = [Looker(monitor) for _ in range(MAX_WATCHERS)]
    assert monitor.watch(None, None, lambda: None) is None
    monitor.unwatch(lookers[0].watch)
    Looker(monitor)


def test_what_is_no_pattern_is_refused() -> None:
    monitor = Monitor()
    with pytest.raises(OscError):
        monitor.watch(None, "/mixer/[1", lambda: None)
    assert not monitor.is_watched
