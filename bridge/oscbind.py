"""A control on an OSC peer: its value ↔ the arguments of a message. Pure.

A ``Route`` is one binding, compiled for one control: it writes the control's value as a packet and
reads arguments as a raw value for the store. Which route a message means is found in ``oscroutes``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from . import law
from .control import RESERVED, Control
from .echo import WINDOW_S, EchoRules, Wire
from .errors import BadControl, BadValue
from .osccodec import (
    Char,
    Double,
    Impulse,
    Int64,
    Midi,
    Rgba,
    Symbol,
    TimeTag,
    encode_message,
    pack_float,
    pack_int,
    template,
    unpack_float,
)
from .oscsettings import Arguments, Binding, Settings
from .store import Entry

Values = tuple[Any, ...]
"""A message's arguments without the fixed ones."""

MIRROR = Binding()
ECHO_TOLERANCE = 0.01
"""How far an echo may be from what was sent, as a part of the wire's range."""
_INT32 = range(-(2**31), 2**31)


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

    def report(self, values: Values, raw: Any) -> Wire:
        """What is reported, in the units of ``wire``. ``raw`` is ``raw(values)``. Raises BadValue."""
        control = self.entry.control
        if self.is_exact:
            return (control.coerce(raw, self.entry.value),)
        return (control.coerce(raw) != control.rest,) if control.momentary else _flat(values)

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
    packet, raw, confirms, wire, step = _COMPILERS[control.kind](control, binding, address, args)
    is_exact = wire is None
    wire = wire or _itself
    tolerance = 0.0
    if not is_exact:
        low, high = binding.range or (control.low, control.high)
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
        heard_at=binding.reply or address,
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
        touched_at=binding.touch,
    )


def check_binding(settings: Settings | None, binding: Binding, control: Control) -> Iterator[tuple[str, str]]:
    """(key, message) of what does not suit the control; one at a time."""
    try:
        compile_route(Entry(0, control, control.default, 0), binding)
    except BadControl as exc:
        yield exc.field, exc.message


def is_mirrored(control: Control) -> bool:
    """True if the control goes to peers that have no binding for it. The bridge's own status does not."""
    return not control.path.startswith(RESERVED + "/")


def plain(value: Any) -> Any:
    """An argument as everybody else knows it: bool, int, float, str, bytes, None, or a tuple of them."""
    convert = _PLAIN.get(type(value))
    return value if convert is None else convert(value)


def plain_args(values: Values) -> tuple[Any, ...]:
    """A trigger's arguments as the store takes them: arrays and MIDI in a row, N left out."""
    found: list[Any] = []
    for value in map(plain, values):
        if isinstance(value, (tuple, list)):
            found += plain_args(tuple(value))
        elif value is not None:
            found.append(value)
    return tuple(found)


# ---------------------------------------------------------------------------------- numbers


@dataclass(frozen=True, slots=True)
class _Scale:
    """The control's unit ↔ the wire's, through the position of the widget."""

    control: Control
    low: float
    high: float
    curve: law.Curve
    is_turned: bool

    def to_wire(self, value: float) -> float:
        position = self.control.position(value)
        return law.value_at(1 - position if self.is_turned else position, self.curve, self.low, self.high)

    def to_control(self, wire: Any) -> float:
        position = law.position_of(_number(wire), self.curve, self.low, self.high)
        return self.control.value_at(1 - position if self.is_turned else position)


def _number(raw: Any) -> float:
    if not isinstance(raw, (int, float)):
        raise BadValue(f"expected a number, got {raw!r:.60}")
    if raw - raw != 0:
        raise BadValue(f"expected a finite number, got {raw}")
    return raw


def _scale(control: Control, binding: Binding) -> _Scale | None:
    """None where the wire has the control's own unit."""
    if binding.range is None and binding.curve is None:
        return None
    curve = binding.curve or "linear"
    first, last = binding.range or (control.low, control.high)
    low, high = min(first, last), max(first, last)
    if curve == "log" and low <= 0:
        raise BadControl("curve", f"a log curve needs a range above 0, not [{low:g}, {high:g}]")
    if curve == "db" and (low < law.DB_TABLE[0][1] or high > law.DB_TABLE[-1][1]):
        raise BadControl("range", f"[{low:g}, {high:g}] must lie inside the table of dB, -90…10")
    return _Scale(control, low, high, curve, first > last)


def _is_whole(control: Control, binding: Binding) -> bool:
    """True if a number goes as ``i``: what counts in steps of one, unless the peer's range would lose some."""
    if binding.type is not None:
        return binding.type == "i"
    if control.kind not in ("int", "bool"):
        return False
    low, high = binding.range or (control.low, control.high)
    return (
        low == int(low)
        and high == int(high)
        and abs(high - low) >= control.high - control.low
        and int(low) in _INT32
        and int(high) in _INT32
    )


