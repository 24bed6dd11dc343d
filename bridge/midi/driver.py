"""The MIDI driver: a program of its own, ``python -m bridge.midi.driver API``, that ``link`` starts and ends.

python-rtmidi holds Python's lock in every call, and a sound server that hangs never lets a call return: here that
stops nobody. It is asked on stdin and answers on stdout, in order (``wire``); what is heard is said in between, by
the thread that hears it. It ends with its stdin, whoever is dead: nothing is left behind.

Asked: ``begin``; ``look``; ``open`` number, client, in, out, whether they are made (else they are found);
``send`` number, messages; ``close`` number; and, without an answer, ``pace`` number, what, its arguments, when: a
method of ``clock.Pulse``. Said: ``heard`` number, when, bytes; ``done`` what has been found; ``failed`` why.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from bridge.errors import PortError

from .clock import STOP, Pulse
from .codec import MAX_SYSEX
from .devices import Connection, Place, System
from .wire import Unpacker, pack

LEASE_S = 20.0
"""Whoever asks nothing for so long is dead while we hang in a call: the kernel ends us."""
END_S = 2.0
"""So long may closing everything take."""
MAX_WAITING = 4096
"""What has been heard while nobody reads; then the oldest goes."""
AGAIN_S = 0.01
"""Between two tries to say what nobody reads."""
CHUNK = 1 << 16
MAX_FD = 4096


class Mouth:
    """What is said, from any thread, without ever waiting: who hears must not be held up."""

    def __init__(self, fd: int) -> None:
        self.lost = 0
        """Messages that were heard, and nobody read in time."""
        self._fd = fd
        self._lock = threading.Lock()
        self._waiting: deque[tuple[bytes, bool]] = deque()
        if hasattr(os, "set_blocking"):
            os.set_blocking(fd, False)

    def say(self, *message: Any) -> None:
        """Say it, or keep it until it can be."""
        is_heard = message[0] == "heard"
        with self._lock:
            if is_heard and len(self._waiting) >= MAX_WAITING:
                self._forget_oldest()
            self._waiting.append((pack(*message), is_heard))
            self._flush()

    def flush(self) -> bool:
        """Say what waits; False where more is left."""
        with self._lock:
            self._flush()
            return not self._waiting

    def _flush(self) -> None:
        while self._waiting:
            frame, _ = self._waiting[0]
            try:
                done = os.write(self._fd, frame)
            except BlockingIOError:
                return
            except OSError:  # nobody is there any more; whoever reads stdin sees it too
                self._waiting.clear()
                return
            if done < len(frame):
                self._waiting[0] = frame[done:], False  # the rest must follow
            else:
                self._waiting.popleft()

    def _forget_oldest(self) -> None:
        for at, (_, is_heard) in enumerate(self._waiting):
            if is_heard:
                del self._waiting[at]
                self.lost += 1
                return


class Device:
    """An open device, and its clock."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pulse = Pulse()
        self._is_lost = False

    def send(self, messages: Sequence[bytes]) -> None:
        self._connection.send(messages)

    def pace(self, what: str, args: Sequence[Any], at: float) -> None:
        """Its clock is another one from ``at`` on; what was due before leaves as it was."""
        self._tick(at)
        getattr(self._pulse, what)(*args)

    def beat(self) -> float | None:
        """Send the ticks that are due; seconds until there are more."""
        self._tick(time.monotonic())
        due = self._pulse.next_at
        return None if due is None or self._is_lost else max(0.0, due - time.monotonic())

    def close(self) -> None:
        """Nothing runs on without us."""
        self._connection.close([STOP] if self._pulse.is_running else [])

    def _tick(self, now: float) -> None:
        messages = self._pulse.due(now)
        if messages and not self._is_lost:
            try:
                self._connection.send(messages)
            except PortError:  # it has gone: whoever looks for devices will see it
                self._is_lost = True


