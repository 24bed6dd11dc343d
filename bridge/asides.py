"""What one browser is told beside the controls: the monitor's lines, what is being learnt, rows of metrics. Pure.

It is asked for (``subscribe``) and droppable: no revision, no ack. Not here: who may ask (``session``), when it is told
(``ws``).
"""

from __future__ import annotations

from collections.abc import Callable

from . import frames as out
from . import messages as msg
from .errors import OscError, ProtocolError
from .learning import Learning
from .metrics import Metrics
from .monitor import MAX_WATCHERS, Monitor, Watcher

_NOTHING = msg.Subscribe(what=[])


class Asides:
    """What the browser ``client`` has asked for, and what of it waits."""

    __slots__ = ("_client", "_learning", "_learning_told", "_learns", "_metrics", "_metrics_told", "_monitor", "_wake",
                 "watch")  # fmt: skip

    def __init__(
        self, client: str, monitor: Monitor, learning: Learning, metrics: Metrics, wake: Callable[[], None]
    ) -> None:
        """``wake`` is called when something begins to wait."""
        self.watch: Watcher | None = None
        """Its view of the monitor."""
        self._client = client
        self._monitor, self._learning, self._metrics, self._wake = monitor, learning, metrics, wake
        self._learns = False
        self._learning_told = -1
        self._metrics_told: int | None = None  # number of the last row; None: it has not asked

    def subscribe(self, message: msg.Subscribe) -> None:
        """From now on it is told this, and nothing else. Raises ProtocolError, with the rest of it done."""
        self._watch_metrics("metrics" in message.what)
        if "learn" in message.what:
            self._learns, self._learning_told = True, -1
            self._wake()
        else:
            self._learns = False
            self._learning.disarm(self._client)
        watch, looks = self.watch, "monitor" in message.what
        if watch is not None and looks and (watch.peer, watch.address) == (message.peer, message.address):
            return  # what waits for it, waits on
        if watch is not None:
            self._monitor.unwatch(watch)
            self.watch = None
        if not looks:
            return
        try:
            self.watch = self._monitor.watch(message.peer, message.address, self._wake)
        except OscError as exc:
            raise ProtocolError("bad_value", f"{message.address} is no pattern: {exc.reason}") from exc
        if self.watch is None:
            raise ProtocolError("too_many", f"{MAX_WATCHERS} monitors are open already")

    def unsubscribe(self) -> None:
        """It is told nothing more, and what waits for its hand waits no more."""
        self.subscribe(_NOTHING)

    @property
    def is_empty(self) -> bool:
        """True if nothing waits."""
        told = self._metrics_told
        is_told = not self._learns or self._learning_told == self._learning.revision
        is_told = is_told and (told is None or told == self._metrics.number)
        return is_told and (self.watch is None or self.watch.is_empty)

    def poll(self) -> bytes | None:
        """One frame of what waits: the latest ``learning``, rows of ``metrics`` or some lines for the ``monitor``. Ask
        again until it ``is_empty``."""
        if self._learns and self._learning_told != (revision := self._learning.revision):
            self._learning_told = revision
            return out.learning(self._learning)
        if (told := self._metrics_told) is not None and told != self._metrics.number:
            self._metrics_told = self._metrics.number
            return out.metrics(self._metrics, told)
        return None if self.watch is None or self.watch.is_empty else out.monitor(self.watch)

    def _watch_metrics(self, is_wanted: bool) -> None:
        if is_wanted == (self._metrics_told is not None):
            return
        self._metrics_told = 0 if is_wanted else None
        self._metrics.watchers += 1 if is_wanted else -1
        self._wake()
