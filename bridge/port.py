"""What every port shares: the contract, the supervisor that brings a port back.

A port is the code that speaks one transport for one or more peers. It imports no other port.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from pydantic import BaseModel

from .bank import Seat
from .control import Control
from .errors import BridgeError, Problem
from .learning import Learning
from .log import OncePer
from .monitor import Monitor
from .presence import Presence
from .store import Store
from .surface import Page

log = logging.getLogger(__name__)

FIRST_RETRY_S = 0.1
LAST_RETRY_S = 5.0

ShowPages = Callable[[str, Sequence[Page]], None]
"""``show_pages(peer, pages)``: these stand after the configuration's own, in place of those that it showed before."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One peer as the configuration has it.

    ``table`` is the port's table (``osc``); ``bindings`` maps a control's path to how it is reached
    on this peer; ``excluded`` are the paths that are left out of mirroring (``osc.max = false``);
    ``banked`` are the bindings that hold while their bank shows their window, by the control's path.
    """

    table: str
    name: str
    settings: Any
    bindings: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    excluded: frozenset[str] = frozenset()
    banked: Mapping[str, tuple[tuple[Seat, Any], ...]] = field(default_factory=dict)


class Lane(Protocol):
    """A peer by which another one is reached faster than by its own port: a MIDI peer, for a program that reads MIDI
    more often than anything else."""

    @property
    def is_there(self) -> bool:
        """True while what is carried arrives."""

    def carry(self, channel: int, cc: int, value: int) -> None:
        """Send a control change (channel 1–16), at the peer's pace: the latest of each, and nothing that was there
        before it was lost."""


@dataclass(frozen=True, slots=True)
class PortContext:
    """What the application hands to a port."""

    store: Store
    clock: Callable[[], float]
    """Monotonic seconds, the same clock for every ``now``."""
    publish_state: Callable[[str, str], None]
    """``publish_state(peer, text)``: how a peer is, in words that a performer understands; the first word is
    connecting, online, silent or offline."""
    monitor: Monitor = field(default_factory=Monitor)
    """Shown what goes in and out, while ``monitor.is_watched``."""
    learning: Learning = field(default_factory=Learning)
    """Waits for a hand, while something is armed; and what it has learnt."""
    show_pages: ShowPages = lambda peer, pages: None
    """For peers that bring pages of their own."""
    presence: Presence | None = None
    """Marks controls whose peers are all gone; of all ports. None: the port has one of its own."""
    lanes: dict[str, Lane] = field(default_factory=dict)
    """By peer; each port puts in those that it has when it is built."""
    taught: dict[str, set[str]] = field(default_factory=dict)
    """Paths of the controls that a peer has taught us; each port puts in the peers that may, when it is built. Those of
    earlier runs are in it when the port is opened."""


class PeerHandle(Protocol):
    """One peer in an operator's hands."""

    @property
    def learnt(self) -> Sequence[str]:
        """Paths of the controls that it taught us."""

    @property
    def mirrors(self) -> bool:
        """True if every control goes to it at its own path."""

    @property
    def reach(self) -> Mapping[str, str]:
        """How far the value of each control that goes to it has come, by path: silent, waiting, unsent, sent, or
        confirmed."""

    def push(self) -> int:
        """Send it every value, at its pace; how many. Raises PortError where it cannot be sent anything."""

    def send(self, address: str, args: Sequence[Any]) -> int:
        """Send it one message as it stands; to how many places. Raises BadValue, PortError."""