def _whole(wire: float) -> int:
    return min(max(round(wire), _INT32[0]), _INT32[-1])


def _one(values: Values) -> Any:
    if len(values) != 1:
        raise BadValue(f"expected 1 argument, got {len(values)}")
    return values[0]


def _one_number(values: Values) -> Any:
    """What is no number is refused here, before the echo guard compares it."""
    if len(values) == 1 and type(value := values[0]) is float and value - value == 0:
        return value  # nearly always
    return _number(_one(values))


def _compile_number(control: Control, binding: Binding, address: str, args: Arguments) -> _Compiled:
    """float, int, meter: one number."""
    scale = _scale(control, binding)
    if _is_whole(control, binding):
        head, tail = template(address, args.before, "i", args.after)

        def whole(value: float) -> int:
            return _whole(scale.to_wire(value) if scale else value)

        return _Compiled(
            lambda value: head + pack_int(whole(value)) + tail,
            lambda values: scale.to_control(_one(values)) if scale else _one_number(values),
            lambda value, values: value is not None and bool(values[0] == whole(value)),
            lambda value: (whole(value),),
            step=1,
        )
    head, tail = template(address, args.before, "f", args.after)
    if scale is None:
        return _Compiled(lambda value: head + pack_float(value) + tail, _one_number, _confirms_float, _itself)
    return _Compiled(
        lambda value: head + pack_float(scale.to_wire(value)) + tail,
        lambda values: scale.to_control(_one(values)),
        lambda value, values: value is not None and bool(values[0] == _float32(scale.to_wire(value))),
        lambda value: (scale.to_wire(value),),
    )


def _float32(value: float) -> float:
    return unpack_float(pack_float(value))


def _confirms_float(value: Any, values: Values) -> bool:
    report = values[0]
    # Most reports are moves, far from the value: rounding it to 32 bits (0.3 µs) is not needed then.
    if type(report) is not float or value is None or abs(report - value) > abs(value) * 1e-6:
        return bool(report == value)
    return report == _float32(value)


def _compile_bool(control: Control, binding: Binding, address: str, args: Arguments) -> _Compiled:
    if binding.curve is not None:
        raise BadControl("curve", "a bool has none")
    off, on = binding.range or (0, 1)
    is_whole = binding.type == "i" or (binding.type is None and all(end == int(end) for end in (off, on)))
    packets = [
        encode_message(address, (*args.before, _whole(end) if is_whole else float(end), *args.after))
        for end in (off, on)
    ]

    def scaled(values: Values) -> bool:
        number = _number(_one(values))
        return abs(number - on) <= abs(number - off)

    return _Compiled(lambda value: packets[value], scaled if binding.range else _one, _confirms_nothing)


def _compile_vector(control: Control, binding: Binding, address: str, args: Arguments) -> _Compiled:
    scale = _scale(control, binding)
    is_whole = binding.type == "i"

    def wires(parts: Iterable[float]) -> tuple[float, ...]:
        scaled = [scale.to_wire(part) for part in parts] if scale else parts
        return tuple([_whole(part) if is_whole else _float32(part) for part in scaled])

    def back(values: Values) -> tuple[float, ...]:
        if len(values) not in (1, control.size):
            raise BadValue(f"expected {control.size} arguments, got {len(values)}")
        return tuple([scale.to_control(part) if scale else _number(part) for part in values])

    component = binding.component
    if component is not None:
        if component >= control.size:
            raise BadControl("component", f"{component} is none of 0…{control.size - 1}")
        blank: list[float | None] = [None] * control.size

        def one_of(values: Values) -> list[float | None]:
            return [*blank[:component], *back((_one(values),)), *blank[component + 1 :]]

        return _Compiled(
            lambda value: encode_message(address, (*args.before, *wires((value[component],)), *args.after)),
            one_of,
            lambda value, values: values == wires((value[component],)),
            lambda value: wires((value[component],)),
            step=1 if is_whole else 0,
        )
    return _Compiled(
        lambda value: encode_message(address, (*args.before, *wires(value), *args.after)),
        lambda values: back(_flat(values)),
        lambda value, values: _flat(values) == wires(value),
        wires,
        step=1 if is_whole else 0,
    )


def _flat(values: Values) -> Values:
    """An array stands for its members."""
    return values[0] if len(values) == 1 and type(values[0]) is tuple else values


# ---------------------------------------------------------------------------------- the other kinds


def _compile_choice(control: Control, binding: Binding, address: str, args: Arguments) -> _Compiled:
    sent: Sequence[Any] = control.choices if binding.form == "text" else range(len(control.choices))
    if binding.form == "index" and binding.type == "f":
        sent = [float(index) for index in sent]
    wires = dict(zip(control.choices, sent, strict=True))
    return _Compiled(
        lambda value: encode_message(address, (*args.before, wires[value], *args.after)),
        lambda values: _words(values) if isinstance(values[0], str) else _one(values),
        _confirms_nothing,
    )


