"""The store: every control's current value, ordered by the revision of its last change.

Its log is its memory: whatever a sink downstream needs is one question, *what changed since
revision r?*, answered from the current values alone, so nothing here grows with traffic.
No clock, no socket: callers pass ``now`` (monotonic seconds). One thread: the event loop's.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Generic, Literal, TypeVar

from .coercion import Coerce, Value, plain_args
from .control import RESERVED, Control
from .errors import BadValue, ControlExists, UnknownControl
from .suggestion import nearest_path

log = logging.getLogger(__name__)

MAX_CONTROLS = 8192
MAX_LINKS = 64
"""Sets made from within notifications, one causing the next, before the chain is cut."""
MAX_BATCHES = 16_384
"""Commits told within one outermost call; what they cause in their turn is cut."""
MAX_HOLDERS = 1024
"""Fingers on one control; one that is too many holds nothing. Who speaks OSC can have a new address for each."""
TRIGGER_RING = 256
"""Triggers remembered for sessions that are a moment behind."""
TRIGGER_LIFE_S = 1.0
"""An older trigger is an old gesture: a live session is told that it missed it."""
JOURNAL = 8192
"""Revisions whose changes are at hand, and up to twice as many."""
REMOVED_REMEMBERED = 1024
"""Removed ids that a resuming session can still be told; beyond, it gets a snapshot."""

What = Literal["value", "trigger", "added", "described", "removed", "hold", "mark", "surface"]
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Origin:
    """Who made a change: ``kind`` browser, rest, osc, midi, config, bridge or cli; ``name`` the peer or
    client; ``target`` which of a peer's addresses."""

    kind: str
    name: str
    target: str = ""

    def __hash__(self) -> int:
        return hash(self.name)  # of all three, as a dataclass makes it, it would cost 0.3 µs more

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" + (f"@{self.target}" if self.target else "")

    @property
    def shown(self) -> str:
        """What people know it by: the name that a browser's device has, else that of the peer."""
        return self.target if self.kind == "browser" else self.name


@dataclass(slots=True, eq=False)
class Entry:
    """A control in the store. Read it freely; only the store writes it.

    ``id`` grows within an epoch and is never reused. ``value`` is None for a trigger and for a
    meter that has not spoken. ``holders`` maps each origin that holds the control to the time of
    its touch, in order of arrival.
    """

    id: int
    control: Control
    value: Value
    revision: int
    holders: dict[Origin, float] = field(default_factory=dict)
    marks: dict[str, Any] = field(default_factory=dict)
    is_there: bool = False
    """False before it is added, and when it is removed."""
    is_logged: bool = False
    """True for a value that is told by the log; a meter's is shown live, and no part of it."""
    is_momentary: bool = field(init=False)
    """The control's, and its ``coerce``: what every message needs is in one place. With 4,096 controls that all move,
    each place more comes from memory, 0.1 µs."""
    coerce: Coerce = field(init=False)

    def __post_init__(self) -> None:
        self.is_momentary, self.coerce = self.control.momentary, self.control.coerce

    @property
    def path(self) -> str:
        return self.control.path

    @property
    def holder(self) -> Origin | None:
        """Who touched first and still holds."""
        return next(iter(self.holders), None)


@dataclass(slots=True, eq=False)
class Change:
    """One thing that happened, as subscribers see it. ``value`` and ``previous`` are set for "value",
    ``args`` and ``sequence`` for "trigger"."""

    what: What
    entry: Entry
    revision: int
    time: float
    origin: Origin
    value: Value = None
    previous: Value = None
    args: tuple[Any, ...] = ()
    sequence: int = 0
    is_settling: bool = False
    """True if nobody moved: an echo guard has adopted what a peer made of a value (``Store.settle``)."""
    answers: int = 0
    """How many peers' reports have led here, each perhaps an answer to what the one before had us send; 0: a hand."""


Subscriber = Callable[[Sequence[Change]], None]


