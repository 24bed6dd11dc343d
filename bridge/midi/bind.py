"""A control on a MIDI peer: its value ↔ the number that a message carries. Pure.

A ``Route`` is one binding, compiled for one control. Which bindings suit which controls is in ``fit``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bridge.bank import Seat
from bridge.control import Control
from bridge.echo import EchoRules
from bridge.errors import BadControl
from bridge.store import Entry
from bridge.suggestion import nearest_path

from .codec import Coding, Key, Writer
from .fit import Act, act_of, check, ends
from .settings import Binding, Feedback, Settings, Takeover
from .show import WIDTH, Scale, display, ring, steps_of

Wire = int | bytes
"""What a message says: its number, or the characters of a display."""

RELATIVE_STEP = 0.01
"""What one step of an encoder moves, as a part of the travel."""
_DEFAULTS = Settings(name="x", device="x")
_FOR_IN = ("relative", "step", "acceleration", "touch", "settle_ms", "takeover")
"""Keys of a binding that do nothing where there is no port that we hear."""
_FOR_OUT = ("feedback", "settle_ms", "on", "off", "ring")
"""The same where there is none to send to."""


@dataclass(slots=True, eq=False)
class Route:
    """One binding of one control on one peer.

    ``to_wire(value)`` is the number that says the value, whole. ``raw(wire)`` is what the store is given; a wire
    between two whole numbers is allowed. ``low`` and ``high`` are the wire's ends, ``low`` the lower one.
    """

    entry: Entry
    key: Key
    act: Act
    hears: bool
    speaks: bool
    to_wire: Callable[[Any], int]
    raw: Callable[[float], Any]
    low: int
    high: int
    on: int
    off: int
    feedback: Feedback
    settle_s: float
    takeover: Takeover
    rules: EchoRules
    program: int | None = None
    """The program whose change fires a trigger."""
    coding: Coding | None = None
    step: float = RELATIVE_STEP
    acceleration: float | None = None
    component: int | None = None
    touched_by: Key | None = None
    """Says that a finger is on it."""
    dark: Wire = 0
    """What a device is sent where its bank has nothing in its place: the fader at the bottom, no light, spaces."""
    seat: Seat | None = None
    """Its place in a bank; None: it is always held."""
    head: bytes = b""
    """What a sysex says before the value."""
    text: Callable[[Entry], bytes] | None = None
    """The characters that a display shows of the control."""

    @property
    def has_place(self) -> bool:
        """True if the device can be shown where the control stands."""
        return self.act not in ("fire", "clock")

    @property
    def is_fader(self) -> bool:
        """True if the device itself knows where it stands, and a motor of it may pull at a hand."""
        return self.act == "number" and self.hears and self.key.kind not in ("note", "program")

    @property
    def is_meter(self) -> bool:
        """True if it shows a level, which comes often and falls by itself."""
        return self.act == "number" and self.entry.control.kind == "meter"

    @property
    def is_button(self) -> bool:
        """True if it is pressed, or is an LED."""
        return self.act in ("toggle", "follow", "next", "fire")

    @property
    def shown(self) -> Wire | None:
        """What the device is to be shown now; None: nothing is known yet."""
        return self.wire if self.text is None else self.text(self.entry)

    @property
    def wire(self) -> int | None:
        """The number that says where the control stands; None: nothing is known yet."""
        value = self.entry.value
        return None if value is None else self.to_wire(self.number_of(value))

    def position(self, wire: int) -> float:
        """Where a number stands between the wire's ends, 0…1."""
        return (min(max(wire, self.low), self.high) - self.low) / (self.high - self.low)

    def raw_at(self, position: float) -> Any:
        """What the store is given for a place between the wire's ends."""
        return self.raw(self.low + position * (self.high - self.low))

    def messages(self, writer: Writer, wire: Wire) -> list[bytes]:
        """The messages that show it."""
        if isinstance(wire, bytes):
            return [b"\xf0" + self.head + wire + b"\xf7"]
        if self.key.kind == "sysex":
            return [b"\xf0" + self.head + bytes((wire, 0xF7))]
        return writer.write(self.key, wire)

    def is_press(self, wire: int) -> bool:
        """True if a button is pressed, False if it is let go: a note says so by any velocity, a switch from 64 on
        (MIDI 1.0, "Control Change")."""
        if self.program is not None:
            return wire == self.program
        return wire > 0 if self.key.kind == "note" else wire >= 64

    def number_of(self, value: Any) -> Any:
        """The number that is bound, of the control's value: itself, or a component."""
        return value if self.component is None else value[self.component]

    def with_number(self, number: Any) -> Any:
        """What the store is given to set that number alone."""
        if self.component is None:
            return number
        size = self.entry.control.size
        return [*[None] * self.component, number, *[None] * (size - 1 - self.component)]

    def next(self, value: Any) -> Any:
        """What a press makes of it, the first after the last."""
        steps = steps_of(self.entry.control)
        return steps[(steps.index(value) + 1) % len(steps)]

    def turned(self, value: Any, by: float) -> Any:
        """What the store is given when an encoder was turned by so many steps. A grid too coarse for one step moves by
        one all the same."""
        control, number = self.entry.control, self.number_of(value)
        if control.kind == "choice":
            return control.choices[min(max(control.choices.index(number) + round(by), 0), len(control.choices) - 1)]
        if control.kind == "int":
            steps = max(1, round(self.step * (control.high - control.low) / (control.step or 1))) if self.step else 1
            return self.with_number(
                min(max(number + round(by) * steps * (control.step or 1), control.low), control.high)
            )
        goes = control.value_at(control.position(number) + by * (self.step or RELATIVE_STEP))
        if control.step and abs(goes - number) < control.step:
            goes = number + (control.step if by > 0 else -control.step if by < 0 else 0)
        return self.with_number(min(max(goes, control.low), control.high))


