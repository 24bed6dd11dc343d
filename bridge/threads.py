"""Work that may never end, because a disk does not answer: on threads that nobody has to wait for.

Those of ``asyncio.to_thread`` are waited for at the end of the program.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def begin(work: Callable[[], T], name: str) -> Future[T]:
    """Do it on a thread of its own, which ends with the program at the latest. What comes of it is waited for as long
    as somebody wants to: ``result``, or ``asyncio.wrap_future``."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # from here on who gives up waiting changes nothing for the thread

    def run() -> None:
        try:
            result = work()
        except BaseException as exc:  # noqa: BLE001 - it belongs to who waits, as in concurrent.futures
            future.set_exception(exc)
        else:
            future.set_result(result)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
