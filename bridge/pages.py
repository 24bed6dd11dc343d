"""Inputs of class ``sync`` in people's own pages → the controls that they declare.

The same rules stand in ``web/lib/inputs.js``; ``tests/vectors/sync-inputs.json`` holds both to them,
and ``docs/pages.md`` explains them. HTML text in, Controls out, but for ``read_pages``, which reads
files. Only what the author wrote counts, never what a browser filled in.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from .control import MAX_TEXT, RESERVED, Control
from .errors import BadControl

log = logging.getLogger(__name__)

MAX_PAGES = 256
MAX_PAGE_BYTES = 1024 * 1024
UNBOUNDED = 1_000_000_000.0
"""Where a number input without ``min`` or ``max`` ends: whole numbers stay exact in OSC's int32."""
LONGEST_TEXT = 10_000

TEXT_TYPES = frozenset({"text", "search", "tel", "url", "email"})
TYPES = TEXT_TYPES | {"range", "number", "checkbox", "radio", "color", "button"}
UNSYNCED_TYPES = frozenset({"password", "file", "hidden", "submit", "reset", "image"}) | frozenset(
    {"date", "time", "datetime-local", "month", "week"}
)

_FLOAT = re.compile(r"-?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?\Z", re.ASCII)  # HTML, "floating-point numbers"
_COLOR = re.compile(r"#[0-9a-fA-F]{6}\Z")
_SPACES = " \t\n\f\r"  # HTML, "ASCII whitespace"
_HIDING = frozenset({"template", "noscript"})  # what they hold is not in the document of a page with scripts


@dataclass(slots=True)
class Option:
    """One choice of a select."""

    attributes: dict[str, str]
    disabled: bool
    text: str = ""

    @property
    def value(self) -> str:
        given = self.attributes.get("value")
        return " ".join(self.text.split()) if given is None else given


@dataclass(slots=True)
class Element:
    """An input, select, textarea or button of class ``sync``, as the author wrote it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    options: list[Option] = field(default_factory=list)

    @property
    def type(self) -> str:
        """``select``, ``textarea``, or what sort of input; an unknown one is text, as in browsers. A ``button`` need
        not say that it sends no form."""
        given = self.attributes.get("type", "").lower()
        if self.tag == "button":
            return given if given in ("submit", "reset") else "button"
        if self.tag != "input":
            return self.tag
        return given if given in TYPES or given in UNSYNCED_TYPES else "text"

    @property
    def path(self) -> str | None:
        """``data-path``, else "/" + id, else "/" + name; radio buttons of one name are one control."""
        if self.attributes.get("data-path"):
            return self.attributes["data-path"]
        names = ("name",) if self.type == "radio" else ("id", "name")
        return next((f"/{self.attributes[name]}" for name in names if self.attributes.get(name)), None)


@dataclass(slots=True)
class Scan:
    """What one page declares, and what is wrong with it, in the words of its author."""

    controls: list[Control] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    """Of all controls that its inputs show, those too that others describe."""


def scan(html: str) -> Scan:
    """Controls that a page's sync inputs declare, in document order, each path once."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    found = Scan()
    descriptors: dict[str, dict[str, Any]] = {}
    for element in reader.elements:
        if element.path is not None:
            found.paths.add(element.path)
        if element.tag == "select" and not element.options and element.attributes.get("data-path"):
            continue  # the control that it is bound to fills it
        name = f"<{element.tag}>" if element.path is None else element.path
        try:
            descriptor = describe(element)
        except ValueError as exc:
            found.problems.append(f"{name}: {exc}")
            continue
        known = descriptors.setdefault(descriptor["path"], descriptor)
        if known is not descriptor and element.type == "radio" and known["kind"] == "choice":
            _join(known, descriptor, "checked" in element.attributes)
    for descriptor in descriptors.values():
        if descriptor["path"].startswith(f"{RESERVED}/"):
            continue  # ours: a page may show it, and declares nothing
        try:
            found.controls.append(build(descriptor))
        except BadControl as exc:
            found.problems.append(f"{descriptor['path']}: {exc}")
    return found