class Port(Protocol):
    """A transport that is served until its task is cancelled."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str:
        """Its table in the configuration, which is the kind of its origins too."""

    @property
    def sent(self) -> int:
        """Messages that have left, to all of its peers."""

    async def serve(self, ready: Callable[[], None]) -> None:
        """Open, call ``ready`` once able to receive and send, and run until cancelled.

        Sends the truth to its peers as their policy says each time it opens. Raises PortError (or OSError)
        when it cannot open or has failed: the supervisor calls it again. Frees all it opened on the way out.
        """

    def peer_lines(self) -> list[str]:
        """One line per peer, for people: "max 192.168.1.20:9001: connecting, never heard; we listen on UDP 9000"."""

    def health(self) -> list[dict[str, Any]]:
        """One entry per peer for ``/healthz``: name, state, counters."""

    def peer(self, name: str) -> PeerHandle | None:
        """One of its peers; None where it is none of them."""

    def adopt(self, peers: Sequence[Peer], described: Mapping[str, Control | None]) -> Iterator[None]:
        """These are its peers from now on; ``described`` are the controls that the configuration describes anew, by
        path, or does not describe any more (None). Called while the store still has the old ones, and followed by
        ``follow``.

        Who is not among them, or has other settings, leaves now. What stays open, stays: the new bindings hold for
        the controls that come, and nothing is sent. Step by step, like ``follow``.
        """

    def follow(self) -> Iterator[None]:
        """The store has the new controls: bind anew what is bound otherwise, open the peers that are new. Sends what a
        peer was told in another form before, and to new peers what their policy says; nothing else. Step by step:
        others may have a turn between two."""


class Completion(NamedTuple):
    """A peer's table with what is known of its kind. ``said`` is what is wrong in it: keys below it, message, hint;
    ``problems`` are mistakes in other files."""

    table: dict[str, Any]
    said: Sequence[tuple[tuple[str | int, ...], str, str | None]] = ()
    problems: Sequence[Problem] = ()


@dataclass(frozen=True, slots=True)
class PortKind:
    """How the application knows one kind of port: its config table, models and constructor."""

    table: str
    settings: type[BaseModel]
    binding: type[BaseModel]
    group: Callable[[Sequence[Peer]], Mapping[Hashable, Sequence[Peer]]]
    """Which peers share a port, by what that port is: as long as there is the same, it is not closed."""
    open: Callable[[Sequence[Peer], PortContext], Port]
    """Builds the port of one such group; opens nothing yet."""
    check_peers: Callable[[Sequence[Any]], Iterable[tuple[int, str, str]]] | None = None
    """(index, key, message) of each mistake that needs several of its tables to be seen."""
    check_binding: Callable[[Any, Any, Control], Iterable[tuple[str, str]]] | None = None
    """``check_binding(settings, binding, control)``: (key, message) of each way in which they do not fit.

    ``settings`` is None where the peer's table has mistakes."""
    complete: Callable[[Mapping[str, Any], Path], Completion] | None = None
    """``complete(table, folder)``: fills in a peer's table before it is checked; ``folder`` is the configuration's."""
    has_banks: bool = False
    """True if its peers' bindings may stand in a ``[[bank]]`` (``Peer.banked``)."""
    not_in_banks: tuple[str, ...] = ()
    """Keys of bindings that may not."""
    lane_of: Callable[[Any], str | None] | None = None
    """The peer, of whatever kind, by which a peer's moves go (``Lane``); None: by itself."""
    is_lane: Callable[[Any], bool] | None = None
    """True if a peer with these settings can be another's lane."""
    pages_of: Callable[[Any], Sequence[str]] | None = None
    """Names of the pages that a peer with these settings can bring."""


async def supervise(
    port: Port,
    ready: Callable[[], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    failed: Callable[[str], None] = lambda cause: None,
) -> None:
    """Serve a port for ever: log a failure once per cause, wait 0.1 s, doubling to 5 s, serve again.

    ``ready`` is called every time that the port is, ``failed(cause)`` every time that it is no more. Returns only by
    cancellation.
    """
    delay_s = FIRST_RETRY_S
    said = ""
    once = OncePer(log)

    def is_ready() -> None:
        nonlocal delay_s, said
        if said:
            once.each("%s: back again", port.name)
        delay_s, said = FIRST_RETRY_S, ""
        ready()

    while True:
        defect: Exception | None = None
        try:
            await port.serve(is_ready)
            cause = "it ended by itself"
        except (BridgeError, OSError) as exc:
            cause = str(exc)
        except Exception as exc:  # noqa: BLE001 - stops no other port; told below, with its traceback
            cause, defect = repr(exc), exc
        if cause != said:
            if once.warning(cause, "%s: %s; trying again", port.name, cause) and defect is not None:
                log.error("%s: where that was", port.name, exc_info=defect)
            said = cause
        failed(cause)
        await sleep(delay_s)
        delay_s = min(delay_s * 2, LAST_RETRY_S)
