"""What the parts of the driver share: a ``Part`` takes messages by their address, and moves of its controls by path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeAlias

from bridge.driver import Effect, Effects, Later, Read, Send
from bridge.osc.settings import Arguments, Binding
from bridge.store import Change

Args: TypeAlias = tuple[Any, ...]
Handler: TypeAlias = Callable[[Args, float], Effects | Read | None]
"""Takes a message; None leaves it to the next part, and then to the bindings."""
Mover: TypeAlias = Callable[[Change, float], Effects]

NOTHING_SELECTED = "not in list"
"""In what Live says where no device is selected, or the main track: no other question of ours leads to that."""
BLAMED_S = 0.6
"""An error so long after a question may be the answer to it."""
MAX_NAME = 120
"""Characters of a name that Live says."""


class Part:
    """One part of the driver. What it has to do is in what it answers with."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}
        self.movers: dict[str, Mover] = {}
        """By the path of a control that no binding sends."""

    def connected(self, now: float) -> Effects:
        """Live is there, or there again, or another set: none of our listeners is."""
        return ()

    def scanned(self, now: float) -> Effects:
        """Which tracks there are, and where, is known, or has changed."""
        return ()

    def gone(self, now: float) -> Effects:
        """Live is not there any more."""
        return ()

    def tick(self, now: float) -> Effects:
        """A tenth of a second has passed; only while Live is there."""
        return ()

    def failed(self, text: str, now: float) -> Effects | None:
        """Live has told that something is not there. None if no question of ours can have led to it; else nobody need
        know."""
        return None


def bound(prop: str, *ids: int, kind: str = "track", **more: Any) -> Binding:
    """How a property of something in Live is set and told: ids first, then the value."""
    args = Arguments(before=ids)
    return Binding(address=f"/live/{kind}/set/{prop}", reply=f"/live/{kind}/get/{prop}", args=args, **more)


def listen(prop: str, *ids: Any, kind: str = "track") -> Send:
    """Be told a property now, and whenever it changes."""
    return Send(f"/live/{kind}/start_listen/{prop}", ids)


def ask(what: str, *ids: Any, kind: str = "track") -> Send:
    return Send(f"/live/{kind}/get/{what}", ids)


def name_of(raw: Any, longest: int = MAX_NAME) -> str:
    """A name, or another text, as Live says it, fit to be shown."""
    text = raw if isinstance(raw, str) else ""
    return "".join(each if each.isprintable() else " " for each in text).strip()[:longest]


def numbers(args: Args, count: int) -> tuple[int, ...] | None:
    """The ids that stand first; None where there are none."""
    found = args[:count]
    if len(found) < count or any(isinstance(each, bool) or not isinstance(each, (int, float)) for each in found):
        return None
    return tuple(int(each) for each in found) if all(-1 <= each < 1 << 31 for each in found) else None


def through(effects: Effects, follow: Callable[[Effect], Iterable[Effect]]) -> Iterator[Effect]:
    """What ``follow`` makes of each of them, and of those that are worked out later, when their turn comes."""
    for effect in effects:
        if isinstance(effect, Later):
            yield Later(partial(_later, effect, follow))
        else:
            yield from follow(effect)


def _later(effect: Later, follow: Callable[[Effect], Iterable[Effect]]) -> Iterator[Effect]:
    return through(effect.make(), follow)


def chain(effects: Iterable[Effects]) -> list[Effect]:
    """All of them, in order."""
    return [effect for some in effects for effect in some]
