"""Drivers: what is known of a kind of peer beyond data. Each is a pure ``driver.Driver``; one package for each kind."""

from __future__ import annotations

from bridge.driver import Driver, Wanted

from .abletonosc import AbletonOsc

DRIVERS: dict[str, type[AbletonOsc]] = {"abletonosc": AbletonOsc}


def open_driver(name: str, wanted: Wanted) -> Driver:
    """The driver that a profile names."""
    return DRIVERS[name](wanted)
