"""A JACK server without sound hardware, and controllers on it that are other processes."""

import asyncio
import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Self

import pytest

from .peers import missing, require_tool
from .waiting import SOON_S

ASK_S = 2.0
UP_S = 5.0
LEAVE_S = 2.0
STOP_S = 2.0
TAKEN_S = 0.1
"""A server whose name is taken ends within 20 ms; one that is alone serves after 200."""
CONTROLLER = Path(__file__).parent / "fakes" / "controller.py"


def require_jack() -> None:
    """Skip, in CI fail, where there is no JACK or no python-rtmidi."""
    require_tool("jackd", package="jackd2")
    require_tool("jack_wait", package="jackd2")
    if importlib.util.find_spec("rtmidi") is None:
        reason = "python-rtmidi is not installed: pip install python-rtmidi"
        if sys.version_info >= (3, 13):
            pytest.skip(reason)  # there is no wheel: pyproject.toml
        missing(reason)


_running: dict[str, subprocess.Popen[bytes]] = {}


def kill_jack(name: str) -> None:
    """This server of ours is gone without a word."""
    _running[name].kill()
    _running[name].wait(SOON_S)


@contextmanager
def pause_jack(name: str) -> Iterator[None]:
    """This server of ours hangs, until the block ends."""
    _running[name].send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        _running[name].send_signal(signal.SIGCONT)


@contextmanager
def jack_server(known: str = "", frames: int = 1024, *, waits: bool = True) -> Iterator[str]:
    """A JACK server, until the block ends: ``known`` once more, or with a name that nobody here has. Its clients need
    ``jack_env`` of it. A period has so many ``frames``, of 48,000 a second, and ``waits``
    for its clients: when one is killed, for 2 s, in which nobody else is let in."""
    require_jack()
    # JACK knows eight servers of a machine, and forgets one that has died when somebody takes its name.
    for name in [known] if known else [f"sbtest{number}" for number in range(8)]:
        process = _start(name, frames, waits)
        if _is_up(process, name):
            break
        _stop(process, name)
    else:
        raise AssertionError("no JACK server starts")
    _running[name] = process
    try:
        yield name
    finally:
        _stop(process, name)


def _start(name: str, frames: int, waits: bool) -> subprocess.Popen[bytes]:
    # A client that is late in a period loses what it was sent in it, or hears the one before once more. Hence long
    # periods, which wait for their clients, and on a busy machine priority for them, where this user may have it.
    priority = ["--realtime", "-P", "10"] if _may_be_first() else ["--no-realtime"]
    driver = ["-d", "dummy", "-r", "48000", "-p", str(frames)]
    return subprocess.Popen(
        ["jackd", "-n", name, *priority, *["--sync"] * waits, "--no-mlock", "--silent", *driver],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _is_up(process: subprocess.Popen[bytes], name: str) -> bool:
    """Wait until it serves; False where another one has this name: then ours ends."""
    started = time.monotonic()
    while process.poll() is None and time.monotonic() < started + UP_S:
        try:
            asked = subprocess.run(["jack_wait", "-s", name, "-c"], capture_output=True, check=False, timeout=ASK_S)
        except subprocess.TimeoutExpired:  # a server that is stuck, ours or another's, does not answer
            continue
        if asked.stdout.strip() == b"running" and time.monotonic() > started + TAKEN_S:
            return process.poll() is None
        time.sleep(0.02)
    return False


def _stop(process: subprocess.Popen[bytes], name: str) -> None:
    """End it, if it has not ended by itself; then another one of this name may be there, and nothing is touched."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:  # after an unclean death of a client it may need that
        process.kill()
        process.wait(SOON_S)
    for left in Path("/dev/shm").glob(f"jack*_{name}_*"):
        with contextlib.suppress(OSError):
            left.unlink()


def _may_be_first() -> bool:
    """True if this user may have real-time scheduling."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        return False
    os.sched_setscheduler(0, *before)
    return True


def jack_env(name: str) -> dict[str, str]:
    """The environment of whoever is to be a client of this server."""
    return {"JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1"}


class Controller:
    """`fakes/controller.py` in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, client: str, errors: IO[bytes]) -> None:
        self.client = client
        self._process = process
        self._errors = errors
        self.told: list[str] = []
        """What it was sent, that nobody has asked for yet."""

    @classmethod
    @asynccontextmanager
    async def start(cls, server: str, client: str, motor: str = "") -> AsyncIterator[Self]:
        """It is plugged in until the block ends, or until it is pulled."""
        with tempfile.TemporaryFile() as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                str(CONTROLLER),
                client,
                motor,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **jack_env(server)},
            )
            made = cls(process, client, errors)
            try:
                assert await made._line() == "ready"
                yield made
            finally:
                await made._end()

    async def pull(self) -> None:
        """It is gone without a word."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
        await self._end()

    async def _end(self) -> None:
        """It takes its leave of JACK, which waits a while for who is gone without a word, and keeps the name as long;
        unless JACK has gone itself."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.communicate(), LEAVE_S)
        except TimeoutError:
            self._process.kill()
            await asyncio.wait_for(self._process.communicate(), SOON_S)
        with contextlib.suppress(OSError):
            await asyncio.wait_for(self._process.stdin.wait_closed(), SOON_S)

    def do(self, line: str) -> None:
        """What a hand does."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")

    def send(self, *messages: str) -> None:
        """It plays these messages, in hex."""
        self.do("send " + ",".join(messages))

    async def hear(self) -> str:
        """The next message that it is sent, in hex."""
        while (line := await self._line()).split()[0] != "in":
            self.told.append(line)
        return line.removeprefix("in ")

    async def hear_all(self, count: int) -> list[str]:
        return [await self.hear() for _ in range(count)]

    async def hear_until(self, message: str) -> list[str]:
        """What it is sent, up to this message."""
        heard = [await self.hear()]
        while heard[-1] != message:
            heard.append(await self.hear())
        return heard

    async def say(self, word: str) -> str:
        """The next line of this kind that it says by itself; what it is sent before stays in ``told``."""
        for index, line in enumerate(self.told):
            if line.split()[0] == word:
                return self.told.pop(index)
        while (line := await self._line()).split()[0] != word:
            self.told.append(line)
        return line

    async def _line(self) -> str:
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), SOON_S)
        assert line, f"the controller has ended: {self._said()}"
        return line.decode().strip()

    def _said(self) -> str:
        """What it has complained of."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")
