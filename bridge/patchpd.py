"""A patch for Pure Data: its words, and its file. Vanilla Pd alone, 0.48 or later. Pure."""

from __future__ import annotations

import re

from .patch import REFRESH, Atom, Box, Canvas, Exit, Part, Place, Plan, draw

_SPECIAL = re.compile(r"[\\ ,;$]")
_WIDTHS = {"number": 8, "whole": 8, "menu": 8, "text": 16}  # characters


def pd_text(plan: Plan) -> str:
    """The file ``*.pd``."""
    canvas = draw(plan, _Pd())
    lines = ["#N canvas 60 60 1360 800 12;"]
    lines += [_box_line(box) for box in canvas.boxes]
    lines += [f"#X connect {source} {outlet} {goal} {inlet};" for source, outlet, goal, inlet in canvas.cords]
    return "\n".join([*lines, ""])


class _Pd:
    number = "f"
    rest = "list split 1"

    def receive(self, canvas: Canvas, port: int) -> Exit:
        # [oscparse] gives the parts of an address one by one, a "1" among them as a text that no [route] can name. But
        # the bytes up to the first 0 are the address: put it before the parts, and [route] knows it whole.
        both = canvas.object("t a a", 20, 100, Exit(canvas.object(f"netreceive -u -b {port}", 20, 70)))
        address = canvas.object("list tosymbol", 20, 130, Exit(both, 0))
        parts = canvas.object("oscparse", 160, 130, Exit(both, 1))
        joined = canvas.object("list append", 20, 160, Exit(address))
        canvas.connect(Exit(parts), joined, 1)
        return Exit(canvas.object("list trim", 20, 190, Exit(joined)))

    def send(self, canvas: Canvas, source: Exit, host: str, port: int) -> int:
        prepended = canvas.object("list prepend send", 420, 100, source)
        trimmed = canvas.object("list trim", 420, 130, Exit(prepended))
        net = canvas.object("netsend -u -b", 420, 190, Exit(trimmed))
        ordered = canvas.object("t b b", 700, 100)
        canvas.object(f"oscformat {REFRESH}", 700, 160, Exit(ordered, 0))
        canvas.connect(Exit(len(canvas.boxes) - 1), prepended)
        connect = canvas.add("message", f"connect {host} {port}", 760, 130, Exit(ordered, 1))
        canvas.connect(Exit(connect), net)
        return ordered

    def values(self, canvas: Canvas, source: Exit, address: str, x: int, y: int) -> Exit:
        return Exit(canvas.object(f"list split {address.count('/')}", x, y, source), 1)

    def show(self, canvas: Canvas, x: int, y: int, *sources: Exit) -> int:
        return canvas.add("message", r"set \$1", x, y, *sources)

    def say(self, canvas: Canvas, place: Place, x: int, y: int, *sources: Exit) -> Exit:
        for word, atoms in (("append", place.after), ("prepend", place.before)):
            if atoms:
                text = " ".join(["list", word, *map(self.atom, atoms)])
                sources = (Exit(canvas.object(text, x, y, *sources)),)
                y += 20
        return Exit(canvas.object(f"oscformat {self.atom(place.address)}", x, y, *sources))

    def press(self, canvas: Canvas, place: Place, x: int, y: int, *sources: Exit) -> Exit:
        text = " ".join(map(self.atom, place.before or (1,)))
        return self.say(canvas, Place(place.address), x, y + 28, Exit(canvas.add("message", text, x, y, *sources)))

    def box(self, canvas: Canvas, part: Part, x: int, y: int) -> tuple[int, Exit]:
        box = canvas.add("text" if part.as_text else part.shape, "", x, y, part=part)  # type: ignore[arg-type]
        return box, Exit(box)

    def atom(self, atom: Atom) -> str:
        return _number(atom) if not isinstance(atom, str) else _SPECIAL.sub(lambda found: "\\" + found[0], atom)


def _box_line(box: Box) -> str:
    place = f"{box.x} {box.y}"
    match box.kind:
        case "comment":
            return f"#X text {place} {_SPECIAL.sub(_escaped_in_text, box.text)};"
        case "message":
            return f"#X msg {place} {box.text};"
        case "bang":
            return f"#X obj {place} bng 20 250 50 0 empty empty empty 17 7 0 10 -262144 -1 -1;"
        case "toggle":
            return f"#X obj {place} tgl 20 0 empty empty empty 17 7 0 10 -262144 -1 -1 0 1;"
        case "text":
            return f"#X symbolatom {place} {_WIDTHS['text']} 0 0 0 - - -;"
        case "number" | "whole" | "menu":
            low, high = (box.part.low, box.part.high) if box.part is not None else (0, 0)
            return f"#X floatatom {place} {_WIDTHS[box.kind]} {_number(low)} {_number(high)} 0 - - -;"
    return f"#X obj {place} {box.text};"


def _escaped_in_text(found: re.Match[str]) -> str:
    return " \\" + found[0] if found[0] in ",;" else found[0] if found[0] == " " else "\\" + found[0]


def _number(number: float) -> str:
    return f"{number:.9g}"
