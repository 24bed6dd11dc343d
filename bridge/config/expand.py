"""One table that stands for many: ``repeat = 8`` and ``each = {…}``, and the placeholders in its strings.

Pure: tables in, tables out, mistakes to a callback. What the tables mean is not known here.

    {n}       the variable: repeat counts n from 1 and n0 from 0; each brings its own names
    {n:02}    a whole number, filled with zeros to 2 digits
    {n0+48}   a whole number plus another
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from math import prod
from typing import Any, TypeAlias

from .base import Keys

MAX_CONTROLS = 4096  # expanded, in one file: as many as the store takes

Variables: TypeAlias = Mapping[str, str | int]
Report: TypeAlias = Callable[..., None]
"""``report(keys, message, hint=None)``"""

VALUE_PLACE = "value"
"""``{value}`` in a binding's ``args`` marks the value's place: it is not ours and stays."""

_PLACEHOLDER = re.compile(r"\{\s*([A-Za-z_][^{}]*?)\s*\}")  # '{"a": 1}' is text, not a placeholder
_FORM = re.compile(r"([A-Za-z_]\w*)(?::0(\d)|\+(\d{1,6}))?", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)

_EACH_FORMS = 'ch = [1, 16] counts, who = ["Anna", "Ben"] names, mon = [{ who = "Anna", bus = 1 }] brings both'


def variables_of(table: Mapping[str, Any], room: int, report: Report) -> list[Variables]:
    """The variables of each copy that ``table`` stands for: ``[{}]`` without repeat and each.

    At most ``room`` copies; more, and any mistake, is reported with keys relative to the table, and
    the answer is empty.
    """
    if "repeat" in table and "each" in table:
        report(("each",), "stands beside repeat: write one of them", "each = { n = [1, 8] } counts too")
        return []
    if "repeat" in table:
        return _repeated(table["repeat"], room, report)
    if "each" in table:
        return _each(table["each"], room, report)
    return [{}]


def example_of(table: Mapping[str, Any]) -> Variables | None:
    """The variables of one copy of a table that ``variables_of`` has refused, as far as they can be told.

    None where they cannot: then any placeholder may be right.
    """
    names: dict[str, str | int] = {"n": 1, "n0": 0} if "repeat" in table else {}
    each = table.get("each", {})
    if not isinstance(each, dict):
        return None
    for key, values in each.items():
        first = values[0] if isinstance(values, list) and values else None
        for name, value in first.items() if isinstance(first, dict) else [(key, first)]:
            if not isinstance(value, (str, int)):
                return None
            names[name] = value
    return names


def fitting(text: str) -> re.Pattern[str]:
    """What ``text`` could become, whatever its placeholders are filled with."""
    return re.compile(".*".join(re.escape(part) for part in re.split(r"\{[^{}]*\}", text)), re.DOTALL)


def unknown_placeholders(
    value: Any, variables: Variables, report: Report, keys: Keys = (), *, keep: bool = False
) -> None:
    """Report every placeholder below ``value`` that these variables cannot fill. ``keep`` allows ``{value}``."""
    for at, text in _strings(value, keys):
        for match in _PLACEHOLDER.finditer(text):
            _check_placeholder(match[1], match[0], variables, report, at, keep=keep)


def substitute(value: Any, variables: Variables) -> Any:
    """A copy of ``value`` with the placeholders of every string filled in.

    ``{value}`` stays. What ``unknown_placeholders`` has reported becomes "1", so that the rest of
    the table can still be checked.
    """
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda match: _filled(match, variables), value)
    if isinstance(value, list):
        return [substitute(item, variables) for item in value]
    if isinstance(value, dict):
        return {key: substitute(item, variables) for key, item in value.items()}
    return value


def has_placeholder(text: Any) -> bool:
    return isinstance(text, str) and _PLACEHOLDER.search(text) is not None


def _repeated(count: Any, room: int, report: Report) -> list[Variables]:
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        report(("repeat",), "must be a whole number from 1")
        return []
    if count > room:
        report(("repeat",), f"makes more than {MAX_CONTROLS} controls")
        return []
    return [{"n": n0 + 1, "n0": n0} for n0 in range(count)]


def _each(each: Any, room: int, report: Report) -> list[Variables]:
    if not isinstance(each, dict) or not each:
        report(("each",), "must be a table of what to count through", _EACH_FORMS)
        return []
    owners: dict[str, str] = {}
    dimensions = []
    is_good = True
    for key, values in each.items():
        rows = _dimension(key, values, room, report)
        is_good = is_good and bool(rows)
        for name in rows[0] if rows else ():
            if name in owners:
                report(("each", key), f"brings {{{name}}}, which {owners[name]} brings already")
                is_good = False
            owners[name] = key
        dimensions.append(rows)
    if not is_good:
        return []
    if prod(len(rows) for rows in dimensions) > room:
        report(("each",), f"makes more than {MAX_CONTROLS} controls")
        return []
    return [{name: row[name] for row in rows for name in row} for rows in product(*dimensions)]


def _dimension(key: str, values: Any, room: int, report: Report) -> list[Variables]:
    """The rows of one dimension; empty when something was reported."""
    keys: Keys = ("each", key)
    if not isinstance(values, list) or not values:
        report(keys, "must be a list", _EACH_FORMS)
        return []
    if all(isinstance(item, int) and not isinstance(item, bool) for item in values):
        return _counted(key, values, room, report)
    if all(isinstance(item, str) for item in values):
        return [{key: item} for item in values] if _is_name(key, keys, report) else []
    if not all(isinstance(item, dict) and item for item in values):
        report(keys, "must hold only numbers, only texts or only tables", _EACH_FORMS)
        return []
    first = values[0]
    is_good = True
    for name in first:
        is_good = _is_name(name, (*keys, 0, name), report) and is_good
    for index, row in enumerate(values):
        if row.keys() != first.keys():
            report((*keys, index), f"must have the same keys as the first: {', '.join(first)}")
            is_good = False
            continue
        for name, value in row.items():
            if type(value) not in (str, int) or type(value) is not type(first[name]):
                kind = "a whole number" if type(first[name]) is int else "text"
                report((*keys, index, name), f"must be {kind}" if index else "must be text or a whole number")
                is_good = False
    return list(values) if is_good else []


def _counted(key: str, values: list[int], room: int, report: Report) -> list[Variables]:
    keys: Keys = ("each", key)
    if not _is_name(key, keys, report):
        return []
    if len(values) != 2:
        report(keys, "must be [first, last]", f"single numbers are tables: [{{ {key} = {values[0]} }}, …]")
        return []
    first, last = values
    if not 0 <= first <= last:
        report(keys, "must count upwards from 0 or more")
        return []
    if last - first >= room:
        report(keys, f"makes more than {MAX_CONTROLS} controls")
        return []
    return [{key: number} for number in range(first, last + 1)]


def _is_name(name: str, keys: Keys, report: Report) -> bool:
    if name == VALUE_PLACE:
        report(keys, "may not be the name: {value} marks the value's place in args")
        return False
    if not _NAME.fullmatch(name):
        report(keys, f'"{name}" cannot be a placeholder', "letters, digits and _, not starting with a digit")
        return False
    return True


def _strings(value: Any, keys: Keys) -> Iterator[tuple[Keys, str]]:
    if isinstance(value, str):
        yield keys, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _strings(item, (*keys, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _strings(item, (*keys, key))


def _check_placeholder(
    inner: str, written: str, variables: Variables, report: Report, keys: Keys, *, keep: bool
) -> None:
    if inner == VALUE_PLACE and keep:
        return
    form = _FORM.fullmatch(inner)
    name = form[1] if form else re.split(r"\W", inner, maxsplit=1)[0]
    if name not in variables:
        if not variables:
            hint = "repeat = 8 brings {n} and {n0}" if name in ("n", "n0") else "repeat or each brings placeholders"
            report(keys, f"{written} has nothing to count", hint)
            return
        near = difflib.get_close_matches(name, variables, n=1)
        known = ", ".join(f"{{{each}}}" for each in variables)
        report(
            keys, f"no such placeholder: {written}", f"did you mean {{{near[0]}}}?" if near else f"known here: {known}"
        )
    elif form is None or form[2] == "0":
        report(keys, f"{written} cannot be filled", f"{{{name}}}, {{{name}:02}} and {{{name}+48}} can")
    elif (form[2] or form[3]) and not isinstance(variables[name], int):
        report(keys, f"{written} needs a whole number, and {name} is text")


def _filled(match: re.Match[str], variables: Variables) -> str:
    if match[1] == VALUE_PLACE:
        return match[0]
    form = _FORM.fullmatch(match[1])
    value = variables.get(form[1], 1) if form else 1
    if form and isinstance(value, int):
        if form[2]:
            return f"{value:0{form[2]}d}"
        return str(value + int(form[3] or 0))
    return str(value)
