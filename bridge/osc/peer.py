"""What the OSC port knows of one peer while it runs: where it is, what it was sent, how it is. No I/O, but
a question to the kernel whose an address is (``net``).

Sockets, timers and what a message does are in ``osc``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

from bridge import net
from bridge.allowance import Meter
from bridge.control import Control
from bridge.driver import Wanted
from bridge.echo import EchoBook, TriggerEchoes
from bridge.errors import BadControl
from bridge.port import Peer
from bridge.store import Change, Entry, Origin, Store
from bridge.unlisted import Unlisted

from .bind import MIRROR, Route, compile_route, is_mirrored
from .codec import Message, encode_message
from .fields import Call
from .lane import Carriage
from .link import Link
from .liveness import Liveness, Rules, State
from .looks import Look, compile_looks, is_only_look
from .pace import Owed
from .policy import policy_of
from .questions import Questions
from .routes import RouteTable
from .settings import LISTED_PER_S, OTHERS_PER_S, Binding, Settings
from .socket import Address, host_of
from .tap import OscTap

MAX_UNLISTED = 64
Reach = Literal["silent", "waiting", "unsent", "sent", "confirmed"]
"""How far a control's value has come on its way to a peer. ``confirmed``: it has said that it has it, or has moved it
there itself; ``unsent``: it did not change since our port is open; ``silent``: nobody is there."""
_REACHES: tuple[Reach, ...] = get_args(Reach)
EMPTY_BUNDLE = b"#bundle\0\0\0\0\0\0\0\0\1"
"""Says nothing, so it can be sent to find out whether somebody takes it."""


@dataclass(slots=True, eq=False)
class Target:
    """One place where a peer hears us."""

    origin: Origin
    link: Link
    """The way there."""
    owed: Owed = field(default_factory=Owed)
    """What it is still to be sent."""
    echoes: EchoBook[Route] = field(default_factory=EchoBook)
    """What it was sent of each control, by the routes that it may come back by."""
    fired: dict[Route, TriggerEchoes] = field(default_factory=dict)
    """The same for triggers."""
    said: dict[Route, None] = field(default_factory=dict)
    """By which it has said a value that holds, whether it was sent one or not."""

    @property
    def shown(self) -> str:
        """``192.168.1.20:9001``."""
        return self.link.shown

    @property
    def address(self) -> Address | None:
        """None while its name is not resolved, or it is not connected."""
        return self.link.address

    def reach(self, entry_id: int, ears: Sequence[Route]) -> Reach:
        """How far a control's value has come."""
        if entry_id in self.owed:
            return "waiting"
        guards = [guard for ear in ears if (guard := self.echoes.guards.get(ear)) is not None]
        if any(guard.is_confirmed for guard in guards) or (not guards and any(ear in self.said for ear in ears)):
            return "confirmed"
        return "sent" if guards or not ears else "unsent"

    def note_fired(self, ear: Route, change: Change, now: float) -> None:
        """A trigger has left for it: it may come back."""
        if ear.rules.echoes:
            echoes = self.fired.setdefault(ear, TriggerEchoes(ear.rules.window_s))
            echoes.sent(ear.fired(change.args), now, change.origin, change.answers)

    def forget(self, route: Route) -> None:
        """The route is gone."""
        self.echoes.forget(route)
        self.fired.pop(route, None)
        self.said.pop(route, None)

    def clear(self) -> None:
        """Forget what is still to be sent, and what was."""
        self.owed.clear()
        self.echoes.clear()
        self.fired.clear()
        self.said.clear()


@dataclass(slots=True, eq=False)
class Source:
    """One address that messages come from. ``origin`` is a target's where the source is one of the peer's targets."""

    peer: OscPeer
    address: Address
    host: str
    origin: Origin
    answers: tuple[Target, ...]
    """Where answers to it go: where it spoke from, and where the peer listens if that is known."""
    target: Target | None
    """Which of the peer's targets it is; None if none, as far as we know."""
    meter: Meter
    """How much it may still say, and all others at its host."""


