"""A patch for Max: its words, and its file, the JSON of a ``.maxpat`` (Max 6 or later). Pure."""

from __future__ import annotations

import json
import re
from typing import Any

from .patch import REFRESH, Atom, Box, Canvas, Exit, Part, Place, Plan, draw

_SPECIAL = re.compile(r'[\\,;$"]')
_SHAPES: dict[str, tuple[int, int, list[str], int]] = {
    "comment": (1, 0, [], 60),
    "message": (2, 1, [""], 60),
    "number": (1, 2, ["float", "bang"], 60),
    "whole": (1, 2, ["int", "bang"], 60),
    "toggle": (1, 1, ["int"], 24),
    "bang": (1, 1, ["bang"], 24),
    "menu": (1, 3, ["int", "", ""], 100),
    "text": (1, 4, ["", "int", "", ""], 85),
}
"""Inlets, outlets, their types, and width in pixels."""
_CLASSES = {"number": "flonum", "whole": "number", "bang": "button", "menu": "umenu", "text": "textedit"}
_NO_OUTLET = ("s", "udpsend")


def max_text(plan: Plan) -> str:
    """The file ``*.maxpat``."""
    canvas = draw(plan, _Max())
    patcher = {
        "fileversion": 1,
        "appversion": {"major": 8, "minor": 0, "revision": 0, "architecture": "x64", "modernui": 1},
        "classnamespace": "box",
        "rect": [60.0, 90.0, 1380.0, 800.0],
        "boxes": [{"box": _box(number, box)} for number, box in enumerate(canvas.boxes)],
        "lines": [
            {"patchline": {"source": [_id(source), outlet], "destination": [_id(goal), inlet]}}
            for source, outlet, goal, inlet in canvas.cords
        ],
    }
    return json.dumps({"patcher": patcher}, indent="\t", ensure_ascii=False) + "\n"


class _Max:
    number = "0."
    rest = "zl slice 1"

    def receive(self, canvas: Canvas, port: int) -> Exit:
        return Exit(canvas.object(f"udpreceive {port}", 20, 70))

    def send(self, canvas: Canvas, source: Exit, host: str, port: int) -> int:
        net = canvas.object(f"udpsend {host} {port}", 420, 190, source)
        ask = canvas.add("message", REFRESH, 700, 130)
        canvas.connect(Exit(ask), net)
        return ask

    def values(self, canvas: Canvas, source: Exit, address: str, x: int, y: int) -> Exit:
        return source

    def show(self, canvas: Canvas, x: int, y: int, *sources: Exit) -> int:
        return canvas.object("prepend set", x, y, *sources)

    def say(self, canvas: Canvas, place: Place, x: int, y: int, *sources: Exit) -> Exit:
        if place.after:
            text = " ".join(["append", *map(self.atom, place.after)])
            sources = (Exit(canvas.object(text, x, y, *sources)),)
            y += 20
        return Exit(
            canvas.object(" ".join(["prepend", *map(self.atom, (place.address, *place.before))]), x, y, *sources)
        )

    def press(self, canvas: Canvas, place: Place, x: int, y: int, *sources: Exit) -> Exit:
        text = " ".join(map(self.atom, (place.address, *(place.before or (1,)))))
        return Exit(canvas.add("message", text, x, y, *sources))

    def box(self, canvas: Canvas, part: Part, x: int, y: int) -> tuple[int, Exit]:
        box = canvas.add(part.shape, "", x, y, part=part)  # type: ignore[arg-type]
        if part.shape == "text":
            typed = canvas.object("route text", x, y + 28, Exit(box))
            return box, Exit(canvas.object("tosymbol", x, y + 56, Exit(typed)))
        if part.as_text:
            return box, Exit(canvas.object("tosymbol", x, y + 28, Exit(box, 1)))
        return box, Exit(box)

    def atom(self, atom: Atom) -> str:
        if isinstance(atom, float):
            return f"{atom:.9g}" if atom % 1 else f"{int(atom)}."
        text = _SPECIAL.sub(lambda found: "\\" + found[0], str(atom))
        return f'"{text}"' if " " in text or not text else text


def _box(number: int, box: Box) -> dict[str, Any]:
    inlets, outlets, types, width = _SHAPES.get(box.kind) or (*_object_shape(box.text), 60)
    made: dict[str, Any] = {
        "id": _id(number),
        "maxclass": _CLASSES.get(box.kind, "newobj" if box.kind == "object" else box.kind),
        "numinlets": inlets,
        "numoutlets": outlets,
        "patching_rect": [float(box.x), float(box.y), float(max(width, len(box.text) * 6.5)), 22.0],
    }
    if types:
        made["outlettype"] = types
    if box.kind in ("object", "message", "comment"):
        made["text"] = box.text
    part = box.part
    if part is not None:
        if box.kind in ("number", "whole"):
            convert = float if box.kind == "number" else int
            made |= {"minimum": convert(part.low), "maximum": convert(part.high)}
        if box.kind == "menu":
            made["items"] = [item for choice in part.choices for item in (choice, ",")][:-1]
        if box.kind == "text":
            made |= {"keymode": 1, "lines": 1, "text": ""}  # Enter says it
        if part.shape != "list":
            made["varname"] = part.name
    return made


def _object_shape(text: str) -> tuple[int, int, list[str]]:
    word, *arguments = text.split()
    count = len(arguments)
    if word == "route":
        return count + 1, count + 1, [""] * (count + 1)
    if word == "unpack":
        return 1, count, ["float"] * count
    if word == "pack":
        return count, 1, [""]
    if word == "t":
        return 1, count, ["bang" if one == "b" else "float" for one in arguments]
    if word == "zl":
        return 2, 2, ["", ""]
    if word in ("r", "loadbang"):
        return int(word == "loadbang"), 1, ["bang" if word == "loadbang" else ""]
    return (1, 0, []) if word in _NO_OUTLET else (1, 1, [""])


def _id(number: int) -> str:
    return f"obj-{number + 1}"
