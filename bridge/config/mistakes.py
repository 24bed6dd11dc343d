"""Collecting every mistake of a configuration, in words that its author understands.

Here: the collector, pydantic's errors in our words, "did you mean". Not here: what is a mistake.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from annotated_types import Ge, Le
from pydantic import BaseModel, ValidationError

from bridge.errors import ConfigError, Problem

from .base import Keys
from .file import Document

MAX_SHOWN = 60  # characters of a value in a message
NO_HINTS: Mapping[str, str] = MappingProxyType({})
_ABSENT: Any = object()

M = TypeVar("M", bound=BaseModel)

Said: TypeAlias = tuple[Keys, str, str | None]
"""Keys relative to some table, message, hint."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")

# pydantic's error types in our words; {} are filled from the error's context.
_WORDS = {
    "missing": "is required",
    "string_type": "must be text in quotes",
    "string_too_short": "must not be empty",
    "string_too_long": "must be at most {max_length} characters",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "finite_number": "must be a finite number",
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be above {gt}",
    "less_than_equal": "must be {le} or less",
    "less_than": "must be below {lt}",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": "must match {pattern}",
}


class Mistakes:
    """The mistakes found so far in one file.

    ``forced`` are places that something else than the file filled (the command line): they have no
    line, and the message says who.
    """

    def __init__(self, document: Document, forced: Iterable[Keys] = (), forced_by: str = "") -> None:
        self._document = document
        self._forced = frozenset(forced)
        self._forced_by = forced_by
        self._broken: list[Keys] = []
        self._problems: list[Problem] = []

    def add(self, keys: Keys, message: str, hint: str | None = None, *, value: Any = _ABSENT) -> None:
        """Note a mistake at ``keys``. ``value`` is what is written there, None for nothing; left out: looked up."""
        if any(keys[: len(broken)] == broken or broken[: len(keys)] == keys for broken in self._broken):
            return
        if value is _ABSENT:
            value = _at(self._document.data, keys)
        # A table says more by its line than by its contents.
        shown = None if value in (_ABSENT, None) or _is_table(value) else toml_text(value)
        if shown is not None:
            message = _without(message, shown)
        line = self._document.line(keys)
        if keys in self._forced:
            line, hint = None, self._forced_by
        problem = Problem(where_text(keys), message, line, hint, shown)
        if problem not in self._problems:
            self._problems.append(problem)

    def break_at(self, keys: Keys, message: str) -> None:
        """Note a mistake after which nothing more is to be said about ``keys`` and what is around and below."""
        self.add(keys, message)
        self._broken.append(keys)

    def add_problem(self, problem: Problem) -> None:
        """Note a mistake in another file, once."""
        if problem not in self._problems:
            self._problems.append(problem)

    def add_all(self, keys: Keys, said: Iterable[Said]) -> None:
        """Note what ``explain`` found in the table at ``keys``."""
        for relative, message, hint in said:
            self.add((*keys, *relative), message, hint)

    def __bool__(self) -> bool:
        return bool(self._problems)

    def raise_any(self) -> None:
        """Raise ConfigError with all mistakes in the order of lines, other files last, if there are any."""
        if self._problems:
            in_order = sorted(self._problems, key=lambda problem: (problem.file or "", problem.line or 0))
            raise ConfigError(in_order, self._document.name)


def read_model(
    model: type[M], raw: Mapping[str, Any], instead: Mapping[str, Any], hints: Mapping[str, str] = NO_HINTS
) -> tuple[M, list[Said]]:
    """The model of a table, and all that is wrong in it.

    Keys that are wrong are left out of the model; what it cannot be without comes from ``instead``,
    so that the rest can be checked further.
    """
    table, said = read_partly(model, raw, instead, hints)
    assert table is not None
    return table, said


def read_partly(
    model: type[M], raw: Mapping[str, Any], instead: Mapping[str, Any], hints: Mapping[str, str] = NO_HINTS
) -> tuple[M | None, list[Said]]:
    """``read_model`` of a model that checks keys together: None where what is left cannot stand by itself.

    Nothing is said about that: it may be so only because of what is missing.
    """
    try:
        return model.model_validate(raw), []
    except ValidationError as exc:
        said = explain(model, raw, exc, hints)
    wrong = {keys[0] for keys, _, _ in said if keys}
    rest = {key: value for key, value in raw.items() if key not in wrong}
    rest |= {key: value for key, value in instead.items() if key in wrong}
    try:
        return model.model_validate(rest), said
    except ValidationError:
        return None, said


