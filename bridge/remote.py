"""What commands say to a running daemon: a small client of ``stagebridge.v1``, and of its HTTP interface.

Here: one connection, what it has heard, values from and to a shell's words. Not here: arguments, printing (``cli``).
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from .control import RESERVED
from .errors import RemoteError
from .messages import SUBPROTOCOL

DEFAULT_URL = "ws://127.0.0.1:8080/ws"
TIMEOUT_S = 5.0
PEERS = f"{RESERVED}/peers/"
METER_S = 0.3  # meters come 30 times a second, and the latest at once
MAX_FRAME_BYTES = 4 << 20  # the daemon's are at most 256 kB

_ON = ("true", "on", "yes", "1")
_OFF = ("false", "off", "no", "0")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a control. ``args`` is for triggers, ``value`` for values."""

    what: Literal["value", "trigger", "added", "removed"]
    path: str
    value: Any = None
    args: tuple[Any, ...] = ()


class Remote:
    """A connection to a daemon, and its controls as it has told them: ``controls`` (descriptors) and ``values``."""

    def __init__(self, socket: Any, url: str) -> None:
        self.controls: dict[str, Mapping[str, Any]] = {}
        self.values: dict[str, Any] = {}
        self._socket = socket
        self._url = url
        self._n = 0

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str, name: str) -> AsyncIterator[Self]:
        """Connect, say hello as ``name`` and hear all there is. Raises RemoteError."""
        from websockets.asyncio.client import connect
        from websockets.exceptions import InvalidHandshake, InvalidURI
        from websockets.typing import Subprotocol

        url = full_url(url)
        try:
            socket = await connect(
                url, subprotocols=[Subprotocol(SUBPROTOCOL)], compression=None, proxy=None, max_size=MAX_FRAME_BYTES,
                open_timeout=TIMEOUT_S, close_timeout=1.0,
            )  # fmt: skip
        except (InvalidHandshake, InvalidURI, EOFError) as exc:
            raise RemoteError(f"what answers at {url} is not stagebridge: {exc}") from exc
        except TimeoutError as exc:
            raise RemoteError(f"no answer from {url} within {TIMEOUT_S:g} s") from exc
        except OSError as exc:
            raise RemoteError(f"no stagebridge is running at {url} (to start it: stagebridge run)") from exc
        async with socket:
            remote = cls(socket, url)
            await remote._send(type="hello", name=name, keys="path", acks=False)
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
            raise RemoteError(f"no answer from {self._url} within {TIMEOUT_S:g} s") from exc

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
            raise RemoteError(message["message"])
        return message

    def _closed(self, exc: Any) -> RemoteError:
        reason = f": {exc.rcvd.reason}" if exc.rcvd and exc.rcvd.reason else ""
        return RemoteError(f"the connection to {self._url} has ended{reason}")

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


def request(url: str, method: str, path: str, body: Any = None) -> Any:
    """One request of the daemon's HTTP interface; its answer. Raises RemoteError, in the daemon's words."""
    import urllib.error
    import urllib.request

    scheme, _, rest = full_url(url).partition("://")
    base = f"{'https' if scheme == 'wss' else 'http'}://{rest.partition('/')[0]}"
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(base + path, data, method=method)
    if data is not None:
        asked.add_header("Content-Type", "application/json")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(asked, timeout=TIMEOUT_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as exc:
        with exc:
            raise RemoteError(_refusal(exc.read(), base)) from exc
    except TimeoutError as exc:
        raise RemoteError(f"no answer from {base} within {TIMEOUT_S:g} s") from exc
    except (OSError, ValueError) as exc:  # URLError is an OSError
        if isinstance(exc, ValueError):
            raise RemoteError(f"what answers at {base} is not stagebridge") from exc
        raise RemoteError(f"no stagebridge is running at {base} (to start it: stagebridge run)") from exc


def _refusal(answer: bytes, base: str) -> str:
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return f"what answers at {base} is not stagebridge"


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
        raise RemoteError(f"{text} is no address of a daemon: it looks like {DEFAULT_URL}, or like 8080") from exc
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
