"""One browser's session: messages in, frames out. No socket, no clock, no task.

A session is a cursor on the store's log (``revision`` is what its browser was last sent) and at most
64 frames under way. The shell (``ws``) feeds ``receive`` and asks ``poll`` what may be written now.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from . import frames as out
from . import messages as msg
from .access import ALL, Grant
from .ackwindow import ACK_S, PING_S, AckWindow, Flights, Recent
from .allowance import Allowance
from .asides import Asides
from .control import PANIC
from .declaring import Declared, Declarer, declare
from .errors import BadControl, BadValue, ProtocolError
from .frames import Frames, Lens
from .learning import Learning
from .metrics import Metrics
from .monitor import Monitor
from .store import Entry, Origin, Store
from .view import View, Views

STALE_MS = 1000.0
"""A gesture that arrives so much later than the quickest of its page is an old one: TCP replays too."""
CLOCK_MEMORY_MS = 5 * 60 * 1000.0
PANICS, PANICS_PER_S = 10, 5.0
"""Of one session: as fast as a hand. One takes 0.07 ms among 4,096 controls, 0.25 where all are momentary, 0.9 where
``[panic]`` sets 1,000."""
MAX_PENDING_ERRORS = 32
MAX_SHOWN = 512
MAX_NAME = 64
POLICY_VIOLATION = 1008  # RFC 6455, section 7.4.1
NOT_PAIRED = 4401
"""Close code: nobody has let this device in."""
REVOKED = 4403
"""Close code: this device is let in no longer."""


NOTHING = -1
"""The revision of who is to be told everything anew: below all that there are."""


@dataclass(frozen=True, slots=True)
class Close:
    """The connection is to be closed with a WebSocket close code."""

    code: int
    reason: str


@dataclass(slots=True)
class Counters:
    """What sessions did, over all of them, for health and metrics."""

    messages: int = 0
    by_code: Counter[str] = field(default_factory=Counter)
    """What was refused, by its error code."""
    frames: int = 0


@dataclass(slots=True)
class Shared:
    """What all sessions of one server have in common."""

    store: Store
    frames: Frames
    server_name: str
    version: str
    clock: Callable[[], float] = lambda: 0.0
    """What hints are rationed by, in seconds."""
    auth: str = "token"
    """``[auth] mode``, for pages to say out loud."""
    ack_s: float = ACK_S
    """How rarely browsers are to acknowledge, from their next ping on,"""
    ping_s: float = PING_S
    """and to ping."""
    recent: Recent = field(default_factory=Recent)
    counters: Counters = field(default_factory=Counters)
    on_refused: Callable[[str, ProtocolError], None] = lambda client, refusal: None
    """Told what was refused to whom; the shell logs it."""
    monitor: Monitor = field(default_factory=Monitor)
    on_asides: Callable[[], None] = lambda: None
    """Told when something begins to wait for some session beside the controls (``asides``)."""
    learning: Learning = field(default_factory=Learning)
    metrics: Metrics = field(default_factory=Metrics)
    unclaimed: dict[str, None] = field(default_factory=dict)
    """Paths that pages have declared in an earlier run and none in this one (``Saved.unclaimed``)."""
    admit: Callable[[str], Grant | None] = lambda token: None
    """What whoever shows this token in ``hello`` may do; None where nobody was given it."""
    hands: dict[Origin, Grant] = field(default_factory=dict)
    """Who may hold something over REST, and what it was granted; they have no session to end."""
    views: Views = field(init=False)
    """What devices see that are limited to pages."""
    declared: Declared = field(init=False)

    def __post_init__(self) -> None:
        self.views = Views(self.store, self.clock)
        self.declared = Declared(self.store)
        self.store.subscribe(self.declared.follow, hears_values=False)


class PageClock:
    """How late a page's messages are, by the quickest that it has sent lately.

    The two clocks drift apart (50 ppm are 180 ms an hour), so only the last CLOCK_MEMORY_MS and the time before,
    as long again, count.
    """

    def __init__(self) -> None:
        self._began = -math.inf
        self._now = self._before = math.inf  # smallest (arrival − t)

    def lateness(self, t: float, arrival: float) -> float:
        """Both in ms, of any two clocks."""
        if arrival - self._began > CLOCK_MEMORY_MS:
            self._began, self._before, self._now = arrival, self._now, math.inf
        self._now = min(self._now, arrival - t)
        return arrival - t - min(self._now, self._before)


class Company(Protocol):
    """Sessions that move together (``cohort``), as one of them sees it."""

    revision: int
    """What all were last told."""
    triggers: int
    """Sequence of the last trigger told."""

    def dismiss(self, session: Session) -> None:
        """A member leaves: to be called by ``Session.leave`` alone."""


class Session:
    """Protocol state of one connection. ``client`` is its id ("c7"), unique in the epoch."""

    __slots__ = (  # noqa: RUF023 - in the order in which they are explained below
        "client", "grant", "role", "view", "page", "token", "origin", "revision", "welcomed", "owes_answer", "pings",
        "shown", "asides", "window", "lens", "triggers", "cohort",
        "_shared", "_store", "_waiting", "_errors", "_errors_dropped", "_applied",
        "_executed_at", "_pong", "_clock", "_fingers", "_panics",
    )  # fmt: skip
    # Not for the memory alone: a pass over 1,000 browsers runs as fast as they come into the cache.

    def __init__(
        self,
        shared: Shared,
        client: str,
        grant: Grant | None,
        *,
        unacknowledged: Callable[[], int] | None = None,
    ) -> None:
        """``grant`` is None for whom only a token in ``hello`` can let in. ``unacknowledged()``: bytes that the other
        end's TCP has not taken; None where nobody knows."""
        self.client = client
        self.grant = grant
        self.role = "" if grant is None else grant.role
        self.view: View | None = None if grant is None else shared.views.of(grant)
        """What it sees; None: everything."""
        self.page = ""
        self.token: str | None = None
        self.origin = Origin("browser", client, client)
        self.revision = 0
        """What the browser was last sent; as of its last message while it is in a ``cohort``."""
        self.welcomed = False
        self.owes_answer = False
        """An error, applied or pong waits for it."""
        self.pings = False
        """It has pinged, as pages do while they are shown: such a one that falls silent is not there."""
        self.shown: tuple[Entry, ...] = ()
        """Meters that the page draws now."""
        self.asides = Asides(client, shared.monitor, shared.learning, shared.metrics, shared.on_asides)
        """What it has asked for beside the controls."""
        self.window = AckWindow(shared.recent, shared.ack_s, unacknowledged)
        """When the next frame may leave."""
        self.lens: Lens = shared.frames.lens("id", self.view)
        """How it sees the store."""
        self.triggers = 0
        """Sequence of the last trigger told."""
        self.cohort: Company | None = None
        """Whom it moves with. ``revision`` and ``triggers`` are theirs then; its own are as of its last message."""
        self._shared = shared
        self._store = shared.store
        self._waiting: deque[bytes] = deque()  # parts of a frame too long for one
        self._errors: list[bytes] = []
        self._errors_dropped = 0
        self._applied: int | None = None  # highest n executed and not answered
        self._executed_at = 0  # revision at which it was
        self._pong: bytes | None = None
        self._clock = PageClock()
        self._fingers: dict[Entry, bool] = {}  # touched and not released; True once the hold was taken away
        self._panics = Allowance(PANICS, PANICS_PER_S)

    @property
    def device(self) -> str:
        """The id of the device; "" where nobody is told apart."""
        return "" if self.grant is None else self.grant.device

    # In

    def receive(self, text: str | bytes, now: float) -> Close | None:
        """Execute one message. Answers and news are then had from ``poll``. Never raises for bad input."""
        self._shared.counters.messages += 1
        if self.cohort is not None:
            self._catch_up()
        try:
            return self._execute(msg.decode(text), now)
        except ProtocolError as exc:
            n = msg.number_of(text)
            self._refuse(exc, n)
            self._answer(n)
            # Whoever does not speak the protocol is told so, once; after hello a mistake ends nothing.
            return None if self.welcomed else Close(_CLOSE.get(exc.code, POLICY_VIOLATION), exc.code)

    def close(self, now: float) -> None:
        """The connection is gone, or whoever sat there: whatever the finger was on is released."""
        self._store.release_all(self.origin, now)
        self._shared.learning.disarm(self.client)

    def set_grant(self, grant: Grant, now: float) -> None:
        """From now on it may do this: what it may not any more ends at once, and it is told in a new ``welcome``."""
        view = self._shared.views.of(grant)
        if grant == self.grant and view is self.view:
            return
        self.leave()
        self.grant, self.role, self.view = grant, grant.role, view
        self.lens = self._shared.frames.lens(self.lens.keys, view)
        if grant.role == "view":
            self._store.release_all(self.origin, now)
            self._fingers.clear()
        self._forget_hidden(now)
        if grant.role != "admin":
            self.asides.unsubscribe()
        if self.welcomed:
            self._waiting.clear()
            self.revision = NOTHING

    def _forget_hidden(self, now: float) -> None:
        """What it does not see any more it neither holds nor is told of."""
        if self.view is None:
            return
        paths = self.view.paths
        self._fingers = {entry: is_lost for entry, is_lost in self._fingers.items() if entry.path in paths}
        self.shown = tuple(entry for entry in self.shown if entry.path in paths)
        self._errors.clear()
        self._store.release_all(self.origin, now, but=paths)

    def _execute(self, message: msg.Message, now: float) -> Close | None:
        if not self.welcomed and not isinstance(message, msg.Hello):
            raise ProtocolError("hello_first", 'the first message is {"type": "hello"}')
        if isinstance(message, msg.Set):
            self._set(message, now)
        elif isinstance(message, msg.Ack):
            self._ack(message.rev, message.held / 1000, now)
        elif isinstance(message, msg.Ping):
            self.pings = True
            self._clock.lateness(message.t, now * 1000)  # a sample of the page's clock
            # There may be a crowd by now, or none any more.
            self.window.ack_s, self.window.ping_s = self._shared.ack_s, self._shared.ping_s
            self._pong = out.pong(message.t, round(self.window.ack_s * 1000), round(self.window.ping_s * 1000))
            self.owes_answer = True
            if message.rev is not None:
                self._ack(message.rev, message.held / 1000, now)
        elif isinstance(message, msg.Touch):
            self.leave()  # what takes the finger's hold away must be told to it
            for entry in self._touchable(message.ids):
                self._fingers[entry] = False
                self._store.touch(entry, self.origin, now)
        elif isinstance(message, msg.Release):
            for entry in self._known(message.ids):
                self._fingers.pop(entry, None)
                self._store.release(entry, self.origin, now)
        elif isinstance(message, msg.Trigger):
            self._trigger(message, now)
        elif isinstance(message, msg.Declare):
            self._declare(message, now)
        elif isinstance(message, msg.Show):
            meters = (entry for entry in self._known(message.ids[:MAX_SHOWN]) if entry.control.kind == "meter")
            self.shown = tuple(dict.fromkeys(meters))
        elif isinstance(message, msg.Hello):
            self._hello(message, now)
        elif isinstance(message, msg.Subscribe):
            if message.what:
                self._check_admin()
            self.asides.subscribe(message)
        elif isinstance(message, msg.Learn):
            self._learn(message)
        elif isinstance(message, msg.Forget):
            self._check_admin()
            for number in message.bindings:
                self._shared.learning.forget(number)
        return None

    def _hello(self, hello: msg.Hello, now: float) -> None:
        if self.welcomed:
            raise ProtocolError("bad_message", "hello was said already")
        grant = self.grant
        if hello.token is not None:
            grant = self._shared.admit(hello.token) or grant
        if grant is None:
            raise ProtocolError("not_paired", "this device is not let in: pair it at /pair")
        self.grant, self.role, self.view = grant, grant.role, self._shared.views.of(grant)
        self.page, self.token = hello.page[:MAX_NAME], hello.token
        name = "".join(char for char in hello.name if char.isprintable())[:MAX_NAME].strip()
        self.origin = Origin("browser", self.client, name or self.client)
        self.lens, self.window.has_acks = self._shared.frames.lens(hello.keys, self.view), hello.acks
        if hello.t is not None:
            self._clock.lateness(hello.t, now * 1000)
        store = self._store
        resumed_at = None
        if hello.since is not None and (hello.view or ALL) == self._shared.views.name_of(grant):
            epoch, revision = hello.since
            if epoch == store.epoch and self._shared.frames.can_resume(revision, self.lens):
                resumed_at = revision
        self._welcome(now, resumed_at)
        self.welcomed = True

    def _welcome(self, now: float, resumed_at: int | None = None) -> None:
        """Tell the whole truth, or only that what the browser knows from ``resumed_at`` still stands."""
        assert self.grant is not None
        store = self._store
        head = {
            "protocol": msg.PROTOCOL,
            "client": self.client,
            "role": self.role,
            "view": self._shared.views.name_of(self.grant),
            "ack_ms": round(self.window.ack_s * 1000),
            "ack_bytes": self.window.light_bytes,
            "ping_ms": round(self.window.ping_s * 1000),
            "server": {"name": self._shared.server_name, "version": self._shared.version, "auth": self._shared.auth},
        }
        self._waiting.extend(self._shared.frames.welcome(head, self.lens, now, resumed_at))
        self.revision = store.revision if resumed_at is None else resumed_at
        self.triggers = store.trigger_sequence  # an old bang is an old gesture

    def _set(self, message: msg.Set, now: float) -> None:
        try:
            self._check_gesture(message.t, now)
        except ProtocolError:
            self._let_go_late(message.values, now)
            raise
        store, origin = self._store, self.origin
        source = store if self.view is None else self.view
        good: list[tuple[Entry, Any]] = []
        for key, raw in message.values:
            entry = source.find(key)
            try:
                entry = self._movable(key, entry)
                if len(message.values) == 1:  # a finger, as nearly always: coerced once
                    store.set(entry, raw, origin, now)
                    break
                entry.control.coerce(raw, entry.value)  # one bad value must not keep the others out
                good.append((entry, raw))
            except BadValue as exc:
                self._refuse(ProtocolError("bad_value", f"{key}: {exc}"), message.n, entry)
            except ProtocolError as exc:
                self._refuse(exc, message.n, entry)
        if good:
            store.apply(good, origin, now)
        self._answer(message.n)

    def _learn(self, message: msg.Learn) -> None:
        self._check_admin()
        if message.id is None:
            self._shared.learning.disarm(self.client)
            return
        entry = self._find(message.id)
        if entry is None:
            raise self._unknown(message.id)
        try:
            self._shared.learning.arm(entry.control, message.component, self.client, self.origin.shown)
        except BadControl as exc:
            raise ProtocolError("bad_value", f"{entry.path}: {exc.message}") from exc

    def _let_go_late(self, values: Sequence[tuple[msg.Key, Any]], now: float) -> None:
        """An old gesture is refused, but that of letting a momentary go is never too late."""
        for key, raw in values:
            entry = self._find(key)
            if entry is not None and entry.control.momentary and raw == entry.control.rest:
                self._store.release(entry, self.origin, now)

    def _trigger(self, message: msg.Trigger, now: float) -> None:
        entry = self._movable(message.id, self._find(message.id))
        if entry.path != PANIC:  # which is never too late
            self._check_gesture(message.t, now)
        elif not self._panics.take(1, now):
            raise ProtocolError("too_many", f"{PANIC}: heard already; {PANICS_PER_S:g} a second are heard")
        try:
            self._store.trigger(entry, tuple(message.args), self.origin, now)
        except BadValue as exc:
            raise ProtocolError("bad_value", str(exc)) from exc
        self._answer(message.n)

    def _declare(self, message: msg.Declare, now: float) -> None:
        shared = self._shared
        who = Declarer(self.origin, self.role, self.view, self.device)
        for path, refusal in declare(message.controls, who, self._store, shared.declared, shared.unclaimed, now):
            self._refuse(refusal, None, path=path)

    def _ack(self, revision: int, held_s: float, now: float) -> None:
        sent = self.window.revision
        if revision > sent:
            raise ProtocolError("bad_message", f"ack {revision} is above {sent}, the last that was sent")
        self.window.acked(revision, held_s, now)
        if self.cohort is not None and not self.window.may_join:
            self.leave()

    # Checks

    def _find(self, key: msg.Key) -> Entry | None:
        """The control of this name, if there is one for this device."""
        return self._store.find(key) if self.view is None else self.view.find(key)

    def _known(self, keys: Sequence[msg.Key]) -> list[Entry]:
        entries = []
        for key in keys:
            entry = self._find(key)
            if entry is None:
                self._refuse(self._unknown(key), None)
            else:
                entries.append(entry)
        return entries

    def _touchable(self, keys: Sequence[msg.Key]) -> list[Entry]:
        entries = []
        for entry in self._known(keys):
            try:
                self._check_access(entry)
                self._check_hold(entry)
                entries.append(entry)
            except ProtocolError as exc:
                self._refuse(exc, None, entry)
        return entries

    def _movable(self, key: msg.Key, entry: Entry | None) -> Entry:
        if entry is None:
            raise self._unknown(key)
        self._check_access(entry)
        if entry.holders:
            self._check_hold(entry)
        if entry in self._fingers and self.origin not in entry.holders:
            raise ProtocolError("held", f"{entry.path} was taken from under this finger: lift it")
        return entry

    def _check_hold(self, entry: Entry) -> None:
        holder = self._store.blocked_by(entry, self.origin)
        if holder is not None:
            raise ProtocolError("held", f"{entry.path} is held by {holder.shown}")

    def _check_admin(self) -> None:
        if self.role != "admin":
            raise ProtocolError("not_allowed", "only an admin may do this")

    def _check_access(self, entry: Entry) -> None:
        if self.role == "view":
            raise ProtocolError("not_allowed", "this device may only watch")
        if entry.control.access == "read":
            raise ProtocolError("read_only", f"{entry.path} is only shown")

    def _unknown(self, key: msg.Key) -> ProtocolError:
        hint = self._shared.views.hint(self.view, key) if isinstance(key, str) else ""
        return ProtocolError("unknown_control", f"no control {str(key)[:255]}{hint}")

    def _check_gesture(self, t: float | None, now: float) -> None:
        if t is not None and self._clock.lateness(t, now * 1000) > STALE_MS:
            raise ProtocolError("stale", "this gesture arrived more than 1 s late and was not applied")

    def _answer(self, n: int | None) -> None:
        if n is not None:
            self._applied = n if self._applied is None else max(n, self._applied)
            self.owes_answer = True
            self._executed_at = self._store.revision

    def _refuse(self, exc: ProtocolError, n: int | None, entry: Entry | None = None, path: str | None = None) -> None:
        self._shared.counters.by_code[exc.code] += 1
        self._shared.on_refused(self.client, exc)
        if len(self._errors) >= MAX_PENDING_ERRORS:
            self._errors_dropped += 1
            return
        self.owes_answer = True
        self._errors.append(out.error(exc.code, exc.message, n, entry.path if entry else path))

    # Together with others

    @property
    def may_join(self) -> bool:
        """True if nothing sets it apart from others."""
        is_plain = self.welcomed and not (self.owes_answer or self._fingers or self._waiting)
        return is_plain and self.cohort is None and self.window.may_join

    def join(self, cohort: Company, flights: Flights) -> None:
        """Its cohort tells it the news from now on."""
        self.cohort = cohort
        self.window.join(flights)

    def leave(self) -> None:
        """It is told by ``poll`` again."""
        if self.cohort is not None:
            self._catch_up()
            self.window.part()
            self.cohort.dismiss(self)
            self.cohort = None

    def _catch_up(self) -> None:
        assert self.cohort is not None
        self.revision, self.triggers = self.cohort.revision, self.cohort.triggers

    # Out

    @property
    def is_idle(self) -> bool:
        """True if ``poll`` would return nothing, whatever the socket's state."""
        return not (self.revision != self._store.revision or self.owes_answer or self._waiting)

    @property
    def is_up_to_date(self) -> bool:
        """True if nothing has changed since the browser was told: what it is owed are answers alone."""
        return self.revision == self._store.revision

    def poll_news(self, now: float) -> bytes | None:
        """The one frame to write now, where it is all the news there is: nearly always. None: ask ``poll``.

        ``take_answers`` go with it. The socket must be writable. A pass over 100 browsers costs 1.3 µs each this way,
        3.1 µs through ``poll``.
        """
        store, shared = self._store, self._shared
        revision = store.revision
        if self._waiting or not self.welcomed or self.revision == revision:
            return None
        window = self.window
        if now > window.free_until and window.wait(now) > 0:
            return None
        lens = self.lens
        since, triggers, at_revision, until, frame = lens.latest
        if since != self.revision or at_revision != revision or now > until or triggers != self.triggers:
            frame = shared.frames.news(self.revision, self.triggers, lens, now).frame
        if frame:
            if self._fingers:
                self._notice_lost_holds()  # the news may be that they hold nothing any more
            self.revision = revision
            self.triggers = store.trigger_sequence
            window.sent(revision, now, len(frame))
            shared.counters.frames += 1
            return frame
        if frame is not None:  # nothing of it is to be seen here
            self.revision, self.triggers = revision, store.trigger_sequence
        return None

    def poll(self, now: float, is_writable: bool) -> list[bytes]:
        """Frames to write now, in one write: [] if there is nothing, or it must wait (see ``window``).

        ``is_writable``: everything written before has left for the kernel.
        """
        if self.is_idle or not is_writable:
            return []
        if self.revision != self._store.revision:
            self.leave()
        if self._fingers:
            self._notice_lost_holds()
        frames: list[bytes] = []
        if self._pong is not None:
            frames.append(self._pong)
            self._pong = None
            self._shared.counters.frames += 1
        if not self.welcomed:
            return frames + self.take_answers()
        if self._waiting or self.revision != self._store.revision:
            if self.window.wait(now) > 0:
                return frames
            if self.view is not None and self.revision < self.view.began:
                self._waiting.clear()  # parts of what it may not see any more
            if not self._waiting and not self._shared.frames.can_resume(self.revision, self.lens):
                self._forget_hidden(now)  # it may be that it sees other pages now
                self._welcome(now)  # so far behind that controls were removed which nobody remembers
            elif not self._waiting:
                self._waiting.extend(self._shared.frames.updates(self.revision, self.triggers, self.lens, now))
                self.revision = self._store.revision
                self.triggers = self._store.trigger_sequence
            if self._waiting:
                frames.append(self._waiting.popleft())
                self.window.sent(self.revision, now, len(frames[-1]))
                self._shared.counters.frames += 1
            if self._waiting:  # more parts of the same truth: what it answers comes with the last
                return frames
        return frames + self.take_answers()

    def take_answers(self) -> list[bytes]:
        """Frames that go with the news: what it is owed and may be told at its revision."""
        if not self.owes_answer:
            return []
        frames: list[bytes] = []
        if self._pong is not None:
            frames.append(self._pong)
            self._pong = None
        frames += self._take_errors()
        if self._applied is not None and self.revision >= self._executed_at:
            frames.append(out.applied(self._applied))
            self._applied = None
        self.owes_answer = self._applied is not None
        self._shared.counters.frames += len(frames)
        return frames

    def _notice_lost_holds(self) -> None:
        """Panic, or a page that hung, has taken a hold away: that finger is dead until it lifts."""
        for entry, is_told in list(self._fingers.items()):
            if self._store.find(entry.id) is not entry:
                del self._fingers[entry]  # the control is gone, and the browser is told so
            elif not is_told and self.origin not in entry.holders:
                self._fingers[entry] = True
                self._refuse(ProtocolError("held", f"{entry.path} was taken from under this finger"), None, entry)

    def status(self) -> dict[str, Any]:
        """What it costs and how far it is: bounded, whatever the browser does."""
        if self.cohort is not None:
            self._catch_up()
        return {
            "revisions_behind": self._store.revision - self.revision,
            "waiting_bytes": sum(map(len, self._waiting)) + sum(map(len, self._errors)),
            **self.window.status(),
        }

    def poll_meters(self, changed: set[Entry]) -> bytes | None:
        """A droppable ``meters`` frame for what this page draws of ``changed``."""
        shown = [entry for entry in self.shown if entry in changed]
        if self.view is not None:
            shown = [entry for entry in shown if entry.path in self.view.paths]
        return self._shared.frames.meters(shown, self.lens.keys) if shown and self.welcomed else None

    def _take_errors(self) -> list[bytes]:
        errors, self._errors = self._errors, []
        if self._errors_dropped:
            errors.append(out.error("too_many", f"{self._errors_dropped} more errors are not listed"))
            self._errors_dropped = 0
        return errors


_CLOSE = {"not_paired": NOT_PAIRED}