def read_pages(folder: Path) -> Iterator[tuple[str, str]]:
    """(path below the folder, text) of all ``*.html``, by file name. Reads the disk.

    A page that cannot be read is logged and left out; nothing is raised.
    """
    for file in sorted(folder.rglob("*.html"))[:MAX_PAGES] if folder.is_dir() else []:
        try:
            raw = _bytes(file)
        except OSError as exc:
            log.warning("%s: %s", file, exc.strerror or exc)
            continue
        if len(raw) > MAX_PAGE_BYTES:
            log.warning("%s: larger than %d bytes, its inputs are not declared", file, MAX_PAGE_BYTES)
        else:
            yield file.relative_to(folder).as_posix(), raw.decode("utf-8", "replace")  # as it is served


def paths_of(folder: Path, files: Iterable[str]) -> dict[str, frozenset[str]]:
    """What these pages (paths below the folder) show: the paths of their controls. Reads the disk.

    A page that is too large, or not there, shows nothing.
    """
    shown = {}
    for name in files:
        try:
            html = _bytes(folder / name)
        except OSError:
            html = b""
        shown[name] = frozenset(scan(html.decode("utf-8", "replace")).paths if len(html) <= MAX_PAGE_BYTES else ())
    return shown


def _bytes(file: Path) -> bytes:
    """One byte more than a page may have, at most. Raises OSError, also where it is a folder or a pipe, which might
    never end."""
    if not file.is_file():
        raise OSError("not a file")
    with file.open("rb") as opened:
        return opened.read(MAX_PAGE_BYTES + 1)


def declared_controls(html: str, page: str) -> list[Control]:
    """What a page declares; what is wrong with it is logged under the page's name. Nothing, if it is too large."""
    if len(html) > MAX_PAGE_BYTES:
        return []
    found = scan(html)
    for problem in found.problems:
        log.warning("%s: %s", page, problem)
    return found.controls


def describe(element: Element) -> dict[str, Any]:
    """The descriptor of one element. Raises ValueError, saying what its author can do about it."""
    path, kind = element.path, element.type
    if kind in UNSYNCED_TYPES:
        raise ValueError(f'{"a button" if element.tag == "button" else "an input"} of type "{kind}" cannot be synced')
    if path is None:
        raise ValueError("needs a name" if kind == "radio" else "needs an id, a name or a data-path")
    if kind in ("range", "number"):
        return {"path": path, **_describe_number(element)}
    if kind == "button":
        return {"path": path, "kind": "trigger"}
    if kind == "checkbox":
        return {"path": path, "kind": "bool", "default": "checked" in element.attributes}
    if kind == "radio":
        value = element.attributes.get("value", "on")
        return {"path": path, "kind": "choice", "choices": [value], "default": value}
    if kind == "color":
        given = element.attributes.get("value", "")
        return {"path": path, "kind": "color", "default": given.lower() if _COLOR.match(given) else "#000000"}
    if kind == "select":
        return {"path": path, **_describe_select(element)}
    return {"path": path, **_describe_text(element)}


def build(descriptor: dict[str, Any]) -> Control:
    """The control of a descriptor. Raises BadControl."""
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in descriptor.items()
    }
    return Control(owner="page", **fields)


def _describe_number(element: Element) -> dict[str, Any]:
    """HTML, "Range state" and "Number state": min, max, step, and the value rounded to a step from the base."""
    given = {name: _number(element.attributes.get(name)) for name in ("min", "max", "step", "value")}
    is_range = element.type == "range"
    low = _first(given["min"], 0.0 if is_range else -UNBOUNDED)
    high = _first(given["max"], 100.0 if is_range else UNBOUNDED)
    value = _first(given["value"], low + (high - low) / 2 if is_range else 0.0)
    value = max(low, min(high, value))
    if low >= high:
        raise ValueError(f"max ({high:.15g}) must be above min ({low:.15g})")
    if element.attributes.get("step", "").strip(_SPACES).lower() == "any":
        return {"kind": "float", "range": [low, high], "default": value}
    step = given["step"] if given["step"] is not None and given["step"] > 0 else 1.0
    base = _first(given["min"], _first(given["value"], 0.0))
    digits = max(_digits(step), _digits(base))
    low = round(base + math.ceil((low - base) / step - 1e-9) * step, digits)
    high = round(base + math.floor((high - base) / step + 1e-9) * step, digits)
    if low >= high:
        raise ValueError(f'with step {step:g} there is nothing between min and max; write step="any"')
    value = round(base + math.floor((value - base) / step + 0.5) * step, digits)
    value = max(low, min(high, value))
    if step.is_integer() and base.is_integer():
        out = {"kind": "int", "range": [int(low), int(high)], "default": int(value)}
        return out if step == 1 else {**out, "step": int(step)}
    return {"kind": "float", "range": [low, high], "step": step, "default": value}


