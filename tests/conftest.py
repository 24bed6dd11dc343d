"""What holds for every test: nothing leaks, nothing blocks the loop, and a warning is an error (pyproject.toml).

The guards look at what is there before and after each test, so wider fixtures (a browser, a daemon for a module) may
keep what they opened. They are set up first and therefore look last.
"""

import asyncio
import gc
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from blockbuster import blockbuster_ctx
from hypothesis import settings

from .jack import jack_env, jack_server

GRACE_S = 1.0  # a connection that is being closed may need a few turns of the loop, on a machine that does much else
FD_DIR = Path("/proc/self/fd")

# An example may take long because others use the machine: each test has its time limit (pyproject.toml).
settings.register_profile("stagebridge", deadline=None)
settings.load_profile("stagebridge")


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The event loops that a test may run on: its module's LOOPS, else asyncio's."""
    return getattr(getattr(item, "module", None), "LOOPS", {"asyncio": asyncio.new_event_loop})


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """An empty folder for people's own pages."""
    folder = tmp_path / "pages"
    folder.mkdir()
    return folder


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    """Where an OSC program would listen."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        yield sock


@pytest.fixture(autouse=True)
def nothing_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a thread, a socket or (async tests) a task behind."""
    if asyncio_marker := request.node.get_closest_marker("asyncio"):
        shared_loop = asyncio_marker.kwargs.get("loop_scope", "function") != "function"
        request.getfixturevalue("_async_guard_session" if shared_loop else "_async_guard")
        yield
    else:
        before = Snapshot()
        yield
        before.compare()


@pytest_asyncio.fixture
async def _async_guard() -> AsyncIterator[None]:
    async with no_leaks():
        yield


@pytest_asyncio.fixture(loop_scope="session")
async def _async_guard_session() -> AsyncIterator[None]:
    async with no_leaks():
        yield


@asynccontextmanager
async def no_leaks() -> AsyncIterator[None]:
    """Tasks first: what they hold is the consequence."""
    tasks, before = asyncio.all_tasks(), Snapshot()
    yield
    left = asyncio.all_tasks() - tasks - {asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=GRACE_S)
    if left:
        names = sorted(map(repr, left))
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=GRACE_S)
        pytest.fail("tasks left behind by this test: " + ", ".join(names), pytrace=False)
    deadline = time.monotonic() + GRACE_S
    while before.new_sockets() and time.monotonic() < deadline:
        await asyncio.sleep(0.005)  # a closed transport gives its socket back on a later turn of the loop
    before.compare()


class Snapshot:
    """The threads and sockets that were there before a test."""

    def __init__(self) -> None:
        self._threads = set(threading.enumerate())
        self._sockets = open_sockets()

    def new_sockets(self) -> set[tuple[str, str]]:
        return {one for one in open_sockets() - self._sockets if one[1] not in uvloops_own()}

    def compare(self) -> None:
        """Fail the test when there are more now."""
        left = []
        for thread in set(threading.enumerate()) - self._threads:
            if thread.name.startswith(("asyncio_", "uvloop_")):
                continue  # the loop's own executor: it ends with the loop, and the loop with its runner
            thread.join(GRACE_S)
            if thread.is_alive():
                left.append(f"thread {thread.name}")
        if new := self.new_sockets():
            gc.collect()  # what goes now was dropped unclosed: its ResourceWarning is the error
            left += [f"socket {name} on fd {fd}" for fd, name in new & self.new_sockets()]
        if left:
            pytest.fail("left behind by this test: " + ", ".join(sorted(left)), pytrace=False)


@pytest.fixture(autouse=True, scope="session")
def nothing_blocks_the_loop() -> Iterator[None]:
    """Any blocking call (file, socket, sleep, sqlite) made from `bridge` while a loop runs raises BlockingError."""
    with blockbuster_ctx("bridge"):
        yield


@pytest.fixture(scope="module")
def jack() -> Iterator[str]:
    """A JACK server of the module's own, which its bridges and daemons are clients of; its name."""
    with jack_server() as name, pytest.MonkeyPatch.context() as patch:
        for key, value in jack_env(name).items():
            patch.setenv(key, value)
        yield name


def open_sockets() -> set[tuple[str, str]]:
    """(descriptor, "socket:[inode]") of every socket this process has open; empty where there is no /proc."""
    if not FD_DIR.exists():
        return set()
    found = set()
    for fd in os.listdir(FD_DIR):  # noqa: PTH208 - the list's own descriptor is gone again when we look
        try:
            name = os.readlink(FD_DIR / fd)  # noqa: PTH115 - "socket:[123]" is no path
        except OSError:
            continue
        if name.startswith("socket:"):
            found.add((fd, name))
    return found


def uvloops_own() -> set[str]:
    """The pair of UNIX sockets that uvloop makes anew for signals each time it runs; nothing else here has any."""
    loop = asyncio._get_running_loop()
    if loop is None or not type(loop).__module__.startswith("uvloop"):
        return set()
    return {f"socket:[{line.split()[6]}]" for line in Path("/proc/net/unix").read_text().splitlines()[1:]}
