"""Server messages of the browser protocol, as bytes, encoded once for all who need the same.

Browsers that were last sent the same revision get the very same bytes object. Pure: revisions and
``now`` in, JSON out. Every frame is at most MAX_FRAME_BYTES; a larger truth is told in parts, of
which only the last advances the revision, so that a cut between two parts loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import msgspec

from .learning import Learning
from .messages import MAX_MESSAGE_BYTES
from .metrics import EVERY_S, FIELDS, Metrics
from .monitor import Watcher
from .store import Change, Delta, Entry, Origin, Store
from .view import View

MAX_FRAME_BYTES = MAX_MESSAGE_BYTES
_PART_BYTES = MAX_FRAME_BYTES - 4096  # room for the envelope
_CACHE_LIFE_S = 0.1  # a frame with triggers ages: they live a second
_CACHE_SIZE = 64
_CACHE_BYTES = 4 * MAX_FRAME_BYTES
_MAX_ERROR_TEXT = 500  # characters
_WHOLE = 1024  # controls whose snapshot is encoded at one go before its size is known
_SHORT = 256  # values that are encoded at one go before their size is known
_MONITOR_BYTES = 32 * 1024  # of lines in one frame: what is droppable should not be in the way of what is not

Keys = Literal["id", "path"]
Pair = tuple[int | str, Any]

_encode = msgspec.json.Encoder().encode


def applied(n: int) -> bytes:
    return b'{"type":"applied","n":%d}' % n


def pong(t: float, ack_ms: int, ping_ms: int) -> bytes:
    """The answer to a page's ping, with how rarely it is to acknowledge and to ping from now on."""
    return _encode({"type": "pong", "t": t, "ack_ms": ack_ms, "ping_ms": ping_ms})


def error(code: str, message: str, n: int | None = None, path: str | None = None) -> bytes:
    """Both texts may quote what a client sent, and are cut."""
    out: dict[str, Any] = {"type": "error", "code": code, "message": message[:_MAX_ERROR_TEXT]}
    if n is not None:
        out["n"] = n
    if path is not None:
        out["path"] = path[:_MAX_ERROR_TEXT]
    return _encode(out)


def metrics(metrics: Metrics, told: int) -> bytes:
    """The rows after number ``told``, as far as they are kept, and how everything is now."""
    rows = metrics.since(told)
    return _encode(
        {"type": "metrics", "every_s": EVERY_S, "fields": FIELDS, "rows": rows, "health": metrics.health_now()}
    )


def monitor(watch: Watcher) -> bytes:
    """The oldest lines that wait for a watcher, as many as one frame takes; the others wait on."""
    lines: list[msgspec.Raw] = []
    room = _MONITOR_BYTES
    while room > 0 and (line := watch.take()) is not None:
        encoded = _encode(line)
        room -= len(encoded)
        lines.append(msgspec.Raw(encoded))
    message: dict[str, Any] = {"type": "monitor", "lines": lines}
    if lost := watch.take_lost():
        message["lost"] = lost
    return _encode(message)


def learning(state: Learning) -> bytes:
    """What is armed, what the hand seems to move, and all that is learnt."""
    return _encode({"type": "learning", **state.to_wire()})


def holder(origin: Origin | None) -> dict[str, str] | None:
    """Who holds a control, as browsers are told: ``client`` is an id, ``name`` is for people."""
    if origin is None:
        return None
    client = origin.name if origin.kind == "browser" else str(origin)
    return {"client": client, "name": origin.shown}


class News(NamedTuple):
    """What browsers at ``since`` that know so many ``triggers`` are told to be at ``revision``; true until then.
    ``frame`` is None where that is more than one, or a new welcome; b"" where there is nothing to tell."""

    since: int
    triggers: int
    revision: int
    until: float
    frame: bytes | None


_news: Callable[[tuple[int, int, int, float, bytes | None]], News] = partial(tuple.__new__, News)
"""``News(…)`` without a function of Python's."""


class Lens:
    """What all browsers share that see the same controls and call them the same; None: they see all of them."""

    __slots__ = ("keys", "latest", "view")

    def __init__(self, keys: Keys, view: View | None) -> None:
        self.keys = keys
        self.view = view
        self.latest = News(0, 0, -1, 0.0, None)
        """What was asked for last."""


