"""What systemd is told of a running service: ready, how it is, that its loop turns, that it stops (sd_notify(3)).

Without ``$NOTIFY_SOCKET`` nobody asks, and nothing here does anything. Not here: the unit (``serviceunit``), and that
log lines carry their priority under the journal (``log``).
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""How often the status is looked at; it is sent when it has changed."""
MAX_STATUS = 300
"""Characters of a status: it is one line of ``systemctl status``."""


class Notifier:
    """The way to the service manager, if there is one.

    ``environ`` is what it gave us: NOTIFY_SOCKET, a path or ``@`` and an abstract name; WATCHDOG_USEC, and WATCHDOG_PID
    for whom it is meant.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        name = environ.get("NOTIFY_SOCKET", "")
        self.is_wanted = name.startswith(("/", "@")) and hasattr(socket, "AF_UNIX")
        """Whether somebody waits for what we tell."""
        self.watchdog_s = _watchdog_s(environ) if self.is_wanted else None
        """A loop that is silent for longer is ended and started anew; None: nobody watches."""
        self._address = "\0" + name[1:] if name.startswith("@") else name
        self._due: dict[str, str] = {}  # what is still to be told, by name

    @asynccontextmanager
    async def running(self, status: Callable[[], str]) -> AsyncIterator[None]:
        """READY=1 now, STOPPING=1 at the end; between them WATCHDOG=1 from this event loop, at half the time that
        the manager gives or sooner, and ``status()`` as STATUS= whenever it has changed."""
        if not self.is_wanted:
            yield
            return
        text = _one_line(status())
        self.tell(READY="1", STATUS=text, **self._sign_of_life())
        task = asyncio.create_task(self._keep_telling(status, text), name="systemd")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            self.tell(STOPPING="1", STATUS="stopping")

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """RELOADING=1 now, READY=1 at the end: sd_notify(3), with the time that it wants since systemd 253."""
        self.tell(RELOADING="1", MONOTONIC_USEC=str(time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000))
        try:
            yield
        finally:
            self.tell(READY="1")

    def tell(self, **news: str) -> None:
        """Send this, and what could not be sent before. Does not block; what cannot be sent now is due at the next."""
        if not self.is_wanted:
            return
        self._due |= news
        data = "\n".join(f"{name}={text}" for name, text in self._due.items()).encode()
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)
                sock.sendto(data, self._address)
        except OSError as exc:  # its queue is full; or it is starting anew itself
            log.debug("systemd cannot be told: %s", exc)
        else:
            self._due.clear()

    async def _keep_telling(self, status: Callable[[], str], last: str) -> None:
        period_s = LOOK_S if self.watchdog_s is None else min(LOOK_S, self.watchdog_s / 2)
        while True:
            await asyncio.sleep(period_s)
            text = _one_line(status())
            news = self._sign_of_life() | ({} if text == last else {"STATUS": text})
            last = text
            if news or self._due:
                self.tell(**news)

    def _sign_of_life(self) -> dict[str, str]:
        return {} if self.watchdog_s is None else {"WATCHDOG": "1"}


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    """sd_watchdog_enabled(3)."""
    usec, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not (usec.isascii() and usec.isdecimal() and int(usec)) or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 1e6


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MAX_STATUS else text[: MAX_STATUS - 1] + "…"
