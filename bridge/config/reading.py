"""One ``[[control]]`` table → one ``Control``, and every mistake in it.

Here: what suits what, and what can still be said once a key is wrong: a mistake hides no other, and
none is reported that is one only because of another. Copies, pages and bindings are in ``controls``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.control import NUMERIC, WIDGETS, Control
from bridge.errors import BadControl
from bridge.law import DB_TABLE

from .expand import Report
from .mistakes import listed
from .tables import ControlTable
from .values import kind_problem, value_problem

_MOMENTARY = ("bool", "int", "float")

# Keys that some kinds alone have; those that Control refuses itself (range, choices, …) are not listed.
_KINDS_WITH: dict[str, Iterable[str]] = {
    "curve": NUMERIC,
    "unit": NUMERIC,
    "bipolar": NUMERIC,
    "components": ("vector",),
    "max_length": ("string",),
    "momentary": _MOMENTARY,
}
_WIDGETS_WITH: dict[str, tuple[str, ...]] = {
    "guard": ("toggle", "button"),
    "relative": ("fader", "knob", "xy"),
}

# What can be checked by itself alone once a key was wrong, because more would need it.
_HANGS_ON: dict[str, tuple[str, ...]] = {
    "range": ("curve", "table", "limit", "step", "default", "rest"),
    "curve": ("table",),
    "table": ("curve",),
    "components": ("default", "widget"),
    "choices": ("default",),
    "momentary": ("default", "rest", "widget", "guard", "relative"),
    "widget": ("guard", "relative"),
}
# What a control cannot be without.
INSTEAD: dict[str, Any] = {"path": "/wrong", "choices": ("-",)}
_OF_ANY_KIND = frozenset(
    {"path", "range", "limit", "step", "curve", "table", "unit", "decimals", "label", "color", "group", "access"}
    | {"hold", "hold_timeout"}
)
"""What is checked of a control whose kind is wrong."""
_OF_VALUES = frozenset({"range", "components", "choices"})  # what a value is held against

_FIELDS = {"components": "size"}  # the key as it is written → Control's field, where they differ
_KEYS = {field: key for key, field in _FIELDS.items()}
_NOT_OF_CONTROL = ("page", "pages", "order", "span", "size", "repeat", "each")


@dataclass(frozen=True, slots=True)
class Reading:
    """What could be read of one control.

    ``control`` is made of what is right, None if nothing can be said of its kind; ``doubted`` are the
    keys that were wrong, or hang on one that was.
    """

    control: Control | None
    doubted: frozenset[str] = frozenset()

    def value_problem(self, raw: Any) -> str | None:
        """Why ``raw`` is no value of it, as far as that is sure."""
        if self.control is None:
            return None
        if not self.control.is_valued:
            return f"is a {self.control.kind}, which keeps no value"
        if self.doubted & _OF_VALUES:
            choices = () if "choices" in self.doubted else self.control.choices
            return kind_problem(self.control.kind, raw, choices)
        return value_problem(self.control, raw)


def read_control(table: ControlTable, wrong: Collection[str | int], report: Report) -> Reading:
    """What a table describes; every wrong field is reported.

    ``wrong`` are keys that have been reported already and are not in ``table``.
    """
    given = {_FIELDS.get(key, key): getattr(table, key) for key in table.model_fields_set if key not in _NOT_OF_CONTROL}
    fields = dict(given)
    doubted = {str(key) for key in wrong}
    if "choices" in fields and "kind" not in fields:
        fields["kind"] = "choice"
    for key in doubted - INSTEAD.keys():
        fields.pop(_FIELDS.get(key, key), None)
    if "kind" in doubted:
        fields = {name: value for name, value in fields.items() if name in _OF_ANY_KIND}
        if "range" not in fields:
            doubted.add("range")  # what is inferred hangs on the kind
    _check_fitting(fields, doubted, report)
    _check_kinds_of_values(fields, doubted, report)
    for key in sorted(doubted):
        _drop(fields, key, given, doubted, report)
    if fields.get("curve") == "db" and "range" not in fields:
        levels = [level for _, level in fields.get("table", DB_TABLE)]
        if levels and min(levels) < max(levels):
            fields["range"] = (min(levels), max(levels))
    tried: set[str] = set()
    while True:
        try:
            control = Control(**fields)
        except BadControl as exc:
            key = _KEYS.get(exc.field, exc.field)
            if key == "range" and "range" not in given and "curve" in fields:
                key = "curve"  # the range that was inferred does not suit it
            report((key,), exc.message)
            if key in tried or (key not in INSTEAD and _FIELDS.get(key, key) not in fields):
                return Reading(None, frozenset(doubted))  # nothing is left that could be taken out
            tried.add(key)
            _drop(fields, key, given, doubted, report)
        else:
            break
    if "rest" in fields and (problem := value_problem(control, fields["rest"])) is not None:
        report(("rest",), problem)
    return Reading(None if "kind" in doubted else control, frozenset(doubted))


def _drop(fields: dict[str, Any], key: str, given: Mapping[str, Any], doubted: set[str], report: Report) -> None:
    """Take a wrong key out of a control's fields, and what hangs on it; what of that is wrong anyway is reported."""
    doubted.add(key)
    names = list(_HANGS_ON.get(key, ()))
    if key in ("curve", "table") and "range" not in given:  # then it was inferred from these
        doubted.add("range")
        fields.pop("range", None)
        names += [name for name in _HANGS_ON["range"] if name not in names]
    for name in names:
        field = _FIELDS.get(name, name)
        if field in fields and (problem := _wrong_anyway(name, fields)) is not None:
            report((name,), problem)
        fields.pop(field, None)
    fields.pop(_FIELDS.get(key, key), None)
    if key == "path" or (key == "choices" and fields.get("kind") == "choice"):
        fields[key] = INSTEAD[key]


