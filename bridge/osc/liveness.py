"""Is a peer there? What is known of it, and what is to be said to find out. Pure: ``now`` in, what is due out.

UDP has no connection. What we know of a peer is what it says (anything counts as life), what it does not say in
time (``timeout_s``, which needs a probe, or a peer that speaks by itself), and what the network gives back: "port
unreachable" means that its computer is up but nobody listens there. TCP says itself when it is connected and gone.

connecting: nothing was heard yet, and nothing speaks against it · online: it was heard · silent: time-out, or nobody
listens there · offline: it cannot be reached, TCP is not connected, or our own port is closed.

Who was away is greeted (hello messages, momentaries' rest, pull or push) when it is heard again, when its port takes
again what we send (``knock`` finds out: a patch that only listens never speaks), or when TCP is connected. One that
left a probe unanswered may have been restarted in between: it is greeted too.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass, field
from math import inf
from typing import Generic, Literal, TypeVar

KNOCK_S = 2.0
"""Quiet after the last refusal before it is tried whether somebody listens again."""
REFUSED_AGAIN_S = 0.5
"""A port where nobody listens says so within this time: who does not is there again."""
UNREACHABLE_AGAIN_S = 4.0
"""The same for a host: the kernel gives ARP 3 s."""
DEAF_S = 2.0
"""Who speaks and is refused again within this time listens elsewhere: that it speaks does not mean that it hears."""

State = Literal["connecting", "online", "silent", "offline"]
Policy = Literal["pull", "push", "none"]
Trouble = Literal["", "refused", "unreachable", "gone"]
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Rules:
    """How a peer shows that it is there; None is: not at all. ``needs_link``: nothing goes without a connection."""

    keepalive_s: float | None = None
    probe_s: float | None = None
    timeout_s: float | None = None
    needs_link: bool = False


@dataclass(slots=True)
class Due(Generic[K]):
    """What is to be done now: messages to all targets, or to these."""

    keepalive: bool = False
    probe: bool = False
    knock: list[K] = field(default_factory=list)
    """Send these something that means nothing: whether it is refused is the answer."""
    greet: list[K] = field(default_factory=list)
    """These are back."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a target is told when it is there, or there again."""

    hello: bool = True
    rest: bool = True
    """Momentaries' rest: it may have missed that a finger went up."""
    push: bool = False
    """All our values."""
    pull: bool = False
    """Questions for its own."""


def opening(policy: Policy, was_heard: bool, has_probe: bool) -> Greeting:
    """Our port is open. To a peer that was never heard goes no value, unless it is to be pushed to, but the rest of
    momentaries: what we were killed with in somebody's hand is let go. A pull waits for the answer to the probe, if
    there is one."""
    return Greeting(
        push=policy == "push" or (was_heard and policy == "none"),  # the truth, after we were away
        pull=policy == "pull" and not has_probe,
    )


def returning(policy: Policy) -> Greeting:
    """A peer is there, or there again."""
    return Greeting(push=policy == "push", pull=policy == "pull")


def reconnected(policy: Policy, is_again: bool) -> Greeting:
    """A connection stands: it is known to be there, and what it may have missed is the truth."""
    return Greeting(push=policy == "push" or (is_again and policy == "none"), pull=policy == "pull")


@dataclass(slots=True)
class _Place:
    """What is known of one target."""

    trouble: Trouble = ""
    """``gone``: somebody says when that is over (``is_back``); the others are tried."""
    since: float = -inf
    knocked_at: float | None = None
    excused_at: float = -inf
    is_deaf: bool = False


