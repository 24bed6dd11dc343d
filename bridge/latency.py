"""How long a move takes through the bridge, from socket to socket, taken from a sample of them. Pure.

Every change carries the time at which its message was read. So for one move at a time two subscribers of the store are
enough, one before all others and one after: what has left in between left ``clock() - change.time`` after that. Between
samples nobody is subscribed, and a move costs nothing more. Browsers are told in passes: the next one that is over says
when (``ws.Hub.on_told``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .histogram import Histogram
from .store import Change, Store

KINDS = ("osc", "midi", "browser")
"""Where a move comes from, and where it goes."""
BROWSER = "browser"


class Latencies:
    """Histograms by (from, to). ``sent()``: messages that left by now, by kind of port. ``told(call)``: have ``call``
    told when the next pass over the browsers is over that began after now; None: no more. ``has_browsers()``."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], float],
        sent: Callable[[], Mapping[str, int]],
        told: Callable[[Callable[[float], None] | None], None],
        has_browsers: Callable[[], bool],
    ) -> None:
        self.histograms = {(come, go): Histogram() for come in KINDS for go in KINDS}
        self._store = store
        self._clock = clock
        self._sent = sent
        self._told = told
        self._has_browsers = has_browsers
        self._before: Mapping[str, int] = {}
        self._leave: tuple[Callable[[], None], ...] = ()
        self._shown: tuple[str, float] | None = None  # a move that browsers are still to be told

    def arm(self) -> None:
        """Measure the next move."""
        if not self._leave:
            self._leave = (
                self._store.subscribe(self._first, is_urgent=True),
                self._store.subscribe(self._last),
            )

    def disarm(self) -> None:
        """Measure nothing more."""
        leave, self._leave = self._leave, ()
        for each in leave:
            each()
        self._shown = None
        self._told(None)

    def _first(self, changes: Sequence[Change]) -> None:
        self._before = self._sent()

    def _last(self, changes: Sequence[Change]) -> None:
        now = self._clock()
        change = changes[0]
        kind = change.origin.kind
        if change.what not in ("value", "trigger") or kind not in KINDS:
            return
        self.disarm()
        for to, count in self._sent().items():
            if count != self._before.get(to):
                self.histograms[kind, to].add(now - change.time)
        if change.entry.is_logged and self._has_browsers():
            self._shown = kind, change.time
            self._told(self._have_told)

    def _have_told(self, began: float) -> None:
        """A pass over the browsers that began then is over."""
        if self._shown is None or began < self._shown[1]:
            return  # under way when the move came: those at its beginning do not know it yet
        kind, time = self._shown
        self._shown = None
        self._told(None)
        self.histograms[kind, BROWSER].add(self._clock() - time)
