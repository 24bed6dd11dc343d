"""What an edited configuration changes in a running bridge: old + new → ``Plan``. Pure.

Here: which controls, peers and settings are others. Not here: how that is done (``configured``, ``ports``,
``reloading``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from bridge.control import Control
from bridge.port import Peer

from .settings import Config

_RESTART = (("http", "host"), ("http", "port"))
"""What is bound once: everybody's page would go with the socket."""
_OTHERWISE = ("file", "title", "http", "controls", "surface", "peers")
"""Fields of a Config that are told of in words of their own; of the others, by the names of their tables."""
_MAX_NAMED = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done. Controls by their paths, peers by their names; each in the order of its file."""

    config: Config
    """What holds from now on: the new one, but with the old one's where only a restart can change it."""
    removed: tuple[Control, ...] = ()
    """Of the old one, with those that are of another kind now: they are gone, ids and all."""
    added: tuple[Control, ...] = ()
    described: tuple[tuple[Control, Control], ...] = ()
    """(as it was, as it is): id and value stay."""
    opened: tuple[Peer, ...] = ()
    closed: tuple[Peer, ...] = ()
    reopened: tuple[Peer, ...] = ()
    """Their own settings are others: closed, and opened anew, alone."""
    rebound: tuple[Peer, ...] = ()
    """Only what goes to them is another: nothing is closed."""
    settings: tuple[str, ...] = ()
    """Other settings that changed, in words: "title", "[panic]"."""
    restart: tuple[str, ...] = ()
    """What stays as it was until the next start, each a line for a person."""

    @property
    def is_empty(self) -> bool:
        """True if nothing is another."""
        parts = (self.removed, self.added, self.described, self.opened, self.closed, self.reopened, self.rebound)
        return not any((*parts, self.settings, self.restart))

    def lines(self) -> list[str]:
        """What changes, for a person; what has to wait for a restart last."""
        anew = {control.path for control in self.added} & {control.path for control in self.removed}
        parts = [
            ("{} added", [control.path for control in self.added if control.path not in anew]),
            ("{} removed", [control.path for control in self.removed if control.path not in anew]),
            ("{} of another kind", sorted(anew)),
            ("{} changed", [new.path for _, new in self.described]),
        ]
        said = [f"{text.format(_count(len(paths), 'control'))}: {_named(paths)}" for text, paths in parts if paths]
        for text, peers in (
            ("opened", self.opened),
            ("closed", self.closed),
            ("opened anew", self.reopened),
            ("bound anew", self.rebound),
        ):
            if peers:
                said.append(f"{text}: {_named([f'{peer.table} {peer.name}' for peer in peers])}")
        if self.settings:
            said.append(f"changed: {', '.join(self.settings)}")
        return [*said, *self.restart]


def plan(old: Config | None, new: Config) -> Plan:
    """What becomes of ``old`` when it is ``new``; None: there was nothing."""
    if old is None:
        return Plan(new, added=new.controls, opened=new.peers)
    restart: list[str] = []
    for table, name in _RESTART:
        was, wanted = (getattr(getattr(one, table), name) for one in (old, new))
        if was != wanted:
            restart.append(f"[{table}] {name} = {_shown(wanted)} needs a restart: it stays {_shown(was)}")
            kept: dict[str, Any] = {table: replace(getattr(new, table), **{name: was})}
            new = replace(new, **kept)
    removed, added, described = _controls(old.controls, new.controls)
    was, now = _by_name(old.peers), _by_name(new.peers)
    both = [(was[key], peer) for key, peer in now.items() if key in was]
    return Plan(
        new,
        removed,
        added,
        described,
        tuple(peer for key, peer in now.items() if key not in was),
        tuple(peer for key, peer in was.items() if key not in now),
        tuple(peer for before, peer in both if before.settings != peer.settings),
        tuple(peer for before, peer in both if before.settings == peer.settings and before != peer),
        tuple(_settings(old, new)),
        tuple(restart),
    )


def is_same_thing(one: Control, other: Control) -> bool:
    """True if a value of one is a value of the other: what is of another kind is another control."""
    return (one.path, one.kind) == (other.path, other.kind) and (one.kind != "vector" or one.size == other.size)


def _controls(
    old: Sequence[Control], new: Sequence[Control]
) -> tuple[tuple[Control, ...], tuple[Control, ...], tuple[tuple[Control, Control], ...]]:
    was, now = {one.path: one for one in old}, {one.path: one for one in new}
    stay = {path for path, one in now.items() if (before := was.get(path)) and is_same_thing(before, one)}
    return (
        tuple(one for one in old if one.path not in stay),
        tuple(one for one in new if one.path not in stay),
        tuple((was[one.path], one) for one in new if one.path in stay and one != was[one.path]),
    )


def _by_name(peers: Sequence[Peer]) -> Mapping[tuple[str, str], Peer]:
    return {(peer.table, peer.name): peer for peer in peers}


def _settings(old: Config, new: Config) -> list[str]:
    """The names of other settings that changed."""
    names = [field.name for field in fields(Config) if field.name not in _OTHERWISE]
    found = [f"[{name}]" for name in names if getattr(old, name) != getattr(new, name)]
    if old.title != new.title:
        found.append("[http] title")
    keys = [
        name
        for name in (field.name for field in fields(old.http))
        if getattr(old.http, name) != getattr(new.http, name)
    ]
    if keys:
        found.append(f"[http] {', '.join(keys)}")
    if old.surface.pages != new.surface.pages:
        found.append("what stands where")
    return found


def _named(names: Sequence[str]) -> str:
    more = f", and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(names[:_MAX_NAMED]) + more


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _shown(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
