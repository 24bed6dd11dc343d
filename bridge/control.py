"""``Control``: one named, typed value that everybody shares, and what it may hold.

Here: kinds, ranges, inference of what was not written. Not here: what raw values become
(``coercion``), the current value (``store``), where it is drawn (``surface``), how a peer reaches
it (bindings).
A Control is immutable; a changed description is another Control.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, get_args

from . import coercion
from .coercion import Coerce, Value, shown
from .errors import BadControl, BadValue
from .law import DB_TABLE, Curve, position_of, text_of, value_at

Kind = Literal["float", "int", "bool", "choice", "string", "color", "vector", "trigger", "meter"]
Widget = Literal[
    "fader", "knob", "button", "toggle", "xy", "color", "select", "text", "number", "pads", "meter", "label"
]
Access = Literal["read", "write", "both"]
Hold = Literal["last", "first"]
OnStart = Literal["restore", "default"]

NUMERIC: frozenset[str] = frozenset({"float", "int", "vector", "meter"})
WIDGETS: dict[str, tuple[str, ...]] = {
    "float": ("fader", "knob", "number", "button", "label"),
    "int": ("number", "fader", "knob", "button", "pads", "label"),
    "bool": ("toggle", "button", "label"),
    "choice": ("select", "pads", "label"),
    "string": ("text", "label"),
    "color": ("color", "label"),
    "vector": ("xy", "label"),
    "trigger": ("button", "pads"),
    "meter": ("meter", "label"),
}
"""Widgets that can draw a kind; the first is the default."""

MAX_PATH_BYTES = 255
MAX_CHOICES = 1024
MAX_VECTOR = 64
MAX_TEXT = 1000  # characters, unless max_length says otherwise
MAX_LABEL = 255  # characters of a label, a unit, a group, a choice: what stands beside a widget
MAX_CHOICES_BYTES = 64 * 1024  # all of a control's choices, so that its descriptor fits into one frame
MAX_INT = 10**12  # end of an int's range: doubles, here and on the page, count up to there in any step
DEFAULT_HOLD_TIMEOUT_S = 30.0
RESERVED = "/stagebridge"
PANIC = f"{RESERVED}/panic"
CONFIG = f"{RESERVED}/config"
"""What is wrong with the configuration while another runs; the control is there only then."""

_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
_FORBIDDEN = re.compile(r"[\s#*,?\[\]{}\x00-\x1f\x7f]")  # OSC 1.0, "OSC Addresses", and control characters


def check_path(path: str) -> None:
    """Raise BadControl unless ``path`` is a control's path: it is an OSC address too."""
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise BadControl("path", f"{path[:40]!r} holds half of a surrogate pair") from None
    if size > MAX_PATH_BYTES:
        raise BadControl("path", f'"{path[:40]}…" is longer than {MAX_PATH_BYTES} bytes')
    if not path.startswith("/"):
        raise BadControl("path", f'"{path}" must start with "/"')
    if (found := _FORBIDDEN.search(path)) is not None:
        raise BadControl("path", f'"{path}" may not contain {found.group()!r}: OSC gives it another meaning')
    if "//" in path or path.endswith("/"):
        raise BadControl("path", f'"{path}" has an empty part')


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """Description of one control. Fields that are None are inferred when it is built.

    ``range`` is [low, high] in the control's unit (per component for a vector); ``limit`` is the
    part of it that may be reached, whoever asks. With a step the values are low, low + step, … as
    far as they lie inside the limit. Raises BadControl, naming the field.
    """

    path: str
    kind: Kind = "float"
    owner: str = "config"
    access: Access | None = None  # inferred: both, meter read
    range: tuple[float, float] | None = None
    limit: tuple[float, float] | None = None
    step: float | None = None
    curve: Curve = "linear"
    table: tuple[tuple[float, float], ...] = DB_TABLE
    unit: str = ""
    decimals: int | None = None
    default: Value = None
    label: str | None = None
    color: str | None = None
    group: str | None = None
    choices: tuple[str, ...] = ()
    size: int = 2
    widget: Widget | None = None
    momentary: bool = False
    rest: Value = None
    guard: bool = False
    bipolar: bool | None = None
    reset: bool | None = None
    relative: bool = True
    hold: Hold = "last"
    hold_timeout: float = DEFAULT_HOLD_TIMEOUT_S
    max_length: int = MAX_TEXT
    on_start: OnStart = "restore"
    """Whether it begins where it was when the program ended."""
    coerce: Coerce = field(init=False, repr=False, compare=False)
    """``coerce(raw, current=None)`` → Value: clamped and stepped. Raises BadValue. ``current``
    fills the None components of a vector."""

    def __post_init__(self) -> None:
        put = _put(self)
        check_path(self.path)
        if self.kind not in get_args(Kind):
            raise BadControl("kind", f'"{self.kind}" is none of {", ".join(get_args(Kind))}')
        self._check_numbers(put)
        self._check_choices()
        self._check_widget(put)
        if self.label is None:
            put("label", self.path.rsplit("/", 1)[1])
        for name in ("label", "unit", "group"):
            _check_label(name, getattr(self, name) or "")
        if self.access is None:
            put("access", "read" if self.kind == "meter" else "both")
        if not (0 < self.max_length <= 10_000):
            raise BadControl("max_length", f"{self.max_length} must be 1…10000 characters")
        if self.hold_timeout <= 0 or not math.isfinite(self.hold_timeout):
            raise BadControl("hold_timeout", f"{self.hold_timeout} must be above 0 s")
        if self.color is not None:
            put("color", _checked(self.color, "color", coercion.color))
        put("coerce", _coercer(self))
        self._check_default(put)

    @property
    def low(self) -> float:
        """Low end of the range; 0 for kinds without one."""
        return self.range[0] if self.range else 0.0

    @property
    def high(self) -> float:
        """High end of the range; 1 for kinds without one."""
        return self.range[1] if self.range else 1.0

    @property
    def is_valued(self) -> bool:
        """True where the store keeps a value: not for triggers, and not for meters."""
        return self.kind not in ("trigger", "meter")

    def position(self, value: float) -> float:
        """Widget position 0..1 of a number in the control's unit."""
        return position_of(value, self.curve, self.low, self.high, self.table)

    def value_at(self, position: float) -> float:
        """Number in the control's unit at widget position 0..1."""
        return value_at(position, self.curve, self.low, self.high, self.table)

    def text(self, value: Value) -> str:
        """The value as a person reads it, without the unit."""
        if isinstance(value, tuple):
            return ", ".join(self.text(part) for part in value)
        if isinstance(value, bool):
            return "on" if value else "off"
        if isinstance(value, (int, float)) and self.decimals is not None:
            return text_of(value, self.decimals, self.curve, self.table)
        return "" if value is None else str(value)

    def describe(self) -> dict[str, Any]:
        """The descriptor for browsers, without ``id``; inferred fields are written out, empty ones left out."""
        out: dict[str, Any] = {"path": self.path, "kind": self.kind, "label": self.label, "widget": self.widget}
        if self.range is not None:
            out |= {"range": list(self.range), "decimals": self.decimals}
            if self.curve == "db":
                out["table"] = [list(point) for point in self.table]
            if self.limit != self.range:
                out["limit"] = list(self.limit or self.range)
        if self.is_valued:
            out["default"] = list(self.default) if isinstance(self.default, tuple) else self.default
        if self.kind == "choice":
            out["choices"] = list(self.choices)
        if self.kind == "vector":
            out["size"] = self.size
        if self.kind == "string":
            out["max_length"] = self.max_length
        if self.momentary:
            out |= {"momentary": True, "rest": self.rest}
        for name, absent in _LEFT_OUT:
            value = getattr(self, name)
            if value != absent:
                out[name] = value
        return out

    def _check_numbers(self, put: Callable[[str, Any], None]) -> None:
        if self.kind not in NUMERIC:
            for name in ("range", "limit", "step", "decimals"):
                if getattr(self, name) is not None:
                    raise BadControl(name, f"a {self.kind} has none")
            return
        if self.range is None:
            put("range", (0, 127) if self.kind == "int" else (-60.0, 0.0) if self.kind == "meter" else (0.0, 1.0))
        low, high = self._interval("range", put)
        if self.limit is None:
            put("limit", (low, high))
        bottom, top = self._interval("limit", put, strict=False)
        if bottom < low or top > high:
            raise BadControl("limit", f"[{bottom:g}, {top:g}] must lie inside the range [{low:g}, {high:g}]")
        self._check_step(put, low, high, (bottom, top))
        if self.curve == "log" and (low <= 0 or math.isinf(high / low)):
            raise BadControl("range", f"a log curve needs a low above 0, not {low:g}")
        if self.curve == "db":
            _check_table(self.table, low, high)
        if self.kind == "vector" and not 1 <= self.size <= MAX_VECTOR:
            raise BadControl("size", f"{self.size} must be 1…{MAX_VECTOR} components")
        if self.bipolar is None:
            put("bipolar", low == -high)
        if self.decimals is None:
            put("decimals", 0 if self.kind == "int" else _decimals(self.step, high - low))
        if not 0 <= (self.decimals or 0) <= 9:
            raise BadControl("decimals", f"{self.decimals} must be 0…9")

    def _check_step(self, put: Callable[[str, Any], None], low: float, high: float, limit: tuple[float, float]) -> None:
        if self.step is None and self.kind == "int":
            put("step", 1)
        if self.step is None:
            return
        if not (0 < self.step <= high - low):
            raise BadControl("step", f"{self.step:g} must be above 0 and at most the range, {high - low:g}")
        if self.kind == "int":
            if self.step != math.floor(self.step):
                raise BadControl("step", f"{self.step:g} must be a whole number: this is an int")
            put("step", int(self.step))
        if max(-low, high) > self.step * 1e12:  # a double has 15 digits: a grid so fine would have holes
            raise BadControl("step", f"{self.step:g} is too fine for a range of [{low:g}, {high:g}]")
        bottom, top = coercion.grid_ends(limit, low, self.step)
        if bottom > top:
            raise BadControl("limit", f"no step lies in it: {low:g} + n × {self.step:g}")

    def _interval(self, name: str, put: Callable[[str, Any], None], strict: bool = True) -> tuple[float, float]:
        """Check a [low, high] and keep it as a tuple; without −0, for an int as whole numbers."""
        low, high = getattr(self, name)
        try:
            is_finite = math.isfinite(float(high) - float(low))
        except OverflowError:
            is_finite = False
        if not is_finite:
            raise BadControl(name, f"[{shown(low)}, {shown(high)}] must be finite numbers")
        if low > high or (strict and low == high):
            raise BadControl(name, f"[{low:g}, {high:g}]: low must be below high")
        if self.kind == "int":
            if low != math.floor(low) or high != math.floor(high):
                raise BadControl(name, f"[{low:g}, {high:g}] must be whole numbers: this is an int")
            if max(-low, high) > MAX_INT:
                raise BadControl(name, f"[{low:g}, {high:g}] must lie inside ±{MAX_INT}")
            low, high = int(low), int(high)
        low, high = low + 0, high + 0
        put(name, (low, high))
        return low, high

    def _check_choices(self) -> None:
        if self.kind != "choice":
            if self.choices:
                raise BadControl("choices", f"a {self.kind} has none")
            return
        if not 1 <= len(self.choices) <= MAX_CHOICES:
            raise BadControl("choices", f"a choice needs 1…{MAX_CHOICES} of them, not {len(self.choices)}")
        for text in self.choices:
            _check_label("choices", text)
        if sum(len(text.encode()) for text in self.choices) > MAX_CHOICES_BYTES:
            raise BadControl("choices", f"are longer than {MAX_CHOICES_BYTES} bytes together")
        doubles = [text for text, count in Counter(self.choices).items() if count > 1]
        if doubles:
            raise BadControl("choices", f"{', '.join(sorted(doubles))} stands there more than once")

    def _check_widget(self, put: Callable[[str, Any], None]) -> None:
        if self.momentary and self.kind not in ("bool", "int", "float"):
            raise BadControl("momentary", f"a {self.kind} cannot be momentary: bool, int and float can")
        able = WIDGETS[self.kind]
        if self.widget is None:
            put(
                "widget",
                "button" if self.momentary else "label" if self.kind == "vector" and self.size != 2 else able[0],
            )
        if self.widget not in able:
            raise BadControl("widget", f'"{self.widget}" cannot draw a {self.kind}: {", ".join(able)} can')
        if self.widget == "xy" and self.size != 2:
            raise BadControl("widget", f"xy draws two components, this vector has {self.size}")
        if self.bipolar is None:
            put("bipolar", False)
        if self.reset is None:
            # page.md: a nervous double tap must not send a mix to 0 dB, so bipolar knobs alone.
            put("reset", bool(self.bipolar) and self.widget == "knob")

    def _check_default(self, put: Callable[[str, Any], None]) -> None:
        if self.momentary:
            put("rest", _checked(self._lowest() if self.rest is None else self.rest, "rest", self.coerce))
            put("default", self.rest)
        if not self.is_valued:
            if self.default is not None:
                raise BadControl("default", f"a {self.kind} keeps no value")
            return
        if self.default is None:
            put("default", self.coerce(self._lowest()))
            return
        default = _checked(self.default, "default", self.coerce)
        parts = self.default if isinstance(self.default, (list, tuple)) else (self.default,)
        if any(isinstance(part, (int, float)) and self.range and not self.low <= part <= self.high for part in parts):
            raise BadControl("default", f"{self.default} is outside the range [{self.low:g}, {self.high:g}]")
        put("default", default)

    def _lowest(self) -> Any:
        if self.kind == "choice":
            return self.choices[0]
        if self.kind in NUMERIC:
            number = 0.0 if self.bipolar else self.low
            return (number,) * self.size if self.kind == "vector" else number
        return {"bool": False, "string": "", "color": "#000000"}[self.kind]


