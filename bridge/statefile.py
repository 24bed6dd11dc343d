"""One SQLite file with what is kept of each control. All of it blocks: it is called on one thread of its own.

Here: how the file is opened, checked, read and written, and what is wrong with it in a person's words. Not here: what
is kept (``saved``), and when (``persist``).
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from .errors import StateError
from .saved import Row
from .statefolder import set_aside

SCHEMA = 1
OURS = 0x53744272
"""SQLite's application_id, "StBr": a file of somebody else is never touched."""
BUSY_S = 0.2
"""How long whoever reads the file at this moment is waited for."""
PAGES_KEPT = 400
"""The log is written back into the file when it has so many pages of 4 kB."""

_MAKE = f"""
PRAGMA application_id = {OURS};
PRAGMA user_version = {SCHEMA};
CREATE TABLE IF NOT EXISTS control (path TEXT PRIMARY KEY, value TEXT, described TEXT) WITHOUT ROWID;
"""
_PUT = """
INSERT OR REPLACE INTO control
SELECT key, json_extract(json_each.value, '$[0]'), json_extract(json_each.value, '$[1]') FROM json_each(?)
"""  # one statement for all: Python's lock is free meanwhile
_DROP = "DELETE FROM control WHERE path IN (SELECT json_each.value FROM json_each(?))"


class StateFile:
    """The file while it is open. Every method raises StateError, and closes the file then."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db: sqlite3.Connection | None = None
        self._inode = (0, 0)
        self.aside: Path | None = None
        """What a broken file was called when it was last set aside."""

    def open(self) -> dict[str, Row]:
        """Open it for writing, and read it. A broken one is set aside. What can be read is in the StateError too."""
        self._let_go()
        try:
            try:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                return self._open()
            except _Broken as exc:
                self._let_go()
                try:
                    self.aside = set_aside(self.path, "-wal", "-shm")
                except OSError as refused:
                    why = f"is broken ({exc}) and cannot be set aside: {refused.strerror}"
                    raise StateError(f"{self.path} {why}") from exc
                return self._open()
        except (sqlite3.Error, OSError, ValueError, _Broken) as exc:
            self._let_go()
            raise StateError(f"{self.path} {explained(exc)}", self._read_only()) from exc
        except StateError:
            self._let_go()
            raise

    def write(self, rows: Mapping[str, Row]) -> None:
        """Put these rows, all or none, on the disk; what has neither value nor description goes."""
        put = {path: row for path, row in rows.items() if row != (None, None)}
        try:
            if self._db is None or self._file() != self._inode:
                raise StateError(f"{self.path} is not there any more")
            self._db.execute("BEGIN IMMEDIATE")
            if put:
                self._db.execute(_PUT, (msgspec.json.encode(put).decode(),))
            if len(put) < len(rows):
                self._db.execute(_DROP, (msgspec.json.encode([path for path in rows if path not in put]).decode(),))
            self._db.execute("COMMIT")
        except (sqlite3.Error, OSError) as exc:
            self._let_go()
            raise StateError(f"{self.path} {explained(exc)}") from exc
        except StateError:
            self._let_go()
            raise

    def open_again(self, rows: Mapping[str, Row]) -> None:
        """Open it, whatever it is now, and write what of ``rows`` is not in it."""
        known = self.open()
        self.write({path: row for path, row in rows.items() if known.get(path, Row()) != row})

    def take_over(self, rows: Mapping[str, Row]) -> None:
        """Open it, and have it hold these rows and no other."""
        known = self.open()
        self.write({**dict.fromkeys(known, Row()), **rows})

    def close(self) -> None:
        """Nothing of it is left open; never raises."""
        self._let_go()

    def _open(self) -> dict[str, Row]:
        # The locks of the system keep a second daemon away, and they go with the process that has them, however it
        # ends. Exclusive: no second file that is shared memory, which not every disk can do.
        db = self._db = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)
        try:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._check(db)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute(f"PRAGMA wal_autocheckpoint = {PAGES_KEPT}")
            db.execute("BEGIN IMMEDIATE")  # a disk that takes nothing says so now
            for statement in _MAKE.strip().splitlines():
                db.execute(statement)
            db.execute("COMMIT")
            found = _rows(db)
        except sqlite3.DatabaseError as exc:
            if _code(exc) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise _Broken(str(exc)) from exc
            raise
        self._inode = self._file()
        return found

    def _check(self, db: sqlite3.Connection) -> None:
        ((version,),) = db.execute("PRAGMA user_version")
        ((mark,),) = db.execute("PRAGMA application_id")
        ((tables,),) = db.execute("SELECT count(*) FROM sqlite_schema")
        if tables and mark != OURS:
            raise StateError(f"{self.path} is not stagebridge's: it is left alone")
        if version > SCHEMA:
            raise StateError(f"{self.path} is of a newer stagebridge: it is left as it is")
        ((said,),) = db.execute("PRAGMA quick_check(1)")
        if said != "ok":
            raise _Broken(said)

    def _read_only(self) -> dict[str, Row]:
        """What a file says that cannot be opened for writing; nothing where it cannot be read either."""
        for how in ("mode=ro", "immutable=1"):  # the second where the disk is read-only, and there is no log
            with contextlib.suppress(sqlite3.Error, OSError, ValueError, _Broken, StateError):
                db = sqlite3.connect(f"{self.path.absolute().as_uri()}?{how}", uri=True, timeout=0)
                with contextlib.closing(db):
                    self._check(db)
                    return _rows(db)
        return {}

    def _file(self) -> tuple[int, int]:
        found = self.path.stat()
        return found.st_dev, found.st_ino

    def _let_go(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(sqlite3.Error):
                db.close()  # what was begun and not committed never was


class _Broken(Exception):
    """The file is not what SQLite has written."""


def explained(exc: Exception) -> str:
    """What is wrong, in a person's words, after the file's name."""
    if isinstance(exc, FileNotFoundError):
        return "is not there any more"
    if isinstance(exc, OSError):
        return f"cannot be used: {exc.strerror or exc}"
    known = {
        sqlite3.SQLITE_FULL: "cannot be written: the disk is full",
        sqlite3.SQLITE_READONLY: "cannot be written: it is read-only",
        sqlite3.SQLITE_IOERR: f"cannot be written: the disk fails ({exc})",
        sqlite3.SQLITE_BUSY: "is open in another program: a second stagebridge?",
        sqlite3.SQLITE_CANTOPEN: "cannot be opened or made there",
        sqlite3.SQLITE_CORRUPT: f"is broken ({exc})",
    }
    return known.get(_code(exc), f"cannot be used: {exc}")


def _code(exc: Exception) -> int:
    return int(getattr(exc, "sqlite_errorcode", 0)) & 0xFF  # the rest of it says which step it was


def _rows(db: sqlite3.Connection) -> dict[str, Row]:
    found: Iterable[tuple[str, str | None, str | None]] = db.execute("SELECT path, value, described FROM control")
    return {path: Row(value, described) for path, value, described in found}
