"""Who did what: the last changes with time, origin and control, in memory, capped. Pure.

A drag is one record: changes of one control by one origin, each within MERGE_S of the last, are
merged, so that one fader does not push the evening out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .store import Change, Entry, Origin

MAX_RECORDS = 1000
MERGE_S = 1.0
MAX_SHOWN = 100
"""Characters of a text that are kept."""


@dataclass(slots=True)
class Record:
    """One thing that somebody did. ``began`` and ``ended`` are monotonic seconds; ``count`` changes are merged in it.

    ``what`` is "value", "trigger", "touch" or "release"; ``before`` and ``after`` are values, of a trigger the
    arguments of its last firing.
    """

    what: str
    entry: Entry
    origin: Origin
    began: float
    ended: float
    before: Any
    after: Any
    count: int = 1

    @property
    def path(self) -> str:
        return self.entry.path


class History:
    """Subscribe ``note`` to a store."""

    def __init__(self, size: int = MAX_RECORDS) -> None:
        self._records: deque[Record] = deque(maxlen=size)
        self._latest: dict[tuple[Entry, Origin, str], Record] = {}

    def note(self, changes: Sequence[Change]) -> None:
        """A subscriber of the store."""
        for change in changes:
            if change.what == "value":
                if change.entry.control.is_valued:
                    self._note(change, "value", _short(change.previous), _short(change.value))
            elif change.what == "trigger":
                self._note(change, "trigger", None, _short(change.args))
            elif change.what == "hold":
                self._note(change, "touch" if change.origin in change.entry.holders else "release", None, None)

    def __len__(self) -> int:
        return len(self._records)

    def latest(self, limit: int = MAX_RECORDS, path: str | None = None) -> list[Record]:
        """Newest first; of one control where ``path`` is given."""
        found: list[Record] = []
        for record in reversed(self._records):
            if len(found) >= limit:
                break
            if path is None or record.path == path:
                found.append(record)
        return found

    def _note(self, change: Change, what: str, before: Any, after: Any) -> None:
        key = (change.entry, change.origin, what)
        record = self._latest.get(key)
        if record is not None and change.time - record.ended <= MERGE_S:
            record.after, record.ended = after, change.time
            record.count += 1
            return
        if len(self._records) == self._records.maxlen:
            oldest = self._records[0]
            if self._latest.get((oldest.entry, oldest.origin, oldest.what)) is oldest:
                del self._latest[oldest.entry, oldest.origin, oldest.what]  # so the table is no longer than the ring
        record = Record(what, change.entry, change.origin, change.time, change.time, before, after)
        self._records.append(record)
        self._latest[key] = record


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > MAX_SHOWN:
        return value[: MAX_SHOWN - 1] + "…"
    if isinstance(value, tuple):
        return tuple(_short(part) for part in value[:16])
    return value
