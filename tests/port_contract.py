"""What every port promises, as tests: a port's own test module inherits `PortContract` and says how its wire is spoken.

    class TestOsc(PortContract):
        @pytest.fixture
        async def rig(self): ...yield OscRig(...)

A rig has one store with the float control `/level` (0..1, at 0.5) bound to one peer, and stands on the other side of a
real wire.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from bridge.port import Port, supervise
from bridge.store import Change, Entry, Origin, Store

from .waiting import SOON_S

BROWSER = Origin("browser", "c1")


async def until(store: Store, is_so: Callable[[], bool], timeout_s: float = SOON_S) -> None:
    """Return when `is_so()`, which is asked after every change of the store. Raises TimeoutError."""
    so = asyncio.Event()

    def look(changes: Sequence[Change]) -> None:
        if is_so():
            so.set()

    unsubscribe = store.subscribe(look)
    try:
        if not is_so():
            await asyncio.wait_for(so.wait(), timeout_s)
    finally:
        unsubscribe()


@asynccontextmanager
async def served(port: Port) -> AsyncIterator[asyncio.Task[None]]:
    """The port, supervised and ready, until the block ends."""
    ready = asyncio.Event()
    task = asyncio.create_task(supervise(port, ready.set), name=port.name)
    try:
        await asyncio.wait_for(ready.wait(), SOON_S)
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


class Rig(ABC):
    """The other end of a port's wire."""

    store: Store
    port: Port
    now = 0.0

    @property
    def level(self) -> Entry:
        return self.store.get("/level")

    def move(self, value: float) -> None:
        """A hand in a browser."""
        self.now += 0.001
        self.store.set(self.level, value, BROWSER, self.now)

    @abstractmethod
    async def heard(self) -> float:
        """The next value of `/level` that comes over the wire. Raises TimeoutError."""

    @abstractmethod
    def report(self, value: float) -> None:
        """The peer says where `/level` is."""

    @abstractmethod
    def garbage(self) -> None:
        """The peer sends what nobody can use."""

    @abstractmethod
    def is_free(self) -> bool:
        """True if somebody else could open what the port had open."""


class PortContract:
    """Inherited by the tests of every port."""

    async def test_it_becomes_ready(self, rig: Rig) -> None:
        assert rig.port.name
        assert len(rig.port.peer_lines()) == 1
        assert rig.port.health()[0]["state"] != "offline"

    async def test_a_change_reaches_the_wire(self, rig: Rig) -> None:
        rig.move(0.25)
        assert await rig.heard() == 0.25

    async def test_the_wire_reaches_the_store(self, rig: Rig) -> None:
        rig.report(0.75)
        await until(rig.store, lambda: rig.level.value == 0.75)

    async def test_changes_reach_the_wire_in_order(self, rig: Rig) -> None:
        for step in range(1, 64):
            rig.move(step / 64)
        assert [await rig.heard() for _ in range(1, 64)] == [step / 64 for step in range(1, 64)]

    async def test_its_own_echo_changes_nothing(self, rig: Rig) -> None:
        rig.move(0.73)
        echo = await rig.heard()
        assert echo != 0.73  # the wire is coarser than the store
        revision = rig.store.revision
        rig.report(echo)
        rig.report(0.25)  # a mark: what came before it has been handled
        await until(rig.store, lambda: rig.level.value == 0.25)
        assert rig.store.revision == revision + 1

    async def test_a_late_echo_is_ignored(self, rig: Rig) -> None:
        heard = []
        for value in (0.125, 0.25, 0.375, 0.73):
            rig.move(value)
            heard.append(await rig.heard())
        revision = rig.store.revision
        for late in heard[:3]:
            rig.report(late)
        rig.report(0.0)  # a mark: what came before it has been handled
        await until(rig.store, lambda: rig.level.value == 0.0)
        assert rig.store.revision == revision + 1

    async def test_a_report_does_not_go_back_to_its_sender(self, rig: Rig) -> None:
        rig.report(0.75)
        await until(rig.store, lambda: rig.level.value == 0.75)
        rig.move(0.125)
        assert await rig.heard() == 0.125

    async def test_garbage_is_survived(self, rig: Rig) -> None:
        for _ in range(100):
            rig.garbage()
        rig.report(0.75)
        await until(rig.store, lambda: rig.level.value == 0.75)
        assert rig.port.health()[0]["bad"] >= 1

    async def test_cancelling_frees_it_within_a_second(self, rig: Rig) -> None:
        (task,) = [task for task in asyncio.all_tasks() if task.get_name() == rig.port.name]
        assert not rig.is_free()
        task.cancel()
        _, late = await asyncio.wait([task], timeout=1.0)
        assert not late
        assert rig.is_free()
        assert rig.port.health()[0]["state"] == "offline"
