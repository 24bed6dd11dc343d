"""What must be reached (issue "Fast, and proven fast beside the others"), and what was: figures in, verdicts out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Get = Callable[[str, str, str], float]
"""``get(case, adapter, figure)`` → the median; NaN where it was not measured."""


@dataclass(frozen=True)
class Verdict:
    """One target. ``is_met`` is None where it was not measured."""

    case: str
    what: str
    target: str
    found: str
    is_met: bool | None


class Targets:
    """Collects verdicts."""

    def __init__(self, get: Get) -> None:
        self.get = get
        self.verdicts: list[Verdict] = []

    def ratio(self, case: str, figure: str, limit: float, other: str = "floor", what: str = "") -> None:
        """Ours ≤ limit × theirs."""
        ours, theirs = self.get(case, US, figure), self.get(case, other, figure)
        found = ours / theirs if theirs else float("nan")
        self._put(
            case,
            what or NAMES[figure],
            f"≤ {limit:.3g} × {other}" if limit >= 1 else f"≤ 1/{1 / limit:.3g} of {other}",
            f"{found:.2f} × ({ours:.3g} : {theirs:.3g} {UNITS[figure]})",
            None if found != found else found <= limit,
        )

    def most(self, case: str, figure: str, limit: float, plus: str = "", what: str = "") -> None:
        """Ours ≤ limit, or ≤ the other's + limit."""
        ours, theirs = self.get(case, US, figure), self.get(case, plus, figure) if plus else 0.0
        unit = UNITS[figure]
        against = f" ({theirs:.3g})" if plus else ""
        self._put(
            case,
            what or NAMES[figure],
            f"≤ {plus} + {limit:g} {unit}" if plus else f"≤ {limit:g} {unit}".rstrip(),
            f"{ours:.3g} {unit}{against}".strip(),
            None if ours != ours or theirs != theirs else ours <= theirs + limit,
        )

    def _put(self, case: str, what: str, target: str, found: str, is_met: bool | None) -> None:
        self.verdicts.append(Verdict(case, what, target, found, is_met))


US = "stagebridge"
NAMES = {
    "p50": "latency p50",
    "p99": "latency p99",
    "osc p50": "browser → OSC p50",
    "osc p99": "browser → OSC p99",
    "cpu/due": "CPU per update",
    "cpu s": "CPU",
    "cpu/message": "CPU per message",
    "dropped": "datagrams lost",
    "wrong": "values wrong at the end",
    "triggers lost": "triggers lost",
    "share %": "share of a core",
    "kB/browser": "memory per browser",
    "rise": "rise of the others' p99",
    "ready s": "start to ready",
    "MB": "memory",
}
UNITS = {
    "cpu/due": "µs",
    "cpu/message": "µs",
    "cpu s": "s",
    "share %": "%",
    "kB/browser": "kB",
    "ready s": "s",
    "MB": "MB",
}
UNITS |= dict.fromkeys(("p50", "p99", "osc p50", "osc p99", "rise"), "ms")
UNITS |= dict.fromkeys(("dropped", "wrong", "triggers lost"), "")


def verdicts(get: Get) -> list[Verdict]:
    """Every target, in the issue's order."""
    on = Targets(get)
    on.ratio("W1 200/s", "p50", 1.15)
    on.ratio("W1 200/s", "p99", 1.3)
    on.ratio("W1 200/s", "cpu/due", 1.5)
    on.most("W1 1000/s", "p99", 5, "floor", "staleness p99")
    on.ratio("W1 1000/s", "cpu/due", 1.0)
    for rate in ("60/s", "200/s"):
        case = f"W2 {rate}"
        on.ratio(case, "p50", 1.15)
        on.ratio(case, "p99", 1.3)
        on.ratio(case, "osc p50", 1.15)
        on.ratio(case, "osc p99", 1.3)
        on.ratio(case, "cpu/due", 1.5)
    on.most("W2 1000/s", "p99", 5, "floor", "staleness p99")
    on.ratio("W2 1000/s", "osc p99", 1.3)
    on.ratio("W2 1000/s", "cpu/due", 1.0)
    on.ratio("W3 100", "cpu/due", 1.25)
    on.ratio("W3 1000", "cpu/due", 1.25)
    on.ratio("W3 100", "cpu/due", 1 / 8, "flask")
    on.most("W4", "dropped", 0)
    on.most("W4", "wrong", 0)
    on.most("W4", "triggers lost", 0)
    on.most("W4", "p99", 10, what="staleness p99")
    on.ratio("W4", "cpu s", 1 / 5, "naive")
    on.ratio("W4", "cpu s", 1 / 3.5)
    on.ratio("W5 1", "cpu/message", 2.5)
    on.ratio("W5 256", "cpu/message", 2.5)
    on.ratio("W5 4096", "cpu/message", 2.5)
    least, largest = (pick(get(f"W5 {n}", US, "cpu/message") for n in (1, 256, 4096)) for pick in (min, max))
    flat = largest / least if least else float("nan")
    on._put(
        "W5", "flat from 1 to 4,096", "within 15 %", f"{100 * (flat - 1):.0f} %", None if flat != flat else flat <= 1.15
    )
    on.most("W6", "share %", 60)
    on.most("W6", "p99", 80)
    on.most("W6", "kB/browser", 25)
    on.most("W7 1", "rise", 10)
    on.most("W7 200", "rise", 10)
    on.most("W8", "ready s", 0.7)
    on.most("W8", "MB", 70)
    return on.verdicts