class Liveness(Generic[K]):
    """What is known of one peer and its targets."""

    def __init__(self, rules: Rules, targets: Iterable[K] = ()) -> None:
        self.rules = rules
        self.heard_at: float | None = None
        """Written for every message that comes in, and ``heard`` called if not ``is_well``."""
        self.is_well = False
        """True while one more message changes nothing."""
        self._places: dict[K, _Place] = {}
        self._was_heard = False
        self._was_there = False
        self._sent_at: float | None = None
        self._is_open = False
        self._is_overdue = False
        self._has_missed = False  # it left a probe unanswered, or our port was closed: it may be another run of it
        self._opened_at = 0.0
        self._keepalive_at = inf
        self._probe_at = inf
        self._probed_at = inf
        for target in targets:
            self._places[target] = _Place("gone" if rules.needs_link else "")

    @property
    def targets(self) -> Collection[K]:
        """The targets that it has."""
        return self._places.keys()

    def trouble(self, target: K) -> Trouble:
        """What stands against sending to a target."""
        place = self._places.get(target)
        return "" if place is None else place.trouble

    def troubled_at(self, target: K) -> float:
        """When it was said last that it cannot be sent to; -inf if never."""
        place = self._places.get(target)
        return -inf if place is None else place.since

    @property
    def was_heard(self) -> bool:
        """True if it was ever heard."""
        return self._was_heard

    @property
    def state(self) -> State:
        """How the peer is."""
        places = self._places.values()
        if not self._is_open or (self.rules.needs_link and not places):
            return "offline"
        if places and all(place.trouble for place in places):
            return "silent" if any(place.trouble == "refused" for place in places) else "offline"
        if self._is_overdue:
            return "silent"
        return "online" if self._was_heard else "connecting"

    @property
    def is_overdue(self) -> bool:
        """True if it has not been heard for ``timeout_s``."""
        return self._is_overdue

    @property
    def is_gone(self) -> bool:
        """True if what is sent to it cannot be expected to arrive; False too where nobody is expected yet: to whom
        others connect is not gone before they came."""
        is_awaited = self._is_open and not self._places and not self._was_heard
        return self.state in ("silent", "offline") and not is_awaited

    @property
    def is_awaited(self) -> bool:
        """True if it is gone, as far as it was ever there: it was not heard, did not connect, did not take anything,
        and its silence alone would mean nothing."""
        is_missed = self._was_there or self.rules.timeout_s is not None or self.rules.needs_link
        return self._is_open and self.is_gone and not is_missed

    def is_deaf(self, target: K) -> bool:
        """True if it is heard, but nobody listens where it is sent to."""
        place = self._places.get(target)
        return place is not None and place.is_deaf

    # Our own port

    def opened(self, now: float) -> Due[K]:
        """Our port is open: what there is to be sent at once."""
        self._is_open = True
        self._opened_at = now
        self._is_overdue = False
        self._has_missed = self._was_heard  # we know nothing of what it did meanwhile
        for place in self._places.values():
            place.trouble = "gone" if place.trouble == "gone" else ""
            place.knocked_at, place.is_deaf = None, False
        self._set_timers(now)
        self._probed_at = inf
        self._update()
        return self.tick(now)

    def closed(self) -> None:
        """Our port is closed."""
        self._is_open = self.is_well = False
        self._sent_at = None

    # The peer

    def heard(self, now: float, target: K | None = None) -> list[K]:
        """A message came in while not ``is_well``, from this target if that is known. Returns who is to be greeted."""
        was_away = not self._was_heard or self._is_overdue or self._has_missed
        if not was_away and target is not None and not self.trouble(target):
            return []  # another target is refused: this one's messages go on as fast as they can
        self._was_heard = self._was_there = True
        self._is_overdue = self._has_missed = False
        self.heard_at = now
        back: list[K] = []
        for each, place in self._places.items():
            if place.trouble in ("refused", "unreachable") and not place.is_deaf and target in (None, each):
                place.trouble, place.knocked_at, place.excused_at = "", None, now
                back.append(each)
            elif was_away and not place.trouble:
                back.append(each)
        if back and self.rules.keepalive_s is not None:
            self._keepalive_at = now  # who was away has forgotten us
        self._update()
        return back

    def sent(self, now: float) -> None:
        """It was sent something, at the latest now: who does not refuse that for a moment is there."""
        if self._sent_at is None:
            self._sent_at = now

    def tick(self, now: float) -> Due[K]:
        """What is due; to be called at ``next_due`` at the latest."""
        due: Due[K] = Due()
        rules = self.rules
        if not self._is_open:
            return due
        heard_at = max(-inf if self.heard_at is None else self.heard_at, self._opened_at)
        if rules.timeout_s is not None and not self._is_overdue and now - heard_at > rules.timeout_s:
            self._is_overdue = True
        if now >= self._keepalive_at and rules.keepalive_s is not None:
            due.keepalive = True
            self._keepalive_at = now + rules.keepalive_s
        if now >= self._probe_at and rules.probe_s is not None:
            if self._was_heard and heard_at < self._probed_at < now:
                self._has_missed = True
            due.probe = True
            self._probed_at = now
            self._probe_at = now + rules.probe_s
        if self._sent_at is not None and now >= self._sent_at + REFUSED_AGAIN_S:
            self._was_there |= not all(place.trouble for place in self._places.values())
        for target, place in self._places.items():
            if place.trouble not in ("refused", "unreachable"):
                continue
            if place.knocked_at is None:
                if now >= place.since + KNOCK_S:
                    place.knocked_at = now
                    due.knock.append(target)
            elif now >= place.knocked_at + _again_s(place):
                place.trouble, place.knocked_at, place.is_deaf = "", None, False
                due.greet.append(target)
                self._was_there = True
                due.keepalive = rules.keepalive_s is not None
        self._update()
        return due

    @property
    def next_due(self) -> float:
        """When ``tick`` has something to do; inf if never."""
        if not self._is_open:
            return inf
        times = [self._keepalive_at, self._probe_at]
        if self.rules.timeout_s is not None and not self._is_overdue:
            times.append(max(-inf if self.heard_at is None else self.heard_at, self._opened_at) + self.rules.timeout_s)
        times += [
            place.since + KNOCK_S if place.knocked_at is None else place.knocked_at + _again_s(place)
            for place in self._places.values()
            if place.trouble in ("refused", "unreachable")
        ]
        return min(times)

    # Targets

    def put(self, target: K, now: float) -> list[K]:
        """A target is there: it has connected, or spoken. Returns who is to be greeted."""
        if target in self._places:
            return self.is_back(target, now)
        self._places[target] = _Place()
        self._set_timers(now)
        self._update()
        return [target]

    def drop(self, target: K) -> None:
        """A target that is not coming back."""
        self._places.pop(target, None)
        self._update()

    def refused(self, target: K, now: float) -> None:
        """The host is up, but nobody listens there."""
        self._trouble(target, "refused", now)

    def unreachable(self, target: K, now: float) -> None:
        """No way to the host."""
        self._trouble(target, "unreachable", now)

    def gone(self, target: K, now: float) -> None:
        """Not connected, or its name is not known; ``is_back`` will be called when that is over."""
        self._trouble(target, "gone", now)

    def is_back(self, target: K, now: float) -> list[K]:
        """Connected, or its name is known. Returns who is to be greeted: the target, if it was gone."""
        place = self._places.get(target)
        if place is None or not place.trouble:
            return []
        place.trouble, place.knocked_at, place.is_deaf = "", None, False
        self._set_timers(now)
        self._update()
        return [target]

    def _trouble(self, target: K, trouble: Trouble, now: float) -> None:
        place = self._places.get(target)
        if place is None:
            return
        if not place.trouble and now - place.excused_at < DEAF_S:
            place.is_deaf = True
        place.trouble, place.since, place.knocked_at = trouble, now, None
        self._sent_at = None
        self._update()

    def _set_timers(self, now: float) -> None:
        """Keepalive and probe at once: who is new, or there again, has not had any."""
        self._keepalive_at = inf if self.rules.keepalive_s is None else now
        self._probe_at = inf if self.rules.probe_s is None else now

    def _update(self) -> None:
        self.is_well = (
            self._is_open
            and self._was_heard
            and not self._is_overdue
            and not self._has_missed
            and not any(
                place.trouble in ("refused", "unreachable") and not place.is_deaf for place in self._places.values()
            )
        )


def _again_s(place: _Place) -> float:
    return REFUSED_AGAIN_S if place.trouble == "refused" else UNREACHABLE_AGAIN_S
