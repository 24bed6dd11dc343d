"""How the running bridge is: what ``/healthz``, ``/metrics`` and the dashboard say, read from its parts when asked.

Nothing is counted here. Not here: what is wrong with it (``health``), the rows (``metrics``), the timer (``pulse``).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from aiohttp import web

from . import __version__
from .addresses import AddressWatch
from .config.settings import Config
from .discovery import Discovery, is_loopback
from .health import LastMessages, drops, reasons
from .http.door import Door
from .http.guard import check_admin
from .http.tls import Https
from .latency import KINDS, Latencies
from .learning import Learning
from .metrics import Metrics, Totals
from .monitor import Monitor
from .persist import Persistence
from .port import Port
from .prometheus import Reading, Readings, exposition
from .pulse import Pulse
from .refusals import Refusals
from .store import Store
from .ws import Hub


class Running(Protocol):
    """What is looked at."""

    config_trouble: str
    store: Store
    hub: Hub
    monitor: Monitor
    learning: Learning
    refusals: Refusals
    https: Https
    addresses: AddressWatch
    discovery: Discovery
    door: Door

    @property
    def config(self) -> Config: ...

    @property
    def ports(self) -> Sequence[Port]: ...

    @property
    def port_troubles(self) -> Mapping[str, str]:
        """By port's name: why it is not open."""

    def clock(self) -> float: ...


class Vitals:
    """Of one bridge, from when it is built. ``metrics`` is what its sessions tell dashboards."""

    def __init__(self, bridge: Running, state: Persistence, metrics: Metrics) -> None:
        self.metrics = metrics
        self.refusals: dict[str, Mapping[str, int]] = {
            "session": bridge.hub.shared.counters.by_code,
            "http": bridge.refusals.totals,
        }
        """Where → cause → how often something was not let in or not done; whoever refuses puts its counts in."""
        self.reloads = Counter(done=0, failed=0)
        """How often the configuration was read again, by result."""
        self._bridge = bridge
        self._state = state
        self._began = bridge.clock()
        self._last = LastMessages()
        hub = bridge.hub

        def told(call: Any) -> None:
            hub.on_told = call

        metrics.health = self.for_dashboard
        metrics.latencies = Latencies(bridge.store, bridge.clock, self._sent, told, lambda: len(hub) > 0)

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """The pulse beats while the block lasts."""
        pulse = Pulse(self.metrics, self._bridge.clock, self._totals, self._tell)
        async with pulse.beating():
            yield

    def routes(self) -> list[web.RouteDef]:
        """For ``Application.add_routes``."""
        return [web.get("/metrics", self._scraped)]

    def peers(self) -> list[dict[str, Any]]:
        """One entry per peer, with what it was last and what was dropped."""
        now = self._bridge.clock()
        return [
            {**self._last.of(entry["name"], now), **entry, "drops": drops(entry)}
            for port in self._bridge.ports
            for entry in port.health()
        ]

    def health(self) -> dict[str, Any]:
        """What ``/healthz`` answers."""
        return {**self._health(), "clients": self._bridge.hub.clients()}

    def for_dashboard(self) -> dict[str, Any]:
        """The same with browsers counted: there may be a thousand."""
        return {**self._health(), "clients": len(self._bridge.hub)}

    def _health(self) -> dict[str, Any]:
        bridge, counters, metrics = self._bridge, self._bridge.hub.shared.counters, self.metrics
        latencies = {} if metrics.latencies is None else metrics.latencies.histograms
        health: dict[str, Any] = {
            "name": bridge.config.title,
            "version": __version__,
            "epoch": bridge.store.epoch,
            "rev": bridge.store.revision,
            "config": {"file": str(bridge.config.file or ""), "trouble": bridge.config_trouble},
            "uptime_s": round(bridge.clock() - self._began, 1),
            "controls": len(bridge.store),
            "ports": [self._port(port) for port in bridge.ports],
            "peers": self.peers(),
            "state": self._state.health(),
            "https": bridge.https.health(),
            "network": self._network(),
            "monitors": len(bridge.monitor),
            "tasks": len(asyncio.all_tasks()),
            "messages_in": counters.messages,
            "refused": counters.by_code.total(),
            "stale": counters.by_code["stale"],
            "frames_out": counters.frames,
            "chains_cut": bridge.store.chains_cut,
            "refusals": {where: dict(causes) for where, causes in self.refusals.items()},
            "learnt": len(bridge.learning),
            "reloads": dict(self.reloads),
            "loop_lag_ms": metrics.lag.summary(),
            "latency_ms": {f"{come} to {go}": one.summary() for (come, go), one in latencies.items() if len(one)},
        }
        wrong = reasons(health)
        return {"status": "degraded" if wrong else "ok", "reasons": wrong, **health}

    def _network(self) -> dict[str, Any]:
        bridge = self._bridge
        own = [*map(str, bridge.addresses.addresses)]
        visitors = [one for one in bridge.door.visitors if one not in own and not is_loopback(one)]
        return {"addresses": own, **bridge.discovery.health(), "visitors": visitors}

    def _port(self, port: Port) -> dict[str, str]:
        trouble = self._bridge.port_troubles.get(port.name, "")
        return {"name": port.name, "state": "trying again" if trouble else "open", "text": trouble}

    def _sent(self) -> Mapping[str, int]:
        sent = dict.fromkeys(KINDS[:2], 0)
        for port in self._bridge.ports:
            sent[port.kind] = sent.get(port.kind, 0) + port.sent
        return sent

    def _totals(self, memory: float | None) -> Totals:
        bridge, counters, peers = self._bridge, self._bridge.hub.shared.counters, self.peers()
        self._last.note(peers, bridge.clock())
        return Totals(
            sum(peer["received"] for peer in peers) + counters.messages,
            sum(peer["sent"] for peer in peers) + counters.frames,
            counters.frames,
            len(bridge.hub),
            sum(sum(peer["drops"].values()) for peer in peers),
            bridge.store.revision,
            memory,
        )

    def _tell(self) -> None:
        """There is a row more."""
        if self.metrics.watchers:
            self._bridge.hub.shared.on_asides()

    async def _scraped(self, request: web.Request) -> web.StreamResponse:
        check_admin(request)
        metrics = self.metrics
        latencies = {} if metrics.latencies is None else metrics.latencies.histograms
        readings = Readings(
            [Reading.of(one, come, go) for (come, go), one in latencies.items()],
            Reading.of(metrics.lag),
            Reading.of(self._state.write_times),
            metrics.lag.highest_s,
        )
        accept = request.headers.get("Accept", "")
        body, content_type = await asyncio.to_thread(exposition, self.health(), readings, accept)
        return web.Response(body=body, headers={"Content-Type": content_type})
