"""Writes laws.json: what a widget's position means for a control, for Python and the page alike.

`python -m tests.vectors.laws` writes the file again; tests/test_law.py fails while it differs. The laws themselves are
proved there by hand-made numbers: this file only keeps both sides together.

`value` is what a widget at `position` sets (law, step and limit), `text` how it reads, `back` where it is then drawn.
"""

import json
from pathlib import Path
from typing import Any

from bridge.control import Control

FILE = Path(__file__).with_name("laws.json")

CONTROLS: list[dict[str, Any]] = [
    {"path": "/linear/unit"},
    {"path": "/linear/pan", "range": (-1, 1)},
    {"path": "/linear/wide", "range": (-20000, 20000)},
    {"path": "/linear/small", "range": (0, 0.05)},
    {"path": "/linear/limited", "limit": (0, 0.75)},
    {"path": "/linear/decimals", "range": (0, 4), "decimals": 0},
    {"path": "/linear/meter", "kind": "meter"},
    {"path": "/step/tenths", "step": 0.1},
    {"path": "/step/thirds", "step": 1 / 3},
    {"path": "/step/dyadic", "step": 1 / 1024},
    {"path": "/step/sevenths", "range": (0, 5), "step": 5 / 7},
    {"path": "/step/off_zero", "range": (0.05, 1.05), "step": 0.25},
    {"path": "/step/short_of_high", "range": (0, 1), "step": 0.3},
    {"path": "/step/limit_between", "range": (0, 1), "limit": (0.11, 0.72), "step": 0.1},
    {"path": "/step/negative", "range": (-0.7, 0.7), "step": 0.1},
    {"path": "/int/midi", "kind": "int"},
    {"path": "/int/fives", "kind": "int", "range": (-7, 30), "step": 5},
    {"path": "/log/cutoff", "range": (20, 20000), "curve": "log", "unit": "Hz"},
    {"path": "/log/attack", "range": (0.001, 10), "curve": "log", "decimals": 3, "unit": "s"},
    {"path": "/log/stepped", "range": (20, 20000), "curve": "log", "step": 10},
    {"path": "/db/full", "range": (-90, 10), "curve": "db", "unit": "dB"},
    {"path": "/db/rescaled", "range": (-60, 6), "curve": "db", "unit": "dB"},
    {"path": "/db/stepped", "range": (-90, 10), "curve": "db", "step": 0.5},
    {"path": "/db/limited", "range": (-90, 10), "limit": (-90, 0), "curve": "db"},
    {"path": "/db/own_table", "range": (-40, 0), "curve": "db", "table": ((0.0, -40.0), (0.3, -12.0), (1.0, 0.0))},
]
POSITIONS = (0.0, 0.001, 0.0625, 0.125, 0.25, 1 / 3, 0.4999, 0.5, 0.6180339887, 0.75, 0.875, 0.9, 0.999, 1.0)


def vectors() -> list[dict[str, Any]]:
    """All controls at all positions, as JSON has them."""
    found = []
    for number, fields in enumerate(CONTROLS, 1):
        control = Control(**fields)
        descriptor = {"id": number, **control.describe()}
        for position in POSITIONS:
            value = control.coerce(control.value_at(position))
            found.append(
                {
                    "control": descriptor,
                    "position": position,
                    "value": value,
                    "text": control.text(value),
                    "back": control.position(value),
                }
            )
    made: list[dict[str, Any]] = json.loads(json.dumps(found))
    return made


def written(made: list[dict[str, Any]]) -> str:
    """One vector a line, so that a change can be read."""
    return "[\n" + ",\n".join(json.dumps(vector, ensure_ascii=False) for vector in made) + "\n]\n"


if __name__ == "__main__":
    FILE.write_text(written(vectors()), encoding="utf-8")