class Driver:
    """What the program does."""

    def __init__(self, api: str, mouth: Mouth) -> None:
        self._api = api
        self._mouth = mouth
        self._system: System | None = None
        self._devices: dict[int, Device] = {}

    def do(self, what: str, *args: Any) -> Any:
        """Do what is asked. Raises PortError."""
        return getattr(self, what)(*args)

    def beat(self) -> float | None:
        """Do what is due; seconds until more is."""
        waits = [wait for device in self._devices.values() if (wait := device.beat()) is not None]
        if not self._mouth.flush():
            waits.append(AGAIN_S)
        return min(waits, default=None)

    def end(self) -> None:
        """Give everything back."""
        for number in list(self._devices):
            self.close(number)
        if self._system is not None:
            self._system.close()

    def begin(self) -> tuple[str, bool]:
        """The system's name, and whether it is JACK."""
        self._system = System(self._api)
        return self._system.name, self._system.is_jack

    def look(self) -> tuple[Sequence[str], Sequence[str], int]:
        """All ports there are, and how many messages were lost since the last look."""
        assert self._system is not None
        ports = self._system.look()
        if self._system.may_be_stale and not any(ports):
            # No port at all: nobody is there, or JACK was started anew and this client is none any more.
            self._system.close()
            self._system = System(self._api)
            ports = self._system.look()
        lost, self._mouth.lost = self._mouth.lost, 0
        return (*ports, lost)

    def open(self, number: int, client: str, in_: Any, out: Any, is_made: bool) -> None:
        assert self._system is not None

        def heard(data: Sequence[int]) -> None:
            """On a thread of the driver's."""
            at = time.monotonic()
            if len(data) <= MAX_SYSEX + 2:  # nobody reads a longer one
                self._mouth.say("heard", number, at, bytes(data))

        if is_made:
            connection = self._system.open_virtual(client, in_, out, heard)
        else:
            in_, out = (None if place is None else Place(*place) for place in (in_, out))
            connection = self._system.open(client, in_, out, heard)
        self._devices[number] = Device(connection)

    def send(self, number: int, messages: Sequence[bytes]) -> None:
        if (device := self._devices.get(number)) is not None:
            device.send(messages)

    def pace(self, number: int, what: str, args: Sequence[Any], at: float) -> None:
        if (device := self._devices.get(number)) is not None:
            device.pace(what, args, at)

    def close(self, number: int) -> None:
        if (device := self._devices.pop(number, None)) is not None:
            device.close()


def _read(fd: int, requests: queue.SimpleQueue[tuple[Any, ...] | None]) -> None:
    unpacker = Unpacker()
    while data := os.read(fd, CHUNK):
        for request in unpacker.feed(data):
            requests.put(request)
    requests.put(None)


def _lease(seconds: float) -> None:
    """The kernel ends us then, even if a call of the driver never returns."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def main() -> None:
    # Who ends us closes our stdin: a service manager that asks the whole group to go must not be quicker than that.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    # What libraries print is not for whoever reads our answers.
    os.closerange(3, MAX_FD)  # some loops leave copies of what the program has open: a pipe there would never end
    out = os.dup(1)
    os.dup2(2, 1)
    mouth = Mouth(out)
    driver = Driver(sys.argv[1], mouth)
    requests: queue.SimpleQueue[tuple[Any, ...] | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(0, requests), name="asked", daemon=True).start()
    _lease(LEASE_S)
    while True:
        try:
            request = requests.get(timeout=driver.beat())
        except queue.Empty:
            continue
        if request is None:
            break
        _lease(LEASE_S)
        try:
            found = driver.do(*request)
        except PortError as exc:
            mouth.say("failed", str(exc))
        else:
            if request[0] != "pace":
                mouth.say("done", found)
    _lease(END_S)
    driver.end()
    os._exit(0)  # threads of the driver's that do not end keep nobody


if __name__ == "__main__":
    main()
