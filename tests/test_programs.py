"""Programs that people have, as they are, at the other end of a real daemon: both ways, and when they come back."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from .daemon import Daemon
from .peers import free_udp_port
from .programs import Oscdump, Page, Program, kill, oscsend, pure_data, supercollider

NAMES = ["pd", "supercollider"]


@dataclass
class Stage:
    """The daemon, and the programs that it knows."""

    daemon: Daemon
    liblo: dict[str, tuple[int, int]]
    """By transport: where it listens, and where we do."""
    programs: dict[str, Program]
    dir: Path


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    where = tmp_path_factory.mktemp("programs")
    programs = [
        pure_data(free_udp_port(), free_udp_port(), where),
        supercollider(free_udp_port(), free_udp_port(), where),
    ]
    liblo = {"udp": (free_udp_port(), free_udp_port())}
    listen, ours = liblo["udp"]
    config = f"""
        [[osc]]
        name = "liblo-udp"
        listen = "127.0.0.1:{ours}"
        send = ["127.0.0.1:{listen}"]
        mirror = false
        [[control]]
        path = "/liblo-udp/cutoff"
        osc.liblo-udp = {{ address = "/cutoff" }}
        """
    config += "".join(each.config for each in programs)
    with Daemon.start(config, where) as daemon:
        yield Stage(daemon, liblo, {each.name: each for each in programs}, where)


@pytest.mark.parametrize("name", NAMES)
async def test_it_is_told_what_holds_when_it_starts_and_both_hear_each_other(stage: Stage, name: str) -> None:
    async with Page.at(stage.daemon.ws_url) as page:
        await page.set(f"/{name}/cutoff", 0.75)
        assert page.values[f"/{name}/answer"] != 0.375
        with stage.programs[name].running(stage.dir):
            await page.sees(f"/{name}/answer", 0.375)
            for value in (0.125, 1.0, 0.25):
                await page.set(f"/{name}/cutoff", value)
                await page.sees(f"/{name}/answer", value / 2)


@pytest.mark.parametrize("name", NAMES)
async def test_when_it_comes_back_it_is_told_what_holds_now(stage: Stage, name: str) -> None:
    async with Page.at(stage.daemon.ws_url) as page:
        await page.set(f"/{name}/cutoff", 0.375)
        for meanwhile in (0.875, 0.0):
            with stage.programs[name].running(stage.dir) as process:
                await page.sees(f"/{name}/answer", page.values[f"/{name}/cutoff"] / 2)
                kill(process)
            await page.set(f"/{name}/cutoff", meanwhile)
        with stage.programs[name].running(stage.dir):
            await page.sees(f"/{name}/answer", 0.0)
            await page.set(f"/{name}/cutoff", 1.0)
            await page.sees(f"/{name}/answer", 0.5)


async def test_liblo_hears_us_over_udp_and_we_hear_it(stage: Stage) -> None:
    path, (listen, ours) = "/liblo-udp/cutoff", stage.liblo["udp"]
    async with Page.at(stage.daemon.ws_url) as page:
        for _ in range(2):  # it comes back, and does not say so: UDP has no connect
            async with Oscdump.at(str(listen)) as dump:
                value = 0.0
                while not await dump.hears(f"/cutoff f {value:.6f}", 0.05):
                    value = 0.5 - value
                    await page.set(path, value)
                await page.set(path, 0.75)
                assert await dump.hears("/cutoff f 0.750000")
                await oscsend(f"osc.udp://127.0.0.1:{ours}", "/cutoff", "f", "0.125")
                await page.sees(path, 0.125)
            await page.set(path, 1.0)
