"""``[[control]]`` tables → controls, their places on the surface and their bindings.

Here: expansion, inference from what is written, every check that needs more than one key. The
table's keys are in ``tables``; what a control can be is decided by ``control.Control``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from bridge.control import RESERVED, WIDGETS, Control
from bridge.port import PortKind
from bridge.surface import Placement

from .base import Keys
from .bindings import BindingReader, Copies
from .expand import (
    MAX_CONTROLS,
    Variables,
    example_of,
    fitting,
    has_placeholder,
    substitute,
    unknown_placeholders,
    variables_of,
)
from .mistakes import Mistakes, did_you_mean, key_names, listed, read_model, where_text
from .reading import INSTEAD, Reading, read_control
from .tables import ControlTable

_KEY_HINTS = {
    "type": "did you mean kind?",
    "min": "write range = [low, high]",
    "max": "write range = [low, high]",
    "name": "did you mean label?",
    "title": "did you mean label?",
    "options": "did you mean choices?",
    "values": "did you mean choices?",
    "items": "did you mean choices?",
    "value": "did you mean default?",
    "init": "did you mean default?",
    "scale": "did you mean curve?",
    "taper": "did you mean curve?",
    "precision": "did you mean decimals?",
    "readonly": 'write access = "read"',
    "style": "did you mean widget?",
}
_WORD_HINTS: dict[str, dict[str, str]] = {
    "kind": {
        "number": "float",
        "text": "string",
        "enum": "choice",
        "switch": "bool",
        "bang": "trigger",
        "list": "vector",
    },
    "widget": {
        "slider": "fader",
        "dial": "knob",
        "switch": "toggle",
        "dropdown": "select",
        "input": "text",
        "vu": "meter",
    },
    "curve": {"logarithmic": "log", "exp": "log", "exponential": "log", "decibel": "db", "lin": "linear"},
}


class ControlReader:
    """Reads the ``[[control]]`` tables of one file, one after another.

    ``peers`` maps each port's table to its peers' settings by name, None where they are wrong.
    ``pages`` is None where the file has no ``[[page]]``: then any name makes its page.
    """

    def __init__(
        self,
        mistakes: Mistakes,
        registry: Mapping[str, PortKind],
        peers: Mapping[str, Mapping[str, BaseModel | None]],
        pages: Sequence[str] | None,
    ) -> None:
        self._mistakes = mistakes
        self._kinds = registry
        self._pages = pages
        self._paths: dict[str, Keys] = {}
        self._perhaps: list[re.Pattern[str]] = []
        self._made = 0
        self.placements: list[Placement] = []
        self.readings: dict[str, Reading] = {}
        """By path: all controls of the file, those with mistakes too."""
        # Where several ports know a key, the first of which there is a peer is meant.
        tables = sorted(registry, key=lambda table: not peers[table])[::-1]
        binding_keys = {key: table for table in tables for key in key_names(registry[table].binding)}
        own_keys = frozenset(key_names(ControlTable))
        self.bindings = BindingReader(registry, peers, own_keys)
        self._control_hints = _KEY_HINTS | {
            key: f"it belongs to a binding: write it below [control.{table}.{next(iter(peers[table]), 'NAME')}]"
            for key, table in binding_keys.items()
            if key not in own_keys
        }

    def read(self, keys: Keys, template: Any) -> None:
        """Read one table, which stands at ``keys``, with all its copies."""
        if not isinstance(template, dict):
            self._mistakes.add(keys, "must be a table")
            return
        copies = Copies(self._mistakes, keys)
        rows = variables_of(template, MAX_CONTROLS - self._made, copies.report)
        names = rows[0] if rows else example_of(template)
        rows = rows or [names or {}]
        self._made += len(rows)
        template = {key: value for key, value in template.items() if key not in ("repeat", "each")}
        if names is not None:
            for key, value in template.items():
                unknown_placeholders(value, names, copies.report, (key,), keep=key in self._kinds)
        if len(rows) > 1 and isinstance(template.get("path"), str) and not has_placeholder(template["path"]):
            example = f"{{{next(iter(rows[0]))}}}"
            copies.report(("path",), f"has no {example}: all {len(rows)} copies would be one control")
        is_whole = not copies.found
        for row in rows if is_whole else rows[:1]:
            self._read_copy(template, row, copies, is_whole=is_whole)
            copies.end_copy()
        copies.tell()

    def _read_copy(self, template: dict[str, Any], row: Variables, copies: Copies, *, is_whole: bool) -> None:
        """Read one copy. ``is_whole`` is false where the placeholders are wrong: then it is only checked."""
        table = substitute(template, row)
        ports = {key: table.pop(key) for key in self._kinds if key in table}
        if is_whole and ports and table.keys() == {"path"} and self._is_another(table["path"], copies):
            for port, peers in ports.items():
                self.bindings.bind(port, peers, table["path"], self.readings[table["path"]], copies)
            return
        parsed, said = read_model(ControlTable, table, INSTEAD, self._control_hints)
        for relative, message, hint in said:
            copies.report(relative, message, _word_hint(relative, table) or hint)
        wrong = {relative[0] for relative, _, _ in said}
        reading = read_control(parsed, wrong, copies.report)
        if "path" not in wrong:
            if is_whole:
                self._take_path(parsed.path, copies)
                self.readings.setdefault(parsed.path, reading)
            else:
                self._perhaps.append(fitting(template["path"]))
            if not parsed.path.startswith("/"):
                self._perhaps.append(fitting("/" + template["path"]))
        self._place(parsed, reading.control, template, copies)
        for port, peers in ports.items():
            self.bindings.bind(port, peers, parsed.path, reading, copies)

    def may_make(self, path: str) -> bool:
        """True if a table whose copies or path are wrong could mean this control."""
        return any(pattern.fullmatch(path) for pattern in self._perhaps)

    def _is_another(self, path: Any, copies: Copies) -> bool:
        """True for the path of a control that stands further above: what was learnt is pasted behind all else."""
        return isinstance(path, str) and self._paths.get(path, copies.keys) is not copies.keys

    def _take_path(self, path: str, copies: Copies) -> None:
        if path == RESERVED or path.startswith(RESERVED + "/"):
            copies.report(("path",), f"{RESERVED} is reserved for the bridge itself")
        elif (other := self._paths.setdefault(path, copies.keys)) is not copies.keys:
            copies.report(("path",), f'"{path}" is {where_text(other)} already')
        elif path in copies.paths:
            copies.report(("path",), f'"{path}" is another copy\'s already', "each copy needs its own")
        copies.paths.add(path)

    def _place(self, table: ControlTable, control: Control | None, template: Mapping[str, Any], copies: Copies) -> None:
        pages = table.pages
        if table.page is not None:
            if pages is not None:
                copies.report(("page",), "stands beside pages: write one of them")
            pages = (table.page,)
        for index, name in enumerate(pages or ()):
            keys: Keys = ("page",) if table.page is not None else ("pages", index)
            if pages is not None and name in pages[:index]:
                copies.report(keys, f"names {name} twice")
            written = template["page"] if table.page is not None else template["pages"][index]
            # A page whose name is counted is made for it; a name that is written out must exist.
            if self._pages is not None and name not in self._pages and not has_placeholder(written):
                hint = did_you_mean(name, self._pages) or f"[[page]] has {listed(self._pages)}"
                copies.report(keys, "there is no such page", hint)
        if control is not None and not copies.found:
            self.placements.append(Placement(control, pages, table.group or "", table.order, table.span, table.size))


def _word_hint(keys: Keys, table: Mapping[str, Any]) -> str | None:
    """What to write instead of a word that other programs use."""
    word = table.get(str(keys[0])) if len(keys) == 1 else None
    if not isinstance(word, str):
        return None
    if near := _WORD_HINTS.get(str(keys[0]), {}).get(word.lower()):
        return f'did you mean "{near}"?'
    if keys[0] == "kind":
        widget = _WORD_HINTS["widget"].get(word.lower(), word)
        if any(widget in able for able in WIDGETS.values()):
            return f'a widget is widget = "{widget}"'
    return None