def _compile_string(control: Control, binding: Binding, address: str, args: Arguments) -> _Compiled:
    return _Compiled(
        lambda value: encode_message(address, (*args.before, value, *args.after)),
        _words,
        _confirms_nothing,
    )


def _words(values: Values) -> Any:
    """Max and Pd send a text with spaces as several words, and a number in it as a number."""
    if len(values) == 1:
        return plain(values[0])
    if not all(isinstance(value, (str, int, float)) for value in values):
        raise BadValue("expected a text, got other types")
    return " ".join(value if isinstance(value, str) else f"{value:.10g}" for value in map(plain, values))


def _compile_color(control: Control, binding: Binding, address: str, args: Arguments) -> _Compiled:
    return _Compiled(
        lambda value: encode_message(address, (*args.before, *_parts(value), *args.after)),
        _color,
        _confirms_nothing,
    )


def _parts(color: str) -> list[float]:
    """``#ff8000`` → red, green, blue and alpha, 0…1."""
    digits = color[1:] if len(color) == 9 else color[1:] + "ff"
    return [part / 255 for part in bytes.fromhex(digits)]


def _color(values: Values) -> Any:
    if len(values) == 1 and isinstance(values[0], (str, Rgba)):
        return plain(values[0])
    parts = [_number(part) for part in _flat(values)]
    if any(part > 1 for part in parts):
        parts = [part / 255 for part in parts]  # 0…255, as Pd and Max patches have it
    return parts


def _compile_trigger(control: Control, binding: Binding, address: str, args: Arguments) -> _Compiled:
    # A button on a controller sends 1; where the binding writes arguments out, those are all there is.
    alone: Values = (1,) if binding.args is None else ()
    return _Compiled(
        lambda fired: encode_message(address, (*args.before, *(fired or alone), *args.after)),
        plain_args,
        _confirms_nothing,
    )


def is_button_up(values: Values) -> bool:
    """True for what a button sends when it is let go: 0 alone. It fires nothing."""
    return len(values) == 1 and isinstance(values[0], (int, float)) and values[0] == 0


def _confirms_nothing(value: Any, values: Values) -> bool:
    """For kinds whose reports become exactly the value: the store sees that nothing changed."""
    return False


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


class _Compiled(NamedTuple):
    """``wire`` is None for kinds that are compared whole; ``step`` is how far one wire value is from the next."""

    packet: Callable[[Any], bytes]
    raw: Callable[[Values], Any]
    confirms: Callable[[Any, Values], bool]
    wire: Callable[[Any], Wire] | None = None
    step: float = 0.0


_COMPILERS: dict[str, Callable[[Control, Binding, str, Arguments], _Compiled]] = {
    "float": _compile_number,
    "int": _compile_number,
    "meter": _compile_number,
    "bool": _compile_bool,
    "vector": _compile_vector,
    "choice": _compile_choice,
    "string": _compile_string,
    "color": _compile_color,
    "trigger": _compile_trigger,
}


def _check(control: Control, binding: Binding) -> None:
    """Raise BadControl for a key that would do nothing: what is accepted works."""
    kind = control.kind
    if kind not in ("float", "int", "bool", "vector", "meter"):
        for name in ("range", "curve"):
            if getattr(binding, name) is not None:
                raise BadControl(name, f"a {kind} has none")
        if binding.type is not None and not (kind == "choice" and binding.form == "index"):
            raise BadControl("type", f"a {kind} has none")
    if binding.component is not None and kind != "vector":
        raise BadControl("component", f"a {kind} has none")
    if binding.form == "text" and kind != "choice":
        raise BadControl("as", f"is for a choice, not a {kind}")
    if kind == "meter" and binding.direction == "out":
        raise BadControl("direction", "a meter is only heard")
    if binding.touch is not None and (kind in ("trigger", "meter") or control.access == "read"):
        raise BadControl("touch", f"a {kind} that nobody moves cannot be held")
    if binding.reply is not None and binding.direction == "out":
        raise BadControl("reply", 'nothing is heard with direction = "out"')
    if kind == "trigger" and binding.args is not None and binding.args.is_placed:
        raise BadControl("args", 'a trigger has no value: leave "{value}" out')


_PLAIN: dict[type, Callable[[Any], Any]] = {
    Symbol: str,
    Char: lambda value: value.text,
    Int64: int,
    Double: float,
    TimeTag: int,
    Rgba: lambda value: "#" + bytes(value).hex(),
    Midi: list,
    Impulse: lambda value: True,
    tuple: lambda value: tuple(map(plain, value)),
}
