"""What commands say to a running daemon: a small client of ``stagebridge.v1``, and of its HTTP interface.

A daemon of this machine is reached through its socket (``localsocket``), which needs no token; any other by its URL.
Here: one connection, what it has heard, values from and to a shell's words. Not here: arguments, printing (``cli``).
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from . import localsocket
from .command import typed
from .control import RESERVED
from .errors import RemoteError
from .localsocket import HOST
from .messages import SUBPROTOCOL
from .net import DEFAULT_PORT
from .statefolder import NAME, state_folder

TIMEOUT_S = 5.0
PEERS = f"{RESERVED}/peers/"
METER_S = 0.3  # meters come 30 times a second, and the latest at once
MAX_FRAME_BYTES = 4 << 20  # the daemon's are at most 256 kB

_ON = ("true", "on", "yes", "1")
_OFF = ("false", "off", "no", "0")


@dataclass(frozen=True, slots=True)
class Daemon:
    """Where a daemon is: on this machine by its HTTP port, reached through its socket; or anywhere, by its URL."""

    port: int = DEFAULT_PORT
    url: str = ""
    token: str = ""
    """The secret of a device, over the network; its socket needs none."""

    def __str__(self) -> str:
        return _base(self.url) if self.url else f"port {self.port}"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a control. ``args`` is for triggers, ``value`` for values."""

    what: Literal["value", "trigger", "added", "removed"]
    path: str
    value: Any = None
    args: tuple[Any, ...] = ()


