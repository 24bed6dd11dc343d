"""The controls that the files of people's own pages declare, in the store: before any browser has come.

What in a page means a control is in ``pages``; what a browser declares itself, in ``declaring``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, MutableMapping
from pathlib import Path

from . import resources
from .control import Control
from .errors import ControlError
from .pages import declared_controls, read_pages
from .store import Store

log = logging.getLogger(__name__)

Read = list[tuple[str, int, list[Control]]]
"""Of each page: its name, the hash of its text, and what it declares."""


class PageControls:
    """The configuration beats every page, and the first page to name a path beats the others.

    ``unclaimed``: paths that pages have declared in an earlier run, and none in this one. ``page_of``: empty; by the
    path of each control that files describe, the page that it follows.
    """

    def __init__(
        self,
        store: Store,
        unclaimed: MutableMapping[str, None],
        page_of: MutableMapping[str, str],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._unclaimed = unclaimed
        self._clock = clock
        self._page_of = page_of
        self._seen: dict[str, int] = {}  # page → hash of its text when its inputs were read
        self._declared: dict[str, list[Control]] = {}

    def declare(self, read: Read) -> None:
        """There are these pages."""
        for page, text, controls in read:
            self._seen[page] = text
            self._declare(page, controls)

    def of(self, path: str) -> Control | None:
        """What a page makes of a path, whoever has it now."""
        found = ((page, one) for page, controls in self._declared.items() for one in controls if one.path == path)
        page, control = next(found, ("", None))
        if control is not None:
            self._page_of[path] = page
        return control

    def forget(self) -> None:
        """There are other pages. What these have declared stays: who has one open moves it."""
        self._seen.clear()
        self._declared.clear()

    def declare_again(self) -> None:
        """Paths may be free that the configuration had."""
        for page, controls in self._declared.items():
            self._declare(page, controls)

    async def edited(self, page: str, html: str) -> None:
        """A page is served for the first time, or another one than before."""
        page, text = page or "index.html", hash(html)
        if self._seen.get(page) == text:
            return  # as it was read at start
        self._seen[page] = text
        self._declare(page, await asyncio.to_thread(declared_controls, html, page))

    def _declare(self, page: str, controls: list[Control]) -> None:
        now = self._clock()
        self._declared[page] = controls
        for control in controls:
            entry = self._store.find(control.path)
            if control.path in self._unclaimed:
                del self._unclaimed[control.path]
                self._page_of[control.path] = page
            if entry is None:
                self._page_of[control.path] = page
                try:
                    self._store.add(control, now=now)
                except ControlError as exc:
                    log.warning("%s: %s", page, exc)
            elif self._page_of.get(control.path) == page and entry.control.owner == "page":
                self._store.describe(entry, control, now=now)


def read(folder: Path | None) -> Read:
    """People's own pages in this folder; None: the examples. Blocks on the disk."""
    pages = read_pages(resources.pages_dir(folder))
    return [(page, hash(html), declared_controls(html, page)) for page, html in pages]
