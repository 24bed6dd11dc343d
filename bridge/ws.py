"""The sockets of browser sessions: one hub that tells all browsers what changed, at its own pace.

Here: passes over the browsers, heart-beats, what is written and when. Not here: what is said
(``session``, ``frames``), HTTP and who may connect (``http``).
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count

from aiohttp import web

from . import tasks
from .access import Grant
from .ackwindow import PING_S, ack_s_for, ping_s_for
from .allowance import counted
from .cohort import Cohort, Cohorts
from .connection import Connection, unacknowledged
from .errors import ProtocolError
from .http.guard import GRANT
from .http.limits import HttpLimits
from .http.websocket import CLOSE_S, accept
from .http.wsframes import BINARY, PING, TEXT, TOO_LONG, text_frame
from .log import OncePer
from .messages import MAX_MESSAGE_BYTES, SUBPROTOCOL
from .refusals import Refusals
from .session import REVOKED, Close, Session, Shared
from .store import Change, Entry

log = logging.getLogger(__name__)

PASS_GAP_S = 0.004
"""A pass starts no sooner than this after the last one started: what changes in between is merged."""
LONGEST_GAP_S = 0.1
PASS_SHARE = 2.5
"""… nor sooner than this many times the CPU that the last pass took: more than half of the loop is for others.
With 1,000 browsers 2.0 took 65 % of a core, acks and all, for a staleness p99 of 44 ms."""
SLICE_S = 0.002
"""A pass gives the loop back after so long and goes on in its next turn."""
JOIN_GAP_S = 0.001
"""Newcomers are let in so far apart, a handshake and a welcome being half of that: when 200 come at once, those who are
there do not notice."""
FEW = 32
"""So few never take long enough to widen the gap: the CPU clock, two system calls, is not read for them."""
METER_GAP_S = 1 / 30
ASIDE_GAP_S = 1 / 20
BACKLOG_SHARE = 2.0
"""What browsers have said beyond a slice each is read on for SLICE_S, then not for so many times what that took."""
HELLO_BYTES = 4096
"""Longest message of who was not let in yet."""
LOOK_S = 0.02
"""How often a held back browser's TCP is looked at, for the first sign that its link is back."""
GOING_AWAY, UNSUPPORTED = 1001, 1003  # RFC 6455, section 7.4.1
REPLACED = 4001
"""Close code: another connection of the same page has taken over."""
CROWDED = 4002
"""Close code: its device has as many as one may. None of these gives way: pages that come back by themselves would take
turns without end."""
MAX_OF_DEVICE = 64
"""Connections of one device, tabs and scripts and all: no phone takes the places, or the memory, of everybody."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one hub allows. Times in seconds."""

    clients: int = 2000
    silent_s: float = 3.0
    """Heart-beat time-out: a socket that was silent for so long is aborted."""
    ping_after_s: float = 1.0
    """A browser that was quiet for so long is pinged."""
    client_timeout_s: float = 10.0
    """A socket that takes nothing for so long is aborted."""
    hello_s: float = 5.0
    """How long a connection may take to say hello."""
    halfway_s: float = 10.0
    """How long a message may take, from its first byte to its last."""
    check_s: float = 0.25
    """How often all this is looked at; where somebody speaks and takes all, at every fourth time."""


