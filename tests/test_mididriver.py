"""The MIDI driver as a process of its own: what hangs, dies or is left alone there stops nobody here."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest
import uvloop

from bridge.errors import PortError
from bridge.midi.devices import pick
from bridge.midi.driver import MAX_WAITING, Mouth
from bridge.midi.link import Driver
from bridge.midi.port import MidiPort
from bridge.midi.wire import Unpacker

from .daemon import Daemon
from .jack import Controller, jack_env, jack_server, pause_jack
from .port_contract import served
from .test_midi import Bridge, level

LOOPS = {"uvloop": uvloop.new_event_loop}
pytestmark = pytest.mark.waits
LATE_S = 0.25
"""What hangs stops everything for seconds; a busy machine may be late by less than that."""


@pytest.fixture(scope="module")
def jack() -> Iterator[str]:
    """One that waits for nobody: here clients are killed."""
    with jack_server(waits=False) as name, pytest.MonkeyPatch.context() as patch:
        for key, value in jack_env(name).items():
            patch.setenv(key, value)
        yield name


def children(pid: int | str = "self") -> set[int]:
    return {
        int(child)
        for tasks in Path(f"/proc/{pid}/task").iterdir()
        for child in (tasks / "children").read_text().split()
        if b"bridge.midi.driver" in Path(f"/proc/{child}/cmdline").read_bytes()
    }


def driver_pid(pid: int | str = "self") -> int:
    (found,) = children(pid)
    return found


def queued_s() -> float:
    """How long this thread has waited for a core that others had: a JACK that makes up for a pause takes both."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


@asynccontextmanager
async def never_late() -> AsyncIterator[None]:
    """Fail when the loop has been held up meanwhile."""
    latest = 0.0

    async def watch() -> None:
        nonlocal latest
        while True:
            due, queued = time.monotonic() + 0.005, queued_s()
            await asyncio.sleep(0.005)
            latest = max(latest, time.monotonic() - due - (queued_s() - queued))

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert latest < LATE_S


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


async def test_a_driver_that_dies_is_back_within_2_s_and_what_was_held_is_let_go(jack: str) -> None:
    bridge = Bridge(jack, level(), level("/press", kind="bool", momentary=True))
    async with bridge.with_nano({"/level": {"cc": 7}, "/press": {"note": 1}}) as (_, nano):
        await nano.hear_all(2)
        nano.send("90 01 7f")
        await bridge.reaches("/press", True)
        first = driver_pid()
        began = time.monotonic()
        os.kill(first, signal.SIGKILL)
        assert await bridge.states_until("nano", "offline") == (
            "offline: the MIDI driver has ended (signal 9): it is started again"
        )
        await bridge.reaches("/press", False)
        assert bridge.store.get("/press").holder is None
        bridge.set("/level", 1.0)
        await nano.hear_until("b0 07 7f")
        assert time.monotonic() - began < 2
        assert driver_pid() != first
        nano.send("90 01 7f")
        await bridge.reaches("/press", True)


async def test_a_driver_that_hangs_stops_nobody_and_another_is_started(jack: str) -> None:
    bridge = Bridge(jack, level())
    port = MidiPort([bridge.peer({"/level": {"cc": 7}})], bridge.context, answer_s=1.0)
    async with Controller.start(jack, "nano") as nano, served(port), never_late():
        await bridge.states_until("nano", "online")
        with stopped(driver_pid()):
            bridge.set("/level", 1.0)  # nobody takes it
            words = "offline: the MIDI driver did not answer: it is started again"
            assert await bridge.states_until("nano", "offline") == words
            await nano.hear_until("b0 07 7f")
        nano.send("b0 07 00")
        await bridge.reaches("/level", 0.0)


async def test_a_sound_server_that_hangs_stops_nobody_and_its_devices_come_back(
    jack: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bridge = Bridge(jack, level())
    with jack_server(waits=False) as other:
        monkeypatch.setenv("JACK_DEFAULT_SERVER", other)
        bridge.jack = other
        port = MidiPort([bridge.peer({"/level": {"cc": 7}}, rate=10_000)], bridge.context, answer_s=1.0)
        async with Controller.start(other, "nano") as nano, served(port), never_late():
            await bridge.states_until("nano", "online")
            with pause_jack(other):
                step = 0
                while "online" in bridge.states["nano"]:  # until nothing more fits into what nobody reads
                    bridge.set("/level", (step := step + 1) % 128 / 127)
                    await asyncio.sleep(0.0001)
                assert "did not answer" in bridge.states["nano"]
                bridge.set("/level", 1.0)
            await bridge.states_until("nano", "online")
            await nano.hear_until("b0 07 7f")
            nano.send("b0 07 00")
            await bridge.reaches("/level", 0.0)


async def test_what_nobody_takes_is_bounded(jack: str) -> None:
    async with never_late(), Driver("jack") as driver:
        await driver.begin()
        with stopped(driver_pid()):
            began = time.monotonic()
            with pytest.raises(PortError, match="takes nothing"):
                for _ in range(10_000):
                    future = driver.ask("send", 1, [bytes(100)])
                await future
            assert time.monotonic() - began < 1


async def test_what_is_heard_has_the_time_at_which_it_was(jack: str) -> None:
    heard: asyncio.Future[tuple[bytes, float, float]] = asyncio.get_running_loop().create_future()

    def hear(data: bytes, at: float) -> None:
        heard.set_result((data, at, time.monotonic()))

    async with Controller.start(jack, "nano") as nano, Driver("jack") as driver:
        await driver.begin()
        await driver.open("stagebridge test", pick((await driver.look()).ins, "nano"), None, hear)
        nano.send("b0 07 40")
        await asyncio.sleep(0)
        time.sleep(0.4)  # whatever holds the loop
        data, at, now = await heard
    assert data == b"\xb0\x07\x40"
    assert now - at > 0.2


async def test_a_daemon_that_is_killed_leaves_no_driver(jack: str, tmp_path: Path) -> None:
    config = """
        [[midi]]
        name = "nano"
        device = "nano"
        api = "jack"
        [[control]]
        path = "/running"
        kind = "bool"
        midi.nano = { clock = "running" }
        [[control]]
        path = "/level"
        midi.nano = { cc = 7 }
        """
    async with Controller.start(jack, "nano") as nano:
        with Daemon.start(config, tmp_path, stop=False) as daemon:
            await nano.hear_until("b0 07 00")
            pid = driver_pid(daemon.pid)
            await asyncio.to_thread(daemon.request, "PUT", "/api/controls/running", {"value": True})
            await nano.hear_until("fa")
            daemon.process.kill()
            await nano.hear_until("fc")  # its last word
            deadline = time.monotonic() + 3
            while Path(f"/proc/{pid}").exists():
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)


def test_of_what_nobody_reads_the_newest_is_kept_and_every_answer() -> None:
    read, write = os.pipe()
    try:
        mouth, found = Mouth(write), []
        for number in range(10_000):
            mouth.say("heard", 1, 0.0, number.to_bytes(2, "big"))
            if number == 5_000:
                mouth.say("done", "an answer")
        unpacker = Unpacker()
        while True:
            found += unpacker.feed(os.read(read, 1 << 16))
            if mouth.flush():
                break
        found += unpacker.feed(os.read(read, 1 << 20))
        assert ("done", "an answer") in found
        numbers = [int.from_bytes(one[3], "big") for one in found if one[0] == "heard"]
        assert numbers == sorted(numbers)
        assert numbers[-1] == 9_999
        assert len(numbers) == 10_000 - mouth.lost > MAX_WAITING - 1
        assert mouth.lost > 0
    finally:
        os.close(read)
        os.close(write)
