"""Durable state: a cursor of the store that may be slow. The show never waits for it, and goes on without it.

What is kept is in ``saved``, the file in ``statefile``, on a thread of its own. ``kill -9`` loses what was moved in the
last PERIOD_S and while that was written; a disk that keeps its word loses no more in a power cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Collection, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .control import RESERVED
from .errors import StateError
from .histogram import Histogram
from .saved import Saved, rows_of, told
from .statefolder import NO_FOLDER
from .store import Store
from .tasks import begin

if TYPE_CHECKING:
    from .statefile import StateFile

log = logging.getLogger(__name__)

PATH = f"{RESERVED}/state"
"""The control that says whether moves are being kept."""
PERIOD_S = 0.2
"""Between two writes: what is lost, with the time that the thread and the disk take, is to stay under 250 ms."""
RETRY_S = 2.0
SAVED, OFF = "saved", "off"

T = TypeVar("T")


class Persistence:
    """Keeps a store in a file. ``folder`` None: there is nowhere to keep it; ``file`` "": it is not to be kept.

    ``publish(text)``: how it is; the first word is saved, unsaved or off. ``taught``, ``drawn``: see ``Saved``.
    """

    def __init__(
        self,
        store: Store,
        folder: Path | None,
        file: str,
        publish: Callable[[str], None],
        clock: Callable[[], float],
        taught: MutableMapping[str, set[str]],
        drawn: Collection[str],
        period_s: float = PERIOD_S,
        retry_s: float = RETRY_S,
    ) -> None:
        self.saved = Saved(taught, drawn)
        self._store = store
        self._folder = folder
        self._is_wanted, self._path = self._place(file)
        self._publish = publish
        self._clock = clock
        self._period_s, self._retry_s = period_s, retry_s
        self._file: StateFile | None = None
        self._is_open = False
        self._trouble = ""
        self._is_said = True
        self._is_ending = asyncio.Event()
        self._is_fresh = False  # the file is another one: what it held is not what there is
        self._writing = asyncio.Lock()
        self._writes = self._failures = 0
        self._written_at: float | None = None
        self.write_times = Histogram()
        """How long writes took that succeeded."""

    @property
    def state(self) -> str:
        """``saved``, ``unsaved: why``, ``off``."""
        return f"unsaved: {self._trouble}" if self._trouble else SAVED if self._is_wanted else OFF

    def health(self) -> dict[str, Any]:
        """What ``/healthz`` says of it."""
        return {
            "state": self.state,
            "file": None if self._path is None or not self._is_wanted else str(self._path),
            "writes": self._writes,
            "written_s_ago": None if self._written_at is None else round(self._clock() - self._written_at, 1),
            "failures": self._failures,
        }

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Bring the last run's state back, before anybody listens to the store; keep what changes until the block
        ends, and then what has changed last."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="state")  # which begins when it has something to do
        try:
            if self._path is None:
                self._say("" if not self._is_wanted else NO_FOLDER)
            else:
                await self._begin(thread, self._path)
            task = begin(self._keep(thread), "state")
            try:
                yield
            finally:
                self._is_ending.set()
                await task
        finally:
            if self._file is not None:
                await _on(thread, self._file.close)
            thread.shutdown(wait=False)

    async def move(self, file: str) -> None:
        """Keep it in another file from now on, which becomes what there is now; "": nowhere. The one before stays."""
        async with self._writing:
            before, self._file = self._file, None
            self._is_wanted, self._path = self._place(file)
            self._is_open, self._is_fresh = False, True
            if before is not None:
                await asyncio.to_thread(before.close)
        self._say("" if self._path is not None or not self._is_wanted else NO_FOLDER)

    def _place(self, file: str) -> tuple[bool, Path | None]:
        has_place = bool(file) and (self._folder is not None or Path(file).is_absolute())
        return bool(file), (self._folder or Path()) / file if has_place else None

    async def _begin(self, thread: ThreadPoolExecutor, path: Path) -> None:
        def begin() -> Any:
            self._file = _state_file(path)
            return self._file.open()

        try:
            rows = await _on(thread, begin)
            self._is_open = True
            self._say("")
        except StateError as exc:
            rows = exc.rows
            self._failed(exc)
        problems = self.saved.restore(self._store, rows, self._clock())
        self._tell_aside()
        if problems:
            log.warning("not everything is as it was at the end of the last run: %s", told(problems))

    async def _keep(self, thread: ThreadPoolExecutor) -> None:
        while True:
            is_last, began = self._is_ending.is_set(), self._clock()
            async with self._writing:
                await self._write(thread)
            if is_last:
                return
            pause = self._period_s if self._is_open else self._retry_s
            with contextlib.suppress(TimeoutError):  # a slow disk's time is part of the pause
                async with asyncio.timeout(max(0.0, began + pause - self._clock())):
                    await self._is_ending.wait()

    async def _write(self, thread: ThreadPoolExecutor) -> None:
        if self._path is None:
            return
        if self._file is None:
            self._file = await _on(thread, partial(_state_file, self._path))
        self.saved.note(self._store)
        again = self._file.take_over if self._is_fresh else self._file.open_again
        write = self._file.write if self._is_open else again
        taken = self.saved.take() if self._is_open else self.saved.all()
        if self._is_open and not taken:
            return
        began = self._clock()
        try:
            await _on(thread, lambda: write(rows_of(taken)))
        except StateError as exc:
            self.saved.put_back(taken)
            self._is_open = False
            self._failed(exc)
        else:
            self._writes += 1
            self._written_at = self._clock()
            self.write_times.add(self._written_at - began)
            self._is_open, self._is_fresh = True, False
            self._tell_aside()
            self._say("")

    def _failed(self, exc: StateError) -> None:
        self._failures += 1
        self._say(str(exc))

    def _say(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            log.warning("moves are kept in memory alone: %s; tried again every %g s", trouble, self._retry_s)
        elif self._trouble and not trouble:
            log.info("moves are kept again, in %s", self._path)
        self._trouble = trouble
        self._publish(self.state)

    def _tell_aside(self) -> None:
        """Say, once, that a broken file has another name now."""
        if self._file is not None and self._file.aside is not None:
            log.warning("%s was broken: it is %s now, and a new one is begun", self._path, self._file.aside.name)
            self._file.aside = None


def _state_file(path: Path) -> StateFile:
    from .statefile import StateFile  # SQLite takes its time: on its thread

    return StateFile(path)


async def _on(thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(thread, work)
