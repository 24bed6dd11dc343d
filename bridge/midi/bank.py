"""A bank on one MIDI peer: which route each part of the hardware has in which window. Pure.

A part that no route of the present window has is dark: one of another window stands for it, is sent ``Route.dark``,
and moves nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from .bind import Route
from .codec import Key

Element = tuple[tuple[int, int], Key, bytes, bool]
"""A part of the hardware: ``Seat.element``, and which of its messages."""


class Move(NamedTuple):
    """A part of the hardware goes from one route to another, or the same; None: there is none."""

    old: Route | None
    was_dark: bool
    new: Route | None
    is_dark: bool


class MidiBank:
    """The routes of one bank. ``window`` is the one that the hardware holds."""

    def __init__(self) -> None:
        self.window = 1
        self._routes: dict[Element, dict[int, Route]] = {}
        self._now: dict[Element, tuple[Route, bool]] = {}  # whose it is, and whether it is dark

    def put(self, route: Route) -> list[Move]:
        """There is a route more, or instead."""
        assert route.seat is not None
        element = _element(route)
        self._routes.setdefault(element, {})[route.seat.window] = route
        return self._move(element)

    def drop(self, route: Route) -> list[Move]:
        """A route has gone, if it was there."""
        assert route.seat is not None
        element = _element(route)
        routes = self._routes.get(element, {})
        if routes.get(route.seat.window) is not route:
            return []
        del routes[route.seat.window]
        return self._move(element)

    def turn(self, window: int) -> list[Move]:
        """The hardware holds another window."""
        self.window = window
        return [move for element in self._routes for move in self._move(element)]

    def _move(self, element: Element) -> list[Move]:
        """Give a part of the hardware to whom it belongs now; one move, or none."""
        routes = self._routes[element]
        old, was_dark = self._now.pop(element, (None, False))
        new = routes.get(self.window)
        is_dark = new is None
        if new is None:
            stays = old is not None and any(route is old for route in routes.values())
            new = old if stays else next(iter(routes.values()), None)
        if new is not None:
            self._now[element] = new, is_dark
        return [] if new is old and is_dark == was_dark else [Move(old, was_dark, new, is_dark)]


def _element(route: Route) -> Element:
    assert route.seat is not None
    return route.seat.element, route.key, route.head, route.hears