_LEFT_OUT: tuple[tuple[str, Any], ...] = (
    ("owner", "config"),
    ("access", "both"),
    ("step", None),
    ("curve", "linear"),
    ("unit", ""),
    ("color", None),
    ("group", None),
    ("guard", False),
    ("bipolar", False),
    ("reset", False),
    ("relative", True),
    ("hold", "last"),
    ("hold_timeout", DEFAULT_HOLD_TIMEOUT_S),
)
"""Descriptor fields that are left out when they say nothing."""


def _put(control: Control) -> Callable[[str, Any], None]:
    return lambda name, value: object.__setattr__(control, name, value)


def _checked(raw: Any, name: str, convert: Callable[[Any], Value]) -> Value:
    try:
        return convert(raw)
    except BadValue as exc:
        raise BadControl(name, str(exc)) from exc


def _check_label(name: str, text: str) -> None:
    if len(text) > MAX_LABEL:
        raise BadControl(name, f'"{text[:40]}…" is longer than {MAX_LABEL} characters')
    if _CONTROL_CHARACTER.search(text):
        raise BadControl(name, f"{text!r} holds a control character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadControl(name, f"{text!r} holds half of a surrogate pair") from None


def _check_table(table: Sequence[tuple[float, float]], low: float, high: float) -> None:
    if len(table) < 2 or table[0][0] != 0 or table[-1][0] != 1:
        raise BadControl("table", "needs two points or more, from position 0 to position 1")
    if not all(math.isfinite(number) for point in table for number in point):
        raise BadControl("table", "must be finite numbers")
    if any(a[0] >= b[0] or a[1] >= b[1] for a, b in pairwise(table)):
        raise BadControl("table", "positions and values must both rise from point to point")
    if low < table[0][1] or high > table[-1][1]:
        raise BadControl("range", f"[{low:g}, {high:g}] must lie inside the table, {table[0][1]:g}…{table[-1][1]:g}")


def _decimals(step: float | None, span: float) -> int:
    if step is not None and coercion.is_decimal(step):
        return coercion.digits(step)
    return 0 if span >= 1000 else 1 if span >= 10 else 2 if span >= 0.5 else 4


def _coercer(control: Control) -> Coerce:
    """The coercion of one control, bound once: it runs for every message that arrives."""
    assert control.limit is not None or control.kind not in NUMERIC
    limit, low = control.limit or (0.0, 1.0), control.low
    makers: dict[str, Callable[[], Coerce]] = {
        "float": lambda: coercion.number(limit, low, control.step),
        "meter": lambda: coercion.number(limit, low, control.step),
        "int": lambda: coercion.whole(limit, low, control.step),
        "vector": lambda: coercion.vector(limit, low, control.step, control.size),
        "bool": lambda: coercion.boolean,
        "choice": lambda: coercion.choice(control.choices),
        "string": lambda: coercion.text(control.max_length),
        "color": lambda: coercion.color,
        "trigger": lambda: coercion.nothing,
    }
    return makers[control.kind]()
