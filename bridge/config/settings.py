"""What a configuration says, once it is read and checked: ``Config`` and its parts, typed and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bridge.access import Access, Mode
from bridge.bank import Bank
from bridge.certificate import TlsSettings
from bridge.coercion import Value
from bridge.control import Control
from bridge.http.limits import HttpLimits
from bridge.port import Peer
from bridge.surface import Surface


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """``[http]``. ``pages`` is an existing folder, or None for the examples; ``hosts`` are extra names."""

    host: str = "0.0.0.0"
    port: int = 8080
    pages: Path | None = None
    hosts: tuple[str, ...] = ()
    client_timeout_s: float = 10.0
    limits: HttpLimits = field(default_factory=HttpLimits)
    tls: TlsSettings | None = None
    announce: bool = True
    trust_pages: bool = False


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """``[auth]``."""

    mode: Mode = "token"


@dataclass(frozen=True, slots=True)
class StateSettings:
    """``[state]``. ``file`` is relative to the state folder; "" keeps nothing."""

    file: str = "state.db"


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that a configuration says, checked. ``file`` is None where it was only text."""

    file: Path | None
    title: str
    http: HttpSettings
    auth: AuthSettings
    controls: tuple[Control, ...]
    surface: Surface
    peers: tuple[Peer, ...]
    panic: Mapping[str, Value]
    """What ``/stagebridge/panic`` sets: path → value, in the order of the file."""
    banks: tuple[Bank, ...] = ()
    state: StateSettings = StateSettings()
    access: Mapping[str, Access] = field(default_factory=dict)
    """By name."""
