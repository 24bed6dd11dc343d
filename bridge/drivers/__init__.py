"""Drivers: what is known of a kind of peer beyond data. Each is a pure ``driver.Driver``; one package for each kind."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.driver import Driver, Wanted

from .abletonosc import AbletonOsc

DRIVERS: dict[str, type[AbletonOsc]] = {"abletonosc": AbletonOsc}


def page_names(name: str, peer: str) -> Sequence[str]:
    """What the pages are called that this driver of a peer can bring."""
    return DRIVERS[name].page_names(peer)


def open_driver(name: str, wanted: Wanted) -> Driver:
    """The driver that a profile names."""
    return DRIVERS[name](wanted)
