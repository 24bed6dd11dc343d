"""``[[control]]`` tables → controls, their places on the surface and their bindings.

Here: expansion, inference from what is written, every check that needs more than one key. The
table's keys are in ``configtables``; what a control can be is decided by ``control.Control``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from .configfile import Keys
from .configtables import ControlTable
from .control import NUMERIC, RESERVED, WIDGETS, Control
from .errors import BadControl
from .expand import MAX_CONTROLS, Variables, has_placeholder, substitute, unknown_placeholders, variables_of
from .law import DB_TABLE
from .mistakes import LATER, Mistakes, did_you_mean, explain, key_names, listed, read_model, where_text
from .port import PortKind
from .surface import Placement

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

# What must not be checked any further once a key was wrong, because the check would need it.
_HANGS_ON: dict[str, tuple[str, ...]] = {
    "range": ("curve", "table", "limit", "step", "default", "rest"),
    "curve": ("table", "range", "limit", "step", "default", "rest"),
    "table": ("curve", "range", "limit", "step", "default", "rest"),
    "components": ("default", "widget"),
    "choices": ("default",),
    "momentary": ("default", "rest", "widget", "guard", "relative"),
    "widget": ("guard", "relative"),
}
_INSTEAD: dict[str, Any] = {"path": "/wrong", "choices": ("-",)}

_FIELDS = {"components": "size"}  # the key as it is written → Control's field, where they differ
_KEYS = {field: key for key, field in _FIELDS.items()}
_NOT_OF_CONTROL = ("page", "pages", "order", "span", "size", "repeat", "each")

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
    ``unbuilt`` names tables that will be ports one day. ``pages`` is None where the file has no
    ``[[page]]``: then any name makes its page.
    """

    def __init__(
        self,
        mistakes: Mistakes,
        registry: Mapping[str, PortKind],
        peers: Mapping[str, Mapping[str, BaseModel | None]],
        pages: Sequence[str] | None,
        unbuilt: Iterable[str],
    ) -> None:
        self._mistakes = mistakes
        self._kinds = registry
        self._peers = peers
        self._pages = pages
        self._unbuilt = frozenset(unbuilt) - registry.keys()
        self._paths: dict[str, Keys] = {}
        self._made = 0
        self.placements: list[Placement] = []
        self.bindings: dict[tuple[str, str], dict[str, tuple[BaseModel, ...]]] = {}
        """By table and peer: path → bindings."""
        self.excluded: dict[tuple[str, str], set[str]] = {}
        """By table and peer: paths that this peer is left out of."""
        binding_keys = {key: table for table in registry for key in key_names(registry[table].binding)}
        own_keys = frozenset(key_names(ControlTable))
        self._control_hints = _KEY_HINTS | {
            key: f"it belongs to a binding: write it below [control.{table}.{next(iter(peers[table]), 'NAME')}]"
            for key, table in binding_keys.items()
            if key not in own_keys
        }
        self._own_keys = own_keys

    def read(self, keys: Keys, template: Any) -> None:
        """Read one table, which stands at ``keys``, with all its copies."""
        if not isinstance(template, dict):
            self._mistakes.add(keys, "must be a table")
            return
        copies = _Copies(self._mistakes, keys)
        rows = variables_of(template, MAX_CONTROLS - self._made, copies.report) or [{}]
        self._made += len(rows)
        template = {key: value for key, value in template.items() if key not in ("repeat", "each")}
        if not copies.found:
            for key, value in template.items():
                unknown_placeholders(value, rows[0], copies.report, (key,), keep=key in self._kinds)
            if len(rows) > 1 and isinstance(template.get("path"), str) and not has_placeholder(template["path"]):
                example = f"{{{next(iter(rows[0]))}}}"
                copies.report(("path",), f"has no {example}: all {len(rows)} copies would be one control")
        is_whole = not copies.found
        for row in rows if is_whole else rows[:1]:
            self._read_copy(template, row, copies, is_whole=is_whole)
            copies.end_copy()
        copies.tell()

    def _read_copy(self, template: dict[str, Any], row: Variables, copies: _Copies, *, is_whole: bool) -> None:
        """Read one copy. ``is_whole`` is false where the placeholders are wrong: then it is only checked."""
        table = substitute(template, row)
        ports = {key: table.pop(key) for key in [*self._kinds, *self._unbuilt] if key in table}
        parsed, said = read_model(ControlTable, table, _INSTEAD, self._control_hints)
        for relative, message, hint in said:
            copies.report(relative, message, _word_hint(relative, table) or hint)
        wrong = {relative[0] for relative, _, _ in said}
        control = None if "kind" in wrong else _control(parsed, wrong, copies)
        if is_whole and "path" not in wrong:
            self._take_path(parsed.path, copies)
        self._place(parsed, control, template, copies)
        for port, peers in ports.items():
            if port in self._unbuilt:
                copies.report((port,), "is not built yet")
            else:
                self._bind(port, peers, parsed.path, control, copies)

    def _take_path(self, path: str, copies: _Copies) -> None:
        if path == RESERVED or path.startswith(RESERVED + "/"):
            copies.report(("path",), f"{RESERVED} is reserved for the bridge itself")
        elif (other := self._paths.setdefault(path, copies.keys)) is not copies.keys:
            copies.report(("path",), f'"{path}" is {where_text(other)} already')
        elif path in copies.paths:
            copies.report(("path",), f'"{path}" is another copy\'s already', "each copy needs its own")
        copies.paths.add(path)

    def _place(
        self, table: ControlTable, control: Control | None, template: Mapping[str, Any], copies: _Copies
    ) -> None:
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
        if control is not None:
            self.placements.append(Placement(control, pages, table.group or "", table.order, table.span, table.size))

    def _bind(self, port: str, peers: Any, path: str, control: Control | None, copies: _Copies) -> None:
        if not isinstance(peers, dict):
            copies.report((port,), f"must be tables, one for each peer: [control.{port}.{self._example(port)}]")
            return
        for peer, written in peers.items():
            keys: Keys = (port, peer)
            if peer not in self._peers[port]:
                copies.report(keys, *self._no_peer(port, peer))
            elif written is False:
                self.excluded.setdefault((port, peer), set()).add(path)
            elif isinstance(written, dict):
                self._add_bindings(port, peer, path, control, [(keys, written)], copies)
            elif isinstance(written, list) and all(isinstance(item, dict) for item in written):
                self._add_bindings(
                    port, peer, path, control, [((*keys, index), item) for index, item in enumerate(written)], copies
                )
            else:
                copies.report(keys, "must be a table, or false to leave the peer out")

    def _add_bindings(
        self,
        port: str,
        peer: str,
        path: str,
        control: Control | None,
        written: Sequence[tuple[Keys, Any]],
        copies: _Copies,
    ) -> None:
        kind, settings = self._kinds[port], self._peers[port][peer]
        model = kind.binding
        above = f"it belongs to the control: move it above [control.{port}.{peer}]"
        hints = {**dict.fromkeys(self._own_keys - set(key_names(model)), above), **LATER}
        made = []
        for keys, table in written:
            try:
                binding = model.model_validate(table)
            except ValidationError as exc:
                is_from_peer = isinstance(table.get("label"), str) and table["label"].startswith("/")
                later = {"label": "labels that come from a peer are not built yet"} if is_from_peer else {}
                for relative, message, hint in explain(model, table, exc, hints | later):
                    copies.report((*keys, *relative), message, hint)
                continue
            made.append(binding)
            if kind.check_binding is not None and settings is not None and control is not None:
                for key, message in kind.check_binding(settings, binding, control):
                    copies.report((*keys, key), message)
        if made:
            self.bindings.setdefault((port, peer), {})[path] = tuple(made)

    def _no_peer(self, port: str, peer: str) -> tuple[str, str]:
        if peer in self._own_keys:
            return "unknown key", f"it belongs to the control: move it above [control.{port}]"
        if peer in key_names(self._kinds[port].binding):
            return "unknown key", f"it belongs to a binding: write it below [control.{port}.{self._example(port)}]"
        known = self._peers[port]
        near = did_you_mean(peer, known)
        return f"there is no [[{port}]] with this name", near or (
            f"there is {listed(known)}" if known else "there is none"
        )

    def _example(self, port: str) -> str:
        return next(iter(self._peers[port]), "NAME")


