"""The MIDI driver as the event loop has it: a child process (``driver``) that is asked, and may be killed.

Nothing here waits for a driver: what is asked is written without blocking, within a bound, and answered in order. A
child that does not answer, or has ended, is an error (PortError) for all who wait; whoever has it starts another.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Self, cast

from bridge.errors import PortError

from .devices import Place, Ports
from .wire import Unpacker, pack

log = logging.getLogger(__name__)

ANSWER_S = 5.0
"""A driver that takes longer hangs."""
OPENING = 3
"""Times that, while it begins, or opens a device."""
LOOKS = 10
"""So often we look within that time whether it has answered."""
READY_S = 0.1
"""After connecting: what is written before JACK's next period or two is lost."""
END_S = 1.5
"""For closing everything."""
MAX_WAITING = 1 << 18
"""Bytes that it has not read: by then it hangs."""
AGAIN = "it is started again"

Hear = Callable[[bytes, float], None]
"""``hear(data, at)``: what the driver has heard, and when (``time.monotonic``)."""


class Asked:
    """A question that waits for its answer."""

    __slots__ = ("future", "patience")

    def __init__(self, future: asyncio.Future[Any], patience: int) -> None:
        self.future = future
        self.patience = patience  # looks that are left


class Line:
    """One open device."""

    def __init__(self, driver: Driver, number: int) -> None:
        self._driver = driver
        self._number = number

    @property
    def is_cut(self) -> bool:
        """True if the driver itself is lost."""
        return bool(self._driver.trouble)

    def send(self, messages: Sequence[bytes]) -> asyncio.Future[None]:
        """Send one after another; done when the driver has taken them. Its error: the device has gone."""
        return self._driver.ask("send", self._number, list(messages))

    def pace(self, what: str, args: Sequence[Any], at: float) -> None:
        """From ``at`` on its clock is another one: ``clock.Pulse.what(*args)``."""
        self._driver.tell("pace", self._number, what, tuple(args), at)

    def close(self) -> None:
        """It is heard no more; a clock that runs is stopped."""
        self._driver.close(self._number)


