"""All routes of one MIDI peer: by what they hear, and by the control that they send. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from .bind import Route
from .codec import Key

K = TypeVar("K")


class RouteTable:
    """All routes of one peer: by key (in), by control (out)."""

    def __init__(self) -> None:
        self.heard: dict[Key, tuple[Route, ...]] = {}
        self.touches: dict[Key, tuple[Route, ...]] = {}
        """Routes on whose control a key puts a finger."""
        self.speakers: dict[int, tuple[Route, ...]] = {}
        """Routes that send a control, by its id."""
        self.dark: dict[Route, None] = {}
        """Routes whose part of the hardware nobody has now: what is heard there moves nothing."""
        self._routes: dict[int, tuple[Route, ...]] = {}

    def add(self, route: Route, *, is_dark: bool = False) -> None:
        """Take in a route that is not there yet."""
        if is_dark:
            self.dark[route] = None
        else:
            at = route.entry.id
            self._routes[at] = (*self.of(at), route)
            if route.speaks:
                self.speakers[at] = (*self.speakers.get(at, ()), route)
        if route.hears:
            self.heard[route.key] = (*self.heard.get(route.key, ()), route)
        if route.touched_by is not None:
            self.touches[route.touched_by] = (*self.touches.get(route.touched_by, ()), route)

    def remove(self, route: Route) -> None:
        """Take a route out, if it is there."""
        self.dark.pop(route, None)
        _without(self._routes, route.entry.id, route)
        _without(self.speakers, route.entry.id, route)
        _without(self.heard, route.key, route)
        if route.touched_by is not None:
            _without(self.touches, route.touched_by, route)

    def of(self, entry_id: int) -> Sequence[Route]:
        """All routes of a control, but for the dark ones."""
        return self._routes.get(entry_id, ())

    def __iter__(self) -> Iterator[Route]:
        return (route for routes in self._routes.values() for route in routes)


def _without(table: dict[K, tuple[Route, ...]], key: K, route: Route) -> None:
    rest = tuple(one for one in table.get(key, ()) if one is not route)
    if rest:
        table[key] = rest
    else:
        table.pop(key, None)
