"""A control's value ↔ the arguments of a message, kind by kind. Pure.

What is compiled here becomes part of a ``Route`` (``bind``).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bridge import law
from bridge.control import Control
from bridge.echo import Wire
from bridge.errors import BadControl, BadValue
from bridge.store import Entry

from .codec import (
    Char,
    Double,
    Impulse,
    Int64,
    Midi,
    Rgba,
    Symbol,
    TimeTag,
    Values,
    encode_message,
    pack_float,
    pack_int,
    template,
    unpack_float,
)
from .policy import Policy
from .settings import Arguments, Binding

_INT32 = range(-(2**31), 2**31)
_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Form:
    """One binding of one control, at a peer with this policy. ``address`` is where the peer takes the value."""

    entry: Entry
    binding: Binding
    address: str
    args: Arguments
    policy: Policy

    @property
    def control(self) -> Control:
        return self.entry.control

    def packet(self, *values: Any, tags: str = "") -> bytes:
        """The message with these values among the fixed arguments. ``tags`` may be written beside the policy's."""
        all_args = (*self.args.before, *values, *self.args.after)
        return encode_message(self.address, all_args, self.policy.tags | set(tags))

    def around(self, tag: str) -> tuple[bytes, bytes]:
        """What stands before and after one number of this tag."""
        return template(self.address, self.args.before, tag, self.args.after, self.policy.tags)


class Compiled(NamedTuple):
    """See ``Route``. ``wire`` is None for kinds that are compared whole; ``step`` is how far one wire value is from
    the next."""

    packet: Callable[[Any], bytes]
    raw: Callable[[Values], Any]
    confirms: Callable[[Any, Values], bool]
    wire: Callable[[Any], Wire] | None = None
    step: float = 0.0
    fired: Callable[[Values], Values] = tuple


def compile_form(form: Form) -> Compiled:
    """Raises BadControl, naming the binding's key that does not suit the control."""
    return _COMPILERS[form.control.kind](form)


def wire_range(control: Control, binding: Binding) -> tuple[float, float]:
    """The ends of what the peer is sent, in the order of the widget's travel."""
    if binding.range is not None:
        return binding.range
    return (binding.table[0][1], binding.table[-1][1]) if binding.table else (control.low, control.high)


def plain(value: Any) -> Any:
    """An argument as everybody else knows it: bool, int, float, str, bytes, None, or a tuple of them."""
    convert = _PLAIN.get(type(value))
    return value if convert is None else convert(value)


def plain_args(values: Values) -> tuple[Any, ...]:
    """A trigger's arguments as the store takes them: arrays and MIDI in a row. N alone is a bang, without any."""
    found = _in_a_row(values)
    return () if found == [None] else tuple(found)


def _in_a_row(values: Values) -> list[Any]:
    found: list[Any] = []
    for value in map(plain, values):
        if isinstance(value, (tuple, list)):
            found += _in_a_row(tuple(value))
        else:
            found.append(value)
    return found


# ---------------------------------------------------------------------------------- numbers


@dataclass(frozen=True, slots=True)
class _Scale:
    """The control's unit ↔ the wire's, through the position of the widget."""

    control: Control
    low: float
    high: float
    curve: law.Curve
    table: law.Table
    is_turned: bool

    def to_wire(self, value: float) -> float:
        position = self.control.position(value)
        return law.value_at(1 - position if self.is_turned else position, self.curve, self.low, self.high, self.table)

    def to_control(self, wire: Any) -> float:
        position = law.position_of(_number(wire), self.curve, self.low, self.high, self.table)
        return self.control.value_at(1 - position if self.is_turned else position)


def _number(raw: Any) -> float:
    if not isinstance(raw, (int, float)):
        raise BadValue(f"expected a number, got {raw!r:.60}")
    if raw - raw != 0:
        raise BadValue(f"expected a finite number, got {raw}")
    return raw


def _scale(control: Control, binding: Binding) -> _Scale | None:
    """None where the wire has the control's own unit."""
    if binding.range is None and binding.curve is None and binding.table is None:
        return None
    first, last = wire_range(control, binding)
    low, high = min(first, last), max(first, last)
    if binding.table is not None:
        bottom, top = binding.table[0][1], binding.table[-1][1]
        if low < bottom or high > top:
            raise BadControl("range", f"[{low:g}, {high:g}] must lie inside the table, {bottom:g}…{top:g}")
        return _Scale(control, low, high, "db", binding.table, first > last)  # pieces of straight lines
    curve = binding.curve or "linear"
    assert curve != "table"  # it has one: Binding
    if curve == "log" and low <= 0:
        raise BadControl("curve", f"a log curve needs a range above 0, not [{low:g}, {high:g}]")
    if curve == "db" and (low < law.DB_TABLE[0][1] or high > law.DB_TABLE[-1][1]):
        raise BadControl("range", f"[{low:g}, {high:g}] must lie inside the table of dB, -90…10")
    return _Scale(control, low, high, curve, law.DB_TABLE, first > last)