class Remote:
    """A connection to a daemon, and its controls as it has told them: ``controls`` (descriptors) and ``values``."""

    def __init__(self, socket: Any, daemon: Daemon) -> None:
        self.controls: dict[str, Mapping[str, Any]] = {}
        self.values: dict[str, Any] = {}
        self._socket = socket
        self._daemon = daemon
        self._n = 0

    @classmethod
    @asynccontextmanager
    async def connect(cls, daemon: Daemon, name: str) -> AsyncIterator[Self]:
        """Connect, say hello as ``name`` and hear all there is. Raises RemoteError."""
        from websockets.asyncio.client import connect
        from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI
        from websockets.typing import Subprotocol

        url = full_url(daemon.url or str(daemon.port))
        local = await asyncio.to_thread(_local, daemon)
        where: dict[str, Any] = {"unix": True, "sock": local} if local is not None else {}
        try:
            socket = await connect(
                f"ws://{HOST}/ws" if local is not None else url, subprotocols=[Subprotocol(SUBPROTOCOL)],
                compression=None, proxy=None, max_size=MAX_FRAME_BYTES, open_timeout=TIMEOUT_S, close_timeout=1.0,
                **where,
            )  # fmt: skip
        except InvalidStatus as exc:
            raise _refused(bytes(exc.response.body or b""), exc.response.status_code, daemon) from exc
        except (InvalidHandshake, InvalidURI, EOFError) as exc:
            raise _no_stagebridge(daemon, f": {exc}") from exc
        except OSError as exc:  # TimeoutError is one
            raise await asyncio.to_thread(_unreachable, daemon, exc) from exc
        async with socket:
            remote = cls(socket, daemon)
            token = {"token": daemon.token} if local is None and daemon.token else {}
            await remote._send(type="hello", name=name, keys="path", acks=False, **token)
            await remote.settle()
            yield remote

    async def settle(self) -> None:
        """Wait until everything that the daemon knew when asked has been heard. Raises RemoteError."""
        await self.ask(type="set", values=[])  # answered behind all news

    async def set(self, path: str, value: Any) -> Any:
        """Set a control; its value afterwards. Raises RemoteError when it is unknown or the value is refused."""
        await self.ask(type="set", values=[[path, value]])
        return self.values.get(path)

    async def trigger(self, path: str, args: Sequence[Any]) -> None:
        """Fire a trigger. Raises RemoteError."""
        await self.ask(type="trigger", id=path, args=list(args))

    async def show(self, paths: Sequence[str]) -> None:
        """Hear the meters among these from now on. Raises RemoteError when one does not exist."""
        await self._send(type="show", ids=list(paths))
        await self.settle()

    async def meter(self, path: str) -> Any:
        """The latest value of a meter; None when it has not moved yet."""
        await self.show([path])
        try:
            async with asyncio.timeout(METER_S):
                while path not in self.values:
                    await self.hear()
        except TimeoutError:
            return None
        return self.values[path]

    async def ask(self, **message: Any) -> None:
        """Send a message that has an ``n`` and wait for its answer. Raises RemoteError when it is refused."""
        self._n += 1
        await self._send(**message, n=self._n)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while (answer := await self._receive())["type"] != "applied" or answer["n"] < self._n:
                    self._take(answer)
        except TimeoutError as exc:
            raise _unreachable(self._daemon, exc) from exc

    async def watch_monitor(self, peer: str | None, pattern: str | None) -> None:
        """Hear the monitor from now on. Raises RemoteError for an unknown peer, and for what is no pattern."""
        known = [path.removeprefix(PEERS) for path in self.controls if path.startswith(PEERS)]
        if peer is not None and peer not in known:
            raise RemoteError(f"no peer {peer}: there are {', '.join(known) or 'none'}")
        await self._send(type="subscribe", what=["monitor"], peer=peer, address=pattern)
        await self.settle()

    async def hear_monitor(self) -> tuple[list[Mapping[str, Any]], int]:
        """Wait for more of the monitor: lines, and how many were lost. Raises RemoteError at the connection's end."""
        while (message := await self._receive())["type"] != "monitor":
            pass
        return message["lines"], message.get("lost", 0)

    async def hear(self) -> list[Event]:
        """Wait for the daemon's next message; what it tells, in order. Raises RemoteError at the connection's end."""
        return self._take(await self._receive())

    async def _send(self, **message: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            await self._socket.send(json.dumps(message))
        except ConnectionClosed as exc:
            raise self._closed(exc) from exc

    async def _receive(self) -> Mapping[str, Any]:
        from websockets.exceptions import ConnectionClosed

        try:
            message: Mapping[str, Any] = json.loads(await self._socket.recv())
        except ConnectionClosed as exc:
            raise self._closed(exc) from exc
        if message["type"] == "error":
            raise await asyncio.to_thread(_error, message["code"], message["message"], self._daemon)
        return message

    def _closed(self, exc: Any) -> RemoteError:
        reason = f": {exc.rcvd.reason}" if exc.rcvd and exc.rcvd.reason else ""
        return RemoteError(f"the connection to {self._daemon} has ended{reason}")

    def _take(self, message: Mapping[str, Any]) -> list[Event]:
        events = []
        for path in message.get("removed", ()):
            self.controls.pop(path, None)
            self.values.pop(path, None)
            events.append(Event("removed", path))
        for control in message.get("controls", ()):
            if control["path"] not in self.controls:
                events.append(Event("added", control["path"]))
            self.controls[control["path"]] = control
        for path, value in message.get("values", ()):
            if path not in self.values or self.values[path] != value:
                events.append(Event("value", path, value))
            self.values[path] = value
        for path, _, *args in message.get("triggers", ()):
            events.append(Event("trigger", path, args=tuple(args[0]) if args else ()))
        return events


def request(daemon: Daemon, method: str, path: str, body: Any = None, timeout_s: float = TIMEOUT_S) -> Any:
    """One request of the daemon's HTTP interface; its answer. Raises RemoteError, in the daemon's words."""
    from http.client import HTTPConnection, HTTPException, HTTPSConnection

    local = _local(daemon)
    if local is not None:
        connection = HTTPConnection(HOST)
        local.settimeout(timeout_s)
        connection.sock = local
    else:
        parts = urlsplit(full_url(daemon.url or str(daemon.port)))
        kind = HTTPSConnection if parts.scheme == "wss" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if local is None and daemon.token:
        headers["Authorization"] = f"Bearer {daemon.token}"
    with closing(connection):
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            raw = answer.read()
        except HTTPException as exc:
            raise _no_stagebridge(daemon) from exc
        except OSError as exc:
            raise _unreachable(daemon, exc) from exc
    if answer.status != 200:
        raise _refused(raw, answer.status, daemon)
    try:
        return json.loads(raw)
    except ValueError as exc:
        raise _no_stagebridge(daemon) from exc


def _local(daemon: Daemon) -> socket.socket | None:
    """A connection through the socket of a daemon on this machine; None where we find none that is for us."""
    for path in _places(daemon):
        try:
            return localsocket.connect(path, TIMEOUT_S)
        except TimeoutError as exc:
            raise _unreachable(daemon, exc) from exc
        except OSError:  # none is there, one that a daemon has left behind, or one of somebody else
            continue
    return None


def _places(daemon: Daemon) -> list[Path]:
    if daemon.url or not hasattr(socket, "AF_UNIX"):
        return []
    return localsocket.candidates(daemon.port, os.environ, state_folder(os.environ))


def _way_in(daemon: Daemon) -> str:
    """What somebody needs whom a daemon does not know."""
    for path in _places(daemon):
        try:
            localsocket.connect(path, TIMEOUT_S).close()
        except PermissionError:
            if path.parent == localsocket.SYSTEM:
                return f"you may not open {path}: join its group: sudo usermod -aG {NAME} $USER, and log in anew"
            return f"you may not open {path}: it is another user's"
        except OSError:
            continue
    return f"{daemon} does not know us: a device's token is needed, --token or $STAGEBRIDGE_TOKEN"


def _unreachable(daemon: Daemon, exc: OSError) -> RemoteError:
    if isinstance(exc, TimeoutError):
        return RemoteError(f"no answer from {daemon} within {TIMEOUT_S:g} s")
    if isinstance(exc, ssl.SSLError):
        return RemoteError(
            f"{daemon} cannot be trusted: {getattr(exc, 'verify_message', '') or exc.reason}; "
            "SSL_CERT_FILE=FILE names its authority's certificate"
        )
    ports = [] if daemon.url else localsocket.living(os.environ, state_folder(os.environ))
    if ports:
        hint = f"--port {' or '.join(map(str, ports))} is"
    elif daemon.url:
        hint = "is it started there, and is this its address?"
    else:
        hint = f"to start it: {typed()} run" + ("" if daemon.port == DEFAULT_PORT else f" --port {daemon.port}")
    return RemoteError(f"no stagebridge is running at {daemon} ({hint})")


def _refused(answer: bytes, status: int, daemon: Daemon) -> RemoteError:
    try:
        said = json.loads(answer)
        return _error(str(said["error"]), str(said["message"]), daemon)
    except (ValueError, KeyError, TypeError):
        return _no_stagebridge(daemon, f": it answers HTTP {status}")


def _error(code: str, message: str, daemon: Daemon) -> RemoteError:
    if code == "not_paired" and not daemon.token:
        message = _way_in(daemon)
    return RemoteError(message, code)


def _no_stagebridge(daemon: Daemon, why: str = "") -> RemoteError:
    return RemoteError(f"what answers at {daemon} is not stagebridge{why}")


def _base(url: str) -> str:
    """The URL that a person would open."""
    scheme, _, rest = full_url(url).partition("://")
    return f"{'https' if scheme == 'wss' else 'http'}://{rest.removesuffix('/ws')}"


def full_url(text: str) -> str:
    """What a person writes for a daemon, as a WebSocket URL: ``8081``, ``host:8081``, ``http://host:8081/``, ``ws://…``.

    Raises RemoteError for something else.
    """
    url = text.strip()
    if url.isdecimal():
        url = f"127.0.0.1:{url}"
    if "://" not in url:
        url = f"ws://{url}"
    scheme, _, rest = url.partition("://")
    scheme = {"http": "ws", "https": "wss"}.get(scheme, scheme)
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        if scheme not in ("ws", "wss") or not parts.hostname or parts.port == 0:
            raise ValueError
    except ValueError as exc:
        raise RemoteError(f"{text} is no address of a daemon: it looks like http://foh.local:{DEFAULT_PORT}") from exc
    host = parts.netloc if parts.port is not None or scheme == "wss" else f"{parts.netloc}:8080"
    return f"{scheme}://{host}{parts.path if parts.path not in ('', '/') else '/ws'}"


def from_words(control: Mapping[str, Any], words: Sequence[str]) -> Any:
    """The value that the words of a shell mean for this control. Raises RemoteError: what it takes instead."""
    kind = control["kind"]
    if not words:
        raise RemoteError(f"{control['path']} needs a value: {_wanted(control)}")
    text = " ".join(words)
    if kind == "choice":
        choices = control["choices"]
        is_index = (
            text not in choices and text.isascii() and text.isdecimal() and len(text) < 5 and int(text) < len(choices)
        )
        return choices[int(text)] if is_index else text
    if kind in ("string", "color"):
        return text
    try:
        if kind == "bool":
            return {**dict.fromkeys(_ON, True), **dict.fromkeys(_OFF, False)}[text.lower()]
        if kind == "int":
            return int(text, 0)
        if kind == "vector":
            return [
                None if word in ("-", "null") else _number(word) for word in text.strip("[]").replace(",", " ").split()
            ]
        return _number(text)
    except (ValueError, KeyError) as exc:
        raise RemoteError(f"{control['path']} takes {_wanted(control)}, not {text!r}") from exc


def to_words(value: Any) -> str:
    """A value as a shell shows it: 7 digits, as many as an OSC float has; components side by side."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.7g}"
    if isinstance(value, list | tuple):
        return " ".join(map(to_words, value))
    return str(value)


def word_args(words: Sequence[str]) -> list[Any]:
    """A trigger's arguments: numbers and true/false as such, the rest as text."""
    args: list[Any] = []
    for word in words:
        if word in ("true", "false"):
            args.append(word == "true")
            continue
        try:
            args.append(int(word))
        except ValueError:
            try:
                args.append(_number(word))
            except ValueError:
                args.append(word)
    return args


def _wanted(control: Mapping[str, Any]) -> str:
    """What a shell can set this control to."""
    choices = control.get("choices", ())
    wanted = {
        "bool": "on or off",
        "int": "a whole number",
        "vector": f"{control.get('size', 2)} numbers",
        "string": 'text, "" for none',
        "color": "a colour such as #ff8800",
        "choice": f"one of {', '.join(choices[:8])}{', …' if len(choices) > 8 else ''}, or its index from 0",
    }
    return wanted.get(control["kind"], "a number")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value