def _wrong_anyway(key: str, fields: Mapping[str, Any]) -> str | None:
    """What is wrong with a field by itself, whatever it hangs on."""
    value = fields[_FIELDS.get(key, key)]
    kind = fields.get("kind", "float")
    if key == "step" and value <= 0:
        return "must be above 0"
    if key == "limit" and value[0] > value[1]:
        return "low must be below high"
    if key == "widget" and value not in WIDGETS[kind]:
        return f"cannot draw a {kind}: {', '.join(WIDGETS[kind])} can"
    if key == "table":
        levels = sorted(level for _, level in value)
        ends = (levels[0], levels[-1]) if levels and levels[0] < levels[-1] else (0, 1)
        try:
            Control(path="/table", curve="db", table=value, range=ends)
        except BadControl as exc:
            return exc.message if exc.field == "table" else None
    return None


def _check_fitting(fields: dict[str, Any], doubted: Collection[str], report: Report) -> None:
    """Report keys that would do nothing, and take them out of ``fields``: what is accepted works.

    ``doubted`` are keys of which it is not known what they are: nothing is said of what hangs on them.
    """
    kind = fields.get("kind", "float")
    is_momentary = bool(fields.get("momentary"))
    for key, kinds in _KINDS_WITH.items():
        name = _FIELDS.get(key, key)
        if fields.get(name) not in (None, False) and kind not in kinds:
            report((key,), f"a {kind} has none" if key != "momentary" else f"a {kind} cannot be momentary")
            del fields[name]
    if "table" in fields and fields.get("curve") != "db" and "curve" not in doubted:
        report(("table",), 'is for curve = "db"')
        del fields["table"]
    if "momentary" not in doubted:
        if "rest" in fields and not is_momentary:
            report(("rest",), "is for momentary = true")
        if not fields.get("momentary"):
            fields.pop("rest", None)
        elif "default" in fields:
            report(("default",), "a momentary starts at rest", "write rest")
            del fields["default"]
    if not {"widget", "momentary"} & set(doubted):
        widget = fields.get("widget") or ("button" if fields.get("momentary") else WIDGETS[kind][0])
        for key, widgets in _WIDGETS_WITH.items():
            if key in fields and widget not in widgets:
                report((key,), f"a {widget} has none", f"{listed(widgets)} have")
                del fields[key]


def _check_kinds_of_values(fields: dict[str, Any], doubted: Collection[str], report: Report) -> None:
    """Report a default and a rest that no control of this kind could have, and take them out of ``fields``."""
    choices = () if "choices" in doubted else fields.get("choices", ())
    for key in ("default", "rest"):
        if key in fields and (problem := kind_problem(fields.get("kind", "float"), fields[key], choices)) is not None:
            report((key,), problem)
            del fields[key]