def _is_whole(control: Control, binding: Binding, whole: range) -> bool:
    """True if a number goes as a whole one: what counts in steps of one, unless the peer's range would lose some."""
    if binding.type is not None:
        return binding.type in ("i", "h")
    if control.kind not in ("int", "bool"):
        return False
    low, high = wire_range(control, binding)
    return (
        low == int(low)
        and high == int(high)
        and abs(high - low) >= control.high - control.low
        and int(low) in whole
        and int(high) in whole
    )


def _whole(wire: float, limits: range = _INT32) -> int:
    return min(max(round(wire), limits[0]), limits[-1])


def _one(values: Values) -> Any:
    if len(values) != 1:
        raise BadValue(f"expected 1 argument, got {len(values)}")
    return values[0]


def _one_number(values: Values) -> Any:
    """What is no number is refused here, before the echo guard compares it."""
    if len(values) == 1 and type(value := values[0]) is float and value - value == 0:
        return value  # nearly always
    return _number(_one(values))


def _compile_number(form: Form) -> Compiled:
    """float, int, meter: one number."""
    control, binding, types = form.control, form.binding, form.policy.types
    scale = _scale(control, binding)
    limits = _INT64 if (binding.type or types.int) == "h" else _INT32
    is_whole = _is_whole(control, binding, limits)
    tag = binding.type or (types.int if is_whole else types.float)
    head, tail = form.around(tag)
    if tag == "f" and scale is None and not is_whole:
        return Compiled(lambda value: head + pack_float(value) + tail, _one_number, _confirms_float, _itself)
    pack = _PACKERS[tag]

    def wire(value: float) -> float:
        scaled = scale.to_wire(value) if scale else value
        return _whole(scaled, limits) if is_whole else scaled

    def confirms(value: Any, values: Values) -> bool:
        if value is None:
            return False
        sent = wire(value)
        return bool(values[0] == sent or (tag in "fd" and values[0] == _float32(sent)))

    return Compiled(
        lambda value: head + pack(wire(value)) + tail,
        lambda values: scale.to_control(_one(values)) if scale else _one_number(values),
        confirms,
        lambda value: (wire(value),),
        step=1 if is_whole else 0,
    )


def _float32(value: float) -> float:
    return unpack_float(pack_float(value))


def _confirms_float(value: Any, values: Values) -> bool:
    report = values[0]
    # Most reports are moves, far from the value: rounding it to 32 bits (0.3 µs) is not needed then.
    if type(report) is not float or value is None or abs(report - value) > abs(value) * 1e-6 + 1e-38:
        return bool(report == value)
    return report == _float32(value)


def _compile_bool(form: Form) -> Compiled:
    binding = form.binding
    if binding.curve is not None or binding.table is not None:
        raise BadControl("curve" if binding.curve is not None else "table", "a bool has none")
    off, on = binding.range or (0, 1)
    tag = binding.type or form.policy.types.bool
    if binding.type is None and tag == "i" and not all(end == int(end) for end in (off, on)):
        tag = "f"

    def said(end: float) -> Any:
        if tag == "T":
            return end == max(off, on)
        return form.policy.number(_whole(end) if tag in "ih" else end, tag)

    packets = [form.packet(said(end), tags="TF" if tag == "T" else tag) for end in (off, on)]

    def scaled(values: Values) -> bool:
        number = _number(_one(values))
        if isinstance(number, bool):
            number = max(off, on) if number else min(off, on)
        return abs(number - on) <= abs(number - off)

    return Compiled(lambda value: packets[value], scaled if binding.range else _one, _confirms_nothing)


