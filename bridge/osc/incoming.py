"""What an OSC datagram does: which controls it means, and the store's part of it.

Nothing raises out of ``Receiver.receive``: what cannot be used is counted and logged once per cause.
Answers (queries, refresh) go out through the ``Sender``; what a target is owed is in ``outgoing``. Who speaks is found
out in ``sources``; what of it is news, and no echo, in ``news``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import groupby, islice
from typing import Any, Protocol

from bridge.allowance import Allowance
from bridge.control import PANIC, RESERVED
from bridge.errors import BadValue, OscError
from bridge.log import OncePer
from bridge.store import Entry, Store
from bridge.suggestion import nearest_path

from .bind import Route, is_button_up
from .codec import IMMEDIATELY, Bundle, Decoder, Message, TimeTag, Values, messages
from .learn import OWNER as LEARNT
from .learn import grown
from .learner import Learner
from .looks import Look
from .news import Debts, News
from .pattern import is_pattern
from .peer import OscPeer, Source
from .routes import values_of
from .socket import Address
from .sources import Owner, Sources
from .tap import OscTap

REFRESH = f"{RESERVED}/refresh"

MAX_SCHEDULED = 256
"""Bundles that wait for their time; more are applied at once."""
LONGEST_WAIT_S = 1.0
"""A time tag further ahead is a clock that is not synchronised: its fader would lag for ever."""
NEW_PATTERNS = 128
"""New patterns that may be looked up at once, and NEW_PATTERNS_PER_S after that; a known one costs one look-up."""
NEW_PATTERNS_PER_S = 32
MEANT = 32_768
"""Values that patterns and refreshes may mean at once, and MEANT_PER_S after that: "/*" is short, and a packet has room
for thousands. Four times all the controls that there can be, a quarter of a second of work."""
MEANT_PER_S = 32_768
MAX_SUGGESTED_FROM = 2048
"""Addresses among which "did you mean" looks: it is 2.5 µs for each and the asker may be hostile."""

NO_NEWS = "nothing new: what we have, or an echo"


class Sender(Owner, Debts, Protocol):
    """What a receiver needs of the sending side."""

    def answer(self, source: Source, entry_ids: Iterable[int]) -> None:
        """Send these controls' values to whoever asked."""

    def heard(self, source: Source, now: float) -> None:
        """A peer has spoken that was not known to be well."""


