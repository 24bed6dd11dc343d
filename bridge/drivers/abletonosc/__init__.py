"""Ableton Live through AbletonOSC: controls and pages made of the set that is open in it.

``live`` puts the parts together: ``tracks`` (which are there, by ``roll``, and their mixer), ``sends``, ``song``, ``device`` (the
one that is selected) and its ``parameters``, ``named`` (what controls of the configuration name). A ``part`` takes
messages by their address. ``identity`` says which track of a set is which of the set before; ``laws`` what Live's
numbers mean.
"""

from .live import AbletonOsc

__all__ = ["AbletonOsc"]
