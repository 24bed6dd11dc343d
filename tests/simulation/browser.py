"""A browser that follows docs/protocol.md, its network, and the hand on its screen."""

import json
from collections import deque
from collections.abc import Callable, Iterable
from math import inf
from random import Random
from typing import Any

from .clock import Clock

FRAME_S = 0.016
STALL_S = 0.25
PING_S = 1.0
RIVAL_S = 1.5
OFFLINE_S = 3.0
ACK_S, RARE_ACK_S = 0.05, 1.0


class Network:
    """The air between one tablet and us: in order, delayed, at times black. It loses nothing by itself: TCP waits."""

    def __init__(self, clock: Clock, rng: Random) -> None:
        self.clock = clock
        self.black_until = 0.0
        self._delay_s = rng.choice((0.001, 0.004, 0.02, 0.08))
        self._rng = rng

    @property
    def is_black(self) -> bool:
        return self.clock.now < self.black_until

    def arrival(self) -> float:
        return max(self.clock.now, self.black_until) + self._delay_s * self._rng.uniform(1.0, 1.5)


class Link:
    """One WebSocket. ``hear_*`` are set by its two ends; a dead link delivers nothing more."""

    def __init__(self, network: Network) -> None:
        self.is_alive = True
        self.unacknowledged = 0
        """Bytes on their way down, as the kernel above counts them."""
        self.hear_above: Callable[[str], None] = lambda text: None
        self.hear_below: Callable[[str], None] = lambda text: None
        self._network = network
        self._last = {"up": 0.0, "down": 0.0}

    def up(self, text: str) -> None:
        self._carry("up", text, lambda: self.hear_above)

    def down(self, text: str) -> None:
        size = len(text.encode())
        self.unacknowledged += size
        at = self._carry("down", text, lambda: self.hear_below)
        clock = self._network.clock
        clock.call_at(at, lambda: clock.call_at(self._network.arrival(), lambda: self._took(size)))

    def tell(self, frames: Iterable[bytes]) -> None:
        for frame in frames:
            self.down(frame.decode())

    def _took(self, size: int) -> None:
        self.unacknowledged -= size

    def _carry(self, way: str, text: str, hearer: Callable[[], Callable[[str], None]]) -> float:
        at = self._last[way] = max(self._last[way], self._network.arrival())
        self._network.clock.call_at(at, lambda: hearer()(text) if self.is_alive else None)
        return at