def _compile_vector(form: Form) -> Compiled:
    control, binding, types = form.control, form.binding, form.policy.types
    scale = _scale(control, binding)
    tag = binding.type or types.float
    is_whole = tag in "ih"
    limits = _INT64 if tag == "h" else _INT32

    def rounded(part: float) -> float:
        return _whole(part, limits) if is_whole else _float32(part) if tag == "f" else part

    def wires(parts: Iterable[float]) -> tuple[float, ...]:
        return tuple([rounded(scale.to_wire(part) if scale else part) for part in parts])

    def back(values: Values) -> tuple[float, ...]:
        if len(values) not in (1, control.size):
            raise BadValue(f"expected {control.size} arguments, got {len(values)}")
        return tuple([scale.to_control(part) if scale else _number(part) for part in values])

    def packet(parts: Iterable[float]) -> bytes:
        numbers = [form.policy.number(part, tag) for part in wires(parts)]
        is_array = types.vector == "array" and binding.component is None
        return form.packet(*([tuple(numbers)] if is_array else numbers), tags=tag)

    def confirms(parts: Iterable[float], values: Values) -> bool:
        sent = wires(parts)
        return values == sent or (tag == "d" and values == tuple(map(_float32, sent)))

    component = binding.component
    if component is not None:
        if component >= control.size:
            raise BadControl("component", f"{component} is none of 0…{control.size - 1}")
        blank: list[float | None] = [None] * control.size

        def one_of(values: Values) -> list[float | None]:
            return [*blank[:component], *back((_one(values),)), *blank[component + 1 :]]

        return Compiled(
            lambda value: packet((value[component],)),
            one_of,
            lambda value, values: confirms((value[component],), values),
            lambda value: wires((value[component],)),
            step=1 if is_whole else 0,
        )
    return Compiled(
        packet,
        lambda values: back(flat(values)),
        lambda value, values: confirms(value, flat(values)),
        wires,
        step=1 if is_whole else 0,
    )


def flat(values: Values) -> Values:
    """An array stands for its members."""
    return values[0] if len(values) == 1 and type(values[0]) is tuple else values


# ---------------------------------------------------------------------------------- the other kinds


def _compile_choice(form: Form) -> Compiled:
    choices, binding = form.control.choices, form.binding
    tag = binding.type or form.policy.types.int
    sent: Sequence[Any] = [form.policy.number(index, tag) for index in range(len(choices))]
    if binding.form == "text":
        sent = [form.policy.text(choice) for choice in choices]
    wires = dict(zip(choices, sent, strict=True))
    return Compiled(
        lambda value: form.packet(wires[value], tags=tag),
        lambda values: _words(values) if isinstance(values[0], str) else _one(values),
        _confirms_nothing,
    )


def _compile_string(form: Form) -> Compiled:
    return Compiled(lambda value: form.packet(form.policy.text(value)), _words, _confirms_nothing)


def _words(values: Values) -> Any:
    """Max and Pd send a text with spaces as several words, and a number in it as a number."""
    if len(values) == 1:
        return plain(values[0])
    if not all(isinstance(value, (str, int, float)) for value in values):
        raise BadValue("expected a text, got other types")
    return joined(values)


def joined(values: Values) -> str:
    """One text of texts and numbers, as people write them."""
    return " ".join(value if isinstance(value, str) else f"{value:.10g}" for value in map(plain, values))


def _compile_color(form: Form) -> Compiled:
    entry, has_alpha = form.entry, form.policy.types.color != "fff"

    def raw(values: Values) -> Any:
        color = read_color(values)
        if has_alpha or len(values) != 3 or not isinstance(entry.value, str) or len(entry.value) != 9:
            return color
        return (*color, int(entry.value[7:], 16) / 255)  # what it does not know it does not change

    return Compiled(lambda value: form.packet(*form.policy.color(value)), raw, _confirms_nothing)


def read_color(values: Values) -> Any:
    """A text, the colour type, or three or four numbers, as the store takes a colour. Raises BadValue."""
    if len(values) == 1 and isinstance(values[0], (str, Rgba)):
        return plain(values[0])
    parts = [_number(part) for part in flat(values)]
    if any(part > 1 for part in parts):
        parts = [part / 255 for part in parts]  # 0…255, as Pd and Max patches have it
    return parts


def _compile_trigger(form: Form) -> Compiled:
    # A button on a controller sends 1; where the binding writes arguments out, those are all there is.
    alone: Values = form.policy.trigger if form.binding.args is None else ()
    return Compiled(
        lambda fired: form.packet(*(form.policy.arguments(fired) or alone)),
        plain_args,
        _confirms_nothing,
        fired=lambda args: plain_args(form.policy.arguments(args)),
    )


def _confirms_nothing(value: Any, values: Values) -> bool:
    """For kinds whose reports become exactly the value: the store sees that nothing changed."""
    return False


def _itself(value: Any) -> Wire:
    return (value,)


_PACKERS: dict[str, Callable[[Any], bytes]] = {
    "i": pack_int,
    "f": pack_float,
    "h": struct.Struct(">q").pack,
    "d": struct.Struct(">d").pack,
}
_COMPILERS: dict[str, Callable[[Form], Compiled]] = {
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