class Frames:
    """Encodes what a store's log answers, and remembers it while it is true."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._descriptors: dict[int, tuple[Any, msgspec.Raw]] = {}
        self._cache: dict[tuple[int, int, Lens], list[bytes]] = {}
        self._cached_at = (-1, 0.0)
        self._cached_bytes = 0
        self._lenses: dict[str, Lens] = {}

    def lens(self, keys: Keys, view: View | None = None) -> Lens:
        """The one lens for this."""
        lenses = self._lenses if view is None else view.lenses
        if keys not in lenses:
            lenses[keys] = Lens(keys, view)
        return lenses[keys]

    def can_resume(self, revision: int, lens: Lens) -> bool:
        """True if ``updates`` from ``revision`` tell everything, what is not seen any more too."""
        return self._store.can_resume(revision) and (lens.view is None or revision >= lens.view.began)

    def updates(self, revision: int, triggers: int, lens: Lens, now: float) -> list[bytes]:
        """``update`` frames from ``revision`` to the store's; [] if there is nothing to tell."""
        store = self._store
        made_for, made_at = self._cached_at
        is_full = len(self._cache) >= _CACHE_SIZE or self._cached_bytes > _CACHE_BYTES
        if made_for != store.revision or is_full or not 0 <= now - made_at <= _CACHE_LIFE_S:
            self._cache.clear()
            self._cached_at = (store.revision, now)
            self._cached_bytes = 0
        key = (revision, triggers, lens)
        frames = self._cache.get(key)
        if frames is None:
            frames = self._cache[key] = self._values_alone(revision, triggers, lens)
            if not frames:
                delta = store.since(revision, triggers, now)
                if lens.view is not None:
                    delta = lens.view.narrowed(delta, revision)
                frames = self._cache[key] = self._update_frames(delta, revision, lens.keys)
            self._cached_bytes += sum(map(len, frames))
        return frames

    def news(self, revision: int, triggers: int, lens: Lens, now: float) -> News:
        """``updates`` where that is one frame, or none. It is the lens's ``latest`` then: in one pass nearly all
        browsers ask for the same, and get the very same bytes."""
        latest = lens.latest
        if latest[:3] == (revision, triggers, self._store.revision) and now <= latest.until:
            return latest
        frame: bytes | None = None
        until = now + _CACHE_LIFE_S
        entry = self._store.only_value_since(revision, triggers) if lens.view is None and lens.keys == "id" else None
        if entry is not None and type(entry.value) is float:  # a fader has moved: eight functions less, see Cold code
            value = _encode(entry.value)
            frame = b'{"type":"update","rev":%d,"values":[[%d,%b]]}' % (self._store.revision, entry.id, value)
        elif self._store.can_resume(revision) and (lens.view is None or revision >= lens.view.began):
            frames = self.updates(revision, triggers, lens, now)
            until = self._cached_at[1] + _CACHE_LIFE_S
            if len(frames) < 2:
                frame = frames[0] if frames else b""
        lens.latest = latest = _news((revision, triggers, self._store.revision, until, frame))
        return latest

    def welcome(self, head: dict[str, Any], lens: Lens, now: float, resumed_at: int | None) -> list[bytes]:
        """``welcome`` with ``head``'s fields and the snapshot; without it for who resumes at a revision."""
        store = self._store
        message: dict[str, Any] = {"type": "welcome", **head, "epoch": store.epoch}
        if resumed_at is not None:
            return [_encode({**message, "rev": resumed_at, "resumed": True})]
        message |= {"rev": store.revision, "resumed": False}
        keys, view = lens.keys, lens.view
        surface = store.surface if view is None else view.surface
        message |= {"surface": surface or {"pages": []}, "controls": [], "values": []}
        delta = store.since(0, store.trigger_sequence, now)
        if view is not None:
            delta = view.narrowed(delta, 0)
        delta.removed, delta.surface = [], None
        delta.holds = [entry for entry in delta.holds if entry.holders]
        delta.marks = [entry for entry in delta.marks if entry.marks]
        if len(delta.described) <= _WHOLE:
            whole = self._whole(message, delta, keys)
            if len(whole) <= MAX_FRAME_BYTES:
                return [whole]
        return self._parts(message, delta, keys, partial_revision=0)

    def _whole(self, message: dict[str, Any], snapshot: Delta, keys: Keys) -> bytes:
        """The snapshot in one frame, however long: of 500 controls it costs a fifth of what ``_parts`` does."""
        entries = snapshot.described
        message = {
            **message,
            "controls": [self._descriptor(entry) for entry in entries],
            "values": self._values(entries, keys),
        }
        if snapshot.holds:
            message["holds"] = [(_key(entry, keys), holder(entry.holder)) for entry in snapshot.holds]
        if snapshot.marks:
            message["marks"] = [(_key(entry, keys), entry.marks) for entry in snapshot.marks]
        return _encode(message)

    def meters(self, entries: Iterable[Entry], keys: Keys) -> bytes:
        """Latest values of meters, outside the log."""
        return _encode({"type": "meters", "values": self._values(entries, keys)})

    def control(self, entry: Entry) -> dict[str, Any]:
        """One control as REST shows it: descriptor, id and value."""
        return {"id": entry.id, **entry.control.describe(), "value": entry.value}

    def _values_alone(self, revision: int, triggers: int, lens: Lens) -> list[bytes]:
        """The one frame where a few values changed and nothing else, as nearly always; [] elsewhere."""
        values = self._store.only_values_since(revision, triggers)
        if values and lens.view is not None:
            paths = lens.view.paths
            values = [entry for entry in values if entry.path in paths]
        if not values or len(values) > _SHORT:
            return []
        frame = b'{"type":"update","rev":%d,"values":%b}' % (
            self._store.revision,
            _encode(self._values(values, lens.keys)),
        )
        return [frame] if len(frame) <= MAX_FRAME_BYTES else []

    def _update_frames(self, delta: Delta, revision: int, keys: Keys) -> list[bytes]:
        if not delta:
            return []
        message: dict[str, Any] = {"type": "update", "rev": delta.revision}
        return self._parts(message, delta, keys, partial_revision=revision)

    def _parts(self, message: dict[str, Any], delta: Delta, keys: Keys, partial_revision: int) -> list[bytes]:
        """``message`` with the delta, cut where it grows too long; only the last part has the new revision."""
        revision = message["rev"]
        if delta.surface is not None:
            message["surface"] = delta.surface
        frames: list[bytes] = []
        size = len(_encode(message))

        def put(size_of: int, **pieces: Sequence[Any]) -> None:
            nonlocal message, size
            if size and size + size_of > _PART_BYTES:
                frames.append(_encode({**message, "rev": partial_revision}))
                message, size = {"type": "update"}, 0
            for name, items in pieces.items():
                if items:
                    message.setdefault(name, []).extend(items)
            size += size_of

        for control_id, path in delta.removed:
            removed = [control_id if keys == "id" else path]
            put(len(_encode(removed)), removed=removed)
        described = {entry.id for entry in delta.described}
        for entry in delta.described:  # a description always comes with its value
            raw, values = self._descriptor(entry), self._values([entry], keys)
            put(len(bytes(raw)) + len(_encode(values)), controls=[raw], values=values)
        for entry in delta.values:
            if entry.id not in described:
                values = self._values([entry], keys)
                put(len(_encode(values)), values=values)
        for entry in delta.holds:
            holds = [(_key(entry, keys), holder(entry.holder))]
            put(len(_encode(holds)), holds=holds)
        for entry in delta.marks:
            marks = [(_key(entry, keys), entry.marks)]
            put(len(_encode(marks)), marks=marks)
        for change in delta.triggers:
            triggers = [_triggered(change, keys)]
            put(len(_encode(triggers)), triggers=triggers)
        if delta.missed:
            message["missed"] = delta.missed
        frames.append(_encode({**message, "rev": revision}))
        return frames

    def _descriptor(self, entry: Entry) -> msgspec.Raw:
        control, raw = self._descriptors.get(entry.id, (None, None))
        if control is not entry.control or raw is None:
            raw = msgspec.Raw(_encode({"id": entry.id, **entry.control.describe()}))
            self._descriptors[entry.id] = (entry.control, raw)
        return raw

    def forget(self, entry: Entry) -> None:
        """Drop what is remembered of a removed control."""
        self._descriptors.pop(entry.id, None)

    @staticmethod
    def _values(entries: Iterable[Entry], keys: Keys) -> list[Pair]:
        if keys == "id":
            return [(entry.id, entry.value) for entry in entries if entry.value is not None]
        return [(entry.path, entry.value) for entry in entries if entry.value is not None]


def _key(entry: Entry, keys: Keys) -> int | str:
    return entry.id if keys == "id" else entry.path


def _triggered(change: Change, keys: Keys) -> tuple[Any, ...]:
    head = (_key(change.entry, keys), change.sequence)
    return (*head, list(change.args)) if change.args else head