class Receiver:
    """The incoming side of one socket. ``wall_clock`` is what time tags are compared with (seconds, UTC)."""

    def __init__(
        self,
        peers: Sequence[OscPeer],
        store: Store,
        sender: Sender,
        once: OncePer,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        tap: OscTap,
    ) -> None:
        self.strangers = 0
        """Packets from addresses that no table is for, or lets in."""
        self._store = store
        self._sender = sender
        self._once = once
        self._clock = clock
        self._wall_clock = wall_clock
        self._tap = tap
        self.sources = Sources(peers, sender, once, clock)
        self.news = News(sender, once)
        self.learner = Learner(store, once)
        """For peers with ``auto = true``."""
        self._decode = Decoder().decode
        self._source_at = self.sources.at
        self._scheduled: set[asyncio.TimerHandle] = set()
        self._new_patterns = Allowance(NEW_PATTERNS, NEW_PATTERNS_PER_S)
        self._meant = Allowance(MEANT, MEANT_PER_S)

    def receive(self, data: bytes, address: Address) -> None:
        """Take one datagram. Never raises."""
        source = self._source_at.get(address) or self.sources.find(address)
        if source is None:
            self.strangers += 1
            if self._tap.monitor.is_watched:
                self._tap.stranger(address, len(data))
            return
        peer = source.peer
        meter = source.meter
        meter.left -= 1
        if meter.left < 0 and not meter.refill(self._clock()):
            self._drop(source, address, data)
            return
        peer.received += 1
        try:
            packet = self._decode(data)
        except OscError as exc:
            peer.bad += 1
            self._once.warning(
                (peer.name, "garbage", source.host), "osc %s: not OSC, from %s: %s", peer.name, source.host, exc
            )
            if self._tap.monitor.is_watched:
                self._tap.garbage(peer.name, address, data, exc)
            return
        if self._tap.monitor.is_watched:
            self._tap.came(peer.name, address, packet, len(data))
        now = self._clock()
        life = peer.life
        life.heard_at = now
        if not life.is_well:
            self._sender.heard(source, now)
        if isinstance(packet, Bundle):
            self._receive_bundle(source, packet, now)
            return
        if peer.renames:
            packet = packet._replace(address=peer.heard_address(packet.address))
        if peer.host is not None:
            left = peer.host.hear(packet, now)
            if left is None:
                return
            packet = left
        routes = peer.routes.plain.get(packet.address) or peer.routes.find(packet.address, packet.args)
        if routes is not None and len(routes) == 1 and not peer.follows:
            route = routes[0]
            if route.is_quick and len(packet.args) > len(route.before):
                self._receive_value(source, route, packet, now)  # nearly every message
                return
        Batch(self, source, now).run((packet,))

    def forget(self) -> None:
        """Drop bundles that still wait, and who was where."""
        for timer in self._scheduled:
            timer.cancel()
        self._scheduled.clear()
        self.sources.forget()

    def _drop(self, source: Source, address: Address, data: bytes) -> None:
        """One packet of a flood."""
        peer = source.peer
        peer.flooded += 1
        text = "osc %s: more than %d messages a second from %s: what is more is dropped (flood = … says how many)"
        self._once.warning((peer.name, "flood", source.host), text, peer.name, source.meter.per_s, source.host)
        if self._tap.monitor.is_watched:
            self._tap.flooded(peer.name, address, len(data))

    def _receive_value(self, source: Source, route: Route, message: Message, now: float) -> None:
        entry = route.entry
        values = values_of(route, message.args) if route.before or route.after else message.args
        if source.peer.questions.is_busy and self.news.is_old_answer(source, route, values, now):
            return
        try:
            raw = route.raw(values)
            target = source.target
            answers = 0
            if target is None and source.peer.targets:
                is_news = self.news.is_unlisted_news(source, route, values, raw, entry.value, now)
                answers = self.news.unlisted_answers(source, route, now) if is_news else 0
            elif target is None or route not in target.echoes.guards:
                is_news = not route.confirms(entry.value, values)  # rule 1 is all that is needed
                if is_news and target is not None and target.owed.pending:
                    is_news = not target.owed.has_move(entry.id)  # what it says is from before the hand's move
            else:
                is_news = self.news.is_news(source, route, values, raw, entry.value, now)
                answers = target.echoes.answers(route, now) if is_news else 0
            if is_news:
                self._store.set(entry, raw, source.origin, now, answers)
                if entry.value != raw and not route.says(entry.value, values, raw):
                    self.news.refused(source, route, now)
            elif self._tap.monitor.is_watched:
                self._tap.remark(message, NO_NEWS)
            if target is not None:
                target.said[route] = None  # a set would cost a call
            if source.peer.carriage is not None:
                source.peer.carriage.heard(entry.path)
        except BadValue as exc:
            self.complain(source, entry, message, exc)

    def _receive_bundle(self, source: Source, bundle: Bundle, now: float) -> None:
        source.meter.left += 1  # the packet was counted, and what is in it counts
        for timetag, group in groupby(messages(bundle), key=lambda pair: pair[0]):
            batch = tuple(message for _, message in group)
            source.meter.left -= len(batch)
            if source.peer.renames:
                batch = tuple(each._replace(address=source.peer.heard_address(each.address)) for each in batch)
            if (host := source.peer.host) is not None:
                batch = tuple(left for each in batch if (left := host.hear(each, now)) is not None)
            delay_s = self._delay(source.peer, timetag)
            if delay_s > 0:
                self._schedule(source, batch, delay_s)
            else:
                Batch(self, source, now).run(batch)

    def _delay(self, peer: OscPeer, timetag: TimeTag) -> float:
        """Seconds until a bundle is due; 0 or less is now."""
        if timetag == IMMEDIATELY or peer.settings.time_tags == "ignore":
            return 0.0
        delay_s = timetag.unix - self._wall_clock()
        if delay_s > LONGEST_WAIT_S or (delay_s > 0 and len(self._scheduled) >= MAX_SCHEDULED):
            peer.early += 1
            text = "osc %s: a bundle is for %.1f s ahead and is applied at once: is its clock right?"
            self._once.warning((peer.name, "time tag"), text, peer.name, delay_s)
            return 0.0
        return delay_s

    def _schedule(self, source: Source, batch: tuple[Message, ...], delay_s: float) -> None:
        def run() -> None:
            self._scheduled.discard(timer)
            Batch(self, source, self._clock()).run(batch)

        timer = asyncio.get_running_loop().call_later(delay_s, run)
        self._scheduled.add(timer)

    # What the parts of a batch need

    def apply(self, items: Sequence[tuple[Entry, Any]], routes: Iterable[Route], source: Source, now: float) -> None:
        """``routes``: by which the items came."""
        target = source.target
        if target is None:
            answers = max((self.news.unlisted_answers(source, route, now) for route in routes), default=0)
        else:
            answers = max((target.echoes.answers(route, now) for route in routes), default=0)
        self._store.apply(items, source.origin, now, answers)

    def fire(self, route: Route, args: tuple[Any, ...], source: Source, now: float) -> None:
        """Fire a trigger, unless it is one of ours that comes back."""
        answers = self.news.trigger(source, route, args, now)
        if answers is not None:
            self._store.trigger(route.entry, args, source.origin, now, answers)

    def panic(self, source: Source, now: float) -> None:
        """``/stagebridge/panic``, which every peer may say."""
        entry = self._store.find(PANIC)
        if entry is not None and entry.control.kind == "trigger":
            self._store.trigger(entry, (), source.origin, now)

    def show(self, look: Look, values: Values, source: Source, now: float) -> None:
        """Show a control as a peer shows it. Raises BadValue."""
        if self._store.find(look.entry.id) is look.entry:
            self._store.describe(look.entry, look.described(values), now=now, origin=source.origin)

    def hold(self, entry: Entry, is_down: bool, source: Source, now: float) -> None:
        if is_down:
            self._store.touch(entry, source.origin, now)
        else:
            self._store.release(entry, source.origin, now)

    def answer(self, source: Source, entry_ids: Iterable[int]) -> None:
        self._sender.answer(source, entry_ids)

    def complain(self, source: Source, entry: Entry, message: Message, why: BadValue) -> None:
        """Count a value that its control cannot take, and say it once per control and peer."""
        source.peer.bad += 1
        self.remark(message, str(why))
        self._once.warning(
            (source.peer.name, "value", entry.id), "osc %s: %s from %s cannot be used: %s",
            source.peer.name, message.address, source.host, why,
        )  # fmt: skip

    def remark(self, message: Message, text: str) -> None:
        """Say in the monitor, if somebody looks, what came of a message."""
        if self._tap.monitor.is_watched:
            self._tap.remark(message, text)

    def complain_of_pattern(self, source: Source, pattern: object, why: OscError) -> None:
        """Count a pattern that is none, and say it once per sender."""
        source.peer.bad += 1
        self._once.warning(
            (source.peer.name, "pattern", source.host), "osc %s: the pattern %.200s from %s cannot be used: %s",
            source.peer.name, pattern, source.host, why,
        )  # fmt: skip

    def wonder(self, source: Source, message: Message) -> None:
        """Count a message for no control, and say once what it may have meant."""
        source.peer.unknown += 1
        self.remark(message, "no such control")
        if source.peer.host is not None:
            return  # what a driver asks for is answered for things that no control shows, too
        self._once.warning(
            (source.peer.name, "unknown", source.host, message.address[:200]), "heard %.200s from %s, %s",
            message.address, source.host, _Suggestion(source.peer, message),
        )  # fmt: skip

    def addresses(self, source: Source, pattern: str, now: float) -> Sequence[str]:
        """The addresses that a pattern means. Raises OscError where it is none, or too much is asked."""
        tree = source.peer.routes.tree
        self._allow(tree.is_cached(pattern), now)
        found = tree.find(pattern)
        self._allow_values(len(found), now)
        return found

    def spoken(self, source: Source, pattern: str | None, now: float) -> list[int]:
        """Ids of the controls that a refresh means. Raises OscError as ``addresses`` does."""
        routes = source.peer.routes
        self._allow(pattern is None or routes.is_cached(pattern), now)
        found = list(routes.spoken(pattern))
        self._allow_values(len(found), now)
        return found

    def _allow(self, is_known: bool, now: float) -> None:
        if not is_known and not self._new_patterns.take(1, now):
            raise OscError(0, "too many different patterns in a short time")

    def _allow_values(self, count: int, now: float) -> None:
        if not self._meant.take(count, now):
            raise OscError(0, "patterns for too many values in a short time")