def explain(model: type[BaseModel], raw: Any, exc: ValidationError, hints: Mapping[str, str] = NO_HINTS) -> list[Said]:
    """All errors of a model that was given ``raw``, with keys relative to it.

    ``hints`` maps an unknown key to what is said about it instead of "did you mean".
    """
    found: dict[Keys, tuple[str, str | None]] = {}
    for error in exc.errors(include_url=False):
        kind, context = error["type"], error.get("ctx", {})
        keys = _real_keys(raw, error["loc"], is_missing=kind == "missing")
        hint: str | None = None
        if kind == "extra_forbidden":
            key = str(keys[-1])
            message = "unknown key"
            hint = hints.get(key) if len(keys) == 1 else None
            hint = hint or did_you_mean(key, _names_at(model, keys[:-1]))
        elif kind in ("value_error", "assertion_error"):
            message = str(context.get("error", error["msg"]))
        elif kind in ("greater_than_equal", "less_than_equal"):
            message = _bounds(model, keys) or _WORDS[kind].format(**context)
        else:
            message = _WORDS[kind].format(**context) if kind in _WORDS else error["msg"].lower()
            if kind == "literal_error":
                message = f"must be {_quoted(context['expected'])}"
                hint = did_you_mean(_at(raw, keys), re.findall(r"'([^']*)'", context["expected"]))
        before = found.get(keys)  # the branches of a union say one thing each
        found[keys] = (f"{before[0]}, or {message}", before[1] or hint) if before else (message, hint)
    is_outer = {keys[:end] for keys in found for end in range(len(keys))}
    return [(keys, *said) for keys, said in found.items() if keys not in is_outer or not keys]


def key_names(model: type[BaseModel]) -> list[str]:
    """The keys that a table of this model may have."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _names_at(model: type[BaseModel], keys: Keys) -> list[str]:
    """The keys that a table inside a table of this model may have; none where that is no table of its own."""
    for key in keys:
        fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
        inner = fields.get(str(key))
        if not isinstance(inner, type) or not issubclass(inner, BaseModel):
            return []
        model = inner
    return key_names(model)


def listed(names: Iterable[str]) -> str:
    """The first eight of some names, each once."""
    shown = list(dict.fromkeys(names))
    return ", ".join(shown[:8]) + (", …" if len(shown) > 8 else "")


def did_you_mean(word: Any, known: Iterable[str]) -> str | None:
    """``did you mean "cutoff"?``, or None where nothing is near."""
    names = list(known)
    if not isinstance(word, str) or not names:
        return None
    lower = {name.lower(): name for name in reversed(names)}
    near = difflib.get_close_matches(word.lower()[:80], lower, n=1, cutoff=0.6)
    return f'did you mean "{lower[near[0]]}"?' if near else None


def where_text(keys: Keys) -> str:
    """``control[3].osc.max.args[0]``."""
    text = ""
    for key in keys:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += ("." if text else "") + (key if _BARE_KEY.fullmatch(key) else toml_text(key))
    return text


def toml_text(value: Any) -> str:
    """A value as TOML writes it, shortened to MAX_SHOWN characters."""
    text = _toml(value)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(item) for item in value[:MAX_SHOWN]) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{where_text((key,))} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**MAX_SHOWN else "a number of many digits"
    return str(value)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict) for item in value))


def _without(message: str, shown: str) -> str:
    """The message without a repetition of the value that stands before it."""
    for start in (f"{shown}: ", f"{shown} "):
        if message.startswith(start):
            return message[len(start) :]
    return message


def _at(data: Any, keys: Iterable[str | int]) -> Any:
    for key in keys:
        is_there = key in data if isinstance(data, dict) else isinstance(data, list) and key in range(len(data))
        if not is_there:
            return _ABSENT
        data = data[key]
    return data


def _real_keys(raw: Any, loc: Iterable[str | int], *, is_missing: bool) -> Keys:
    """pydantic's location without the names that it gives to the branches of a union."""
    keys: Keys = ()
    rest = tuple(loc)
    for index, part in enumerate(rest):
        inner = _at(raw, (part,))
        if inner is not _ABSENT:
            keys, raw = (*keys, part), inner
        elif is_missing and index == len(rest) - 1:
            keys = (*keys, part)
    return keys


def _bounds(model: type[BaseModel], keys: Keys) -> str | None:
    """``must be 1–65535`` for a key of the table that is bounded on both sides."""
    field = model.model_fields.get(str(keys[0])) if len(keys) == 1 else None
    low = [each.ge for each in field.metadata if isinstance(each, Ge)] if field else []
    high = [each.le for each in field.metadata if isinstance(each, Le)] if field else []
    return f"must be {low[0]}–{high[0]}" if low and high else None


def _quoted(expected: str) -> str:
    return expected.replace("'", '"')
