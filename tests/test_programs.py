"""Programs that people have, as they are, at the other end of a real daemon: both ways, and when they come back."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen

import pytest

from .daemon import Daemon
from .peers import free_tcp_port, free_udp_port
from .programs import Oscdump, Page, Program, kill, osc_js, oscsend, pure_data, python_osc, supercollider

PROGRAMS: dict[str, Callable[[Path], Program]] = {
    "pd": lambda cwd: pure_data(free_udp_port(), free_udp_port(), cwd),
    "sclang-udp": lambda cwd: supercollider("sclang-udp", "udp", free_udp_port(), free_udp_port(), cwd),
    "sclang-tcp": lambda cwd: supercollider("sclang-tcp", "tcp", free_udp_port(), free_tcp_port(), cwd),
    "python-osc-slip": lambda cwd: python_osc("python-osc-slip", "1.1", "tcp-slip", free_tcp_port()),
    "python-osc-length": lambda cwd: python_osc("python-osc-length", "1.0", "tcp-length", free_tcp_port()),
    "osc-js-listens": lambda cwd: osc_js("osc-js-listens", "listen", free_tcp_port()),
    "osc-js-connects": lambda cwd: osc_js("osc-js-connects", "connect", free_tcp_port()),
}


class Stage:
    """The daemon, and the programs at its other end."""

    def __init__(self, cwd: Path) -> None:
        self.daemon: Daemon
        self._cwd = cwd
        self._programs: dict[str, Program] = {}
        self._missing: dict[str, BaseException] = {}
        self._processes: dict[str, Popen[bytes]] = {}
        for name, make in PROGRAMS.items():
            try:
                self._programs[name] = make(cwd)
            except (pytest.skip.Exception, pytest.fail.Exception) as exc:
                self._missing[name] = exc

    @property
    def config(self) -> str:
        return "".join(each.config for each in self._programs.values())

    def start(self, name: str) -> None:
        self._processes[name] = self._programs[name].start(self._cwd)

    def start_all(self) -> None:
        for name in self._programs:
            self.start(name)

    def require(self, name: str) -> None:
        """Skip the test, or in CI fail it, if the program is not installed."""
        if name in self._missing:
            raise self._missing[name]

    def kill(self, name: str) -> None:
        kill(self._processes.pop(name))

    def kill_all(self) -> None:
        for name in list(self._processes):
            self.kill(name)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """All programs, running, after the daemon: so each has to be told, or to ask, what holds."""
    cwd = tmp_path_factory.mktemp("programs")
    stage = Stage(cwd)
    with ExitStack() as stack:
        stage.daemon = stack.enter_context(Daemon.start(stage.config, cwd))
        stack.callback(stage.kill_all)
        stage.start_all()
        yield stage


@pytest.mark.parametrize("name", PROGRAMS)
async def test_it_is_told_what_holds_when_it_starts_and_both_hear_each_other(stage: Stage, name: str) -> None:
    stage.require(name)
    async with Page.at(stage.daemon.ws_url) as page:
        await page.sees(f"/{name}/answer", 0.25)  # half of what the control was at the start
        for value in (0.125, 1.0, 0.75):
            await page.set(f"/{name}/cutoff", value)
            await page.sees(f"/{name}/answer", value / 2)
        await page.set(f"/{name}/cutoff", *(step / 64 for step in range(64)), 0.5)
        await page.sees(f"/{name}/answer", 0.25)
        # what changes together comes as a bundle
        await page.set_all((f"/{name}/resonance", 1.0), (f"/{name}/cutoff", 0.875), together=True)
        await page.sees(f"/{name}/answer", 0.4375)


@pytest.mark.parametrize("name", PROGRAMS)
async def test_when_it_comes_back_it_is_told_what_holds_now(stage: Stage, name: str) -> None:
    stage.require(name)
    async with Page.at(stage.daemon.ws_url) as page:
        await page.set(f"/{name}/cutoff", 0.75)
        await page.sees(f"/{name}/answer", 0.375)
        stage.kill(name)
        await page.set(f"/{name}/cutoff", 0.875)
        await page.set(f"/{name}/cutoff", 0.125)
        assert page.values[f"/{name}/answer"] == 0.375
        stage.start(name)
        await page.sees(f"/{name}/answer", 0.0625)
        await page.set(f"/{name}/cutoff", 1.0)
        await page.sees(f"/{name}/answer", 0.5)


# ---------------------------------------------------------------------------------- liblo

LIBLO = """
    [[osc]]
    name = "liblo"
    transport = "{transport}"
    listen = "127.0.0.1:{ours}"
    send = ["127.0.0.1:{listen}"]
    on_connect = "push"
    [[control]]
    path = "/cutoff"
    """


async def test_liblo_hears_us_over_udp_and_we_hear_it(tmp_path: Path) -> None:
    listen, ours = free_udp_port(), free_udp_port()
    async with Page.beside(LIBLO.format(transport="udp", listen=listen, ours=ours), tmp_path) as page:
        async with Oscdump.at(str(listen)) as dump:
            value = 0.0
            while not await dump.hears(f"/cutoff f {value:.6f}", 0.05):  # it does not say when it is ready
                value = 0.5 - value
                await page.set("/cutoff", value)
            await page.set("/cutoff", 0.75)
            assert await dump.hears("/cutoff f 0.750000")
            await oscsend(f"osc.udp://127.0.0.1:{ours}", "/cutoff", "f", "0.125")
            await page.sees("/cutoff", 0.125)
        await page.set("/cutoff", 1.0)
        await page.comes_to("/stagebridge/peers/liblo", lambda text: "nobody listens" in text)
        async with Oscdump.at(str(listen)) as dump:  # it comes back, and does not say so either
            assert await dump.hears("/cutoff f 1.000000")


async def test_liblo_hears_us_over_tcp_and_we_hear_it(tmp_path: Path) -> None:
    listen, ours = free_tcp_port(), free_tcp_port()
    async with Page.beside(LIBLO.format(transport="tcp-length", listen=listen, ours=ours), tmp_path) as page:
        for before, now in ((0.25, 0.5), (0.75, 1.0)):
            await page.set("/cutoff", before)
            async with Oscdump.at(f"osc.tcp://:{listen}") as dump:
                assert await dump.hears(f"/cutoff f {before:.6f}")  # we have connected
                await page.set("/cutoff", now)
                assert await dump.hears(f"/cutoff f {now:.6f}")
                await oscsend(f"osc.tcp://127.0.0.1:{ours}", "/cutoff", "f", "0.125")
                await page.sees("/cutoff", 0.125)
