"""A control on an OSC peer: its value ↔ the arguments of a message. Pure.

A ``Route`` is one binding, compiled for one control: it writes the control's value as a packet and
reads arguments as a raw value for the store. Which route a message means is found in ``routes``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bridge.control import RESERVED, Control
from bridge.echo import WINDOW_S, EchoRules, Wire
from bridge.errors import BadControl
from bridge.store import Entry

from .codec import Values, encode_message
from .fields import PATH
from .forms import Form, compile_form, flat, wire_range
from .learn import OWNER as LEARNT
from .policy import policy_of
from .settings import Arguments, Binding, Settings, Types

MIRROR = Binding()
_SAFE = Types()
ECHO_TOLERANCE = 0.01
"""How far an echo may be from what was sent, as a part of the wire's range."""


@dataclass(slots=True, eq=False)
class Route:
    """One binding of one control on one peer.

    ``packet(value)`` is the message for the peer (of a trigger: ``packet(args)``). ``raw(values)`` is what
    the store is given, and raises BadValue. ``confirms(value, values)`` is true if the report is what
    ``packet(value)`` says, in the precision of the wire: it must not change ``value``.

    ``wire(value)`` is what the peer is sent, in wire units, for the echo guard (``rules``); for kinds that
    cannot be near each other (texts, choices, colours, bools) it is the value itself. For a momentary the
    guard asks only whether it is pressed: how hard, a peer may have its own idea.
    """

    entry: Entry
    hears: bool
    speaks: bool
    heard_at: str
    before: tuple[Any, ...]
    after: tuple[Any, ...]
    packet: Callable[[Any], bytes]
    raw: Callable[[Values], Any]
    confirms: Callable[[Any, Values], bool]
    wire: Callable[[Any], Wire]
    is_exact: bool
    rules: EchoRules
    touched_at: str | None = None
    """Where the peer says that a finger is on the control."""
    question: bytes | None = None
    """The message that asks the peer for the value; None where it cannot be asked, or need not."""
    fired: Callable[[Values], Values] = tuple
    """What a trigger is fired with → what comes back if the peer sends back what it is sent."""
    is_quick: bool = True
    """False if a message may mean more than a value of this control: it is no case for a short cut."""

    def report(self, values: Values, raw: Any) -> Wire:
        """What is reported, in the units of ``wire``. ``raw`` is ``raw(values)``. Raises BadValue."""
        control = self.entry.control
        if self.is_exact:
            return (control.coerce(raw, self.entry.value),)
        return (control.coerce(raw) != control.rest,) if control.momentary else flat(values)

    def says(self, value: Any, values: Values, raw: Any) -> bool:
        """True if the report is the value, as the peer can have it. Raises BadValue."""
        if self.is_exact:
            return bool(self.entry.control.coerce(raw, value) == value)
        return self.confirms(value, values)

    def adopted(self, report: Wire) -> Any:
        """``raw`` of what ``report`` gave; of no momentary."""
        return report[0] if self.is_exact else self.raw(report)


def compile_route(entry: Entry, binding: Binding, settings: Settings | None = None) -> Route:
    """Raises BadControl, naming the binding's key that does not suit the control."""
    control = entry.control
    _check(control, binding)
    args = binding.args or Arguments()
    address = binding.address or control.path
    heard_at = sys.intern(binding.reply or address)
    prefix = settings.prefix if settings is not None else ""
    policy = policy_of(settings.types if settings is not None else _SAFE)
    packet, raw, confirms, wire, step, fired = compile_form(Form(entry, binding, prefix + address, args, policy))
    is_exact = wire is None
    wire = wire or _itself
    tolerance = 0.0
    if not is_exact:
        low, high = wire_range(control, binding)
        part = None if settings is None else settings.echo_tolerance
        near = (ECHO_TOLERANCE if part is None else part) * abs(high - low)
        tolerance = max(step, near)
        if control.momentary:
            raw = _resting(control, raw, wire(control.rest)[0], near)
    is_counted = is_exact or control.momentary
    sent = _pressed(control.rest) if control.momentary and not is_exact else wire
    window_s = WINDOW_S if settings is None else settings.echo_window_ms / 1000
    return Route(
        entry,
        hears=binding.direction != "out",
        speaks=binding.direction != "in" and control.kind != "meter",
        heard_at=heard_at,
        before=args.before,
        after=args.after,
        packet=packet,
        raw=raw,
        confirms=confirms,
        wire=wire,
        is_exact=is_exact,
        rules=EchoRules(
            sent, tolerance, window_s, echoes=settings is None or settings.echoes != "no", is_counted=is_counted
        ),
        touched_at=_touched_at(control, binding, heard_at, settings),
        question=encode_message(prefix + heard_at, args.before, policy.tags)
        if _is_asked(control, binding, settings)
        else None,
        fired=fired,
        is_quick=control.kind != "trigger"
        and control.access != "write"
        and not (control.owner == LEARNT and settings is not None and settings.auto),
    )


