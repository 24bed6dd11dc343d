"""Which controls go to Live by the lane, and as which CC.

What the configuration names (``lane_cc``) has been mapped in Live by hand. Parameters of devices are mapped here: Live
is told the CC, one that is free, as soon as a control is bound to one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bridge.driver import Add, Bind, Carry, Effect, Remove, Send, Way
from bridge.osc.fields import TOP_CC
from bridge.osc.settings import Binding

FREE = range(TOP_CC + 1)
"""CCs that mean nothing but themselves."""
NAMES = {"volume": "volume", "panning": "pan"}
PARAMETER = "/live/device/set/parameter/value"
TRACK = "/live/track/set/"
SEND, PAN = f"{TRACK}send", f"{TRACK}panning"
Range = tuple[float, float]


class Lanes:
    """All of one Live. ``track_name(index)`` says which track stands there now."""

    def __init__(self, by_hand: Mapping[str, int], channel: int, track_name: Callable[[int], str | None]) -> None:
        self._by_hand = {name.casefold(): cc for name, cc in by_hand.items()}
        self._channel = channel
        self._track_name = track_name
        self._mapped: dict[str, int] = {}  # path → CC
        self._told: dict[int, tuple[Any, ...]] = {}  # CC → what Live was told that it moves

    def connected(self) -> None:
        """Live is there, or another set is: it knows of no CC any more but those that were mapped by hand."""
        self._told.clear()

    def follow(self, effect: Effect) -> Iterator[Effect]:
        """What an effect means for the lane."""
        if isinstance(effect, Add):
            control = effect.control
            whole = (control.low, control.high) if control.kind == "float" else None
            yield from self._bound(control.path, effect.bindings, whole)
        elif isinstance(effect, Bind):
            yield from self._bound(effect.path, effect.bindings, effect.whole)
        elif isinstance(effect, Remove):
            yield from self._bound(effect.path, (), None)

    def _bound(self, path: str, bindings: tuple[Binding, ...], whole: Range | None) -> Iterator[Effect]:
        """``whole`` is the range of a device's parameter, which its CC goes through."""
        way = self._way(path, bindings[0], whole) if len(bindings) == 1 else None
        if way is None:
            self._mapped.pop(path, None)
            yield Carry(path)
            return
        cc, parameter, ends = way
        if parameter and self._told.get(cc) != parameter:
            self._told[cc] = parameter
            yield Send("/live/midimap/map_cc", (*parameter, self._channel - 1, cc))
        yield Carry(path, Way(self._channel, cc, *ends))

    def _way(self, path: str, binding: Binding, whole: Range | None) -> tuple[int, tuple[Any, ...], Range] | None:
        """The CC; the parameter that Live is to be told, none of what was mapped by hand; what it goes through."""
        ids = () if binding.args is None else binding.args.before
        if binding.address == PARAMETER:
            if whole is None:
                return None
            cc = self._mapped.get(path)
            if cc is None:
                taken = {*self._by_hand.values(), *self._mapped.values()}
                cc = next((each for each in FREE if each not in taken), None)
            if cc is None:
                return None
            self._mapped[path] = cc
            return cc, ids, whole
        name = self._name(binding.address or "", ids)
        cc = None if name is None else self._by_hand.get(name.casefold())
        return None if cc is None else (cc, (), (-1.0, 1.0) if binding.address == PAN else (0.0, 1.0))

    def _name(self, address: str, ids: tuple[Any, ...]) -> str | None:
        """What it is called: ``Drums/volume``, ``Drums/send/a``."""
        track = self._track_name(ids[0]) if ids and isinstance(ids[0], int) else None
        if track is None:
            return None
        if address == SEND and len(ids) == 2:
            return f"{track}/send/{chr(ord('a') + int(ids[1]))}"
        what = NAMES.get(address.removeprefix(TRACK)) if address.startswith(TRACK) else None
        return None if what is None else f"{track}/{what}"
