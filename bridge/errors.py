"""Every exception that this program raises on purpose.

BridgeError
├── ConfigError        the configuration has mistakes: all of them, each a Problem
├── ControlError
│   ├── BadControl     a control's description contradicts itself
│   ├── BadValue       a value that this control cannot take (NaN, wrong kind, unknown choice)
│   ├── UnknownControl no control at this path or id
│   └── ControlExists  the path is taken
├── CodecError
│   └── OscError       a packet that is not OSC: where, and why
├── ProtocolError      a browser's message breaks the protocol: code and text for the answer
├── UnknownPeer        no peer has this name
├── PatchError         no patch can be made for a peer of the configuration
├── ServiceError       this machine, or this user, cannot have the service
├── PairingError       a device is not let in: code and text for the answer
├── StateError         what is kept from run to run cannot be read or written now; the show goes on without
├── TlsError       a certificate or its key cannot be used, or not be made
├── PortError          a transport cannot be opened or has failed; a supervisor tries again
└── RemoteError        a running daemon cannot be reached, or refuses what the command line asks

Anything else that is raised is a defect. Nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class BridgeError(Exception):
    """Root of the tree: text for a person, saying what, where and what to do."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a configuration file.

    ``where`` is a path such as ``control[3].range``, counted from 0 as TOML readers do; ``value`` is
    what is written there, as TOML; ``line`` counts from 1. Each is empty or None where it cannot be had.
    ``file`` is None for the configuration itself, else a file that it names.
    """

    where: str
    message: str
    line: int | None = None
    hint: str | None = None
    value: str | None = None
    file: str | None = None

    def render(self, file: str) -> str:
        """``config.toml:41: control[3].range = [1, 0]: low must be below high (hint)``."""
        file = self.file or file
        place = f"{file}:{self.line}" if self.line is not None else file
        what = self.where if self.value is None else f"{self.where} = {self.value}"
        text = f"{place}: {what}: {self.message}" if what else f"{place}: {self.message}"
        return f"{text} ({self.hint})" if self.hint else text


class ConfigError(BridgeError):
    """All mistakes of one configuration, in file order."""

    def __init__(self, problems: Sequence[Problem], file: str = "config.toml") -> None:
        self.problems = tuple(problems)
        self.file = file
        super().__init__(str(self))

    def __str__(self) -> str:
        count = len(self.problems)
        lines = [problem.render(self.file) for problem in self.problems]
        return "\n".join([*lines, "1 mistake" if count == 1 else f"{count} mistakes"])


class ControlError(BridgeError):
    """Something about one control."""


class BadControl(ControlError):
    """A description that cannot be built: ``field`` names the part that is wrong."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        self.message = message
        super().__init__(f"{field}: {message}")


class BadValue(ControlError):
    """A value that the control cannot take."""


class UnknownControl(ControlError):
    """No control has this path or id."""


class ControlExists(ControlError):
    """The path belongs to a control already."""


class CodecError(BridgeError):
    """Bytes that cannot be decoded, or values that cannot be encoded."""


class OscError(CodecError):
    """``offset`` is where in the packet decoding stopped, in bytes."""

    def __init__(self, offset: int, reason: str) -> None:
        self.offset = offset
        self.reason = reason
        super().__init__(f"byte {offset}: {reason}")


class ProtocolError(BridgeError):
    """A browser's message that is answered with ``error {code, message}``."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{code}: {message}")


class UnknownPeer(BridgeError):
    """No peer has this name."""


class PatchError(BridgeError):
    """No peer of the configuration is one that a patch can be made for."""


class ServiceError(BridgeError):
    """A service that cannot be installed or taken away: what is in the way, and what to do."""


class PairingError(BridgeError):
    """A code that lets nobody in, or an access that there is not."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(message)


class StateError(BridgeError):
    """The state file cannot be used. ``rows`` is what could be read of it all the same, by path."""

    def __init__(self, message: str, rows: Mapping[str, Any] | None = None) -> None:
        self.rows = rows or {}
        super().__init__(message)


class TlsError(BridgeError):
    """A certificate or its key cannot be used, or not be made."""


class PortError(BridgeError):
    """A transport that cannot be opened, or was lost."""


class RemoteError(BridgeError):
    """A running daemon that cannot be reached, or refuses what it is asked; then ``code`` is its own word for why."""

    def __init__(self, message: str, code: str = "") -> None:
        self.code = code
        super().__init__(message)
