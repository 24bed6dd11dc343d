"""Real programs at the other end, and a page that watches the daemon between them."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from bridge.app import KINDS, Bridge
from bridge.config.loading import load

from .peers import require_node, require_tool
from .server import Client
from .waiting import SOON_S

FAKES = Path(__file__).parent / "fakes"


@dataclass
class Program:
    """A program that takes `/cutoff`, and answers with half of it at `/answer/cutoff`.

    In the daemon that is `/NAME/cutoff` and `/NAME/answer`, so that many can be there at once.
    """

    name: str
    settings: str
    """The rest of its `[[osc]]` table."""
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def config(self) -> str:
        return f"""
            [[osc]]
            name = "{self.name}"
            mirror = false
            bundles = true
            {self.settings}
            [[control]]
            path = "/{self.name}/cutoff"
            default = 0.5
            osc.{self.name} = {{ address = "/cutoff" }}
            [[control]]
            path = "/{self.name}/resonance"
            osc.{self.name} = {{ address = "/resonance" }}
            [[control]]
            path = "/{self.name}/answer"
            osc.{self.name} = {{ address = "/answer/cutoff", direction = "in" }}
            """

    def start(self, cwd: Path) -> subprocess.Popen[bytes]:
        """Start it, to be ended by `kill`; its output is in ``NAME.txt``."""
        with (cwd / f"{self.name}.txt").open("ab") as output:
            return subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=cwd,
                env={**os.environ, **self.env},
                start_new_session=True,
            )


def kill(process: subprocess.Popen[bytes]) -> None:
    """It is gone at once, and so is what it has started itself."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Page:
    """A browser page at the daemon: sees every value by its path, and sets some."""

    def __init__(self, client: Client, ws_url: str = "") -> None:
        self._client = client
        self._n = 0
        self._shown: list[tuple[str, Any]] = []
        self.url = ws_url
        self.controls: dict[str, dict[str, Any]] = {one["path"]: one for one in client.welcome["controls"]}
        """How each is described."""
        self.fired: list[str] = []
        """Triggers, in order."""

    @classmethod
    @asynccontextmanager
    async def at(cls, ws_url: str) -> AsyncIterator[Self]:
        async with Client.connect(ws_url, keys="path") as client:
            page = cls(client, ws_url)
            page.values.update(client.welcome["values"])
            yield page

    @classmethod
    @asynccontextmanager
    async def beside(cls, config: str, tmp_path: Path) -> AsyncIterator[Self]:
        """A page at a stagebridge inside this test, with this configuration."""
        file = tmp_path / "config.toml"
        file.write_text(f'[auth]\nmode = "open"\n[http]\nhost = "127.0.0.1"\nport = 0\n{config}', encoding="utf-8")
        loaded = await asyncio.to_thread(load, file, KINDS)
        async with Bridge(loaded) as bridge, cls.at(f"ws://127.0.0.1:{bridge.http_port}/ws") as page:
            yield page

    @property
    def values(self) -> dict[Any, Any]:
        return self._client.values

    async def set(self, path: str, *values: Any) -> None:
        """Move a control, to each of these in one go; returns when the daemon has."""
        await self.set_all(*((path, value) for value in values))

    async def set_all(self, *moves: tuple[str, Any], together: bool = False) -> None:
        """Make these moves, one after the other or in one message; returns when the daemon has."""
        for some in [moves] if together else [[move] for move in moves]:
            self._n += 1
            await self._client.say("set", n=self._n, t=time.monotonic() * 1000, values=some)
        async with asyncio.timeout(SOON_S):
            while self._client.applied < self._n:
                await self._hear()
        assert {path: self.values[path] for path, _ in moves} == dict(moves)

    async def fire(self, path: str) -> None:
        """Press a trigger."""
        self._n += 1
        await self._client.say("trigger", n=self._n, t=time.monotonic() * 1000, id=path)

    async def hears(self, path: str) -> None:
        """Return when this trigger has fired, counted from the last call."""
        await self._until(lambda: path in self.fired, lambda: f"{path} has not fired; {self.fired}")
        self.fired.clear()

    async def _until(self, is_so: Callable[[], bool], failure: Callable[[], str]) -> None:
        try:
            async with asyncio.timeout(SOON_S):
                while not is_so():
                    await self._hear()
        except TimeoutError:
            raise AssertionError(failure()) from None

    def history(self, path: str) -> list[Any]:
        """The values that it has shown of a control since this was last asked."""
        shown, self._shown = self._shown, []
        return [value for at, value in shown if at == path]

    async def _hear(self) -> None:
        message = await self._client.hear()
        self._shown += map(tuple, message.get("values", []))
        self.controls |= {one["path"]: one for one in message.get("controls", [])}
        self.fired += [path for path, *_ in message.get("triggers", [])]

    async def sees(self, path: str, value: Any) -> None:
        """Return when the control has this value."""
        await self.comes_to(path, lambda one: bool(one == value), repr(value))

    async def comes_to(self, path: str, is_so: Callable[[Any], bool], what: str = "so") -> None:
        """Return when the control's value is so."""
        await self._until(lambda: is_so(self.values[path]), lambda: f"{path} is {self.values[path]!r}, not {what}")

    async def reads(self, path: str, **description: Any) -> None:
        """Return when the control is described like this."""
        await self._until(
            lambda: description.items() <= self.controls[path].items(),
            lambda: f"{self.controls[path]} without {description}",
        )


