"""Drivers: what is known of a kind of peer beyond data. Each is a pure ``driver.Driver``; one package for each kind.

They are imported when a configuration has such a peer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bridge.driver import Driver, Wanted

if TYPE_CHECKING:
    from .abletonosc import AbletonOsc


def page_names(name: str, peer: str) -> Sequence[str]:
    """What the pages are called that this driver of a peer can bring."""
    return _driver(name).page_names(peer)


def open_driver(name: str, wanted: Wanted) -> Driver:
    """The driver that a profile names."""
    return _driver(name)(wanted)


def _driver(name: str) -> type[AbletonOsc]:
    from .abletonosc import AbletonOsc

    return {"abletonosc": AbletonOsc}[name]