class Host(Protocol):
    """Who runs the peer's driver."""

    def start(self) -> None:
        """The port is open."""

    def stop(self) -> None:
        """The port is closed."""

    def adopt(self, described: Mapping[str, Control | None], before: Mapping[str, tuple[Any, ...]]) -> None:
        """The configuration is another: ``described`` are controls that it describes anew, or not any more; ``before``
        is what it asked of the driver."""

    def follow(self) -> None:
        """The store has the new controls: ask of the driver what is wanted now."""

    def leave(self) -> None:
        """The peer is none any more: what it has brought goes with it."""

    def connected(self) -> None:
        """The peer is there, or there again."""

    def gone(self) -> None:
        """The peer is not there any more."""

    def advice(self, trouble: str, *, was_heard: bool, is_here: bool) -> str:
        """What an operator can look at while the peer is not there."""

    def hear(self, message: Message, now: float) -> Message | None:
        """Offer a message. What is left of it for the bindings to read; None if the driver has taken it."""


class OscPeer:
    """One ``[[osc]]`` table at run time."""

    def __init__(self, peer: Peer, warn: Callable[[str, str], None], tap: OscTap) -> None:
        settings: Settings = peer.settings
        self.name = peer.name
        self.tap = tap
        """Where links show what they have sent, while somebody watches."""
        self.settings = settings
        self.routes = RouteTable()
        self.follows = settings.send == "last"
        """True if it hears us wherever it spoke from last."""
        self.learnt: set[str] = set()
        """Paths of controls that were made of what it said, or that it has said too since."""
        self.targets: list[Target] = []
        """Where it hears us: the places in its settings, or where it has spoken from, or connected."""
        self.is_direct = settings.rate is None and settings.control_rate is None and not settings.bundles
        """True if it is sent each change at once."""
        self.is_open = False
        """True while its port runs."""
        self.listening = ""
        """Where we hear it: ``UDP 9000``; "" while that is not open, and where we only connect to it."""
        self.udp_port: int | None = None
        self.tcp_port: int | None = None
        self.closed = ""
        """Why our socket could not be opened, in words; "" where it was."""
        rules = Rules(
            settings.keepalive_s if settings.keepalive else None,
            settings.probe_s if settings.probe is not None else None,
            # Without a probe only who speaks by itself can be missed: whoever writes a time-out says that it does.
            settings.timeout_s if settings.probe is not None or "timeout_s" in settings.model_fields_set else None,
            needs_link=settings.is_tcp,
        )
        self.life: Liveness[Target] = Liveness(rules)
        """Whether it is there."""
        self.was: State = "offline"
        self.was_gone = self.was_awaited = False
        """What was last told of that."""
        self.hello = [self._packet(call) for call in settings.hello]
        self.keepalive = [self._packet(call) for call in settings.keepalive]
        self.probe = None if settings.probe is None else self._packet(settings.probe)
        self.knock = self.probe or EMPTY_BUNDLE
        calls = [*settings.hello, *settings.keepalive, *([] if settings.probe is None else [settings.probe])]
        self.quiet = frozenset(f"{lead}{call.address}" for call in calls for lead in ("", "/reply"))
        """Addresses at which it answers to these: no control is meant."""
        self.host: Host | None = None
        """Where it has a driver."""
        self.bound: dict[str, tuple[Binding, ...]] = {}
        """How its driver reaches controls, by path."""
        self.carriage: Carriage | None = None
        """What goes by its lane, where it has one."""
        self.note = ""
        """What its driver has to say of it."""
        self.questions: Questions[Route | Look] = Questions()
        """What it is asked for."""
        self.asked: Target | None = None
        """Whom these are for."""
        self.received = 0
        """Packets that came in, sound or not."""
        self.sent = 0
        self.bad = 0
        """Packets or values that could not be used."""
        self.unknown = 0
        """Messages for no control of this peer."""
        self.echoed = 0
        """Triggers that were taken for echoes of ours."""
        self.lost = 0
        """Triggers, answers and oversized messages that could not be sent; values are sent again."""
        self.loops = 0
        """Times that what came in and went out without end was cut."""
        self.flooded = 0
        """Packets that were dropped because one host sent too many."""
        self.early = 0
        """Bundles for too far ahead, or too many: applied at once."""
        self._unlisted: dict[Address, Unlisted[Route]] = {}
        self.renames = bool(settings.prefix) or settings.bare_addresses
        """True if addresses that are heard are not ours as they stand: ``heard_address``."""
        self._compiled: dict[int, tuple[Entry, Control]] = {}  # of which routes were made, by id
        self._own: dict[str, Control] = {}  # controls without the names and colours that peers give them, by path
        self._peer = peer
        self._networks = settings.networks
        self._allowed = settings.allowed
        self._warn = warn

    def adopt(self, peer: Peer, described: Mapping[str, Control | None]) -> Iterable[str]:
        """The same table with other bindings, from the next ``put`` on. Paths of what is bound otherwise."""
        before, self._peer = self._peer, peer
        for path, control in described.items():
            if control is None:
                self._own.pop(path, None)
            elif path in self._own:
                self._own[path] = control
        return [
            path
            for path in dict.fromkeys((*before.bindings, *peer.bindings, *before.excluded, *peer.excluded))
            if before.bindings.get(path) != peer.bindings.get(path)
            or (path in before.excluded) != (path in peer.excluded)
        ]

    @property
    def heard_at(self) -> float | None:
        """When it was heard last."""
        return self.life.heard_at

    @property
    def is_gone(self) -> bool:
        """True if what is sent to it cannot be expected to arrive."""
        return self.life.is_gone

    @property
    def is_awaited(self) -> bool:
        """True if it is gone, but was never there: its program may not be started yet."""
        return self.life.is_awaited

    @property
    def is_there(self) -> bool:
        """True if it was heard, and nothing says that it has gone."""
        return self.life.state == "online"

    def takes(self, entry: Entry) -> bool:
        """True if the control goes to this peer."""
        return (entry.path in self.bound or bool(self._bindings(entry))) and (
            bool(self.targets) or self.follows or self.settings.is_tcp
        )

    def reach(self) -> dict[str, Reach]:
        """How far the value of each control that goes to it has come, by path; to the target that has it least."""
        found: dict[str, Reach] = {}
        for entry_id, routes in self.routes.speakers.items():
            ears = self.routes.ears.get(entry_id, ())
            reached = (target.reach(entry_id, ears) for target in self.targets)
            least: Reach = min(reached, key=_REACHES.index, default="unsent")
            found[routes[0].entry.path] = "silent" if self.is_gone else least
        return found

    def said(self, origin: Origin) -> bool:
        """True if this is one of the peer's own."""
        return origin.name == self.name and origin.kind == "osc"

    def _packet(self, call: Call) -> bytes:
        policy = policy_of(self.settings.types)
        args = [policy.truth(each) if isinstance(each, bool) else each for each in call.args]
        return encode_message(f"{self.settings.prefix}{call.address}", args, policy.tags)

    def target(self, link: Link) -> Target:
        """A target at the end of a link. It is none of ``targets`` yet."""
        owed = Owed(self.settings.rate, self.settings.control_rate)
        return Target(Origin("osc", self.name, link.shown), link, owed)

    def reply_address(self, address: Address) -> Address:
        """Where what is said from an address is answered."""
        number = self.settings.reply_port
        return address if number is None else (address[0], number, *address[2:])

    def hears(self, host: str) -> bool:
        """True if the table is for messages from this address, and lets them in."""
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        if self._networks:
            return any(address in network for network in self._networks)
        if any(address in network for network in self._allowed) or self._is_named(host):
            return True
        return "allow" not in self.settings.model_fields_set and net.is_own(address)

    def flood_per_s(self, host: str) -> int:
        """How many messages a second are taken from this address, which it ``hears``."""
        if self.settings.flood is not None:
            return self.settings.flood
        return LISTED_PER_S if self._networks or self.knows(host) else OTHERS_PER_S

    def knows(self, host: str) -> bool:
        """True if the table says that it is there, or it is this machine."""
        return self._is_named(host) or net.is_own(ipaddress.ip_address(host))

    def _is_named(self, host: str) -> bool:
        """True if the table says that it is there."""
        return any(
            target.address is not None and target.link.endpoint is not None and host_of(target.address) == host
            for target in self.targets
        )

    def is_touch(self, address: str) -> bool:
        """True if this is where a finger on some control is said: ``touch = "{path}/z"``."""
        before, path, after = (self.settings.touch or "").partition("{path}")
        return bool(path) and address.startswith(before) and address.endswith(after) and len(before + after) > 0

    def unlisted(self, address: Address) -> Unlisted[Route]:
        """Of an address that no target has: how it echoes what they are sent. All are forgotten when there are many."""
        found = self._unlisted.get(address)
        if found is None:
            if len(self._unlisted) >= MAX_UNLISTED:
                self._unlisted.clear()
            found = self._unlisted[address] = Unlisted()
        return found

    def heard_address(self, address: str) -> str:
        """An address that it says, as we know it: without its prefix, with a leading slash."""
        prefix = self.settings.prefix
        if self.settings.bare_addresses and not address.startswith("/"):
            address = "/" + address
        return address[len(prefix) :] if prefix and address.startswith(prefix + "/") else address

    def put(self, entry: Entry) -> None:
        """Make the routes of a control that is new or described anew."""
        path, control = entry.path, entry.control
        own = self._own.setdefault(path, control)
        _, compiled = self._compiled.get(entry.id, (entry, None))
        if compiled is control or (compiled is not None and is_only_look(compiled, control)):
            return  # what is still to be sent, and the guards against echoes, stay as they are
        self.drop(entry)
        self._compiled[entry.id] = entry, control
        routes: list[Route] = []
        looks: list[Look] = []
        for binding in self._bindings(entry):
            try:
                routes.append(compile_route(entry, binding, self.settings))
            except BadControl as exc:
                self._warn(path, f"{path} does not go to {self.name}: {exc}")
            else:
                looks += compile_looks(entry, own, binding, self.settings)
        self.routes.put(entry, routes, looks)

    def put_all(self, store: Store) -> None:
        """The same with all that there are; those that are not there any more are forgotten."""
        for entry, _ in [one for one in self._compiled.values() if store.find(one[0].id) is None]:
            self.drop(entry)
        for entry in store:
            self.put(entry)

    def rebind(self, entry: Entry) -> None:
        """Make the routes of a control anew: its driver reaches it in another way. What it is owed goes there."""
        self.drop(entry)
        self.put(entry)

    def _bindings(self, entry: Entry) -> tuple[Binding, ...]:
        bindings = self._peer.bindings.get(entry.path)
        bound = self.bound.get(entry.path)
        if bindings is not None or bound is not None:
            return (*(each for each in bindings or () if each.live is None), *(bound or ()))
        is_told = self.settings.mirror or entry.path in self.learnt
        is_ours = is_told and entry.path not in self._peer.excluded and is_mirrored(entry.control)
        return (MIRROR,) if is_ours else ()

    def drop(self, entry: Entry) -> None:
        """Forget a control."""
        self._compiled.pop(entry.id, None)
        for look in self.routes.looks_of(entry):
            self.questions.forget(look)
        for route in self.routes.drop(entry):
            self.questions.forget(route)
            for target in self.targets:
                target.forget(route)

    def forget(self) -> Iterator[None]:
        """``clear``, step by step."""
        for entry, _ in list(self._compiled.values()):
            self.drop(entry)
            yield
        self.clear()

    def clear(self) -> None:
        """Forget all controls and everything that was still to be sent."""
        self.routes = RouteTable()
        self._compiled.clear()
        self._unlisted.clear()
        for target in self.targets:
            target.clear()

    def wanted(self) -> Wanted:
        """What its driver is asked for."""
        named = {
            path: found
            for path, bindings in self._peer.bindings.items()
            if (found := tuple(binding for binding in bindings if binding.live is not None))
        }
        return Wanted(self.name, self.settings, named)

    # How it is, in words

    def line(self, now: float) -> str:
        """``max 192.168.1.20:9001: connecting, never heard; we listen on UDP 9000``."""
        if self.follows:
            where = f"last sender {self.targets[0].shown}" if self.targets else "last sender"
        else:
            nobody = "nobody is connected" if self.settings.is_tcp else "is sent nothing"
            where = ", ".join(target.shown for target in self.targets) or nobody
        heard = "" if self.heard_at is None else f"heard {_ago(now - self.heard_at)} ago"
        return f"{self.name} {where}: {self.life.state}, {self._words(heard)}"

    @property
    def state(self) -> str:
        """The state, and the same without what changes by itself: "online: heard; we listen on UDP 9000"."""
        return f"{self.life.state}: {self.text}"

    @property
    def text(self) -> str:
        """How it is, without what changes by itself."""
        return self._words("" if self.heard_at is None else "heard")

    @property
    def overdue(self) -> str:
        """What is missed of it."""
        asked = "" if self.settings.probe is None else f", no answer to {self.settings.probe.address}"
        return f"nothing heard for {self.settings.timeout_s:g} s{asked}"

    @property
    def advice(self) -> str:
        """What to look at while it is not there; "" where that is all that we know."""
        if self.host is None or not (self.closed or (self.is_open and self.is_gone)):
            return ""
        target = self.targets[0] if self.targets else None
        trouble = "taken" if self.closed else "" if target is None else self.life.trouble(target)
        address = None if target is None else target.address
        is_here = address is not None and ipaddress.ip_address(host_of(address)).is_loopback
        return self.host.advice(trouble, was_heard=self.life.was_heard, is_here=is_here)

    def _words(self, heard: str) -> str:
        advice = self.advice
        if not self.is_open and self.closed:
            return f"{self.closed}, trying again{advice and ': '}{advice}"
        parts = [heard or "never heard"]
        if self.note and not self.is_gone:
            parts.append(self.note)
        if self.carriage is not None and not self.is_gone:
            lane = self.settings.lane
            parts.append(f"moves go by {lane}" if self.carriage.is_there else f"{lane} is not there: moves go by OSC")
        if self.life.is_overdue:
            parts.append(self.overdue)
        for target in self.targets:
            if target.link.trouble:
                elsewhere = " (it is heard: does it listen elsewhere?)" if self.life.is_deaf(target) else ""
                parts.append(f"{target.shown}: {target.link.trouble}{elsewhere}")
        if self.listening:
            parts.append(f"we listen on {self.listening}")
        elif not self.is_open:
            parts.append(f"our {'TCP' if self.settings.is_tcp else 'UDP'} port is not open")
        if advice:
            parts.append(advice)
        return "; ".join(parts)

    def health(self, now: float) -> dict[str, Any]:
        """For ``/healthz``."""
        return {
            "port": "osc",
            "name": self.name,
            "state": self.life.state,
            "text": self.text,
            "transport": self.settings.transport,
            "udp_port": self.udp_port,
            "tcp_port": self.tcp_port,
            "targets": [target.shown for target in self.targets],
            "connected": sum(target.link.is_connected for target in self.targets),
            "heard_s_ago": None if self.heard_at is None else round(now - self.heard_at, 1),
            "received": self.received,
            "sent": self.sent,
            "bad": self.bad,
            "unknown": self.unknown,
            "echoed_triggers": self.echoed,
            "loops_cut": self.loops,
            "lost": self.lost,
            "early_bundles": self.early,
            "learnt": len(self.learnt),
            "waiting": sum(len(target.owed) for target in self.targets),
            "asked": self.questions.waiting,
            "unanswered": len(self.questions.unanswered),
        }


def _ago(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"
