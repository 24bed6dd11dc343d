"""``Grant``: what one device may do, and where that comes from. Pure and frozen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Role = Literal["view", "control", "admin"]
Mode = Literal["token", "open"]
"""``[auth] mode``: whom we answer. ``token``: who was let in; ``open``: everybody, as an admin."""

FILE = ".html"
"""How a page in ``[[access]]`` ends that is a file of people's own; anything else is a page of the surface."""
ALL = "all"
"""What clients call the view of a device that is limited to no pages."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What whoever is at the other end of a request or a session may do."""

    role: Role
    """``view`` only watches; ``control`` moves; ``admin`` also learns, lets devices in, and sees the monitor, the
    history and the metrics."""
    access: str = ""
    """The ``[[access]]`` entry that limits it to pages; "" where nothing does."""
    device: str = ""
    """The id of a device that was let in; "" where nobody is told apart, and for the command line."""
    is_page: bool = False
    """It is for a page of somebody's own that a device has open, which may not do all that the device may."""

    def for_page(self) -> Grant:
        """What such a page may do: never ``admin``."""
        return replace(self, role="control" if self.role == "admin" else self.role, is_page=True)

    def covers(self, other: Grant) -> bool:
        """Whether it allows all that the other does."""
        return _RANK[self.role] >= _RANK[other.role] and self.access in ("", other.access)


@dataclass(frozen=True, slots=True)
class Access:
    """One ``[[access]]`` entry: what the devices that were let in by it may do."""

    name: str
    role: Role = "control"
    pages: tuple[str, ...] | None = None
    """Names of pages of the surface, and files (``x.html``) of people's own pages; None: everything."""


def is_file(page: str) -> bool:
    """True if a page of ``[[access]]`` is a file of people's own."""
    return page.endswith(FILE)


_RANK: dict[Role, int] = {"view": 0, "control": 1, "admin": 2}
EVERYTHING = Grant("admin")
HERE = Grant("admin", device="local")
"""Of the command line, which may open our socket: no reload shuts it out."""
