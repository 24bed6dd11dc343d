"""``stagebridge patch``: what a patch for Max or Pd has for each control, and how its boxes are wired. Pure.

One graph for both programs: a ``Canvas`` of boxes and cords, built by ``draw`` in the words of a ``Dialect``. What the
words are and how the file is written is in ``patchmax`` and ``patchpd``; which peer it is for in ``patchplan``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

Shape = Literal["number", "whole", "toggle", "bang", "text", "menu", "list"]
Kind = Literal["object", "message", "comment", "number", "whole", "toggle", "bang", "text", "menu"]
Atom = int | float | str

MOVE = "set"
"""``s /cutoff`` has every value of a control; whatever is sent to ``set/cutoff`` moves it."""
REFRESH = "/stagebridge/refresh"

_LEFT, _TOP = 20, 230  # where the first row of controls begins
_WIDTH = 1300  # of a row
_CELL = 150  # narrowest cell
_COMPONENT = 80  # of each number of a list
_LETTER = 7
_SIDE = 90  # where a cell's second column begins
_ROW = 370
_LINE = 28


class Place(NamedTuple):
    """Where a message goes: its address, and what stands before and after the value."""

    address: str
    before: tuple[Atom, ...] = ()
    after: tuple[Atom, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """What a patch has for one binding of a control."""

    name: str
    """The control's path; with more behind it where it is reached in several ways."""
    note: str
    shape: Shape
    heard: Place | None
    """Where the patch takes the value; None where it is never sent."""
    said: Place | None
    """Where the patch reports what is moved in it; None where that is not heard."""
    low: float = 0.0
    high: float = 1.0
    choices: tuple[str, ...] = ()
    as_text: bool = False
    """Of a menu: the choice itself is sent, not its number."""
    size: int = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a patch says: for which peer, at which UDP ports, with which parts."""

    peer: str
    its_port: int
    host: str
    our_port: int
    parts: Sequence[Part]
    left_out: Mapping[str, str]
    """Why a control has no box, by its path."""


@dataclass(slots=True)
class Box:
    """One box of a patch. ``text`` is what stands in an object, a message or a comment."""

    kind: Kind
    text: str
    x: int
    y: int
    part: Part | None = None


class Exit(NamedTuple):
    """An outlet of a box."""

    box: int
    outlet: int = 0


@dataclass(slots=True)
class Canvas:
    boxes: list[Box] = field(default_factory=list)
    cords: list[tuple[int, int, int, int]] = field(default_factory=list)
    """Box and outlet, to box and inlet."""

    def add(self, kind: Kind, text: str, x: int, y: int, *sources: Exit, part: Part | None = None) -> int:
        """A new box that these outlets are connected with; its number."""
        self.boxes.append(Box(kind, text, x, y, part))
        for source in sources:
            self.connect(source, len(self.boxes) - 1)
        return len(self.boxes) - 1

    def object(self, text: str, x: int, y: int, *sources: Exit) -> int:
        return self.add("object", text, x, y, *sources)

    def connect(self, source: Exit, box: int, inlet: int = 0) -> None:
        self.cords.append((*source, box, inlet))


class Dialect(Protocol):
    """How one program says it."""

    number: str
    """The argument of `pack` and `unpack` for a number."""
    rest: str
    """The object that takes the first item off a list, at its second outlet."""

    def receive(self, canvas: Canvas, port: int) -> Exit:
        """What comes in at a UDP port, as messages that `route` can tell apart by address."""

    def send(self, canvas: Canvas, source: Exit, host: str, port: int) -> int:
        """Send messages to a UDP port. Returns the box whose input sends the question for all values."""

    def values(self, canvas: Canvas, source: Exit, address: str, x: int, y: int) -> Exit:
        """What `route` leaves of a message to this address → its arguments."""

    def show(self, canvas: Canvas, x: int, y: int, *sources: Exit) -> int:
        """A box is made to show a value, and says nothing itself."""

    def say(self, canvas: Canvas, place: Place, x: int, y: int, *sources: Exit) -> Exit:
        """A value → the message with it."""

    def press(self, canvas: Canvas, place: Place, x: int, y: int, *sources: Exit) -> Exit:
        """A bang → the message of a trigger."""

    def box(self, canvas: Canvas, part: Part, x: int, y: int) -> tuple[int, Exit]:
        """The box of a control that is one value; and where its value comes out."""

    def atom(self, atom: Atom) -> str:
        """As it is written in a box."""


def draw(plan: Plan, dialect: Dialect) -> Canvas:
    """The whole patch."""
    canvas = Canvas()
    wire = f"stagebridge-{plan.peer}"
    title = (
        f"stagebridge: {len(plan.parts)} boxes for peer {plan.peer}. [r /path] has a control's value, [s {MOVE}/path] "
        f"moves it. stagebridge runs on {plan.host}."
    )
    canvas.add("comment", title, _LEFT, 10)
    source = dialect.receive(canvas, plan.its_port)
    target = dialect.send(canvas, Exit(canvas.object(f"r {wire}", 420, 70)), plan.host, plan.our_port)
    again = canvas.add("bang", "", 700, 40)
    canvas.add("comment", "when it opens, or by this button: ask for all values", 730, 40)
    for asks in (canvas.object("loadbang", 780, 70), again):
        canvas.connect(Exit(asks), target)
    _Drawing(canvas, dialect, wire).rows(source, plan.parts)
    return canvas


class _Drawing:
    def __init__(self, canvas: Canvas, dialect: Dialect, wire: str) -> None:
        self.canvas = canvas
        self.dialect = dialect
        self.wire = wire

    def rows(self, source: Exit, parts: Sequence[Part]) -> None:
        """Cells in rows, each below the `route` of its row; what a row does not know goes on to the next."""
        y = _TOP
        for row in _rows(_by_address(parts)):
            addresses = [group[0].heard.address for group in row if group[0].heard is not None]
            route = None
            if addresses:
                route = self.canvas.object(self._route(addresses), _LEFT, y, source)
                source = Exit(route, len(addresses))
            x, outlet = _LEFT, 0
            for group in row:
                came = None
                if group[0].heard is not None and route is not None:
                    came = Exit(route, outlet)
                    came = self.dialect.values(self.canvas, came, group[0].heard.address, x, y + 2 * _LINE)
                    outlet += 1
                x = self.group(group, came, x, y + _LINE, 0)
            y += _ROW

    def group(self, parts: Sequence[Part], came: Exit | None, x: int, y: int, depth: int) -> int:
        """The cells of one address: told apart by the fixed arguments that stand before the value."""
        more = [part for part in parts if part.heard is not None and len(part.heard.before) > depth]
        for kind in (str, (int, float)):
            leads: dict[Atom, list[Part]] = {}
            for part in more:
                if part.heard is not None and isinstance(lead := part.heard.before[depth], kind):
                    leads.setdefault(lead, []).append(part)
            if leads and came is not None:
                route = self.canvas.object(self._route(leads), x, y + (3 + depth) * _LINE, came)
                for outlet, some in enumerate(leads.values()):
                    x = self.group(some, Exit(route, outlet), x, y, depth + 1)
                came = Exit(route, len(leads))
        for part in parts:
            if part not in more:
                self.cell(part, came if part.heard is not None else None, x, y, y + (3 + depth) * _LINE)
                x += _width(part)
        return x

    def cell(self, part: Part, came: Exit | None, x: int, y: int, below: int) -> None:
        self.canvas.add("comment", part.note, x, y)
        draw_one = {"bang": self.bang, "list": self.list}.get(part.shape, self.value)
        draw_one(part, came, x, below)

    def value(self, part: Part, came: Exit | None, x: int, y: int) -> None:
        box, out = self.dialect.box(self.canvas, part, x, y + 2 * _LINE)
        values = [out]
        if came is not None:
            self.canvas.connect(Exit(self.dialect.show(self.canvas, x, y + _LINE, came)), box)
            values.append(came)
        if part.said is not None:
            moved = Exit(self.canvas.object(self._named("r", f"{MOVE}{part.name}"), x + _SIDE, y + _LINE))
            if out.box == box:
                self.canvas.connect(moved, box)
            else:  # the box would not pass it on
                self.canvas.connect(Exit(self.dialect.show(self.canvas, x + _SIDE, y + 2 * _LINE, moved)), box)
                self.canvas.connect(moved, out.box)
            self._say(part.said, x, y + 5 * _LINE, out)
        self.canvas.object(self._named("s", part.name), x + _SIDE, y + 4 * _LINE, *values)

    def bang(self, part: Part, came: Exit | None, x: int, y: int) -> None:
        values = []
        if came is not None:
            self.canvas.add("bang", "", x + _SIDE, y + 2 * _LINE, came)  # shows that it was fired
            values.append(came)
        if part.said is not None:
            moved = Exit(self.canvas.object(self._named("r", f"{MOVE}{part.name}"), x, y + _LINE))
            press = Exit(self.canvas.add("bang", "", x, y + 2 * _LINE, moved, part=part))
            message = self.dialect.press(self.canvas, part.said, x, y + 4 * _LINE, press)
            self.canvas.object(self._named("s", self.wire), x, y + 6 * _LINE, message)
            values.append(press)
        self.canvas.object(self._named("s", part.name), x + _SIDE, y + 3 * _LINE, *values)

    def list(self, part: Part, came: Exit | None, x: int, y: int) -> None:
        """Several numbers: kept in a `pack`, whose first item is only there to make it speak."""
        canvas, size = self.canvas, part.size
        numbers = " ".join([self.dialect.number] * size)
        pack = canvas.object(f"pack 0 {numbers}", x, y + 4 * _LINE)
        unpack = canvas.object(f"unpack {numbers}", x, y)
        values = [Exit(canvas.object(self.dialect.rest, x, y + 5 * _LINE, Exit(pack)), 1)]
        for index in range(size):
            left = x + index * _COMPONENT
            item = Exit(unpack, index)
            shown = self.dialect.show(canvas, left, y + _LINE, item)
            canvas.connect(item, pack, index + 1)
            number = canvas.add("number", "", left, y + 2 * _LINE, Exit(shown), part=part)
            if part.said is not None:
                both = canvas.object("t b f", left, y + 3 * _LINE, Exit(number))
                canvas.connect(Exit(both, 1), pack, index + 1)
                canvas.connect(Exit(both, 0), pack)
        if part.said is not None:
            moved = Exit(canvas.object(self._named("r", f"{MOVE}{part.name}"), x + _SIDE, y + 4 * _LINE))
            canvas.connect(moved, unpack)
            values.append(moved)
            self._say(part.said, x, y + 6 * _LINE, *values)
        if came is not None:
            canvas.connect(came, unpack)
            values.append(came)
        canvas.object(self._named("s", part.name), x + _SIDE, y + 5 * _LINE, *values)

    def _say(self, place: Place, x: int, y: int, *sources: Exit) -> None:
        message = self.dialect.say(self.canvas, place, x, y, *sources)
        self.canvas.object(self._named("s", self.wire), x, y + 2 * _LINE, message)

    def _route(self, atoms: Iterable[Atom]) -> str:
        return " ".join(["route", *map(self.dialect.atom, atoms)])

    def _named(self, word: str, name: str) -> str:
        return f"{word} {self.dialect.atom(name)}"


def _by_address(parts: Sequence[Part]) -> list[list[Part]]:
    """Parts that take the same address stand together; one that takes none stands alone."""
    groups: dict[Any, list[Part]] = {}
    for part in parts:
        groups.setdefault(part.name if part.heard is None else part.heard.address, []).append(part)
    return [
        [part for part in group if (part.heard is None) is is_mute]
        for group in groups.values()
        for is_mute in (False, True)
        if any((part.heard is None) is is_mute for part in group)
    ]


def _rows(groups: Sequence[Sequence[Part]]) -> Iterable[list[Sequence[Part]]]:
    row: list[Sequence[Part]] = []
    width = 0
    for group in groups:
        wide = sum(map(_width, group))
        if row and width + wide > _WIDTH:
            yield row
            row, width = [], 0
        row.append(group)
        width += wide
    if row:
        yield row


def _width(part: Part) -> int:
    names = _SIDE + (len(part.name) + 7) * _LETTER
    return max(_CELL, names, part.size * _COMPONENT + 20, (len(part.note) + 2) * _LETTER)