def compile_route(entry: Entry, binding: Binding, settings: Settings = _DEFAULTS) -> Route:
    """Raises BadControl, naming the binding's key that does not suit the control."""
    control = entry.control
    key = binding.key(settings.channel)
    act = act_of(control, binding, key)
    check(control, binding, key, act)
    feedback = binding.feedback or settings.feedback
    settle_ms = settings.settle_ms if binding.settle_ms is None else binding.settle_ms
    on = settings.on if binding.on is None else binding.on
    off = settings.off if binding.off is None else binding.off
    to_wire: Callable[[Any], int]
    raw: Callable[[float], Any]
    dark: Wire
    if act in ("number", "turn"):
        low, high = ends(control, binding, settings, key)
        scale = Scale(control, min(low, high), max(low, high), binding.curve or "linear", low > high, binding)
        to_wire, raw = scale.to_wire, scale.raw
        is_ring = key.kind == "cc" and (act == "turn" or binding.direction == "out")
        dark = 0 if is_ring else low
        if binding.ring is not None:
            to_wire = ring(control, binding.ring)
    else:
        low, high, dark = 0, key.top, off
        to_wire, raw = (lambda value: on if value else off), bool
        if binding.leds is not None:
            lights = dict(zip(steps_of(control), binding.leds, strict=True))
            to_wire, dark = lights.__getitem__, binding.leds[0]
        if binding.text is not None:
            dark = b" " * (binding.width or WIDTH)
    tolerance = max(1.0, (settings.echo_tolerance or 0.0) * abs(high - low))
    return Route(
        entry,
        key,
        act,
        hears=binding.direction != "out" and key.kind != "sysex",
        speaks=binding.direction != "in" and (feedback != "off" or act == "clock") and binding.clock != "beat",
        to_wire=to_wire,
        raw=raw,
        low=min(low, high),
        high=max(low, high),
        on=on,
        off=off,
        feedback=feedback,
        settle_s=settle_ms / 1000,
        takeover=binding.takeover or settings.takeover,
        rules=EchoRules(lambda wire: (wire,), tolerance, settings.echo_window_ms / 1000, settings.echoes == "yes"),
        program=binding.program if key.kind == "program" and binding.program is not True else None,
        coding=binding.relative,
        step=binding.step or (0.0 if control.kind == "int" else RELATIVE_STEP),
        acceleration=binding.acceleration,
        component=binding.component,
        touched_by=None if binding.touch is None else Key("note", settings.channel, binding.touch),
        dark=dark,
        head=binding.sysex or b"",
        text=None if binding.text is None else display(binding),
    )


def compile_routes(entry: Entry, binding: Binding, settings: Settings = _DEFAULTS) -> list[Route]:
    """One, or those of the part that is named. Raises BadControl."""
    if binding.part is None:
        return [compile_route(entry, binding, settings)]
    bindings = settings.parts.get(binding.part)
    if bindings is None:
        raise BadControl("part", _no_part(binding.part, settings))
    written = {key: getattr(binding, key) for key in binding.model_fields_set - {"part", "direction"}}
    routes: list[Route] = []
    used: set[str] = set()
    refused: dict[str, BadControl] = {}
    for each in bindings:
        if "both" in (each.direction, binding.direction):
            direction = each.direction if binding.direction == "both" else binding.direction
        elif each.direction == binding.direction:
            direction = each.direction
        else:
            continue
        own, more = each.model_dump(exclude_unset=True) | {"direction": direction}, dict(written)
        while True:
            try:
                routes.append(compile_route(entry, Binding.model_validate(own | more), settings))
            except BadControl as exc:
                if exc.field not in more:  # what is written suits another message of this part, or none
                    field = "part" if exc.field in own and exc.field != "direction" else exc.field
                    raise BadControl(field, exc.message) from exc
                refused[exc.field] = exc
                del more[exc.field]
            else:
                used |= more.keys()
                break
    for key in written:
        if key not in used and key in refused:
            raise refused[key]
    if not routes:
        raise BadControl("direction", f"{binding.part} is only {'sent' if binding.direction == 'in' else 'heard'}")
    return routes


def _no_part(name: str, settings: Settings) -> str:
    if not settings.parts:
        return f"{settings.name} has no parts: write profile below its [[midi]]"
    near = nearest_path(name, settings.parts)
    return f"{settings.name} has no such part" + (f': did you mean "{near}"?' if near else "")


def check_binding(settings: Settings | None, binding: Binding, control: Control) -> Iterator[tuple[str, str]]:
    """(key, message) of what does not suit the control or the device; one at a time."""
    if settings is None and binding.part is not None:
        return
    try:
        compile_routes(Entry(0, control, control.default, 0), binding, settings or _DEFAULTS)
    except BadControl as exc:
        yield exc.field, exc.message
        return
    if settings is None:
        return
    for port, way, missing, keys in (
        (settings.in_port, "in", "that we hear", _FOR_IN),
        (settings.out_port, "out", "to send to", _FOR_OUT),
    ):
        if port is None:
            idle = [key for key in keys if key in binding.model_fields_set]
            for key in ["direction", *idle] if binding.direction == way else idle:
                yield key, f"{settings.name} has no port {missing}"