class Driver(asyncio.SubprocessProtocol):
    """The child of one MIDI system, while the block lasts. ``answer_s``: how long an answer may take."""

    def __init__(self, api: str, answer_s: float = ANSWER_S) -> None:
        self.name = "the MIDI system"
        self.is_jack = False
        self._api = api
        self._look_s = answer_s / LOOKS
        self._loop = asyncio.get_running_loop()
        self._child: asyncio.SubprocessTransport | None = None
        self._in: asyncio.WriteTransport | None = None
        self._unpacker = Unpacker()
        self._asked: deque[Asked] = deque()
        self._hears: dict[int, Hear] = {}
        self._number = 0
        self._timer: asyncio.TimerHandle | None = None
        self._ended = self._loop.create_future()
        self._exited = self._loop.create_future()
        self._is_killed = False
        self.trouble = ""
        """Why it is no driver any more."""

    async def __aenter__(self) -> Self:
        """Raises PortError where there is no such child to be had."""
        program = [sys.executable, "-S", "-P", "-m", f"{__package__}.driver", self._api]
        env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        try:
            await self._loop.subprocess_exec(lambda: self, *program, stderr=None, env=env, start_new_session=True)
        except OSError as exc:
            raise PortError(f"the MIDI driver cannot be started: {exc}") from exc
        return self

    async def __aexit__(self, *_: object) -> None:
        """It ends, by itself or not."""
        self.trouble = self.trouble or "the MIDI driver is being ended"
        self._fail()
        assert self._child is not None
        try:
            if self._in is not None:
                self._in.close()  # that tells it
            await asyncio.wait([self._exited], timeout=END_S)
        finally:
            self._kill()
            self._child.close()

    # What is asked

    async def begin(self) -> None:
        """Look for the system. Raises PortError without one: one line, saying why."""
        self.name, self.is_jack = await self.ask("begin", patience=OPENING)

    async def look(self) -> Ports:
        """All ports now. Raises PortError."""
        ins, outs, lost = await self.ask("look")
        if lost:
            log.warning("%s: %d messages came while we were busy, and are lost", self.name, lost)
        return Ports(tuple(ins), tuple(outs))

    async def open(
        self, client: str, in_: Place | str | None, out: Place | str | None, hear: Hear, *, is_virtual: bool = False
    ) -> Line:
        """Connect to these ports, or make them if ``is_virtual``. Raises PortError."""
        self._number += 1
        number = self._number
        self._hears[number] = hear
        ways = (tuple(way) if isinstance(way, Place) else way for way in (in_, out))
        try:
            await self.ask("open", number, client, *ways, is_virtual, patience=OPENING)
            await asyncio.sleep(READY_S)
        except BaseException:
            self.close(number)
            raise
        return Line(self, number)

    def close(self, number: int) -> None:
        if self._hears.pop(number, None) is not None and not self.trouble:
            self.ask("close", number).add_done_callback(_forget)

    def ask(self, *question: Any, patience: int = 1) -> asyncio.Future[Any]:
        """Its answer, in time: else PortError."""
        future = self._loop.create_future()
        self._asked.append(Asked(future, patience * LOOKS))
        self.tell(*question)
        if self._timer is None and self._asked:
            self._timer = self._loop.call_later(self._look_s, self._miss)
        return future

    def tell(self, *message: Any) -> None:
        """Write it, without waiting."""
        if self.trouble or self._in is None:
            self._fail()
        elif self._in.get_write_buffer_size() > MAX_WAITING:
            self._lose(f"the MIDI driver takes nothing: {AGAIN}")
        else:
            self._in.write(pack(*message))

    async def ended(self, timeout_s: float | None) -> None:
        """Return when it is no driver any more, or after so many seconds."""
        await asyncio.wait([self._ended], timeout=timeout_s)

    # What it says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._child = cast(asyncio.SubprocessTransport, transport)
        self._in = cast("asyncio.WriteTransport | None", self._child.get_pipe_transport(0))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        try:
            messages = list(self._unpacker.feed(data))
        except (ValueError, EOFError, TypeError) as exc:
            self._lose(f"the MIDI driver says what is no message ({exc}): {AGAIN}")
            return
        for what, *said in messages:
            if what == "heard":
                number, at, heard = said
                if (hear := self._hears.get(number)) is not None:
                    hear(heard, at)
            elif self._asked:
                self._answer(what == "done", said[0])

    def _answer(self, is_done: bool, found: Any) -> None:
        future = self._asked.popleft().future
        if future.done():
            return
        if is_done:
            future.set_result(found)
        else:
            future.set_exception(PortError(found))

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 1:
            self._kill()  # it has ended, or is of no use: how, ``process_exited`` is told

    def process_exited(self) -> None:
        assert self._child is not None
        if not self._exited.done():
            self._exited.set_result(None)
        code = self._child.get_returncode() or 0
        how = f"status {code}" if code >= 0 else f"signal {-code}"
        self._lose(f"the MIDI driver has ended ({how}): {AGAIN}")

    # When it is none any more

    def _miss(self) -> None:
        """Look whether the oldest question was answered. Counted in turns of the loop, not in seconds: a program that
        was stopped itself does not blame its child."""
        self._timer = None
        if not self._asked:
            return
        self._asked[0].patience -= 1
        if self._asked[0].patience <= 0:
            self._lose(f"the MIDI driver did not answer: {AGAIN}")
        else:
            self._timer = self._loop.call_later(self._look_s, self._miss)

    def _lose(self, why: str) -> None:
        """It is of no use any more."""
        self.trouble = self.trouble or why
        self._kill()
        self._fail()

    def _kill(self) -> None:
        if self._child is not None and not self._exited.done() and not self._is_killed:
            self._is_killed = True
            with contextlib.suppress(ProcessLookupError):
                self._child.kill()

    def _fail(self) -> None:
        """Nobody waits for it any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._ended.done():
            self._ended.set_result(None)
        self._hears.clear()
        while self._asked:
            future = self._asked.popleft().future
            if not future.done():
                future.set_exception(PortError(self.trouble or "the MIDI driver has ended"))
                future.exception()  # whoever waits hears of it; nobody has to


def _forget(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