def _describe_select(element: Element) -> dict[str, Any]:
    if "multiple" in element.attributes:
        raise ValueError("a select with several choices cannot be synced")
    if not element.options:
        raise ValueError("has no options, and its control gives none")
    chosen = [option for option in element.options if "selected" in option.attributes]
    able = [option for option in element.options if not option.disabled] or element.options
    choices = list(dict.fromkeys(option.value for option in element.options))
    return {"kind": "choice", "choices": choices, "default": (chosen[-1:] or able)[0].value}


def _describe_text(element: Element) -> dict[str, Any]:
    attributes = element.attributes
    if element.tag == "textarea":
        text = element.text.removeprefix("\n")
    else:
        text = attributes.get("value", "").replace("\n", "").replace("\r", "")
        text = text.strip(_SPACES) if element.type in ("url", "email") else text
    given = attributes.get("maxlength", "").strip(_SPACES)
    longest = int(given[:9]) if given.isascii() and given.isdigit() else 0
    longest = min(longest, LONGEST_TEXT) if longest > 0 else MAX_TEXT
    out: dict[str, Any] = {"kind": "string", "default": text[:longest]}
    return out if longest == MAX_TEXT else {**out, "max_length": longest}


def _join(known: dict[str, Any], descriptor: dict[str, Any], checked: bool) -> None:
    value = descriptor["default"]
    if value not in known["choices"]:
        known["choices"].append(value)
    if checked:
        known["default"] = value


def _number(text: str | None) -> float | None:
    number = float(text) if text is not None and _FLOAT.match(text) else None
    return number if number is not None and math.isfinite(number) else None


def _first(given: float | None, otherwise: float) -> float:
    return otherwise if given is None else given


def _digits(number: float) -> int:
    return len(f"{number:.9f}".rstrip("0").split(".")[1])


class _Reader(HTMLParser):
    """Collects sync elements; attributes without a value are "", the first of two equal ones counts."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._hidden = 0
        self._textarea: Element | None = None
        self._in_textarea = False
        self._select: Element | None = None
        self._option: Option | None = None
        self._group_disabled = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._in_textarea:  # its content is text, whatever it looks like
            self.handle_data(self.get_starttag_text() or "")
            return
        if tag in _HIDING:
            self._hidden += 1
        if self._hidden:
            return
        attributes = {name: value or "" for name, value in reversed(attrs)}
        if tag in ("option", "optgroup", "select", "input", "textarea"):
            self._option = None  # the end tag of an option may be left out
        if tag == "option" and self._select is not None:
            self._option = Option(attributes, "disabled" in attributes or self._group_disabled)
            self._select.options.append(self._option)
        elif tag == "optgroup":
            self._group_disabled = "disabled" in attributes
        if tag not in ("input", "select", "textarea", "button"):
            return
        element = Element(tag, attributes)
        if "sync" in attributes.get("class", "").split():
            self.elements.append(element)
        if tag == "select":
            self._select, self._group_disabled = element, False
        elif tag == "textarea":
            self._textarea, self._in_textarea = element, True

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)  # in HTML a slash closes nothing

    def handle_endtag(self, tag: str) -> None:
        if self._in_textarea:
            if tag == "textarea":
                self._in_textarea, self._textarea = False, None
            else:
                self.handle_data(f"</{tag}>")
            return
        if tag in _HIDING:
            self._hidden = max(0, self._hidden - 1)
        elif tag == "option":
            self._option = None
        elif tag == "optgroup":
            self._option, self._group_disabled = None, False
        elif tag == "select":
            self._select = self._option = None

    def handle_data(self, data: str) -> None:
        if self._textarea is not None:
            self._textarea.text += data.replace("\r\n", "\n").replace("\r", "\n")
        elif self._option is not None:
            self._option.text += data
