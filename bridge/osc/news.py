"""What of a peer's reports is news: not what we have, no echo, and no answer to a question from before a hand's move.

The rules are those of the echo guard (``echo``, ``unlisted``) and of questions (``questions``); here they are
asked for what a source has said, and whoever has to be told the truth later is noted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from bridge.echo import MAX_TRIGGERS, TriggerEchoes, are_near
from bridge.errors import BadValue
from bridge.log import OncePer
from bridge.store import Entry

from .bind import Route
from .codec import Values
from .peer import OscPeer, Source, Target
from .socket import shown


class Debts(Protocol):
    """What the news needs of the sending side."""

    def owe(self, peer: OscPeer, entry: Entry) -> None:
        """A peer is to be sent this value: what it has said of it is older."""

    def settle_soon(self, target: Target) -> None:
        """Something may have to be settled with a target: see that it is, in time."""


class News:
    """The news from the peers of one port."""

    def __init__(self, debts: Debts, once: OncePer) -> None:
        self._debts = debts
        self._once = once

    def is_old_answer(self, source: Source, route: Route, values: Values, now: float) -> bool:
        """True for the answer to a question, if a hand has moved the control since: the hand wins."""
        questions = source.peer.questions
        is_audit = questions.is_audit(route)
        if not questions.answered(route):
            self._debts.owe(source.peer, route.entry)
            return True
        if is_audit and not _is_said(route, values):
            questions.doubt(route, now)
        return False

    def is_news(self, source: Source, route: Route, values: Values, raw: Any, current: Any, now: float) -> bool:
        """False for a report that is not to be applied: it is what we have, or an echo. Raises BadValue."""
        target = source.target
        if target is None and source.peer.targets:
            return self.is_unlisted_news(source, route, values, raw, current, now)
        if target is None or route not in target.echoes.guards:
            if target is not None and target.owed.has_move(route.entry.id):
                return False  # it has not heard of the hand's move yet, and is about to
            return not route.confirms(current, values)
        report = route.report(values, raw)
        is_current = report == (current,) if route.is_exact else route.confirms(current, values)
        control = route.entry.control
        is_rest = control.momentary and control.coerce(raw) == control.rest
        verdict = target.echoes.hear(route, report, is_current, now, is_rest)
        if verdict != "confirmed":
            self._debts.settle_soon(target)
            if verdict == "remembered" and target.echoes.guards[route].is_cut:
                self._cut_loop(source, route.entry)
        return verdict == "apply"

    def is_unlisted_news(
        self, source: Source, route: Route, values: Values, raw: Any, current: Any, now: float
    ) -> bool:
        """``is_news`` from an address that no target has, though it may be one's. Raises BadValue."""
        targets = source.peer.targets
        if not any(route in target.echoes.guards for target in targets):
            return not route.confirms(current, values)
        report = route.report(values, raw)
        is_current = report == (current,) if route.is_exact else route.confirms(current, values)
        control = route.entry.control
        is_rest = control.coerce(raw) == control.rest if control.momentary else None
        unlisted = source.peer.unlisted(source.address)
        loops = unlisted.loops
        books = [target.echoes for target in targets]
        verdict = unlisted.hear(route, source.origin, books, report, is_current, now, is_rest)
        if verdict != "confirmed":
            for target in targets:
                self._debts.settle_soon(target)
        if unlisted.loops != loops:
            self._cut_loop(source, route.entry)
        return verdict == "apply"

    def unlisted_answers(self, source: Source, route: Route, now: float) -> int:
        books = [target.echoes for target in source.peer.targets]
        return source.peer.unlisted(source.address).answers(route, source.origin, books, now)

    def refused(self, source: Source, route: Route, now: float) -> None:
        """The store has not become what a report says: the target it came from, or may have come from, is to be
        told."""
        if route.entry.id in source.peer.routes.speakers:
            for target in source.peer.targets if source.target is None else (source.target,):
                target.echoes.refused(route, route.rules, now)
                self._debts.settle_soon(target)

    def trigger(self, source: Source, route: Route, args: tuple[Any, ...], now: float) -> int | None:
        """How many triggers in a row this one answers; None if it is one of ours that comes back, or goes round."""
        peer, target = source.peer, source.target
        if target is None:
            books = [found for each in peer.targets if (found := each.fired.get(route)) is not None]
            is_echo = bool(books) and self._is_unlisted_ring(books, route, args, source, now)
        else:
            is_echo = route in target.fired and target.fired[route].is_echo(args, now)
        if is_echo:
            peer.echoed += 1
            return None
        fired = [target] if target is not None else peer.targets
        answers = max((each.fired[route].answers(now) for each in fired if route in each.fired), default=0)
        if answers > MAX_TRIGGERS:
            self._cut_loop(source, route.entry)
            return None
        return answers

    def _is_unlisted_ring(
        self, fired: Sequence[TriggerEchoes], route: Route, args: tuple[Any, ...], source: Source, now: float
    ) -> bool:
        unlisted = source.peer.unlisted(source.address)
        loops = unlisted.loops
        is_echo = unlisted.is_ring(fired, args, source.origin, now)
        if unlisted.loops != loops:
            self._cut_loop(source, route.entry)
        return is_echo

    def _cut_loop(self, source: Source, entry: Entry) -> None:
        source.peer.loops += 1
        self._once.warning(
            (source.peer.name, "loop", entry.id), "osc %s: %s went round and round with %s and was cut",
            source.peer.name, entry.path, shown(source.address),
        )  # fmt: skip


def _is_said(route: Route, values: Values) -> bool:
    """True if a report is what the peer can have made of our value, or nothing that can be."""
    try:
        report = route.report(values, route.raw(values))
    except BadValue:
        return True
    return are_near(report, route.rules.to_wire(route.entry.value), route.rules.tolerance)
