"""MIDI learn: which control waits for the hand, what has been learnt, and what a screen is told of both. Pure.

A page arms a control; the port that then hears somebody move something says which binding that is. Not here: what the
messages mean (``midi.learn``), the file (``learn``), what a binding's keys are (``midi.settings``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .config.tomltext import inline, lines, toml_key
from .control import Control
from .errors import BadControl

MAX_LEARNT = 1024
"""Bindings that are learnt at most; one that is forgotten makes room."""
PORT = "midi"

State = Literal["idle", "waiting", "hearing", "learnt", "refused"]


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """One binding. ``number`` is its name in this run; ``table`` is how it is written, ``binding`` what that means."""

    number: int
    peer: str
    path: str
    table: Mapping[str, Any]
    binding: Any

    def __str__(self) -> str:
        return f"{self.peer}: {inline(self.table)}"


@dataclass(frozen=True, slots=True, eq=False)
class Armed:
    """The control that the next move of the hardware is for. ``by`` is the browser that asks, ``name`` for people."""

    control: Control
    component: int | None
    by: str
    name: str


Told = Callable[[Learnt | None], None]
"""Told after each change: with the binding that has come or gone; with None where only the words are others."""


class Learning:
    """All that is learnt in one bridge; and the one control that waits for the hand: who arms last has it."""

    def __init__(self) -> None:
        self.armed: Armed | None = None
        """Ports ask this before anything else."""
        self.teachers: set[str] = set()
        """Peers by which something can be learnt."""
        self.revision = 0
        """Counts the changes of what ``to_wire`` tells."""
        self.trouble = ""
        """Why what is learnt is not kept."""
        self._state: State = "idle"
        self._path: str | None = None
        self._by = ""
        self._text = ""
        self._learnt: dict[int, Learnt] = {}
        self._of: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._numbers = 0
        self._told: list[Told] = []

    def subscribe(self, told: Told) -> Callable[[], None]:
        """Be told of changes, until the returned function is called."""
        self._told.append(told)
        return lambda: self._told.remove(told)

    def of(self, peer: str, path: str) -> Sequence[Any]:
        """What is learnt of a control on a peer."""
        return self._of.get((peer, path), ())

    def __iter__(self) -> Iterator[Learnt]:
        return iter(self._learnt.values())

    def __len__(self) -> int:
        return len(self._learnt)

    # Arming

    def arm(self, control: Control, component: int | None, by: str, name: str) -> None:
        """The next move of the hardware is for this control. Raises BadControl, saying why it cannot be."""
        if control.kind in ("string", "color"):
            raise BadControl("kind", f"a {control.kind} cannot be carried by MIDI messages")
        if control.access == "write":
            raise BadControl("access", "what hardware says of it is not heard")
        if control.kind != "vector":
            component = None
        elif component is None or component >= control.size:
            raise BadControl("component", f"say which of the {control.size} is to be learnt, from 0")
        if not self.teachers:
            raise BadControl("midi", "there is no MIDI device in the configuration: [[midi]] names one")
        if len(self) >= MAX_LEARNT:
            raise BadControl("midi", f"{MAX_LEARNT} bindings are learnt already: forget one")
        self.armed = Armed(control, component, by, name)
        self._say("waiting", control.path, by, "Move it on the hardware; turn an encoder to the right first.")

    def disarm(self, by: str | None = None) -> None:
        """Nothing is waited for any more, or nothing by this browser."""
        if self.armed is not None and by in (None, self.armed.by):
            self.armed = None
            self._say("idle", None, "", "")

    def hear(self, text: str) -> None:
        """What the hand seems to move, while that is not certain yet."""
        if self.armed is not None and (self._state, self._text) != ("hearing", text):
            self._say("hearing", self.armed.control.path, self.armed.by, text)

    def refuse(self, text: str) -> None:
        """What was moved cannot be bound to it; it is waited for something else."""
        if self.armed is not None and (self._state, self._text) != ("refused", text):
            self._say("refused", self.armed.control.path, self.armed.by, text)

    # What is learnt

    def learn(self, peer: str, table: Mapping[str, Any], binding: Any) -> Learnt | None:
        """The hand has moved this: bind it to the control that was armed. None where it is bound so already."""
        assert self.armed is not None
        armed, self.armed = self.armed, None
        path = armed.control.path
        known = next((one for one in self if (one.peer, one.path, one.table) == (peer, path, table)), None)
        made = known or self._put(peer, path, table, binding)
        self._say("learnt", path, armed.by, str(made), None if known else made)
        return None if known else made

    def restore(self, learnt: Iterable[tuple[str, str, Mapping[str, Any], Any]]) -> None:
        """Take what the file has: (peer, path, table, binding). Nobody is told: nothing runs yet."""
        for peer, path, table, binding in learnt:
            self._put(peer, path, table, binding)

    def forget(self, number: int) -> Learnt | None:
        """Drop a binding, and return it; None where there is none of this number."""
        gone = self._learnt.pop(number, None)
        if gone is not None:
            self._index(gone.peer, gone.path)
            self._say(self._state, self._path, self._by, self._text, gone)
        return gone

    def is_not_kept(self, why: str) -> None:
        """Say why it is not kept, "" where it is."""
        if why != self.trouble:
            self.trouble = why
            self._say(self._state, self._path, self._by, self._text)

    def _put(self, peer: str, path: str, table: Mapping[str, Any], binding: Any) -> Learnt:
        self._numbers += 1
        made = self._learnt[self._numbers] = Learnt(self._numbers, peer, path, dict(table), binding)
        self._index(peer, path)
        return made

    def _index(self, peer: str, path: str) -> None:
        bindings = tuple(one.binding for one in self if (one.peer, one.path) == (peer, path))
        if bindings:
            self._of[peer, path] = bindings
        else:
            self._of.pop((peer, path), None)

    def _say(self, state: State, path: str | None, by: str, text: str, learnt: Learnt | None = None) -> None:
        self._state, self._path, self._by, self._text = state, path, by, text
        self.revision += 1
        for told in list(self._told):
            told(learnt)

    def to_wire(self) -> dict[str, Any]:
        """What browsers that learn are told, whole."""
        wire: dict[str, Any] = {"state": self._state}
        if self._path is not None:
            wire |= {"path": self._path, "client": self._by, "text": self._text}
        if self.trouble:
            wire["trouble"] = self.trouble
        wire["bindings"] = [{"binding": one.number, "path": one.path, "text": str(one)} for one in self]
        wire["toml"] = bindings_toml((one.path, one.peer, one.table) for one in self)
        return wire


def bindings_toml(bound: Iterable[tuple[str, str, Mapping[str, Any]]]) -> str:
    """(path, peer, table) as a configuration has them: each control with its bindings."""
    by_path: dict[str, list[str]] = {}
    for path, peer, table in bound:
        text = by_path.setdefault(path, ["[[control]]", *lines({"path": path})])
        text += [f"[[control.{PORT}.{toml_key(peer)}]]", *lines(table)]
    return "\n".join("\n".join([*text, ""]) for text in by_path.values())
