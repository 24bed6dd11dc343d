"""The MIDI port: controllers and programs by the names of their ports. This module finds them, and keeps them.

``incoming`` is what a message does, ``outgoing`` what a device is sent, ``peer`` one peer's state; ``link`` has
the driver, which is a process of its own. Tables and bindings: ``settings``, ``bind``. Messages: ``codec``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from bridge.control import Control
from bridge.errors import PortError
from bridge.learning import Learnt
from bridge.log import OncePer
from bridge.port import Peer, PortContext
from bridge.presence import Presence
from bridge.store import Change, Entry
from bridge.timers import CallLater, call_later

from .devices import OURS, Place, Ports, pick, places, shown
from .handle import MidiHandle
from .incoming import Receiver
from .link import ANSWER_S, Driver, Line
from .outgoing import Outbox
from .peer import MAX_SHOWN, MidiPeer
from .settings import Settings
from .tap import MidiTap

log = logging.getLogger(__name__)

LOOK_S = 0.4
"""Between two looks at what is plugged in: a device that comes is to be there within 2 s, opened and refreshed."""
RETRY_S = 1.0
"""Between two looks for a MIDI system, where there is none."""

Found = tuple[Place | None, Place | None]


class MidiPort:
    """All peers of one MIDI system. ``call_later`` is the running loop's, and works on the context's clock, which is
    ``time.monotonic``. A driver that needs more than ``answer_s`` for an answer hangs: another is started."""

    def __init__(
        self,
        peers: Sequence[Peer],
        context: PortContext,
        call_later: CallLater = call_later,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._store = context.store
        self._answer_s = answer_s
        self._api: str = peers[0].settings.api
        self._once = OncePer(log)
        self._tap = MidiTap(context.monitor, time.time)
        self._context = context
        self._call_later = call_later
        self._presence = context.presence or Presence(context.store)
        self._learning = context.learning
        self._is_open = False
        self._devices = [self._device(peer) for peer in peers]
        self._rebound: list[tuple[_Device, Sequence[str]]] = []
        self._coming: list[Peer] = []

    @property
    def name(self) -> str:
        return "midi " + "+".join(device.peer.name for device in self._devices)

    @property
    def kind(self) -> str:
        return "midi"

    @property
    def sent(self) -> int:
        return sum(device.peer.sent for device in self._devices)

    def peer_lines(self) -> list[str]:
        """One line per peer, for the operator."""
        return [f"{device.peer.name}: {device.peer.life}, {device.peer.text}" for device in self._devices]

    def health(self) -> list[dict[str, Any]]:
        """One entry per peer, for ``/healthz``."""
        return [device.peer.health() for device in self._devices]

    def peer(self, name: str) -> MidiHandle | None:
        """One of its peers; None where it is none of them."""
        return next((MidiHandle(one.peer, one.out) for one in self._devices if one.peer.name == name), None)

    async def serve(self, ready: Callable[[], None]) -> None:
        """Find the devices, call ``ready``, and go on looking until cancelled. Raises PortError when the system or its
        driver is lost."""
        unsubscribe = [self._store.subscribe(self._tell, is_urgent=True), self._learning.subscribe(self._learnt)]
        self._is_open = True
        for device in self._devices:
            device.start()
        try:
            async with Driver(self._api, self._answer_s) as driver:
                try:
                    await self._begin(driver)
                    is_ready = False
                    while True:
                        ports = await driver.look()
                        await asyncio.gather(*(device.match(driver, ports, self._devices) for device in self._devices))
                        if not is_ready:
                            ready()
                            is_ready = True
                        await driver.ended(LOOK_S)
                finally:
                    for device in self._devices:
                        device.disconnect()
        except PortError as exc:
            for device in self._devices:
                device.say(str(exc))
            raise
        finally:
            self._is_open = False
            for end in unsubscribe:
                end()
            for device in self._devices:
                device.stop()

    # Other devices, or the same with other bindings

    def adopt(self, peers: Sequence[Peer], described: Mapping[str, Control | None]) -> Iterator[None]:
        """See ``port.Port``. A device that is new is looked for at the next look."""
        settings = {peer.name: peer.settings for peer in peers}
        for device in list(self._devices):
            if device.peer.settings != settings.get(device.peer.name):
                self._devices.remove(device)
                self._learning.teachers.discard(device.peer.name)
                self._context.lanes.pop(device.peer.name, None)
                device.leave()
                yield
        kept = {device.peer.name: device for device in self._devices}
        self._coming = [peer for peer in peers if peer.name not in kept]
        self._rebound = [(kept[peer.name], kept[peer.name].peer.adopt(peer)) for peer in peers if peer.name in kept]

    def follow(self) -> Iterator[None]:
        """See ``port.Port``."""
        for device, paths in self._rebound:
            for entry in filter(None, map(self._store.find, paths)):
                device.rebind(entry)
                yield
            device.peer.drop_banks()
        for peer in self._coming:
            device = self._device(peer)
            self._devices.append(device)
            if self._is_open:
                device.start()
        self._rebound, self._coming = [], []

    def _device(self, peer: Peer) -> _Device:
        if peer.settings.in_port is not None:
            self._learning.teachers.add(peer.name)
        device = _Device(peer, self._context, self._presence, self._once, self._call_later, self._tap)
        self._context.lanes[peer.name] = device.out
        return device

    async def _begin(self, driver: Driver) -> None:
        """Wait for the MIDI system: the driver stays, and costs nothing."""
        while True:
            try:
                return await driver.begin()
            except PortError as exc:
                if driver.trouble:
                    raise
                for device in self._devices:
                    device.say(str(exc))
                self._once.warning(("system", str(exc)), "%s: %s; trying again", self.name, exc)
            await driver.ended(RETRY_S)

    def _tell(self, changes: Sequence[Change]) -> None:
        for device in self._devices:
            device.out.tell(changes)

    def _learnt(self, learnt: Learnt | None) -> None:
        """A binding has come or gone."""
        entry = None if learnt is None else self._store.find(learnt.path)
        for device in self._devices:
            if learnt is not None and entry is not None and device.peer.name == learnt.peer:
                device.rebind(entry)


class _Device:
    """One peer: whether it is there, and its line to the driver."""

    def __init__(
        self, peer: Peer, context: PortContext, presence: Presence, once: OncePer, call_later: CallLater, tap: MidiTap
    ) -> None:
        self._store = context.store
        self._clock = context.clock
        self._publish = context.publish_state
        self._presence = presence
        self._once = once
        self.peer = MidiPeer(peer, context.learning, self._warn_binding)
        self.out = Outbox(self.peer, self._store, once, self._clock, call_later, tap)
        self._receiver = Receiver(
            self.peer, self._store, self.out, once, self._clock, call_later, tap, context.learning
        )
        self._line: Line | None = None
        self._places: Found = (None, None)
        self._said = ""
        self._was_gone = False
        self._has_left = False
        presence.join(self.peer)

    def start(self) -> None:
        """It is looked for from now on."""
        for entry in self._store:
            self.peer.put(entry)

    def stop(self) -> None:
        """It is looked for no more."""
        self.peer.trouble = self.peer.trouble or "our MIDI ports are not open"
        self._publish_state()

    def leave(self) -> None:
        """It is none of ours any more."""
        self._has_left = True
        self.disconnect()
        self._presence.leave(self.peer, self._clock())

    def say(self, trouble: str) -> None:
        """Why it is not there."""
        self.peer.trouble = trouble
        self._publish_state()

    def rebind(self, entry: Entry) -> None:
        """A control's bindings are others now: a finger by one that is gone would never lift."""
        now = self._clock()
        self._store.release(entry, self.peer.origin, now)
        for route in self.peer.routes.of(entry.id):
            self.out.let_go(route, now)
        self.out.take(entry, now, is_in_hand=True)
        self._presence.added(entry, now)

    async def match(self, driver: Driver, ports: Ports, devices: Sequence[_Device]) -> None:
        """Connect, disconnect or leave it, by the ports that are there now; ``devices`` are all that look for some."""
        settings = self.peer.settings
        if self._has_left:
            return
        if self._line is not None and not self._is_there(driver, ports):
            self.disconnect()
            self._once.each("midi %s: gone", self.peer.name)
        found = self._find(ports, devices)
        if self._line is not None and found != self._places:
            self.disconnect()  # a second port of it has come
        if self._line is None and (settings.virtual or any(found)):
            await self._connect(driver, found)
        elif self._line is None:
            self.say(_absent(settings, ports))
        self._publish_state()

    def _find(self, ports: Ports, devices: Sequence[_Device]) -> Found:
        settings = self.peer.settings
        if settings.virtual:
            return None, None
        return self._find_way(0, ports, devices), self._find_way(1, ports, devices)

    def _find_way(self, way: int, ports: Ports, devices: Sequence[_Device]) -> Place | None:
        """Its port in (0) or out (1). It keeps the one that it has; and where a twin of it is away, it is not taken for
        that."""
        settings, wanted = self.peer.settings, self._wanted[way]
        if wanted is None:
            return None
        taken = {
            one.peer.settings.index: place
            for one in devices
            if one._line is not None
            and (place := one._places[way]) is not None
            and (one._wanted[way], one.peer.settings.exact) == (wanted, settings.exact)
            and one.peer.settings.index != settings.index
        }
        index = settings.index - sum(other < settings.index for other in taken)
        kept = None if self._line is None else self._places[way]
        return pick(ports[way], wanted, settings.exact, index, kept, taken.values())

    @property
    def _wanted(self) -> tuple[str | None, str | None]:
        return self.peer.settings.in_port, self.peer.settings.out_port

    def _is_there(self, driver: Driver, ports: Ports) -> bool:
        if self.peer.settings.virtual:
            # JACK may have been started anew: then ours are gone with it.
            ours = (f"{self._client}:", f"{self._client}-")
            return not driver.is_jack or any(name.startswith(ours) for names in ports for name in names)
        return all(place is None or place in places(names) for place, names in zip(self._places, ports, strict=True))

    @property
    def _client(self) -> str:
        return f"{OURS} {self.peer.name}"

    async def _connect(self, driver: Driver, found: Found) -> None:
        settings = self.peer.settings
        names: tuple[str | None, str | None] = settings.in_port, settings.out_port
        try:
            if settings.virtual:
                line = await driver.open(self._client, *names, self._receiver.receive, is_virtual=True)
            else:
                in_, out = found
                names = in_ and shown(in_.name), out and shown(out.name)
                line = await driver.open(self._client, *found, self._receiver.receive)
        except PortError as exc:
            self.say(str(exc))
            self._once.warning((self.peer.name, "open", str(exc)), "midi %s: %s", self.peer.name, self.peer.trouble)
            return
        if self._has_left:
            line.close()
            return
        self._line, self._places = line, found
        self.peer.in_name, self.peer.out_name = names[0] or "", names[1] or ""
        self.peer.trouble = ""
        self._once.each("midi %s: connected: %s", self.peer.name, self.peer.text)
        if self.peer.out_name:
            self.out.start(self)

    def disconnect(self) -> None:
        """It has gone, or is to go: what it holds is let go."""
        line, self._line = self._line, None
        if line is None:
            return
        line.close()
        self.out.stop()
        self._receiver.reset()
        self.peer.clear()
        self.peer.in_name = self.peer.out_name = ""
        self._store.release_all(self.peer.origin, self._clock())

    def send(self, messages: Sequence[bytes], done: Callable[[], None]) -> None:
        """Hand these to the driver."""
        if (line := self._line) is None:
            return

        def taken(future: asyncio.Future[None]) -> None:
            if self._line is not line:
                return  # it is another one now, or none
            if line.is_cut:
                return  # and so are all others: ``MidiPort.serve`` sees to it
            if future.exception() is None:
                done()
            else:
                self._places = (Place(""), None)  # no such port: the next look connects it anew
                text = "midi %s: could not be sent to: %s"
                self._once.warning((self.peer.name, "send"), text, self.peer.name, future.exception())

        line.send(messages).add_done_callback(taken)

    def pace(self, what: str, args: Sequence[Any], at: float) -> None:
        """What the pulse that the driver sends is told."""
        if self._line is not None:
            self._line.pace(what, args, at)

    def _publish_state(self) -> None:
        if (state := self.peer.state) != self._said:
            self._said = state
            self._publish(self.peer.name, state)
        if self.peer.is_gone != self._was_gone:
            self._was_gone = self.peer.is_gone
            self._presence.changed(self.peer, self._clock())

    def _warn_binding(self, path: str, text: str) -> None:
        self._once.warning(("binding", path), "%s", text)


def _absent(settings: Settings, ports: Ports) -> str:
    """``no port with "nano" in its name; there is Midi Through Port-0, …``."""
    wanted = dict.fromkeys(f'"{name}"' for name in (settings.in_port, settings.out_port) if name is not None)
    there = list(dict.fromkeys(shown(name) for names in ports for name in names if not name.startswith(OURS)))
    more = f" and {len(there) - MAX_SHOWN} more" if len(there) > MAX_SHOWN else ""
    listed = f"there is {', '.join(there[:MAX_SHOWN])}{more}" if there else "there is no MIDI device"
    which = "" if settings.index == 1 else f"{settings.index}. "
    return f"no {which}port with {' or '.join(wanted)} in its name; {listed}"
