"""One who speaks from where no target is, in virtual time: what it may be is silent, or goes on."""

import heapq
import itertools
from collections.abc import Callable, Iterable
from math import pi, sin
from random import Random

import pytest

from bridge.echo import EchoBook, EchoRules
from bridge.unlisted import Unlisted

RULES = EchoRules(lambda value: (value,), tolerance=0.01)
FRAME_S = 1 / 60
SPEAKER = "speaker"


class Wire:
    """One control 0…1, its targets, and one who speaks from elsewhere: ``noise`` not None, and it is the targets'
    mouth, which says ``delay_s`` late and that much off what they were sent."""

    def __init__(self, noise: float | None = None, delay_s: float = 0.03, targets: int = 1) -> None:
        self.value = 0.4
        self.applied: list[float] = []
        """When something was applied that the speaker said."""
        self.spoke_at = 0.0
        self.unlisted: Unlisted[str] = Unlisted()
        self.now = 0.0
        self._books: list[EchoBook[str]] = [EchoBook() for _ in range(targets)]
        self._noise = noise
        self._delay_s = delay_s
        self._rng = Random(1)
        self._order = itertools.count()
        self._coming: list[tuple[float, int, Callable[[], None]]] = []
        self._send("a screen")

    def says(self, values: Iterable[float], beat_s: float = FRAME_S) -> list[float]:
        """A hand or a sensor there; returns when each was applied, once all is quiet."""
        for number, value in enumerate(values):
            self._at(self.now + number * beat_s, lambda value=value: self._hear(value))  # type: ignore[misc]
        while self._coming:
            self.now, _, happens = heapq.heappop(self._coming)
            happens()
        return self.applied

    def _at(self, at: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._coming, (at, next(self._order), happens))

    def _hear(self, value: float) -> None:
        self.spoke_at = self.now
        if self.unlisted.hear("/x", SPEAKER, self._books, (value,), value == self.value, self.now, None) == "apply":
            answers = self.unlisted.answers("/x", SPEAKER, self._books, self.now)
            self.value = value
            self.applied.append(self.now)
            self._send(SPEAKER, answers=answers)
        self._settle_later()

    def _send(self, mover: str, is_settling: bool = False, answers: int = 0) -> None:
        for book in self._books:
            self._tell(book, mover, is_settling, answers)

    def _tell(self, book: EchoBook[str], mover: str = "", is_settling: bool = True, answers: int = 0) -> None:
        book.sent("/x", RULES, self.value, self.now, is_settling, answers, mover)
        if self._noise is not None:
            echo = self.value + self._rng.uniform(-self._noise, self._noise)
            self._at(self.now + self._delay_s, lambda: self._hear(echo))

    def _settle_later(self) -> None:
        for book in self._books:
            if (due_at := book.next_due) is not None:
                self._at(due_at, self._settle)

    def _settle(self) -> None:
        for book in self._books:
            for _, settlement in book.settle(self.now):
                if settlement.adopt is not None and settlement.adopt[0] != self.value:
                    self.value = settlement.adopt[0]
                    self._send("a target", is_settling=True)
                else:
                    self._tell(book)
        self._settle_later()


@pytest.mark.parametrize("delay_s", [0.001, 0.03, 0.1, 0.2])
@pytest.mark.parametrize("targets", [1, 2])
def test_noise_that_comes_back_as_moves_is_soon_cut(delay_s: float, targets: int) -> None:
    wire = Wire(0.002, delay_s, targets)
    assert len(wire.says([0.5])) <= 60
    assert wire.unlisted.loops == 1
    assert wire.spoke_at < 60 * delay_s + 5  # and a few times it is told what holds
    assert wire.value == pytest.approx(0.5, abs=0.02)


def test_noise_after_a_drag_is_cut_too() -> None:
    wire = Wire(0.002)
    drag = [0.2 + number / 300 for number in range(120)]
    applied = wire.says(drag)
    assert max(later - sooner for sooner, later in itertools.pairwise(applied)) < 0.3
    assert wire.spoke_at < 2 + 5
    assert wire.value == pytest.approx(drag[-1], abs=0.05)


rng = Random(2)
HANDS = {
    "a slow drag": [0.2 + number / 1200 for number in range(600)],
    "a trembling drag": [0.2 + number / 1200 + rng.uniform(-0.001, 0.001) for number in range(600)],
    "a slow wave": [0.5 + 0.005 * sin(2 * pi * number / 61.7) for number in range(600)],
    "a noisy sensor": [0.5 + rng.uniform(-0.003, 0.003) for _ in range(3000)],
}


@pytest.mark.parametrize("hand", HANDS)
def test_who_goes_on_unprompted_is_no_loop(hand: str) -> None:
    wire = Wire()
    applied = wire.says(HANDS[hand])
    assert len(applied) > 0.9 * len(HANDS[hand])
    assert max(later - sooner for sooner, later in itertools.pairwise(applied)) < 0.3  # to find that out, once
    assert wire.value == pytest.approx(HANDS[hand][-1], abs=0.002)


def test_a_press_that_comes_back_right_after_its_release_is_none() -> None:
    book: EchoBook[str] = EchoBook()
    rules = EchoRules(lambda value: (value,), is_counted=True)
    unlisted: Unlisted[str] = Unlisted()

    def hears(value: bool, now: float) -> str:
        verdict = unlisted.hear("/hit", SPEAKER, [book], (value,), False, now, not value)
        book.sent("/hit", rules, value, now, mover=SPEAKER)
        return verdict

    book.sent("/hit", rules, False, -1.0)
    assert hears(True, 0.0) == "apply"
    assert hears(False, 0.05) == "apply"
    assert hears(True, 0.1) == "remembered"
    assert hears(False, 0.11) == "apply"
    assert hears(True, 0.2) == "apply"  # a hand is not so fast
