"""Servers that are measured: how each is started, and how its browsers talk.

An adapter is a class below ``Adapter`` in a module of this folder; ``ALL`` lists one of each. What it cannot do
it leaves out of ``can``, and the workloads that need it leave the adapter out.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench import machine, wire
from bench.load import Browser, Load

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
READY_S = 30.0


class Unavailable(Exception):
    """The adapter's program is not installed; the message says how to get it."""


@dataclass
class Plan:
    """What a server is to be: how many controls, and where it listens and sends."""

    folder: Path
    controls: int
    http_port: int
    osc_in: int
    osc_out: int


@dataclass
class Server:
    """A running server."""

    process: subprocess.Popen[bytes]
    plan: Plan
    ready_s: float
    """From its start to the first answer."""
    ready_cpu_s: float
    """CPU that it has spent for it."""

    @property
    def pid(self) -> int:
        return self.process.pid


ENVIRONMENT = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": ""}
"""Of every server. Modules are compiled once, as they are when a package is installed, whatever is set here: to compile
ours anew at each start took 0.25 s of the 0.7 that were measured."""


class Adapter:
    """One kind of server. ``can``: "osc in", "osc out", "peers" (a browser's move reaches other browsers), "state"
    (a browser that joins is told the values)."""

    name: ClassVar[str]
    title: ClassVar[str]
    can: ClassVar[frozenset[str]] = frozenset()
    most_browsers: ClassVar[int] = 100_000
    ws_path: ClassVar[str] = "/ws"
    udp_bytes: ClassVar[int] = 200_000
    """Receive buffer of its OSC socket; this is what Linux gives to who asks for nothing."""

    def command(self, plan: Plan) -> list[str]:
        """What to run. Raises Unavailable."""
        raise NotImplementedError

    def is_ready(self, plan: Plan) -> bool:
        """True once it answers."""
        try:
            socket.create_connection(("127.0.0.1", plan.http_port), 1).close()
        except OSError:
            return False
        return True

    def opened(self, browser: Browser) -> None:
        """The WebSocket is open."""
        browser.is_ready = True

    def heard(self, browser: Browser, payload: bytes | bytearray, now: float) -> None:
        """A text or binary message has come: ``browser.saw`` what it says."""
        raise NotImplementedError

    def counted(self, browser: Browser, payload: bytes | bytearray, now: float) -> None:
        """The same for a browser whose values are of no interest: do what the server expects, as cheaply as can be."""

    def move(self, browser: Browser, control: int, step: int, now: float) -> None:
        """A finger on this browser moves a control."""
        raise NotImplementedError

    def ack(self, browser: Browser, now: float) -> None:
        """An acknowledgement is due."""

    @contextmanager
    def running(self, folder: Path, controls: int) -> Iterator[Server]:
        """Start it on the server's core; stop it at the end."""
        plan = Plan(folder, controls, *_free_ports())
        errors = folder / f"{self.name}.log"
        core, _ = machine.cores()
        with errors.open("wb") as log:
            started = time.monotonic()
            process = subprocess.Popen(
                ["taskset", "-c", str(core), *self.command(plan)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env={**os.environ, **ENVIRONMENT, "XDG_STATE_HOME": str(folder)},
            )
        try:
            while not self.is_ready(plan):
                if process.poll() is not None or time.monotonic() - started > READY_S:
                    raise RuntimeError(f"{self.name} did not start:\n{errors.read_text(errors='replace')[-2000:]}")
                time.sleep(0.002)
            yield Server(process, plan, time.monotonic() - started, machine.cpu_s(process.pid))
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def python(*args: str) -> list[str]:
    """This interpreter."""
    return [sys.executable, *args]


def _free_ports() -> tuple[int, int, int]:
    """A TCP port and two UDP ports of 127.0.0.1 that are free now."""
    kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_DGRAM)
    socks = [socket.socket(socket.AF_INET, kind) for kind in kinds]
    for sock in socks:
        sock.bind(("127.0.0.1", 0))
    first, second, third = (int(sock.getsockname()[1]) for sock in socks)
    for sock in socks:
        sock.close()
    return first, second, third


def found() -> dict[str, Adapter]:
    """All adapters by name, ours first."""
    from . import flask_sliders, floor, naive, osc_relay, stagebridge

    adapters: list[Adapter] = [
        stagebridge.Stagebridge(),
        floor.Floor(),
        naive.Naive(),
        osc_relay.OscRelay(),
        flask_sliders.FlaskSliders(),
    ]
    return {adapter.name: adapter for adapter in adapters}


__all__ = ["Adapter", "Browser", "Load", "Plan", "Server", "Unavailable", "found", "python", "wire"]
