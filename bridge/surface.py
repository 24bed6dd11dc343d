"""``Surface``: which controls stand on which page, in which group, how big. Pure and frozen.

Here: placing. Not here: what a control is (``control``), what it looks like (``web/``). Controls
that a page of somebody's own declares are not on the surface: that page draws them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from .bank import Bank
from .control import WIDGETS, Control, Widget

Layout = Literal["strips", "grid", "rows", "pads"]
Size = Literal["s", "m", "l"]

MAIN = "Main"
"""The page that is made where controls name none and the configuration has none."""
LEARNT = "Learnt"
"""The page of controls that peers have taught us."""


@dataclass(frozen=True, slots=True)
class PageSetting:
    """A page as the configuration has it. ``columns`` is None where the screen decides."""

    name: str
    layout: Layout = "grid"
    columns: int | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one control stands. ``pages`` None means the first page, () none at all."""

    control: Control
    pages: tuple[str, ...] | None = None
    group: str = ""
    order: float = 0
    span: tuple[int, int] | None = None
    size: Size = "m"


@dataclass(frozen=True, slots=True)
class Item:
    """One widget: the control's path and how it is drawn."""

    path: str
    widget: Widget | None = None
    """None where it is the kind's own."""
    span: tuple[int, int] | None = None
    """Cells of a grid, (columns, rows); None where the widget decides."""
    size: Size = "m"

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {"path": self.path}
        if self.widget is not None:
            wire["widget"] = self.widget
        if self.span is not None:
            wire["span"] = list(self.span)
        if self.size != "m":
            wire["size"] = self.size
        return wire


@dataclass(frozen=True, slots=True)
class Group:
    """Widgets that stand together; a strip where the page has strips. ``name`` may be empty."""

    name: str
    items: tuple[Item, ...]
    color: str | None = None
    """The colour that all of its controls share; None where they differ."""

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {"name": self.name}
        if self.color is not None:
            wire["color"] = self.color
        return wire | {"items": [item.to_wire() for item in self.items]}


@dataclass(frozen=True, slots=True)
class Page:
    """One tab."""

    name: str
    layout: Layout
    groups: tuple[Group, ...]
    columns: int | None = None

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {"name": self.name, "layout": self.layout}
        if self.columns is not None:
            wire["columns"] = self.columns
        return wire | {"groups": [group.to_wire() for group in self.groups]}


@dataclass(frozen=True, slots=True)
class Surface:
    """Everything that a browser lays out."""

    title: str = "stagebridge"
    pages: tuple[Page, ...] = ()
    banks: tuple[Bank, ...] = ()
    """What hardware holds a window of."""

    def with_pages(self, pages: Sequence[Page]) -> Surface:
        """These too, after its own; what has the name of one of its own stands there, after what it has."""
        brought = {page.name: page for page in pages}
        own = [
            replace(page, groups=(*page.groups, *added.groups)) if (added := brought.pop(page.name, None)) else page
            for page in self.pages
        ]
        return replace(self, pages=(*own, *brought.values()))

    def to_wire(self) -> dict[str, Any]:
        """The ``surface`` of ``welcome``: names, layouts, groups and items; defaults are left out."""
        wire = {"title": self.title, "pages": [page.to_wire() for page in self.pages]}
        return wire | {"banks": [bank.to_wire() for bank in self.banks]} if self.banks else wire


def build_surface(
    title: str, pages: Sequence[PageSetting], placements: Iterable[Placement], banks: Iterable[Bank] = ()
) -> Surface:
    """Lay the controls out: by ``order``, then as given; groups where their first control stands.

    A page that is named but not in ``pages`` comes after them; a page without controls stays, empty.
    In ``strips`` a control without group is a strip of its own.
    """
    placed = sorted(placements, key=lambda placement: placement.order)
    settings = {page.name: page for page in pages}
    for placement in placed:
        for name in placement.pages or ():
            settings.setdefault(name, PageSetting(name))
    if not pages and settings.keys() <= {LEARNT} and any(placement.pages is None for placement in placed):
        settings = {MAIN: PageSetting(MAIN), **settings}  # what was learnt is no place for the others
    first = next(iter(settings), MAIN)
    on_page: dict[str, list[Placement]] = {name: [] for name in settings}
    for placement in placed:
        for name in (first,) if placement.pages is None else placement.pages:
            on_page[name].append(placement)
    return Surface(title, tuple(_page(settings[name], on_page[name]) for name in settings), tuple(banks))


def with_learnt(surface: Surface, controls: Iterable[Control]) -> Surface:
    """The surface with learnt controls on a page of their own, grouped by what stands before their names."""
    placements = [Placement(control, group=control.path.rpartition("/")[0].strip("/")) for control in controls]
    if not placements:
        return surface
    made = _page(PageSetting(LEARNT), placements)
    if all(page.name != LEARNT for page in surface.pages):
        return replace(surface, pages=(*surface.pages, made))
    # Some of them are in the configuration by now.
    pages = [
        replace(page, groups=(*page.groups, *made.groups)) if page.name == LEARNT else page for page in surface.pages
    ]
    return replace(surface, pages=tuple(pages))


def _page(setting: PageSetting, placements: Sequence[Placement]) -> Page:
    groups: dict[tuple[str, int], list[Placement]] = {}
    for index, placement in enumerate(placements):
        is_own_strip = setting.layout == "strips" and not placement.group
        groups.setdefault((placement.group, index if is_own_strip else -1), []).append(placement)
    return Page(
        setting.name,
        setting.layout,
        tuple(_group(name, members) for (name, _), members in groups.items()),
        setting.columns,
    )


def _group(name: str, members: Sequence[Placement]) -> Group:
    colors = {member.control.color for member in members}
    return Group(name, tuple(_item(member) for member in members), colors.pop() if len(colors) == 1 else None)


def _item(placement: Placement) -> Item:
    control = placement.control
    widget = None if control.widget == WIDGETS[control.kind][0] else control.widget
    return Item(control.path, widget, placement.span, placement.size)