class Oscdump:
    """liblo's listener: prints what it hears."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._line: asyncio.Task[bytes] | None = None

    @classmethod
    @asynccontextmanager
    async def at(cls, where: str) -> AsyncIterator[Self]:
        """``where`` is a UDP port or ``osc.tcp://:PORT``. It says nothing when it is ready."""
        oscdump = require_tool("oscdump", package="liblo-tools")
        process = await asyncio.create_subprocess_exec(
            oscdump, "-L", where, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        dump = cls(process)
        try:
            yield dump
        finally:
            if dump._line is not None:
                dump._line.cancel()
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def hears(self, line: str, timeout_s: float = SOON_S) -> bool:
        """True when it has printed this line; what it prints before is skipped. False when time is up."""
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    if self._line is None:
                        self._line = asyncio.create_task(self.process.stdout.readline())
                    said = await asyncio.shield(self._line)
                    self._line = None
                    if said.decode().split(maxsplit=1)[-1].rstrip() == line:  # first comes the time
                        return True
                    assert said, f"oscdump ended without {line!r}"
        except TimeoutError:
            return False


async def oscsend(where: str, *message: str) -> None:
    """liblo's speaker: one message to ``osc.udp://127.0.0.1:PORT`` or ``osc.tcp://…``."""
    program = require_tool("oscsend", package="liblo-tools")
    process = await asyncio.create_subprocess_exec(program, where, *message)
    assert await asyncio.wait_for(process.wait(), SOON_S) == 0


def pure_data(udp_port: int, our_port: int, cwd: Path) -> Program:
    """A patch, as users write it. It asks for all values when it is opened."""
    pd = require_tool("pd", package="puredata-core")
    patch = cwd / "answer.pd"
    text = (FAKES / "answer.pd").read_text()
    patch.write_text(text.replace("IN_PORT;", f"{udp_port};").replace("OUT_PORT;", f"{our_port};"))
    flags = ["-nogui", "-noaudio", "-nomidi", "-nrt", "-noprefs", "-stderr", "-sleepgrain", "1", "-open", str(patch)]
    settings = f'listen = "127.0.0.1:{our_port}"\nsend = ["127.0.0.1:{udp_port}"]\nprofile = "pd"'
    return Program("pd", settings, [pd, *flags])


def supercollider(name: str, protocol: str, its_port: int, our_port: int, cwd: Path) -> Program:
    """sclang over UDP, or TCP by which it connects to us. It asks for all values when its script runs."""
    sclang = require_tool("sclang", package="supercollider-language")
    home = cwd / name
    home.mkdir(mode=0o700)
    env = {
        "QT_QPA_PLATFORM": "offscreen", "QTWEBENGINE_DISABLE_SANDBOX": "1",
        "HOME": str(home), "XDG_RUNTIME_DIR": str(home), "XDG_CONFIG_HOME": str(home), "XDG_DATA_HOME": str(home),
    }  # fmt: skip
    settings = f'listen = "127.0.0.1:{our_port}"\nprofile = "supercollider"\n'
    settings += 'transport = "tcp-length"' if protocol == "tcp" else f'host = "127.0.0.1"\nport = {its_port}'
    command = [sclang, "-u", str(its_port), str(FAKES / "answer.scd"), str(our_port), protocol]
    return Program(name, settings, command, env)


def python_osc(name: str, mode: str, transport: str, tcp_port: int) -> Program:
    """python-osc's TCP server."""
    settings = f'transport = "{transport}"\nsend = ["127.0.0.1:{tcp_port}"]\non_connect = "push"'
    return Program(name, settings, [sys.executable, str(FAKES / "answer_python_osc.py"), mode, str(tcp_port)])


def osc_js(name: str, how: str, tcp_port: int) -> Program:
    """npm's `osc` over TCP: it listens, or it connects to us and asks for all values."""
    node = require_node("osc")
    where = f'send = ["127.0.0.1:{tcp_port}"]\non_connect = "push"'
    settings = where if how == "listen" else f'listen = "127.0.0.1:{tcp_port}"'
    command = [node, str(FAKES / "answer_osc_js.mjs"), how, str(tcp_port)]
    return Program(name, f'transport = "tcp-slip"\n{settings}', command)


@asynccontextmanager
async def xair(kind: str, udp_port: int) -> AsyncIterator[Any]:
    """xair-api, somebody else's remote control for an `X32` or `XR18`. Its properties block."""
    import xair_api

    remote = xair_api.connect(kind, ip="127.0.0.1", port=udp_port, delay=0.05)
    try:
        await asyncio.to_thread(remote.__enter__)
        yield remote
    finally:
        await asyncio.to_thread(remote.__exit__, None, None, None)
        remote.worker.join()
        remote.server.server_close()


async def xair_reads(get: Callable[[], Any], expected: Any) -> None:
    """Return when a property of xair-api is this. It takes whatever came last for the answer: ask until it is."""
    deadline = time.monotonic() + SOON_S
    while True:
        try:
            found = await asyncio.to_thread(get)
        except (TypeError, ValueError, IndexError) as exc:
            found = exc
        if found == expected:
            return
        assert time.monotonic() < deadline, f"{found!r}, not {expected!r}"
