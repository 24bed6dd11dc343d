"""What is wrong, in words, and what was dropped by cause: read from what ``/healthz`` says. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

DROPS = {"bad": "bad", "unknown": "unknown", "lost": "lost", "loops_cut": "loop", "dropped": "socket"}
"""Counters of a peer's entry → cause. ``bad``: not to be understood; ``unknown``: for no control; ``lost``: could not
be sent; ``loop``: came in and went out without end; ``socket``: more came at once than the socket's buffer took."""
TROUBLED = ("silent", "offline")


def drops(entry: Mapping[str, Any]) -> dict[str, int]:
    """By cause, what a peer said or was to be told and came to nothing."""
    counted = {cause: entry[key] for key, cause in DROPS.items() if entry.get(key) is not None}
    return counted | dict(entry.get("refused") or {})


def reasons(health: Mapping[str, Any]) -> list[str]:
    """What is wrong, the most serious first; [] where nothing is."""
    found = []
    if trouble := health["config"]["trouble"]:
        found.append(f"the configuration has mistakes: {trouble}")
    if str(health["state"]["state"]).startswith("unsaved"):
        found.append(f"moves are not saved: {str(health['state']['state']).partition(': ')[2]}")
    if (https := health.get("https")) is not None and https["state"] != "online":
        found.append(f"https {https['text']}")
    found += [f"{port['name']}: {port['text']}" for port in health["ports"] if port["state"] != "open"]
    found += [
        f"{peer['name']} {peer['state']}: {peer['text']}" for peer in health["peers"] if peer["state"] in TROUBLED
    ]
    return found


class LastMessages:
    """When each peer's counters have moved last: what need not be written down for every message. As exact as ``note``
    is called often."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, int, float | None, float | None]] = {}

    def note(self, entries: Iterable[Mapping[str, Any]], now: float) -> None:
        """How the peers are now."""
        seen = {}
        for entry in entries:
            name, come, gone = str(entry["name"]), int(entry["received"]), int(entry["sent"])
            before = self._seen.get(name, (0, 0, None, None))
            came_at = before[2] if come == before[0] else now
            went_at = before[3] if gone == before[1] else now
            seen[name] = come, gone, came_at, went_at
        self._seen = seen

    def of(self, name: str, now: float) -> dict[str, float | None]:
        """``heard_s_ago`` and ``sent_s_ago``; None where there was no such message."""
        *_, came_at, went_at = self._seen.get(name, (0, 0, None, None))
        return {"heard_s_ago": _ago(came_at, now), "sent_s_ago": _ago(went_at, now)}


def _ago(at: float | None, now: float) -> float | None:
    return None if at is None else round(max(0.0, now - at), 1)
