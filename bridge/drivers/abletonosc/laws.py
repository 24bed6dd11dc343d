"""What Live's numbers mean. Its volumes and meters go from 0 to 1 along the fader; people read dB."""

from __future__ import annotations

from bridge.law import text_of, value_at

TOP_DB = 6.0
KNEE, KNEE_DB, SLOPE = 0.4, -18.0, 40.0
"""From here on up the scale is straight: 0.85 is 0 dB, 1 is +6 dB."""
BEND = 205.0
"""Below, it falls faster and faster: this is how much, per square of the way from the knee."""
SILENT_DB = -70.0
_POINTS = 16
"""Straight pieces below the knee; the widest of them is 0.07 dB off."""


def _decibels(volume: float) -> float:
    way = KNEE - volume
    return KNEE_DB - SLOPE * way - (BEND * way * way if way > 0 else 0.0)


VOLUME: tuple[tuple[float, float], ...] = (
    (0.0, SILENT_DB),
    *((KNEE * n / _POINTS, round(_decibels(KNEE * n / _POINTS), 3)) for n in range(1, _POINTS + 1)),
    (0.85, 0.0),
    (1.0, TOP_DB),
)
"""(position of the fader, dB), for ``Control.table``; the lowest is read as −∞."""
DECIBELS = (SILENT_DB, TOP_DB)


def text_of_volume(volume: float) -> str:
    """What Live shows beside a fader."""
    return f"{text_of(value_at(volume, 'db', *DECIBELS, VOLUME), 1, 'db', VOLUME)} dB"


def color(number: object) -> str | None:
    """``0xrrggbb`` as Live says it → ``#rrggbb``; None for what is no colour."""
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number < 1 << 24:
        return None
    return f"#{int(number):06x}"
