"""What a track's strip has: how each of it is described, and how it is reached in Live."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bridge.control import Control
from bridge.driver import OWNER
from bridge.osc.settings import Binding

from .laws import DECIBELS, VOLUME
from .part import bound

METER = "output_meter_level"
Range = tuple[float, float]
PROPS: dict[str, tuple[str, Range | None]] = {
    "meter": (METER, (0.0, 1.0)),
    "volume": ("volume", (0.0, 1.0)),
    "pan": ("panning", (-1.0, 1.0)),
    "mute": ("mute", None),
    "solo": ("solo", None),
    "arm": ("arm", None),
}
"""What it is called in paths → Live's property, and its range there; sends are not among them."""
MAX_SENDS = 12
"""Live has no more return tracks."""
SENDS = {f"send/{chr(ord('a') + number)}": number for number in range(MAX_SENDS)}
"""What they are called in paths; Live too gives its return tracks letters."""
_FADER: dict[str, Any] = {"range": DECIBELS, "curve": "db", "table": VOLUME, "unit": "dB", "decimals": 1}
_SHAPES: dict[str, dict[str, Any]] = {
    "meter": {"kind": "meter", "label": "Level", **_FADER},
    "volume": _FADER,
    "pan": {"range": (-50.0, 50.0), "decimals": 0, "widget": "knob"},
    "mute": {"kind": "bool"},
    "solo": {"kind": "bool"},
    "arm": {"kind": "bool"},
    "send": {"range": (0.0, 100.0), "decimals": 0, "unit": "%", "widget": "knob"},
}


def shown(show: Sequence[str], sends: int) -> Iterator[str]:
    """What a strip has, in the order in which it stands there."""
    chosen = [what for what in PROPS if ("meters" if what == "meter" else what) in show]
    yield from (what for what in chosen if what != "arm")
    yield from list(SENDS)[:sends]
    yield from (what for what in chosen if what == "arm")  # not every track has it: what is above stands in line


def described(path: str, what: str, group: str, color: str | None) -> Control:
    """The control of one of it."""
    label = f"Send {what[-1].upper()}" if what in SENDS else what.capitalize()
    shape = {"label": label, **_SHAPES["send" if what in SENDS else what]}
    return Control(path=path, owner=OWNER, group=group or None, color=color if what == "volume" else None, **shape)


def reached(what: str, index: int) -> Binding:
    """How one of it is reached, on the track that has this index."""
    if what in SENDS:
        return bound("send", index, SENDS[what], range=(0.0, 1.0))
    prop, ends = PROPS[what]
    more: dict[str, Any] = {"direction": "in"} if what == "meter" else {}
    if ends is not None:
        more |= {"range": ends, "curve": "linear"}
    return bound(prop, index, **more)
