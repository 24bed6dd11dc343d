"""Notices that a configuration was saved: the file, or a profile beside it. By looking, a few times a second.

Editors write in several ways: into the file, or another file that takes its name. So what counts is which file is
there, how long it is and when it was written; and that it has been the same for a moment: while it is being written it
is not read. Not here: what is done then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bridge.threads import begin

from .profile import FOLDER as PROFILES

log = logging.getLogger(__name__)

LOOK_S = 0.2
"""Between two looks: it is to be the same in two of them."""

Seen = frozenset[tuple[str, int, int, int]]


async def watch(file: Path, saved: Callable[[], None], look_s: float = LOOK_S) -> None:
    """Call ``saved()`` whenever the file is another one, until cancelled. One that is not there is waited for."""
    known = last = await _look(file)
    while True:
        await asyncio.sleep(look_s)
        seen = await _look(file)
        is_settled, last = seen == last, seen
        if is_settled and seen and seen != known:
            known = seen
            log.info("%s was saved", file)
            saved()


async def _look(file: Path) -> Seen:
    """``look``; on a disk that does not answer as long as that takes."""
    return await asyncio.wrap_future(begin(partial(look, file), "look"))


def look(file: Path) -> Seen:
    """What is there; nothing while the file is not. Blocks on the disk."""
    try:
        found = [file, *(file.parent / PROFILES).rglob("*.toml")]
        stats = [(str(path), path.stat()) for path in found]
    except OSError:
        return frozenset()
    return frozenset((name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