class RevisionLog(Generic[K, V]):
    """Keys in the order of their last revision; one place per key, so it is as long as its keys are many."""

    def __init__(self, limit: int | None = None) -> None:
        self._order: OrderedDict[K, tuple[int, V]] = OrderedDict()
        self._limit = limit
        self.forgotten = 0
        """The highest revision that ``limit`` has pushed out; 0 if none."""

    def note(self, key: K, revision: int, item: V) -> None:
        """Move a key to the end. ``revision`` must not be below the last one noted."""
        self._order[key] = (revision, item)
        self._order.move_to_end(key)
        if self._limit is not None and len(self._order) > self._limit:
            _, (self.forgotten, _) = self._order.popitem(last=False)

    def drop(self, key: K) -> None:
        self._order.pop(key, None)

    def since(self, revision: int) -> list[tuple[int, V]]:
        """(revision, item) of every key noted after ``revision``, oldest first; O(answers)."""
        found: list[tuple[int, V]] = []
        for noted in reversed(self._order.values()):
            if noted[0] <= revision:
                break
            found.append(noted)
        found.reverse()
        return found


@dataclass(slots=True)
class Delta:
    """What changed after one revision, each thing once, oldest first. ``revision`` is where it leads.

    ``removed`` holds (id, path).
    """

    revision: int
    removed: list[tuple[int, str]]
    described: list[Entry]
    values: list[Entry]
    holds: list[Entry]
    marks: list[Entry]
    triggers: list[Change]
    missed: int
    surface: Any
    """The new surface, or None where it did not change."""
    late: Sequence[Change] = ()
    """Those of the ``missed`` that are remembered, newest first."""

    @property
    def is_values_only(self) -> bool:
        """True if nothing but values changed."""
        return not (
            self.removed
            or self.described
            or self.holds
            or self.marks
            or self.triggers
            or self.missed
            or self.surface is not None
        )

    def __bool__(self) -> bool:
        return bool(self.values) or not self.is_values_only