class Batch:
    """Messages that take effect together, in order: values in one ``store.apply``, triggers between them."""

    def __init__(self, receiver: Receiver, source: Source, now: float) -> None:
        self._receiver = receiver
        self._source = source
        self._now = now
        self._items: list[tuple[Entry, Any]] = []
        self._latest: dict[Entry, Any] = {}
        self._reports: list[tuple[Route, Values, Any]] = []

    def run(self, batch: Iterable[Message]) -> None:
        """Take every message."""
        is_calm = False
        for message in batch:
            if message.address == REFRESH:
                self._refresh(message)
                continue
            if message.address == PANIC:
                self._apply()
                if not is_calm and not is_button_up(message.args):
                    self._receiver.panic(self._source, self._now)
                    is_calm = True  # until something else is said
                continue
            is_calm = False
            if touched := self._source.peer.routes.touched(message.address):
                self._receiver.sources.follow(self._source)
                self._touch(touched, message)
                continue
            looks = self._source.peer.routes.looks(message.address, message.args)
            for look in looks:
                self._look(look, message)
            try:
                routes = self._routes(message)
            except OscError as exc:
                self._receiver.complain_of_pattern(self._source, message.address, exc)
                continue
            if not routes and (looks or message.address in self._source.peer.quiet):
                continue
            if routes is None and self._source.peer.settings.auto:
                routes = self._receiver.learner.meet(self._source, message, self._now)
            if not routes:
                self._receiver.wonder(self._source, message)
                continue
            self._receiver.sources.follow(self._source)
            asked = [entry_id for route in routes if (entry_id := self._use(route, message)) is not None]
            if asked:
                self._answer(asked)
        self._apply()

    def _routes(self, message: Message) -> Sequence[Route] | None:
        routes = self._source.peer.routes
        if not is_pattern(message.address):
            return routes.find(message.address, message.args)
        addresses = self._receiver.addresses(self._source, message.address, self._now)
        return [route for address in addresses for route in routes.find(address, message.args) or ()]

    def _use(self, route: Route, message: Message) -> int | None:
        """Set or fire. Returns the control's id if the message asks for its value."""
        values = values_of(route, message.args)
        if route.entry.control.owner == LEARNT and self._source.peer.settings.auto:
            route = self._grown(route, values)
        entry, control = route.entry, route.entry.control
        if control.kind == "trigger":
            if control.access != "write" and not is_button_up(values):
                self._fire(route, message, values)
            return None
        if not values:
            return entry.id if self._source.peer.settings.answers else None
        if control.access == "write":
            return None
        is_asked = self._source.peer.questions.is_busy
        if is_asked and self._receiver.news.is_old_answer(self._source, route, values, self._now):
            return None
        try:
            raw = route.raw(values)
            current = self._latest.get(entry, entry.value)
            is_news = self._receiver.news.is_news(self._source, route, values, raw, current, self._now)
            value = control.coerce(raw, current) if is_news else None
        except BadValue as exc:
            self._receiver.complain(self._source, entry, message, exc)
            return None
        if self._source.target is not None:
            self._source.target.said[route] = None
        if not is_news:
            self._receiver.remark(message, NO_NEWS)
        else:
            self._latest[entry] = value
            self._items.append((entry, value))
            self._reports.append((route, values, raw))
        return None

    def _grown(self, route: Route, values: Values) -> Route:
        """The route of a learnt control that can hold what is said to it."""
        made = grown(route.entry.control, values)
        if made is None:
            return route
        self._apply()  # by the routes that are
        self._receiver.learner.describe(route.entry, made, self._source, self._now)
        found = self._source.peer.routes.find(route.heard_at, ()) or ()
        return next((one for one in found if one.entry is route.entry), route)

    def _fire(self, route: Route, message: Message, values: tuple[Any, ...]) -> None:
        self._apply()
        try:
            self._receiver.fire(route, route.raw(values), self._source, self._now)
        except BadValue as exc:
            self._receiver.complain(self._source, route.entry, message, exc)

    def _look(self, look: Look, message: Message) -> None:
        """A name or a colour that the peer gives a control."""
        self._apply()
        if self._source.peer.questions.is_busy:
            self._source.peer.questions.answered(look)
        try:
            self._receiver.show(look, message.args[len(look.before) :], self._source, self._now)
        except BadValue as exc:
            self._receiver.complain(self._source, look.entry, message, exc)

    def _touch(self, entries: Iterable[Entry], message: Message) -> None:
        """A finger on the peer's own fader: 1 and more is down, 0 is up."""
        self._apply()
        is_down = not is_button_up(message.args)
        for entry in list(entries):
            self._receiver.hold(entry, is_down, self._source, self._now)

    def _refresh(self, message: Message) -> None:
        """``/stagebridge/refresh [pattern]``; a bang or a number from a button means all."""
        pattern = message.args[0] if message.args and isinstance(message.args[0], str) else None
        self._receiver.sources.follow(self._source)
        try:
            ids = self._receiver.spoken(self._source, pattern, self._now)
        except OscError as exc:
            self._receiver.complain_of_pattern(self._source, pattern, exc)
        else:
            self._answer(ids)

    def _answer(self, entry_ids: list[int]) -> None:
        self._apply()  # what came before the question counts
        self._receiver.answer(self._source, entry_ids)

    def _apply(self) -> None:
        if self._items:
            items, self._items = self._items, []
            reports, self._reports = self._reports, []
            self._latest.clear()
            latest = {route: (values, raw) for route, values, raw in reports}
            self._receiver.apply(items, latest, self._source, self._now)
            for route, (values, raw) in latest.items():
                if route.entry.value != raw and not route.says(route.entry.value, values, raw):
                    self._receiver.news.refused(self._source, route, self._now)


class _Suggestion:
    """The end of the line about an unknown address: worked out only if the line is written, and then once."""

    def __init__(self, peer: OscPeer, message: Message) -> None:
        self._peer = peer
        self._message = message

    def __str__(self) -> str:
        return self._text

    @cached_property
    def _text(self) -> str:
        address, routes = self._message.address, self._peer.routes
        if is_pattern(address):
            return "which fits no control"
        if routes.find(address, ()) is not None:
            return f"but no binding has the arguments {self._message.args!r:.80}"
        if not address.startswith("/") and routes.find(f"/{address}", ()) is not None:
            return f"without a slash: bare_addresses = true takes it for /{address}"
        near = nearest_path(address, islice(routes.addresses, MAX_SUGGESTED_FROM))
        return f"no such control: did you mean {near}?" if near else "no such control"
