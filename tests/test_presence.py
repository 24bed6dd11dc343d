"""Controls whose peers are all gone are marked."""

from dataclasses import dataclass

from bridge.control import Control
from bridge.presence import Presence
from bridge.store import Change, Entry, Store


@dataclass
class Program:
    name: str
    paths: tuple[str, ...]
    is_gone: bool = False
    is_awaited: bool = False

    def takes(self, entry: Entry) -> bool:
        return entry.path in self.paths


def stage(*peers: Program) -> tuple[Store, Presence, list[list[Change]]]:
    store = Store("e")
    told: list[list[Change]] = []
    for path in ("/a", "/b", "/c"):
        store.add(Control(path=path), now=0.0)
    store.subscribe(lambda changes: told.append(list(changes)))
    presence = Presence(store)
    for peer in peers:
        presence.join(peer)
    return store, presence, told


def marks(store: Store) -> list[str | None]:
    return [entry.marks.get("silent") for entry in store]


def test_what_has_one_peer_is_silent_with_it_and_told_at_once() -> None:
    live = Program("Live", ("/a", "/b"), is_gone=True)
    store, presence, told = stage(live)
    presence.changed(live, 1.0)
    assert marks(store) == ["Live", "Live", None]
    assert [len(changes) for changes in told] == [2]
    live.is_gone = False
    presence.changed(live, 2.0)
    assert marks(store) == [None, None, None]
    presence.changed(live, 3.0)
    assert len(told) == 2


def test_what_waits_for_who_was_never_there_is_awaited_and_silent_where_anybody_has_gone() -> None:
    live, desk = Program("Live", ("/a", "/b"), is_gone=True, is_awaited=True), Program("desk", ("/b",), is_gone=True)
    store, presence, _ = stage(live, desk)
    presence.changed(live, 1.0)
    assert marks(store) == [None, "Live, desk", None]
    assert [entry.marks.get("awaited") for entry in store] == ["Live", None, None]
    live.is_awaited = False
    presence.changed(live, 2.0)
    assert marks(store) == ["Live", "Live, desk", None]
    live.is_gone = desk.is_gone = False
    presence.changed(live, 3.0)
    presence.changed(desk, 3.0)
    assert [dict(entry.marks) for entry in store] == [{}, {}, {}]


def test_what_still_reaches_somebody_is_not_silent() -> None:
    live, desk = Program("Live", ("/a", "/b"), is_gone=True), Program("desk", ("/b",))
    store, presence, _ = stage(live, desk)
    presence.changed(live, 1.0)
    assert marks(store) == ["Live", None, None]
    desk.is_gone = True
    presence.changed(desk, 2.0)
    assert marks(store) == ["Live", "Live, desk", None]
    live.is_gone = False
    presence.changed(live, 3.0)
    assert marks(store) == [None, None, None]


def test_a_control_that_comes_later_is_marked_too() -> None:
    live = Program("Live", ("/late",), is_gone=True)
    store, presence, _ = stage(live)
    late = store.add(Control(path="/late"), now=1.0)
    presence.added(late, 1.0)
    assert late.marks == {"silent": "Live"}