class Store:
    """All controls of one run. ``epoch`` names the run: revisions and ids mean nothing outside it."""

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.revision = 0
        self._other_revision = 0  # the last at which something else than a value changed
        self.trigger_sequence = 0
        self.chains_cut = 0
        """Chains of sets from within notifications that were longer than MAX_LINKS."""
        self.recall: Callable[[Control], Any] = lambda control: None
        """What a control that comes is to begin at; None: its default."""
        self._by_path: dict[str, Entry] = {}
        self._by_id: dict[int, Entry] = {}
        self._next_id = 1
        self._journal: list[
            Entry | None
        ] = []  # what got a value with each revision after _journal_start; None: nothing
        self._journal_start = 0
        self._held: dict[int, Entry] = {}
        self._implied: set[tuple[int, Origin]] = set()  # holds that nobody asked for: of who moved a momentary
        self._described: RevisionLog[int, Entry] = RevisionLog()
        self._removed: RevisionLog[int, tuple[int, str]] = RevisionLog(REMOVED_REMEMBERED)
        self._holds: RevisionLog[int, Entry] = RevisionLog()
        self._marks: RevisionLog[int, Entry] = RevisionLog()
        self._triggers: deque[Change] = deque(maxlen=TRIGGER_RING)
        self._surface: Any = None
        self.surface_revision = 0
        """The revision at which the surface was last replaced."""
        self._subscribers: tuple[Subscriber, ...] = ()
        self._value_subscribers: tuple[Subscriber, ...] = ()  # those that are told of moves, which is nearly always
        self._failures: set[tuple[Subscriber, str]] = set()
        self._queue: deque[tuple[int, list[Change]]] = deque()
        self._links = 0  # depth of the batch that is being told now
        self._notifying = False

    # Reading

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._by_id.values())

    @property
    def by_path(self) -> Mapping[str, Entry]:
        return self._by_path

    def find(self, key: str | int) -> Entry | None:
        """The entry at a path or an id, or None."""
        return self._by_path.get(key) if isinstance(key, str) else self._by_id.get(key)

    def get(self, key: str | int) -> Entry:
        """The entry at a path or an id. Raises UnknownControl, with the nearest path."""
        entry = self.find(key)
        if entry is None:
            raise UnknownControl(f"no control {key}{self._suggestion(key)}")
        return entry

    def nearest(self, path: str) -> str | None:
        """The known path that looks most like ``path``, for "did you mean"."""
        return nearest_path(path, islice(self._by_path, 2048))

    @property
    def surface(self) -> Any:
        return self._surface

    # Controls that come, change and go

    def add(self, control: Control, *, now: float, value: Any = None, origin: Origin | None = None) -> Entry:
        """Add a control at ``value``, else at what ``recall`` says (its default where neither can be had).

        Raises ControlExists, or BadValue when MAX_CONTROLS are there already.
        """
        if control.path in self._by_path:
            raise ControlExists(f"{control.path} belongs to the {self._by_path[control.path].control.owner} already")
        if len(self._by_id) >= MAX_CONTROLS:
            raise BadValue(f"there are {MAX_CONTROLS} controls already")
        initial = _settled(control, self.recall(control) if value is None else value)
        entry = Entry(self._next_id, control, initial, self.revision + 1, is_there=True, is_logged=control.is_valued)
        self._advance(entry)
        self._next_id += 1
        self._by_path[control.path] = entry
        self._by_id[entry.id] = entry
        self._described.note(entry.id, entry.revision, entry)
        self._tell([Change("added", entry, entry.revision, now, origin or _SELF, value=initial)])
        return entry

    def describe(self, entry: Entry, control: Control, *, now: float, origin: Origin | None = None) -> None:
        """Replace a control's description; id, path and, where it still fits, value stay."""
        if entry.id not in self._by_id:
            raise UnknownControl(f"{entry.path} is gone already")
        if control.path != entry.path:
            raise UnknownControl(f"{entry.path} cannot become {control.path}: a control's identity never changes")
        if control == entry.control or self._is_cut(entry, origin or _SELF):
            return
        previous = entry.value if entry.control.is_valued else None  # a meter's last level is no setting
        entry.control, entry.coerce, entry.is_momentary = control, control.coerce, control.momentary
        entry.is_logged = control.is_valued
        entry.value = _settled(control, previous, is_held=bool(entry.holders))
        revision = self._advance(entry)
        if entry.is_logged:
            entry.revision = revision
        self._described.note(entry.id, revision, entry)
        changes = [Change("described", entry, revision, now, origin or _SELF)]
        if entry.value != previous and control.is_valued:
            changes.append(Change("value", entry, revision, now, origin or _SELF, entry.value, previous))
        self._tell(changes)

    def remove(self, entry: Entry, *, now: float, origin: Origin | None = None) -> None:
        """Take a control out. Its id is not given again. Raises UnknownControl if it is gone already."""
        if self._by_id.pop(entry.id, None) is None:
            raise UnknownControl(f"{entry.path} is gone already")
        del self._by_path[entry.path]
        entry.is_there = entry.is_logged = False
        for kept in (self._described, self._holds, self._marks):
            kept.drop(entry.id)
        self._implied.difference_update((entry.id, holder) for holder in entry.holders)
        entry.holders.clear()
        self._held.pop(entry.id, None)
        revision = self._advance()
        self._removed.note(entry.id, revision, (entry.id, entry.path))
        self._tell([Change("removed", entry, revision, now, origin or _SELF)])

    def set_surface(self, surface: Any, *, now: float) -> None:
        """Replace what browsers draw (``Surface.to_wire()``); nothing happens if it is the same."""
        if surface != self._surface:
            self._surface = surface
            self.surface_revision = self._advance()
            self._tell([Change("surface", SURFACE, self.revision, now, _SELF)])

    # Values

    def restore(self, values: Iterable[tuple[Entry, Value]]) -> None:
        """Begin at these values, which are coerced. Nobody is told: it is no move, and comes before anybody listens."""
        for entry, value in values:
            if entry.is_there and entry.is_logged:
                entry.value, entry.revision = value, self._advance(entry)

    def apply(self, changes: Iterable[tuple[Entry, Any]], origin: Origin, now: float, answers: int = 0) -> list[Change]:
        """Set several controls: coerce all, commit all, then notify once. Returns what changed.

        Each raw value is in its control's unit and is clamped to its range. Raises BadValue before
        anything is committed. Subscribers have heard everything when the outermost call returns.
        """
        wanted: dict[Entry, Value] = {}
        for entry, raw in changes:  # a vector's components may come one by one: each builds on the last
            wanted[entry] = entry.control.coerce(raw, wanted.get(entry, entry.value))
        made = [
            change for entry, value in wanted.items() if (change := self._commit(entry, value, origin, now)) is not None
        ]
        if made:
            if answers:
                for change in made:
                    change.answers = answers
            self._tell(made)
        for entry, value in wanted.items():
            if entry.control.momentary:
                self._imply_hold(entry, value, origin, now)
        return made

    def set(
        self, entry: Entry, raw: Any, origin: Origin, now: float, answers: int = 0, is_settling: bool = False
    ) -> Change | None:
        """``apply`` for one control. Returns None when nothing changed. ``answers``, ``is_settling``: see Change."""
        value = entry.coerce(raw, entry.value)
        change = self._commit(entry, value, origin, now)
        if change is not None:
            if answers or is_settling:
                change.answers, change.is_settling = answers, is_settling
            self._tell([change])
        if entry.is_momentary:
            self._imply_hold(entry, value, origin, now)
        return change

    def settle(self, entry: Entry, raw: Any, origin: Origin, now: float) -> Change | None:
        """``set`` for what an echo guard adopts: ports must not take the change for a new move of a hand."""
        return self.set(entry, raw, origin, now, is_settling=True)

    def trigger(
        self, entry: Entry, args: tuple[Any, ...], origin: Origin, now: float, answers: int = 0
    ) -> Change | None:
        """Fire a trigger: every one is told, in order, never merged. ``answers``: see Change.

        Raises BadValue for other kinds, and for arguments that not every transport can carry. None
        only where the control is gone, somebody else has it (``hold = "first"``), or it would be one link too many
        in a chain (MAX_LINKS).
        """
        if entry.control.kind != "trigger":
            raise BadValue(f"{entry.path} is a {entry.control.kind}: it has a value and cannot be fired")
        args = plain_args(args)
        if entry.id not in self._by_id or self.blocked_by(entry, origin) or self._is_cut(entry, origin):
            return None
        self.trigger_sequence += 1
        change = Change("trigger", entry, self._advance(), now, origin, args=args, sequence=self.trigger_sequence)
        change.answers = answers
        self._triggers.append(change)
        self._tell([change])
        return change

    # Holds and marks

    def touch(self, entry: Entry, origin: Origin, now: float) -> bool:
        """A finger of ``origin`` is on the control. False if it was there already (its time is renewed).

        False too where the control is gone, the chain is cut, MAX_HOLDERS are there, or ``hold = "first"`` and
        somebody else has it: who is refused does not wait in line.
        """
        self._implied.discard((entry.id, origin))
        if origin in entry.holders:
            entry.holders[origin] = now
            return False
        if entry.id not in self._by_id or self._is_cut(entry, origin) or self.blocked_by(entry, origin) is not None:
            return False
        if len(entry.holders) >= MAX_HOLDERS:
            return False
        entry.holders[origin] = now
        self._held[entry.id] = entry
        self._note_hold(entry, origin, now)
        return True

    def release(self, entry: Entry, origin: Origin, now: float, by: Origin | None = None) -> bool:
        """The finger is gone; a momentary returns to rest with its last holder. False if it was not there.

        ``by``: who took it away, where it was not ``origin``.
        """
        if entry.holders.pop(origin, None) is None:
            return False
        self._implied.discard((entry.id, origin))
        if not entry.holders:
            self._held.pop(entry.id, None)
        self._note_hold(entry, origin, now)
        is_idle = not entry.holders and entry.id in self._by_id
        if is_idle and entry.control.momentary and entry.value != entry.control.rest:
            self._tell([self._write(entry, entry.control.rest, by or origin, now)])  # never cut: nothing may stick
        return True

    def _imply_hold(self, entry: Entry, value: Value, origin: Origin, now: float) -> None:
        """Who moves a momentary without a touch holds it too, until it rests again: what presses and is lost must
        not stick. While somebody holds it already, a peer's other value may be what it made of theirs: no press."""
        if value == entry.control.rest:
            if (entry.id, origin) in self._implied:
                self.release(entry, origin, now)
        elif value == entry.value and not entry.holders and self.touch(entry, origin, now):
            self._implied.add((entry.id, origin))

    def release_all(self, origin: Origin, now: float, but: Container[str] = ()) -> None:
        """Release whatever ``origin`` holds, but for these paths: it has gone, or may hold no others any more."""
        for entry in [entry for entry in self._held.values() if origin in entry.holders]:
            if entry.path not in but:
                self.release(entry, origin, now)

    def expire_holds(self, now: float) -> None:
        """Release holds of origins that cannot disconnect and have not moved for ``hold_timeout``.

        A browser's finger may rest: its session releases it when its socket goes.
        """
        for entry in list(self._held.values()):
            for origin, since in list(entry.holders.items()):
                if origin.kind != "browser" and now - since > entry.control.hold_timeout:
                    self.release(entry, origin, now)

    def let_go(self, origin: Origin, now: float) -> None:
        """Panic: release every hold, whoever has it, and bring every momentary to rest."""
        for entry in list(self._held.values()):
            for holder in list(entry.holders):
                self.release(entry, holder, now, by=origin)
        for entry in [entry for entry in self._by_id.values() if entry.is_momentary]:
            if entry.value != entry.control.rest:
                self.set(entry, entry.control.rest, origin, now)

    def blocked_by(self, entry: Entry, origin: Origin) -> Origin | None:
        """Who keeps ``origin`` from setting this control: with ``hold = "first"``, whoever touched first."""
        if not entry.holders or entry.control.hold != "first":
            return None
        holder = entry.holder
        return None if holder == origin else holder

    def mark(self, entry: Entry, name: str, value: Any, *, now: float, origin: Origin | None = None) -> None:
        """Show something beside the value: a peer's own text, where the hardware stands. None takes it away.

        Nothing happens to a control that is gone. Raises BadValue for what is no text, number or bool.
        """
        self.mark_all((entry,), name, value, now=now, origin=origin)

    def mark_all(
        self, entries: Iterable[Entry], name: str, value: Any, *, now: float, origin: Origin | None = None
    ) -> None:
        """``mark`` for several controls, told at once: a peer that has gone may be all of them."""
        if value is not None:
            (value,) = plain_args((value,))
        changes = []
        for entry in entries:
            known = entry.marks.get(name)
            if (known == value and type(known) is type(value)) or entry.id not in self._by_id:
                continue
            if self._is_cut(entry, origin or _SELF):
                continue
            if value is None:
                entry.marks.pop(name, None)
            else:
                entry.marks[name] = value
            revision = self._advance()
            self._marks.note(entry.id, revision, entry)
            changes.append(Change("mark", entry, revision, now, origin or _SELF))
        if changes:
            self._tell(changes)

    # What changed since

    def can_resume(self, revision: int) -> bool:
        """True if ``since(revision)`` tells everything, removed controls too."""
        return self._removed.forgotten <= revision <= self.revision

    def since(self, revision: int, trigger_sequence: int, now: float) -> Delta:
        """Everything after ``revision``. ``trigger_sequence`` is the last trigger that the asker was told.

        Triggers younger than TRIGGER_LIFE_S are delivered; older or forgotten ones are counted as missed.
        """
        values = self._values_since(revision)
        if self._other_revision <= revision and trigger_sequence == self.trigger_sequence:
            return Delta(self.revision, [], [], values, [], [], [], 0, None)
        triggers: list[Change] = []
        late: list[Change] = []
        missed = 0
        if trigger_sequence < self.trigger_sequence:
            for change in reversed(self._triggers):
                if change.sequence <= trigger_sequence:
                    break
                is_young = now - change.time <= TRIGGER_LIFE_S
                (triggers if is_young and change.entry.id in self._by_id else late).append(change)
            triggers.reverse()
            missed = self.trigger_sequence - trigger_sequence - len(triggers)
        return Delta(
            self.revision,
            [removed for _, removed in self._removed.since(revision)],
            [entry for _, entry in self._described.since(revision)],
            values,
            [entry for _, entry in self._holds.since(revision)],
            [entry for _, entry in self._marks.since(revision)],
            triggers,
            missed,
            self._surface if self.surface_revision > revision else None,
            late,
        )

    def only_values_since(self, revision: int, trigger_sequence: int) -> list[Entry] | None:
        """What has another value since then, oldest change first; None where more than values changed."""
        if self._other_revision > revision or trigger_sequence != self.trigger_sequence:
            return None
        return self._values_since(revision)

    def only_value_since(self, revision: int, trigger_sequence: int) -> Entry | None:
        """The one control that has another value since then; None where more has changed, or nothing. A short way to
        ``only_values_since``."""
        if (
            self.revision != revision + 1
            or self._other_revision > revision
            or trigger_sequence != self.trigger_sequence
        ):
            return None
        entry = self._journal[-1]
        return entry if entry is not None and entry.is_logged else None

    def _values_since(self, revision: int) -> list[Entry]:
        if revision < self._journal_start:
            values = [entry for entry in self._by_id.values() if entry.is_logged and entry.revision > revision]
            values.sort(key=lambda entry: entry.revision)
            return values
        changed = self._journal[revision - self._journal_start :] if revision < self.revision else ()
        return [
            entry
            for number, entry in enumerate(changed, revision + 1)
            if entry is not None and entry.revision == number and entry.is_logged
        ]

    # Telling

    def subscribe(
        self, subscriber: Subscriber, *, is_urgent: bool = False, hears_values: bool = True
    ) -> Callable[[], None]:
        """Call ``subscriber(changes)`` after each commit, in revision order. Returns the way out.

        It may set controls itself: they commit at once and are told when this batch has been told to all.
        ``is_urgent``: before those that are not, for what must not wait for books to be kept or screens to be told.
        ``hears_values`` False: not called where nothing but values changed.
        """
        before, after = ((subscriber,), ()) if is_urgent else ((), (subscriber,))
        self._subscribers = (*before, *self._subscribers, *after)
        if hears_values:
            self._value_subscribers = (*before, *self._value_subscribers, *after)

        def unsubscribe() -> None:
            self._subscribers = _left(self._subscribers, subscriber)
            self._value_subscribers = _left(self._value_subscribers, subscriber)

        return unsubscribe

    def _advance(self, entry: Entry | None = None) -> int:
        """The revision of anything but a value's change alone, which ``_write`` counts itself. ``entry``: what has a
        value with it."""
        self.revision = self._other_revision = self.revision + 1
        self._journal.append(entry)
        if self.revision % JOURNAL == 0:
            self._shorten()
        return self.revision

    def _shorten(self) -> None:
        """Who asks for what was longer ago has all controls looked through."""
        surplus = max(0, len(self._journal) - JOURNAL)
        del self._journal[:surplus]
        self._journal_start += surplus

    def _commit(self, entry: Entry, value: Value, origin: Origin, now: float) -> Change | None:
        if value == entry.value and entry.control.kind != "meter":  # a steady level is news: it still comes
            if origin in entry.holders:
                entry.holders[origin] = now  # a sign of life
            return None
        if not entry.is_there:
            return None
        if self._links >= MAX_LINKS and self._is_cut(entry, origin):
            return None
        if self._held and entry.holders and not self._holders_allow(entry, value, origin, now):
            return None
        return self._write(entry, value, origin, now)

    def _write(self, entry: Entry, value: Value, origin: Origin, now: float) -> Change:
        previous, entry.value = entry.value, value
        if not entry.is_logged:
            return Change("value", entry, self.revision, now, origin, value, previous)
        self.revision = entry.revision = revision = self.revision + 1
        self._journal.append(entry)  # 0.1 µs; to move it to the end of an OrderedDict is 0.3, with 4,096 that all move
        if revision % JOURNAL == 0:
            self._shorten()
        return Change("value", entry, revision, now, origin, value, previous)

    def _holders_allow(self, entry: Entry, value: Value, origin: Origin, now: float) -> bool:
        if origin in entry.holders:
            entry.holders[origin] = now  # a sign of life
        if self.blocked_by(entry, origin) is not None:
            return False
        # One finger of two goes up: a momentary rests when its last holder goes, not before.
        others = len(entry.holders) - (origin in entry.holders)
        return not (others and entry.control.momentary and value == entry.control.rest)

    def _note_hold(self, entry: Entry, origin: Origin, now: float) -> None:
        revision = self._advance()
        self._holds.note(entry.id, revision, entry)
        self._tell([Change("hold", entry, revision, now, origin)])

    def _tell(self, changes: list[Change]) -> None:
        if self._notifying:
            self._queue.append((self._links + 1, changes))
            return
        self._notifying = True
        self._links, batch, told = 1, changes, 1
        if self._queue:  # left there when the program was interrupted: first come, first told
            self._queue.append((1, changes))
            self._links, batch = self._queue.popleft()
        try:
            while True:
                # What begins with a value is values alone.
                for subscriber in self._value_subscribers if batch[0].what == "value" else self._subscribers:
                    try:
                        subscriber(batch)
                    except Exception as exc:  # noqa: BLE001 - one subscriber never keeps the next from hearing
                        self._failed(subscriber, exc)
                if not self._queue:
                    break
                self._links, batch = self._queue.popleft()
                told += 1
                if told > MAX_BATCHES:  # chains that branch: few links each, and yet no end
                    self._links = MAX_LINKS
        finally:
            self._notifying = False
            self._links = 0

    def _failed(self, subscriber: Subscriber, exc: Exception) -> None:
        cause = (subscriber, type(exc).__name__)
        if cause not in self._failures and len(self._failures) < 256:
            self._failures.add(cause)
            name = getattr(subscriber, "__qualname__", repr(subscriber))
            log.error("%s failed on a change and goes on", name, exc_info=exc)

    def _is_cut(self, entry: Entry, origin: Origin) -> bool:
        """True, counted and said, where one more change would be a link too many."""
        if self._links < MAX_LINKS:
            return False
        self.chains_cut += 1
        if self.chains_cut & (self.chains_cut - 1) == 0:  # 1, 2, 4, 8, …: never floods the log
            log.warning(
                "a chain of more than %d changes was cut at %s, set by %s (%d so far): two rules answer each other",
                MAX_LINKS, entry.path, origin, self.chains_cut,
            )  # fmt: skip
        return True

    def _suggestion(self, key: str | int) -> str:
        near = self.nearest(key) if isinstance(key, str) else None
        return f": did you mean {near}?" if near else ""


def _left(subscribers: tuple[Subscriber, ...], one: Subscriber) -> tuple[Subscriber, ...]:
    kept = list(subscribers)
    if one in kept:
        kept.remove(one)
    return tuple(kept)


_SELF = Origin("bridge", "stagebridge")

SURFACE = Entry(0, Control(path=f"{RESERVED}/surface", kind="trigger", owner="bridge"), None, 0)
"""Stands in a "surface" change, which is about no control; in no store."""


def _settled(control: Control, value: Any, is_held: bool = False) -> Value:
    """A value to start with: the given one if the control can take it, else its default.

    Momentaries rest, unless a finger is on them now.
    """
    if not control.is_valued:
        return None
    if control.momentary and not is_held:
        return control.rest
    if value is None:
        return control.default
    try:
        return control.coerce(value)
    except BadValue:
        return control.default