def _is_asked(control: Control, binding: Binding, settings: Settings | None) -> bool:
    """True for what has a state of the peer's own: an event has none, a meter speaks by itself, and a momentary is at
    rest unless a finger is on it here."""
    is_state = control.kind not in ("trigger", "meter") and not control.momentary and control.access != "write"
    return is_state and binding.direction != "out" and settings is not None and settings.query == "address"


def check_binding(settings: Settings | None, binding: Binding, control: Control) -> Iterator[tuple[str, str]]:
    """(key, message) of what does not suit the control; one at a time."""
    if binding.live is not None and settings is not None and settings.driver is None:
        yield "live", f'{settings.name} is not Live: that has profile = "abletonosc"'
    try:
        compile_route(Entry(0, control, control.default, 0), binding, settings)
    except BadControl as exc:
        yield exc.field, exc.message


def is_mirrored(control: Control) -> bool:
    """True if the control goes to peers that have no binding for it. The bridge's own status does not."""
    return not control.path.startswith(RESERVED + "/")


def is_button_up(values: Values) -> bool:
    """True for what a button sends when it is let go: 0 alone. It fires nothing."""
    return len(values) == 1 and isinstance(values[0], (int, float)) and values[0] == 0


def _touched_at(control: Control, binding: Binding, heard_at: str, settings: Settings | None) -> str | None:
    """What the binding says, else the peer's template for whatever can be held."""
    if binding.touch is not None or settings is None or settings.touch is None:
        return binding.touch
    return None if _is_untouchable(control) else settings.touch.replace(PATH, heard_at)


def _is_untouchable(control: Control) -> bool:
    return control.kind in ("trigger", "meter") or control.access == "read"


def _itself(value: Any) -> Wire:
    return (value,)


def _pressed(rest: Any) -> Callable[[Any], Wire]:
    return lambda value: (value != rest,)


def _resting(control: Control, raw: Callable[[Values], Any], rest: float, near: float) -> Callable[[Values], Any]:
    """``raw`` for a momentary: what comes to rest, but not quite (a pad, a spring), is at rest. It must not stick."""

    def rested(values: Values) -> Any:
        value = raw(values)
        return control.rest if abs(values[0] - rest) <= near else value

    return rested


def _check(control: Control, binding: Binding) -> None:
    """Raise BadControl for a key that would do nothing: what is accepted works."""
    kind = control.kind
    if kind not in ("float", "int", "bool", "vector", "meter"):
        for name in ("range", "curve", "table"):
            if getattr(binding, name) is not None:
                raise BadControl(name, f"a {kind} has none")
        if binding.type is not None and not (kind == "choice" and binding.form == "index"):
            raise BadControl("type", f"a {kind} has none")
    if binding.type == "T" and kind != "bool":
        raise BadControl("type", f"only a bool is sent as T and F, not a {kind}")
    if binding.component is not None and kind != "vector":
        raise BadControl("component", f"a {kind} has none")
    if binding.form == "text" and kind != "choice":
        raise BadControl("as", f"is for a choice, not a {kind}")
    if kind == "meter" and binding.direction == "out":
        raise BadControl("direction", "a meter is only heard")
    if binding.touch is not None and _is_untouchable(control):
        raise BadControl("touch", f"a {kind} that nobody moves cannot be held")
    if binding.reply is not None and binding.direction == "out":
        raise BadControl("reply", 'nothing is heard with direction = "out"')
    if kind == "trigger" and binding.args is not None and binding.args.is_placed:
        raise BadControl("args", 'a trigger has no value: leave "{value}" out')
