"""Virtual time: what is to happen when, in order; nothing waits for real."""

import heapq
import itertools
from collections.abc import Callable


class Alarm:
    """Something that will happen, unless it is cancelled."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class Clock:
    """Seconds since the show began, and what is to come. Of two things at one time the first asked for is first."""

    def __init__(self) -> None:
        self.now = 0.0
        self.happened = 0
        self._order = itertools.count()
        self._coming: list[tuple[float, int, Alarm]] = []

    def call_later(self, delay_s: float, call: Callable[[], None]) -> Alarm:
        return self.call_at(self.now + delay_s, call)

    def call_at(self, at: float, call: Callable[[], None]) -> Alarm:
        alarm = Alarm(call)
        heapq.heappush(self._coming, (max(at, self.now), next(self._order), alarm))
        return alarm

    def step(self, end: float) -> bool:
        """Let the next thing happen; False if nothing does until then."""
        if not self._coming or self._coming[0][0] > end:
            return False
        at, _, alarm = heapq.heappop(self._coming)
        self.now = max(self.now, at)
        if alarm.call is not None:
            self.happened += 1
            alarm.call()
        return True

    def run_until(self, end: float, most: int = 100_000) -> None:
        """Let everything happen until then. Raises AssertionError after ``most`` events: they answer each other."""
        for _ in range(most):
            if not self.step(end):
                self.now = max(self.now, end)
                return
        raise AssertionError(f"{most} events until {self.now:.3f} s and no end: something answers itself")
