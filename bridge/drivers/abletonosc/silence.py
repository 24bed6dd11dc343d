"""Why Live may say nothing, and what an operator can do: in words, by what the network tells of it."""

from __future__ import annotations

NOT_CHOSEN = "is Live open, and AbletonOSC chosen in its Settings › Link, Tempo & MIDI › Control Surface?"
BUSY = "Live is busy or shows a dialog; or the network has lost it"
BLOCKED = (
    "it may be switched off; or a firewall there keeps UDP 11000; or macOS keeps Live, or stagebridge, from the "
    "network: System Settings › Privacy & Security › Local Network"
)
LONELY = (
    "something takes what is sent there, and it does not answer: is it Live, with AbletonOSC, and not another program?"
)
TAKEN = "AbletonOSC answers to this port alone: close the other program, or let it talk to stagebridge instead of Live"
WRONG_HOST = "is host right?"


def advice(trouble: str, *, was_heard: bool, is_here: bool) -> str:
    """What to look at while Live does not answer.

    ``trouble`` is what the network says to what is sent there, or ``taken``: our own port is another program's;
    ``is_here``: on our own computer.
    """
    if trouble == "taken":
        return TAKEN
    if trouble == "refused":
        return NOT_CHOSEN
    if trouble:
        return WRONG_HOST
    if was_heard:
        return BUSY
    return LONELY if is_here else BLOCKED
