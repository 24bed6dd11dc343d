"""MIDI as the application knows it: its table, its bindings, and how a port is opened.

The port itself (``port``) is imported with the first ``[[midi]]`` table: a start without one is a tenth quicker.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from bridge.port import Peer, Port, PortContext, PortKind

from .bind import check_binding
from .profile import PROFILES
from .settings import Binding, Settings


def group_peers(peers: Sequence[Peer]) -> Mapping[Hashable, Sequence[Peer]]:
    """By MIDI system: its devices are looked for together."""
    by_api: dict[Hashable, list[Peer]] = {}
    for peer in peers:
        by_api.setdefault(peer.settings.api, []).append(peer)
    return by_api


def open_port(peers: Sequence[Peer], context: PortContext) -> Port:
    """The port of one MIDI system. Opens nothing yet."""
    from .port import MidiPort

    return MidiPort(peers, context)


KIND = PortKind(
    "midi",
    Settings,
    Binding,
    group_peers,
    open_port,
    None,
    check_binding,
    PROFILES.complete,
    has_banks=True,
    not_in_banks=("clock",),
    is_lane=lambda one: one.out_port is not None,
)
