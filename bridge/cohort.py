"""Browsers that are told the same: one cursor on the store's log, and one list of frames under way, for all. Pure.

Nearly all browsers are alike: they were last told the same revision, their links are near and keep nothing, they owe
and are owed nothing. Such sessions are members of a ``Cohort``, and a pass over them is one question to the log and a
write to each socket; nothing of their own is looked at. As soon as anything sets one apart (a finger, an answer, a link
that keeps what it gets, much that is not acknowledged) it leaves, and is as it would have been alone; it comes back
with an ack.

A member's link is asked before anything under way is older than a quarter of a second, and whenever as much has left as
is light. So what a link that is cut may keep is as little as for one who is alone; what a page that hangs may leave
lying in its own TCP, twice as much.

Measured with 100 browsers: 1.4 µs of CPU for a session in a pass, more where 1,000 come from memory; 0.2 for a member.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, final

from .ackwindow import ACK_S, LIGHT_BYTES, OLDEST_FRAME_S, Flights
from .frames import Lens
from .session import Session, Shared

MOST = 128
"""Members of one: a millisecond of writing, after which the loop may turn to others."""
SOON_S = 0.05
"""Whose link must be asked again so soon is better alone."""


@final
class Cohort:
    """Members by session, each with its transport, of which nothing is known here."""

    __slots__ = (
        "_alone", "_flights", "_look_at", "_looked", "_shared", "_store", "lens", "members", "revision", "triggers",
    )  # fmt: skip

    def __init__(self, shared: Shared, alone: dict[Session, None], like: Session) -> None:
        self.lens: Lens = like.lens
        self.revision = like.revision
        """What all members were last told."""
        self.triggers = like.triggers
        """Sequence of the last trigger told."""
        self.members: dict[Session, Any] = {}
        self._alone = alone  # where leavers go
        self._shared = shared
        self._store = shared.store
        self._flights = Flights()
        self._look_at = math.inf  # when a member's link must be asked
        self._looked = 0  # bytes that had left when it was

    def fits(self, session: Session) -> bool:
        """True if that one may be told what these are told."""
        return (
            self.revision == session.revision
            and self.lens is session.lens
            and self.triggers == session.triggers
            and len(self.members) < MOST
        )

    def admit(self, session: Session, transport: Any) -> None:
        """It moves with these from now on."""
        del self._alone[session]
        self.members[session] = transport
        session.join(self, self._flights)
        self._look_at = min(self._look_at, session.window.oldest_at + OLDEST_FRAME_S)

    def dismiss(self, session: Session) -> None:
        """A member leaves: to be called by ``Session.leave`` alone."""
        del self.members[session]
        self._alone[session] = None

    def disband(self) -> None:
        """All leave."""
        for session in list(self.members):
            session.leave()

    def look(self, now: float) -> list[Session]:
        """Before a frame: who has left because it must be asked before each, by what its link says."""
        if now < self._look_at and self._flights.total - self._looked < LIGHT_BYTES:
            return []
        look_at, leavers, first = math.inf, [], len(self._flights)
        first_young = self._flights.first_since(now - self._shared.ping_s, LIGHT_BYTES)
        for session in self.members:
            until = session.window.together_until(now, first_young)
            if until < now + SOON_S:
                leavers.append(session)
            else:
                look_at = min(look_at, until)
                first = min(first, session.window.place)
        for session in leavers:
            session.leave()
        self._flights.forget(first)
        self._look_at, self._looked = look_at, self._flights.total
        return leavers

    def news(self, now: float) -> bytes | None:
        """What all members are to be told now, in one frame; b"" if it is nothing; None where each must be asked."""
        if self.revision == self._store.revision:
            return b""
        return self._shared.frames.news(self.revision, self.triggers, self.lens, now).frame

    def told(self, frame: bytes, now: float) -> None:
        """All have been told their ``news``."""
        self.revision, self.triggers = self._store.revision, self._store.trigger_sequence
        if frame:
            self._flights.add(self.revision, now, len(frame))
            self._look_at = min(self._look_at, now + OLDEST_FRAME_S + self._shared.ack_s - ACK_S)


class Cohorts:
    """All sessions of one server: those that move with others, and those that are alone."""

    def __init__(self, shared: Shared) -> None:
        self.alone: dict[Session, None] = {}
        """In the order in which they came to be."""
        self._shared = shared
        self._cohorts: list[Cohort] = []

    def __iter__(self) -> Iterator[Cohort]:
        """Those that have members; all, nearly always: the list is made anew only where one has none."""
        for cohort in self._cohorts:
            if not cohort.members:
                self._cohorts = [cohort for cohort in self._cohorts if cohort.members]
                break
        return iter(self._cohorts)

    def admit(self, session: Session, transport: Any) -> None:
        """One that ``may_join`` moves with others from now on: with those at its revision, or, where it is up to date,
        with those that will be."""
        for cohort in self._cohorts:
            if cohort.fits(session):
                cohort.admit(session, transport)
                return
        if session.is_up_to_date:
            cohort = Cohort(self._shared, self.alone, session)
            self._cohorts.append(cohort)
            cohort.admit(session, transport)

    def remove(self, session: Session) -> None:
        """It is gone."""
        session.leave()
        self.alone.pop(session, None)
