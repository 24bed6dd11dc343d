"""Ableton Live through AbletonOSC: controls and pages made of the set that is open in it.

``live`` puts the parts together: ``tracks`` (which are there, and their ``mixer``; ``roll`` asks for them), ``sends``,
``song``, ``device`` (the one that is selected) and its ``parameters``, ``grid`` (``clips`` as pads), ``named``
(what controls of the configuration name), ``rival`` (who takes Live's news) and ``lane``. A ``part`` takes messages by
their address. ``identity`` says which track of a set is which of the set before; ``laws`` what Live's numbers mean;
``silence`` what to look at while it says nothing.
"""

from .live import AbletonOsc

__all__ = ["AbletonOsc"]