class Hub:
    """All browsers of one server. Runs on the event loop; ``handle`` is the WebSocket's request handler."""

    def __init__(
        self,
        shared: Shared,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        refusals: Refusals | None = None,
    ) -> None:
        self.shared = shared
        self.limits = limits or Limits()
        self.http_limits = HttpLimits()
        """What one socket may say; may be changed at any time."""
        self._refusals = refusals or Refusals()
        self._clock = clock
        self._once = OncePer(log)
        shared.on_refused = self._refused
        shared.on_asides = self._wake_asides
        shared.learning.subscribe(lambda _: self._wake_asides())
        self._connections: dict[str, Connection] = {}
        self._cohorts = Cohorts(shared)
        self._numbers = count(1)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.Handle | None = None
        self._timer_at = 0.0
        self._next_pass = 0.0
        self._next_join = 0.0
        self._rest: Iterator[Cohort | Connection] | None = None
        self._spent_s = 0.0
        # CPU, not wall time: a core that others use too must not make the gaps longer. With a clock of the caller's
        # own (virtual time) that clock.
        self._cpu_clock = time.thread_time if clock is time.monotonic else clock
        self._pass_again = math.inf  # asked for while a pass is under way: not before this
        self._framed: tuple[bytes, bytes] = (b"", b"")
        self._meters: set[Entry] = set()
        self._meter_timer: asyncio.TimerHandle | None = None
        self._meters_at = 0.0
        self._aside_timer: asyncio.TimerHandle | None = None
        self._backlog: deque[Connection] = deque()  # they have said more than could be read at once
        self._starved: list[Connection] = []  # … and more than they may, until the next tick
        self._backlog_timer: asyncio.Handle | None = None
        self._ghosts: set[Connection] = set()  # they have been told Close, and are not gone yet
        self._entering: set[_Entering] = set()
        self._closing = False
        self.on_told: Callable[[float], None] | None = None
        """Told when a pass over the browsers is over, and when it began; whoever is told takes itself away."""

    def __len__(self) -> int:
        return len(self._connections)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Tell browsers what changes until the block ends; then close them all."""
        self._loop = asyncio.get_running_loop()
        unsubscribe = self.shared.store.subscribe(self._on_changes)
        ticker = tasks.begin(self._tick(), "browsers: heart-beat")
        try:
            yield
        finally:
            await self.close()
            unsubscribe()
            await tasks.end(ticker)
            for timer in (self._timer, self._meter_timer, self._aside_timer, self._backlog_timer):
                if timer is not None:
                    timer.cancel()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one browser until it goes."""
        if self._closing or not self._has_room():
            self._refusals.count("connections")
            raise web.HTTPServiceUnavailable(text=f"{len(self._connections)} browsers are connected, no more can be")
        entering = _Entering(request.get(GRANT))
        self._entering.add(entering)
        try:
            now = self._clock()
            self._next_join = max(now, self._next_join + JOIN_GAP_S)
            if self._next_join > now:
                await asyncio.sleep(self._next_join - now)
            ws = await accept(request, (SUBPROTOCOL,), HELLO_BYTES)
        finally:
            self._entering.discard(entering)
        if ws is None:
            raise web.HTTPServiceUnavailable(text="the connection is lost")  # to nobody
        client, asks = f"c{next(self._numbers)}", unacknowledged(ws.transport)
        session = Session(self.shared, client, entering.grant, unacknowledged=asks)
        connection = Connection(session, ws, request.remote or "this machine", self._clock())
        connection.is_exempt = self.http_limits.exempts(connection.host)
        ws.allowance = self.http_limits.messages_per_s
        ws.on_held = partial(self._hold, connection)
        ws.on_closing = session.leave
        self._add(connection)
        try:
            ws.listen(partial(self._heard, connection))
            await ws.gone
        finally:
            self._forget(connection)
        if ws.failure:
            self._refusals.count("too_large" if ws.failure_code == TOO_LONG else "malformed")
            self._say(connection, "frame", f"sent a malformed frame: {ws.failure}")
        elif not session.welcomed:
            self._say(connection, "silent", "connected and went without a word")
        return ws.response

    def _has_room(self) -> bool:
        """True if one more may come. Where all places are taken, who has not said hello for longest gives one up."""
        if len(self._connections) < self.limits.clients:
            return True
        mute = next((one for one in self._connections.values() if not one.session.welcomed), None)
        if mute is not None:
            self._remove(mute)
            mute.abort()
        return mute is not None

    def _add(self, connection: Connection) -> None:
        self._connections[connection.session.client] = connection
        self._cohorts.alone[connection.session] = None
        self._count()

    async def close(self) -> None:
        """Let no more browsers in, release what they hold, close each with 1001 (going away)."""
        self._closing = True
        connections = list(self._connections.values())
        for connection in connections:
            connection.session.close(self._clock())
            connection.ws.close(GOING_AWAY, "the server stops")
        connections += self._ghosts
        if connections:
            await asyncio.wait([connection.ws.gone for connection in connections], timeout=CLOSE_S)
        for connection in connections:
            connection.abort()

    def revoke(self, device: str) -> None:
        """Cut a device off: every session that it has, at once."""
        self.regrant(lambda grant: None if grant.device == device else grant)

    def regrant(self, decide: Callable[[Grant], Grant | None]) -> None:
        """What devices may do has changed: ask ``decide`` for each session's grant; None ends the session."""
        for entering in self._entering:
            entering.grant = _decided(decide, entering.grant)
        now = self._clock()
        for origin, before in list(self.shared.hands.items()):
            if _decided(decide, before) != before:
                del self.shared.hands[origin]
                self.shared.store.release_all(origin, now)
        for connection in list(self._connections.values()):
            session = connection.session
            if session.grant is None:
                continue
            grant = _decided(decide, session.grant)
            if grant is None:
                log.info("browser %s (%s): let in no longer", session.origin.target, connection.host)
                session.close(now)
                session.asides.unsubscribe()
                self._close(connection, Close(REVOKED, "this device is let in no longer"))
            else:
                session.set_grant(grant, now)
        self._wake()

    def devices(self) -> list[str]:
        """The device of each session that is welcomed."""
        sessions = (connection.session for connection in self._connections.values())
        return [session.grant.device for session in sessions if session.welcomed and session.grant is not None]

    def clients(self) -> list[dict[str, object]]:
        """What is known of each browser, for health and the operator."""
        return [
            {
                "client": c.session.client,
                "name": c.session.origin.target,
                "role": c.session.role,
                "access": c.session.grant.access if c.session.grant is not None else "",
                "connected_s": round(self._clock() - c.opened_at, 1),
                "buffered_bytes": c.unsent(),
                **c.session.status(),
            }
            for c in self._connections.values()
        ]

    # In

    def _heard(self, connection: Connection, opcode: int, payload: bytes) -> None:
        """One message of a browser, inside its transport's callback."""
        session = connection.session
        cohort = session.cohort
        now = connection.heard_at = self._clock()
        if opcode == TEXT:
            connection.spoke_at = now
            was_welcomed, shown = session.welcomed, session.shown
            close = session.receive(payload, now)
            if close is not None:
                self._flush(connection, now)
                connection.ws.close(close.code, close.reason)
                return
            if session.welcomed and not was_welcomed:
                connection.ws.allow(MAX_MESSAGE_BYTES)
                self._replace_older(connection)
                if self._is_crowded(session.device):
                    self._refusals.count("connections")
                    session.close(now)
                    self._close(connection, Close(CROWDED, f"this device has {MAX_OF_DEVICE} connections already"))
                    return
            if not session.is_idle:
                if is_current := session.is_up_to_date:
                    self._flush(connection, now)  # an answer, which concerns nobody else: no pass over all
                elif session.cohort is not None:
                    self._answer(connection)  # alone it would be told with the news, and be late to come back
                if session.cohort is not None and session.owes_answer:
                    session.leave()  # those who move together are told the news alone
                if not (is_current and session.is_idle) and (self._rest is None or is_current or not was_welcomed):
                    self._wake()  # else the pass that is under way comes to it, or knows already when to come again
            if session.may_join and connection.plain is not None and not connection.ws.is_closing:
                self._cohorts.admit(session, connection.plain)
            if session.cohort is not cohort and not session.is_idle:
                self._wake()  # a pass that is under way may have gone by where it is now
            if session.shown is not shown:
                self._meters.update(entry for entry in session.shown if entry.value is not None)
                self._wake_meters()
        elif opcode == PING:
            if connection.unsent() == 0:
                connection.ws.pong(payload)
        elif opcode == BINARY:
            self._say(connection, "binary", "sent a binary frame: text frames only")
            connection.ws.close(UNSUPPORTED, "text frames only")

    def _hold(self, connection: Connection) -> None:
        """It has said so much that it is not read for now: after the others, or when it has an allowance again."""
        if connection.ws.allowance <= 0:
            connection.rests_until = 0.0
            self._starved.append(connection)
            return
        self._backlog.append(connection)
        if self._backlog_timer is None and self._loop is not None:
            self._backlog_timer = self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        """Read on what was held back, for SLICE_S: whoever says little is not held up by those who say much."""
        assert self._loop is not None
        self._backlog_timer = None
        started = self._clock()
        while self._backlog and self._clock() - started < SLICE_S:
            self._backlog.popleft().ws.go_on()
        if self._backlog:
            spent = self._clock() - started
            self._backlog_timer = self._loop.call_later(BACKLOG_SHARE * spent, self._read_on)

    def _refused(self, client: str, refusal: ProtocolError) -> None:
        connection = self._connections.get(client)
        if connection is not None:
            self._say(connection, refusal.code, f"{refusal.code}: {refusal.message}")

    def _say(self, connection: Connection, cause: str, text: str) -> None:
        """Log what a browser did wrong, once per cause and address: it can do so as often as it likes."""
        level = logging.INFO if cause in _ORDINARY else logging.WARNING
        name = connection.session.origin.target
        self._once.log(level, (counted(connection.host), cause), "browser %s (%s): %s", name, connection.host, text)

    def _replace_older(self, connection: Connection) -> None:
        """A page that changed networks is not refused by its own ghost."""
        session = connection.session
        if not session.page:
            return
        for other in list(self._connections.values()):
            ghost = other.session
            if other is not connection and _who(ghost) == _who(session):
                ghost.close(self._clock())
                self._close(other, Close(REPLACED, "this page has connected again"))

    def _is_crowded(self, device: str) -> bool:
        """True if a device has more connections than one may."""
        return bool(device) and sum(one.session.device == device for one in self._connections.values()) > MAX_OF_DEVICE

    def _close(self, connection: Connection, close: Close) -> None:
        self._remove(connection)  # no pass writes to it any more
        self._ghosts.add(connection)
        connection.ws.close(close.code, close.reason)

    def _remove(self, connection: Connection) -> None:
        self._connections.pop(connection.session.client, None)
        self._cohorts.remove(connection.session)
        self._count()

    def _count(self) -> None:
        """There is a crowd now, or none any more."""
        self.shared.ack_s, self.shared.ping_s = ack_s_for(len(self._connections)), ping_s_for(len(self._connections))

    def _forget(self, connection: Connection) -> None:
        self._remove(connection)
        self._ghosts.discard(connection)
        connection.session.close(self._clock())
        connection.session.asides.unsubscribe()

    # Out

    def _on_changes(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.what == "removed":
                self.shared.frames.forget(change.entry)
            if change.what == "value" and not change.entry.is_logged:  # a meter
                self._meters.add(change.entry)
                self._wake_meters()
            else:
                self._wake()

    def _wake(self, not_before: float = 0.0) -> None:
        """See that a pass starts as soon as it may: in the next turn of the loop, if one is due.

        Not at once: what comes in the same turn (a touch and its first move, a burst of datagrams) is told in one
        frame, where the first alone would make the others wait for PASS_GAP_S. It would save 10 µs.
        """
        if self._loop is None or self._closing:
            return
        if self._rest is not None:
            self._pass_again = min(self._pass_again, not_before)
            return
        at = max(self._next_pass, not_before)
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer_at = at
        delay = at - self._clock()
        self._timer = self._loop.call_soon(self._pass) if delay <= 0 else self._loop.call_later(delay, self._pass)

    def _pass(self) -> None:
        """Tell every browser that may be told, in slices of SLICE_S."""
        assert self._loop is not None
        self._timer = None
        started = self._clock()
        cpu_started = self._cpu_clock() if len(self._connections) > FEW else 0.0
        if self._rest is None:
            whom: list[Cohort | Connection] = list(self._cohorts)
            if self._cohorts.alone:
                whom += [self._connections[session.client] for session in self._cohorts.alone]
            self._rest = iter(whom)
            self._spent_s = 0.0
            self._next_pass = started
            self._pass_again = math.inf
        looked = 0
        is_over = True
        try:
            for one in self._rest:
                if type(one) is Cohort:
                    self._tell_together(one, started)
                else:
                    looked += 1
                    if self._tell(one, started) and looked % 8:  # the clock is asked after every eighth of these
                        continue
                if self._clock() - started > SLICE_S:
                    self._spent_s += self._cpu_clock() - cpu_started if cpu_started else SLICE_S
                    self._timer = self._loop.call_soon(self._pass)
                    is_over = False
                    return
        finally:
            if is_over:
                self._rest = None  # whatever happened, the next pass can begin
        if self.on_told is not None:
            self.on_told(self._next_pass)
        if cpu_started:
            self._spent_s += self._cpu_clock() - cpu_started
        self._next_pass += min(LONGEST_GAP_S, max(PASS_GAP_S, PASS_SHARE * self._spent_s))
        if self._pass_again < math.inf:
            self._wake(self._pass_again)

    def _tell_together(self, cohort: Cohort, now: float) -> None:
        """The news to all members of a cohort, with nothing looked at but the sockets that they are written to."""
        for session in cohort.look(now):
            self._tell(self._connections[session.client], now)
        news = cohort.news(now)
        if news is None:
            cohort.disband()
            self._pass_again = min(self._pass_again, now)
            return
        if news:
            framed = self._frame(news)
            full = []  # transports: to look at their sessions too would be a third of a pass over 1,000
            for transport in list(cohort.members.values()):
                try:
                    if transport.get_write_buffer_size():
                        full.append(transport)
                    else:
                        transport.write(framed)
                except RuntimeError:  # uvloop's, of one that is closed: its own task takes it out
                    full.append(transport)
            if full:
                for session in [session for session, transport in cohort.members.items() if transport in full]:
                    session.leave()
                self._pass_again = min(self._pass_again, now + PASS_GAP_S)
            self.shared.counters.frames += len(cohort.members)
        cohort.told(news, now)

    def _tell(self, connection: Connection, now: float) -> bool:
        """The news and what it is owed to one browser, if it may be told now. True where that was the news alone."""
        session = connection.session
        if session.cohort is not None or connection.ws.is_closing or connection.is_lost():
            return True
        if connection.unsent() == 0 and (news := session.poll_news(now)) is not None:
            framed = self._frame(news)
            if session.owes_answer:
                framed = b"".join([framed, *map(text_frame, session.take_answers())])
            connection.write(framed)
            return True
        if session.is_idle:
            return True
        self._flush(connection, now)
        if not session.is_idle:  # not all could be told: when may the rest go?
            wait_s = PASS_GAP_S if connection.unsent() else session.window.wait(now)
            if session.window.is_held_back(now):
                session.window.look_at_link()
                wait_s = min(wait_s, LOOK_S)
            self._pass_again = min(self._pass_again, now + wait_s)
        return False

    def _answer(self, connection: Connection) -> None:
        """What a member of a cohort is owed and may be told ahead of the news that are due."""
        session = connection.session
        if connection.unsent() == 0 and (answers := session.take_answers()):
            connection.write(b"".join(map(text_frame, answers)))

    def _flush(self, connection: Connection, now: float) -> None:
        frames = connection.session.poll(now, connection.unsent() == 0)
        if len(frames) == 1:
            connection.write(self._frame(frames[0]))
        elif frames:
            connection.write(b"".join([self._frame(frame) for frame in frames]))

    def _frame(self, payload: bytes) -> bytes:
        """A WebSocket text frame; browsers at one revision share the payload, so its frame is made once."""
        last, framed = self._framed
        if payload is not last:
            framed = text_frame(payload)
            self._framed = (payload, framed)
        return framed

    def _wake_meters(self) -> None:
        if self._meter_timer is None and self._loop is not None and not self._closing:
            delay = max(0.0, self._meters_at + METER_GAP_S - self._clock())
            self._meter_timer = self._loop.call_later(delay, self._pass_meters)

    def _pass_meters(self) -> None:
        self._meter_timer = None
        self._meters_at = self._clock()
        changed, self._meters = self._meters, set()
        for connection in self._connections.values():
            if connection.session.shown and connection.unsent() == 0 and connection.is_open:
                frame = connection.session.poll_meters(changed)
                if frame is not None:
                    connection.write(text_frame(frame))

    def _wake_asides(self) -> None:
        if self._aside_timer is None and self._loop is not None and not self._closing:
            self._aside_timer = self._loop.call_later(ASIDE_GAP_S, self._pass_asides)

    def _pass_asides(self) -> None:
        """Tell those who watch the monitor, or learn, where everything before has left."""
        self._aside_timer = None
        is_left = False
        for connection in self._connections.values():
            asides = connection.session.asides
            if asides.is_empty:
                continue
            if connection.unsent() == 0 and connection.is_open and (frame := asides.poll()) is not None:
                connection.write(text_frame(frame))
            is_left |= not asides.is_empty
        if is_left:
            self._wake_asides()

    # Time

    async def _tick(self) -> None:
        """Drop the silent and the stuck, ping the quiet."""
        while True:
            limits = self.limits  # a reload may have changed them
            await asyncio.sleep(limits.check_s)
            now = self._clock()
            quiet_s = limits.ping_after_s * self.shared.ping_s / PING_S  # pages ping more rarely in a crowd
            most = self.http_limits.messages_per_s
            for connection in list(self._connections.values()):
                if now < connection.rests_until:  # 1,000 browsers: 6 ms of CPU each time → 2
                    continue
                if connection.is_lost():  # its own task takes it out as soon as it runs; uvloop takes no write now
                    continue
                session, ws = connection.session, connection.ws
                name = session.origin.target
                if ws.allowance < most:
                    ws.allowance = (
                        most if connection.is_exempt else min(most, ws.allowance + int(most * limits.check_s))
                    )
                if not ws.is_halfway:
                    connection.halfway_at = math.inf
                elif connection.spoke_at > connection.halfway_at or connection.halfway_at > now:
                    connection.halfway_at = now
                if session.pings and now - connection.spoke_at > limits.silent_s:
                    session.close(now)
                if now - connection.heard_at > limits.silent_s:
                    self._once.each("browser %s: silent for %.0f s, dropped", name, limits.silent_s)
                    connection.abort()
                elif connection.is_stuck(now, limits.client_timeout_s):
                    self._once.each("browser %s: took nothing for %.0f s, dropped", name, limits.client_timeout_s)
                    connection.abort()
                elif ws.is_halfway and now - connection.halfway_at > limits.halfway_s:
                    self._refusals.count("timeout")
                    self._say(connection, "halfway", f"took more than {limits.halfway_s:.0f} s for one message")
                    connection.abort()
                elif not session.welcomed and now - connection.opened_at > limits.hello_s:
                    connection.abort()
                elif connection.unsent() == 0 and now - connection.quiet_since > quiet_s:
                    connection.ping(now)
                elif session.welcomed and not ws.is_halfway and connection.unsent() == 0:
                    spoke_at = min(connection.heard_at, connection.spoke_at)
                    connection.rests_until = min(now + 4 * limits.check_s, spoke_at + quiet_s)
            starved, self._starved = self._starved, []
            for connection in starved:
                self._hold(connection)


def _who(session: Session) -> tuple[str, str | None, str]:
    """Which page on which device."""
    return session.page, session.token, session.device


class _Entering:
    """A connection that is on its way in: what it may do can change meanwhile."""

    def __init__(self, grant: Grant | None) -> None:
        self.grant = grant


def _decided(decide: Callable[[Grant], Grant | None], grant: Grant | None) -> Grant | None:
    decided = None if grant is None else decide(grant)
    return decided.for_page() if decided is not None and grant is not None and grant.is_page else decided


_ORDINARY = ("not_paired", "held", "stale", "declared_otherwise", "silent")  # what good browsers do on a bad day
