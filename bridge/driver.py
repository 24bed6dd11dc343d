"""What a driver is: what the bridge knows of one kind of peer beyond data, such as AbletonOSC. Pure.

A driver takes what its peer says, what becomes of its controls, and the time; it answers with effects, in the order
in which they are to be carried out. It knows no socket and no store. How a value gets from a control to the peer and
back is no part of it: it gives its controls bindings, and the port's own rules (echoes, pace, questions) hold for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from .coercion import Value
from .control import Control
from .store import Change
from .surface import Page

OWNER = "driver"
"""The owner of the controls that drivers add."""
TOP_OF_CC = 127


@dataclass(frozen=True, slots=True)
class Send:
    """Send the peer a message, at its pace, after those before it."""

    address: str
    args: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Forget:
    """What waits to be sent was for what the peer had before: it is not sent any more."""


@dataclass(frozen=True, slots=True)
class Add:
    """There is a control, reached by these bindings (the port's; none: the driver alone reads and moves it).

    Where the configuration has one at this path, that is meant: it stays as it is, and is bound. Where the driver has
    added one, it is described anew.
    """

    control: Control
    bindings: tuple[Any, ...] = ()
    value: Value = None


@dataclass(frozen=True, slots=True)
class Bind:
    """A control is reached in another way: its track has moved. What it is still owed goes there.

    Without bindings it is not reached at all.
    """

    path: str
    bindings: tuple[Any, ...] = ()
    whole: tuple[float, float] | None = None
    """The range of what it reaches, where that is a number of a device."""


@dataclass(frozen=True, slots=True)
class Remove:
    """A control is gone; one of the configuration is only not bound any more."""

    path: str


@dataclass(frozen=True, slots=True)
class Set:
    """The peer has this value now. It is not sent back."""

    path: str
    value: Any


@dataclass(frozen=True, slots=True)
class Mark:
    """Show something beside a control's value (``Store.mark``); None takes it away."""

    path: str
    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class Look:
    """The peer has a name and a colour for a control of the configuration. None: as it is there.

    A group that it stands in is called so too: it is a channel strip.
    """

    path: str
    name: str | None
    color: str | None
    is_name_of_group: bool = False
    """True if the name is its group's alone."""


@dataclass(frozen=True, slots=True)
class Show:
    """These pages, in place of those before, after the configuration's own."""

    pages: tuple[Page, ...]


@dataclass(frozen=True, slots=True)
class Warn:
    """Tell the operator, once for each ``cause``."""

    cause: str
    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """What the operator reads of the peer beside its state, until there is another; "" for nothing."""

    text: str


@dataclass(frozen=True, slots=True)
class Way:
    """How a number goes by a peer's lane: a CC on a channel from 1, from ``low`` to ``high`` in the peer's units."""

    channel: int
    cc: int
    low: float
    high: float

    def value(self, number: float) -> int:
        """The CC's."""
        part = (number - self.low) / (self.high - self.low)
        return min(max(int(part * TOP_OF_CC + 0.5), 0), TOP_OF_CC)


@dataclass(frozen=True, slots=True)
class Carry:
    """A control's moves go by the peer's lane; without a way they do not, any more. Whoever binds a control says so
    anew."""

    path: str
    way: Way | None = None


@dataclass(frozen=True, slots=True)
class Later:
    """These, worked out when their turn comes: many controls take time to describe."""

    make: Callable[[], Effects]


@dataclass(frozen=True, slots=True)
class Read:
    """An answer to a message: the bindings are to read it with these arguments; and what else it means."""

    args: tuple[Any, ...]
    effects: Effects = ()


Effect: TypeAlias = Send | Forget | Add | Bind | Remove | Set | Mark | Look | Show | Warn | Note | Carry | Later
Effects: TypeAlias = Iterable[Effect]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the configuration asks of a driver: its peer's settings, and bindings that name a thing at the peer."""

    name: str
    settings: Any
    bindings: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Path of a control → its bindings that the driver must complete."""


class Driver(Protocol):
    """The driver of one peer. ``now`` is in seconds, monotonic."""

    tick_s: float
    """How often ``tick`` is to be called."""

    def connected(self, now: float) -> Effects:
        """The peer is there, or there again: nothing that it was told before holds."""

    def gone(self, now: float) -> Effects:
        """The peer is not there any more."""

    def heard(self, address: str, args: tuple[Any, ...], now: float) -> Effects | Read | None:
        """Take a message. None, or a ``Read``, if it may be a control's value, which its binding will read."""

    def changed(self, change: Change, now: float) -> Effects:
        """A control that the driver has added or bound was moved or fired, and not by the peer itself."""

    def want(self, bindings: Mapping[str, tuple[Any, ...]], now: float) -> Effects:
        """The configuration names other things at the peer: ``Wanted.bindings`` are these now."""

    def tick(self, now: float) -> Effects:
        """Time has passed; only while the peer is there."""

    def advice(self, trouble: str, *, was_heard: bool, is_here: bool) -> str:
        """What an operator can look at while the peer is not there.

        ``trouble``: what becomes of what is sent there: ``refused`` (nobody listens), ``unreachable``, ``gone``, or
        nothing is known of it; ``taken``: our own port is another program's. ``is_here``: on this computer.
        """