class _Copies:
    """The mistakes of all copies of one table: each place is told once, with the number of the others."""

    def __init__(self, mistakes: Mistakes, keys: Keys) -> None:
        self.keys = keys
        self.found = 0
        self.paths: set[str] = set()
        self._mistakes = mistakes
        self._earlier: set[Keys] = set()
        self._said: list[tuple[Keys, str, str | None]] = []
        self._more: Counter[Keys] = Counter()

    def report(self, keys: Keys, message: str, hint: str | None = None) -> None:
        """Note a mistake of the present copy; ``keys`` are relative to the table."""
        self.found += 1
        if keys in self._earlier:
            self._more[keys] += 1
        else:
            self._said.append((keys, message, hint))

    def end_copy(self) -> None:
        self._earlier.update(keys for keys, _, _ in self._said)

    def tell(self) -> None:
        for keys, message, hint in self._said:
            if more := self._more[keys]:
                also = f"and {more} more of its copies"
                hint = f"{hint}; {also}" if hint else also
            self._mistakes.add((*self.keys, *keys), message, hint)


def _control(table: ControlTable, wrong: Collection[str | int], copies: _Copies) -> Control | None:
    """The control that a table describes, or None; every wrong field is reported.

    ``wrong`` are keys that have been reported already and are not in ``table``.
    """
    found_before = copies.found
    given = {_FIELDS.get(key, key): getattr(table, key) for key in table.model_fields_set if key not in _NOT_OF_CONTROL}
    fields = dict(given)
    if "choices" in fields and "kind" not in fields:
        fields["kind"] = "choice"
    for key in wrong:
        _drop(fields, str(key))
    _check_fitting(fields, copies)
    if fields.get("curve") == "db" and "range" not in fields:
        levels = [level for _, level in fields.get("table", DB_TABLE)]
        if levels and min(levels) < max(levels):
            fields["range"] = (min(levels), max(levels))
    while True:
        try:
            control = Control(**fields)
        except BadControl as exc:
            key = _KEYS.get(exc.field, exc.field)
            if key == "range" and "range" not in given and "curve" in given:
                copies.report(("curve",), exc.message)  # the range that was inferred does not suit it
            else:
                copies.report((key,), exc.message)
            if exc.field not in fields or fields[exc.field] == _INSTEAD.get(key):
                return None
            _drop(fields, key)
        else:
            return control if copies.found == found_before else None


