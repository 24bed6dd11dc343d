"""All routes of one peer: which route a message means, which routes send a control. Pure.

By address and leading arguments, at a cost that does not grow with the number of controls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bridge.store import Entry, Origin

from .bind import Route
from .codec import Values
from .looks import Look
from .pattern import AddressTree


class RouteTable:
    """All routes of one peer: by address and leading arguments (in), by control (out)."""

    def __init__(self) -> None:
        self.tree = AddressTree()
        """Addresses at which a control is heard."""
        self.speakers: dict[int, tuple[Route, ...]] = {}
        """Routes that send a control, by its id."""
        self.ears: dict[int, tuple[Route, ...]] = {}
        """Routes that hear a control which is sent, by its id: what is sent may come back by any of them."""
        self._paths: dict[str, int] = {}  # of the speakers
        self._path_tree = AddressTree()
        self._routes: dict[int, tuple[Route, ...]] = {}
        self._listeners: dict[str, _Listeners] = {}
        self.plain: dict[str, tuple[Route, ...]] = {}
        """By address, where no route has fixed arguments, as nearly everywhere: what ``find`` says, in one look-up."""
        self._touches: dict[str, dict[int, Entry]] = {}
        self._looks: dict[str, list[Look]] = {}
        self._looks_of: dict[int, tuple[Look, ...]] = {}

    @property
    def addresses(self) -> Iterable[str]:
        """Addresses that mean something."""
        return self._listeners

    def put(self, entry: Entry, routes: Sequence[Route], looks: Sequence[Look] = ()) -> None:
        """Set the routes of a control that has none, and where the peer says what it looks like."""
        for look in looks:
            self._looks.setdefault(look.heard_at, []).append(look)
        if looks:
            self._looks_of[entry.id] = tuple(looks)
        if not routes:
            return
        self._routes[entry.id] = tuple(routes)
        speakers = tuple(route for route in routes if route.speaks)
        if speakers:
            self.speakers[entry.id] = speakers
            self.ears[entry.id] = tuple(route for route in routes if route.hears)
            self._paths[entry.path] = entry.id
            self._path_tree.add(entry.path)
        for route in routes:
            if route.touched_at is not None:
                self._touches.setdefault(route.touched_at, {})[entry.id] = entry
            if route.hears:
                if route.heard_at not in self._listeners:
                    self._listeners[route.heard_at] = _Listeners()
                    self.tree.add(route.heard_at)
                self._listeners[route.heard_at].add(route)
                self._note_plain(route.heard_at)
        for address in {look.heard_at for look in looks} | {route.heard_at for route in routes}:
            if address in self._looks and address in self._listeners:
                self._listeners[address].slow_down()

    def drop(self, entry: Entry) -> Sequence[Route]:
        """Take a control's routes out, if it has any, and return them."""
        if self.speakers.pop(entry.id, None):
            del self.ears[entry.id], self._paths[entry.path]
            self._path_tree.discard(entry.path)
        for look in self._looks_of.pop(entry.id, ()):
            self._looks[look.heard_at].remove(look)
            if not self._looks[look.heard_at]:
                del self._looks[look.heard_at]
        routes = self._routes.pop(entry.id, ())
        for route in routes:
            touched = self._touches.get(route.touched_at or "", {})
            touched.pop(entry.id, None)
            if not touched:
                self._touches.pop(route.touched_at or "", None)
            listeners = self._listeners.get(route.heard_at) if route.hears else None
            if listeners is not None:
                if not listeners.remove(route):
                    del self._listeners[route.heard_at]
                    self.tree.discard(route.heard_at)
                self._note_plain(route.heard_at)
        return routes

    def _note_plain(self, address: str) -> None:
        listeners = self._listeners.get(address)
        if listeners is not None and listeners.is_plain:
            self.plain[address] = listeners.plain
        else:
            self.plain.pop(address, None)

    def find(self, address: str, args: Values) -> Sequence[Route] | None:
        """Routes that a message means; empty where its fixed arguments fit none, None for an unknown address."""
        plain = self.plain.get(address)
        if plain is not None:
            return plain
        listeners = self._listeners.get(address)
        return None if listeners is None else listeners.find(args)

    def looks(self, address: str, args: Values) -> Sequence[Look]:
        """What a message to this address says about the looks of controls, if anything."""
        found = self._looks.get(address)
        if found is None:
            return ()
        return [look for look in found if len(args) > len(look.before) and args[: len(look.before)] == look.before]

    def touched(self, address: str) -> Iterable[Entry]:
        """Controls on which a message to this address puts a finger, or from which it takes one."""
        if address in self._listeners:
            return ()  # it is a control's own
        return self._touches[address].values() if address in self._touches else ()

    def holds_back(self, entry: Entry, origin: Origin) -> bool:
        """True while a target has a finger on the control: a motor must not pull at it."""
        return origin in entry.holders and any(route.touched_at for route in self._routes.get(entry.id, ()))

    def is_cached(self, pattern: str) -> bool:
        """True if ``spoken`` is one look-up now."""
        return self._path_tree.is_cached(pattern)

    def spoken(self, pattern: str | None = None) -> Iterator[int]:
        """Ids of controls that are sent, whose path fits the pattern. Raises OscError where it is none."""
        if pattern is None:
            return iter(self.speakers)
        return (self._paths[path] for path in self._path_tree.find(pattern))

    def looks_of(self, entry: Entry) -> Sequence[Look]:
        """Where the peer says what this control looks like."""
        return self._looks_of.get(entry.id, ())

    def questions(self, entry: Entry | None = None) -> Iterator[Route | Look]:
        """By what the peer can be asked for values, names and colours: of one control, or of all."""
        for entry_id in self._routes if entry is None else (entry.id,):
            yield from (route for route in self._routes.get(entry_id, ()) if route.question is not None)
            yield from (look for look in self._looks_of.get(entry_id, ()) if look.question is not None)

    def resting(self) -> Iterator[int]:
        """Ids of momentary controls that are sent, and at rest."""
        for entry_id, routes in self.speakers.items():
            entry = routes[0].entry
            if entry.control.momentary and entry.value == entry.control.rest:
                yield entry_id


