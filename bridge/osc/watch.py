"""Whether the peers of one port are there, and what is said to them to find out and when they are back.

``liveness`` knows when what is due; here it is sent, told to the operator and to ``presence``. And the pull:
questions go out as ``questions`` says; their answers come in like any report (``incoming``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from bridge.log import OncePer
from bridge.presence import Presence
from bridge.timers import CallLater, Timer

from .liveness import Due, Greeting, opening, reconnected, returning
from .outgoing import Outbox
from .peer import OscPeer, Source, Target
from .questions import AUDIT_S, MAX_ASKED
from .socket import shown

ASK_PAUSE_S = 0.005
"""Between two looks at which questions are answered and which may go."""
SHORTEST_SLEEP_S = 0.01
SHOWN_UNANSWERED = 5


class Watch:
    """The watch over the peers of one port. ``publish(peer)`` shows how a peer is."""

    def __init__(
        self,
        peers: Sequence[OscPeer],
        out: Outbox,
        presence: Presence,
        publish: Callable[[OscPeer], None],
        once: OncePer,
        clock: Callable[[], float],
        call_later: CallLater,
    ) -> None:
        self._peers = peers
        self._out = out
        self._presence = presence
        self._publish = publish
        self._once = once
        self._clock = clock
        self._call_later = call_later
        self._ask_timer: Timer | None = None
        self._rest_timer: Timer | None = None
        self._resting: dict[Target, OscPeer] = {}
        self._is_open = False

    def start(self) -> None:
        """Our port is open, and every control has its routes."""
        self._is_open = True
        for peer in self._peers:
            self.begin(peer)

    def begin(self, peer: OscPeer) -> None:
        """The same for one peer."""
        now = self._clock()
        was_heard = peer.life.was_heard
        self._see_links(peer, now)
        due = peer.life.opened(now)
        greeting = opening(peer.settings.on_connect, was_heard, peer.settings.probe is not None)
        there = [target for target in peer.targets if not peer.life.trouble(target)]
        self._forgive(peer, there)
        self._greet(peer, there, greeting)
        self._do(peer, due)
        self._tell(peer, now)

    def leave(self, peer: OscPeer) -> None:
        """A peer is none any more."""
        for target in peer.targets:
            self._resting.pop(target, None)
        peer.life.closed()
        peer.questions.clear()
        self._presence.leave(peer, self._clock())

    def stop(self) -> None:
        """Our port is closed, or could not be opened."""
        now = self._clock()
        self._is_open = False
        for timer in (self._ask_timer, self._rest_timer):
            if timer is not None:
                timer.cancel()
        self._ask_timer = self._rest_timer = None
        self._resting.clear()
        for peer in self._peers:
            peer.life.closed()
            peer.questions.clear()
            self._tell(peer, now)

    def keep(self, now: float) -> float:
        """Do what is due. Returns after how many seconds something will be, inf if nothing."""
        for peer in self._peers:
            if peer.sent:
                peer.life.sent(now)
            self._see(peer, now)
            if peer.questions.is_busy:
                self._ask_soon()
        return max(min((peer.life.next_due for peer in self._peers), default=math.inf) - now, SHORTEST_SLEEP_S)

    def changed(self, peer: OscPeer) -> None:
        """Something about a peer's targets or links has changed."""
        if self._is_open:
            self._see(peer, self._clock())

    def connected(self, peer: OscPeer, target: Target, is_again: bool) -> None:
        """A connection stands: whoever comes back is told the truth, or asked for it."""
        now = self._clock()
        back = peer.life.put(target, now)
        self._greet(peer, back, reconnected(peer.settings.on_connect, is_again))
        self._see(peer, now)

    def heard(self, source: Source, now: float) -> None:
        """A message came in from a peer that was not well."""
        peer = source.peer
        was_heard, was_gone = peer.life.was_heard, peer.life.is_gone
        back = peer.life.heard(now, source.target)
        if was_heard and not was_gone and not back:
            return
        if not was_heard:
            self._once.each("osc %s: first message, from %s", peer.name, shown(source.address))
        elif was_gone and not peer.life.is_gone:
            self._once.each("osc %s: back, heard from %s", peer.name, shown(source.address))
        self._forgive(peer, back)
        self._greet(peer, back, returning(peer.settings.on_connect))
        self._see(peer, now)

    def ask_all(self, peer: OscPeer, target: Target) -> None:
        """Ask a peer for all its values: they win, but over a hand's move meanwhile."""
        peer.asked = target
        peer.questions.ask(peer.routes.questions())
        if peer.questions.is_busy:
            self._ask_soon()

    # What is due

    def _see(self, peer: OscPeer, now: float) -> None:
        back = self._see_links(peer, now)
        policy = peer.settings.on_connect
        # A name that is known now says nothing about a peer.
        greeting = returning(policy) if peer.life.was_heard else opening(policy, False, peer.settings.probe is not None)
        self._greet(peer, back, greeting)
        due = peer.life.tick(now)
        for target in due.greet:
            self._once.each("osc %s %s: back, it takes again what is sent", peer.name, target.shown)
        self._forgive(peer, due.greet)
        self._greet(peer, due.greet, returning(policy))
        self._do(peer, due)
        self._tell(peer, now)

    def _see_links(self, peer: OscPeer, now: float) -> list[Target]:
        """Take in what the links say. Returns who is there now and was not."""
        life = peer.life
        back: list[Target] = []
        for target in [target for target in life.targets if target not in peer.targets]:
            life.drop(target)
        for target in peer.targets:
            link = target.link
            if target not in life.targets:
                back += life.put(target, now)
            if not link.is_connected:
                if life.trouble(target) != "gone":
                    life.gone(target, now)
            elif life.trouble(target) == "gone":
                back += life.is_back(target, now)
            if link.is_connected and link.trouble and link.trouble_at > life.troubled_at(target):
                trouble = life.refused if link.is_refused else life.unreachable
                trouble(target, link.trouble_at)
        return [target for target in back if not life.trouble(target)]

    def _do(self, peer: OscPeer, due: Due[Target]) -> None:
        if due.keepalive:
            for packet in peer.keepalive:
                self._say(peer.targets, packet)
        if due.probe and peer.probe is not None:
            self._say(peer.targets, peer.probe)
            if peer.is_there and peer.settings.on_connect == "pull" and peer.asked is not None:
                peer.questions.audit(list(peer.routes.questions()), peer.settings.probe_s / AUDIT_S)
        for target in due.knock:
            target.link.send(peer.knock)

    def _greet(self, peer: OscPeer, targets: Iterable[Target], greeting: Greeting) -> None:
        targets = list(targets)
        if peer.host is not None:
            if targets and peer.life.was_heard:
                peer.host.connected()
            return  # its driver knows what to say
        for target in targets:
            if greeting.hello:
                for packet in peer.hello:
                    target.link.send(packet)
            if greeting.rest:
                self._resting[target] = peer
                if self._rest_timer is None and self._is_open:
                    self._rest_timer = self._call_later(0.0, self._rest)
            if greeting.push:
                self._out.push(peer, target)
            if greeting.pull:
                self.ask_all(peer, target)

    def _rest(self) -> None:
        """Send momentaries' rest to who is back. After the message by which it was heard: that may be a press."""
        self._rest_timer = None
        resting, self._resting = self._resting, {}
        for target, peer in resting.items():
            self._out.owe(target, peer.routes.resting())

    def _say(self, targets: Iterable[Target], packet: bytes) -> None:
        for target in targets:
            if target.link.is_connected:
                target.link.send(packet)

    def _forgive(self, peer: OscPeer, targets: Iterable[Target]) -> None:
        """These are back: what was said of them is not true any more."""
        for target in targets:
            target.link.trouble = ""
            self._once.forget((peer.name, target.shown))

    def _tell(self, peer: OscPeer, now: float) -> None:
        """Tell who has to know that a peer is in another state."""
        life = peer.life
        if (life.state, life.is_gone, life.is_awaited) != (peer.was, peer.was_gone, peer.was_awaited):
            was_gone, was_awaited = peer.was_gone, peer.was_awaited
            peer.was, peer.was_gone, peer.was_awaited = life.state, life.is_gone, life.is_awaited
            if life.state == "silent" and life.is_overdue:
                self._once.each("osc %s: silent: %s", peer.name, peer.overdue)
            if life.is_gone and not was_gone:
                if self._is_open and (advice := peer.advice):
                    self._once.warning((peer.name, "advice", advice), "osc %s: %s", peer.name, advice)
                peer.questions.clear()
                if peer.host is not None:
                    peer.host.gone()
            if (life.is_gone, life.is_awaited) != (was_gone, was_awaited):
                self._presence.changed(peer, now)
        self._publish(peer)

    # Questions

    def _ask_soon(self) -> None:
        if self._ask_timer is None and self._is_open:
            self._ask_timer = self._call_later(0.0, self._ask)

    def _ask(self) -> None:
        """Send the questions that may go, ask again what was not answered."""
        self._ask_timer = None
        now = self._clock()
        is_left = False
        for peer in self._peers:
            questions, target = peer.questions, peer.asked
            if not questions.is_busy:
                continue
            if target is None or target not in peer.targets:
                questions.clear()
                continue
            questions.expire(now)
            asked = questions.take(now, target.owed.room(now, MAX_ASKED))
            target.owed.spend(len(asked))
            for each in asked:
                if each.question is not None:
                    target.link.send(each.question)
            if questions.has_missed(now):
                self._subscribe_again(peer, target)
            if questions.waiting:
                is_left = True
            elif questions.unanswered:
                self._complain(peer)
        if is_left:
            self._ask_timer = self._call_later(ASK_PAUSE_S, self._ask)

    def _subscribe_again(self, peer: OscPeer, target: Target) -> None:
        """A peer answers, but does not tell us any more of what moves there."""
        text = "osc %s: it answers, but does not tell what moves there; it is asked for everything"
        self._once.info((peer.name, "missed"), text, peer.name)
        for packet in (*peer.hello, *peer.keepalive):
            target.link.send(packet)
        self.ask_all(peer, target)

    def _complain(self, peer: OscPeer) -> None:
        """Name what a peer was asked for, and never answered."""
        paths = list(dict.fromkeys(each.entry.path for each in peer.questions.unanswered))
        more = ", …" if len(paths) > SHOWN_UNANSWERED else ""
        self._once.warning(
            (peer.name, "unanswered", *paths[:SHOWN_UNANSWERED]), "osc %s does not answer for %d controls: %s%s",
            peer.name, len(paths), ", ".join(paths[:SHOWN_UNANSWERED]), more,
        )  # fmt: skip
