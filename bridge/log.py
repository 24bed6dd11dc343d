"""Logging: how a line looks, and how many of them the network can cause.

`set_up` is called by the command line only; used as a library, stagebridge logs to the loggers below `bridge` and
configures nothing. `OncePer` is for whatever a peer or a browser can make happen as often as it likes.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import TextIO

LEVELS = ("debug", "info", "warning", "error")

MAX_CAUSES = 256
"""Causes that one OncePer remembers; the one that was silent longest leaves."""
BURST_LINES = 20
"""New causes that may be logged at once: somebody can make up a new one for every datagram."""
LINES_PER_S = 0.2
MAX_LINE = 1000
"""Characters of one line: it may quote what came over the network."""
AGAIN_S = 600.0
"""A cause that goes on is named again after this time, with the number since."""


def set_up(level: str = "info", stream: TextIO | None = None) -> None:
    """Log to ``stream`` (stderr) from ``level`` (one of LEVELS) on; replaces what was set up before.

    Under systemd's journal, which stamps lines itself, lines begin with their priority instead of the time.
    """
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_JournalFormatter() if _is_journal(stream) else _LineFormatter())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)  # libraries: what an operator must know
    logging.getLogger("bridge").setLevel(level.upper())


class OncePer:
    """Logs once per cause, counts the rest, and stays bounded whatever arrives.

    A cause is any hashable key, such as ``("unknown address", "192.168.1.20", "/cutof")``. It is logged the first
    time, and once every ``again_s`` while it goes on. Over all causes at most BURST_LINES lines at once and then
    LINES_PER_S are written; the next line after that says how many were left out.
    """

    def __init__(self, log: logging.Logger, again_s: float = AGAIN_S) -> None:
        self.total = 0
        """Everything that was reported, logged or not."""
        self._log = log
        self._again_s = again_s
        self._causes: OrderedDict[Hashable, list[float]] = OrderedDict()  # cause → [when it was logged, times since]
        self._lines = float(BURST_LINES)
        self._refilled = 0.0
        self._left_out = 0

    def warning(self, cause: Hashable, text: str, *args: object, now: float | None = None) -> bool:
        """Log ``text % args`` at WARNING unless this cause was logged already; whether it was. ``now``: monotonic s."""
        return self.log(logging.WARNING, cause, text, *args, now=now)

    def info(self, cause: Hashable, text: str, *args: object, now: float | None = None) -> bool:
        """As ``warning``, at INFO."""
        return self.log(logging.INFO, cause, text, *args, now=now)

    def log(self, level: int, cause: Hashable, text: str, *args: object, now: float | None = None) -> bool:
        """As ``warning``, at any level."""
        self.total += 1
        now = time.monotonic() if now is None else now
        known = self._causes.get(cause)
        if known is not None:
            self._causes.move_to_end(cause)
            if now - known[0] < self._again_s:
                known[1] += 1
                return False
        if not self._may_write(now):
            self._left_out += 1
            return False
        tail = f" ({known[1]:,.0f} more since the last line)" if known is not None and known[1] else ""
        tail += self._tail()
        self._causes[cause] = [now, 0]
        if len(self._causes) > MAX_CAUSES:
            self._causes.popitem(last=False)
        self._log.log(level, text + tail.replace("%", "%%"), *args, stacklevel=3)
        return True

    def each(self, text: str, *args: object, now: float | None = None) -> bool:
        """Log at INFO what is worth a line each time that it happens (a peer goes, comes back), as long as there are
        lines left: one that comes and goes without end is counted with the rest."""
        self.total += 1
        if not self._may_write(time.monotonic() if now is None else now):
            self._left_out += 1
            return False
        self._log.info(text + self._tail().replace("%", "%%"), *args, stacklevel=2)
        return True

    def forget(self, cause: Hashable) -> None:
        """The cause is over: the next time is worth a line again."""
        self._causes.pop(cause, None)

    def _tail(self) -> str:
        left_out, self._left_out = self._left_out, 0
        return f" (and {left_out:,} other messages that were not logged)" if left_out else ""

    def _may_write(self, now: float) -> bool:
        self._lines = min(BURST_LINES, self._lines + max(0.0, now - self._refilled) * LINES_PER_S)
        self._refilled = now
        if self._lines < 1:
            return False
        self._lines -= 1
        return True


class _Formatter(logging.Formatter):
    """A message is one line, however somebody on the network has called himself; a traceback below it has its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        text = record.message if len(record.message) <= MAX_LINE else record.message[:MAX_LINE] + "…"
        record.message = printable(text).replace("\n", "\\x0a")
        return super().formatMessage(record)


class _LineFormatter(_Formatter):
    """``20:15:03 osc max: connected``, ``20:15:03 warning: …``; at DEBUG with the module that speaks."""

    default_time_format = "%H:%M:%S"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(kind)s%(message)s", datefmt="%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        if record.levelno == logging.INFO:
            record.kind = ""
        elif record.levelno < logging.INFO:
            record.kind = f"{record.levelname.lower()} [{record.name.removeprefix('bridge.')}]: "
        else:
            record.kind = f"{record.levelname.lower()}: "
        return printable(super().format(record))


class _JournalFormatter(_Formatter):
    """``<4>osc max: …``: sd-daemon(3), "LOGGING"; the journal adds time, unit and colour."""

    _PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))

    def format(self, record: logging.LogRecord) -> str:
        priority = next((number for level, number in self._PRIORITIES if record.levelno >= level), 7)
        return _marked(printable(super().format(record)), priority)


def error_text(text: str, stream: TextIO) -> str:
    """``text`` for ``stream``, fit to be printed there: under the journal, as an error."""
    text = printable(text)
    return _marked(text, 3) if _is_journal(stream) else text


def _marked(text: str, priority: int) -> str:
    return "\n".join(f"<{priority}>{line}" for line in text.splitlines())


def printable(text: str) -> str:
    """``text`` without control characters but line ends and tabs: what a peer sent must not drive a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)


def _is_journal(stream: TextIO) -> bool:
    """Whether ``stream`` is what systemd connected to the journal (systemd.exec(5), "$JOURNAL_STREAM")."""
    try:
        device, inode = map(int, os.environ.get("JOURNAL_STREAM", "").split(":"))
        stat = os.fstat(stream.fileno())
    except (ValueError, OSError):
        return False
    return (stat.st_dev, stat.st_ino) == (device, inode)