class Browser:
    """``connect(link)`` is called for each socket that it opens."""

    def __init__(
        self, clock: Clock, rng: Random, name: str, connect: Callable[[Link], None], acks: bool = True
    ) -> None:
        self.name = name
        self.network = Network(clock, rng)
        self.link: Link | None = None
        """The socket that has said ``welcome``."""
        self.client = ""
        self.values: dict[int, Any] = {}
        self.ids: dict[str, int] = {}
        self.fingers: set[int] = set()
        self.epoch: str | None = None
        self.rev = 0
        self.rung: list[tuple[int, Any]] = []
        """(sequence, argument) of triggers, of this connection."""
        self.missed = 0
        self.answered: dict[int, str] = {}
        """n → "" or the code of the error."""
        self.fired: dict[int, Any] = {}
        """n → argument of the triggers that its hand fired."""
        self.offline_times = 0
        self._clock = clock
        self._rng = rng
        self._connect = connect
        self._acks = acks
        self._candidate: Link | None = None
        self._n = 0
        self._mine: dict[int, Any] = {}
        self._dirty: dict[int, Any] = {}
        self._pending: deque[tuple[int, float, tuple[int, ...]]] = deque()
        self._releasing: set[int] = set()
        self._heard_at = 0.0
        self._acked_at = -1.0
        self._ack_at = inf
        self._ack_bytes = self._unacked = self._acked_rev = 0
        self._rev_at = 0.0
        self._is_frame_due = False
        self._open()
        clock.call_later(rng.uniform(0, PING_S), self._beat)

    @property
    def is_online(self) -> bool:
        return self.link is not None

    def shown(self, key: int) -> Any:
        """What stands on the screen: the own finger first."""
        return self._mine.get(key, self.values.get(key))

    # The hand

    def touch(self, key: int) -> bool:
        if not self.is_online or key in self.fingers:
            return False
        self.fingers.add(key)
        self._releasing.discard(key)
        self._mine.setdefault(key, self.values[key])
        self._say({"type": "touch", "ids": [key]})
        return True

    def move(self, key: int, value: Any) -> bool:
        if not self.is_online:
            return False
        self._mine[key] = self._dirty[key] = value
        if not self._is_frame_due:
            self._is_frame_due = True
            self._clock.call_later(self._rng.uniform(0, FRAME_S), self._frame)
        return True

    def release(self, key: int) -> None:
        if key not in self.fingers:
            return
        self.fingers.discard(key)
        if key in self._dirty:
            self._releasing.add(key)  # the last value goes before
        else:
            self._say({"type": "release", "ids": [key]})
        self._settle()

    def fire(self, key: int, number: int) -> bool:
        if not self.is_online:
            return False
        self._n += 1
        self.fired[self._n] = number
        self._say({"type": "trigger", "id": key, "args": [number], "n": self._n, "t": self._clock.now * 1000})
        return True

    def let_go(self) -> None:
        """All fingers up."""
        for key in list(self.fingers):
            self.release(key)

    def cut(self) -> None:
        """The socket breaks; what is under way is lost."""
        for link in (self.link, self._candidate):
            if link is not None:
                link.is_alive = False
        self._candidate = None
        self._lose()
        self._clock.call_later(self._rng.uniform(0.05, 0.5), self._open)

    def _frame(self) -> None:
        self._is_frame_due = False
        if not self._dirty or not self.is_online:
            return
        now = self._clock.now
        if self._pending and now - self._pending[0][1] > STALL_S:
            return  # `applied` sends the latest
        self._n += 1
        self._pending.append((self._n, now, tuple(self._dirty)))
        self._say({"type": "set", "n": self._n, "t": now * 1000, "values": list(self._dirty.items())})
        self._dirty.clear()
        if self._releasing:
            self._say({"type": "release", "ids": sorted(self._releasing)})
            self._releasing.clear()

    def _settle(self) -> None:
        waiting = {key for _, _, keys in self._pending for key in keys}
        for key in list(self._mine):
            if key not in self.fingers and key not in waiting and key not in self._dirty:
                del self._mine[key]

    def _refuse(self, keys: tuple[int, ...]) -> None:
        """The server said no: the gesture is over and the truth is shown."""
        for key in keys:
            self._dirty.pop(key, None)
            self._mine.pop(key, None)
            if key in self._releasing:  # it waited for a value that will not go
                self._releasing.discard(key)
                self._say({"type": "release", "ids": [key]})
            self.release(key)

    # The socket

    def _say(self, message: dict[str, Any]) -> None:
        if self.link is not None:
            self.link.up(json.dumps(message))

    def _open(self) -> None:
        if self._candidate is not None:
            return
        link = self._candidate = Link(self.network)
        link.hear_below = lambda text: self._hear(link, text)
        self._connect(link)
        hello: dict[str, Any] = {"type": "hello", "name": self.name, "page": self.name, "acks": self._acks}
        if self.epoch is not None:
            hello["since"] = [self.epoch, self.rev]
        self._clock.call_at(self.network.arrival(), lambda: self._greet(link, hello))

    def _greet(self, link: Link, hello: dict[str, Any]) -> None:
        link.up(json.dumps(hello | {"t": self._clock.now * 1000}))

    def _lose(self) -> None:
        self.link = None
        for n in self.fired:
            self.answered.setdefault(n, "nobody knows")
        self.fingers.clear()
        for kept in (self._mine, self._dirty, self._releasing, self._pending):
            kept.clear()

    def _beat(self) -> None:
        """Ping; suspect; give up."""
        self._clock.call_later(PING_S / 4, self._beat)
        silent_s = self._clock.now - self._heard_at
        if self.link is not None and silent_s > OFFLINE_S:
            self.offline_times += 1
            self.link.is_alive = False
            self._lose()
        if self.link is None or silent_s > RIVAL_S:
            self._open()
        elif silent_s > PING_S / 2:
            rides = {} if self._ack_at == inf else self._acked()
            self._say({"type": "ping", "t": self._clock.now * 1000, **rides})

    def _hear(self, link: Link, text: str) -> None:
        message = json.loads(text)
        self._heard_at = self._clock.now
        kind = message["type"]
        if link is self._candidate:
            if kind != "welcome":
                return
            self._candidate = None
            if self.link is not None:
                self.link.is_alive = False
            self._lose()
            self.link = link
            self.rung, self.missed = [], 0
        if link is not self.link:
            return
        under = {key: self.shown(key) for key in self.fingers}
        self._take(message, kind, len(text.encode()))
        for key in self.fingers:
            assert self.shown(key) == under[key], f"control {key} moved under the finger of {self.name}"

    def _take(self, message: dict[str, Any], kind: str, size: int) -> None:
        if kind == "welcome":
            self.epoch, self.client = message["epoch"], message["client"]
            self._ack_bytes, self._acked_at, self._acked_rev, self._unacked = message["ack_bytes"], -1.0, 0, 0
            if not message["resumed"]:
                self.rev = message["rev"]
                self.values.clear()
                self._news(message)
            self._ack_soon(size)
        elif kind == "update":
            self.rev = message["rev"]
            self._news(message)
            self._ack_soon(size)
        elif kind == "applied":
            for n in self.fired:
                if n <= message["n"]:
                    self.answered.setdefault(n, "")
            while self._pending and self._pending[0][0] <= message["n"]:
                self._pending.popleft()
            self._settle()
            self._frame()
        elif kind == "error":
            self._error(message)

    def _error(self, message: dict[str, Any]) -> None:
        n = message.get("n")
        if n is not None:
            self.answered[n] = message["code"]
        if message["code"] == "stale":
            self.cut()
        elif "path" in message:
            self._refuse((self.ids[message["path"]],))

    def _news(self, message: dict[str, Any]) -> None:
        for control in message.get("controls", ()):
            self.ids[control["path"]] = control["id"]
        for key, value in message.get("values", ()):
            self.values[key] = value
        for _, sequence, *args in message.get("triggers", ()):
            self.rung.append((sequence, args[0][0]))
        self.missed += message.get("missed", 0)

    def _ack_soon(self, size: int) -> None:
        now = self._rev_at = self._clock.now
        self._unacked += size
        pause_s = RARE_ACK_S if self._unacked < self._ack_bytes else ACK_S
        at = max(now, self._acked_at + pause_s)
        if self._acks and at < self._ack_at:
            self._ack_at = at
            self._clock.call_at(at, self._ack)

    def _ack(self) -> None:
        if self._clock.now >= self._ack_at:  # it may have ridden on a ping
            self._say({"type": "ack", **self._acked()})

    def _acked(self) -> dict[str, Any]:
        self._acked_at, self._ack_at = self._clock.now, inf
        if self.rev > self._acked_rev:
            self._unacked = 0
        self._acked_rev = self.rev
        return {"rev": self.rev, "held": (self._clock.now - self._rev_at) * 1000}
