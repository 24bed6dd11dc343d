"""The show: our side, the controls, who takes part, what hands do, and what must be true afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from bridge.access import EVERYTHING
from bridge.cohort import Cohort, Cohorts
from bridge.control import Control
from bridge.echo import EchoBook
from bridge.frames import Frames
from bridge.osc.codec import Bundle, Message, decode, encode, messages
from bridge.osc.port import OscPort
from bridge.osc.settings import Binding, Settings
from bridge.port import Peer, PortContext
from bridge.session import Session, Shared
from bridge.store import Change, Entry, Store

from .browser import Browser, Link
from .clock import Clock
from .device import Device, Habits

PASS_GAP_S = 0.004
QUIET_S = 8.0
BLACKEST_S = 4.0
SILENT_S = 3.0

CONTROLS = (
    Control(path="/level"),
    Control(path="/cut", range=(20, 20000), curve="log"),
    Control(path="/limited", limit=(0, 0.75), step=0.05),
    Control(path="/first", hold="first"),
    Control(path="/count", kind="int"),
    Control(path="/on", kind="bool"),
    Control(path="/hit", kind="bool", momentary=True),
    Control(path="/mine", kind="bool", momentary=True, hold="first"),
    Control(path="/push", momentary=True),
    Control(path="/wave", kind="choice", choices=("sine", "saw", "square")),
    Control(path="/name", kind="string"),
    Control(path="/color", kind="color"),
    Control(path="/xy", kind="vector"),
    Control(path="/go", kind="trigger"),
)
Mouths = Literal["", "elsewhere", "together"]
Pace = tuple[tuple[str, Any], ...]
NO_PACE: Pace = ()
SEVEN_BITS = {"range": (0, 127), "type": "i"}
UNIT = {"range": (0, 1)}


@dataclass(frozen=True)
class Cast:
    """Who takes part. ``bindings``: how each device has some floats: "" own unit, "unit" 0…1, "bits" 0…127.

    ``mouths``: where devices speak from: where they listen; "elsewhere", another address; or "together": all are on one
    host, targets of one peer (with the first's binding), and speak from other ports. ``pace``: the peers' settings.
    """

    habits: tuple[Habits, ...]
    bindings: tuple[str, ...]
    browsers: int
    acks: tuple[bool, ...] = (True, True, True)
    mouths: Mouths = ""
    pace: Pace = NO_PACE


@dataclass(frozen=True)
class Step:
    """After ``pause_s``, ``who`` (browsers first, then devices) does ``what`` with a control; ``amount`` is 0…1."""

    pause_s: float
    who: int
    what: str
    control: int
    amount: float


@dataclass
class Report:
    """What is worth counting."""

    moves: int = 0
    events: int = 0
    together: int = 0
    """Frames told to browsers as members of a cohort."""
    settled: int = 0
    cancelled: int = 0
    toggles: int = 0
    """Shows whose last hand on a toggle was a device's."""
    crossed: list[str] = field(default_factory=list)
    """Those in which that press was taken for an echo: all agree, but on what the hand did not want."""


class Show:
    """One run. ``play(steps)``, then ``check()``."""

    def __init__(self, cast: Cast, seed: int) -> None:
        rng = Random(seed)
        self.clock = Clock()
        self.cast = cast
        self.store = Store("sim")
        self.entries = [self.store.add(control, now=0.0) for control in CONTROLS]
        self.log: list[Change] = []
        self.report = Report()
        self.store.subscribe(self._note)
        self.shared = Shared(self.store, Frames(self.store), "Sim", "0")
        self.sessions: dict[Link, Session] = {}
        self.cohorts = Cohorts(self.shared)
        self._heard_at: dict[Link, float] = {}
        self._networks: dict[Link, Any] = {}
        self._starts: dict[str, int] = {}
        self._clients = 0
        self._pass_at = 0.0
        self._is_pass_due = False
        self._fired = 0
        self._pressed: dict[tuple[int, int], bool] = {}
        self._last_toggle: tuple[int, float, bool] | None = None
        self._sent_at = 0.0
        self._sent_triggers: dict[tuple[str, int], list[Any]] = {}
        self._build_port(rng)
        self.browsers = [
            Browser(self.clock, Random(rng.random()), f"b{n}", self._connect, cast.acks[n % len(cast.acks)])
            for n in range(cast.browsers)
        ]
        for device in self.devices:
            self.clock.call_later(0.001, device.ask)
        self._watch()

    def _build_port(self, rng: Random) -> None:
        peers = []
        together = self.cast.mouths == "together"
        for n in range(1 if together else len(self.cast.habits)):
            kind = self.cast.bindings[n]
            given: dict[str, Any] = {"": None, "unit": UNIT, "bits": SEVEN_BITS}
            bound = {} if given[kind] is None else dict.fromkeys(("/level", "/cut", "/limited", "/push"), given[kind])
            members = range(len(self.cast.habits)) if together else (n,)
            settings = Settings.model_validate({
                "name": f"d{n}", "listen": "127.0.0.1:9000",
                "send": ["{}:{}".format(*self._ear(member)) for member in members],
                "from": sorted({self._ear(n)[0], self._mouth(n)[0]}),
                **dict(self.cast.pace),
            })  # fmt: skip
            bindings = {path: (Binding.model_validate(raw),) for path, raw in bound.items()}
            peers.append(Peer("osc", f"d{n}", settings, bindings))
        context = PortContext(self.store, lambda: self.clock.now, lambda peer, text: None)
        self.port = OscPort(peers, context, lambda: self.clock.now, self.clock.call_later)
        self.devices = [
            Device(self.clock, Random(rng.random()), habits, self._spans(n), self._hearing(n))
            for n, habits in enumerate(self.cast.habits)
        ]
        self.store.subscribe(self.port._out.tell)
        self.port._carrier.use(self)  # type: ignore[arg-type]
        self.port._start()

    def _spans(self, n: int) -> dict[str, tuple[float, float]]:
        """Address → range, of what this device takes as numbers."""
        found = {}
        for control in CONTROLS:
            if control.kind in ("float", "int", "vector"):
                found[control.path] = (control.low, control.high)
        kind = self.cast.bindings[0 if self.cast.mouths == "together" else n]
        if kind:
            high = 127.0 if kind == "bits" else 1.0
            found |= dict.fromkeys(("/level", "/cut", "/limited", "/push"), (0.0, high))
        return found

    def forget_echoes(self) -> None:
        """Play without the guard: what was sent is forgotten at once."""
        for peer in self.port._peers:
            for target in peer.targets:
                target.echoes = EchoBook()
                target.echoes.sent = lambda *args: None  # type: ignore[method-assign]
                target.echoes.refused = lambda *args: None  # type: ignore[method-assign]

    # Our socket, as the port has it

    def getsockname(self) -> tuple[str, int]:
        return ("127.0.0.1", 9000)

    def sendto(self, packet: bytes, address: tuple[str, int]) -> None:
        self._sent_at = self.clock.now
        n = next((n for n in range(len(self.cast.habits)) if self._ear(n) == address), None)
        if n is None:
            return  # an answer to a mouth, where nobody listens
        for one in _unpacked(packet):
            if one.startswith(b"/go\0"):
                message = decode(one)
                assert isinstance(message, Message)
                self._sent_triggers.setdefault(address, []).append(message.args[0])
            self.devices[n].deliver(one)

    def _hearing(self, n: int) -> Any:
        return lambda packet: self.port._receiver.receive(packet, self._mouth(n))

    def _ear(self, n: int) -> tuple[str, int]:
        return ("127.0.1.0", 9001 + n) if self.cast.mouths == "together" else (f"127.0.1.{n}", 9001)

    def _mouth(self, n: int) -> tuple[str, int]:
        host, udp_port = self._ear(n)
        if self.cast.mouths == "together":
            return host, udp_port + 1000
        return ("127.0.2." + host.rpartition(".")[2], 5000) if self.cast.mouths else (host, udp_port)

    # Our browsers' side: what ws.Hub does, without sockets

    def _connect(self, link: Link) -> None:
        link.hear_above = lambda text: self._receive(link, text)

    def _receive(self, link: Link, text: str) -> None:
        now = self.clock.now
        session = self.sessions.get(link)
        if session is None:
            self._clients += 1
            session = self.sessions[link] = Session(
                self.shared, f"c{self._clients}", EVERYTHING, unacknowledged=lambda: link.unacknowledged
            )
            self.cohorts.alone[session] = None
        self._heard_at[link] = now
        was_welcomed = session.welcomed
        assert session.receive(text, now) is None
        if session.welcomed and not was_welcomed:
            self._starts[session.client] = self.store.trigger_sequence
            for other, ghost in list(self.sessions.items()):
                if ghost is not session and ghost.page == session.page:
                    self._close(other)
        if session.cohort is not None and session.owes_answer:
            if not link._network.is_black:
                link.tell(session.take_answers())
            if session.owes_answer:
                session.leave()
        elif session.may_join:
            self.cohorts.admit(session, link)
        self._wake()

    def _close(self, link: Link) -> None:
        link.is_alive = False
        session = self.sessions.pop(link)
        self.cohorts.remove(session)
        session.close(self.clock.now)

    def _note(self, changes: Sequence[Change]) -> None:
        self.log.extend(changes)
        self.report.settled += sum(change.is_settling for change in changes)
        self._wake()

    def _wake(self, delay_s: float = 0.0) -> None:
        if not self._is_pass_due:
            self._is_pass_due = True
            self.clock.call_at(max(self.clock.now + delay_s, self._pass_at), self._pass)

    def _pass(self) -> None:
        self._is_pass_due = False
        now = self.clock.now
        self._pass_at = now + PASS_GAP_S
        for cohort in self.cohorts:
            self._tell_together(cohort, now)
        for link, session in self.sessions.items():
            if session.cohort is not None:
                continue
            is_writable = not link._network.is_black
            news = session.poll_news(now) if is_writable else None  # the hub's short way
            link.tell(session.poll(now, is_writable) if news is None else [news, *session.take_answers()])
        if any(not session.is_idle for session in self.cohorts.alone):
            self._wake(PASS_GAP_S)

    def _tell_together(self, cohort: Cohort, now: float) -> None:
        """What the hub does for those that move together."""
        cohort.look(now)
        for session, link in list(cohort.members.items()):
            if link._network.is_black:
                session.leave()
        news = cohort.news(now)
        if news is None:
            cohort.disband()
            return
        for link in cohort.members.values():
            link.tell([news] if news else [])
        self.report.together += len(cohort.members)
        cohort.told(news, now)

    def _watch(self) -> None:
        """The server's heart-beat, and the time-out of holds."""
        self.clock.call_later(0.25, self._watch)
        now = self.clock.now
        for link in list(self.sessions):
            if now - self._heard_at[link] > SILENT_S:
                self._close(link)
        self.store.expire_holds(now)

    # Hands

    def play(self, steps: Sequence[Step]) -> None:
        """Let hands do all this, then lift them and wait until it is quiet."""
        self.clock.run_until(0.4)
        for step in steps:
            self.clock.run_until(self.clock.now + step.pause_s)
            self._do(step)
        self.clock.run_until(self.clock.now + 0.05)
        for browser in self.browsers:
            browser.network.black_until = min(browser.network.black_until, self.clock.now + 1.0)
            browser.let_go()
        for (n, index), is_pressed in list(self._pressed.items()):
            if is_pressed:
                self._press(n, index, False)
        self.clock.run_until(self.clock.now + QUIET_S)

    def _do(self, step: Step) -> None:
        entry = self.entries[step.control]
        self.report.moves += 1
        if step.who < len(self.browsers):
            self._browser_does(self.browsers[step.who], step, entry)
        else:
            self._device_does(step.who - len(self.browsers), step, entry)

    def _browser_does(self, browser: Browser, step: Step, entry: Entry) -> None:
        if step.what == "cut":
            browser.cut()
        elif step.what == "black":
            browser.network.black_until = self.clock.now + step.amount * BLACKEST_S
        elif entry.control.kind == "trigger":
            self._fired += 1
            browser.fire(entry.id, self._fired)
        elif step.what == "release":
            browser.release(entry.id)
        elif entry.control.momentary:
            if browser.touch(entry.id):
                browser.move(entry.id, value_of(entry.control, 0.9, None))
        elif step.what == "touch":
            browser.touch(entry.id)
        elif browser.is_online:
            if entry.path == "/on":
                self._last_toggle = None
            browser.move(entry.id, value_of(entry.control, step.amount, browser.shown(entry.id)))

    def _device_does(self, n: int, step: Step, entry: Entry) -> None:
        device, control = self.devices[n], entry.control
        if control.kind == "trigger":
            if not self.cast.mouths:  # else its first few come back to it, and may ring again
                self._fired += 1
                device.fire(self._fired)
        elif control.momentary:
            self._press(n, step.control, step.what != "release")
        elif control.kind == "bool":
            was = device.values.get(control.path, (0,))[0]
            device.move(control.path, (0 if was else 1,))
            self._last_toggle = (n, self.clock.now, not was)
        else:
            value = value_of(control, step.amount, entry.value)
            device.move(control.path, self._wire(n, entry, value))

    def _press(self, n: int, index: int, is_down: bool) -> None:
        entry = self.entries[index]
        self._pressed[n, index] = is_down
        value = value_of(entry.control, 0.9, None) if is_down else entry.control.rest
        self.devices[n].move(entry.path, self._wire(n, entry, value))

    def _wire(self, n: int, entry: Entry, value: Any) -> tuple[Any, ...]:
        """The value as this device is sent it."""
        peer = self.port._peers[0 if self.cast.mouths == "together" else n]
        (route,) = peer.routes.speakers[entry.id]
        message = decode(route.packet(value))
        assert isinstance(message, Message)
        return message.args

    # What must be true after quiet

    def check(self) -> Report:
        """Raise AssertionError, saying who is wrong about what."""
        self.report.events = self.clock.happened
        self.report.cancelled = sum(peer.echoed for peer in self.port._peers)
        assert not self.cast.mouths or self.clock.now - self._sent_at > 0.5, "something answers itself"
        self._check_rest()
        self._check_browsers()
        self._check_devices()
        self._check_triggers()
        if self._last_toggle is not None:
            n, at, is_on = self._last_toggle
            self.report.toggles = 1
            if self.store.get("/on").value is not is_on and not self._was_overruled(n, at, is_on):
                self.report.crossed.append(f"the press of d{n} at {at:.3f} s crossed ours: /on is not {is_on}")
        return self.report

    def _was_overruled(self, n: int, at: float, is_on: bool) -> bool:
        """True if the press of a device counted, and a browser's move that was longer on its way came after it."""
        since = [c for c in self.log if c.what == "value" and c.entry.path == "/on" and c.time >= at]
        name = self.port._peers[0 if self.cast.mouths == "together" else n].name
        took = [c.origin.kind == "osc" and c.origin.name == name and c.value is is_on for c in since]
        return any(took) and since[-1].origin.kind == "browser"

    def _check_rest(self) -> None:
        for entry in self.entries:
            assert not entry.holders, f"{entry.path} is still held by {entry.holder}"
            if entry.control.momentary:
                assert entry.value == entry.control.rest, f"{entry.path} is stuck at {entry.value}"

    def _check_browsers(self) -> None:
        for browser in self.browsers:
            assert browser.is_online, f"{browser.name} has not come back"
            for entry in self.entries:
                value = list(entry.value) if isinstance(entry.value, tuple) else entry.value
                shown = browser.shown(entry.id)
                assert shown == value, f"{browser.name} shows {shown} for {entry.path}, which is {value}"

    def _check_devices(self) -> None:
        coarse = [h for h in self.cast.habits if h.grid or h.noise or h.ceiling < 1 or "bits" in self.cast.bindings]
        for n, device in enumerate(self.devices):
            for entry in self.entries:
                if entry.value is None or entry.path not in device.values:
                    continue
                has, told = device.values[entry.path], self._wire(n, entry, entry.value)
                span = device._spans.get(entry.path, (0.0, 0.0))
                near = 2 * device.habits.noise * (span[1] - span[0])
                what = f"d{n} has {has} for {entry.path}, which is {entry.value}: {told} on its wire"
                made = device.made(entry.path, told)
                if near:
                    assert all(abs(a - b) <= near for a, b in zip(has, made, strict=True)), what
                    continue
                assert has == made, what
                if self.cast.mouths == "together":
                    continue  # the other may have said that it has ours: nobody can tell who spoke
                if device.habits.is_read and len(coarse) <= 1 and entry.path not in ("/limited", "/first"):
                    assert has == told, what  # those two may refuse what it has made of ours

    def _check_triggers(self) -> None:
        fired = [change for change in self.log if change.what == "trigger"]
        numbers = [change.args[0] for change in fired]
        assert len(set(numbers)) == len(numbers), f"triggers were doubled: {numbers}"
        for browser in self.browsers:
            ours = [n for n, number in sorted(browser.fired.items()) if number in numbers]
            order = [number for number in numbers if number in browser.fired.values()]
            assert order == [browser.fired[n] for n in ours], f"triggers of {browser.name} changed their order"
            for n, code in browser.answered.items():
                if n in browser.fired and code == "":
                    assert browser.fired[n] in numbers, f"a trigger of {browser.name} was lost"
            sequences = [sequence for sequence, _ in browser.rung]
            assert sequences == sorted(set(sequences)), f"{browser.name} heard {sequences}"
            told = len(sequences) + browser.missed
            meant = self.store.trigger_sequence - self._starts[browser.client]
            assert told == meant, f"{browser.name} was told of {told} triggers of {meant}"
            by_sequence = {change.sequence: change.args[0] for change in fired}
            assert all(by_sequence[sequence] == number for sequence, number in browser.rung)
        if self.cast.mouths:
            return
        for n, device in enumerate(self.devices):
            target = self.port._peers[n].targets[0]
            meant_for_it = [change.args[0] for change in fired if change.origin is not target.origin]
            assert self._sent_triggers.get(target.address, []) == meant_for_it, f"d{n} was sent other triggers"
            rung = device.rung if not device.habits.is_shuffled else sorted(device.rung, key=meant_for_it.index)
            assert rung == meant_for_it, f"d{n} has heard {rung} of {meant_for_it}"
            its = sum(change.origin is target.origin for change in fired)
            spoken = len(device.fired) + device.reflected
            assert spoken == its + self.port._peers[n].echoed, f"triggers of d{n} were lost without being counted"


def _unpacked(packet: bytes) -> list[bytes]:
    """The messages of a packet."""
    found = decode(packet)
    return [encode(message) for _, message in messages(found)] if isinstance(found, Bundle) else [packet]


def value_of(control: Control, amount: float, current: Any) -> Any:
    """A value for a control, 0…1 along what it can be."""
    if control.kind == "bool":
        return not current
    if control.kind == "choice":
        return control.choices[min(int(amount * len(control.choices)), len(control.choices) - 1)]
    if control.kind == "string":
        return f"name {amount:.1f}"
    if control.kind == "color":
        return f"#{int(amount * 255):02x}8000"
    if control.kind == "vector":
        return [round(amount, 3), round(1 - amount, 3)]
    value = control.value_at(amount)
    return round(value) if control.kind == "int" else round(value, 4)
