"""A control on a MIDI peer: its value ↔ the number that a message carries. Pure.

A ``Route`` is one binding, compiled for one control; ``RouteTable`` is all of one peer's, by what they hear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from .bank import Seat
from .control import Control
from .echo import EchoRules
from .errors import BadControl
from .midiclock import FASTEST, SLOWEST
from .midicodec import TOP_7, Coding, Key, Writer
from .midisettings import Binding, Feedback, Settings, Takeover
from .midishow import WIDTH, Scale, display, ring, steps_of
from .store import Entry
from .suggestion import nearest_path

K = TypeVar("K")
Act = Literal["number", "turn", "toggle", "follow", "next", "fire", "clock", "text"]
"""What a message does: it says where the control is; how far it is turned; a press turns it over; it is on while the
button is down; a press goes to the next; a press fires it; it is a part of a clock; it is only shown in words."""
Wire = int | bytes
"""What a message says: its number, or the characters of a display."""

RELATIVE_STEP = 0.01
"""What one step of an encoder moves, as a part of the travel."""
_DEFAULTS = Settings(name="x", device="x")


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
        if self.text is not None:
            return self.text(self.entry)
        value = self.entry.value
        return None if value is None else self.to_wire(self.number_of(value))

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
    act = _act(control, binding, key)
    _check(control, binding, key, act)
    feedback = binding.feedback or settings.feedback
    settle_ms = settings.settle_ms if binding.settle_ms is None else binding.settle_ms
    on = settings.on if binding.on is None else binding.on
    off = settings.off if binding.off is None else binding.off
    to_wire: Callable[[Any], int]
    raw: Callable[[float], Any]
    dark: Wire
    if act in ("number", "turn"):
        low, high = _ends(control, binding, settings, key)
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
    if settings.in_port is None and binding.direction == "in":
        yield "direction", f"{settings.name} has no port that we hear"
    if settings.out_port is None and binding.direction == "out":
        yield "direction", f"{settings.name} has no port to send to"
    if settings.out_port is None and binding.feedback is not None:
        yield "feedback", f"{settings.name} has no port to send to"


# ---------------------------------------------------------------------------------- what suits what


def _act(control: Control, binding: Binding, key: Key) -> Act:
    kind = control.kind
    if binding.clock is not None:
        return "clock"
    if binding.text is not None:
        return "text"
    if kind in ("string", "color"):
        raise BadControl(binding.kind, f"a {kind} cannot be carried by MIDI messages")
    if kind == "trigger":
        return "fire"
    if kind == "bool":
        return "follow" if binding.mode == "momentary" or (control.momentary and binding.mode is None) else "toggle"
    if binding.leds is not None:
        return "next"
    return "turn" if binding.relative is not None else "number"


_OF_FADERS = ("settle_ms", "takeover", "touch")
_OF_LEDS = ("ring", "leds")


def _check(control: Control, binding: Binding, key: Key, act: Act) -> None:
    """Raise BadControl for a key that would do nothing: what is accepted works."""
    if act == "clock":
        _check_clock(control, binding)
        return
    kind, written = control.kind, binding.model_fields_set
    is_number = act in ("number", "turn")

    def refuse(name: str, why: str) -> None:
        if name in written:
            raise BadControl(name, why)

    if key.kind == "sysex" and binding.direction == "in":
        raise BadControl("direction", "a sysex is only sent")
    for name, other in (("text", "sysex"), ("width", "text")):
        if getattr(binding, other) is None:
            refuse(name, f"is for a display: write {other} too")
    if act == "text":
        for name in ("range", "curve", "relative", "step", "mode", "component", "on", "off", *_OF_FADERS, *_OF_LEDS):
            refuse(name, "is not for words")
        return
    if (
        not is_number
        and key.kind not in ("note", "cc", "sysex")
        and not (kind == "trigger" and binding.program is not None)
    ):
        raise BadControl(key.kind, f"a {kind} is a button: write note or cc")
    if kind == "trigger" and binding.program is True:
        raise BadControl("program", "write the number of the program that fires it")
    if is_number and key.kind == "program" and binding.program is not True:
        raise BadControl("program", f"a number is for a trigger; a {kind} follows them all with true")
    if kind == "choice" and key.kind == "note" and act != "next":
        raise BadControl("note", "a choice needs a message that carries a number (cc, program, …), or leds")
    if binding.mode == "velocity" and (key.kind != "note" or not is_number):
        raise BadControl("mode", "velocity is for a number on a note")
    if binding.leds is not None:
        if kind not in ("choice", "int"):
            raise BadControl("leds", f"is for a choice or an int; of a {kind} on and off")
        if len(binding.leds) != len(steps_of(control)):
            raise BadControl("leds", f"must be {len(steps_of(control)) or 'fewer'}: one for each that it can be")
        for name in ("on", "off"):
            refuse(name, "leds says it")
    elif binding.mode not in (None, "velocity") and kind != "bool":
        raise BadControl("mode", f"{binding.mode} is for a bool, not a {kind}")
    if binding.mode == "toggle" and control.momentary:
        raise BadControl("mode", "a momentary control is on while the button is down")
    if kind == "vector":
        if binding.component is None:
            raise BadControl("component", "is required: a message carries one number of a vector")
        if binding.component >= control.size:
            raise BadControl("component", f"{binding.component} is none of 0…{control.size - 1}")
    else:
        refuse("component", f"a {kind} has none")
    if not is_number:
        for name in ("range", "curve", "relative", "step", "ring"):
            refuse(name, f"a {kind} has none" if act != "next" else "leds says it")
    if binding.relative is not None:
        if key.kind != "cc":
            raise BadControl("relative", "is for a cc")
        if control.momentary:
            raise BadControl("relative", "a momentary control cannot be turned")
        if kind == "meter":
            raise BadControl("relative", "nobody turns a meter")
        if binding.direction == "out":
            raise BadControl("relative", 'nothing is heard with direction = "out"')
        if binding.direction == "in":
            for name in ("range", "curve"):
                refuse(name, "is for its ring, and nothing is sent")
    else:
        for name in ("step", "acceleration"):
            refuse(name, "is for an encoder: write relative too")
    if binding.ring is not None:
        if key.kind != "cc" or (binding.relative is None and binding.direction != "out"):
            raise BadControl("ring", 'is for a cc that is only sent (direction = "out"), or of an encoder')
        for name in ("range", "curve"):
            refuse(name, "ring says it")
    if kind == "choice":
        refuse("step", "a choice moves by one")
    if is_number or (kind == "trigger" and binding.program is not None):
        for name in ("on", "off"):
            refuse(name, "is for a button's LED")
    if binding.touch is not None and (not is_number or kind == "meter" or binding.relative is not None):
        raise BadControl("touch", "is for a fader")
    is_fader = act == "number" and key.kind not in ("note", "program") and kind != "meter"
    for name in _OF_FADERS[:2]:
        if not is_fader or binding.direction == "out":
            refuse(name, "is for a fader that is heard")
    if binding.feedback is not None and binding.direction == "in":
        raise BadControl("feedback", "nothing is sent")


def _check_clock(control: Control, binding: Binding) -> None:
    """What of a clock can be what kind of control."""
    word, kind = binding.clock, control.kind
    if written := sorted(binding.model_fields_set - {"clock", "direction"}):
        raise BadControl(written[0], "a clock has none")
    if word == "running":
        if kind != "bool" or control.momentary:
            raise BadControl("clock", "running is a bool")
    elif word in ("start", "continue", "stop"):
        if kind != "trigger":
            raise BadControl("clock", f"{word} is a trigger")
    elif kind not in ("float", "int") or control.momentary:
        raise BadControl("clock", f"{word} is a float or an int")
    elif word == "tempo":
        if control.low < SLOWEST or control.high > FASTEST:
            raise BadControl("clock", "a tempo needs a range of beats a minute: range = [20, 300]")
        if binding.direction == "both":
            raise BadControl("direction", 'is required: "in": we follow its clock; "out": it follows ours')
    elif binding.direction == "out":
        raise BadControl("direction", "a beat is only heard")


def _ends(control: Control, binding: Binding, settings: Settings, key: Key) -> tuple[int, int]:
    if binding.range is not None:
        if max(binding.range) > key.top:
            raise BadControl("range", f"[{binding.range[0]}, {binding.range[1]}]: {key.kind} has 0…{key.top}")
        return binding.range
    if key.kind == "bend":
        return 0, settings.bend_top
    if key.kind == "program":  # a program's number is the value, as it stands on the device
        if control.kind == "choice":
            return 0, min(max(len(control.choices) - 1, 1), TOP_7)
        if control.kind == "int" and control.low >= 0 and control.high <= TOP_7:
            return int(control.low), int(control.high)
    return 0, key.top


# ---------------------------------------------------------------------------------- all routes of one peer


class RouteTable:
    """All routes of one peer: by key (in), by control (out)."""

    def __init__(self) -> None:
        self.heard: dict[Key, tuple[Route, ...]] = {}
        self.touches: dict[Key, tuple[Route, ...]] = {}
        """Routes on whose control a key puts a finger."""
        self.speakers: dict[int, tuple[Route, ...]] = {}
        """Routes that send a control, by its id."""
        self.dark: dict[Route, None] = {}
        """Routes whose part of the hardware nobody has now: what is heard there moves nothing."""
        self._routes: dict[int, tuple[Route, ...]] = {}

    def add(self, route: Route, *, is_dark: bool = False) -> None:
        """Take in a route that is not there yet."""
        if is_dark:
            self.dark[route] = None
        else:
            at = route.entry.id
            self._routes[at] = (*self.of(at), route)
            if route.speaks:
                self.speakers[at] = (*self.speakers.get(at, ()), route)
        if route.hears:
            self.heard[route.key] = (*self.heard.get(route.key, ()), route)
        if route.touched_by is not None:
            self.touches[route.touched_by] = (*self.touches.get(route.touched_by, ()), route)

    def remove(self, route: Route) -> None:
        """Take a route out, if it is there."""
        self.dark.pop(route, None)
        _without(self._routes, route.entry.id, route)
        _without(self.speakers, route.entry.id, route)
        _without(self.heard, route.key, route)
        if route.touched_by is not None:
            _without(self.touches, route.touched_by, route)

    def of(self, entry_id: int) -> Sequence[Route]:
        """All routes of a control, but for the dark ones."""
        return self._routes.get(entry_id, ())

    def __iter__(self) -> Iterator[Route]:
        return (route for routes in self._routes.values() for route in routes)


def _without(table: dict[K, tuple[Route, ...]], key: K, route: Route) -> None:
    rest = tuple(one for one in table.get(key, ()) if one is not route)
    if rest:
        table[key] = rest
    else:
        table.pop(key, None)
