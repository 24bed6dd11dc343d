"""``[[bank]]`` tables → banks, and the bindings of each of their windows.

Every control of a bank has its place on the hardware: strip n stands in window ⌈n / size⌉, at the hardware's strip s.
So a bank is bindings of controls that are there already, each for one window.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from bridge.bank import Bank, Seat
from bridge.control import Control
from bridge.port import PortKind

from .base import Keys
from .bindings import BindingReader, Copies
from .controls import ControlReader
from .expand import has_placeholder, substitute, unknown_placeholders
from .mistakes import Mistakes, did_you_mean, key_names, read_model, where_text
from .reading import Reading
from .tables import BankTable, StripKeys

_INSTEAD: dict[str, Any] = {"name": "-", "strips": 1, "path": "/wrong"}
_FIRST = {"n": 1, "n0": 0, "s": 1, "s0": 0}
_BUTTONS = ("next", "previous")


class BankReader:
    """Reads the ``[[bank]]`` tables of one file, after its controls."""

    def __init__(self, mistakes: Mistakes, registry: Mapping[str, PortKind], controls: ControlReader) -> None:
        self._mistakes = mistakes
        self._kinds = registry
        self._ports = [table for table, kind in registry.items() if kind.has_banks]
        self._controls = controls
        self._bindings: BindingReader = controls.bindings
        self._seen: dict[str, Keys] = {}
        self.banks: list[Bank] = []
        self.controls: list[Control] = []
        """The windows of all banks, and their buttons."""
        self.banked: dict[tuple[str, str], dict[str, list[tuple[Seat, BaseModel]]]] = {}
        """By table and peer: path → where in which bank, and the binding there."""

    def read(self, keys: Keys, raw: Any) -> None:
        """Read one table, which stands at ``keys``."""
        if not isinstance(raw, dict):
            self._mistakes.add(keys, "must be a table")
            return
        ports = {key: value for key, value in raw.items() if key in self._kinds}
        hints = {
            key: f"it belongs to a strip: write it below [[bank.{table}.NAME]]"
            for table in self._ports
            for key in (*key_names(StripKeys), *key_names(self._kinds[table].binding))
        }
        table, said = read_model(
            BankTable, {key: value for key, value in raw.items() if key not in ports}, _INSTEAD, hints
        )
        self._mistakes.add_all(keys, said)
        wrong = {relative[0] for relative, _, _ in said}
        name = None if "name" in wrong else table.name
        draft = _Draft(Bank(name or "-", table.size, ((),) * table.strips), bool({"strips", "size"} & wrong))
        if name is not None:
            self._take(keys, name, draft.bank)
        if not (ports or said):
            self._mistakes.add(keys, "has no strips", f"write [[bank.{next(iter(self._ports))}.NAME]]")
        for port, peers in ports.items():
            if port not in self._ports:
                self._mistakes.add((*keys, port), "has no banks", f"{', '.join(self._ports)} has")
            else:
                self._read_strips(keys, port, peers, draft)
        for control, word in zip(draft.bank.controls()[1:], _BUTTONS, strict=True):
            self._read_button((*keys, word), getattr(table, word), control)
        strips = tuple(tuple(dict.fromkeys(paths)) for paths in draft.strips)
        made = Bank(draft.bank.name, table.size, strips, tuple(draft.peers))
        if name is not None:
            self.banks.append(made)
            self.controls += made.controls()

    def _take(self, keys: Keys, name: str, bank: Bank) -> None:
        if (other := self._seen.setdefault(name, keys)) is not keys:
            self._mistakes.add((*keys, "name"), f"is the name of {where_text(other)} already")
        for control in bank.controls():
            if control.path in self._controls.readings and other is keys:
                self._mistakes.add((*keys, "name"), f"makes {control.path}, which is a [[control]] already")
            self._controls.readings[control.path] = Reading(control)

    def _read_button(self, keys: Keys, ports: Mapping[str, Any], control: Control) -> None:
        """How the hardware turns the window."""
        copies = Copies(self._mistakes, keys)
        for port, peers in ports.items():
            if port in self._kinds:
                self._bindings.bind(port, peers, control.path, Reading(control), copies)
            else:
                copies.report((port,), "is no port", did_you_mean(port, self._kinds))
        copies.tell()

    def _read_strips(self, keys: Keys, port: str, peers: Any, draft: _Draft) -> None:
        copies = Copies(self._mistakes, keys)
        count = 0
        for peer, at, tables in self._bindings.tables_of(port, peers, f"bank.{port}", copies):
            if tables is None:
                copies.report(at, f"must be tables: write [[bank.{port}.{peer}]]")
            else:
                draft.peers[peer] = None
            for below, table in tables or ():
                self._read_strip(port, peer, (*at, *below), table, count, draft, copies)
                count += 1
        copies.tell()

    def _read_strip(
        self, port: str, peer: str, keys: Keys, table: Mapping[str, Any], number: int, draft: _Draft, copies: Copies
    ) -> None:
        """One thing that every strip of the hardware has; ``number`` is which."""
        own = {key: value for key, value in table.items() if key in key_names(StripKeys)}
        rest = {key: value for key, value in table.items() if key not in own}
        strip, said = read_model(StripKeys, own, _INSTEAD)
        for relative, message, hint in said:
            copies.report((*keys, *relative), message, hint)
        size = draft.bank.size
        first, last = strip.slots or (1, size)
        if not 1 <= first <= last <= size and not draft.is_doubted:
            copies.report((*keys, "slots"), f"must be [first, last] of 1–{size}")
            return
        found = copies.found
        unknown_placeholders(rest, {"s": 1, "s0": 0}, copies.report, keys)
        if not said:
            unknown_placeholders(strip.path, _FIRST, copies.report, (*keys, "path"))
            if len(draft.strips) > 1 and not has_placeholder(strip.path):
                copies.report((*keys, "path"), "has no {n}: all strips would be one control")
        for key in self._kinds[port].not_in_banks:
            if key in rest:
                copies.report((*keys, key), "stands in no bank", f"write it below [control.{port}.{peer}]")
        if copies.found > found or said:
            return
        is_there = False
        for n0 in range(len(draft.strips)):
            window, s0 = divmod(n0, size)
            if not first <= s0 + 1 <= last:
                continue
            count = {"s": s0 + 2 - first, "s0": s0 + 1 - first}
            path = substitute(strip.path, {"n": n0 + 1, "n0": n0, **count})
            reading = self._controls.readings.get(path)
            if reading is None:
                continue
            is_there = True
            binding = self._bindings.read(port, peer, keys, substitute(rest, count), reading, copies)
            copies.end_copy()
            if binding is not None:
                seat = Seat(draft.bank.path, window + 1, (number, s0 + 1))
                self.banked.setdefault((port, peer), {}).setdefault(path, []).append((seat, binding))
                draft.strips[n0].append(path)
        first_path = substitute(strip.path, _FIRST)
        if not is_there and not self._controls.may_make(first_path):  # by a control whose table is wrong
            hint = did_you_mean(first_path, self._controls.readings)
            copies.report((*keys, "path"), "no such control in this file", hint)


class _Draft:
    """A bank while it is read."""

    def __init__(self, bank: Bank, is_doubted: bool) -> None:
        self.bank = bank
        self.is_doubted = is_doubted
        self.strips: list[list[str]] = [[] for _ in bank.strips]
        self.peers: dict[str, None] = {}
