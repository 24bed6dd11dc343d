"""Figures of many runs → medians, one table for the terminal, docs/benchmarks.md with plots."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from . import machine, plot
from .targets import Verdict, verdicts
from .workloads import CASES, Figures

COLUMNS = {
    "W1": ["p50", "p99", "max", "cpu/due", "cpu/arrived", "dropped", "wrong"],
    "W2": ["osc p50", "osc p99", "osc max", "p50", "p99", "max", "cpu/due", "cpu/arrived", "wrong"],
    "W3": ["last", "p50", "p99", "cpu/due", "cpu/arrived", "wrong"],
    "W4": ["p50", "p99", "max", "cpu s", "due", "arrived", "dropped", "wrong", "triggers lost"],
    "W5": ["cpu/message", "per cpu s", "dropped"],
    "W6": ["p50", "p99", "max", "share %", "kB/browser", "dropped", "wrong", "gone"],
    "W7": ["p99 alone", "p99", "rise", "max", "joined ms", "gone"],
    "W8": ["ready s", "cpu s", "MB"],
}
WHAT = {
    "W1": "Follow: OSC → 10 browsers. Latency in ms; CPU of the server in µs, per update that was due and per value "
    "that arrived (fewer where values were merged or lost).",
    "W2": "Touch: one browser drags → OSC, and 9 other browsers. Latency in ms to OSC and to the others.",
    "W3": "Fan-out: one change → 1, 10, 100, 1,000 browsers. `last`: ms until the last browser has it.",
    "W4": "Flood: 64 controls × 250/s for 5 s → 10 browsers, 20 triggers a second between them. Staleness in ms.",
    "W5": "Ingest: OSC as fast as it is taken, no browser. CPU in µs per message; messages per CPU second.",
    "W6": "Audience: 1,000 browsers, 8 controls × 60/s, 50 of the browsers moving a control of their own at 10/s.",
    "W7": "Join: 20 browsers, 100 controls, 200 changes/s; one after the other joins, or 200 at once, every second.",
    "W8": "Start to ready in s, CPU s until then, resident memory in MB; 500 controls.",
}


class Results:
    """All figures of all runs, and how loaded the machine was."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, list[Figures]]] = defaultdict(lambda: defaultdict(list))
        self.load = 0.0
        self.others = 0.0
        """Share of one core that others used before the first run."""
        self.left_out: dict[str, str] = {}

    def add(self, case: str, adapter: str, figures: Figures) -> None:
        self.runs[case][adapter].append(figures)

    def leave_out(self, title: str, why: str) -> None:
        self.left_out[title] = why

    def note_machine(self, load: float, others: float) -> None:
        self.load, self.others = load, others

    @property
    def is_loud(self) -> bool:
        return self.load > machine.LOUD

    @property
    def warning(self) -> str:
        return (
            f"others use this machine: load {self.load:.1f} before the first run, {self.others:.1f} cores busy. "
            "Latencies are theirs as well as ours; ratios within the run mean more, and CPU most."
        )

    def median(self, case: str, adapter: str, figure: str) -> float:
        """NaN where it was not measured."""
        values = [run[figure] for run in self.runs.get(case, {}).get(adapter, []) if figure in run]
        return statistics.median(values) if values else float("nan")

    @property
    def rounds(self) -> int:
        return max((len(runs) for adapters in self.runs.values() for runs in adapters.values()), default=0)

    def to_json(self) -> dict[str, Any]:
        return {"load": self.load, "others": self.others, "runs": self.runs}

    def read(self, data: dict[str, Any]) -> None:
        for case, adapters in data["runs"].items():
            for adapter, runs in adapters.items():
                self.runs[case][adapter] += runs


def _text(value: float) -> str:
    if value != value:
        return "–"
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _rows(results: Results, workload: str, titles: dict[str, str]) -> list[list[str]]:
    columns = COLUMNS[workload]
    rows = [["case", "server", *columns]]
    for case in CASES:
        if case.key.split()[0] != workload:
            continue
        for adapter in results.runs.get(case.key, {}):
            figures = [_text(results.median(case.key, adapter, column)) for column in columns]
            rows.append([case.key, titles[adapter], *figures])
    return rows


def table(results: Results, titles: dict[str, str]) -> str:
    """Everything, for a terminal."""
    parts = []
    for workload in COLUMNS:
        rows = _rows(results, workload, titles)
        if len(rows) > 1:
            parts.append(_aligned(rows))
    return "\n\n".join(parts)


def _aligned(rows: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if n < 2 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _markdown(rows: list[list[str]], left: int = 2) -> str:
    head, *body = rows
    rule = ["---" if column < left else "---:" for column in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *body])


def _verdict_rows(found: list[Verdict]) -> list[list[str]]:
    words = {True: "met", False: "**not met**", None: "not measured"}
    return [["case", "figure", "target", "found", ""]] + [
        [verdict.case, verdict.what, verdict.target, verdict.found, words[verdict.is_met]] for verdict in found
    ]


def verdict_table(results: Results) -> str:
    """Targets, for a terminal."""
    found = [verdict for verdict in verdicts(results.median) if verdict.is_met is not None]
    return "" if not found else "\n" + _aligned(_verdict_rows(found)).replace("**", "")


def write(results: Results, titles: dict[str, str], docs: Path) -> None:
    """docs/benchmarks.md, and its plots in docs/benchmarks/."""
    folder = docs / "benchmarks"
    folder.mkdir(exist_ok=True)
    plots = plot.all_plots(results.median, dict(titles.items()))
    for name, svg in plots.items():
        (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    parts = [
        "# Benchmarks",
        (
            "Written by `make bench`; do not edit. What the figures mean, and what each microsecond is spent on, is in "
            "[performance.md](performance.md)."
        ),
        (
            f"{machine.described()}; {time.strftime('%-d %B %Y')}; medians of {results.rounds} rounds, each taking "
            "every case through all servers one after the other. The server has one core, the load the other. CPU is "
            "user and system time of the server. What a server cannot do (Flask-SocketIO and OSC, the relay and other "
            "browsers, the floor and state) it is not asked."
        ),
    ]
    if results.is_loud:
        parts.append(f"**Beware:** {results.warning}")
    for title, why in results.left_out.items():
        parts.append(f"{title} was left out: {why}")
    found = verdicts(results.median)
    counted = [verdict for verdict in found if verdict.is_met is not None]
    met = sum(verdict.is_met is True for verdict in counted)
    parts += [f"## Targets: {met} of {len(counted)} met", _markdown(_verdict_rows(found), left=4)]
    for workload, what in WHAT.items():
        rows = _rows(results, workload, titles)
        if len(rows) == 1:
            continue
        parts += [f"## {workload}", what, _markdown(rows)]
        parts += [f"![{title}](benchmarks/{name}.svg)" for name, title in plot.of(workload).items() if name in plots]
    (docs / "benchmarks.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
