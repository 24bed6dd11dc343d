"""``learned.toml``: what MIDI learn has bound, from one run to the next.

It has the shape of a configuration, ``[[control]]`` with its ``[[control.midi.NAME]]``, so its lines can be pasted into
one. Of a line that cannot be used it is said why, and it stays in the file. Bindings of controls and devices that are
not there stay, and hold again when those come back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from .config.file import Document, read_file, read_text
from .config.mistakes import explain, where_text
from .config.tomltext import lines
from .errors import ConfigError, Problem
from .learning import MAX_LEARNT, PORT, Learning, Learnt, bindings_toml
from .statefolder import NO_FOLDER, set_aside, write_whole
from .tasks import begin

log = logging.getLogger(__name__)

FILE = "learned.toml"
HEAD = "# What MIDI learn has bound. stagebridge writes this file anew whenever something is learnt or forgotten.\n"

Row = tuple[str, str, Mapping[str, Any], Any]


class LearntFile:
    """Reads what was learnt, and writes it whenever that changes. ``folder`` None: it is kept in memory alone.

    ``binding`` is the model of ``[control.midi.NAME]``.
    """

    def __init__(self, folder: Path | None, learning: Learning, binding: type[BaseModel]) -> None:
        self.path = None if folder is None else folder / FILE
        self._learning = learning
        self._binding = binding
        self._left: dict[str, Any] = {}  # what in the file is not ours to understand
        self._is_broken = False
        self._is_dirty = False
        self._is_ending = False
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Read the file; write what changes until the block ends."""
        if self.path is not None:
            self._learning.restore(await asyncio.to_thread(self._read, self.path))
        unsubscribe = self._learning.subscribe(self._told)
        task = begin(self._keep(), FILE)
        try:
            yield
        finally:
            unsubscribe()
            self._is_ending = True
            self._changed.set()
            await task

    def _told(self, learnt: Learnt | None) -> None:
        if learnt is not None:
            self._is_dirty = True
            self._changed.set()

    async def _keep(self) -> None:
        while self._is_dirty or not self._is_ending:
            await self._changed.wait()
            self._changed.clear()
            if self._is_dirty:
                self._is_dirty = False
                self._say(await self._write())

    async def _write(self) -> str:
        """Why it could not be written; "" where it was."""
        if self.path is None:
            return NO_FOLDER
        text = "\n".join(
            [HEAD, *_left_text(self._left), bindings_toml((one.path, one.peer, one.table) for one in self._learning)]
        )
        try:
            await asyncio.to_thread(self._replace, self.path, text)
        except OSError as exc:
            return f"{self.path} cannot be written: {exc.strerror or exc}"
        return ""

    def _say(self, trouble: str) -> None:
        if trouble and trouble != self._learning.trouble:
            log.warning("what is learnt is forgotten when stagebridge ends: %s", trouble)
        self._learning.is_not_kept(trouble)

    # On a thread

    def _read(self, path: Path) -> list[Row]:
        try:
            if not path.exists():
                return []
            document = read_text(read_file(path), str(path))
        except (ConfigError, OSError) as exc:
            self._is_broken = True
            why = exc.problems[0].render(str(path)) if isinstance(exc, ConfigError) else exc
            log.warning("%s; the file is left as it is, and set aside when something is learnt", why)
            return []
        rows, problems, self._left = read_rows(document, self._binding)
        for problem in problems:
            log.warning("%s: skipped", problem.render(document.name))
        return rows

    def _replace(self, path: Path, text: str) -> None:
        if self._is_broken:
            log.warning("%s is %s now", path, set_aside(path).name)
            self._is_broken = False
        write_whole(path, text)


def read_rows(document: Document, model: type[BaseModel]) -> tuple[list[Row], list[Problem], dict[str, Any]]:
    """The bindings of a file, what is wrong in it, and all that is no binding that can be used, as data."""
    rows: list[Row] = []
    problems: list[Problem] = []
    left: dict[str, Any] = {key: value for key, value in document.data.items() if key != "control"}

    def report(keys: Sequence[str | int], message: str) -> None:
        problems.append(Problem(where_text(tuple(keys)), message, document.line(tuple(keys))))

    for key in left:
        report((key,), "is no key of this file")
    controls = document.data.get("control", [])
    if not isinstance(controls, list):
        left["control"] = controls
        report(("control",), "must be tables: write [[control]]")
        return rows, problems, left
    for index, control in enumerate(controls):
        rest = _read_control(index, control, model, rows, report)
        if rest is not None:
            left.setdefault("control", []).append(rest)
    return rows, problems, left


def _read_control(index: int, control: Any, model: type[BaseModel], rows: list[Row], report: Any) -> Any:
    """Append the bindings of one ``[[control]]`` to ``rows``; what of it cannot be used, None where all can."""
    at: tuple[str | int, ...] = ("control", index)
    path = control.get("path") if isinstance(control, dict) else None
    if not isinstance(path, str):
        report(at, "has no path")
        return control
    peers = control.get(PORT, {})
    rest = {key: value for key, value in control.items() if key not in ("path", PORT)}
    for key in rest:
        report((*at, key), f"only {PORT} bindings are learnt")
    if not isinstance(peers, dict):
        report((*at, PORT), "must be a table")
        return control
    for peer, tables in peers.items():
        is_list = isinstance(tables, list)
        for number, table in enumerate(tables if is_list else [tables]):
            where = (*at, PORT, peer, *([number] if is_list else []))
            try:
                if not isinstance(table, dict):
                    raise TypeError
                binding = model.model_validate(table)
            except TypeError:
                report(where, "must be a table")
            except ValidationError as exc:
                for keys, message, *_ in explain(model, table, exc):
                    report((*where, *keys), message)
            else:
                if len(rows) < MAX_LEARNT:
                    rows.append((peer, path, table, binding))
                    continue
                report(where, f"is more than {MAX_LEARNT} bindings")
            rest.setdefault(PORT, {}).setdefault(peer, []).append(table)
    return {"path": path, **rest} if rest else None


def _left_text(left: Mapping[str, Any]) -> list[str]:
    """What could not be used, as TOML that says the same."""
    controls = left.get("control", [])
    if not isinstance(controls, list) or not all(isinstance(one, dict) for one in controls):
        return [*lines(left), ""]
    text = lines({key: value for key, value in left.items() if key != "control"})
    for control in controls:
        text += ["[[control]]", *lines(control), ""]
    return text
