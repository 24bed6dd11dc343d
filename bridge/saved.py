"""What outlives a run: which values and descriptions are kept, and how a new run begins with them. Pure.

It is a cursor of the store: ``note`` asks what changed since, and costs nothing while nothing does. Not here: the file
(``statefile``), and when it is written (``persist``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from .coercion import shown
from .control import RESERVED, Control
from .declaring import Declared
from .errors import BadValue, BridgeError
from .messages import Descriptor
from .store import MAX_CONTROLS, Entry, Store

OWNERS = frozenset({"config", "page", "learn"})
"""What a driver brings is its program's to keep, and what is ours is made anew."""
MAX_STRAYS = MAX_CONTROLS
"""Controls that are not there any more and are kept all the same, for the day on which they return."""
MAX_NAMED = 3  # paths in one line


class Row(NamedTuple):
    """What is kept of one control, each as JSON: its value, and its description where no file has that."""

    value: str | None = None
    described: str | None = None


class Described(msgspec.Struct):
    """A control that no file describes. ``peers`` are those that have taught it to us."""

    control: Descriptor
    owner: Literal["page", "learn"]
    peers: list[str] = []


Taken = Sequence[tuple[str, Any, Described | None]]
"""Path, value (None: nobody has moved it, or it has none), description (None: a file has it)."""

_decode_described = msgspec.json.Decoder(Described).decode
_decode_value = msgspec.json.Decoder().decode
_NOT_DECODED = (msgspec.DecodeError, UnicodeError, RecursionError)


def is_saved(control: Control) -> bool:
    """True for controls whose value is kept: a momentary rests, a trigger and a meter have none."""
    return (
        control.is_valued
        and not control.momentary
        and control.owner in OWNERS
        and not control.path.startswith(f"{RESERVED}/")
    )


class Saved:
    """What the file holds, or is to hold as soon as it can.

    ``taught`` maps each peer that may teach us controls to their paths; ``drawn`` are paths that the files of pages
    describe, so that nobody else need.
    """

    def __init__(self, taught: MutableMapping[str, set[str]], drawn: Collection[str]) -> None:
        self.unclaimed: dict[str, None] = {}
        """Controls that a page has declared in an earlier run, and none in this one: the first page to come describes
        them anew, and they leave first when there are too many. In order of their paths."""
        self._taught = taught
        self._drawn = drawn
        self._values: dict[str, Any] = {}
        self._described: dict[str, Described] = {}
        self._changed: dict[str, None] = {}
        self._kept: set[int] = set()  # controls whose value is kept, by id
        self._revision = 0

    def restore(self, store: Store, rows: Mapping[str, Row], now: float) -> list[str]:
        """Begin where the last run ended. Before anybody listens to the store. Returns what does not fit any more."""
        problems: list[str] = []
        for path, row in sorted(rows.items()):
            try:
                if row.value is not None:
                    self._values[path] = _decode_value(row.value)
                if row.described is not None:
                    self._described[path] = _decode_described(row.described)
            except _NOT_DECODED:
                problems.append(f"what is kept of {path} cannot be read")
        declared = Declared(store)
        for path, described in list(self._described.items()):
            if store.find(path) is not None:
                self._forget_description(path)
            else:
                self._bring_back(store, path, described, declared, now, problems)
        values = []
        for entry in store:
            if (value := self._recall(entry.control)) is not None:
                try:
                    fitting = entry.control.coerce(value)
                except BadValue:
                    fitting = entry.control.default
                if fitting != (tuple(value) if isinstance(value, list) else value):
                    problems.append(f"{entry.path} was {shown(value)} and is {shown(fitting)}")
                values.append((entry, fitting))
        store.restore(values)
        self._kept = {entry.id for entry in store if is_saved(entry.control)}
        store.recall = self._recall
        self._revision = store.revision
        self._prune(store)
        return problems

    def note(self, store: Store) -> None:
        """Take in what has changed."""
        if store.revision == self._revision:
            return
        delta = store.since(self._revision, store.trigger_sequence, 0.0)
        for number, path in delta.removed:
            self._kept.discard(number)
            if path in self._described and store.find(path) is None:
                self._forget_description(path)
        for entry in delta.described:
            self._describe(entry)
        kept, values, changed = self._kept, self._values, self._changed
        for entry in delta.values:
            if entry.id in kept:
                control, value = entry.control, entry.value
                path = control.path
                # What never left its default follows the configuration when that says another one.
                if path in values or value != control.default:
                    values[path] = value
                    changed[path] = None
        self._revision = store.revision
        if delta.removed:
            self._prune(store)

    def take(self) -> Taken:
        """What has changed and was not taken yet."""
        taken = [(path, self._values.get(path), self._described.get(path)) for path in self._changed]
        self._changed.clear()
        return taken

    def all(self) -> Taken:
        """Everything; what has changed is no news after this."""
        self._changed |= dict.fromkeys((*self._values, *self._described))
        return self.take()

    def put_back(self, taken: Taken) -> None:
        """What was taken could not be written."""
        self._changed.update((path, None) for path, _, _ in taken)

    def _recall(self, control: Control) -> Any:
        if control.on_start == "default" or not is_saved(control):
            return None
        return self._values.get(control.path)

    def _describe(self, entry: Entry) -> None:
        control, path = entry.control, entry.path
        (self._kept.add if is_saved(control) else self._kept.discard)(entry.id)
        if control.owner not in ("page", "learn") or path in self._drawn:
            self._forget_description(path)
            return
        fields = {name: getattr(control, name) for name in Descriptor.__struct_fields__}
        peers = sorted(peer for peer, paths in self._taught.items() if path in paths)
        fields["choices"] = list(control.choices) or None
        described = Described(Descriptor(**fields), "page" if control.owner == "page" else "learn", peers)
        if described != self._described.get(path):
            self._described[path] = described
            self._changed[path] = None

    def _forget_description(self, path: str) -> None:
        if self._described.pop(path, None) is not None:
            self._changed[path] = None

    def _bring_back(
        self, store: Store, path: str, described: Described, declared: Declared, now: float, problems: list[str]
    ) -> None:
        teachers = [peer for peer in described.peers if peer in self._taught]
        if described.owner == "learn" and not teachers:
            return  # until a peer of that name learns again
        try:
            control = described.control.build(described.owner)
            if described.owner == "page" and (lack := declared.lack(control)) is not None:
                problems.append(f"left out: {lack.message}")
                return
            declared.note(store.add(control, now=now))
        except BridgeError as exc:
            problems.append(str(exc))
            return
        for peer in teachers:
            self._taught[peer].add(path)
        if described.owner == "page":
            self.unclaimed[path] = None

    def _prune(self, store: Store) -> None:
        """Let go of what is too much, of controls that are not there."""
        kept = dict.fromkeys((*self._values, *self._described))
        strays = [path for path in kept if store.find(path) is None]
        for path in strays[: max(0, len(strays) - MAX_STRAYS)]:
            self._values.pop(path, None)
            self._described.pop(path, None)
            self._changed[path] = None


def rows_of(taken: Taken) -> dict[str, Row]:
    """What was taken, as the file has it; on any thread."""
    encode = msgspec.json.encode
    return {
        path: Row(
            None if value is None else encode(value).decode(), None if described is None else encode(described).decode()
        )
        for path, value, described in taken
    }


def told(problems: list[str]) -> str:
    """What does not fit any more, in one line."""
    more = f"; and {len(problems) - MAX_NAMED} more" if len(problems) > MAX_NAMED else ""
    return "; ".join(problems[:MAX_NAMED]) + more
