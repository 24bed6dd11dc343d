"""How controls are reached on peers: the tables of bindings that stand in a control, or in a bank.

Here: which peer, which keys, whether they suit the control. What a binding's keys mean is the port's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from bridge.control import NUMERIC
from bridge.port import PortKind

from .base import Keys
from .mistakes import Mistakes, did_you_mean, key_names, listed, read_partly
from .reading import Reading

_BINDING_NUMBERS = ("range", "curve")  # keys of a binding that are held against the control's own range


class BindingReader:
    """Collects the bindings of one file. ``peers`` maps each port's table to its peers' settings by name, None where
    they are wrong; ``own_keys`` are those of a control."""

    def __init__(
        self,
        registry: Mapping[str, PortKind],
        peers: Mapping[str, Mapping[str, BaseModel | None]],
        own_keys: Iterable[str],
    ) -> None:
        self._kinds = registry
        self._peers = peers
        self._own_keys = frozenset(own_keys)
        self.bound: dict[tuple[str, str], dict[str, tuple[BaseModel, ...]]] = {}
        """By table and peer: path → bindings."""
        self.excluded: dict[tuple[str, str], set[str]] = {}
        """By table and peer: paths that this peer is left out of."""

    def bind(self, port: str, peers: Any, path: str, reading: Reading, copies: Copies) -> None:
        """Read how one control is reached on the peers of one port."""
        for peer, keys, tables in self.tables_of(port, peers, f"control.{port}", copies):
            if tables is None:
                self.excluded.setdefault((port, peer), set()).add(path)
                continue
            read = [self.read(port, peer, (*keys, *at), table, reading, copies) for at, table in tables]
            if made := tuple(binding for binding in read if binding is not None):
                of_peer = self.bound.setdefault((port, peer), {})
                of_peer[path] = (*of_peer.get(path, ()), *made)

    def tables_of(
        self, port: str, peers: Any, where: str, copies: Copies
    ) -> Iterator[tuple[str, Keys, Sequence[tuple[Keys, Any]] | None]]:
        """Each peer for which something is written there, the keys of that, and its tables, each with the keys below;
        None where the peer is left out. ``where`` is how that place is called."""
        if not isinstance(peers, dict):
            copies.report((port,), f"must be tables, one for each peer: [{where}.{self._example(port)}]")
            return
        for peer, written in peers.items():
            keys: Keys = (port, peer)
            is_known = peer in self._peers[port]
            if not is_known:
                copies.report(keys, *self._no_peer(port, peer))
                if self._is_key(port, peer):
                    continue  # what is below it is no binding
            if written is False:
                yield peer, keys, None
            elif isinstance(written, dict):
                yield peer, keys, [((), written)]
            elif isinstance(written, list) and all(isinstance(item, dict) for item in written):
                yield peer, keys, [((index,), item) for index, item in enumerate(written)]
            elif is_known:
                copies.report(keys, "must be a table, or false to leave the peer out")

    def read(
        self, port: str, peer: str, keys: Keys, table: Mapping[str, Any], reading: Reading, copies: Copies
    ) -> BaseModel | None:
        """The binding of one table; what is wrong with it, or does not suit the control, is reported. None where it is
        no binding by itself."""
        kind = self._kinds[port]
        above = f"it belongs to the control: move it above [control.{port}.{peer}]"
        of_peer = dict.fromkeys(key_names(kind.settings), f"it belongs to the peer: write it below [[{port}]]")
        hints = {**of_peer, **dict.fromkeys(self._own_keys - set(key_names(kind.binding)), above)}
        binding, said = read_partly(kind.binding, table, {}, hints)
        for relative, message, hint in said:
            copies.report((*keys, *relative), message, hint)
        if binding is not None and reading.control is not None:
            self._check_binding(kind, self._peers[port].get(peer), binding, table, reading, bool(said), keys, copies)
        return None if said else binding

    def _check_binding(
        self,
        kind: PortKind,
        settings: BaseModel | None,
        binding: BaseModel,
        table: Mapping[str, Any],
        reading: Reading,
        is_doubted: bool,
        keys: Keys,
        copies: Copies,
    ) -> None:
        """Report each key that does not suit the control: without the first there may be another.

        ``binding`` is ``table`` without what is wrong in it, which ``is_doubted`` says there is.
        """
        control = reading.control
        if kind.check_binding is None or control is None:
            return
        is_doubted = is_doubted or "range" in reading.doubted
        unsure = set(_BINDING_NUMBERS) if is_doubted and control.kind in NUMERIC else set()
        if "components" in reading.doubted:
            unsure.add("component")
        told: set[str] = set()
        while True:
            found = {key: message for key, message in kind.check_binding(settings, binding, control) if key not in told}
            for key, message in found.items():
                if key not in unsure:
                    copies.report((*keys, key), message)
            told |= found.keys()
            if told & set(_BINDING_NUMBERS):
                unsure |= set(_BINDING_NUMBERS)
            if not found.keys() & table.keys():
                return
            table = {key: value for key, value in table.items() if key not in told}
            rest, _ = read_partly(kind.binding, table, {})
            if rest is None:
                return
            binding = rest

    def _is_key(self, port: str, word: str) -> bool:
        """True for a word that is no peer's name, but a key that stands a table too low or too high."""
        return word in self._own_keys or word in key_names(self._kinds[port].binding)

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


class Copies:
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
