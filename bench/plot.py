"""Bar plots as SVG, written by hand: one bar for each server, grouped by case."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

COLORS = {
    "stagebridge": "#2563eb",
    "floor": "#9ca3af",
    "naive": "#d97706",
    "osc.js": "#059669",
    "flask": "#be185d",
}
WIDTH, BAR, GAP, LEFT, TOP = 760, 18, 16, 190, 56

PLOTS: dict[str, tuple[str, str, str, list[str]]] = {
    "w1-cpu": ("W1", "OSC → 10 browsers: CPU per update, µs", "cpu/due", ["W1 200/s", "W1 1000/s"]),
    "w2-osc": ("W2", "Browser → OSC: latency p50, ms", "osc p50", ["W2 60/s", "W2 200/s", "W2 1000/s"]),
    "w3-cpu": ("W3", "One change → many: CPU per browser, µs", "cpu/due", ["W3 10", "W3 100", "W3 1000"]),
    "w4-cpu": ("W4", "64 controls × 250/s → 10 browsers: CPU in 5 s", "cpu s", ["W4"]),
    "w4-p99": ("W4", "64 controls × 250/s → 10 browsers: staleness p99, ms", "p99", ["W4"]),
    "w5-cpu": ("W5", "OSC in: CPU per message, µs", "cpu/message", ["W5 1", "W5 256", "W5 4096"]),
    "w6-p99": ("W6", "1,000 browsers: staleness p99, ms", "p99", ["W6"]),
}
"""name → workload, title, figure, cases."""


def of(workload: str) -> dict[str, str]:
    """Names and titles of a workload's plots."""
    return {name: title for name, (of_workload, title, _, _) in PLOTS.items() if of_workload == workload}


def all_plots(get: Callable[[str, str, str], float], titles: dict[str, str]) -> dict[str, str]:
    """SVG by name, of what was measured."""
    found = {}
    for name, (_, title, figure, cases) in PLOTS.items():
        bars = [
            (case, adapter, value)
            for case in cases
            for adapter in titles
            if (value := get(case, adapter, figure)) == value
        ]
        if bars:
            found[name] = _bars(title, bars, titles)
    return found


def _bars(title: str, bars: list[tuple[str, str, float]], titles: dict[str, str]) -> str:
    most = max(value for *_, value in bars) or 1.0
    room = WIDTH - LEFT - 80
    parts = [f'<text x="16" y="28" font-size="16" font-weight="600">{escape(title)}</text>']
    y, last = TOP, ""
    for case, adapter, value in bars:
        if case != last:
            y += GAP if last else 0
            parts.append(f'<text x="16" y="{y + 13}" font-weight="600">{escape(case)}</text>')
            last = case
        wide = max(1.0, value / most * room)
        parts.append(f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(adapter)}</text>')
        parts.append(
            f'<rect x="{LEFT}" y="{y}" width="{wide:.1f}" height="{BAR - 3}" fill="{COLORS.get(adapter, "#6b7280")}">'
            f"<title>{escape(titles[adapter])}</title></rect>"
        )
        parts.append(f'<text x="{LEFT + wide + 6:.1f}" y="{y + 13}">{value:,.3g}</text>')
        y += BAR
    height = y + 20
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#111827" role="img">'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>' + "".join(parts) + "</svg>\n"
    )