def _drop(fields: dict[str, Any], key: str) -> None:
    """Take a wrong key, and what hangs on it, out of a control's fields."""
    for name in (key, *_HANGS_ON.get(key, ())):
        fields.pop(_FIELDS.get(name, name), None)
    if key in _INSTEAD:
        fields[key] = _INSTEAD[key]


def _check_fitting(fields: dict[str, Any], copies: _Copies) -> None:
    """Report keys that would do nothing, and take them out of ``fields``: what is accepted works."""
    kind = fields.get("kind", "float")
    for key, kinds in _KINDS_WITH.items():
        name = "size" if key == "components" else key
        if fields.get(name) not in (None, False) and kind not in kinds:
            copies.report((key,), f"a {kind} has none" if key != "momentary" else f"a {kind} cannot be momentary")
            del fields[name]
    if "table" in fields and fields.get("curve") != "db":
        copies.report(("table",), 'is for curve = "db"')
        del fields["table"]
    if "rest" in fields and not fields.get("momentary"):
        copies.report(("rest",), "is for momentary = true")
        del fields["rest"]
    if "default" in fields and fields.get("momentary"):
        copies.report(("default",), "a momentary starts at rest", "write rest")
        del fields["default"]
    widget = fields.get("widget") or ("button" if fields.get("momentary") else WIDGETS[kind][0])
    for key, widgets in _WIDGETS_WITH.items():
        if key in fields and widget not in widgets:
            copies.report((key,), f"a {widget} has none", f"{listed(widgets)} have")
            del fields[key]


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
