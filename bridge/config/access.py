"""``[[access]]`` tables → what the devices that are let in by them may see and do."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from bridge import resources
from bridge.access import ALL, FILE, Access, is_file
from bridge.view import MAX_VIEWS

from .base import Keys
from .mistakes import Mistakes, did_you_mean, listed, read_model
from .tables import AccessTable

_INSTEAD: dict[str, Any] = {"name": "-"}


class AccessReader:
    """Reads the ``[[access]]`` tables of one file, after its pages.

    ``pages`` are the names of all pages that there can be, None where other mistakes hide some; ``folder`` is that of
    people's own pages, None for the examples.
    """

    def __init__(self, mistakes: Mistakes, pages: Collection[str] | None, folder: Path | None) -> None:
        self._mistakes = mistakes
        self._pages = pages
        self._folder = folder
        self._views: set[frozenset[str]] = set()
        self.accesses: dict[str, Access] = {}

    def read(self, keys: Keys, raw: Any) -> None:
        """Read one table, which stands at ``keys``."""
        if not isinstance(raw, dict):
            self._mistakes.add(keys, "must be a table")
            return
        table, said = read_model(AccessTable, raw, _INSTEAD)
        self._mistakes.add_all(keys, said)
        wrong = {relative[0] for relative, _, _ in said}
        if "name" in wrong:
            return
        if table.name in self.accesses:
            self._mistakes.add((*keys, "name"), "is another entry's name already")
        elif table.name == ALL:
            self._mistakes.add((*keys, "name"), "is what clients call the view of everything")
        pages = table.pages
        if pages is not None and "pages" not in wrong:
            self._check_pages((*keys, "pages"), pages, table.role == "admin")
        self.accesses.setdefault(table.name, Access(table.name, table.role, pages))

    def _check_pages(self, keys: Keys, pages: tuple[str, ...], is_admin: bool) -> None:
        if is_admin:
            self._mistakes.add(keys, "stands beside the role admin, which sees everything", "leave one of them out")
        if not pages:
            self._mistakes.add(keys, "names no page", "without pages it may see all of them")
        for index, name in enumerate(pages):
            if name in pages[:index]:
                self._mistakes.add((*keys, index), "is named twice")
            elif is_file(name):
                self._check_file((*keys, index), name)
            elif self._pages is not None and name not in self._pages:
                hint = did_you_mean(name, self._pages) or (f"there is {listed(self._pages)}" if self._pages else None)
                self._mistakes.add((*keys, index), "no such page", hint)
        self._views.add(frozenset(pages))
        if len(self._views) == MAX_VIEWS + 1:
            self._mistakes.add(keys, f"is one view too many: there may be {MAX_VIEWS} different lists of pages")

    def _check_file(self, keys: Keys, name: str) -> None:
        folder = resources.pages_dir(self._folder)
        try:
            files = {file.relative_to(folder).as_posix() for file in folder.rglob(f"*{FILE}")}
        except OSError:
            files = set()
        if name not in files:
            self._mistakes.add(keys, f"no such page in {folder}", did_you_mean(name, files))
