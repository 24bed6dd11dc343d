"""A reload: the file is read anew, and what it changes is changed in the running bridge, and nothing else.

Read and checked off the loop, whole: where it has mistakes, nothing changes. Then in one order: what goes is let go
while its peers can still be told; peers that are gone or changed leave; the store has the new controls, all in one turn
of the loop; what is new is opened. What is to be changed is worked out in ``config.diff``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial

from .config.diff import Plan, plan
from .config.lastgood import Start, told
from .config.settings import Config
from .configured import Configured
from .control import Control
from .errors import ConfigError, Problem
from .pagecontrols import PageControls, Read, read
from .ports import Ports
from .tasks import in_slices
from .threads import begin

log = logging.getLogger(__name__)

READ_S = 30.0
"""For all that belongs to a configuration, and to work it out: 4,096 controls take ten seconds on a small computer."""
END_S = 2.0
"""For what one has begun to change when the bridge stops, which may take five seconds."""

Follower = Callable[[Config, Config], Awaitable[Iterable[str]]]
"""``await follow(old, new)``: a part takes its settings from the new configuration, when the store has the new
controls. Returns what of them needs a restart, each a line for a person.
"""


@dataclass(frozen=True, slots=True)
class Source:
    """Where reloads take the configuration from. ``load`` reads it, and ``keep`` is given what was taken, both on a
    thread; ``announced`` is entered while it goes on. What is not read ``within_s`` is not waited for any longer."""

    load: Callable[[], Start]
    keep: Callable[[Start], None] = lambda start: None
    announced: Callable[[], AbstractContextManager[None]] = nullcontext
    within_s: float = READ_S


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a reload has done. ``problems``: the mistakes for which nothing was changed."""

    changes: Sequence[str] = ()
    problems: Sequence[Problem] = ()
    file: str = ""
    """What the mistakes are in, where they do not say so."""

    def to_json(self) -> dict[str, object]:
        """What ``POST /api/reload`` answers."""
        mistakes = [
            {name: getattr(problem, name) for name in ("where", "line", "message", "hint", "value")}
            | {"file": problem.file or self.file, "text": problem.render(self.file)}
            for problem in self.problems
        ]
        return {"reloaded": not mistakes, "changes": list(self.changes), "mistakes": mistakes}


class Reloading:
    """Reloads of one bridge, one after another. ``say(trouble)`` shows why the file is not what runs; "" that it is."""

    def __init__(
        self,
        config: Config,
        configured: Configured,
        ports: Ports,
        pages: PageControls,
        clock: Callable[[], float],
        say: Callable[[str], None],
    ) -> None:
        self.config = config
        """What holds now."""
        self.followers: list[Follower] = []
        """Parts with settings of their own, in the order in which they follow."""
        self._configured = configured
        self._ports = ports
        self._pages = pages
        self._clock = clock
        self._say = say
        self._turn = asyncio.Lock()
        self._reading: asyncio.Future[tuple[Start, Plan, Read | None]] | None = None
        self._is_over = False
        self._failed = ""  # the trouble in which one has stopped half-way

    async def reload(self, source: Source) -> Outcome:
        """Do it with what the source gives. Never raises for mistakes in it."""
        async with self._turn:
            with source.announced():
                return await self._reload(source)

    async def end(self) -> None:
        """Returns when none goes on, and none begins any more. What a disk keeps is not waited for."""
        self._is_over = True
        if self._reading is not None:
            self._reading.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(END_S), self._turn:
                pass

    async def _reload(self, source: Source) -> Outcome:
        if self._is_over:
            return Outcome(problems=[Problem("", "stagebridge is stopping")])
        try:
            async with asyncio.timeout(source.within_s):
                self._reading = asyncio.wrap_future(begin(partial(self._read, source.load), "read the configuration"))
                start, planned, pages = await self._reading
        except TimeoutError:
            why = Problem("", "cannot be read: a disk does not answer")
            return self._refuse(ConfigError([why], str(self.config.file or "the configuration")))
        except ConfigError as exc:
            return self._refuse(exc)
        try:
            changes = await self._apply(planned, pages)
        except Exception as exc:
            self._failed = f"a reload has stopped half-way: {exc!r}; restart stagebridge"
            self._say(self._failed)
            raise
        self._say(self._failed)
        log.info("reloaded: %s", "; ".join(changes) or "nothing has changed")
        await asyncio.to_thread(source.keep, start)
        return Outcome(changes)

    def _refuse(self, exc: ConfigError) -> Outcome:
        self._say(told(exc, "what was there before runs on"))
        return Outcome(problems=exc.problems, file=exc.file)

    def _read(self, load: Callable[[], Start]) -> tuple[Start, Plan, Read | None]:
        start = load()
        planned = plan(self.config, start.settings)
        folder = planned.config.http.pages
        return start, planned, None if folder == self.config.http.pages else read(folder)

    async def _apply(self, planned: Plan, pages: Read | None) -> list[str]:
        """Change what is to be changed; what that was, in words."""
        before, self.config = self.config, planned.config
        if planned.is_empty:
            return []
        self._configured.let_go(planned.removed, self._clock())
        await self._ports.close(planned.config.peers)
        # From here to the ports' last step in one turn of the loop, where it is not for many controls.
        described: dict[str, Control | None] = dict.fromkeys(control.path for control in planned.removed)
        described |= {new.path: new for _, new in planned.described} | {new.path: new for new in planned.added}
        await self._ports.adopt(planned.config.peers, described)
        if pages is not None:
            self._pages.forget()
        await in_slices(self._configured.steps(planned, self._clock, self._pages.of))
        if pages is not None:
            self._pages.declare(pages)
        self._pages.declare_again()
        await self._ports.follow()
        restart = [line for follow in self.followers for line in await follow(before, planned.config)]
        return [*planned.lines(), *restart]