class _Listeners:
    """The routes at one address, by their leading arguments. ints and floats are the same: Pd has floats alone."""

    __slots__ = ("_by_lead", "is_plain", "plain")

    def __init__(self) -> None:
        self._by_lead: dict[int, dict[tuple[Any, ...], list[Route]]] = {}
        self.is_plain = True
        """True if no route has fixed arguments: then ``plain`` is all of them."""
        self.plain: tuple[Route, ...] = ()

    def add(self, route: Route) -> None:
        self._by_lead.setdefault(len(route.before), {}).setdefault(route.before, []).append(route)
        self._settle()

    def remove(self, route: Route) -> bool:
        """False if it was the last."""
        routes = self._by_lead[len(route.before)][route.before]
        routes.remove(route)
        if not routes:
            del self._by_lead[len(route.before)][route.before]
            if not self._by_lead[len(route.before)]:
                del self._by_lead[len(route.before)]
        self._settle()
        return bool(self._by_lead)

    def slow_down(self) -> None:
        """Messages to this address mean something else too."""
        for routes in self._by_lead.values():
            for some in routes.values():
                for route in some:
                    route.is_quick = False

    def find(self, args: Values) -> Sequence[Route]:
        return [
            route
            for length, routes in self._by_lead.items()
            for route in routes.get(args[:length], ())
            if not route.after or _ends_with(args, length, route.after)
        ]

    def _settle(self) -> None:
        self.plain = tuple(self._by_lead.get(0, {}).get((), ()))
        self.is_plain = set(self._by_lead) <= {0} and not any(route.after for route in self.plain)


def _ends_with(args: Values, start: int, after: tuple[Any, ...]) -> bool:
    """A query has the leading arguments alone."""
    return len(args) == start or (len(args) >= start + len(after) and args[-len(after) :] == after)


def values_of(route: Route, args: Values) -> Values:
    """The arguments without the fixed ones."""
    if not route.before and not route.after:
        return args
    return args[len(route.before) : len(args) - len(route.after) if len(args) > len(route.before) else None]
