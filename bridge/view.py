"""Views: what devices that are limited to pages see of the controls and of the surface. Pure.

A view is what stands on its pages, and nothing else: whatever it does not show is, for who has it, as if it did not
exist. Views come from ``[[access]]``, never from a client's wish.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from .access import ALL, Access, Grant
from .allowance import Allowance
from .control import RESERVED
from .store import Change, Delta, Entry, Store
from .suggestion import nearest_path

MAX_VIEWS = 16
"""Each is told in frames of its own."""

MOST_HINTED = 2048
"""Paths that are looked through for "did you mean"."""
HINTS, HINTS_PER_S = 5, 1
"""So often that is done, for all devices together: some ms each, for whoever can name what is not there."""

PageFiles = Mapping[str, Iterable[str]]
"""Paths of the controls that stand on people's own pages, by file."""


class View:
    """What some pages show. It follows the store's surface by itself, whenever it is asked."""

    __slots__ = (
        "_began",
        "_of_files",
        "_pages",
        "_paths",
        "_seen",
        "_store",
        "_surface",
        "_surface_revision",
        "lenses",
    )

    def __init__(self, store: Store, pages: frozenset[str], of_files: frozenset[str] = frozenset()) -> None:
        self._store = store
        self._pages = pages
        self._of_files = of_files  # paths
        self._seen = -1  # the surface's revision when it was looked at
        self._began = store.revision
        self._surface_revision = 0
        self._surface: dict[str, Any] = {}
        self._paths: frozenset[str] = frozenset()
        self.lenses: dict[str, Any] = {}
        """What ``frames`` remembers for those who have it."""

    @property
    def paths(self) -> frozenset[str]:
        """All that it shows, whether there is a control or not."""
        if self._seen != self._store.surface_revision:
            self._look()
        return self._paths

    @property
    def surface(self) -> dict[str, Any]:
        """What browsers draw: its pages, and the banks that hold nothing else."""
        if self._seen != self._store.surface_revision:
            self._look()
        return self._surface

    @property
    def began(self) -> int:
        """The revision from which it shows these paths: who was told less is told everything anew."""
        if self._seen != self._store.surface_revision:
            self._look()
        return self._began

    def find(self, key: str | int) -> Entry | None:
        """The entry at a path or an id, if the view shows it."""
        entry = self._store.find(key)
        return entry if entry is not None and entry.path in self.paths else None

    def nearest(self, path: str) -> str | None:
        """The path that it shows and that looks most like ``path``, for "did you mean"."""
        there = (known for known in self.paths if self._store.find(known) is not None)
        return nearest_path(path, sorted(islice(there, MOST_HINTED)))

    def narrowed(self, delta: Delta, revision: int) -> Delta:
        """Of what has changed since ``revision``, what it shows. For who was told everything since it ``began``."""
        paths = self.paths

        def seen(entries: list[Entry]) -> list[Entry]:
            return [entry for entry in entries if entry.path in paths]

        def seen_triggers(triggers: Iterable[Change]) -> list[Change]:
            return [change for change in triggers if change.entry.path in paths]

        return Delta(
            delta.revision,
            [removed for removed in delta.removed if removed[1] in paths],
            seen(delta.described),
            seen(delta.values),
            seen(delta.holds),
            seen(delta.marks),
            seen_triggers(delta.triggers),
            len(seen_triggers(delta.late)),
            self.surface if self._surface_revision > revision else None,
        )

    def _look(self) -> None:
        wire = self._store.surface or {}
        pages = [page for page in wire.get("pages", ()) if page["name"] in self._pages]
        items = (item["path"] for page in pages for group in page["groups"] for item in group["items"])
        paths = self._of_files | {path for path in items if not path.startswith(f"{RESERVED}/")}
        banks = []
        for bank in wire.get("banks", ()):
            held = {path for strip in bank["strips"] for path in strip}
            if held and held <= paths:  # one that holds more is others' too, and not for this device to turn
                banks.append(bank)
        root = [bank["path"] for bank in banks]
        paths |= {f"{path}{word}" for path in root for word in ("", "/next", "/previous")}
        surface = {"title": wire.get("title", ""), "pages": pages, **({"banks": banks} if banks else {})}
        self._seen = self._store.surface_revision
        if paths != self._paths:
            self._paths, self._began = paths, max(self._began, self._seen)
        if surface != self._surface:
            self._surface, self._surface_revision = surface, self._seen


class Views:
    """All views of one store, as ``[[access]]`` and people's own pages make them."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self.hints = Allowance(HINTS, HINTS_PER_S)
        """How often "did you mean" is looked for."""
        self._accesses: Mapping[str, Access] = {}
        self._files: PageFiles = {}
        self._views: dict[tuple[frozenset[str], frozenset[str]], View] = {}
        self._nothing = View(store, frozenset())

    def hint(self, view: View | None, path: str) -> str:
        """``: did you mean /mixer?`` for who has this view; "" where nothing is like it, or too much was asked."""
        near = (self._store if view is None else view).nearest(path) if self.hints.take(1, self._clock()) else None
        return f": did you mean {near}?" if near else ""

    def configure(self, accesses: Mapping[str, Access], files: PageFiles) -> None:
        """Begin with these, or go on: what means the same as before stays the same view. Ask ``of`` anew for everyone.

        ``accesses`` have at most MAX_VIEWS different sets of pages.
        """
        self._accesses, self._files = accesses, files
        wanted = {self._key(access.pages) for access in accesses.values() if access.pages is not None}
        self._views = {key: self._views.get(key) or View(self._store, *key) for key in wanted}

    def of(self, grant: Grant) -> View | None:
        """What it limits a device to; None: to nothing. An access that there is not any more shows nothing."""
        if not grant.access:
            return None
        access = self._accesses.get(grant.access)
        if access is None:
            return self._nothing
        return None if access.pages is None else self._views[self._key(access.pages)]

    def name_of(self, grant: Grant) -> str:
        """What clients call it."""
        return ALL if self.of(grant) is None else grant.access

    def may_open(self, grant: Grant, file: str) -> bool:
        """True if this file of people's own pages may be shown to it."""
        access = self._accesses.get(grant.access)
        return not grant.access or (access is not None and (access.pages is None or file in access.pages))

    def _key(self, pages: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
        names = frozenset(pages)
        on_files = (path for name in names for path in self._files.get(name, ()))
        return names, frozenset(path for path in on_files if not path.startswith(f"{RESERVED}/"))
